/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_VMBUS_IC_ABI_H
#define HVSIM_VMBUS_IC_ABI_H

/**
 * Integration components' messages as they lie in packets: what Linux'
 * hv_util.c and OpenVMM's hyperv_ic_protocol both have. Little endian.
 */

#include <assert.h>
#include <stdint.h>

#define IC_VERSION(major, minor) ((struct ic_wire_version){major, minor})

struct ic_wire_version {
    uint16_t major, minor;
};

enum ic_message_type {
    IC_NEGOTIATE = 0,
    IC_HEARTBEAT = 1,
    IC_SHUTDOWN = 3,
    IC_TIMESYNC = 4,
};

#define IC_FLAG_TRANSACTION 0x1u
#define IC_FLAG_REQUEST 0x2u
#define IC_FLAG_RESPONSE 0x4u

/** In front of each message, since the channel is a pipe. */
struct ic_pipe_header {
    uint32_t type; /* IC_PIPE_DATA */
    uint32_t bytes;
};

#define IC_PIPE_DATA 1u

struct ic_header {
    struct ic_wire_version framework_version;
    uint16_t type; /* enum ic_message_type */
    struct ic_wire_version message_version;
    uint16_t bytes; /* of the body */
    uint32_t status;
    uint8_t transaction_id;
    uint8_t flags;
    uint16_t reserved;
};

struct ic_negotiate { /* then the versions, the framework's first */
    uint16_t framework_count;
    uint16_t message_count;
    uint32_t reserved;
};

static_assert(sizeof(struct ic_pipe_header) == 8, "integration components");
static_assert(sizeof(struct ic_header) == 20, "integration components");
static_assert(sizeof(struct ic_negotiate) == 8, "integration components");

/** One that asks the guest to shut down is the longest: 12 + 2048. */
#define IC_BODY_BYTES_MAX 2060

#endif
