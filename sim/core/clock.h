/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_CORE_CLOCK_H
#define HVSIM_SIM_CORE_CLOCK_H

/**
 * Conversions between the units of simulated time. All integer, by 128-bit
 * products; every conversion rounds down unless its name says otherwise, and
 * yields the greatest value (CYCLES_NEVER) where the result exceeds 64 bits. A
 * clock is a frequency; it has no "now" (time is an argument, never a call).
 */

#include "sim/core/types.h"

struct sim_clock {
    uint64_t hz; /* TSC cycles per second of every LP, at least 1 MHz */
};

cycles_t clock_from_ns(struct sim_clock clock, uint64_t ns);
uint64_t clock_to_ns(struct sim_clock clock, cycles_t time);
reftime_t clock_to_reftime(struct sim_clock clock, cycles_t time);

/** The first cycle at which the reference time is at least `time`. */
cycles_t clock_from_reftime_ceil(struct sim_clock clock, reftime_t time);

#endif
