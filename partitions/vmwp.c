/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "partitions/vmwp.h"

#include <stdlib.h>
#include <string.h>

#include "hypervisor/intercept.h"
#include "partitions/vdev_uart.h"
#include "sim/core/check.h"

/* A SynIC message and the intercept messages in it (TLFS, "Intercept
 * Messages"): offsets from the start of the message. */
enum {
    MESSAGE_TYPE = 0,
    PAYLOAD = 16,
    HEADER_VP_INDEX = PAYLOAD + 0x00,
    HEADER_LENGTH = PAYLOAD + 0x04,
    HEADER_ACCESS = PAYLOAD + 0x05,
    HEADER_RIP = PAYLOAD + 0x18,
    IO_PORT = PAYLOAD + 0x28,
    IO_ACCESS_INFO = PAYLOAD + 0x2a,
    IO_RAX = PAYLOAD + 0x30,
};

#define ACCESS_READ 0
#define IO_SIZE_MASK 0x07
#define IO_STRING 0x08

/* HvRegister names. */
#define REGISTER_INTERCEPT_SUSPEND 0x00000001u
#define REGISTER_RAX 0x00020000u
#define REGISTER_RIP 0x00020010u

static uint64_t message_field(const struct vmwp_vp *vp, unsigned offset,
                              unsigned bytes)
{
    uint64_t value = 0;

    memcpy(&value, vp->message + offset, bytes);
    return value;
}

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

static uint32_t io_bytes(const struct vmwp_vp *vp)
{
    return (uint32_t)message_field(vp, IO_ACCESS_INFO, 1) & IO_SIZE_MASK;
}

static bool io_is_in(const struct vmwp_vp *vp)
{
    return message_field(vp, HEADER_ACCESS, 1) == ACCESS_READ;
}

static void io_access(struct vmwp_vp *vp)
{
    uint16_t port = (uint16_t)message_field(vp, IO_PORT, 2);
    struct vdev *vdev = vmwp_find_vdev(vp->vmwp, port);
    uint32_t bytes = io_bytes(vp);

    vp->in_value = UINT32_MAX; /* an open bus */
    if (!vdev)
        return;

    uint16_t offset = (uint16_t)(port - vdev->first_port);

    if (io_is_in(vp))
        vp->in_value = vdev->ops->read(vdev, offset, bytes);
    else
        vdev->ops->write(vdev, offset, bytes,
                         (uint32_t)message_field(vp, IO_RAX, 4));
}

/* RAX after an IN: 4 bytes clear the upper half, less leaves the rest. */
static uint64_t io_new_rax(const struct vmwp_vp *vp)
{
    uint64_t rax = message_field(vp, IO_RAX, 8);
    uint32_t bits = io_bytes(vp) * 8;

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
    uint64_t rip = message_field(vp, HEADER_RIP, 8) +
                   (message_field(vp, HEADER_LENGTH, 1) & 0x0f);

    if (io_is_in(vp))
        registers[count++] =
            (struct winhv_register){REGISTER_RAX, {io_new_rax(vp), 0}};
    registers[count++] = (struct winhv_register){REGISTER_RIP, {rip, 0}};
    registers[count++] =
        (struct winhv_register){REGISTER_INTERCEPT_SUSPEND, {0, 0}};
    /* The VM may be on its way out: then there is no VP to resume. */
    winhv_set_registers(vmwp->winhv, context, vmwp->partition, vp->index,
                        registers, count);
}

enum { /* phases of the worker's thread at one I/O intercept */
       PHASE_WAKE,
       PHASE_ACCESS,
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

/* What only ends the VM; NULL for an I/O intercept, which is served. */
static const char *vmwp_fatal(const struct vmwp_vp *vp)
{
    switch ((uint32_t)message_field(vp, MESSAGE_TYPE, 4)) {
    case INTERCEPT_IO_PORT:
        return message_field(vp, IO_ACCESS_INFO, 1) & IO_STRING
                   ? "string I/O to an emulated device is not built yet"
                   : NULL;
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

/* The worker's thread. Each phase notes its price; its effect comes with the
 * next phase, when that price has been paid. */
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
        io_access(vp);
        cost_note(hv_context->bill, COST_VDEV_ACCESS, 1);
        vp->phase = PHASE_COMPLETE;
        return ROOT_AGAIN;
    }
    case PHASE_COMPLETE:
        cost_note(hv_context->bill, COST_VMWP_COMPLETE, 1);
        vp->phase = PHASE_RESUME;
        return ROOT_AGAIN;
    default:
        vp->phase = PHASE_WAKE;
        vp->message_waiting = false;
        io_resume(vp, hv_context);
        return ROOT_DONE;
    }
}

void vmwp_receive(struct vmwp *vmwp, struct hv_context *context,
                  const uint8_t message[VMWP_MESSAGE_BYTES])
{
    uint32_t index;

    memcpy(&index, message + HEADER_VP_INDEX, sizeof(index));
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

void vmwp_free(struct vmwp *vmwp)
{
    if (!vmwp)
        return;
    for (unsigned i = 0; i < vmwp->vdev_count; i++)
        vmwp->vdevs[i]->ops->free(vmwp->vdevs[i]);
    free(vmwp);
}
