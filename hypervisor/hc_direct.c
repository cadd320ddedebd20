/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/cpu_group.h"
#include "hypervisor/hypercall_private.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "sim/core/check.h"

typedef enum hv_status direct_handler(struct hv_context *context,
                                      const struct hypercall_direct *direct);

static enum hv_status create_group(struct hv_context *context,
                                   const struct hypercall_direct *direct)
{
    return cpu_group_create(context->hv, direct->id);
}

static enum hv_status delete_group(struct hv_context *context,
                                   const struct hypercall_direct *direct)
{
    return cpu_group_delete(context->hv, direct->id);
}

static enum hv_status set_group_cap(struct hv_context *context,
                                    const struct hypercall_direct *direct)
{
    struct cpu_group *group = cpu_group_find(context->hv, direct->id);

    return group ? cpu_group_set_cap(context, group, direct->cap)
                 : HV_STATUS_INVALID_CPU_GROUP_ID;
}

static enum hv_status set_group_lps(struct hv_context *context,
                                    const struct hypercall_direct *direct)
{
    struct cpu_group *group = cpu_group_find(context->hv, direct->id);

    return group ? cpu_group_set_lps(context, group, &direct->lps)
                 : HV_STATUS_INVALID_CPU_GROUP_ID;
}

static enum hv_status set_affinity(struct hv_context *context,
                                   const struct hypercall_direct *direct)
{
    struct hv_partition *partition;
    enum hv_status status = hc_target_child(context, direct->id, &partition);

    if (status != HV_STATUS_SUCCESS)
        return status;
    if (partition->state != PARTITION_ACTIVE)
        return HV_STATUS_INVALID_PARTITION_STATE;
    return partition_set_affinity(context, partition, &direct->lps);
}

static const struct {
    direct_handler *handler;
    uint64_t privilege; /* 0: the handler says who may */
    enum pc_vp_cell counter;
} calls[HYPERCALL_DIRECT_COUNT] = {
    [HYPERCALL_CREATE_CPU_GROUP] = {create_group, PRIVILEGE_CPU_MANAGEMENT,
                                    PC_VP_CPU_GROUP_HYPERCALLS},
    [HYPERCALL_DELETE_CPU_GROUP] = {delete_group, PRIVILEGE_CPU_MANAGEMENT,
                                    PC_VP_CPU_GROUP_HYPERCALLS},
    [HYPERCALL_SET_CPU_GROUP_CAP] = {set_group_cap, PRIVILEGE_CPU_MANAGEMENT,
                                     PC_VP_CPU_GROUP_HYPERCALLS},
    [HYPERCALL_SET_CPU_GROUP_LPS] = {set_group_lps, PRIVILEGE_CPU_MANAGEMENT,
                                     PC_VP_CPU_GROUP_HYPERCALLS},
    [HYPERCALL_SET_AFFINITY] = {set_affinity, 0,
                                PC_VP_VIRTUAL_PROCESSOR_HYPERCALLS},
};

enum hv_status hc_direct(struct hv_context *context,
                         const struct hypercall_direct *direct,
                         enum pc_vp_cell *counter)
{
    CHECK(direct->code < HYPERCALL_DIRECT_COUNT);
    *counter = calls[direct->code].counter;
    if (!partition_has(context->vp->partition, calls[direct->code].privilege))
        return HV_STATUS_ACCESS_DENIED;
    return calls[direct->code].handler(context, direct);
}
