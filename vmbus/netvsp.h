/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_VMBUS_NETVSP_H
#define HVSIM_VMBUS_NETVSP_H

/**
 * NetVSP: the root's end of a VM's synthetic network adapter. It speaks NVSP
 * with the guest's NetVSC over one channel, RNDIS (rndis.h) within that, and is
 * a port of a virtual switch (vswitch.h). Facts: what Linux' netvsc.c and
 * OpenVMM's netvsp send and accept.
 *
 * Flow. A guest's frames go into the switch as its packets are read, and are
 * completed at once. Frames for the guest wait at the port; one at a time, each
 * in a step of the channel's thread, they are copied into a section of the
 * buffer that the guest lends for it. If it has no section to spare or no room
 * in its ring, they go on waiting there, and are dropped, and counted, by the
 * switch when too many do.
 *
 * Not modelled: sub-channels (a request is refused; there is one queue),
 * SR-IOV, offloads, frames of more than 1,500 bytes of payload.
 */

#include "vmbus/vmbus.h"
#include "vmbus/vswitch.h"

/** Of a VM, as Hyper-V allows. */
#define NETVSP_ADAPTERS_MAX 8u
#define NETVSP_VMS_MAX (UINT32_C(1) << 20)

/** The address of adapter `index` of the VM of that number, below the two
 *  limits above: 00:15:5D, then 20 bits of the one and 4 of the other. */
struct vswitch_address netvsp_address(uint32_t vm_number, uint32_t index);

/**
 * Creates adapter `index` of a VM, connects it to `vswitch`, which has to
 * outlive it, and fills in `offer`, to be passed to vmbus_offer(). From then on
 * the adapter belongs to the bus; if that fails, the caller frees it with
 * offer->ops->free(offer->device). `vm_number` is unique on the host and tells
 * VMs' addresses apart. False: no memory, or the address is in use at that
 * switch.
 */
bool netvsp_offer(struct vmbus_offer *offer, struct vswitch *vswitch,
                  uint32_t vm_number, uint32_t index);

/** What passed an adapter (an offer's `device`), and what it lost. */
struct vswitch_counts netvsp_counts(const void *device);
/** The same for Performance Monitor; the device's. */
const struct pc_nic *netvsp_counters(const void *device);

/* NVSP: what netvsp.c and its tests know of the wire. */

#define NETVSP_VERSION_1 0x00002u
#define NETVSP_VERSION_2 0x30002u
#define NETVSP_VERSION_4 0x40000u
#define NETVSP_VERSION_5 0x50000u
#define NETVSP_VERSION_6 0x60000u
#define NETVSP_VERSION_61 0x60001u

enum netvsp_type {
    NETVSP_INIT = 1,
    NETVSP_INIT_COMPLETE = 2,
    NETVSP_SEND_NDIS_VERSION = 100,
    NETVSP_SEND_RECEIVE_BUFFER = 101,
    NETVSP_SEND_RECEIVE_BUFFER_COMPLETE = 102,
    NETVSP_REVOKE_RECEIVE_BUFFER = 103,
    NETVSP_SEND_SEND_BUFFER = 104,
    NETVSP_SEND_SEND_BUFFER_COMPLETE = 105,
    NETVSP_REVOKE_SEND_BUFFER = 106,
    NETVSP_SEND_RNDIS_PACKET = 107,
    NETVSP_SEND_RNDIS_PACKET_COMPLETE = 108,
    NETVSP_SEND_NDIS_CONFIG = 125,
    NETVSP_SWITCH_DATA_PATH = 129,
    NETVSP_OID_QUERY = 131,
    NETVSP_OID_QUERY_COMPLETE = 132,
    NETVSP_SUB_CHANNEL = 133,
};

#define NETVSP_STATUS_SUCCESS 1u
#define NETVSP_STATUS_FAILURE 2u
#define NETVSP_STATUS_INVALID_PACKET 5u
#define NETVSP_STATUS_BUSY 6u

#define NETVSP_CHANNEL_DATA 0u /* of an RNDIS packet */
#define NETVSP_CHANNEL_CONTROL 1u
#define NETVSP_NO_SECTION UINT32_MAX

/** Of a message: from version 6.1 on, and before. */
#define NETVSP_MESSAGE_BYTES 0x28u
#define NETVSP_MESSAGE_BYTES_OLD 0x1cu

/** Parts of the buffers that a guest lends, as Hyper-V divides them. */
#define NETVSP_RECEIVE_SECTION_BYTES 1728u
#define NETVSP_SEND_SECTION_BYTES 6144u

#endif
