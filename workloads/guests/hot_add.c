/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * hot-add: full load on every processor for a while, those included that are
 * added meanwhile. The first processor looks for them now and then.
 *
 * Arguments: busy=DURATION (default 1s), poll=DURATION between two looks
 * (default 10ms), by the guest's own clock.
 * Results: processors (count) at first and whenever one has been started; then
 * iterations (count) of all.
 */

#include "workloads/runtime/args.h"
#include "workloads/runtime/clock.h"
#include "workloads/runtime/cpu.h"
#include "workloads/runtime/report.h"
#include "workloads/runtime/runtime.h"
#include "workloads/runtime/x86.h"

/* One iteration is a block of work between two looks at the clock. */
#define STEPS_PER_ITERATION 4096

struct worker {
    uint64_t state;
    uint64_t iterations;
} __attribute__((aligned(64)));

static struct worker workers[CPU_COUNT_MAX];
static uint64_t end_ns;
static uint32_t started_count = 1, finished_count;

/* Marsaglia's xorshift64: each step needs the one before. */
static void iterate(struct worker *worker)
{
    uint64_t x = worker->state;

    for (int step = 0; step < STEPS_PER_ITERATION; step++) {
        x ^= x << 13;
        x ^= x >> 7;
        x ^= x << 17;
    }
    worker->state = x;
    worker->iterations++;
}

static void work(void)
{
    struct worker *worker = &workers[cpu_current()->index];

    worker->state = cpu_current()->index + 1;
    while (clock_ns() < end_ns)
        iterate(worker);
    __atomic_fetch_add(&finished_count, 1, __ATOMIC_RELEASE);
}

/* Starts those that are there and have not been started. */
static void start_new(void)
{
    uint64_t present = cpu_present();

    if (present == ~UINT64_C(0)) /* none can come */
        present = (UINT64_C(2) << (cpu_count() - 1)) - 1;
    while (started_count < CPU_COUNT_MAX && present >> started_count & 1) {
        cpu_start(started_count++, work);
        report_result("processors", started_count, "count");
    }
}

void guest_main(void)
{
    uint64_t busy_ns = args_duration_ns("busy", NS_PER_S);
    uint64_t poll_ns = args_duration_ns("poll", 10000000);
    uint64_t next_ns = clock_ns(), now;
    uint64_t iterations = 0;

    workers[0].state = 1;
    end_ns = next_ns + busy_ns;
    report_result("processors", started_count, "count");
    while ((now = clock_ns()) < end_ns) {
        if (now >= next_ns) {
            start_new();
            next_ns = now + poll_ns;
        }
        iterate(&workers[0]);
    }
    while (__atomic_load_n(&finished_count, __ATOMIC_ACQUIRE) + 1 <
           started_count)
        x86_pause();
    for (uint32_t i = 0; i < started_count; i++)
        iterations += workers[i].iterations;
    report_result("iterations", iterations, "count");
    report_done();
}
