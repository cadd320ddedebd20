/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/fair_share.h"

#include <stdlib.h>
#include <string.h>

#include "sim/core/check.h"

#define WEIGHT_MAX 10000
/* Of virtual time, so that its product with a weight fits. */
#define AHEAD_MOST (UINT64_MAX / WEIGHT_MAX)

/* On so many lists an entity may be at once. */
#define LISTS_MOST 4

/* No slice is shorter than this part of the longest. */
#define SLICE_PARTS 64

bool fair_share_init(struct fair_share *share, uint32_t seat_count,
                     const struct hv_sched_params *params)
{
    struct run_list empty = {.pool = &share->classes.pool};

    *share = (struct fair_share){
        .seats = host_line_calloc(seat_count * sizeof(*share->seats)),
        .seat_count = seat_count,
        .node_count = 1,
        .classes = {.seat_count = seat_count},
        .slice = params->slice.v,
        .migrate_after = params->migrate_after.v,
        .lag =
            FAIR_SHARE_LAG_SLICES * (params->slice.v + params->migrate_after.v),
        .wake_boost = params->wake_boost.v,
        .preempt_after = params->preempt_after,
        .patient = empty,
        .reserved = empty,
    };
    for (uint32_t i = 0; share->seats && i < seat_count; i++)
        share->seats[i] = (struct fair_seat){.own = empty, .owed = empty};
    return share->seats != NULL;
}

static struct fair_seat *seat_of(const struct fair_share *share,
                                 const struct fair_entity *entity)
{
    return &share->seats[fair_entity_seat(entity)];
}

void fair_share_fini(struct fair_share *share)
{
    free(share->seats);
}

bool fair_share_join(struct fair_share *share, struct fair_entity *entity)
{
    entity->class = NULL;
    return fair_classes_grow(&share->classes, LISTS_MOST);
}

static void leave_class(struct fair_share *share, struct fair_entity *entity)
{
    if (entity->class)
        fair_classes_leave(&share->classes, entity->class);
    entity->class = NULL;
}

void fair_share_leave(struct fair_share *share, struct fair_entity *entity)
{
    CHECK(!fair_share_waits(entity));
    leave_class(share, entity);
    fair_classes_shrink(&share->classes, LISTS_MOST);
}

static bool is_one(const struct lp_set *seats)
{
    int first = lp_set_next(seats, 0);

    return lp_set_next(seats, (uint32_t)first + 1) < 0;
}

void fair_share_set_seats(struct fair_share *share, struct fair_entity *entity,
                          const struct lp_set *seats, uint32_t node)
{
    CHECK(!fair_share_waits(entity));
    if (entity->class && fair_class_is(entity->class, seats, node))
        return;
    leave_class(share, entity);
    if (!is_one(seats))
        entity->class = fair_classes_join(&share->classes, seats, node);
}

/* Virtual time. */

void fair_share_set_weight(const struct fair_share *share,
                           struct fair_entity *entity, uint16_t weight)
{
    uint64_t seat_time = seat_of(share, entity)->virtual_time;

    CHECK(!fair_share_waits(entity));
    if (weight == entity->weight)
        return;
    if (entity->virtual_time > seat_time) {
        uint64_t ahead = entity->virtual_time - seat_time;

        ahead = ahead < AHEAD_MOST ? ahead : AHEAD_MOST;
        entity->virtual_time = seat_time + ahead * entity->weight / weight;
    }
    entity->remainder = 0;
    entity->weight = weight;
}

void fair_share_charge(struct fair_entity *entity, cycles_t ran)
{
    uint64_t used = entity->remainder + ran.v * FAIR_SHARE_WEIGHT;

    entity->virtual_time += used / entity->weight;
    entity->remainder = (uint16_t)(used % entity->weight);
}

uint64_t fair_share_after(const struct fair_entity *entity, cycles_t ran)
{
    return entity->virtual_time +
           (entity->remainder + ran.v * FAIR_SHARE_WEIGHT) / entity->weight;
}

/* Where the first stands of those that wait at the seat. */
static run_mark_t local_mark(const struct fair_seat *seat)
{
    run_mark_t least = run_list_first_mark(&seat->own);

    for (const struct fair_cell *cell = seat->cells; cell; cell = cell->next) {
        run_mark_t mark = run_list_first_mark(&cell->list);

        least = mark < least ? mark : least;
    }
    return least;
}

static uint64_t least_at(struct fair_seat *seat, uint64_t holder_time)
{
    uint64_t waiting = run_mark_key(local_mark(seat));
    uint64_t least = waiting < holder_time ? waiting : holder_time;

    if (least != UINT64_MAX && least > seat->virtual_time)
        seat->virtual_time = least;
    return seat->virtual_time;
}

void fair_share_wake(struct fair_share *share, struct fair_entity *entity,
                     uint32_t seat, uint64_t holder_time)
{
    uint64_t least = least_at(&share->seats[seat], holder_time);

    entity->woken = true;
    if (least > entity->virtual_time + share->wake_boost)
        entity->virtual_time = least - share->wake_boost;
}

/* Lists. */

bool fair_share_waits(const struct fair_entity *entity)
{
    return run_list_is_listed(&entity->local);
}

/* By where the entry stands, without a look at it. */
static struct fair_entity *entity_of(const struct run_entry *local)
{
    return (struct fair_entity *)((char *)(uintptr_t)local -
                                  offsetof(struct fair_entity, local));
}

static void list(struct run_list *list, struct run_entry *entry,
                 struct fair_entity *entity, uint64_t key)
{
    entry->owner = entity;
    entry->number = entity->local.number;
    entry->key = key;
    run_list_add(list, entry);
}

static void be_patient(struct fair_share *share, struct fair_entity *entity)
{
    if (!entity->is_patient)
        list(&share->patient, &entity->patient, entity,
             entity->patient_until.v);
    entity->is_patient = true;
}

/* Of those who are owed, who is owed most stands first. */
static void add_owed(struct fair_share *share, struct fair_entity *entity,
                     cycles_t owed, bool claims)
{
    uint64_t key = UINT64_MAX - owed.v;

    entity->is_owed = true;
    share->owed_count++;
    entity->local.key = key;
    run_list_add(&seat_of(share, entity)->owed, &entity->local);
    if (entity->class && !claims)
        list(&entity->class->owed, &entity->wide, entity, key);
}

static void add_fair(struct fair_share *share, struct fair_entity *entity,
                     uint64_t key, bool claims)
{
    struct fair_seat *seat = seat_of(share, entity);

    entity->local.key = key;
    if (!entity->class || claims)
        run_list_add(&seat->own, &entity->local);
    else
        fair_cell_add(&share->classes, entity->class, &seat->cells,
                      fair_entity_seat(entity), &entity->local);
}

void fair_share_add(struct fair_share *share, struct fair_entity *entity,
                    const struct fair_wait *wait)
{
    struct fair_seat *seat = &share->seats[wait->seat];

    CHECK(!wait->claims || !seat->claimant);
    entity->local.remark = wait->seat;
    entity->patient_until = wait->patient_until;
    if (wait->claims)
        seat->claimant = entity;
    if (wait->owed.v > 0)
        add_owed(share, entity, wait->owed, wait->claims);
    else
        add_fair(share, entity, wait->key, wait->claims);
    if (wait->reserved)
        list(&share->reserved, &entity->reserved, entity, 0);
    entity->is_reserved = wait->reserved;
    if (wait->patient)
        be_patient(share, entity);
}

static void remove_owed(struct fair_share *share, struct fair_entity *entity)
{
    entity->is_owed = false;
    share->owed_count--;
    run_list_remove(&entity->local);
    if (run_list_is_listed(&entity->wide))
        run_list_remove(&entity->wide);
}

static void remove_fair(struct fair_share *share, struct fair_entity *entity)
{
    struct fair_seat *seat = seat_of(share, entity);

    if (run_list_has(&seat->own, &entity->local))
        run_list_remove(&entity->local);
    else
        fair_cell_remove(&share->classes, &seat->cells,
                         fair_entity_seat(entity), &entity->local);
}

void fair_share_remove(struct fair_share *share, struct fair_entity *entity)
{
    struct fair_seat *seat = seat_of(share, entity);

    CHECK(fair_share_waits(entity));
    if (seat->claimant == entity)
        seat->claimant = NULL;
    if (entity->is_owed)
        remove_owed(share, entity);
    else
        remove_fair(share, entity);
    if (entity->is_patient)
        run_list_remove(&entity->patient);
    if (entity->is_reserved)
        run_list_remove(&entity->reserved);
    entity->is_patient = entity->is_reserved = false;
}

void fair_share_take(struct fair_share *share, struct fair_entity *entity,
                     uint32_t at)
{
    struct fair_seat *seat = &share->seats[at];
    bool owed = entity->is_owed;

    fair_share_remove(share, entity);
    CHECK(!seat->claimant);
    entity->local.remark = at;
    entity->woken = false;
    if (seat->virtual_time > entity->virtual_time + share->lag)
        entity->virtual_time = seat->virtual_time - share->lag;
    if (!owed && entity->virtual_time > seat->virtual_time)
        seat->virtual_time = entity->virtual_time;
}

void fair_share_catch_up(const struct fair_share *share,
                         struct fair_entity *holder,
                         const struct fair_entity *waiting)
{
    uint64_t lag =
        share->lag + share->slice * FAIR_SHARE_WEIGHT / waiting->weight;

    if (waiting->is_owed)
        return;
    if (holder->virtual_time + lag < waiting->local.key)
        holder->virtual_time = waiting->local.key - lag;
}

cycles_t fair_share_patience(const struct fair_share *share)
{
    const struct run_entry *first = run_list_first(&share->patient);

    return first ? cycles(first->key) : CYCLES_NEVER;
}

struct fair_entity *fair_share_ripen(struct fair_share *share, cycles_t now)
{
    struct run_entry *first = run_list_first(&share->patient);
    struct fair_entity *entity;

    if (!first || first->key > now.v)
        return NULL;
    entity = first->owner;
    run_list_remove(first);
    entity->is_patient = false;
    return entity;
}

/* True if the seat is of those that entities of the class wait for in vain. */
static bool is_foreign(const struct fair_share *share,
                       const struct fair_class *class, uint32_t seat)
{
    return class->node != share->seats[seat].node &&
           lp_set_has(&class->seats, seat);
}

static void make_patient(struct fair_share *share, struct fair_class *class)
{
    const struct fair_cell *cell;

    for (uint32_t seat = 0; (cell = fair_class_next_cell(class, &seat)) != NULL;
         seat++) {
        for (struct run_entry *entry = run_list_first(&cell->list); entry;
             entry = run_list_next(entry))
            be_patient(share, entity_of(entry));
    }
}

void fair_share_idles(struct fair_share *share, uint32_t seat)
{
    for (struct fair_class *class = share->classes.first; class;
         class = class->next) {
        if (is_foreign(share, class, seat))
            make_patient(share, class);
    }
}

/* Choosing. By the marks that the lists have: a look at those who wait would
 * fetch each of them into the host's caches. */

static struct fair_entity *best_owed(const struct fair_share *share,
                                     uint32_t seat)
{
    const struct run_list *best = &share->seats[seat].owed;

    for (const struct fair_class *class = share->classes.first; class;
         class = class->next) {
        if (lp_set_has(&class->seats, seat) &&
            run_list_first_mark(&class->owed) < run_list_first_mark(best))
            best = &class->owed;
    }
    if (!run_list_first(best))
        return NULL;
    return best == &share->seats[seat].owed ? entity_of(run_list_first(best))
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

    for (const struct fair_class *class = share->classes.first; class;
         class = class->next) {
        if (class->node == node && class->waiting.least < best.mark &&
            lp_set_has(&class->seats, seat))
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
    const struct fair_entity *entity = entity_of(entry);

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

static void prefer_foreign(const struct fair_share *share, uint32_t seat,
                           run_mark_t local, struct candidate *best,
                           cycles_t now)
{
    for (const struct fair_class *class = share->classes.first; class;
         class = class->next) {
        const struct run_entry *ripe;

        if (!is_foreign(share, class, seat) ||
            class->waiting.least == RUN_MARK_NONE ||
            !is_ahead(share, local, class->waiting.least))
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
        return entity_of(run_list_first(&seat->own));
    while (run_list_first_mark(&cell->list) != mark)
        cell = cell->next;
    return entity_of(run_list_first(&cell->list));
}

static struct fair_entity *best_fair(const struct fair_share *share,
                                     uint32_t seat, cycles_t now)
{
    run_mark_t local = local_mark(&share->seats[seat]);
    struct candidate best = best_of_node(share, seat);

    if (share->node_count > 1 && (local != RUN_MARK_NONE || !best.class))
        prefer_foreign(share, seat, local, &best, now);
    if (best.class && is_ahead(share, local, best.mark))
        return entity_of(best.entry ? best.entry
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
    if (key - time >= UINT64_MAX / (2 * WEIGHT_MAX))
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
