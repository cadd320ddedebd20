/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_VMBUS_STORVSP_ABI_H
#define HVSIM_VMBUS_STORVSP_ABI_H

/**
 * The storage protocol as it lies in packets: what Linux' storvsc_drv.c and
 * OpenVMM's storvsp_protocol both have. Little endian; CDBs and sense data are
 * SCSI's own and big endian.
 */

#include <assert.h>
#include <stddef.h>
#include <stdint.h>

enum storvsp_operation {
    STORVSP_COMPLETE_IO = 1,
    STORVSP_REMOVE_DEVICE = 2,
    STORVSP_EXECUTE_SRB = 3,
    STORVSP_RESET_LUN = 4,
    STORVSP_RESET_ADAPTER = 5,
    STORVSP_RESET_BUS = 6,
    STORVSP_BEGIN_INITIALIZATION = 7,
    STORVSP_END_INITIALIZATION = 8,
    STORVSP_QUERY_PROTOCOL_VERSION = 9,
    STORVSP_QUERY_PROPERTIES = 10,
    STORVSP_ENUMERATE_BUS = 11,
    STORVSP_FCHBA_DATA = 12,
    STORVSP_CREATE_SUB_CHANNELS = 13,
};

/* NTSTATUS values in a packet's status. */
#define STORVSP_STATUS_SUCCESS 0u
#define STORVSP_STATUS_BUFFER_OVERFLOW 0x80000005u
#define STORVSP_STATUS_INVALID_PARAMETER 0xc000000du
#define STORVSP_STATUS_REVISION_MISMATCH 0xc0000059u
#define STORVSP_STATUS_DEVICE_DOES_NOT_EXIST 0xc00000c0u
#define STORVSP_STATUS_INVALID_DEVICE_STATE 0xc0000184u
#define STORVSP_STATUS_IO_DEVICE_ERROR 0xc0000185u

/* SRB status (Windows' srb.h): a code and flags. */
#define STORVSP_SRB_SUCCESS 0x01u
#define STORVSP_SRB_ERROR 0x04u
#define STORVSP_SRB_INVALID_REQUEST 0x06u
#define STORVSP_SRB_DATA_OVERRUN 0x12u
#define STORVSP_SRB_INVALID_LUN 0x20u
#define STORVSP_SRB_AUTOSENSE_VALID 0x80u

/* Where data goes. */
enum storvsp_direction {
    STORVSP_DATA_OUT = 0, /* from the guest */
    STORVSP_DATA_IN = 1,
    STORVSP_DATA_NONE = 2,
};

#define STORVSP_CDB_OR_SENSE_BYTES 20

struct storvsp_srb {
    uint16_t length;
    uint8_t srb_status;
    uint8_t scsi_status;
    uint8_t port, path, target, lun;
    uint8_t cdb_bytes;
    uint8_t sense_bytes;
    uint8_t direction; /* enum storvsp_direction */
    uint8_t properties;
    uint32_t transfer_bytes;
    uint8_t cdb_or_sense[STORVSP_CDB_OR_SENSE_BYTES]; /* CDB; sense when done */
    /* From version 5.1 on. */
    uint16_t reserved;
    uint8_t queue_tag;
    uint8_t queue_action;
    uint32_t flags;
    uint32_t timeout_s;
    uint32_t queue_sort_key;
};

struct storvsp_version {
    uint16_t version; /* major in bits 15:8 */
    uint16_t revision;
};

#define STORVSP_MULTI_CHANNEL 0x1u

struct storvsp_properties {
    uint32_t reserved;
    uint16_t sub_channels_max;
    uint16_t reserved1;
    uint32_t flags; /* STORVSP_MULTI_CHANNEL */
    uint32_t transfer_bytes_max;
    uint8_t reserved2[8];
};

struct storvsp_packet {
    uint32_t operation; /* enum storvsp_operation */
    uint32_t flags;     /* bit 0: a completion is wanted */
    uint32_t status;
    union {
        struct storvsp_srb srb;
        struct storvsp_version version;
        struct storvsp_properties properties;
        uint16_t sub_channel_count;
        uint8_t payload[0x34];
    };
};

/** What a packet of any operation has at least; the rest counts as zeroes. */
#define STORVSP_PACKET_BYTES_MIN offsetof(struct storvsp_packet, payload)
/** And one that executes an SRB: below 5.1 nothing behind the CDB. */
#define STORVSP_SRB_PACKET_BYTES_MIN                                           \
    (STORVSP_PACKET_BYTES_MIN + offsetof(struct storvsp_srb, reserved))

static_assert(sizeof(struct storvsp_srb) == 0x34, "storage protocol");
static_assert(offsetof(struct storvsp_srb, cdb_or_sense) == 0x10,
              "storage protocol");
static_assert(offsetof(struct storvsp_srb, flags) == 0x28, "storage protocol");
static_assert(sizeof(struct storvsp_properties) == 24, "storage protocol");
static_assert(sizeof(struct storvsp_packet) == 0x40, "storage protocol");
static_assert(STORVSP_SRB_PACKET_BYTES_MIN == 0x30, "storage protocol");

#endif
