/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/port.h"

#include <stdlib.h>

#include "hypervisor/partition.h"
#include "hypervisor/vp.h"

struct hv_port {
    struct hv_port *next;
    struct hv_partition *partition; /* borrowed: its owner, the receiver */
    uint32_t id;
    partition_id_t sender;
    struct hv_port_info info;
};

struct hv_connection {
    struct hv_connection *next;
    uint32_t id;
    struct hv_port *port; /* borrowed; NULL: deleted */
};

static struct hv_port *find_port(const struct hv_partition *partition,
                                 uint32_t id)
{
    struct hv_port *port = partition->port_lists.ports;

    while (port && port->id != id)
        port = port->next;
    return port;
}

static struct hv_connection *find_connection(const struct hv_partition *sender,
                                             uint32_t id)
{
    struct hv_connection *connection = sender->port_lists.connections;

    while (connection && connection->id != id)
        connection = connection->next;
    return connection;
}

static enum hv_status check_info(const struct hv_port_info *info)
{
    if (info->type == HV_PORT_MONITOR || info->type == HV_PORT_DOORBELL)
        return HV_STATUS_FEATURE_UNAVAILABLE;
    if (info->type != HV_PORT_MESSAGE && info->type != HV_PORT_EVENT)
        return HV_STATUS_INVALID_PARAMETER;
    /* SINT 0 is the hypervisor's own. */
    if (info->sint == 0 || info->sint >= SYNIC_SINT_COUNT ||
        (info->vp != HV_ANY_VP && info->vp >= PARTITION_VP_COUNT_MAX))
        return HV_STATUS_INVALID_PARAMETER;
    if (info->type == HV_PORT_EVENT &&
        (info->flag_count == 0 ||
         (uint32_t)info->base_flag + info->flag_count > SYNIC_EVENT_FLAG_COUNT))
        return HV_STATUS_INVALID_PARAMETER;
    return HV_STATUS_SUCCESS;
}

enum hv_status port_create(struct hv_partition *partition, uint32_t id,
                           partition_id_t sender,
                           const struct hv_port_info *info)
{
    struct port_lists *lists = &partition->port_lists;
    enum hv_status status = check_info(info);
    struct hv_port *port;

    if (status != HV_STATUS_SUCCESS)
        return status;
    if (id > HV_PORT_ID_MAX || find_port(partition, id))
        return HV_STATUS_INVALID_PORT_ID;
    if (lists->port_count == PORT_COUNT_MAX)
        return HV_STATUS_NO_RESOURCES;
    port = malloc(sizeof(*port));
    if (!port)
        return HV_STATUS_NO_RESOURCES;
    *port = (struct hv_port){.next = lists->ports,
                             .partition = partition,
                             .id = id,
                             .sender = sender,
                             .info = *info};
    lists->ports = port;
    lists->port_count++;
    return HV_STATUS_SUCCESS;
}

/* Whoever is connected to the port is so to nothing from now on. */
static void strand_connections(const struct hv_port *port)
{
    const struct hypervisor *hv = port->partition->hv;

    for (uint32_t i = 0; i < hv->partition_count; i++) {
        struct hv_connection *connection =
            hv->partitions[i]->port_lists.connections;

        for (; connection; connection = connection->next) {
            if (connection->port == port)
                connection->port = NULL;
        }
    }
}

enum hv_status port_delete(struct hv_partition *partition, uint32_t id)
{
    struct port_lists *lists = &partition->port_lists;
    struct hv_port *port = find_port(partition, id);
    struct hv_port **link = &lists->ports;

    if (!port)
        return HV_STATUS_INVALID_PORT_ID;
    while (*link != port)
        link = &(*link)->next;
    *link = port->next;
    lists->port_count--;
    strand_connections(port);
    free(port);
    return HV_STATUS_SUCCESS;
}

enum hv_status port_connect(struct hv_partition *sender, uint32_t id,
                            struct hv_partition *receiver, uint32_t port_id,
                            uint32_t type)
{
    struct port_lists *lists = &sender->port_lists;
    struct hv_port *port = find_port(receiver, port_id);
    struct hv_connection *connection;

    if (id > HV_PORT_ID_MAX || find_connection(sender, id))
        return HV_STATUS_INVALID_CONNECTION_ID;
    if (!port)
        return HV_STATUS_INVALID_PORT_ID;
    if (port->sender.v != sender->id.v)
        return HV_STATUS_ACCESS_DENIED;
    if (port->info.type != type)
        return HV_STATUS_INVALID_PARAMETER;
    if (lists->connection_count == PORT_COUNT_MAX)
        return HV_STATUS_NO_RESOURCES;
    connection = malloc(sizeof(*connection));
    if (!connection)
        return HV_STATUS_NO_RESOURCES;
    *connection = (struct hv_connection){
        .next = lists->connections, .id = id, .port = port};
    lists->connections = connection;
    lists->connection_count++;
    return HV_STATUS_SUCCESS;
}

enum hv_status port_disconnect(struct hv_partition *sender, uint32_t id)
{
    struct port_lists *lists = &sender->port_lists;
    struct hv_connection *connection = find_connection(sender, id);
    struct hv_connection **link = &lists->connections;

    if (!connection)
        return HV_STATUS_INVALID_CONNECTION_ID;
    while (*link != connection)
        link = &(*link)->next;
    *link = connection->next;
    lists->connection_count--;
    free(connection);
    return HV_STATUS_SUCCESS;
}

/* The port of that type behind the caller's connection. */
static enum hv_status find_target(const struct hv_context *context,
                                  uint32_t connection_id,
                                  enum hv_port_type type,
                                  const struct hv_port **out)
{
    const struct hv_connection *connection =
        find_connection(context->vp->partition, connection_id);

    if (!connection)
        return HV_STATUS_INVALID_CONNECTION_ID;
    *out = connection->port;
    return *out && (*out)->info.type == (uint32_t)type
               ? HV_STATUS_SUCCESS
               : HV_STATUS_INVALID_PORT_ID;
}

/* The first VP that the port means and that can receive; NULL if there is
 * none. */
static struct synic *find_receiver(const struct hv_port *port)
{
    const struct hv_port_info *info = &port->info;
    bool event = info->type == HV_PORT_EVENT;

    for (uint32_t i = 0; i < PARTITION_VP_COUNT_MAX; i++) {
        struct hv_vp *vp = port->partition->vps[i];

        if (!vp || (info->vp != HV_ANY_VP && info->vp != i))
            continue;
        if (event ? synic_takes_events(&vp->synic, info->sint)
                  : synic_takes_messages(&vp->synic))
            return &vp->synic;
    }
    return NULL;
}

enum hv_status port_post(struct hv_context *context, uint32_t connection_id,
                         uint32_t type, const void *payload, uint32_t bytes)
{
    const struct hv_port *port;
    enum hv_status status =
        find_target(context, connection_id, HV_PORT_MESSAGE, &port);
    struct synic *synic;

    if (status != HV_STATUS_SUCCESS)
        return status;
    synic = find_receiver(port);
    if (!synic)
        return HV_STATUS_INVALID_SYNIC_STATE;
    return synic_post_message(context, synic, port->info.sint, type, port->id,
                              payload, bytes)
               ? HV_STATUS_SUCCESS
               : HV_STATUS_INSUFFICIENT_BUFFERS;
}

enum hv_status port_signal(struct hv_context *context, uint32_t connection_id,
                           uint16_t flag)
{
    const struct hv_port *port;
    enum hv_status status =
        find_target(context, connection_id, HV_PORT_EVENT, &port);
    struct synic *synic;

    if (status != HV_STATUS_SUCCESS)
        return status;
    if (flag >= port->info.flag_count)
        return HV_STATUS_INVALID_PARAMETER;
    synic = find_receiver(port);
    if (!synic)
        return HV_STATUS_INVALID_SYNIC_STATE;
    synic_signal_event(context, synic, port->info.sint,
                       port->info.base_flag + (uint32_t)flag);
    return HV_STATUS_SUCCESS;
}

void port_delete_all(struct hv_partition *partition)
{
    struct port_lists *lists = &partition->port_lists;

    while (lists->ports)
        port_delete(partition, lists->ports->id);
    while (lists->connections)
        port_disconnect(partition, lists->connections->id);
}
