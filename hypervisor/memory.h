/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_MEMORY_H
#define HVSIM_HYPERVISOR_MEMORY_H

/**
 * System physical memory by NUMA node, and the deposit model (TLFS, "Memory
 * Management"): each partition has a pool of pages deposited for it, from
 * which the hypervisor takes table pages and VP state. At start the hypervisor
 * keeps some pages of each node for itself; all others belong to the root.
 */

#include "hypervisor/hv_status.h"
#include "hypervisor/hypervisor.h"

struct hv_memory;
struct memory_pool;

/** Lays the nodes out from SPA 0 upwards, in order. */
MUST_USE enum sim_status memory_create(struct hv_memory **out,
                                       const struct hv_node_config *nodes,
                                       uint32_t node_count,
                                       struct sim_error *error);
void memory_free(struct hv_memory *memory);

uint64_t memory_total_bytes(const struct hv_memory *memory);
uint32_t memory_node_of(const struct hv_memory *memory, spa_t at);

/** The hypervisor's own pages (bootstrap, overlay pages of the root). False
 *  if they are used up. The page is zeroed. */
bool memory_take_own(struct hv_memory *memory, spa_t *page);

/** Which pages of `node` the root owns at start, for its allocator. */
void memory_root_range(const struct hv_memory *memory, uint32_t node,
                       spa_t *first, uint64_t *pages);

struct memory_pool *memory_pool_create(void); /* NULL: out of host memory */
void memory_pool_free(struct memory_pool *pool);

/** Adds a page. OBJECT_IN_USE if it is in some pool already. */
enum hv_status memory_pool_deposit(struct hypervisor *hv,
                                   struct memory_pool *pool, spa_t page);

/** Takes a free page out again, for its depositor; false if none is free. */
bool memory_pool_withdraw(struct hypervisor *hv, struct memory_pool *pool,
                          spa_t *page);

/** Takes a zeroed page for the hypervisor's use; false: deposit first. */
bool memory_pool_take(struct hypervisor *hv, struct memory_pool *pool,
                      spa_t *page);

/** Gives a page taken before back to its pool. */
void memory_pool_give(struct memory_pool *pool, spa_t page);

uint64_t memory_pool_available(const struct memory_pool *pool);
uint64_t memory_pool_in_use(const struct memory_pool *pool);

#endif
