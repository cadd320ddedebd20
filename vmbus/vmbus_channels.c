/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmbus/vmbus_private.h"

/* Requests about one channel, and about memory that is lent to it. */

/** The channel, if it is offered and the guest knows it; else NULL. */
static struct vmbus_channel *find_known(struct vmbus *vmbus, uint32_t relid)
{
    struct vmbus_channel *channel = vmbus_find_channel(vmbus, relid);

    return channel && channel->state != VMBUS_CHANNEL_LATENT ? channel : NULL;
}

/** The channel, opened as asked for; NULL if it cannot be. */
static struct vmbus_channel *open_channel(struct vmbus *vmbus,
                                          struct hv_context *context,
                                          const struct vmbus_open_channel *open)
{
    struct vmbus_channel *channel = find_known(vmbus, open->relid);

    if (!channel || channel->state != VMBUS_CHANNEL_OFFERED)
        return NULL;
    struct vmbus_gpadl *gpadl =
        vmbus_channel_gpadl(channel, open->ring_gpadl_id);
    if (!gpadl ||
        !vmbus_channel_open(channel, context, open, vmbus_gpadl_ranges(gpadl)))
        return NULL;
    return channel;
}

/** The device may begin when the guest has been told, and what the guest has
 *  put into the ring before is looked at. */
static void begin_service(struct vmbus_channel *channel,
                          struct hv_context *context)
{
    struct vmbus *vmbus = channel->bus;
    const struct vmbus_offer *offer = &channel->offer;

    if (offer->ops->opened)
        offer->ops->opened(offer->device, channel, context);
    vmbus->ops->serve(vmbus->host, context, channel);
}

void vmbus_open_channel(struct vmbus *vmbus, struct hv_context *context,
                        const struct vmbus_request *request)
{
    const struct vmbus_open_channel *open = &request->open;
    struct vmbus_channel *channel = open_channel(vmbus, context, open);
    struct vmbus_open_channel_result result = {
        .header.type = VMBUS_OPEN_CHANNEL_RESULT,
        .relid = open->relid,
        .open_id = open->open_id,
        .status = channel ? VMBUS_STATUS_SUCCESS : VMBUS_STATUS_UNSUCCESSFUL,
    };

    vmbus_post(vmbus, context, &result, sizeof(result));
    if (channel)
        begin_service(channel, context);
}

/** Has no answer. */
void vmbus_close_channel(struct vmbus *vmbus, struct hv_context *context,
                         const struct vmbus_request *request)
{
    struct vmbus_channel *channel = find_known(vmbus, request->relid.relid);

    if (!channel)
        return;
    if (channel->state == VMBUS_CHANNEL_OPEN)
        vmbus_channel_close(channel, context, VMBUS_CHANNEL_OFFERED);
    else if (channel->state == VMBUS_CHANNEL_BROKEN)
        vmbus_channel_set_state(channel, context, VMBUS_CHANNEL_OFFERED);
}

/** From 4.1; answered from 5.3 alone: an older guest does not expect it. */
void vmbus_modify_channel(struct vmbus *vmbus, struct hv_context *context,
                          const struct vmbus_request *request)
{
    const struct vmbus_modify_channel *modify = &request->modify;
    struct vmbus_modify_channel_response response = {
        .header.type = VMBUS_MODIFY_CHANNEL_RESPONSE,
        .relid = modify->relid,
        .status = VMBUS_STATUS_UNSUCCESSFUL,
    };

    if (vmbus->version < VMBUS_VERSION_4_1)
        return;
    struct vmbus_channel *channel = find_known(vmbus, modify->relid);
    if (channel && channel->state == VMBUS_CHANNEL_OPEN &&
        vmbus_channel_retarget(channel, context, modify->target_vp))
        response.status = VMBUS_STATUS_SUCCESS;
    if (vmbus->version >= VMBUS_VERSION_5_3)
        vmbus_post(vmbus, context, &response, sizeof(response));
}

/** Tells the guest what became of a GPADL, once that is known. */
static void answer_gpadl(struct vmbus *vmbus, struct hv_context *context,
                         uint32_t relid, uint32_t gpadl_id,
                         enum vmbus_gpadl_state state)
{
    struct vmbus_gpadl_created created = {
        .header.type = VMBUS_GPADL_CREATED,
        .relid = relid,
        .gpadl_id = gpadl_id,
        .status = state == VMBUS_GPADL_READY ? VMBUS_STATUS_SUCCESS
                                             : VMBUS_STATUS_UNEXPECTED,
    };

    if (state != VMBUS_GPADL_INCOMPLETE)
        vmbus_post(vmbus, context, &created, sizeof(created));
}

void vmbus_gpadl_header(struct vmbus *vmbus, struct hv_context *context,
                        const struct vmbus_request *request)
{
    const struct vmbus_gpadl_header *header = &request->gpadl;
    enum vmbus_gpadl_state state = VMBUS_GPADL_REFUSED;

    if (find_known(vmbus, header->relid))
        state = vmbus_gpadl_begin(vmbus->gpadls, header,
                                  request->payload + sizeof(*header),
                                  request->bytes - sizeof(*header));
    answer_gpadl(vmbus, context, header->relid, header->gpadl_id, state);
}

/** One whose header was refused has been answered. */
void vmbus_gpadl_body(struct vmbus *vmbus, struct hv_context *context,
                      const struct vmbus_request *request)
{
    const struct vmbus_gpadl_body *body = &request->body;
    struct vmbus_gpadl *gpadl = vmbus_gpadl_find(vmbus->gpadls, body->gpadl_id);

    if (!gpadl || vmbus_gpadl_state(gpadl) != VMBUS_GPADL_INCOMPLETE)
        return;
    uint32_t relid = vmbus_gpadl_relid(gpadl);
    enum vmbus_gpadl_state state = vmbus_gpadl_append(
        vmbus->gpadls, gpadl, request->payload + sizeof(*body),
        request->bytes - sizeof(*body));
    answer_gpadl(vmbus, context, relid, body->gpadl_id, state);
}

/** The guest gets its memory back: nothing touches it any more, so a channel
 *  that has its rings there is closed. */
static void take_back(struct vmbus *vmbus, struct hv_context *context,
                      struct vmbus_gpadl *gpadl, uint32_t gpadl_id)
{
    struct vmbus_channel *channel =
        vmbus_find_channel(vmbus, vmbus_gpadl_relid(gpadl));

    if (channel && channel->state == VMBUS_CHANNEL_OPEN &&
        channel->ring_gpadl_id == gpadl_id)
        vmbus_channel_close(channel, context, VMBUS_CHANNEL_BROKEN);
    vmbus_gpadl_drop(vmbus->gpadls, gpadl);
}

/** Answered even if there is no such GPADL: the guest waits, and we have
 *  nothing of it. */
void vmbus_gpadl_teardown(struct vmbus *vmbus, struct hv_context *context,
                          const struct vmbus_request *request)
{
    const struct vmbus_gpadl_teardown *teardown = &request->teardown;
    struct vmbus_gpadl *gpadl =
        vmbus_gpadl_find(vmbus->gpadls, teardown->gpadl_id);
    struct vmbus_gpadl_torndown torndown = {
        .header.type = VMBUS_GPADL_TORNDOWN,
        .gpadl_id = teardown->gpadl_id,
    };

    if (gpadl)
        take_back(vmbus, context, gpadl, teardown->gpadl_id);
    vmbus_post(vmbus, context, &torndown, sizeof(torndown));
}
