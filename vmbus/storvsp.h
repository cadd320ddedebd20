/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_VMBUS_STORVSP_H
#define HVSIM_VMBUS_STORVSP_H

/**
 * The storage service provider: one synthetic SCSI controller with up to 64
 * disks, on a VMBus channel and, if the guest asks for them, sub-channels. It
 * negotiates, executes SCSI requests by scsi.c, and answers each when its
 * disk's medium is done with it. Protocol versions 2.0, 4.2, 5.1, 6.0 and 6.2.
 *
 *     struct storvsp *storvsp = storvsp_create(memory, 0, 0);
 *     storvsp_attach(storvsp, NULL, lun, disk);
 *     struct vmbus_offer offer = storvsp_offer(storvsp);
 *     vmbus_offer(bus, NULL, &offer);
 *
 * From vmbus_offer() on the bus owns it; it owns its disks. Layouts are those
 * that Linux' storvsc_drv.c and OpenVMM's storvsp share.
 *
 * What a guest sends is executed when its packet is taken: data moves then, and
 * time passes afterwards. Not modelled: fibre channel, IDE, reservations.
 */

#include "perfcounters/pc_feed.h"
#include "vmbus/channel.h"
#include "vmbus/disk.h"
#include "vmbus/vmbus.h"

/** As many as Hyper-V has controllers in a VM. */
#define STORVSP_CONTROLLERS_MAX 4
#define STORVSP_LUNS_MAX 64
#define STORVSP_SUB_CHANNELS_MAX 15
/** Requests of one channel that the guest waits for; more stay in its ring. */
#define STORVSP_PENDING_MAX 256

struct storvsp;

/** Controller `number` of the VM with that memory, from 0; it decides the
 *  instance GUID. A guest may have `sub_channels_max` channels besides the
 *  first: Hyper-V allows one channel for each 16 VPs. NULL: no memory. */
struct storvsp *storvsp_create(struct guest_memory memory, uint32_t number,
                               uint16_t sub_channels_max);
/** For who did not offer it; else the bus does. */
void storvsp_free(struct storvsp *storvsp);

/** What to call vmbus_offer() with. */
struct vmbus_offer storvsp_offer(struct storvsp *storvsp);

/**
 * Puts a disk at path 0, target 0, and that LUN, and takes it. A guest that is
 * there already is told to look again. `context` as vmbus_offer()'s. False,
 * and the disk is still the caller's, if the LUN is taken or none.
 */
bool storvsp_attach(struct storvsp *storvsp, struct hv_context *context,
                    uint32_t lun, struct disk *disk);
/** Takes the disk out and frees it; requests that it had are still answered.
 *  False if there is none. */
bool storvsp_detach(struct storvsp *storvsp, struct hv_context *context,
                    uint32_t lun);

/** What the guest has had done to the disks at that LUN, one after another;
 *  lives as long as the controller. */
const struct pc_disk *storvsp_counters(const struct storvsp *storvsp,
                                       uint32_t lun);
/** NULL if there is none. Borrowed until detached. */
const struct disk *storvsp_disk(const struct storvsp *storvsp, uint32_t lun);

/** The protocol version agreed on, 0x0602 for 6.2; 0: not yet. */
uint16_t storvsp_version(const struct storvsp *storvsp);

#endif
