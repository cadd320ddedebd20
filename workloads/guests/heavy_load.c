/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * heavy-load: full load on every processor for a while, then nothing.
 *
 * Argument: busy=DURATION (default 1s), by the guest's own clock.
 * Results: iterations (count), elapsed (ns), cpu_utilization (%): what this
 * guest believes its processors were loaded by during `elapsed`. It never
 * idles in that time, so it believes 100 %, whatever share of a logical
 * processor the host gave it.
 */

#include "workloads/runtime/args.h"
#include "workloads/runtime/clock.h"
#include "workloads/runtime/cpu.h"
#include "workloads/runtime/report.h"
#include "workloads/runtime/runtime.h"
#include "workloads/runtime/x86.h"

/* One iteration is a block of work between two looks at the clock. */
#define STEPS_PER_ITERATION 2048
#define TABLE_WORDS 4096 /* 32 KiB: stays in a first-level cache */

struct worker {
    uint64_t table[TABLE_WORDS];
    uint64_t state;
    uint64_t iterations;
    uint64_t elapsed_ns;
    uint64_t idle_ns; /* within elapsed_ns, as the runtime accounts it */
} __attribute__((aligned(64)));

static struct worker workers[CPU_COUNT_MAX];
static uint64_t start_ns; /* 0 until all processors are ready */
static uint64_t busy_ns;
static uint32_t finished_count;

/* Marsaglia's xorshift64: each step needs the one before. */
static inline uint64_t mix(uint64_t x)
{
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x;
}

static void iterate(struct worker *worker)
{
    uint64_t x = worker->state;

    for (int step = 0; step < STEPS_PER_ITERATION; step++) {
        uint64_t *word = &worker->table[x % TABLE_WORDS];

        x = mix(mix(mix(mix(x))));
        x = mix(mix(mix(mix(x))));
        *word += x;
        if (*word & 1)
            x += *word;
        if (x == 0) /* the one state xorshift cannot leave */
            x = 1;
    }
    worker->state = x;
    worker->iterations++;
}

static void work(void)
{
    struct cpu *cpu = cpu_current();
    struct worker *worker = &workers[cpu->index];
    uint64_t start, end, idle_before = cpu->idle_ns;

    while ((start = __atomic_load_n(&start_ns, __ATOMIC_ACQUIRE)) == 0)
        x86_pause();
    worker->state = cpu->index + 1;
    do {
        iterate(worker);
        end = clock_ns();
    } while (end - start < busy_ns);
    worker->elapsed_ns = end - start;
    worker->idle_ns = cpu->idle_ns - idle_before;
    __atomic_fetch_add(&finished_count, 1, __ATOMIC_RELEASE);
}

void guest_main(void)
{
    uint32_t count = cpu_count();
    uint64_t iterations = 0, elapsed_ns = 0;
    uint64_t elapsed_sum_ns = 0, idle_sum_ns = 0;

    busy_ns = args_duration_ns("busy", NS_PER_S);
    cpu_start_all(work);
    __atomic_store_n(&start_ns, clock_ns(), __ATOMIC_RELEASE);
    work();
    while (__atomic_load_n(&finished_count, __ATOMIC_ACQUIRE) < count)
        x86_pause();

    for (uint32_t i = 0; i < count; i++) {
        const struct worker *worker = &workers[i];

        iterations += worker->iterations;
        elapsed_sum_ns += worker->elapsed_ns;
        idle_sum_ns += worker->idle_ns;
        if (worker->elapsed_ns > elapsed_ns)
            elapsed_ns = worker->elapsed_ns;
    }
    report_result("iterations", iterations, "count");
    report_result("elapsed", elapsed_ns, "ns");
    report_hundredths("cpu_utilization",
                      (elapsed_sum_ns - idle_sum_ns) * 10000 / elapsed_sum_ns,
                      "%");
    report_done();
}
