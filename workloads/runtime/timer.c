/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "workloads/runtime/timer.h"

#include "workloads/runtime/apic.h"
#include "workloads/runtime/clock.h"
#include "workloads/runtime/hyperv.h"
#include "workloads/runtime/report.h"
#include "workloads/runtime/trap.h"

#define NS_PER_REFERENCE_TICK 100
#define CALIBRATION_NS 10000000

#define STIMER_CONFIG                                                          \
    (HV_STIMER_DIRECT | HV_STIMER_AUTO_ENABLE |                                \
     (uint64_t)TIMER_VECTOR << HV_STIMER_VECTOR_SHIFT)

static void (*on_expiry)(void);
static uint64_t apic_hz; /* 0 while not known */

static void handle_interrupt(struct trap_frame *frame)
{
    (void)frame;
    apic_eoi();
    if (on_expiry != NULL)
        on_expiry();
}

static uint64_t measure_apic_hz(void)
{
    uint64_t start, ns;

    apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED | TIMER_VECTOR);
    apic_write(APIC_TIMER_DIVIDE, APIC_DIVIDE_BY_1);
    apic_write(APIC_TIMER_INITIAL, UINT32_MAX);
    start = clock_ns();
    clock_spin(CALIBRATION_NS);
    ns = clock_ns() - start;
    return (UINT32_MAX - apic_read(APIC_TIMER_CURRENT)) * NS_PER_S / ns;
}

void timer_init(void)
{
    trap_set_handler(TIMER_VECTOR, handle_interrupt);
    if (hyperv_has_direct_timers())
        return;
    if (apic_hz == 0)
        apic_hz = hyperv_has_frequency_msrs() ? x86_rdmsr(HV_MSR_APIC_FREQUENCY)
                                              : measure_apic_hz();
    if (apic_hz == 0)
        report_fail("the local APIC's timer does not count");
    apic_write(APIC_TIMER_DIVIDE, APIC_DIVIDE_BY_1);
    timer_stop();
}

void timer_set_handler(void (*handler)(void))
{
    on_expiry = handler;
}

/* At least 1: a count of 0 would stop the timer instead. */
static uint32_t apic_count(uint64_t ns)
{
    uint64_t seconds = ns / NS_PER_S;
    uint64_t count;

    if (seconds > UINT32_MAX / apic_hz)
        return UINT32_MAX;
    count = seconds * apic_hz + ns % NS_PER_S * apic_hz / NS_PER_S;
    if (count > UINT32_MAX)
        return UINT32_MAX;
    return count == 0 ? 1 : (uint32_t)count;
}

void timer_set_deadline(uint64_t deadline_ns)
{
    uint64_t now = clock_ns();

    if (hyperv_has_direct_timers()) {
        x86_wrmsr(HV_MSR_STIMER0_CONFIG, STIMER_CONFIG);
        x86_wrmsr(HV_MSR_STIMER0_COUNT,
                  (deadline_ns + NS_PER_REFERENCE_TICK - 1) /
                      NS_PER_REFERENCE_TICK);
        return;
    }
    apic_write(APIC_LVT_TIMER, TIMER_VECTOR);
    apic_write(APIC_TIMER_INITIAL,
               apic_count(deadline_ns > now ? deadline_ns - now : 0));
}

void timer_set_period(uint64_t period_ns)
{
    if (hyperv_has_direct_timers()) {
        x86_wrmsr(HV_MSR_STIMER0_CONFIG, STIMER_CONFIG | HV_STIMER_PERIODIC);
        x86_wrmsr(HV_MSR_STIMER0_COUNT, period_ns / NS_PER_REFERENCE_TICK);
        return;
    }
    apic_write(APIC_LVT_TIMER, APIC_LVT_PERIODIC | TIMER_VECTOR);
    apic_write(APIC_TIMER_INITIAL, apic_count(period_ns));
}

void timer_stop(void)
{
    if (hyperv_has_direct_timers()) {
        x86_wrmsr(HV_MSR_STIMER0_COUNT, 0);
        return;
    }
    apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED | TIMER_VECTOR);
    apic_write(APIC_TIMER_INITIAL, 0);
}

const char *timer_name(void)
{
    return hyperv_has_direct_timers() ? "stimer" : "apic";
}
