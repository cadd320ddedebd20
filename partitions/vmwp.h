/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_PARTITIONS_VMWP_H
#define HVSIM_PARTITIONS_VMWP_H

/**
 * The worker process of one VM: its virtual devices, and a thread per VP that
 * answers the VP's intercepts. The road of an intercept: hypervisor -> SynIC
 * message -> root's interrupt routine -> VID (a DPC) -> VMWP thread -> device
 * -> HvCallSetVpRegisters, which lets the VP go on. Created and owned by VMMS.
 */

#include "partitions/console.h"
#include "partitions/root.h"
#include "partitions/vdev.h"
#include "partitions/winhv.h"

#define VMWP_VDEVS_MAX 8
#define VMWP_VPS_MAX 64
#define VMWP_MESSAGE_BYTES 256

struct vmwp;

/** An INS or OUTS under way; see vmwp_string.c. */
struct vmwp_string {
    uint64_t base, mask; /* of the segment; of the address size */
    uint64_t index;      /* RSI or RDI */
    uint64_t count;      /* RCX */
    uint32_t moved;      /* elements, at this intercept */
    bool repeated, done, faulted;
    uint8_t fault_vector;
    uint64_t fault_address; /* of a page fault */
    uint32_t error_code;
};

/** The thread that serves one VP, and the intercept it is at. */
struct vmwp_vp {
    struct vmwp *vmwp; /* borrowed: its owner */
    uint32_t index;
    struct root_work dpc;    /* VID's part */
    struct root_work thread; /* the worker's part */
    unsigned dpc_phase, phase;
    uint8_t message[VMWP_MESSAGE_BYTES];
    bool message_waiting;
    uint32_t in_value; /* what an IN has read */
    struct vmwp_string string;
};

/** What becomes of a VM that cannot go on. */
typedef void vmwp_stopped_fn(void *context, struct hv_context *hv_context,
                             const char *why);

struct vmwp {
    struct root *root;   /* borrowed */
    struct winhv *winhv; /* borrowed */
    partition_id_t partition;
    struct vdev *vdevs[VMWP_VDEVS_MAX]; /* owns */
    unsigned vdev_count;
    struct console console; /* COM1 */
    vmwp_stopped_fn *on_stopped;
    void *on_stopped_context; /* borrowed */
    uint32_t vp_count;
    struct vmwp_vp vps[]; /* vp_count */
};

/** NULL if out of memory. */
struct vmwp *vmwp_create(struct root *root, struct winhv *winhv,
                         uint32_t vp_count,
                         const struct console_listener *listener,
                         vmwp_stopped_fn *on_stopped, void *context);
void vmwp_free(struct vmwp *vmwp);

/** The VM is off: forgets its partition and the intercepts under way, and
 *  resets the devices. */
void vmwp_reset(struct vmwp *vmwp);

/** VID hands over an intercept message of this VM, in the root's interrupt
 *  routine. Messages that make no sense are dropped. */
void vmwp_receive(struct vmwp *vmwp, struct hv_context *context,
                  const uint8_t message[VMWP_MESSAGE_BYTES]);

#endif
