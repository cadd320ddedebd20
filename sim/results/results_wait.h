/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_RESULTS_RESULTS_WAIT_H
#define HVSIM_SIM_RESULTS_RESULTS_WAIT_H

/**
 * Why VPs waited, on its way into a result file: the rows of the views wait,
 * wait_holder, wait_histogram, wait_worst and wait_worst_part. Beside
 * results.h, whose rules about failures hold here too.
 *
 * VPs are put first, numbered from 0; rows name them by number. Texts are
 * borrowed for the call.
 */

#include "sim/core/error.h"
#include "sim/core/types.h"

struct results;

#define RESULTS_NOBODY UINT32_MAX /* in place of a VP's or LP's number */

/** What `rule` cost: waits that ended with a dispatch, then those that did
 *  not. A wait counts for the rule that kept the VP longest. */
struct results_wait {
    uint32_t vp;
    const char *rule;
    uint64_t dispatches, wait_ns, longest_ns;
    uint64_t undispatched, undispatched_ns;
};

struct results_wait_holder {
    uint32_t vp;
    uint32_t holder; /* a VP; RESULTS_NOBODY: none in particular */
    uint64_t dispatches, wait_ns;
};

struct results_wait_bucket {
    uint32_t vp;
    uint64_t from_ns, to_ns; /* to UINT64_MAX: without end */
    uint64_t dispatches;
};

/** One of the longest waits; the first rank is 1. */
struct results_wait_case {
    uint32_t vp, rank;
    uint64_t ready_ns, wait_ns;
    uint32_t lp; /* RESULTS_NOBODY: it was not dispatched */
    const char *rule;
    uint32_t holder; /* a VP, or RESULTS_NOBODY */
};

/** A part of it. */
struct results_wait_part {
    uint32_t vp, rank;
    const char *rule;
    uint64_t wait_ns;
};

/** The VP with the next number: `vm` is "Root" for one of the root's. */
MUST_USE enum sim_status results_put_wait_vp(struct results *results,
                                             uint32_t number, const char *vm,
                                             uint32_t index,
                                             struct sim_error *error);
MUST_USE enum sim_status results_put_wait(struct results *results,
                                          const struct results_wait *wait,
                                          struct sim_error *error);
MUST_USE enum sim_status
results_put_wait_holder(struct results *results,
                        const struct results_wait_holder *holder,
                        struct sim_error *error);
MUST_USE enum sim_status
results_put_wait_bucket(struct results *results,
                        const struct results_wait_bucket *bucket,
                        struct sim_error *error);
MUST_USE enum sim_status
results_put_wait_case(struct results *results,
                      const struct results_wait_case *worst,
                      struct sim_error *error);
MUST_USE enum sim_status
results_put_wait_part(struct results *results,
                      const struct results_wait_part *part,
                      struct sim_error *error);

#endif
