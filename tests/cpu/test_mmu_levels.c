/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a walk marks, and what the second level has to say to it. */
#include "tests/cpu/mmu_walk.h"

/* Accessed and dirty bits. */

static void
a_read_marks_all_levels_accessed_and_a_write_the_leaf_dirty(void **state)
{
    struct tables tables;

    (void)state;
    tables_create(&tables, 12);
    tables_map(&tables, gva(PAGE), TARGET, 12, ALL);
    assert_false(walk(&tables, PAGE, MMU_READ).page.dirty);
    for (unsigned shift = 12; shift <= 39; shift += 9)
        assert_int_equal(
            tables_entry(&tables, gva(PAGE), shift) & (PTE_A | PTE_D), PTE_A);
    assert_true(walk(&tables, PAGE, MMU_WRITE).page.dirty);
    assert_true(tables_entry(&tables, gva(PAGE), 12) & PTE_D);
    assert_false(tables_entry(&tables, gva(PAGE), 21) & PTE_D);
    tables_free(&tables);
}

static void a_walk_that_faults_marks_nothing(void **state)
{
    struct tables tables;

    (void)state;
    tables_create(&tables, 12);
    tables_map(&tables, gva(PAGE), TARGET, 12, PTE_P | PTE_W);
    tables.context.user = true;
    assert_page_fault(&tables, PAGE, MMU_READ, PF_PRESENT | PF_USER);
    for (unsigned shift = 12; shift <= 39; shift += 9)
        assert_false(tables_entry(&tables, gva(PAGE), shift) & PTE_A);
    tables_free(&tables);
}

/* A walk that has nothing to mark writes nothing. */
static void a_table_that_is_only_read_stays_clean(void **state)
{
    struct tables tables;
    uint64_t pdpte[4];

    (void)state;
    tables_create(&tables, 12);
    tables_map(&tables, gva(PAGE), TARGET, 12, ALL | PTE_A);
    for (unsigned shift = 21; shift <= 39; shift += 9)
        tables_set_entry(&tables, gva(PAGE), shift,
                         tables_entry(&tables, gva(PAGE), shift) | PTE_A);
    assert_reaches(&tables, PAGE, MMU_READ, TARGET);
    for (unsigned shift = 12; shift <= 39; shift += 9) {
        gpa_t table = gpa_page(tables_entry_gpa(&tables, gva(PAGE), shift));
        spa_t leaf = tables_slat_entry(&tables, table, 12);

        assert_int_equal(arena_load64(tables.arena, leaf) & (SLAT_A | SLAT_D),
                         SLAT_A);
    }
    tables_use_pae(&tables, pdpte);
    assert_true(mmu_load_pdptes(&tables.context, pdpte));
    assert_false(
        arena_load64(
            tables.arena,
            tables_slat_entry(&tables, gpa_page(gpa(tables.context.cr3)), 12)) &
        SLAT_D);
    tables_free(&tables);
}

static void a_marked_table_is_dirty_for_the_second_level(void **state)
{
    struct tables tables;
    spa_t table_leaf;

    (void)state;
    tables_create(&tables, 12);
    tables_map(&tables, gva(PAGE), TARGET, 12, ALL);
    table_leaf = tables_slat_entry(
        &tables, gpa_page(tables_entry_gpa(&tables, gva(PAGE), 12)), 12);
    assert_false(arena_load64(tables.arena, table_leaf) & SLAT_D);
    assert_reaches(&tables, PAGE, MMU_READ, TARGET);
    assert_true(arena_load64(tables.arena, table_leaf) & SLAT_D);
    tables_free(&tables);
}

static void a_page_is_dirty_only_if_both_levels_say_so(void **state)
{
    struct tables tables;
    spa_t leaf;

    (void)state;
    tables_create(&tables, 12);
    tables_map(&tables, gva(PAGE), TARGET, 12, ALL | PTE_D);
    leaf = tables_slat_entry(&tables, gpa(TARGET), 12);
    assert_false(walk(&tables, PAGE, MMU_READ).page.dirty);
    assert_true(walk(&tables, PAGE, MMU_WRITE).page.dirty);
    assert_true(arena_load64(tables.arena, leaf) & SLAT_D);
    assert_true(walk(&tables, PAGE, MMU_READ).page.dirty);
    tables_free(&tables);
}

/* The second level. */

static void a_hole_under_the_page_is_a_slat_fault_of_the_access(void **state)
{
    struct tables tables;
    struct outcome outcome;

    (void)state;
    tables_create(&tables, 12);
    tables_map(&tables, gva(PAGE), 0x7000, 12, ALL);
    tables_map_gpa(&tables, gpa(0x7000), spa(0), 12, 0);
    outcome = walk(&tables, PAGE + 0x123, MMU_WRITE);
    assert_int_equal(outcome.result, MMU_SLAT_FAULT);
    assert_int_equal(outcome.fault.gpa.raw, 0x7123);
    assert_false(outcome.fault.in_walk);
    assert_true(outcome.fault.write);
    assert_false(tables_entry(&tables, gva(PAGE), 12) & PTE_A);
    tables_free(&tables);
}

static void a_hole_under_a_table_is_a_slat_fault_in_the_walk(void **state)
{
    (void)state;
    for (unsigned shift = 12; shift <= 39; shift += 9) {
        struct tables tables;
        struct outcome outcome;
        gpa_t entry;

        tables_create(&tables, 12);
        tables_map(&tables, gva(PAGE), TARGET, 12, ALL);
        entry = tables_entry_gpa(&tables, gva(PAGE), shift);
        tables_map_gpa(&tables, gpa_page(entry), spa(0), 12, 0);
        outcome = walk(&tables, PAGE, MMU_WRITE);
        assert_int_equal(outcome.result, MMU_SLAT_FAULT);
        assert_int_equal(outcome.fault.gpa.raw, entry.raw);
        assert_true(outcome.fault.in_walk);
        assert_false(outcome.fault.write);
        tables_free(&tables);
    }
}

static void a_read_only_table_faults_when_a_bit_is_to_be_set(void **state)
{
    struct tables tables;
    struct outcome outcome;
    gpa_t entry;
    gpa_t page;

    (void)state;
    tables_create(&tables, 12);
    tables_map(&tables, gva(PAGE), TARGET, 12, ALL | PTE_A);
    entry = tables_entry_gpa(&tables, gva(PAGE), 12);
    page = gpa_page(entry);
    tables_map_gpa(&tables, page, spa(TABLES_GUEST_SPA + page.raw), 12,
                   SLAT_P | SLAT_U);
    assert_reaches(&tables, PAGE, MMU_READ, TARGET);
    outcome = walk(&tables, PAGE, MMU_WRITE);
    assert_int_equal(outcome.result, MMU_SLAT_FAULT);
    assert_int_equal(outcome.fault.gpa.raw, entry.raw);
    assert_true(outcome.fault.in_walk);
    assert_true(outcome.fault.write);
    tables_free(&tables);
}

static void the_second_levels_rights_hold_too(void **state)
{
    struct tables tables;
    struct outcome outcome;

    (void)state;
    tables_create(&tables, 12);
    tables_map(&tables, gva(PAGE), TARGET, 12, ALL | PTE_D);
    tables_map_gpa(&tables, gpa(TARGET), spa(TABLES_GUEST_SPA + TARGET), 12,
                   SLAT_P | SLAT_U | SLAT_NX);
    outcome = walk(&tables, PAGE, MMU_READ);
    assert_int_equal(outcome.result, MMU_OK);
    assert_false(outcome.page.writable);
    assert_false(outcome.page.slat_writable);
    assert_false(outcome.page.executable);
    assert_int_equal(walk(&tables, PAGE, MMU_WRITE).result, MMU_SLAT_FAULT);
    assert_int_equal(walk(&tables, PAGE, MMU_FETCH).result, MMU_SLAT_FAULT);
    tables.context.cr0 &= ~CR0_WP;
    assert_int_equal(walk(&tables, PAGE, MMU_WRITE).result, MMU_SLAT_FAULT);
    tables_free(&tables);
}

static void the_guests_own_fault_comes_first(void **state)
{
    struct tables tables;

    (void)state;
    tables_create(&tables, 12);
    tables_map(&tables, gva(PAGE), TABLES_GUEST_BYTES, 12, PTE_P);
    assert_page_fault(&tables, PAGE, MMU_WRITE, PF_PRESENT | PF_WRITE);
    assert_int_equal(walk(&tables, PAGE, MMU_READ).result, MMU_SLAT_FAULT);
    tables_free(&tables);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(
            a_read_marks_all_levels_accessed_and_a_write_the_leaf_dirty),
        cmocka_unit_test(a_walk_that_faults_marks_nothing),
        cmocka_unit_test(a_table_that_is_only_read_stays_clean),
        cmocka_unit_test(a_marked_table_is_dirty_for_the_second_level),
        cmocka_unit_test(a_page_is_dirty_only_if_both_levels_say_so),
        cmocka_unit_test(a_hole_under_the_page_is_a_slat_fault_of_the_access),
        cmocka_unit_test(a_hole_under_a_table_is_a_slat_fault_in_the_walk),
        cmocka_unit_test(a_read_only_table_faults_when_a_bit_is_to_be_set),
        cmocka_unit_test(the_second_levels_rights_hold_too),
        cmocka_unit_test(the_guests_own_fault_comes_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
