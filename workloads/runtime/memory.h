/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_WORKLOADS_RUNTIME_MEMORY_H
#define HVSIM_WORKLOADS_RUNTIME_MEMORY_H

/**
 * Physical memory: what the loader said there is, and an allocator that hands
 * out pages and takes none back (guests live for one run). Virtual equals
 * physical for all RAM, so a page's address is its pointer.
 */

#include <stddef.h>
#include <stdint.h>

#define PAGE_BYTES 4096u
#define LARGE_PAGE_BYTES (UINT64_C(2) << 20)

/** `info` is the multiboot information structure's physical address. Copies
 *  what it needs: the structure may lie in memory handed out later. Returns
 *  the command line, or NULL; it is valid until memory_pages() is called. */
const char *memory_init(uint32_t magic, uint32_t info);

/** The end of the RAM that holds the image. */
uint64_t memory_end(void);

/** `count` zeroed contiguous pages, or a `hvsim: fail` when none are left. */
void *memory_pages(size_t count);

/** As memory_pages(), starting at a multiple of 2 MiB. */
void *memory_large_pages(size_t count);

#endif
