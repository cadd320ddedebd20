/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmbus/vmbus_private.h"

/* What a VSP puts into the host-to-guest ring. */

/** A ring that makes no sense ends its channel, but not within a device's own
 *  call: the next step does it. */
static void mark_corrupt(struct vmbus_channel *channel,
                         struct hv_context *context)
{
    struct vmbus *bus = channel->bus;

    channel->corrupt = true;
    bus->ops->serve(bus->host, context, channel);
}

static uint64_t sum_bytes(const struct vmbus_piece *pieces, unsigned count)
{
    uint64_t bytes = 0;

    for (unsigned i = 0; i < count; i++)
        bytes += pieces[i].bytes;
    return bytes;
}

static bool put(struct vmbus_channel *channel, struct hv_context *context,
                const struct vmbus_packet_descriptor *descriptor,
                const struct vmbus_piece *pieces, unsigned piece_count)
{
    uint64_t bytes = sum_bytes(pieces, piece_count);
    bool signal = false;

    if (!vmbus_channel_is_open(channel))
        return false;
    switch (vmbus_ring_put(&channel->to_guest, descriptor, pieces, piece_count,
                           &signal)) {
    case VMBUS_RING_OK:
        cost_note(context->bill, COST_VMBUS_PACKET, 1);
        vmbus_bill_copy(context, bytes, true);
        if (signal)
            vmbus_channel_signal(channel, context);
        return true;
    case VMBUS_RING_WAIT:
        channel->room_wanted = vmbus_ring_packet_bytes(bytes);
        return false;
    case VMBUS_RING_CORRUPT:
        mark_corrupt(channel, context);
        return false;
    }
    return false;
}

bool vmbus_channel_send(struct vmbus_channel *channel,
                        struct hv_context *context, enum vmbus_packet_type type,
                        uint16_t flags, uint64_t transaction_id,
                        const void *payload, uint32_t bytes)
{
    struct vmbus_packet_descriptor descriptor = {
        .type = (uint16_t)type,
        .data_offset_8 = sizeof(descriptor) / 8,
        .flags = flags,
        .transaction_id = transaction_id,
    };
    struct vmbus_piece piece = {payload, bytes};

    return put(channel, context, &descriptor, &piece, 1);
}

bool vmbus_channel_complete(struct vmbus_channel *channel,
                            struct hv_context *context, uint64_t transaction_id,
                            const void *payload, uint32_t bytes)
{
    return vmbus_channel_send(channel, context, VMBUS_PACKET_COMPLETION, 0,
                              transaction_id, payload, bytes);
}

bool vmbus_channel_send_transfer_pages(
    struct vmbus_channel *channel, struct hv_context *context, uint16_t set,
    const struct vmbus_transfer_range *ranges, uint32_t count,
    uint64_t transaction_id, const void *payload, uint32_t bytes)
{
    struct vmbus_transfer_pages head = {.set = set, .range_count = count};
    uint64_t range_bytes = (uint64_t)count * sizeof(*ranges);
    struct vmbus_packet_descriptor descriptor = {
        .type = VMBUS_PACKET_TRANSFER_PAGES,
        .data_offset_8 =
            (uint16_t)((sizeof(descriptor) + sizeof(head) + range_bytes) / 8),
        .flags = VMBUS_PACKET_COMPLETION_WANTED,
        .transaction_id = transaction_id,
    };
    struct vmbus_piece pieces[] = {
        {&head, sizeof(head)}, {ranges, range_bytes}, {payload, bytes}};

    return put(channel, context, &descriptor, pieces,
               sizeof(pieces) / sizeof(pieces[0]));
}
