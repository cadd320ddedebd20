/* SPDX-License-Identifier: GPL-2.0-or-later */
/* RNDIS from the guest: to the adapter, or frames for the switch. */
#include <assert.h>

#include "sim/core/cost.h"
#include "vmbus/netvsp_private.h"

#define FRAME_BYTES_MAX (RNDIS_MTU + VSWITCH_HEADER_BYTES)
#define TYPE_AT 12u /* of a frame */
#define TAG_TYPE 0x8100u
#define TAG_BYTES 4u /* of an 802.1Q header within a frame */

static_assert(NETVSP_SEND_SECTION_BYTES <= RNDIS_MESSAGE_BYTES_MAX,
              "a section fits into a message");

static uint32_t port_filter(uint32_t ndis)
{
    uint32_t filter = 0;

    if (ndis & RNDIS_FILTER_DIRECTED)
        filter |= VSWITCH_DIRECTED;
    if (ndis & (RNDIS_FILTER_MULTICAST | RNDIS_FILTER_ALL_MULTICAST))
        filter |= VSWITCH_MULTICAST; /* the guest looks at its list again */
    if (ndis & RNDIS_FILTER_BROADCAST)
        filter |= VSWITCH_BROADCAST;
    if (ndis & RNDIS_FILTER_PROMISCUOUS)
        filter |= VSWITCH_PROMISCUOUS;
    return filter;
}

static void add_answer(struct netvsp *netvsp,
                       const struct netvsp_answer *answer)
{
    uint32_t place =
        (netvsp->first_answer + netvsp->answer_count) % NETVSP_ANSWERS_MAX;

    netvsp->answers[place] = *answer;
    netvsp->answer_count++;
}

/* A guest that brings its interface up is told of the link. */
static void change_filter(struct netvsp *netvsp, uint32_t before)
{
    uint32_t filter = netvsp->rndis.filter;

    vswitch_set_filter(netvsp->port, port_filter(filter));
    if (before == 0)
        netvsp->tell_link = true;
    else if (filter == 0)
        netvsp->tell_link = false;
}

static uint32_t take_control(struct netvsp *netvsp, const uint8_t *data,
                             uint32_t bytes)
{
    struct vswitch_counts counts = vswitch_counts(netvsp->port);
    uint32_t before = netvsp->rndis.filter;
    struct netvsp_answer answer;

    if (netvsp->answer_count == NETVSP_ANSWERS_MAX &&
        rndis_has_answer(data, bytes))
        return NETVSP_STATUS_BUSY;
    if (!rndis_control(&netvsp->rndis, &counts, data, bytes, answer.data,
                       &answer.bytes))
        return NETVSP_STATUS_INVALID_PACKET;
    if (answer.bytes > 0)
        add_answer(netvsp, &answer);
    if (netvsp->rndis.filter != before)
        change_filter(netvsp, before);
    return NETVSP_STATUS_SUCCESS;
}

static bool frame_fits(const struct rndis_packet *packet)
{
    uint32_t bytes_max = FRAME_BYTES_MAX;

    if (packet->frame_bytes < VSWITCH_HEADER_BYTES)
        return false;
    if ((packet->frame[TYPE_AT] << 8 | packet->frame[TYPE_AT + 1]) == TAG_TYPE)
        bytes_max += TAG_BYTES;
    return packet->frame_bytes <= bytes_max;
}

/* Several packets may follow each other, each as long as it says. */
static uint32_t take_packets(struct netvsp *netvsp, struct hv_context *context,
                             const uint8_t *data, uint32_t bytes)
{
    if (!netvsp->rndis.initialized)
        return NETVSP_STATUS_FAILURE;
    for (unsigned i = 0; bytes > 0; i++) {
        struct rndis_packet packet;

        cost_note(context->bill, COST_NETVSP_RNDIS, 1);
        if (i == RNDIS_PACKETS_PER_MESSAGE ||
            !rndis_parse_packet(data, bytes, &packet))
            return NETVSP_STATUS_INVALID_PACKET;
        if (packet.offloads || !frame_fits(&packet)) {
            vswitch_refuse(netvsp->port);
            return NETVSP_STATUS_INVALID_PACKET;
        }
        /* A false source is the switch's to count, and nobody's to know. */
        vswitch_send(netvsp->port, context, packet.frame, packet.frame_bytes,
                     packet.tagged, packet.tag);
        data += packet.message_bytes;
        bytes -= packet.message_bytes;
    }
    return NETVSP_STATUS_SUCCESS;
}

/* Copies what is in the section of the send buffer that a message names. */
static bool read_section(struct netvsp *netvsp, struct hv_context *context,
                         const struct netvsp_message *message, uint8_t *to)
{
    const struct vmbus_gpadl *gpadl =
        vmbus_channel_gpadl(netvsp->channel, netvsp->send.gpadl_id);
    uint32_t section = message->body[NETVSP_RNDIS_SECTION];
    uint32_t bytes = message->body[NETVSP_RNDIS_BYTES];

    return netvsp->send.lent && gpadl && section < netvsp->send.sections &&
           bytes <= NETVSP_SEND_SECTION_BYTES &&
           vmbus_gpadl_read(gpadl, context,
                            (uint64_t)section * NETVSP_SEND_SECTION_BYTES, to,
                            bytes);
}

/**
 * Copies what the guest sends: a section of its send buffer, then the packet's
 * ranges; either may be missing. False: there is nothing, too much, or it is
 * not where it is said to be.
 */
static bool read_rndis(struct netvsp *netvsp, struct hv_context *context,
                       const struct vmbus_packet *packet,
                       const struct netvsp_message *message, uint8_t *to,
                       uint32_t *bytes)
{
    uint64_t total = packet->ranges ? vmbus_ranges_bytes(packet->ranges) : 0;
    uint32_t in_section = 0;

    if (message->body[NETVSP_RNDIS_SECTION] != NETVSP_NO_SECTION) {
        if (!read_section(netvsp, context, message, to))
            return false;
        in_section = message->body[NETVSP_RNDIS_BYTES];
        total += in_section;
    }
    if (total == 0 || total > RNDIS_MESSAGE_BYTES_MAX)
        return false;
    *bytes = (uint32_t)total;
    return !packet->ranges ||
           vmbus_packet_read(packet, netvsp->channel, context, 0,
                             to + in_section, total - in_section);
}

uint32_t netvsp_take_rndis(struct netvsp *netvsp, struct hv_context *context,
                           const struct vmbus_packet *packet,
                           const struct netvsp_message *message)
{
    uint8_t data[RNDIS_MESSAGE_BYTES_MAX];
    uint32_t bytes;

    if (!read_rndis(netvsp, context, packet, message, data, &bytes))
        return NETVSP_STATUS_INVALID_PACKET;
    if (message->body[NETVSP_RNDIS_CHANNEL] == NETVSP_CHANNEL_CONTROL)
        return take_control(netvsp, data, bytes);
    return take_packets(netvsp, context, data, bytes);
}
