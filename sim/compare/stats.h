/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_COMPARE_STATS_H
#define HVSIM_SIM_COMPARE_STATS_H

/**
 * Estimates of a mean from few independent values, for comparisons of runs. No
 * state; no value that is not a number comes out where none goes in. The same
 * values in the same order give the same bits.
 */

#include <stddef.h>

#include "sim/core/types.h"

/* Values beyond this, whose squares might overflow, are not estimated from. */
#define STATS_VALUE_MAX 1e150

struct stats_estimate {
    size_t count; /* of values; 0: nothing is known */
    double mean;
    double half; /* the interval is mean +/- half; 0 if count < 2: there is
                    none */
};

/** The mean of `count` values, each of at most STATS_VALUE_MAX in size, and its
 *  confidence interval of 95 % by Student's t. Values that are all equal have
 *  an interval of exactly 0. */
struct stats_estimate stats_estimate(const double *values, size_t count);

/** Whether there is an interval and 0 is outside of it. */
bool stats_differs_from_zero(const struct stats_estimate *estimate);

/** The quantile 0.975 of Student's t with `freedom` (at least 1) degrees of
 *  freedom, to 1e-6. */
double stats_t_quantile(size_t freedom);

#endif
