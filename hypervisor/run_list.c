/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/run_list.h"

#include <stddef.h>

#include "sim/core/check.h"

/* The heap's order: spreads consecutive numbers (the finaliser of a 32-bit
 * hash, all of whose steps can be undone: no two numbers are equal). */
static uint32_t height(const struct run_entry *entry)
{
    uint32_t hash = entry->number;

    hash = (hash ^ hash >> 16) * 0x7feb352du;
    hash = (hash ^ hash >> 15) * 0x846ca68bu;
    return hash ^ hash >> 16;
}

static unsigned side_of(const struct run_entry *entry)
{
    return entry->parent->child[1] == entry;
}

/* Puts `entry` (or nothing) where `old` hangs. */
static void replace(struct run_list *list, struct run_entry *old,
                    struct run_entry *entry)
{
    if (!old->parent)
        list->root = entry;
    else
        old->parent->child[side_of(old)] = entry;
    if (entry)
        entry->parent = old->parent;
}

/* Lifts `entry` above its parent, keeping the order of keys. */
static void rotate_up(struct run_list *list, struct run_entry *entry)
{
    struct run_entry *parent = entry->parent;
    unsigned side = side_of(entry);
    struct run_entry *inner = entry->child[!side];

    replace(list, parent, entry);
    parent->child[side] = inner;
    if (inner)
        inner->parent = parent;
    entry->child[!side] = parent;
    parent->parent = entry;
}

/* The entry next to that one on that side, or NULL. */
static struct run_entry *neighbour(const struct run_entry *entry, unsigned side)
{
    if (entry->child[side]) {
        struct run_entry *next = entry->child[side];

        while (next->child[!side])
            next = next->child[!side];
        return next;
    }
    while (entry->parent && side_of(entry) == side)
        entry = entry->parent;
    return entry->parent;
}

/* A node below which `entry` belongs: from an end up to where its key is
 * passed. */
static struct run_entry *start_for(const struct run_list *list,
                                   const struct run_entry *entry)
{
    unsigned side = run_list_before(list->root, entry);
    struct run_entry *node = list->end[side];

    while (node != list->root && run_list_before(node, entry) != side)
        node = node->parent;
    return node;
}

static void hang_as_leaf(struct run_list *list, struct run_entry *entry)
{
    struct run_entry *node = start_for(list, entry);

    for (;;) {
        unsigned side = run_list_before(node, entry);

        entry->parent = node;
        if (!node->child[side]) {
            node->child[side] = entry;
            if (list->end[side] == node)
                list->end[side] = entry;
            return;
        }
        node = node->child[side];
    }
}

void run_list_add(struct run_list *list, struct run_entry *entry)
{
    CHECK(!entry->list);
    entry->list = list;
    entry->parent = entry->child[0] = entry->child[1] = NULL;
    if (list->root)
        hang_as_leaf(list, entry);
    else
        list->root = list->end[0] = list->end[1] = entry;
    while (entry->parent && height(entry->parent) < height(entry))
        rotate_up(list, entry);
    list->count++;
}

/* Sinks the entry until it has one child at most. */
static void sink(struct run_list *list, struct run_entry *entry)
{
    while (entry->child[0] && entry->child[1]) {
        bool right = height(entry->child[0]) < height(entry->child[1]);

        rotate_up(list, entry->child[right]);
    }
}

void run_list_remove(struct run_entry *entry)
{
    struct run_list *list = entry->list;

    CHECK(list);
    for (unsigned side = 0; side < 2; side++) {
        if (list->end[side] == entry)
            list->end[side] = neighbour(entry, !side);
    }
    sink(list, entry);
    replace(list, entry, entry->child[entry->child[0] == NULL]);
    entry->list = NULL;
    list->count--;
}

struct run_entry *run_list_next(const struct run_entry *entry)
{
    return neighbour(entry, 1);
}
