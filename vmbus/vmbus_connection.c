/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmbus/vmbus_private.h"

/* The connection of a guest to its bus: how it begins, and how it ends. */

static bool version_is_supported(uint32_t version)
{
    static const uint32_t supported[] = {
        VMBUS_VERSION_2_4, VMBUS_VERSION_3_0, VMBUS_VERSION_4_0,
        VMBUS_VERSION_4_1, VMBUS_VERSION_5_0, VMBUS_VERSION_5_1,
        VMBUS_VERSION_5_2, VMBUS_VERSION_5_3,
    };

    for (unsigned i = 0; i < sizeof(supported) / sizeof(supported[0]); i++) {
        if (supported[i] == version)
            return true;
    }
    return false;
}

/** Whether we speak that version, on the connection that it came by, and with
 *  the SINT and VTL that the guest wants its messages at. */
static bool contact_is_supported(const struct vmbus_request *request)
{
    const struct vmbus_initiate_contact *contact = &request->contact;

    if (!version_is_supported(contact->version) ||
        request->connection_id != vmbus_connection_of(contact->version))
        return false;
    if (contact->version >= VMBUS_VERSION_5_0 &&
        contact->target_sint != VMBUS_SINT)
        return false;
    return contact->version < VMBUS_VERSION_5_1 || contact->target_vtl == 0;
}

/** The guest's monitor pages are not used, but one alone makes no sense. */
static enum vmbus_connection_state
connect(struct vmbus *vmbus, const struct vmbus_initiate_contact *contact)
{
    if (!contact->monitor_pages[0] != !contact->monitor_pages[1])
        return VMBUS_CONNECTION_FAILED_UNKNOWN;
    vmbus->version = contact->version;
    return VMBUS_CONNECTION_SUCCESSFUL;
}

/**
 * A guest that begins anew has forgotten what was before: firmware hands over
 * to a system like this, and a system to its crash kernel. Every contact is
 * answered; Linux waits for it for ever.
 */
void vmbus_initiate_contact(struct vmbus *vmbus, struct hv_context *context,
                            const struct vmbus_request *request)
{
    const struct vmbus_initiate_contact *contact = &request->contact;
    struct vmbus_version_response response = {
        .header.type = VMBUS_VERSION_RESPONSE,
    };

    vmbus_disconnect(vmbus, context);
    vmbus->message_vp =
        contact->version >= VMBUS_VERSION_3_0 ? contact->target_vp : 0;
    if (contact_is_supported(request)) {
        response.supported = 1;
        response.connection_state = (uint8_t)connect(vmbus, contact);
        response.selected = contact->version >= VMBUS_VERSION_5_0
                                ? request->connection_id
                                : contact->version;
    }
    vmbus_post(vmbus, context, &response, sizeof(response));
}

void vmbus_unload(struct vmbus *vmbus, struct hv_context *context,
                  const struct vmbus_request *request)
{
    struct vmbus_header response = {.type = VMBUS_UNLOAD_RESPONSE};

    (void)request;
    vmbus_disconnect(vmbus, context);
    vmbus_post(vmbus, context, &response, sizeof(response));
}

void vmbus_disconnect(struct vmbus *vmbus, struct hv_context *context)
{
    vmbus->version = 0;
    vmbus->offers_requested = false;
    for (uint32_t relid = 1; relid < VMBUS_CHANNELS_MAX; relid++) {
        struct vmbus_channel *channel = vmbus->channels[relid];
        if (!channel)
            continue;
        if (channel->state == VMBUS_CHANNEL_RESCINDED)
            vmbus_remove(channel);
        else if (channel->primary)
            continue; /* goes when its primary closes, before or after this */
        else if (channel->state == VMBUS_CHANNEL_OPEN)
            vmbus_channel_close(channel, context, VMBUS_CHANNEL_LATENT);
        else if (channel->state != VMBUS_CHANNEL_LATENT)
            vmbus_channel_set_state(channel, context, VMBUS_CHANNEL_LATENT);
    }
    vmbus_gpadl_drop_all(vmbus->gpadls);
}
