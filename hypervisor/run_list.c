/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/run_list.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "sim/core/check.h"
#include "sim/core/host_line.h"

/* Of what is below a node. The least does not hold for the root. */
#define NODE_MOST 12
#define NODE_LEAST 4
/* So many are in a node's first two lines: most lists have no more. */
#define NODE_FEW 5
/* Neighbours of so many together become one, with room for what comes next. */
#define NODE_MERGED_MOST 10

/* Of a free place: after all others. */
#define NUMBER_NONE UINT64_MAX
#define KEY_NONE UINT64_MAX

/**
 * A leaf has entries below it, an inner node has nodes, in order; a leaf's
 * marks (key and number) are those of its entries. An inner node's mark is at
 * or before all that is below there, and after all that is before that; its
 * first one is the least there is.
 */
struct run_node {
    alignas(HOST_LINE_BYTES) uint32_t count;
    struct place {
        uint64_t number;
        uint64_t key;
        void *below; /* of a free node, the first: the next one */
    } place[NODE_MOST];
};

static void set_mark(struct run_node *node, uint32_t at, uint64_t key,
                     uint64_t number)
{
    node->place[at].key = key;
    node->place[at].number = number;
}

/* The pool. */

bool run_pool_grow(struct run_pool *pool, uint32_t entries)
{
    for (uint32_t i = 0; i < entries; i++) {
        struct run_node *node = host_line_calloc(sizeof(*node));

        if (!node) {
            run_pool_shrink(pool, i);
            return false;
        }
        for (uint32_t at = 0; at < NODE_MOST; at++)
            set_mark(node, at, KEY_NONE, NUMBER_NONE);
        node->place[0].below = pool->free;
        pool->free = node;
    }
    return true;
}

static struct run_node *take_node(struct run_pool *pool)
{
    struct run_node *node = pool->free;

    CHECK(node);
    pool->free = node->place[0].below;
    return node;
}

/* It is empty. */
static void give_back(struct run_pool *pool, struct run_node *node)
{
    node->place[0].below = pool->free;
    pool->free = node;
}

void run_pool_shrink(struct run_pool *pool, uint32_t entries)
{
    for (uint32_t i = 0; i < entries; i++)
        free(take_node(pool));
}

/* Nodes. */

/* How many marks of the node are at or before the entry's. Free places are
 * looked at, too: that is faster than to guess where to stop. */
static uint32_t count_up_to(const struct run_node *node,
                            const struct run_entry *entry)
{
    run_mark_t mark = run_entry_mark(entry);
    uint32_t places = node->count <= NODE_FEW ? NODE_FEW : NODE_MOST;
    uint32_t count = 0;

    for (uint32_t i = 0; i < places; i++)
        count += run_mark(node->place[i].key, node->place[i].number) <= mark;
    return count;
}

/* Below which node of an inner one the entry is, or belongs. */
static uint32_t place_of_child(const struct run_node *node,
                               const struct run_entry *entry)
{
    return count_up_to(node, entry) - 1;
}

static struct run_node *child(const struct run_node *node, uint32_t at)
{
    return node->place[at].below;
}

/* Moves what is at `from` and after it to `to`, within the node. */
static void shift(struct run_node *node, uint32_t from, uint32_t to)
{
    uint32_t count = node->count - from;

    memmove(&node->place[to], &node->place[from], count * sizeof(*node->place));
    for (uint32_t i = to + count; i < node->count; i++)
        set_mark(node, i, KEY_NONE, NUMBER_NONE);
    node->count = to + count;
}

/* Moves `count` from a place of one node to a place of another. */
static void move(struct run_node *from, uint32_t at, uint32_t count,
                 struct run_node *to, uint32_t place)
{
    shift(to, place, place + count);
    memcpy(&to->place[place], &from->place[at], count * sizeof(*to->place));
    shift(from, at + count, at);
}

/* The mark of the node there is that of its first, which loses it if it is a
 * node itself. */
static void raise_mark(struct run_node *node, uint32_t at, bool is_inner)
{
    struct run_node *below = child(node, at);

    set_mark(node, at, below->place[0].key, below->place[0].number);
    if (is_inner)
        set_mark(below, 0, 0, 0);
}

/* Makes two of the full node that is there. */
static void split_child(struct run_pool *pool, struct run_node *node,
                        uint32_t at, bool is_inner)
{
    struct run_node *left = child(node, at);
    struct run_node *right = take_node(pool);

    move(left, NODE_MOST / 2, NODE_MOST / 2, right, 0);
    shift(node, at + 1, at + 2);
    node->place[at + 1].below = right;
    raise_mark(node, at + 1, is_inner);
}

/* Has the child there, which has no more than it must, take from a neighbour,
 * or become one with it. */
static void refill_child(struct run_pool *pool, struct run_node *node,
                         uint32_t at, bool is_inner)
{
    uint32_t place = at > 0 ? at : 1;
    struct run_node *left = child(node, place - 1);
    struct run_node *right = child(node, place);
    uint32_t half = (left->count + right->count) / 2;

    if (is_inner)
        set_mark(right, 0, node->place[place].key, node->place[place].number);
    if (left->count + right->count <= NODE_MERGED_MOST) {
        move(right, 0, right->count, left, left->count);
        shift(node, place + 1, place);
        give_back(pool, right);
        return;
    }
    if (left->count > half)
        move(left, half, left->count - half, right, 0);
    else
        move(right, 0, half - left->count, left, left->count);
    raise_mark(node, place, is_inner);
}

/* Lists. */

static void split_root(struct run_list *list)
{
    struct run_node *root = take_node(list->pool);

    set_mark(root, 0, 0, 0);
    root->place[0].below = list->root;
    root->count = 1;
    list->root = root;
    split_child(list->pool, root, 0, list->height++ > 0);
}

/* The leaf to which the entry belongs; it has room. */
static struct run_node *leaf_for(struct run_list *list,
                                 const struct run_entry *entry)
{
    struct run_node *node;

    if (!list->root)
        list->root = take_node(list->pool);
    if (list->root->count == NODE_MOST)
        split_root(list);
    node = list->root;
    for (uint32_t level = list->height; level > 0; level--) {
        uint32_t at = place_of_child(node, entry);

        if (child(node, at)->count == NODE_MOST) {
            split_child(list->pool, node, at, level > 1);
            at = place_of_child(node, entry);
        }
        node = child(node, at);
    }
    return node;
}

void run_list_add(struct run_list *list, struct run_entry *entry)
{
    struct run_node *leaf;
    uint32_t at;

    CHECK(!entry->list);
    leaf = leaf_for(list, entry);
    at = count_up_to(leaf, entry);
    shift(leaf, at, at + 1);
    set_mark(leaf, at, entry->key, entry->number);
    leaf->place[at].below = entry;
    entry->list = list;
    if (run_entry_mark(entry) < run_list_first_mark(list)) {
        list->first = entry;
        list->first_mark = run_entry_mark(entry);
    }
}

/* The leaf on which the entry is; it can spare one, or is all there is. */
static struct run_node *leaf_of(struct run_list *list,
                                const struct run_entry *entry)
{
    struct run_node *node = list->root;

    for (uint32_t level = list->height; level > 0; level--) {
        uint32_t at = place_of_child(node, entry);
        struct run_node *below = child(node, at);

        if (below->count == NODE_LEAST) {
            refill_child(list->pool, node, at, level > 1);
            below = child(node, place_of_child(node, entry));
        }
        if (node->count == 1) {
            list->root = below;
            list->height--;
            shift(node, 1, 0);
            give_back(list->pool, node);
        }
        node = below;
    }
    return node;
}

/* The first place of all leaves below a node of that level. */
static const struct place *first_below(const struct run_node *node,
                                       uint32_t level)
{
    for (; level > 0; level--)
        node = child(node, 0);
    return &node->place[0];
}

void run_list_remove(struct run_entry *entry)
{
    struct run_list *list = entry->list;
    struct run_node *leaf;
    uint32_t at;

    CHECK(list);
    leaf = leaf_of(list, entry);
    at = count_up_to(leaf, entry);
    CHECK(at > 0 && leaf->place[at - 1].below == entry);
    shift(leaf, at, at - 1);
    entry->list = NULL;
    if (leaf->count == 0) {
        give_back(list->pool, leaf);
        list->root = NULL;
        list->first = NULL;
    } else if (list->first == entry) { /* the next is of the same leaf */
        list->first = leaf->place[0].below;
        list->first_mark = run_mark(leaf->place[0].key, leaf->place[0].number);
    }
}

struct run_entry *run_list_next(const struct run_entry *entry)
{
    const struct run_list *list = entry->list;
    const struct run_node *node = list->root;
    struct run_entry *next = NULL;
    uint32_t at;

    for (uint32_t level = list->height; level > 0; level--) {
        at = place_of_child(node, entry);
        if (at + 1 < node->count)
            next = first_below(child(node, at + 1), level - 1)->below;
        node = child(node, at);
    }
    at = count_up_to(node, entry);
    return at < node->count ? node->place[at].below : next;
}

struct run_entry *run_list_peek(const struct run_list *list, uint32_t n)
{
    const struct run_node *leaf = list->root;

    if (!leaf)
        return NULL;
    for (uint32_t level = list->height; level > 0; level--)
        leaf = child(leaf, 0);
    return n < leaf->count ? leaf->place[n].below : NULL;
}

struct run_entry *run_list_last(const struct run_list *list)
{
    const struct run_node *node = list->root;

    if (!node)
        return NULL;
    for (uint32_t level = list->height; level > 0; level--)
        node = child(node, node->count - 1);
    return node->place[node->count - 1].below;
}
