/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_PARTITIONS_VMWP_H
#define HVSIM_PARTITIONS_VMWP_H

/**
 * The worker process of one VM: its virtual devices, a thread per VP that
 * answers the VP's intercepts, and one for what devices do by themselves. The
 * road of an intercept: hypervisor -> SynIC message -> root's interrupt routine
 * -> VID (a DPC) -> VMWP thread -> device
 * -> HvCallSetVpRegisters, which lets the VP go on. Created and owned by VMMS.
 */

#include "cpu/mmio.h"
#include "hypervisor/vector_map.h"
#include "partitions/console.h"
#include "partitions/root.h"
#include "partitions/vdev.h"
#include "partitions/winhv.h"

#define VMWP_VPS_MAX 64
#define VMWP_MESSAGE_BYTES 256
#define VMWP_CRASH_WHY_BYTES 256
#define VMWP_CRASH_TEXT_BYTES_MAX 4096 /* a page, as guests use */

struct vmwp;

/** The fault of an instruction that the worker carries out. */
struct vmwp_fault {
    bool taken;
    bool unmapped; /* no fault of the guest's: its page tables are nowhere */
    uint8_t vector;
    uint32_t error_code;
    uint64_t address; /* of a page fault */
};

/** An INS or OUTS under way; see vmwp_string.c. */
struct vmwp_string {
    int segment;         /* enum x86_segment_register */
    uint64_t base, mask; /* of the segment; of the address size */
    uint64_t index;      /* RSI or RDI */
    uint64_t count;      /* RCX */
    uint32_t moved;      /* elements, at this intercept */
    bool repeated, done;
};

/** An instruction that reaches a device through memory; see vmwp_mmio.c. */
struct vmwp_mmio {
    struct decode_mmio insn;
    struct mmio_state state;   /* first as found, then as it leaves them */
    struct winhv_register xmm; /* likewise; of a vector move */
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
    struct vmwp_mmio mmio;
    struct vmwp_fault fault; /* of either */
};

/** A crash that the guest reports; see vmwp_crash.c. */
struct vmwp_crash {
    struct vmwp_vp *reporter; /* borrowed; NULL: none has */
    uint64_t parameters[5];
    bool has_message;
    uint32_t bytes_wanted, bytes_read; /* of the message */
    char text[VMWP_CRASH_TEXT_BYTES_MAX + 1];
    char why[VMWP_CRASH_WHY_BYTES]; /* all of it in a line */
};

/** How a VM comes to its end by itself. */
enum vmwp_end {
    VMWP_FAILED,      /* it cannot go on */
    VMWP_POWERED_OFF, /* as its guest wants */
    VMWP_RESET,       /* its guest wants to start again */
};

/** `why`: of VMWP_FAILED; else NULL. If the guest had more to say than fits a
 *  line, it is in vmwp->crash.text. */
typedef void vmwp_stopped_fn(void *context, struct hv_context *hv_context,
                             enum vmwp_end end, const char *why);

/** What is typed at the VM's console, until it is at the UART; see
 *  vmwp_input.c. */
struct vmwp_input {
    uint8_t *bytes; /* owns: those from `first` to `end` are to come */
    size_t first, end, capacity;
    cycles_t byte_time; /* that the line takes for a byte */
    cycles_t line_free; /* when the line has carried the last one */
    struct event arrival;
    bool arrived; /* a byte, and the devices' thread has not seen it yet */
};

struct vmwp {
    struct root *root;   /* borrowed */
    struct winhv *winhv; /* borrowed */
    partition_id_t partition;
    struct vdev_bus bus;                   /* owns the devices */
    struct vdev *uart, *ioapic, *pic, *pm; /* borrowed from the bus */
    struct vdev_irq_sink irqs;             /* what the devices' lines lead to */
    bool end_wanted;                       /* by the guest, and not told yet */
    enum vmwp_end end;                     /* which */
    struct root_work devices;        /* the thread of what devices do unasked */
    unsigned devices_phase;          /* of it */
    uint32_t eois[VECTOR_MAP_WORDS]; /* vectors ended that the I/O APIC does not
                                 know of yet */
    struct event timer;              /* the first device's deadline */
    struct console console;          /* COM1 */
    struct vmwp_input input;         /* of it */
    vmwp_stopped_fn *on_stopped;
    void *on_stopped_context; /* borrowed */
    struct vmwp_crash crash;
    uint32_t vp_count; /* at most */
    struct vmwp_vp vps[];
};

/** For a VM of `vp_count` VPs, to which some may be added until there are
 *  `vp_count_max`. NULL if out of memory. */
struct vmwp *vmwp_create(struct root *root, struct winhv *winhv,
                         uint32_t vp_count, uint32_t vp_count_max,
                         const struct console_listener *listener,
                         vmwp_stopped_fn *on_stopped, void *context);
void vmwp_free(struct vmwp *vmwp);

/** The VM is off: forgets its partition and the intercepts under way, and
 *  resets the devices. It has `vp_count` VPs when it starts again. */
void vmwp_reset(struct vmwp *vmwp, uint32_t vp_count);

/** VID hands over an intercept message of this VM, in the root's interrupt
 *  routine. Messages that make no sense are dropped. */
void vmwp_receive(struct vmwp *vmwp, struct hv_context *context,
                  const uint8_t message[VMWP_MESSAGE_BYTES]);

/** VP `index` has been added: the guest is told, by the devices' thread. */
void vmwp_add_vp(struct vmwp *vmwp, struct hv_context *context, uint32_t index);

#define VMWP_BAUD_DEFAULT 115200

/** How fast what is typed comes, in bits a second; not 0. */
void vmwp_set_baud(struct vmwp *vmwp, uint32_t baud);

/** Types at the VM's console, behind what has been typed before; copies. The
 *  guest gets it when its UART takes it, if need be after the VM has been
 *  switched on. False if out of memory. */
MUST_USE bool vmwp_type(struct vmwp *vmwp, const uint8_t *bytes, size_t count,
                        cycles_t now);

/** How many bytes have been typed that the UART has not taken yet. */
size_t vmwp_untyped(const struct vmwp *vmwp);

#endif
