/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Arbitrary RNDIS messages, each as one of control and as packets one behind
 * the other: nothing is read beyond the message, answers are whole and fit,
 * and what is found lies within the message.
 *
 * Input: messages, each a length of 16 bits and its bytes.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/core/check.h"
#include "vmbus/rndis.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

static void check_control(struct rndis *rndis, const uint8_t *message,
                          uint32_t bytes)
{
    const struct vswitch_counts counts = {.frames_sent = 1};
    uint8_t reply[RNDIS_REPLY_BYTES_MAX];
    struct rndis_header header;
    uint32_t reply_bytes;

    if (!rndis_control(rndis, &counts, message, bytes, reply, &reply_bytes)) {
        CHECK(reply_bytes == 0);
        return;
    }
    CHECK(reply_bytes <= sizeof(reply));
    CHECK(rndis->group_count <= RNDIS_GROUPS_MAX);
    if (reply_bytes == 0)
        return;
    memcpy(&header, reply, sizeof(header));
    CHECK(header.bytes == reply_bytes && header.type & RNDIS_ANSWER);
}

static void check_packets(const uint8_t *message, uint32_t bytes)
{
    struct rndis_packet packet;

    while (rndis_parse_packet(message, bytes, &packet)) {
        uint8_t head[RNDIS_PACKET_HEADER_BYTES_MAX];

        CHECK(packet.message_bytes > 0 && packet.message_bytes <= bytes);
        CHECK(packet.frame >= message && packet.frame + packet.frame_bytes <=
                                             message + packet.message_bytes);
        CHECK(rndis_build_packet(packet.frame_bytes, packet.tagged, packet.tag,
                                 head) <= sizeof(head));
        message += packet.message_bytes;
        bytes -= packet.message_bytes;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct rndis rndis = {.link_bits = 1000, .ndis_version = 0x6001e};

    rndis_reset(&rndis);
    while (bytes >= 2) {
        uint32_t length = data[0] | (uint32_t)data[1] << 8;
        uint8_t *message;

        data += 2;
        bytes -= 2;
        if (length > bytes)
            length = (uint32_t)bytes;
        message = malloc(length ? length : 1); /* its end is guarded */
        CHECK(message);
        memcpy(message, data, length);
        check_control(&rndis, message, length);
        check_packets(message, length);
        free(message);
        data += length;
        bytes -= length;
    }
    return 0;
}
