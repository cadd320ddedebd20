/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/compare/compare_figures.h"

#include <math.h>
#include <string.h>

#define DIGITS_CERTAIN 2 /* of the widest interval of a column */
#define DIGITS_PLAIN 5   /* where there is no interval */
#define DIGITS_TELLING 3 /* more than that at most */
#define DECIMALS_MAX 9

/** Nanoseconds are shown in the unit of which the greatest is at least one. */
static struct compare_scale choose_unit(const char *unit, double greatest)
{
    static const struct {
        const char *name;
        double ns;
    } times[] = {{"s", 1e9}, {"ms", 1e6}, {"us", 1e3}};

    if (strcmp(unit, "ns") == 0) {
        for (size_t i = 0; i < sizeof(times) / sizeof(times[0]); i++)
            if (greatest >= times[i].ns)
                return (struct compare_scale){.unit = times[i].name,
                                              .divisor = times[i].ns};
    }
    return (struct compare_scale){.unit = unit, .divisor = 1};
}

/** Decimals that show `digits` significant digits of `value`. */
static int decimals_of(double value, int digits)
{
    int decimals = digits - 1;

    if (value == 0)
        return 0;
    while (value >= 10 && decimals > 0) {
        value /= 10;
        decimals--;
    }
    while (value < 1 && decimals < DECIMALS_MAX) {
        value *= 10;
        decimals++;
    }
    return decimals;
}

static double greater(double a, double b)
{
    return a > b ? a : b;
}

/** The intervals of one column of a metric: halves that are not 0; 0: none. */
struct halves {
    double least;
    double greatest;
};

/** What of one metric decides how it is written, in its own unit. */
struct extent {
    bool integral;     /* all means are whole numbers */
    double mean;       /* the greatest */
    double difference; /* the least but 0; 0: there is none */
    struct halves mean_halves;
    struct halves difference_halves;
};

static void take_half(struct halves *halves, double half)
{
    if (half > 0 && (halves->least == 0 || half < halves->least))
        halves->least = half;
    halves->greatest = greater(halves->greatest, half);
}

static struct extent measure_metric(const struct comparison *comparison,
                                    size_t metric)
{
    struct extent extent = {.integral = true};

    for (size_t i = 0; i < comparison->variant_count; i++) {
        const struct compare_cell *cell = compare_cell(comparison, metric, i);
        double difference = fabs(cell->difference.mean);

        extent.mean = greater(extent.mean, fabs(cell->mean.mean));
        extent.integral =
            extent.integral && cell->mean.mean == trunc(cell->mean.mean);
        if (difference > 0 &&
            (extent.difference == 0 || difference < extent.difference))
            extent.difference = difference;
        take_half(&extent.mean_halves, cell->mean.half);
        take_half(&extent.difference_halves, cell->difference.half);
    }
    return extent;
}

/** As many as the widest interval leaves certain, and up to two more where the
 *  narrowest would look like 0. */
static int certain_decimals(const struct halves *halves, double divisor)
{
    int wide = decimals_of(halves->greatest / divisor, DIGITS_CERTAIN);
    int narrow = decimals_of(halves->least / divisor, 1);

    if (narrow <= wide)
        return wide;
    return narrow < wide + 2 ? narrow : wide + 2;
}

/** Where all is exact, means that differ are to look different, if that takes
 *  no more than a few digits. */
static int exact_decimals(const struct extent *extent, double divisor)
{
    int plain = decimals_of(extent->mean / divisor, DIGITS_PLAIN);
    int telling = decimals_of(extent->difference / divisor, DIGITS_CERTAIN);

    if (extent->integral && divisor == 1)
        return 0;
    if (telling > plain + DIGITS_TELLING)
        return plain + DIGITS_TELLING;
    return telling > plain ? telling : plain;
}

struct compare_scale compare_figures_scale(const struct comparison *comparison,
                                           size_t metric)
{
    struct extent extent = measure_metric(comparison, metric);
    struct compare_scale scale =
        choose_unit(comparison->metrics[metric].unit, extent.mean);

    if (extent.mean_halves.greatest > 0)
        scale.mean_decimals =
            certain_decimals(&extent.mean_halves, scale.divisor);
    else
        scale.mean_decimals = exact_decimals(&extent, scale.divisor);
    scale.difference_decimals = scale.mean_decimals;
    if (extent.difference_halves.greatest > 0)
        scale.difference_decimals =
            certain_decimals(&extent.difference_halves, scale.divisor);
    return scale;
}

static void write_figure(char *cell, const char *format, const char *exponent,
                         int decimals, double value)
{
    if (fabs(value) >= 1e15)
        snprintf(cell, COMPARE_CELL_BYTES, exponent, value);
    else
        snprintf(cell, COMPARE_CELL_BYTES, format, decimals, value);
}

/** What there is no interval of stays empty; where the seeds make no difference
 *  a figure holds as it is. */
static void write_half(char *cell, const struct stats_estimate *estimate,
                       int decimals, double divisor)
{
    if (estimate->count < 2)
        return;
    if (estimate->half == 0)
        snprintf(cell, COMPARE_CELL_BYTES, "exact");
    else
        write_figure(cell, "%.*f", "%.4e", decimals, estimate->half / divisor);
}

static void write_percent(char *cell, double percent)
{
    if (percent != 0 && fabs(percent) < 0.005)
        snprintf(cell, COMPARE_CELL_BYTES, "~0");
    else
        write_figure(cell, "%+.*f", "%+.1e", 2, percent);
}

static const char *judge_difference(const struct stats_estimate *difference)
{
    if (difference->count < 2)
        return "?";
    if (stats_differs_from_zero(difference))
        return "yes";
    /* Differences that cancel each other out are none the less there. */
    return difference->mean == 0 && difference->half == 0 ? "same" : "no";
}

static void write_difference(struct compare_line *line,
                             const struct compare_scale *scale,
                             const struct compare_cell *cell, double base)
{
    const struct stats_estimate *difference = &cell->difference;

    if (difference->count == 0)
        return;
    write_figure(line->cells[DIFFERENCE], "%+.*f", "%+.4e",
                 scale->difference_decimals, difference->mean / scale->divisor);
    write_half(line->cells[DIFFERENCE_HALF], difference,
               scale->difference_decimals, scale->divisor);
    if (base != 0)
        write_percent(line->cells[PERCENT],
                      difference->mean / fabs(base) * 100);
    snprintf(line->cells[DIFFERS], COMPARE_CELL_BYTES, "%s",
             judge_difference(difference));
}

void compare_figures_line(const struct comparison *comparison, size_t metric,
                          size_t variant, const struct compare_scale *scale,
                          struct compare_line *line)
{
    const struct compare_cell *cell = compare_cell(comparison, metric, variant);
    double base =
        compare_cell(comparison, metric, comparison->baseline)->mean.mean;

    *line = (struct compare_line){0};
    snprintf(line->cells[MEAN], COMPARE_CELL_BYTES, "-");
    if (cell->mean.count == 0)
        return;
    write_figure(line->cells[MEAN], "%.*f", "%.4e", scale->mean_decimals,
                 cell->mean.mean / scale->divisor);
    write_half(line->cells[MEAN_HALF], &cell->mean, scale->mean_decimals,
               scale->divisor);
    write_difference(line, scale, cell, base);
    snprintf(line->cells[MARK], COMPARE_CELL_BYTES, "%s",
             compare_mark_name(cell->mark));
}
