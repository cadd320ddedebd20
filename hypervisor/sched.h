/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_SCHED_H
#define HVSIM_HYPERVISOR_SCHED_H

/**
 * The plug-in point for scheduling policies: which VP runs on which LP, and
 * until when. A policy is one file with one const struct hv_sched_ops, listed
 * in sched_policies[] (sched.c). States of VPs, dispatch, wait and migration
 * accounting are kept by lp.c and vp.c for every policy alike.
 *
 * Ordering: all decisions depend on simulated time, VP creation order and LP
 * numbers, never on addresses.
 */

#include "sim/core/types.h"

struct hv_lp;
struct hv_vp;
struct hypervisor;

/** What Microsoft has not published is a parameter with a stated default. */
struct hv_sched_params {
    cycles_t slice; /* the longest uninterrupted run while others wait */
};

struct hv_sched;

struct hv_sched_ops {
    const char *name; /* as written in a scenario: "round-robin" */

    /** Makes the policy's own state. False if out of memory. Mandatory. */
    bool (*init)(struct hv_sched *sched);
    /** Frees what init() and vp_add() made. Mandatory. */
    void (*fini)(struct hv_sched *sched);

    /** A VP exists from now on. It is on no run list. Optional. */
    bool (*vp_add)(struct hv_sched *sched, struct hv_vp *vp);
    /** A VP goes away; it is neither running nor queued. Optional. */
    void (*vp_remove)(struct hv_sched *sched, struct hv_vp *vp);

    /**
     * A VP became runnable at `now`, or was switched out and still is. It is
     * on no run list; the policy puts it on one. Returns the LP that should
     * look at its run list because of this, or NULL if none needs to (every LP
     * that may run it is busy and the policy does not pre-empt). Mandatory.
     */
    struct hv_lp *(*enqueue)(struct hv_sched *sched, struct hv_vp *vp,
                             cycles_t now);

    /** A queued VP is no longer runnable. Mandatory. */
    void (*dequeue)(struct hv_sched *sched, struct hv_vp *vp);

    /**
     * Chooses what `lp` runs next and until when at most (*slice_end). NULL to
     * idle. The VP returned is on no run list any more. Mandatory.
     */
    struct hv_vp *(*pick)(struct hv_sched *sched, struct hv_lp *lp,
                          cycles_t now, cycles_t *slice_end);

    /**
     * The slice of `vp` on `lp` has ended: whether another VP waits for this
     * LP. If not, the VP goes on with a new slice (*slice_end). Mandatory.
     */
    bool (*must_yield)(struct hv_sched *sched, struct hv_lp *lp,
                       struct hv_vp *vp, cycles_t now, cycles_t *slice_end);

    /** `vp` ran for `ran` cycles and was switched out. Optional: a policy that
     *  keeps no accounts leaves it NULL. */
    void (*account)(struct hv_sched *sched, struct hv_vp *vp, cycles_t ran);
};

struct hv_sched {
    const struct hv_sched_ops *ops; /* shared, read-only */
    struct hv_sched_params params;
    struct hypervisor *hv; /* borrowed */
    void *policy;          /* owned by the policy */
};

/** The policy of that name, or NULL. */
const struct hv_sched_ops *sched_find(const char *name);

/** Makes `sched` a scheduler by that policy, for the LPs that `hv` has. False
 *  if out of memory. */
bool sched_init(struct hv_sched *sched, const struct hv_sched_ops *ops,
                struct hv_sched_params params, struct hypervisor *hv);
void sched_fini(struct hv_sched *sched);

/* One wrapper per op; the only place that knows which may be NULL. */
bool sched_vp_add(struct hv_sched *sched, struct hv_vp *vp);
void sched_vp_remove(struct hv_sched *sched, struct hv_vp *vp);
struct hv_lp *sched_enqueue(struct hv_sched *sched, struct hv_vp *vp,
                            cycles_t now);
void sched_dequeue(struct hv_sched *sched, struct hv_vp *vp);
struct hv_vp *sched_pick(struct hv_sched *sched, struct hv_lp *lp, cycles_t now,
                         cycles_t *slice_end);
bool sched_must_yield(struct hv_sched *sched, struct hv_lp *lp,
                      struct hv_vp *vp, cycles_t now, cycles_t *slice_end);
void sched_account(struct hv_sched *sched, struct hv_vp *vp, cycles_t ran);

#endif
