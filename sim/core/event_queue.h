/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_CORE_EVENT_QUEUE_H
#define HVSIM_SIM_CORE_EVENT_QUEUE_H

/**
 * Future work, in a total order: first by due time, then by kind (the order of
 * enum event_kind, with the reason beside each), then by the order in which
 * the events were scheduled. No two events compare equal, so a run does not
 * depend on the heap's layout.
 *
 * The queue borrows each struct event from its owner from event_schedule()
 * until the event fires or is cancelled; it never allocates per event beyond
 * growing its heap.
 */

#include <stddef.h>

#include "sim/core/types.h"

enum event_kind {
    EVENT_DEVICE,   /* inputs first: what arrives may raise interrupts */
    EVENT_TIMER,    /* then timers, which raise interrupts too */
    EVENT_WAKE,     /* then processors react to what was raised */
    EVENT_TIMELINE, /* then what the scenario asks for at this time */
    EVENT_SAMPLE,   /* counters are read when all else has happened */
    EVENT_END,      /* the run's own end is the last thing at its time */
};

struct event {
    enum event_kind kind;
    const char *name; /* for traces; a literal */
    /** Called with the event no longer queued, so it may schedule itself. */
    void (*fire)(void *context, cycles_t now);
    void *context; /* borrowed */
    /** NULL, or called when this is next, before the event ahead of it fires,
     *  and perhaps again: to let the host's caches fetch what fire() will need
     *  while there is something else to do. Must not change anything. */
    void (*foresee)(const void *context);
    /* Private to event_queue.c below. */
    cycles_t due;
    uint64_t sequence;
    size_t slot; /* index in the heap plus one; 0 while not queued */
};

struct event_queue;

/** The caller owns the queue and frees it with event_queue_free(). */
struct event_queue *event_queue_create(void);
void event_queue_free(struct event_queue *queue);

/** Queues `event` for `due`; if it was queued already, it moves. */
void event_schedule(struct event_queue *queue, struct event *event,
                    cycles_t due);

/** Takes `event` out of the queue; does nothing if it is not queued. */
void event_cancel(struct event_queue *queue, struct event *event);

bool event_is_scheduled(const struct event *event);

/** When the first event is due; CYCLES_NEVER when there is none. */
cycles_t event_queue_next(const struct event_queue *queue);

/** Removes the first event, CHECKed to exist, and fires it at its due time. */
void event_queue_fire_next(struct event_queue *queue);

#endif
