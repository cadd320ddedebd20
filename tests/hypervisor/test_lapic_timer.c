/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/hypervisor/lapic_fixture.h"

/* Timer: 200 MHz, so ten cycles of the 2 GHz TSC per undivided tick. */

static void start_timer(struct fake_world *world, uint32_t lvt, uint32_t divide,
                        uint32_t initial)
{
    fake_enable_lapic(&world->vps[0]);
    set_mmio(world, 0x3e0, divide);
    set_mmio(world, 0x320, lvt);
    set_mmio(world, 0x380, initial);
}

static void each_divider_divides(void **state)
{
    static const struct {
        uint32_t code, divisor;
    } cases[] = {{0x0, 2},  {0x1, 4},  {0x2, 8},   {0x3, 16},
                 {0x8, 32}, {0x9, 64}, {0xa, 128}, {0xb, 1}};

    for (unsigned i = 0; i < 8; i++) {
        struct fake_world *world = *state;
        struct fake_vp *noted = fake_of(&world->vps[0]);
        cycles_t start = world->context.now;
        uint64_t length = 1000 * 10 * cases[i].divisor;

        noted->interrupts = 0;
        start_timer(world, 0x31, cases[i].code, 1000);
        fake_run_until(world, cycles(start.v + length - 1));
        assert_int_equal(noted->interrupts, 0);
        assert_int_equal(mmio(world, 0x390), 1);
        fake_run_until(world, cycles(start.v + length));
        assert_int_equal(noted->interrupts, 1);
        assert_int_equal(noted->last_vector, 0x31);
        assert_int_equal(mmio(world, 0x390), 0);
        assert_int_equal(mmio(world, 0x380), 1000);
        fake_run_until(world, cycles(start.v + 5 * length));
        assert_int_equal(noted->interrupts, 1);
    }
}

static void the_current_count_counts_down(void **state)
{
    struct fake_world *world = *state;

    start_timer(world, 0x31, DIVIDE_BY_1, 1000);
    assert_int_equal(mmio(world, 0x390), 1000);
    fake_run_until(world, cycles(9));
    assert_int_equal(mmio(world, 0x390), 1000);
    fake_run_until(world, cycles(10));
    assert_int_equal(mmio(world, 0x390), 999);
    fake_run_until(world, cycles(9990));
    assert_int_equal(mmio(world, 0x390), 1);
}

static void a_periodic_timer_does_not_drift(void **state)
{
    struct fake_world *world = *state;

    /* 3.3 GHz: 16.5 cycles a tick, 3,333 ticks are not whole cycles. */
    world->hv.clock.hz = UINT64_C(3300000000);
    start_timer(world, PERIODIC | 0x31, DIVIDE_BY_1, 3333);
    fake_run_until(world, cycles(54994)); /* of 54,994.5 */
    assert_int_equal(fake_of(&world->vps[0])->interrupts, 0);
    fake_run_until(world, cycles(54995));
    assert_int_equal(fake_of(&world->vps[0])->interrupts, 1);
    fake_run_until(world, cycles(3333 * 33 * 500 - 1));
    assert_int_equal(fake_of(&world->vps[0])->interrupts, 999);
    fake_run_until(world, cycles(3333 * 33 * 500));
    assert_int_equal(fake_of(&world->vps[0])->interrupts, 1000);
    assert_int_equal(mmio(world, 0x390), 3333);
}

static void a_masked_timer_counts_in_silence(void **state)
{
    struct fake_world *world = *state;

    start_timer(world, MASKED | PERIODIC | 0x31, DIVIDE_BY_1, 2000);
    fake_run_until(world, fake_us(25));
    assert_int_equal(fake_of(&world->vps[0])->interrupts, 0);
    assert_int_equal(mmio(world, 0x390), 1000);
    set_mmio(world, 0x320, PERIODIC | 0x31);
    fake_run_until(world, fake_us(30));
    assert_int_equal(fake_of(&world->vps[0])->interrupts, 1);
}

static void writing_zero_stops_the_timer(void **state)
{
    struct fake_world *world = *state;

    start_timer(world, PERIODIC | 0x31, DIVIDE_BY_1, 2000);
    set_mmio(world, 0x380, 0);
    fake_run_until(world, fake_us(100));
    assert_int_equal(fake_of(&world->vps[0])->interrupts, 0);
    assert_int_equal(mmio(world, 0x390), 0);
}

static void changing_the_divider_changes_the_rate_of_the_rest(void **state)
{
    struct fake_world *world = *state;

    start_timer(world, 0x31, DIVIDE_BY_1, 2000);
    fake_run_until(world, fake_us(5));
    set_mmio(world, 0x3e0, 0); /* by 2 */
    assert_int_equal(mmio(world, 0x390), 1000);
    fake_run_until(world, cycles(fake_us(15).v - 1));
    assert_int_equal(fake_of(&world->vps[0])->interrupts, 0);
    fake_run_until(world, fake_us(15));
    assert_int_equal(fake_of(&world->vps[0])->interrupts, 1);
}

static void a_running_one_shot_can_become_periodic(void **state)
{
    struct fake_world *world = *state;

    start_timer(world, 0x31, DIVIDE_BY_1, 4000);
    fake_run_until(world, fake_us(5));
    set_mmio(world, 0x320, PERIODIC | 0x31);
    fake_run_until(world, fake_us(20));
    assert_int_equal(fake_of(&world->vps[0])->interrupts, 1);
    fake_run_until(world, fake_us(40));
    assert_int_equal(fake_of(&world->vps[0])->interrupts, 2);
}

static void a_tiny_period_does_not_occupy_the_host(void **state)
{
    struct fake_world *world = *state;

    start_timer(world, PERIODIC | 0x31, DIVIDE_BY_1, 1);
    fake_run_until(world, fake_us(1000));
    assert_in_range(fake_of(&world->vps[0])->interrupts, 90, 101);
}

static void the_deadline_is_reached_by_the_guests_tsc(void **state)
{
    struct fake_world *world = *state;
    struct hv_vp *vp = &world->vps[0];
    uint64_t value;

    fake_enable_lapic(vp);
    vp->msrs.tsc_offset = 1000000;
    assert_true(wrmsr(world, TSC_DEADLINE, 5)); /* not in this mode */
    assert_true(rdmsr(world, TSC_DEADLINE, &value));
    assert_int_equal(value, 0);

    set_mmio(world, 0x320, DEADLINE | 0x32);
    set_mmio(world, 0x380, 1000); /* ignored */
    assert_int_equal(mmio(world, 0x380), 0);
    assert_true(wrmsr(world, TSC_DEADLINE, 1500000));
    assert_true(rdmsr(world, TSC_DEADLINE, &value));
    assert_int_equal(value, 1500000);
    assert_int_equal(mmio(world, 0x390), 0);
    fake_run_until(world, cycles(499999));
    assert_int_equal(fake_of(vp)->interrupts, 0);
    fake_run_until(world, cycles(500000));
    assert_int_equal(fake_of(vp)->interrupts, 1);
    assert_true(rdmsr(world, TSC_DEADLINE, &value));
    assert_int_equal(value, 0);
}

static void a_past_deadline_fires_and_zero_disarms(void **state)
{
    struct fake_world *world = *state;
    struct fake_vp *noted = fake_of(&world->vps[0]);

    fake_enable_lapic(&world->vps[0]);
    fake_run_until(world, fake_us(1));
    set_mmio(world, 0x320, DEADLINE | 0x32);
    assert_true(wrmsr(world, TSC_DEADLINE, 1));
    fake_run_until(world, world->context.now);
    assert_int_equal(noted->interrupts, 1);
    assert_true(wrmsr(world, TSC_DEADLINE, 10000));
    assert_true(wrmsr(world, TSC_DEADLINE, 0));
    fake_run_until(world, fake_us(100));
    assert_int_equal(noted->interrupts, 1);
    assert_true(wrmsr(world, TSC_DEADLINE, UINT64_MAX));
    fake_run_until(world, fake_us(200));
    assert_int_equal(noted->interrupts, 1);
}

static void leaving_deadline_mode_disarms(void **state)
{
    struct fake_world *world = *state;

    fake_enable_lapic(&world->vps[0]);
    set_mmio(world, 0x320, DEADLINE | 0x32);
    assert_true(wrmsr(world, TSC_DEADLINE, 10000));
    set_mmio(world, 0x320, 0x32);
    set_mmio(world, 0x320, DEADLINE | 0x32);
    fake_run_until(world, fake_us(100));
    assert_int_equal(fake_of(&world->vps[0])->interrupts, 0);
}

static void a_tsc_that_is_set_moves_the_deadline(void **state)
{
    struct fake_world *world = *state;
    struct hv_vp *vp = &world->vps[0];

    fake_enable_lapic(vp);
    set_mmio(world, 0x320, DEADLINE | 0x32);
    assert_true(wrmsr(world, TSC_DEADLINE, 1000000));
    vp->msrs.tsc_offset = 900000;
    lapic_tsc_moved(&world->context, &vp->lapic);
    fake_run_until(world, cycles(100000));
    assert_int_equal(fake_of(vp)->interrupts, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_LAPIC(each_divider_divides),
        ON_LAPIC(the_current_count_counts_down),
        ON_LAPIC(a_periodic_timer_does_not_drift),
        ON_LAPIC(a_masked_timer_counts_in_silence),
        ON_LAPIC(writing_zero_stops_the_timer),
        ON_LAPIC(changing_the_divider_changes_the_rate_of_the_rest),
        ON_LAPIC(a_running_one_shot_can_become_periodic),
        ON_LAPIC(a_tiny_period_does_not_occupy_the_host),
        ON_LAPIC(the_deadline_is_reached_by_the_guests_tsc),
        ON_LAPIC(a_past_deadline_fires_and_zero_disarms),
        ON_LAPIC(leaving_deadline_mode_disarms),
        ON_LAPIC(a_tsc_that_is_set_moves_the_deadline),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
