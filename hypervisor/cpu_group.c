/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/cpu_group.h"

#include <stdlib.h>

#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "sim/core/check.h"

struct cpu_group *cpu_group_find(struct hypervisor *hv, uint64_t id)
{
    struct cpu_group *group = hv->groups;

    while (group && group->id != id)
        group = group->next;
    return group;
}

enum hv_status cpu_group_create(struct hypervisor *hv, uint64_t id)
{
    if (id == CPU_GROUP_NONE || cpu_group_find(hv, id))
        return HV_STATUS_INVALID_CPU_GROUP_ID;

    struct cpu_group *group = calloc(1, sizeof(*group));

    if (!group)
        return HV_STATUS_NO_RESOURCES;
    group->id = id;
    group->cap = CPU_GROUP_CAP_MAX;
    group->lps = lp_set_first_of(hv->lp_count);
    group->next = hv->groups;
    hv->groups = group;
    return HV_STATUS_SUCCESS;
}

enum hv_status cpu_group_delete(struct hypervisor *hv, uint64_t id)
{
    struct cpu_group **link = &hv->groups;

    while (*link && (*link)->id != id)
        link = &(*link)->next;
    if (!*link)
        return HV_STATUS_INVALID_CPU_GROUP_ID;
    if ((*link)->members != 0)
        return HV_STATUS_INVALID_CPU_GROUP_STATE;

    struct cpu_group *group = *link;

    *link = group->next;
    free(group);
    return HV_STATUS_SUCCESS;
}

/* Tells the schedulers of every member. */
static void members_changed(const struct hv_context *context,
                            const struct cpu_group *group)
{
    struct hypervisor *hv = context->hv;

    for (uint32_t i = 0; i < hv->partition_count; i++) {
        if (hv->partitions[i]->sched.group == group)
            sched_controls_changed(hv->partitions[i], context->now);
    }
}

enum hv_status cpu_group_set_cap(struct hv_context *context,
                                 struct cpu_group *group, uint64_t cap)
{
    if (cap > CPU_GROUP_CAP_MAX)
        return HV_STATUS_INVALID_PARAMETER;
    group->cap = cap;
    group->account = (struct sched_account){0};
    members_changed(context, group);
    return HV_STATUS_SUCCESS;
}

enum hv_status cpu_group_set_lps(struct hv_context *context,
                                 struct cpu_group *group,
                                 const struct lp_set *lps)
{
    struct hypervisor *hv = context->hv;
    struct lp_set all = lp_set_first_of(hv->lp_count);
    struct lp_set present = lp_set_and(lps, &all);

    if (lp_set_is_empty(&present))
        return HV_STATUS_INVALID_PARAMETER;
    for (uint32_t i = 0; i < hv->partition_count; i++) {
        struct hv_partition *member = hv->partitions[i];

        if (member->sched.group == group &&
            !partition_could_run(member, &member->sched.affinity, &present))
            return HV_STATUS_INVALID_PARAMETER;
    }
    group->lps = present;
    members_changed(context, group);
    return HV_STATUS_SUCCESS;
}

static void count_running(struct hv_partition *partition,
                          struct cpu_group *group)
{
    for (uint32_t i = 0; i < PARTITION_VP_COUNT_MAX; i++) {
        const struct hv_vp *vp = partition->vps[i];

        if (vp && vp->state == VP_RUNNING)
            group->running++;
    }
}

void cpu_group_leave(struct hv_partition *partition)
{
    struct cpu_group *group = partition->sched.group;
    struct cpu_group count = {0};

    if (!group)
        return;
    count_running(partition, &count);
    CHECK(group->running >= count.running);
    group->running -= count.running;
    group->members--;
    partition->sched.group = NULL;
}

enum hv_status cpu_group_join(struct hv_context *context,
                              struct hv_partition *partition,
                              struct cpu_group *group)
{
    if (group && !partition_could_run(partition, &partition->sched.affinity,
                                      &group->lps))
        return HV_STATUS_INVALID_PARAMETER;
    cpu_group_leave(partition);
    if (group) {
        partition->sched.group = group;
        group->members++;
        count_running(partition, group);
    }
    sched_controls_changed(partition, context->now);
    return HV_STATUS_SUCCESS;
}

void cpu_group_free_all(struct hypervisor *hv)
{
    while (hv->groups) {
        struct cpu_group *group = hv->groups;

        hv->groups = group->next;
        free(group);
    }
}
