/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "workloads/contention/task.h"

#include <stddef.h>

#define GOLDEN UINT64_C(0x9e3779b97f4a7c15)
#define HUNDRED 100

/* SplitMix64's finalizer (Steele, Lea, Flood 2014). */
static inline uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* SplitMix64's step. */
static inline uint64_t draw(uint64_t *state)
{
    *state += GOLDEN;
    return mix(*state);
}

/* The key `index` of the task; never 0, which is a free slot. */
static inline uint64_t key_of(const struct task *task, uint64_t index)
{
    return mix(task->origin + index * GOLDEN) | 1;
}

const char *task_plan_complete(struct task_plan *plan, uint64_t processors)
{
    if (plan->workers == 0)
        plan->workers = 2 * processors;
    if (plan->workers > TASK_WORKERS_MAX)
        return "workers: at most 256 are expected";
    if (plan->tasks < 1 || plan->tasks > TASK_COUNT_MAX ||
        plan->iterations < 1 || plan->iterations > TASK_COUNT_MAX ||
        plan->tasks * plan->iterations > TASK_COUNT_MAX)
        return "tasks times iterations: 1 to 100000 are expected";
    if (plan->memory < TASK_MEMORY_LEAST || plan->memory > TASK_MEMORY_MOST)
        return "memory: 4KiB to 1GiB are expected";
    if (plan->searches > TASK_SEARCHES_MAX)
        return "searches: at most 1000000000 are expected";
    if (plan->steps < 1 || plan->steps > TASK_SEARCHES_MAX)
        return "steps: 1 to 1000000000 are expected";
    if (plan->sleep_chance > HUNDRED || plan->lock > HUNDRED)
        return "sleep_chance and lock: 0 to 100 percent are expected";
    if (plan->sleep > TASK_SLEEP_NS_MAX)
        return "sleep: at most 10s are expected";
    return NULL;
}

uint64_t task_slots(uint64_t memory)
{
    uint64_t slots = 1;

    while (slots * 2 * sizeof(uint64_t) <= memory)
        slots *= 2;
    return slots;
}

static void insert(struct task *task, uint64_t key)
{
    uint64_t at = key >> 1 & task->mask;

    while (task->slots[at] != 0 && task->slots[at] != key)
        at = (at + 1) & task->mask;
    task->slots[at] = key;
}

struct task task_start(const struct task_plan *plan, uint64_t number,
                       uint64_t *slots)
{
    struct task task = {
        .origin = mix(mix(plan->seed + GOLDEN) + number),
        .slots = slots,
        .mask = task_slots(plan->memory) - 1,
    };

    task.random = mix(task.origin);
    task.rests = mix(task.random);
    for (uint64_t i = 0; i <= task.mask / 2; i++)
        insert(&task, key_of(&task, i));
    return task;
}

static inline uint64_t is_there(const struct task *task, uint64_t key)
{
    uint64_t at = key >> 1 & task->mask;

    while (task->slots[at] != 0) {
        if (task->slots[at] == key)
            return 1;
        at = (at + 1) & task->mask;
    }
    return 0;
}

/* Keys up to the mask: the lower half of them has been inserted. */
void task_search(struct task *task, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++)
        task->found +=
            is_there(task, key_of(task, draw(&task->random) & task->mask));
}

/* A step's part of a number that the steps share out evenly. */
static uint64_t part(uint64_t all, uint64_t steps, uint64_t step)
{
    return all / steps + (step < all % steps);
}

uint64_t task_locked_searches(const struct task_plan *plan, uint64_t step)
{
    return part(plan->searches * plan->lock / HUNDRED, plan->steps, step);
}

uint64_t task_free_searches(const struct task_plan *plan, uint64_t step)
{
    return part(plan->searches - plan->searches * plan->lock / HUNDRED,
                plan->steps, step);
}

uint64_t task_rest_ns(struct task *task, const struct task_plan *plan)
{
    if (plan->sleep == 0 || draw(&task->rests) % HUNDRED >= plan->sleep_chance)
        return 0;
    return draw(&task->rests) % (2 * plan->sleep);
}
