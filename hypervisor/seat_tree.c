/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/seat_tree.h"

#include <stdalign.h>
#include <stdlib.h>

#include "sim/core/check.h"
#include "sim/core/host_line.h"

#define FANOUT_BITS 3
#define FANOUT (1u << FANOUT_BITS)
#define LEVELS 3

_Static_assert(1u << (FANOUT_BITS * LEVELS) >= LP_COUNT_MAX,
               "a path for each seat");

/* By the digits of seats' numbers. A mark is the least of what is below it; a
 * node that is there has one at least. */
struct seat_node {
    alignas(HOST_LINE_BYTES) run_mark_t mark[FANOUT];
    void *below[FANOUT]; /* nodes; of a leaf, owners; of a free one, the first:
                            the next one */
};

static uint32_t digit(uint32_t seat, uint32_t level)
{
    return seat >> (FANOUT_BITS * level) & (FANOUT - 1);
}

/* The pool. */

bool seat_pool_grow(struct seat_pool *pool, uint32_t seats)
{
    for (uint32_t i = 0; i < seats * LEVELS; i++) {
        struct seat_node *node = host_line_calloc(sizeof(*node));

        if (!node) {
            for (; i > 0; i--) {
                node = pool->free;
                pool->free = node->below[0];
                free(node);
            }
            return false;
        }
        node->below[0] = pool->free;
        pool->free = node;
    }
    return true;
}

static struct seat_node *take_node(struct seat_pool *pool)
{
    struct seat_node *node = pool->free;

    CHECK(node);
    pool->free = node->below[0];
    for (uint32_t i = 0; i < FANOUT; i++) {
        node->mark[i] = RUN_MARK_NONE;
        node->below[i] = NULL;
    }
    return node;
}

static void give_back(struct seat_pool *pool, struct seat_node *node)
{
    node->below[0] = pool->free;
    pool->free = node;
}

void seat_pool_shrink(struct seat_pool *pool, uint32_t seats)
{
    for (uint32_t i = 0; i < seats * LEVELS; i++)
        free(take_node(pool));
}

/* Marks. */

/* All are looked at: that is faster than to guess which to skip. */
static run_mark_t least_of(const struct seat_node *node)
{
    run_mark_t least = node->mark[0];

    for (uint32_t i = 1; i < FANOUT; i++)
        least = node->mark[i] < least ? node->mark[i] : least;
    return least;
}

static uint32_t place_of(const struct seat_node *node, run_mark_t mark)
{
    uint32_t place = 0;

    for (uint32_t i = 1; i < FANOUT; i++)
        place = node->mark[i] == mark ? i : place;
    return place;
}

static void *owner_of(const struct seat_tree *tree, run_mark_t mark)
{
    const struct seat_node *node = tree->root;

    for (uint32_t level = LEVELS - 1; level > 0; level--)
        node = node->below[place_of(node, mark)];
    return node->below[place_of(node, mark)];
}

/* The nodes from the root, which is of the highest level, to the seat's leaf,
 * that of level 0; made where they are missing. */
static void find_path(struct seat_pool *pool, struct seat_tree *tree,
                      uint32_t seat, struct seat_node *path[LEVELS])
{
    if (!tree->root)
        tree->root = take_node(pool);
    path[LEVELS - 1] = tree->root;
    for (uint32_t level = LEVELS - 1; level > 0; level--) {
        void **below = &path[level]->below[digit(seat, level)];

        if (!*below)
            *below = take_node(pool);
        path[level - 1] = *below;
    }
}

/* The node's least mark was `before`; now one that was `old` is `mark`. */
static run_mark_t least_now(const struct seat_node *node, run_mark_t before,
                            run_mark_t old, run_mark_t mark)
{
    if (mark <= before)
        return mark;
    return old == before ? least_of(node) : before;
}

/* Gives back the nodes of the path that have no marks any more. */
static void prune(struct seat_pool *pool, struct seat_tree *tree, uint32_t seat,
                  struct seat_node *path[LEVELS])
{
    for (uint32_t level = 0; level < LEVELS; level++) {
        if (least_of(path[level]) != RUN_MARK_NONE)
            return;
        if (level == LEVELS - 1)
            tree->root = NULL;
        else
            path[level + 1]->below[digit(seat, level + 1)] = NULL;
        give_back(pool, path[level]);
    }
}

/* Up the path, for as long as the least changes. */
static void set_mark(struct seat_tree *tree, uint32_t seat,
                     struct seat_node *path[LEVELS], run_mark_t mark)
{
    for (uint32_t level = 0; level < LEVELS; level++) {
        run_mark_t *at = &path[level]->mark[digit(seat, level)];
        run_mark_t old = *at;
        run_mark_t before = level + 1 < LEVELS
                                ? path[level + 1]->mark[digit(seat, level + 1)]
                                : tree->least;

        if (old == mark)
            return;
        *at = mark;
        mark = least_now(path[level], before, old, mark);
    }
    if (mark == tree->least)
        return;
    tree->least = mark;
    tree->first = mark == RUN_MARK_NONE ? NULL : owner_of(tree, mark);
}

void seat_tree_set(struct seat_pool *pool, struct seat_tree *tree,
                   uint32_t seat, run_mark_t mark, void *owner)
{
    struct seat_node *path[LEVELS];

    CHECK(seat < LP_COUNT_MAX && mark != RUN_MARK_NONE);
    find_path(pool, tree, seat, path);
    path[0]->below[digit(seat, 0)] = owner;
    set_mark(tree, seat, path, mark);
    if (tree->least == mark)
        tree->first = owner;
}

void seat_tree_remove(struct seat_pool *pool, struct seat_tree *tree,
                      uint32_t seat)
{
    struct seat_node *path[LEVELS];

    find_path(pool, tree, seat, path);
    CHECK(path[0]->below[digit(seat, 0)]);
    path[0]->below[digit(seat, 0)] = NULL;
    set_mark(tree, seat, path, RUN_MARK_NONE);
    prune(pool, tree, seat, path);
}

/* What the first seat from that one on stands for, of those below the node. */
static void *next_below(const struct seat_node *node, uint32_t level,
                        uint32_t from)
{
    for (uint32_t i = digit(from, level); i < FANOUT; i++) {
        uint32_t rest = i == digit(from, level) ? from : 0;
        void *below = node->below[i];

        if (below && level > 0)
            below = next_below(below, level - 1, rest);
        if (below)
            return below;
    }
    return NULL;
}

void *seat_tree_next(const struct seat_tree *tree, uint32_t from)
{
    if (!tree->root || from >= LP_COUNT_MAX)
        return NULL;
    return next_below(tree->root, LEVELS - 1, from);
}
