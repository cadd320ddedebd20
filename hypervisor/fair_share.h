/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_FAIR_SHARE_H
#define HVSIM_HYPERVISOR_FAIR_SHARE_H

/**
 * Who is next, by fair share: entities (VPs, or virtual cores) that wait for
 * seats (LPs, or cores). For policies that give time by weight: classic, core.
 * The policy says who waits, where, and what it has used; this file says who
 * goes next on a seat.
 *
 * Design. An entity's virtual time is what it has used, times 100, divided by
 * its weight; who has least of it goes first. Each waits at a seat. A seat
 * finds whoever waits elsewhere, and may run here, by one look at each class
 * (those that may use the same seats and prefer the same NUMA node: see
 * fair_class.h). It takes one that waits elsewhere if it has nobody itself,
 * or if that one is behind its own first by more than `migrate_after`. So
 * virtual time means the same on all seats.
 *
 * Who is behind for other reasons (it slept, or could not run on this seat
 * before) must not keep the others out until it has made up for it. So whoever
 * comes to a seat is behind that, and who has one is behind those who wait for
 * it, by `lag` at most, beside what a slice makes of the other's weight.
 *
 * Who claims an idle seat gets it: it waits for that one alone. Were it
 * taken by another seat, its own could find only those who may not have it,
 * whose seats had come before: and both would idle.
 *
 * Who is owed a part of its reserve goes before all who are not; of several,
 * who is owed most. With one period for all that is the order that lets each
 * have it, if it can be had at all.
 *
 * Cost. O(log n) by those that wait at a seat, and one step per class:
 * classes are few, as affinities and nodes are.
 */

#include <stdalign.h>

#include "hypervisor/fair_class.h"
#include "hypervisor/sched.h"
#include "sim/core/host_line.h"

#define FAIR_SHARE_LAG_SLICES 4
#define FAIR_SHARE_WEIGHT 100 /* virtual time is time at this weight */

/** Zero-initialise; then set local.owner (borrowed), local.number, which breaks
 *  ties, and what stands before the private part. What every choice needs is
 *  one line of the host's caches: thousands of entities do not fit into them.
 */
struct fair_entity {
    alignas(HOST_LINE_BYTES) struct run_entry local; /* at its seat: see
                                                        fair_entity_seat() */
    uint64_t virtual_time;
    uint16_t weight; /* 1..10000 */
    bool woken;      /* it has not had a seat since it woke */
    bool is_owed; /* to be read: it waits, and is owed a part of its reserve */

    /* Private to fair_share*.c. */
    bool is_patient;          /* `patient` is listed, */
    bool is_reserved;         /* and so is `reserved` */
    uint16_t remainder;       /* of the division by its weight */
    struct fair_class *class; /* NULL: it may use one seat only */
    cycles_t patient_until;
    struct run_entry wide;    /* if it is owed: on its class's list */
    struct run_entry patient; /* while a seat of another node idles */
    struct run_entry reserved;
};

/** Where it waits, or took its turn last. */
static inline uint32_t fair_entity_seat(const struct fair_entity *entity)
{
    return entity->local.remark;
}

/** What a choice needs, unless somebody waits for this seat alone, is the first
 *  line. */
struct fair_seat {
    /* Who waits here, but may go elsewhere. */
    alignas(HOST_LINE_BYTES) struct fair_cell *cells;
    struct fair_entity *claimant; /* for whom it was called, being idle */
    uint64_t virtual_time;        /* of who was last taken by it; never falls */
    uint32_t node;
    struct run_list own; /* who waits for this alone */
    struct run_list owed;
};

struct fair_share {
    struct fair_seat *seats; /* owns */
    uint32_t seat_count;
    uint64_t slice, migrate_after, lag; /* in virtual time at weight 100 */
    uint64_t wake_boost;                /* likewise */
    cycles_t preempt_after;
    struct fair_classes classes; /* owns */
    struct run_list patient;     /* by when they take a seat of another node */
    struct run_list reserved;    /* who waits and has a reserve, by number */
    uint32_t owed_count;         /* waiting */
};

/** How an entity waits. */
struct fair_wait {
    uint32_t seat;
    uint64_t key;           /* its virtual time, or more */
    bool reserved;          /* it has a reserve, */
    cycles_t owed;          /* of which so much has not been had; 0: nothing */
    bool claims;            /* an idle seat that has been called for it */
    cycles_t patient_until; /* until then, seats of its node only: */
    bool patient;           /* and there is another that idles */
};

/** Makes seats of node 0; the caller sets that otherwise. False if out of
 *  memory. */
bool fair_share_init(struct fair_share *share, uint32_t seat_count,
                     uint32_t node_count, const struct hv_sched_params *params);
void fair_share_fini(struct fair_share *share);

/** An entity exists from now on; it may use no seat yet. False if out of
 *  memory. */
bool fair_share_join(struct fair_share *share, struct fair_entity *entity);
/** It goes away; it is not waiting. */
void fair_share_leave(struct fair_share *share, struct fair_entity *entity);

/** Says which seats an entity that is not waiting may use, and its node. */
void fair_share_set_seats(struct fair_share *share, struct fair_entity *entity,
                          const struct lp_set *seats, uint32_t node);

/** The weight of an entity that is not waiting may have changed. By what it is
 *  ahead of its seat is time that it has had: that counts by the new weight, so
 *  that who had little need not wait for others to catch up. */
void fair_share_set_weight(const struct fair_share *share,
                           struct fair_entity *entity, uint16_t weight);

/** The entity has used a seat for `ran`. */
void fair_share_charge(struct fair_entity *entity, cycles_t ran);
/** What its virtual time will be after that. */
uint64_t fair_share_after(const struct fair_entity *entity, cycles_t ran);

/** Puts an entity on lists, takes it off them. */
void fair_share_add(struct fair_share *share, struct fair_entity *entity,
                    const struct fair_wait *wait);
void fair_share_remove(struct fair_share *share, struct fair_entity *entity);
bool fair_share_waits(const struct fair_entity *entity);

/** Who should have that seat next, of those who wait; NULL: nobody. */
struct fair_entity *fair_share_best(const struct fair_share *share,
                                    uint32_t seat, cycles_t now);
/** How long one who has the seat, and that virtual time, may go on before the
 *  entity, which waits, comes before it. 0: it does. */
cycles_t fair_share_until(const struct fair_share *share,
                          const struct fair_entity *entity, uint32_t seat,
                          const struct fair_entity *holder, uint64_t time);

/** Who may follow `next`, the first of those that wait where it does, as the
 *  n-th, without a look at anybody but that; NULL: not known. For the host's
 *  caches: where `next` is not the first it names another, and nothing may
 *  depend on it. */
const struct fair_entity *fair_share_peek(const struct fair_entity *next,
                                          uint32_t n);

/** The entity, which waits, gets that seat. */
void fair_share_take(struct fair_share *share, struct fair_entity *entity,
                     uint32_t seat);

/** One who has a seat is no further behind one who waits for it than it may
 *  be. */
void fair_share_catch_up(const struct fair_share *share,
                         struct fair_entity *holder,
                         const struct fair_entity *waiting);

/** How long one that has taken a seat, and is owed nothing, may keep it while
 *  `next` (or NULL) waits for it: shorter if that has more weight, or has woken
 *  and will come before it. */
cycles_t fair_share_slice(const struct fair_share *share,
                          const struct fair_entity *holder, uint32_t seat,
                          const struct fair_entity *next);

/** An entity that has slept, or could not run, comes to a seat: it is no
 *  further behind than those who are there, of whom the one that has the seat
 *  is at `holder_time` (UINT64_MAX: nobody has it), but for the boost. */
void fair_share_wake(struct fair_share *share, struct fair_entity *entity,
                     uint32_t seat, uint64_t holder_time);

/** A key behind all those who wait for the seat. */
uint64_t fair_share_behind(const struct fair_share *share, uint32_t seat,
                           cycles_t now);

/** That seat idles: those who might use it, and wait for one of their own node
 *  yet, are put on share->patient. */
void fair_share_idles(struct fair_share *share, uint32_t seat);

/** When the first patience ends of those on share->patient; CYCLES_NEVER:
 *  nobody is there. */
cycles_t fair_share_patience(const struct fair_share *share);

/** Takes one from share->patient whose patience is at an end at `now`; NULL:
 *  there is none. */
struct fair_entity *fair_share_ripen(struct fair_share *share, cycles_t now);

#endif
