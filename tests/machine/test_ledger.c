/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "sim/machine/ledger.h"

static void time_that_adds_up_passes(void **state)
{
    struct ledger *ledger = ledger_create(2);
    const cycles_t elapsed[] = {{100}, {100}};
    struct sim_error error;

    (void)state;
    ledger_post(ledger, (lp_id_t){0}, 5, cycles(60), cycles(30));
    ledger_post_idle(ledger, (lp_id_t){0}, cycles(10));
    ledger_post(ledger, (lp_id_t){1}, 200, cycles(0), cycles(1));
    ledger_post_idle(ledger, (lp_id_t){1}, cycles(99));
    assert_int_equal(ledger_check(ledger, elapsed, 2, &error), SIM_OK);
    assert_int_equal(ledger_lp(ledger, (lp_id_t){0}).guest.v, 60);
    assert_int_equal(ledger_vp(ledger, 200).hypervisor.v, 1);
    assert_int_equal(ledger_vp(ledger, 100000).guest.v, 0);
    ledger_free(ledger);
}

static void a_cycle_too_few_or_too_many_is_named_with_its_lp(void **state)
{
    struct sim_error error;

    (void)state;
    for (int off = -1; off <= 1; off += 2) {
        struct ledger *ledger = ledger_create(2);
        const cycles_t elapsed[] = {{0}, {(uint64_t)(100 + off)}};

        ledger_post(ledger, (lp_id_t){1}, 0, cycles(100), cycles(0));
        assert_int_equal(ledger_check(ledger, elapsed, 2, &error),
                         SIM_RUN_FAILED);
        assert_non_null(strstr(error.message, "Hv LP 1"));
        ledger_free(ledger);
    }
}

static void bills_are_counted_by_kind(void **state)
{
    struct ledger *ledger = ledger_create(1);
    struct cost_bill bill = {0};

    (void)state;
    cost_note(&bill, COST_VMEXIT, 3);
    ledger_count(ledger, &bill);
    ledger_count(ledger, &bill);
    assert_int_equal(ledger_kind(ledger, COST_VMEXIT), 6);
    assert_int_equal(ledger_kind(ledger, COST_VMENTRY), 0);
    ledger_free(ledger);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(time_that_adds_up_passes),
        cmocka_unit_test(a_cycle_too_few_or_too_many_is_named_with_its_lp),
        cmocka_unit_test(bills_are_counted_by_kind),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
