/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_RUN_LIST_H
#define HVSIM_HYPERVISOR_RUN_LIST_H

/**
 * A run list: what waits for an LP, in the order of a key. What the key means
 * (virtual time, a deadline) is the policy's business; equals stand in the
 * order of their numbers. Entries lie in the policy's own structs; the first
 * costs O(1), all else O(log n).
 *
 * Design. A B+ tree whose nodes hold their keys. Thousands of VPs do not fit
 * into the host's caches, and the tree above them does: so a place is found
 * without a look at those who wait.
 *
 * Adding cannot fail. Nodes come from a pool, to which each entry brings one
 * when it is made (run_pool_grow()): a list never needs more nodes than it has
 * entries.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hypervisor/run_mark.h"

struct run_list;
struct run_node;

/** Nodes that no list uses. Zero-initialise: empty. */
struct run_pool {
    struct run_node *free;
};

/** Zero-initialise; then set the first three. */
struct run_entry {
    void *owner;     /* borrowed: the VP, or whatever else a policy lists */
    uint64_t key;    /* the least is first; does not change while listed */
    uint32_t number; /* of equals the least is first; unique on a list */
    uint32_t remark; /* the owner's: there is room for it */

    /* Private to run_list.c. */
    struct run_list *list; /* NULL: on none */
};

/** Zero-initialise; then set the first. */
struct run_list {
    struct run_pool *pool; /* borrowed */

    /* Private to run_list.c. */
    struct run_node *root;   /* NULL: empty */
    struct run_entry *first; /* NULL: empty */
    uint32_t height;         /* of inner nodes below each other */
    run_mark_t first_mark;   /* that of the first, if there is one */
};

/** So many more entries may be on the pool's lists at once. False if out of
 *  memory, and nothing has changed. */
bool run_pool_grow(struct run_pool *pool, uint32_t entries);

/** So many fewer. They are on no list. */
void run_pool_shrink(struct run_pool *pool, uint32_t entries);

/** Adds an entry that is on no list, which stays its owner's. */
void run_list_add(struct run_list *list, struct run_entry *entry);

/** Takes the entry off the list that it is on. */
void run_list_remove(struct run_entry *entry);

/** The entry that stands after that one, or NULL. */
struct run_entry *run_list_next(const struct run_entry *entry);

/** The entry that stands n places after the first, without a look at any; NULL:
 *  there is none, or that would take a search. */
struct run_entry *run_list_peek(const struct run_list *list, uint32_t n);

/** The entry that stands after all others; NULL if the list is empty. */
struct run_entry *run_list_last(const struct run_list *list);

/** The entry that stands before all others; NULL if the list is empty. */
static inline struct run_entry *run_list_first(const struct run_list *list)
{
    return list->first;
}

/** Where it stands, without a look at it; RUN_MARK_NONE: the list is empty. */
static inline run_mark_t run_list_first_mark(const struct run_list *list)
{
    return list->first ? list->first_mark : RUN_MARK_NONE;
}

static inline bool run_list_has(const struct run_list *list,
                                const struct run_entry *entry)
{
    return entry->list == list;
}

/** The list that the entry is on, or NULL. */
static inline struct run_list *run_list_of(const struct run_entry *entry)
{
    return entry->list;
}

/** True if the entry is on some list. */
static inline bool run_list_is_listed(const struct run_entry *entry)
{
    return entry->list != NULL;
}

/** Where an entry stands, or would stand. */
static inline run_mark_t run_entry_mark(const struct run_entry *entry)
{
    return run_mark(entry->key, entry->number);
}

#endif
