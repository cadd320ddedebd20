/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Design. The page and the MSR must agree: a read of the MSR between two reads
 * of the page lies between them (TLFS, "Partition Reference Time
 * Enlightenment"). Two formulas that each round would differ by one unit now
 * and then, so there is one: the page's, (tsc * scale >> 64) + offset. That is
 * why this file, and not clock.c, converts here. The scale is rounded down to
 * 1/2^64, so that within 2^64 cycles the result is at most one unit (100 ns)
 * less than the exact quotient.
 *
 * A processor of 10 MHz or less has no scale of 64 bits. Then the page says
 * "use the MSR" (sequence 0), and the MSR is the plain quotient.
 */
#include "hypervisor/reftime.h"

#include "cpu/arena.h"
#include "hypervisor/partition.h"

#define REFTIME_HZ UINT64_C(10000000)

/* HV_REFERENCE_TSC_PAGE */
#define PAGE_SEQUENCE 0
#define PAGE_SCALE 8
#define PAGE_OFFSET 16

__extension__ typedef unsigned __int128 wide_t;

/** 0 if there is none. */
static uint64_t reftime_scale(struct sim_clock clock)
{
    if (clock.hz <= REFTIME_HZ)
        return 0;
    return (uint64_t)(((wide_t)REFTIME_HZ << 64) / clock.hz);
}

/** Reference time of the cycle counter itself, that is since cycle 0. */
static uint64_t since_start(struct sim_clock clock, cycles_t at)
{
    uint64_t scale = reftime_scale(clock);

    if (scale == 0)
        return clock_to_reftime(clock, at).v;
    return (uint64_t)((wide_t)at.v * scale >> 64);
}

reftime_t reftime_now(const struct hv_partition *partition, cycles_t now)
{
    struct sim_clock clock = partition->hv->clock;

    /* An LP may be behind the one that created the partition. */
    if (cycles_before(now, partition->created_at))
        return (reftime_t){0};
    return (reftime_t){since_start(clock, now) -
                       since_start(clock, partition->created_at)};
}

cycles_t reftime_to_cycles(const struct hv_partition *partition, reftime_t time)
{
    struct sim_clock clock = partition->hv->clock;
    uint64_t scale = reftime_scale(clock);
    uint64_t created = since_start(clock, partition->created_at);

    if (time.v > UINT64_MAX - created)
        return CYCLES_NEVER;

    reftime_t absolute = {time.v + created};

    if (scale == 0)
        return clock_from_reftime_ceil(clock, absolute);

    wide_t at = (((wide_t)absolute.v << 64) + scale - 1) / scale;

    return at > UINT64_MAX ? CYCLES_NEVER : cycles((uint64_t)at);
}

/** What follows `sequence`: neither 0, "invalid", nor ~0, which guests of the
 *  2.0a edition take for that. */
static uint32_t next_sequence(uint32_t sequence)
{
    sequence++;
    return sequence == 0 || sequence == UINT32_MAX ? 1 : sequence;
}

void reftime_write_page(struct hv_partition *partition, spa_t page)
{
    struct arena *arena = partition->hv->arena;
    struct sim_clock clock = partition->hv->clock;
    const uint32_t invalid = 0;
    uint64_t scale = reftime_scale(clock);
    uint64_t offset = 0 - since_start(clock, partition->created_at);
    uint32_t sequence = next_sequence(partition->reference_tsc_sequence);

    partition->reference_tsc_sequence = sequence;

    arena_write(arena, spa_add(page, PAGE_SEQUENCE), &invalid, sizeof(invalid));
    arena_write(arena, spa_add(page, PAGE_SCALE), &scale, sizeof(scale));
    arena_write(arena, spa_add(page, PAGE_OFFSET), &offset, sizeof(offset));
    if (scale != 0)
        arena_write(arena, spa_add(page, PAGE_SEQUENCE), &sequence,
                    sizeof(sequence));
}
