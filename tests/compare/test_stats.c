/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/compare/stats.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void assert_near(double value, double expected, double within)
{
    if (!(fabs(value - expected) <= within))
        fail_msg("%.17g is not within %g of %.17g", value, within, expected);
}

static double t_density(double freedom, double t)
{
    return exp(lgamma((freedom + 1) / 2) - lgamma(freedom / 2) -
               (freedom + 1) / 2 * log1p(t * t / freedom)) /
           sqrt(freedom * 3.14159265358979323846);
}

/** What of Student's t lies between -t and t, by Simpson's rule. */
static double probability_within(double freedom, double t)
{
    const int steps = 20000;
    double sum = t_density(freedom, 0) + t_density(freedom, t);

    for (int i = 1; i < steps; i++)
        sum += t_density(freedom, t * i / steps) * (i % 2 == 1 ? 4 : 2);
    return 2 * sum * t / steps / 3;
}

static void each_quantile_holds_95_percent(void **state)
{
    (void)state;
    for (size_t freedom = 1; freedom <= 60; freedom++)
        assert_near(
            probability_within((double)freedom, stats_t_quantile(freedom)),
            0.95, 1e-7);
    assert_near(probability_within(1e4, stats_t_quantile(10000)), 0.95, 1e-7);
}

static void quantiles_fall_towards_the_normal_one(void **state)
{
    (void)state;
    for (size_t freedom = 1; freedom < 100; freedom++)
        assert_true(stats_t_quantile(freedom) > stats_t_quantile(freedom + 1));
    assert_true(stats_t_quantile(SIZE_MAX) >= 1.959963984);
    assert_near(stats_t_quantile(SIZE_MAX), 1.959963985, 1e-9);
}

static void an_interval_is_as_in_the_textbook(void **state)
{
    /* Mean 3, deviation sqrt(2.5); half is 2.776445 * sqrt(2.5 / 5). */
    static const double values[] = {1, 2, 3, 4, 5};
    struct stats_estimate estimate = stats_estimate(values, COUNT(values));

    (void)state;
    assert_int_equal(estimate.count, 5);
    assert_near(estimate.mean, 3, 1e-12);
    assert_near(estimate.half, 1.963243, 1e-6);
    assert_true(stats_differs_from_zero(&estimate));
}

static void two_values_make_a_wide_interval(void **state)
{
    static const double values[] = {1, 2};
    struct stats_estimate estimate = stats_estimate(values, COUNT(values));

    (void)state;
    assert_near(estimate.mean, 1.5, 0);
    assert_near(estimate.half, 12.706205 / 2, 1e-6);
    assert_false(stats_differs_from_zero(&estimate));
}

static void equal_values_make_an_interval_of_nothing(void **state)
{
    static const double values[] = {0.1, 0.1, 0.1};
    static const double zeros[] = {0, 0, 0};
    struct stats_estimate estimate = stats_estimate(values, COUNT(values));

    (void)state;
    assert_true(estimate.mean == 0.1);
    assert_true(estimate.half == 0);
    assert_true(stats_differs_from_zero(&estimate));
    estimate = stats_estimate(zeros, COUNT(zeros));
    assert_true(estimate.mean == 0 && estimate.half == 0);
    assert_false(stats_differs_from_zero(&estimate));
}

static void one_value_has_no_interval(void **state)
{
    static const double value = 42;
    struct stats_estimate estimate = stats_estimate(&value, 1);

    (void)state;
    assert_int_equal(estimate.count, 1);
    assert_true(estimate.mean == 42 && estimate.half == 0);
    assert_false(stats_differs_from_zero(&estimate));
}

static void no_value_is_no_estimate(void **state)
{
    struct stats_estimate estimate = stats_estimate(NULL, 0);

    (void)state;
    assert_int_equal(estimate.count, 0);
    assert_true(estimate.mean == 0 && estimate.half == 0);
    assert_false(stats_differs_from_zero(&estimate));
}

static void the_widest_values_make_numbers(void **state)
{
    static const double values[] = {STATS_VALUE_MAX, -STATS_VALUE_MAX,
                                    STATS_VALUE_MAX, 0};
    struct stats_estimate estimate = stats_estimate(values, COUNT(values));

    (void)state;
    assert_true(isfinite(estimate.mean));
    assert_true(isfinite(estimate.half) && estimate.half > 0);
}

static void a_small_spread_of_great_values_is_kept(void **state)
{
    static const double values[] = {1e15 + 1, 1e15 + 2, 1e15 + 3};
    struct stats_estimate estimate = stats_estimate(values, COUNT(values));

    (void)state;
    assert_near(estimate.mean, 1e15 + 2, 0);
    assert_near(estimate.half, 4.302653 / sqrt(3), 1e-6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_quantile_holds_95_percent),
        cmocka_unit_test(quantiles_fall_towards_the_normal_one),
        cmocka_unit_test(an_interval_is_as_in_the_textbook),
        cmocka_unit_test(two_values_make_a_wide_interval),
        cmocka_unit_test(equal_values_make_an_interval_of_nothing),
        cmocka_unit_test(one_value_has_no_interval),
        cmocka_unit_test(no_value_is_no_estimate),
        cmocka_unit_test(the_widest_values_make_numbers),
        cmocka_unit_test(a_small_spread_of_great_values_is_kept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
