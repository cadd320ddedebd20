/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sim/results/results_value.h"

static void assert_integral(const char *text, int64_t expected)
{
    struct results_value value;

    assert_true(results_value_parse(text, &value));
    assert_true(value.integral);
    assert_true(value.whole == expected);
}

static void assert_real(const char *text, double expected)
{
    struct results_value value;

    assert_true(results_value_parse(text, &value));
    assert_false(value.integral);
    assert_true(value.real == expected);
}

static void whole_numbers_are_integral(void **state)
{
    (void)state;
    assert_integral("0", 0);
    assert_integral("-0", 0);
    assert_integral("42", 42);
    assert_integral("-42", -42);
    assert_integral("999999999999999999", INT64_C(999999999999999999));
    assert_integral("-999999999999999999", INT64_C(-999999999999999999));
    assert_integral("00000000000000000000000007", 7);
}

static void zeros_after_the_point_are_integral(void **state)
{
    (void)state;
    assert_integral("3.0", 3);
    assert_integral("3.000000000", 3);
    assert_integral("-3.00", -3);
}

static void fractions_are_the_nearest_double(void **state)
{
    (void)state;
    assert_real("99.98", 99.98);
    assert_real("-0.5", -0.5);
    assert_real("0.000000001", 1e-9);
    assert_real("123456.789012345", 123456.789012345);
}

static void anything_else_is_refused(void **state)
{
    static const char *const texts[] = {
        "",
        "-",
        ".",
        "1.",
        ".5",
        "+1",
        "1e3",
        "0x10",
        " 1",
        "1 ",
        "1,5",
        "--1",
        "1.2.3",
        "nan",
        "inf",
        "1.0000000000",
        "1-",
        "1000000000000000000",
        "99999999999999999999999999",
        "\x80",
        "1\n",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct results_value value;

        if (results_value_parse(texts[i], &value))
            fail_msg("\"%s\" was accepted", texts[i]);
    }
}

static void names_are_of_few_characters_and_not_too_long(void **state)
{
    char name[66];

    (void)state;
    assert_true(results_value_is_name("cpu_utilization"));
    assert_true(results_value_is_name("a"));
    assert_true(results_value_is_name("latency.p99-9"));
    assert_false(results_value_is_name(""));
    assert_false(results_value_is_name("Upper"));
    assert_false(results_value_is_name("two words"));
    assert_false(results_value_is_name("\xc3\xa4"));
    memset(name, 'x', sizeof(name));
    name[65] = '\0';
    assert_false(results_value_is_name(name));
    name[64] = '\0';
    assert_true(results_value_is_name(name));
}

static void units_are_printable_and_without_blanks(void **state)
{
    (void)state;
    assert_true(results_value_is_unit("%"));
    assert_true(results_value_is_unit("1/s"));
    assert_true(results_value_is_unit("0123456789abcdef"));
    assert_false(results_value_is_unit("0123456789abcdefg"));
    assert_false(results_value_is_unit(""));
    assert_false(results_value_is_unit("a b"));
    assert_false(results_value_is_unit("\033[31m"));
    assert_false(results_value_is_unit("\x7f"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_numbers_are_integral),
        cmocka_unit_test(zeros_after_the_point_are_integral),
        cmocka_unit_test(fractions_are_the_nearest_double),
        cmocka_unit_test(anything_else_is_refused),
        cmocka_unit_test(names_are_of_few_characters_and_not_too_long),
        cmocka_unit_test(units_are_printable_and_without_blanks),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
