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

/** Bounds of a node's memory; what is more than whole 2 MiB is not used. */
#define MEMORY_NODE_BYTES_MIN (UINT64_C(8) << 20)
#define MEMORY_NODE_BYTES_MAX (UINT64_C(4) << 40)

/** Lays the nodes out from SPA 0 upwards, in order. */
MUST_USE enum sim_status memory_create(struct hv_memory **out,
                                       const struct hv_node_config *nodes,
                                       uint32_t node_count,
                                       struct sim_error *error);
void memory_free(struct hv_memory *memory);

uint64_t memory_total_bytes(const struct hv_memory *memory);
uint32_t memory_node_of(const struct hv_memory *memory, spa_t at);

/** The hypervisor's own pages, from which the root's pool is filled at start:
 *  enough for tables that map all memory by 4 KiB, and then some. False if
 *  they are used up. They count as deposited from the beginning. */
bool memory_take_own(struct hv_memory *memory, spa_t *page);

/** Which pages of `node` the root owns at start, for its allocator. */
void memory_root_range(const struct hv_memory *memory, uint32_t node,
                       spa_t *first, uint64_t *pages);

struct memory_pool *memory_pool_create(void); /* NULL: out of host memory */
void memory_pool_free(struct memory_pool *pool);

/** How the mappings of children are counted: a page that a child can reach
 *  must not become the hypervisor's. `large` counts all of its 2 MiB. */
void memory_share(struct hv_memory *memory, spa_t page, bool large);
void memory_unshare(struct hv_memory *memory, spa_t page, bool large);

/** True if some child's GPA space maps the 4 KiB page. */
bool memory_is_shared(const struct hv_memory *memory, spa_t page);

/** Adds one of the hypervisor's own pages. False: out of host memory. */
bool memory_pool_adopt(struct memory_pool *pool, spa_t own);

/** Adds a page. OBJECT_IN_USE if it is in some pool already; NO_RESOURCES if
 *  the host machine is out of memory. */
enum hv_status memory_pool_deposit(struct hypervisor *hv,
                                   struct memory_pool *pool, spa_t page);

/** Takes a free page out again, zeroed, for its depositor; false if none is
 *  free. */
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
