/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_CPU_ARENA_H
#define HVSIM_CPU_ARENA_H

/**
 * The simulated system physical memory: one span of host memory, addressed by
 * SPA from 0, shared by every engine of a machine. Untouched pages cost no
 * host memory and read as zero.
 *
 * Every store that a processor's own instructions do not make (hypercall
 * output, page-table walks, exception frames, device DMA) goes through
 * arena_write() or arena_or64(): they tell the code-page table first, so that
 * no engine goes on with stale translations (cpu/code_pages.h).
 */

#include <stddef.h>

#include "sim/core/error.h"
#include "sim/core/types.h"

struct code_pages;

struct arena {
    uint8_t *base;           /* owns; read through it, never store */
    uint64_t bytes;          /* a multiple of 2 MiB */
    struct code_pages *code; /* owns */
};

/** Reserves `bytes` (rounded up to 2 MiB) of zeroed memory. */
MUST_USE enum sim_status arena_create(struct arena **out, uint64_t bytes,
                                      struct sim_error *error);
void arena_free(struct arena *arena);

/** True if [at, at + bytes) lies inside the arena; no overflow. */
static inline bool arena_contains(const struct arena *arena, spa_t at,
                                  uint64_t bytes)
{
    return at.raw <= arena->bytes && bytes <= arena->bytes - at.raw;
}

/** Loads 8 bytes; `at` is 8-byte aligned and CHECKed to be inside. */
uint64_t arena_load64(const struct arena *arena, spa_t at);

/** Sets bits of the 8 bytes at `at` (accessed and dirty bits). */
void arena_or64(struct arena *arena, spa_t at, uint64_t bits);

/** Stores 8 bytes; `at` is 8-byte aligned. */
void arena_store64(struct arena *arena, spa_t at, uint64_t value);

/** Copies out of / into the arena; the range is CHECKed to be inside. */
void arena_read(const struct arena *arena, spa_t from, void *to, size_t bytes);
void arena_write(struct arena *arena, spa_t to, const void *from, size_t bytes);

/** Zeroes whole pages, giving their host memory back where it can. */
void arena_zero_pages(struct arena *arena, spa_t at, uint64_t pages);

/** Bytes of host memory that the arena's touched pages occupy now. */
uint64_t arena_resident_bytes(const struct arena *arena);

#endif
