/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Attacks by the hypervisor's interface: MSRs, hypercalls, overlay pages. */

#include "workloads/attacks/attack.h"
#include "workloads/hvtests/msr.h"
#include "workloads/runtime/apic.h"
#include "workloads/runtime/args.h"
#include "workloads/runtime/hyperv.h"
#include "workloads/runtime/memory.h"
#include "workloads/runtime/paging.h"
#include "workloads/runtime/report.h"
#include "workloads/runtime/string.h"
#include "workloads/runtime/x86.h"

#define MSR_X2APIC_ICR 0x830u
#define MSR_SIEFP 0x40000082u
#define MSR_SIMP 0x40000083u
#define MSR_SCONTROL 0x40000080u
#define MSR_EOM 0x40000084u
#define MSR_SINT0 0x40000090u
#define NO_MEMORY (UINT64_C(1) << 45)
#define CODES 0x10000u
#define CONTROL_FAST (UINT64_C(1) << 16)
#define STATUS_SUCCESS 0
#define CANARY UINT64_C(0x5ca1ab1e0ddba11)

#define MSR_RESET 0x40000003u
#define MSR_GUEST_IDLE 0x400000f0u
#define MSR_CRASH_CONTROL 0x40000105u

/* What this program itself cannot do without, IPIs at random, and what ends or
 * stops it as it should. */
static bool spares(uint32_t msr)
{
    return msr == MSR_GS_BASE || msr == MSR_EFER || msr == MSR_APIC_BASE ||
           msr == MSR_X2APIC_ICR || msr == HV_MSR_ICR || msr == MSR_RESET ||
           msr == MSR_GUEST_IDLE || msr == MSR_CRASH_CONTROL;
}

/* Writes what is wild, then what was there before. */
static void try_msr(uint32_t msr, uint64_t page)
{
    const uint64_t values[] = {0,
                               1,
                               UINT64_MAX,
                               page | 1,
                               page,
                               NO_MEMORY | 1,
                               UINT64_C(1) << 63,
                               attack_random() | NO_MEMORY};
    uint64_t before, ignored;

    if (spares(msr))
        return;

    bool readable = msr_read(msr, &before) == MSR_OK;

    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        (void)msr_write(msr, values[i]);
        (void)msr_read(msr, &ignored);
        if (!readable)
            i += 4; /* nothing is there: fewer will do */
    }
    if (readable)
        (void)msr_write(msr, before);
}

static void sweep(uint32_t first, uint32_t last, uint32_t step, uint64_t page)
{
    for (uint32_t msr = first; msr <= last; msr += step)
        try_msr(msr, page);
}

/* Argument `step`: every how many of the great empty ranges. */
static void run_msrs(void)
{
    uint32_t step = (uint32_t)args_number("step", 61);
    uint64_t page = (uintptr_t)memory_pages(1);

    sweep(0, 0x2fff, step < 8 ? 1 : 3, page);
    sweep(0x3000, 0xffff, step, page);
    sweep(0x800, 0x8ff, 1, page);
    sweep(0x40000000, 0x40000130, 1, page);
    sweep(0x40000131, 0x400010ff, step, page);
    sweep(0xc0000080, 0xc0000103, 1, page);
    sweep(0xc0000104, 0xc000ffff, step, page);
    sweep(0xc0010000, 0xc001ffff, step, page);
}

static uint64_t pick_parameter(uint64_t page)
{
    switch (attack_random() % 10) {
    case 0:
        return page + attack_random() % PAGE_BYTES;
    case 1:
        return page + PAGE_BYTES - 8 * (attack_random() % 32);
    case 2:
        return memory_end() - 8;
    case 3:
        return NO_MEMORY;
    case 4:
        return UINT64_MAX - attack_random() % 64;
    case 5:
        return (uintptr_t)hyperv_hypercall_page;
    case 6:
        return attack_random();
    case 7:
        return APIC_PHYSICAL;
    default:
        return page + 8 * (attack_random() % 512);
    }
}

static uint64_t pick_control(uint32_t code)
{
    uint64_t control = attack_random();

    if (attack_random() % 4 != 0) /* no reserved bits */
        control &= UINT64_C(0x0fff0fff07ff0000);
    if (attack_random() % 2 != 0) /* few reps */
        control &= UINT64_C(0x00030007ffff0000);
    if (attack_random() % 2 != 0) /* no variable header */
        control &= ~UINT64_C(0x07fe0000);
    return (control & ~UINT64_C(0xffff)) | code;
}

/* Every code, with everything else at random; a page that no call is given
 * stays as it was. */
static void run_hypercalls(void)
{
    uint32_t step = (uint32_t)args_number("step", 61);
    uint64_t page = (uintptr_t)memory_pages(1);
    uint64_t *canary = memory_pages(1);
    uint64_t succeeded = 0;

    for (unsigned i = 0; i < PAGE_BYTES / 8; i++)
        canary[i] = CANARY;
    for (uint32_t code = 0; code < CODES; code += code < 0x100 ? 1 : step) {
        for (unsigned i = 0; i < (code < 0x100 ? 32 : 2); i++) {
            uint64_t *words = (uint64_t *)page;
            uint64_t result;

            words[attack_random() % 512] = attack_random();
            words[attack_random() % 512] = UINT64_MAX; /* HV_PARTITION_SELF */
            result = hyperv_hypercall(pick_control(code), pick_parameter(page),
                                      pick_parameter(page));
            succeeded += (result & 0xffff) == STATUS_SUCCESS;
        }
    }
    for (unsigned i = 0; i < PAGE_BYTES / 8; i++) {
        if (canary[i] != CANARY)
            report_fail("hypercalls wrote where they were not told to");
    }
    report_result("succeeded", succeeded, "count");
}

static const uint32_t page_msrs[] = {HV_MSR_HYPERCALL, HV_MSR_REFERENCE_TSC,
                                     HV_MSR_VP_ASSIST_PAGE, MSR_SIEFP,
                                     MSR_SIMP};
#define PAGE_MSRS (sizeof(page_msrs) / sizeof(page_msrs[0]))

/* All overlay pages over each other, come and gone in every order, at a page
 * that must show its own content in the end. */
static void run_overlays(void)
{
    volatile uint64_t *page = memory_pages(1);
    uint64_t before[PAGE_MSRS];

    for (unsigned i = 0; i < PAGE_MSRS; i++)
        before[i] = x86_rdmsr(page_msrs[i]);
    page[0] = CANARY;
    for (unsigned round = 0; round < 400; round++) {
        uint32_t msr = page_msrs[attack_random() % PAGE_MSRS];
        uint64_t value = (uintptr_t)page | (attack_random() & 1);

        if (attack_random() % 8 == 0)
            value = NO_MEMORY | 1;
        (void)msr_write(msr, value);
        (void)attack_write(page + 1, attack_random());
    }
    for (unsigned i = 0; i < PAGE_MSRS; i++)
        x86_wrmsr(page_msrs[i], before[i]);
    if (page[0] != CANARY)
        report_fail("what is under an overlay changed: %lx", page[0]);
}

/* Every overlay page over a place, then whatever this program still does. */
static void lay_over(uint64_t address)
{
    for (unsigned i = 0; i < PAGE_MSRS; i++)
        (void)msr_write(page_msrs[i], (address & ~UINT64_C(0xfff)) | 1);
}

static void run_overlay_code(void)
{
    lay_over((uintptr_t)lay_over);
    lay_over((uintptr_t)msr_write);
}

static void run_overlay_tables(void)
{
    lay_over(paging_root());
    x86_write_cr3(paging_root());
}

static void run_overlay_apic(void)
{
    lay_over(APIC_PHYSICAL);
    for (unsigned i = 0; i < 64; i++) {
        (void)attack_read(attack_window(APIC_PHYSICAL + i * 16));
        (void)attack_write(attack_window(APIC_PHYSICAL + i * 16), 0);
    }
}

static void run_overlay_last(void)
{
    lay_over(memory_end() - 1);
    lay_over(memory_end());
    lay_over(UINT64_MAX);
    lay_over(0);
}

/* The hypercall's own input and output beneath overlays. */
static void run_overlay_parameters(void)
{
    uint64_t page = (uintptr_t)memory_pages(1);

    for (unsigned i = 1; i < PAGE_MSRS; i++) {
        (void)msr_write(page_msrs[i], page | 1);
        for (uint32_t code = 0; code < 0x100; code++)
            (void)hyperv_hypercall(code, page, page);
    }
    for (uint32_t code = 0; code < 0x100; code++)
        (void)hyperv_hypercall(code, (uintptr_t)hyperv_hypercall_page,
                               (uintptr_t)hyperv_hypercall_page);
}

/* The SynIC with everything wrong, and timers that send to it. */
static void run_synic(void)
{
    volatile uint8_t *page = memory_pages(1);

    for (unsigned round = 0; round < 2000; round++) {
        uint32_t msr = MSR_SCONTROL + (uint32_t)(attack_random() % 0x40);

        switch (attack_random() % 6) {
        case 0:
            (void)msr_write(msr, (uintptr_t)page | 1);
            break;
        case 1:
            (void)msr_write(msr, attack_random() & 0x7ffff);
            break;
        case 2: /* a timer, soon */
            (void)msr_write(HV_MSR_STIMER0_CONFIG +
                                2 * (uint32_t)(attack_random() % 4),
                            (attack_random() & 0xf1fff) | HV_STIMER_ENABLE);
            (void)msr_write(HV_MSR_STIMER0_COUNT +
                                2 * (uint32_t)(attack_random() % 4),
                            attack_random() % 64);
            break;
        case 3:
            (void)msr_write(MSR_EOM, 0);
            break;
        case 4: /* a slot is full, or has any content */
            page[attack_random() % PAGE_BYTES] = (uint8_t)attack_random();
            break;
        default:
            (void)msr_write(MSR_SINT0 + (uint32_t)(attack_random() % 16),
                            attack_random() & 0x7ffff);
            break;
        }
    }
}

/* CPUID with everything that it may be asked. */
static void run_cpuid(void)
{
    for (uint32_t leaf = 0; leaf < 0x120; leaf++) {
        for (uint32_t base = 0; base < 16; base++)
            (void)x86_cpuid((base << 28) + leaf,
                            (uint32_t)attack_random() % 64);
        (void)x86_cpuid((uint32_t)attack_random(), (uint32_t)attack_random());
    }
}

const struct attack_case attack_interface_cases[] = {
    {"msrs", run_msrs},
    {"hypercalls", run_hypercalls},
    {"overlays", run_overlays},
    {"overlay-code", run_overlay_code},
    {"overlay-tables", run_overlay_tables},
    {"overlay-apic", run_overlay_apic},
    {"overlay-last", run_overlay_last},
    {"overlay-parameters", run_overlay_parameters},
    {"synic", run_synic},
    {"cpuid", run_cpuid},
    {NULL, NULL},
};
