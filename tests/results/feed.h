/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_RESULTS_FEED_H
#define HVSIM_TESTS_RESULTS_FEED_H

/**
 * A made-up host at 1 GHz whose figures can be checked by hand: the VM "web"
 * loads its one VP fully for the first half of a run and then halts, "tick"
 * takes an interrupt every 10 ms, Root VP 0 does a little. Each is on an LP of
 * its own; the other LPs are idle.
 */

#include "perfcounters/pc_report.h"
#include "sim/results/results.h"

#define FEED_INTERVAL_NS UINT64_C(100000000)
#define FEED_LPS_MAX 128

struct feed {
    struct sim_clock clock;
    struct pc_report *report;
    unsigned lp_count;
    uint64_t now_ns;
    struct pc_lp lps[FEED_LPS_MAX];
    struct pc_vp root;
    struct pc_vp web;
    struct pc_vp tick;
};

/** At least 3 LPs. */
void feed_create(struct feed *feed, unsigned lp_count);
void feed_free(struct feed *feed);

/** Feeds one interval and gives its sample. */
const struct pc_sample *feed_interval(struct feed *feed, bool web_is_busy);

/** What a test puts in the run row. */
struct results_run feed_run(const struct feed *feed);

/** A whole run into `path`: `intervals`, the first half busy, what "web"
 *  reports, two events, the total and the end, with `host_ns` as given. */
enum sim_status feed_whole_run(const char *path, bool replace,
                               unsigned lp_count, unsigned intervals,
                               uint64_t host_ns, struct sim_error *error);

#endif
