/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * load: every processor is busy for a share of the time, at random: it computes
 * for a while, sleeps for a while, and so on, each while of a length that is
 * drawn anew. By the guest's own clock; with share=100 it never sleeps.
 *
 * Arguments: share=PERCENT (default 25), period=DURATION of a busy and an idle
 * while together, on average (default 2ms), time=DURATION (default 1s),
 * seed=N (default 1). Results: elapsed (ns), busy (ns): of all processors;
 * periods (count); cpu_utilization (%): what the guest believes.
 */

#include "workloads/runtime/args.h"
#include "workloads/runtime/clock.h"
#include "workloads/runtime/cpu.h"
#include "workloads/runtime/report.h"
#include "workloads/runtime/runtime.h"
#include "workloads/runtime/thread.h"

#define HUNDRED 100
#define ROUNDS_PER_LOOK 256 /* at the clock */

struct worker {
    uint64_t random;
    uint64_t busy_ns;
    uint64_t periods;
    uint64_t sink; /* what was computed, so that it is */
} __attribute__((aligned(64)));

static struct worker workers[CPU_COUNT_MAX];
static uint64_t share, period_ns, time_ns;

/* Marsaglia's xorshift64. */
static inline uint64_t shift(uint64_t x)
{
    x ^= x << 13;
    x ^= x >> 7;
    return x ^ x << 17;
}

/* 0 .. 2 * mean, each as likely. */
static uint64_t draw(struct worker *worker, uint64_t mean)
{
    worker->random = shift(worker->random);
    return (worker->random >> 11) % (2 * mean + 1);
}

static uint64_t compute(uint64_t x)
{
    for (int round = 0; round < ROUNDS_PER_LOOK; round++)
        x = shift(x);
    return x;
}

static void work(void *argument)
{
    struct worker *worker = argument;
    uint64_t busy_mean = period_ns * share / HUNDRED;
    uint64_t start = clock_ns(), now = start;

    worker->sink = worker->random;
    while (now - start < time_ns) {
        uint64_t from = now, until = from + draw(worker, busy_mean);

        do {
            worker->sink = compute(worker->sink);
            now = clock_ns();
        } while (now < until);
        worker->busy_ns += now - from;
        worker->periods++;
        if (share < HUNDRED) {
            thread_sleep(draw(worker, period_ns - busy_mean));
            now = clock_ns();
        }
    }
}

/* So that neighbouring seeds and processors have nothing in common. */
static uint64_t first_random(uint64_t seed, uint64_t processor)
{
    uint64_t x = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15) +
                 (processor + 1) * UINT64_C(0xd1b54a32d192ed03);

    for (int i = 0; i < HUNDRED; i++)
        x = shift(x | 1);
    return x;
}

void guest_main(void)
{
    uint64_t seed = args_number("seed", 1);
    uint64_t start_ns, elapsed_ns, busy_ns = 0, periods = 0;

    share = args_number("share", 25);
    period_ns = args_duration_ns("period", 2000000);
    time_ns = args_duration_ns("time", NS_PER_S);
    if (share < 1 || share > HUNDRED)
        report_fail("argument share=%lu: 1 to 100 are expected", share);
    if (period_ns < 1000 || period_ns > 10 * NS_PER_S)
        report_fail("argument period: 1us to 10s are expected");
    for (uint32_t i = 0; i < cpu_count(); i++) {
        workers[i].random = first_random(seed, i);
        thread_create(i, work, &workers[i]);
    }
    start_ns = clock_ns();
    thread_run_all();
    elapsed_ns = clock_ns() - start_ns;
    for (uint32_t i = 0; i < cpu_count(); i++) {
        busy_ns += workers[i].busy_ns;
        periods += workers[i].periods;
    }
    report_result("elapsed", elapsed_ns, "ns");
    report_result("busy", busy_ns, "ns");
    report_result("periods", periods, "count");
    report_hundredths("cpu_utilization",
                      busy_ns * 10000 / (elapsed_ns * cpu_count()), "%");
    report_done();
}
