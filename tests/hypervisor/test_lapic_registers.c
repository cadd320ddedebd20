/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The registers, by the page and by MSRs, and the modes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "tests/hypervisor/lapic_fixture.h"

/* Registers of the page */

static void every_page_register_keeps_its_writable_bits(void **state)
{
    static const struct {
        uint32_t offset, reset, all_ones;
    } cases[] = {
        {0x020, 0, 0},                   /* ID of VP 0: read only */
        {0x030, 0x00060015, 0x00060015}, /* version */
        {0x080, 0, 0xff},                /* TPR */
        {0x090, 0, 0},                   /* APR */
        {0x0d0, 0, 0xff000000},          /* LDR */
        {0x0e0, 0xffffffff, 0xffffffff}, /* DFR */
        {0x0f0, 0xff, 0x3ff},            /* SVR */
        {0x100, 0, 0},                   /* ISR */
        {0x180, 0, 0},                   /* TMR */
        {0x200, 0, 0},                   /* IRR */
        {0x2f0, 0x10000, 0x107ff},       /* CMCI */
        {0x310, 0, 0xff000000},          /* ICR high */
        {0x320, 0x10000, 0x700ff},       /* timer */
        {0x330, 0x10000, 0x107ff},       /* thermal */
        {0x340, 0x10000, 0x107ff},       /* counters */
        {0x350, 0x10000, 0x1a7ff},       /* LINT0 */
        {0x360, 0x10000, 0x1a7ff},       /* LINT1 */
        {0x370, 0x10000, 0x100ff},       /* error */
        {0x390, 0, 0},                   /* current count */
        {0x3e0, 0, 0xb},                 /* divide */
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fake_world *world = *state;

        lapic_reset(&world->context, lapic_of(world, 0));
        assert_int_equal(mmio(world, cases[i].offset), cases[i].reset);
        set_mmio(world, cases[i].offset, UINT32_MAX);
        assert_int_equal(mmio(world, cases[i].offset), cases[i].all_ones);
    }
}

static void the_page_ignores_what_is_not_four_aligned_bytes(void **state)
{
    struct fake_world *world = *state;
    struct hv_context *context = &world->context;
    struct lapic *lapic = lapic_of(world, 0);

    set_mmio(world, 0xd0, 0x56000000);
    lapic_mmio_write(context, lapic, 0xd0, 1, 0xff);
    lapic_mmio_write(context, lapic, 0xd0, 2, 0xffff);
    lapic_mmio_write(context, lapic, 0xd0, 8, 0xff000000);
    lapic_mmio_write(context, lapic, 0xd1, 4, 0xff000000);
    lapic_mmio_write(context, lapic, 0xd4, 4, 0xff000000);
    lapic_mmio_write(context, lapic, 0xdc, 4, 0xff000000);
    assert_int_equal(mmio(world, 0xd0), 0x56000000);
    assert_int_equal(lapic_mmio_read(context, lapic, 0xd3, 1), 0x56);
    assert_int_equal(lapic_mmio_read(context, lapic, 0xd2, 2), 0x5600);
    assert_int_equal(lapic_mmio_read(context, lapic, 0xd0, 1), 0);
    assert_int_equal(lapic_mmio_read(context, lapic, 0xd0, 8), 0x56000000);
    assert_int_equal(lapic_mmio_read(context, lapic, 0xd4, 4), 0);
    /* None of this was an illegal register. */
    set_mmio(world, 0x280, 0);
    assert_int_equal(mmio(world, 0x280), 0);
}

static void a_reserved_offset_is_an_error_and_reads_zero(void **state)
{
    static const uint32_t offsets[] = {0x000, 0x010, 0x040, 0x070,
                                       0x0c0, 0x290, 0x2e0, 0x3a0,
                                       0x3d0, 0x3f0, 0x400, 0xff0};

    for (unsigned i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
        struct fake_world *world = *state;

        assert_int_equal(mmio(world, offsets[i]), 0);
        set_mmio(world, 0x280, 0);
        assert_int_equal(mmio(world, 0x280), 0x80);
        set_mmio(world, offsets[i], 1);
        set_mmio(world, 0x280, 0);
        assert_int_equal(mmio(world, 0x280), 0x80);
        set_mmio(world, 0x280, 0);
        assert_int_equal(mmio(world, 0x280), 0);
    }
}

static void esr_shows_errors_only_after_a_write(void **state)
{
    struct fake_world *world = *state;

    fake_enable_lapic(&world->vps[0]);
    assert_false(pend(world, 15)); /* illegal vector received */
    set_mmio(world, 0x300, 0x0f);  /* illegal vector sent */
    assert_int_equal(mmio(world, 0x280), 0);
    set_mmio(world, 0x280, 0xffffffff);
    assert_int_equal(mmio(world, 0x280), 0x60);
    set_mmio(world, 0x280, 0);
    assert_int_equal(mmio(world, 0x280), 0);
}

static void an_error_raises_the_vector_of_its_lvt(void **state)
{
    struct fake_world *world = *state;

    fake_enable_lapic(&world->vps[0]);
    set_mmio(world, 0x370, MASKED | 0xfe);
    assert_false(pend(world, 3));
    assert_int_equal(lapic_deliverable(lapic_of(world, 0)), -1);
    set_mmio(world, 0x370, 0xfe);
    assert_true(pend(world, 3));
    assert_int_equal(lapic_accept(&world->context, lapic_of(world, 0)), 0xfe);
    set_mmio(world, 0x370, 0x02); /* itself illegal: no endless chain */
    assert_false(pend(world, 3));
}

static void disabling_by_software_masks_every_lvt(void **state)
{
    static const uint32_t lvts[] = {0x2f0, 0x320, 0x330, 0x340,
                                    0x350, 0x360, 0x370};
    struct fake_world *world = *state;

    fake_enable_lapic(&world->vps[0]);
    for (unsigned i = 0; i < 7; i++) {
        set_mmio(world, lvts[i], 0x55);
        assert_int_equal(mmio(world, lvts[i]), 0x55);
    }
    set_mmio(world, 0xf0, 0xff);
    for (unsigned i = 0; i < 7; i++) {
        assert_int_equal(mmio(world, lvts[i]), MASKED | 0x55);
        set_mmio(world, lvts[i], 0x66); /* cannot be unmasked now */
        assert_int_equal(mmio(world, lvts[i]), MASKED | 0x66);
    }
}

static void init_resets_all_but_identity_and_base(void **state)
{
    struct fake_world *world = *state;
    struct lapic *lapic = lapic_of(world, 0);

    assert_true(wrmsr(world, APIC_BASE, 0xfed00900));
    set_mmio(world, 0xf0, 0x1ff);
    set_mmio(world, 0xd0, 0x01000000);
    set_mmio(world, 0x320, 0x33);
    set_mmio(world, 0x380, 1000);
    pend(world, 0x77);
    lapic_reset(&world->context, lapic);
    assert_int_equal(lapic->base_msr, 0xfed00900);
    assert_int_equal(mmio(world, 0xf0), 0xff);
    assert_int_equal(mmio(world, 0xd0), 0);
    assert_int_equal(mmio(world, 0x320), MASKED);
    assert_int_equal(mmio(world, 0x380), 0);
    assert_false(lapic_has_pending(lapic));
    fake_run_until(world, fake_us(1000));
    assert_int_equal(fake_of(&world->vps[0])->interrupts, 0);
}

/* Modes */

static void base_transitions_are_those_of_the_manual(void **state)
{
    enum { OFF = 0, XAPIC = 0x800, X2APIC = 0xc00, BAD = 0x400 };
    static const struct {
        uint64_t from, to;
        bool allowed;
    } cases[] = {
        {XAPIC, XAPIC, true},   {XAPIC, X2APIC, true},  {XAPIC, OFF, true},
        {XAPIC, BAD, false},    {X2APIC, X2APIC, true}, {X2APIC, OFF, true},
        {X2APIC, XAPIC, false}, {X2APIC, BAD, false},   {OFF, OFF, true},
        {OFF, XAPIC, true},     {OFF, X2APIC, false},   {OFF, BAD, false},
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct fake_world *world = *state;
        struct lapic *lapic = lapic_of(world, 0);

        lapic->base_msr = 0xfee00100 | cases[i].from;
        assert_int_equal(wrmsr(world, APIC_BASE, 0xfee00100 | cases[i].to),
                         cases[i].allowed);
        assert_int_equal(lapic->base_msr,
                         0xfee00100 |
                             (cases[i].allowed ? cases[i].to : cases[i].from));
    }
}

static void reserved_bits_of_the_base_are_refused(void **state)
{
    static const uint64_t bad[] = {0xfee00801, 0xfee00880, 0xfee00a00,
                                   0xfee00800 | UINT64_C(1) << 46,
                                   0xfee00800 | UINT64_C(1) << 63};
    struct fake_world *world = *state;
    uint64_t value;

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_false(wrmsr(world, APIC_BASE, bad[i]));
    assert_true(rdmsr(world, APIC_BASE, &value));
    assert_int_equal(value, 0xfee00900);
    /* The bootstrap flag is the hardware's. */
    assert_true(wrmsr(world, APIC_BASE, 0xfee00800));
    assert_true(rdmsr(world, APIC_BASE, &value));
    assert_int_equal(value, 0xfee00900);
    assert_int_equal(lapic_of(world, 1)->base_msr, 0xfee00800);
}

static void the_page_follows_base_and_mode(void **state)
{
    struct fake_world *world = *state;
    struct fake_engine *engine = fake_engine_of(&world->vps[0]);

    assert_true(engine->apic_page_on);
    assert_int_equal(engine->apic_page.raw, 0xfee00000);
    assert_true(wrmsr(world, APIC_BASE, 0x123456000 | 0x900));
    assert_int_equal(engine->apic_page.raw, 0x123456000);
    assert_true(wrmsr(world, APIC_BASE, 0x123456000 | 0xd00));
    assert_false(engine->apic_page_on);
    assert_int_equal(mmio(world, 0x30), UINT32_MAX);
    set_mmio(world, 0x80, 0x40);
    assert_int_equal(lapic_of(world, 0)->tpr, 0);
}

static void turning_the_apic_off_loses_its_state(void **state)
{
    struct fake_world *world = *state;

    fake_enable_lapic(&world->vps[0]);
    pend(world, 0x50);
    assert_true(wrmsr(world, APIC_BASE, 0xfee00100));
    assert_false(lapic_is_enabled(lapic_of(world, 0)));
    assert_false(pend(world, 0x51));
    assert_true(wrmsr(world, APIC_BASE, 0xfee00900));
    assert_false(lapic_has_pending(lapic_of(world, 0)));
    assert_int_equal(mmio(world, 0xf0), 0xff);
}

static void x2apic_msrs_do_not_exist_in_xapic_mode(void **state)
{
    struct fake_world *world = *state;
    uint64_t value;

    for (uint32_t index = 0x800; index < 0x900; index++) {
        assert_false(rdmsr(world, index, &value));
        assert_false(wrmsr(world, index, 0));
    }
}

static void each_x2apic_msr_allows_what_the_manual_says(void **state)
{
    /* From 800h: may be read, and a value that may be written, NONE if none,
     * and one that may not. */
    enum { NONE = -1 };
    static const struct {
        uint32_t index;
        bool readable;
        int64_t good, bad;
    } cases[] = {
        {0x800, false, NONE, 0},
        {0x801, false, NONE, 0},
        {0x802, true, NONE, 0},
        {0x803, true, NONE, 0},
        {0x807, false, NONE, 0},
        {0x808, true, 0xff, 0x100},
        {0x809, false, NONE, 0},
        {0x80a, true, NONE, 0},
        {0x80b, false, 0, 1},
        {0x80c, false, NONE, 0},
        {0x80d, true, NONE, 0},
        {0x80e, false, NONE, 0},
        {0x80f, true, 0x1ff, 0x1000},
        {0x810, true, NONE, 0},
        {0x817, true, NONE, 0},
        {0x81f, true, NONE, 0},
        {0x827, true, NONE, 0},
        {0x828, true, 0, 1},
        {0x829, false, NONE, 0},
        {0x82f, true, 0x107ff, 0x20000},
        {0x830, true, 0x4dff, 0x100000},
        {0x831, false, NONE, 0},
        {0x832, true, 0x610ff, 0x100},
        {0x833, true, 0x117ff, 0x2000},
        {0x834, true, 0x117ff, 0x800},
        {0x835, true, 0x1f7ff, 0x800},
        {0x836, true, 0x1f7ff, 0x20000},
        {0x837, true, 0x110ff, 0x400},
        {0x838, true, 0xffffffff, 0x100000000},
        {0x839, true, NONE, 0},
        {0x83a, false, NONE, 0},
        {0x83e, true, 0xb, 0x4},
        {0x83f, false, 0xff, 0x100},
        {0x840, false, NONE, 0},
        {0x8ff, false, NONE, 0},
    };
    struct fake_world *world = *state;
    uint64_t value;

    all_to_x2apic(world);
    enable_all(world);
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint32_t index = cases[i].index;

        assert_int_equal(rdmsr(world, index, &value), cases[i].readable);
        if (cases[i].good == NONE)
            assert_false(wrmsr(world, index, 0));
        else
            assert_true(wrmsr(world, index, (uint64_t)cases[i].good));
        assert_false(wrmsr(world, index, (uint64_t)cases[i].bad));
        /* Only ICR has an upper half. */
        if (index != 0x830)
            assert_false(wrmsr(world, index, UINT64_C(1) << 32));
    }
}

static void x2apic_ids_are_whole_and_logical_ids_derived(void **state)
{
    struct fake_world *world = *state;
    uint64_t value;

    assert_int_equal(
        lapic_mmio_read(&world->context, lapic_of(world, 19), 0x20, 4),
        19u << 24);
    all_to_x2apic(world);
    assert_true(
        lapic_msr_read(&world->context, lapic_of(world, 19), 0x802, &value));
    assert_int_equal(value, 19);
    assert_true(
        lapic_msr_read(&world->context, lapic_of(world, 19), 0x80d, &value));
    assert_int_equal(value, 0x10008);
}

static void synthetic_msrs_reach_the_same_registers(void **state)
{
    struct fake_world *world = *state;
    struct lapic *lapic = lapic_of(world, 0);
    uint64_t value;

    enable_all(world);
    pend(world, 0x50);
    lapic_accept(&world->context, lapic);
    assert_false(rdmsr(world, HV_EOI, &value));
    assert_true(wrmsr(world, HV_EOI, UINT64_C(0xffffffffffffffff)));
    assert_int_equal(mmio(world, 0x120), 0);

    assert_true(wrmsr(world, HV_TPR, 0x83));
    assert_int_equal(mmio(world, 0x80), 0x83);
    assert_true(rdmsr(world, HV_TPR, &value));
    assert_int_equal(value, 0x83);
    assert_false(wrmsr(world, HV_TPR, 0x100));

    assert_true(wrmsr(world, HV_ICR, UINT64_C(0x0300000000000071)));
    assert_int_equal(fake_of(&world->vps[3])->last_vector, 0x71);
    assert_true(rdmsr(world, HV_ICR, &value));
    assert_int_equal(value, UINT64_C(0x0300000000000071));
    assert_int_equal(mmio(world, 0x310), 0x03000000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        ON_LAPIC(every_page_register_keeps_its_writable_bits),
        ON_LAPIC(the_page_ignores_what_is_not_four_aligned_bytes),
        ON_LAPIC(a_reserved_offset_is_an_error_and_reads_zero),
        ON_LAPIC(esr_shows_errors_only_after_a_write),
        ON_LAPIC(an_error_raises_the_vector_of_its_lvt),
        ON_LAPIC(disabling_by_software_masks_every_lvt),
        ON_LAPIC(init_resets_all_but_identity_and_base),
        ON_LAPIC(base_transitions_are_those_of_the_manual),
        ON_LAPIC(reserved_bits_of_the_base_are_refused),
        ON_LAPIC(the_page_follows_base_and_mode),
        ON_LAPIC(turning_the_apic_off_loses_its_state),
        ON_LAPIC(x2apic_msrs_do_not_exist_in_xapic_mode),
        ON_LAPIC(each_x2apic_msr_allows_what_the_manual_says),
        ON_LAPIC(x2apic_ids_are_whole_and_logical_ids_derived),
        ON_LAPIC(synthetic_msrs_reach_the_same_registers),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
