/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmbus/rndis.h"

#include <assert.h>
#include <string.h>

/* Messages behind their header. An answer's first field is the request's. */

struct initialize {
    uint32_t request_id, major, minor, bytes_max;
};

struct initialize_answer {
    uint32_t request_id, status, major, minor;
    uint32_t device_flags; /* 1: connectionless */
    uint32_t medium;       /* 0: Ethernet */
    uint32_t packets_max, bytes_max, alignment_shift;
    uint32_t families_offset, families_bytes;
};

struct request { /* QUERY and SET */
    uint32_t request_id, oid, info_bytes, info_offset, vc;
};

struct query_answer {
    uint32_t request_id, status, info_bytes, info_offset;
};

struct short_answer { /* SET and KEEPALIVE */
    uint32_t request_id, status;
};

struct reset_answer {
    uint32_t status, addressing_reset; /* 1: the filter has to be set again */
};

struct indication {
    uint32_t status, info_bytes, info_offset;
};

struct packet {
    uint32_t data_offset, data_bytes;
    uint32_t oob_offset, oob_bytes, oob_count;
    uint32_t info_offset, info_bytes;
    uint32_t vc, reserved;
};

/* Per-packet information, one behind the other. */
struct packet_info {
    uint32_t bytes; /* with what it says */
    uint32_t type;
    uint32_t offset; /* of that, from here */
};

#define INFO_CHECKSUM 0u
#define INFO_SEGMENTATION 2u
#define INFO_TAG 6u
#define CHECKSUM_WANTED 0x1cu /* of TCP, UDP or the IP header */

static_assert(sizeof(struct rndis_header) + sizeof(struct query_answer) +
                      RNDIS_RESULT_BYTES_MAX ==
                  RNDIS_REPLY_BYTES_MAX,
              "a result fills a reply");
static_assert(sizeof(struct rndis_header) + sizeof(struct packet) +
                      sizeof(struct packet_info) + sizeof(uint32_t) ==
                  RNDIS_PACKET_HEADER_BYTES_MAX,
              "a tag is the only information sent");

void rndis_reset(struct rndis *rndis)
{
    rndis->initialized = false;
    rndis->filter = 0;
    rndis->lookahead = RNDIS_MTU;
    rndis->group_count = 0;
}

/* Writes a message of `body`, with `behind` bytes behind it; returns its size
 * with those. */
static uint32_t put(uint8_t *out, uint32_t type, const void *body,
                    uint32_t body_bytes, uint32_t behind)
{
    struct rndis_header header = {
        .type = type, .bytes = (uint32_t)sizeof(header) + body_bytes + behind};

    memcpy(out, &header, sizeof(header));
    memcpy(out + sizeof(header), body, body_bytes);
    return header.bytes;
}

static bool get(const uint8_t *body, uint32_t bytes, void *to,
                uint32_t to_bytes)
{
    if (bytes < to_bytes)
        return false;
    memcpy(to, body, to_bytes);
    return true;
}

/* Whether `count` bytes from `offset` lie within `bytes`. */
static bool within(uint32_t offset, uint32_t count, uint32_t bytes)
{
    return offset <= bytes && count <= bytes - offset;
}

static bool answer_initialize(struct rndis *rndis, const uint8_t *body,
                              uint32_t bytes, uint8_t *reply,
                              uint32_t *reply_bytes)
{
    struct initialize wanted;
    struct initialize_answer answer = {
        .status = RNDIS_STATUS_SUCCESS,
        .major = 1,
        .device_flags = 1,
        .packets_max = RNDIS_PACKETS_PER_MESSAGE,
        .bytes_max = RNDIS_MESSAGE_BYTES_MAX,
        .alignment_shift = RNDIS_ALIGNMENT_SHIFT,
    };

    if (!get(body, bytes, &wanted, sizeof(wanted)))
        return false;
    answer.request_id = wanted.request_id;
    if (wanted.major == 1 && wanted.minor == 0) {
        rndis_reset(rndis);
        rndis->initialized = true;
    } else {
        answer.status = RNDIS_STATUS_BAD_VERSION;
    }
    *reply_bytes =
        put(reply, RNDIS_INITIALIZE | RNDIS_ANSWER, &answer, sizeof(answer), 0);
    return true;
}

/* What QUERY and SET share: where the guest's information is. */
static bool get_request(const uint8_t *body, uint32_t bytes,
                        struct request *wanted, struct rndis_request *request,
                        uint32_t *status)
{
    if (!get(body, bytes, wanted, sizeof(*wanted)))
        return false;
    request->oid = wanted->oid;
    *status = RNDIS_STATUS_SUCCESS;
    if (!request->rndis->initialized) {
        *status = RNDIS_STATUS_NOT_READY;
    } else if (wanted->info_bytes > 0) { /* else the offset says nothing */
        if (!within(wanted->info_offset, wanted->info_bytes, bytes)) {
            *status = RNDIS_STATUS_INVALID_DATA;
            return true;
        }
        request->info = body + wanted->info_offset;
        request->info_bytes = wanted->info_bytes;
    }
    return true;
}

static bool answer_query(struct rndis_request *request, const uint8_t *body,
                         uint32_t bytes, uint8_t *reply, uint32_t *reply_bytes)
{
    struct query_answer answer = {0};
    struct request wanted;

    if (!get_request(body, bytes, &wanted, request, &answer.status))
        return false;
    answer.request_id = wanted.request_id;
    request->result = reply + sizeof(struct rndis_header) + sizeof(answer);
    if (answer.status == RNDIS_STATUS_SUCCESS)
        answer.status = rndis_oid_query(request);
    if (answer.status == RNDIS_STATUS_SUCCESS) {
        answer.info_bytes = request->result_bytes;
        answer.info_offset = sizeof(answer);
    }
    *reply_bytes = put(reply, RNDIS_QUERY | RNDIS_ANSWER, &answer,
                       sizeof(answer), answer.info_bytes);
    return true;
}

static bool answer_set(struct rndis_request *request, const uint8_t *body,
                       uint32_t bytes, uint8_t *reply, uint32_t *reply_bytes)
{
    struct short_answer answer;
    struct request wanted;

    if (!get_request(body, bytes, &wanted, request, &answer.status))
        return false;
    answer.request_id = wanted.request_id;
    if (answer.status == RNDIS_STATUS_SUCCESS)
        answer.status = rndis_oid_set(request);
    *reply_bytes =
        put(reply, RNDIS_SET | RNDIS_ANSWER, &answer, sizeof(answer), 0);
    return true;
}

static void answer_reset(struct rndis *rndis, uint8_t *reply,
                         uint32_t *reply_bytes)
{
    struct reset_answer answer = {.status = RNDIS_STATUS_NOT_READY};

    if (rndis->initialized) {
        rndis_reset(rndis);
        rndis->initialized = true;
        answer = (struct reset_answer){.status = RNDIS_STATUS_SUCCESS,
                                       .addressing_reset = 1};
    }
    *reply_bytes =
        put(reply, RNDIS_RESET | RNDIS_ANSWER, &answer, sizeof(answer), 0);
}

static bool answer_keepalive(const uint8_t *body, uint32_t bytes,
                             uint8_t *reply, uint32_t *reply_bytes)
{
    struct short_answer answer = {.status = RNDIS_STATUS_SUCCESS};

    if (!get(body, bytes, &answer.request_id, sizeof(answer.request_id)))
        return false;
    *reply_bytes =
        put(reply, RNDIS_KEEPALIVE | RNDIS_ANSWER, &answer, sizeof(answer), 0);
    return true;
}

bool rndis_control(struct rndis *rndis, const struct vswitch_counts *counts,
                   const uint8_t *message, uint32_t bytes, uint8_t *reply,
                   uint32_t *reply_bytes)
{
    struct rndis_request request = {.rndis = rndis, .counts = counts};
    struct rndis_header header;
    const uint8_t *body = message + sizeof(header);

    *reply_bytes = 0;
    if (!get(message, bytes, &header, sizeof(header)) ||
        header.bytes < sizeof(header) || header.bytes > bytes)
        return false;
    bytes = header.bytes - (uint32_t)sizeof(header);
    switch (header.type) {
    case RNDIS_INITIALIZE:
        return answer_initialize(rndis, body, bytes, reply, reply_bytes);
    case RNDIS_HALT:
        rndis_reset(rndis);
        return true;
    case RNDIS_QUERY:
        return answer_query(&request, body, bytes, reply, reply_bytes);
    case RNDIS_SET:
        return answer_set(&request, body, bytes, reply, reply_bytes);
    case RNDIS_RESET:
        answer_reset(rndis, reply, reply_bytes);
        return true;
    case RNDIS_KEEPALIVE:
        return answer_keepalive(body, bytes, reply, reply_bytes);
    }
    return false;
}

bool rndis_has_answer(const uint8_t *message, uint32_t bytes)
{
    struct rndis_header header;

    return !get(message, bytes, &header, sizeof(header)) ||
           header.type != RNDIS_HALT;
}

uint32_t rndis_indicate(uint32_t status, uint8_t *out)
{
    struct indication indication = {.status = status};

    return put(out, RNDIS_INDICATE, &indication, sizeof(indication), 0);
}

/* The tag as NDIS has it: priority in bits 2:0, canonical form in 3, VLAN in
 * 15:4; 802.1Q has the three the other way round. */
static uint16_t tag_of_info(uint32_t info)
{
    return (uint16_t)((info & 7) << 13 | (info >> 3 & 1) << 12 |
                      (info >> 4 & 0xfff));
}

static uint32_t info_of_tag(uint16_t tag)
{
    return (uint32_t)(tag >> 13 | (tag >> 12 & 1) << 3 | (tag & 0xfff) << 4);
}

static bool parse_info(const uint8_t *list, uint32_t bytes,
                       struct rndis_packet *packet)
{
    while (bytes > 0) {
        struct packet_info info;
        uint32_t value = 0;

        if (!get(list, bytes, &info, sizeof(info)) ||
            info.bytes < sizeof(info) || info.bytes > bytes ||
            info.offset > info.bytes)
            return false;
        if (info.bytes - info.offset >= sizeof(value))
            memcpy(&value, list + info.offset, sizeof(value));
        if (info.type == INFO_TAG) {
            packet->tagged = true;
            packet->tag = tag_of_info(value);
        } else if (info.type == INFO_SEGMENTATION ||
                   (info.type == INFO_CHECKSUM && value & CHECKSUM_WANTED)) {
            packet->offloads = true;
        }
        list += info.bytes;
        bytes -= info.bytes;
    }
    return true;
}

bool rndis_parse_packet(const uint8_t *message, uint32_t bytes,
                        struct rndis_packet *packet)
{
    const uint8_t *body = message + sizeof(struct rndis_header);
    struct rndis_header header;
    struct packet wanted;

    if (!get(message, bytes, &header, sizeof(header)) ||
        header.type != RNDIS_PACKET || header.bytes > bytes ||
        header.bytes < sizeof(header) + sizeof(wanted))
        return false;
    memcpy(&wanted, body, sizeof(wanted));
    bytes = header.bytes - (uint32_t)sizeof(header);
    if (!within(wanted.data_offset, wanted.data_bytes, bytes) ||
        (wanted.info_bytes > 0 &&
         !within(wanted.info_offset, wanted.info_bytes, bytes)))
        return false;
    *packet = (struct rndis_packet){.message_bytes = header.bytes,
                                    .frame = body + wanted.data_offset,
                                    .frame_bytes = wanted.data_bytes};
    return wanted.info_bytes == 0 ||
           parse_info(body + wanted.info_offset, wanted.info_bytes, packet);
}

uint32_t rndis_build_packet(uint32_t frame_bytes, bool tagged, uint16_t tag,
                            uint8_t *out)
{
    struct packet_info info = {
        .bytes = sizeof(info) + sizeof(uint32_t),
        .type = INFO_TAG,
        .offset = sizeof(info),
    };
    uint32_t info_bytes = tagged ? info.bytes : 0;
    uint32_t value = info_of_tag(tag);
    struct packet packet = {
        .data_offset = (uint32_t)sizeof(packet) + info_bytes,
        .data_bytes = frame_bytes,
        .info_offset = tagged ? sizeof(packet) : 0,
        .info_bytes = info_bytes,
    };
    uint8_t *behind = out + sizeof(struct rndis_header) + sizeof(packet);

    put(out, RNDIS_PACKET, &packet, sizeof(packet), info_bytes + frame_bytes);
    if (tagged) {
        memcpy(behind, &info, sizeof(info));
        memcpy(behind + sizeof(info), &value, sizeof(value));
    }
    return (uint32_t)(sizeof(struct rndis_header) + sizeof(packet)) +
           info_bytes;
}
