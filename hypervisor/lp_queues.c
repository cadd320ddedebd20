/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/lp_queues.h"

#include <stdlib.h>

#include "hypervisor/lp.h"
#include "hypervisor/vp.h"
#include "sim/core/check.h"

bool lp_queues_init(struct lp_queues *queues, const struct hv_sched *sched)
{
    *queues = (struct lp_queues){
        .sched = sched,
        .of_lp = calloc(sched->hv->lp_count, sizeof(*queues->of_lp)),
    };
    return queues->of_lp != NULL;
}

void lp_queues_fini(struct lp_queues *queues)
{
    free(queues->of_lp);
    queues->of_lp = NULL;
}

static struct lp_queues_place *place_of(const struct hv_vp *vp)
{
    return vp->sched.policy;
}

static uint32_t bit(uint32_t level)
{
    return UINT32_C(1) << level;
}

/* What others may take. */

static void count_movable(struct lp_queues *queues,
                          const struct lp_queues_place *place)
{
    struct lp_queue *queue = &queues->of_lp[place->lp];

    if (!place->movable || queue->movable[place->level]++ > 0)
        return;
    lp_set_add(&queues->movable[place->level], place->lp);
    queues->movable_levels |= bit(place->level);
}

static void discount_movable(struct lp_queues *queues,
                             const struct lp_queues_place *place)
{
    struct lp_queue *queue = &queues->of_lp[place->lp];
    struct lp_set *lps = &queues->movable[place->level];

    if (!place->movable || --queue->movable[place->level] > 0)
        return;
    lp_set_remove(lps, place->lp);
    if (lp_set_is_empty(lps))
        queues->movable_levels &= ~bit(place->level);
}

static void note_place(struct lp_queues *queues, struct hv_vp *vp, uint32_t lp,
                       uint32_t level)
{
    struct lp_queues_place *place = place_of(vp);

    CHECK(level < LP_QUEUES_LEVELS_MAX && !vp->sched.queued);
    place->lp = lp;
    place->level = level;
    place->movable = !sched_is_pinned(vp);
    queues->of_lp[lp].levels |= bit(level);
    count_movable(queues, place);
    vp->sched.queued = true;
}

static void link_last(struct lp_queue *queue, struct hv_vp *vp, uint32_t level)
{
    vp->sched.next = NULL;
    vp->sched.previous = queue->tail[level];
    if (queue->tail[level])
        queue->tail[level]->sched.next = vp;
    else
        queue->head[level] = vp;
    queue->tail[level] = vp;
}

static void link_first(struct lp_queue *queue, struct hv_vp *vp, uint32_t level)
{
    vp->sched.previous = NULL;
    vp->sched.next = queue->head[level];
    if (queue->head[level])
        queue->head[level]->sched.previous = vp;
    else
        queue->tail[level] = vp;
    queue->head[level] = vp;
}

static void unlink_vp(struct lp_queue *queue, struct hv_vp *vp, uint32_t level)
{
    struct vp_sched *links = &vp->sched;

    if (links->previous)
        links->previous->sched.next = links->next;
    else
        queue->head[level] = links->next;
    if (links->next)
        links->next->sched.previous = links->previous;
    else
        queue->tail[level] = links->previous;
    links->next = links->previous = NULL;
    if (!queue->head[level])
        queue->levels &= ~bit(level);
}

void lp_queues_append(struct lp_queues *queues, struct hv_vp *vp,
                      const struct hv_lp *lp, uint32_t level)
{
    note_place(queues, vp, lp->id.v, level);
    link_last(&queues->of_lp[lp->id.v], vp, level);
}

void lp_queues_prepend(struct lp_queues *queues, struct hv_vp *vp,
                       const struct hv_lp *lp, uint32_t level)
{
    note_place(queues, vp, lp->id.v, level);
    link_first(&queues->of_lp[lp->id.v], vp, level);
}

void lp_queues_remove(struct lp_queues *queues, struct hv_vp *vp)
{
    struct lp_queues_place *place = place_of(vp);

    CHECK(vp->sched.queued);
    unlink_vp(&queues->of_lp[place->lp], vp, place->level);
    if (queues->of_lp[place->lp].claim == vp)
        queues->of_lp[place->lp].claim = NULL;
    discount_movable(queues, place);
    vp->sched.queued = false;
}

const struct hv_lp *lp_queues_of(const struct hv_sched *sched,
                                 const struct hv_vp *vp)
{
    const struct lp_queues_place *place = vp->sched.policy;

    return &sched->hv->lps[place->lp];
}

void lp_queues_move(struct lp_queues *queues, struct hv_vp *vp, uint32_t level)
{
    const struct hv_lp *lp = &queues->sched->hv->lps[place_of(vp)->lp];
    bool claims = queues->of_lp[lp->id.v].claim == vp;

    lp_queues_remove(queues, vp);
    lp_queues_append(queues, vp, lp, level);
    if (claims)
        lp_queues_claim(queues, lp, vp);
}

struct hv_vp *lp_queues_own(const struct lp_queues *queues,
                            const struct hv_lp *lp, uint32_t below)
{
    const struct lp_queue *queue = &queues->of_lp[lp->id.v];
    uint32_t level;

    if (queue->levels == 0)
        return NULL;
    level = (uint32_t)__builtin_ctz(queue->levels);
    return level < below ? queue->head[level] : NULL;
}

struct hv_vp *lp_queues_follower(const struct lp_queues *queues,
                                 const struct hv_vp *vp)
{
    const struct hv_lp *lp = &queues->sched->hv->lps[place_of(vp)->lp];

    return lp_queues_own(queues, lp, LP_QUEUES_LEVELS_MAX);
}

/* The first on the list of `from`, on that level, that may run on `lp`, or
 * NULL. */
static struct hv_vp *first_allowed(const struct lp_queues *queues,
                                   uint32_t from, const struct hv_lp *lp,
                                   uint32_t level)
{
    const struct lp_queue *queue = &queues->of_lp[from];
    struct hv_vp *vp = queue->head[level];

    while (vp &&
           (!sched_allows(vp, lp) || (vp == queue->claim && from != lp->id.v)))
        vp = vp->sched.next;
    return vp;
}

struct hv_vp *lp_queues_from(const struct lp_queues *queues, uint32_t from,
                             const struct hv_lp *lp, uint32_t below)
{
    for (uint32_t left = queues->of_lp[from].levels; left; left &= left - 1) {
        uint32_t level = (uint32_t)__builtin_ctz(left);
        struct hv_vp *vp;

        if (level >= below)
            return NULL;
        vp = first_allowed(queues, from, lp, level);
        if (vp)
            return vp;
    }
    return NULL;
}

/* One that waits on that level with one of `lps`, from the LP after `lp` on. */
static struct hv_vp *take_from(const struct lp_queues *queues,
                               const struct lp_set *lps, const struct hv_lp *lp,
                               uint32_t level)
{
    int own = (int)lp->id.v;

    for (int from = lp_set_next(lps, lp->id.v + 1); from >= 0;
         from = lp_set_next(lps, (uint32_t)from + 1)) {
        struct hv_vp *vp = first_allowed(queues, (uint32_t)from, lp, level);

        if (vp)
            return vp;
    }
    for (int from = lp_set_next(lps, 0); from >= 0 && from < own;
         from = lp_set_next(lps, (uint32_t)from + 1)) {
        struct hv_vp *vp = first_allowed(queues, (uint32_t)from, lp, level);

        if (vp)
            return vp;
    }
    return NULL;
}

struct hv_vp *lp_queues_elsewhere(const struct lp_queues *queues,
                                  const struct hv_lp *lp, uint32_t below)
{
    const struct lp_set *node = &queues->sched->hv->node_lps[lp->node];

    for (uint32_t left = queues->movable_levels; left; left &= left - 1) {
        uint32_t level = (uint32_t)__builtin_ctz(left);
        struct lp_set near;
        struct hv_vp *vp;

        if (level >= below)
            return NULL;
        near = lp_set_and(&queues->movable[level], node);
        vp = take_from(queues, &near, lp, level);
        if (!vp)
            vp = take_from(queues, &queues->movable[level], lp, level);
        if (vp)
            return vp;
    }
    return NULL;
}

struct hv_vp *lp_queues_best(const struct lp_queues *queues,
                             const struct hv_lp *lp)
{
    struct hv_vp *own = lp_queues_own(queues, lp, LP_QUEUES_LEVELS_MAX);
    uint32_t below = own ? place_of(own)->level : LP_QUEUES_LEVELS_MAX;
    struct hv_vp *other = lp_queues_elsewhere(queues, lp, below);

    return other ? other : own;
}

struct hv_lp *lp_queues_home(const struct lp_queues *queues,
                             const struct hv_vp *vp)
{
    struct hv_lp *lps = queues->sched->hv->lps;
    int next;

    if (vp->sched.lp && sched_allows(vp, vp->sched.lp))
        return vp->sched.lp;
    next = lp_set_next(&vp->sched.allowed, vp->sched.ideal_lp);
    if (next < 0)
        next = lp_set_next(&vp->sched.allowed, 0);
    return &lps[next];
}

void lp_queues_claim(struct lp_queues *queues, const struct hv_lp *lp,
                     struct hv_vp *vp)
{
    struct lp_queues_place *place = place_of(vp);

    CHECK(place->lp == lp->id.v && !queues->of_lp[place->lp].claim);
    queues->of_lp[place->lp].claim = vp;
    discount_movable(queues, place);
    place->movable = false;
}

struct hv_vp *lp_queues_chose(struct lp_queues *queues, const struct hv_lp *lp)
{
    struct hv_vp *left = queues->of_lp[lp->id.v].claim;

    if (left)
        lp_queues_remove(queues, left);
    return left;
}
