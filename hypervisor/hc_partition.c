/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/hypercall_private.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"

enum hv_status hc_partition_create(struct hv_context *context,
                                   struct hc_call *call)
{
    const struct hv_input_create_partition *input = call->input;
    struct hv_output_partition_id *output = call->output;
    struct hv_partition *partition;
    uint32_t node;

    /* Every processor feature there is, is offered; there is nothing yet that
     * would hide one. The compatibility version selects among one. */
    if (input->padding != 0 || input->reserved != 0 ||
        input->disabled_processor_features[0] != 0 ||
        input->disabled_processor_features[1] != 0 ||
        input->disabled_xsave_features != 0)
        return HV_STATUS_INVALID_PARAMETER;

    enum hv_status status = hc_target_node(context, input->proximity, &node);

    if (status == HV_STATUS_SUCCESS)
        status = partition_create(context, context->vp->partition, input->flags,
                                  &partition);
    if (status == HV_STATUS_SUCCESS)
        output->partition_id = partition->id.v;
    return status;
}

/* Initialize, Finalize and Delete differ in what they do alone. */
static enum hv_status
with_child(struct hv_context *context, const struct hc_call *call,
           enum hv_status (*body)(struct hv_context *, struct hv_partition *))
{
    const struct hv_input_partition *input = call->input;
    struct hv_partition *partition;
    enum hv_status status =
        hc_target_child(context, input->partition_id, &partition);

    if (status != HV_STATUS_SUCCESS)
        return status;
    return body(context, partition);
}

enum hv_status hc_partition_initialize(struct hv_context *context,
                                       struct hc_call *call)
{
    return with_child(context, call, partition_initialize);
}

enum hv_status hc_partition_finalize(struct hv_context *context,
                                     struct hc_call *call)
{
    return with_child(context, call, partition_finalize);
}

enum hv_status hc_partition_delete(struct hv_context *context,
                                   struct hc_call *call)
{
    return with_child(context, call, partition_delete);
}

enum hv_status hc_partition_get_property(struct hv_context *context,
                                         struct hc_call *call)
{
    const struct hv_input_get_partition_property *input = call->input;
    struct hv_output_get_partition_property *output = call->output;
    struct hv_partition *partition;
    enum hv_status status =
        hc_target_child_or_self(context, input->partition_id, 0, &partition);

    if (status != HV_STATUS_SUCCESS)
        return status;
    if (input->padding != 0)
        return HV_STATUS_INVALID_PARAMETER;
    return partition_get_property(partition, input->code, &output->value);
}

enum hv_status hc_partition_set_property(struct hv_context *context,
                                         struct hc_call *call)
{
    const struct hv_input_set_partition_property *input = call->input;
    struct hv_partition *partition;
    enum hv_status status =
        hc_target_child(context, input->partition_id, &partition);

    if (status != HV_STATUS_SUCCESS)
        return status;
    if (input->padding != 0)
        return HV_STATUS_INVALID_PARAMETER;
    return partition_set_property(context, partition, input->code,
                                  input->value);
}

enum hv_status hc_partition_get_id(struct hv_context *context,
                                   struct hc_call *call)
{
    struct hv_output_partition_id *output = call->output;

    output->partition_id = context->vp->partition->id.v;
    return HV_STATUS_SUCCESS;
}

enum hv_status hc_partition_get_next_child(struct hv_context *context,
                                           struct hc_call *call)
{
    const struct hv_input_get_next_child *input = call->input;
    struct hv_output_partition_id *output = call->output;
    struct hypervisor *hv = context->hv;
    struct hv_partition *parent;
    bool passed = input->previous_id == 0;
    enum hv_status status =
        hc_target_child_or_self(context, input->parent_id, 0, &parent);

    if (status != HV_STATUS_SUCCESS)
        return status;
    for (uint32_t i = 0; i < hv->partition_count; i++) {
        const struct hv_partition *child = hv->partitions[i];

        if (child->parent != parent)
            continue;
        if (passed) {
            output->partition_id = child->id.v;
            return HV_STATUS_SUCCESS;
        }
        passed = child->id.v == input->previous_id;
    }
    return passed ? HV_STATUS_SUCCESS : HV_STATUS_INVALID_PARTITION_ID;
}

enum hv_status hc_partition_install_intercept(struct hv_context *context,
                                              struct hc_call *call)
{
    const struct hv_input_install_intercept *input = call->input;
    struct hv_partition *partition;
    enum hv_status status =
        hc_target_child(context, input->partition_id, &partition);

    if (status != HV_STATUS_SUCCESS)
        return status;
    return partition_install_intercept(partition, input->type, input->access,
                                       input->parameter);
}

/* None: no memory that is known to be zero, no hints to the hypervisor. */
enum hv_status hc_partition_query_capabilities(struct hv_context *context,
                                               struct hc_call *call)
{
    struct hv_output_capabilities *output = call->output;

    (void)context;
    output->capabilities = 0;
    return HV_STATUS_SUCCESS;
}
