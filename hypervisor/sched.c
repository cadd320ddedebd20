/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/sched.h"

#include <string.h>

#include "hypervisor/cpu_group.h"
#include "hypervisor/lp.h"
#include "hypervisor/partition.h"
#include "hypervisor/sched_period.h"
#include "hypervisor/vp.h"
#include "sim/core/check.h"

static const struct {
    const char *name, *help;
} rules[SCHED_RULE_COUNT] = {
#define SCHED_RULE(id, name, help) [SCHED_RULE_##id] = {name, help},
#include "hypervisor/sched_rules.def"
#undef SCHED_RULE
};

const char *sched_rule_name(enum sched_rule rule)
{
    return rules[rule].name;
}

const char *sched_rule_help(enum sched_rule rule)
{
    return rules[rule].help;
}

static void fire_expiry(void *context, cycles_t now)
{
    struct hv_sched *sched = context;

    sched->ops->expire(sched, now);
}

bool sched_init(struct hv_sched *sched, const struct hv_sched_ops *ops,
                struct hv_sched_params params, struct hypervisor *hv)
{
    CHECK(params.slice.v > 0 && params.period.v > 0);
    *sched = (struct hv_sched){
        .ops = ops,
        .params = params,
        .hv = hv,
        .idle = lp_set_first_of(hv->lp_count),
        .idle_count = hv->lp_count,
        .expiry =
            {
                .kind = EVENT_TIMER,
                .name = "sched-expiry",
                .fire = fire_expiry,
                .context = sched,
            },
    };
    return sched_period_init(sched) && ops->init(sched);
}

void sched_fini(struct hv_sched *sched)
{
    if (!sched->ops)
        return;
    event_cancel(sched->hv->events, &sched->expiry);
    sched->ops->fini(sched);
    sched_period_fini(sched);
    sched->ops = NULL;
}

/* The interrupt that calls an LP: from the LP under way, if there is one. A
 * timer's event comes to each LP by its own timer. */
static void note_call(const struct hypervisor *hv, struct hv_lp *lp)
{
    const struct hv_context *context = hv->current;

    if (!context || !context->lp || context->lp == lp)
        return;
    cost_note(context->bill, COST_PHYSICAL_IPI, 1);
    pc_lp_add(&context->lp->counters, PC_LP_IPIS_SENT, 1);
    pc_lp_add(&lp->counters, PC_LP_IPIS_RECEIVED, 1);
    pc_lp_add(&lp->counters, PC_LP_SCHEDULER_INTERRUPTS, 1);
}

static void now_idle(struct hv_sched *sched, const struct hv_lp *lp,
                     cycles_t now)
{
    if (lp_set_has(&sched->idle, lp->id.v))
        return;
    lp_set_add(&sched->idle, lp->id.v);
    if (sched->idle_count++ == 0)
        sched->idle_since = now;
}

static void not_idle(struct hv_sched *sched, const struct hv_lp *lp,
                     cycles_t now)
{
    if (!lp_set_has(&sched->idle, lp->id.v))
        return;
    lp_set_remove(&sched->idle, lp->id.v);
    if (--sched->idle_count == 0 && cycles_before(sched->idle_since, now))
        sched->idle_time =
            cycles_add(sched->idle_time, cycles_sub(now, sched->idle_since));
}

void sched_poke(struct hv_sched *sched, struct hv_lp *lp, cycles_t now)
{
    struct hypervisor *hv = sched->hv;

    not_idle(sched, lp, now);
    if (!lp->vp) {
        note_call(hv, lp);
        hv->host.lp_ready(hv->host.context, lp, now);
        return;
    }
    if (!cycles_before(now, lp->turn_end))
        return;
    lp->turn_end = now;
    /* A limit ends before: should the VP go on then, it is not for longer. */
    if (!cycles_before(now, lp->slice_end))
        return;
    note_call(hv, lp);
    lp->slice_end = now;
    lp->called = true;
    hv->host.limit_changed(hv->host.context, lp->vp);
}

void sched_expire_at(struct hv_sched *sched, cycles_t at)
{
    if (!event_is_scheduled(&sched->expiry) ||
        cycles_before(at, sched->expiry.due))
        event_schedule(sched->hv->events, &sched->expiry, at);
}

bool sched_allows(const struct hv_vp *vp, const struct hv_lp *lp)
{
    return !vp->sched.restricted || lp_set_has(&vp->sched.allowed, lp->id.v);
}

bool sched_is_pinned(const struct hv_vp *vp)
{
    return vp->sched.restricted ? lp_set_count(&vp->sched.allowed) == 1
                                : vp->partition->hv->lp_count == 1;
}

bool sched_has_just_run(const struct hv_vp *vp, cycles_t now)
{
    const struct hv_lp *lp = vp->sched.lp;

    return lp && !lp->vp && lp->last_vp == vp->number + 1 &&
           lp->free_since.v == now.v;
}

/* The idle LPs on which it may run; `both` is room for them. */
static const struct lp_set *idle_for(const struct hv_sched *sched,
                                     const struct hv_vp *vp,
                                     struct lp_set *both)
{
    if (!vp->sched.restricted)
        return &sched->idle;
    *both = lp_set_and(&sched->idle, &vp->sched.allowed);
    return both;
}

struct hv_lp *sched_first_idle_lp(const struct hv_sched *sched,
                                  const struct hv_vp *vp)
{
    struct lp_set both;
    int lp;

    /* On a busy host this is asked often, and there is none. */
    if (sched->idle_count == 0)
        return NULL;
    lp = lp_set_next(idle_for(sched, vp, &both), 0);
    return lp < 0 ? NULL : &sched->hv->lps[lp];
}

struct hv_lp *sched_idle_lp(const struct hv_sched *sched,
                            const struct hv_vp *vp)
{
    const struct hypervisor *hv = sched->hv;
    const struct lp_set *idle;
    struct lp_set both;
    int lp;

    if (sched->idle_count == 0)
        return NULL;
    idle = idle_for(sched, vp, &both);
    if (vp->sched.lp && lp_set_has(idle, vp->sched.lp->id.v))
        return vp->sched.lp;
    if (lp_set_has(idle, vp->sched.ideal_lp))
        return &hv->lps[vp->sched.ideal_lp];
    lp = lp_set_first_in_both(idle, &hv->node_lps[vp->node]);
    if (lp < 0)
        lp = lp_set_next(idle, 0);
    return lp < 0 ? NULL : &hv->lps[lp];
}

/* Where the VP may run by its own affinity, its partition's and its group's. */
static void set_allowed(struct hv_vp *vp)
{
    const struct partition_sched *controls = &vp->partition->sched;

    vp->sched.allowed = lp_set_and(&vp->sched.affinity, &controls->affinity);
    if (controls->group)
        vp->sched.allowed =
            lp_set_and(&vp->sched.allowed, &controls->group->lps);
    CHECK(!lp_set_is_empty(&vp->sched.allowed));
    vp->sched.restricted = lp_set_count(&vp->sched.allowed) < vp->hv->lp_count;
}

bool sched_vp_add(struct hv_sched *sched, struct hv_vp *vp)
{
    set_allowed(vp);
    return !sched->ops->vp_add || sched->ops->vp_add(sched, vp);
}

void sched_vp_remove(struct hv_sched *sched, struct hv_vp *vp)
{
    if (sched->ops->vp_remove)
        sched->ops->vp_remove(sched, vp);
}

void sched_enqueue(struct hv_sched *sched, struct hv_vp *vp, cycles_t now)
{
    if (!sched_period_may_run(sched, vp, now)) {
        sched_period_park(sched, vp, now);
        return;
    }
    sched_wait(vp, SCHED_RULE_WAKE, NULL, now);
    sched->ops->enqueue(sched, vp, now);
}

void sched_dequeue(struct hv_sched *sched, struct hv_vp *vp)
{
    if (vp->sched.parked)
        sched_period_unpark(sched, vp);
    else
        sched->ops->dequeue(sched, vp);
}

/* The VP will be chosen soon. */
static void foresee(const struct hv_sched *sched, const struct hv_vp *vp)
{
    size_t front = sched_front_bytes(sched->ops->vp_bytes);

    host_line_foresee((const char *)vp - front, 1);
    vp_foresee_dispatch(vp);
}

struct sched_choice sched_pick(struct hv_sched *sched, struct hv_lp *lp,
                               cycles_t now)
{
    struct sched_choice choice;
    bool may_run;

    do {
        choice = sched->ops->pick(sched, lp, now);
        if (!choice.vp) {
            now_idle(sched, lp, now);
            return choice;
        }
        vp_foresee_dispatch(choice.vp);
        CHECK(choice.vp->state == VP_READY && sched_allows(choice.vp, lp));

        /* Others of its group may have used up what there was when it came. */
        cycles_t start = cycles_max(now, choice.not_before);

        may_run = sched_period_may_run(sched, choice.vp, start);
        if (!may_run)
            sched_period_park(sched, choice.vp, start);
    } while (!may_run);
    not_idle(sched, lp, now);
    if (choice.next)
        foresee(sched, choice.next);
    return choice;
}

cycles_t sched_start(struct hv_sched *sched, struct hv_vp *vp, cycles_t now,
                     cycles_t slice_end)
{
    cycles_t left = sched_period_start(sched, vp, now);

    vp->sched.lp->turn_end = slice_end;
    if (left.v == CYCLES_NEVER.v)
        return slice_end;
    return cycles_min(slice_end, cycles_add(now, left));
}

void sched_stop(struct hv_sched *sched, struct hv_vp *vp, cycles_t now)
{
    sched_period_stop(sched, vp, now);
}

bool sched_must_yield(struct hv_sched *sched, struct hv_lp *lp,
                      struct hv_vp *vp, cycles_t now, cycles_t *slice_end)
{
    sched_stop(sched, vp, now);
    if (!sched_period_may_run(sched, vp, now))
        return true;
    /* It may have been told to leave this LP. */
    if (!sched_allows(vp, lp))
        return true;
    /* A limit's end is none of the policy's business. */
    if (!lp->called && cycles_before(now, lp->turn_end))
        *slice_end = lp->turn_end;
    else if (sched->ops->must_yield(sched, lp, vp, now, slice_end))
        return true;
    *slice_end = sched_start(sched, vp, now, *slice_end);
    return false;
}

void sched_charge(struct hv_sched *sched, struct hv_vp *vp, cycles_t ran,
                  cycles_t now)
{
    sched_period_charge(sched, vp, ran, now);
    if (sched->ops->charge)
        sched->ops->charge(sched, vp, ran, now);
}

void sched_price_dispatch(struct hv_sched *sched, const struct hv_lp *lp,
                          const struct hv_vp *vp, struct cost_bill *bill)
{
    if (sched->ops->price_dispatch)
        sched->ops->price_dispatch(sched, lp, vp, bill);
}

void sched_spin(struct hv_sched *sched, struct hv_vp *vp, cycles_t now)
{
    if (!sched->params.spin_yields || vp->state != VP_RUNNING)
        return;
    vp->sched.yields = true;
    sched_poke(sched, vp->sched.lp, now);
}

static void vp_controls_changed(struct hv_sched *sched, struct hv_vp *vp,
                                cycles_t now)
{
    bool queued = vp->state == VP_READY;

    now = cycles_max(now, vp->state_since);
    if (queued) {
        sched_dequeue(sched, vp);
        sched_wait(vp, SCHED_RULE_WAKE, NULL, now); /* by what held till now */
    }
    set_allowed(vp);
    if (sched->ops->allowed_changed)
        sched->ops->allowed_changed(sched, vp);
    if (queued)
        sched_enqueue(sched, vp, now);
    else if (vp->state == VP_RUNNING)
        sched_poke(sched, vp->sched.lp, now);
}

void sched_controls_changed(struct hv_partition *partition, cycles_t now)
{
    for (uint32_t i = 0; i < PARTITION_VP_COUNT_MAX; i++) {
        struct hv_vp *vp = partition->vps[i];

        if (vp)
            vp_controls_changed(&partition->hv->sched, vp, now);
    }
}

/* With one list for all a VP counts where it would rather run. */
static const struct hv_lp *list_of(const struct hv_sched *sched,
                                   const struct hv_vp *vp)
{
    if (sched->ops->queue_of)
        return sched->ops->queue_of(sched, vp);
    return vp->sched.lp ? vp->sched.lp : &sched->hv->lps[vp->sched.ideal_lp];
}

static void count_lists_of(const struct hv_sched *sched,
                           const struct hv_partition *partition)
{
    for (uint32_t i = 0; i < PARTITION_VP_COUNT_MAX; i++) {
        const struct hv_vp *vp = partition->vps[i];

        if (!vp || vp->state != VP_READY || vp->sched.parked)
            continue;

        uint32_t lp = list_of(sched, vp)->id.v;

        pc_lp_add(&sched->hv->lps[lp].counters, PC_LP_RUN_LIST_SIZE, 1);
    }
}

void sched_count_lists(const struct hv_sched *sched)
{
    struct hypervisor *hv = sched->hv;

    for (uint32_t i = 0; i < hv->lp_count; i++)
        pc_lp_set(&hv->lps[i].counters, PC_LP_RUN_LIST_SIZE, 0);
    for (uint32_t i = 0; i < hv->partition_count; i++)
        count_lists_of(sched, hv->partitions[i]);
}
