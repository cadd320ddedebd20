/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_CORE_TYPES_H
#define HVSIM_SIM_CORE_TYPES_H

/**
 * Value types that must not be mixed up: addresses of three spaces, times in
 * two units, and the identifiers of processors and partitions. Each is a
 * one-field struct, so that handing a GPA to whoever expects an SPA does not
 * compile; GCC emits the same code as for a plain integer.
 *
 * gva -> gpa happens in cpu/mmu.c, gpa -> spa in cpu/slat.c, cycles <->
 * nanoseconds <-> reference time in sim/core/clock.c, and nowhere else.
 */

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint64_t raw;
} gva_t; /* guest virtual: what a guest instruction names (linear) */

typedef struct {
    uint64_t raw;
} gpa_t; /* guest physical: what the guest's page tables yield */

typedef struct {
    uint64_t raw;
} spa_t; /* system physical: what second-level translation yields */

typedef struct {
    uint64_t v;
} cycles_t; /* TSC cycles: the simulator's "now" and its durations */

typedef struct {
    uint64_t v;
} reftime_t; /* Hyper-V reference time, units of 100 ns */

typedef struct {
    uint32_t v;
} lp_id_t; /* logical processor, 0 .. lp_count - 1 */

typedef struct {
    uint32_t v;
} vp_index_t; /* virtual processor within its partition, 0 .. */

typedef struct {
    uint64_t v;
} partition_id_t; /* unique per run; 0 is invalid, ~0 means "self" */

#define PAGE_SHIFT 12
#define PAGE_BYTES (UINT64_C(1) << PAGE_SHIFT)
#define PAGE_MASK (PAGE_BYTES - 1)

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(format_index, first)                                       \
    __attribute__((format(printf, format_index, first)))

static inline gva_t gva(uint64_t raw)
{
    return (gva_t){raw};
}

static inline gpa_t gpa(uint64_t raw)
{
    return (gpa_t){raw};
}

static inline spa_t spa(uint64_t raw)
{
    return (spa_t){raw};
}

static inline cycles_t cycles(uint64_t v)
{
    return (cycles_t){v};
}

static inline gva_t gva_add(gva_t a, uint64_t bytes)
{
    return (gva_t){a.raw + bytes};
}

static inline gpa_t gpa_add(gpa_t a, uint64_t bytes)
{
    return (gpa_t){a.raw + bytes};
}

static inline spa_t spa_add(spa_t a, uint64_t bytes)
{
    return (spa_t){a.raw + bytes};
}

static inline gva_t gva_page(gva_t a)
{
    return (gva_t){a.raw & ~PAGE_MASK};
}

static inline gpa_t gpa_page(gpa_t a)
{
    return (gpa_t){a.raw & ~PAGE_MASK};
}

static inline spa_t spa_page(spa_t a)
{
    return (spa_t){a.raw & ~PAGE_MASK};
}

static inline cycles_t cycles_add(cycles_t a, cycles_t b)
{
    return (cycles_t){a.v + b.v};
}

/** a - b; the caller knows that a is not before b. */
static inline cycles_t cycles_sub(cycles_t a, cycles_t b)
{
    return (cycles_t){a.v - b.v};
}

static inline bool cycles_before(cycles_t a, cycles_t b)
{
    return a.v < b.v;
}

static inline cycles_t cycles_min(cycles_t a, cycles_t b)
{
    return a.v < b.v ? a : b;
}

static inline cycles_t cycles_max(cycles_t a, cycles_t b)
{
    return a.v > b.v ? a : b;
}

/** A time that never comes. */
#define CYCLES_NEVER ((cycles_t){UINT64_MAX})

#endif
