/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_VMBUS_IC_PRIVATE_H
#define HVSIM_VMBUS_IC_PRIVATE_H

/**
 * What the integration components share: the layouts, and a channel on which
 * one component asks and a guest answers. For vmbus/ic*.c.
 */

#include <assert.h>

#include "vmbus/ic.h"

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
#define IC_VERSIONS_MAX 4

/** What makes a component. */
struct ic_service {
    enum ic_message_type type;
    struct ic_wire_version versions[IC_VERSIONS_MAX]; /* ascending */
    unsigned version_count;

    /** Something may be asked now: versions have been agreed on, the time of
     *  ic_wake_in() has come, or there is room for what ic_ask() refused. */
    void (*act)(struct ic *ic, struct hv_context *context);
    /** The guest answered what was asked last. */
    void (*answer)(struct ic *ic, struct hv_context *context, uint32_t status,
                   const uint8_t *body, uint32_t bytes);
    /** The channel is closed; `context` is NULL if the VM is switched off. The
     *  state is as after creation, but for what its owner may still read. */
    void (*closed)(struct ic *ic, struct hv_context *context);
};

/** The first member of every component's own struct. */
struct ic {
    const struct ic_service *service;
    struct sim_clock clock;
    struct vmbus_guid class_id, instance_id;
    struct vmbus_channel *channel; /* borrowed; NULL: not open */
    enum ic_state state;
    struct ic_wire_version framework_version, message_version;
    bool asked; /* and not answered yet */
    uint8_t transaction_id;
    struct ic_counts counts;
};

/** Asks the guest, once versions have been agreed on, for something that it
 *  is to answer; an answer to what was asked before does not count any more.
 *  False: there is no room now, and act() will be called. */
bool ic_ask(struct ic *ic, struct hv_context *context, const void *body,
            uint32_t bytes);

/** Has act() called in `ns`. Replaces the time before. */
void ic_wake_in(struct ic *ic, struct hv_context *context, uint64_t ns);

#endif
