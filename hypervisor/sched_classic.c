/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * Classic: fair share, pre-emptive, by weights and reserves, a run list per
 * LP. The default before Windows Server 2019 (Microsoft, "Managing Hyper-V
 * hypervisor scheduler types"; weights, reserves and caps: TLFS 2.0a, chapter
 * 18). What is not published is a parameter: see struct hv_sched_params.
 *
 * Design. fair_share.h says who goes next. Beside that:
 *
 * - A VP that wakes goes to an idle LP: where it ran last, its ideal one, one
 *   of its node; one of another node only when it has waited for its own for
 *   `node_patience`. If none is idle it joins the list of the LP where it ran
 *   last, at most `wake_boost` ahead of those that are there, and interrupts
 *   the VP that runs there if it comes before that and that has run for
 *   `preempt_after`; or if that one could go to an LP that is idle.
 * - A slice is `slice` long, and shorter for who has less weight than the next
 *   one, by as much: so shares hold over short times too.
 * - A VP that is owed a part of its reserve for this period goes before all
 *   that are not, and interrupts them at once, on any LP that it may use; and
 *   others that are owed when it could not be given it any more (zero laxity),
 *   so that three VPs with 60 % of an LP share two.
 * - A VP that says that it spins goes behind all that wait for its LP.
 *
 * Promise. Of VPs that are always busy, that may run on the same LPs, of which
 * there are fewer than VPs, and of which none is entitled to more than an LP,
 * virtual times (what a VP has used, at weight 100) differ by at most
 * 2 * (slice * 100 / least weight + migrate_after). A VP with a reserve gets
 * that part of every period in which it is ready from the beginning, if
 * all that have one may run on the same LPs. No LP idles while a VP waits that
 * may run on it, but for `node_patience`.
 *
 * What this does not model: priority levels (Hyper-V has counters for them,
 * and no description), cores whose LPs share their time.
 */
#include <stdlib.h>

#include "hypervisor/fair_share.h"
#include "hypervisor/lp.h"
#include "hypervisor/partition.h"
#include "hypervisor/sched_period.h"
#include "hypervisor/sched_policies.h"
#include "hypervisor/vp.h"
#include "sim/core/check.h"

struct classic {
    struct fair_share share;
    /* LPs that run a VP which is owed nothing: who is owed takes one. */
    struct lp_set lending;
    bool watching;        /* those with a reserve that wait: */
    cycles_t next_period; /* they are looked at again */
};

static struct fair_entity *of(const struct hv_vp *vp)
{
    return vp->sched.policy;
}

static bool classic_init(struct hv_sched *sched)
{
    const struct hypervisor *hv = sched->hv;
    struct classic *classic = calloc(1, sizeof(*classic));

    sched->policy = classic;
    if (!classic || !fair_share_init(&classic->share, hv->lp_count,
                                     hv->node_count, &sched->params))
        return false;
    for (uint32_t i = 0; i < hv->lp_count; i++)
        classic->share.seats[i].node = hv->lps[i].node;
    return true;
}

static void classic_fini(struct hv_sched *sched)
{
    struct classic *classic = sched->policy;

    if (classic)
        fair_share_fini(&classic->share);
    free(classic);
    sched->policy = NULL;
}

static void classic_allowed_changed(struct hv_sched *sched, struct hv_vp *vp)
{
    struct classic *classic = sched->policy;

    fair_share_set_seats(&classic->share, of(vp), &vp->sched.allowed, vp->node);
}

static bool classic_vp_add(struct hv_sched *sched, struct hv_vp *vp)
{
    struct classic *classic = sched->policy;
    struct fair_entity *entity = of(vp);

    entity->local.owner = vp;
    entity->local.number = vp->number;
    entity->weight = vp->partition->sched.weight;
    entity->local.remark = vp->sched.ideal_lp;
    if (!fair_share_join(&classic->share, entity))
        return false;
    classic_allowed_changed(sched, vp);
    return true;
}

static void classic_vp_remove(struct hv_sched *sched, struct hv_vp *vp)
{
    struct classic *classic = sched->policy;

    fair_share_leave(&classic->share, of(vp));
}

/* True if the VP would rather have an LP of its own node. */
static bool is_patient(const struct hv_sched *sched, const struct hv_vp *vp)
{
    const struct lp_set *own = &sched->hv->node_lps[vp->node];

    if (sched->hv->node_count == 1 || sched->params.node_patience.v == 0)
        return false;
    return vp->sched.restricted
               ? lp_set_first_in_both(own, &vp->sched.allowed) >= 0
               : !lp_set_is_empty(own);
}

/* How long the VP still waits for one. What it has done so since it is ready
 * counts: where it is kept out by a limit meanwhile, it comes anew. */
static cycles_t patience_of(const struct hv_sched *sched,
                            const struct hv_vp *vp)
{
    cycles_t patience = sched->params.node_patience;

    if (!is_patient(sched, vp))
        return cycles(0);
    if (vp->state != VP_READY)
        return patience;
    return cycles_sub(
        patience, cycles_min(patience, sched_wait_booked(vp, SCHED_RULE_NUMA)));
}

/* True if it may wait at that LP. */
static bool suits(const struct hv_sched *sched, const struct hv_vp *vp,
                  const struct hv_lp *lp)
{
    return sched_allows(vp, lp) &&
           (lp->node == vp->node || !is_patient(sched, vp));
}

/* Where a VP waits that has found no idle LP. */
static struct hv_lp *home_of(const struct hv_sched *sched,
                             const struct hv_vp *vp)
{
    struct hypervisor *hv = sched->hv;
    int lp;

    if (vp->sched.lp && suits(sched, vp, vp->sched.lp))
        return vp->sched.lp;
    if (suits(sched, vp, &hv->lps[vp->sched.ideal_lp]))
        return &hv->lps[vp->sched.ideal_lp];
    lp = lp_set_first_in_both(&vp->sched.allowed, &hv->node_lps[vp->node]);
    if (lp < 0)
        lp = lp_set_next(&vp->sched.allowed, 0);
    return &hv->lps[lp];
}

/* The virtual time of what runs on `lp`; UINT64_MAX if nothing does. */
static uint64_t running_time(const struct hv_lp *lp)
{
    if (!lp->vp)
        return UINT64_MAX;
    return fair_share_after(of(lp->vp), lp_uncharged(lp));
}

/* Reserves. */

/* In the next period those who wait and have a reserve are owed it anew. */
static void watch_period(struct hv_sched *sched, cycles_t now)
{
    struct classic *classic = sched->policy;

    if (!run_list_first(&classic->share.reserved))
        return;
    if (!classic->watching)
        classic->next_period = sched_period_next(sched, now);
    classic->watching = true;
    sched_expire_at(sched, classic->next_period);
}

/* An LP for a VP that is owed: idle, or lent to one that is not. */
static struct hv_lp *owed_lp(struct hv_sched *sched, const struct hv_vp *vp)
{
    struct classic *classic = sched->policy;
    struct hv_lp *lp = sched_idle_lp(sched, vp);
    int other;

    if (lp)
        return lp;
    lp = home_of(sched, vp);
    if (lp_set_has(&classic->lending, lp->id.v))
        return lp;
    other = lp_set_first_in_both(&classic->lending, &vp->sched.allowed);
    return other < 0 ? NULL : &sched->hv->lps[other];
}

static void enqueue_owed(struct hv_sched *sched, struct hv_vp *vp,
                         cycles_t owed, cycles_t now)
{
    struct classic *classic = sched->policy;
    struct hv_lp *lp = owed_lp(sched, vp);
    struct fair_wait wait = {
        .seat = lp ? lp->id.v : home_of(sched, vp)->id.v,
        .reserved = true,
        .owed = owed,
        .claims = lp && lp_set_has(&sched->idle, lp->id.v),
    };

    fair_share_add(&classic->share, of(vp), &wait);
    if (lp) {
        lp_set_remove(&classic->lending, lp->id.v);
        sched_poke(sched, lp, now);
    } else {
        sched_wait(vp, SCHED_RULE_SLICE, NULL, now);
    }
}

/* Fair shares. */

/* The idle LP that the VP takes at once. */
static struct hv_lp *idle_lp(const struct hv_sched *sched,
                             const struct hv_vp *vp)
{
    struct hv_lp *lp = sched_idle_lp(sched, vp);
    struct lp_set idle;
    int own;

    if (!lp || lp->node == vp->node || patience_of(sched, vp).v == 0)
        return lp;
    idle = lp_set_and(&sched->idle, &vp->sched.allowed);
    own = lp_set_first_in_both(&idle, &sched->hv->node_lps[vp->node]);
    return own < 0 ? NULL : &sched->hv->lps[own];
}

/* True if what runs on `lp` could go on at once elsewhere. */
static bool could_move(const struct hv_sched *sched, const struct hv_lp *lp)
{
    return lp->vp && idle_lp(sched, lp->vp) != NULL;
}

/* Has `lp` choose again for a VP that waits for it, as soon as it may. */
static void preempt(struct hv_sched *sched, struct hv_lp *lp,
                    const struct hv_vp *vp, cycles_t now)
{
    struct classic *classic = sched->policy;
    cycles_t at = cycles_add(lp->dispatched_at, sched->params.preempt_after);
    cycles_t until;

    if (!lp->vp || !lp_set_has(&classic->lending, lp->id.v))
        return;
    if (could_move(sched, lp)) {
        sched_poke(sched, lp, now);
        return;
    }
    until = fair_share_until(&classic->share, of(vp), lp->id.v, of(lp->vp),
                             running_time(lp));
    if (of(vp)->woken && until.v < sched->params.slice.v)
        sched_poke(sched, lp, cycles_max(cycles_add(now, until), at));
}

/* The VP takes an idle LP. */
static void claim(struct hv_sched *sched, struct hv_vp *vp, struct hv_lp *lp,
                  cycles_t now)
{
    struct classic *classic = sched->policy;
    struct fair_entity *entity = of(vp);
    struct fair_wait wait = {
        .seat = lp->id.v,
        .key = entity->virtual_time,
        .reserved = vp->partition->sched.reserve > 0,
        .claims = true,
    };

    fair_share_add(&classic->share, entity, &wait);
    sched_poke(sched, lp, now);
}

static void enqueue_fair(struct hv_sched *sched, struct hv_vp *vp, cycles_t now)
{
    struct classic *classic = sched->policy;
    struct hv_lp *home = home_of(sched, vp);
    struct fair_entity *entity = of(vp);
    struct fair_wait wait = {
        .seat = home->id.v,
        .key = entity->virtual_time,
        .reserved = vp->partition->sched.reserve > 0,
    };

    if (vp->sched.yields) {
        uint64_t behind = fair_share_behind(&classic->share, wait.seat, now);

        wait.key = behind > wait.key ? behind : wait.key;
    }
    wait.patient_until = cycles_add(now, patience_of(sched, vp));
    wait.patient = cycles_before(now, wait.patient_until) &&
                   sched_idle_lp(sched, vp) != NULL;
    fair_share_add(&classic->share, entity, &wait);
    if (wait.patient)
        sched_expire_at(sched, wait.patient_until);
    sched_wait(vp, wait.patient ? SCHED_RULE_NUMA : SCHED_RULE_SLICE, NULL,
               now);
    preempt(sched, home, vp, now);
}

static void classic_enqueue(struct hv_sched *sched, struct hv_vp *vp,
                            cycles_t now)
{
    struct classic *classic = sched->policy;
    cycles_t owed = sched_period_reserve_left(sched, vp, now);
    struct fair_entity *entity = of(vp);
    struct hv_lp *lp = idle_lp(sched, vp);

    fair_share_set_weight(&classic->share, entity, vp->partition->sched.weight);
    vp->sched.queued = true;
    if (!sched_has_just_run(vp, now)) {
        const struct hv_lp *home = home_of(sched, vp);

        fair_share_wake(&classic->share, entity, home->id.v,
                        running_time(home));
    }
    if (owed.v > 0 && !vp->sched.yields)
        enqueue_owed(sched, vp, owed, now);
    else if (lp)
        claim(sched, vp, lp, now);
    else
        enqueue_fair(sched, vp, now);
    watch_period(sched, now);
}

static void classic_dequeue(struct hv_sched *sched, struct hv_vp *vp)
{
    struct classic *classic = sched->policy;

    fair_share_remove(&classic->share, of(vp));
    vp->sched.queued = false;
}

/* Slices. */

/* What is owed to the one that waits for an LP next. */
static cycles_t owed_to(struct hv_sched *sched, const struct fair_entity *next,
                        cycles_t now)
{
    if (!next || !next->is_owed)
        return cycles(0);
    return sched_period_reserve_left(sched, next->local.owner, now);
}

/* Until when the VP may run from `now` on; whether the LP is lent meanwhile. */
static cycles_t slice_end(struct hv_sched *sched, struct hv_vp *vp,
                          const struct hv_lp *lp,
                          const struct fair_entity *next, cycles_t now)
{
    struct classic *classic = sched->policy;
    cycles_t owed = sched_period_reserve_left(sched, vp, now);

    if (owed.v == 0) {
        lp_set_add(&classic->lending, lp->id.v);
        return cycles_add(
            now, fair_share_slice(&classic->share, of(vp), lp->id.v, next));
    }
    lp_set_remove(&classic->lending, lp->id.v);
    return sched_period_owed_end(sched, owed, owed_to(sched, next, now), now);
}

/* An LP idles, and those who would take one of their own node do not take
 * it. */
static void tell_patient(struct hv_sched *sched, const struct hv_lp *lp,
                         cycles_t now)
{
    struct classic *classic = sched->policy;
    struct fair_share *share = &classic->share;
    struct run_entry *entry;

    fair_share_idles(share, lp->id.v);
    for (entry = run_list_first(&share->patient); entry;
         entry = run_list_next(entry)) {
        struct hv_vp *vp = ((struct fair_entity *)entry->owner)->local.owner;

        if (sched_allows(vp, lp))
            sched_wait(vp, SCHED_RULE_NUMA, NULL, now);
    }
    if (run_list_first(&share->patient))
        sched_expire_at(sched, fair_share_patience(share));
}

static struct sched_choice classic_pick(struct hv_sched *sched,
                                        struct hv_lp *lp, cycles_t now)
{
    struct classic *classic = sched->policy;
    struct fair_share *share = &classic->share;
    struct fair_entity *entity = fair_share_best(share, lp->id.v, now);
    const struct fair_entity *next;
    struct hv_vp *vp;

    lp_set_remove(&classic->lending, lp->id.v);
    if (!entity) {
        if (sched->hv->node_count > 1)
            tell_patient(sched, lp, now);
        return (struct sched_choice){0};
    }
    vp = entity->local.owner;
    fair_share_take(share, entity, lp->id.v);
    vp->sched.queued = false;
    next = fair_share_best(share, lp->id.v, now);
    if (next)
        host_line_foresee(fair_share_peek(next, 1), 1);
    return (struct sched_choice){
        .vp = vp,
        .slice_end = slice_end(sched, vp, lp, next, now),
        .next = next ? next->local.owner : NULL,
    };
}

static bool classic_must_yield(struct hv_sched *sched, struct hv_lp *lp,
                               struct hv_vp *vp, cycles_t now,
                               cycles_t *slice_ends)
{
    struct classic *classic = sched->policy;
    const struct fair_share *share = &classic->share;
    struct fair_entity *own = of(vp);
    const struct fair_entity *next = fair_share_best(share, lp->id.v, now);

    *slice_ends = slice_end(sched, vp, lp, next, now);
    if (!next)
        return false;
    if (vp->sched.yields)
        return true;
    if (!lp_set_has(&classic->lending, lp->id.v))
        return sched_period_owed_yields(
            sched, sched_period_reserve_left(sched, vp, now),
            owed_to(sched, next, now), now);
    fair_share_catch_up(share, own, next);
    return next->is_owed || could_move(sched, lp) ||
           fair_share_until(share, next, lp->id.v, own, own->virtual_time).v ==
               0;
}

static void classic_charge(struct hv_sched *sched, struct hv_vp *vp,
                           cycles_t ran, cycles_t now)
{
    const struct classic *classic = sched->policy;

    (void)now;
    fair_share_set_weight(&classic->share, of(vp), vp->partition->sched.weight);
    fair_share_charge(of(vp), ran);
}

/* A new period: who waits, and has a reserve, is owed it. */
static void turn_period(struct hv_sched *sched, cycles_t now)
{
    struct classic *classic = sched->policy;
    struct run_entry *entry = run_list_first(&classic->share.reserved);

    classic->watching = false;
    while (entry) {
        struct run_entry *next = run_list_next(entry);
        struct fair_entity *entity = entry->owner;
        cycles_t owed =
            sched_period_reserve_left(sched, entity->local.owner, now);

        if (owed.v > 0) {
            fair_share_remove(&classic->share, entity);
            enqueue_owed(sched, entity->local.owner, owed, now);
        }
        entry = next;
    }
    watch_period(sched, now);
}

/* They have waited long enough for an LP of their node. */
static void end_patience(struct hv_sched *sched, cycles_t now)
{
    struct classic *classic = sched->policy;
    struct fair_entity *entity;

    while ((entity = fair_share_ripen(&classic->share, now)) != NULL) {
        struct hv_vp *vp = entity->local.owner;
        struct hv_lp *lp = sched_idle_lp(sched, vp);

        if (lp) {
            fair_share_remove(&classic->share, entity);
            sched_wait(vp, SCHED_RULE_WAKE, NULL, now);
            claim(sched, vp, lp, now);
        } else if (vp->sched.wait.rule == SCHED_RULE_NUMA) {
            sched_wait(vp, SCHED_RULE_SLICE, NULL, now);
        }
    }
}

static void classic_expire(struct hv_sched *sched, cycles_t now)
{
    struct classic *classic = sched->policy;

    end_patience(sched, now);
    if (fair_share_patience(&classic->share).v != CYCLES_NEVER.v)
        sched_expire_at(sched, fair_share_patience(&classic->share));
    if (!classic->watching)
        return;
    if (cycles_before(now, classic->next_period))
        sched_expire_at(sched, classic->next_period);
    else
        turn_period(sched, now);
}

static const struct hv_lp *classic_queue_of(const struct hv_sched *sched,
                                            const struct hv_vp *vp)
{
    return &sched->hv->lps[fair_entity_seat(of(vp))];
}

const struct hv_sched_ops sched_classic = {
    .name = "classic",
    .help = "fair share by weight, with reserves; wakes pre-empt",
    .flags =
        SCHED_WEIGHTS | SCHED_RESERVES | SCHED_LIMITS | SCHED_WORK_CONSERVING,
    .vp_bytes = sizeof(struct fair_entity),
    .init = classic_init,
    .fini = classic_fini,
    .vp_add = classic_vp_add,
    .vp_remove = classic_vp_remove,
    .allowed_changed = classic_allowed_changed,
    .enqueue = classic_enqueue,
    .dequeue = classic_dequeue,
    .pick = classic_pick,
    .must_yield = classic_must_yield,
    .charge = classic_charge,
    .expire = classic_expire,
    .queue_of = classic_queue_of,
};
