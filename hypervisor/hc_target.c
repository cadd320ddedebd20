/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/hypercall_private.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"

static struct hv_partition *find(struct hv_context *context, uint64_t id)
{
    if (id == PARTITION_ID_SELF)
        return context->vp->partition;
    return hypervisor_find_partition(context->hv, (partition_id_t){id});
}

enum hv_status hc_target_child(struct hv_context *context, uint64_t id,
                               struct hv_partition **out)
{
    struct hv_partition *partition = find(context, id);

    if (!partition)
        return HV_STATUS_INVALID_PARTITION_ID;
    if (partition->parent != context->vp->partition)
        return HV_STATUS_ACCESS_DENIED;
    *out = partition;
    return HV_STATUS_SUCCESS;
}

enum hv_status hc_target_child_or_self(struct hv_context *context, uint64_t id,
                                       uint64_t privilege,
                                       struct hv_partition **out)
{
    struct hv_partition *partition = find(context, id);

    if (partition != context->vp->partition)
        return hc_target_child(context, id, out);
    if (!partition_has(partition, privilege))
        return HV_STATUS_ACCESS_DENIED;
    *out = partition;
    return HV_STATUS_SUCCESS;
}

enum hv_status hc_target_vp(struct hv_context *context, uint64_t id,
                            uint32_t index, bool self, uint64_t privilege,
                            struct hv_vp **out)
{
    struct hv_partition *partition;
    enum hv_status status =
        self ? hc_target_child_or_self(context, id, privilege, &partition)
             : hc_target_child(context, id, &partition);

    if (status != HV_STATUS_SUCCESS)
        return status;
    if (partition->state != PARTITION_ACTIVE)
        return HV_STATUS_INVALID_PARTITION_STATE;
    *out = vp_find(partition, (vp_index_t){index});
    return *out ? HV_STATUS_SUCCESS : HV_STATUS_INVALID_VP_INDEX;
}

enum hv_status hc_target_node(const struct hv_context *context,
                              struct hv_proximity proximity, uint32_t *node)
{
    *node = 0;
    if ((proximity.flags & ~(HV_PROXIMITY_PREFERRED | HV_PROXIMITY_VALID)) != 0)
        return HV_STATUS_INVALID_PARAMETER;
    if (!(proximity.flags & HV_PROXIMITY_VALID))
        return HV_STATUS_SUCCESS;
    if (proximity.node >= context->hv->node_count)
        return HV_STATUS_INVALID_PROXIMITY_DOMAIN_INFO;
    *node = proximity.node;
    return HV_STATUS_SUCCESS;
}

enum hv_status hc_target_vtl(uint8_t vtl)
{
    if ((vtl & ~(HV_INPUT_VTL_MASK | HV_INPUT_VTL_USE)) != 0)
        return HV_STATUS_INVALID_PARAMETER;
    return (vtl & HV_INPUT_VTL_MASK) == 0 ? HV_STATUS_SUCCESS
                                          : HV_STATUS_INVALID_VTL_STATE;
}
