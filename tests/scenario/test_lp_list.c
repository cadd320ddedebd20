/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "sim/scenario/lp_list.h"

static void assert_reads_as(const char *text, const char *printed)
{
    struct lp_set lps = {0};
    char again[LP_LIST_TEXT_BYTES];
    const char *wrong = lp_list_parse(text, &lps);

    if (wrong)
        fail_msg("'%s' %s", text, wrong);
    lp_list_print(&lps, again);
    assert_string_equal(again, printed);
}

static void assert_refused(const char *text, const char *why)
{
    struct lp_set lps = {0};

    assert_string_equal(lp_list_parse(text, &lps), why);
}

static void single_lps_and_ranges_are_read_in_any_order(void **state)
{
    (void)state;
    assert_reads_as("0", "0");
    assert_reads_as("511", "511");
    assert_reads_as("0-3,6", "0-3,6");
    assert_reads_as(" 6 , 0-2,3 ", "0-3,6");
    assert_reads_as("5-5", "5");
    assert_reads_as("0-9,3-4", "0-9");
    assert_reads_as("0-511", "0-511");
    assert_reads_as("63-64", "63-64");
}

static void what_is_no_list_is_refused_with_its_reason(void **state)
{
    static const char *const no_lists[] = {
        "",    " ",   ",",   "0,",   ",0",  "0-", "-1",   "a",
        "0x1", "0;1", "0 1", "0- 1", "1.5", "+1", "0-1-2"};

    (void)state;
    for (size_t i = 0; i < sizeof no_lists / sizeof no_lists[0]; i++)
        assert_refused(no_lists[i], "is not a list of LPs");
    assert_refused("3-0", "has a range that goes backwards");
    assert_refused("00", "has a leading zero");
    assert_refused("512", "has an LP beyond the last that a host can have");
    assert_refused("0-18446744073709551616",
                   "has an LP beyond the last that a host can have");
}

static void the_longest_list_fits(void **state)
{
    struct lp_set lps = {0};
    struct lp_set again = {0};
    char text[LP_LIST_TEXT_BYTES];

    (void)state;
    for (uint32_t lp = 0; lp < LP_COUNT_MAX; lp++) {
        if (lp % 3 != 2)
            lp_set_add(&lps, lp);
    }
    lp_list_print(&lps, text);
    assert_null(lp_list_parse(text, &again));
    assert_memory_equal(&again, &lps, sizeof lps);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(single_lps_and_ranges_are_read_in_any_order),
        cmocka_unit_test(what_is_no_list_is_refused_with_its_reason),
        cmocka_unit_test(the_longest_list_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
