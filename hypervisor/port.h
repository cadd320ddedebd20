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
 * A monitor port is a page that both share, in which the sender sets bits
 * instead of making calls; a doorbell is a store to an address of the sender's
 * that the receiver, the root, learns of without an intercept.
 *
 * Each takes of its owner's pool what it needs: INSUFFICIENT_MEMORY says to
 * deposit more and to call again.
 */

#include "hypervisor/hv_status.h"
#include "hypervisor/hypercall_abi.h"
#include "hypervisor/hypervisor.h"

/** Ports, and connections, that a partition may have. */
#define PORT_COUNT_MAX 4096
/** Of both, how many fit a page of the pool. */
#define PORT_OBJECTS_PER_PAGE 64
#define PORT_PAGES_MAX (2 * PORT_COUNT_MAX / PORT_OBJECTS_PER_PAGE)

struct hv_port;
struct hv_connection;

/** What a partition has of both. */
struct port_lists {
    struct hv_port *ports;             /* owns */
    struct hv_connection *connections; /* owns */
    uint32_t port_count, connection_count;
    uint32_t page_count;
    spa_t pages[PORT_PAGES_MAX]; /* of the pool */
};

/**
 * Makes port `id` of `partition`, for `sender` to connect to. INVALID_PORT_ID
 * (in use, or too large), INVALID_PARAMETER, ACCESS_DENIED (a doorbell that is
 * not the root's), INSUFFICIENT_MEMORY, NO_RESOURCES.
 */
enum hv_status port_create(struct hv_partition *partition, uint32_t id,
                           partition_id_t sender,
                           const struct hv_port_info *info);
enum hv_status port_delete(struct hv_partition *partition, uint32_t id);

/**
 * Makes connection `id` of `sender` to a port of `receiver`.
 * INVALID_CONNECTION_ID (in use, or too large), INVALID_PORT_ID,
 * ACCESS_DENIED (the port is for another), INVALID_PARAMETER (of another
 * type, or an address that cannot be), INSUFFICIENT_MEMORY, NO_RESOURCES.
 */
enum hv_status port_connect(struct hv_context *context,
                            struct hv_partition *sender, uint32_t id,
                            struct hv_partition *receiver, uint32_t port_id,
                            uint32_t type,
                            const struct hv_connection_place *place);
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

/** True if the store of context->vp that `exit` is about rings a doorbell; the
 *  instruction is then over, but for RIP. */
bool port_doorbell_ring(struct hv_context *context, const struct vm_exit *exit);

/** The receiver has emptied its ring for `sint`: doorbells that did not fit
 *  ring now (HvCallNotifyPortRingEmpty, made by context->vp). */
void port_doorbell_retry(struct hv_context *context, uint32_t sint);

/** Deletes all of both, at the end of the partition. */
void port_delete_all(struct hv_partition *partition);

#endif
