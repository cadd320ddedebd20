/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * threads: a fixed job, split over threads that compute, touch memory and
 * sleep. They share nothing, so how long the job takes tells how the
 * processors were given to it.
 *
 * Arguments: threads=N (default 4, dealt to the processors in turn), work=N
 * items of the whole job (default 2000), memory=BYTES that each thread walks
 * through (default 1MiB), sleep=DURATION after each item (default 100us).
 * Results: elapsed (ns), items (count), cpu_utilization (%, as the guest
 * believes) and checksum (count): the same for the same job and thread count,
 * however it was scheduled.
 */

#include "workloads/runtime/args.h"
#include "workloads/runtime/clock.h"
#include "workloads/runtime/cpu.h"
#include "workloads/runtime/memory.h"
#include "workloads/runtime/report.h"
#include "workloads/runtime/runtime.h"
#include "workloads/runtime/thread.h"

#define THREADS_MAX 1024
#define LINES_PER_ITEM 1024
#define STEPS_PER_LINE 16
#define LINE_WORDS 8 /* 64 bytes */

struct job {
    uint64_t items; /* this thread's share */
    uint64_t *memory;
    uint64_t memory_words;
    uint64_t sleep_ns;
    uint64_t checksum;
};

static struct job jobs[THREADS_MAX];

static inline uint64_t mix(uint64_t x)
{
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return x;
}

/* Walks on through the thread's memory, a line at a time, computing at each;
 * returns where to go on. */
static uint64_t do_item(struct job *job, uint64_t at)
{
    uint64_t x = job->checksum;

    for (int line = 0; line < LINES_PER_ITEM; line++) {
        for (int step = 0; step < STEPS_PER_LINE; step++)
            x = mix(x);
        job->memory[at] += x;
        x += job->memory[at];
        at += LINE_WORDS;
        if (at >= job->memory_words)
            at = 0;
    }
    job->checksum = x;
    return at;
}

static void run_job(void *argument)
{
    struct job *job = argument;
    uint64_t at = 0;

    for (uint64_t item = 0; item < job->items; item++) {
        at = do_item(job, at);
        if (job->sleep_ns > 0)
            thread_sleep(job->sleep_ns);
    }
}

static void split(uint64_t thread_count, uint64_t work)
{
    uint64_t bytes = args_bytes("memory", 1 << 20);
    uint64_t sleep_ns = args_duration_ns("sleep", 100000);
    uint64_t pages = (bytes + PAGE_BYTES - 1) / PAGE_BYTES;

    if (pages < 1)
        report_fail("argument memory: at least one byte is expected");
    for (uint64_t i = 0; i < thread_count; i++) {
        jobs[i] = (struct job){
            .items = work / thread_count + (i < work % thread_count),
            .memory = memory_pages(pages),
            .memory_words = pages * PAGE_BYTES / sizeof(uint64_t),
            .sleep_ns = sleep_ns,
            .checksum = i + 1,
        };
        thread_create((uint32_t)(i % cpu_count()), run_job, &jobs[i]);
    }
}

void guest_main(void)
{
    uint64_t thread_count = args_number("threads", 4);
    uint64_t work = args_number("work", 2000);
    uint64_t start_ns, elapsed_ns, idle_ns = 0, checksum = 0;

    if (thread_count < 1 || thread_count > THREADS_MAX)
        report_fail("argument threads=%lu: 1 to %d is expected", thread_count,
                    THREADS_MAX);
    split(thread_count, work);
    start_ns = clock_ns();
    thread_run_all();
    elapsed_ns = clock_ns() - start_ns;

    for (uint64_t i = 0; i < thread_count; i++)
        checksum ^= jobs[i].checksum;
    for (uint32_t i = 0; i < cpu_count(); i++)
        idle_ns += cpu_idle_ns(i);
    report_result("items", work, "count");
    report_result("elapsed", elapsed_ns, "ns");
    report_result("checksum", checksum >> 32, "count");
    report_hundredths("cpu_utilization",
                      10000 - idle_ns * 10000 / (elapsed_ns * cpu_count()),
                      "%");
    report_done();
}
