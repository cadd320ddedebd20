/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_VMBUS_VMBUS_PRIVATE_H
#define HVSIM_VMBUS_VMBUS_PRIVATE_H

/**
 * Shared by vmbus*.c, channel*.c, packet.c and gpadl.c: what a bus and a
 * channel are made of. vmbus*.c decide what a guest may ask for, channel*.c do
 * it.
 */

#include "vmbus/channel.h"
#include "vmbus/gpadl.h"
#include "vmbus/ring.h"
#include "vmbus/vmbus.h"

enum vmbus_channel_state {
    VMBUS_CHANNEL_LATENT,   /* the guest does not know it, or let go of it */
    VMBUS_CHANNEL_OFFERED,  /* it knows, and may open it */
    VMBUS_CHANNEL_OPEN,     /* served */
    VMBUS_CHANNEL_BROKEN,   /* we closed it; the guest has not yet */
    VMBUS_CHANNEL_RESCINDED /* no offer any more; its relid not released */
};

struct vmbus_channel {
    struct vmbus *bus;             /* borrowed */
    struct vmbus_channel *primary; /* borrowed; NULL: this is one */
    uint32_t relid;
    enum vmbus_channel_state state; /* vmbus_channel_set_state() */
    struct vmbus_offer offer; /* its device is owned if this is a primary */
    void *host_data;          /* borrowed from the host */

    /* The rest counts while it is OPEN. */
    uint32_t ring_gpadl_id;
    uint32_t target_vp;
    struct vmbus_ring from_guest, to_guest;
    bool corrupt;         /* to be broken by the next step */
    bool masked;          /* the guest was told not to signal */
    bool held;            /* by the device */
    bool rings_turn;      /* before what is due by time */
    uint64_t room_wanted; /* packet size of a refused send; 0: none was */
    cycles_t wake_at;
    uint8_t *buffer; /* owns: the packet taken last, without descriptor */
    size_t buffer_bytes;
};

struct vmbus {
    const struct vmbus_host_ops *ops; /* borrowed */
    void *host;                       /* borrowed */
    struct guest_memory memory;
    struct vmbus_gpadl_table *gpadls; /* owns */

    uint32_t version; /* 0: not connected */
    uint32_t message_vp;
    bool offers_requested;

    /* By relid, owned; 0 is none. */
    struct vmbus_channel *channels[VMBUS_CHANNELS_MAX];
};

/* A message of the guest: a copy, padded with zeros. */
struct vmbus_request {
    uint32_t connection_id; /* that it was posted to */
    uint32_t bytes;
    union {
        struct vmbus_header header;
        struct vmbus_relid_message relid;
        struct vmbus_open_channel open;
        struct vmbus_gpadl_header gpadl;
        struct vmbus_gpadl_body body;
        struct vmbus_gpadl_teardown teardown;
        struct vmbus_initiate_contact contact;
        struct vmbus_modify_channel modify;
        struct vmbus_tl_connect_request tl_connect;
        uint8_t payload[VMBUS_MESSAGE_BYTES];
    };
};

typedef void vmbus_request_handler(struct vmbus *vmbus,
                                   struct hv_context *context,
                                   const struct vmbus_request *request);

#define VMBUS_COPY_BYTES 64 /* one COST_VMBUS_COPY */

/** Bills a copy that was `done`, and passes that on. */
static inline bool vmbus_bill_copy(struct hv_context *context, uint64_t bytes,
                                   bool done)
{
    if (done)
        cost_note(
            context->bill, COST_VMBUS_COPY,
            (uint32_t)((bytes + VMBUS_COPY_BYTES - 1) / VMBUS_COPY_BYTES));
    return done;
}

/* vmbus.c */

/** The connection that guests of that version post their messages to. */
uint32_t vmbus_connection_of(uint32_t version);

/** Sends a message to the connected guest, and bills it. */
void vmbus_post(struct vmbus *vmbus, struct hv_context *context,
                const void *message, uint32_t bytes);

/* vmbus_connection.c: INITIATE_CONTACT, UNLOAD */

vmbus_request_handler vmbus_initiate_contact, vmbus_unload;

/** The end of the connection: every channel closed, its device told unless
 *  context is NULL, and unknown to the guest; nothing lent any more. */
void vmbus_disconnect(struct vmbus *vmbus, struct hv_context *context);

/* vmbus_offer.c: offers, and their end */

vmbus_request_handler vmbus_request_offers, vmbus_relid_released;

/** Takes back the offers of the sub-channels of `primary`. */
void vmbus_rescind_sub_channels(struct vmbus_channel *primary,
                                struct hv_context *context);

/** Frees a channel that is not open, and its relid. */
void vmbus_remove(struct vmbus_channel *channel);

/* vmbus_channels.c: requests about a channel and what is lent to it */

vmbus_request_handler vmbus_open_channel, vmbus_close_channel,
    vmbus_modify_channel, vmbus_gpadl_header, vmbus_gpadl_body,
    vmbus_gpadl_teardown;

/* packet.c */

/**
 * Makes a packet of the descriptor and what was behind it in the ring, to
 * which it points. False: malformed, or of a type that guests do not send.
 * Otherwise vmbus_packet_release() it.
 */
bool vmbus_packet_parse(struct vmbus_packet *packet,
                        const struct vmbus_packet_descriptor *descriptor,
                        const uint8_t *body);
void vmbus_packet_release(struct vmbus_packet *packet);

/* channel.c: a channel's life */

/** Sets the state, and traces it unless context is NULL. */
void vmbus_channel_set_state(struct vmbus_channel *channel,
                             struct hv_context *context,
                             enum vmbus_channel_state state);

/**
 * Opens an OFFERED channel as the guest asked, with its rings in `ranges`:
 * guest to host first, host to guest from the downstream page on. False, and it
 * is not open, if they are no rings or the host cannot listen.
 */
bool vmbus_channel_open(struct vmbus_channel *channel,
                        struct hv_context *context,
                        const struct vmbus_open_channel *request,
                        const struct vmbus_ranges *ranges);

/** Has an OPEN channel interrupt another VP; false if that cannot be. */
bool vmbus_channel_retarget(struct vmbus_channel *channel,
                            struct hv_context *context, uint32_t vp);

/** Sets the channel's flag, if it has a VP. */
void vmbus_channel_signal(struct vmbus_channel *channel,
                          struct hv_context *context);

/** Closes an OPEN channel, which ends in `state`: its sub-channels are
 *  rescinded, the host and the device told; the latter unless context is
 *  NULL. */
void vmbus_channel_close(struct vmbus_channel *channel,
                         struct hv_context *context,
                         enum vmbus_channel_state state);

#endif
