/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/hypercall_private.h"
#include "hypervisor/partition.h"
#include "hypervisor/port.h"
#include "hypervisor/synic.h"
#include "hypervisor/vp.h"

static enum hv_status own_or_childs(struct hv_context *context, uint64_t id,
                                    uint64_t privilege,
                                    struct hv_partition **out)
{
    enum hv_status status =
        hc_target_child_or_self(context, id, privilege, out);

    if (status == HV_STATUS_SUCCESS && (*out)->state != PARTITION_ACTIVE)
        return HV_STATUS_INVALID_PARTITION_STATE;
    return status;
}

static partition_id_t named(const struct hv_context *context, uint64_t id)
{
    return id == PARTITION_ID_SELF ? context->vp->partition->id
                                   : (partition_id_t){id};
}

/* The proximity of today's form is a hint for a place that we do not choose. */
enum hv_status hc_port_create(struct hv_context *context, struct hc_call *call)
{
    const struct hv_input_create_port_legacy *input = call->input;
    struct hv_partition *partition;
    enum hv_status status = own_or_childs(context, input->port_partition,
                                          PRIVILEGE_CREATE_PORT, &partition);

    if (status != HV_STATUS_SUCCESS)
        return status;
    status = hc_target_vtl(input->vtl);
    if (status != HV_STATUS_SUCCESS)
        return status;
    if (input->reserved != 0)
        return HV_STATUS_INVALID_PARAMETER;
    return port_create(partition, input->port_id,
                       named(context, input->connection_partition),
                       &input->info);
}

enum hv_status hc_port_delete(struct hv_context *context, struct hc_call *call)
{
    const struct hv_input_port *input = call->input;
    struct hv_partition *partition;
    enum hv_status status = own_or_childs(context, input->partition_id,
                                          PRIVILEGE_CREATE_PORT, &partition);

    if (status != HV_STATUS_SUCCESS)
        return status;
    return port_delete(partition, input->id);
}

/* Both forms are the same as far as the legacy one goes. */
static enum hv_status
connect_port(struct hv_context *context,
             const struct hv_input_connect_port_legacy *in,
             const struct hv_connection_place *place)
{
    struct hv_partition *sender;
    struct hv_partition *receiver;
    enum hv_status status = own_or_childs(context, in->connection_partition,
                                          PRIVILEGE_CONNECT_PORT, &sender);

    if (status != HV_STATUS_SUCCESS)
        return status;
    status = hc_target_vtl(in->vtl);
    if (status != HV_STATUS_SUCCESS)
        return status;
    if (in->reserved[0] != 0 || in->reserved[1] != 0 || in->reserved[2] != 0 ||
        in->reserved2 != 0 || in->padding != 0)
        return HV_STATUS_INVALID_PARAMETER;
    receiver = hypervisor_find_partition(context->hv,
                                         named(context, in->port_partition));
    if (!receiver)
        return HV_STATUS_INVALID_PARTITION_ID;
    return port_connect(context, sender, in->connection_id, receiver,
                        in->port_id, in->type, place);
}

/* It has no place for where a monitor or a doorbell is. */
enum hv_status hc_port_connect_legacy(struct hv_context *context,
                                      struct hc_call *call)
{
    const struct hv_input_connect_port_legacy *input = call->input;
    const struct hv_connection_place none = {0};

    if (input->type == HV_PORT_MONITOR || input->type == HV_PORT_DOORBELL)
        return HV_STATUS_INVALID_PARAMETER;
    return connect_port(context, input, &none);
}

enum hv_status hc_port_connect(struct hv_context *context, struct hc_call *call)
{
    const struct hv_input_connect_port *input = call->input;

    return connect_port(context, &input->base, &input->place);
}

enum hv_status hc_port_disconnect(struct hv_context *context,
                                  struct hc_call *call)
{
    const struct hv_input_port *input = call->input;
    struct hv_partition *partition;
    enum hv_status status = own_or_childs(context, input->partition_id,
                                          PRIVILEGE_CONNECT_PORT, &partition);

    if (status != HV_STATUS_SUCCESS)
        return status;
    return port_disconnect(partition, input->id);
}

/* Type 0 would be an empty slot; those with bit 31 are the hypervisor's. */
enum hv_status hc_port_post_message(struct hv_context *context,
                                    struct hc_call *call)
{
    const struct hv_input_post_message *input = call->input;

    if (input->reserved != 0 || input->type == 0 ||
        (input->type & HV_MESSAGE_TYPE_HYPERVISOR) != 0 ||
        input->payload_bytes > SYNIC_PAYLOAD_BYTES_MAX)
        return HV_STATUS_INVALID_PARAMETER;
    return port_post(context, input->connection_id, input->type, input->payload,
                     input->payload_bytes);
}

enum hv_status hc_port_signal_event(struct hv_context *context,
                                    struct hc_call *call)
{
    const struct hv_input_signal_event *input = call->input;

    if (input->reserved != 0)
        return HV_STATUS_INVALID_PARAMETER;
    return port_signal(context, input->connection_id, input->flag);
}

enum hv_status hc_port_notify_ring_empty(struct hv_context *context,
                                         struct hc_call *call)
{
    const struct hv_input_notify_ring_empty *input = call->input;

    if (input->sint >= SYNIC_SINT_COUNT || input->reserved != 0)
        return HV_STATUS_INVALID_PARAMETER;
    port_doorbell_retry(context, input->sint);
    return HV_STATUS_SUCCESS;
}
