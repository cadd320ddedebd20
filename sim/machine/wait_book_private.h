/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_MACHINE_WAIT_BOOK_PRIVATE_H
#define HVSIM_SIM_MACHINE_WAIT_BOOK_PRIVATE_H

/** Shared by wait_book.c, which keeps the book, and wait_book_report.c, which
 *  checks it and writes it down. */

#include "sim/machine/wait_book.h"
#include "sim/results/results_wait.h"

/* A holder has its place in one of so many sets, by its number. */
#define HOLDER_WAYS 4
#define HOLDER_SETS (WAIT_BOOK_HOLDERS / HOLDER_WAYS)

struct wait_by_rule {
    uint64_t dispatches; /* that this rule kept longest */
    cycles_t time, longest;
    uint64_t undispatched;
    cycles_t undispatched_time;
};

struct wait_by_holder {
    uint32_t holder;     /* a VP's number in the book */
    uint64_t dispatches; /* 0: the place is free */
    cycles_t time;
};

struct wait_case {
    cycles_t ready, wait;
    cycles_t by_rule[SCHED_RULE_COUNT];
    enum sched_rule rule;
    uint32_t lp;     /* RESULTS_NOBODY: not dispatched */
    uint32_t holder; /* a VP's number in the book, or RESULTS_NOBODY */
};

/** What a VP's counters say; cycles but for dispatches. */
struct wait_counted {
    uint64_t dispatches, wake_up, contention, held_back;
};

struct vp_waits {
    uint32_t number; /* in the book */
    uint32_t vm, index;
    const char *name; /* of the VM; borrowed */
    struct wait_by_rule rules[SCHED_RULE_COUNT];
    uint64_t histogram[WAIT_BOOK_BUCKETS];
    struct wait_by_holder holders[WAIT_BOOK_HOLDERS];
    struct wait_by_holder rest;              /* of no holder in particular */
    struct wait_case worst[WAIT_BOOK_WORST]; /* in no order */
    unsigned worst_count, least;             /* which goes first, when full */
    struct wait_counted counted; /* of VPs that are gone; at the end of all */
};

struct wait_book {
    struct sim_clock clock;
    cycles_t bounds[WAIT_BOOK_BUCKETS];
    struct vp_waits **vps; /* owns each of `count` */
    uint32_t count, capacity;
    struct vp_waits **by_number; /* by hv_vp.number; NULL: not in the book */
    uint32_t number_capacity;
};

/** Where a bucket of the histogram begins. */
uint64_t wait_book_bound_ns(unsigned bucket);

/** True if `a` is worse than `b`: longer, or as long and earlier. */
static inline bool wait_case_before(const struct wait_case *a,
                                    const struct wait_case *b)
{
    if (a->wait.v != b->wait.v)
        return a->wait.v > b->wait.v;
    return a->ready.v < b->ready.v;
}

#endif
