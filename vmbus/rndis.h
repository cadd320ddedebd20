/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_VMBUS_RNDIS_H
#define HVSIM_VMBUS_RNDIS_H

/**
 * Remote NDIS: what a guest's network driver and its adapter in the root say
 * to each other about the adapter, and the wrapping of frames. Facts: MS-RNDIS,
 * the NDIS reference, and what Linux' rndis_filter.c and OpenVMM's netvsp send
 * and accept. Works on bytes that have been copied from the guest; vmbus/
 * netvsp.c moves them.
 *
 * The adapter has one queue and offloads nothing: checksums are the guest's,
 * and a packet that asks for one, or for being segmented, is refused.
 */

#include "sim/core/types.h"
#include "vmbus/vswitch.h"

/* Message types; an answer has bit 31 set. */
#define RNDIS_PACKET 0x1u
#define RNDIS_INITIALIZE 0x2u
#define RNDIS_HALT 0x3u
#define RNDIS_QUERY 0x4u
#define RNDIS_SET 0x5u
#define RNDIS_RESET 0x6u
#define RNDIS_INDICATE 0x7u
#define RNDIS_KEEPALIVE 0x8u
#define RNDIS_ANSWER 0x80000000u

#define RNDIS_STATUS_SUCCESS 0x00000000u
#define RNDIS_STATUS_CONNECT 0x4001000bu /* of an indication */
#define RNDIS_STATUS_NOT_SUPPORTED 0xc00000bbu
#define RNDIS_STATUS_BAD_VERSION 0xc0010004u
#define RNDIS_STATUS_MULTICAST_FULL 0xc0010009u
#define RNDIS_STATUS_NOT_READY 0xc0010011u
#define RNDIS_STATUS_INVALID_DATA 0xc0010015u

/* Packet filter (OID_GEN_CURRENT_PACKET_FILTER). */
#define RNDIS_FILTER_DIRECTED 0x1u
#define RNDIS_FILTER_MULTICAST 0x2u
#define RNDIS_FILTER_ALL_MULTICAST 0x4u
#define RNDIS_FILTER_BROADCAST 0x8u
#define RNDIS_FILTER_PROMISCUOUS 0x20u

#define RNDIS_MTU 1500u
#define RNDIS_PACKETS_PER_MESSAGE 8u    /* that a guest may send at once */
#define RNDIS_MESSAGE_BYTES_MAX 0x4000u /* of all that is sent at once */
#define RNDIS_ALIGNMENT_SHIFT 3u        /* of packets sent at once */
#define RNDIS_GROUPS_MAX 32u            /* of the multicast list */
#define RNDIS_REPLY_BYTES_MAX 256u
#define RNDIS_PACKET_HEADER_BYTES_MAX 60u /* in front of a frame */

/** Type and length, then what differs. All offsets in messages count from the
 *  end of this. */
struct rndis_header {
    uint32_t type;
    uint32_t bytes; /* with this header */
};

/** An adapter. Zero-initialise, then set the first three. */
struct rndis {
    struct vswitch_address address;
    uint64_t link_bits;    /* per second */
    uint32_t ndis_version; /* of the guest's driver: major in bits 31:16 */
    bool initialized;      /* by the guest; ended by HALT */
    uint32_t filter;       /* RNDIS_FILTER_* that the guest wants */
    uint32_t lookahead;
    uint32_t group_count; /* the multicast list, kept for who asks for it */
    struct vswitch_address groups[RNDIS_GROUPS_MAX];
};

/** The adapter as it is before the guest initialises it. */
void rndis_reset(struct rndis *rndis);

/**
 * Carries out a control message of the guest. False: it is malformed beyond an
 * answer. Else the answer is in `reply`, of RNDIS_REPLY_BYTES_MAX, and its size
 * in `reply_bytes`; 0: there is none. `counts` are the adapter's port's.
 */
bool rndis_control(struct rndis *rndis, const struct vswitch_counts *counts,
                   const uint8_t *message, uint32_t bytes, uint8_t *reply,
                   uint32_t *reply_bytes);

/** Whether a control message has an answer, unless it is malformed: all have,
 *  but HALT. */
bool rndis_has_answer(const uint8_t *message, uint32_t bytes);

/** Writes an indication without data, such as RNDIS_STATUS_CONNECT, to `out`
 *  (RNDIS_REPLY_BYTES_MAX) and returns its size. */
uint32_t rndis_indicate(uint32_t status, uint8_t *out);

/** A frame in a message. */
struct rndis_packet {
    uint32_t message_bytes; /* of the message, to the next one */
    const uint8_t *frame;   /* in the message */
    uint32_t frame_bytes;
    bool tagged;
    uint16_t tag;  /* as in an 802.1Q header */
    bool offloads; /* asks for what the adapter does not do */
};

/** Finds the frame in the packet message that `message` begins with. False: it
 *  is malformed, and so is all that follows. */
bool rndis_parse_packet(const uint8_t *message, uint32_t bytes,
                        struct rndis_packet *packet);

/** Writes what goes in front of a frame to `out`
 *  (RNDIS_PACKET_HEADER_BYTES_MAX) and returns its size. */
uint32_t rndis_build_packet(uint32_t frame_bytes, bool tagged, uint16_t tag,
                            uint8_t *out);

/* Between rndis.c and rndis_oid.c. */

/** What a query or set is about, and what the answer is made of. */
struct rndis_request {
    struct rndis *rndis;
    const struct vswitch_counts *counts;
    uint32_t oid;
    const uint8_t *info; /* the guest's, info_bytes */
    uint32_t info_bytes;
    uint8_t *result; /* of a query: RNDIS_RESULT_BYTES_MAX */
    uint32_t result_bytes;
};

#define RNDIS_RESULT_BYTES_MAX (RNDIS_REPLY_BYTES_MAX - 24u)

/** A status; on success of a query, `result` and `result_bytes` are set. */
uint32_t rndis_oid_query(struct rndis_request *request);
uint32_t rndis_oid_set(struct rndis_request *request);

#endif
