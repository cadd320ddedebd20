/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "vmbus/vmbus_private.h"

/*
 * How a channel is served: one thing in each step, so that a root VP can turn
 * to something else between two packets. While there are any, the guest is
 * asked not to signal; when there are none, it is asked to signal again, and
 * then looked at once more.
 */

static enum vmbus_more break_channel(struct vmbus_channel *channel,
                                     struct hv_context *context)
{
    if (channel->state == VMBUS_CHANNEL_OPEN)
        vmbus_channel_close(channel, context, VMBUS_CHANNEL_BROKEN);
    return VMBUS_DONE;
}

/** A send was refused: is there room for it now? */
static enum vmbus_more look_for_room(struct vmbus_channel *channel,
                                     struct hv_context *context)
{
    const struct vmbus_device_ops *device = channel->offer.ops;

    switch (vmbus_ring_poll_room(&channel->to_guest, channel->room_wanted)) {
    case VMBUS_RING_OK:
        channel->room_wanted = 0;
        if (device->room)
            device->room(channel->offer.device, channel, context);
        return VMBUS_AGAIN;
    case VMBUS_RING_WAIT:
        return VMBUS_DONE;
    case VMBUS_RING_CORRUPT:
        break;
    }
    return break_channel(channel, context);
}

/** Lets the guest signal again; AGAIN if it has been faster. */
static enum vmbus_more rest(struct vmbus_channel *channel,
                            struct hv_context *context)
{
    struct vmbus_packet_descriptor descriptor;

    if (!channel->masked)
        return VMBUS_DONE;
    channel->masked = false;
    if (vmbus_ring_mask(&channel->from_guest, false) != VMBUS_RING_OK)
        return break_channel(channel, context);
    return vmbus_ring_peek(&channel->from_guest, &descriptor) == VMBUS_RING_WAIT
               ? VMBUS_DONE
               : VMBUS_AGAIN;
}

/* Most packets fit; and a packet without a body has a place, too. */
#define BUFFER_BYTES_MIN 512

static bool make_buffer(struct vmbus_channel *channel, size_t bytes)
{
    if (bytes < BUFFER_BYTES_MIN)
        bytes = BUFFER_BYTES_MIN;
    if (bytes <= channel->buffer_bytes)
        return true;
    uint8_t *buffer = realloc(channel->buffer, bytes);
    if (!buffer)
        return false;
    channel->buffer = buffer;
    channel->buffer_bytes = bytes;
    return true;
}

/** Moves the packet from the ring to the buffer; what it frees may be what the
 *  guest waits for. */
static bool fetch(struct vmbus_channel *channel, struct hv_context *context,
                  const struct vmbus_packet_descriptor *descriptor)
{
    size_t bytes = vmbus_packet_bytes(descriptor) - sizeof(*descriptor);
    bool signal = false;

    if (!make_buffer(channel, bytes))
        return false;
    if (!channel->masked) {
        channel->masked = true;
        if (vmbus_ring_mask(&channel->from_guest, true) != VMBUS_RING_OK)
            return false;
    }
    if (vmbus_ring_take(&channel->from_guest, descriptor, channel->buffer,
                        &signal) != VMBUS_RING_OK)
        return false;
    cost_note(context->bill, COST_VMBUS_PACKET, 1);
    vmbus_bill_copy(context, bytes, true);
    if (signal)
        vmbus_channel_signal(channel, context);
    return true;
}

/** Hands the packet in the buffer to the device; false if it is none, or if the
 *  device cannot go on with this guest. */
static bool hand_over(struct vmbus_channel *channel, struct hv_context *context,
                      const struct vmbus_packet_descriptor *descriptor)
{
    struct vmbus_packet packet;

    if (!vmbus_packet_parse(&packet, descriptor, channel->buffer))
        return false;
    bool sound = channel->offer.ops->packet(channel->offer.device, channel,
                                            context, &packet);
    vmbus_packet_release(&packet);
    return sound;
}

static enum vmbus_more take_packet(struct vmbus_channel *channel,
                                   struct hv_context *context)
{
    struct vmbus_packet_descriptor descriptor;

    switch (vmbus_ring_peek(&channel->from_guest, &descriptor)) {
    case VMBUS_RING_OK:
        if (!fetch(channel, context, &descriptor) ||
            !hand_over(channel, context, &descriptor))
            return break_channel(channel, context);
        return VMBUS_AGAIN;
    case VMBUS_RING_WAIT:
        return rest(channel, context);
    case VMBUS_RING_CORRUPT:
        break;
    }
    return break_channel(channel, context);
}

static enum vmbus_more serve_rings(struct vmbus_channel *channel,
                                   struct hv_context *context)
{
    if (channel->room_wanted)
        return look_for_room(channel, context);
    if (channel->held)
        return VMBUS_DONE;
    return take_packet(channel, context);
}

static void expire(struct vmbus_channel *channel, struct hv_context *context)
{
    const struct vmbus_device_ops *device = channel->offer.ops;

    channel->wake_at = CYCLES_NEVER;
    if (device->expire)
        device->expire(channel->offer.device, channel, context);
}

/* By turns: a stream to the guest keeps none of its own packets waiting. */
enum vmbus_more vmbus_channel_step(struct vmbus_channel *channel,
                                   struct hv_context *context)
{
    bool due = !cycles_before(context->now, channel->wake_at);

    if (channel->state != VMBUS_CHANNEL_OPEN)
        return VMBUS_DONE;
    if (channel->corrupt)
        return break_channel(channel, context);
    if (due && !channel->rings_turn) {
        channel->rings_turn = true;
        expire(channel, context);
        return VMBUS_AGAIN;
    }
    channel->rings_turn = false;
    enum vmbus_more more = serve_rings(channel, context);
    return due ? VMBUS_AGAIN : more;
}
