/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/cpu_group.h"

#include <stdlib.h>

#include "hypervisor/admission.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"

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
    if ((*link)->first)
        return HV_STATUS_INVALID_CPU_GROUP_STATE;

    struct cpu_group *group = *link;

    *link = group->next;
    free(group);
    return HV_STATUS_SUCCESS;
}

static void members_changed(const struct hv_context *context,
                            const struct cpu_group *group)
{
    for (struct hv_partition *member = group->first; member;
         member = member->sched.group_next)
        sched_controls_changed(member, context->now);
}

enum hv_status cpu_group_set_cap(struct hv_context *context,
                                 struct cpu_group *group, uint64_t cap)
{
    if (cap > CPU_GROUP_CAP_MAX)
        return HV_STATUS_INVALID_PARAMETER;
    for (struct hv_partition *member = group->first; member;
         member = member->sched.group_next)
        partition_charge(member);
    group->cap = cap;
    members_changed(context, group);
    return HV_STATUS_SUCCESS;
}

/* True if what has been promised to members can be kept. */
static bool members_fit(const struct cpu_group *group)
{
    for (const struct hv_partition *member = group->first; member;
         member = member->sched.group_next) {
        struct lp_set lps = admission_lps(member);

        if (!admission_fits(member, &lps))
            return false;
    }
    return true;
}

enum hv_status cpu_group_set_lps(struct hv_context *context,
                                 struct cpu_group *group,
                                 const struct lp_set *lps)
{
    struct lp_set all = lp_set_first_of(context->hv->lp_count);
    struct lp_set present = lp_set_and(lps, &all);

    if (lp_set_is_empty(&present))
        return HV_STATUS_INVALID_PARAMETER;
    for (const struct hv_partition *member = group->first; member;
         member = member->sched.group_next) {
        if (!partition_could_run(member, &member->sched.affinity, &present))
            return HV_STATUS_INVALID_PARAMETER;
    }

    struct lp_set before = group->lps;

    group->lps = present;
    if (!members_fit(group)) {
        group->lps = before;
        return HV_STATUS_OPERATION_DENIED;
    }
    members_changed(context, group);
    return HV_STATUS_SUCCESS;
}

static uint32_t parked_vps(const struct hv_partition *partition)
{
    uint32_t count = 0;

    for (uint32_t i = 0; i < PARTITION_VP_COUNT_MAX; i++)
        count += partition->vps[i] && partition->vps[i]->sched.parked;
    return count;
}

void cpu_group_leave(struct hv_partition *partition)
{
    struct partition_sched *sched = &partition->sched;
    struct cpu_group *group = sched->group;

    if (!group)
        return;

    struct hv_partition **link = &group->first;

    while (*link != partition)
        link = &(*link)->sched.group_next;
    *link = sched->group_next;
    group->parked -= parked_vps(partition);
    sched->group = NULL;
}

static void enter(struct hv_partition *partition, struct cpu_group *group)
{
    struct partition_sched *sched = &partition->sched;
    struct hv_partition **link = &group->first;

    while (*link)
        link = &(*link)->sched.group_next;
    *link = partition;
    sched->group_next = NULL;
    sched->group_account = (struct sched_account){0};
    group->parked += parked_vps(partition);
    sched->group = group;
}

/* What a running VP has taken of the cap of the group that it leaves. */
static void give_back(const struct hv_context *context,
                      struct hv_partition *partition)
{
    partition_charge(partition);
    for (uint32_t i = 0; i < PARTITION_VP_COUNT_MAX; i++) {
        struct hv_vp *vp = partition->vps[i];

        if (vp && vp->state == VP_RUNNING)
            sched_stop(&context->hv->sched, vp, context->now);
    }
}

enum hv_status cpu_group_join(struct hv_context *context,
                              struct hv_partition *partition,
                              struct cpu_group *group)
{
    if (group == partition->sched.group)
        return HV_STATUS_SUCCESS;
    if (group && partition->sched.group)
        return HV_STATUS_INVALID_CPU_GROUP_STATE;
    if (group && !partition_could_run(partition, &partition->sched.affinity,
                                      &group->lps))
        return HV_STATUS_INVALID_PARAMETER;

    struct lp_set all = lp_set_first_of(context->hv->lp_count);
    struct lp_set lps =
        lp_set_and(&partition->sched.affinity, group ? &group->lps : &all);

    if (!admission_fits(partition, &lps))
        return HV_STATUS_OPERATION_DENIED;
    give_back(context, partition);
    cpu_group_leave(partition);
    if (group)
        enter(partition, group);
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
