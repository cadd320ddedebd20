/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/cli/pace.h"

#define MS UINT64_C(1000000)

static void simulated_time_goes_as_far_as_real_time(void **state)
{
    struct pace pace;

    (void)state;
    pace_start(&pace, 5 * MS, 1000 * MS);
    assert_true(pace_limit(&pace, 5 * MS, 1000 * MS) == 5 * MS);
    assert_true(pace_limit(&pace, 5 * MS, 1007 * MS) == 12 * MS);
    /* It is ahead, by a step that could not be cut. */
    assert_true(pace_limit(&pace, 50 * MS, 1010 * MS) == 15 * MS);
    assert_true(pace_limit(&pace, 50 * MS, 1045 * MS) == 50 * MS);
}

static void what_was_lost_is_made_up_for_but_for_a_little(void **state)
{
    struct pace pace;

    (void)state;
    pace_start(&pace, 0, 0);
    assert_true(pace_limit(&pace, 10 * MS, 60 * MS) == 60 * MS);
    assert_true(pace_limit(&pace, 10 * MS, 9000 * MS) == 110 * MS);
    /* And from there with real time. */
    assert_true(pace_limit(&pace, 110 * MS, 9005 * MS) == 115 * MS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(simulated_time_goes_as_far_as_real_time),
        cmocka_unit_test(what_was_lost_is_made_up_for_but_for_a_little),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
