/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_MACHINE_FAKE_RESULTS_H
#define HVSIM_TESTS_MACHINE_FAKE_RESULTS_H

/**
 * Results that are kept in memory for a test to look at. Linked in place of
 * sim/results/results.c, results_perf.c and results_wait.c, whose
 * results_put_*() and results_commit() it has.
 */

#include "sim/results/results.h"
#include "sim/results/results_wait.h"

struct fake_row {
    enum pc_object_id object;
    char *name;     /* owns */
    double *values; /* owns */
};

#define FAKE_WAIT_VPS 128

struct results {
    struct trace_record *events; /* owns */
    size_t event_count, event_capacity;
    struct fake_row *totals; /* owns */
    size_t total_count;
    unsigned samples, commits;
    /* Of all samples: how far from 100 an LP's shares were in all, and the
     * most that a VP ran. */
    double lp_error, vp_most;
    unsigned images;        /* recorded */
    unsigned reports;       /* of guests */
    unsigned console_lines; /* of all VMs */
    unsigned failures;      /* likewise */
    uint64_t console_bytes;
    uint64_t typed_bytes; /* at all consoles */
    char last_line[600];
    char *waits; /* owns: why VPs waited, a line per row; NULL: none */
    size_t waits_bytes;
    char wait_vps[FAKE_WAIT_VPS][16]; /* "vm0/vp1" */
};

void fake_results_clear(struct results *results);

/** What the total showed; fails the test unless there is one such instance. */
double fake_results_total(const struct results *results,
                          enum pc_object_id object, const char *instance,
                          const char *counter);

#endif
