/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_WORKLOADS_CONTENTION_TASK_H
#define HVSIM_WORKLOADS_CONTENTION_TASK_H

/**
 * One task of the contention benchmark: a collection (a set of numbers, open
 * addressing) is filled with random data and searched again and again. What a
 * task computes, and when it rests, depends on the seed and on its number
 * alone; so the same plan gives the same checksum on every guest and under
 * every schedule. Shared by our own guest and by the Linux program: no library.
 *
 * Source: the description of ThreadContentionGenerator, M. Friedman,
 * "Understanding guest machine performance", 2018. Its parameters are not
 * published.
 */

#include <stdint.h>

/** What is to be done: see plan.def. Sleeping and the lock mimic waiting for
 *  I/O and for each other. */
struct task_plan {
    uint64_t seed;
    uint64_t workers;      /* threads; 0: twice as many as processors */
    uint64_t tasks;        /* at once, in each iteration */
    uint64_t iterations;   /* one after the other */
    uint64_t memory;       /* bytes of a collection; see task_slots() */
    uint64_t searches;     /* of a task, in */
    uint64_t steps;        /* parts, after each of which it may sleep, */
    uint64_t sleep;        /* so many ns on average, */
    uint64_t sleep_chance; /* in so many of 100 cases */
    uint64_t lock;         /* percent of the searches: under a shared lock */
};

#define TASK_WORKERS_MAX 256
#define TASK_COUNT_MAX 100000 /* tasks times iterations */
#define TASK_MEMORY_LEAST 4096
#define TASK_MEMORY_MOST (UINT64_C(1) << 30)
#define TASK_SEARCHES_MAX 1000000000
#define TASK_SLEEP_NS_MAX UINT64_C(10000000000)

/** What is wrong with the plan, or a null pointer; then `workers` is known. */
const char *task_plan_complete(struct task_plan *plan, uint64_t processors);

struct task {
    uint64_t origin; /* of its keys */
    uint64_t random; /* state: for what it searches */
    uint64_t rests;  /* state: for when it sleeps */
    uint64_t *slots; /* borrowed: the collection; 0 is a free slot */
    uint64_t mask;   /* slots less one; half of them get filled */
    uint64_t found;  /* so far: the task's part of the checksum */
};

/** How many slots of 8 bytes a collection of that size has: a power of two. */
uint64_t task_slots(uint64_t memory);

/** Starts task `number` and fills its collection, `slots`, which the caller
 *  has cleared. */
struct task task_start(const struct task_plan *plan, uint64_t number,
                       uint64_t *slots);

/** Searches for `count` random numbers, half of which are there. */
void task_search(struct task *task, uint64_t count);

/** The searches of one step, those under the lock, and the others. */
uint64_t task_locked_searches(const struct task_plan *plan, uint64_t step);
uint64_t task_free_searches(const struct task_plan *plan, uint64_t step);

/** How long the task sleeps after a step; mostly 0. */
uint64_t task_rest_ns(struct task *task, const struct task_plan *plan);

#endif
