/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_LP_QUEUES_H
#define HVSIM_HYPERVISOR_LP_QUEUES_H

/**
 * Run lists of a policy that has one for each LP, in levels of which the lower
 * number goes first, first in, first out within one: owned by the policy,
 * which says who stands where.
 *
 * Whoever looks for work on other LPs' lists looks at his own NUMA node's
 * first, and there at the LPs after his own. LPs where all that waits must
 * stay are not looked at, so what it costs depends on neither the number of
 * LPs nor that of VPs, as long as those that may leave may run anywhere.
 *
 * A VP for which an idle LP has been called is that LP's until it has chosen:
 * were it taken by another one, the LP could come to find only VPs that may not
 * run there, and idle, as could one that those had left alone for it.
 */

#include "hypervisor/sched.h"

#define LP_QUEUES_LEVELS_MAX 32

/** Where a VP stands: the first member of what vp->sched.policy points to.
 *  Zero-initialise. */
struct lp_queues_place {
    uint32_t lp;
    uint32_t level;
    bool movable; /* other LPs may take it */
};

struct lp_queue {
    struct hv_vp *head[LP_QUEUES_LEVELS_MAX], *tail[LP_QUEUES_LEVELS_MAX];
    uint32_t movable[LP_QUEUES_LEVELS_MAX];
    uint32_t levels;     /* bit n: somebody waits on level n */
    struct hv_vp *claim; /* the LP has been called for it; NULL: for none */
};

struct lp_queues {
    const struct hv_sched *sched;                /* borrowed */
    struct lp_queue *of_lp;                      /* owns, one for each LP */
    struct lp_set movable[LP_QUEUES_LEVELS_MAX]; /* LPs that have such VPs */
    uint32_t movable_levels;                     /* bit n: one of them has */
};

/** False if out of memory. */
bool lp_queues_init(struct lp_queues *queues, const struct hv_sched *sched);
void lp_queues_fini(struct lp_queues *queues);

/** Puts `vp`, which may run on `lp`, behind, or before, those of its level. */
void lp_queues_append(struct lp_queues *queues, struct hv_vp *vp,
                      const struct hv_lp *lp, uint32_t level);
void lp_queues_prepend(struct lp_queues *queues, struct hv_vp *vp,
                       const struct hv_lp *lp, uint32_t level);
void lp_queues_remove(struct lp_queues *queues, struct hv_vp *vp);

/** On whose list `vp` stands: hv_sched_ops.queue_of. */
const struct hv_lp *lp_queues_of(const struct hv_sched *sched,
                                 const struct hv_vp *vp);

/** Takes `vp`, listed, to the end of another level of the same list. The LP
 *  that has been called for it remains so. */
void lp_queues_move(struct lp_queues *queues, struct hv_vp *vp, uint32_t level);

/** The first of the lowest level on `lp`'s own list, if that is below `below`;
 *  else NULL. */
struct hv_vp *lp_queues_own(const struct lp_queues *queues,
                            const struct hv_lp *lp, uint32_t below);

/** Who comes first, likewise, where `vp` has just been; NULL: nobody. */
struct hv_vp *lp_queues_follower(const struct lp_queues *queues,
                                 const struct hv_vp *vp);

/** The first that may run on `lp` of the lowest level on the list of LP number
 *  `from`, if that is below `below`; else NULL. */
struct hv_vp *lp_queues_from(const struct lp_queues *queues, uint32_t from,
                             const struct hv_lp *lp, uint32_t below);

/** The same of the other LPs' lists, of those that may run on `lp`. */
struct hv_vp *lp_queues_elsewhere(const struct lp_queues *queues,
                                  const struct hv_lp *lp, uint32_t below);

/** Of both, the one of the lower level; its own, of equals. */
struct hv_vp *lp_queues_best(const struct lp_queues *queues,
                             const struct hv_lp *lp);

/** An LP without a claim of its own for a VP for which none is idle: where it
 *  ran last, else its ideal one, else the next of those that it may use. */
struct hv_lp *lp_queues_home(const struct lp_queues *queues,
                             const struct hv_vp *vp);

/** `lp`, idle, is about to be called for `vp`, which is on its list. */
void lp_queues_claim(struct lp_queues *queues, const struct hv_lp *lp,
                     struct hv_vp *vp);

/** `lp` has chosen, and what it has chosen is off its list. Returns the VP that
 *  it was called for if that has been left behind, off its list now: another
 *  LP may be idle. NULL: there is none. */
MUST_USE struct hv_vp *lp_queues_chose(struct lp_queues *queues,
                                       const struct hv_lp *lp);

#endif
