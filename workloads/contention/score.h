/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_WORKLOADS_CONTENTION_SCORE_H
#define HVSIM_WORKLOADS_CONTENTION_SCORE_H

/**
 * The results of the contention benchmark, the same from every guest.
 */

#include <stdint.h>

#include "workloads/contention/task.h"

/** What one worker did. */
struct score {
    uint64_t tasks;
    uint64_t found;
    uint64_t slept_ns; /* as asked for; it may have been longer */
    uint64_t lock_acquisitions;
    uint64_t lock_wait_ns; /* from wanting it to having it */
    uint64_t lock_held_ns;
    uint64_t lock_wait_max_ns;
};

struct score_end {
    uint64_t elapsed_ns; /* from the first task's start to the last one's end */
    uint64_t *task_ns;   /* borrowed: of each task; sorted in place */
    uint64_t task_count;
};

/** Adds `worker` to `sum`. */
void score_add(struct score *sum, const struct score *worker);

/** The guest's: "hvsim: result NAME VALUE UNIT" */
typedef void score_report_fn(const char *name, uint64_t value,
                             const char *unit);

/** Reports elapsed (the score), tasks, task_min, task_mean, task_p50, task_p95,
 *  task_p99, task_max, slept, checksum, and of the lock: lock_acquisitions,
 *  lock_wait, lock_wait_max, lock_held. */
void score_report(const struct score *sum, const struct score_end *end,
                  score_report_fn *report);

#endif
