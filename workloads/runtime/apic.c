/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "workloads/runtime/apic.h"

#include "workloads/runtime/args.h"
#include "workloads/runtime/hyperv.h"
#include "workloads/runtime/string.h"
#include "workloads/runtime/x86.h"

#define CPUID_1_ECX_X2APIC (1u << 21)
#define APIC_BASE_ENABLE (UINT64_C(1) << 11)
#define APIC_BASE_X2APIC (UINT64_C(1) << 10)
#define SPURIOUS_ENABLE 0x100u
#define PIC_1_MASK 0x21
#define PIC_2_MASK 0xa1

enum apic_access {
    ACCESS_PAGE,
    ACCESS_X2APIC,
};

static enum apic_access access;

void apic_mask_legacy(void)
{
    x86_out8(PIC_1_MASK, 0xff);
    x86_out8(PIC_2_MASK, 0xff);
}

void apic_enable(void)
{
    uint64_t base = x86_rdmsr(MSR_APIC_BASE) | APIC_BASE_ENABLE;

    if ((x86_cpuid(1, 0).ecx & CPUID_1_ECX_X2APIC) &&
        strcmp(args_text("apic", "x2apic"), "xapic") != 0)
        access = ACCESS_X2APIC;
    if (access == ACCESS_X2APIC)
        base |= APIC_BASE_X2APIC;
    x86_wrmsr(MSR_APIC_BASE, base);
    apic_write(APIC_TPR, 0);
    apic_write(APIC_SPURIOUS, SPURIOUS_ENABLE | APIC_VECTOR_SPURIOUS);
}

bool apic_is_x2apic(void)
{
    return access == ACCESS_X2APIC;
}

static volatile uint32_t *page_register(enum apic_register reg)
{
    return (volatile uint32_t *)(APIC_PHYSICAL + (uint32_t)reg);
}

static uint32_t msr_of(enum apic_register reg)
{
    return MSR_X2APIC_BASE + ((uint32_t)reg >> 4);
}

uint32_t apic_read(enum apic_register reg)
{
    if (access == ACCESS_X2APIC)
        return (uint32_t)x86_rdmsr(msr_of(reg));
    return *page_register(reg);
}

void apic_write(enum apic_register reg, uint32_t value)
{
    if (access == ACCESS_X2APIC)
        x86_wrmsr(msr_of(reg), value);
    else
        *page_register(reg) = value;
}

void apic_eoi(void)
{
    if (access == ACCESS_PAGE && hyperv_has_apic_msrs())
        x86_wrmsr(HV_MSR_EOI, 0);
    else
        apic_write(APIC_EOI, 0);
}

void apic_send(uint32_t target, uint32_t icr_low)
{
    if (access == ACCESS_X2APIC) {
        x86_wrmsr(msr_of(APIC_ICR), (uint64_t)target << 32 | icr_low);
        return;
    }
    *page_register(APIC_ICR_HIGH) = target << 24;
    *page_register(APIC_ICR) = icr_low;
    while (*page_register(APIC_ICR) & APIC_ICR_PENDING)
        x86_pause();
}

void apic_send_init(uint32_t target)
{
    apic_send(target, APIC_ICR_INIT | APIC_ICR_ASSERT);
}

void apic_send_startup(uint32_t target, uint32_t address)
{
    apic_send(target, APIC_ICR_STARTUP | APIC_ICR_ASSERT | address >> 12);
}
