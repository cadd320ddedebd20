/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/port.h"

#include <stdlib.h>

#include "hypervisor/memory.h"
#include "hypervisor/partition.h"
#include "hypervisor/port_private.h"
#include "hypervisor/vp.h"

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

/* The pool pays for ports and connections by the page. */

static uint32_t object_count(const struct port_lists *lists)
{
    return lists->port_count + lists->connection_count;
}

static bool charge_object(struct hv_partition *partition)
{
    struct port_lists *lists = &partition->port_lists;

    if (object_count(lists) < lists->page_count * PORT_OBJECTS_PER_PAGE)
        return true;
    if (!memory_pool_take(partition->hv, partition->pool,
                          &lists->pages[lists->page_count]))
        return false;
    lists->page_count++;
    return true;
}

/* After the object is off its list, or when it could not be made. */
static void refund_objects(struct hv_partition *partition)
{
    struct port_lists *lists = &partition->port_lists;

    while (lists->page_count > 0 &&
           object_count(lists) <=
               (lists->page_count - 1) * PORT_OBJECTS_PER_PAGE)
        memory_pool_give(partition->pool, lists->pages[--lists->page_count]);
}

/* Ports */

static bool has_target(const struct hv_port_info *info)
{
    /* SINT 0 is the hypervisor's own. */
    return info->sint != 0 && info->sint < SYNIC_SINT_COUNT &&
           (info->vp == HV_ANY_VP || info->vp < PARTITION_VP_COUNT_MAX) &&
           info->reserved == 0;
}

static bool info_valid(const struct hv_port_info *info)
{
    if (info->padding != 0)
        return false;
    switch (info->type) {
    case HV_PORT_MESSAGE:
    case HV_PORT_DOORBELL:
        return has_target(info) && info->base_flag == 0 &&
               info->flag_count == 0;
    case HV_PORT_EVENT:
        return has_target(info) && info->flag_count != 0 &&
               (uint32_t)info->base_flag + info->flag_count <=
                   SYNIC_EVENT_FLAG_COUNT;
    case HV_PORT_MONITOR:
        return (info->monitor_gpa & PAGE_MASK) == 0 &&
               info->monitor_reserved == 0;
    default:
        return false;
    }
}

_Static_assert((uint64_t)SYNIC_QUEUE_MAX *SYNIC_MESSAGE_BYTES == PAGE_BYTES,
               "a message port's buffers take a page");

static bool takes_page(const struct hv_port *port)
{
    return port->info.type == HV_PORT_MESSAGE ||
           port->info.type == HV_PORT_MONITOR;
}

/* The page that a port of this type takes, and what else it needs. */
static enum hv_status furnish(struct hv_port *port)
{
    struct hv_partition *partition = port->partition;
    enum hv_status status = HV_STATUS_SUCCESS;

    if (!takes_page(port))
        return HV_STATUS_SUCCESS;
    if (!memory_pool_take(partition->hv, partition->pool, &port->page))
        return HV_STATUS_INSUFFICIENT_MEMORY;
    if (port->info.type == HV_PORT_MONITOR)
        status = port_monitor_create(port);
    if (status != HV_STATUS_SUCCESS)
        memory_pool_give(partition->pool, port->page);
    return status;
}

static void strip(struct hv_port *port)
{
    if (port->monitor)
        port_monitor_free(port);
    if (takes_page(port))
        memory_pool_give(port->partition->pool, port->page);
}

/* Makes the port, paid for already, and lists it. */
static enum hv_status add_port(struct hv_partition *partition, uint32_t id,
                               partition_id_t sender,
                               const struct hv_port_info *info)
{
    struct port_lists *lists = &partition->port_lists;
    struct hv_port *port = malloc(sizeof(*port));
    enum hv_status status;

    if (!port)
        return HV_STATUS_NO_RESOURCES;
    *port = (struct hv_port){.next = lists->ports,
                             .partition = partition,
                             .id = id,
                             .sender = sender,
                             .info = *info};
    status = furnish(port);
    if (status != HV_STATUS_SUCCESS) {
        free(port);
        return status;
    }
    lists->ports = port;
    lists->port_count++;
    return HV_STATUS_SUCCESS;
}

enum hv_status port_create(struct hv_partition *partition, uint32_t id,
                           partition_id_t sender,
                           const struct hv_port_info *info)
{
    enum hv_status status;

    if (!info_valid(info))
        return HV_STATUS_INVALID_PARAMETER;
    if (info->type == HV_PORT_DOORBELL && partition->parent)
        return HV_STATUS_ACCESS_DENIED;
    /* A doorbell's ring holds port ids, and 0 where it is empty. */
    if (id > HV_PORT_ID_MAX || find_port(partition, id) ||
        (info->type == HV_PORT_DOORBELL && id == 0))
        return HV_STATUS_INVALID_PORT_ID;
    if (partition->port_lists.port_count == PORT_COUNT_MAX)
        return HV_STATUS_NO_RESOURCES;
    if (!charge_object(partition))
        return HV_STATUS_INSUFFICIENT_MEMORY;
    status = add_port(partition, id, sender, info);
    if (status != HV_STATUS_SUCCESS)
        refund_objects(partition);
    return status;
}

/* The connection leads to nothing from now on. */
static void strand(struct hv_connection *connection)
{
    if (connection->port && connection->type == HV_PORT_MONITOR)
        port_monitor_disconnect(connection);
    connection->port = NULL;
}

static void strand_connections(const struct hv_port *port)
{
    const struct hypervisor *hv = port->partition->hv;

    for (uint32_t i = 0; i < hv->partition_count; i++) {
        struct hv_connection *connection =
            hv->partitions[i]->port_lists.connections;

        for (; connection; connection = connection->next) {
            if (connection->port == port)
                strand(connection);
        }
    }
}

/* What waits in a queue for its slot still arrives. */
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
    strip(port);
    free(port);
    refund_objects(partition);
    return HV_STATUS_SUCCESS;
}

/* Connections */

static enum hv_status check_connection(const struct hv_partition *sender,
                                       uint32_t id, const struct hv_port *port,
                                       uint32_t type,
                                       const struct hv_connection_place *place)
{
    if (id > HV_PORT_ID_MAX || find_connection(sender, id))
        return HV_STATUS_INVALID_CONNECTION_ID;
    if (!port)
        return HV_STATUS_INVALID_PORT_ID;
    if (port->sender.v != sender->id.v)
        return HV_STATUS_ACCESS_DENIED;
    if (port->info.type != type)
        return HV_STATUS_INVALID_PARAMETER;
    if (type == HV_PORT_DOORBELL && !port_doorbell_valid(place))
        return HV_STATUS_INVALID_PARAMETER;
    if (sender->port_lists.connection_count == PORT_COUNT_MAX)
        return HV_STATUS_NO_RESOURCES;
    return HV_STATUS_SUCCESS;
}

static enum hv_status add_connection(struct hv_context *context,
                                     struct hv_partition *sender, uint32_t id,
                                     struct hv_port *port,
                                     const struct hv_connection_place *place)
{
    struct port_lists *lists = &sender->port_lists;
    struct hv_connection *connection = malloc(sizeof(*connection));
    enum hv_status status = HV_STATUS_SUCCESS;

    if (!connection)
        return HV_STATUS_NO_RESOURCES;
    *connection = (struct hv_connection){.next = lists->connections,
                                         .partition = sender,
                                         .id = id,
                                         .port = port,
                                         .type = port->info.type,
                                         .place = *place};
    if (connection->type == HV_PORT_MONITOR)
        status = port_monitor_connect(context, connection);
    if (status != HV_STATUS_SUCCESS) {
        free(connection);
        return status;
    }
    lists->connections = connection;
    lists->connection_count++;
    return HV_STATUS_SUCCESS;
}

enum hv_status port_connect(struct hv_context *context,
                            struct hv_partition *sender, uint32_t id,
                            struct hv_partition *receiver, uint32_t port_id,
                            uint32_t type,
                            const struct hv_connection_place *place)
{
    struct hv_port *port = find_port(receiver, port_id);
    enum hv_status status = check_connection(sender, id, port, type, place);

    if (status != HV_STATUS_SUCCESS)
        return status;
    if (!charge_object(sender))
        return HV_STATUS_INSUFFICIENT_MEMORY;
    status = add_connection(context, sender, id, port, place);
    if (status != HV_STATUS_SUCCESS)
        refund_objects(sender);
    return status;
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
    strand(connection);
    free(connection);
    refund_objects(sender);
    return HV_STATUS_SUCCESS;
}

/* Sending */

/* The port of that type behind the sender's connection. */
static enum hv_status find_target(const struct hv_partition *sender,
                                  uint32_t connection_id,
                                  enum hv_port_type type,
                                  const struct hv_port **out)
{
    const struct hv_connection *connection =
        find_connection(sender, connection_id);

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
    enum hv_status status = find_target(context->vp->partition, connection_id,
                                        HV_PORT_MESSAGE, &port);
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

enum hv_status port_signal_as(struct hv_context *context,
                              struct hv_partition *sender, uint32_t id,
                              uint16_t flag)
{
    const struct hv_port *port;
    enum hv_status status = find_target(sender, id, HV_PORT_EVENT, &port);
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

enum hv_status port_signal(struct hv_context *context, uint32_t connection_id,
                           uint16_t flag)
{
    return port_signal_as(context, context->vp->partition, connection_id, flag);
}

void port_delete_all(struct hv_partition *partition)
{
    struct port_lists *lists = &partition->port_lists;

    while (lists->ports)
        port_delete(partition, lists->ports->id);
    while (lists->connections)
        port_disconnect(partition, lists->connections->id);
}
