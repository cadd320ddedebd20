/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_LP_H
#define HVSIM_HYPERVISOR_LP_H

/**
 * A logical processor: its local clock, the VP it runs, and the accounting of
 * dispatches. Owned by the hypervisor; its clock is moved by the run loop
 * (sim/machine/run.c) alone.
 */

#include <stdalign.h>

#include "hypervisor/hypervisor.h"
#include "perfcounters/pc_feed.h"
#include "sim/core/host_line.h"

/** A VP was on the LP, from then until then. It may be gone. */
struct lp_run {
    uint64_t partition;
    uint32_t vp, number;
    cycles_t from, to;
};

#define LP_RUNS 8 /* remembered, to tell who had the LP */

struct hv_lp {
    alignas(HOST_LINE_BYTES) lp_id_t id;
    uint32_t node;
    uint32_t core;       /* LPs of one core are siblings (SMT) */
    uint32_t last_vp;    /* 1 + number of the VP that ran here before, which
                            may be gone; 0: none */
    cycles_t now;        /* local clock; while idle: when it went idle */
    struct hv_vp *vp;    /* running here; NULL while idle */
    cycles_t slice_end;  /* of the running VP */
    cycles_t turn_end;   /* what the policy said: a limit may end it sooner */
    cycles_t chosen_at;  /* of the dispatch under way */
    cycles_t not_before; /* likewise */
    cycles_t dispatched_at;
    cycles_t charged_at;   /* up to when the VP has been charged */
    cycles_t free_since;   /* when the VP before left */
    bool called;           /* to choose again: slice_end is when */
    uint64_t work_left;    /* by run.c: see slowed() */
    struct hv_vp *root_vp; /* the root's processor here; NULL: it has none */
    uint64_t run_count;    /* of `runs`: the newest is at */
    struct lp_run runs[LP_RUNS]; /* (run_count - 1) % LP_RUNS */
    alignas(HOST_LINE_BYTES) struct pc_lp counters;
};

/**
 * Asks the scheduler for a VP and puts it on the idle LP of the context.
 * Notes the LP's waking on the bill. False if there is none:
 * the LP idles. When the VP became ready only after lp->now (clocks differ by
 * up to the synchronisation quantum), or may run only from a later time on
 * (lp_starts_at()), the caller lets the LP idle until then.
 */
bool lp_dispatch(struct hv_context *context);

/** When the VP that lp_dispatch() has put on `lp` may begin. */
cycles_t lp_starts_at(const struct hv_lp *lp);

/** True if another LP of the core runs a VP. */
bool lp_sibling_is_busy(const struct hypervisor *hv, const struct hv_lp *lp);

/** What the VP that runs on `lp` has used and not been charged for. */
static inline cycles_t lp_uncharged(const struct hv_lp *lp)
{
    return cycles_before(lp->charged_at, lp->now)
               ? cycles_sub(lp->now, lp->charged_at)
               : cycles(0);
}

/** Charges the VP that runs on `lp` with what it has used until now: before
 *  its controls change. */
void lp_charge(struct hv_lp *lp);

/** The LP is awake: from now on the VP runs, and pays for its choice, switch
 * and entry, which are noted. Accounts the wait. */
void lp_start(struct hv_context *context);

/**
 * Takes the running VP off `lp`. It is enqueued again if it is still
 * runnable; otherwise its state says why not.
 */
void lp_undispatch(struct hv_context *context);

/**
 * The slice of the running VP has ended, or its LP was called: notes the
 * interrupt and asks the scheduler. True if the VP must make room
 * (lp_undispatch()); else it has a new slice.
 */
bool lp_end_slice(struct hv_context *context);

#endif
