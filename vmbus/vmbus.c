/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmbus/vmbus.h"

#include <stdlib.h>
#include <string.h>

#include "vmbus/vmbus_private.h"

struct vmbus *vmbus_create(const struct vmbus_host_ops *ops, void *host,
                           struct guest_memory memory)
{
    struct vmbus *vmbus = calloc(1, sizeof(*vmbus));

    if (!vmbus)
        return NULL;
    vmbus->ops = ops;
    vmbus->host = host;
    vmbus->memory = memory;
    vmbus->gpadls = vmbus_gpadl_table_create(memory);
    if (!vmbus->gpadls) {
        free(vmbus);
        return NULL;
    }
    return vmbus;
}

void vmbus_free(struct vmbus *vmbus)
{
    if (!vmbus)
        return;
    vmbus_disconnect(vmbus, NULL);
    for (uint32_t relid = 1; relid < VMBUS_CHANNELS_MAX; relid++) {
        if (vmbus->channels[relid])
            vmbus_rescind(vmbus->channels[relid], NULL);
    }
    vmbus_gpadl_table_free(vmbus->gpadls);
    free(vmbus);
}

void vmbus_reset(struct vmbus *vmbus)
{
    vmbus_disconnect(vmbus, NULL);
    for (uint32_t relid = 1; relid < VMBUS_CHANNELS_MAX; relid++) {
        const struct vmbus_channel *channel = vmbus->channels[relid];
        if (channel && channel->offer.ops->reset)
            channel->offer.ops->reset(channel->offer.device);
    }
}

uint32_t vmbus_version(const struct vmbus *vmbus)
{
    return vmbus->version;
}

struct vmbus_channel *vmbus_find_channel(struct vmbus *vmbus, uint32_t relid)
{
    struct vmbus_channel *channel =
        relid < VMBUS_CHANNELS_MAX ? vmbus->channels[relid] : NULL;

    return channel && channel->state != VMBUS_CHANNEL_RESCINDED ? channel
                                                                : NULL;
}

uint32_t vmbus_connection_of(uint32_t version)
{
    return version < VMBUS_VERSION_5_0 ? VMBUS_CONNECTION_OLD
                                       : VMBUS_CONNECTION_NEW;
}

void vmbus_post(struct vmbus *vmbus, struct hv_context *context,
                const void *message, uint32_t bytes)
{
    cost_note(context->bill, COST_VMBUS_MESSAGE, 1);
    vmbus->ops->post(vmbus->host, context, vmbus->message_vp, message, bytes);
}

/** Nobody listens to sockets on this host. */
static void tl_connect_request(struct vmbus *vmbus, struct hv_context *context,
                               const struct vmbus_request *request)
{
    struct vmbus_tl_connect_result result = {
        .header.type = VMBUS_TL_CONNECT_RESULT,
        .endpoint_id = request->tl_connect.endpoint_id,
        .service_id = request->tl_connect.service_id,
        .status = VMBUS_STATUS_CONNECTION_REFUSED,
    };

    vmbus_post(vmbus, context, &result, sizeof(result));
}

/* What a guest may send, and the least that it has to consist of. */
static const struct {
    vmbus_request_handler *handle;
    uint32_t bytes_min;
} requests[] = {
    [VMBUS_REQUEST_OFFERS] = {vmbus_request_offers,
                              sizeof(struct vmbus_header)},
    [VMBUS_OPEN_CHANNEL] = {vmbus_open_channel,
                            sizeof(struct vmbus_open_channel)},
    [VMBUS_CLOSE_CHANNEL] = {vmbus_close_channel,
                             sizeof(struct vmbus_relid_message)},
    [VMBUS_GPADL_HEADER] = {vmbus_gpadl_header,
                            sizeof(struct vmbus_gpadl_header)},
    [VMBUS_GPADL_BODY] = {vmbus_gpadl_body, sizeof(struct vmbus_gpadl_body)},
    [VMBUS_GPADL_TEARDOWN] = {vmbus_gpadl_teardown,
                              sizeof(struct vmbus_gpadl_teardown)},
    [VMBUS_RELID_RELEASED] = {vmbus_relid_released,
                              sizeof(struct vmbus_relid_message)},
    [VMBUS_INITIATE_CONTACT] = {vmbus_initiate_contact,
                                sizeof(struct vmbus_initiate_contact)},
    [VMBUS_UNLOAD] = {vmbus_unload, sizeof(struct vmbus_header)},
    [VMBUS_TL_CONNECT_REQUEST] = {tl_connect_request,
                                  sizeof(struct vmbus_tl_connect_request)},
    [VMBUS_MODIFY_CHANNEL] = {vmbus_modify_channel,
                              sizeof(struct vmbus_modify_channel)},
};

#define REQUEST_COUNT (sizeof(requests) / sizeof(requests[0]))

/** Whether it may be asked now: at any time who one is, and all else on the
 *  connection that was agreed on. */
static bool is_allowed(const struct vmbus *vmbus,
                       const struct vmbus_request *request)
{
    return request->header.type == VMBUS_INITIATE_CONTACT ||
           (vmbus->version != 0 &&
            request->connection_id == vmbus_connection_of(vmbus->version));
}

void vmbus_message(struct vmbus *vmbus, struct hv_context *context,
                   uint32_t connection_id, const void *payload, uint32_t bytes)
{
    struct vmbus_request request = {.connection_id = connection_id,
                                    .bytes = bytes};

    cost_note(context->bill, COST_VMBUS_MESSAGE, 1);
    if (bytes < sizeof(request.header) || bytes > sizeof(request.payload))
        return;
    memcpy(request.payload, payload, bytes);
    uint32_t type = request.header.type;
    if (type < REQUEST_COUNT && requests[type].handle &&
        bytes >= requests[type].bytes_min && is_allowed(vmbus, &request))
        requests[type].handle(vmbus, context, &request);
}
