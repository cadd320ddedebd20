/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * EDF: reservations as deadlines. A VP with a reserve is a constant-bandwidth
 * server (L. Abeni, G. Buttazzo, "Integrating Multimedia Applications in Hard
 * Real-Time Systems", 1998): it has a budget, its reserve of a period
 * (hv_sched_params.period), and a deadline, a period later.
 *
 * Design. Global: one order for all LPs. First come VPs with budget left, the
 * earliest deadline first; one that wakes, or whose budget is renewed, takes
 * an idle LP, else one from a VP without a budget, else from that with the
 * latest deadline, at once. A budget that is used up is renewed at its
 * deadline, which moves on by a period; one that is not used up by then keeps
 * its deadline, and so its place, until it is: time that came late is not lost.
 * A VP that wakes goes on with its budget and deadline if it could not use more
 * than its share of the time until then; else it gets new ones (the rule of
 * the paper).
 *
 * The background: VPs without a reserve, and those that have used theirs up,
 * share what is left, by weight: the one that has had the least first, counting
 * what it had by its reserve. So a reserve is a floor, not a gift. One that
 * wakes starts with no less than the last that was chosen where it may run had;
 * none is further behind than a slice of its own. It interrupts one that has
 * had more where it ran last, once that has run for preempt_after.
 *
 * Bound. On one LP each VP that wants it gets its reserve of each of its
 * periods by the deadline, less what switching takes, if reserves add up to no
 * more than that LP. On several LPs, too, if they add up to no more than all
 * LPs and the VPs may run anywhere, but some of a period's may be late: by no
 * more than the periods of as many LPs (U. Devi, J. Anderson, "Tardiness
 * Bounds under Global EDF Scheduling on a Multiprocessor", 2005). So over any
 * time it gets its reserve of all of it but so many periods. What is later yet
 * is given up: affinities and reserves do not fit. Beside that, VPs
 * of weights that give them at most three quarters of an LP get their shares of
 * what is left to within a slice and preempt_after each; who should have more
 * must hardly wait, and may get a little less.
 *
 * What this does not do: staying on an LP whose caches are warm, beyond
 * preferring the last one when it is idle; NUMA; slices among VPs with budgets.
 */
#include <stdalign.h>
#include <stdlib.h>

#include "hypervisor/admission.h"
#include "hypervisor/lp.h"
#include "hypervisor/partition.h"
#include "hypervisor/run_list.h"
#include "hypervisor/sched_policies.h"
#include "hypervisor/vp.h"
#include "sim/core/check.h"
#include "sim/core/host_line.h"

/* In the key of a run list: after all deadlines. */
#define BACKGROUND (UINT64_C(1) << 63)

/* What every choice needs is one line of the host's caches. */
struct edf_vp {
    alignas(HOST_LINE_BYTES) struct run_entry
        entry;            /* while it waits: by deadline or turn. The
                             owner is the VP, at all times */
    uint64_t turn;        /* cycles that it has had, by its weight */
    struct hv_lp *called; /* waits for it, idle; NULL: for any */
    uint64_t quota;       /* cycles of each period; 0: no reserve, and */

    /* none of this is looked at. */
    int64_t budget; /* of the quota left */
    cycles_t deadline;
    struct run_entry late; /* while it runs by its budget: the latest deadline
                              first; stays behind until it is seen when the VP
                              has gone to sleep */
    struct event renewal;  /* while it waits in the background */
};

struct edf {
    struct run_pool pool;     /* of these, one of which a VP is on at most: */
    struct run_list waiting;  /* those that may run on several LPs */
    struct run_list *pinned;  /* by LP: those that may only run there */
    struct run_list budgeted; /* run by their budgets, by edf_vp.late */
    struct lp_set background; /* LPs that a VP without a budget was given */
    struct edf_vp **called;   /* by LP: whom it has been called for, or NULL */
    uint64_t turn;            /* of the last that was chosen, */
    uint64_t *turns;          /* and by LP */
};

static struct edf_vp *edf_of(const struct hv_vp *vp)
{
    return vp->sched.policy;
}

static struct hv_vp *vp_of(const struct edf_vp *e)
{
    return e->entry.owner;
}

static bool edf_init(struct hv_sched *sched)
{
    uint32_t lps = sched->hv->lp_count;
    struct edf *edf = calloc(1, sizeof(*edf));

    if (!edf)
        return false;
    sched->policy = edf;
    edf->pinned = calloc(lps, sizeof(*edf->pinned));
    edf->called = calloc(lps, sizeof(struct edf_vp *));
    edf->turns = calloc(lps, sizeof(*edf->turns));
    edf->waiting.pool = edf->budgeted.pool = &edf->pool;
    for (uint32_t i = 0; edf->pinned && i < lps; i++)
        edf->pinned[i].pool = &edf->pool;
    return edf->pinned && edf->called && edf->turns;
}

static void edf_fini(struct hv_sched *sched)
{
    struct edf *edf = sched->policy;

    if (!edf)
        return;
    free(edf->pinned);
    free(edf->called);
    free(edf->turns);
    free(edf);
    sched->policy = NULL;
}

/* Budgets. */

static bool has_budget(const struct edf_vp *e)
{
    return e->quota > 0 && e->budget > 0;
}

static uint64_t quota_of(const struct hv_sched *sched, const struct hv_vp *vp)
{
    return sched->params.period.v * admission_reserve(vp->partition) /
           PARTITION_CPU_SHARE_MAX;
}

static void stops_running(struct edf_vp *e)
{
    if (e->quota > 0 && run_list_is_listed(&e->late))
        run_list_remove(&e->late);
}

static void begin_period(const struct hv_sched *sched, struct edf_vp *e,
                         cycles_t now)
{
    uint64_t quota = quota_of(sched, vp_of(e));

    if (quota == 0)
        stops_running(e);
    e->quota = quota;
    e->budget = (int64_t)e->quota;
    e->deadline = cycles_add(now, sched->params.period);
}

/* Brings quota, budget and deadline up to `now`. */
static void renew(const struct hv_sched *sched, struct edf_vp *e, cycles_t now)
{
    cycles_t period = sched->params.period;
    uint64_t quota = quota_of(sched, vp_of(e));
    cycles_t given_up;

    if (e->quota == 0 && quota == 0)
        return;
    given_up = cycles_add(
        e->deadline, cycles(period.v * (sched->hv->lp_count + UINT64_C(1))));
    if (e->quota != quota || cycles_before(given_up, now)) {
        begin_period(sched, e, now);
        return;
    }
    while (quota > 0 && e->budget <= 0 && !cycles_before(now, e->deadline)) {
        e->budget += (int64_t)e->quota;
        e->deadline = cycles_add(e->deadline, period);
    }
}

/* It wakes: what it has left may be more than its share until the deadline. */
static void wake(const struct hv_sched *sched, struct edf_vp *e, cycles_t now)
{
    uint64_t reserve = vp_of(e)->partition->sched.reserve;

    renew(sched, e, now);
    if (!has_budget(e))
        return;
    if (!cycles_before(now, e->deadline) ||
        (uint64_t)e->budget >
            cycles_sub(e->deadline, now).v * reserve / PARTITION_CPU_SHARE_MAX)
        begin_period(sched, e, now);
}

static uint64_t key_of(const struct edf_vp *e)
{
    return has_budget(e) ? e->deadline.v : BACKGROUND | e->turn;
}

/* So many cycles, by the VP's weight. */
static uint64_t weighted(const struct hv_vp *vp, uint64_t ran)
{
    return ran * PARTITION_CPU_WEIGHT_MAX / vp->partition->sched.weight;
}

/* VPs come and go. */

static void renewal_comes(void *context, cycles_t now);

static bool edf_vp_add(struct hv_sched *sched, struct hv_vp *vp)
{
    struct edf *edf = sched->policy;
    struct edf_vp *e = edf_of(vp);

    if (!run_pool_grow(&edf->pool, 1))
        return false;
    e->entry = (struct run_entry){.owner = vp, .number = vp->number};
    e->late = (struct run_entry){.owner = e, .number = vp->number};
    e->renewal = (struct event){
        .kind = EVENT_TIMER,
        .name = "edf-renewal",
        .fire = renewal_comes,
        .context = e,
    };
    return true;
}

static void edf_vp_remove(struct hv_sched *sched, struct hv_vp *vp)
{
    struct edf *edf = sched->policy;
    struct edf_vp *e = edf_of(vp);

    CHECK(!run_list_is_listed(&e->entry) && !event_is_scheduled(&e->renewal));
    stops_running(e);
    CHECK(!run_list_is_listed(&e->late));
    run_pool_shrink(&edf->pool, 1);
}

/* Lists. */

static struct run_list *list_for(struct edf *edf, const struct hv_vp *vp)
{
    if (!sched_is_pinned(vp))
        return &edf->waiting;
    return &edf->pinned[lp_set_next(&vp->sched.allowed, 0)];
}

static void list(struct hv_sched *sched, struct edf_vp *e, uint64_t key)
{
    CHECK(e->quota == 0 || !run_list_is_listed(&e->late));
    e->entry.key = key;
    run_list_add(list_for(sched->policy, vp_of(e)), &e->entry);
    vp_of(e)->sched.queued = true;
    if (e->quota > 0 && !has_budget(e))
        event_schedule(sched->hv->events, &e->renewal, e->deadline);
}

static void unlist(struct hv_sched *sched, struct edf_vp *e)
{
    struct edf *edf = sched->policy;

    run_list_remove(&e->entry);
    vp_of(e)->sched.queued = false;
    if (e->quota > 0)
        event_cancel(sched->hv->events, &e->renewal);
    if (e->called)
        edf->called[e->called->id.v] = NULL;
    e->called = NULL;
}

/* The first of `from` that may run on `lp` and that no other LP has been called
 * for: that one could come to find nobody else. */
static struct edf_vp *first_for(const struct run_list *from,
                                const struct hv_lp *lp)
{
    struct run_entry *entry = run_list_first(from);

    while (entry) {
        struct edf_vp *e = edf_of(entry->owner);

        if (e->called == lp || (!e->called && sched_allows(vp_of(e), lp)))
            return e;
        entry = run_list_next(entry);
    }
    return NULL;
}

/* Whoever `lp` should run, of those that wait, or NULL. */
static struct edf_vp *best_for(const struct edf *edf, const struct hv_lp *lp)
{
    struct edf_vp *own = first_for(&edf->pinned[lp->id.v], lp);
    struct edf_vp *any = first_for(&edf->waiting, lp);

    if (!own || !any)
        return own ? own : any;
    return run_entry_mark(&own->entry) < run_entry_mark(&any->entry) ? own
                                                                     : any;
}

/* Calling LPs. */

/* It runs a VP, and has not been called for another one. */
static bool may_be_called(const struct hv_lp *lp, cycles_t now)
{
    return lp->vp && (!lp->called || cycles_before(now, lp->slice_end));
}

/* One of `lps` that runs a VP without a budget, or NULL. */
static struct hv_lp *background_lp(struct hv_sched *sched,
                                   const struct lp_set *lps, cycles_t now)
{
    struct edf *edf = sched->policy;
    struct lp_set maybe = lp_set_and(&edf->background, lps);

    for (int i = lp_set_next(&maybe, 0); i >= 0;
         i = lp_set_next(&maybe, (uint32_t)i + 1)) {
        struct hv_lp *lp = &sched->hv->lps[i];

        if (may_be_called(lp, now) && !has_budget(edf_of(lp->vp)))
            return lp;
        if (!lp->vp) /* its VP has gone to sleep */
            lp_set_remove(&edf->background, (uint32_t)i);
    }
    return NULL;
}

/* The LP where the deadline is latest of those that `e` may use, if it is later
 * than that of `e`; or NULL. */
static struct hv_lp *latest_lp(const struct edf *edf, const struct edf_vp *e,
                               cycles_t now)
{
    struct run_entry *entry = run_list_first(&edf->budgeted);

    while (entry) {
        struct edf_vp *other = entry->owner;
        struct hv_lp *lp = vp_of(other)->sched.lp;

        entry = run_list_next(entry);
        if (vp_of(other)->state != VP_RUNNING)
            stops_running(other);
        else if (!cycles_before(e->deadline, other->deadline))
            return NULL;
        else if (sched_allows(vp_of(e), lp) && may_be_called(lp, now))
            return lp;
    }
    return NULL;
}

/* `e`, which waits, has a budget: the LP that should run it, or NULL. */
static struct hv_lp *lp_to_take(struct hv_sched *sched, const struct edf_vp *e,
                                cycles_t now)
{
    const struct lp_set *allowed = &vp_of(e)->sched.allowed;
    struct lp_set near =
        lp_set_and(allowed, &sched->hv->node_lps[vp_of(e)->node]);
    struct hv_lp *last = vp_of(e)->sched.lp;
    struct hv_lp *lp = NULL;

    if (last && may_be_called(last, now) && sched_allows(vp_of(e), last) &&
        !has_budget(edf_of(last->vp)))
        return last;
    lp = background_lp(sched, &near, now);
    if (!lp)
        lp = background_lp(sched, allowed, now);
    return lp ? lp : latest_lp(sched->policy, e, now);
}

/* `e` waits in the background: where it ran last it may be its turn, once the
 * other one has had a while. */
static void take_turn(struct hv_sched *sched, const struct edf_vp *e,
                      cycles_t now)
{
    struct hv_lp *lp = vp_of(e)->sched.lp
                           ? vp_of(e)->sched.lp
                           : &sched->hv->lps[vp_of(e)->sched.ideal_lp];
    const struct edf_vp *runs = lp->vp ? edf_of(lp->vp) : NULL;
    cycles_t least = sched->params.preempt_after;
    cycles_t ran = cycles_max(lp_uncharged(lp), least);

    if (!runs || has_budget(runs) || !sched_allows(vp_of(e), lp))
        return;
    if (e->turn < runs->turn + weighted(lp->vp, ran.v))
        sched_poke(sched, lp,
                   cycles_max(now, cycles_add(lp->dispatched_at, least)));
}

/* `e` is on a list: calls the LP that should choose again because of it. */
static void call_for(struct hv_sched *sched, struct edf_vp *e, cycles_t now)
{
    struct edf *edf = sched->policy;
    struct hv_lp *lp = sched_idle_lp(sched, vp_of(e));

    if (lp) {
        e->called = lp;
        edf->called[lp->id.v] = e;
        sched_poke(sched, lp, now);
        return;
    }
    sched_wait(vp_of(e), SCHED_RULE_SLICE, NULL, now);
    if (!has_budget(e)) {
        take_turn(sched, e, now);
        return;
    }
    lp = lp_to_take(sched, e, now);
    if (lp)
        sched_poke(sched, lp, now);
}

static void renewal_comes(void *context, cycles_t now)
{
    struct edf_vp *e = context;
    struct hv_sched *sched = &vp_of(e)->partition->hv->sched;

    unlist(sched, e);
    renew(sched, e, now);
    list(sched, e, key_of(e));
    call_for(sched, e, cycles_max(now, vp_of(e)->state_since));
}

/* Who spins lets the next one go first, whatever its deadline. */
static uint64_t key_after(const struct edf *edf, const struct edf_vp *e)
{
    const struct edf_vp *next = best_for(edf, vp_of(e)->sched.lp);
    uint64_t key = key_of(e);

    return next && key <= next->entry.key ? next->entry.key + 1 : key;
}

/* The turn of the last that was chosen where the VP may run. Elsewhere there
 * may be few, who have had far more: it must not wait until those beside it
 * have had as much. */
static uint64_t turn_beside(const struct edf *edf, const struct hv_vp *vp)
{
    const struct lp_set *allowed = &vp->sched.allowed;
    uint64_t turn = 0;

    if (!vp->sched.restricted)
        return edf->turn;
    for (int lp = lp_set_next(allowed, 0); lp >= 0;
         lp = lp_set_next(allowed, (uint32_t)lp + 1))
        turn = turn < edf->turns[lp] ? edf->turns[lp] : turn;
    return turn;
}

static void edf_enqueue(struct hv_sched *sched, struct hv_vp *vp, cycles_t now)
{
    struct edf *edf = sched->policy;
    struct edf_vp *e = edf_of(vp);
    uint64_t least = turn_beside(edf, vp);
    uint64_t most = least + weighted(vp, sched->params.slice.v);

    stops_running(e);
    if (sched_has_just_run(vp, now)) {
        renew(sched, e, now);
    } else {
        wake(sched, e, now);
        e->turn = e->turn < least ? least : e->turn;
    }
    e->turn = e->turn > most ? most : e->turn;
    list(sched, e, vp->sched.yields ? key_after(edf, e) : key_of(e));
    call_for(sched, e, now);
}

static void edf_dequeue(struct hv_sched *sched, struct hv_vp *vp)
{
    unlist(sched, edf_of(vp));
}

/* Choosing. */

/* `e` is to run, or to go on, on `lp` from now on: until when? */
static cycles_t run_until(struct hv_sched *sched, struct edf_vp *e,
                          const struct hv_lp *lp, cycles_t now)
{
    struct edf *edf = sched->policy;
    cycles_t end = cycles_add(now, sched->params.slice);

    stops_running(e);
    if (has_budget(e)) {
        e->late.key = ~e->deadline.v;
        run_list_add(&edf->budgeted, &e->late);
        lp_set_remove(&edf->background, lp->id.v);
        return cycles_add(now, cycles((uint64_t)e->budget));
    }
    lp_set_add(&edf->background, lp->id.v);
    edf->turns[lp->id.v] = e->turn;
    if (edf->turn < e->turn)
        edf->turn = e->turn;
    /* Its budget is renewed while it runs. */
    return e->quota > 0 ? cycles_min(end, e->deadline) : end;
}

/* Who is chosen soon, by any LP. The first has been told of before; it is taken
 * sooner than it could be fetched now. */
static const struct hv_vp *soon(const struct edf *edf)
{
    const struct run_entry *entry = run_list_peek(&edf->waiting, 1);

    return entry ? sched_vp_behind(entry, sizeof(struct edf_vp)) : NULL;
}

static struct sched_choice edf_pick(struct hv_sched *sched, struct hv_lp *lp,
                                    cycles_t now)
{
    struct edf *edf = sched->policy;
    struct edf_vp *e = best_for(edf, lp);
    struct edf_vp *left = edf->called[lp->id.v];

    lp_set_remove(&edf->background, lp->id.v);
    if (!e)
        return (struct sched_choice){0};
    unlist(sched, e);
    if (left && left != e) {
        /* Another LP may be idle. */
        edf->called[lp->id.v] = NULL;
        left->called = NULL;
        call_for(sched, left, now);
    }
    renew(sched, e, now);
    return (struct sched_choice){
        .vp = vp_of(e),
        .slice_end = run_until(sched, e, lp, now),
        .next = soon(edf),
    };
}

static bool edf_must_yield(struct hv_sched *sched, struct hv_lp *lp,
                           struct hv_vp *vp, cycles_t now, cycles_t *slice_end)
{
    struct edf_vp *e = edf_of(vp);
    const struct edf_vp *next;

    renew(sched, e, now);
    next = best_for(sched->policy, lp);
    if (next && (vp->sched.yields || next->entry.key < key_of(e)))
        return true;
    *slice_end = run_until(sched, e, lp, now);
    return false;
}

static void edf_charge(struct hv_sched *sched, struct hv_vp *vp, cycles_t ran,
                       cycles_t now)
{
    struct edf_vp *e = edf_of(vp);

    (void)sched;
    (void)now;
    if (has_budget(e))
        e->budget -= (int64_t)ran.v;
    e->turn += weighted(vp, ran.v);
}

const struct hv_sched_ops sched_edf = {
    .name = "edf",
    .help = "reserves by the earliest deadline first; what is left, by weight",
    .flags =
        SCHED_WEIGHTS | SCHED_RESERVES | SCHED_LIMITS | SCHED_WORK_CONSERVING,
    .vp_bytes = sizeof(struct edf_vp),
    .init = edf_init,
    .fini = edf_fini,
    .vp_add = edf_vp_add,
    .vp_remove = edf_vp_remove,
    .enqueue = edf_enqueue,
    .dequeue = edf_dequeue,
    .pick = edf_pick,
    .must_yield = edf_must_yield,
    .charge = edf_charge,
};
