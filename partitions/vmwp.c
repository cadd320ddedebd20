/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "partitions/vmwp.h"

#include <stdlib.h>
#include <string.h>

#include "hypervisor/intercept.h"
#include "hypervisor/vp_registers.h"
#include "partitions/vdev_uart.h"
#include "partitions/vmwp_private.h"
#include "sim/core/check.h"

static struct vdev *vmwp_find_vdev(const struct vmwp *vmwp, uint16_t port)
{
    for (unsigned i = 0; i < vmwp->vdev_count; i++) {
        if (vdev_claims(vmwp->vdevs[i], port))
            return vmwp->vdevs[i];
    }
    return NULL;
}

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

uint32_t vmwp_io_read(struct vmwp_vp *vp)
{
    uint16_t port = (uint16_t)vmwp_field(vp, VMWP_IO_PORT, 2);
    struct vdev *vdev = vmwp_find_vdev(vp->vmwp, port);

    if (!vdev)
        return UINT32_MAX; /* an open bus */
    return vdev->ops->read(vdev, (uint16_t)(port - vdev->first_port),
                           vmwp_io_bytes(vp));
}

void vmwp_io_write(struct vmwp_vp *vp, uint32_t value)
{
    uint16_t port = (uint16_t)vmwp_field(vp, VMWP_IO_PORT, 2);
    struct vdev *vdev = vmwp_find_vdev(vp->vmwp, port);

    if (vdev)
        vdev->ops->write(vdev, (uint16_t)(port - vdev->first_port),
                         vmwp_io_bytes(vp), value);
}

static void io_access(struct vmwp_vp *vp)
{
    if (vmwp_io_is_in(vp))
        vp->in_value = vmwp_io_read(vp);
    else
        vmwp_io_write(vp, (uint32_t)vmwp_field(vp, VMWP_IO_RAX, 4));
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

/* Phases of the worker's thread at one I/O intercept. */
enum {
    PHASE_WAKE,
    PHASE_ACCESS,
    PHASE_STRING,
    PHASE_COMPLETE,
    PHASE_RESUME,
};

static enum root_step vmwp_stop(struct vmwp_vp *vp, struct hv_context *context,
                                const char *why)
{
    vp->phase = PHASE_WAKE;
    vp->message_waiting = false;
    vp->vmwp->on_stopped(vp->vmwp->on_stopped_context, context, why);
    return ROOT_DONE;
}

static bool io_makes_sense(const struct vmwp_vp *vp)
{
    uint32_t bytes = vmwp_io_bytes(vp);

    return bytes == 1 || bytes == 2 || bytes == 4;
}

/* What only ends the VM; NULL for an I/O intercept, which is served. */
static const char *vmwp_fatal(const struct vmwp_vp *vp)
{
    switch ((uint32_t)vmwp_field(vp, VMWP_TYPE, 4)) {
    case INTERCEPT_IO_PORT:
        return io_makes_sense(vp) ? NULL : "an I/O access of no known width";
    case INTERCEPT_UNRECOVERABLE_EXCEPTION:
        return "triple fault";
    case INTERCEPT_UNMAPPED_GPA:
        return "access to guest physical memory that is not there";
    case INTERCEPT_UNSUPPORTED_FEATURE:
        return "use of a hardware task switch, which is not supported";
    default:
        return "an intercept that nobody serves";
    }
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
    case PHASE_ACCESS: {
        const char *fatal = vmwp_fatal(vp);

        if (fatal)
            return vmwp_stop(vp, hv_context, fatal);
        cost_note(hv_context->bill, COST_VDEV_ACCESS, 1);
        if (io_is_string(vp)) {
            vmwp_string_begin(vp, hv_context);
            vp->phase = PHASE_STRING;
        } else {
            io_access(vp);
            vp->phase = PHASE_COMPLETE;
        }
        return ROOT_AGAIN;
    }
    case PHASE_STRING:
        cost_note(hv_context->bill, COST_VDEV_ACCESS, 1);
        if (!vmwp_string_step(vp, hv_context))
            vp->phase = PHASE_COMPLETE;
        return ROOT_AGAIN;
    case PHASE_COMPLETE:
        cost_note(hv_context->bill, COST_VMWP_COMPLETE, 1);
        vp->phase = PHASE_RESUME;
        return ROOT_AGAIN;
    default:
        vp->phase = PHASE_WAKE;
        vp->message_waiting = false;
        if (io_is_string(vp))
            vmwp_string_resume(vp, hv_context);
        else
            io_resume(vp, hv_context);
        return ROOT_DONE;
    }
}

void vmwp_receive(struct vmwp *vmwp, struct hv_context *context,
                  const uint8_t message[VMWP_MESSAGE_BYTES])
{
    uint32_t index;

    memcpy(&index, message + VMWP_VP_INDEX, sizeof(index));
    if (index >= vmwp->vp_count)
        return;

    struct vmwp_vp *vp = &vmwp->vps[index];

    /* A VP has one intercept at a time: it is suspended until this one has
     * been answered. */
    CHECK(!vp->message_waiting);
    memcpy(vp->message, message, sizeof(vp->message));
    vp->message_waiting = true;
    root_queue_dpc(vmwp->root, context, &vp->dpc);
}

static void vmwp_com1_byte(void *context, uint8_t byte)
{
    console_put(context, byte);
}

static bool vmwp_add_vdev(struct vmwp *vmwp, struct vdev *vdev)
{
    if (!vdev)
        return false;
    CHECK(vmwp->vdev_count < VMWP_VDEVS_MAX);
    vmwp->vdevs[vmwp->vdev_count++] = vdev;
    return true;
}

struct vmwp *vmwp_create(struct root *root, struct winhv *winhv,
                         uint32_t vp_count,
                         const struct console_listener *listener,
                         vmwp_stopped_fn *on_stopped, void *context)
{
    struct vmwp *vmwp =
        calloc(1, sizeof(*vmwp) + vp_count * sizeof(vmwp->vps[0]));

    if (!vmwp)
        return NULL;
    vmwp->root = root;
    vmwp->winhv = winhv;
    vmwp->on_stopped = on_stopped;
    vmwp->on_stopped_context = context;
    vmwp->vp_count = vp_count;
    console_init(&vmwp->console, listener);
    for (uint32_t i = 0; i < vp_count; i++) {
        struct vmwp_vp *vp = &vmwp->vps[i];

        vp->vmwp = vmwp;
        vp->index = i;
        vp->dpc = (struct root_work){
            .name = "vid-route", .step = vid_route, .context = vp};
        vp->thread = (struct root_work){
            .name = "vmwp-vp", .step = vmwp_serve, .context = vp};
    }
    if (!vmwp_add_vdev(vmwp, vdev_uart_create(VDEV_UART_COM1, vmwp_com1_byte,
                                              &vmwp->console))) {
        vmwp_free(vmwp);
        return NULL;
    }
    return vmwp;
}

void vmwp_reset(struct vmwp *vmwp)
{
    vmwp->partition = (partition_id_t){0};
    for (uint32_t i = 0; i < vmwp->vp_count; i++) {
        /* DPCs and threads under way find that there is nothing to do. */
        vmwp->vps[i].message_waiting = false;
        vmwp->vps[i].dpc_phase = 0;
        vmwp->vps[i].phase = PHASE_WAKE;
    }
    for (unsigned i = 0; i < vmwp->vdev_count; i++)
        vmwp->vdevs[i]->ops->reset(vmwp->vdevs[i]);
    console_reset(&vmwp->console);
}

void vmwp_free(struct vmwp *vmwp)
{
    if (!vmwp)
        return;
    for (unsigned i = 0; i < vmwp->vdev_count; i++)
        vmwp->vdevs[i]->ops->free(vmwp->vdevs[i]);
    free(vmwp);
}
