/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_CPU_TLB_H
#define HVSIM_CPU_TLB_H

/**
 * The architectural translation cache of one VP. The engine's own cache is
 * always a subset of this one: whatever the engine forgets and asks for again
 * is answered from here without a walk. So page walks, accessed and dirty
 * bits, and their price depend on what the guest does alone, never on how an
 * engine's version sizes or flushes its cache.
 *
 * Capacity: grows with use; when `capacity_max` pages are held, the next
 * insertion empties it first and says so, and the engine must flush too.
 */

#include "cpu/mmu.h"

struct tlb;

/** The caller owns it. */
struct tlb *tlb_create(uint32_t capacity_max);
void tlb_free(struct tlb *tlb);

/** NULL on a miss; valid until the next call that changes the TLB.
 *  `engine_epoch` in the entry is the engine's, see tlb_mark(). */
const struct mmu_translation *tlb_find(const struct tlb *tlb, gva_t page);

/** Adds or replaces. True if all others had to be dropped to make room. */
bool tlb_insert(struct tlb *tlb, gva_t page,
                const struct mmu_translation *translation);

/** Notes that the engine holds `page` since its flush number `epoch`. */
void tlb_mark(struct tlb *tlb, gva_t page, uint32_t epoch);

/** MOV CR3: everything but global pages (if `keep_global`). */
void tlb_flush(struct tlb *tlb, bool keep_global);

/**
 * INVLPG: drops the page, and every piece of a large page that covers it.
 * True if the engine may hold any of the dropped since `epoch`, so that it
 * must be flushed.
 */
bool tlb_flush_page(struct tlb *tlb, gva_t page, uint32_t epoch);

uint32_t tlb_count(const struct tlb *tlb);

#endif
