/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a VM finds on its VMBus. */
#include <stdlib.h>
#include <string.h>

#include "hypervisor/partition.h"
#include "hypervisor/reftime.h"
#include "partitions/vdev_rtc.h"
#include "partitions/vm_private.h"
#include "vmbus/netvsp.h"
#include "vmbus/storvsp.h"

/** Hyper-V gives a SCSI controller a channel for each 16 VPs. */
#define VPS_PER_STORAGE_CHANNEL 16
#define STORAGE_CHANNELS_MAX (STORVSP_SUB_CHANNELS_MAX + 1)

static enum sim_status no_memory(struct sim_error *error)
{
    return sim_fail(error, SIM_NO_MEMORY, "no memory for its devices");
}

/* Integration services */

/** How long the guest has to do it before it may be turned off: what Hyper-V's
 *  own tools ask for is not documented. */
#define SHUTDOWN_TIMEOUT_SECONDS 30

static reftime_t reference_time(void *owner, cycles_t now)
{
    const struct vm *vm = owner;
    const struct hv_partition *partition =
        hypervisor_find_partition(vm->vmms->root->hv, vm->partition);

    return partition ? reftime_now(partition, now) : (reftime_t){0};
}

static void on_shutdown(void *owner, struct hv_context *context,
                        enum ic_shutdown_outcome outcome, uint32_t status)
{
    struct vm *vm = owner;

    (void)context;
    (void)status;
    if (outcome == IC_SHUTDOWN_REFUSED)
        vmms_report(vm, "its guest refuses to shut down");
    if (outcome == IC_SHUTDOWN_NO_ANSWER)
        vmms_report(vm, "its guest does not answer that it is to shut down");
}

void vmms_ask_shutdown(struct vm *vm, struct hv_context *context)
{
    cost_note(context->bill, COST_VMMS_OPERATION, 1);
    if (vm->shutdown &&
        ic_shutdown_outcome(vm->shutdown, NULL) == IC_SHUTDOWN_ASKED)
        return; /* once is enough: it has time to answer */
    if (!vm->shutdown ||
        !ic_shutdown_request(vm->shutdown, context, IC_SHUTDOWN_POWER_OFF,
                             false, SHUTDOWN_TIMEOUT_SECONDS))
        vmms_report(vm, "its guest cannot be asked to shut down: nobody there "
                        "serves that request");
}

/* Takes `ic`, which is NULL if there was no memory for it. */
static enum sim_status offer_ic(struct vm *vm, struct ic *ic,
                                struct sim_error *error)
{
    struct vmbus_offer offer;

    if (!ic)
        return no_memory(error);
    offer = ic_offer(ic);
    if (vmbus_offer(vmbusr_vmbus(vm->bus), NULL, &offer))
        return SIM_OK;
    ic_free(ic);
    return no_memory(error);
}

static enum sim_status offer_integration(struct vm *vm, struct sim_error *error)
{
    struct sim_clock clock = vm->vmms->root->hv->clock;
    enum sim_status status = SIM_OK;

    if (vm->config.heartbeat)
        status = offer_ic(vm, ic_heartbeat_create(clock), error);
    if (vm->config.shutdown && status == SIM_OK) {
        vm->shutdown = ic_shutdown_create(clock, on_shutdown, vm);
        status = offer_ic(vm, vm->shutdown, error);
    }
    if (vm->config.timesync && status == SIM_OK)
        status = offer_ic(vm,
                          ic_timesync_create(clock, VDEV_RTC_START_SECONDS,
                                             reference_time, vm),
                          error);
    return status;
}

/* Disks and network adapters */

static enum sim_status attach_disk(struct vm *vm, struct storvsp *storvsp,
                                   uint32_t lun, struct sim_error *error)
{
    const struct vm_disk *from = &vm->config.disks[lun];
    const struct disk_config config = {.image_path = from->image_path,
                                       .bytes = from->bytes,
                                       .latency_ns = from->latency_ns};
    struct disk *disk;

    if (disk_create(&disk, &config, vm->vmms->root->hv->clock, error) != SIM_OK)
        return error->status;
    if (storvsp_attach(storvsp, NULL, lun, disk))
        return SIM_OK;
    disk_free(disk);
    return no_memory(error);
}

static void report_disks(const struct vm *vm, const struct storvsp *storvsp)
{
    const struct vmms_listener *listener = &vm->vmms->listener;

    for (uint32_t lun = 0; listener->on_disk && lun < vm->config.disk_count;
         lun++)
        listener->on_disk(listener->context, vm->number, lun,
                          storvsp_counters(storvsp, lun));
}

static uint32_t storage_channels(const struct vm *vm)
{
    uint32_t channels = (vm->config.vp_count + VPS_PER_STORAGE_CHANNEL - 1) /
                        VPS_PER_STORAGE_CHANNEL;

    return channels < STORAGE_CHANNELS_MAX ? channels : STORAGE_CHANNELS_MAX;
}

/* A VM without disks has no controller either. */
static enum sim_status offer_disks(struct vm *vm, struct sim_error *error)
{
    struct vmbus_offer offer;
    struct storvsp *storvsp;

    if (vm->config.disk_count == 0)
        return SIM_OK;
    storvsp = storvsp_create(vmbusr_memory(vm->bus), 0,
                             (uint16_t)(storage_channels(vm) - 1));
    if (!storvsp)
        return no_memory(error);
    for (uint32_t lun = 0; lun < vm->config.disk_count; lun++) {
        if (attach_disk(vm, storvsp, lun, error) != SIM_OK)
            goto failed;
    }
    offer = storvsp_offer(storvsp);
    if (vmbus_offer(vmbusr_vmbus(vm->bus), NULL, &offer)) {
        report_disks(vm, storvsp);
        return SIM_OK;
    }
    (void)no_memory(error);

failed:
    storvsp_free(storvsp);
    return error->status;
}

/* The switch of that name; NULL: no memory. */
static struct vswitch *find_vswitch(struct vmms *vmms, const char *name)
{
    struct vswitch **vswitches;

    for (size_t i = 0; i < vmms->vswitch_count; i++) {
        if (strcmp(vswitch_name(vmms->vswitches[i]), name) == 0)
            return vmms->vswitches[i];
    }
    vswitches = reallocarray(vmms->vswitches, vmms->vswitch_count + 1,
                             sizeof(*vswitches));
    if (!vswitches)
        return NULL;
    vmms->vswitches = vswitches;
    vswitches[vmms->vswitch_count] = vswitch_create(name);
    if (!vswitches[vmms->vswitch_count])
        return NULL;
    return vswitches[vmms->vswitch_count++];
}

static enum sim_status offer_nic(struct vm *vm, uint32_t index,
                                 struct sim_error *error)
{
    struct vswitch *vswitch =
        find_vswitch(vm->vmms, vm->config.nics[index].vswitch);
    const struct vmms_listener *listener = &vm->vmms->listener;
    struct vmbus_offer offer;

    if (!vswitch || !netvsp_offer(&offer, vswitch, vm->number, index))
        return no_memory(error);
    if (!vmbus_offer(vmbusr_vmbus(vm->bus), NULL, &offer)) {
        offer.ops->free(offer.device);
        return no_memory(error);
    }
    if (listener->on_adapter)
        listener->on_adapter(listener->context, vm->number, index,
                             netvsp_counters(offer.device));
    return SIM_OK;
}

enum sim_status vmms_offer_devices(struct vm *vm, struct sim_error *error)
{
    enum sim_status status = offer_integration(vm, error);

    if (status == SIM_OK)
        status = offer_disks(vm, error);
    for (uint32_t i = 0; i < vm->config.nic_count && status == SIM_OK; i++)
        status = offer_nic(vm, i, error);
    vm->config.disks = NULL;
    vm->config.nics = NULL;
    return status;
}

void vmms_free_vswitches(struct vmms *vmms)
{
    for (size_t i = 0; i < vmms->vswitch_count; i++)
        vswitch_free(vmms->vswitches[i]);
    free(vmms->vswitches);
}
