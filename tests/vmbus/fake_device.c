/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/vmbus/fake_device.h"

#include <string.h>

#include "sim/core/check.h"

static void device_opened(void *device, struct vmbus_channel *channel,
                          struct hv_context *context)
{
    struct fake_device *fake = device;

    (void)context;
    fake->opened++;
    fake->channel = channel;
}

static void device_closed(void *device, struct vmbus_channel *channel,
                          struct hv_context *context)
{
    struct fake_device *fake = device;

    fake->closed++;
    fake->channel = channel;
    CHECK(!vmbus_channel_is_open(channel));
    CHECK(!vmbus_channel_complete(channel, context, 1, "late", 4));
}

static void read_ranges(struct fake_device *fake, struct vmbus_channel *channel,
                        struct hv_context *context,
                        const struct vmbus_packet *packet)
{
    fake->range_bytes = vmbus_ranges_bytes(packet->ranges);
    if (fake->range_bytes < sizeof(fake->first))
        return;
    CHECK(vmbus_packet_read(packet, channel, context, 0, fake->first,
                            sizeof(fake->first)));
    CHECK(vmbus_packet_read(packet, channel, context,
                            fake->range_bytes - sizeof(fake->last), fake->last,
                            sizeof(fake->last)));
}

static void complete(struct fake_device *fake, struct vmbus_channel *channel,
                     struct hv_context *context)
{
    fake->stuck = !vmbus_channel_complete(
        channel, context, fake->transaction_id, fake->payload, fake->bytes);
}

static bool device_packet(void *device, struct vmbus_channel *channel,
                          struct hv_context *context,
                          const struct vmbus_packet *packet)
{
    struct fake_device *fake = device;

    CHECK(!fake->stuck);
    CHECK(packet->bytes <= sizeof(fake->payload));
    fake->packets++;
    fake->channel = channel;
    fake->type = packet->type;
    fake->transaction_id = packet->transaction_id;
    fake->completion_wanted = packet->completion_wanted;
    fake->bytes = packet->bytes;
    memcpy(fake->payload, packet->payload, packet->bytes);
    fake->range_bytes = 0;
    if (packet->ranges)
        read_ranges(fake, channel, context, packet);
    if (packet->completion_wanted && !fake->refuse)
        complete(fake, channel, context);
    return !fake->refuse;
}

static void device_room(void *device, struct vmbus_channel *channel,
                        struct hv_context *context)
{
    struct fake_device *fake = device;

    fake->rooms++;
    if (fake->stuck)
        complete(fake, channel, context);
}

static void device_expire(void *device, struct vmbus_channel *channel,
                          struct hv_context *context)
{
    struct fake_device *fake = device;

    (void)channel;
    (void)context;
    fake->expired++;
}

static void device_reset(void *device)
{
    ((struct fake_device *)device)->reset++;
}

static void device_free(void *device)
{
    ((struct fake_device *)device)->freed++;
}

const struct vmbus_device_ops fake_device_ops = {
    .name = "fake",
    .opened = device_opened,
    .closed = device_closed,
    .packet = device_packet,
    .room = device_room,
    .expire = device_expire,
    .reset = device_reset,
    .free = device_free,
};
