/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/cpu/tables.h"

#define SLAT_ALL (SLAT_P | SLAT_W | SLAT_U)

static const unsigned shifts[] = {12, 21};

static void translates_with_each_page_size(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        struct tables tables;
        struct slat_translation out;

        tables_create(&tables, shifts[i]);
        assert_true(slat_translate(tables.arena, tables.slat, gpa(0x654321),
                                   false, &out));
        assert_int_equal(out.spa.raw, TABLES_GUEST_SPA + 0x654321);
        assert_int_equal(out.shift, shifts[i]);
        assert_int_equal(out.references, shifts[i] == 12 ? 4 : 3);
        assert_true(out.writable && out.executable);
        tables_free(&tables);
    }
}

static void a_1_gib_page_takes_two_references(void **state)
{
    struct tables tables;
    struct slat_translation out;

    (void)state;
    tables_create(&tables, 12);
    tables_map_gpa(&tables, gpa(UINT64_C(7) << 30), spa(0), 30, SLAT_ALL);
    assert_true(slat_translate(tables.arena, tables.slat,
                               gpa((UINT64_C(7) << 30) + 0x123456), false,
                               &out));
    assert_int_equal(out.spa.raw, 0x123456);
    assert_int_equal(out.shift, 30);
    assert_int_equal(out.references, 2);
    tables_free(&tables);
}

static void rights_gather_over_the_levels(void **state)
{
    struct tables tables;
    struct slat_translation out;
    spa_t upper;

    (void)state;
    tables_create(&tables, 12);
    upper = tables_slat_entry(&tables, gpa(0x3000), 30);
    arena_store64(tables.arena, upper,
                  (arena_load64(tables.arena, upper) & ~SLAT_W) | SLAT_NX);
    assert_true(
        slat_translate(tables.arena, tables.slat, gpa(0x3000), true, &out));
    assert_false(out.writable);
    assert_false(out.executable);
    assert_false(out.dirty);
    tables_free(&tables);
}

static void accessed_and_dirty_bits_follow_the_use(void **state)
{
    struct tables tables;
    struct slat_translation out;
    spa_t leaf;
    spa_t top;

    (void)state;
    tables_create(&tables, 12);
    leaf = tables_slat_entry(&tables, gpa(0x5000), 12);
    top = tables_slat_entry(&tables, gpa(0x5000), 39);
    assert_false(arena_load64(tables.arena, leaf) & SLAT_A);
    assert_true(
        slat_translate(tables.arena, tables.slat, gpa(0x5008), false, &out));
    assert_false(out.dirty);
    assert_true(arena_load64(tables.arena, leaf) & SLAT_A);
    assert_true(arena_load64(tables.arena, top) & SLAT_A);
    assert_false(arena_load64(tables.arena, leaf) & SLAT_D);
    assert_true(
        slat_translate(tables.arena, tables.slat, gpa(0x5008), true, &out));
    assert_true(out.dirty);
    assert_true(arena_load64(tables.arena, leaf) & SLAT_D);
    assert_false(arena_load64(tables.arena, top) & SLAT_D);
    tables_free(&tables);
}

static void a_write_to_a_read_only_page_leaves_it_clean(void **state)
{
    struct tables tables;
    struct slat_translation out;

    (void)state;
    tables_create(&tables, 12);
    tables_map_gpa(&tables, gpa(0x5000), spa(0x9000), 12, SLAT_P | SLAT_U);
    assert_true(
        slat_translate(tables.arena, tables.slat, gpa(0x5000), true, &out));
    assert_false(out.writable);
    assert_false(arena_load64(tables.arena,
                              tables_slat_entry(&tables, gpa(0x5000), 12)) &
                 SLAT_D);
    tables_free(&tables);
}

static void assert_unmapped(struct tables *tables, uint64_t at,
                            unsigned references)
{
    struct slat_translation out;

    assert_false(
        slat_translate(tables->arena, tables->slat, gpa(at), false, &out));
    assert_int_equal(out.references, references);
}

static void what_is_not_mapped_is_refused(void **state)
{
    struct tables tables;

    (void)state;
    tables_create(&tables, 12);
    assert_unmapped(&tables, TABLES_GUEST_BYTES, 3);
    assert_unmapped(&tables, UINT64_C(1) << 40, 1);
    assert_unmapped(&tables, UINT64_C(1) << SLAT_GPA_BITS, 0);
    assert_unmapped(&tables, UINT64_MAX, 0);
    tables_map_gpa(&tables, gpa(0x1000), spa(0x9000), 12, SLAT_P | SLAT_W);
    assert_unmapped(&tables, 0x1000, 4);
    tables_free(&tables);
}

static void an_entry_that_points_outside_the_arena_is_refused(void **state)
{
    struct tables tables;

    (void)state;
    tables_create(&tables, 12);
    tables_map_gpa(&tables, gpa(0x1000), spa(TABLES_ARENA_BYTES), 12, SLAT_ALL);
    assert_unmapped(&tables, 0x1000, 4);
    arena_store64(tables.arena, tables_slat_entry(&tables, gpa(0x1000), 30),
                  SLAT_ADDRESS | SLAT_ALL);
    assert_unmapped(&tables, 0x1000, 2);
    arena_store64(tables.arena, tables_slat_entry(&tables, gpa(0x1000), 39),
                  UINT64_C(0x2000) | SLAT_ALL | SLAT_LARGE);
    assert_unmapped(&tables, 0x1000, 1);
    tables_free(&tables);
}

static void without_a_second_level_gpa_is_spa(void **state)
{
    struct tables tables;
    struct slat_translation out;

    (void)state;
    tables_create(&tables, 12);
    assert_true(
        slat_translate(tables.arena, SLAT_IDENTITY, gpa(0x12345), true, &out));
    assert_int_equal(out.spa.raw, 0x12345);
    assert_int_equal(out.references, 0);
    assert_true(out.writable && out.executable && out.dirty);
    assert_false(slat_translate(tables.arena, SLAT_IDENTITY,
                                gpa(TABLES_ARENA_BYTES), false, &out));
    tables_free(&tables);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(translates_with_each_page_size),
        cmocka_unit_test(a_1_gib_page_takes_two_references),
        cmocka_unit_test(rights_gather_over_the_levels),
        cmocka_unit_test(accessed_and_dirty_bits_follow_the_use),
        cmocka_unit_test(a_write_to_a_read_only_page_leaves_it_clean),
        cmocka_unit_test(what_is_not_mapped_is_refused),
        cmocka_unit_test(an_entry_that_points_outside_the_arena_is_refused),
        cmocka_unit_test(without_a_second_level_gpa_is_spa),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
