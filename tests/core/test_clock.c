/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/core/clock.h"
#include "sim/core/rng.h"

__extension__ typedef unsigned __int128 wide_t;

#define LAW_ROUNDS 20000

static const uint64_t frequencies_hz[] = {
    1000000,    1000003,    2000000000,        2399999999,
    3417600000, 5000000000, UINT64_C(1) << 40, UINT64_MAX,
};

#define FREQUENCY_COUNT (sizeof(frequencies_hz) / sizeof(frequencies_hz[0]))

/** A clock, extreme or arbitrary. */
static struct sim_clock any_clock(struct rng *rng)
{
    return (struct sim_clock){frequencies_hz[rng_below(rng, FREQUENCY_COUNT)]};
}

/** A value of any magnitude: all bit lengths are equally likely. */
static uint64_t any_value(struct rng *rng)
{
    return rng_next(rng) >> rng_below(rng, 64);
}

static void known_times_convert_exactly(void **state)
{
    struct sim_clock clock = {.hz = 2000000000};

    (void)state;
    assert_int_equal(clock_from_ns(clock, 1).v, 2);
    assert_int_equal(clock_from_ns(clock, 10000).v, 20000);
    assert_int_equal(clock_to_ns(clock, cycles(20001)), 10000);
    assert_int_equal(clock_to_reftime(clock, cycles(199)).v, 0);
    assert_int_equal(clock_to_reftime(clock, cycles(200)).v, 1);
    assert_int_equal(clock_from_reftime_ceil(clock, (reftime_t){3}).v, 600);
}

static void conversions_round_down(void **state)
{
    struct sim_clock clock = {.hz = 2399999999};

    (void)state;
    assert_int_equal(clock_from_ns(clock, 1).v, 2);
    assert_int_equal(clock_to_ns(clock, cycles(1)), 0);
    assert_int_equal(clock_to_reftime(clock, cycles(239)).v, 0);
}

static void what_exceeds_64_bits_is_the_greatest_value(void **state)
{
    struct sim_clock slow = {.hz = 1000000};
    struct sim_clock fast = {.hz = 5000000000};

    (void)state;
    assert_int_equal(clock_from_ns(fast, UINT64_MAX).v, CYCLES_NEVER.v);
    assert_int_equal(clock_to_ns(slow, CYCLES_NEVER), UINT64_MAX);
    assert_int_equal(clock_to_reftime(slow, CYCLES_NEVER).v, UINT64_MAX);
    assert_int_equal(clock_from_reftime_ceil(fast, (reftime_t){UINT64_MAX}).v,
                     CYCLES_NEVER.v);
}

/** floor(value * factor / divisor), kept to 64 bits: by long division, one
 *  bit at a time, so that it shares nothing with the code it judges. */
static uint64_t slow_scale(uint64_t value, uint64_t factor, uint64_t divisor)
{
    wide_t quotient = 0;
    wide_t remainder = 0;
    wide_t product = (wide_t)value * factor;

    for (int bit = 127; bit >= 0; bit--) {
        remainder = remainder << 1 | (product >> bit & 1);
        quotient <<= 1;
        if (remainder >= divisor) {
            remainder -= divisor;
            quotient |= 1;
        }
    }
    return quotient > UINT64_MAX ? UINT64_MAX : (uint64_t)quotient;
}

static void conversions_equal_long_division_at_any_magnitude(void **state)
{
    struct rng rng = rng_from_seed(1);

    (void)state;
    for (unsigned i = 0; i < LAW_ROUNDS; i++) {
        struct sim_clock clock = any_clock(&rng);
        uint64_t value = any_value(&rng);

        assert_int_equal(clock_from_ns(clock, value).v,
                         slow_scale(value, clock.hz, 1000000000));
        assert_int_equal(clock_to_ns(clock, cycles(value)),
                         slow_scale(value, 1000000000, clock.hz));
        assert_int_equal(clock_to_reftime(clock, cycles(value)).v,
                         slow_scale(value, 10000000, clock.hz));
    }
}

static void a_round_trip_through_cycles_loses_less_than_one_cycle(void **state)
{
    struct rng rng = rng_from_seed(2);

    (void)state;
    for (unsigned i = 0; i < LAW_ROUNDS; i++) {
        struct sim_clock clock = any_clock(&rng);
        uint64_t ns = any_value(&rng);
        cycles_t there = clock_from_ns(clock, ns);

        if (there.v == CYCLES_NEVER.v)
            continue;

        uint64_t back = clock_to_ns(clock, there);
        uint64_t cycle_ns_max = 1000000000 / clock.hz + 1;

        assert_true(back <= ns);
        assert_true(ns - back <= cycle_ns_max);
    }
}

static void the_ceiling_is_the_first_cycle_of_its_reference_time(void **state)
{
    struct rng rng = rng_from_seed(3);

    (void)state;
    for (unsigned i = 0; i < LAW_ROUNDS; i++) {
        struct sim_clock clock = any_clock(&rng);
        reftime_t time = {any_value(&rng)};
        cycles_t first = clock_from_reftime_ceil(clock, time);

        if (first.v == CYCLES_NEVER.v)
            continue;
        assert_true(clock_to_reftime(clock, first).v >= time.v);
        if (first.v > 0) {
            cycles_t before = cycles_sub(first, cycles(1));

            assert_true(clock_to_reftime(clock, before).v < time.v);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_times_convert_exactly),
        cmocka_unit_test(conversions_round_down),
        cmocka_unit_test(what_exceeds_64_bits_is_the_greatest_value),
        cmocka_unit_test(conversions_equal_long_division_at_any_magnitude),
        cmocka_unit_test(a_round_trip_through_cycles_loses_less_than_one_cycle),
        cmocka_unit_test(the_ceiling_is_the_first_cycle_of_its_reference_time),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
