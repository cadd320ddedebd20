/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "hypervisor/reftime.h"
#include "tests/hypervisor/fake_world.h"

#define GUEST_OS_ID 0x40000000u
#define HYPERCALL 0x40000001u
#define VP_INDEX 0x40000002u
#define VP_RUNTIME 0x40000010u
#define TIME_REF_COUNT 0x40000020u
#define REFERENCE_TSC 0x40000021u
#define TSC_FREQUENCY 0x40000022u
#define APIC_FREQUENCY 0x40000023u
#define VP_ASSIST_PAGE 0x40000073u
#define STIMER0_CONFIG 0x400000b0u
#define CRASH_P0 0x40000100u
#define CRASH_CTL 0x40000105u

#define PAGE UINT64_C(0x6000)
#define BEYOND (UINT64_C(1) << 52)

static bool rdmsr(struct fake_world *world, uint32_t index, uint64_t *value)
{
    return msr_read(&world->context, index, value);
}

static bool wrmsr(struct fake_world *world, uint32_t index, uint64_t value)
{
    return msr_write(&world->context, index, value);
}

static uint64_t read_of(struct fake_world *world, uint32_t index)
{
    uint64_t value = 0;

    assert_true(rdmsr(world, index, &value));
    return value;
}

/** Where a guest's access to the GPA ends up. */
static spa_t behind(const struct fake_world *world, uint64_t at)
{
    bool writable;
    spa_t result;

    assert_true(
        gpa_space_lookup(&world->child.gpa, gpa(at), &result, &writable));
    return result;
}

static bool is_overlaid(const struct fake_world *world, uint64_t at)
{
    return behind(world, at).raw != at;
}

#define NONE UINT64_MAX

struct access {
    uint32_t index;
    bool readable;
    uint64_t reset; /* if readable */
    uint64_t good;  /* may be written; NONE if nothing may */
    uint64_t bad;   /* may not; NONE if there is no such value */
};

static void check_access(struct fake_world *world, const struct access *test)
{
    uint64_t value;

    assert_int_equal(rdmsr(world, test->index, &value), test->readable);
    if (test->readable)
        assert_int_equal(value, test->reset);
    if (test->bad != NONE) {
        assert_false(wrmsr(world, test->index, test->bad));
        if (test->readable)
            assert_int_equal(read_of(world, test->index), test->reset);
    }
    if (test->good == NONE)
        assert_false(wrmsr(world, test->index, 0));
    else
        assert_true(wrmsr(world, test->index, test->good));
}

static void
every_synthetic_msr_has_its_reset_value_and_its_refusals(void **state)
{
    static const struct access cases[] = {
        {GUEST_OS_ID, true, 0, UINT64_C(0x8100000601c00000), NONE},
        {HYPERCALL, true, 0, PAGE | 1, PAGE | 5},
        {VP_INDEX, true, 0, NONE, 1},
        {0x40000003, true, 0, 1, 2}, /* RESET */
        {VP_RUNTIME, true, 0, NONE, 1},
        {TIME_REF_COUNT, true, 0, NONE, 1},
        {REFERENCE_TSC, true, 0, PAGE | 1, NONE},
        {TSC_FREQUENCY, true, FAKE_HZ, NONE, 1},
        {APIC_FREQUENCY, true, 200000000, NONE, 1},
        {0x40000040, false, 0, NONE, 0}, /* NPIEP */
        {0x40000070, false, 0, 0, NONE}, /* EOI */
        {0x40000071, true, 0, 0, NONE},  /* ICR */
        {0x40000072, true, 0, 0xff, 0x100},
        {VP_ASSIST_PAGE, true, 0, 0x7001, BEYOND | 1},
        {0x40000080, true, 0, 1, NONE},
        {0x40000081, true, 1, NONE, 1},
        {0x40000082, true, 0, 0x8001, NONE},
        {0x40000083, true, 0, 0x9001, NONE},
        {0x40000084, true, 0, 0, NONE},
        {0x40000085, true, 0, 0xa001, NONE}, /* SIRBP */
        {0x40000086, false, 0, NONE, 0},
        {0x4000008f, false, 0, NONE, 0},
        {0x40000090, true, 0x10000, 0x10, 0xf},
        {0x4000009f, true, 0x10000, 0xff, 0x0},
        {0x400000a0, false, 0, NONE, 0},
        {0x400000b0, true, 0, 0x1ed9, UINT64_C(1) << 20},
        {0x400000b1, true, 0, 1, NONE},
        {0x400000b6, true, 0, 0x1ed9, 0x2000},
        {0x400000b7, true, 0, UINT64_MAX - 1, NONE},
        {0x400000b8, false, 0, NONE, 0},
        {0x400000c1, false, 0, NONE, 0}, /* power states */
        {0x400000e0, false, 0, NONE, 0}, /* statistics pages */
        {0x400000f0, true, 0, NONE, 0},  /* GUEST_IDLE */
        {0x400000f1, false, 0, NONE, 0}, /* debugger */
        {CRASH_P0, true, 0, 0xdead, NONE},
        {CRASH_P0 + 4, true, 0, 0xbeef, NONE},
        {CRASH_CTL, true, UINT64_C(3) << 62, UINT64_C(1) << 63, NONE},
        {0x40000106, true, 0, UINT64_C(0x3000100ee),
         0x100}, /* target, vector */
        {0x40000107, true, 0, 1, 2},
        {0x40000108, true, 0, 0, 1},
        {0x40000109, false, 0, NONE, 0},
        {0x40000118, true, 0, 1, 2},
        {0x3fffffff, false, 0, NONE, 0},
        {0x40001083, false, 0, NONE, 0}, /* nested SynIC */
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        check_access(*state, &cases[i]);
}

static void
every_architectural_msr_has_its_reset_value_and_its_refusals(void **state)
{
    const uint64_t all_wb = UINT64_C(0x0606060606060606);
    const struct access cases[] = {
        {0x10, true, 0, 5, NONE},
        {0x17, true, 0, NONE, 0},
        {0x1b, true, 0xfee00900, 0xfee00900, 0xfee00901},
        {0x34, true, 0, NONE, 0},
        {0x3a, true, 1, NONE, 1},
        {0x3b, false, 0, NONE, 0}, /* TSC_ADJUST */
        {0x48, false, 0, NONE, 0}, /* SPEC_CTRL */
        {0x8b, true, UINT64_C(0xffffffff00000000), 0, NONE},
        {0xce, false, 0, NONE, 0},
        {0xe7, false, 0, NONE, 0}, /* MPERF */
        {0xfe, true, 0x508, NONE, 0x508},
        {0x10a, false, 0, NONE, 0}, /* ARCH_CAPABILITIES */
        {0x140, true, 0, 0, 1},
        {0x179, true, 0, NONE, 0},
        {0x17a, true, 0, 5, 8},
        {0x17b, false, 0, NONE, 0},
        {0x1a0, true, 0x1801, 0x1800, UINT64_C(1) << 34},
        {0x1d9, true, 0, 0, 1},
        {0x200, true, 0, UINT64_C(0x3ffffffff006), 0x2},
        {0x200, true, UINT64_C(0x3ffffffff006), 0, UINT64_C(1) << 46},
        {0x201, true, 0, UINT64_C(0x3ffffffff800), 0x400},
        {0x20e, true, 0, 0x80000005, 0x80000007},
        {0x20f, true, 0, 0x800, UINT64_C(1) << 63},
        {0x210, false, 0, NONE, 0},
        {0x250, true, all_wb, 0, 0x7},
        {0x251, false, 0, NONE, 0},
        {0x258, true, all_wb, UINT64_C(0x0001040506000104), 0x2},
        {0x259, true, all_wb, 0, 0x3},
        {0x268, true, all_wb, 0, UINT64_C(0x0700000000000000)},
        {0x26f, true, all_wb, 0, 0xff},
        {0x270, false, 0, NONE, 0},
        {0x277, true, UINT64_C(0x0007040600070406),
         UINT64_C(0x0007010600070106), 0x2},
        {0x277, true, UINT64_C(0x0007010600070106), 0,
         UINT64_C(0x0300000000000000)},
        {0x2ff, true, 0xc06, 0x800, 0x1000},
        {0x2ff, true, 0x800, 0xc06, 0xc02},
        {0x606, false, 0, NONE, 0}, /* RAPL */
        {0x6e0, true, 0, 0, NONE},
        {0x800, false, 0, NONE, 0},      /* not in xAPIC mode */
        {0xc0000103, false, 0, NONE, 0}, /* TSC_AUX: the engine's */
        {0xc0011029, false, 0, NONE, 0},
        {0xffffffff, false, 0, NONE, 0},
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        check_access(*state, &cases[i]);
}

static void each_privilege_gates_its_msrs_and_no_others(void **state)
{
    static const struct {
        uint32_t index;
        uint64_t privilege;
    } cases[] = {
        {GUEST_OS_ID, PRIVILEGE_ACCESS_HYPERCALL_MSRS},
        {HYPERCALL, PRIVILEGE_ACCESS_HYPERCALL_MSRS},
        {VP_INDEX, PRIVILEGE_ACCESS_VP_INDEX},
        {VP_RUNTIME, PRIVILEGE_ACCESS_VP_RUN_TIME},
        {TIME_REF_COUNT, PRIVILEGE_ACCESS_REFERENCE_COUNTER},
        {REFERENCE_TSC, PRIVILEGE_ACCESS_REFERENCE_TSC},
        {TSC_FREQUENCY, PRIVILEGE_ACCESS_FREQUENCY},
        {APIC_FREQUENCY, PRIVILEGE_ACCESS_FREQUENCY},
        {0x40000071, PRIVILEGE_ACCESS_APIC_MSRS},
        {0x40000072, PRIVILEGE_ACCESS_APIC_MSRS},
        {VP_ASSIST_PAGE, PRIVILEGE_ACCESS_APIC_MSRS},
        {0x40000080, PRIVILEGE_ACCESS_SYNIC},
        {0x40000081, PRIVILEGE_ACCESS_SYNIC},
        {0x40000082, PRIVILEGE_ACCESS_SYNIC},
        {0x40000083, PRIVILEGE_ACCESS_SYNIC},
        {0x40000084, PRIVILEGE_ACCESS_SYNIC},
        {0x40000085, PRIVILEGE_ACCESS_SYNIC | PRIVILEGE_CREATE_PORT},
        {0x40000090, PRIVILEGE_ACCESS_SYNIC},
        {0x4000009f, PRIVILEGE_ACCESS_SYNIC},
        {0x400000b0, PRIVILEGE_ACCESS_SYNTHETIC_TIMERS},
        {0x400000b7, PRIVILEGE_ACCESS_SYNTHETIC_TIMERS},
        {0x40000106, PRIVILEGE_ACCESS_REENLIGHTENMENT},
        {0x40000107, PRIVILEGE_ACCESS_REENLIGHTENMENT},
        {0x40000108, PRIVILEGE_ACCESS_REENLIGHTENMENT},
        {CRASH_P0, 0},
        {0x1b, 0},
        {0x277, 0},
    };
    struct fake_world *world = *state;
    uint64_t value;

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        world->child.privileges = cases[i].privilege;
        assert_true(rdmsr(world, cases[i].index, &value));
        world->child.privileges = ~cases[i].privilege;
        assert_int_equal(rdmsr(world, cases[i].index, &value),
                         cases[i].privilege == 0);
        if (cases[i].privilege != 0)
            assert_false(wrmsr(world, cases[i].index, 0));
    }
    world->child.privileges = ~PRIVILEGE_ACCESS_APIC_MSRS;
    assert_false(wrmsr(world, 0x40000070, 0)); /* EOI, write only */
}

static void no_index_whatever_crashes(void **state)
{
    static const uint32_t firsts[] = {0, 0x40000000, 0xc0000000, 0xc0010000};
    static const uint64_t values[] = {0, 1, UINT64_MAX, 0xfee00000,
                                      UINT64_C(0x8000000000000001)};
    struct fake_world *world = *state;
    uint64_t value;

    for (unsigned v = 0; v < sizeof(values) / sizeof(values[0]); v++) {
        for (unsigned f = 0; f < 4; f++) {
            for (uint32_t index = firsts[f]; index < firsts[f] + 0x2000;
                 index++) {
                if (msr_write(&world->context, index, values[v]))
                    assert_non_null(msr_name(index));
                if (rdmsr(world, index, &value))
                    assert_non_null(msr_name(index));
            }
        }
        fake_run_until(world, cycles(world->context.now.v + 1000000));
    }
}

/* The hypercall page */

static void the_hypercall_page_needs_an_identity(void **state)
{
    struct fake_world *world = *state;

    assert_true(wrmsr(world, HYPERCALL, PAGE | 1));
    assert_int_equal(read_of(world, HYPERCALL), PAGE);
    assert_false(is_overlaid(world, PAGE));
    assert_true(wrmsr(world, GUEST_OS_ID, 1));
    assert_true(wrmsr(world, HYPERCALL, PAGE | 1));
    assert_int_equal(read_of(world, HYPERCALL), PAGE | 1);
    assert_true(is_overlaid(world, PAGE));
    assert_int_equal(fake_read32(world, behind(world, PAGE)), 0xc3c1010f);
}

static void losing_the_identity_takes_the_hypercall_page(void **state)
{
    struct fake_world *world = *state;

    assert_true(wrmsr(world, GUEST_OS_ID, 1));
    assert_true(wrmsr(world, HYPERCALL, PAGE | 3)); /* locked, too */
    assert_true(wrmsr(world, GUEST_OS_ID, 0));
    assert_int_equal(read_of(world, HYPERCALL), PAGE | 2);
    assert_false(is_overlaid(world, PAGE));
}

static void a_locked_hypercall_page_stays(void **state)
{
    struct fake_world *world = *state;

    assert_true(wrmsr(world, GUEST_OS_ID, 1));
    assert_true(wrmsr(world, HYPERCALL, PAGE | 3));
    assert_false(wrmsr(world, HYPERCALL, PAGE));
    assert_false(wrmsr(world, HYPERCALL, 0x7003));
    assert_false(wrmsr(world, HYPERCALL, PAGE | 3));
    assert_int_equal(read_of(world, HYPERCALL), PAGE | 3);
    assert_true(is_overlaid(world, PAGE));
}

static void the_hypercall_page_moves_and_goes(void **state)
{
    struct fake_world *world = *state;

    assert_true(wrmsr(world, GUEST_OS_ID, 1));
    assert_true(wrmsr(world, HYPERCALL, PAGE | 1));
    assert_true(wrmsr(world, HYPERCALL, 0x7001));
    assert_false(is_overlaid(world, PAGE));
    assert_true(is_overlaid(world, 0x7000));
    assert_true(wrmsr(world, HYPERCALL, 0x7000));
    assert_false(is_overlaid(world, 0x7000));
}

static void a_hypercall_page_that_cannot_be_is_refused(void **state)
{
    struct fake_world *world = *state;

    assert_true(wrmsr(world, GUEST_OS_ID, 1));
    assert_true(wrmsr(world, HYPERCALL, PAGE | 1));
    assert_false(wrmsr(world, HYPERCALL, BEYOND | 1));
    assert_false(wrmsr(world, HYPERCALL, 0xf0001)); /* no memory there */
    fake_overlay_fails(true);
    assert_false(wrmsr(world, HYPERCALL, 0x7001));
    assert_int_equal(read_of(world, HYPERCALL), PAGE | 1);
    assert_true(is_overlaid(world, PAGE));
}

/* Time */

static void the_reference_tsc_page_reads_back_as_written(void **state)
{
    static const uint64_t values[] = {0x6001,     0x6fff, 0x6ffe, 0,
                                      BEYOND | 1, BEYOND, 0x6001};
    struct fake_world *world = *state;

    for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        assert_true(wrmsr(world, REFERENCE_TSC, values[i]));
        assert_int_equal(read_of(world, REFERENCE_TSC), values[i]);
    }
    assert_true(is_overlaid(world, 0x6000));
    /* The second page that it has had: whoever was reading the first sees
     * that this is another. */
    assert_int_equal(fake_read32(world, behind(world, 0x6000)), 2);
    assert_true(wrmsr(world, REFERENCE_TSC, 0x6000));
    assert_false(is_overlaid(world, 0x6000));
}

static void the_reference_counter_counts_100_ns(void **state)
{
    struct fake_world *world = *state;

    world->context.now = fake_us(1000000);
    assert_in_range(read_of(world, TIME_REF_COUNT), 9999999, 10000000);
    assert_int_equal(read_of(world, TIME_REF_COUNT),
                     reftime_now(&world->child, world->context.now).v);
}

static void run_time_is_the_vps_own(void **state)
{
    struct fake_world *world = *state;

    world->context.now = fake_us(5000);
    world->vps[0].run_time = fake_us(123);
    assert_int_equal(read_of(world, VP_RUNTIME), 1230);
}

static void a_tsc_that_is_set_counts_on_from_there(void **state)
{
    struct fake_world *world = *state;

    world->context.now = cycles(1000);
    assert_true(wrmsr(world, 0x10, 50));
    assert_int_equal(fake_engine_of(&world->vps[0])->tsc_offset,
                     (uint64_t)50 - 1000);
    world->context.now = cycles(1007);
    assert_int_equal(read_of(world, 0x10), 57);
}

static void vps_have_their_own_index_and_registers(void **state)
{
    struct fake_world *world = *state;

    assert_true(wrmsr(world, 0x277, 0));
    assert_true(wrmsr(world, GUEST_OS_ID, 77));
    world->context = fake_context(world, &world->vps[5]);
    assert_int_equal(read_of(world, VP_INDEX), 5);
    assert_int_equal(read_of(world, 0x277), UINT64_C(0x0007040600070406));
    assert_int_equal(read_of(world, GUEST_OS_ID), 77); /* the partition's */
}

/* Assist page, crash */

static void the_assist_page_begins_anew_and_keeps_reserved_bits(void **state)
{
    struct fake_world *world = *state;

    fake_write32(world, (spa_t){PAGE}, 0xa5a5);
    fake_write32(world, (spa_t){PAGE + 4}, 0x5a5a);
    assert_true(wrmsr(world, VP_ASSIST_PAGE, PAGE | 0xfff));
    assert_int_equal(read_of(world, VP_ASSIST_PAGE), PAGE | 0xfff);
    assert_true(is_overlaid(world, PAGE));
    assert_int_equal(fake_read32(world, behind(world, PAGE)), 0);
    assert_int_equal(fake_read32(world, spa_add(behind(world, PAGE), 4)),
                     0x5a5a);
    assert_false(wrmsr(world, VP_ASSIST_PAGE, 0xf0001));
    assert_int_equal(read_of(world, VP_ASSIST_PAGE), PAGE | 0xfff);
    assert_true(wrmsr(world, VP_ASSIST_PAGE, PAGE));
    assert_false(is_overlaid(world, PAGE));
    assert_true(wrmsr(world, VP_ASSIST_PAGE, 0xf0000)); /* disabled: any */
}

static void a_vp_that_goes_away_takes_its_assist_page_along(void **state)
{
    struct fake_world *world = *state;

    assert_true(wrmsr(world, VP_ASSIST_PAGE, PAGE | 1));
    msr_fini(&world->vps[0]);
    assert_false(is_overlaid(world, PAGE));
}

static void a_guest_idles_by_reading(void **state)
{
    struct fake_world *world = *state;

    assert_int_equal(read_of(world, 0x400000f0), 0);
    assert_true(world->vps[0].halted);
    world->child.privileges &= ~PRIVILEGE_ACCESS_GUEST_IDLE;

    uint64_t value;

    assert_false(rdmsr(world, 0x400000f0, &value));
}

static void only_a_reset_and_a_report_concern_the_parent(void **state)
{
    (void)state;
    assert_true(msr_concerns_parent(0x40000003, 1));
    assert_false(msr_concerns_parent(0x40000003, 0));
    assert_true(msr_concerns_parent(CRASH_CTL, UINT64_C(3) << 62));
    assert_false(msr_concerns_parent(CRASH_CTL, UINT64_C(1) << 62));
    assert_false(msr_concerns_parent(CRASH_P0, UINT64_C(1) << 63));
}

static void what_is_withheld_is_refused(void **state)
{
    static const struct {
        uint64_t feature;
        uint32_t index;
        uint64_t value;
    } cases[] = {
        {FEATURE_CRASH_MSRS, 0x40000105, UINT64_C(1) << 62},
        {FEATURE_DIRECT_TIMERS, 0x400000b0, 0x1ed8},
        {FEATURE_X2APIC, 0x1b, 0xfee00d00},
    };
    struct fake_world *world = *state;

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        world->child.features = FEATURES_KNOWN & ~cases[i].feature;
        assert_false(
            msr_write(&world->context, cases[i].index, cases[i].value));
        world->child.features = FEATURES_KNOWN;
        assert_true(msr_write(&world->context, cases[i].index, cases[i].value));
    }
}

static void a_crash_report_is_kept(void **state)
{
    struct fake_world *world = *state;

    for (uint32_t i = 0; i < 5; i++)
        assert_true(wrmsr(world, CRASH_P0 + i, 100 + i));
    assert_true(wrmsr(world, CRASH_CTL, UINT64_C(1) << 63));
    assert_int_equal(world->child.crash[4], 104);
    assert_int_equal(world->child.crash[5], UINT64_C(1) << 63);
    assert_int_equal(read_of(world, CRASH_CTL), UINT64_C(3) << 62);
}

static void timers_and_apic_are_reached_by_their_msrs(void **state)
{
    struct fake_world *world = *state;

    assert_true(wrmsr(world, STIMER0_CONFIG + 4, 0x1ed8));
    assert_true(wrmsr(world, STIMER0_CONFIG + 5, 1000));
    assert_int_equal(world->vps[0].stimers[2].config, 0x1ed9);
    assert_int_equal(read_of(world, STIMER0_CONFIG + 4), 0x1ed9);
    assert_int_equal(read_of(world, STIMER0_CONFIG + 5), 1000);
    assert_true(wrmsr(world, 0x1b, 0xfee00d00));
    assert_true(wrmsr(world, 0x808, 0x30));
    assert_int_equal(read_of(world, 0x40000072), 0x30);
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fake_world_setup, fake_world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(every_synthetic_msr_has_its_reset_value_and_its_refusals),
        TEST(every_architectural_msr_has_its_reset_value_and_its_refusals),
        TEST(each_privilege_gates_its_msrs_and_no_others),
        TEST(no_index_whatever_crashes),
        TEST(the_hypercall_page_needs_an_identity),
        TEST(losing_the_identity_takes_the_hypercall_page),
        TEST(a_locked_hypercall_page_stays),
        TEST(the_hypercall_page_moves_and_goes),
        TEST(a_hypercall_page_that_cannot_be_is_refused),
        TEST(the_reference_tsc_page_reads_back_as_written),
        TEST(the_reference_counter_counts_100_ns),
        TEST(run_time_is_the_vps_own),
        TEST(a_tsc_that_is_set_counts_on_from_there),
        TEST(vps_have_their_own_index_and_registers),
        TEST(the_assist_page_begins_anew_and_keeps_reserved_bits),
        TEST(a_vp_that_goes_away_takes_its_assist_page_along),
        TEST(a_guest_idles_by_reading),
        TEST(only_a_reset_and_a_report_concern_the_parent),
        TEST(what_is_withheld_is_refused),
        TEST(a_crash_report_is_kept),
        TEST(timers_and_apic_are_reached_by_their_msrs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
