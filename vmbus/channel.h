/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_VMBUS_CHANNEL_H
#define HVSIM_VMBUS_CHANNEL_H

/**
 * A channel as a VSP sees it: packets in, packets out, and the memory that the
 * guest lends for them. A VSP implements struct vmbus_device_ops, is offered
 * with vmbus_offer() (vmbus.h), and answers each packet at once or later.
 *
 * All happens within vmbus_channel_step(), one packet or event at a time, in
 * the time of the root VP whose context is passed down; except opened(),
 * closed() and reset(), which come from the bus. Nothing here waits.
 */

#include <stddef.h>

#include "hypervisor/hypervisor.h"
#include "vmbus/gpadl.h"
#include "vmbus/ranges.h"
#include "vmbus/vmbus_abi.h"

struct vmbus_channel;

/** What the guest sent: a copy that it cannot change any more. Valid during
 *  packet(); ranges that are needed later: vmbus_ranges_copy(). */
struct vmbus_packet {
    enum vmbus_packet_type type; /* never TRANSFER_PAGES */
    bool completion_wanted;
    uint64_t transaction_id;
    const uint8_t *payload;
    uint32_t bytes; /* of the payload: what was sent, rounded up to 8 */
    struct vmbus_ranges *ranges; /* GPA_DIRECT: checked; else NULL */
};

struct vmbus_device_ops {
    const char *name; /* "storvsp" */

    /** The guest opened the channel: packets may come and be sent. NULL if
     *  there is nothing to do. */
    void (*opened)(void *device, struct vmbus_channel *channel,
                   struct hv_context *context);

    /** The channel is closed, whoever did it: sends are refused from now on,
     *  wake_at() is cancelled, and when this returns the rings, the packets'
     *  ranges and the GPADLs are the guest's again. What was not answered will
     *  not be. May be followed by opened(). NULL if there is nothing to do. */
    void (*closed)(void *device, struct vmbus_channel *channel,
                   struct hv_context *context);

    /** A packet arrived. False: the guest broke the protocol; the channel is
     *  closed (closed() follows), and traced. Mandatory. */
    bool (*packet)(void *device, struct vmbus_channel *channel,
                   struct hv_context *context,
                   const struct vmbus_packet *packet);

    /** A send that was refused for want of room would succeed now. Until then
     *  no packet is taken from the guest, so a device that answers at once
     *  has at most one answer to keep. NULL for one that never sends. */
    void (*room)(void *device, struct vmbus_channel *channel,
                 struct hv_context *context);

    /** The time of vmbus_channel_wake_at() has come. NULL if it sets none. */
    void (*expire)(void *device, struct vmbus_channel *channel,
                   struct hv_context *context);

    /** The VM is switched off: as after power-on, its channels closed without
     *  closed() being called. Once for all channels of a device. NULL if there
     *  is nothing to do. */
    void (*reset)(void *device);

    /** Frees the device; its channels are gone. NULL if it is not owned. */
    void (*free)(void *device);
};

/**
 * Sends a packet: type, flags (VMBUS_PACKET_COMPLETION_WANTED), id and payload
 * as on the wire, for IN_BAND and COMPLETION. False: there is no room, and
 * room() will be called; or the channel is not open, and it will not.
 */
bool vmbus_channel_send(struct vmbus_channel *channel,
                        struct hv_context *context, enum vmbus_packet_type type,
                        uint16_t flags, uint64_t transaction_id,
                        const void *payload, uint32_t bytes);

/** Sends the completion of the packet with that id; otherwise like send. */
bool vmbus_channel_complete(struct vmbus_channel *channel,
                            struct hv_context *context, uint64_t transaction_id,
                            const void *payload, uint32_t bytes);

/** Sends a packet about `count` ranges of the buffer `set` that the guest lent,
 *  which have been filled before, and wants its completion; otherwise like
 *  send. */
bool vmbus_channel_send_transfer_pages(
    struct vmbus_channel *channel, struct hv_context *context, uint16_t set,
    const struct vmbus_transfer_range *ranges, uint32_t count,
    uint64_t transaction_id, const void *payload, uint32_t bytes);

/** Has expire() called at that time, or at once if it is past; CYCLES_NEVER:
 *  not at all. A channel has one such time. Only while it is open. */
void vmbus_channel_wake_at(struct vmbus_channel *channel, cycles_t at);

/** While held, no packet is taken from the guest: for a device that has as
 *  much to do as it wants to. Ends with the channel's closing. */
void vmbus_channel_hold(struct vmbus_channel *channel,
                        struct hv_context *context, bool held);

/** A buffer that the guest lent to this channel. NULL: no such, or not
 *  complete. Keep the id, not the pointer: the guest may take it back
 *  between any two steps. */
struct vmbus_gpadl *vmbus_channel_gpadl(struct vmbus_channel *channel,
                                        uint32_t id);

/** Copies from or to a GPA-direct packet's ranges, or a kept copy of them,
 *  while the channel is open; billed. False as vmbus_ranges_read(). */
bool vmbus_channel_read(struct vmbus_channel *channel,
                        struct hv_context *context,
                        const struct vmbus_ranges *ranges, uint64_t offset,
                        void *to, size_t bytes);
bool vmbus_channel_write(struct vmbus_channel *channel,
                         struct hv_context *context,
                         const struct vmbus_ranges *ranges, uint64_t offset,
                         const void *from, size_t bytes);

/** The same for a packet; false if it has no ranges. */
bool vmbus_packet_read(const struct vmbus_packet *packet,
                       struct vmbus_channel *channel,
                       struct hv_context *context, uint64_t offset, void *to,
                       size_t bytes);
bool vmbus_packet_write(const struct vmbus_packet *packet,
                        struct vmbus_channel *channel,
                        struct hv_context *context, uint64_t offset,
                        const void *from, size_t bytes);

bool vmbus_channel_is_open(const struct vmbus_channel *channel);
uint32_t vmbus_channel_relid(const struct vmbus_channel *channel);
/** The VP that the channel interrupts; VMBUS_NO_VP: none, or not open. */
uint32_t vmbus_channel_target_vp(const struct vmbus_channel *channel);
uint16_t vmbus_channel_sub_channel_index(const struct vmbus_channel *channel);
/** The name of its device's ops. */
const char *vmbus_channel_name(const struct vmbus_channel *channel);
/** Of the VM that it belongs to. */
struct vmbus *vmbus_channel_bus(const struct vmbus_channel *channel);

/* For the host of the bus (partitions/). */

enum vmbus_more {
    VMBUS_DONE,  /* nothing to do until signalled, or the time of wake_at() */
    VMBUS_AGAIN, /* there may be: call again */
};

/**
 * Does one thing: calls expire() if its time has come, and by turns with that
 * room() if there is, or takes one packet. Called from the channel's thread
 * after the guest signalled the channel, host_ops.serve(), or the time of
 * host_ops.wake_at().
 */
enum vmbus_more vmbus_channel_step(struct vmbus_channel *channel,
                                   struct hv_context *context);

/** What the host keeps of a channel; NULL at first. Borrowed: see forget(). */
void vmbus_channel_set_host_data(struct vmbus_channel *channel, void *data);
void *vmbus_channel_host_data(const struct vmbus_channel *channel);

#endif
