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

struct fair_class {
    struct lp_set seats;
    uint32_t node; /* preferred */
    uint32_t members;
    struct run_list fair, owed;
    struct fair_class *next, *previous;
};

bool fair_share_init(struct fair_share *share, uint32_t seat_count,
                     const struct hv_sched_params *params)
{
    struct run_list empty = {.pool = &share->pool};

    *share = (struct fair_share){
        .seats = calloc(seat_count, sizeof(*share->seats)),
        .seat_count = seat_count,
        .node_count = 1,
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
        share->seats[i] = (struct fair_seat){.fair = empty, .owed = empty};
    return share->seats != NULL;
}

static void free_classes(struct fair_class *class)
{
    while (class) {
        struct fair_class *next = class->next;

        free(class);
        class = next;
    }
}

void fair_share_fini(struct fair_share *share)
{
    free_classes(share->classes);
    free_classes(share->spare);
    free(share->seats);
}

/* Classes. */

static void class_push(struct fair_class **list, struct fair_class *class)
{
    class->previous = NULL;
    class->next = *list;
    if (*list)
        (*list)->previous = class;
    *list = class;
}

static void class_pop(struct fair_class **list, struct fair_class *class)
{
    if (class->previous)
        class->previous->next = class->next;
    else
        *list = class->next;
    if (class->next)
        class->next->previous = class->previous;
}

/* Each entity brings the class that it may need, and its part of the lists. */
bool fair_share_join(struct fair_share *share, struct fair_entity *entity)
{
    struct fair_class *class = calloc(1, sizeof(*class));

    if (!class || !run_pool_grow(&share->pool, LISTS_MOST)) {
        free(class);
        return false;
    }
    class_push(&share->spare, class);
    entity->class = NULL;
    return true;
}

static void leave_class(struct fair_share *share, struct fair_entity *entity)
{
    struct fair_class *class = entity->class;

    entity->class = NULL;
    if (!class || --class->members > 0)
        return;
    class_pop(&share->classes, class);
    class_push(&share->spare, class);
}

void fair_share_leave(struct fair_share *share, struct fair_entity *entity)
{
    struct fair_class *class;

    CHECK(!fair_share_waits(entity));
    leave_class(share, entity);
    class = share->spare;
    CHECK(class);
    class_pop(&share->spare, class);
    free(class);
    run_pool_shrink(&share->pool, LISTS_MOST);
}

static bool is_class(const struct fair_class *class, const struct lp_set *seats,
                     uint32_t node)
{
    return class->node == node &&
           memcmp(&class->seats, seats, sizeof(*seats)) == 0;
}

static struct fair_class *find_class(struct fair_share *share,
                                     const struct lp_set *seats, uint32_t node)
{
    struct fair_class *class = share->classes;
    struct run_list empty = {.pool = &share->pool};

    while (class && !is_class(class, seats, node))
        class = class->next;
    if (class)
        return class;
    class = share->spare;
    CHECK(class);
    class_pop(&share->spare, class);
    *class = (struct fair_class){
        .seats = *seats, .node = node, .fair = empty, .owed = empty};
    class_push(&share->classes, class);
    return class;
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
    if (entity->class && is_class(entity->class, seats, node))
        return;
    leave_class(share, entity);
    if (is_one(seats))
        return;
    entity->class = find_class(share, seats, node);
    entity->class->members++;
}

/* Virtual time. */

void fair_share_set_weight(const struct fair_share *share,
                           struct fair_entity *entity, uint64_t weight)
{
    uint64_t seat_time = share->seats[entity->seat].virtual_time;

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
    entity->remainder = used % entity->weight;
}

uint64_t fair_share_after(const struct fair_entity *entity, cycles_t ran)
{
    return entity->virtual_time +
           (entity->remainder + ran.v * FAIR_SHARE_WEIGHT) / entity->weight;
}

static uint64_t least_at(struct fair_seat *seat, uint64_t holder_time)
{
    uint64_t least = holder_time;

    if (run_list_first(&seat->fair) && run_list_first_key(&seat->fair) < least)
        least = run_list_first_key(&seat->fair);
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

static struct run_list *local_list(struct fair_share *share,
                                   const struct fair_entity *entity, bool owed)
{
    struct fair_seat *seat = &share->seats[entity->seat];

    return owed ? &seat->owed : &seat->fair;
}

bool fair_share_waits(const struct fair_entity *entity)
{
    return run_list_is_listed(&entity->local);
}

bool fair_share_is_owed(const struct fair_share *share,
                        const struct fair_entity *entity)
{
    return run_list_has(&share->seats[entity->seat].owed, &entity->local);
}

static void list(struct run_list *list, struct run_entry *entry,
                 struct fair_entity *entity, uint64_t key)
{
    entry->owner = entity;
    entry->number = entity->number;
    entry->key = key;
    run_list_add(list, entry);
}

static void unlist(struct run_entry *entry)
{
    if (run_list_is_listed(entry))
        run_list_remove(entry);
}

/* Lets all seats of the class see it. */
static void publish(struct fair_share *share, struct fair_entity *entity)
{
    struct fair_class *class = entity->class;

    if (class)
        list(fair_share_is_owed(share, entity) ? &class->owed : &class->fair,
             &entity->wide, entity, entity->local.key);
}

static void be_patient(struct fair_share *share, struct fair_entity *entity)
{
    if (!run_list_is_listed(&entity->patient))
        list(&share->patient, &entity->patient, entity,
             entity->patient_until.v);
}

void fair_share_add(struct fair_share *share, struct fair_entity *entity,
                    const struct fair_wait *wait)
{
    struct fair_seat *seat = &share->seats[wait->seat];
    bool owed = wait->owed.v > 0;

    entity->seat = wait->seat;
    entity->patient_until = wait->patient_until;
    /* Of those who are owed, who is owed most stands first. */
    list(local_list(share, entity, owed), &entity->local, entity,
         owed ? UINT64_MAX - wait->owed.v : wait->key);
    share->owed_count += owed;
    if (wait->reserved)
        list(&share->reserved, &entity->reserved, entity, 0);
    if (wait->claims) {
        CHECK(!seat->claimant);
        seat->claimant = entity;
    } else {
        publish(share, entity);
    }
    if (wait->patient)
        be_patient(share, entity);
}

void fair_share_remove(struct fair_share *share, struct fair_entity *entity)
{
    struct fair_seat *seat = &share->seats[entity->seat];

    CHECK(fair_share_waits(entity));
    share->owed_count -= fair_share_is_owed(share, entity);
    if (seat->claimant == entity)
        seat->claimant = NULL;
    unlist(&entity->local);
    unlist(&entity->wide);
    unlist(&entity->patient);
    unlist(&entity->reserved);
}

void fair_share_take(struct fair_share *share, struct fair_entity *entity,
                     uint32_t at)
{
    struct fair_seat *seat = &share->seats[at];
    bool owed = fair_share_is_owed(share, entity);

    fair_share_remove(share, entity);
    CHECK(!seat->claimant);
    entity->seat = at;
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

    if (fair_share_is_owed(share, waiting))
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

    if (!first || first->key > now.v)
        return NULL;
    run_list_remove(first);
    return first->owner;
}

/* True if the seat is of those that entities of the class wait for in vain. */
static bool is_foreign(const struct fair_share *share,
                       const struct fair_class *class, uint32_t seat)
{
    return class->node != share->seats[seat].node &&
           lp_set_has(&class->seats, seat);
}

void fair_share_idles(struct fair_share *share, uint32_t seat)
{
    for (struct fair_class *class = share->classes; class;
         class = class->next) {
        struct run_entry *entry = run_list_first(&class->fair);

        if (!is_foreign(share, class, seat))
            continue;
        for (; entry; entry = run_list_next(entry))
            be_patient(share, entry->owner);
    }
}

/* Choosing. By the keys that the lists have: a look at those who wait would
 * fetch each of them into the host's caches. */

struct candidate {
    const struct run_entry *entry; /* NULL: there is none */
    uint64_t key;
};

static void prefer(struct candidate *best, const struct run_entry *entry,
                   uint64_t key)
{
    if (!best->entry || key < best->key ||
        (key == best->key && entry->number < best->entry->number))
        *best = (struct candidate){entry, key};
}

static void prefer_first(struct candidate *best, const struct run_list *list)
{
    const struct run_entry *first = run_list_first(list);

    if (first)
        prefer(best, first, run_list_first_key(list));
}

static struct fair_entity *best_owed(const struct fair_share *share,
                                     uint32_t seat)
{
    struct candidate best = {0};

    prefer_first(&best, &share->seats[seat].owed);
    for (const struct fair_class *class = share->classes; class;
         class = class->next) {
        if (lp_set_has(&class->seats, seat))
            prefer_first(&best, &class->owed);
    }
    return best.entry ? best.entry->owner : NULL;
}

static struct candidate best_of_node(const struct fair_share *share,
                                     uint32_t seat)
{
    uint32_t node = share->seats[seat].node;
    struct candidate best = {0};

    for (const struct fair_class *class = share->classes; class;
         class = class->next) {
        if (class->node == node && lp_set_has(&class->seats, seat))
            prefer_first(&best, &class->fair);
    }
    return best;
}

/* True if one who waits elsewhere takes the seat from the seat's own first. */
static bool is_ahead(const struct fair_share *share, uint32_t seat,
                     uint64_t key)
{
    const struct run_list *local = &share->seats[seat].fair;

    return !run_list_first(local) ||
           key + share->migrate_after < run_list_first_key(local);
}

static bool is_ripe(const struct run_entry *entry, cycles_t now)
{
    const struct fair_entity *entity = entry->owner;

    return !cycles_before(now, entity->patient_until);
}

/* The first that takes a seat of another node; a seat that has others looks at
 * the very first alone. */
static const struct run_entry *first_ripe(const struct run_list *list,
                                          bool has_others, cycles_t now)
{
    const struct run_entry *entry = run_list_first(list);

    while (entry && !is_ripe(entry, now))
        entry = has_others ? NULL : run_list_next(entry);
    return entry;
}

static void prefer_foreign(const struct fair_share *share, uint32_t seat,
                           struct candidate *best, cycles_t now)
{
    bool has_others = run_list_first(&share->seats[seat].fair) != NULL;

    for (const struct fair_class *class = share->classes; class;
         class = class->next) {
        const struct run_entry *ripe;

        if (!is_foreign(share, class, seat) || !run_list_first(&class->fair) ||
            !is_ahead(share, seat, run_list_first_key(&class->fair)))
            continue;
        ripe = first_ripe(&class->fair, has_others, now);
        if (ripe)
            prefer(best, ripe, ripe->key);
    }
}

static struct fair_entity *best_fair(const struct fair_share *share,
                                     uint32_t seat, cycles_t now)
{
    const struct run_entry *local = run_list_first(&share->seats[seat].fair);
    struct candidate best = best_of_node(share, seat);

    if (share->node_count > 1 && (local || !best.entry))
        prefer_foreign(share, seat, &best, now);
    if (best.entry && is_ahead(share, seat, best.key))
        return best.entry->owner;
    return local ? local->owner : NULL;
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

    if (entity->seat != seat)
        key += share->migrate_after;
    if (key < time || (key == time && entity->number < holder->number))
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
    if (fair_share_is_owed(share, next))
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

uint64_t fair_share_behind(const struct fair_share *share, uint32_t seat,
                           cycles_t now)
{
    const struct run_entry *last = run_list_last(&share->seats[seat].fair);
    const struct fair_entity *best = fair_share_best(share, seat, now);
    uint64_t key = last ? last->key + 1 : 0;

    if (best && !fair_share_is_owed(share, best) &&
        best->local.key + share->migrate_after >= key)
        key = best->local.key + share->migrate_after + 1;
    return key;
}
