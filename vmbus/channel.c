/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmbus/channel.h"

#include <stdlib.h>

#include "vmbus/vmbus_private.h"

bool vmbus_channel_is_open(const struct vmbus_channel *channel)
{
    return channel->state == VMBUS_CHANNEL_OPEN && !channel->corrupt;
}

uint32_t vmbus_channel_relid(const struct vmbus_channel *channel)
{
    return channel->relid;
}

uint32_t vmbus_channel_target_vp(const struct vmbus_channel *channel)
{
    return channel->target_vp;
}

uint16_t vmbus_channel_sub_channel_index(const struct vmbus_channel *channel)
{
    return channel->offer.sub_channel_index;
}

const char *vmbus_channel_name(const struct vmbus_channel *channel)
{
    return channel->offer.ops->name;
}

struct vmbus *vmbus_channel_bus(const struct vmbus_channel *channel)
{
    return channel->bus;
}

void vmbus_channel_set_host_data(struct vmbus_channel *channel, void *data)
{
    channel->host_data = data;
}

void *vmbus_channel_host_data(const struct vmbus_channel *channel)
{
    return channel->host_data;
}

void vmbus_channel_set_state(struct vmbus_channel *channel,
                             struct hv_context *context,
                             enum vmbus_channel_state state)
{
    channel->state = state;
    if (context)
        hypervisor_trace(context, TRACE_VMBUS,
                         (uint64_t)channel->relid << 8 | state);
}

/** Attaches both ends; the guest's two rings share the ranges, and if the first
 *  has its pages there, the second has what remains. */
static bool attach_rings(struct vmbus_channel *channel,
                         const struct vmbus_ranges *ranges, uint32_t downstream)
{
    struct guest_memory memory = channel->bus->memory;
    uint64_t pages = vmbus_ranges_bytes(ranges) >> PAGE_SHIFT;

    return vmbus_ring_attach_consumer(&channel->from_guest, memory, ranges, 0,
                                      downstream) == VMBUS_RING_OK &&
           vmbus_ring_attach_producer(
               &channel->to_guest, memory, ranges, downstream,
               (uint32_t)pages - downstream) == VMBUS_RING_OK;
}

bool vmbus_channel_open(struct vmbus_channel *channel,
                        struct hv_context *context,
                        const struct vmbus_open_channel *request,
                        const struct vmbus_ranges *ranges)
{
    struct vmbus *bus = channel->bus;

    if (!attach_rings(channel, ranges, request->downstream_page_offset) ||
        bus->ops->listen(bus->host, context, channel, request->target_vp) !=
            HV_STATUS_SUCCESS)
        return false;
    channel->ring_gpadl_id = request->ring_gpadl_id;
    channel->target_vp = request->target_vp;
    channel->corrupt = false;
    channel->masked = false;
    channel->held = false;
    channel->rings_turn = false;
    channel->room_wanted = 0;
    channel->wake_at = CYCLES_NEVER;
    vmbus_channel_set_state(channel, context, VMBUS_CHANNEL_OPEN);
    return true;
}

bool vmbus_channel_retarget(struct vmbus_channel *channel,
                            struct hv_context *context, uint32_t vp)
{
    struct vmbus *bus = channel->bus;

    if (bus->ops->listen(bus->host, context, channel, vp) != HV_STATUS_SUCCESS)
        return false;
    channel->target_vp = vp;
    return true;
}

void vmbus_channel_signal(struct vmbus_channel *channel,
                          struct hv_context *context)
{
    struct vmbus *bus = channel->bus;

    if (channel->target_vp != VMBUS_NO_VP)
        bus->ops->signal(bus->host, context, channel);
}

void vmbus_channel_close(struct vmbus_channel *channel,
                         struct hv_context *context,
                         enum vmbus_channel_state state)
{
    struct vmbus *bus = channel->bus;
    const struct vmbus_device_ops *device = channel->offer.ops;

    vmbus_rescind_sub_channels(channel, context);
    vmbus_channel_wake_at(channel, CYCLES_NEVER);
    vmbus_channel_set_state(channel, context, state);
    bus->ops->unlisten(bus->host, context, channel);
    channel->target_vp = VMBUS_NO_VP;
    if (context && device->closed)
        device->closed(channel->offer.device, channel, context);
    free(channel->buffer);
    channel->buffer = NULL;
    channel->buffer_bytes = 0;
}

void vmbus_channel_wake_at(struct vmbus_channel *channel, cycles_t at)
{
    struct vmbus *bus = channel->bus;

    if (channel->state != VMBUS_CHANNEL_OPEN || at.v == channel->wake_at.v)
        return;
    channel->wake_at = at;
    bus->ops->wake_at(bus->host, channel, at);
}

void vmbus_channel_hold(struct vmbus_channel *channel,
                        struct hv_context *context, bool held)
{
    struct vmbus *bus = channel->bus;
    bool released = channel->held && !held;

    channel->held = held;
    if (released && vmbus_channel_is_open(channel))
        bus->ops->serve(bus->host, context, channel);
}

struct vmbus_gpadl *vmbus_channel_gpadl(struct vmbus_channel *channel,
                                        uint32_t id)
{
    struct vmbus_gpadl *gpadl = vmbus_gpadl_find(channel->bus->gpadls, id);

    if (!gpadl || vmbus_gpadl_relid(gpadl) != channel->relid ||
        vmbus_gpadl_state(gpadl) != VMBUS_GPADL_READY)
        return NULL;
    return gpadl;
}

bool vmbus_channel_read(struct vmbus_channel *channel,
                        struct hv_context *context,
                        const struct vmbus_ranges *ranges, uint64_t offset,
                        void *to, size_t bytes)
{
    return vmbus_channel_is_open(channel) &&
           vmbus_bill_copy(context, bytes,
                           vmbus_ranges_read(ranges, channel->bus->memory,
                                             offset, to, bytes));
}

bool vmbus_channel_write(struct vmbus_channel *channel,
                         struct hv_context *context,
                         const struct vmbus_ranges *ranges, uint64_t offset,
                         const void *from, size_t bytes)
{
    return vmbus_channel_is_open(channel) &&
           vmbus_bill_copy(context, bytes,
                           vmbus_ranges_write(ranges, channel->bus->memory,
                                              offset, from, bytes));
}
