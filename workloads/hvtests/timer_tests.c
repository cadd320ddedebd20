/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * hvtest-timers: synthetic timers in direct mode (TLFS, "Synthetic Timers").
 *
 * Argument: test=NAME. Needs Hyper-V with synthetic timers; where they have no
 * direct mode, that it is refused is all that is tested.
 */

#include "workloads/hvtests/msr.h"
#include "workloads/runtime/apic.h"
#include "workloads/runtime/clock.h"
#include "workloads/runtime/cpu.h"
#include "workloads/runtime/hyperv.h"
#include "workloads/runtime/report.h"
#include "workloads/runtime/runtime.h"
#include "workloads/runtime/trap.h"
#include "workloads/selftest/probe.h"
#include "workloads/selftest/selftest.h"

#define TIMER_COUNT 4
#define VECTOR_FIRST 0xa0 /* and one for each timer from here on */
#define UNITS_PER_MS UINT64_C(10000)
#define SETTLE_UNITS (2 * UNITS_PER_MS)
#define TIMEOUT_UNITS (1000 * UNITS_PER_MS)
#define PERIODS 8

/* Written by the interrupt handler. */
static struct {
    volatile unsigned count;
    volatile uint64_t time[PERIODS]; /* of the first expiries */
} expiries[TIMER_COUNT];

static void handle(struct trap_frame *frame)
{
    unsigned timer = (unsigned)frame->vector - VECTOR_FIRST;

    if (expiries[timer].count < PERIODS)
        expiries[timer].time[expiries[timer].count] = hyperv_reference_time();
    expiries[timer].count++;
    apic_eoi();
}

static uint32_t config_msr(unsigned timer)
{
    return HV_MSR_STIMER0_CONFIG + 2 * timer;
}

static uint32_t count_msr(unsigned timer)
{
    return HV_MSR_STIMER0_COUNT + 2 * timer;
}

static uint64_t direct_config(unsigned timer)
{
    return HV_STIMER_DIRECT | (uint64_t)(VECTOR_FIRST + timer)
                                  << HV_STIMER_VECTOR_SHIFT;
}

static void set(unsigned timer, uint64_t config, uint64_t count)
{
    expiries[timer].count = 0;
    x86_wrmsr(config_msr(timer), config);
    x86_wrmsr(count_msr(timer), count);
}

static void stop(unsigned timer)
{
    x86_wrmsr(config_msr(timer), 0);
    x86_wrmsr(count_msr(timer), 0);
    expiries[timer].count = 0;
}

static uint64_t is_enabled(unsigned timer)
{
    return x86_rdmsr(config_msr(timer)) & HV_STIMER_ENABLE;
}

/* Waits for `count` expiries, then for some more time; returns how many
 * there were in all. */
static unsigned settle(unsigned timer, unsigned count)
{
    uint64_t start = hyperv_reference_time();

    while (expiries[timer].count < count &&
           hyperv_reference_time() - start < TIMEOUT_UNITS)
        x86_pause();
    clock_spin(SETTLE_UNITS * 100);
    return expiries[timer].count;
}

static void run_reset(void)
{
    for (unsigned timer = 0; timer < TIMER_COUNT; timer++) {
        selftest_equal(x86_rdmsr(config_msr(timer)), 0, "STIMER%u_CONFIG",
                       timer);
        selftest_equal(x86_rdmsr(count_msr(timer)), 0, "STIMER%u_COUNT", timer);
    }
}

static void run_one_shot(void)
{
    uint64_t auto_enable = HV_STIMER_AUTO_ENABLE;

    for (unsigned timer = 0; timer < TIMER_COUNT; timer++) {
        uint64_t due = hyperv_reference_time() + UNITS_PER_MS;

        set(timer, direct_config(timer) | auto_enable, due);
        selftest_equal(is_enabled(timer), HV_STIMER_ENABLE,
                       "timer %u: enabled by COUNT", timer);
        selftest_equal(x86_rdmsr(count_msr(timer)), due, "timer %u: COUNT",
                       timer);
        selftest_equal(settle(timer, 1), 1, "timer %u: expiries", timer);
        selftest_equal(expiries[timer].time[0] >= due, true,
                       "timer %u: not before its time", timer);
        selftest_equal(is_enabled(timer), 0, "timer %u: disabled by expiry",
                       timer);
        stop(timer);
    }
}

static void run_past(void)
{
    set(0, direct_config(0) | HV_STIMER_AUTO_ENABLE, 1);
    selftest_equal(settle(0, 1), 1, "a time long past expires at once");
    stop(0);
}

/* Linux writes CONFIG, enabled, while COUNT is 0, and COUNT later. */
static void run_enable_first(void)
{
    uint64_t config =
        direct_config(0) | HV_STIMER_ENABLE | HV_STIMER_AUTO_ENABLE;

    set(0, config, 0);
    selftest_equal(settle(0, 0), 0, "COUNT 0 does not expire");
    x86_wrmsr(config_msr(0), config);
    selftest_equal(settle(0, 0), 0, "CONFIG with COUNT 0 does not expire");
    x86_wrmsr(count_msr(0), hyperv_reference_time() + UNITS_PER_MS);
    selftest_equal(settle(0, 1), 1, "COUNT after CONFIG expires");
    stop(0);

    /* Without auto-enable COUNT alone does nothing; CONFIG starts it. */
    set(0, direct_config(0), hyperv_reference_time() + UNITS_PER_MS);
    selftest_equal(settle(0, 0), 0, "not enabled");
    x86_wrmsr(config_msr(0), direct_config(0) | HV_STIMER_ENABLE);
    selftest_equal(settle(0, 1), 1, "enabled after its time");
    stop(0);
}

static void run_cancel(void)
{
    uint64_t config = direct_config(0) | HV_STIMER_AUTO_ENABLE;

    set(0, config, hyperv_reference_time() + UNITS_PER_MS);
    x86_wrmsr(count_msr(0), 0);
    selftest_equal(is_enabled(0), 0, "COUNT 0 disables");
    selftest_equal(settle(0, 0), 0, "cancelled by COUNT");
    set(0, config, hyperv_reference_time() + UNITS_PER_MS);
    x86_wrmsr(config_msr(0), config & ~HV_STIMER_ENABLE);
    selftest_equal(settle(0, 0), 0, "cancelled by CONFIG");
    set(0, config, hyperv_reference_time() + UNITS_PER_MS);
    x86_wrmsr(count_msr(0), hyperv_reference_time() + 5 * UNITS_PER_MS);
    clock_spin(3000000);
    selftest_equal(expiries[0].count, 0, "moved: not at its first time");
    selftest_equal(settle(0, 1), 1, "moved: at its second");
    stop(0);
}

static void run_periodic(void)
{
    uint64_t start = hyperv_reference_time();

    set(1, direct_config(1) | HV_STIMER_AUTO_ENABLE | HV_STIMER_PERIODIC,
        UNITS_PER_MS);
    settle(1, PERIODS);
    selftest_equal(expiries[1].count >= PERIODS, true, "expiries");
    selftest_equal(is_enabled(1), HV_STIMER_ENABLE, "stays enabled");
    selftest_equal(x86_rdmsr(count_msr(1)), UNITS_PER_MS, "COUNT: the period");
    for (unsigned i = 0; i < PERIODS && i < expiries[1].count; i++)
        selftest_equal(expiries[1].time[i] >= start + (i + 1) * UNITS_PER_MS,
                       true, "expiry %u: not before its time", i);
    stop(1);
    selftest_equal(settle(1, 0), 0, "stopped");
}

/* Neither direct nor with a SINT to send a message by. */
static void run_no_target(void)
{
    x86_wrmsr(count_msr(2), hyperv_reference_time() + 100 * UNITS_PER_MS);
    x86_wrmsr(config_msr(2), HV_STIMER_ENABLE);
    selftest_equal(is_enabled(2), 0, "SINT 0, not direct");
    stop(2);
    set(2, HV_STIMER_AUTO_ENABLE, hyperv_reference_time() + UNITS_PER_MS);
    selftest_equal(is_enabled(2), 0, "SINT 0, not direct, by COUNT");
    stop(2);
}

/* Direct timers halted for, not spun for: the processor wakes in time. */
static void run_wakes(void)
{
    for (int i = 0; i < 20; i++) {
        uint64_t due = hyperv_reference_time() + UNITS_PER_MS;
        uint64_t woken;

        set(3, direct_config(3) | HV_STIMER_AUTO_ENABLE, due);
        do {
            x86_cli();
            if (expiries[3].count == 0)
                cpu_idle();
            x86_sti();
        } while (expiries[3].count == 0);
        woken = hyperv_reference_time();
        selftest_equal(woken >= due && woken < due + 100 * UNITS_PER_MS, true,
                       "woken %lu units after its time", woken - due);
    }
    stop(3);
}

/* A timer that is set up stays so when CONFIG is written with a bit that means
 * nothing. */
static void run_reserved(void)
{
    const uint64_t config = direct_config(0) | HV_STIMER_AUTO_ENABLE;
    const uint64_t due = hyperv_reference_time() + 100 * UNITS_PER_MS;

    set(0, config, due);
    for (unsigned bit = 13; bit < 64; bit++) {
        if (bit >= 16 && bit < 20) /* SINTx */
            continue;
        selftest_equal(msr_write(config_msr(0), config | UINT64_C(1) << bit),
                       TRAP_GP, "CONFIG bit %u", bit);
    }
    selftest_equal(x86_rdmsr(config_msr(0)), config | HV_STIMER_ENABLE,
                   "CONFIG after that");
    selftest_equal(x86_rdmsr(count_msr(0)), due, "COUNT after that");
    stop(0);
}

/* Neither the bit nor, after it, the timer. */
static void run_direct_refused(void)
{
    for (unsigned timer = 0; timer < TIMER_COUNT; timer++) {
        uint64_t config = direct_config(timer) | HV_STIMER_AUTO_ENABLE;

        selftest_equal(msr_write(config_msr(timer), config), TRAP_GP,
                       "timer %u", timer);
        selftest_equal(msr_write(config_msr(timer), config | HV_STIMER_ENABLE),
                       TRAP_GP, "timer %u, enabled", timer);
        selftest_equal(x86_rdmsr(config_msr(timer)), 0,
                       "timer %u: CONFIG after that", timer);
    }
}

void guest_main(void)
{
    static const struct selftest_case refused[] = {
        {"timers.direct_refused", run_direct_refused},
    };
    static const struct selftest_case cases[] = {
        {"timers.reset", run_reset},
        {"timers.one_shot", run_one_shot},
        {"timers.past", run_past},
        {"timers.enable_first", run_enable_first},
        {"timers.cancel", run_cancel},
        {"timers.periodic", run_periodic},
        {"timers.no_target", run_no_target},
        {"timers.wakes", run_wakes},
        {"timers.reserved", run_reserved},
    };

    if (!(hyperv_privileges() & HV_PRIVILEGE_SYNTHETIC_TIMERS))
        report_fail("this machine has no synthetic timers");
    probe_init();
    if (!hyperv_has_direct_timers()) {
        selftest_run(refused, 1);
        return;
    }
    for (unsigned timer = 0; timer < TIMER_COUNT; timer++)
        trap_set_handler(VECTOR_FIRST + timer, handle);
    selftest_run(cases, sizeof(cases) / sizeof(cases[0]));
}
