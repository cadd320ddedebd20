/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_VMBUS_IC_PRIVATE_H
#define HVSIM_VMBUS_IC_PRIVATE_H

/**
 * What the integration components share: a channel on which one component asks
 * and a guest answers. For vmbus/ic*.c.
 */

#include "vmbus/ic.h"
#include "vmbus/ic_abi.h"

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
    bool refused; /* there was no room for a question: there will be */
    bool asked;   /* and not answered yet */
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
