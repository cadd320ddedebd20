/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * Round robin: the plain dispatch that the literature describes for
 * Hyper-V's default ("round robin over runnable VPs", no wake-up boost:
 * M. Friedman, "Virtual Processor Scheduling Priority", 2017).
 *
 * Design. Each LP has a run list, first in, first out. A VP that becomes ready
 * goes to the LP it ran on last if that idles, else to an idle LP (of its own
 * NUMA node first), else to the LP with the shortest list. An LP with an empty
 * list takes the VP that has waited longest on the longest list of another.
 * So no LP idles while a VP waits that may run on it.
 *
 * Ordering. Ties go to the LP the VP ran on last, then to the lower LP number.
 *
 * What this does not do: weights, reserves, caps, boosts, pre-emption on wake.
 */
#include <stdlib.h>

#include "hypervisor/lp.h"
#include "hypervisor/sched_policies.h"
#include "hypervisor/vp.h"
#include "sim/core/check.h"

struct run_list {
    struct hv_vp *head, *tail; /* linked by vp->sched.next and .previous */
    uint32_t count;
};

struct round_robin {
    uint32_t lp_count;
    struct run_list lists[]; /* by LP number */
};

static bool round_robin_init(struct hv_sched *sched)
{
    uint32_t lp_count = sched->hv->lp_count;
    struct round_robin *rr =
        calloc(1, sizeof(*rr) + lp_count * sizeof(rr->lists[0]));

    if (!rr)
        return false;
    rr->lp_count = lp_count;
    sched->policy = rr;
    return true;
}

static void round_robin_fini(struct hv_sched *sched)
{
    free(sched->policy);
    sched->policy = NULL;
}

static void list_append(struct run_list *list, struct hv_vp *vp)
{
    vp->sched.previous = list->tail;
    vp->sched.next = NULL;
    if (list->tail)
        list->tail->sched.next = vp;
    else
        list->head = vp;
    list->tail = vp;
    list->count++;
}

static void list_remove(struct run_list *list, struct hv_vp *vp)
{
    struct vp_sched *links = &vp->sched;

    if (links->previous)
        links->previous->sched.next = links->next;
    else
        list->head = links->next;
    if (links->next)
        links->next->sched.previous = links->previous;
    else
        list->tail = links->previous;
    links->next = links->previous = NULL;
    links->queue = NULL;
    list->count--;
}

static bool lp_is_free(const struct round_robin *rr, const struct hv_lp *lp)
{
    return !lp->vp && rr->lists[lp->id.v].count == 0;
}

/* How many VPs want the LP, the one on it included. */
static uint32_t lp_load(const struct round_robin *rr, const struct hv_lp *lp)
{
    return rr->lists[lp->id.v].count + (lp->vp ? 1 : 0);
}

/* Which of two LPs suits the VP better: an idle one, then one of its node (if
 * both idle), then the shorter list, then the one it ran on last. */
static bool is_better(const struct round_robin *rr, const struct hv_vp *vp,
                      const struct hv_lp *a, const struct hv_lp *b)
{
    bool a_free = lp_is_free(rr, a), b_free = lp_is_free(rr, b);

    if (a_free != b_free)
        return a_free;
    if (a_free && (a->node == vp->node) != (b->node == vp->node))
        return a->node == vp->node;
    if (lp_load(rr, a) != lp_load(rr, b))
        return lp_load(rr, a) < lp_load(rr, b);
    return a == vp->sched.lp && b != vp->sched.lp;
}

static struct hv_lp *choose_lp(struct hv_sched *sched, struct hv_vp *vp)
{
    struct round_robin *rr = sched->policy;
    struct hv_lp *lps = sched->hv->lps;

    if (vp->sched.pinned_lp >= 0)
        return &lps[vp->sched.pinned_lp];
    if (vp->sched.lp && lp_is_free(rr, vp->sched.lp))
        return vp->sched.lp;

    struct hv_lp *best = &lps[0];

    for (uint32_t i = 1; i < rr->lp_count; i++) {
        if (is_better(rr, vp, &lps[i], best))
            best = &lps[i];
    }
    return best;
}

static struct hv_lp *round_robin_enqueue(struct hv_sched *sched,
                                         struct hv_vp *vp, cycles_t now)
{
    struct round_robin *rr = sched->policy;
    struct hv_lp *lp = choose_lp(sched, vp);

    (void)now;
    CHECK(!vp->sched.queue);
    vp->sched.queue = lp;
    list_append(&rr->lists[lp->id.v], vp);
    return lp->vp ? NULL : lp;
}

static void round_robin_dequeue(struct hv_sched *sched, struct hv_vp *vp)
{
    struct round_robin *rr = sched->policy;

    CHECK(vp->sched.queue);
    list_remove(&rr->lists[vp->sched.queue->id.v], vp);
}

/* The first VP of the list that may run on any LP. */
static struct hv_vp *first_movable(const struct run_list *list)
{
    struct hv_vp *vp = list->head;

    while (vp && vp->sched.pinned_lp >= 0)
        vp = vp->sched.next;
    return vp;
}

/* What a free LP takes from others: nothing, or the head of the longest list
 * that has a VP which may move. */
static struct hv_vp *steal(struct round_robin *rr)
{
    struct hv_vp *best = NULL;
    uint32_t best_count = 0;

    for (uint32_t i = 0; i < rr->lp_count; i++) {
        const struct run_list *list = &rr->lists[i];

        if (list->count <= best_count)
            continue;

        struct hv_vp *vp = first_movable(list);

        if (vp) {
            best = vp;
            best_count = list->count;
        }
    }
    return best;
}

static struct hv_vp *round_robin_pick(struct hv_sched *sched, struct hv_lp *lp,
                                      cycles_t now, cycles_t *slice_end)
{
    struct round_robin *rr = sched->policy;
    struct hv_vp *vp = rr->lists[lp->id.v].head;

    if (!vp)
        vp = steal(rr);
    if (!vp)
        return NULL;
    list_remove(&rr->lists[vp->sched.queue->id.v], vp);
    *slice_end = cycles_add(now, sched->params.slice);
    return vp;
}

static bool round_robin_must_yield(struct hv_sched *sched, struct hv_lp *lp,
                                   struct hv_vp *vp, cycles_t now,
                                   cycles_t *slice_end)
{
    struct round_robin *rr = sched->policy;

    (void)vp;
    if (rr->lists[lp->id.v].count > 0)
        return true;
    *slice_end = cycles_add(now, sched->params.slice);
    return false;
}

static uint32_t round_robin_waiting(const struct hv_sched *sched,
                                    const struct hv_lp *lp)
{
    const struct round_robin *rr = sched->policy;

    return rr->lists[lp->id.v].count;
}

const struct hv_sched_ops sched_round_robin = {
    .name = "round-robin",
    .help = "equal slices in turn, no weights and no wake-up boost",
    .init = round_robin_init,
    .fini = round_robin_fini,
    .enqueue = round_robin_enqueue,
    .dequeue = round_robin_dequeue,
    .pick = round_robin_pick,
    .must_yield = round_robin_must_yield,
    .waiting = round_robin_waiting,
};
