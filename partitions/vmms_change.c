/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * Changing a VM that runs, order by order: its controls, each by a hypercall of
 * its own, and VPs that are added. Of an order that cannot be carried out, what
 * comes before the refused call has been done, and nothing after it.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "hypervisor/cpu_group.h"
#include "hypervisor/partition.h"
#include "partitions/vm_private.h"
#include "sim/core/check.h"

/* One call. */
struct setting {
    const char *what;
    uint32_t property;        /* 0: the affinity, */
    const struct lp_set *lps; /* which becomes this; NULL: all */
    uint64_t value;
};

#define SETTINGS_MAX 7

static void add_property(struct setting *settings, size_t *count,
                         const char *what, uint32_t property, uint64_t value)
{
    if (value != VM_KEEP)
        settings[(*count)++] = (struct setting){
            .what = what, .property = property, .value = value};
}

/*
 * The calls of a change, in an order in which none is refused for what another
 * one is about to change: a reserve never exceeds the cap in between, and a VM
 * that moves to another group leaves its own first (nothing else is allowed),
 * and may run anywhere until it has its new affinity.
 */
static size_t list_settings(const struct vm *vm, const struct vm_change *change,
                            struct setting settings[static SETTINGS_MAX])
{
    bool cap_first = change->cap >= vm->config.reserve;
    bool has_affinity = !lp_set_is_empty(&change->affinity);
    size_t count = 0;

    if (cap_first)
        add_property(settings, &count, "limit", PARTITION_PROPERTY_CPU_CAP,
                     change->cap);
    add_property(settings, &count, "reserve", PARTITION_PROPERTY_CPU_RESERVE,
                 change->reserve);
    if (!cap_first)
        add_property(settings, &count, "limit", PARTITION_PROPERTY_CPU_CAP,
                     change->cap);
    add_property(settings, &count, "weight", PARTITION_PROPERTY_CPU_WEIGHT,
                 change->weight);
    if (has_affinity && change->group != VM_KEEP)
        settings[count++] = (struct setting){.what = "affinity"};
    if (change->group != VM_KEEP && change->group != vm->config.group)
        add_property(settings, &count, "CPU group",
                     PARTITION_PROPERTY_CPU_GROUP_ID, CPU_GROUP_NONE);
    add_property(settings, &count, "CPU group", PARTITION_PROPERTY_CPU_GROUP_ID,
                 change->group);
    if (has_affinity)
        settings[count++] =
            (struct setting){.what = "affinity", .lps = &change->affinity};
    return count;
}

static enum hv_status make_setting(struct vm *vm, struct hv_context *context,
                                   const struct setting *setting)
{
    struct lp_set all = lp_set_first_of(context->hv->lp_count);

    if (setting->property != 0)
        return winhv_set_property(&vm->vmms->winhv, context, vm->partition,
                                  setting->property, setting->value);
    return winhv_set_affinity(&vm->vmms->winhv, context, vm->partition,
                              setting->lps ? setting->lps : &all);
}

static void keep_setting(uint64_t *field, uint64_t value)
{
    if (value != VM_KEEP)
        *field = value;
}

/* What the VM will be started with again. */
static void keep_controls(struct vm *vm, const struct vm_change *change)
{
    keep_setting(&vm->config.weight, change->weight);
    keep_setting(&vm->config.reserve, change->reserve);
    keep_setting(&vm->config.cap, change->cap);
    keep_setting(&vm->config.group, change->group);
    if (!lp_set_is_empty(&change->affinity))
        vm->config.affinity = change->affinity;
}

static enum vm_phase_result begin(struct vm *vm, struct hv_context *context)
{
    (void)vm;
    cost_note(context->bill, COST_VMMS_OPERATION, 1);
    return PHASE_NEXT;
}

static enum vm_phase_result set_controls(struct vm *vm,
                                         struct hv_context *context)
{
    const struct vm_change *change = &vm->orders->change;
    struct setting settings[SETTINGS_MAX];
    size_t count = list_settings(vm, change, settings);
    const struct setting *setting = &settings[vm->progress];
    enum hv_status status;

    if (vm->progress == count) {
        keep_controls(vm, change);
        return PHASE_NEXT;
    }
    status = make_setting(vm, context, setting);
    if (setting->property == PARTITION_PROPERTY_CPU_RESERVE &&
        status == HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE)
        return vmms_refuse_reserve(vm, context, setting->value);
    if (status != HV_STATUS_SUCCESS)
        return vmms_fail(vm, context, "cannot set its %s: %s", setting->what,
                         hv_status_name(status));
    vm->progress++;
    return PHASE_REPEAT;
}

/* From now on the VM is one of more VPs, to be made by the phases below, or by
 * its next start if it stops before. */
static enum vm_phase_result count_vps(struct vm *vm, struct hv_context *context)
{
    uint32_t more = vm->orders->change.add_vps;

    if (more > vm->config.vp_count_max - vm->config.vp_count)
        return vmms_fail(vm, context,
                         "cannot add %" PRIu32 " VPs to %" PRIu32
                         ": it was made for at most %" PRIu32,
                         more, vm->config.vp_count, vm->config.vp_count_max);
    vm->config.vp_count += more;
    vm->orders->change.add_vps = 0;
    return PHASE_NEXT;
}

/* The guest learns of them, and may start them from then on. */
static enum vm_phase_result tell_guest(struct vm *vm,
                                       struct hv_context *context)
{
    if (vm->vps_told == vm->config.vp_count)
        return PHASE_NEXT;
    vmwp_add_vp(vm->vmwp, context, vm->vps_told++);
    return PHASE_REPEAT;
}

static enum vm_phase_result provide(struct vm *vm, struct hv_context *context)
{
    return vm->vps_told < vm->config.vp_count ? vmms_provide(vm, context)
                                              : PHASE_NEXT;
}

vm_phase_fn *const vmms_change_phases[] = {
    begin,   set_controls,    count_vps,  vmms_create_vps,
    provide, vmms_resume_vps, tell_guest, NULL,
};

void vmms_end_order(struct vm *vm)
{
    struct vm_order *order = vm->orders;

    vm->orders = order->next;
    vm->phase = 0;
    vm->progress = 0;
    free(order);
}

void vmms_give_up(struct vm *vm, const char *why)
{
    const char *order = vm->orders->change.order;
    char text[512];

    /* VPs that could not be made are none. */
    vm->config.vp_count = vm->vps_created;
    vmms_end_order(vm);
    snprintf(text, sizeof(text), "%s: %s", order, why);
    vmms_report(vm, text);
}

/* Its controls are those of its next start; VPs cannot be added. */
static void change_stopped(struct vm *vm, const struct vm_change *change)
{
    char text[512];

    keep_controls(vm, change);
    if (change->add_vps == 0)
        return;
    snprintf(text, sizeof(text), "%s: cannot add VPs: it does not run",
             change->order);
    vmms_report(vm, text);
}

void vmms_fold_orders(struct vm *vm)
{
    while (vm->orders) {
        change_stopped(vm, &vm->orders->change);
        vmms_end_order(vm);
    }
}

static bool append_order(struct vm *vm, const struct vm_change *change)
{
    struct vm_order **end = &vm->orders;
    struct vm_order *order = calloc(1, sizeof(*order));

    if (!order)
        return false;
    order->change = *change;
    while (*end)
        end = &(*end)->next;
    *end = order;
    return true;
}

bool vmms_change(struct vmms *vmms, uint32_t vm_number,
                 const struct vm_change *change, cycles_t now)
{
    struct hv_context context = root_event_context(vmms->root, now);
    struct vm *vm;

    CHECK(vm_number < vmms->vm_count);
    vm = vmms->vms[vm_number];
    if (vm->state == VM_RUNNING || vm->state == VM_STARTING) {
        if (!append_order(vm, change))
            return false;
        root_wake_thread(vmms->root, &context, &vm->thread);
        return true;
    }
    change_stopped(vm, change);
    return true;
}

const char *vmms_change_to_come(const struct vmms *vmms, uint32_t vm_number)
{
    CHECK(vm_number < vmms->vm_count);
    return vmms->vms[vm_number]->orders
               ? vmms->vms[vm_number]->orders->change.order
               : NULL;
}
