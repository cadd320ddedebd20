/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * Root: scheduler type 4, in which the hypervisor leaves it to the root's own
 * scheduler, that of NT, what runs where (Microsoft, "Manage Hyper-V hypervisor
 * scheduler types"). A VP is a thread of the root there, which enters the
 * hypervisor by a dispatch hypercall and comes back when the VP stops.
 *
 * Design. What is public of NT's dispatcher ("Windows Internals", "Thread
 * scheduling"; Win32, "Scheduling priorities" and "Priority boosts"):
 *
 * - Priorities 0 to 31, and ready queues for each. Up to four processors of a
 *   node share theirs; each has others for threads that may not run on all of
 *   those. VPs' threads are normal ones: base priority 8.
 * - A thread that becomes ready takes an idle processor: its ideal one, else
 *   the one where it ran last, else one of its node, else any. If there is
 *   none it goes to the queue of its ideal processor, and interrupts a thread
 *   of a lower priority there at once.
 * - Who was interrupted goes to the head of his queue with what is left of his
 *   quantum, and whose quantum has ended to its end. A quantum is a slice
 *   (hv_sched_params.slice).
 * - Whose wait is over is boosted by one level, and loses a level with each
 *   quantum, down to the base.
 * - A processor with nothing in its queues takes a thread from others', the
 *   highest priority first. One that has something does not look there.
 * - Once a second the balance set manager looks for threads that have been
 *   ready for four seconds, and gives up to ten of them priority 15 for a
 *   quantum.
 *
 * The root's own work, on its own VPs, is what interrupts and DPCs do when such
 * a VP wakes, above all threads. One that is still at work after a quantum runs
 * threads, and takes turns with those of VPs.
 *
 * Bound. No shares are promised but on LPs that share queues, LP 0 to 3 of a
 * node for one: if VPs that are always ready may run on all of those and others
 * not, they have equal time to within two quanta each, of what threads with
 * boosts leave. Weights, reserves, limits and groups are refused.
 *
 * What a dispatch costs besides is the root's time: the switch to the thread
 * and its hypercall, on the root VP of that LP. Where the root has none
 * (minroot) another of its processors sends an interrupt instead.
 *
 * What this does not do: priorities that anybody has chosen; quanta that are
 * counted in clock ticks.
 */
#include <stdlib.h>

#include "hypervisor/lp.h"
#include "hypervisor/lp_queues.h"
#include "hypervisor/partition.h"
#include "hypervisor/sched_policies.h"
#include "hypervisor/vp.h"
#include "sim/core/check.h"

#define PRIORITY_MOST 31
#define PRIORITY_BASE 8     /* NORMAL_PRIORITY_CLASS */
#define PRIORITY_WAKE 9     /* an event's boost: 1 */
#define PRIORITY_STARVED 15 /* the highest that is not real time */
/* Stands for what is above threads. */
#define PRIORITY_INTERRUPT PRIORITY_MOST
#define SHARE_QUEUES 4 /* processors */
#define STARVED_AFTER_S 4
#define STARVED_AT_ONCE 10

struct root_thread {
    struct lp_queues_place place; /* the first: see lp_queues.h */
    struct hv_vp *vp;             /* borrowed: its owner */
    uint32_t priority;
    uint64_t quantum; /* cycles left of it; 0: it has ended */
    struct root_thread *next, *previous; /* ready, as they were queued */
};

struct root_sched {
    struct lp_queues queues; /* level 0 is priority 31 */
    struct root_thread *first, *last;
};

static struct root_thread *thread_of(const struct hv_vp *vp)
{
    return vp->sched.policy;
}

static bool is_root(const struct hv_vp *vp)
{
    return vp->partition == vp->partition->hv->root;
}

static uint32_t level_of(const struct root_thread *t)
{
    return PRIORITY_MOST - t->priority;
}

static bool root_init(struct hv_sched *sched)
{
    struct root_sched *root = calloc(1, sizeof(*root));

    sched->policy = root;
    return root && lp_queues_init(&root->queues, sched);
}

static void root_fini(struct hv_sched *sched)
{
    struct root_sched *root = sched->policy;

    if (!root)
        return;
    lp_queues_fini(&root->queues);
    free(root);
    sched->policy = NULL;
}

static bool root_vp_add(struct hv_sched *sched, struct hv_vp *vp)
{
    struct root_thread *t = thread_of(vp);

    (void)sched;
    t->vp = vp;
    t->priority = PRIORITY_BASE;
    return true;
}

/* Those that are ready, for the balance set manager. */

static cycles_t seconds(const struct hv_sched *sched, uint64_t count)
{
    return cycles(sched->hv->clock.hz * count);
}

static void add_ready(struct hv_sched *sched, struct root_thread *t,
                      cycles_t now)
{
    struct root_sched *root = sched->policy;
    uint64_t second = seconds(sched, 1).v;

    t->next = NULL;
    t->previous = root->last;
    if (root->last)
        root->last->next = t;
    else
        root->first = t;
    root->last = t;
    if (!event_is_scheduled(&sched->expiry))
        sched_expire_at(sched, cycles((now.v / second + 1) * second));
}

static void remove_ready(struct root_sched *root, struct root_thread *t)
{
    if (t->previous)
        t->previous->next = t->next;
    else
        root->first = t->next;
    if (t->next)
        t->next->previous = t->previous;
    else
        root->last = t->previous;
}

/* Queueing. */

static struct hv_lp *idle_lp(const struct hv_sched *sched,
                             const struct hv_vp *vp)
{
    uint32_t ideal = vp->sched.ideal_lp;

    if (lp_set_has(&sched->idle, ideal) &&
        lp_set_has(&vp->sched.allowed, ideal))
        return &sched->hv->lps[ideal];
    return sched_idle_lp(sched, vp);
}

/* The ideal processor of a VP for which no LP is idle: with an affinity, one of
 * those that are left. */
static struct hv_lp *busy_lp(const struct hv_sched *sched,
                             const struct hv_vp *vp)
{
    const struct lp_set *allowed = &vp->sched.allowed;
    uint32_t lp = vp->sched.ideal_lp;

    if (vp->sched.restricted)
        lp = lp_set_nth(allowed, lp % lp_set_count(allowed));
    return &sched->hv->lps[lp];
}

/* The first of the LPs that share queues with `lp`: its list is that. */
static uint32_t leader_of(const struct hv_sched *sched, const struct hv_lp *lp)
{
    int first = lp_set_next(&sched->hv->node_lps[lp->node], 0);
    uint32_t within = lp->id.v - (uint32_t)first;

    return lp->id.v - within % SHARE_QUEUES;
}

/* On whose list `vp` is to wait for `lp` or those beside it. */
static const struct hv_lp *list_owner(const struct hv_sched *sched,
                                      const struct hv_vp *vp,
                                      const struct hv_lp *lp)
{
    const struct hv_lp *lps = sched->hv->lps;
    uint32_t leader = leader_of(sched, lp);

    for (uint32_t i = leader; i < leader + SHARE_QUEUES; i++) {
        if (i < sched->hv->lp_count && lps[i].node == lp->node &&
            !sched_allows(vp, &lps[i]))
            return lp;
    }
    return &lps[leader];
}

/* The thread that `lp` should run of those in its queues, if its level is below
 * `below`, or NULL. Of equals the one that has been ready longest. */
static struct hv_vp *waiting_for(const struct hv_sched *sched,
                                 const struct hv_lp *lp, uint32_t below)
{
    const struct root_sched *root = sched->policy;
    uint32_t leader = leader_of(sched, lp);
    struct hv_vp *own = lp_queues_from(&root->queues, lp->id.v, lp, below);
    struct hv_vp *shared = lp_queues_from(&root->queues, leader, lp, below);

    if (!own || !shared)
        return own ? own : shared;
    if (thread_of(own)->priority != thread_of(shared)->priority)
        return thread_of(own)->priority > thread_of(shared)->priority ? own
                                                                      : shared;
    return cycles_before(own->state_since, shared->state_since) ? own : shared;
}

static void preempt(struct hv_sched *sched, struct hv_lp *lp,
                    const struct root_thread *t, cycles_t now)
{
    if (lp->vp && thread_of(lp->vp)->priority < t->priority)
        sched_poke(sched, lp, now);
}

/* Onto a queue, at its head if something is left of its quantum, and calls the
 * LP if it should choose again. */
static void queue_up(struct hv_sched *sched, struct root_thread *t,
                     cycles_t now)
{
    struct root_sched *root = sched->policy;
    struct hv_lp *idle = idle_lp(sched, t->vp);
    struct hv_lp *lp = idle ? idle : busy_lp(sched, t->vp);
    const struct hv_lp *owner = idle ? idle : list_owner(sched, t->vp, lp);

    if (t->quantum > 0)
        lp_queues_prepend(&root->queues, t->vp, owner, level_of(t));
    else
        lp_queues_append(&root->queues, t->vp, owner, level_of(t));
    add_ready(sched, t, now);
    if (idle) {
        lp_queues_claim(&root->queues, idle, t->vp);
        sched_poke(sched, idle, now);
        return;
    }
    sched_wait(t->vp, SCHED_RULE_SLICE, NULL, now);
    preempt(sched, lp, t, now);
}

static void unqueue(struct root_sched *root, struct root_thread *t)
{
    lp_queues_remove(&root->queues, t->vp);
    remove_ready(root, t);
}

static void root_enqueue(struct hv_sched *sched, struct hv_vp *vp, cycles_t now)
{
    struct root_thread *t = thread_of(vp);
    bool wakes = now.v == vp->state_since.v && !sched_has_just_run(vp, now);

    if (wakes) {
        t->quantum = 0;
        t->priority = is_root(vp) ? PRIORITY_INTERRUPT : PRIORITY_WAKE;
    }
    queue_up(sched, t, now);
}

static void root_dequeue(struct hv_sched *sched, struct hv_vp *vp)
{
    unqueue(sched->policy, thread_of(vp));
}

/* Choosing. */

static struct sched_choice root_pick(struct hv_sched *sched, struct hv_lp *lp,
                                     cycles_t now)
{
    struct root_sched *root = sched->policy;
    struct hv_vp *vp = waiting_for(sched, lp, LP_QUEUES_LEVELS_MAX);
    struct root_thread *t;
    struct hv_vp *left;

    if (!vp)
        vp = lp_queues_elsewhere(&root->queues, lp, LP_QUEUES_LEVELS_MAX);
    if (!vp)
        return (struct sched_choice){0};
    t = thread_of(vp);
    unqueue(root, t);
    left = lp_queues_chose(&root->queues, lp);
    if (left) {
        remove_ready(root, thread_of(left));
        queue_up(sched, thread_of(left), now);
    }
    if (t->quantum == 0)
        t->quantum = sched->params.slice.v;
    return (struct sched_choice){
        .vp = vp,
        .slice_end = cycles_add(now, cycles(t->quantum)),
        .next = lp_queues_follower(&root->queues, vp),
    };
}

/* A boost is lost by levels, but those that were for one quantum at once. */
static void decay(struct root_thread *t)
{
    if (t->priority >= PRIORITY_STARVED || t->priority <= PRIORITY_BASE)
        t->priority = PRIORITY_BASE;
    else
        t->priority--;
}

static bool root_must_yield(struct hv_sched *sched, struct hv_lp *lp,
                            struct hv_vp *vp, cycles_t now, cycles_t *slice_end)
{
    struct root_thread *t = thread_of(vp);
    uint32_t below;

    if (vp->sched.yields) {
        t->priority = PRIORITY_BASE;
        t->quantum = 0;
    } else if (t->quantum == 0) {
        decay(t);
    }
    /* Its equals come before it at the end of its quantum alone. */
    below = level_of(t) + (t->quantum == 0);
    if (waiting_for(sched, lp, below))
        return true;
    if (t->quantum == 0)
        t->quantum = sched->params.slice.v;
    *slice_end = cycles_add(now, cycles(t->quantum));
    return false;
}

static void root_charge(struct hv_sched *sched, struct hv_vp *vp, cycles_t ran,
                        cycles_t now)
{
    struct root_thread *t = thread_of(vp);

    (void)sched;
    (void)now;
    t->quantum = ran.v < t->quantum ? t->quantum - ran.v : 0;
}

/* The balance set manager. */
static void root_expire(struct hv_sched *sched, cycles_t now)
{
    struct root_sched *root = sched->policy;
    cycles_t long_ago = seconds(sched, STARVED_AFTER_S);
    unsigned boosted = 0;

    for (struct root_thread *t = root->first; t && boosted < STARVED_AT_ONCE;
         t = t->next) {
        cycles_t since = t->vp->state_since;

        if (cycles_before(now, cycles_add(since, long_ago)) ||
            t->priority >= PRIORITY_STARVED)
            continue;
        boosted++;
        t->priority = PRIORITY_STARVED;
        t->quantum = 0;
        lp_queues_move(&root->queues, t->vp, level_of(t));
        preempt(sched, busy_lp(sched, t->vp), t, now);
    }
    if (root->first)
        sched_expire_at(sched, cycles_add(now, seconds(sched, 1)));
}

static void root_price_dispatch(struct hv_sched *sched, const struct hv_lp *lp,
                                const struct hv_vp *vp, struct cost_bill *bill)
{
    (void)sched;
    if (is_root(vp))
        return;
    if (lp->root_vp) {
        cost_note(bill, COST_ROOT_THREAD_SWITCH, 1);
        cost_note(bill, COST_ROOT_VP_DISPATCH, 1);
        cost_note(bill, COST_VMEXIT, 1);
    } else {
        cost_note(bill, COST_PHYSICAL_IPI, 1);
    }
    cost_note(bill, COST_HYPERCALL_BODY, 1);
}

const struct hv_sched_ops sched_root = {
    .name = "root",
    .help = "VPs are threads of the root, whose priorities and quanta decide",
    .flags = SCHED_WORK_CONSERVING,
    .vp_bytes = sizeof(struct root_thread),
    .init = root_init,
    .fini = root_fini,
    .vp_add = root_vp_add,
    .enqueue = root_enqueue,
    .dequeue = root_dequeue,
    .pick = root_pick,
    .must_yield = root_must_yield,
    .charge = root_charge,
    .expire = root_expire,
    .price_dispatch = root_price_dispatch,
};
