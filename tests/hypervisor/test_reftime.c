/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "hypervisor/reftime.h"
#include "sim/core/rng.h"
#include "tests/hypervisor/fake_world.h"

#define PAGE ((spa_t){0x2000})

/** What a guest makes of the page, as the specification's listing does. */
static uint64_t page_time(const struct fake_world *world, uint64_t tsc)
{
    __extension__ typedef unsigned __int128 wide_t;
    uint64_t scale = fake_read64(world, spa_add(PAGE, 8));
    uint64_t offset = fake_read64(world, spa_add(PAGE, 16));

    return (uint64_t)((wide_t)tsc * scale >> 64) + offset;
}

static void time_starts_at_the_partitions_creation(void **state)
{
    struct fake_world *world = *state;

    world->child.created_at = cycles(123456789);
    assert_int_equal(reftime_now(&world->child, cycles(123456789)).v, 0);
    assert_int_equal(reftime_now(&world->child, cycles(123456788)).v, 0);
}

static void a_second_is_ten_million_units(void **state)
{
    struct fake_world *world = *state;
    uint64_t now = reftime_now(&world->child, cycles(FAKE_HZ)).v;

    /* The scale is rounded down: at most one unit short. */
    assert_in_range(now, 9999999, 10000000);
}

static void a_million_seconds_lose_no_more_than_one_unit(void **state)
{
    struct fake_world *world = *state;
    uint64_t hz[] = {FAKE_HZ, 2100000001, 3399999999, 12345678, 10000001};

    for (unsigned i = 0; i < sizeof(hz) / sizeof(hz[0]); i++) {
        world->hv.clock.hz = hz[i];
        assert_in_range(reftime_now(&world->child, cycles(hz[i] * 1000000)).v,
                        UINT64_C(9999999999999), UINT64_C(10000000000000));
    }
}

static void a_time_is_reached_at_its_cycle_and_not_before(void **state)
{
    struct fake_world *world = *state;
    struct rng rng = rng_from_seed(1);

    for (unsigned i = 0; i < 20000; i++) {
        world->hv.clock.hz = 10000001 + rng_below(&rng, 5000000000);
        world->child.created_at = cycles(rng_below(&rng, UINT64_C(1) << 40));

        reftime_t time = {rng_below(&rng, UINT64_C(1) << 45)};
        cycles_t at = reftime_to_cycles(&world->child, time);

        assert_true(reftime_now(&world->child, at).v >= time.v);
        if (at.v > world->child.created_at.v)
            assert_true(reftime_now(&world->child, cycles(at.v - 1)).v <
                        time.v);
    }
}

static void a_time_beyond_the_end_of_the_clock_is_never_reached(void **state)
{
    struct fake_world *world = *state;

    assert_int_equal(
        reftime_to_cycles(&world->child, (reftime_t){UINT64_MAX}).v,
        CYCLES_NEVER.v);
    world->child.created_at = cycles(FAKE_HZ);
    assert_int_equal(
        reftime_to_cycles(&world->child, (reftime_t){UINT64_MAX}).v,
        CYCLES_NEVER.v);
}

static void the_msr_lies_between_two_reads_of_the_page(void **state)
{
    struct fake_world *world = *state;
    struct rng rng = rng_from_seed(2);

    for (unsigned i = 0; i < 20000; i++) {
        world->hv.clock.hz = 10000001 + rng_below(&rng, 5000000000);
        world->child.created_at = cycles(rng_below(&rng, UINT64_C(1) << 50));
        reftime_write_page(&world->child, PAGE);

        uint64_t t1 =
            world->child.created_at.v + rng_below(&rng, UINT64_C(1) << 50);
        uint64_t t2 = t1 + rng_below(&rng, 400);
        uint64_t t3 = t2 + rng_below(&rng, 400);
        uint64_t msr = reftime_now(&world->child, cycles(t2)).v;

        assert_true(page_time(world, t1) <= msr);
        assert_true(msr <= page_time(world, t3));
    }
}

static void the_sequence_is_never_invalid_and_always_new(void **state)
{
    struct fake_world *world = *state;
    uint32_t old[] = {0, 1, 41, UINT32_MAX - 2, UINT32_MAX - 1, UINT32_MAX};
    uint32_t new[] = {1, 2, 42, UINT32_MAX - 1, 1, 1};

    for (unsigned i = 0; i < sizeof(old) / sizeof(old[0]); i++) {
        world->child.reference_tsc_sequence = old[i];
        fake_write32(world, PAGE, 0); /* each page begins with zeros */
        reftime_write_page(&world->child, PAGE);
        assert_int_equal(fake_read32(world, PAGE), new[i]);
    }
}

static void a_processor_too_slow_for_the_scale_points_to_the_msr(void **state)
{
    struct fake_world *world = *state;

    world->hv.clock.hz = 10000000;
    reftime_write_page(&world->child, PAGE);
    assert_int_equal(fake_read32(world, PAGE), 0);
    assert_int_equal(reftime_now(&world->child, cycles(77)).v, 77);
    assert_int_equal(reftime_to_cycles(&world->child, (reftime_t){77}).v, 77);
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fake_world_setup, fake_world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(time_starts_at_the_partitions_creation),
        TEST(a_second_is_ten_million_units),
        TEST(a_million_seconds_lose_no_more_than_one_unit),
        TEST(a_time_is_reached_at_its_cycle_and_not_before),
        TEST(a_time_beyond_the_end_of_the_clock_is_never_reached),
        TEST(the_msr_lies_between_two_reads_of_the_page),
        TEST(the_sequence_is_never_invalid_and_always_new),
        TEST(a_processor_too_slow_for_the_scale_points_to_the_msr),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
