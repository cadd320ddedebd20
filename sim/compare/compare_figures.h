/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_COMPARE_COMPARE_FIGURES_H
#define HVSIM_SIM_COMPARE_COMPARE_FIGURES_H

/**
 * The figures of a comparison in words: in units for people, and rounded to
 * what their intervals leave certain. For compare_text.c, which lays them out.
 */

#include "sim/compare/compare.h"

enum compare_column {
    MEAN,
    MEAN_HALF,
    DIFFERENCE,
    DIFFERENCE_HALF,
    PERCENT,
    DIFFERS,
    MARK,
    COLUMN_COUNT,
};

/** How the figures of one metric are written. */
struct compare_scale {
    const char *unit;
    double divisor;
    int mean_decimals;
    int difference_decimals;
};

#define COMPARE_CELL_BYTES 48

struct compare_line {
    char cells[COLUMN_COUNT][COMPARE_CELL_BYTES];
};

/** How the figures of `metric`, of all variants, are written. */
struct compare_scale compare_figures_scale(const struct comparison *comparison,
                                           size_t metric);

/** The cells of one variant; what is not known stays empty. */
void compare_figures_line(const struct comparison *comparison, size_t metric,
                          size_t variant, const struct compare_scale *scale,
                          struct compare_line *line);

#endif
