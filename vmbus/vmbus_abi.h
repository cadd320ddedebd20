/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_VMBUS_VMBUS_ABI_H
#define HVSIM_VMBUS_VMBUS_ABI_H

/**
 * VMBus as it lies in messages and rings: numbers, layouts and GUIDs. Facts
 * from what Linux (drivers/hv) and OpenVMM (vmbus_core) both send and accept.
 * All of it is little endian, and everything that a guest wrote is copied out
 * of guest memory before it is looked at.
 */

#include <assert.h>
#include <stddef.h>

#include "sim/core/types.h"

/* A GUID as on the wire: its first three fields are little endian. */
struct vmbus_guid {
    uint8_t bytes[16];
};

/** VMBUS_GUID(0xf8615163, 0xdf3e, 0x46c5, 0x91, 0x3f, ...): as it is written,
 *  with the last eight bytes one by one. */
#define VMBUS_GUID(a, b, c, d0, d1, d2, d3, d4, d5, d6, d7)                    \
    ((struct vmbus_guid){                                                      \
        {(uint8_t)((uint32_t)(a)&0xff), (uint8_t)((uint32_t)(a) >> 8 & 0xff),  \
         (uint8_t)((uint32_t)(a) >> 16 & 0xff),                                \
         (uint8_t)((uint32_t)(a) >> 24 & 0xff), (uint8_t)((b)&0xff),           \
         (uint8_t)((b) >> 8 & 0xff), (uint8_t)((c)&0xff),                      \
         (uint8_t)((c) >> 8 & 0xff), d0, d1, d2, d3, d4, d5, d6, d7}})

/* Versions, major in bits 31:16. */
#define VMBUS_VERSION(major, minor) ((uint32_t)(major) << 16 | (minor))
#define VMBUS_VERSION_2_4 VMBUS_VERSION(2, 4)
#define VMBUS_VERSION_3_0 VMBUS_VERSION(3, 0)
#define VMBUS_VERSION_4_0 VMBUS_VERSION(4, 0)
#define VMBUS_VERSION_4_1 VMBUS_VERSION(4, 1)
#define VMBUS_VERSION_5_0 VMBUS_VERSION(5, 0)
#define VMBUS_VERSION_5_1 VMBUS_VERSION(5, 1)
#define VMBUS_VERSION_5_2 VMBUS_VERSION(5, 2)
#define VMBUS_VERSION_5_3 VMBUS_VERSION(5, 3)
#define VMBUS_VERSION_6_0 VMBUS_VERSION(6, 0)

/* Where messages go: the guest's connections to the host, by version, and the
 * SynIC message type and SINT of the host's to the guest. */
#define VMBUS_CONNECTION_OLD 1u  /* below 5.0 */
#define VMBUS_CONNECTION_NEW 4u  /* from 5.0 */
#define VMBUS_MESSAGE_TYPE 1u    /* of SynIC messages, both ways */
#define VMBUS_SINT 2u            /* of messages and of event flags */
#define VMBUS_MESSAGE_BYTES 240u /* the most that a message can have */
#define VMBUS_NO_VP UINT32_MAX   /* as an open's target: no interrupts */

/* Relids (channel ids) and event flags are one number, 1 to 2047. */
#define VMBUS_CHANNELS_MAX 2048u
/** What the guest signals for channel `relid`. */
#define VMBUS_EVENT_CONNECTION(relid) (0x2000u + (relid))

enum vmbus_message_type {
    VMBUS_OFFER_CHANNEL = 1,
    VMBUS_RESCIND_CHANNEL_OFFER = 2,
    VMBUS_REQUEST_OFFERS = 3,
    VMBUS_ALL_OFFERS_DELIVERED = 4,
    VMBUS_OPEN_CHANNEL = 5,
    VMBUS_OPEN_CHANNEL_RESULT = 6,
    VMBUS_CLOSE_CHANNEL = 7,
    VMBUS_GPADL_HEADER = 8,
    VMBUS_GPADL_BODY = 9,
    VMBUS_GPADL_CREATED = 10,
    VMBUS_GPADL_TEARDOWN = 11,
    VMBUS_GPADL_TORNDOWN = 12,
    VMBUS_RELID_RELEASED = 13,
    VMBUS_INITIATE_CONTACT = 14,
    VMBUS_VERSION_RESPONSE = 15,
    VMBUS_UNLOAD = 16,
    VMBUS_UNLOAD_RESPONSE = 17,
    VMBUS_TL_CONNECT_REQUEST = 21,
    VMBUS_MODIFY_CHANNEL = 22,
    VMBUS_TL_CONNECT_RESULT = 23,
    VMBUS_MODIFY_CHANNEL_RESPONSE = 24,
};

/* Statuses in answers; guests only ask whether it is 0. */
#define VMBUS_STATUS_SUCCESS 0u
#define VMBUS_STATUS_UNSUCCESSFUL 0xc0000001u
#define VMBUS_STATUS_CONNECTION_REFUSED 0xc0000236u
#define VMBUS_STATUS_UNEXPECTED 0x8000ffffu /* a GPADL that cannot be */

struct vmbus_header {
    uint32_t type; /* enum vmbus_message_type */
    uint32_t padding;
};

/* Messages of the host. */

#define VMBUS_OFFER_ENUMERATE_INTERFACE 0x0001u
#define VMBUS_OFFER_NAMED_PIPE 0x0010u
#define VMBUS_USER_DATA_BYTES 120
/** Of a pipe's user data, its first u32: it keeps message boundaries. */
#define VMBUS_PIPE_MESSAGE 4u

struct vmbus_offer_channel {
    struct vmbus_header header;
    struct vmbus_guid class_id;
    struct vmbus_guid instance_id;
    uint8_t reserved[16];
    uint16_t flags; /* VMBUS_OFFER_* */
    uint16_t mmio_megabytes;
    uint8_t user_data[VMBUS_USER_DATA_BYTES];
    uint16_t sub_channel_index; /* 0: a primary channel */
    uint16_t mmio_megabytes_optional;
    uint32_t relid;
    uint8_t monitor_id;
    uint8_t monitor_allocated;
    uint16_t is_dedicated; /* the channel's interrupt is its event flag */
    uint32_t connection_id;
};

struct vmbus_relid_message { /* Rescind, CloseChannel, RelidReleased */
    struct vmbus_header header;
    uint32_t relid;
};

struct vmbus_open_channel_result {
    struct vmbus_header header;
    uint32_t relid;
    uint32_t open_id;
    uint32_t status;
};

struct vmbus_gpadl_created {
    struct vmbus_header header;
    uint32_t relid;
    uint32_t gpadl_id;
    uint32_t status;
};

struct vmbus_gpadl_torndown {
    struct vmbus_header header;
    uint32_t gpadl_id;
};

enum vmbus_connection_state {
    VMBUS_CONNECTION_SUCCESSFUL,
    VMBUS_CONNECTION_FAILED_LOW_RESOURCES,
    VMBUS_CONNECTION_FAILED_UNKNOWN,
};

struct vmbus_version_response {
    struct vmbus_header header;
    uint8_t supported;
    uint8_t connection_state; /* enum vmbus_connection_state */
    uint16_t padding;
    uint32_t selected; /* the version; from 5.0 the connection to send to */
};

struct vmbus_modify_channel_response {
    struct vmbus_header header;
    uint32_t relid;
    uint32_t status;
};

struct vmbus_tl_connect_result {
    struct vmbus_header header;
    struct vmbus_guid endpoint_id;
    struct vmbus_guid service_id;
    uint32_t status;
};

/* Messages of the guest. */

struct vmbus_initiate_contact {
    struct vmbus_header header;
    uint32_t version;
    uint32_t target_vp; /* of the host's messages, from 3.0 */
    union {
        uint64_t interrupt_page; /* below 2.4 alone */
        struct {                 /* from 5.0 */
            uint8_t target_sint;
            uint8_t target_vtl;
            uint16_t reserved;
            uint32_t feature_flags; /* from 6.0 */
        };
    };
    uint64_t monitor_pages[2]; /* GPAs; both or neither */
};

struct vmbus_open_channel {
    struct vmbus_header header;
    uint32_t relid;
    uint32_t open_id;
    uint32_t ring_gpadl_id;
    uint32_t target_vp;
    uint32_t downstream_page_offset; /* of the host-to-guest ring */
    uint8_t user_data[VMBUS_USER_DATA_BYTES];
};

struct vmbus_gpadl_header { /* then ranges: struct vmbus_range and its pages */
    struct vmbus_header header;
    uint32_t relid;
    uint32_t gpadl_id;
    uint16_t range_bytes; /* of all ranges, in this message and its bodies */
    uint16_t range_count;
};

struct vmbus_gpadl_body { /* then more of the ranges */
    struct vmbus_header header;
    uint32_t number;
    uint32_t gpadl_id;
};

struct vmbus_gpadl_teardown {
    struct vmbus_header header;
    uint32_t relid;
    uint32_t gpadl_id;
};

struct vmbus_modify_channel {
    struct vmbus_header header;
    uint32_t relid;
    uint32_t target_vp;
};

struct vmbus_tl_connect_request {
    struct vmbus_header header;
    struct vmbus_guid endpoint_id;
    struct vmbus_guid service_id;
};

/* A range of guest memory, in GPADLs and GPA-direct packets: `bytes` from
 * `offset` in the first of the pages that follow, u64 page numbers. */
struct vmbus_range {
    uint32_t bytes;
    uint32_t offset;
};

/* The first page of a ring; its data follows on the next. Indices are offsets
 * into the data, multiples of 8. */
struct vmbus_ring_control {
    uint32_t write_index; /* the producer's */
    uint32_t read_index;  /* the consumer's */
    uint32_t interrupt_mask;
    uint32_t pending_send_bytes; /* what a producer waits to have free */
    uint32_t reserved[12];
    uint32_t feature_bits;
};

/** The consumer signals when what the producer waits for is free. */
#define VMBUS_RING_PENDING_SEND 0x1u

/* What packets begin with. Lengths are in units of 8 bytes. */
enum vmbus_packet_type {
    VMBUS_PACKET_IN_BAND = 6,
    VMBUS_PACKET_TRANSFER_PAGES = 7,
    VMBUS_PACKET_GPA_DIRECT = 9,
    VMBUS_PACKET_COMPLETION = 11,
};

#define VMBUS_PACKET_COMPLETION_WANTED 0x1u

struct vmbus_packet_descriptor {
    uint16_t type;          /* enum vmbus_packet_type */
    uint16_t data_offset_8; /* from the descriptor's start to the payload */
    uint16_t length_8;      /* of all, without the trailer */
    uint16_t flags;
    uint64_t transaction_id;
};

/** Of a whole packet, its descriptor included and its trailer not. */
static inline uint32_t
vmbus_packet_bytes(const struct vmbus_packet_descriptor *descriptor)
{
    return (uint32_t)descriptor->length_8 * 8;
}

/** Of what is before its payload, the descriptor included. */
static inline uint32_t
vmbus_packet_head_bytes(const struct vmbus_packet_descriptor *descriptor)
{
    return (uint32_t)descriptor->data_offset_8 * 8;
}

struct vmbus_gpa_direct { /* behind a descriptor; then the ranges */
    uint32_t reserved;
    uint32_t range_count;
};

struct vmbus_transfer_pages { /* behind a descriptor; then the ranges */
    uint16_t set;
    uint16_t reserved;
    uint32_t range_count;
};

struct vmbus_transfer_range {
    uint32_t bytes;
    uint32_t offset; /* in the set's buffer */
};

/** Behind each packet: 0 in bits 31:0, where the packet began in 63:32. */
#define VMBUS_TRAILER_BYTES 8u

static_assert(sizeof(struct vmbus_offer_channel) == 196, "VMBus");
static_assert(offsetof(struct vmbus_offer_channel, relid) == 0xb8, "VMBus");
static_assert(sizeof(struct vmbus_open_channel) == 148, "VMBus");
static_assert(sizeof(struct vmbus_open_channel_result) == 20, "VMBus");
static_assert(sizeof(struct vmbus_initiate_contact) == 40, "VMBus");
static_assert(sizeof(struct vmbus_version_response) == 16, "VMBus");
static_assert(sizeof(struct vmbus_gpadl_header) == 20, "VMBus");
static_assert(sizeof(struct vmbus_gpadl_body) == 16, "VMBus");
static_assert(sizeof(struct vmbus_gpadl_created) == 20, "VMBus");
static_assert(sizeof(struct vmbus_tl_connect_result) == 44, "VMBus");
static_assert(offsetof(struct vmbus_ring_control, feature_bits) == 0x40,
              "VMBus");
static_assert(sizeof(struct vmbus_packet_descriptor) == 16, "VMBus");

#endif
