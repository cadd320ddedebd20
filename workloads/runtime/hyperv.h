/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_WORKLOADS_RUNTIME_HYPERV_H
#define HVSIM_WORKLOADS_RUNTIME_HYPERV_H

/**
 * The guest's side of the Hyper-V interface: detection, guest identity,
 * hypercall page and reference time. Everything reads as absent where CPUID
 * leaf 0x40000001 is not "Hv#1".
 * Source: TLFS, "Feature and Interface Discovery", "Hypercall Interface",
 * "Timers".
 */

#include <stdbool.h>
#include <stdint.h>

#define HV_MSR_GUEST_OS_ID 0x40000000u
#define HV_MSR_HYPERCALL 0x40000001u
#define HV_MSR_VP_INDEX 0x40000002u
#define HV_MSR_VP_RUNTIME 0x40000010u
#define HV_MSR_TIME_REF_COUNT 0x40000020u
#define HV_MSR_REFERENCE_TSC 0x40000021u
#define HV_MSR_TSC_FREQUENCY 0x40000022u
#define HV_MSR_APIC_FREQUENCY 0x40000023u
#define HV_MSR_EOI 0x40000070u
#define HV_MSR_ICR 0x40000071u
#define HV_MSR_TPR 0x40000072u
#define HV_MSR_VP_ASSIST_PAGE 0x40000073u
#define HV_MSR_STIMER0_CONFIG 0x400000b0u
#define HV_MSR_STIMER0_COUNT 0x400000b1u

#define HV_PAGE_ENABLE UINT64_C(1)

#define HV_STIMER_ENABLE (UINT64_C(1) << 0)
#define HV_STIMER_PERIODIC (UINT64_C(1) << 1)
#define HV_STIMER_LAZY (UINT64_C(1) << 2)
#define HV_STIMER_AUTO_ENABLE (UINT64_C(1) << 3)
#define HV_STIMER_DIRECT (UINT64_C(1) << 12)
#define HV_STIMER_VECTOR_SHIFT 4

/* Privilege mask, CPUID 0x40000003 EAX (low) and EBX (high). */
#define HV_PRIVILEGE_VP_RUNTIME (UINT64_C(1) << 0)
#define HV_PRIVILEGE_REFERENCE_COUNTER (UINT64_C(1) << 1)
#define HV_PRIVILEGE_SYNTHETIC_TIMERS (UINT64_C(1) << 3)
#define HV_PRIVILEGE_APIC_MSRS (UINT64_C(1) << 4)
#define HV_PRIVILEGE_HYPERCALL_MSRS (UINT64_C(1) << 5)
#define HV_PRIVILEGE_VP_INDEX (UINT64_C(1) << 6)
#define HV_PRIVILEGE_REFERENCE_TSC (UINT64_C(1) << 9)
#define HV_PRIVILEGE_FREQUENCY_MSRS (UINT64_C(1) << 11)

/* Features, CPUID 0x40000003 EDX. */
#define HV_FEATURE_FREQUENCY_MSRS (1u << 8)
#define HV_FEATURE_DIRECT_TIMERS (1u << 19)

#define HV_HINT_APIC_MSRS (1u << 3) /* CPUID 0x40000004 EAX */

/* Layout of the reference TSC page. */
struct hyperv_tsc_page {
    volatile uint32_t sequence; /* 0: invalid, use the MSR */
    uint32_t reserved;
    volatile uint64_t scale;
    volatile int64_t offset;
};

/** Detects, identifies this guest and sets up the pages. Once, first VP. */
void hyperv_init(void);

bool hyperv_is_present(void);
uint64_t hyperv_privileges(void);
uint32_t hyperv_features(void);
bool hyperv_has_apic_msrs(void);
bool hyperv_has_frequency_msrs(void);
bool hyperv_has_direct_timers(void);
bool hyperv_has_reference_time(void);

#define HV_SPIN_NEVER UINT32_MAX

/** After how many turns of a spin loop, and each multiple of that, the
 *  hypervisor wants to be told; HV_SPIN_NEVER. At least 1. */
uint32_t hyperv_spin_retries(void);

/** HvCallNotifyLongSpinWait: a hint, for hyperv_spin_retries() to ask for. */
void hyperv_notify_long_spin_wait(uint32_t spins);

/** The mapped reference TSC page, or NULL where there is none. */
const struct hyperv_tsc_page *hyperv_tsc_page(void);

/** Partition reference time in 100 ns: by the TSC page, else by the MSR.
 *  Needs hyperv_has_reference_time(). */
uint64_t hyperv_reference_time(void);

/** Calls through the hypercall page; returns the result value. Needs
 *  HV_PRIVILEGE_HYPERCALL_MSRS. */
uint64_t hyperv_hypercall(uint64_t control, uint64_t input, uint64_t output);

/** The page that the hypervisor lays its call stub over. */
extern char hyperv_hypercall_page[];

#endif
