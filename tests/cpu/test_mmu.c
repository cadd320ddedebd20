/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walks in long mode: addresses, rights, faults, hits. */
#include "tests/cpu/mmu_walk.h"

/* References. */

static void assert_references(unsigned slat_shift, unsigned guest_shift,
                              unsigned guest, unsigned slat)
{
    struct tables tables;
    struct outcome outcome;

    tables_create(&tables, slat_shift);
    tables_map(&tables, gva(PAGE), TARGET & -(UINT64_C(1) << guest_shift),
               guest_shift, ALL);
    outcome = walk(&tables, PAGE, MMU_WRITE);
    assert_int_equal(outcome.result, MMU_OK);
    assert_int_equal(outcome.page.guest_references, guest);
    assert_int_equal(outcome.page.slat_references, slat);
    assert_int_equal(outcome.fault.guest_references, guest);
    assert_int_equal(outcome.fault.slat_references, slat);
    tables_free(&tables);
}

/* Validation target 21: 24 references in all, 19, and 15. */
static void two_dimensional_walks_make_the_published_references(void **state)
{
    (void)state;
    assert_references(12, 12, 4, 20);
    assert_references(21, 12, 4, 15);
    assert_references(21, 21, 3, 12);
    assert_references(12, 30, 2, 12);
}

/* The same target: native 4. The tables hold SPAs here. */
static void a_native_walk_makes_four_references(void **state)
{
    struct tables tables;
    struct outcome outcome;
    uint64_t at = 0x40000000;

    (void)state;
    tables_create(&tables, 12);
    tables.context.slat = SLAT_IDENTITY;
    tables.context.cr3 = 0x10000;
    for (unsigned level = 0; level < 4; level++)
        arena_store64(tables.arena,
                      spa(0x10000 + level * PAGE_BYTES +
                          ((at >> (39 - 9 * level)) & 511) * 8),
                      (0x10000 + (level + 1) * PAGE_BYTES) | ALL);
    outcome = walk(&tables, at, MMU_READ);
    assert_int_equal(outcome.result, MMU_OK);
    assert_int_equal(outcome.page.spa.raw, 0x14000);
    assert_int_equal(outcome.page.guest_references, 4);
    assert_int_equal(outcome.page.slat_references, 0);
    tables_free(&tables);
}

static void a_failed_walk_counts_what_it_read(void **state)
{
    struct tables tables;
    struct outcome outcome;

    (void)state;
    tables_create(&tables, 12);
    tables_map(&tables, gva(PAGE), TARGET, 12, ALL);
    tables_set_entry(&tables, gva(PAGE), 21, 0);
    outcome = walk(&tables, PAGE, MMU_READ);
    assert_int_equal(outcome.result, MMU_PAGE_FAULT);
    assert_int_equal(outcome.fault.guest_references, 3);
    assert_int_equal(outcome.fault.slat_references, 12);
    tables_free(&tables);
}

/* Four-level paging. */

static void large_pages_yield_the_4_kib_page_inside(void **state)
{
    struct tables tables;

    (void)state;
    tables_create(&tables, 12);
    tables_map(&tables, gva(0x7f0000200000), 0x600000, 21, ALL);
    assert_reaches(&tables, 0x7f0000345678, MMU_READ, 0x745000);
    assert_int_equal(walk(&tables, 0x7f0000345678, MMU_READ).page.shift, 21);
    tables_map(&tables, gva(0x7e8000000000), 0, 30, ALL);
    assert_reaches(&tables, 0x7e8000345678, MMU_READ, 0x345000);
    assert_int_equal(walk(&tables, 0x7e8000345678, MMU_READ).page.shift, 30);
    tables_free(&tables);
}

/* Bit 7 of the last level selects a memory type (PAT). */
static void the_last_level_has_no_size_bit(void **state)
{
    struct tables tables;

    (void)state;
    tables_create(&tables, 12);
    tables_map(&tables, gva(PAGE), TARGET, 12, ALL | PTE_PS);
    assert_reaches(&tables, PAGE, MMU_READ, TARGET);
    assert_int_equal(walk(&tables, PAGE, MMU_READ).page.shift, 12);
    tables_map(&tables, gva(PAGE), TARGET + 0x1000, 12, ALL | PTE_PS);
    assert_reaches(&tables, PAGE, MMU_READ, TARGET + 0x1000);
    tables_use_32bit(&tables);
    tables_map(&tables, gva(0x3000), TARGET, 12, ALL | PTE_PS);
    assert_reaches(&tables, 0x3000, MMU_READ, TARGET);
    tables_map(&tables, gva(0x3000), TARGET + 0x2000, 12, ALL | PTE_PS);
    assert_reaches(&tables, 0x3000, MMU_READ, TARGET + 0x2000);
    tables_free(&tables);
}

static void an_absent_entry_faults_at_any_level(void **state)
{
    (void)state;
    for (unsigned shift = 12; shift <= 39; shift += 9) {
        struct tables tables;

        tables_create(&tables, 12);
        tables_map(&tables, gva(PAGE), TARGET, 12, ALL);
        tables_set_entry(&tables, gva(PAGE), shift,
                         tables_entry(&tables, gva(PAGE), shift) & ~PTE_P);
        assert_page_fault(&tables, PAGE, MMU_READ, 0);
        assert_page_fault(&tables, PAGE, MMU_WRITE, PF_WRITE);
        assert_page_fault(&tables, PAGE, MMU_FETCH, PF_FETCH);
        tables.context.user = true;
        assert_page_fault(&tables, PAGE, MMU_READ, PF_USER);
        tables_free(&tables);
    }
}

/* Clears `flag` (or sets it: NX) at one level and sees what is refused. */
static void assert_level_right(unsigned shift, uint64_t clear, uint64_t set,
                               enum mmu_access access, uint32_t code)
{
    struct tables tables;

    tables_create(&tables, 12);
    tables.context.user = true;
    tables_map(&tables, gva(PAGE), TARGET, 12, ALL);
    assert_reaches(&tables, PAGE, access, TARGET);
    tables_set_entry(&tables, gva(PAGE), shift,
                     (tables_entry(&tables, gva(PAGE), shift) & ~clear) | set);
    assert_page_fault(&tables, PAGE, access, code | PF_PRESENT | PF_USER);
    tables_free(&tables);
}

static void every_level_must_grant_a_right(void **state)
{
    (void)state;
    for (unsigned shift = 12; shift <= 39; shift += 9) {
        assert_level_right(shift, PTE_U, 0, MMU_READ, 0);
        assert_level_right(shift, PTE_W, 0, MMU_WRITE, PF_WRITE);
        assert_level_right(shift, 0, PTE_NX, MMU_FETCH, PF_FETCH);
    }
}

static void reserved_bits_fault_at_every_level(void **state)
{
    static const struct {
        unsigned shift;
        uint64_t bits;
    } cases[] = {
        {39, UINT64_C(1) << 40},
        {30, UINT64_C(1) << 51},
        {21, UINT64_C(1) << 40},
        {12, UINT64_C(1) << 45},
        {39, PTE_PS},
        {21, PTE_PS | UINT64_C(1) << 13},
        {21, PTE_PS | 1 << 20},
        {30, PTE_PS | 1 << 29},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct tables tables;

        tables_create(&tables, 12);
        tables_map(&tables, gva(PAGE), TARGET, 12, ALL);
        tables_set_entry(
            &tables, gva(PAGE), cases[i].shift,
            (cases[i].bits & PTE_PS
                 ? ALL
                 : tables_entry(&tables, gva(PAGE), cases[i].shift)) |
                cases[i].bits);
        assert_page_fault(&tables, PAGE, MMU_WRITE,
                          PF_PRESENT | PF_RESERVED | PF_WRITE);
        tables_free(&tables);
    }
}

static void bits_above_52_are_the_guests_in_long_mode(void **state)
{
    struct tables tables;

    (void)state;
    tables_create(&tables, 12);
    tables_map(&tables, gva(PAGE), TARGET, 12, ALL | UINT64_C(0x7ff) << 52);
    assert_reaches(&tables, PAGE, MMU_READ, TARGET);
    tables_free(&tables);
}

static void nx_is_reserved_while_it_is_off(void **state)
{
    struct tables tables;

    (void)state;
    tables_create(&tables, 12);
    tables_map(&tables, gva(PAGE), TARGET, 12, ALL | PTE_NX);
    assert_reaches(&tables, PAGE, MMU_READ, TARGET);
    assert_page_fault(&tables, PAGE, MMU_FETCH, PF_PRESENT | PF_FETCH);
    tables.context.efer &= ~EFER_NXE;
    assert_page_fault(&tables, PAGE, MMU_READ, PF_PRESENT | PF_RESERVED);
    assert_page_fault(&tables, PAGE, MMU_FETCH, PF_PRESENT | PF_RESERVED);
    tables_free(&tables);
}

static void a_1_gib_page_is_reserved_where_cpuid_offers_none(void **state)
{
    struct tables tables;

    (void)state;
    tables_create(&tables, 12);
    tables_map(&tables, gva(0x40000000), 0, 30, ALL);
    assert_reaches(&tables, 0x40001000, MMU_READ, 0x1000);
    tables.context.pages_1g = false;
    assert_page_fault(&tables, 0x40001000, MMU_READ, PF_PRESENT | PF_RESERVED);
    tables_free(&tables);
}

static void the_fetch_bit_needs_nx_or_smep(void **state)
{
    struct tables tables;

    (void)state;
    tables_create(&tables, 12);
    tables.context.efer &= ~EFER_NXE;
    assert_page_fault(&tables, PAGE, MMU_FETCH, 0);
    tables.context.cr4 |= CR4_SMEP;
    assert_page_fault(&tables, PAGE, MMU_FETCH, PF_FETCH);
    tables_free(&tables);
}

static void pcid_bits_of_cr3_are_no_address(void **state)
{
    struct tables tables;

    (void)state;
    tables_create(&tables, 12);
    tables_map(&tables, gva(PAGE), TARGET, 12, ALL);
    tables.context.cr3 |= 0xfff;
    assert_reaches(&tables, PAGE, MMU_READ, TARGET);
    tables_free(&tables);
}

static void global_pages_count_only_with_pge(void **state)
{
    struct tables tables;

    (void)state;
    tables_create(&tables, 12);
    tables_map(&tables, gva(PAGE), TARGET, 12, ALL | PTE_G);
    assert_true(walk(&tables, PAGE, MMU_READ).page.global);
    tables.context.cr4 &= ~CR4_PGE;
    assert_false(walk(&tables, PAGE, MMU_READ).page.global);
    tables_free(&tables);
}

/* Rights of the supervisor. */

static void write_protection_binds_the_supervisor_only_with_wp(void **state)
{
    struct tables tables;

    (void)state;
    tables_create(&tables, 12);
    tables_map(&tables, gva(PAGE), TARGET, 12, PTE_P | PTE_U);
    assert_page_fault(&tables, PAGE, MMU_WRITE, PF_PRESENT | PF_WRITE);
    tables.context.cr0 &= ~CR0_WP;
    assert_reaches(&tables, PAGE, MMU_WRITE, TARGET);
    tables.context.user = true;
    assert_page_fault(&tables, PAGE, MMU_WRITE,
                      PF_PRESENT | PF_WRITE | PF_USER);
    tables_free(&tables);
}

static void smep_forbids_the_supervisor_to_run_user_code(void **state)
{
    struct tables tables;

    (void)state;
    tables_create(&tables, 12);
    tables_map(&tables, gva(PAGE), TARGET, 12, ALL);
    assert_reaches(&tables, PAGE, MMU_FETCH, TARGET);
    tables.context.cr4 |= CR4_SMEP;
    assert_page_fault(&tables, PAGE, MMU_FETCH, PF_PRESENT | PF_FETCH);
    assert_reaches(&tables, PAGE, MMU_READ, TARGET);
    tables.context.user = true;
    assert_reaches(&tables, PAGE, MMU_FETCH, TARGET);
    tables_free(&tables);
}

static void smap_is_lifted_by_ac_for_explicit_accesses_only(void **state)
{
    struct tables tables;

    (void)state;
    tables_create(&tables, 12);
    tables.context.cr4 |= CR4_SMAP;
    tables_map(&tables, gva(PAGE), TARGET, 12, ALL);
    assert_page_fault(&tables, PAGE, MMU_READ, PF_PRESENT);
    assert_page_fault(&tables, PAGE, MMU_WRITE, PF_PRESENT | PF_WRITE);
    assert_reaches(&tables, PAGE, MMU_FETCH, TARGET);
    tables.context.alignment_check = true;
    assert_reaches(&tables, PAGE, MMU_READ, TARGET);
    tables.context.implicit = true;
    assert_page_fault(&tables, PAGE, MMU_READ, PF_PRESENT);
    tables_free(&tables);
}

/* TLB hits. */

/* For all rights of a page and all circumstances: a hit is allowed exactly
 * when the same access would not fault, once the page is dirty. */
static void a_hit_allows_what_a_walk_would(void **state)
{
    static const uint64_t flags[] = {PTE_W, PTE_U, PTE_NX};
    static const enum mmu_access accesses[] = {MMU_READ, MMU_WRITE, MMU_FETCH};
    struct tables tables;

    (void)state;
    tables_create(&tables, 12);
    for (unsigned i = 0; i < 8 * 64; i++) {
        struct mmu_context *context = &tables.context;
        uint64_t entry = PTE_P | PTE_D;
        struct mmu_translation page;
        struct mmu_fault fault;
        struct mmu_context reader = *context;

        for (unsigned k = 0; k < 3; k++)
            entry |= i >> k & 1 ? flags[k] : 0;
        tables_map(&tables, gva(PAGE), TARGET, 12, entry);
        /* Whoever made the entry may have had other rights. */
        reader.user = entry & PTE_U;
        reader.cr4 &= ~(CR4_SMAP | CR4_SMEP);
        assert_int_equal(
            mmu_translate(&reader, gva(PAGE), MMU_READ, &page, &fault), MMU_OK);
        page.dirty = true;

        context->user = i >> 3 & 1;
        context->alignment_check = i >> 4 & 1;
        context->implicit = (i >> 5 & 1) && !context->user;
        context->cr4 = CR4_PAE | CR4_PGE | (i >> 6 & 1 ? CR4_SMAP : 0) |
                       (i >> 7 & 1 ? CR4_SMEP : 0);
        context->cr0 = CR0_PE | CR0_PG | (i >> 8 & 1 ? CR0_WP : 0);
        for (unsigned k = 0; k < 3; k++)
            assert_int_equal(mmu_allows(context, &page, accesses[k]),
                             walk(&tables, PAGE, accesses[k]).result == MMU_OK);
    }
    tables_free(&tables);
}

static void a_hit_for_a_first_write_must_walk_again(void **state)
{
    struct tables tables;
    struct outcome outcome;

    (void)state;
    tables_create(&tables, 12);
    tables_map(&tables, gva(PAGE), TARGET, 12, ALL);
    outcome = walk(&tables, PAGE, MMU_READ);
    assert_true(mmu_allows(&tables.context, &outcome.page, MMU_READ));
    assert_false(mmu_allows(&tables.context, &outcome.page, MMU_WRITE));
    outcome = walk(&tables, PAGE, MMU_WRITE);
    assert_true(mmu_allows(&tables.context, &outcome.page, MMU_WRITE));
    tables_free(&tables);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_dimensional_walks_make_the_published_references),
        cmocka_unit_test(a_native_walk_makes_four_references),
        cmocka_unit_test(a_failed_walk_counts_what_it_read),
        cmocka_unit_test(large_pages_yield_the_4_kib_page_inside),
        cmocka_unit_test(the_last_level_has_no_size_bit),
        cmocka_unit_test(an_absent_entry_faults_at_any_level),
        cmocka_unit_test(every_level_must_grant_a_right),
        cmocka_unit_test(reserved_bits_fault_at_every_level),
        cmocka_unit_test(bits_above_52_are_the_guests_in_long_mode),
        cmocka_unit_test(nx_is_reserved_while_it_is_off),
        cmocka_unit_test(a_1_gib_page_is_reserved_where_cpuid_offers_none),
        cmocka_unit_test(the_fetch_bit_needs_nx_or_smep),
        cmocka_unit_test(pcid_bits_of_cr3_are_no_address),
        cmocka_unit_test(global_pages_count_only_with_pge),
        cmocka_unit_test(write_protection_binds_the_supervisor_only_with_wp),
        cmocka_unit_test(smep_forbids_the_supervisor_to_run_user_code),
        cmocka_unit_test(smap_is_lifted_by_ac_for_explicit_accesses_only),
        cmocka_unit_test(a_hit_allows_what_a_walk_would),
        cmocka_unit_test(a_hit_for_a_first_write_must_walk_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
