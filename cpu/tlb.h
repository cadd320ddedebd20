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

/** `capacity_max` is 1 to 2^28. The caller owns it. Memory grows with the
 *  pages held; when the host has none left, a CHECK ends the run: dropping
 *  entries instead would make results depend on the host. */
struct tlb *tlb_create(uint32_t capacity_max);
void tlb_free(struct tlb *tlb);

/** NULL on a miss; valid until the next call that changes the TLB. `page` is
 *  the address of a 4 KiB page, here and below. */
const struct mmu_translation *tlb_find(const struct tlb *tlb, gva_t page);

/** Adds or replaces; a mark of the page stays. True if all others had to be
 *  dropped to make room. */
bool tlb_insert(struct tlb *tlb, gva_t page,
                const struct mmu_translation *translation);

/** Notes that the engine holds `page` since its flush number `epoch`. True if
 *  that was noted already, so that the engine has forgotten it in between.
 *  Nothing to do if the page is not here. */
bool tlb_mark(struct tlb *tlb, gva_t page, uint32_t epoch);

/** MOV CR3: everything but global pages (if `keep_global`). The engine, which
 *  knows no global pages, flushes all and begins a new epoch. */
void tlb_flush(struct tlb *tlb, bool keep_global);

/**
 * INVLPG: drops the page, global or not, and every piece of a large page that
 * covers it. True if the engine holds any of the dropped: if its mark is
 * `epoch`, the engine's current one. Then the engine must be flushed.
 */
bool tlb_flush_page(struct tlb *tlb, gva_t page, uint32_t epoch);

/** Pages held. */
uint32_t tlb_count(const struct tlb *tlb);

#endif
