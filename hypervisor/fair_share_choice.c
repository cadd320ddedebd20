/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Who goes next on a seat: by the marks that the lists have. A look at those
 * who wait would fetch each of them into the host's caches.
 */
#include "hypervisor/fair_share_private.h"

/* No slice is shorter than this part of the longest. */
#define SLICE_PARTS 64

static struct fair_entity *best_owed(const struct fair_share *share,
                                     uint32_t seat)
{
    const struct run_list *best = &share->seats[seat].owed;

    for (uint32_t node = 0; node < share->classes.node_count; node++) {
        const struct fair_class *class = share->classes.of_node[node];

        for (; class; class = class->next) {
            if (lp_set_has(&class->seats, seat) &&
                run_list_first_mark(&class->owed) < run_list_first_mark(best))
                best = &class->owed;
        }
    }
    if (!run_list_first(best))
        return NULL;
    return best == &share->seats[seat].owed
               ? fair_share_entity_of(run_list_first(best))
               : run_list_first(best)->owner;
}

/* Who waits elsewhere: its mark, and its class (NULL: nobody) or itself. */
struct candidate {
    run_mark_t mark;
    const struct fair_class *class;
    const struct run_entry *entry; /* NULL: the first of its class */
};

static struct candidate best_of_node(const struct fair_share *share,
                                     uint32_t seat)
{
    uint32_t node = share->seats[seat].node;
    struct candidate best = {.mark = RUN_MARK_NONE};

    for (const struct fair_class *class = share->classes.of_node[node]; class;
         class = class->next) {
        if (class->waiting.least < best.mark && lp_set_has(&class->seats, seat))
            best = (struct candidate){.mark = class->waiting.least,
                                      .class = class};
    }
    return best;
}

/* True if one who waits elsewhere takes the seat from the seat's own first. */
static bool is_ahead(const struct fair_share *share, run_mark_t local,
                     run_mark_t mark)
{
    return local == RUN_MARK_NONE ||
           run_mark_key(mark) + share->migrate_after < run_mark_key(local);
}

static bool is_ripe(const struct run_entry *entry, cycles_t now)
{
    const struct fair_entity *entity = fair_share_entity_of(entry);

    return !cycles_before(now, entity->patient_until);
}

static const struct run_entry *first_ripe_of_cell(const struct fair_cell *cell,
                                                  cycles_t now)
{
    const struct run_entry *entry = run_list_first(&cell->list);

    while (entry && !is_ripe(entry, now))
        entry = run_list_next(entry);
    return entry;
}

/* The first that takes a seat of another node; a seat that has others looks at
 * the very first alone. */
static const struct run_entry *first_ripe(const struct fair_class *class,
                                          bool has_others, cycles_t now)
{
    const struct run_entry *best = fair_class_first(class);
    const struct fair_cell *cell;

    if (is_ripe(best, now))
        return best;
    best = NULL;
    if (has_others)
        return NULL;
    for (uint32_t seat = 0; (cell = fair_class_next_cell(class, &seat)) != NULL;
         seat++) {
        const struct run_entry *ripe = first_ripe_of_cell(cell, now);

        if (ripe && (!best || run_entry_mark(ripe) < run_entry_mark(best)))
            best = ripe;
    }
    return best;
}

/* Those of `node`, which is not the seat's. */
static void prefer_foreign(const struct fair_share *share, uint32_t seat,
                           uint32_t node, run_mark_t local,
                           struct candidate *best, cycles_t now)
{
    for (const struct fair_class *class = share->classes.of_node[node]; class;
         class = class->next) {
        const struct run_entry *ripe;

        if (class->waiting.least == RUN_MARK_NONE ||
            !is_ahead(share, local, class->waiting.least) ||
            !lp_set_has(&class->seats, seat))
            continue;
        ripe = first_ripe(class, local != RUN_MARK_NONE, now);
        if (ripe && run_entry_mark(ripe) < best->mark)
            *best = (struct candidate){run_entry_mark(ripe), class, ripe};
    }
}

static struct fair_entity *first_at(const struct fair_seat *seat,
                                    run_mark_t mark)
{
    const struct fair_cell *cell = seat->cells;

    if (run_list_first_mark(&seat->own) == mark)
        return fair_share_entity_of(run_list_first(&seat->own));
    while (run_list_first_mark(&cell->list) != mark)
        cell = cell->next;
    return fair_share_entity_of(run_list_first(&cell->list));
}

static struct fair_entity *best_fair(const struct fair_share *share,
                                     uint32_t seat, cycles_t now)
{
    run_mark_t local = fair_share_local_mark(&share->seats[seat]);
    struct candidate best = best_of_node(share, seat);

    if (local != RUN_MARK_NONE || !best.class) {
        uint32_t own = share->seats[seat].node;

        for (uint32_t i = 1; i < share->classes.node_count; i++)
            prefer_foreign(share, seat,
                           fair_classes_node(&share->classes, own, i), local,
                           &best, now);
    }
    if (best.class && is_ahead(share, local, best.mark))
        return fair_share_entity_of(best.entry ? best.entry
                                               : fair_class_first(best.class));
    if (local == RUN_MARK_NONE)
        return NULL;
    return first_at(&share->seats[seat], local);
}

struct fair_entity *fair_share_best(const struct fair_share *share,
                                    uint32_t seat, cycles_t now)
{
    struct fair_entity *best = share->seats[seat].claimant;

    if (!best && share->owed_count > 0)
        best = best_owed(share, seat);
    return best ? best : best_fair(share, seat, now);
}

const struct fair_entity *fair_share_peek(const struct fair_entity *next,
                                          uint32_t n)
{
    const struct run_entry *entry = run_list_peek(run_list_of(&next->local), n);

    return entry ? fair_share_entity_of(entry) : NULL;
}

cycles_t fair_share_until(const struct fair_share *share,
                          const struct fair_entity *entity, uint32_t seat,
                          const struct fair_entity *holder, uint64_t time)
{
    uint64_t key = entity->local.key;

    if (fair_entity_seat(entity) != seat)
        key += share->migrate_after;
    if (key < time ||
        (key == time && entity->local.number < holder->local.number))
        return cycles(0);
    if (key - time >= UINT64_MAX / (2 * FAIR_SHARE_WEIGHT_MAX))
        return CYCLES_NEVER;
    return cycles((key - time + 1) * holder->weight / FAIR_SHARE_WEIGHT + 1);
}

cycles_t fair_share_slice(const struct fair_share *share,
                          const struct fair_entity *holder, uint32_t seat,
                          const struct fair_entity *next)
{
    uint64_t least = share->slice / SLICE_PARTS + 1;
    uint64_t slice = share->slice;

    if (!next)
        return cycles(slice);
    if (next->is_owed)
        return cycles(0);
    if (next->weight > holder->weight)
        slice = slice * holder->weight / next->weight;
    if (next->woken) {
        cycles_t until =
            fair_share_until(share, next, seat, holder, holder->virtual_time);

        until = cycles_max(until, share->preempt_after);
        slice = slice < until.v ? slice : until.v;
    }
    return cycles(slice > least ? slice : least);
}

/* A key behind all of the list. */
static uint64_t behind_list(const struct run_list *list, uint64_t key)
{
    const struct run_entry *last = run_list_last(list);

    return last && last->key >= key ? last->key + 1 : key;
}

uint64_t fair_share_behind(const struct fair_share *share, uint32_t seat,
                           cycles_t now)
{
    const struct fair_entity *best = fair_share_best(share, seat, now);
    uint64_t key = behind_list(&share->seats[seat].own, 0);

    for (const struct fair_cell *cell = share->seats[seat].cells; cell;
         cell = cell->next)
        key = behind_list(&cell->list, key);
    if (best && !best->is_owed && best->local.key + share->migrate_after >= key)
        key = best->local.key + share->migrate_after + 1;
    return key;
}
