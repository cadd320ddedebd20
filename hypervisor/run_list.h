/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_RUN_LIST_H
#define HVSIM_HYPERVISOR_RUN_LIST_H

/**
 * A run list: what waits for an LP, in the order of a key. What the key means
 * (virtual time, a deadline) is the policy's business; equals stand in the
 * order of their numbers. Entries lie in the policy's own structs, so adding
 * one cannot fail; adding, removing and finding the next cost O(log n), and
 * near the ends, where policies work, O(1).
 *
 * Design. A treap: a search tree by key that is a heap by a hash of the
 * number. Its shape depends on what is on it alone, not on addresses. Where an
 * entry belongs is looked for from the nearer end.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct run_list;

/** Zero-initialise; then set the first three. */
struct run_entry {
    void *owner;     /* borrowed: the VP, or whatever else a policy lists */
    uint64_t key;    /* the least is first; does not change while listed */
    uint32_t number; /* of equals the least is first; unique on a list */

    /* Private to run_list.c. */
    struct run_list *list; /* NULL: on none */
    struct run_entry *parent;
    struct run_entry *child[2];
};

/** Zero-initialise: empty. */
struct run_list {
    struct run_entry *root;
    struct run_entry *end[2]; /* first and last */
    uint32_t count;
};

/** Adds an entry that is on no list, which stays its owner's. */
void run_list_add(struct run_list *list, struct run_entry *entry);

/** Takes the entry off the list that it is on. */
void run_list_remove(struct run_entry *entry);

/** The entry that stands after that one, or NULL. */
struct run_entry *run_list_next(const struct run_entry *entry);

/** The entry that stands before, or after, all others; NULL if the list is
 *  empty. */
static inline struct run_entry *run_list_first(const struct run_list *list)
{
    return list->end[0];
}

static inline struct run_entry *run_list_last(const struct run_list *list)
{
    return list->end[1];
}

static inline bool run_list_has(const struct run_list *list,
                                const struct run_entry *entry)
{
    return entry->list == list;
}

/** True if the entry is on some list. */
static inline bool run_list_is_listed(const struct run_entry *entry)
{
    return entry->list != NULL;
}

/** True if `a` stands, or would stand, before `b`. */
static inline bool run_list_before(const struct run_entry *a,
                                   const struct run_entry *b)
{
    return a->key != b->key ? a->key < b->key : a->number < b->number;
}

#endif
