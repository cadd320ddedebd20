/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "sim/core/rng.h"
#include "tests/hypervisor/fake_world.h"

#define APIC_BASE 0x1bu
#define TSC_DEADLINE 0x6e0u
#define HV_EOI 0x40000070u
#define HV_ICR 0x40000071u
#define HV_TPR 0x40000072u

#define DIVIDE_BY_1 0xbu
#define PERIODIC 0x20000u
#define DEADLINE 0x40000u
#define MASKED 0x10000u

static struct lapic *lapic_of(struct fake_world *world, unsigned vp)
{
    return &world->vps[vp].lapic;
}

static uint32_t mmio(struct fake_world *world, uint32_t offset)
{
    return lapic_mmio_read(&world->context, lapic_of(world, 0), offset, 4);
}

static void set_mmio(struct fake_world *world, uint32_t offset, uint32_t value)
{
    lapic_mmio_write(&world->context, lapic_of(world, 0), offset, 4, value);
}

static bool rdmsr(struct fake_world *world, uint32_t index, uint64_t *value)
{
    return lapic_msr_read(&world->context, lapic_of(world, 0), index, value);
}

static bool wrmsr(struct fake_world *world, uint32_t index, uint64_t value)
{
    return lapic_msr_write(&world->context, lapic_of(world, 0), index, value);
}

static void all_to_x2apic(struct fake_world *world)
{
    for (unsigned i = 0; i < FAKE_VP_COUNT; i++) {
        struct lapic *lapic = lapic_of(world, i);

        assert_true(lapic_msr_write(&world->context, lapic, APIC_BASE,
                                    lapic->base_msr | 0x400));
    }
}

static void enable_all(struct fake_world *world)
{
    for (unsigned i = 0; i < FAKE_VP_COUNT; i++)
        fake_enable_lapic(&world->vps[i]);
}

static bool pend(struct fake_world *world, uint8_t vector)
{
    return lapic_set_irr(lapic_of(world, 0), vector, false, false);
}

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
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fake_world_setup, fake_world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(an_apic_disabled_by_software_drops_interrupts),
        TEST(a_vector_pending_twice_is_delivered_once),
        TEST(a_higher_class_interrupts_a_lower_one_in_service),
        TEST(the_task_priority_holds_its_class_and_lower_back),
        TEST(cr8_is_the_upper_half_of_the_task_priority),
        TEST(an_auto_eoi_vector_is_never_in_service),
        TEST(the_trigger_mode_register_follows_the_interrupt),
        TEST(an_eoi_with_nothing_in_service_does_nothing),
        TEST(an_eoi_may_be_left_out_where_the_assist_page_says_so),
        TEST(an_interrupt_that_waits_for_the_eoi_wants_a_real_one),
        TEST(a_nested_interrupt_and_a_level_want_a_real_eoi),
        TEST(a_guest_that_ignores_the_assist_page_ends_as_ever),
        TEST(no_assist_without_the_page_or_where_it_is_withheld),
        TEST(every_page_register_keeps_its_writable_bits),
        TEST(the_page_ignores_what_is_not_four_aligned_bytes),
        TEST(a_reserved_offset_is_an_error_and_reads_zero),
        TEST(esr_shows_errors_only_after_a_write),
        TEST(an_error_raises_the_vector_of_its_lvt),
        TEST(disabling_by_software_masks_every_lvt),
        TEST(init_resets_all_but_identity_and_base),
        TEST(base_transitions_are_those_of_the_manual),
        TEST(reserved_bits_of_the_base_are_refused),
        TEST(the_page_follows_base_and_mode),
        TEST(turning_the_apic_off_loses_its_state),
        TEST(x2apic_msrs_do_not_exist_in_xapic_mode),
        TEST(each_x2apic_msr_allows_what_the_manual_says),
        TEST(x2apic_ids_are_whole_and_logical_ids_derived),
        TEST(synthetic_msrs_reach_the_same_registers),
        TEST(an_xapic_ipi_reaches_whom_it_names),
        TEST(the_cluster_model_names_four_of_a_cluster),
        TEST(an_x2apic_ipi_reaches_whom_it_names),
        TEST(lowest_priority_prefers_the_idlest_then_the_first),
        TEST(a_startup_carries_its_vector),
        TEST(an_apic_that_is_off_sends_and_receives_nothing),
        TEST(each_divider_divides),
        TEST(the_current_count_counts_down),
        TEST(a_periodic_timer_does_not_drift),
        TEST(a_masked_timer_counts_in_silence),
        TEST(writing_zero_stops_the_timer),
        TEST(changing_the_divider_changes_the_rate_of_the_rest),
        TEST(a_running_one_shot_can_become_periodic),
        TEST(a_tiny_period_does_not_occupy_the_host),
        TEST(the_deadline_is_reached_by_the_guests_tsc),
        TEST(a_past_deadline_fires_and_zero_disarms),
        TEST(leaving_deadline_mode_disarms),
        TEST(a_tsc_that_is_set_moves_the_deadline),
        TEST(no_guest_breaks_the_laws_of_priority),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
