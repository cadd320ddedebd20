/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/lp.h"

#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "sim/core/check.h"

bool lp_dispatch(struct hv_context *context)
{
    struct hv_lp *lp = context->lp;
    struct hypervisor *hv = context->hv;
    struct sched_choice choice;

    CHECK(!lp->vp);
    choice = sched_pick(&hv->sched, lp, lp->now);
    if (!choice.vp)
        return false;
    lp->vp = choice.vp;
    lp->chosen_at = lp->now;
    lp->slice_end = lp->turn_end = choice.slice_end;
    lp->not_before = choice.not_before;
    lp->called = false;

    if (cycles_before(lp->free_since, lp->now))
        cost_note(context->bill, COST_LP_WAKE, 1);
    sched_price_dispatch(&hv->sched, lp, lp->vp, context->bill);
    context->vp = lp->vp;
    return true;
}

cycles_t lp_starts_at(const struct hv_lp *lp)
{
    return cycles_max(lp->vp->state_since, lp->not_before);
}

bool lp_sibling_is_busy(const struct hypervisor *hv, const struct hv_lp *lp)
{
    uint32_t first = lp->core * hv->threads_per_core;

    if (hv->threads_per_core == 1)
        return false;
    for (uint32_t i = first; i < first + hv->threads_per_core; i++) {
        if (i != lp->id.v && hv->lps[i].vp)
            return true;
    }
    return false;
}

static void count_wait(struct hv_vp *vp, const struct sched_waited *waited)
{
    cycles_t held_back = sched_waited_held_back(waited);

    pc_vp_add_time(&vp->counters, PC_VP_WAKE_UP_TIME,
                   sched_waited_wake_up(waited));
    pc_vp_add_time(&vp->counters, PC_VP_CONTENTION_TIME,
                   sched_waited_contention(waited));
    /* Few are, and the cell is not of the line that all need. */
    if (held_back.v > 0)
        pc_vp_add_time(&vp->counters, PC_VP_HELD_BACK_TIME, held_back);
}

/* In 64 bits: partitions are numbered from 1, VPs of each from 0. */
static uint64_t wait_detail(const struct sched_waited *waited)
{
    return waited->holder_partition << 32 | (uint64_t)waited->holder_vp << 8 |
           (uint64_t)waited->rule;
}

/* What the hypervisor does for a VP is the VP's time (TLFS 2.0a, 10.3.2), its
 * choice included; and so are its cold caches. */
static void note_entry(struct hv_context *context)
{
    struct hv_lp *lp = context->lp;
    struct hv_vp *vp = lp->vp;

    cost_note(context->bill, COST_SCHEDULE, 1);
    cost_note(context->bill, COST_VMENTRY, 1);
    if (vp->number + 1 != lp->last_vp) {
        cost_note(context->bill, COST_VP_SWITCH, 1);
        pc_lp_add(&lp->counters, PC_LP_CONTEXT_SWITCHES, 1);
    }
    if (vp->sched.lp && vp->sched.lp != lp) {
        cost_note(context->bill, COST_LP_MIGRATION, 1);
        pc_vp_add(&vp->counters, PC_VP_MIGRATIONS, 1);
    }
}

void lp_start(struct hv_context *context)
{
    struct hypervisor *hv = context->hv;
    struct hv_lp *lp = context->lp;
    struct hv_vp *vp = lp->vp;
    struct sched_waited waited;

    CHECK(vp && !cycles_before(lp->now, vp->state_since));
    sched_wait_end(vp, lp, lp->now, &waited);
    count_wait(vp, &waited);
    if (hv->host.vp_waited)
        hv->host.vp_waited(hv->host.context, &waited);
    pc_vp_add(&vp->counters, PC_VP_DISPATCHES, 1);
    note_entry(context);
    context->vp = vp;
    context->now = lp->now;
    hypervisor_trace(context, TRACE_DISPATCH,
                     cycles_sub(lp->now, vp->state_since).v);
    hypervisor_trace(context, TRACE_WAIT, wait_detail(&waited));
    vp->sched.lp = lp;
    lp->last_vp = vp->number + 1;
    lp->dispatched_at = lp->now;
    lp->charged_at = lp->now;
    vp_set_state(context, vp, VP_RUNNING);
    lp->slice_end = sched_start(&hv->sched, vp, lp->now, lp->slice_end);
}

void lp_charge(struct hv_lp *lp)
{
    struct hv_vp *vp = lp->vp;
    cycles_t ran = lp_uncharged(lp);

    lp->charged_at = lp->now;
    sched_charge(&vp->partition->hv->sched, vp, ran, lp->now);
}

void lp_undispatch(struct hv_context *context)
{
    struct hv_lp *lp = context->lp;
    struct hv_vp *vp = lp->vp;

    CHECK(vp && vp->state == VP_RUNNING);
    context->now = lp->now;
    hypervisor_trace(context, TRACE_UNDISPATCH,
                     cycles_sub(lp->now, lp->dispatched_at).v);
    lp_charge(lp);
    sched_stop(&context->hv->sched, vp, lp->now);
    lp->runs[lp->run_count++ % LP_RUNS] = sched_wait_run(lp, lp->now);
    lp->vp = NULL;
    lp->free_since = lp->now;

    if (vp_runnable(vp)) {
        vp_set_state(context, vp, VP_READY);
        sched_enqueue(&context->hv->sched, vp, lp->now);
    } else {
        vp_rest(context, vp);
    }
    vp->sched.yields = false;
}

bool lp_end_slice(struct hv_context *context)
{
    struct hv_lp *lp = context->lp;
    struct hv_vp *vp = lp->vp;
    bool yields;

    cost_note(context->bill, lp->called ? COST_PHYSICAL_IPI : COST_TIMER_EXPIRY,
              1);
    cost_note(context->bill, COST_SCHEDULE, 1);
    if (!lp->called)
        pc_lp_add(&lp->counters, PC_LP_TIMER_INTERRUPTS, 1);
    lp_charge(lp);
    yields =
        sched_must_yield(&context->hv->sched, lp, vp, lp->now, &lp->slice_end);
    lp->called = false;
    if (!yields)
        vp->sched.yields = false;
    return yields;
}
