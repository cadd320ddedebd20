/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "sim/core/rng.h"
#include "sim/machine/lp_order.h"

#define LPS 37

static void make_lps(struct hv_lp lps[LPS])
{
    for (uint32_t i = 0; i < LPS; i++)
        lps[i] = (struct hv_lp){.id = {i}};
}

/* The slow truth: the first and second by clock, then by number. */
static const struct hv_lp *nth(const struct hv_lp *lps,
                               const struct lp_order *order, unsigned n)
{
    const struct hv_lp *best = NULL, *skip = n ? nth(lps, order, n - 1) : NULL;

    for (uint32_t i = 0; i < LPS; i++) {
        if (&lps[i] == skip || !lp_order_contains(order, &lps[i]))
            continue;
        if (!best || lps[i].now.v < best->now.v)
            best = &lps[i];
    }
    return best;
}

static void order_is_by_clock_and_then_by_number(void **state)
{
    struct hv_lp lps[LPS];
    struct lp_order *order = lp_order_create(LPS);

    (void)state;
    make_lps(lps);
    assert_null(lp_order_first(order));
    lp_order_add(order, &lps[7]);
    assert_ptr_equal(lp_order_first(order), &lps[7]);
    assert_null(lp_order_second(order));
    lp_order_add(order, &lps[3]);
    assert_ptr_equal(lp_order_first(order), &lps[3]);
    assert_ptr_equal(lp_order_second(order), &lps[7]);
    lps[3].now = cycles(1);
    lp_order_settle(order, &lps[3]);
    assert_ptr_equal(lp_order_first(order), &lps[7]);
    lp_order_free(order);
}

static void it_agrees_with_a_search_after_any_operations(void **state)
{
    struct hv_lp lps[LPS];
    struct lp_order *order = lp_order_create(LPS);
    struct rng rng = rng_from_seed(1);

    (void)state;
    make_lps(lps);
    for (unsigned step = 0; step < 20000; step++) {
        struct hv_lp *lp = &lps[rng_below(&rng, LPS)];

        if (!lp_order_contains(order, lp)) {
            lp_order_add(order, lp);
        } else if (rng_below(&rng, 4) == 0) {
            lp_order_remove(order, lp);
        } else {
            lp->now.v += rng_below(&rng, 5);
            lp_order_settle(order, lp);
        }
        assert_ptr_equal(lp_order_first(order), nth(lps, order, 0));
        assert_ptr_equal(lp_order_second(order), nth(lps, order, 1));
    }
    lp_order_free(order);
}

/* A step moves the first LP's clock, and then wakes others. */
static void whoever_is_woken_by_the_first_stands_in_its_place(void **state)
{
    struct hv_lp lps[LPS];
    struct rng rng = rng_from_seed(2);

    (void)state;
    for (unsigned round = 0; round < 200; round++) {
        struct lp_order *order = lp_order_create(LPS);
        struct hv_lp *first;

        make_lps(lps);
        for (uint32_t i = 0; i < LPS; i++) {
            lps[i].now.v = rng_below(&rng, 1000);
            if (i % 2 == 0)
                lp_order_add(order, &lps[i]);
        }
        first = lp_order_first(order);
        first->now.v += 2000;
        for (uint32_t i = 1; i < LPS; i += 2)
            lp_order_add(order, &lps[i]);
        lp_order_settle(order, first);
        while ((first = lp_order_first(order))) {
            assert_ptr_equal(first, nth(lps, order, 0));
            lp_order_remove(order, first);
        }
        lp_order_free(order);
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
