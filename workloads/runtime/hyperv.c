/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "workloads/runtime/hyperv.h"

#include <stddef.h>

#include "workloads/runtime/memory.h"
#include "workloads/runtime/x86.h"

#define CPUID_1_ECX_HYPERVISOR (1u << 31)
#define LEAF_VENDOR 0x40000000u
#define LEAF_INTERFACE 0x40000001u
#define LEAF_FEATURES 0x40000003u
#define LEAF_HINTS 0x40000004u
#define LEAF_LIMITS 0x40000005u
#define INTERFACE_HV1 0x31237648u

#define HYPERCALL_NOTIFY_LONG_SPIN_WAIT 0x0008u
#define HYPERCALL_FAST (1u << 16)

/* TLFS, "Reporting the Guest OS Identity": open source, OS type "others". */
#define GUEST_OS_ID (UINT64_C(1) << 63 | UINT64_C(0x7f) << 56 | 1)

static bool is_present;
static uint64_t privileges;
static uint32_t features;
static uint32_t hints;
static uint32_t spin_retries = HV_SPIN_NEVER;
static struct hyperv_tsc_page *tsc_page;

/* In the text section for its rights; the hypervisor supplies the content. */
__asm__(".pushsection .text\n"
        ".balign 4096\n"
        ".globl hyperv_hypercall_page\n"
        "hyperv_hypercall_page:\n"
        ".fill 4096, 1, 0xcc\n"
        ".popsection");

static bool detect(void)
{
    if (!(x86_cpuid(1, 0).ecx & CPUID_1_ECX_HYPERVISOR))
        return false;
    return x86_cpuid(LEAF_VENDOR, 0).eax >= LEAF_LIMITS &&
           x86_cpuid(LEAF_INTERFACE, 0).eax == INTERFACE_HV1;
}

void hyperv_init(void)
{
    struct cpuid_registers r;

    is_present = detect();
    if (!is_present)
        return;
    r = x86_cpuid(LEAF_FEATURES, 0);
    privileges = (uint64_t)r.ebx << 32 | r.eax;
    features = r.edx;
    r = x86_cpuid(LEAF_HINTS, 0);
    hints = r.eax;

    if (privileges & HV_PRIVILEGE_HYPERCALL_MSRS) {
        spin_retries = r.ebx > 0 ? r.ebx : HV_SPIN_NEVER;
        x86_wrmsr(HV_MSR_GUEST_OS_ID, GUEST_OS_ID);
        x86_wrmsr(HV_MSR_HYPERCALL,
                  (uintptr_t)hyperv_hypercall_page | HV_PAGE_ENABLE);
    }
    if (privileges & HV_PRIVILEGE_REFERENCE_TSC) {
        tsc_page = memory_pages(1);
        x86_wrmsr(HV_MSR_REFERENCE_TSC, (uintptr_t)tsc_page | HV_PAGE_ENABLE);
    }
}

uint32_t hyperv_spin_retries(void)
{
    return spin_retries;
}

void hyperv_notify_long_spin_wait(uint32_t spins)
{
    hyperv_hypercall(HYPERCALL_NOTIFY_LONG_SPIN_WAIT | HYPERCALL_FAST, spins,
                     0);
}

bool hyperv_is_present(void)
{
    return is_present;
}

uint64_t hyperv_privileges(void)
{
    return privileges;
}

uint32_t hyperv_features(void)
{
    return features;
}

bool hyperv_has_apic_msrs(void)
{
    return (privileges & HV_PRIVILEGE_APIC_MSRS) && (hints & HV_HINT_APIC_MSRS);
}

bool hyperv_has_frequency_msrs(void)
{
    return (privileges & HV_PRIVILEGE_FREQUENCY_MSRS) &&
           (features & HV_FEATURE_FREQUENCY_MSRS);
}

bool hyperv_has_direct_timers(void)
{
    return (privileges & HV_PRIVILEGE_SYNTHETIC_TIMERS) &&
           (features & HV_FEATURE_DIRECT_TIMERS) && hyperv_has_reference_time();
}

bool hyperv_has_reference_time(void)
{
    return (privileges & HV_PRIVILEGE_REFERENCE_COUNTER) != 0;
}

const struct hyperv_tsc_page *hyperv_tsc_page(void)
{
    return tsc_page;
}

/* TLFS, "Reference TSC Page": the page is read again if its sequence moved
 * while it was read; sequence 0 sends the reader to the MSR. */
uint64_t hyperv_reference_time(void)
{
    while (tsc_page != NULL) {
        uint32_t sequence = tsc_page->sequence;

        if (sequence == 0)
            break;

        uint64_t scale = tsc_page->scale;
        uint64_t offset = (uint64_t)tsc_page->offset;
        uint64_t tsc = x86_rdtsc();
        __extension__ unsigned __int128 product =
            (unsigned __int128)tsc * scale;

        if (tsc_page->sequence == sequence)
            return (uint64_t)(product >> 64) + offset;
    }
    return x86_rdmsr(HV_MSR_TIME_REF_COUNT);
}

uint64_t hyperv_hypercall(uint64_t control, uint64_t input, uint64_t output)
{
    register uint64_t r8 __asm__("r8") = output;
    uint64_t result;

    __asm__ volatile("call hyperv_hypercall_page"
                     : "=a"(result), "+c"(control), "+d"(input), "+r"(r8)
                     :
                     : "r9", "r10", "r11", "memory", "cc");
    return result;
}
