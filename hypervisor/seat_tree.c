/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/seat_tree.h"

#include <stdalign.h>
#include <stdlib.h>

#include "sim/core/check.h"
#include "sim/core/host_line.h"

#define FANOUT_BITS 3
#define FANOUT (1u << FANOUT_BITS)
#define LEVELS_MOST 3

_Static_assert(1u << (FANOUT_BITS * LEVELS_MOST) >= LP_COUNT_MAX,
               "a path for each seat");

/* By the digits of seats' numbers. A mark is the least of what is below it; a
 * node of a tree has one at least, a free one none. */
struct seat_node {
    alignas(HOST_LINE_BYTES) run_mark_t mark[FANOUT];
    void *below[FANOUT]; /* nodes; of a leaf, owners; NULL: no mark. Of a free
                            one, the first is the next */
    uint32_t first;      /* where the least mark is */
};

static uint32_t digit(uint32_t seat, uint32_t level)
{
    return seat >> (FANOUT_BITS * level) & (FANOUT - 1);
}

/* The pool. */

bool seat_pool_grow(struct seat_pool *pool, uint32_t seats)
{
    for (uint32_t i = 0; i < seats * LEVELS_MOST; i++) {
        struct seat_node *node = host_line_calloc(sizeof(*node));

        if (!node) {
            for (; i > 0; i--) {
                node = pool->free;
                pool->free = node->below[0];
                free(node);
            }
            return false;
        }
        for (uint32_t at = 0; at < FANOUT; at++)
            node->mark[at] = RUN_MARK_NONE;
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
    node->below[0] = NULL;
    return node;
}

static void give_back(struct seat_pool *pool, struct seat_node *node)
{
    node->below[0] = pool->free;
    pool->free = node;
}

void seat_pool_shrink(struct seat_pool *pool, uint32_t seats)
{
    for (uint32_t i = 0; i < seats * LEVELS_MOST; i++)
        free(take_node(pool));
}

struct seat_tree seat_tree_empty(uint32_t seats)
{
    uint32_t levels = 1;

    CHECK(seats <= LP_COUNT_MAX);
    while (seats > 1u << (FANOUT_BITS * levels))
        levels++;
    return (struct seat_tree){.least = RUN_MARK_NONE, .levels = levels};
}

/* Marks. */

static run_mark_t least_of(const struct seat_node *node)
{
    return node->mark[node->first];
}

/* Looks at all: that is faster than to guess which to skip. */
static void find_first(struct seat_node *node)
{
    run_mark_t least = node->mark[0];

    node->first = 0;
    for (uint32_t i = 1; i < FANOUT; i++) {
        node->first = node->mark[i] < least ? i : node->first;
        least = node->mark[i] < least ? node->mark[i] : least;
    }
}

/* The nodes from the root, which is of the highest level, to the seat's leaf,
 * that of level 0; made where they are missing. */
static void find_path(struct seat_pool *pool, struct seat_tree *tree,
                      uint32_t seat, struct seat_node *path[LEVELS_MOST])
{
    if (!tree->root)
        tree->root = take_node(pool);
    path[tree->levels - 1] = tree->root;
    for (uint32_t level = tree->levels - 1; level > 0; level--) {
        void **below = &path[level]->below[digit(seat, level)];

        if (!*below)
            *below = take_node(pool);
        path[level - 1] = *below;
    }
}

/* True if the node's least mark is another one now. */
static bool set_mark_at(struct seat_node *node, uint32_t at, run_mark_t mark)
{
    run_mark_t before = least_of(node);

    node->mark[at] = mark;
    if (mark <= before)
        node->first = at;
    else if (at == node->first)
        find_first(node);
    return least_of(node) != before;
}

/* Up the path, for as long as the least changes. */
static void set_mark(struct seat_tree *tree, uint32_t seat,
                     struct seat_node *path[LEVELS_MOST], run_mark_t mark)
{
    for (uint32_t level = 0; level < tree->levels; level++) {
        if (!set_mark_at(path[level], digit(seat, level), mark))
            return;
        mark = least_of(path[level]);
    }
}

/* The least of all, from what the root says. */
static void find_least(struct seat_tree *tree)
{
    const struct seat_node *node = tree->root;

    tree->least = node ? least_of(node) : RUN_MARK_NONE;
    for (uint32_t level = tree->levels - 1; node && level > 0; level--)
        node = node->below[node->first];
    tree->first = node ? node->below[node->first] : NULL;
}

/* Gives back the nodes of the path that have no marks any more. */
static void prune(struct seat_pool *pool, struct seat_tree *tree, uint32_t seat,
                  struct seat_node *path[LEVELS_MOST])
{
    for (uint32_t level = 0; level < tree->levels; level++) {
        if (least_of(path[level]) != RUN_MARK_NONE)
            return;
        if (level == tree->levels - 1)
            tree->root = NULL;
        else
            path[level + 1]->below[digit(seat, level + 1)] = NULL;
        give_back(pool, path[level]);
    }
}

void seat_tree_set(struct seat_pool *pool, struct seat_tree *tree,
                   uint32_t seat, run_mark_t mark, void *owner)
{
    struct seat_node *path[LEVELS_MOST];

    CHECK(mark != RUN_MARK_NONE && digit(seat, tree->levels) == 0);
    find_path(pool, tree, seat, path);
    path[0]->below[digit(seat, 0)] = owner;
    set_mark(tree, seat, path, mark);
    find_least(tree);
}

void seat_tree_remove(struct seat_pool *pool, struct seat_tree *tree,
                      uint32_t seat)
{
    struct seat_node *path[LEVELS_MOST];

    find_path(pool, tree, seat, path);
    CHECK(path[0]->below[digit(seat, 0)]);
    path[0]->below[digit(seat, 0)] = NULL;
    set_mark(tree, seat, path, RUN_MARK_NONE);
    prune(pool, tree, seat, path);
    find_least(tree);
}

/* As seat_tree_next(), of what is below the node. */
static void *next_below(const struct seat_node *node, uint32_t level,
                        uint32_t *from)
{
    uint32_t step = 1u << (FANOUT_BITS * level);

    for (uint32_t i = digit(*from, level); i < FANOUT; i++) {
        void *below = node->below[i];
        void *found = below;

        if (!below)
            *from = *from / step * step + step;
        else if (level > 0)
            found = next_below(below, level - 1, from);
        if (found)
            return found;
    }
    return NULL;
}

void *seat_tree_next(const struct seat_tree *tree, uint32_t *from)
{
    if (!tree->root || digit(*from, tree->levels) > 0)
        return NULL;
    return next_below(tree->root, tree->levels - 1, from);
}
