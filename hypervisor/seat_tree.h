/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_SEAT_TREE_H
#define HVSIM_HYPERVISOR_SEAT_TREE_H

/**
 * Of seats (LPs, or cores) that have a mark each, the one whose mark is the
 * least: a tournament. The least is found at once; a mark is set in O(log
 * seats), and always in the same steps, which the host need not guess.
 */

#include <stdbool.h>

#include "hypervisor/lp_set.h"
#include "hypervisor/run_mark.h"

struct seat_tree {
    run_mark_t least; /* RUN_MARK_NONE: no seat has a mark */
    void *first;      /* what that stands for; NULL: nothing */

    /* Private to seat_tree.c. */
    run_mark_t *places; /* owns: those of seats, of groups, of groups of them
                           and so on */
    void **owners;      /* owns: by seat, what its mark stands for */
    uint32_t seats, first_seat;
    struct lp_set marked; /* the seats that have a mark */
};

/** A tree of so many seats, LP_COUNT_MAX at most; to be cleared before it is
 *  used (what is not used costs no memory). False if out of memory. */
bool seat_tree_init(struct seat_tree *tree, uint32_t seats);
void seat_tree_fini(struct seat_tree *tree);

/** No seat has a mark any more. */
void seat_tree_clear(struct seat_tree *tree);

/** The seat has that mark, whose number is below 2^32, from now on, and it
 *  stands for `owner`. */
void seat_tree_set(struct seat_tree *tree, uint32_t seat, run_mark_t mark,
                   void *owner);

/** The seat has none any more. */
void seat_tree_remove(struct seat_tree *tree, uint32_t seat);

static inline bool seat_tree_has(const struct seat_tree *tree, uint32_t seat)
{
    return lp_set_has(&tree->marked, seat);
}

/** What the one stands for whose mark is the least of all but the first's;
 *  NULL: there is none. */
void *seat_tree_second(const struct seat_tree *tree);

/** What the seat *from stands for, or the first one after that has a mark,
 *  which *from is then; NULL: none. */
void *seat_tree_next(const struct seat_tree *tree, uint32_t *from);

#endif
