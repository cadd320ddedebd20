/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_VMBUS_VMBUS_H
#define HVSIM_VMBUS_VMBUS_H

/**
 * The VMBus server of one VM: answers its guest's messages, offers channels,
 * keeps what the guest lent. Pure protocol: it reaches guest memory through
 * struct guest_memory and everything else through struct vmbus_host_ops, and
 * makes no hypercall. Versions 2.4 to 5.3. Owned by whoever runs the VM
 * (partitions/).
 *
 * A guest that asks for what cannot be is refused by a status, where the
 * message has an answer, and is ignored otherwise.
 */

#include "hypervisor/hv_status.h"
#include "hypervisor/hypervisor.h"
#include "sim/core/guest_memory.h"
#include "vmbus/channel.h"
#include "vmbus/vmbus_abi.h"

struct vmbus;

/**
 * What the bus asks of its surroundings. `context` is that of the root VP at
 * work, or NULL in vmbus_reset() and vmbus_free(), where no work is paid for.
 */
struct vmbus_host_ops {
    /** A message for VMBUS_SINT of the VP. Sent in order and never lost, but
     *  for a VP that does not exist. */
    void (*post)(void *host, struct hv_context *context, uint32_t vp,
                 const void *message, uint32_t bytes);

    /**
     * From now on the channel's interrupts go to `vp`, and the guest can
     * signal VMBUS_EVENT_CONNECTION(relid) for it; VMBUS_NO_VP: it can signal,
     * and is not interrupted. Again for a VP that changes. Success, or a
     * status that makes the guest's request fail and leaves all as it was.
     */
    enum hv_status (*listen)(void *host, struct hv_context *context,
                             struct vmbus_channel *channel, uint32_t vp);

    /** The end of listen(): the channel is closed. */
    void (*unlisten)(void *host, struct hv_context *context,
                     struct vmbus_channel *channel);

    /** Sets the channel's flag (its relid) at its VP, which is not NO_VP. */
    void (*signal)(void *host, struct hv_context *context,
                   struct vmbus_channel *channel);

    /** There is work: have vmbus_channel_step() called from the channel's
     *  thread until it is VMBUS_DONE. */
    void (*serve)(void *host, struct hv_context *context,
                  struct vmbus_channel *channel);

    /** Serve the channel at that time, at once if it is past; CYCLES_NEVER
     *  cancels. It replaces the time before. */
    void (*wake_at)(void *host, struct vmbus_channel *channel, cycles_t at);

    /** The channel is about to be freed, closed before if it was open: drop
     *  what you keep of it. */
    void (*forget)(void *host, struct vmbus_channel *channel);
};

/** Creates the bus of a VM with that memory; the caller owns it, `ops` and
 *  `host` are borrowed. NULL: no memory. */
struct vmbus *vmbus_create(const struct vmbus_host_ops *ops, void *host,
                           struct guest_memory memory);
/** Frees the bus, its channels and their devices. */
void vmbus_free(struct vmbus *vmbus);

/** The VM is switched off: no connection any more, every channel closed, the
 *  devices reset. Sub-channels are gone. */
void vmbus_reset(struct vmbus *vmbus);

/** One message of the guest, posted to the connection of that number. The
 *  payload is a copy, of at most VMBUS_MESSAGE_BYTES. */
void vmbus_message(struct vmbus *vmbus, struct hv_context *context,
                   uint32_t connection_id, const void *payload, uint32_t bytes);

/** A channel to offer. */
struct vmbus_offer {
    struct vmbus_guid class_id, instance_id;
    uint16_t flags; /* VMBUS_OFFER_* */
    uint16_t mmio_megabytes;
    uint8_t user_data[VMBUS_USER_DATA_BYTES];
    /** 0: the device's primary channel. Others belong to the same device as
     *  the primary with the same GUIDs, and go when it closes. */
    uint16_t sub_channel_index;
    const struct vmbus_device_ops *ops; /* borrowed */
    void *device;
};

/**
 * Offers a channel, in the order of the calls; to a guest that has asked for
 * offers already, at once. A primary's device goes to the bus, which frees it;
 * sub-channels borrow it, and need the primary to be open. NULL: there are
 * VMBUS_CHANNELS_MAX, or no memory, and the device is still the caller's.
 * `context` may be NULL before the VM runs.
 */
struct vmbus_channel *vmbus_offer(struct vmbus *vmbus,
                                  struct hv_context *context,
                                  const struct vmbus_offer *offer);

/** Takes the offer back: closes the channel and, for a primary, rescinds its
 *  sub-channels and frees the device; the pointer is not to be used any more.
 *  The relid stays taken until the guest has released it. Not to be called
 *  from the ops of the device, but for its sub-channels. */
void vmbus_rescind(struct vmbus_channel *channel, struct hv_context *context);

/** The version agreed on; 0 while there is no connection. */
uint32_t vmbus_version(const struct vmbus *vmbus);

/** The channel of that event flag; NULL: none, or not offered any more. */
struct vmbus_channel *vmbus_find_channel(struct vmbus *vmbus, uint32_t relid);

#endif
