/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * CPU groups: made by a thread of their own before the first VM that is in one
 * starts, and changed by it while the host runs. (On Windows that is the work
 * of the host compute service: "Virtual Machine Resource Controls".)
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "hypervisor/cpu_group.h"
#include "partitions/vm_private.h"
#include "sim/core/check.h"

bool vmms_has_groups(const struct vmms *vmms)
{
    return vmms->groups.made == vmms->groups.count;
}

static void refuse(struct vmms *vmms, const char *order, uint64_t id,
                   const char *what, enum hv_status status)
{
    const struct vmms_listener *listener = &vmms->listener;
    char text[512];

    snprintf(text, sizeof(text), "%s%scannot %s CPU group %" PRIu64 ": %s",
             order, *order ? ": " : "", what, id, hv_status_name(status));
    if (listener->on_group_fail)
        listener->on_group_fail(listener->context, text);
}

enum { STEP_CREATE, STEP_CAP, STEP_LPS, STEP_END };

/* One call of making or changing a group, if it has that to change. */
static enum hv_status group_call(struct vmms *vmms, struct hv_context *context,
                                 unsigned step, uint64_t id, uint64_t cap,
                                 const struct lp_set *lps)
{
    switch (step) {
    case STEP_CREATE:
        cost_note(context->bill, COST_VMMS_OPERATION, 1);
        return winhv_create_cpu_group(&vmms->winhv, context, id);
    case STEP_CAP:
        return cap == VM_KEEP
                   ? HV_STATUS_SUCCESS
                   : winhv_set_cpu_group_cap(&vmms->winhv, context, id, cap);
    default:
        return lp_set_is_empty(lps)
                   ? HV_STATUS_SUCCESS
                   : winhv_set_cpu_group_lps(&vmms->winhv, context, id, lps);
    }
}

static const char *const step_names[] = {
    [STEP_CREATE] = "make",
    [STEP_CAP] = "set the cap of",
    [STEP_LPS] = "set the LPs of",
};

/* The VMs that have waited for their groups go on. */
static void wake_starters(struct vmms *vmms, struct hv_context *context)
{
    for (uint32_t i = 0; i < vmms->vm_count; i++) {
        if (vmms->vms[i]->state == VM_STARTING)
            root_wake_thread(vmms->root, context, &vmms->vms[i]->thread);
    }
}

static enum root_step make_next(struct vmms *vmms, struct hv_context *context)
{
    struct vmms_groups *groups = &vmms->groups;
    const struct vmms_group *group = &groups->list[groups->made];
    uint64_t id = groups->made + 1;
    uint64_t cap = group->cap == CPU_GROUP_CAP_MAX ? VM_KEEP : group->cap;
    enum hv_status status =
        group_call(vmms, context, groups->step, id, cap, &group->lps);

    if (status != HV_STATUS_SUCCESS)
        refuse(vmms, "", id, step_names[groups->step], status);
    groups->step++;
    if (groups->step < STEP_END && status == HV_STATUS_SUCCESS)
        return ROOT_AGAIN;
    groups->step = STEP_CREATE;
    groups->made++;
    if (vmms_has_groups(vmms))
        wake_starters(vmms, context);
    return ROOT_AGAIN;
}

static void end_order(struct vmms_groups *groups)
{
    struct vmms_group_order *order = groups->orders;

    groups->orders = order->next;
    groups->step = STEP_CREATE;
    free(order);
}

static enum root_step change_next(struct vmms *vmms, struct hv_context *context)
{
    struct vmms_groups *groups = &vmms->groups;
    const struct vmms_group_order *order = groups->orders;
    enum hv_status status = HV_STATUS_SUCCESS;

    if (groups->step == STEP_CREATE)
        cost_note(context->bill, COST_VMMS_OPERATION, 1);
    else
        status = group_call(vmms, context, groups->step, order->id, order->cap,
                            &order->lps);
    if (status != HV_STATUS_SUCCESS)
        refuse(vmms, order->order, order->id, step_names[groups->step], status);
    groups->step++;
    if (groups->step == STEP_END || status != HV_STATUS_SUCCESS)
        end_order(groups);
    return ROOT_AGAIN;
}

static enum root_step step(void *context, struct hv_context *hv_context)
{
    struct vmms *vmms = context;

    if (!vmms_has_groups(vmms))
        return make_next(vmms, hv_context);
    return vmms->groups.orders ? change_next(vmms, hv_context) : ROOT_DONE;
}

static void wake(struct vmms *vmms, cycles_t now)
{
    struct hv_context context = root_event_context(vmms->root, now);

    root_wake_thread(vmms->root, &context, &vmms->groups.thread);
}

bool vmms_add_group(struct vmms *vmms, const struct vmms_group *group,
                    uint64_t *id)
{
    struct vmms_groups *groups = &vmms->groups;
    struct vmms_group *list =
        reallocarray(groups->list, groups->count + 1, sizeof(*list));

    if (!list)
        return false;
    groups->list = list;
    groups->thread = (struct root_work){
        .name = "vmms-groups", .step = step, .context = vmms};
    list[groups->count++] = *group;
    *id = groups->count;
    return true;
}

void vmms_make_groups(struct vmms *vmms, cycles_t now)
{
    if (!vmms_has_groups(vmms))
        wake(vmms, now);
}

bool vmms_change_group(struct vmms *vmms, uint64_t id, uint64_t cap,
                       const struct lp_set *lps, const char *order,
                       cycles_t now)
{
    struct vmms_group_order **end = &vmms->groups.orders;
    struct vmms_group_order *added = calloc(1, sizeof(*added));

    CHECK(id >= 1 && id <= vmms->groups.count);
    if (!added)
        return false;
    *added = (struct vmms_group_order){
        .id = id, .cap = cap, .lps = *lps, .order = order};
    while (*end)
        end = &(*end)->next;
    *end = added;
    wake(vmms, now);
    return true;
}

void vmms_free_groups(struct vmms *vmms)
{
    while (vmms->groups.orders)
        end_order(&vmms->groups);
    free(vmms->groups.list);
}

const char *vmms_group_change_to_come(const struct vmms *vmms)
{
    return vmms->groups.orders ? vmms->groups.orders->order : NULL;
}
