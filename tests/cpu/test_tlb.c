/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cpu/tlb.h"
#include "sim/core/rng.h"

#define LAW_STEPS 60000
#define MODEL_PAGES 2048
#define EPOCH 7

static struct mmu_translation page_of(uint64_t spa_page, uint8_t shift,
                                      bool global)
{
    return (struct mmu_translation){
        .spa = spa(spa_page << PAGE_SHIFT), .shift = shift, .global = global};
}

static gva_t address(uint64_t page)
{
    return gva(page << PAGE_SHIFT);
}

static void insert(struct tlb *tlb, uint64_t page, uint8_t shift, bool global)
{
    struct mmu_translation translation = page_of(page, shift, global);

    assert_false(tlb_insert(tlb, address(page), &translation));
}

static bool has(const struct tlb *tlb, uint64_t page)
{
    return tlb_find(tlb, address(page)) != NULL;
}

static void what_was_inserted_is_found(void **state)
{
    struct tlb *tlb = tlb_create(16);
    struct mmu_translation other = page_of(99, 12, false);

    (void)state;
    assert_false(has(tlb, 5));
    insert(tlb, 5, 12, false);
    assert_true(has(tlb, 5));
    assert_false(has(tlb, 6));
    assert_false(tlb_insert(tlb, address(5), &other));
    assert_int_equal(tlb_find(tlb, address(5))->spa.raw, 99 << PAGE_SHIFT);
    assert_int_equal(tlb_count(tlb), 1);
    tlb_free(tlb);
}

static void a_flush_may_spare_global_pages(void **state)
{
    struct tlb *tlb = tlb_create(16);

    (void)state;
    insert(tlb, 1, 12, false);
    insert(tlb, 2, 12, true);
    tlb_flush(tlb, true);
    assert_false(has(tlb, 1));
    assert_true(has(tlb, 2));
    tlb_flush(tlb, false);
    assert_false(has(tlb, 2));
    assert_int_equal(tlb_count(tlb), 0);
    tlb_free(tlb);
}

static void invlpg_drops_global_pages_too(void **state)
{
    struct tlb *tlb = tlb_create(16);

    (void)state;
    insert(tlb, 1, 12, true);
    insert(tlb, 2, 12, true);
    tlb_flush_page(tlb, address(1), EPOCH);
    assert_false(has(tlb, 1));
    assert_true(has(tlb, 2));
    tlb_free(tlb);
}

static void assert_pieces_go_together(unsigned shift, bool global)
{
    struct tlb *tlb = tlb_create(1 << 20);
    uint64_t region_pages = UINT64_C(1) << (shift - PAGE_SHIFT);
    uint64_t first = UINT64_C(0x12345) << (shift - PAGE_SHIFT);

    insert(tlb, first, (uint8_t)shift, global);
    insert(tlb, first + region_pages - 1, (uint8_t)shift, global);
    insert(tlb, first + region_pages, (uint8_t)shift, global);
    insert(tlb, first - 1, (uint8_t)shift, global);
    insert(tlb, first + 1, 12, global); /* not of that mapping */
    tlb_mark(tlb, address(first + region_pages - 1), EPOCH);
    assert_true(tlb_flush_page(tlb, address(first + region_pages / 2), EPOCH));
    assert_false(has(tlb, first));
    assert_false(has(tlb, first + region_pages - 1));
    assert_true(has(tlb, first + region_pages));
    assert_true(has(tlb, first - 1));
    assert_true(has(tlb, first + 1));
    tlb_free(tlb);
}

static void invlpg_drops_all_pieces_of_a_large_page(void **state)
{
    (void)state;
    assert_pieces_go_together(21, false);
    assert_pieces_go_together(22, true);
    assert_pieces_go_together(30, false);
    assert_pieces_go_together(30, true);
}

static void the_engine_is_flushed_only_if_it_holds_the_page(void **state)
{
    struct tlb *tlb = tlb_create(16);

    (void)state;
    insert(tlb, 1, 12, false);
    assert_false(tlb_flush_page(tlb, address(1), EPOCH));
    insert(tlb, 1, 12, false);
    tlb_mark(tlb, address(1), EPOCH - 1);
    assert_false(tlb_flush_page(tlb, address(1), EPOCH));
    insert(tlb, 1, 12, false);
    tlb_mark(tlb, address(1), EPOCH);
    insert(tlb, 1, 12, true); /* replaced: the engine still has the old one */
    assert_true(tlb_flush_page(tlb, address(1), EPOCH));
    assert_false(tlb_flush_page(tlb, address(1), EPOCH));
    tlb_mark(tlb, address(1), EPOCH); /* not here: nothing to note */
    insert(tlb, 1, 12, false);
    assert_false(tlb_flush_page(tlb, address(1), EPOCH));
    tlb_free(tlb);
}

static void a_full_tlb_is_emptied_for_the_next_page(void **state)
{
    struct tlb *tlb = tlb_create(3);
    struct mmu_translation fourth = page_of(4, 12, false);

    (void)state;
    insert(tlb, 1, 12, true);
    insert(tlb, 2, 12, false);
    insert(tlb, 3, 12, false);
    insert(tlb, 3, 12, false); /* no new page */
    assert_true(tlb_insert(tlb, address(4), &fourth));
    assert_int_equal(tlb_count(tlb), 1);
    assert_true(has(tlb, 4));
    assert_false(has(tlb, 1));
    tlb_free(tlb);
}

static void it_grows_to_its_capacity(void **state)
{
    enum { PAGES = 50000 };
    struct tlb *tlb = tlb_create(PAGES);

    (void)state;
    for (uint64_t i = 0; i < PAGES; i++)
        insert(tlb, i * 0x10001, 12, i % 3 == 0);
    assert_int_equal(tlb_count(tlb), PAGES);
    for (uint64_t i = 0; i < PAGES; i++)
        assert_int_equal(tlb_find(tlb, address(i * 0x10001))->spa.raw,
                         i * 0x10001 << PAGE_SHIFT);
    tlb_free(tlb);
}

/* The law: the same as a plain array, whatever is done to it. */

struct model {
    struct {
        bool present;
        bool marked;
        uint32_t epoch;
        struct mmu_translation translation;
    } pages[MODEL_PAGES];
    uint32_t count;
};

static void model_drop(struct model *model, uint64_t page)
{
    if (model->pages[page].present)
        model->count--;
    model->pages[page].present = false;
    model->pages[page].marked = false;
}

static void model_flush(struct model *model, bool keep_global)
{
    for (uint64_t i = 0; i < MODEL_PAGES; i++) {
        if (!keep_global || !model->pages[i].translation.global)
            model_drop(model, i);
    }
}

/* Returns whether it had that mark. */
static bool model_mark(struct model *model, uint64_t page, uint32_t epoch)
{
    bool again = model->pages[page].present && model->pages[page].marked &&
                 model->pages[page].epoch == epoch;

    if (model->pages[page].present) {
        model->pages[page].marked = true;
        model->pages[page].epoch = epoch;
    }
    return again;
}

static bool model_flush_page(struct model *model, uint64_t page, uint32_t epoch)
{
    bool held = false;

    for (uint64_t i = 0; i < MODEL_PAGES; i++) {
        unsigned shift = model->pages[i].translation.shift;
        bool covers = i == page ||
                      (shift > PAGE_SHIFT && i >> (shift - PAGE_SHIFT) ==
                                                 page >> (shift - PAGE_SHIFT));

        if (!model->pages[i].present || !covers)
            continue;
        held |= model->pages[i].marked && model->pages[i].epoch == epoch;
        model_drop(model, i);
    }
    return held;
}

static bool model_insert(struct model *model, uint64_t page, uint32_t capacity,
                         struct mmu_translation translation)
{
    bool full = !model->pages[page].present && model->count >= capacity;

    if (full)
        model_flush(model, false);
    if (!model->pages[page].present)
        model->count++;
    model->pages[page].present = true;
    model->pages[page].translation = translation;
    return full;
}

static void step(struct tlb *tlb, struct model *model, struct rng *rng,
                 uint32_t capacity)
{
    static const uint8_t shifts[] = {12, 12, 12, 21, 22};
    uint64_t page = rng_below(rng, MODEL_PAGES);
    uint32_t epoch = (uint32_t)rng_below(rng, 3);
    uint64_t what = rng_below(rng, 1000);

    if (what < 700) {
        struct mmu_translation translation = page_of(
            rng_below(rng, 1000), shifts[rng_below(rng, sizeof(shifts))],
            rng_below(rng, 4) == 0);

        assert_int_equal(tlb_insert(tlb, address(page), &translation),
                         model_insert(model, page, capacity, translation));
    } else if (what < 800) {
        assert_int_equal(tlb_mark(tlb, address(page), epoch),
                         model_mark(model, page, epoch));
    } else if (what < 990) {
        assert_int_equal(tlb_flush_page(tlb, address(page), epoch),
                         model_flush_page(model, page, epoch));
    } else {
        bool keep_global = what < 998;

        tlb_flush(tlb, keep_global);
        model_flush(model, keep_global);
    }
}

static void assert_same(const struct tlb *tlb, const struct model *model,
                        uint64_t page)
{
    const struct mmu_translation *found = tlb_find(tlb, address(page));

    assert_int_equal(found != NULL, model->pages[page].present);
    if (found != NULL)
        assert_int_equal(found->spa.raw,
                         model->pages[page].translation.spa.raw);
}

static void it_behaves_like_a_plain_array(void **state)
{
    struct model *model = test_malloc(sizeof(*model));
    static const uint32_t capacities[] = {1, 40, 700, MODEL_PAGES};

    (void)state;
    for (unsigned k = 0; k < 4; k++) {
        struct tlb *tlb = tlb_create(capacities[k]);
        struct rng rng = rng_from_seed(k);

        *model = (struct model){.count = 0};
        for (unsigned i = 0; i < LAW_STEPS; i++) {
            step(tlb, model, &rng, capacities[k]);
            assert_same(tlb, model, rng_below(&rng, MODEL_PAGES));
            assert_int_equal(tlb_count(tlb), model->count);
        }
        for (uint64_t page = 0; page < MODEL_PAGES; page++)
            assert_same(tlb, model, page);
        tlb_free(tlb);
    }
    test_free(model);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_inserted_is_found),
        cmocka_unit_test(a_flush_may_spare_global_pages),
        cmocka_unit_test(invlpg_drops_global_pages_too),
        cmocka_unit_test(invlpg_drops_all_pieces_of_a_large_page),
        cmocka_unit_test(the_engine_is_flushed_only_if_it_holds_the_page),
        cmocka_unit_test(a_full_tlb_is_emptied_for_the_next_page),
        cmocka_unit_test(it_grows_to_its_capacity),
        cmocka_unit_test(it_behaves_like_a_plain_array),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
