/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/lp.h"

#include "hypervisor/vp.h"
#include "sim/core/check.h"

bool lp_dispatch(struct hv_context *context)
{
    struct hv_lp *lp = context->lp;
    struct hypervisor *hv = context->hv;

    CHECK(!lp->vp);
    lp->vp = sched_pick(&hv->sched, lp, lp->now, &lp->slice_end);
    if (!lp->vp)
        return false;

    cost_note(context->bill, COST_SCHEDULE, 1);
    cost_note(context->bill, COST_VMENTRY, 1);
    if (lp->vp->number + 1 != lp->last_vp) {
        cost_note(context->bill, COST_VP_SWITCH, 1);
        pc_lp_add(&lp->counters, PC_LP_CONTEXT_SWITCHES, 1);
    }
    if (cycles_before(lp->free_since, lp->now))
        cost_note(context->bill, COST_LP_WAKE, 1);
    if (lp->vp->sched.lp && lp->vp->sched.lp != lp)
        cost_note(context->bill, COST_LP_MIGRATION, 1);
    context->vp = lp->vp;
    return true;
}

/* A ready VP waits for an LP in use by another, and then for the LP to wake
 * and switch: the two parts have counters of their own. */
static void lp_account_wait(struct hv_lp *lp, struct hv_vp *vp)
{
    cycles_t ready = vp->sched.ready_since;
    cycles_t wait = cycles_sub(lp->now, ready);
    cycles_t contention = cycles(0);

    if (cycles_before(ready, lp->free_since))
        contention = cycles_sub(lp->free_since, ready);
    pc_vp_add_time(&vp->counters, PC_VP_CONTENTION_TIME, contention);
    pc_vp_add_time(&vp->counters, PC_VP_WAKE_UP_TIME,
                   cycles_sub(wait, contention));
}

void lp_start(struct hv_context *context)
{
    struct hv_lp *lp = context->lp;
    struct hv_vp *vp = lp->vp;

    CHECK(vp && !cycles_before(lp->now, vp->sched.ready_since));
    lp_account_wait(lp, vp);
    pc_vp_add(&vp->counters, PC_VP_DISPATCHES, 1);
    if (vp->sched.lp && vp->sched.lp != lp)
        pc_vp_add(&vp->counters, PC_VP_MIGRATIONS, 1);

    context->vp = vp;
    context->now = lp->now;
    hypervisor_trace(context, TRACE_DISPATCH,
                     cycles_sub(lp->now, vp->sched.ready_since).v);
    vp->sched.lp = lp;
    lp->last_vp = vp->number + 1;
    lp->dispatched_at = lp->now;
    vp_set_state(context, vp, VP_RUNNING);
}

void lp_undispatch(struct hv_context *context)
{
    struct hv_lp *lp = context->lp;
    struct hv_vp *vp = lp->vp;
    cycles_t ran = cycles_sub(lp->now, lp->dispatched_at);

    CHECK(vp && vp->state == VP_RUNNING);
    context->now = lp->now;
    hypervisor_trace(context, TRACE_UNDISPATCH, ran.v);
    sched_account(&context->hv->sched, vp, ran);
    lp->vp = NULL;
    lp->free_since = lp->now;

    if (vp_runnable(vp)) {
        vp_set_state(context, vp, VP_READY);

        struct hv_lp *to = sched_enqueue(&context->hv->sched, vp, lp->now);

        if (to && to != lp) {
            struct hypervisor *hv = context->hv;

            hv->host.lp_ready(hv->host.context, to, lp->now);
        }
        return;
    }
    vp_rest(context, vp);
}

bool lp_end_slice(struct hv_context *context)
{
    struct hv_lp *lp = context->lp;

    cost_note(context->bill, COST_TIMER_EXPIRY, 1);
    cost_note(context->bill, COST_SCHEDULE, 1);
    pc_lp_add(&lp->counters, PC_LP_TIMER_INTERRUPTS, 1);
    return sched_must_yield(&context->hv->sched, lp, lp->vp, lp->now,
                            &lp->slice_end);
}
