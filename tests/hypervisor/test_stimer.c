/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "hypervisor/reftime.h"
#include "sim/core/rng.h"
#include "tests/hypervisor/fake_world.h"

#define ENABLE 0x1u
#define PERIODIC 0x2u
#define LAZY 0x4u
#define AUTO 0x8u
#define DIRECT 0x1000u
#define VECTOR(v) ((uint64_t)(v) << 4)
#define SINT(n) ((uint64_t)(n) << 16)

#define SCONTROL 0x40000080u
#define SIMP 0x40000083u
#define EOM 0x40000084u
#define SINT0 0x40000090u

#define MESSAGE_PAGE 0x3000u
#define UNITS_PER_US 10

static struct stimer *timer_of(struct fake_world *world, unsigned i)
{
    return &world->vps[0].stimers[i];
}

static bool set_config(struct fake_world *world, uint64_t value)
{
    return stimer_write_config(&world->context, timer_of(world, 0), value);
}

static void set_count(struct fake_world *world, uint64_t value)
{
    assert_true(stimer_write_count(&world->context, timer_of(world, 0), value));
}

static struct fake_vp *noted(const struct fake_world *world)
{
    return fake_of(&world->vps[0]);
}

/** Reference time `units` after the start is reached here. */
static cycles_t at(const struct fake_world *world, uint64_t units)
{
    return reftime_to_cycles(&world->child, (reftime_t){units});
}

static void set_synic(struct fake_world *world, uint32_t msr, uint64_t value)
{
    assert_true(
        synic_msr_write(&world->context, &world->vps[0].synic, msr, value));
}

static void enable_synic(struct fake_world *world)
{
    fake_enable_lapic(&world->vps[0]);
    set_synic(world, SIMP, MESSAGE_PAGE | 1);
    set_synic(world, SCONTROL, 1);
    set_synic(world, SINT0 + 3, 0x93);
}

static spa_t slot(const struct fake_world *world, unsigned sint)
{
    return spa_add(world->vps[0].synic.message_page, sint * 256);
}

/** As a guest takes a message: frees the slot, and EOM if that is wanted. */
static void take(struct fake_world *world, unsigned sint)
{
    uint32_t flags = fake_read32(world, spa_add(slot(world, sint), 4)) >> 8;

    fake_write32(world, slot(world, sint), 0);
    if (flags & 1)
        set_synic(world, EOM, 0);
}

static void a_one_shot_fires_once_at_its_time_and_disables_itself(void **state)
{
    struct fake_world *world = *state;

    assert_true(set_config(world, DIRECT | VECTOR(0xed) | ENABLE));
    set_count(world, 1000);
    assert_int_equal(timer_of(world, 0)->config & ENABLE, ENABLE);
    fake_run_until(world, cycles(at(world, 1000).v - 1));
    assert_int_equal(noted(world)->interrupts, 0);
    fake_run_until(world, at(world, 1000));
    assert_int_equal(noted(world)->interrupts, 1);
    assert_int_equal(noted(world)->last_vector, 0xed);
    assert_int_equal(timer_of(world, 0)->config, DIRECT | VECTOR(0xed));
    assert_int_equal(timer_of(world, 0)->count, 1000);
    fake_run_until(world, at(world, 5000));
    assert_int_equal(noted(world)->interrupts, 1);
}

static void a_one_shot_in_the_past_fires_at_once(void **state)
{
    struct fake_world *world = *state;

    fake_run_until(world, at(world, 2000));
    assert_true(set_config(world, DIRECT | VECTOR(0xed)));
    set_count(world, 1999);
    assert_int_equal(noted(world)->interrupts, 0);
    assert_true(set_config(world, DIRECT | VECTOR(0xed) | ENABLE));
    assert_int_equal(noted(world)->interrupts, 1);
    assert_int_equal(timer_of(world, 0)->config & ENABLE, 0);
}

static void enabling_before_there_is_a_count_does_not_fire(void **state)
{
    struct fake_world *world = *state;

    /* Linux: first the configuration, then a count for each deadline. */
    assert_true(set_config(world, 0x1ed9));
    fake_run_until(world, fake_us(1000));
    assert_int_equal(noted(world)->interrupts, 0);
    set_count(world, 20000);
    fake_run_until(world, at(world, 20000));
    assert_int_equal(noted(world)->interrupts, 1);
    set_count(world, 30000);
    assert_int_equal(timer_of(world, 0)->config & ENABLE, ENABLE);
    fake_run_until(world, at(world, 30000));
    assert_int_equal(noted(world)->interrupts, 2);
}

static void without_auto_enable_a_count_alone_starts_nothing(void **state)
{
    struct fake_world *world = *state;

    assert_true(set_config(world, DIRECT | VECTOR(0xed)));
    set_count(world, 100);
    fake_run_until(world, fake_us(1000));
    assert_int_equal(noted(world)->interrupts, 0);
}

static void a_count_of_zero_stops_and_disables(void **state)
{
    struct fake_world *world = *state;

    assert_true(set_config(world, DIRECT | VECTOR(0xed) | AUTO | PERIODIC));
    set_count(world, 1000);
    set_count(world, 0);
    assert_int_equal(timer_of(world, 0)->config & ENABLE, 0);
    fake_run_until(world, fake_us(1000));
    assert_int_equal(noted(world)->interrupts, 0);
}

static void clearing_enable_stops(void **state)
{
    struct fake_world *world = *state;

    assert_true(set_config(world, DIRECT | VECTOR(0xed) | AUTO));
    set_count(world, 1000);
    assert_true(set_config(world, DIRECT | VECTOR(0xed) | AUTO));
    fake_run_until(world, fake_us(1000));
    assert_int_equal(noted(world)->interrupts, 0);
}

static void a_configuration_is_refused_or_disabled_as_specified(void **state)
{
    static const struct {
        uint64_t value;
        bool accepted, enabled;
    } cases[] = {
        {ENABLE | SINT(1), true, true},
        {ENABLE | SINT(15), true, true},
        {ENABLE | SINT(0), true, false},
        {ENABLE | DIRECT, true, true},
        {ENABLE | SINT(1) | UINT64_C(0x2000), false, false},
        {ENABLE | SINT(1) | UINT64_C(0x8000), false, false},
        {ENABLE | SINT(1) | UINT64_C(1) << 20, false, false},
        {ENABLE | SINT(1) | UINT64_C(1) << 63, false, false},
        {0, true, false},
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fake_world *world = *state;

        stimer_reset(&world->context, timer_of(world, 0));
        assert_int_equal(set_config(world, cases[i].value), cases[i].accepted);
        assert_int_equal(timer_of(world, 0)->config & ENABLE, cases[i].enabled);
    }
}

static void a_refused_configuration_leaves_the_timer_running(void **state)
{
    struct fake_world *world = *state;

    assert_true(set_config(world, DIRECT | VECTOR(0xed) | AUTO));
    set_count(world, 1000);
    assert_false(set_config(world, UINT64_C(1) << 40));
    fake_run_until(world, at(world, 1000));
    assert_int_equal(noted(world)->interrupts, 1);
}

static void auto_enable_does_not_lift_the_ban_of_sint_0(void **state)
{
    struct fake_world *world = *state;

    enable_synic(world);
    assert_true(set_config(world, AUTO | SINT(0)));
    set_count(world, 1);
    assert_int_equal(timer_of(world, 0)->config & ENABLE, 0);
    fake_run_until(world, fake_us(100));
    assert_int_equal(fake_read32(world, slot(world, 0)), 0);
}

static void a_periodic_timer_keeps_its_pace_without_drift(void **state)
{
    struct fake_world *world = *state;

    world->hv.clock.hz = UINT64_C(2333333333);
    assert_true(set_config(world, DIRECT | VECTOR(0xed) | AUTO | PERIODIC));
    set_count(world, 777);
    fake_run_until(world, cycles(at(world, 777 * 1000).v - 1));
    assert_int_equal(noted(world)->interrupts, 999);
    fake_run_until(world, at(world, 777 * 1000));
    assert_int_equal(noted(world)->interrupts, 1000);
    assert_int_equal(timer_of(world, 0)->config & ENABLE, ENABLE);
}

static void a_tiny_period_does_not_occupy_the_host(void **state)
{
    struct fake_world *world = *state;

    assert_true(set_config(world, DIRECT | VECTOR(0xed) | AUTO | PERIODIC));
    set_count(world, 1);
    fake_run_until(world, fake_us(1000));
    assert_in_range(noted(world)->interrupts, 90, 101);
}

static void a_time_that_never_comes_is_accepted(void **state)
{
    struct fake_world *world = *state;

    assert_true(set_config(world, DIRECT | VECTOR(0xed) | AUTO));
    set_count(world, UINT64_MAX);
    assert_true(set_config(world, DIRECT | VECTOR(0xed) | ENABLE | PERIODIC));
    fake_run_until(world, fake_us(1000000));
    assert_int_equal(noted(world)->interrupts, 0);
}

static void four_timers_run_beside_each_other(void **state)
{
    struct fake_world *world = *state;

    for (unsigned i = 0; i < STIMER_COUNT; i++) {
        struct stimer *timer = timer_of(world, i);

        assert_true(stimer_write_config(&world->context, timer,
                                        DIRECT | VECTOR(0x40 + i) | AUTO));
        assert_true(stimer_write_count(&world->context, timer, 1000 * (i + 1)));
    }
    for (unsigned i = 0; i < STIMER_COUNT; i++) {
        fake_run_until(world, at(world, 1000 * (i + 1)));
        assert_int_equal(noted(world)->interrupts, i + 1);
        assert_int_equal(noted(world)->last_vector, 0x40 + i);
    }
}

/* Messages */

static void an_expiry_message_says_which_timer_and_when(void **state)
{
    struct fake_world *world = *state;
    spa_t payload;

    enable_synic(world);
    assert_true(stimer_write_config(&world->context, timer_of(world, 2),
                                    AUTO | SINT(3)));
    assert_true(stimer_write_count(&world->context, timer_of(world, 2), 5000));
    fake_run_until(world, at(world, 5000));
    assert_int_equal(fake_read32(world, slot(world, 3)), 0x80000010);
    assert_int_equal(fake_read32(world, spa_add(slot(world, 3), 4)), 24);
    assert_int_equal(fake_read64(world, spa_add(slot(world, 3), 8)), 0);
    payload = spa_add(slot(world, 3), 16);
    assert_int_equal(fake_read32(world, payload), 2);
    assert_int_equal(fake_read32(world, spa_add(payload, 4)), 0);
    assert_int_equal(fake_read64(world, spa_add(payload, 8)), 5000);
    assert_int_equal(fake_read64(world, spa_add(payload, 16)), 5000);
    assert_int_equal(noted(world)->last_vector, 0x93);
}

static void a_direct_timer_writes_no_message(void **state)
{
    struct fake_world *world = *state;

    enable_synic(world);
    assert_true(set_config(world, AUTO | SINT(3) | DIRECT | VECTOR(0xed)));
    set_count(world, 100);
    fake_run_until(world, at(world, 100));
    assert_int_equal(noted(world)->last_vector, 0xed);
    assert_int_equal(fake_read32(world, slot(world, 3)), 0);
}

static void a_busy_slot_delays_an_expiry_and_never_drops_it(void **state)
{
    struct fake_world *world = *state;
    spa_t payload;

    enable_synic(world);
    fake_write32(world, slot(world, 3), 1);
    assert_true(set_config(world, AUTO | SINT(3)));
    set_count(world, 100);
    fake_run_until(world, at(world, 700));
    assert_int_equal(noted(world)->interrupts, 0);
    assert_int_equal(fake_read32(world, slot(world, 3)), 1);
    /* MessagePending in the occupying slot. */
    assert_int_equal(fake_read32(world, spa_add(slot(world, 3), 4)) >> 8, 1);
    take(world, 3);
    assert_int_equal(noted(world)->interrupts, 1);
    payload = spa_add(slot(world, 3), 16);
    assert_int_equal(fake_read64(world, spa_add(payload, 8)), 100);
    assert_int_equal(fake_read64(world, spa_add(payload, 16)),
                     reftime_now(&world->child, world->context.now).v);
}

static void an_expiry_waits_for_the_synic_to_be_enabled(void **state)
{
    struct fake_world *world = *state;

    assert_true(set_config(world, AUTO | SINT(3)));
    set_count(world, 100);
    fake_run_until(world, at(world, 200));
    enable_synic(world);
    assert_int_equal(fake_read32(world, slot(world, 3)), 0x80000010);
}

static void a_slot_freed_without_eom_is_found_within_two_ms(void **state)
{
    struct fake_world *world = *state;

    enable_synic(world);
    fake_write32(world, slot(world, 3), 1);
    assert_true(set_config(world, AUTO | SINT(3)));
    set_count(world, 100);
    fake_run_until(world, at(world, 100));
    fake_write32(world, slot(world, 3), 0);
    fake_run_until(world, fake_us(2000));
    assert_int_equal(fake_read32(world, slot(world, 3)), 0x80000010);
}

static void
a_processor_behind_the_events_sees_no_time_run_backwards(void **state)
{
    struct fake_world *world = *state;
    spa_t payload;

    enable_synic(world);
    fake_write32(world, slot(world, 3), 1);
    assert_true(set_config(world, AUTO | PERIODIC | SINT(3)));
    set_count(world, 1000);
    fake_run_until(world, at(world, 1000));
    world->context.now = at(world, 990);
    take(world, 3);
    payload = spa_add(slot(world, 3), 16);
    assert_int_equal(fake_read64(world, spa_add(payload, 8)), 1000);
    assert_int_equal(fake_read64(world, spa_add(payload, 16)), 1000);
    take(world, 3);
    fake_run_until(world, at(world, 1999));
    assert_int_equal(fake_read32(world, slot(world, 3)), 0);
    fake_run_until(world, at(world, 2000));
    assert_int_equal(fake_read32(world, slot(world, 3)), 0x80000010);
}

static void two_timers_share_a_slot(void **state)
{
    struct fake_world *world = *state;

    enable_synic(world);
    for (unsigned i = 0; i < 2; i++) {
        assert_true(stimer_write_config(&world->context, timer_of(world, i),
                                        AUTO | SINT(3)));
        assert_true(
            stimer_write_count(&world->context, timer_of(world, i), 100));
    }
    fake_run_until(world, at(world, 100));
    assert_int_equal(fake_read32(world, spa_add(slot(world, 3), 16)), 0);
    take(world, 3);
    assert_int_equal(fake_read32(world, spa_add(slot(world, 3), 16)), 1);
    /* The last one wants no EOM. */
    assert_int_equal(fake_read32(world, spa_add(slot(world, 3), 4)) >> 8, 0);
}

static void reprogramming_withdraws_an_expiry_that_waits(void **state)
{
    struct fake_world *world = *state;

    enable_synic(world);
    fake_write32(world, slot(world, 3), 1);
    assert_true(set_config(world, AUTO | SINT(3)));
    set_count(world, 100);
    fake_run_until(world, at(world, 200));
    set_count(world, 0);
    take(world, 3);
    assert_int_equal(fake_read32(world, slot(world, 3)), 0);
}

/** Blocks the slot until 10,500, and then counts the expiries, taken at once,
 *  up to 20,050. */
static unsigned expiries_after_a_stall(struct fake_world *world,
                                       uint64_t config)
{
    unsigned count = 0;

    enable_synic(world);
    fake_write32(world, slot(world, 3), 1);
    assert_true(set_config(world, config | AUTO | PERIODIC | SINT(3)));
    set_count(world, 1000);
    fake_run_until(world, at(world, 10500));
    take(world, 3);
    for (uint64_t time = 10500; time <= 20050; time += 10) {
        fake_run_until(world, at(world, time));
        if (fake_read32(world, slot(world, 3)) != 0) {
            count++;
            take(world, 3);
        }
    }
    return count;
}

static void a_periodic_timer_catches_up_by_shorter_periods(void **state)
{
    struct fake_world *world = *state;

    /* Of ten expiries one waited, one is skipped as too old, and eight are made
     * up for at twice the rate, while ten more come due. */
    assert_int_equal(expiries_after_a_stall(world, 0), 19);
}

static void a_lazy_timer_skips_what_it_missed(void **state)
{
    struct fake_world *world = *state;

    assert_int_equal(expiries_after_a_stall(world, LAZY), 11);
}

static void reset_stops_and_clears(void **state)
{
    struct fake_world *world = *state;

    assert_true(set_config(world, DIRECT | VECTOR(0xed) | AUTO));
    set_count(world, 1000);
    stimer_reset(&world->context, timer_of(world, 0));
    assert_int_equal(timer_of(world, 0)->config, 0);
    assert_int_equal(timer_of(world, 0)->count, 0);
    fake_run_until(world, fake_us(1000));
    assert_int_equal(noted(world)->interrupts, 0);
}

static void no_guest_makes_a_timer_early_or_wild(void **state)
{
    struct fake_world *world = *state;
    struct rng rng = rng_from_seed(4);
    uint64_t events = 0;

    enable_synic(world);
    for (unsigned i = 0; i < 20000; i++) {
        struct stimer *timer = timer_of(world, (unsigned)rng_below(&rng, 4));
        uint64_t bits = UINT64_C(0x0000000000031fff);
        uint64_t now = reftime_now(&world->child, world->context.now).v;
        uint64_t count = rng_below(&rng, 2) == 0
                             ? now + rng_below(&rng, 10000)
                             : rng_next(&rng) >> rng_below(&rng, 64);
        uint64_t steps = 1 + rng_below(&rng, 100);

        stimer_write_config(&world->context, timer, rng_next(&rng) & bits);
        stimer_write_count(&world->context, timer, count);
        for (uint64_t step = 0; step < steps; step++) {
            unsigned before = noted(world)->interrupts;

            fake_run_until(world, cycles(world->context.now.v + 20000));
            events += noted(world)->interrupts - before;
            /* Four timers, one expiry each in 10 us. */
            assert_in_range(noted(world)->interrupts - before, 0, 8);
        }
        for (unsigned sint = 1; sint < 4; sint++) {
            spa_t payload = spa_add(slot(world, sint), 16);

            if (fake_read32(world, slot(world, sint)) == 0)
                continue;
            assert_true(fake_read64(world, spa_add(payload, 8)) <=
                        fake_read64(world, spa_add(payload, 16)));
            take(world, sint);
        }
    }
    assert_true(events > 10000);
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fake_world_setup, fake_world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_one_shot_fires_once_at_its_time_and_disables_itself),
        TEST(a_one_shot_in_the_past_fires_at_once),
        TEST(enabling_before_there_is_a_count_does_not_fire),
        TEST(without_auto_enable_a_count_alone_starts_nothing),
        TEST(a_count_of_zero_stops_and_disables),
        TEST(clearing_enable_stops),
        TEST(a_configuration_is_refused_or_disabled_as_specified),
        TEST(a_refused_configuration_leaves_the_timer_running),
        TEST(auto_enable_does_not_lift_the_ban_of_sint_0),
        TEST(a_periodic_timer_keeps_its_pace_without_drift),
        TEST(a_tiny_period_does_not_occupy_the_host),
        TEST(a_time_that_never_comes_is_accepted),
        TEST(four_timers_run_beside_each_other),
        TEST(an_expiry_message_says_which_timer_and_when),
        TEST(a_direct_timer_writes_no_message),
        TEST(a_busy_slot_delays_an_expiry_and_never_drops_it),
        TEST(an_expiry_waits_for_the_synic_to_be_enabled),
        TEST(a_slot_freed_without_eom_is_found_within_two_ms),
        TEST(a_processor_behind_the_events_sees_no_time_run_backwards),
        TEST(two_timers_share_a_slot),
        TEST(reprogramming_withdraws_an_expiry_that_waits),
        TEST(a_periodic_timer_catches_up_by_shorter_periods),
        TEST(a_lazy_timer_skips_what_it_missed),
        TEST(reset_stops_and_clears),
        TEST(no_guest_makes_a_timer_early_or_wild),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
