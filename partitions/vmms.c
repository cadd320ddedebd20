/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "partitions/vmms.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hypervisor/partition.h"
#include "partitions/vm_private.h"
#include "sim/core/check.h"

static const char *const state_names[] = {
    [VM_OFF] = "off",         [VM_STARTING] = "starting",
    [VM_RUNNING] = "running", [VM_STOPPING] = "stopping",
    [VM_FAILED] = "failed",
};

const char *vmms_state_name(enum vm_state state)
{
    return state_names[state];
}

/* SynIC messages of children: to the worker process of the sender. */
static void vmms_on_message(void *context, struct hv_context *hv_context,
                            const uint8_t message[256])
{
    struct vmms *vmms = context;
    uint64_t sender;

    memcpy(&sender, message + 8, sizeof(sender));
    for (uint32_t i = 0; i < vmms->vm_count; i++) {
        struct vm *vm = vmms->vms[i];

        if (vm->vmwp && vm->partition.v == sender)
            vmwp_receive(vm->vmwp, hv_context, message);
    }
}

enum sim_status vmms_create(struct vmms **out, struct root *root,
                            const struct vmms_listener *listener,
                            struct sim_error *error)
{
    struct vmms *vmms = calloc(1, sizeof(*vmms));

    if (!vmms)
        return sim_fail(error, SIM_NO_MEMORY, "no memory for VMMS");
    vmms->root = root;
    vmms->listener = *listener;
    if (winhv_init(&vmms->winhv, root, error) != SIM_OK) {
        free(vmms);
        return error->status;
    }
    vmms->vmbusr = vmbusr_create(root, &vmms->winhv);
    if (!vmms->vmbusr) {
        free(vmms);
        return sim_fail(error, SIM_NO_MEMORY, "no memory for VMBus");
    }
    root_set_message_handler(root, vmms_on_message, vmms);
    *out = vmms;
    return SIM_OK;
}

static void vm_free(struct vm *vm)
{
    while (vm->orders)
        vmms_end_order(vm);
    vmbusr_remove(vm->bus);
    vmwp_free(vm->vmwp);
    free(vm->blocks);
    free(vm);
}

void vmms_free(struct vmms *vmms)
{
    if (!vmms)
        return;
    for (uint32_t i = 0; i < vmms->vm_count; i++)
        vm_free(vmms->vms[i]);
    free(vmms->vms);
    vmms_free_groups(vmms);
    vmms_free_vswitches(vmms);
    vmbusr_free(vmms->vmbusr);
    free(vmms);
}

/* What a guest's console says, passed on with the VM's number. */

static void vm_on_byte(void *context, uint8_t byte)
{
    struct vm *vm = context;

    vm->vmms->listener.on_console(vm->vmms->listener.context, vm->number, byte);
}

static void vm_on_result(void *context, const char *name, const char *value,
                         const char *unit)
{
    struct vm *vm = context;

    vm->vmms->listener.on_result(vm->vmms->listener.context, vm->number, name,
                                 value, unit);
}

static void vm_on_done(void *context)
{
    struct vm *vm = context;

    vm->vmms->listener.on_done(vm->vmms->listener.context, vm->number);
}

static void vm_fail(struct vm *vm, const char *why, const char *text)
{
    const struct vmms_listener *listener = &vm->vmms->listener;

    listener->on_fail(listener->context, vm->number, why, text);
}

static void vm_on_fail(void *context, const char *why)
{
    vm_fail(context, why, "");
}

static void vm_set_state(struct vm *vm, struct hv_context *context,
                         enum vm_state state)
{
    const struct vmms_listener *listener = &vm->vmms->listener;

    vm->state = state;
    vm->phase = 0;
    vm->progress = 0;
    listener->on_state(listener->context, vm->number, state, context->now);
}

/* The state that the VM is in when its thread has done all of `state`. */
static enum vm_state vm_next_state(const struct vm *vm)
{
    if (vm->state == VM_STARTING)
        return VM_RUNNING;
    if (vm->failed)
        return VM_FAILED;
    return vm->restart ? VM_STARTING : VM_OFF;
}

/* The phases of what there is to do; NULL: nothing. */
static vm_phase_fn *const *vm_phases(const struct vm *vm)
{
    switch (vm->state) {
    case VM_STARTING:
        return vmms_start_phases;
    case VM_STOPPING:
        return vmms_stop_phases;
    case VM_RUNNING:
        return vm->orders ? vmms_change_phases : NULL;
    case VM_OFF:
    case VM_FAILED:
        break;
    }
    return NULL;
}

/* All phases are done. */
static enum root_step vm_complete(struct vm *vm, struct hv_context *context)
{
    if (vm->state == VM_RUNNING) {
        vmms_end_order(vm);
        return ROOT_AGAIN;
    }
    vm_set_state(vm, context, vm_next_state(vm));
    vm->restart = false;
    return vm_phases(vm) ? ROOT_AGAIN : ROOT_DONE;
}

/* One step of starting, changing or turning off. */
static enum root_step vm_step(void *context, struct hv_context *hv_context)
{
    struct vm *vm = context;
    vm_phase_fn *const *phases = vm_phases(vm);

    if (vm->state == VM_RUNNING && vm->shutdown_wanted) {
        vm->shutdown_wanted = false;
        vmms_ask_shutdown(vm, hv_context);
        return ROOT_AGAIN;
    }
    /* Woken for what has been done since. */
    if (!phases)
        return ROOT_DONE;
    switch (phases[vm->phase](vm, hv_context)) {
    case PHASE_FAILED:
    case PHASE_REPEAT:
        return ROOT_AGAIN;
    case PHASE_WAIT:
        return ROOT_DONE;
    case PHASE_NEXT:
        break;
    }
    vm->phase++;
    vm->progress = 0;
    return phases[vm->phase] ? ROOT_AGAIN : vm_complete(vm, hv_context);
}

/* Gives the VM's thread something to do. */
static void vm_begin(struct vm *vm, cycles_t now, enum vm_state state)
{
    struct hv_context context = root_event_context(vm->vmms->root, now);

    vm_set_state(vm, &context, state);
    root_wake_thread(vm->vmms->root, &context, &vm->thread);
}

static void vm_stop(struct vm *vm, cycles_t now)
{
    vm->restart = false;
    if (vm->state == VM_RUNNING || vm->state == VM_STARTING)
        vm_begin(vm, now, VM_STOPPING);
}

/* The worker met something after which the VM cannot go on, or the guest has
 * asked for its end. Why is told before what else cannot be for that. */
static void vm_on_stopped(void *context, struct hv_context *hv_context,
                          enum vmwp_end end, const char *why)
{
    struct vm *vm = context;

    vm_stop(vm, hv_context->now);
    vm->restart = end == VMWP_RESET && vm->state == VM_STOPPING;
    if (end == VMWP_FAILED)
        vm_fail(vm, why, vm->vmwp->crash.text);
    vmms_fold_orders(vm);
}

static bool vm_prepare(struct vm *vm)
{
    struct console_listener listener = {
        .context = vm,
        .on_byte = vm_on_byte,
        .on_result = vm_on_result,
        .on_done = vm_on_done,
        .on_fail = vm_on_fail,
    };

    vm->block_count = (vm->config.memory_bytes + ROOT_MEMORY_BLOCK_BYTES - 1) /
                      ROOT_MEMORY_BLOCK_BYTES;
    vm->blocks = calloc(vm->block_count, sizeof(*vm->blocks));
    vm->vmwp =
        vmwp_create(vm->vmms->root, &vm->vmms->winhv, vm->config.vp_count,
                    vm->config.vp_count_max, &listener, vm_on_stopped, vm);
    if (vm->vmwp && vm->config.console_baud != 0)
        vmwp_set_baud(vm->vmwp, vm->config.console_baud);
    if (vm->config.vmbus)
        vm->bus = vmbusr_add(vm->vmms->vmbusr, vm->config.vp_count_max);
    return vm->blocks && vm->vmwp && (vm->bus || !vm->config.vmbus);
}

enum sim_status vmms_plan(struct vm *vm, struct sim_error *error)
{
    const struct vm_config *config = &vm->config;
    struct guest_machine machine = {.memory_bytes = config->memory_bytes,
                                    .vp_count = config->vp_count,
                                    .vp_count_max = config->vp_count_max,
                                    .node_count = config->node_count};

    vm->planned_vps = config->vp_count;
    return guest_loader_plan(&config->image, &machine, &vm->plan, error);
}

enum sim_status vmms_add(struct vmms *vmms, const struct vm_config *config,
                         uint32_t *vm_number, struct sim_error *error)
{
    struct vm **vms = reallocarray(vmms->vms, vmms->vm_count + 1, sizeof(*vms));
    struct vm *vm = calloc(1, sizeof(*vm));

    if (vms)
        vmms->vms = vms;
    if (!vms || !vm)
        goto no_memory;
    vm->vmms = vmms;
    vm->number = vmms->vm_count;
    vm->config = *config;
    if (vm->config.vp_count_max == 0)
        vm->config.vp_count_max = config->vp_count;
    vm->thread =
        (struct root_work){.name = "vmms", .step = vm_step, .context = vm};
    if (!vm_prepare(vm))
        goto no_memory;
    if (vm->bus && vmms_offer_devices(vm, error) != SIM_OK) {
        vm_free(vm);
        return sim_prefix(error, "VM \"%s\"", config->name);
    }

    if (vmms_plan(vm, error) != SIM_OK) {
        vm_free(vm);
        return sim_prefix(error, "VM \"%s\"", config->name);
    }
    vmms->vms[vmms->vm_count++] = vm;
    if (vmms->listener.on_memory)
        vmms->listener.on_memory(vmms->listener.context, vm->number,
                                 &vm->memory);
    *vm_number = vm->number;
    return SIM_OK;

no_memory:
    if (vm)
        vm_free(vm);
    return sim_fail(error, SIM_NO_MEMORY, "no memory for VM \"%s\"",
                    config->name);
}

static struct vm *vmms_vm(const struct vmms *vmms, uint32_t vm_number)
{
    CHECK(vm_number < vmms->vm_count);
    return vmms->vms[vm_number];
}

void vmms_start(struct vmms *vmms, uint32_t vm_number, cycles_t now)
{
    struct vm *vm = vmms_vm(vmms, vm_number);

    if (vm->state == VM_OFF)
        vm_begin(vm, now, VM_STARTING);
}

void vmms_turn_off(struct vmms *vmms, uint32_t vm_number, cycles_t now)
{
    struct vm *vm = vmms_vm(vmms, vm_number);

    vm_stop(vm, now);
    vmms_fold_orders(vm);
}

void vmms_report(struct vm *vm, const char *why)
{
    vm_fail(vm, why, "");
}

void vmms_shutdown(struct vmms *vmms, uint32_t vm_number, cycles_t now)
{
    struct vm *vm = vmms_vm(vmms, vm_number);
    struct hv_context context = root_event_context(vmms->root, now);

    if (vm->state != VM_RUNNING) {
        vmms_report(vm, "it cannot be asked to shut down: it does not run");
        return;
    }
    vm->shutdown_wanted = true;
    root_wake_thread(vmms->root, &context, &vm->thread);
}

bool vmms_type(struct vmms *vmms, uint32_t vm_number, const uint8_t *bytes,
               size_t count, cycles_t now)
{
    return vmwp_type(vmms_vm(vmms, vm_number)->vmwp, bytes, count, now);
}

size_t vmms_untyped(const struct vmms *vmms, uint32_t vm_number)
{
    return vmwp_untyped(vmms_vm(vmms, vm_number)->vmwp);
}

enum vm_state vmms_state(const struct vmms *vmms, uint32_t vm_number)
{
    return vmms_vm(vmms, vm_number)->state;
}

partition_id_t vmms_partition(const struct vmms *vmms, uint32_t vm_number)
{
    return vmms_vm(vmms, vm_number)->partition;
}

enum vm_phase_result vmms_fail(struct vm *vm, struct hv_context *context,
                               const char *format, ...)
{
    char text[256];
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    if (vm->state == VM_RUNNING) {
        vmms_give_up(vm, text);
        return PHASE_FAILED;
    }
    vm->failed = true;
    /* What cannot even be taken back stays as it is. */
    vm_set_state(vm, context,
                 vm->state == VM_STARTING ? VM_STOPPING : VM_FAILED);
    vm_fail(vm, text, "");
    vmms_fold_orders(vm);
    return PHASE_FAILED;
}

bool vmms_deposit(struct vm *vm, struct hv_context *context)
{
    struct vmms *vmms = vm->vmms;

    return winhv_deposit_some(
        &vmms->winhv, context,
        vm->partition.v ? vm->partition : vmms->root->hv->root->id, vm->node);
}
