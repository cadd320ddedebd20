/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "workloads/linux/arguments.h"

static void assert_value(const char *line, const char *name, const char *value)
{
    char found[64];

    assert_true(arguments_find(line, name, found, sizeof(found)));
    assert_string_equal(found, value);
}

static void assert_none(const char *line, const char *name)
{
    char found[64] = "x";

    assert_false(arguments_find(line, name, found, sizeof(found)));
    assert_string_equal(found, "");
}

static void a_word_is_found_wherever_it_stands(void **state)
{
    (void)state;
    assert_value("a=1", "a", "1");
    assert_value("quiet a=1 b=2\n", "a", "1");
    assert_value("quiet a=1 b=2\n", "b", "2");
    assert_value("a= b=2", "a", "");
}

static void quotes_hold_blanks_together_as_in_the_kernel(void **state)
{
    (void)state;
    assert_value("q run=\"echo a; ls\" z", "run", "echo a; ls");
    assert_value("q \"run=echo a\" z", "run", "echo a");
    assert_value("run=a\" \"b", "run", "a b");
    assert_value("run=\"no end", "run", "no end");
}

static void what_stands_inside_another_word_is_no_argument(void **state)
{
    (void)state;
    assert_none("", "a");
    assert_none("aa=1 ba=2 a", "a");
    assert_none("run=\"x a=1\"", "a");
}

static void the_last_of_several_counts(void **state)
{
    (void)state;
    assert_value("a=1 a=2", "a", "2");
}

static void a_value_that_does_not_fit_is_none(void **state)
{
    char small[3];

    (void)state;
    assert_true(arguments_find("a=12", "a", small, sizeof(small)));
    assert_false(arguments_find("a=123", "a", small, sizeof(small)));
    assert_string_equal(small, "");
}

static void durations_have_a_number_and_a_unit(void **state)
{
    uint64_t ns;

    (void)state;
    assert_true(arguments_duration("100ms", &ns));
    assert_int_equal(ns, 100000000);
    assert_true(arguments_duration("3600s", &ns));
    assert_int_equal(ns, UINT64_C(3600000000000));
}

static void other_durations_are_refused(void **state)
{
    static const char *const texts[] = {
        "",    "ms",    "100",  "-1s", "1.5s",
        "1 s", "3601s", "1msx", "1m",  "99999999999999999999999999ns",
    };
    uint64_t ns;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_false(arguments_duration(texts[i], &ns));
}

static void sizes_and_numbers_are_read_alike(void **state)
{
    uint64_t value;

    (void)state;
    assert_true(arguments_bytes("256KiB", &value));
    assert_int_equal(value, 256 << 10);
    assert_false(arguments_bytes("256", &value));
    assert_true(arguments_number("18446744073709551615", &value));
    assert_true(value == UINT64_MAX);
    assert_false(arguments_number("18446744073709551616", &value));
    assert_false(arguments_number("-1", &value));
    assert_false(arguments_bytes("18446744073709551615GiB", &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_word_is_found_wherever_it_stands),
        cmocka_unit_test(quotes_hold_blanks_together_as_in_the_kernel),
        cmocka_unit_test(what_stands_inside_another_word_is_no_argument),
        cmocka_unit_test(the_last_of_several_counts),
        cmocka_unit_test(a_value_that_does_not_fit_is_none),
        cmocka_unit_test(durations_have_a_number_and_a_unit),
        cmocka_unit_test(other_durations_are_refused),
        cmocka_unit_test(sizes_and_numbers_are_read_alike),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
