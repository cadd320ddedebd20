/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "vmbus/vmbus_private.h"

/** The ranges of a GPA-direct packet, of which `bytes` are between descriptor
 *  and payload; NULL: malformed. */
static struct vmbus_ranges *parse_ranges(const uint8_t *body, size_t bytes)
{
    struct vmbus_gpa_direct direct;

    if (bytes < sizeof(direct))
        return NULL;
    memcpy(&direct, body, sizeof(direct));
    return vmbus_ranges_parse(body + sizeof(direct), bytes - sizeof(direct),
                              direct.range_count);
}

bool vmbus_packet_parse(struct vmbus_packet *packet,
                        const struct vmbus_packet_descriptor *descriptor,
                        const uint8_t *body)
{
    size_t head = vmbus_packet_head_bytes(descriptor) - sizeof(*descriptor);

    if (descriptor->flags & ~VMBUS_PACKET_COMPLETION_WANTED)
        return false;
    *packet = (struct vmbus_packet){
        .type = (enum vmbus_packet_type)descriptor->type,
        .completion_wanted = descriptor->flags & VMBUS_PACKET_COMPLETION_WANTED,
        .transaction_id = descriptor->transaction_id,
        .payload = body + head,
        .bytes = vmbus_packet_bytes(descriptor) -
                 vmbus_packet_head_bytes(descriptor),
    };
    switch (descriptor->type) {
    case VMBUS_PACKET_IN_BAND:
    case VMBUS_PACKET_COMPLETION:
        return true;
    case VMBUS_PACKET_GPA_DIRECT:
        packet->ranges = parse_ranges(body, head);
        return packet->ranges;
    default: /* a number that the guest wrote */
        return false;
    }
}

void vmbus_packet_release(struct vmbus_packet *packet)
{
    vmbus_ranges_free(packet->ranges);
    packet->ranges = NULL;
}

bool vmbus_packet_read(const struct vmbus_packet *packet,
                       struct vmbus_channel *channel,
                       struct hv_context *context, uint64_t offset, void *to,
                       size_t bytes)
{
    return packet->ranges &&
           vmbus_channel_read(channel, context, packet->ranges, offset, to,
                              bytes);
}

bool vmbus_packet_write(const struct vmbus_packet *packet,
                        struct vmbus_channel *channel,
                        struct hv_context *context, uint64_t offset,
                        const void *from, size_t bytes)
{
    return packet->ranges &&
           vmbus_channel_write(channel, context, packet->ranges, offset, from,
                               bytes);
}
