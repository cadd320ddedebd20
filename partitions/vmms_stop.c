/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * Turning a VM off: its VPs are suspended and deleted, the partition is
 * finalized, what was deposited comes back, and the partition is deleted. A
 * start that was turned back or failed has left less to do.
 */
#include "hypervisor/vp_registers.h"
#include "partitions/vm_private.h"

static enum vm_phase_result begin(struct vm *vm, struct hv_context *context)
{
    (void)vm;
    cost_note(context->bill, COST_VMMS_OPERATION, 1);
    return PHASE_NEXT;
}

static enum vm_phase_result check(struct vm *vm, struct hv_context *context,
                                  const char *what, enum hv_status status)
{
    if (status == HV_STATUS_SUCCESS)
        return PHASE_REPEAT;
    return vmms_fail(vm, context, "cannot %s: %s", what,
                     hv_status_name(status));
}

static enum vm_phase_result suspend_vps(struct vm *vm,
                                        struct hv_context *context)
{
    const struct winhv_register r = {HV_REGISTER_EXPLICIT_SUSPEND, {1, 0}};

    if (vm->progress == vm->vps_created)
        return PHASE_NEXT;
    return check(vm, context, "suspend a VP",
                 winhv_set_registers(&vm->vmms->winhv, context, vm->partition,
                                     (uint32_t)vm->progress++, &r, 1));
}

/* Before its memory goes. */
static enum vm_phase_result leave_bus(struct vm *vm, struct hv_context *context)
{
    return !vm->bus || vmbusr_stop(vm->bus, context) ? PHASE_NEXT
                                                     : PHASE_REPEAT;
}

/* The last one first, so that their number stays true. */
static enum vm_phase_result delete_vps(struct vm *vm,
                                       struct hv_context *context)
{
    if (vm->vps_created == 0)
        return PHASE_NEXT;

    enum hv_status status = winhv_delete_vp(&vm->vmms->winhv, context,
                                            vm->partition, vm->vps_created - 1);

    /* It leaves its LP at that LP's own time: until then it is in use. */
    if (status == HV_STATUS_INVALID_VP_STATE)
        return PHASE_REPEAT;
    vm->vps_created -= status == HV_STATUS_SUCCESS;
    return check(vm, context, "delete a VP", status);
}

/* A partition that has not been initialized keeps what was deposited for it:
 * only from a finalized one can that be withdrawn. Fails if it has nothing. */
static enum vm_phase_result complete(struct vm *vm, struct hv_context *context)
{
    if (vm->partition.v && !vm->initialized)
        vm->initialized =
            winhv_initialize_partition(&vm->vmms->winhv, context,
                                       vm->partition) == HV_STATUS_SUCCESS;
    return PHASE_NEXT;
}

static enum vm_phase_result finalize(struct vm *vm, struct hv_context *context)
{
    if (!vm->initialized)
        return PHASE_NEXT;

    enum hv_status status =
        winhv_finalize_partition(&vm->vmms->winhv, context, vm->partition);

    /* Repeated once, to find it done. */
    vm->initialized = status != HV_STATUS_SUCCESS;
    return check(vm, context, "finalize the partition", status);
}

static enum vm_phase_result withdraw(struct vm *vm, struct hv_context *context)
{
    spa_t pages[WINHV_LIST_MAX];
    uint32_t count = WINHV_LIST_MAX;
    enum hv_status status;

    if (!vm->partition.v)
        return PHASE_NEXT;
    status = winhv_withdraw_memory(&vm->vmms->winhv, context, vm->partition,
                                   pages, &count);
    for (uint32_t i = 0; i < count; i++)
        root_memory_give_page(vm->vmms->root->memory, pages[i]);
    if (status == HV_STATUS_SUCCESS && count == WINHV_LIST_MAX)
        return PHASE_REPEAT;
    return PHASE_NEXT;
}

static enum vm_phase_result delete_partition(struct vm *vm,
                                             struct hv_context *context)
{
    if (!vm->partition.v)
        return PHASE_NEXT;

    enum hv_status status =
        winhv_delete_partition(&vm->vmms->winhv, context, vm->partition);

    if (status == HV_STATUS_SUCCESS)
        vm->partition = (partition_id_t){0};
    return check(vm, context, "delete the partition", status);
}

static enum vm_phase_result give_memory(struct vm *vm,
                                        struct hv_context *context)
{
    (void)context;
    while (vm->blocks_taken > 0)
        root_memory_give_block(vm->vmms->root->memory,
                               vm->blocks[--vm->blocks_taken]);
    vm->blocks_remote = 0;
    pc_vid_set(&vm->memory, PC_VID_PAGES, 0);
    pc_vid_set(&vm->memory, PC_VID_REMOTE_PAGES, 0);
    return PHASE_NEXT;
}

/* The next start finds the devices as new. */
static enum vm_phase_result reset_worker(struct vm *vm,
                                         struct hv_context *context)
{
    (void)context;
    vmwp_reset(vm->vmwp, vm->config.vp_count);
    return PHASE_NEXT;
}

vm_phase_fn *const vmms_stop_phases[] = {
    begin,    suspend_vps,      leave_bus,   delete_vps,   complete, finalize,
    withdraw, delete_partition, give_memory, reset_worker, NULL,
};
