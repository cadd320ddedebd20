/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_STIMER_H
#define HVSIM_HYPERVISOR_STIMER_H

/**
 * Synthetic timers (TLFS, "Synthetic Timers"): four per VP, one-shot or
 * periodic, in direct mode or by message. Owned by their VP.
 */

#include "sim/core/event_queue.h"
#include "sim/core/types.h"

struct hv_context;
struct hv_vp;

#define STIMER_COUNT 4

struct stimer {
    struct hv_vp *vp; /* borrowed: its owner */
    uint8_t index;
    uint64_t config;
    uint64_t count;
    reftime_t due;        /* when it expires or, while message_waiting, did */
    bool message_waiting; /* expired, but its slot was busy */
    struct event event;
};

/** Stopped, all registers 0. Queues no event yet. */
void stimer_init(struct stimer *timer, struct hv_vp *vp, uint8_t index);
/** Stops it; before the VP goes away. */
void stimer_fini(struct stimer *timer);

/** A VP reset: stops it and clears its registers. */
void stimer_reset(struct hv_context *context, struct stimer *timer);

/** 0x400000b0 + 2n and + 1. False: #GP. */
bool stimer_write_config(struct hv_context *context, struct stimer *timer,
                         uint64_t value);
bool stimer_write_count(struct hv_context *context, struct stimer *timer,
                        uint64_t value);

/** True if an expiry of the timer waits for the slot of `sint`. */
bool stimer_waits_for(const struct stimer *timer, uint32_t sint);

/** Tries again to place the message that waits. Called by the SynIC when a
 *  slot may have become free. */
void stimer_retry(struct hv_context *context, struct stimer *timer);

#endif
