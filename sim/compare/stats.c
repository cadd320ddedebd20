/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/compare/stats.h"

#include <math.h>

#include "sim/core/check.h"

/*
 * Quantile 0.975 by degrees of freedom from 1 on: the column of two-sided 95 %
 * in any table of Student's t (such as NIST/SEMATECH, e-Handbook of Statistical
 * Methods, 1.3.6.7.2), with six decimals. test_stats.c integrates the density
 * up to each.
 */
static const double t_quantiles[] = {
    12.706205, 4.302653, 3.182446, 2.776445, 2.570582, 2.446912,
    2.364624,  2.306004, 2.262157, 2.228139, 2.200985, 2.178813,
    2.160369,  2.144787, 2.131450, 2.119905, 2.109816, 2.100922,
    2.093024,  2.085963, 2.079614, 2.073873, 2.068658, 2.063899,
    2.059539,  2.055529, 2.051831, 2.048407, 2.045230, 2.042272,
};

#define TABLE_COUNT (sizeof(t_quantiles) / sizeof(t_quantiles[0]))
#define NORMAL_QUANTILE 1.959963984540054

/* Beyond the table: Abramowitz and Stegun, Handbook of Mathematical Functions,
 * 26.7.5, whose error is below 1e-7 there. */
static double expand(double freedom)
{
    const double z = NORMAL_QUANTILE;
    const double z2 = z * z;
    double g1 = z * (z2 + 1) / 4;
    double g2 = z * ((5 * z2 + 16) * z2 + 3) / 96;
    double g3 = z * (((3 * z2 + 19) * z2 + 17) * z2 - 15) / 384;
    double g4 =
        z * ((((79 * z2 + 776) * z2 + 1482) * z2 - 1920) * z2 - 945) / 92160;

    return z + (g1 + (g2 + (g3 + g4 / freedom) / freedom) / freedom) / freedom;
}

double stats_t_quantile(size_t freedom)
{
    CHECK(freedom >= 1);
    if (freedom <= TABLE_COUNT)
        return t_quantiles[freedom - 1];
    return expand((double)freedom);
}

struct stats_estimate stats_estimate(const double *values, size_t count)
{
    struct stats_estimate estimate = {.count = count};
    double sum = 0;
    double squares = 0;

    if (count == 0)
        return estimate;
    /* Relative to the first value, so that equal values make exact zeros. */
    for (size_t i = 0; i < count; i++)
        sum += (values[i] - values[0]) / (double)count;
    estimate.mean = values[0] + sum;
    if (count < 2)
        return estimate;
    for (size_t i = 0; i < count; i++) {
        double deviation = values[i] - values[0] - sum;

        squares += deviation * deviation / (double)(count - 1);
    }
    estimate.half = stats_t_quantile(count - 1) * sqrt(squares / (double)count);
    return estimate;
}

bool stats_differs_from_zero(const struct stats_estimate *estimate)
{
    return estimate->count >= 2 && fabs(estimate->mean) > estimate->half;
}
