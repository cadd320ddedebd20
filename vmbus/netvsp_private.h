/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_VMBUS_NETVSP_PRIVATE_H
#define HVSIM_VMBUS_NETVSP_PRIVATE_H

/**
 * Shared by netvsp*.c: what an adapter is made of, and NVSP's messages.
 * netvsp.c answers those of the guest, netvsp_rndis.c what is in them for the
 * adapter and the switch, netvsp_send.c does all that goes the other way.
 */

#include "vmbus/netvsp.h"
#include "vmbus/rndis.h"

/** Of 31 MiB, the most that Linux lends. */
#define NETVSP_SLOTS_MAX 18811u
#define NETVSP_SLOT_WORDS ((NETVSP_SLOTS_MAX + 63) / 64)
#define NETVSP_ANSWERS_MAX 16u /* of RNDIS, waiting for a section */

struct netvsp_message {
    uint32_t type; /* enum netvsp_type */
    uint32_t body[NETVSP_MESSAGE_BYTES / sizeof(uint32_t) - 1];
};

enum { /* words of the bodies */
       NETVSP_INIT_LOW = 0,
       NETVSP_INIT_HIGH = 1,
       NETVSP_INIT_COMPLETE_VERSION = 0, /* of old; now nothing */
       NETVSP_INIT_COMPLETE_CHAIN = 1,
       NETVSP_INIT_COMPLETE_STATUS = 2,
       NETVSP_NDIS_MAJOR = 0,
       NETVSP_NDIS_MINOR = 1,
       NETVSP_BUFFER_GPADL = 0,
       NETVSP_BUFFER_ID = 1, /* 16 bits */
       NETVSP_RECEIVE_STATUS = 0,
       NETVSP_RECEIVE_PARTS = 1, /* of the buffer, each with sections: one */
       NETVSP_RECEIVE_OFFSET = 2,
       NETVSP_RECEIVE_SIZE = 3, /* of a section */
       NETVSP_RECEIVE_SECTIONS = 4,
       NETVSP_RECEIVE_END = 5,
       NETVSP_SEND_STATUS = 0,
       NETVSP_SEND_SIZE = 1, /* of a section */
       NETVSP_RNDIS_CHANNEL = 0,
       NETVSP_RNDIS_SECTION = 1,
       NETVSP_RNDIS_BYTES = 2, /* in the section */
       NETVSP_RNDIS_STATUS = 0,
};

/** A buffer that the guest lent, in sections. */
struct netvsp_buffer {
    bool lent;
    uint32_t gpadl_id;
    uint16_t id; /* the page set's, in transfer-page packets */
    uint32_t sections;
};

struct netvsp_answer {
    uint32_t bytes;
    uint8_t data[RNDIS_REPLY_BYTES_MAX];
};

struct netvsp {
    struct vswitch_port *port;     /* of the switch; ours to disconnect */
    struct vmbus_channel *channel; /* borrowed while it is open, else NULL */
    struct rndis rndis;
    uint32_t version; /* of NVSP; 0: none yet */
    struct netvsp_buffer receive, send;

    /* Sections of the receive buffer that the guest has. The buffer's number
     * tells a late completion for the one before. */
    uint32_t buffer_number;
    uint32_t busy_count, next_slot;
    uint64_t busy[NETVSP_SLOT_WORDS];

    /* What waits to be sent, besides frames. */
    bool refused; /* a send was: there will be room() */
    bool completing;
    uint64_t completion_id;
    uint32_t completion_bytes;
    struct netvsp_message completion;
    uint32_t first_answer, answer_count;
    struct netvsp_answer answers[NETVSP_ANSWERS_MAX];
    bool tell_link;

    cycles_t wake; /* as set at the channel */
};

/* netvsp_send.c */

/** Has netvsp_send_next() called as soon as it has something to do, but not
 *  before `now`; unless room() will be. To be called after any change. */
void netvsp_schedule(struct netvsp *netvsp, cycles_t now);

/** Sends one thing of those that wait, what was refused first of all. */
void netvsp_send_next(struct netvsp *netvsp, struct hv_context *context);

/** Answers `packet`, if it wants that, with `message`; NULL: with nothing but
 *  that it is done. */
void netvsp_complete(struct netvsp *netvsp, struct hv_context *context,
                     const struct vmbus_packet *packet,
                     const struct netvsp_message *message);

/** The guest has read a section. False: of a buffer that it lends, and it did
 *  not have it. */
bool netvsp_take_completion(struct netvsp *netvsp, uint64_t transaction_id);

/** All sections are ours, of a buffer to come. */
void netvsp_forget_slots(struct netvsp *netvsp);

/* netvsp_rndis.c */

/** Reads what `message` says is in its packet, and does it; a status. */
uint32_t netvsp_take_rndis(struct netvsp *netvsp, struct hv_context *context,
                           const struct vmbus_packet *packet,
                           const struct netvsp_message *message);

#endif
