/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "workloads/linux/watch.h"

static void a_stat_line_is_busy_idle_and_stolen(void **state)
{
    struct watch_times times;

    (void)state;
    assert_true(watch_parse("cpu  1 20 300 4000 50000 600000 7000000 8 9 10\n"
                            "cpu0 1 1 1 1 1 1 1 1 1 1\n",
                            &times));
    assert_int_equal(times.busy, 7600321);
    assert_int_equal(times.idle, 54000);
    assert_int_equal(times.stolen, 8);
}

static void another_line_is_refused(void **state)
{
    struct watch_times times;

    (void)state;
    assert_false(watch_parse("", &times));
    assert_false(watch_parse("cpu 1 2 3", &times));
    assert_false(watch_parse("intr 1 2 3 4 5 6 7 8", &times));
}

static void utilization_is_busy_of_all(void **state)
{
    struct watch_times from = {.busy = 100, .idle = 1000};
    struct watch_times third = {.busy = 110, .idle = 1020};
    struct watch_times stolen = {.busy = 110, .idle = 1000, .stolen = 30};

    (void)state;
    assert_int_equal(watch_utilization(&from, &third), 3333);
    assert_int_equal(watch_utilization(&from, &stolen), 2500);
    assert_int_equal(watch_utilization(&from, &from), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stat_line_is_busy_idle_and_stolen),
        cmocka_unit_test(another_line_is_refused),
        cmocka_unit_test(utilization_is_busy_of_all),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
