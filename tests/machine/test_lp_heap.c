/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "sim/core/rng.h"
#include "sim/machine/lp_heap.h"

#define LPS 37

static void make_lps(struct hv_lp lps[LPS])
{
    for (uint32_t i = 0; i < LPS; i++)
        lps[i] = (struct hv_lp){.id = {i}};
}

/* The slow truth: the first and second by clock, then by number. */
static const struct hv_lp *nth(const struct hv_lp *lps,
                               const struct lp_heap *heap, unsigned n)
{
    const struct hv_lp *best = NULL, *skip = n ? nth(lps, heap, n - 1) : NULL;

    for (uint32_t i = 0; i < LPS; i++) {
        if (&lps[i] == skip || !lp_heap_contains(heap, &lps[i]))
            continue;
        if (!best || lps[i].now.v < best->now.v)
            best = &lps[i];
    }
    return best;
}

static void order_is_by_clock_and_then_by_number(void **state)
{
    struct hv_lp lps[LPS];
    struct lp_heap *heap = lp_heap_create(LPS);

    (void)state;
    make_lps(lps);
    assert_null(lp_heap_first(heap));
    lp_heap_add(heap, &lps[7]);
    assert_ptr_equal(lp_heap_first(heap), &lps[7]);
    assert_null(lp_heap_second(heap));
    lp_heap_add(heap, &lps[3]);
    assert_ptr_equal(lp_heap_first(heap), &lps[3]);
    assert_ptr_equal(lp_heap_second(heap), &lps[7]);
    lps[3].now = cycles(1);
    lp_heap_settle(heap, &lps[3]);
    assert_ptr_equal(lp_heap_first(heap), &lps[7]);
    lp_heap_free(heap);
}

static void it_agrees_with_a_search_after_any_operations(void **state)
{
    struct hv_lp lps[LPS];
    struct lp_heap *heap = lp_heap_create(LPS);
    struct rng rng = rng_from_seed(1);

    (void)state;
    make_lps(lps);
    for (unsigned step = 0; step < 20000; step++) {
        struct hv_lp *lp = &lps[rng_below(&rng, LPS)];

        if (!lp_heap_contains(heap, lp)) {
            lp_heap_add(heap, lp);
        } else if (rng_below(&rng, 4) == 0) {
            lp_heap_remove(heap, lp);
        } else {
            lp->now.v += rng_below(&rng, 5);
            lp_heap_settle(heap, lp);
        }
        assert_ptr_equal(lp_heap_first(heap), nth(lps, heap, 0));
        assert_ptr_equal(lp_heap_second(heap), nth(lps, heap, 1));
    }
    lp_heap_free(heap);
}

/* A step moves the first LP's clock, and then wakes others. */
static void whoever_is_woken_by_the_first_stands_in_its_place(void **state)
{
    struct hv_lp lps[LPS];
    struct rng rng = rng_from_seed(2);

    (void)state;
    for (unsigned round = 0; round < 200; round++) {
        struct lp_heap *heap = lp_heap_create(LPS);
        struct hv_lp *first;

        make_lps(lps);
        for (uint32_t i = 0; i < LPS; i++) {
            lps[i].now.v = rng_below(&rng, 1000);
            if (i % 2 == 0)
                lp_heap_add(heap, &lps[i]);
        }
        first = lp_heap_first(heap);
        first->now.v += 2000;
        for (uint32_t i = 1; i < LPS; i += 2)
            lp_heap_add(heap, &lps[i]);
        lp_heap_settle(heap, first);
        while ((first = lp_heap_first(heap))) {
            assert_ptr_equal(first, nth(lps, heap, 0));
            lp_heap_remove(heap, first);
        }
        lp_heap_free(heap);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(order_is_by_clock_and_then_by_number),
        cmocka_unit_test(it_agrees_with_a_search_after_any_operations),
        cmocka_unit_test(whoever_is_woken_by_the_first_stands_in_its_place),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
