/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_SYNIC_H
#define HVSIM_HYPERVISOR_SYNIC_H

/**
 * The synthetic interrupt controller of a VP (TLFS, "Virtual Interrupt
 * Controller"): SINTs, the message page with its slots and queues, EOM.
 * Owned by its VP. A root VP, being a model, has its message page too and
 * reads its slots through synic_take_message().
 */

#include "sim/core/types.h"

struct hv_context;
struct hv_vp;

#define SYNIC_SINT_COUNT 16
#define SYNIC_MESSAGE_BYTES 256
#define SYNIC_PAYLOAD_BYTES_MAX 240
#define SYNIC_MESSAGE_TIMER_EXPIRED 0x80000010u

struct synic_queued; /* a message that waits for its slot */

struct synic {
    struct hv_vp *vp; /* borrowed: its owner */
    uint64_t scontrol, siefp, simp;
    uint64_t sint[SYNIC_SINT_COUNT];
    spa_t message_page;     /* valid while SIMP is enabled */
    spa_t event_flags_page; /* valid while SIEFP is enabled */
    struct synic_queued *queue[SYNIC_SINT_COUNT]; /* owns; oldest first */
    uint32_t queued_count;
};

void synic_init(struct synic *synic, struct hv_vp *vp);
void synic_reset(struct hv_context *context, struct synic *synic);
void synic_fini(struct synic *synic);

/** MSRs 0x40000080..0x4000009f. False: #GP. */
bool synic_msr_read(struct hv_context *context, struct synic *synic,
                    uint32_t index, uint64_t *value);
bool synic_msr_write(struct hv_context *context, struct synic *synic,
                     uint32_t index, uint64_t value);

/**
 * Posts a message to a SINT: into its slot if that is free, else to the queue
 * (MessagePending is set in the slot). False if the SynIC or its message page
 * is off, or the queue is full. `type` is not 0; `bytes` at most 240.
 */
bool synic_post_message(struct hv_context *context, struct synic *synic,
                        uint32_t sint, uint32_t type, uint64_t origin,
                        const void *payload, uint32_t bytes);

/** What software does with a full slot: copies it out, frees the slot and
 *  writes EOM if more is pending. False if the slot is free. For root VPs. */
bool synic_take_message(struct hv_context *context, struct synic *synic,
                        uint32_t sint, uint8_t message[SYNIC_MESSAGE_BYTES]);

/** An EOI of a SINT's vector, or EOM: rescans the queues. */
void synic_rescan(struct hv_context *context, struct synic *synic);

#endif
