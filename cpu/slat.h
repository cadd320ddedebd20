/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_CPU_SLAT_H
#define HVSIM_CPU_SLAT_H

/**
 * Second-level address translation: gpa -> spa by four-level tables that live
 * in simulated SPA memory, in the layout of the nested page tables of AMD64
 * (APM volume 2, "Nested Paging"): the same bits as a long-mode page table,
 * NX included, U always set. The processor's walker reads them here; the
 * hypervisor builds them (hypervisor/gpa_space.c) with slat_entry_*().
 */

#include "cpu/arena.h"
#include "sim/core/types.h"

struct slat_root {
    spa_t table; /* of the top level; 4 KiB aligned */
};

/**
 * The second level that is not there: gpa == spa, everything allowed, no
 * table to read. For bare-metal walks and for shadow page tables.
 */
#define SLAT_IDENTITY ((struct slat_root){{UINT64_MAX}})

#define SLAT_P (UINT64_C(1) << 0)
#define SLAT_W (UINT64_C(1) << 1)
#define SLAT_U (UINT64_C(1) << 2)
#define SLAT_A (UINT64_C(1) << 5)
#define SLAT_D (UINT64_C(1) << 6)
#define SLAT_LARGE (UINT64_C(1) << 7)
#define SLAT_NX (UINT64_C(1) << 63)
#define SLAT_ADDRESS UINT64_C(0x000ffffffffff000)

#define SLAT_GPA_BITS 48

struct slat_translation {
    spa_t spa;      /* of the byte asked for */
    unsigned shift; /* 12, 21 or 30: the size of the mapping */
    bool writable;
    bool executable;
    bool dirty;          /* the leaf's dirty bit, after this walk */
    unsigned references; /* table entries read */
};

/**
 * Walks for `at`. False if no present mapping covers it, if an entry is
 * malformed (U clear, LARGE at the top level), or if a table or the byte
 * itself lies outside the arena; `references` is set even then. Rights are
 * reported, not checked. On success sets accessed bits, and the dirty bit when
 * `write` is set and the mapping is writable.
 */
bool slat_translate(struct arena *arena, struct slat_root root, gpa_t at,
                    bool write, struct slat_translation *out);

#endif
