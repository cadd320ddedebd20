/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_PARTITIONS_ROOT_MEMORY_H
#define HVSIM_PARTITIONS_ROOT_MEMORY_H

/**
 * The root's physical memory allocator: which of the pages that the root owns
 * are free, by NUMA node, in 4 KiB pages and 2 MiB blocks. Owned by the root.
 * Nothing here touches memory or costs time; who uses a page pays for it.
 */

#include "hypervisor/memory.h"

struct root_memory;

#define ROOT_MEMORY_BLOCK_BYTES (UINT64_C(2) << 20)

/** All that the hypervisor left to the root; `reserved_bytes` of it, spread
 *  evenly over the nodes, are the root's own and never handed out. */
struct root_memory *root_memory_create(const struct hv_memory *memory,
                                       uint32_t node_count,
                                       uint64_t reserved_bytes);
void root_memory_free(struct root_memory *rm);

/** A page, or a 2 MiB block aligned to its size, from `node` if it has one,
 *  else from the next node that has. False if none is left. */
bool root_memory_take_page(struct root_memory *rm, uint32_t node, spa_t *page);
bool root_memory_take_block(struct root_memory *rm, uint32_t node,
                            spa_t *block);

/** Gives back what was taken. False if out of (host) memory to note it: the
 *  page is then lost to the simulated machine. */
bool root_memory_give_page(struct root_memory *rm, spa_t page);
bool root_memory_give_block(struct root_memory *rm, spa_t block);

uint64_t root_memory_free_bytes(const struct root_memory *rm);
uint64_t root_memory_node_free_bytes(const struct root_memory *rm,
                                     uint32_t node);

#endif
