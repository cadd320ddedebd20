/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "tests/partitions/plan_view.h"

static const uint8_t code[512] = {0xf4}; /* hlt */

static struct guest_image flat(unsigned bits, uint64_t load, uint64_t entry)
{
    return (struct guest_image){.name = "boot.bin",
                                .bytes = code,
                                .size = sizeof(code),
                                .format = GUEST_FLAT,
                                .bits = bits,
                                .load = load,
                                .entry = entry};
}

static void
a_boot_sector_starts_in_real_mode_with_segments_of_zero(void **state)
{
    struct guest_image image = flat(16, 0x7c00, 0x7c00);
    static struct guest_plan plan;

    (void)state;
    plan_view_make_good(&plan, &image, 16 * MIB);
    assert_ptr_equal(plan_view_at(&plan, 0x7c00, sizeof(code)), code);
    assert_int_equal(plan.state.cr0 & (CR0_PE | CR0_PG), 0);
    assert_int_equal(plan.state.rip, 0x7c00);
    for (unsigned i = 0; i < X86_SEGMENT_COUNT; i++) {
        assert_int_equal(plan.state.segment[i].base, 0);
        assert_int_equal(plan.state.segment[i].selector, 0);
        assert_int_equal(plan.state.segment[i].limit, 0xffff);
    }
}

static void real_mode_above_64_kib_starts_with_a_segment_for_it(void **state)
{
    struct guest_image image = flat(16, 0x21000, 0x21010);
    static struct guest_plan plan;

    (void)state;
    plan_view_make_good(&plan, &image, 16 * MIB);
    assert_int_equal(plan.state.segment[X86_CS].selector, 0x2000);
    assert_int_equal(plan.state.segment[X86_CS].base, 0x20000);
    assert_int_equal(plan.state.rip, 0x1010);
}

static void protected_mode_starts_without_paging(void **state)
{
    struct guest_image image = flat(32, 0x200000, 0x200004);
    static struct guest_plan plan;

    (void)state;
    plan_view_make_good(&plan, &image, 16 * MIB);
    assert_int_equal(plan.state.cr0 & (CR0_PE | CR0_PG), CR0_PE);
    assert_int_equal(plan.state.segment[X86_CS].limit, UINT32_MAX);
    assert_false(x86_long_mode(&plan.state));
    assert_int_equal(plan.state.rip, 0x200004);
}

static uint64_t table_entry(const struct guest_plan *plan, uint64_t table,
                            uint64_t index)
{
    return plan_view_number(plan, (table & ~UINT64_C(0xfff)) + index * 8, 8);
}

static void long_mode_starts_with_4_gib_mapped_to_themselves(void **state)
{
    static const uint64_t addresses[] = {0, 0x1ff000, 0x7fffffff, 0xfee00000};
    struct guest_image image = flat(64, 0x200000, 0x200000);
    static struct guest_plan plan;

    (void)state;
    plan_view_make_good(&plan, &image, 16 * MIB);
    assert_true(x86_64bit_code(&plan.state));
    assert_true(plan.state.cr0 & CR0_PG && plan.state.cr4 & CR4_PAE);
    for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++) {
        uint64_t pdpt = table_entry(&plan, plan.state.cr3, 0);
        uint64_t pd = table_entry(&plan, pdpt, addresses[i] >> 30);
        uint64_t page = table_entry(&plan, pd, addresses[i] >> 21 & 511);

        assert_int_equal(pdpt & 3, 3);
        assert_int_equal(pd & 3, 3);
        assert_int_equal(page, (addresses[i] & ~UINT64_C(0x1fffff)) | 0x83);
    }
    assert_int_equal(
        table_entry(&plan, table_entry(&plan, plan.state.cr3, 0), 4), 0);
}

/* The hidden parts of CS and SS are what the guest's own GDT would give. */
static void the_descriptor_table_has_what_the_segments_hold(void **state)
{
    struct guest_image image = flat(64, 0x200000, 0x200000);
    static struct guest_plan plan;
    static const enum x86_segment_register registers[] = {X86_CS, X86_SS};

    (void)state;
    plan_view_make_good(&plan, &image, 16 * MIB);
    for (size_t i = 0; i < 2; i++) {
        const struct x86_segment *s = &plan.state.segment[registers[i]];
        uint64_t descriptor =
            plan_view_number(&plan, plan.state.gdtr.base + s->selector, 8);

        assert_true(s->selector + 7u <= plan.state.gdtr.limit);
        assert_int_equal(descriptor >> 40 & 0xf0ff, s->attributes);
    }
}

static void what_cannot_be_loaded_is_refused(void **state)
{
    const struct {
        unsigned bits;
        uint64_t load, entry;
        const char *words;
    } wrong[] = {
        {32, 0x200000, 0x1fffff, "outside what is loaded"},
        {32, 0x200000, 0x200200, "outside what is loaded"},
        {32, UINT32_MAX, UINT32_MAX, "does not fit"},
        {16, 0xe0000, 0xe0000, "the loader's own"},
        {64, 0x1000, 0x1000, "the loader's own"},
        {16, 0x100000, 0x100000, "real mode does not reach"},
    };
    struct guest_image empty = flat(32, 0x200000, 0x200000);

    (void)state;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct guest_image image =
            flat(wrong[i].bits, wrong[i].load, wrong[i].entry);

        plan_view_refused(&image, 16 * MIB, SIM_NO_INPUT, wrong[i].words);
    }
    empty.size = 0;
    plan_view_refused(&empty, 16 * MIB, SIM_NO_INPUT, "is empty");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_boot_sector_starts_in_real_mode_with_segments_of_zero),
        cmocka_unit_test(real_mode_above_64_kib_starts_with_a_segment_for_it),
        cmocka_unit_test(protected_mode_starts_without_paging),
        cmocka_unit_test(long_mode_starts_with_4_gib_mapped_to_themselves),
        cmocka_unit_test(the_descriptor_table_has_what_the_segments_hold),
        cmocka_unit_test(what_cannot_be_loaded_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
