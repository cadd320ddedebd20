/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_LP_H
#define HVSIM_HYPERVISOR_LP_H

/**
 * A logical processor: its local clock, the VP it runs, and the accounting of
 * dispatches. Owned by the hypervisor; its clock is moved by the run loop
 * (sim/machine/run.c) alone.
 */

#include "hypervisor/hypervisor.h"
#include "perfcounters/pc_feed.h"

struct hv_lp {
    lp_id_t id;
    uint32_t node;
    cycles_t now;       /* local clock; while idle: when it went idle */
    struct hv_vp *vp;   /* running here; NULL while idle */
    cycles_t slice_end; /* of the running VP */
    cycles_t dispatched_at;
    struct pc_lp counters;
};

/**
 * Asks the scheduler for a VP and puts it on the idle `lp` at lp->now. Notes
 * the switch on the bill. False if there is none: the LP idles.
 */
bool lp_dispatch(struct hv_context *context);

/**
 * Takes the running VP off `lp`. It is enqueued again if it is still
 * runnable; otherwise its state says why not.
 */
void lp_undispatch(struct hv_context *context);

/**
 * Called at the end of a slice: switches if the scheduler wants to, else the
 * VP gets a new slice. True if the VP was taken off.
 */
bool lp_end_slice(struct hv_context *context);

#endif
