/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * tick-idle: a periodic timer interrupt on every processor and nothing else:
 * the least that an idle operating system with a classic tick costs.
 *
 * Arguments: hz=N (default 100); report=DURATION: after that time report once
 * and be done. Without it the guest ticks for ever and never looks at a
 * clock.
 * Results: ticks (count, all processors), lateness_mean and lateness_max (ns,
 * first processor: how long after its due time a tick was served),
 * cpu_utilization (%, as the guest believes).
 */

#include "workloads/runtime/args.h"
#include "workloads/runtime/clock.h"
#include "workloads/runtime/cpu.h"
#include "workloads/runtime/report.h"
#include "workloads/runtime/runtime.h"
#include "workloads/runtime/timer.h"
#include "workloads/runtime/x86.h"

#define HZ_MAX 100000

static uint64_t period_ns;
static uint64_t ticks[CPU_COUNT_MAX];

/* Lateness on the first processor; used where `report` was given. */
static uint64_t start_ns;
static uint64_t lateness_sum_ns;
static uint64_t lateness_max_ns;
static bool is_measured;

static void measure_lateness(uint64_t tick)
{
    uint64_t due = start_ns + tick * period_ns;
    uint64_t now = clock_ns();
    uint64_t late = now > due ? now - due : 0;

    lateness_sum_ns += late;
    if (late > lateness_max_ns)
        lateness_max_ns = late;
}

static void handle_tick(void)
{
    uint32_t index = cpu_current()->index;

    ticks[index]++;
    if (is_measured && index == 0)
        measure_lateness(ticks[0]);
}

static void tick_for_ever(void)
{
    timer_set_period(period_ns);
    for (;;)
        __asm__ volatile("sti; hlt" : : : "memory");
}

static void tick_accounted(void)
{
    timer_set_period(period_ns);
    cpu_idle_forever();
}

/* Of all processors so far. */
static uint64_t all_idle_ns(void)
{
    uint32_t count = cpu_count();
    uint64_t sum_ns = 0;

    for (uint32_t i = 0; i < count; i++)
        sum_ns += cpu_idle_ns(i);
    return sum_ns;
}

static void tick_and_report(uint64_t report_after_ns)
{
    uint32_t count = cpu_count();
    uint64_t tick_count = 0, idle_ns, mean_ns, max_ns, elapsed_ns;

    start_ns = clock_ns();
    timer_set_period(period_ns);
    idle_ns = all_idle_ns();
    do {
        x86_cli();
        cpu_idle();
    } while (clock_ns() - start_ns < report_after_ns);

    /* All as of now: it ticks while the results are printed. */
    x86_cli();
    for (uint32_t i = 0; i < count; i++)
        tick_count += ticks[i];
    mean_ns = lateness_sum_ns / ticks[0];
    max_ns = lateness_max_ns;
    idle_ns = all_idle_ns() - idle_ns;
    elapsed_ns = clock_ns() - start_ns;
    x86_sti();
    report_result("ticks", tick_count, "count");
    report_result("lateness_mean", mean_ns, "ns");
    report_result("lateness_max", max_ns, "ns");
    report_hundredths("cpu_utilization",
                      10000 - idle_ns * 10000 / (elapsed_ns * count), "%");
    report_done();
}

void guest_main(void)
{
    uint64_t hz = args_number("hz", 100);
    uint64_t report_after_ns = args_duration_ns("report", 0);

    if (hz < 1 || hz > HZ_MAX)
        report_fail("argument hz=%lu: 1 to %d is expected", hz, HZ_MAX);
    period_ns = NS_PER_S / hz;
    is_measured = report_after_ns != 0;
    timer_set_handler(handle_tick);
    cpu_start_all(is_measured ? tick_accounted : tick_for_ever);
    if (is_measured)
        tick_and_report(report_after_ns);
    tick_for_ever();
}
