/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * Round robin: the plain dispatch that the literature describes for
 * Hyper-V's default ("round robin over runnable VPs", no wake-up boost:
 * M. Friedman, "Virtual Processor Scheduling Priority", 2017).
 *
 * Design. One run list for all LPs, first in, first out. An LP takes the first
 * VP that may run on it. A VP that becomes ready claims an idle LP if there is
 * one: that on which it ran last, else one of its own NUMA node, else any. At
 * the end of a slice a VP goes to the end of the list if another one waits for
 * its LP. So no LP idles while a VP waits that may run on it, and VPs that are
 * always busy get equal time, whatever the numbers of VPs and LPs.
 *
 * Ordering. Ties go to the lower LP number.
 *
 * What this does not do: weights, reserves, caps, boosts, pre-emption on wake,
 * staying on an LP whose caches are warm.
 */
#include <stdlib.h>

#include "hypervisor/lp.h"
#include "hypervisor/sched_policies.h"
#include "hypervisor/vp.h"
#include "sim/core/check.h"

struct round_robin_lp {
    uint32_t pinned_waiting; /* on the list, and may run here alone */
    bool claimed;            /* idle, but called for a VP on the list */
};

struct round_robin {
    struct hv_vp *head, *tail; /* linked by vp->sched.next and .previous */
    uint32_t movable_waiting;  /* on the list, and may run anywhere */
    uint32_t lp_count;
    struct round_robin_lp lps[];
};

static bool round_robin_init(struct hv_sched *sched)
{
    uint32_t lp_count = sched->hv->lp_count;
    struct round_robin *rr =
        calloc(1, sizeof(*rr) + lp_count * sizeof(rr->lps[0]));

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

/* The count in which a waiting VP is. */
static uint32_t *waiting_of(struct round_robin *rr, const struct hv_vp *vp)
{
    if (vp->sched.pinned_lp < 0)
        return &rr->movable_waiting;
    return &rr->lps[vp->sched.pinned_lp].pinned_waiting;
}

static void list_append(struct round_robin *rr, struct hv_vp *vp)
{
    vp->sched.previous = rr->tail;
    vp->sched.next = NULL;
    if (rr->tail)
        rr->tail->sched.next = vp;
    else
        rr->head = vp;
    rr->tail = vp;
    vp->sched.queued = true;
    (*waiting_of(rr, vp))++;
}

static void list_remove(struct round_robin *rr, struct hv_vp *vp)
{
    struct vp_sched *links = &vp->sched;

    CHECK(links->queued);
    if (links->previous)
        links->previous->sched.next = links->next;
    else
        rr->head = links->next;
    if (links->next)
        links->next->sched.previous = links->previous;
    else
        rr->tail = links->previous;
    links->next = links->previous = NULL;
    links->queued = false;
    (*waiting_of(rr, vp))--;
}

static bool may_run_on(const struct hv_vp *vp, const struct hv_lp *lp)
{
    return vp->sched.pinned_lp < 0 || vp->sched.pinned_lp == (int32_t)lp->id.v;
}

/* An LP that has just been left is not free if a VP waits that may run here
 * alone: it is that one's, and whoever claimed it would wait beside an idle
 * LP. */
static bool is_free(const struct round_robin *rr, const struct hv_lp *lp)
{
    const struct round_robin_lp *own = &rr->lps[lp->id.v];

    return !lp->vp && !own->claimed && own->pinned_waiting == 0;
}

/* The idle LP that suits the VP best, or NULL. */
static struct hv_lp *choose_free_lp(struct hv_sched *sched, struct hv_vp *vp)
{
    struct round_robin *rr = sched->policy;
    struct hv_lp *lps = sched->hv->lps;
    struct hv_lp *best = NULL;

    if (vp->sched.lp && may_run_on(vp, vp->sched.lp) &&
        is_free(rr, vp->sched.lp))
        return vp->sched.lp;
    for (uint32_t i = 0; i < rr->lp_count; i++) {
        if (!may_run_on(vp, &lps[i]) || !is_free(rr, &lps[i]))
            continue;
        if (lps[i].node == vp->node)
            return &lps[i];
        if (!best)
            best = &lps[i];
    }
    return best;
}

static struct hv_lp *round_robin_enqueue(struct hv_sched *sched,
                                         struct hv_vp *vp, cycles_t now)
{
    struct round_robin *rr = sched->policy;
    struct hv_lp *lp = choose_free_lp(sched, vp);

    (void)now;
    list_append(rr, vp);
    if (lp)
        rr->lps[lp->id.v].claimed = true;
    return lp;
}

static void round_robin_dequeue(struct hv_sched *sched, struct hv_vp *vp)
{
    list_remove(sched->policy, vp);
}

static struct hv_vp *round_robin_pick(struct hv_sched *sched, struct hv_lp *lp,
                                      cycles_t now, cycles_t *slice_end)
{
    struct round_robin *rr = sched->policy;
    struct hv_vp *vp = rr->head;

    rr->lps[lp->id.v].claimed = false;
    while (vp && !may_run_on(vp, lp))
        vp = vp->sched.next;
    if (!vp)
        return NULL;
    list_remove(rr, vp);
    *slice_end = cycles_add(now, sched->params.slice);
    return vp;
}

static bool round_robin_must_yield(struct hv_sched *sched, struct hv_lp *lp,
                                   struct hv_vp *vp, cycles_t now,
                                   cycles_t *slice_end)
{
    const struct round_robin *rr = sched->policy;

    (void)vp;
    if (rr->movable_waiting > 0 || rr->lps[lp->id.v].pinned_waiting > 0)
        return true;
    *slice_end = cycles_add(now, sched->params.slice);
    return false;
}

const struct hv_sched_ops sched_round_robin = {
    .name = "round-robin",
    .init = round_robin_init,
    .fini = round_robin_fini,
    .enqueue = round_robin_enqueue,
    .dequeue = round_robin_dequeue,
    .pick = round_robin_pick,
    .must_yield = round_robin_must_yield,
};
