/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "vmbus/vmbus_private.h"

/* Which channels there are, and what the guest is told of that. */

static void post_offer(struct vmbus_channel *channel,
                       struct hv_context *context)
{
    const struct vmbus_offer *offer = &channel->offer;
    struct vmbus_offer_channel message = {
        .header.type = VMBUS_OFFER_CHANNEL,
        .class_id = offer->class_id,
        .instance_id = offer->instance_id,
        .flags = offer->flags,
        .mmio_megabytes = offer->mmio_megabytes,
        .sub_channel_index = offer->sub_channel_index,
        .relid = channel->relid,
        .is_dedicated = 1,
        .connection_id = VMBUS_EVENT_CONNECTION(channel->relid),
    };

    memcpy(message.user_data, offer->user_data, sizeof(message.user_data));
    vmbus_channel_set_state(channel, context, VMBUS_CHANNEL_OFFERED);
    vmbus_post(channel->bus, context, &message, sizeof(message));
}

/** The lowest that is free; 0: none is. */
static uint32_t free_relid(const struct vmbus *vmbus)
{
    for (uint32_t relid = 1; relid < VMBUS_CHANNELS_MAX; relid++) {
        if (!vmbus->channels[relid])
            return relid;
    }
    return 0;
}

static bool is_same_device(const struct vmbus_offer *a,
                           const struct vmbus_offer *b)
{
    return memcmp(&a->class_id, &b->class_id, sizeof(a->class_id)) == 0 &&
           memcmp(&a->instance_id, &b->instance_id, sizeof(a->instance_id)) ==
               0;
}

/** The open primary channel that `offer` is a sub-channel of; or NULL. */
static struct vmbus_channel *find_primary(const struct vmbus *vmbus,
                                          const struct vmbus_offer *offer)
{
    for (uint32_t relid = 1; relid < VMBUS_CHANNELS_MAX; relid++) {
        struct vmbus_channel *channel = vmbus->channels[relid];
        if (channel && channel->state == VMBUS_CHANNEL_OPEN &&
            !channel->primary && is_same_device(&channel->offer, offer))
            return channel;
    }
    return NULL;
}

struct vmbus_channel *vmbus_offer(struct vmbus *vmbus,
                                  struct hv_context *context,
                                  const struct vmbus_offer *offer)
{
    struct vmbus_channel *primary = NULL;
    uint32_t relid = free_relid(vmbus);

    if (offer->sub_channel_index != 0) {
        primary = find_primary(vmbus, offer);
        if (!primary)
            return NULL;
    }
    if (relid == 0)
        return NULL;
    struct vmbus_channel *channel = calloc(1, sizeof(*channel));
    if (!channel)
        return NULL;
    channel->bus = vmbus;
    channel->primary = primary;
    channel->relid = relid;
    channel->offer = *offer;
    channel->target_vp = VMBUS_NO_VP;
    channel->wake_at = CYCLES_NEVER;
    vmbus->channels[relid] = channel;
    if (vmbus->offers_requested)
        post_offer(channel, context);
    return channel;
}

/** Once in a connection; asked again, there is nothing new to tell. */
void vmbus_request_offers(struct vmbus *vmbus, struct hv_context *context,
                          const struct vmbus_request *request)
{
    struct vmbus_header delivered = {.type = VMBUS_ALL_OFFERS_DELIVERED};

    (void)request;
    if (vmbus->offers_requested)
        return;
    vmbus->offers_requested = true;
    for (uint32_t relid = 1; relid < VMBUS_CHANNELS_MAX; relid++) {
        if (vmbus->channels[relid])
            post_offer(vmbus->channels[relid], context);
    }
    vmbus_post(vmbus, context, &delivered, sizeof(delivered));
}

void vmbus_remove(struct vmbus_channel *channel)
{
    struct vmbus *vmbus = channel->bus;

    vmbus->ops->forget(vmbus->host, channel);
    vmbus_gpadl_drop_channel(vmbus->gpadls, channel->relid);
    vmbus->channels[channel->relid] = NULL;
    free(channel);
}

void vmbus_rescind(struct vmbus_channel *channel, struct hv_context *context)
{
    struct vmbus *vmbus = channel->bus;
    const struct vmbus_offer *offer = &channel->offer;
    struct vmbus_relid_message rescind = {
        .header.type = VMBUS_RESCIND_CHANNEL_OFFER,
        .relid = channel->relid,
    };

    bool is_known =
        vmbus->version != 0 && channel->state != VMBUS_CHANNEL_LATENT;
    if (channel->state == VMBUS_CHANNEL_OPEN)
        vmbus_channel_close(channel, context, VMBUS_CHANNEL_RESCINDED);
    if (!channel->primary && offer->ops->free)
        offer->ops->free(offer->device);
    if (!is_known) {
        vmbus_remove(channel);
        return;
    }
    vmbus_channel_set_state(channel, context, VMBUS_CHANNEL_RESCINDED);
    vmbus_post(vmbus, context, &rescind, sizeof(rescind));
}

void vmbus_rescind_sub_channels(struct vmbus_channel *primary,
                                struct hv_context *context)
{
    struct vmbus *vmbus = primary->bus;

    for (uint32_t relid = 1; relid < VMBUS_CHANNELS_MAX; relid++) {
        struct vmbus_channel *channel = vmbus->channels[relid];
        if (channel && channel->primary == primary &&
            channel->state != VMBUS_CHANNEL_RESCINDED)
            vmbus_rescind(channel, context);
    }
}

/**
 * The guest will not name the channel any more. Of one that is still offered
 * it wants to know nothing until it connects again.
 */
void vmbus_relid_released(struct vmbus *vmbus, struct hv_context *context,
                          const struct vmbus_request *request)
{
    uint32_t relid = request->relid.relid;
    struct vmbus_channel *channel =
        relid < VMBUS_CHANNELS_MAX ? vmbus->channels[relid] : NULL;

    if (!channel)
        return;
    if (channel->state == VMBUS_CHANNEL_RESCINDED) {
        vmbus_remove(channel);
    } else if (channel->state == VMBUS_CHANNEL_OFFERED) {
        vmbus_gpadl_drop_channel(vmbus->gpadls, relid);
        vmbus_channel_set_state(channel, context, VMBUS_CHANNEL_LATENT);
    }
}
