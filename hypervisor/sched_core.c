/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * Core: the VPs of a VM in groups of the width of its cores, on cores of the
 * host of which none is used by two VMs at one time (Microsoft, "Managing
 * Hyper-V hypervisor scheduler types"). How groups take turns is not published.
 *
 * Design. Virtual cores (virtual_core.h) take turns on cores as VPs do on LPs
 * with `classic`: the same fair shares, weights, reserves and rules for who
 * wakes, with the time that a virtual core holds a core in place of that which
 * a VP runs. A virtual core waits from when one of its VPs is ready. When it
 * gets a core all its VPs that are ready are dispatched together, VP i on
 * thread i of the core, and those that wake later join them; a thread whose VP
 * sleeps, or does not exist, idles. When the turn ends both threads leave, and
 * the next virtual core starts when the last has left: LPs' clocks differ, so
 * each dispatch says from when on it may run.
 *
 * VPs whose affinity lets them share no core, or only one thread of it, take
 * turns within their virtual core.
 *
 * On a host without SMT it is `classic` that schedules.
 *
 * Promise. No core is without a virtual core while one waits that may have it.
 * An LP may idle while a VP is ready: so SCHED_WORK_CONSERVING is not promised.
 * Shares of cores are as `classic` promises for LPs.
 *
 * What this does not model: waiting for a core of the own node (one that is
 * free is taken at once, of the own node if there is one).
 */
#include <stdlib.h>

#include "hypervisor/admission.h"
#include "hypervisor/host_core.h"
#include "hypervisor/partition.h"
#include "hypervisor/sched_period.h"
#include "hypervisor/sched_policies.h"
#include "hypervisor/vp.h"
#include "sim/core/check.h"
#include "sim/core/host_line.h"

struct core_policy {
    struct fair_share share; /* seats are cores */
    struct virtual_core_pool pool;
    struct host_core *cores; /* owns, share.seat_count */
    struct lp_set free;      /* by number: nobody has them */
    uint32_t free_count;
    struct lp_set lending; /* whose holder is owed nothing */
    uint64_t order;        /* of threads' becoming ready */
    bool watching;         /* those with a reserve that wait: */
    cycles_t next_period;  /* they are looked at again */
};

static struct virtual_core *of(const struct hv_vp *vp)
{
    return vp->sched.policy;
}

static struct host_core *core_of(const struct hv_sched *sched,
                                 const struct hv_lp *lp)
{
    struct core_policy *policy = sched->policy;

    return &policy->cores[lp->core];
}

static bool core_init(struct hv_sched *sched)
{
    const struct hypervisor *hv = sched->hv;
    uint32_t width = hv->threads_per_core;
    uint32_t count = hv->lp_count / width;
    struct core_policy *policy;

    if (width == 1) {
        sched->ops = &sched_classic;
        return sched_classic.init(sched);
    }
    policy = calloc(1, sizeof(*policy));
    sched->policy = policy;
    if (!policy ||
        !fair_share_init(&policy->share, count, hv->node_count, &sched->params))
        return false;
    policy->cores = host_line_calloc(count * sizeof(*policy->cores));
    if (!policy->cores)
        return false;
    policy->free = lp_set_first_of(count);
    policy->free_count = count;
    policy->pool = virtual_core_pool(policy->free);
    for (uint32_t i = 0; i < count; i++) {
        policy->cores[i] = (struct host_core){
            .number = i,
            .lps = &hv->lps[i * width],
            .width = width,
        };
        policy->share.seats[i].node = hv->lps[i * width].node;
    }
    return true;
}

static void core_fini(struct hv_sched *sched)
{
    struct core_policy *policy = sched->policy;

    if (policy) {
        free(policy->cores);
        virtual_core_pool_fini(&policy->pool);
        fair_share_fini(&policy->share);
    }
    free(policy);
    sched->policy = NULL;
}

static bool core_vp_add(struct hv_sched *sched, struct hv_vp *vp)
{
    struct core_policy *policy = sched->policy;

    return virtual_core_vp_add(&policy->pool, &policy->share, vp);
}

static void core_allowed_changed(struct hv_sched *sched, struct hv_vp *vp)
{
    (void)sched;
    virtual_core_set_allowed(vp);
}

/* Who has what. */

static void set_free(struct core_policy *policy, const struct host_core *core)
{
    policy->free_count += !lp_set_has(&policy->free, core->number);
    lp_set_add(&policy->free, core->number);
}

static void set_taken(struct core_policy *policy, const struct host_core *core)
{
    policy->free_count -= lp_set_has(&policy->free, core->number);
    lp_set_remove(&policy->free, core->number);
}

static void tell(const struct virtual_core *core, enum sched_rule rule,
                 const struct hv_vp *holder, cycles_t now)
{
    struct hv_vp *vp = NULL;

    while ((vp = virtual_core_next_ready(core, vp)) != NULL)
        sched_wait(vp, rule, holder, now);
}

/* What the VP is owed of its reserve. One that runs is charged when its own LP
 * is asked: what it has used since then counts, too. */
static cycles_t owed_to_vp(struct hv_sched *sched, struct hv_vp *vp,
                           cycles_t now)
{
    cycles_t left = sched_period_reserve_left(sched, vp, now);
    cycles_t since;

    if (left.v == 0 || vp->state != VP_RUNNING)
        return left;
    since = cycles_max(
        vp->sched.lp->charged_at,
        cycles_sub(sched_period_next(sched, now), sched->params.period));
    if (cycles_before(since, now))
        left = cycles_sub(left, cycles_min(left, cycles_sub(now, since)));
    return left;
}

/* The most that one of its VPs is owed. */
static cycles_t owed_to(struct hv_sched *sched, const struct virtual_core *core,
                        cycles_t now)
{
    cycles_t most = cycles(0);

    /* Few VMs have one: the threads of the others need no look. */
    if (admission_reserve(core->partition) == 0)
        return most;
    for (uint32_t i = 0; i < core->vp_count; i++) {
        const struct virtual_slot *slot = &core->slots[i];
        if (slot->since > 0 || slot->vp->state == VP_RUNNING)
            most = cycles_max(most, owed_to_vp(sched, slot->vp, now));
    }
    return most;
}

/* What is owed to the one that waits for a core next. */
static cycles_t owed_to_next(struct hv_sched *sched,
                             const struct fair_entity *next, cycles_t now)
{
    if (!next || !next->is_owed)
        return cycles(0);
    return owed_to(sched, next->local.owner, now);
}

/* Until when the core's holder may go on; whether the core is lent then. */
static cycles_t slice_end(struct hv_sched *sched, struct host_core *core,
                          const struct fair_entity *next, cycles_t now)
{
    struct core_policy *policy = sched->policy;
    cycles_t owed = owed_to(sched, core->holder, now);

    if (owed.v > 0) {
        lp_set_remove(&policy->lending, core->number);
        return sched_period_owed_end(sched, owed,
                                     owed_to_next(sched, next, now), now);
    }
    lp_set_add(&policy->lending, core->number);
    return cycles_add(now,
                      fair_share_slice(&policy->share, &core->holder->entity,
                                       core->number, next));
}

/* The virtual core, which waits, gets the core: its VPs that are ready are
 * dispatched there, from when the last one before has left. Returns who is next
 * then. */
static const struct fair_entity *give(struct hv_sched *sched,
                                      struct host_core *core,
                                      struct virtual_core *to, cycles_t now)
{
    struct core_policy *policy = sched->policy;
    const struct fair_entity *next;
    struct hv_vp *vp = NULL;

    fair_share_take(&policy->share, &to->entity, core->number);
    set_taken(policy, core);
    core->holder = to;
    core->leaving = false;
    core->since = core->charged_at = cycles_max(now, core->free_since);
    to->on = core;
    to->yields = false;
    next = fair_share_best(&policy->share, core->number, now);
    core->slice_end = slice_end(sched, core, next, core->since);
    while ((vp = virtual_core_next_ready(to, vp)) != NULL) {
        struct hv_lp *lp = virtual_core_lp(vp, core->number);

        sched_wait(vp, SCHED_RULE_WAKE, NULL, now);
        if (lp)
            sched_poke(sched, lp, now);
    }
    return next;
}

/* Waiting for a core. */

/* The free core that suits it best; -1: there is none. */
static int free_core(const struct hv_sched *sched,
                     const struct virtual_core *core,
                     const struct lp_set *seats)
{
    const struct core_policy *policy = sched->policy;
    struct lp_set free;
    const struct hv_vp *vp;
    uint32_t ideal;
    int found;

    if (policy->free_count == 0)
        return -1;
    free = lp_set_and(seats, &policy->free);
    found = lp_set_next(&free, 0);
    if (found < 0)
        return -1;
    if (lp_set_has(&free, fair_entity_seat(&core->entity)))
        return (int)fair_entity_seat(&core->entity);
    vp = virtual_core_next_ready(core, NULL);
    ideal = sched->hv->lps[vp->sched.ideal_lp].core;
    if (lp_set_has(&free, ideal))
        return (int)ideal;
    for (int i = found; i >= 0; i = lp_set_next(&free, (uint32_t)i + 1)) {
        if (policy->share.seats[i].node == vp->node)
            return i;
    }
    return found;
}

/* Where it waits. */
static uint32_t home_of(const struct hv_sched *sched,
                        const struct virtual_core *core,
                        const struct lp_set *seats)
{
    const struct hv_vp *vp;
    uint32_t ideal;

    if (lp_set_has(seats, fair_entity_seat(&core->entity)))
        return fair_entity_seat(&core->entity);
    vp = virtual_core_next_ready(core, NULL);
    ideal = sched->hv->lps[vp->sched.ideal_lp].core;
    return lp_set_has(seats, ideal) ? ideal : (uint32_t)lp_set_next(seats, 0);
}

/* Says what keeps it out: threads that idle are others' while they have their
 * core. */
static void tell_wait(struct hv_sched *sched, const struct virtual_core *core,
                      cycles_t now)
{
    struct hv_vp *vp = NULL;

    while ((vp = virtual_core_next_ready(core, vp)) != NULL) {
        const struct hv_lp *lp = sched_first_idle_lp(sched, vp);
        const struct hv_lp *used =
            lp ? host_core_used(core_of(sched, lp)) : NULL;

        sched_wait(vp, used ? SCHED_RULE_SIBLING : SCHED_RULE_SLICE,
                   used ? used->vp : NULL, now);
    }
}

/* True if the core's holder could go on at once elsewhere. */
static bool could_move(const struct hv_sched *sched,
                       const struct host_core *core)
{
    const struct core_policy *policy = sched->policy;
    const struct hv_lp *used = host_core_used(core);

    return used && policy->free_count > 0 &&
           virtual_core_finds(used->vp, &policy->free);
}

/* Has the core's threads choose again for who waits for it, as soon as they
 * may. */
static void preempt(struct hv_sched *sched, struct host_core *core,
                    const struct virtual_core *waits, cycles_t now)
{
    struct core_policy *policy = sched->policy;
    cycles_t at = cycles_add(core->since, sched->params.preempt_after);
    struct hv_lp *lp = host_core_used(core);
    cycles_t until;

    if (!lp || core->leaving || !lp_set_has(&policy->lending, core->number))
        return;
    if (could_move(sched, core)) {
        sched_poke(sched, lp, now);
        return;
    }
    until = fair_share_until(&policy->share, &waits->entity, core->number,
                             &core->holder->entity, host_core_time(core, now));
    if (waits->entity.woken && until.v < sched->params.slice.v)
        sched_poke(sched, lp, cycles_max(cycles_add(now, until), at));
}

/* In the next period those who wait and have a reserve are owed it anew. */
static void watch_period(struct hv_sched *sched, cycles_t now)
{
    struct core_policy *policy = sched->policy;

    if (!run_list_first(&policy->share.reserved))
        return;
    if (!policy->watching)
        policy->next_period = sched_period_next(sched, now);
    policy->watching = true;
    sched_expire_at(sched, policy->next_period);
}

/* Puts it, some of whose VPs are ready, where it waits, or gives it a core that
 * is free. */
static void enqueue(struct hv_sched *sched, struct virtual_core *core,
                    cycles_t now)
{
    struct core_policy *policy = sched->policy;
    struct lp_set seats = virtual_core_seats(&policy->pool, core);
    struct fair_wait wait = {
        .reserved = core->partition->sched.reserve > 0,
    };
    int found = free_core(sched, core, &seats);

    fair_share_set_weight(&policy->share, &core->entity,
                          core->partition->sched.weight);
    wait.key = core->entity.virtual_time;
    fair_share_set_seats(&policy->share, &core->entity, &seats,
                         virtual_core_next_ready(core, NULL)->node);
    if (found >= 0) {
        wait.seat = (uint32_t)found;
        wait.claims = true;
        fair_share_add(&policy->share, &core->entity, &wait);
        give(sched, &policy->cores[found], core, now);
        return;
    }
    wait.seat = home_of(sched, core, &seats);
    if (core->yields) {
        uint64_t behind = fair_share_behind(&policy->share, wait.seat, now);

        wait.key = behind > wait.key ? behind : wait.key;
    } else {
        wait.owed = owed_to(sched, core, now);
    }
    if (wait.owed.v > 0 && !lp_set_has(&policy->lending, wait.seat)) {
        int lent = lp_set_first_in_both(&policy->lending, &seats);

        wait.seat = lent < 0 ? wait.seat : (uint32_t)lent;
    }
    fair_share_add(&policy->share, &core->entity, &wait);
    tell_wait(sched, core, now);
    if (wait.owed.v == 0) {
        preempt(sched, &policy->cores[wait.seat], core, now);
    } else if (lp_set_has(&policy->lending, wait.seat)) {
        lp_set_remove(&policy->lending, wait.seat);
        host_core_call(sched, &policy->cores[wait.seat], NULL, now);
    }
    watch_period(sched, now);
}

/* The LP of its virtual core's core is the VP's, if that goes on. */
static void join_others(struct hv_sched *sched, struct hv_vp *vp, cycles_t now)
{
    struct core_policy *policy = sched->policy;
    struct host_core *core = of(vp)->on;
    struct hv_lp *lp = virtual_core_lp(vp, core->number);
    const struct fair_entity *next;

    if (core->leaving || !lp || lp->vp) {
        sched_wait(vp, SCHED_RULE_SLICE, NULL, now);
        return;
    }
    sched_poke(sched, lp, now);
    next = fair_share_best(&policy->share, core->number, now);
    if (next)
        tell(next->local.owner, SCHED_RULE_SLICE, NULL, now);
}

static void core_enqueue(struct hv_sched *sched, struct hv_vp *vp, cycles_t now)
{
    struct core_policy *policy = sched->policy;
    struct virtual_core *core;

    virtual_core_join(&policy->pool, vp);
    core = of(vp);
    virtual_core_wait(vp, ++policy->order);
    vp->sched.queued = true;
    if (core->on) {
        join_others(sched, vp, now);
        return;
    }
    if (fair_share_waits(&core->entity)) {
        fair_share_remove(&policy->share, &core->entity);
    } else {
        const struct host_core *home =
            &policy->cores[fair_entity_seat(&core->entity)];

        fair_share_wake(&policy->share, &core->entity, home->number,
                        host_core_time(home, now));
    }
    enqueue(sched, core, now);
}

static void core_dequeue(struct hv_sched *sched, struct hv_vp *vp)
{
    struct core_policy *policy = sched->policy;
    struct virtual_core *core = of(vp);

    virtual_core_end_wait(vp);
    vp->sched.queued = false;
    if (fair_share_waits(&core->entity) && !virtual_core_next_ready(core, NULL))
        fair_share_remove(&policy->share, &core->entity);
}

/* A core changes hands. */

static void vacate(struct hv_sched *sched, struct host_core *core, cycles_t now)
{
    struct core_policy *policy = sched->policy;
    struct virtual_core *holder = core->holder;

    host_core_vacate(core);
    lp_set_remove(&policy->lending, core->number);
    if (virtual_core_next_ready(holder, NULL))
        enqueue(sched, holder, now);
}

static void core_vp_remove(struct hv_sched *sched, struct hv_vp *vp)
{
    struct core_policy *policy = sched->policy;
    struct virtual_core *core = of(vp);

    /* Its LP, which it has just left, will choose. */
    if (core && core->vp_count == 1 && core->on)
        vacate(sched, core->on, cycles(0));
    virtual_core_vp_remove(&policy->pool, &policy->share, vp);
}

static struct fair_entity *next_for(const struct hv_sched *sched,
                                    const struct host_core *core, cycles_t now)
{
    const struct core_policy *policy = sched->policy;

    return fair_share_best(&policy->share, core->number, now);
}

/* Threads of a core idle while `holder` has it: who is next there (or NULL) is
 * told. */
static void tell_next(const struct fair_entity *next,
                      const struct hv_vp *holder, cycles_t now)
{
    if (next)
        tell(next->local.owner, SCHED_RULE_SIBLING, holder, now);
}

/* The LP idles while its core is held. */
static struct sched_choice idle(struct hv_sched *sched,
                                const struct host_core *core, cycles_t now)
{
    const struct hv_lp *used = host_core_used(core);

    if (used)
        tell_next(next_for(sched, core, now), used->vp, now);
    return (struct sched_choice){0};
}

/* A VP that may get the core after `next` (or NULL). What it takes to name it
 * has been fetched by then. */
static const struct hv_vp *foresee(const struct fair_entity *next)
{
    const struct fair_entity *after = next ? fair_share_peek(next, 1) : NULL;

    if (!after)
        return NULL;
    host_line_foresee(fair_share_peek(next, 2), 2 * (size_t)HOST_LINE_BYTES);
    return virtual_core_next_ready(after->local.owner, NULL);
}

static struct sched_choice core_pick(struct hv_sched *sched, struct hv_lp *lp,
                                     cycles_t now)
{
    struct core_policy *policy = sched->policy;
    struct host_core *core = core_of(sched, lp);
    const struct fair_entity *next = NULL;
    bool is_given;
    struct hv_vp *vp;

    if (core->holder && host_core_is_over(core)) {
        if (host_core_used(core))
            return idle(sched, core, now);
        vacate(sched, core, now);
    }
    is_given = core->holder != NULL;
    if (!is_given) {
        next = next_for(sched, core, now);
        if (!next) {
            set_free(policy, core);
            return (struct sched_choice){0};
        }
        next = give(sched, core, next->local.owner, now);
    }
    vp = host_core_next(core, lp);
    if (!vp)
        return idle(sched, core, now);
    virtual_core_end_wait(vp);
    vp->sched.queued = false;
    if (host_core_idles(sched, core)) {
        if (is_given)
            next = next_for(sched, core, now);
        tell_next(next, vp, now);
    }
    return (struct sched_choice){
        .vp = vp,
        .not_before = core->free_since,
        .slice_end = core->slice_end,
        .next = foresee(next),
    };
}

/* True if the holder's turn is over: for `next`, or for VPs of its own. */
static bool must_leave(struct hv_sched *sched, struct host_core *core,
                       const struct fair_entity *next, cycles_t slice_ended,
                       cycles_t now)
{
    const struct core_policy *policy = sched->policy;
    const struct fair_share *share = &policy->share;
    struct fair_entity *own = &core->holder->entity;

    if (!cycles_before(now, slice_ended) && host_core_is_short(core))
        return true;
    if (!next)
        return false;
    if (core->holder->yields)
        return true;
    if (!lp_set_has(&policy->lending, core->number))
        return sched_period_owed_yields(sched,
                                        owed_to(sched, core->holder, now),
                                        owed_to_next(sched, next, now), now);
    fair_share_catch_up(share, own, next);
    return next->is_owed || could_move(sched, core) ||
           fair_share_until(share, next, core->number, own, own->virtual_time)
                   .v == 0;
}

static bool core_must_yield(struct hv_sched *sched, struct hv_lp *lp,
                            struct hv_vp *vp, cycles_t now,
                            cycles_t *slice_ends)
{
    struct core_policy *policy = sched->policy;
    struct host_core *core = core_of(sched, lp);
    cycles_t slice_ended = core->slice_end;
    const struct fair_entity *next;

    if (core->leaving)
        return true;
    next = fair_share_best(&policy->share, core->number, now);
    core->holder->yields |= vp->sched.yields;
    core->slice_end = slice_end(sched, core, next, now);
    core->leaving = must_leave(sched, core, next, slice_ended, now);
    core->holder->yields &= core->leaving;
    if (core->leaving)
        host_core_call(sched, core, lp, now);
    *slice_ends = core->slice_end;
    return core->leaving;
}

static void core_charge(struct hv_sched *sched, struct hv_vp *vp, cycles_t ran,
                        cycles_t now)
{
    const struct core_policy *policy = sched->policy;
    struct host_core *core = core_of(sched, vp->sched.lp);
    struct virtual_core *holder = core->holder;

    (void)ran;
    host_core_charge(core, now);
    if (holder)
        fair_share_set_weight(&policy->share, &holder->entity,
                              holder->partition->sched.weight);
}

/* A new period: who waits, and has a reserve, is owed it. */
static void core_expire(struct hv_sched *sched, cycles_t now)
{
    struct core_policy *policy = sched->policy;
    struct run_entry *entry = run_list_first(&policy->share.reserved);

    if (!policy->watching)
        return;
    if (cycles_before(now, policy->next_period)) {
        sched_expire_at(sched, policy->next_period);
        return;
    }
    policy->watching = false;
    while (entry) {
        struct run_entry *next = run_list_next(entry);
        struct fair_entity *entity = entry->owner;

        fair_share_remove(&policy->share, entity);
        enqueue(sched, entity->local.owner, now);
        entry = next;
    }
    watch_period(sched, now);
}

static const struct hv_lp *core_queue_of(const struct hv_sched *sched,
                                         const struct hv_vp *vp)
{
    const struct virtual_core *core = of(vp);
    uint32_t seat =
        core->on ? core->on->number : fair_entity_seat(&core->entity);
    const struct hv_lp *lp = virtual_core_lp(vp, seat);

    return lp ? lp : &sched->hv->lps[seat * sched->hv->threads_per_core];
}

const struct hv_sched_ops sched_core = {
    .name = "core",
    .help = "like classic, by cores: no two VMs on one core at one time",
    .flags = SCHED_WEIGHTS | SCHED_RESERVES | SCHED_LIMITS,
    .init = core_init,
    .fini = core_fini,
    .vp_add = core_vp_add,
    .vp_remove = core_vp_remove,
    .allowed_changed = core_allowed_changed,
    .enqueue = core_enqueue,
    .dequeue = core_dequeue,
    .pick = core_pick,
    .must_yield = core_must_yield,
    .charge = core_charge,
    .expire = core_expire,
    .queue_of = core_queue_of,
};
