/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The scheduling controls of a partition (TLFS 2.0a, chapter 18). */
#include "hypervisor/admission.h"
#include "hypervisor/cpu_group.h"
#include "hypervisor/lp.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"

void partition_charge(struct hv_partition *partition)
{
    for (uint32_t i = 0; i < PARTITION_VP_COUNT_MAX; i++) {
        const struct hv_vp *vp = partition->vps[i];

        if (vp && vp->state == VP_RUNNING)
            lp_charge(vp->sched.lp);
    }
}

/* A policy that does not heed a control must not seem to. */
static bool heeds(const struct hv_partition *partition, unsigned flag)
{
    return (partition->hv->sched.ops->flags & flag) != 0;
}

enum hv_status partition_set_reserve(struct hv_context *context,
                                     struct hv_partition *partition,
                                     uint64_t value)
{
    if (value != 0 && !heeds(partition, SCHED_RESERVES))
        return HV_STATUS_OPERATION_DENIED;
    if (value > partition->sched.cap)
        return HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE;

    uint64_t before = partition->sched.reserve;
    struct lp_set lps = admission_lps(partition);

    partition->sched.reserve = value;
    if (!admission_fits(partition, &lps)) {
        partition->sched.reserve = before;
        return HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE;
    }
    partition_charge(partition);
    if (value != 0)
        sched_period_open_accounts(partition);
    sched_controls_changed(partition, context->now);
    return HV_STATUS_SUCCESS;
}

enum hv_status partition_set_cap(struct hv_context *context,
                                 struct hv_partition *partition, uint64_t value)
{
    if (value != PARTITION_CPU_SHARE_MAX && !heeds(partition, SCHED_LIMITS))
        return HV_STATUS_OPERATION_DENIED;
    if (value < partition->sched.reserve)
        return HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE;
    partition_charge(partition);
    if (value != PARTITION_CPU_SHARE_MAX)
        sched_period_open_accounts(partition);
    partition->sched.cap = value;
    sched_controls_changed(partition, context->now);
    return HV_STATUS_SUCCESS;
}

enum hv_status partition_set_weight(struct hv_context *context,
                                    struct hv_partition *partition,
                                    uint64_t value)
{
    if (value != PARTITION_CPU_WEIGHT_DEFAULT &&
        !heeds(partition, SCHED_WEIGHTS))
        return HV_STATUS_OPERATION_DENIED;
    partition_charge(partition);
    partition->sched.weight = (uint16_t)value;
    sched_controls_changed(partition, context->now);
    return HV_STATUS_SUCCESS;
}

enum hv_status partition_set_group(struct hv_context *context,
                                   struct hv_partition *partition,
                                   uint64_t value)
{
    struct cpu_group *group = cpu_group_find(context->hv, value);

    if (value != CPU_GROUP_NONE && !heeds(partition, SCHED_LIMITS))
        return HV_STATUS_OPERATION_DENIED;
    if (value != CPU_GROUP_NONE && !group)
        return HV_STATUS_INVALID_CPU_GROUP_ID;
    return cpu_group_join(context, partition, group);
}

bool partition_could_run(const struct hv_partition *partition,
                         const struct lp_set *affinity,
                         const struct lp_set *group_lps)
{
    struct lp_set both = lp_set_and(affinity, group_lps);

    if (lp_set_is_empty(&both))
        return false;
    for (uint32_t i = 0; i < PARTITION_VP_COUNT_MAX; i++) {
        const struct hv_vp *vp = partition->vps[i];

        if (vp && lp_set_first_in_both(&vp->sched.affinity, &both) < 0)
            return false;
    }
    return true;
}

enum hv_status partition_set_affinity(struct hv_context *context,
                                      struct hv_partition *partition,
                                      const struct lp_set *lps)
{
    struct lp_set all = lp_set_first_of(context->hv->lp_count);
    const struct cpu_group *group = partition->sched.group;

    if (!partition_could_run(partition, lps, group ? &group->lps : &all))
        return HV_STATUS_INVALID_PARAMETER;

    struct lp_set both = lp_set_and(lps, group ? &group->lps : &all);

    if (!admission_fits(partition, &both))
        return HV_STATUS_OPERATION_DENIED;
    partition->sched.affinity = lp_set_and(lps, &all);
    sched_controls_changed(partition, context->now);
    return HV_STATUS_SUCCESS;
}
