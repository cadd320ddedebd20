/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/core/event_queue.h"

#include <stdlib.h>

#include "sim/core/check.h"

/* Four children per node: shallower than a binary heap, and the children of a
 * node share a cache line. */
#define FANOUT 4

struct event_queue {
    struct event **heap; /* owned array of borrowed events */
    size_t count;
    size_t capacity;
    uint64_t next_sequence;
};

static bool fires_before(const struct event *a, const struct event *b)
{
    if (a->due.v != b->due.v)
        return a->due.v < b->due.v;
    if (a->kind != b->kind)
        return a->kind < b->kind;
    return a->sequence < b->sequence;
}

static void put(struct event_queue *queue, size_t index, struct event *event)
{
    queue->heap[index] = event;
    event->slot = index + 1;
}

/** Places `event` at `index` or above, moving later ancestors down. */
static void sift_up(struct event_queue *queue, size_t index,
                    struct event *event)
{
    while (index > 0) {
        size_t parent = (index - 1) / FANOUT;

        if (!fires_before(event, queue->heap[parent]))
            break;
        put(queue, index, queue->heap[parent]);
        index = parent;
    }
    put(queue, index, event);
}

/** The child of `index` that fires first; its index is `count` or more if
 *  there is none. */
static size_t first_child(const struct event_queue *queue, size_t index)
{
    size_t first = index * FANOUT + 1;
    size_t end = first + FANOUT < queue->count ? first + FANOUT : queue->count;

    for (size_t child = first + 1; child < end; child++) {
        if (fires_before(queue->heap[child], queue->heap[first]))
            first = child;
    }
    return first;
}

/** Places `event` at `index` or below, moving earlier descendants up. */
static void sift_down(struct event_queue *queue, size_t index,
                      struct event *event)
{
    for (;;) {
        size_t child = first_child(queue, index);

        if (child >= queue->count || fires_before(event, queue->heap[child]))
            break;
        put(queue, index, queue->heap[child]);
        index = child;
    }
    put(queue, index, event);
}

/** Places `event` where `index` is free, upwards or downwards. */
static void settle(struct event_queue *queue, size_t index, struct event *event)
{
    sift_up(queue, index, event);
    if (event->slot == index + 1)
        sift_down(queue, index, event);
}

static void make_room(struct event_queue *queue)
{
    if (queue->count < queue->capacity)
        return;
    queue->capacity = queue->capacity ? queue->capacity * 2 : 64;
    queue->heap =
        realloc(queue->heap, queue->capacity * sizeof(struct event *));
    CHECK(queue->heap != NULL);
}

struct event_queue *event_queue_create(void)
{
    struct event_queue *queue = calloc(1, sizeof(*queue));

    CHECK(queue != NULL);
    return queue;
}

void event_queue_free(struct event_queue *queue)
{
    if (!queue)
        return;
    free(queue->heap);
    free(queue);
}

void event_schedule(struct event_queue *queue, struct event *event,
                    cycles_t due)
{
    event->due = due;
    event->sequence = queue->next_sequence++;
    if (event_is_scheduled(event)) {
        settle(queue, event->slot - 1, event);
        return;
    }
    make_room(queue);
    sift_up(queue, queue->count++, event);
}

void event_cancel(struct event_queue *queue, struct event *event)
{
    if (!event_is_scheduled(event))
        return;

    size_t hole = event->slot - 1;

    CHECK(hole < queue->count && queue->heap[hole] == event);
    event->slot = 0;

    struct event *last = queue->heap[--queue->count];

    if (last != event)
        settle(queue, hole, last);
}

bool event_is_scheduled(const struct event *event)
{
    return event->slot != 0;
}

cycles_t event_queue_next(const struct event_queue *queue)
{
    return queue->count ? queue->heap[0]->due : CYCLES_NEVER;
}

static void foresee_next(const struct event_queue *queue)
{
    const struct event *next = queue->count ? queue->heap[0] : NULL;

    if (next && next->foresee)
        next->foresee(next->context);
}

void event_queue_fire_next(struct event_queue *queue)
{
    CHECK(queue->count > 0);

    struct event *event = queue->heap[0];

    event_cancel(queue, event);
    foresee_next(queue);
    event->fire(event->context, event->due);
}
