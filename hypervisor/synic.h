/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_SYNIC_H
#define HVSIM_HYPERVISOR_SYNIC_H

/**
 * The synthetic interrupt controller of a VP (TLFS, "Virtual Interrupt
 * Controller"): SINTs, the message page with its slots and queues, EOM, event
 * flags and the event ring (SIRBP; its layout is that of public headers).
 * Owned by its VP. A root VP, being a model, has its message page too and
 * reads its slots through synic_take_message().
 */

#include "sim/core/event_queue.h"
#include "sim/core/types.h"

struct hv_context;
struct hv_vp;
struct vp_intercept;

#define SYNIC_SINT_COUNT 16
#define SYNIC_MESSAGE_BYTES 256
#define SYNIC_PAYLOAD_BYTES_MAX 240
#define SYNIC_EVENT_FLAG_COUNT 2048 /* of each SINT */
#define SYNIC_MESSAGE_TIMER_EXPIRED 0x80000010u
#define SYNIC_MESSAGE_SINT_INTERCEPT 0x80000061u

/** Messages of one origin that may wait for one slot (TLFS 2.0a, "Message
 *  Buffers": a port has sixteen). The hypervisor's are of one origin. */
#define SYNIC_QUEUE_MAX 16

/** The page of SIMP, SIEFP or SIRBP while there is none. */
#define SYNIC_NO_PAGE ((spa_t){UINT64_MAX})

struct synic_queued; /* a message that waits for its slot */

struct synic {
    struct hv_vp *vp; /* borrowed: its owner */
    uint64_t scontrol, siefp, simp, sirbp;
    uint64_t sint[SYNIC_SINT_COUNT];
    /* SYNIC_NO_PAGE while disabled, or if the GPA given cannot be had. */
    spa_t message_page;
    spa_t event_flags_page;
    spa_t ring_page;
    uint8_t ring_head[SYNIC_SINT_COUNT];          /* where the next goes */
    struct synic_queued *queue[SYNIC_SINT_COUNT]; /* owns; oldest first */
    /* Intercepts of children that found the queue full: a list kept by
     * intercept_message.c, oldest first; borrowed. */
    struct vp_intercept *senders;
    struct event retry; /* while messages wait; see synic_rescan() */
};

/** Disabled, all SINTs masked. */
void synic_init(struct synic *synic, struct hv_vp *vp);
/** The same for one that has been used: gives pages back, drops messages. */
void synic_reset(struct hv_context *context, struct synic *synic);
/** Gives its pages back and drops what is queued; before the VP goes away. */
void synic_fini(struct synic *synic);

/** MSRs 0x40000080..0x4000009f. False: #GP. */
bool synic_msr_read(struct hv_context *context, struct synic *synic,
                    uint32_t index, uint64_t *value);
bool synic_msr_write(struct hv_context *context, struct synic *synic,
                     uint32_t index, uint64_t value);

/**
 * Posts a message to a SINT: into its slot if that is free, else to the queue
 * (MessagePending is set in the slot). False if the SynIC or its message page
 * is off, or too many of `origin` wait. `type` is not 0; `bytes` at most 240.
 */
bool synic_post_message(struct hv_context *context, struct synic *synic,
                        uint32_t sint, uint32_t type, uint64_t origin,
                        const void *payload, uint32_t bytes);

/**
 * The same for a message that must not be queued, because it says when it was
 * delivered: into the slot if it is free and nothing waits for it. Otherwise
 * false, and MessagePending is set in an occupied slot.
 */
bool synic_place_message(struct hv_context *context, struct synic *synic,
                         uint32_t sint, uint32_t type, uint64_t origin,
                         const void *payload, uint32_t bytes);

/** Whether messages can be posted; whether events of `sint` can be signalled,
 *  which a masked SINT refuses. */
bool synic_takes_messages(const struct synic *synic);
bool synic_takes_events(const struct synic *synic, uint32_t sint);

/** Sets an event flag; the SINT interrupts if it was clear. The SynIC is
 *  CHECKed to take events of `sint`. */
void synic_signal_event(struct hv_context *context, struct synic *synic,
                        uint32_t sint, uint32_t flag);

/** Whether anything can be put on a ring: the SynIC and its ring page on. */
bool synic_takes_ring(const struct synic *synic);

/**
 * Puts `entry`, which is not 0, on the event ring of `sint`, and interrupts
 * unless software has masked that while it empties the ring. A SINT that is an
 * intercept (bit 19) does so by a message to SINT 0. False if the ring is
 * full, and the ring says so. The SynIC is CHECKed to take entries.
 */
bool synic_put_on_ring(struct hv_context *context, struct synic *synic,
                       uint32_t sint, uint32_t entry);

/** What software does with a full slot: copies it out, frees the slot and
 *  writes EOM if more is pending. False if the slot is free. For root VPs. */
bool synic_take_message(struct hv_context *context, struct synic *synic,
                        uint32_t sint, uint8_t message[SYNIC_MESSAGE_BYTES]);

/**
 * Moves what waits, queued messages first and then timers and intercepts, to
 * slots that have become free. Happens at an EOM, at the EOI of a SINT's
 * vector, at each new post, and once a millisecond while a message waits
 * (TLFS 2.0a, "Message Queues").
 */
void synic_rescan(struct hv_context *context, struct synic *synic);

/** The local APIC ended `vector`. */
void synic_eoi(struct hv_context *context, struct synic *synic, uint8_t vector);

#endif
