/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_PORT_PRIVATE_H
#define HVSIM_HYPERVISOR_PORT_PRIVATE_H

/** Shared by port*.c: what a port and a connection are made of. */

#include "hypervisor/port.h"

struct port_monitor; /* what is kept of a monitor's page: port_monitor.c */

struct hv_port {
    struct hv_port *next;
    struct hv_partition *partition; /* borrowed: its owner, the receiver */
    uint32_t id;
    partition_id_t sender;
    struct hv_port_info info;
    spa_t page; /* of the owner's pool: a message port's buffers, or the
                   monitor page; others have none */
    struct port_monitor *monitor; /* owns; NULL for other types */
    bool missed;                  /* a doorbell that found its ring full */
};

struct hv_connection {
    struct hv_connection *next;
    struct hv_partition *partition; /* borrowed: its owner, the sender */
    uint32_t id;
    struct hv_port *port; /* borrowed; NULL: deleted */
    uint32_t type;        /* enum hv_port_type */
    struct hv_connection_place place;
};

/** Signals connection `id` of `sender`; context->vp need not be its. */
enum hv_status port_signal_as(struct hv_context *context,
                              struct hv_partition *sender, uint32_t id,
                              uint16_t flag);

/* port_monitor.c */

/** Makes port->monitor and shows the page in the space of the port's owner.
 *  INVALID_PARAMETER, NO_RESOURCES, INSUFFICIENT_MEMORY. */
enum hv_status port_monitor_create(struct hv_port *port);
void port_monitor_free(struct hv_port *port);

/** Shows the page in the sender's space too, and begins to look at it. */
enum hv_status port_monitor_connect(struct hv_context *context,
                                    struct hv_connection *connection);
void port_monitor_disconnect(struct hv_connection *connection);

/* port_doorbell.c */

/** Whether the connection's address, size and flags make sense. */
bool port_doorbell_valid(const struct hv_connection_place *place);

#endif
