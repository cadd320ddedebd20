/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_WORKLOADS_RUNTIME_PAGING_H
#define HVSIM_WORKLOADS_RUNTIME_PAGING_H

/**
 * The guest's page tables (4 levels). All RAM is mapped at its own address by
 * 2 MiB pages, writable and not executable; the image by 4 KiB pages, its
 * code read-only and executable, its constants read-only; page 0 and the
 * boot stack's guard page not at all. Stacks live in a window of their own.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define PTE_PRESENT (UINT64_C(1) << 0)
#define PTE_WRITE (UINT64_C(1) << 1)
#define PTE_USER (UINT64_C(1) << 2)
#define PTE_UNCACHED (UINT64_C(1) << 4)
#define PTE_ACCESSED (UINT64_C(1) << 5)
#define PTE_DIRTY (UINT64_C(1) << 6)
#define PTE_LARGE (UINT64_C(1) << 7)
#define PTE_GLOBAL (UINT64_C(1) << 8)
#define PTE_NX (UINT64_C(1) << 63)
#define PTE_ADDRESS UINT64_C(0x000ffffffffff000)

/** Levels as paging_entry() counts them: what one entry of it maps. */
enum paging_level {
    PAGING_4K = 1,
    PAGING_2M = 2,
    PAGING_1G = 3,
    PAGING_512G = 4,
};

/** Builds the tables and loads CR3. Needs memory_init(). */
void paging_init(void);

/** The physical address of the top table: what CR3 holds. */
uint64_t paging_root(void);

/** The entry for `virtual` at `level`, making the tables above it, which give
 *  away all rights (the lowest entry decides). The caller does INVLPG. */
uint64_t *paging_entry(uint64_t virtual, enum paging_level level);

/** Maps one 4 KiB page; `flags` are PTE_ bits. The caller does INVLPG where
 *  the page may have been mapped before. */
void paging_map(uint64_t virtual, uint64_t physical, uint64_t flags);

/** A stack of `pages` pages between unmapped guard pages; its top (highest
 *  address, 16-aligned). */
uint64_t paging_new_stack(size_t pages);

#endif
