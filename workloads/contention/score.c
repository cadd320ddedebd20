/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "workloads/contention/score.h"

void score_add(struct score *sum, const struct score *worker)
{
    sum->tasks += worker->tasks;
    sum->found += worker->found;
    sum->slept_ns += worker->slept_ns;
    sum->lock_acquisitions += worker->lock_acquisitions;
    sum->lock_wait_ns += worker->lock_wait_ns;
    sum->lock_held_ns += worker->lock_held_ns;
    if (worker->lock_wait_max_ns > sum->lock_wait_max_ns)
        sum->lock_wait_max_ns = worker->lock_wait_max_ns;
}

/* Moves values[root] down to where no child of it is larger. */
static void sift(uint64_t *values, uint64_t root, uint64_t count)
{
    uint64_t value = values[root];

    for (;;) {
        uint64_t child = 2 * root + 1;

        if (child + 1 < count && values[child] < values[child + 1])
            child++;
        if (child >= count || values[child] <= value)
            break;
        values[root] = values[child];
        root = child;
    }
    values[root] = value;
}

/* Heap sort: there is no library, and no worst case. */
static void sort(uint64_t *values, uint64_t count)
{
    for (uint64_t root = count / 2; root-- > 0;)
        sift(values, root, count);
    for (uint64_t end = count; end-- > 1;) {
        uint64_t largest = values[0];

        values[0] = values[end];
        values[end] = largest;
        sift(values, 0, end);
    }
}

/* The least value that so many of 100 do not exceed. */
static uint64_t percentile(const struct score_end *end, uint64_t percent)
{
    uint64_t rank = (end->task_count * percent + 99) / 100;

    return end->task_ns[rank == 0 ? 0 : rank - 1];
}

static void report_tasks(const struct score_end *end, score_report_fn *report)
{
    uint64_t sum_ns = 0;

    sort(end->task_ns, end->task_count);
    for (uint64_t i = 0; i < end->task_count; i++)
        sum_ns += end->task_ns[i];
    report("task_min", end->task_ns[0], "ns");
    report("task_mean", sum_ns / end->task_count, "ns");
    report("task_p50", percentile(end, 50), "ns");
    report("task_p95", percentile(end, 95), "ns");
    report("task_p99", percentile(end, 99), "ns");
    report("task_max", end->task_ns[end->task_count - 1], "ns");
}

void score_report(const struct score *sum, const struct score_end *end,
                  score_report_fn *report)
{
    report("elapsed", end->elapsed_ns, "ns");
    report("tasks", sum->tasks, "count");
    report_tasks(end, report);
    report("slept", sum->slept_ns, "ns");
    report("checksum", sum->found, "count");
    report("lock_acquisitions", sum->lock_acquisitions, "count");
    report("lock_wait", sum->lock_wait_ns, "ns");
    report("lock_wait_max", sum->lock_wait_max_ns, "ns");
    report("lock_held", sum->lock_held_ns, "ns");
}
