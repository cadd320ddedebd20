/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_VMBUS_GPADL_H
#define HVSIM_VMBUS_GPADL_H

/**
 * GPADLs (guest physical address descriptor lists): guest memory that a guest
 * lends to a channel under a number, for its rings or for a device's buffers.
 * One arrives as a GPADL_HEADER and as many GPADL_BODYs as its page numbers
 * need, and can be used when the last is there. The bus of a VM has a table of
 * them, which bounds how much a guest can make us keep.
 */

#include "hypervisor/hypervisor.h"
#include "sim/core/guest_memory.h"
#include "vmbus/ranges.h"
#include "vmbus/vmbus_abi.h"

struct vmbus_gpadl;

/* For devices (see vmbus_channel_gpadl()). */

/** How many bytes it names. */
uint64_t vmbus_gpadl_bytes(const struct vmbus_gpadl *gpadl);

/** Copies from or to the memory lent, billed as VMBUS_COPY. False if that
 *  exceeds it (nothing was copied) or a page is not there (what is before it
 *  was copied). */
bool vmbus_gpadl_read(const struct vmbus_gpadl *gpadl,
                      struct hv_context *context, uint64_t offset, void *to,
                      size_t bytes);
bool vmbus_gpadl_write(const struct vmbus_gpadl *gpadl,
                       struct hv_context *context, uint64_t offset,
                       const void *from, size_t bytes);

/* For the bus. */

/** What a VM can have: GPADLs, and bytes of their description, of which a page
 *  takes 8. 64 sub-channels of a network card have some 200 and 400 KiB. */
#define VMBUS_GPADLS_MAX 4096u
#define VMBUS_GPADL_DESCRIPTION_BYTES_MAX (16u << 20)

struct vmbus_gpadl_table;

/** The caller owns the table. NULL: no memory. */
struct vmbus_gpadl_table *vmbus_gpadl_table_create(struct guest_memory memory);
void vmbus_gpadl_table_free(struct vmbus_gpadl_table *table);

enum vmbus_gpadl_state {
    VMBUS_GPADL_INCOMPLETE, /* more is to come */
    VMBUS_GPADL_READY,
    VMBUS_GPADL_REFUSED, /* cannot be, or too much; nothing was kept */
};

/** A header arrived, with `bytes` of its ranges at `data`. REFUSED also if
 *  there is one of that number already, which stays. */
enum vmbus_gpadl_state
vmbus_gpadl_begin(struct vmbus_gpadl_table *table,
                  const struct vmbus_gpadl_header *header, const void *data,
                  size_t bytes);

/** A body arrived, with more of the ranges of `gpadl`, which is INCOMPLETE, and
 *  gone if this is REFUSED. What exceeds the announced size is ignored, as the
 *  last message may be padded. */
enum vmbus_gpadl_state vmbus_gpadl_append(struct vmbus_gpadl_table *table,
                                          struct vmbus_gpadl *gpadl,
                                          const void *data, size_t bytes);

/** NULL: none of that number. The table's until it is dropped. */
struct vmbus_gpadl *vmbus_gpadl_find(const struct vmbus_gpadl_table *table,
                                     uint32_t id);
enum vmbus_gpadl_state vmbus_gpadl_state(const struct vmbus_gpadl *gpadl);
/** The channel that it was lent to. */
uint32_t vmbus_gpadl_relid(const struct vmbus_gpadl *gpadl);
/** NULL unless it is READY; borrowed until it is dropped. */
const struct vmbus_ranges *vmbus_gpadl_ranges(const struct vmbus_gpadl *gpadl);

void vmbus_gpadl_drop(struct vmbus_gpadl_table *table,
                      struct vmbus_gpadl *gpadl);
/** Drops those that were lent to the channel. */
void vmbus_gpadl_drop_channel(struct vmbus_gpadl_table *table, uint32_t relid);
void vmbus_gpadl_drop_all(struct vmbus_gpadl_table *table);

#endif
