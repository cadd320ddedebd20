/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_PARTITIONS_ROOT_PRIVATE_H
#define HVSIM_PARTITIONS_ROOT_PRIVATE_H

/** Shared by root.c, which schedules, and root_interrupt.c. */

#include "partitions/root.h"

/** In the order in which they are served. */
enum root_interrupt {
    ROOT_INTERRUPT_INTERCEPT,
    ROOT_INTERRUPT_VMBUS,
    ROOT_INTERRUPT_RESCHEDULE,
    ROOT_INTERRUPT_COUNT,
};

/** One root VP. Interrupts come before DPCs, DPCs before threads with a boost,
 *  those before other threads. */
struct root_vp {
    struct root *root; /* borrowed */
    struct hv_vp *vp;  /* borrowed */
    bool interrupt_pending[ROOT_INTERRUPT_COUNT];
    bool in_service;   /* an interrupt has not been ended yet */
    spa_t event_flags; /* its page, at GPA = SPA */
    struct work_list dpcs;
    /* Under way; a DPC holds up the thread that it has interrupted. */
    struct root_work *dpc, *thread;
    cycles_t quantum_end; /* of the thread, in run time of the VP */
};

/** What the root's kernel writes at start: APIC on, pages of `node` for
 *  messages and events, SINTs. False if the root has no memory for them. */
bool root_interrupt_set_up(struct root_vp *rvp, uint32_t node);

/** The processor delivers `vector`, which is one of the root's. */
void root_interrupt_accept(struct root_vp *rvp, uint8_t vector);
bool root_interrupt_is_pending(const struct root_vp *rvp);
/** Runs the service routine of the first one that is. */
void root_interrupt_serve(struct root_vp *rvp, struct hv_context *context);

#endif
