/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * Round robin: the plain dispatch that the literature describes for
 * Hyper-V's default ("round robin over runnable VPs", no wake-up boost:
 * M. Friedman, "Virtual Processor Scheduling Priority", 2017).
 *
 * Design. One run list for all LPs, first in, first out. A VP that becomes
 * ready claims an idle LP if there is one: that on which it ran last, else one
 * of its own NUMA node, else any. An LP takes the VP that has claimed it, else
 * the first that may run on it and has claimed no other. At the end of a slice
 * a VP goes to the end of the list if another one waits for its LP. So no LP
 * idles while a VP waits that may run on it, and VPs that are always busy get
 * equal time, whatever the numbers of VPs and LPs.
 *
 * Were a claimed VP taken by another LP, its own could come to find only VPs
 * that may not run there, whose LPs had come before: and both would idle.
 *
 * Ordering. Ties go to the lower LP number.
 *
 * What this does not do: weights, reserves, boosts, pre-emption on wake,
 * staying on an LP whose caches are warm.
 */
#include <stdlib.h>

#include "hypervisor/lp.h"
#include "hypervisor/sched_policies.h"
#include "hypervisor/vp.h"
#include "sim/core/check.h"

struct round_robin {
    struct hv_vp *head, *tail; /* linked by vp->sched.next and .previous */
    struct hv_vp **claims; /* owns; by LP: who has called it, or NULL. The VP's
                              vp->sched.policy is the LP. */
};

static bool round_robin_init(struct hv_sched *sched)
{
    struct round_robin *rr = calloc(1, sizeof(*rr));

    sched->policy = rr;
    if (rr)
        rr->claims = calloc(sched->hv->lp_count, sizeof(struct hv_vp *));
    return rr && rr->claims;
}

static void round_robin_fini(struct hv_sched *sched)
{
    struct round_robin *rr = sched->policy;

    if (rr)
        free(rr->claims);
    free(rr);
    sched->policy = NULL;
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
}

static void list_remove(struct round_robin *rr, struct hv_vp *vp)
{
    struct vp_sched *links = &vp->sched;

    CHECK(links->queued);
    if (links->policy)
        rr->claims[((const struct hv_lp *)links->policy)->id.v] = NULL;
    links->policy = NULL;
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
}

/* The one for which `lp` has been called, else the first on the list that may
 * run there and waits for no other LP; or NULL. */
static struct hv_vp *first_for(const struct round_robin *rr,
                               const struct hv_lp *lp)
{
    struct hv_vp *vp = rr->head;

    if (rr->claims[lp->id.v])
        return rr->claims[lp->id.v];
    while (vp && (vp->sched.policy || !sched_allows(vp, lp)))
        vp = vp->sched.next;
    return vp;
}

static void round_robin_enqueue(struct hv_sched *sched, struct hv_vp *vp,
                                cycles_t now)
{
    struct round_robin *rr = sched->policy;
    struct hv_lp *lp = sched_idle_lp(sched, vp);

    list_append(rr, vp);
    if (lp) {
        rr->claims[lp->id.v] = vp;
        vp->sched.policy = lp;
        sched_poke(sched, lp, now);
    } else {
        sched_wait(vp, SCHED_RULE_SLICE, NULL, now);
    }
}

static void round_robin_dequeue(struct hv_sched *sched, struct hv_vp *vp)
{
    list_remove(sched->policy, vp);
}

static struct sched_choice round_robin_pick(struct hv_sched *sched,
                                            struct hv_lp *lp, cycles_t now)
{
    struct round_robin *rr = sched->policy;
    struct hv_vp *vp = first_for(rr, lp);

    if (!vp)
        return (struct sched_choice){0};
    list_remove(rr, vp);
    return (struct sched_choice){
        .vp = vp,
        .slice_end = cycles_add(now, sched->params.slice),
        /* Some LP takes the first before it could be fetched. */
        .next = rr->head ? rr->head->sched.next : NULL,
    };
}

static bool round_robin_must_yield(struct hv_sched *sched, struct hv_lp *lp,
                                   struct hv_vp *vp, cycles_t now,
                                   cycles_t *slice_end)
{
    (void)vp;
    if (first_for(sched->policy, lp))
        return true;
    *slice_end = cycles_add(now, sched->params.slice);
    return false;
}

const struct hv_sched_ops sched_round_robin = {
    .name = "round-robin",
    .help = "every VP in turn, for a slice each; no weights",
    .flags = SCHED_LIMITS | SCHED_WORK_CONSERVING,
    .init = round_robin_init,
    .fini = round_robin_fini,
    .enqueue = round_robin_enqueue,
    .dequeue = round_robin_dequeue,
    .pick = round_robin_pick,
    .must_yield = round_robin_must_yield,
};
