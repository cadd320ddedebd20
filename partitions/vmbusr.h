/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_PARTITIONS_VMBUSR_H
#define HVSIM_PARTITIONS_VMBUSR_H

/**
 * The root's VMBus driver: what joins the VMBus servers of the VMs (vmbus/) to
 * the hypervisor. It makes their ports and connections and sends through them,
 * all by hypercalls that the root pays for, takes what guests send from SINT 2
 * of the root VPs, and has a thread for each VM's messages and one for each of
 * its channels.
 *
 * The road of a signal: guest's HvCallSignalEvent -> event flag of a root VP ->
 * service routine -> DPC -> channel's thread -> VSP. The flag stays set until
 * the thread begins, so that a guest that signals without end interrupts no
 * more often than its channels are served. The road of a message is the same,
 * with a queue in between.
 *
 * One for all VMs, owned by VMMS.
 */

#include "partitions/winhv.h"
#include "vmbus/vmbus.h"

struct vmbusr;
/** The bus of one VM. */
struct vmbusr_bus;

/** Takes over SINT 2 of `root`; both outlive it. NULL: no memory. */
struct vmbusr *vmbusr_create(struct root *root, struct winhv *winhv);
/** Its buses are freed before. */
void vmbusr_free(struct vmbusr *vmbusr);

/** A bus for a VM of so many VPs, which is off. The caller owns it and frees
 *  it before the driver. NULL: no memory. */
struct vmbusr_bus *vmbusr_add(struct vmbusr *vmbusr, uint32_t vp_count);
void vmbusr_remove(struct vmbusr_bus *bus);

/** The VM's VMBus server, to offer devices on; borrowed. */
struct vmbus *vmbusr_vmbus(struct vmbusr_bus *bus);

/** The guest's memory, for devices: there is none while the VM is off. Valid as
 *  long as the bus. */
struct guest_memory vmbusr_memory(struct vmbusr_bus *bus);

/**
 * The VM, whose partition is `partition` and whose home is host node `node`,
 * can send messages from now on. Makes one port or connection a call; *done:
 * that was the last. On failure, vmbusr_stop() takes back what there is.
 */
enum hv_status vmbusr_start(struct vmbusr_bus *bus, struct hv_context *context,
                            partition_id_t partition, uint32_t node,
                            bool *done);

/** The VM is turned off and runs no more: takes back all ports and connections
 *  of the root, a few a call, and resets the bus. True when all is done. */
bool vmbusr_stop(struct vmbusr_bus *bus, struct hv_context *context);

#endif
