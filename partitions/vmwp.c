/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "partitions/vmwp.h"

#include <stdlib.h>
#include <string.h>

#include "hypervisor/intercept.h"
#include "hypervisor/msr.h"
#include "hypervisor/vp_registers.h"
#include "partitions/vmwp_private.h"
#include "sim/core/check.h"

/* VID's DPC: routes the message, then wakes the worker's thread. */
static enum root_step vid_route(void *context, struct hv_context *hv_context)
{
    struct vmwp_vp *vp = context;

    if (vp->dpc_phase == 0) {
        cost_note(hv_context->bill, COST_VID_MESSAGE, 1);
        vp->dpc_phase = 1;
        return ROOT_AGAIN;
    }
    vp->dpc_phase = 0;
    root_wake_thread(vp->vmwp->root, hv_context, &vp->thread);
    return ROOT_DONE;
}

uint32_t vmwp_io_read(struct vmwp_vp *vp, struct hv_context *context)
{
    return (uint32_t)vdev_bus_read(
        &vp->vmwp->bus, vmwp_now_ns(vp->vmwp, context), VDEV_PORTS,
        vmwp_field(vp, VMWP_IO_PORT, 2), vmwp_io_bytes(vp));
}

void vmwp_io_write(struct vmwp_vp *vp, struct hv_context *context,
                   uint32_t value)
{
    vdev_bus_write(&vp->vmwp->bus, vmwp_now_ns(vp->vmwp, context), VDEV_PORTS,
                   vmwp_field(vp, VMWP_IO_PORT, 2), vmwp_io_bytes(vp), value);
}

static void io_access(struct vmwp_vp *vp, struct hv_context *context)
{
    if (vmwp_io_is_in(vp))
        vp->in_value = vmwp_io_read(vp, context);
    else
        vmwp_io_write(vp, context, (uint32_t)vmwp_field(vp, VMWP_IO_RAX, 4));
}

static bool io_is_string(const struct vmwp_vp *vp)
{
    return vmwp_field(vp, VMWP_IO_INFO, 1) & VMWP_IO_STRING;
}

/* RAX after an IN: 4 bytes clear the upper half, less leaves the rest. */
static uint64_t io_new_rax(const struct vmwp_vp *vp)
{
    uint64_t rax = vmwp_field(vp, VMWP_IO_RAX, 8);
    uint32_t bits = vmwp_io_bytes(vp) * 8;

    if (bits >= 32)
        return vp->in_value;

    uint64_t mask = (UINT64_C(1) << bits) - 1;

    return (rax & ~mask) | (vp->in_value & mask);
}

/* The instruction is done: RIP moves on, and the VP with it. */
static void io_resume(struct vmwp_vp *vp, struct hv_context *context)
{
    struct vmwp *vmwp = vp->vmwp;
    struct winhv_register registers[3];
    uint32_t count = 0;
    uint64_t rip =
        vmwp_field(vp, VMWP_RIP, 8) + (vmwp_field(vp, VMWP_LENGTH, 1) & 0x0f);

    if (vmwp_io_is_in(vp))
        registers[count++] =
            (struct winhv_register){HV_REGISTER_RAX, {io_new_rax(vp), 0}};
    registers[count++] = (struct winhv_register){HV_REGISTER_RIP, {rip, 0}};
    registers[count++] =
        (struct winhv_register){HV_REGISTER_INTERCEPT_SUSPEND, {0, 0}};
    /* The VM may be on its way out: then there is no VP to resume. */
    winhv_set_registers(vmwp->winhv, context, vmwp->partition, vp->index,
                        registers, count);
}

static bool is_mmio(const struct vmwp_vp *vp)
{
    return vmwp_field(vp, VMWP_TYPE, 4) == INTERCEPT_UNMAPPED_GPA;
}

/* Phases of the worker's thread at one intercept. */
enum {
    PHASE_WAKE,
    PHASE_ACCESS,
    PHASE_STRING,
    PHASE_CRASH,
    PHASE_DELIVER,
    PHASE_RESUME,
};

static enum root_step vmwp_stop(struct vmwp_vp *vp, struct hv_context *context,
                                enum vmwp_end end, const char *why)
{
    vp->phase = PHASE_WAKE;
    vp->message_waiting = false;
    vp->vmwp->on_stopped(vp->vmwp->on_stopped_context, context, end, why);
    return ROOT_DONE;
}

static bool io_makes_sense(const struct vmwp_vp *vp)
{
    uint32_t bytes = vmwp_io_bytes(vp);

    return bytes == 1 || bytes == 2 || bytes == 4;
}

/* What is no access of an instruction's own cannot be answered by a device:
 * fetches, page walks, the delivery of events. */
static bool mmio_makes_sense(const struct vmwp_vp *vp)
{
    return vmwp_field(vp, VMWP_ACCESS, 1) != VMWP_ACCESS_EXECUTE &&
           (vmwp_field(vp, VMWP_LENGTH, 1) & 0x0f) != 0 &&
           (vmwp_field(vp, VMWP_MEMORY_FLAGS, 1) & VMWP_MEMORY_GVA_MAPPED) ==
               VMWP_MEMORY_GVA_MAPPED;
}

/* What only ends the VM; NULL for what is served. */
static const char *vmwp_fatal(const struct vmwp_vp *vp)
{
    switch ((uint32_t)vmwp_field(vp, VMWP_TYPE, 4)) {
    case INTERCEPT_IO_PORT:
        return io_makes_sense(vp) ? NULL : "an I/O access of no known width";
    case INTERCEPT_UNRECOVERABLE_EXCEPTION:
        return "triple fault";
    case INTERCEPT_UNMAPPED_GPA:
        return mmio_makes_sense(vp)
                   ? NULL
                   : "access to guest physical memory that is not there";
    case INTERCEPT_UNSUPPORTED_FEATURE:
        return "use of a hardware task switch, which is not supported";
    default:
        return "an intercept that nobody serves";
    }
}

/* The guest has said that it crashes: what it says of it is read first. */
static enum root_step vmwp_crash(struct vmwp_vp *vp, struct hv_context *context)
{
    if (vmwp_crash_begin(vp, context)) {
        vp->phase = PHASE_CRASH;
        return ROOT_AGAIN;
    }
    /* The VM is about to be turned off for the other VP's report. */
    vp->phase = PHASE_WAKE;
    vp->message_waiting = false;
    return ROOT_DONE;
}

static enum root_step vmwp_read_crash(struct vmwp_vp *vp,
                                      struct hv_context *context)
{
    if (vmwp_crash_step(vp, context))
        return ROOT_AGAIN;
    return vmwp_stop(vp, context, VMWP_FAILED, vmwp_crash_end(vp->vmwp));
}

/* The writes that the hypervisor leaves to the worker end the VM. */
static enum root_step vmwp_msr(struct vmwp_vp *vp, struct hv_context *context)
{
    switch ((uint32_t)vmwp_field(vp, VMWP_MSR_INDEX, 4)) {
    case MSR_HV_RESET:
        return vmwp_stop(vp, context, VMWP_RESET, NULL);
    case MSR_HV_CRASH_CONTROL:
        return vmwp_crash(vp, context);
    default:
        return vmwp_stop(vp, context, VMWP_FAILED, "an MSR that nobody serves");
    }
}

/* The first access of the intercept, or the only one. */
static enum root_step vmwp_access(struct vmwp_vp *vp,
                                  struct hv_context *context)
{
    if (vmwp_field(vp, VMWP_TYPE, 4) == INTERCEPT_MSR)
        return vmwp_msr(vp, context);

    const char *fatal = vmwp_fatal(vp);

    if (!fatal && is_mmio(vp))
        fatal = vmwp_mmio_access(vp, context);
    if (fatal)
        return vmwp_stop(vp, context, VMWP_FAILED, fatal);
    cost_note(context->bill, COST_VDEV_ACCESS, 1);
    vp->phase = PHASE_DELIVER;
    if (is_mmio(vp))
        return ROOT_AGAIN;
    if (io_is_string(vp)) {
        vmwp_string_begin(vp, context);
        vp->phase = PHASE_STRING;
    } else {
        io_access(vp, context);
    }
    return ROOT_AGAIN;
}

/* One element of INS or OUTS after another, until there is none to move. */
static enum root_step vmwp_string(struct vmwp_vp *vp,
                                  struct hv_context *context)
{
    cost_note(context->bill, COST_VDEV_ACCESS, 1);
    if (vmwp_string_step(vp, context))
        return ROOT_AGAIN;
    if (vp->fault.unmapped)
        return vmwp_stop(vp, context, VMWP_FAILED, VMWP_TABLES_NOWHERE);
    vp->phase = PHASE_DELIVER;
    return ROOT_AGAIN;
}

/* Before the VP goes on: what its access has made the devices do. */
static enum root_step vmwp_deliver(struct vmwp_vp *vp,
                                   struct hv_context *context)
{
    struct vmwp *vmwp = vp->vmwp;

    if (vmwp->end_wanted) {
        vmwp->end_wanted = false;
        return vmwp_stop(vp, context, vmwp->end, NULL);
    }
    if (vmwp_devices_deliver(vmwp, context))
        return ROOT_AGAIN;
    vmwp_devices_settle(vmwp, context->now);
    cost_note(context->bill, COST_VMWP_COMPLETE, 1);
    vp->phase = PHASE_RESUME;
    return ROOT_AGAIN;
}

static enum root_step vmwp_resume(struct vmwp_vp *vp,
                                  struct hv_context *context)
{
    vp->phase = PHASE_WAKE;
    vp->message_waiting = false;
    if (is_mmio(vp))
        vmwp_mmio_resume(vp, context);
    else if (io_is_string(vp))
        vmwp_string_resume(vp, context);
    else
        io_resume(vp, context);
    return ROOT_DONE;
}

/* The worker's thread. Each phase notes its price, which is paid before the
 * next one. */
static enum root_step vmwp_serve(void *context, struct hv_context *hv_context)
{
    struct vmwp_vp *vp = context;

    if (!vp->message_waiting)
        return ROOT_DONE;
    switch (vp->phase) {
    case PHASE_WAKE:
        cost_note(hv_context->bill, COST_VMWP_DISPATCH, 1);
        vp->phase = PHASE_ACCESS;
        return ROOT_AGAIN;
    case PHASE_ACCESS:
        return vmwp_access(vp, hv_context);
    case PHASE_STRING:
        return vmwp_string(vp, hv_context);
    case PHASE_CRASH:
        return vmwp_read_crash(vp, hv_context);
    case PHASE_DELIVER:
        return vmwp_deliver(vp, hv_context);
    default:
        return vmwp_resume(vp, hv_context);
    }
}

void vmwp_receive(struct vmwp *vmwp, struct hv_context *context,
                  const uint8_t message[VMWP_MESSAGE_BYTES])
{
    uint32_t index;
    uint32_t type;

    memcpy(&index, message + VMWP_VP_INDEX, sizeof(index));
    if (index >= vmwp->vp_count)
        return;
    memcpy(&type, message + VMWP_TYPE, sizeof(type));
    if (type == INTERCEPT_APIC_EOI) {
        vmwp_devices_eoi(vmwp, context, message[VMWP_EOI_VECTOR]);
        return;
    }

    struct vmwp_vp *vp = &vmwp->vps[index];

    /* A VP has one intercept at a time: it is suspended until this one has
     * been answered. */
    CHECK(!vp->message_waiting);
    memcpy(vp->message, message, sizeof(vp->message));
    vp->message_waiting = true;
    root_queue_dpc(vmwp->root, context, &vp->dpc);
}

struct vmwp *vmwp_create(struct root *root, struct winhv *winhv,
                         uint32_t vp_count, uint32_t vp_count_max,
                         const struct console_listener *listener,
                         vmwp_stopped_fn *on_stopped, void *context)
{
    struct vmwp *vmwp =
        calloc(1, sizeof(*vmwp) + vp_count_max * sizeof(vmwp->vps[0]));

    if (!vmwp)
        return NULL;
    vmwp->root = root;
    vmwp->winhv = winhv;
    vmwp->on_stopped = on_stopped;
    vmwp->on_stopped_context = context;
    vmwp->vp_count = vp_count_max;
    console_init(&vmwp->console, listener);
    for (uint32_t i = 0; i < vp_count_max; i++) {
        struct vmwp_vp *vp = &vmwp->vps[i];

        vp->vmwp = vmwp;
        vp->index = i;
        vp->dpc = (struct root_work){
            .name = "vid-route", .step = vid_route, .context = vp};
        vp->thread = (struct root_work){
            .name = "vmwp-vp", .step = vmwp_serve, .context = vp};
    }
    if (!vmwp_devices_init(vmwp, vp_count)) {
        vmwp_free(vmwp);
        return NULL;
    }
    return vmwp;
}

void vmwp_reset(struct vmwp *vmwp, uint32_t vp_count)
{
    vmwp->partition = (partition_id_t){0};
    for (uint32_t i = 0; i < vmwp->vp_count; i++) {
        /* DPCs and threads under way find that there is nothing to do. */
        vmwp->vps[i].message_waiting = false;
        vmwp->vps[i].dpc_phase = 0;
        vmwp->vps[i].phase = PHASE_WAKE;
    }
    vmwp->crash = (struct vmwp_crash){0};
    vmwp_devices_reset(vmwp, vp_count);
    console_reset(&vmwp->console);
}

void vmwp_free(struct vmwp *vmwp)
{
    if (!vmwp)
        return;
    vmwp_devices_fini(vmwp);
    free(vmwp);
}
