/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/seat_tree.h"

#include <stdlib.h>
#include <string.h>

#include "sim/core/check.h"
#include "sim/core/host_line.h"

/* Of places that follow each other: a line of the host's caches. */
#define GROUP (HOST_LINE_BYTES / (uint32_t)sizeof(run_mark_t))

_Static_assert(GROUP == 4, "as least_besides() has it");

/* Places of a level above which there are `below`: one for each group. */
static uint32_t places_of(uint32_t below)
{
    return (below / GROUP + GROUP - 1) / GROUP * GROUP;
}

/* Those of the seats' own level. */
static uint32_t seat_places(const struct seat_tree *tree)
{
    return (tree->seats + GROUP - 1) / GROUP * GROUP;
}

static uint32_t all_places(const struct seat_tree *tree)
{
    uint32_t level = seat_places(tree);
    uint32_t sum = level;

    for (; level > GROUP; sum += level)
        level = places_of(level);
    return sum;
}

bool seat_tree_init(struct seat_tree *tree, uint32_t seats)
{
    CHECK(seats > 0 && seats <= LP_COUNT_MAX);
    *tree = (struct seat_tree){.seats = seats};
    tree->places = aligned_alloc(HOST_LINE_BYTES,
                                 all_places(tree) * sizeof(*tree->places));
    tree->owners = malloc(seats * sizeof(*tree->owners));
    if (tree->places && tree->owners)
        return true;
    seat_tree_fini(tree);
    return false;
}

void seat_tree_fini(struct seat_tree *tree)
{
    free(tree->places);
    free(tree->owners);
}

void seat_tree_clear(struct seat_tree *tree)
{
    tree->least = RUN_MARK_NONE;
    tree->first = NULL;
    tree->marked = (struct lp_set){0};
    for (uint32_t i = 0; i < all_places(tree); i++)
        tree->places[i] = RUN_MARK_NONE;
}

static run_mark_t lesser(run_mark_t a, run_mark_t b)
{
    return a < b ? a : b;
}

/* The least of the group without that place. */
static run_mark_t least_besides(const run_mark_t *places, uint32_t at)
{
    return lesser(places[at ^ 1], lesser(places[at ^ 2], places[at ^ 3]));
}

/* Puts what the seat has to its place, and the least of each group to that
 * above; returns the least of all. */
static run_mark_t place(const struct seat_tree *tree, uint32_t seat,
                        run_mark_t mark)
{
    run_mark_t *places = tree->places;
    uint32_t level = seat_places(tree);
    uint32_t at = seat;

    for (;;) {
        run_mark_t others = least_besides(places, at);

        places[at] = mark;
        mark = lesser(mark, others);
        if (level == GROUP)
            return mark;
        places += level;
        level = places_of(level);
        at /= GROUP;
    }
}

/* A place says which seat it is of: in the lower half of the number, which no
 * order depends on, as numbers differ. */
static run_mark_t with_seat(run_mark_t mark, uint32_t seat)
{
    return run_mark(run_mark_key(mark), (uint64_t)mark << 32 | seat);
}

static void set_least(struct seat_tree *tree, run_mark_t least)
{
    tree->least = RUN_MARK_NONE;
    tree->first = NULL;
    if (least == RUN_MARK_NONE)
        return;
    tree->least = run_mark(run_mark_key(least), (uint64_t)least >> 32);
    tree->first_seat = (uint32_t)least;
    tree->first = tree->owners[tree->first_seat];
}

void seat_tree_set(struct seat_tree *tree, uint32_t seat, run_mark_t mark,
                   void *owner)
{
    CHECK(seat < tree->seats && (uint64_t)mark >> 32 == 0);
    lp_set_add(&tree->marked, seat);
    tree->owners[seat] = owner;
    set_least(tree, place(tree, seat, with_seat(mark, seat)));
}

void seat_tree_remove(struct seat_tree *tree, uint32_t seat)
{
    CHECK(seat < tree->seats && seat_tree_has(tree, seat));
    lp_set_remove(&tree->marked, seat);
    set_least(tree, place(tree, seat, RUN_MARK_NONE));
}

void *seat_tree_second(const struct seat_tree *tree)
{
    const run_mark_t *places = tree->places;
    uint32_t level = seat_places(tree);
    uint32_t at = tree->first_seat;
    run_mark_t least = RUN_MARK_NONE;

    if (!tree->first)
        return NULL;
    for (;;) {
        least = lesser(least, least_besides(places, at));
        if (level == GROUP)
            break;
        places += level;
        level = places_of(level);
        at /= GROUP;
    }
    return least == RUN_MARK_NONE ? NULL : tree->owners[(uint32_t)least];
}

void *seat_tree_next(const struct seat_tree *tree, uint32_t *from)
{
    int seat = lp_set_next(&tree->marked, *from);

    if (seat < 0)
        return NULL;
    *from = (uint32_t)seat;
    return tree->owners[seat];
}
