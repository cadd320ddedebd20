/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_CPU_MMU_H
#define HVSIM_CPU_MMU_H

/**
 * The processor's page walk: gva -> gpa by the guest's own tables in every
 * paging mode (none, 32-bit with and without PSE, PAE, 4-level), each table
 * reference translated by the second level, each counted. Implements rights
 * (U/S, R/W, NX, WP, SMEP, SMAP), reserved-bit checks, accessed and dirty
 * bits as SDM 3A, "Paging", says. Pure over (context, arena): no engine.
 */

#include "cpu/arena.h"
#include "cpu/slat.h"
#include "sim/core/types.h"

enum mmu_access { MMU_READ, MMU_WRITE, MMU_FETCH };

/** What a walk depends on; derived from the VP's registers. */
struct mmu_context {
    struct arena *arena;
    struct slat_root slat;
    uint64_t cr0, cr3, cr4, efer;
    bool user;              /* CPL 3, and the access is not implicit */
    bool alignment_check;   /* RFLAGS.AC: lifts SMAP for explicit accesses */
    bool implicit;          /* implicit supervisor access: SMAP holds anyway */
    unsigned physical_bits; /* MAXPHYADDR as CPUID states it; at most 52 */
    bool look_only;         /* set no accessed or dirty bits in the guest's
                               tables: not the processor asks */
    bool pages_1g;          /* CPUID offers 1 GiB pages; else reserved */
    const uint64_t *pdpte;  /* PAE: the four cached PDPTEs (borrowed); NULL:
                               none is present. No other mode looks at it */
};

/** A page (4 KiB of whatever size of mapping) and what it allows. */
struct mmu_translation {
    gpa_t gpa;     /* of the 4 KiB page */
    spa_t spa;     /* of the 4 KiB page */
    uint8_t shift; /* guest mapping size: 12, 21, 22 or 30 */
    bool user;     /* U/S at every level */
    bool writable; /* R/W at every level, second level included */
    bool slat_writable;
    bool executable; /* no NX at any level, second level included */
    bool global;
    bool dirty; /* the leaves' dirty bits are set, the second level's
                   too: a write has nothing left to note */
    uint16_t guest_references; /* guest table entries read */
    uint16_t slat_references;  /* second-level entries read */
};

enum mmu_result {
    MMU_OK,
    MMU_PAGE_FAULT, /* the guest's tables do not allow it: #PF */
    MMU_SLAT_FAULT, /* the second level does not map or allow it */
};

struct mmu_fault {
    uint32_t error_code; /* MMU_PAGE_FAULT: as pushed with #PF */
    gpa_t gpa;           /* MMU_SLAT_FAULT: the GPA that was wanted */
    bool in_walk;        /* MMU_SLAT_FAULT: a table, not the page itself */
    bool write;          /* MMU_SLAT_FAULT: the reference was a write */
    uint16_t guest_references; /* what the walk read before it failed */
    uint16_t slat_references;
};

/**
 * Translates the page of `at` for `access`. On MMU_OK accessed bits (and the
 * dirty bit for a write) are set in the guest's tables and `out` is filled;
 * otherwise `fault` is filled and no bit of the guest's tables is changed.
 * `at` is canonical: the caller has raised #GP or #SS otherwise. Outside long
 * mode only its low 32 bits count.
 *
 * Accessed bits: real processors may set those of the upper levels even when
 * a lower level then faults, or by speculation; guests must live with both.
 * Here they are set when, and only when, the whole walk succeeds, so that they
 * depend on nothing but the program.
 */
MUST_USE enum mmu_result mmu_translate(const struct mmu_context *context,
                                       gva_t at, enum mmu_access access,
                                       struct mmu_translation *out,
                                       struct mmu_fault *fault);

/**
 * Whether a translation made earlier allows `access` now, under the rights of
 * `context` (CPL, WP, SMEP, SMAP): what a TLB hit checks. A write to a page
 * that is not dirty yet is not allowed: walk again.
 */
bool mmu_allows(const struct mmu_context *context,
                const struct mmu_translation *translation,
                enum mmu_access access);

/**
 * Loads the four PDPTEs as MOV CR3 does in PAE mode. False: reserved bits are
 * set in a present one (#GP) or the table is not mapped.
 */
bool mmu_load_pdptes(const struct mmu_context *context, uint64_t pdpte[4]);

#endif
