/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "workloads/runtime/clock.h"

#include "workloads/runtime/hyperv.h"
#include "workloads/runtime/report.h"
#include "workloads/runtime/x86.h"

#define LEAF_TSC 0x15
#define LEAF_HYPERVISOR 0x40000000u
#define LEAF_HYPERVISOR_TIMING 0x40000010u
#define CPUID_1_ECX_HYPERVISOR (1u << 31)

/* 8254 channel 2 with its gate and output in the NMI status port. */
#define PIT_HZ 1193182u
#define PIT_CHANNEL_2 0x42
#define PIT_COMMAND 0x43
#define PIT_COMMAND_CHANNEL_2_ONE_SHOT 0xb0
#define PORT_B 0x61
#define PORT_B_GATE 0x01
#define PORT_B_SPEAKER 0x02
#define PORT_B_OUTPUT 0x20
#define PIT_TICKS 59659u /* 50 ms */
#define PIT_POLLS_MAX 10000000

enum clock_source {
    CLOCK_HYPERV,
    CLOCK_TSC,
    CLOCK_TSC_BY_PIT,
};

static enum clock_source source;
static uint64_t tsc_hz;
static uint64_t ns_per_tick_32; /* nanoseconds of a TSC tick, times 2^32 */

static uint64_t tsc_hz_by_cpuid(void)
{
    if (x86_cpuid(0, 0).eax >= LEAF_TSC) {
        struct cpuid_registers r = x86_cpuid(LEAF_TSC, 0);

        if (r.eax != 0 && r.ebx != 0 && r.ecx != 0)
            return (uint64_t)r.ecx * r.ebx / r.eax;
    }
    if ((x86_cpuid(1, 0).ecx & CPUID_1_ECX_HYPERVISOR) &&
        x86_cpuid(LEAF_HYPERVISOR, 0).eax >= LEAF_HYPERVISOR_TIMING)
        return x86_cpuid(LEAF_HYPERVISOR_TIMING, 0).eax * UINT64_C(1000);
    return 0;
}

static uint64_t tsc_hz_by_pit(void)
{
    uint8_t port = x86_in8(PORT_B);
    uint64_t start;

    x86_out8(PORT_B, (uint8_t)((port & ~PORT_B_SPEAKER) | PORT_B_GATE));
    x86_out8(PIT_COMMAND, PIT_COMMAND_CHANNEL_2_ONE_SHOT);
    x86_out8(PIT_CHANNEL_2, PIT_TICKS & 0xff);
    x86_out8(PIT_CHANNEL_2, PIT_TICKS >> 8);
    start = x86_rdtsc();
    for (int poll = 0; poll < PIT_POLLS_MAX; poll++) {
        if (x86_in8(PORT_B) & PORT_B_OUTPUT)
            return (x86_rdtsc() - start) * PIT_HZ / PIT_TICKS;
    }
    return 0;
}

void clock_init(void)
{
    if (hyperv_has_reference_time()) {
        source = CLOCK_HYPERV;
        return;
    }
    source = CLOCK_TSC;
    tsc_hz = tsc_hz_by_cpuid();
    if (tsc_hz == 0) {
        source = CLOCK_TSC_BY_PIT;
        tsc_hz = tsc_hz_by_pit();
    }
    if (tsc_hz < 1000000)
        report_fail("no clock: neither Hyper-V reference time nor a TSC "
                    "frequency");
    ns_per_tick_32 = (NS_PER_S << 32) / tsc_hz;
}

uint64_t clock_ns(void)
{
    if (source == CLOCK_HYPERV)
        return hyperv_reference_time() * 100;
    __extension__ unsigned __int128 product =
        (unsigned __int128)x86_rdtsc() * ns_per_tick_32;

    return (uint64_t)(product >> 32);
}

const char *clock_name(void)
{
    static const char *const names[] = {
        [CLOCK_HYPERV] = "hyperv",
        [CLOCK_TSC] = "tsc",
        [CLOCK_TSC_BY_PIT] = "tsc-by-pit",
    };

    return names[source];
}

void clock_spin(uint64_t ns)
{
    uint64_t start = clock_ns();

    while (clock_ns() - start < ns)
        x86_pause();
}
