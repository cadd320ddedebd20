/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "hypervisor/fair_share_private.h"
#include "sim/core/check.h"

/* Of virtual time, so that its product with a weight fits. */
#define AHEAD_MOST (UINT64_MAX / FAIR_SHARE_WEIGHT_MAX)

/* On so many lists an entity may be at once. */
#define LISTS_MOST 4

bool fair_share_init(struct fair_share *share, uint32_t seat_count,
                     uint32_t node_count, const struct hv_sched_params *params)
{
    struct run_list empty = {.pool = &share->classes.pool};

    *share = (struct fair_share){
        .seats = host_line_calloc(seat_count * sizeof(*share->seats)),
        .seat_count = seat_count,
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
    return fair_classes_init(&share->classes, seat_count, node_count) &&
           share->seats;
}

static struct fair_seat *seat_of(const struct fair_share *share,
                                 const struct fair_entity *entity)
{
    return &share->seats[fair_entity_seat(entity)];
}

void fair_share_fini(struct fair_share *share)
{
    free(share->seats);
    fair_classes_fini(&share->classes);
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

static uint64_t least_at(struct fair_seat *seat, uint64_t holder_time)
{
    uint64_t waiting = run_mark_key(fair_share_local_mark(seat));
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

static void make_patient(struct fair_share *share, struct fair_class *class)
{
    const struct fair_cell *cell;

    for (uint32_t seat = 0; (cell = fair_class_next_cell(class, &seat)) != NULL;
         seat++) {
        for (struct run_entry *entry = run_list_first(&cell->list); entry;
             entry = run_list_next(entry))
            be_patient(share, fair_share_entity_of(entry));
    }
}

void fair_share_idles(struct fair_share *share, uint32_t seat)
{
    const struct fair_classes *classes = &share->classes;
    uint32_t own = share->seats[seat].node;

    for (uint32_t i = 1; i < classes->node_count; i++) {
        uint32_t node = fair_classes_node(classes, own, i);

        for (struct fair_class *class = classes->of_node[node]; class;
             class = class->next) {
            if (class->waiting.first && lp_set_has(&class->seats, seat))
                make_patient(share, class);
        }
    }
}
