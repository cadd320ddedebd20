/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/partition.h"
#include "partitions/vmbusr_private.h"
#include "sim/core/check.h"

/* The lowest number that is free; 0 if there is none. */
static uint32_t take_id(struct vmbusr_ids *ids)
{
    for (uint32_t id = 1; id < PORT_COUNT_MAX; id++) {
        uint64_t bit = UINT64_C(1) << id % 64;

        if ((ids->used[id / 64] & bit) == 0) {
            ids->used[id / 64] |= bit;
            return id;
        }
    }
    return 0;
}

static void give_id(struct vmbusr_ids *ids, uint32_t id)
{
    ids->used[id / 64] &= ~(UINT64_C(1) << id % 64);
}

static partition_id_t root_id(const struct vmbusr_bus *bus)
{
    return bus->vmbusr->root->hv->root->id;
}

/* Whether the call is to be made again. */
static bool try_again(struct vmbusr_bus *bus, struct hv_context *context,
                      partition_id_t payer, enum hv_status status)
{
    return status == HV_STATUS_INSUFFICIENT_MEMORY &&
           winhv_deposit_some(bus->vmbusr->winhv, context, payer, bus->node);
}

static enum hv_status create_port(struct vmbusr_bus *bus,
                                  struct hv_context *context,
                                  partition_id_t owner, uint32_t id,
                                  partition_id_t sender,
                                  const struct hv_port_info *info)
{
    enum hv_status status;

    do {
        status = winhv_create_port(bus->vmbusr->winhv, context, owner, id,
                                   sender, info);
    } while (try_again(bus, context, owner, status));
    return status;
}

static enum hv_status connect_port(struct vmbusr_bus *bus,
                                   struct hv_context *context,
                                   partition_id_t sender, uint32_t id,
                                   partition_id_t owner, uint32_t port,
                                   enum hv_port_type type)
{
    enum hv_status status;

    do {
        status = winhv_connect_port(bus->vmbusr->winhv, context, sender, id,
                                    owner, port, type);
    } while (try_again(bus, context, sender, status));
    return status;
}

enum hv_status vmbusr_open_inlet(struct vmbusr_bus *bus,
                                 struct hv_context *context,
                                 struct vmbusr_inlet *inlet,
                                 uint32_t connection,
                                 const struct hv_port_info *info)
{
    struct vmbusr *vmbusr = bus->vmbusr;
    uint32_t port = take_id(&vmbusr->ports);
    enum hv_status status = HV_STATUS_NO_RESOURCES;

    if (port == 0)
        return status;
    status =
        create_port(bus, context, root_id(bus), port, bus->partition, info);
    if (status != HV_STATUS_SUCCESS)
        goto no_port;
    status = connect_port(bus, context, bus->partition, connection,
                          root_id(bus), port, (enum hv_port_type)info->type);
    if (status != HV_STATUS_SUCCESS)
        goto no_connection;
    *inlet = (struct vmbusr_inlet){.port = port, .connection = connection};
    return HV_STATUS_SUCCESS;

no_connection:
    winhv_delete_port(vmbusr->winhv, context, root_id(bus), port);
no_port:
    give_id(&vmbusr->ports, port);
    return status;
}

void vmbusr_close_inlet(struct vmbusr_bus *bus, struct hv_context *context,
                        struct vmbusr_inlet *inlet)
{
    struct vmbusr *vmbusr = bus->vmbusr;

    if (inlet->port == 0)
        return;
    winhv_disconnect_port(vmbusr->winhv, context, bus->partition,
                          inlet->connection);
    winhv_delete_port(vmbusr->winhv, context, root_id(bus), inlet->port);
    give_id(&vmbusr->ports, inlet->port);
    *inlet = (struct vmbusr_inlet){0};
}

enum hv_status vmbusr_open_outlet(struct vmbusr_bus *bus,
                                  struct hv_context *context,
                                  struct vmbusr_outlet *outlet, uint32_t port,
                                  const struct hv_port_info *info)
{
    struct vmbusr *vmbusr = bus->vmbusr;
    uint32_t connection = take_id(&vmbusr->connections);
    enum hv_status status = HV_STATUS_NO_RESOURCES;

    if (connection == 0)
        return status;
    status =
        create_port(bus, context, bus->partition, port, root_id(bus), info);
    if (status != HV_STATUS_SUCCESS)
        goto no_port;
    status = connect_port(bus, context, root_id(bus), connection,
                          bus->partition, port, (enum hv_port_type)info->type);
    if (status != HV_STATUS_SUCCESS)
        goto no_connection;
    *outlet = (struct vmbusr_outlet){
        .connection = connection, .port = port, .vp = info->vp};
    return HV_STATUS_SUCCESS;

no_connection:
    winhv_delete_port(vmbusr->winhv, context, bus->partition, port);
no_port:
    give_id(&vmbusr->connections, connection);
    return status;
}

void vmbusr_close_outlet(struct vmbusr_bus *bus, struct hv_context *context,
                         struct vmbusr_outlet *outlet)
{
    struct vmbusr *vmbusr = bus->vmbusr;

    if (outlet->connection == 0)
        return;
    winhv_disconnect_port(vmbusr->winhv, context, root_id(bus),
                          outlet->connection);
    winhv_delete_port(vmbusr->winhv, context, bus->partition, outlet->port);
    give_id(&vmbusr->connections, outlet->connection);
    *outlet = (struct vmbusr_outlet){0};
}
