/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_VMBUS_RANGES_H
#define HVSIM_VMBUS_RANGES_H

/**
 * Guest memory as a guest names it in GPADLs and GPA-direct packets: ranges of
 * bytes on lists of pages. What is parsed here is a copy and has been checked:
 * each range has bytes, and pages for all of them. Offsets count through all
 * ranges in order. Whether the pages exist shows when they are touched.
 */

#include <stddef.h>

#include "sim/core/guest_memory.h"
#include "sim/core/types.h"

struct vmbus_ranges;

/**
 * Parses `range_count` ranges, which lie at `data` one behind the other (each
 * a struct vmbus_range and its pages) and fill `bytes` exactly. The caller
 * owns the result. NULL: malformed, empty, or no memory.
 */
struct vmbus_ranges *vmbus_ranges_parse(const void *data, size_t bytes,
                                        uint32_t range_count);
/** Another one like it, e.g. to keep those of a packet for later; NULL: no
 *  memory. */
struct vmbus_ranges *vmbus_ranges_copy(const struct vmbus_ranges *ranges);
void vmbus_ranges_free(struct vmbus_ranges *ranges);

uint32_t vmbus_ranges_count(const struct vmbus_ranges *ranges);
/** How many bytes all ranges have together; never 0. */
uint64_t vmbus_ranges_bytes(const struct vmbus_ranges *ranges);

/** Whether it is one range of whole pages, as a ring has to be. */
bool vmbus_ranges_is_contiguous(const struct vmbus_ranges *ranges);

/** Copies from or to guest memory. False if that exceeds the ranges (nothing
 *  was copied then) or a page is not there (what is before it was copied). */
bool vmbus_ranges_read(const struct vmbus_ranges *ranges,
                       struct guest_memory memory, uint64_t offset, void *to,
                       size_t bytes);
bool vmbus_ranges_write(const struct vmbus_ranges *ranges,
                        struct guest_memory memory, uint64_t offset,
                        const void *from, size_t bytes);

#endif
