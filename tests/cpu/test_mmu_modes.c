/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Walks outside long mode. */
#include "tests/cpu/mmu_walk.h"

/* Other modes. */

static void without_paging_linear_is_physical(void **state)
{
    struct tables tables;
    struct outcome outcome;

    (void)state;
    tables_create(&tables, 12);
    tables.context.cr0 = 0;
    tables.context.efer = 0;
    tables.context.cr4 = CR4_SMAP | CR4_SMEP;
    assert_reaches(&tables, 0x654321, MMU_FETCH, 0x654000);
    outcome = walk(&tables, 0x654321, MMU_WRITE);
    assert_int_equal(outcome.page.guest_references, 0);
    assert_int_equal(outcome.page.slat_references, 4);
    assert_true(outcome.page.user && outcome.page.writable &&
                outcome.page.executable && outcome.page.dirty);
    assert_int_equal(walk(&tables, TABLES_GUEST_BYTES, MMU_READ).result,
                     MMU_SLAT_FAULT);
    tables_free(&tables);
}

static void pages_of_32_bit_paging(void **state)
{
    struct tables tables;
    struct outcome outcome;

    (void)state;
    tables_create(&tables, 12);
    tables_use_32bit(&tables);
    tables_map(&tables, gva(0xc0123000), TARGET, 12, ALL);
    tables_map(&tables, gva(0xc0124000), TARGET + 0x1000, 12, PTE_P);
    outcome = walk(&tables, 0xc0123456, MMU_WRITE);
    assert_int_equal(outcome.result, MMU_OK);
    assert_int_equal(outcome.page.gpa.raw, TARGET);
    assert_int_equal(outcome.page.guest_references, 2);
    assert_int_equal(outcome.page.slat_references, 12);
    assert_reaches(&tables, 0xc0124000, MMU_READ, TARGET + 0x1000);
    /* Neighbours share eight bytes: only the right half was marked. */
    assert_int_equal(tables_entry(&tables, gva(0xc0123000), 12),
                     TARGET | ALL | PTE_A | PTE_D);
    assert_int_equal(tables_entry(&tables, gva(0xc0124000), 12),
                     (TARGET + 0x1000) | PTE_P | PTE_A);
    assert_page_fault(&tables, 0xc0125000, MMU_FETCH, 0);
    tables_free(&tables);
}

static void addresses_wrap_at_4_gib_outside_long_mode(void **state)
{
    struct tables tables;

    (void)state;
    tables_create(&tables, 12);
    tables_use_32bit(&tables);
    tables_map(&tables, gva(0x3000), TARGET, 12, ALL);
    assert_reaches(&tables, UINT64_C(0x100003000), MMU_READ, TARGET);
    tables_free(&tables);
}

static void four_mib_pages_need_pse(void **state)
{
    struct tables tables;

    (void)state;
    tables_create(&tables, 12);
    tables_use_32bit(&tables);
    tables_map(&tables, gva(0xc0400000), 0x400000, 22, ALL);
    assert_reaches(&tables, 0xc0654321, MMU_WRITE, 0x654000);
    assert_int_equal(walk(&tables, 0xc0654321, MMU_READ).page.shift, 22);
    assert_int_equal(walk(&tables, 0xc0654321, MMU_READ).page.guest_references,
                     1);
    /* Without PSE the same entry names a table, which is empty there. */
    tables.context.cr4 &= ~CR4_PSE;
    assert_page_fault(&tables, 0xc0654321, MMU_WRITE, PF_WRITE);
    tables_free(&tables);
}

static void pse_36_reaches_beyond_4_gib(void **state)
{
    struct tables tables;
    uint64_t high = UINT64_C(0x1200000000); /* bits 36 and 33 */

    (void)state;
    tables_create(&tables, 12);
    tables_use_32bit(&tables);
    tables_map_gpa(&tables, gpa(high | 0x1000), spa(TABLES_GUEST_SPA + 0x5000),
                   12, SLAT_P | SLAT_W | SLAT_U);
    tables_map(&tables, gva(0xc0400000), (high >> 32) << 13, 22, ALL);

    struct outcome outcome = walk(&tables, 0xc0401000, MMU_READ);

    assert_int_equal(outcome.result, MMU_OK);
    assert_int_equal(outcome.page.gpa.raw, high | 0x1000);
    assert_int_equal(outcome.page.spa.raw, TABLES_GUEST_SPA + 0x5000);
    tables.context.physical_bits = 36;
    assert_page_fault(&tables, 0xc0401000, MMU_READ, PF_PRESENT | PF_RESERVED);
    tables.context.physical_bits = 37;
    assert_int_equal(walk(&tables, 0xc0401000, MMU_READ).result, MMU_OK);
    tables_map(&tables, gva(0xc0400000), 1 << 21, 22, ALL);
    tables.context.physical_bits = 52;
    assert_page_fault(&tables, 0xc0401000, MMU_READ, PF_PRESENT | PF_RESERVED);
    tables_free(&tables);
}

static void pae_walks_from_its_cached_pdptes(void **state)
{
    struct tables tables;
    struct outcome outcome;
    uint64_t pdpte[4];
    uint64_t loaded[4];

    (void)state;
    tables_create(&tables, 12);
    tables_use_pae(&tables, pdpte);
    assert_true(mmu_load_pdptes(&tables.context, loaded));
    assert_memory_equal(loaded, pdpte, sizeof(pdpte));
    tables_map(&tables, gva(0xc0123000), TARGET, 12, ALL | PTE_NX);
    tables_map(&tables, gva(0x40200000), 0x600000, 21, ALL);
    outcome = walk(&tables, 0xc0123000, MMU_READ);
    assert_int_equal(outcome.result, MMU_OK);
    assert_int_equal(outcome.page.gpa.raw, TARGET);
    assert_int_equal(outcome.page.guest_references, 2);
    assert_page_fault(&tables, 0xc0123000, MMU_FETCH, PF_PRESENT | PF_FETCH);
    assert_reaches(&tables, 0x40345000, MMU_WRITE, 0x745000);
    /* Memory may change; what was loaded counts. */
    arena_store64(tables.arena, spa(TABLES_GUEST_SPA + tables.context.cr3 + 24),
                  0);
    assert_reaches(&tables, 0xc0123000, MMU_READ, TARGET);
    pdpte[3] = 0;
    assert_page_fault(&tables, 0xc0123000, MMU_WRITE, PF_WRITE);
    tables.context.pdpte = NULL;
    assert_page_fault(&tables, 0x40345000, MMU_READ, 0);
    tables_free(&tables);
}

static void bits_62_to_52_are_reserved_in_pae(void **state)
{
    struct tables tables;
    uint64_t pdpte[4];

    (void)state;
    tables_create(&tables, 12);
    tables_use_pae(&tables, pdpte);
    tables_map(&tables, gva(0x3000), TARGET, 12, ALL | UINT64_C(1) << 62);
    assert_page_fault(&tables, 0x3000, MMU_READ, PF_PRESENT | PF_RESERVED);
    tables_free(&tables);
}

static void pdptes_with_reserved_bits_are_refused_whole(void **state)
{
    static const uint64_t reserved[] = {
        1 << 1, 1 << 2, 1 << 5, 1 << 8, UINT64_C(1) << 40, UINT64_C(1) << 63,
    };
    struct tables tables;
    uint64_t pdpte[4];

    (void)state;
    tables_create(&tables, 12);
    tables_use_pae(&tables, pdpte);
    for (unsigned i = 0; i < sizeof(reserved) / sizeof(reserved[0]); i++) {
        uint64_t loaded[4] = {1, 2, 3, 4};
        spa_t at = spa(TABLES_GUEST_SPA + tables.context.cr3 + 16);

        arena_store64(tables.arena, at, pdpte[2] | reserved[i]);
        assert_false(mmu_load_pdptes(&tables.context, loaded));
        assert_int_equal(loaded[0], 1);
        arena_store64(tables.arena, at, reserved[i]); /* not present */
        assert_true(mmu_load_pdptes(&tables.context, loaded));
    }
    tables.context.cr3 = TABLES_GUEST_BYTES;
    assert_false(mmu_load_pdptes(&tables.context, pdpte));
    tables_free(&tables);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_paging_linear_is_physical),
        cmocka_unit_test(pages_of_32_bit_paging),
        cmocka_unit_test(addresses_wrap_at_4_gib_outside_long_mode),
        cmocka_unit_test(four_mib_pages_need_pse),
        cmocka_unit_test(pse_36_reaches_beyond_4_gib),
        cmocka_unit_test(pae_walks_from_its_cached_pdptes),
        cmocka_unit_test(bits_62_to_52_are_reserved_in_pae),
        cmocka_unit_test(pdptes_with_reserved_bits_are_refused_whole),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
