/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_CPU_TABLES_H
#define HVSIM_TESTS_CPU_TABLES_H

/**
 * Builds guest page tables and second-level tables in a small arena, for the
 * tests of the walkers. Guest memory is GPA 0 .. TABLES_GUEST_BYTES; it lies
 * at SPA TABLES_GUEST_SPA, so that no GPA is by chance its own SPA.
 */

#include "cpu/mmu.h"

#define TABLES_ARENA_BYTES (UINT64_C(64) << 20)
#define TABLES_GUEST_SPA (UINT64_C(32) << 20)
#define TABLES_GUEST_BYTES (UINT64_C(16) << 20)

/* Bits of guest page-table entries. */
#define PTE_P (UINT64_C(1) << 0)
#define PTE_W (UINT64_C(1) << 1)
#define PTE_U (UINT64_C(1) << 2)
#define PTE_A (UINT64_C(1) << 5)
#define PTE_D (UINT64_C(1) << 6)
#define PTE_PS (UINT64_C(1) << 7)
#define PTE_G (UINT64_C(1) << 8)
#define PTE_NX (UINT64_C(1) << 63)

struct tables {
    struct arena *arena;
    struct slat_root slat;
    uint64_t next_slat_page;  /* SPA of the next free page for SLAT tables */
    uint64_t next_guest_page; /* GPA of the next free page for guest tables */
    struct mmu_context context;
};

/** Maps all guest memory with second-level pages of 1 << `slat_shift` bytes,
 *  and sets up `context` for long mode with an empty top-level table. */
void tables_create(struct tables *tables, unsigned slat_shift);
void tables_free(struct tables *tables);

/** The second level's tables: maps one page (12, 21 or 30). */
void tables_map_gpa(struct tables *tables, gpa_t at, spa_t to, unsigned shift,
                    uint64_t flags);

/** Where the entry for `at` at the level of `shift` lies; CHECKs that it and
 *  all above are there. */
spa_t tables_slat_entry(const struct tables *tables, gpa_t at, unsigned shift);

/** The guest's tables, in the mode that the context describes (PAE: and its
 *  pdpte). Missing tables get all rights. Top shift as the mode has it. */
void tables_map(struct tables *tables, gva_t at, uint64_t to, unsigned shift,
                uint64_t flags);

/** Loads, and replaces, the guest's entry for `at` at the level of `shift`. */
uint64_t tables_entry(const struct tables *tables, gva_t at, unsigned shift);
void tables_set_entry(struct tables *tables, gva_t at, unsigned shift,
                      uint64_t entry);

/** The GPA of that entry. */
gpa_t tables_entry_gpa(const struct tables *tables, gva_t at, unsigned shift);

/** Switches the context to an empty set of tables of another mode. */
void tables_use_32bit(struct tables *tables);
void tables_use_pae(struct tables *tables, uint64_t pdpte[4]);

#endif
