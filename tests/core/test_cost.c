/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sim/core/cost.h"
#include "sim/core/rng.h"

static void an_empty_bill_counts_nothing(void **state)
{
    struct cost_bill bill = {0};

    (void)state;
    for (unsigned kind = 0; kind < COST_KIND_COUNT; kind++)
        assert_int_equal(cost_count(&bill, (enum cost_kind)kind), 0);
}

static void notes_of_one_kind_add_up_and_touch_no_other(void **state)
{
    struct cost_bill bill = {0};

    (void)state;
    cost_note(&bill, COST_VMEXIT, 2);
    cost_note(&bill, COST_VMEXIT, 3);
    assert_int_equal(cost_count(&bill, COST_VMEXIT), 5);
    assert_int_equal(cost_count(&bill, COST_VMENTRY), 0);
}

static void a_cleared_bill_counts_anew(void **state)
{
    struct cost_bill bill = {0};

    (void)state;
    cost_note(&bill, COST_HYPERCALL_BODY, 7);
    cost_bill_clear(&bill);
    assert_int_equal(cost_count(&bill, COST_HYPERCALL_BODY), 0);
    cost_note(&bill, COST_HYPERCALL_BODY, 1);
    assert_int_equal(cost_count(&bill, COST_HYPERCALL_BODY), 1);
}

/** Notes at random on one of two bills, and beside them in plain arrays. */
static void adding_bills_adds_each_kind(void **state)
{
    struct rng rng = rng_from_seed(4);

    (void)state;
    for (unsigned round = 0; round < 200; round++) {
        struct cost_bill bill[2] = {0};
        uint32_t sum[COST_KIND_COUNT] = {0};

        for (unsigned note = 0; note < 40; note++) {
            unsigned kind = (unsigned)rng_below(&rng, COST_KIND_COUNT);
            uint32_t count = (uint32_t)rng_below(&rng, 1000);

            cost_note(&bill[rng_below(&rng, 2)], (enum cost_kind)kind, count);
            sum[kind] += count;
        }
        cost_bill_add(&bill[0], &bill[1]);
        for (unsigned kind = 0; kind < COST_KIND_COUNT; kind++)
            assert_int_equal(cost_count(&bill[0], (enum cost_kind)kind),
                             sum[kind]);
    }
}

static void every_kind_says_its_name_help_and_party(void **state)
{
    (void)state;
    for (unsigned kind = 0; kind < COST_KIND_COUNT; kind++) {
        assert_true(strlen(cost_kind_name((enum cost_kind)kind)) > 0);
        assert_true(strlen(cost_kind_help((enum cost_kind)kind)) > 0);
    }
    assert_string_equal(cost_kind_name(COST_VMEXIT), "VMEXIT");
    assert_int_equal(cost_kind_party(COST_VMEXIT), COST_PARTY_HYPERVISOR);
    assert_int_equal(cost_kind_party(COST_INSN_ALU), COST_PARTY_GUEST);
    assert_int_equal(cost_kind_party(COST_LP_WAKE), COST_PARTY_IDLE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_empty_bill_counts_nothing),
        cmocka_unit_test(notes_of_one_kind_add_up_and_touch_no_other),
        cmocka_unit_test(a_cleared_bill_counts_anew),
        cmocka_unit_test(adding_bills_adds_each_kind),
        cmocka_unit_test(every_kind_says_its_name_help_and_party),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
