/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/core/clock.h"

#include "sim/core/check.h"

#define HZ_MIN UINT64_C(1000000)
#define NS_PER_SECOND UINT64_C(1000000000)
#define REFTIME_PER_SECOND UINT64_C(10000000)

__extension__ typedef unsigned __int128 wide_t;

/** (value * factor + extra) / divisor, or the greatest value if beyond it.
 *  The product of two 64-bit values leaves room for any 64-bit extra. */
static uint64_t scale(uint64_t value, uint64_t factor, uint64_t extra,
                      uint64_t divisor)
{
    wide_t result = ((wide_t)value * factor + extra) / divisor;

    return result > UINT64_MAX ? UINT64_MAX : (uint64_t)result;
}

cycles_t clock_from_ns(struct sim_clock clock, uint64_t ns)
{
    CHECK(clock.hz >= HZ_MIN);
    return cycles(scale(ns, clock.hz, 0, NS_PER_SECOND));
}

uint64_t clock_to_ns(struct sim_clock clock, cycles_t time)
{
    CHECK(clock.hz >= HZ_MIN);
    return scale(time.v, NS_PER_SECOND, 0, clock.hz);
}

reftime_t clock_to_reftime(struct sim_clock clock, cycles_t time)
{
    CHECK(clock.hz >= HZ_MIN);
    return (reftime_t){scale(time.v, REFTIME_PER_SECOND, 0, clock.hz)};
}

cycles_t clock_from_reftime_ceil(struct sim_clock clock, reftime_t time)
{
    CHECK(clock.hz >= HZ_MIN);
    return cycles(
        scale(time.v, clock.hz, REFTIME_PER_SECOND - 1, REFTIME_PER_SECOND));
}
