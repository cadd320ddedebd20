/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Priorities, EOI and its assist; and laws that hold whatever a guest does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "sim/core/rng.h"
#include "tests/hypervisor/lapic_fixture.h"

/* Priority */

static void an_apic_disabled_by_software_drops_interrupts(void **state)
{
    struct fake_world *world = *state;

    assert_false(pend(world, 0x40));
    assert_false(lapic_has_pending(lapic_of(world, 0)));
    fake_enable_lapic(&world->vps[0]);
    assert_true(pend(world, 0x40));
    assert_int_equal(lapic_deliverable(lapic_of(world, 0)), 0x40);
}

static void a_vector_pending_twice_is_delivered_once(void **state)
{
    struct fake_world *world = *state;
    struct lapic *lapic = lapic_of(world, 0);

    fake_enable_lapic(&world->vps[0]);
    assert_true(pend(world, 0x40));
    assert_false(pend(world, 0x40));
    assert_int_equal(lapic_accept(&world->context, lapic), 0x40);
    assert_int_equal(lapic_deliverable(lapic), -1);
    /* In service and pending again: waits for the EOI of its own class. */
    assert_true(pend(world, 0x40));
    assert_int_equal(lapic_deliverable(lapic), -1);
    lapic_eoi(&world->context, lapic);
    assert_int_equal(lapic_deliverable(lapic), 0x40);
}

static void a_higher_class_interrupts_a_lower_one_in_service(void **state)
{
    struct fake_world *world = *state;
    struct lapic *lapic = lapic_of(world, 0);

    fake_enable_lapic(&world->vps[0]);
    pend(world, 0x45);
    lapic_accept(&world->context, lapic);
    pend(world, 0x4f); /* same class: waits */
    assert_int_equal(lapic_deliverable(lapic), -1);
    pend(world, 0x50);
    assert_int_equal(lapic_accept(&world->context, lapic), 0x50);
    assert_int_equal(mmio(world, 0xa0), 0x50); /* PPR */
    lapic_eoi(&world->context, lapic);         /* ends the highest */
    assert_int_equal(mmio(world, 0xa0), 0x40);
    /* Of equal classes the task priority shows, all eight bits of it. */
    set_mmio(world, 0x80, 0x43);
    assert_int_equal(mmio(world, 0xa0), 0x43);
    set_mmio(world, 0x80, 0x3f);
    assert_int_equal(mmio(world, 0xa0), 0x40);
    lapic_eoi(&world->context, lapic);
    assert_int_equal(lapic_deliverable(lapic), 0x4f);
}

static void the_task_priority_holds_its_class_and_lower_back(void **state)
{
    static const struct {
        uint8_t tpr, vector;
        bool delivered;
    } cases[] = {
        {0x00, 0x10, true},  {0x00, 0xff, true},  {0x0f, 0x10, true},
        {0x10, 0x1f, false}, {0x1f, 0x20, true},  {0x40, 0x4f, false},
        {0x3f, 0x40, true},  {0xf0, 0xff, false}, {0xef, 0xf0, true},
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fake_world *world = *state;
        struct lapic *lapic = lapic_of(world, 0);

        lapic_reset(&world->context, lapic);
        fake_enable_lapic(&world->vps[0]);
        set_mmio(world, 0x80, cases[i].tpr);
        pend(world, cases[i].vector);
        assert_int_equal(lapic_deliverable(lapic),
                         cases[i].delivered ? cases[i].vector : -1);
    }
}

static void cr8_is_the_upper_half_of_the_task_priority(void **state)
{
    struct fake_world *world = *state;
    struct lapic *lapic = lapic_of(world, 0);

    lapic_write_cr8(&world->context, lapic, 0xa);
    assert_int_equal(mmio(world, 0x80), 0xa0);
    set_mmio(world, 0x80, 0x5c);
    assert_int_equal(lapic_read_cr8(lapic), 5);
    assert_true(fake_of(&world->vps[0])->checks > 0);
}

static void an_auto_eoi_vector_is_never_in_service(void **state)
{
    struct fake_world *world = *state;
    struct lapic *lapic = lapic_of(world, 0);

    fake_enable_lapic(&world->vps[0]);
    lapic_set_auto_eoi(lapic, 0x60, true);
    pend(world, 0x60);
    assert_int_equal(lapic_accept(&world->context, lapic), 0x60);
    pend(world, 0x60);
    assert_int_equal(lapic_deliverable(lapic), 0x60);
    lapic_accept(&world->context, lapic);
    lapic_set_auto_eoi(lapic, 0x60, false);
    pend(world, 0x60);
    lapic_accept(&world->context, lapic);
    pend(world, 0x60);
    assert_int_equal(lapic_deliverable(lapic), -1);
}

static void the_trigger_mode_register_follows_the_interrupt(void **state)
{
    struct fake_world *world = *state;
    struct lapic *lapic = lapic_of(world, 0);

    fake_enable_lapic(&world->vps[0]);
    lapic_set_irr(lapic, 0x41, true, false);
    assert_int_equal(mmio(world, 0x1a0), 1u << 1);
    assert_int_equal(mmio(world, 0x220), 1u << 1);
    lapic_accept(&world->context, lapic);
    assert_int_equal(mmio(world, 0x120), 1u << 1);
    lapic_set_irr(lapic, 0x41, false, false);
    assert_int_equal(mmio(world, 0x1a0), 0);
}

/* EOI assist */

#define ASSIST_PAGE 0x7000u

static void enable_assist(struct fake_world *world)
{
    fake_enable_lapic(&world->vps[0]);
    assert_true(msr_write(&world->context, 0x40000073, ASSIST_PAGE | 1));
}

static uint32_t assist_word(struct fake_world *world)
{
    return fake_read32(world, world->vps[0].msrs.assist_page);
}

/* As guests do: btr; and only if it was clear, an EOI. */
static void guest_ends(struct fake_world *world)
{
    uint32_t word = assist_word(world);

    fake_write32(world, world->vps[0].msrs.assist_page, word & ~1u);
    if ((word & 1) == 0)
        lapic_eoi(&world->context, lapic_of(world, 0));
}

static void accept(struct fake_world *world, uint8_t vector)
{
    assert_int_equal(lapic_accept(&world->context, lapic_of(world, 0)), vector);
}

static void an_eoi_may_be_left_out_where_the_assist_page_says_so(void **state)
{
    struct fake_world *world = *state;

    enable_assist(world);
    pend(world, 0x40);
    accept(world, 0x40);
    assert_int_equal(assist_word(world), 1);
    assert_int_equal(mmio(world, 0x120), 1); /* in service: a look takes */
    assert_int_equal(assist_word(world), 0); /* the offer back */
    guest_ends(world);
    assert_int_equal(mmio(world, 0x120), 0);

    pend(world, 0x41);
    accept(world, 0x41);
    guest_ends(world);
    assert_int_equal(mmio(world, 0x120), 0);
    pend(world, 0x35); /* of a lower class than the one that ended */
    accept(world, 0x35);
}

static void an_interrupt_that_waits_for_the_eoi_wants_a_real_one(void **state)
{
    struct fake_world *world = *state;

    enable_assist(world);
    pend(world, 0x60);
    accept(world, 0x60);
    assert_int_equal(assist_word(world), 1);
    pend(world, 0x40);
    assert_int_equal(assist_word(world), 0);
    assert_int_equal(lapic_deliverable(lapic_of(world, 0)), -1);
    guest_ends(world);
    assert_int_equal(lapic_deliverable(lapic_of(world, 0)), 0x40);
    pend(world, 0x42);
    accept(world, 0x42); /* 0x40 waits already */
    assert_int_equal(assist_word(world), 0);
}

static void a_nested_interrupt_and_a_level_want_a_real_eoi(void **state)
{
    struct fake_world *world = *state;

    enable_assist(world);
    pend(world, 0x40);
    accept(world, 0x40);
    pend(world, 0x60);
    accept(world, 0x60);
    assert_int_equal(assist_word(world), 0);
    guest_ends(world);
    guest_ends(world);
    lapic_set_irr(lapic_of(world, 0), 0x50, true, false);
    accept(world, 0x50);
    assert_int_equal(assist_word(world), 0);
}

static void a_guest_that_ignores_the_assist_page_ends_as_ever(void **state)
{
    struct fake_world *world = *state;

    enable_assist(world);
    pend(world, 0x40);
    accept(world, 0x40);
    lapic_eoi(&world->context, lapic_of(world, 0));
    assert_int_equal(mmio(world, 0x120), 0);
    assert_int_equal(assist_word(world), 0);
}

static void no_assist_without_the_page_or_where_it_is_withheld(void **state)
{
    struct fake_world *world = *state;

    enable_assist(world);
    world->child.features &= ~FEATURE_EOI_ASSIST;
    pend(world, 0x40);
    accept(world, 0x40);
    assert_int_equal(assist_word(world), 0);
    lapic_eoi(&world->context, lapic_of(world, 0));
    world->child.features = FEATURES_KNOWN;
    pend(world, 0x40);
    accept(world, 0x40);
    assert_int_equal(assist_word(world), 1);
    guest_ends(world);
    assert_true(msr_write(&world->context, 0x40000073, 0));
    pend(world, 0x40);
    accept(world, 0x40);
    assert_int_equal(mmio(world, 0x120), 1);
    lapic_eoi(&world->context, lapic_of(world, 0));
    assert_int_equal(mmio(world, 0x120), 0);
}

static void an_eoi_with_nothing_in_service_does_nothing(void **state)
{
    struct fake_world *world = *state;

    lapic_eoi(&world->context, lapic_of(world, 0));
    assert_int_equal(lapic_deliverable(lapic_of(world, 0)), -1);
}

/* Laws that hold whatever a guest does. */

static int highest_of(const uint32_t map[8])
{
    int highest = -1;

    for (int vector = 0; vector < 256; vector++) {
        if ((map[vector / 32] >> vector % 32 & 1) != 0)
            highest = vector;
    }
    return highest;
}

static void check_laws(struct fake_world *world, const struct lapic *lapic)
{
    int pending = highest_of(lapic->irr);
    int served = highest_of(lapic->isr);
    int deliverable = lapic_deliverable(lapic);

    assert_int_equal((lapic->irr[0] | lapic->isr[0]) & 0xffff, 0);
    assert_true(deliverable == -1 || deliverable == pending);
    if (deliverable >= 0) {
        assert_true(deliverable >> 4 > (int)(lapic->tpr >> 4));
        assert_true(deliverable >> 4 > served >> 4);
    }
    if (!lapic_is_enabled(lapic) || (lapic->svr & 0x100) == 0)
        assert_int_equal(deliverable, -1);
    if (!lapic_is_enabled(lapic) || (lapic->base_msr & 0x400) != 0)
        return;
    assert_true(mmio(world, 0x390) <= mmio(world, 0x380) ||
                mmio(world, 0x380) == 0);
}

static void any_guest(struct fake_world *world, struct rng *rng)
{
    struct lapic *lapic = lapic_of(world, 0);
    uint64_t value = rng_next(rng) >> rng_below(rng, 64);
    uint64_t ignored;

    switch (rng_below(rng, 8)) {
    case 0:
    case 1:
        lapic_mmio_write(&world->context, lapic,
                         (uint32_t)rng_below(rng, 0x42) * 16,
                         rng_below(rng, 8) == 0 ? 2 : 4, (uint32_t)value);
        break;
    case 2:
        wrmsr(world, 0x800 + (uint32_t)rng_below(rng, 0x42), value);
        break;
    case 3:
        wrmsr(world, HV_EOI + (uint32_t)rng_below(rng, 3), value);
        wrmsr(world, TSC_DEADLINE, value);
        break;
    case 4:
        lapic_mmio_read(&world->context, lapic,
                        (uint32_t)rng_below(rng, PAGE_BYTES),
                        1u << rng_below(rng, 4));
        rdmsr(world, 0x800 + (uint32_t)rng_below(rng, 0x100), &ignored);
        break;
    case 5:
        pend(world, (uint8_t)value);
        fake_run_until(world,
                       cycles(world->context.now.v + rng_below(rng, 1000000)));
        break;
    case 6:
        if (lapic_deliverable(lapic) >= 0)
            lapic_accept(&world->context, lapic);
        break;
    default:
        if (rng_below(rng, 20) == 0)
            wrmsr(world, APIC_BASE, 0xfee00000 | rng_below(rng, 4) << 10);
        else if ((lapic->svr & 0x100) == 0)
            fake_enable_lapic(&world->vps[0]);
        break;
    }
}

static void no_guest_breaks_the_laws_of_priority(void **state)
{
    struct fake_world *world = *state;
    struct rng rng = rng_from_seed(3);

    for (unsigned i = 0; i < 100000; i++) {
        any_guest(world, &rng);
        check_laws(world, lapic_of(world, 0));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_LAPIC(an_apic_disabled_by_software_drops_interrupts),
        ON_LAPIC(a_vector_pending_twice_is_delivered_once),
        ON_LAPIC(a_higher_class_interrupts_a_lower_one_in_service),
        ON_LAPIC(the_task_priority_holds_its_class_and_lower_back),
        ON_LAPIC(cr8_is_the_upper_half_of_the_task_priority),
        ON_LAPIC(an_auto_eoi_vector_is_never_in_service),
        ON_LAPIC(the_trigger_mode_register_follows_the_interrupt),
        ON_LAPIC(an_eoi_with_nothing_in_service_does_nothing),
        ON_LAPIC(an_eoi_may_be_left_out_where_the_assist_page_says_so),
        ON_LAPIC(an_interrupt_that_waits_for_the_eoi_wants_a_real_one),
        ON_LAPIC(a_nested_interrupt_and_a_level_want_a_real_eoi),
        ON_LAPIC(a_guest_that_ignores_the_assist_page_ends_as_ever),
        ON_LAPIC(no_assist_without_the_page_or_where_it_is_withheld),
        ON_LAPIC(no_guest_breaks_the_laws_of_priority),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
