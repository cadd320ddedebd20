/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/hypervisor/lapic_fixture.h"

/* Inter-processor interrupts: which VPs get it, as a mask. */

static uint32_t targets(struct fake_world *world)
{
    uint32_t mask = 0;

    for (unsigned i = 0; i < FAKE_VP_COUNT; i++) {
        struct fake_vp *noted = fake_of(&world->vps[i]);

        if (noted->interrupts + noted->nmis + noted->inits + noted->startups)
            mask |= 1u << i;
        *noted = (struct fake_vp){0};
    }
    return mask;
}

#define EVERYONE ((1u << FAKE_VP_COUNT) - 1)

static void an_xapic_ipi_reaches_whom_it_names(void **state)
{
    static const struct {
        uint32_t high, low, mask;
    } cases[] = {
        {0x05000000, 0x00041, 1u << 5},  /* physical */
        {0x63000000, 0x00041, 0},        /* nobody */
        {0xff000000, 0x00041, EVERYONE}, /* broadcast */
        {0x05000000, 0x40041, 1},        /* self */
        {0, 0x80041, EVERYONE},          /* all */
        {0, 0xc0041, EVERYONE - 1},      /* others */
        {0x06000000, 0x00841, 0x6},      /* logical, flat */
        {0x00000000, 0x00841, 0},        /* logical, no bit */
        {0x00000000, 0x00441, 1},        /* NMI to 0 */
        {0, 0xc0400, EVERYONE - 1},      /* NMI to others */
        {0, 0x80400, 0},                 /* NMI to all: not valid */
        {0, 0x40400, 0},                 /* NMI to self: not valid */
        {0x02000000, 0x04500, 1u << 2},  /* INIT */
        {0x02000000, 0x0c500, 1u << 2},  /* INIT, level, assert */
        {0x02000000, 0x08500, 0},        /* INIT de-assert */
        {0, 0x88500, 0},                 /* to all, as Linux once did */
        {0x03000000, 0x04699, 1u << 3},  /* SIPI */
        {0x03000000, 0x00241, 0},        /* SMI */
        {0x03000000, 0x00341, 0},        /* reserved */
        {0x03000000, 0x00741, 0},        /* ExtINT */
        {0x03000000, 0x0000f, 0},        /* illegal vector */
        {0xff000000, 0x00141, 1},        /* lowest priority: the first */
        {0x06000000, 0x00941, 1u << 1},  /* lowest priority, logical */
    };
    struct fake_world *world = *state;

    enable_all(world);
    for (unsigned i = 0; i < 8; i++)
        lapic_of(world, i)->ldr = 1u << (24 + i);
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        set_mmio(world, 0x310, cases[i].high);
        set_mmio(world, 0x300, cases[i].low);
        assert_int_equal(targets(world), cases[i].mask);
    }
}

static void the_cluster_model_names_four_of_a_cluster(void **state)
{
    static const struct {
        uint32_t destination, mask;
    } cases[] = {
        {0x01, 0x1},  {0x0f, 0xf},  {0x12, 0x20},
        {0x1f, 0xf0}, {0xf1, 0x11}, {0x20, 0},
    };
    struct fake_world *world = *state;

    enable_all(world);
    for (unsigned i = 0; i < 8; i++) {
        lapic_of(world, i)->dfr = 0x0fffffff;
        lapic_of(world, i)->ldr = (i / 4) << 28 | 1u << (24 + i % 4);
    }
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        set_mmio(world, 0x310, cases[i].destination << 24);
        set_mmio(world, 0x300, 0x841);
        assert_int_equal(targets(world), cases[i].mask);
    }
}

static void an_x2apic_ipi_reaches_whom_it_names(void **state)
{
    static const struct {
        uint64_t icr;
        uint32_t mask;
    } cases[] = {
        {UINT64_C(0x0000001300000041), 1u << 19},
        {UINT64_C(0x000000ff00000041), 0}, /* an ID, no broadcast */
        {UINT64_C(0xffffffff00000041), EVERYONE},
        {UINT64_C(0xffffffff00000841), EVERYONE},
        {UINT64_C(0x0000000300000841), 0x3},
        {UINT64_C(0x0001000a00000841), 1u << 17 | 1u << 19},
        {UINT64_C(0x0002000f00000841), 0},
        {UINT64_C(0x00000000000c0041), EVERYONE - 1},
    };
    struct fake_world *world = *state;

    all_to_x2apic(world);
    enable_all(world);
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        assert_true(wrmsr(world, 0x830, cases[i].icr));
        assert_int_equal(targets(world), cases[i].mask);
    }
    assert_true(wrmsr(world, 0x83f, 0x42));
    assert_int_equal(fake_of(&world->vps[0])->last_vector, 0x42);
    assert_int_equal(targets(world), 1);
}

static void lowest_priority_prefers_the_idlest_then_the_first(void **state)
{
    struct fake_world *world = *state;

    enable_all(world);
    for (unsigned i = 0; i < FAKE_VP_COUNT; i++)
        lapic_of(world, i)->tpr = 0x50;
    lapic_of(world, 7)->tpr = 0x20;
    lapic_of(world, 4)->tpr = 0x20;
    set_mmio(world, 0x310, 0xff000000);
    set_mmio(world, 0x300, 0x141);
    assert_int_equal(targets(world), 1u << 4);
    /* One disabled by software does not take part. */
    lapic_of(world, 4)->svr = 0xff;
    set_mmio(world, 0x300, 0x141);
    assert_int_equal(targets(world), 1u << 7);
}

static void a_startup_carries_its_vector(void **state)
{
    struct fake_world *world = *state;

    set_mmio(world, 0x310, 0x03000000);
    set_mmio(world, 0x300, 0x4699);
    assert_int_equal(fake_of(&world->vps[3])->startups, 1);
    assert_int_equal(fake_of(&world->vps[3])->startup_vector, 0x99);
}

static void an_apic_that_is_off_sends_and_receives_nothing(void **state)
{
    struct fake_world *world = *state;

    assert_true(lapic_msr_write(&world->context, lapic_of(world, 2), APIC_BASE,
                                0xfee00000));
    set_mmio(world, 0x310, 0x02000000);
    set_mmio(world, 0x300, 0x400);
    assert_int_equal(targets(world), 0);
    lapic_msr_write(&world->context, lapic_of(world, 2), HV_ICR, 0xc0041);
    assert_int_equal(targets(world), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_LAPIC(an_xapic_ipi_reaches_whom_it_names),
        ON_LAPIC(the_cluster_model_names_four_of_a_cluster),
        ON_LAPIC(an_x2apic_ipi_reaches_whom_it_names),
        ON_LAPIC(lowest_priority_prefers_the_idlest_then_the_first),
        ON_LAPIC(a_startup_carries_its_vector),
        ON_LAPIC(an_apic_that_is_off_sends_and_receives_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
