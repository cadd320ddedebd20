/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_PORT_H
#define HVSIM_HYPERVISOR_PORT_H

/**
 * Ports and connections (TLFS, "Inter-Partition Communication"): a port is
 * where a partition receives messages or events, a connection is another's
 * handle to send them there. Ports belong to the receiving partition,
 * connections to the sending one; a connection outlives its port, and then
 * leads nowhere.
 *
 * What this does not model: monitor and doorbell ports.
 */

#include "hypervisor/hv_status.h"
#include "hypervisor/hypercall_abi.h"
#include "hypervisor/hypervisor.h"

/** Ports, and connections, that a partition may have. */
#define PORT_COUNT_MAX 4096

struct hv_port;
struct hv_connection;

/** What a partition has of both. */
struct port_lists {
    struct hv_port *ports;             /* owns */
    struct hv_connection *connections; /* owns */
    uint32_t port_count, connection_count;
};

/**
 * Makes port `id` of `partition`, for `sender` to connect to. INVALID_PORT_ID
 * (in use, or too large), INVALID_PARAMETER, FEATURE_UNAVAILABLE (its type),
 * NO_RESOURCES.
 */
enum hv_status port_create(struct hv_partition *partition, uint32_t id,
                           partition_id_t sender,
                           const struct hv_port_info *info);
enum hv_status port_delete(struct hv_partition *partition, uint32_t id);

/**
 * Makes connection `id` of `sender` to a port of `receiver`.
 * INVALID_CONNECTION_ID (in use, or too large), INVALID_PORT_ID,
 * ACCESS_DENIED (the port is for another), INVALID_PARAMETER (of another
 * type), NO_RESOURCES.
 */
enum hv_status port_connect(struct hv_partition *sender, uint32_t id,
                            struct hv_partition *receiver, uint32_t port_id,
                            uint32_t type);
enum hv_status port_disconnect(struct hv_partition *sender, uint32_t id);

/**
 * Sends through a connection of context->vp's partition. INVALID_CONNECTION_ID;
 * INVALID_PORT_ID if its port is gone or of the other type;
 * INVALID_SYNIC_STATE if no VP meant can receive; INSUFFICIENT_BUFFERS if too
 * much waits; INVALID_PARAMETER for a flag that the port does not have.
 */
enum hv_status port_post(struct hv_context *context, uint32_t connection_id,
                         uint32_t type, const void *payload, uint32_t bytes);
enum hv_status port_signal(struct hv_context *context, uint32_t connection_id,
                           uint16_t flag);

/** Deletes all of both, at the end of the partition. */
void port_delete_all(struct hv_partition *partition);

#endif
