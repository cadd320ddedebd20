/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * Credit: the scheduler that Xen had by default for a decade, as the
 * literature describes it (L. Cherkasova, D. Gupta, A. Vahdat, "Comparison of
 * the Three CPU Schedulers in Xen", 2007; Xen wiki, "Credit Scheduler").
 *
 * Design. Time is credit. A tick is a slice (hv_sched_params.slice), an
 * accounting period three of them: with the default 10 ms and 30 ms, as there.
 * Each period hands out the time that there was, by weight, to the VMs whose
 * VPs ran or wanted to; a VM's share is divided among those VPs. A VP that runs
 * burns credits. Each LP has a run list in three levels:
 *
 *   BOOST  a VP that wakes and has credits left, until its slice ends
 *   UNDER  it has credits left
 *   OVER   it has had its share
 *
 * First in, first out within a level. A VP that becomes ready claims an idle
 * LP, else joins the list of the LP where it ran last, and interrupts what runs
 * there on a worse level, once that has run for preempt_after (Xen's rate
 * limit). An LP whose list has nobody UNDER takes one from another LP before
 * its own OVER ones, and anyone before it idles. A VP that says that it spins
 * goes to the end of OVER once.
 *
 * What differs from the code that the papers measured. Credits are cycles and
 * are burnt by what was used, not by who is there when the clock ticks (Xen
 * does so since 4.0); so a slice ends with the credits, though not before
 * preempt_after, if others wait. What is handed out is what LPs were used and
 * idle for, less what those who never slept have left, so that there are as
 * many credits as there is time. (Xen throws away what somebody has too much.)
 * Who slept gets no more than a quarter above what he used, and what a share
 * has no room for goes to the others, by weight. The slice is a tick and not
 * three. With more VPs than there are spans of preempt_after in a period, that
 * is longer.
 *
 * Bound. A weight is the VM's, as in Xen, and not each VP's, as in classic.
 * Among VMs whose VPs are all always ready and may run anywhere, each gets its
 * share by weight of what all LPs give, to within two accounting periods for
 * each of its VPs over any span of time; where a share is more than an LP for
 * each VP it gets that, and the others share the rest. (A share of more than
 * three quarters of an LP may come out less, since its VP must hardly wait for
 * it.) A ready VP waits no longer than it takes to earn two periods' credits at
 * its share, and a slice of each of the others on the LP.
 *
 * What this does not do: reserves; NUMA, beyond looking for work in the own
 * node first.
 */
#include <stdalign.h>
#include <stdlib.h>

#include "hypervisor/lp.h"
#include "hypervisor/lp_queues.h"
#include "hypervisor/partition.h"
#include "hypervisor/sched_policies.h"
#include "hypervisor/vp.h"
#include "sim/core/check.h"
#include "sim/core/host_line.h"

#define TICKS_PER_PERIOD 3
/* Cycles; so that products fit. */
#define LONG_PERIOD_MOST (UINT64_C(1) << 31)
/* A VM's weight is divided among its VPs. */
#define WEIGHT_SCALE UINT64_C(4096)

enum credit_level { BOOST, UNDER, OVER };

/** A VM. Owned by its VPs together. */
struct credit_vm {
    uint32_t vps;
    uint32_t active; /* of them */
};

/* A line of the host's caches. */
struct credit_vp {
    alignas(HOST_LINE_BYTES) struct lp_queues_place
        place;        /* the first: see lp_queues.h */
    bool active;      /* it wants time */
    bool slept;       /* in this period, for a while; or waited for its limit */
    int64_t credits;  /* cycles; at most a period's */
    uint64_t used;    /* in this period */
    struct hv_vp *vp; /* borrowed: its owner */
    struct credit_vm *vm;
    struct credit_vp *next; /* on the list of those that are active */
    struct credit_vp *previous;
};

struct credit_lp {
    cycles_t idle_since; /* CYCLES_NEVER: it does not idle */

    /* Of the VP that runs there. */
    enum credit_level level;
    cycles_t slice_end; /* that the LP is called does not move it */
    uint64_t burnt;     /* of what it has not been charged for yet */
};

/* What an active VP is due, while accounting: here, as that goes over all of
 * them several times. */
struct credit_due {
    struct credit_vp *c;
    uint64_t weight; /* 0: it gets what it may */
    uint64_t part;   /* the most that it may get; in the end, what it gets */
    bool is_asleep;
};

struct credit {
    struct lp_queues queues;
    struct credit_vp *first, *last; /* active, in order */
    struct credit_lp *lps;          /* owns */
    struct credit_due *due;         /* owns, vp_count: active_count are used */
    uint32_t vp_count, active_count;
    uint64_t period; /* cycles, of the one under way */
    uint64_t pot; /* cycles that LPs were used or idle for: to be handed out */
};

static struct credit_vp *credit_of(const struct hv_vp *vp)
{
    return vp->sched.policy;
}

static struct credit_lp *lp_of(const struct credit *credit,
                               const struct hv_lp *lp)
{
    return &credit->lps[lp->id.v];
}

static uint64_t period_of(const struct hv_sched *sched)
{
    return ((const struct credit *)sched->policy)->period;
}

/* With very many VPs a period is so long that each could run for preempt_after:
 * less is not handed out, and a dispatch costs no more for it. */
static uint64_t period_for(const struct hv_sched *sched, uint32_t vps)
{
    uint64_t least = TICKS_PER_PERIOD * sched->params.slice.v;
    uint64_t turns = sched->params.preempt_after.v * vps / sched->hv->lp_count;

    if (turns > LONG_PERIOD_MOST)
        turns = LONG_PERIOD_MOST;
    return turns > least ? turns : least;
}

static bool credit_init(struct hv_sched *sched)
{
    uint32_t lps = sched->hv->lp_count;
    struct credit *credit = calloc(1, sizeof(*credit));

    if (!credit)
        return false;
    sched->policy = credit;
    credit->lps = calloc(lps, sizeof(*credit->lps));
    credit->period = period_for(sched, 0);
    credit->pot = lps * credit->period; /* to begin with */
    return lp_queues_init(&credit->queues, sched) && credit->lps;
}

static void credit_fini(struct hv_sched *sched)
{
    struct credit *credit = sched->policy;

    if (!credit)
        return;
    lp_queues_fini(&credit->queues);
    free(credit->lps);
    free(credit->due);
    free(credit);
    sched->policy = NULL;
}

static struct credit_vm *find_vm(const struct hv_partition *partition)
{
    for (uint32_t i = 0; i < PARTITION_VP_COUNT_MAX; i++) {
        if (partition->vps[i])
            return credit_of(partition->vps[i])->vm;
    }
    return calloc(1, sizeof(struct credit_vm));
}

static bool credit_vp_add(struct hv_sched *sched, struct hv_vp *vp)
{
    struct credit *credit = sched->policy;
    struct credit_vp *c = credit_of(vp);
    struct credit_due *due =
        reallocarray(credit->due, credit->vp_count + 1, sizeof(*due));

    if (!due)
        return false;
    credit->due = due;
    c->vm = find_vm(vp->partition);
    if (!c->vm)
        return false;
    c->vm->vps++;
    c->vp = vp;
    credit->vp_count++;
    return true;
}

static void activate(struct hv_sched *sched, struct credit_vp *c, cycles_t now)
{
    struct credit *credit = sched->policy;

    if (c->active)
        return;
    c->active = true;
    c->vm->active++;
    credit->active_count++;
    c->next = NULL;
    c->previous = credit->last;
    if (credit->last)
        credit->last->next = c;
    else
        credit->first = c;
    credit->last = c;
    /* The first of them do not wait for a period to end. */
    if (credit->first == c)
        sched_expire_at(sched, now);
}

static void deactivate(struct credit *credit, struct credit_vp *c)
{
    if (!c->active)
        return;
    c->active = false;
    c->vm->active--;
    credit->active_count--;
    if (c->previous)
        c->previous->next = c->next;
    else
        credit->first = c->next;
    if (c->next)
        c->next->previous = c->previous;
    else
        credit->last = c->previous;
}

static void credit_vp_remove(struct hv_sched *sched, struct hv_vp *vp)
{
    struct credit *credit = sched->policy;
    struct credit_vp *c = credit_of(vp);

    deactivate(credit, c);
    credit->vp_count--;
    if (--c->vm->vps == 0)
        free(c->vm);
}

/* Queueing. */

static enum credit_level earned_level(const struct credit_vp *c)
{
    return c->credits > 0 ? UNDER : OVER;
}

/* A VP that its limit lets go on is like one that wakes: what it does not use
 * of its limit in time is lost. */
static uint32_t level_now(const struct credit_vp *c, cycles_t now)
{
    if (c->vp->sched.yields)
        return OVER;
    if (earned_level(c) == UNDER && !sched_has_just_run(c->vp, now))
        return BOOST;
    return earned_level(c);
}

/* `lp` is where `vp` waits on `level`: it must not wait for a worse one. */
static void preempt(struct hv_sched *sched, struct hv_lp *lp, uint32_t level,
                    cycles_t now)
{
    const struct credit *credit = sched->policy;
    cycles_t earliest =
        cycles_add(lp->dispatched_at, sched->params.preempt_after);

    if (lp->vp && level < lp_of(credit, lp)->level)
        sched_poke(sched, lp, cycles_max(now, earliest));
}

/* Onto a list, and calls the LP if it should choose again. */
static void queue_up(struct hv_sched *sched, struct hv_vp *vp, uint32_t level,
                     cycles_t now)
{
    struct lp_queues *queues = &((struct credit *)sched->policy)->queues;
    struct hv_lp *idle = sched_idle_lp(sched, vp);
    struct hv_lp *lp = idle ? idle : lp_queues_home(queues, vp);

    lp_queues_append(queues, vp, lp, level);
    if (idle) {
        lp_queues_claim(queues, idle, vp);
        sched_poke(sched, idle, now);
        return;
    }
    sched_wait(vp, SCHED_RULE_SLICE, NULL, now);
    preempt(sched, lp, level, now);
}

static void credit_enqueue(struct hv_sched *sched, struct hv_vp *vp,
                           cycles_t now)
{
    struct credit_vp *c = credit_of(vp);

    c->slept |= c->active && !sched_has_just_run(vp, now);
    activate(sched, c, now);
    queue_up(sched, vp, level_now(c, now), now);
}

static void credit_dequeue(struct hv_sched *sched, struct hv_vp *vp)
{
    struct credit *credit = sched->policy;

    lp_queues_remove(&credit->queues, vp);
}

/* Choosing. */

/* A slice ends with the credits, but is not cut into crumbs. */
static cycles_t slice_of(const struct hv_sched *sched,
                         const struct credit_vp *c, enum credit_level level)
{
    cycles_t slice = sched->params.slice;

    if (level == OVER || c->credits <= 0)
        return slice;
    return cycles_min(slice, cycles_max(cycles((uint64_t)c->credits),
                                        sched->params.preempt_after));
}

/* The LP has idled until now: that was time to be had. */
static void end_idling(struct credit *credit, const struct hv_lp *lp,
                       cycles_t now)
{
    cycles_t *since = &lp_of(credit, lp)->idle_since;

    if (cycles_before(*since, now))
        credit->pot += cycles_sub(now, *since).v;
    *since = CYCLES_NEVER;
}

static struct sched_choice credit_pick(struct hv_sched *sched, struct hv_lp *lp,
                                       cycles_t now)
{
    struct credit *credit = sched->policy;
    struct credit_lp *at = lp_of(credit, lp);
    struct hv_vp *vp = lp_queues_best(&credit->queues, lp);
    struct hv_vp *left;
    struct credit_vp *c;

    if (vp)
        lp_queues_remove(&credit->queues, vp);
    left = lp_queues_chose(&credit->queues, lp);
    if (left)
        queue_up(sched, left, credit_of(left)->place.level, now);
    end_idling(credit, lp, now);
    if (!vp) {
        at->idle_since = now;
        return (struct sched_choice){0};
    }
    c = credit_of(vp);
    at->level = c->place.level;
    at->slice_end = cycles_add(now, slice_of(sched, c, at->level));
    return (struct sched_choice){
        .vp = vp,
        .slice_end = at->slice_end,
        .next = lp_queues_follower(&credit->queues, vp),
    };
}

static bool credit_must_yield(struct hv_sched *sched, struct hv_lp *lp,
                              struct hv_vp *vp, cycles_t now,
                              cycles_t *slice_end)
{
    const struct credit *credit = sched->policy;
    const struct credit_vp *c = credit_of(vp);
    struct credit_lp *at = lp_of(credit, lp);
    bool over = !cycles_before(now, at->slice_end);

    if (vp->sched.yields && lp_queues_best(&credit->queues, lp))
        return true;
    if (over || at->level != BOOST)
        at->level = earned_level(c);
    /* Its equals take turns with it, if they wait for this LP. */
    if (lp_queues_own(&credit->queues, lp, at->level + over) ||
        lp_queues_elsewhere(&credit->queues, lp, at->level))
        return true;
    if (over)
        at->slice_end = cycles_add(now, slice_of(sched, c, at->level));
    *slice_end = at->slice_end;
    return false;
}

/* The VP has run for so long on its LP, of which some is burnt. */
static void burn(struct credit *credit, struct credit_vp *c, uint64_t ran)
{
    uint64_t more = ran - lp_of(credit, c->vp->sched.lp)->burnt;

    c->credits -= (int64_t)more;
    c->used += more;
    credit->pot += more;
}

static void credit_charge(struct hv_sched *sched, struct hv_vp *vp,
                          cycles_t ran, cycles_t now)
{
    struct credit *credit = sched->policy;
    struct credit_vp *c = credit_of(vp);

    burn(credit, c, ran.v);
    lp_of(credit, vp->sched.lp)->burnt = 0;
    activate(sched, c, now);
}

/* Accounting. */

/* `amount` * part / whole, where the product of the last two fits. */
static uint64_t part_of(uint64_t amount, uint64_t part, uint64_t whole)
{
    return amount / whole * part + amount % whole * part / whole;
}

/* What VPs that run have used so far belongs to the period that ends. */
static void collect_running(struct hv_sched *sched)
{
    struct credit *credit = sched->policy;

    for (uint32_t i = 0; i < sched->hv->lp_count; i++) {
        const struct hv_lp *lp = &sched->hv->lps[i];
        struct credit_vp *c = lp->vp ? credit_of(lp->vp) : NULL;

        if (!c || !c->active || c->vp->state != VP_RUNNING)
            continue;

        uint64_t ran = lp_uncharged(lp).v;

        burn(credit, c, ran);
        lp_of(credit, lp)->burnt = ran;
    }
}

static void collect_idle(struct hv_sched *sched, cycles_t now)
{
    struct credit *credit = sched->policy;

    for (int lp = lp_set_next(&sched->idle, 0); lp >= 0;
         lp = lp_set_next(&sched->idle, (uint32_t)lp + 1)) {
        end_idling(credit, &sched->hv->lps[lp], now);
        credit->lps[lp].idle_since = now;
    }
}

/* What it may get: no more than it can use in a period, by its limit too; so
 * that who lags behind catches up, he may have two periods' in hand. Who has
 * slept needs little more than before. */
static uint64_t room_of(const struct hv_sched *sched, const struct credit_vp *c)
{
    uint64_t most = part_of(period_of(sched), c->vp->partition->sched.cap,
                            PARTITION_CPU_SHARE_MAX);
    uint64_t needs = c->slept ? c->used + c->used / 4 : most;
    int64_t room = (int64_t)most - c->credits;

    if (!c->slept)
        room += (int64_t)most;
    if (room <= 0)
        return 0;
    return (uint64_t)room < needs ? (uint64_t)room : needs;
}

/* A debt beyond a period is forgiven. Returns the sum of the weights, and how
 * much those have left who want all they can get. */
static uint64_t weigh(const struct hv_sched *sched, int64_t *left)
{
    const struct credit *credit = sched->policy;
    struct credit_due *due = credit->due;
    int64_t least = -(int64_t)period_of(sched);
    uint64_t weights = 0;

    *left = 0;
    for (struct credit_vp *c = credit->first; c; c = c->next, due++) {
        *due = (struct credit_due){
            .c = c,
            .is_asleep = c->vp->state != VP_READY && c->vp->state != VP_RUNNING,
            .weight = c->vp->partition->sched.weight * WEIGHT_SCALE,
        };
        due->weight /= c->vm->active;
        c->slept |= due->is_asleep;
        c->credits = c->credits < least ? least : c->credits;
        due->part = room_of(sched, c);
        weights += due->weight;
        *left += c->slept ? 0 : c->credits;
    }
    return weights;
}

/* Those whose share has no room get what has, and the others share the rest.
 * Returns what was given. */
static uint64_t fill(const struct credit *credit, uint64_t pot,
                     uint64_t *weights)
{
    uint64_t given = 0, of_all = *weights;

    for (uint32_t i = 0; i < credit->active_count; i++) {
        struct credit_due *due = &credit->due[i];

        if (due->weight == 0 || part_of(pot, due->weight, of_all) < due->part)
            continue;
        given += due->part;
        *weights -= due->weight;
        due->weight = 0;
    }
    return given;
}

/* Works out what each is due of the pot. */
static void divide(const struct hv_sched *sched)
{
    struct credit *credit = sched->policy;
    int64_t left;
    uint64_t weights = weigh(sched, &left);
    int64_t missing = (int64_t)credit->pot - left;
    uint64_t pot = missing > 0 ? (uint64_t)missing : 0;
    uint64_t before;

    do {
        before = weights;
        if (before > 0)
            pot -= fill(credit, pot, &weights);
    } while (weights != before);
    for (uint32_t i = 0; i < credit->active_count; i++) {
        struct credit_due *due = &credit->due[i];

        if (due->weight > 0)
            due->part = part_of(pot, due->weight, weights);
    }
    credit->pot = 0;
}

/* A VP that waits and has credits again goes up, behind those that had some. */
static void hand_out(struct credit *credit, const struct credit_due *due)
{
    struct credit_vp *c = due->c;

    c->credits += (int64_t)due->part;
    c->slept = false;
    c->used = 0;
    if (c->credits > 0 && c->place.level == OVER && c->vp->sched.queued)
        lp_queues_move(&credit->queues, c->vp, UNDER);
    if (due->is_asleep)
        deactivate(credit, c);
}

/* So does one that runs. */
static void raise_running(struct hv_sched *sched)
{
    const struct credit *credit = sched->policy;

    for (uint32_t i = 0; i < sched->hv->lp_count; i++) {
        const struct hv_lp *lp = &sched->hv->lps[i];

        if (lp->vp && credit->lps[i].level == OVER &&
            lp->vp->state == VP_RUNNING && credit_of(lp->vp)->active &&
            credit_of(lp->vp)->credits > 0)
            credit->lps[i].level = UNDER;
    }
}

static void credit_expire(struct hv_sched *sched, cycles_t now)
{
    struct credit *credit = sched->policy;
    uint32_t count = credit->active_count;
    uint64_t before = credit->period;

    collect_running(sched);
    collect_idle(sched, now);
    credit->period = period_for(sched, count);
    if (credit->period != before)
        credit->pot = part_of(credit->pot, credit->period, before);
    divide(sched);
    for (uint32_t i = 0; i < count; i++)
        hand_out(credit, &credit->due[i]);
    raise_running(sched);
    if (credit->first)
        sched_expire_at(sched, cycles_add(now, cycles(period_of(sched))));
}

const struct hv_sched_ops sched_credit = {
    .name = "credit",
    .help = "credits by the VM's weight, burnt by running; VPs that wake are "
            "boosted, as in Xen",
    .flags = SCHED_WEIGHTS | SCHED_LIMITS | SCHED_WORK_CONSERVING,
    .vp_bytes = sizeof(struct credit_vp),
    .init = credit_init,
    .fini = credit_fini,
    .vp_add = credit_vp_add,
    .vp_remove = credit_vp_remove,
    .enqueue = credit_enqueue,
    .dequeue = credit_dequeue,
    .pick = credit_pick,
    .must_yield = credit_must_yield,
    .charge = credit_charge,
    .expire = credit_expire,
    .queue_of = lp_queues_of,
};
