/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_SEAT_TREE_H
#define HVSIM_HYPERVISOR_SEAT_TREE_H

/**
 * Of seats (LPs, or cores) that have a mark each, the one whose mark is the
 * least: a tournament. The least is found at once, a seat's mark is set in
 * O(log seats), and mostly in one step, as few seats are first of their
 * neighbours.
 *
 * Setting cannot fail. Nodes come from a pool that has those of so many seats
 * as may have a mark at one time (seat_pool_grow()).
 */

#include <stdbool.h>

#include "hypervisor/lp_set.h"
#include "hypervisor/run_mark.h"

struct seat_node;

/** Nodes that no tree uses. Zero-initialise: empty. */
struct seat_pool {
    struct seat_node *free;
};

/** Begins as seat_tree_empty(). */
struct seat_tree {
    run_mark_t least; /* RUN_MARK_NONE: no seat has a mark */
    void *first;      /* what that stands for; NULL: nothing */

    /* Private to seat_tree.c. */
    struct seat_node *root; /* NULL: empty */
    uint32_t levels;
};

/** A tree of so many seats, LP_COUNT_MAX at most, of which none has a mark. */
struct seat_tree seat_tree_empty(uint32_t seats);

/** So many more seats may have marks at once. False if out of memory, and
 *  nothing has changed. */
bool seat_pool_grow(struct seat_pool *pool, uint32_t seats);

/** So many fewer. They have none. */
void seat_pool_shrink(struct seat_pool *pool, uint32_t seats);

/** The seat has that mark from now on, and it stands for `owner`. One pool
 *  serves the tree at all times. */
void seat_tree_set(struct seat_pool *pool, struct seat_tree *tree,
                   uint32_t seat, run_mark_t mark, void *owner);

/** The seat has none any more. */
void seat_tree_remove(struct seat_pool *pool, struct seat_tree *tree,
                      uint32_t seat);

/** What the seat *from stands for, or the first one after that has a mark,
 *  which *from is then; NULL: none. */
void *seat_tree_next(const struct seat_tree *tree, uint32_t *from);

#endif
