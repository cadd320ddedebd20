/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_VMBUS_GPADL_H
#define HVSIM_VMBUS_GPADL_H

/**
 * GPADLs (guest physical address descriptor lists): guest memory that a guest
 * lends to a channel under a number, for its rings or for a device's buffers.
 * One arrives as a GPADL_HEADER and as many GPADL_BODYs as its page numbers
 * need, and can be used when the last is there. Owned by the bus
 * (vmbus_gpadl.c), which bounds how much of them a guest may have.
 */

#include "hypervisor/hypervisor.h"
#include "sim/core/guest_memory.h"
#include "vmbus/ranges.h"
#include "vmbus/vmbus_abi.h"

struct vmbus_gpadl;

/** Begins GPADL `id` of channel `relid` with `total_bytes` of ranges to come.
 *  The caller owns it. NULL: a size that cannot be, or no memory. */
struct vmbus_gpadl *vmbus_gpadl_create(struct guest_memory memory,
                                       uint32_t relid, uint32_t id,
                                       uint32_t total_bytes,
                                       uint32_t range_count);
void vmbus_gpadl_free(struct vmbus_gpadl *gpadl);

enum vmbus_gpadl_state {
    VMBUS_GPADL_INCOMPLETE, /* more is to come */
    VMBUS_GPADL_READY,
    VMBUS_GPADL_MALFORMED,
};

/** Takes the next piece of its ranges. What exceeds the announced size is
 *  ignored: the last message may be padded. */
enum vmbus_gpadl_state vmbus_gpadl_append(struct vmbus_gpadl *gpadl,
                                          const void *data, size_t bytes);

enum vmbus_gpadl_state vmbus_gpadl_state(const struct vmbus_gpadl *gpadl);
uint32_t vmbus_gpadl_id(const struct vmbus_gpadl *gpadl);
uint32_t vmbus_gpadl_relid(const struct vmbus_gpadl *gpadl);
/** Of its ranges' description: what it costs us to keep it. */
uint32_t vmbus_gpadl_description_bytes(const struct vmbus_gpadl *gpadl);
/** NULL unless it is READY; borrowed as long as the GPADL lives. */
const struct vmbus_ranges *vmbus_gpadl_ranges(const struct vmbus_gpadl *gpadl);
/** How many bytes it names; 0 unless it is READY. */
uint64_t vmbus_gpadl_bytes(const struct vmbus_gpadl *gpadl);

/**
 * For devices: copies from or to the memory lent, billed as VMBUS_COPY. False
 * if that exceeds it (nothing was copied) or a page is not there (what is
 * before it was copied).
 */
bool vmbus_gpadl_read(const struct vmbus_gpadl *gpadl,
                      struct hv_context *context, uint64_t offset, void *to,
                      size_t bytes);
bool vmbus_gpadl_write(const struct vmbus_gpadl *gpadl,
                       struct hv_context *context, uint64_t offset,
                       const void *from, size_t bytes);

#endif
