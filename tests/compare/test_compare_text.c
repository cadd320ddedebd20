/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/compare/compare.h"

static void add_variant(struct comparison *comparison, const char *label,
                        size_t metric, const double *values, size_t count)
{
    struct compare_variant *variant = compare_add_variant(comparison, label);

    compare_add_parameter(variant, "vms.web.weight", "1");
    for (size_t i = 0; i < count; i++)
        compare_set_value(compare_add_run(variant, i + 1, "file.db"), metric,
                          values[i]);
}

static void set_values(struct comparison *comparison, size_t metric,
                       size_t variant, const double *values)
{
    for (size_t i = 0; i < comparison->variants[variant].run_count; i++)
        compare_set_value(&comparison->variants[variant].runs[i], metric,
                          values[i]);
}

/** Two variants, three seeds; a result, a counter that no seed changes, and one
 *  that is the same everywhere. */
static struct comparison *make(void)
{
    static const double base[] = {1000000, 1010000, 1020000};
    static const double other[] = {1100000, 1111000, 1119000};
    static const double few[] = {10, 10, 10};
    static const double more[] = {12, 12, 12};
    struct comparison *comparison = compare_create("made-up");
    size_t elapsed = compare_add_metric(comparison, "web", "result:web:elapsed",
                                        "web elapsed", "ns", COMPARE_LESS);
    size_t rate = compare_add_metric(comparison, "", "LP\\rate", "LP\\rate",
                                     "1/s", COMPARE_UNKNOWN);
    size_t same = compare_add_metric(comparison, "", "LP\\same", "LP\\same",
                                     "%", COMPARE_UNKNOWN);

    add_variant(comparison, "weight=100", elapsed, base, 3);
    add_variant(comparison, "weight=10000 limit=50%", elapsed, other, 3);
    set_values(comparison, rate, 0, few);
    set_values(comparison, rate, 1, more);
    set_values(comparison, same, 0, few);
    set_values(comparison, same, 1, few);
    compare_summarise(comparison);
    return comparison;
}

static void expect_text(struct comparison *comparison, unsigned width,
                        bool colours, const char *expected)
{
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);

    assert_non_null(out);
    compare_print_text(comparison, out, width, colours);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, expected);
    free(text);
    compare_free(comparison);
}

#define LEGEND                                                                 \
    "\n+/-: half of the interval that holds the mean with 95 % confidence "    \
    "(Student's t).\n"                                                         \
    "exact: every seed gave the same; there is no chance in it.\n"             \
    "difference, %: from variant 1, seed by seed; differs: whether its "       \
    "interval\n"                                                               \
    "excludes 0. Where nothing differs, one line in 20 says yes by chance.\n"

static void a_table_is_rounded_to_what_is_certain(void **state)
{
    (void)state;
    expect_text(
        make(), 0, false,
        "made-up: 2 variants, 3 seeds each\n"
        "varied: vms.web.weight\n"
        "\n"
        "                             mean    +/-  difference     +/-      "
        " %  differs\n"
        "web elapsed, ms: less is better\n"
        "  1 weight=100              1.010  0.025                          "
        "             best\n"
        "  2 weight=10000 limit=50%  1.110  0.024     +0.1000  0.0025   "
        "+9.90      yes  worst\n"
        "LP\\rate, 1/s\n"
        "  1 weight=100                 10  exact                          "
        "             lowest\n"
        "  2 weight=10000 limit=50%     12  exact          +2   exact  "
        "+20.00      yes  highest\n"
        "\n"
        "The same in all variants:\n"
        "  LP\\same: 10 %\n" LEGEND);
}

static void labels_have_what_the_figures_leave(void **state)
{
    (void)state;
    expect_text(
        make(), 79, false,
        "made-up: 2 variants, 3 seeds each\n"
        "varied: vms.web.weight\n"
        "\n"
        "                      mean    +/-  difference     +/-       %  "
        "differs\n"
        "web elapsed, ms: less is better\n"
        "  1 weight=100       1.010  0.025                                 "
        "      best\n"
        "  2 weight=10000 l~  1.110  0.024     +0.1000  0.0025   +9.90     "
        " yes  worst\n"
        "LP\\rate, 1/s\n"
        "  1 weight=100          10  exact                                 "
        "      lowest\n"
        "  2 weight=10000 l~     12  exact          +2   exact  +20.00     "
        " yes  highest\n"
        "\n"
        "The same in all variants:\n"
        "  LP\\same: 10 %\n" LEGEND);
    expect_text(
        make(), 20, false,
        "made-up: 2 variants, 3 seeds each\n"
        "varied: vms.web.weight\n"
        "\n"
        "                   mean    +/-  difference     +/-       %  "
        "differs\n"
        "web elapsed, ms: less is better\n"
        "  1 weight=100    1.010  0.025                                    "
        "   best\n"
        "  2 weight=1000~  1.110  0.024     +0.1000  0.0025   +9.90      "
        "yes  worst\n"
        "LP\\rate, 1/s\n"
        "  1 weight=100       10  exact                                    "
        "   lowest\n"
        "  2 weight=1000~     12  exact          +2   exact  +20.00      "
        "yes  highest\n"
        "\n"
        "The same in all variants:\n"
        "  LP\\same: 10 %\n" LEGEND);
}

static void colours_are_on_what_is_judged_alone(void **state)
{
    (void)state;
    expect_text(
        make(), 0, true,
        "made-up: 2 variants, 3 seeds each\n"
        "varied: vms.web.weight\n"
        "\n"
        "                             mean    +/-  difference     +/-      "
        " %  differs\n"
        "web elapsed, ms: less is better\n"
        "  1 weight=100              1.010  0.025                          "
        "             \x1b[32mbest\x1b[0m\n"
        "  2 weight=10000 limit=50%  1.110  0.024     +0.1000  0.0025   "
        "+9.90      yes  \x1b[31mworst\x1b[0m\n"
        "LP\\rate, 1/s\n"
        "  1 weight=100                 10  exact                          "
        "             lowest\n"
        "  2 weight=10000 limit=50%     12  exact          +2   exact  "
        "+20.00      yes  highest\n"
        "\n"
        "The same in all variants:\n"
        "  LP\\same: 10 %\n" LEGEND);
}

static void a_lone_variant_has_no_empty_columns(void **state)
{
    static const double values[] = {1, 2, 3};
    struct comparison *comparison = compare_create("made-up");
    size_t metric = compare_add_metric(comparison, "web", "result:web:items",
                                       "web items", "count", COMPARE_MORE);

    (void)state;
    add_variant(comparison, "as it is", metric, values, 3);
    compare_summarise(comparison);
    expect_text(comparison, 0, false,
                "made-up: 1 variant, 3 seeds\n"
                "varied: vms.web.weight\n"
                "\n"
                "              mean  +/-\n"
                "web items, count: more is better\n"
                "  1 as it is   2.0  2.5\n"
                "\n"
                "+/-: half of the interval that holds the mean with 95 % "
                "confidence (Student's t).\n");
}

static void runs_without_the_metric_are_told(void **state)
{
    static const double values[] = {1, 2, 3};
    struct comparison *comparison = compare_create("made-up");
    size_t metric = compare_add_metric(comparison, "web", "result:web:items",
                                       "web items", "count", COMPARE_MORE);

    (void)state;
    add_variant(comparison, "as it is", metric, values, 3);
    comparison->variants[0].runs[2].value_count = 0;
    compare_summarise(comparison);
    expect_text(comparison, 0, false,
                "made-up: 1 variant, 3 seeds\n"
                "varied: vms.web.weight\n"
                "\n"
                "              mean  +/-\n"
                "web items, count: more is better\n"
                "  1 as it is   1.5  6.4\n"
                "\n"
                "+/-: half of the interval that holds the mean with 95 % "
                "confidence (Student's t).\n"
                "Not all runs have every metric: a mean is of those that do "
                "(seeds, in csv).\n");
}

/** A metric of two variants with two seeds, as a table. */
static char *table_of(const double *base, const double *other)
{
    struct comparison *comparison = compare_create("made-up");
    size_t metric = compare_add_metric(comparison, "web", "result:web:items",
                                       "web items", "count", COMPARE_MORE);
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);

    assert_non_null(out);
    add_variant(comparison, "a", metric, base, 2);
    add_variant(comparison, "b", metric, other, 2);
    compare_summarise(comparison);
    compare_print_text(comparison, out, 0, false);
    assert_int_equal(fclose(out), 0);
    compare_free(comparison);
    return text;
}

static void differences_that_cancel_out_are_not_the_same(void **state)
{
    static const double base[] = {10, 20};
    static const double crossed[] = {11, 19};
    char *text = table_of(base, crossed);

    (void)state;
    assert_non_null(strstr(text, "+0.00       no\n"));
    assert_null(strstr(text, "  same\n"));
    free(text);
    text = table_of(base, base);
    assert_non_null(strstr(text, "+0.00     same\n"));
    free(text);
}

static void many_failures_are_counted(void **state)
{
    struct comparison *comparison = compare_create("made-up");
    struct compare_variant *variant = compare_add_variant(comparison, "a");
    char *text = NULL;
    size_t bytes;
    FILE *out = open_memstream(&text, &bytes);

    (void)state;
    assert_non_null(out);
    for (uint64_t seed = 1; seed <= 23; seed++)
        compare_add_run(variant, seed, "a.db")->failure = strdup("it failed");
    compare_summarise(comparison);
    compare_print_text(comparison, out, 0, false);
    assert_int_equal(fclose(out), 0);
    assert_non_null(strstr(text, "Failed: 1 a, seed 20: it failed\n"
                                 "(and 3 failures more; --format json has "
                                 "all)\n"));
    assert_null(strstr(text, "seed 21"));
    compare_free(comparison);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_table_is_rounded_to_what_is_certain),
        cmocka_unit_test(labels_have_what_the_figures_leave),
        cmocka_unit_test(colours_are_on_what_is_judged_alone),
        cmocka_unit_test(a_lone_variant_has_no_empty_columns),
        cmocka_unit_test(runs_without_the_metric_are_told),
        cmocka_unit_test(differences_that_cancel_out_are_not_the_same),
        cmocka_unit_test(many_failures_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
