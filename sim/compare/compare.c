/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/compare/compare.h"

#include <stdlib.h>
#include <string.h>

#include "sim/core/check.h"

static char *copy_of(const char *text)
{
    char *copy = strdup(text);

    CHECK(copy != NULL);
    return copy;
}

/** `items` with room for one more than `count`. */
static void *grow(void *items, size_t count, size_t item_bytes)
{
    items = reallocarray(items, count + 1, item_bytes);
    CHECK(items != NULL);
    return items;
}

struct comparison *compare_create(const char *name)
{
    struct comparison *comparison = calloc(1, sizeof(*comparison));

    CHECK(comparison != NULL);
    comparison->name = copy_of(name);
    return comparison;
}

void compare_rename(struct comparison *comparison, const char *name)
{
    free(comparison->name);
    comparison->name = copy_of(name);
}

static void free_variant(struct compare_variant *variant)
{
    for (size_t i = 0; i < variant->parameter_count; i++) {
        free(variant->parameters[i].path);
        free(variant->parameters[i].value);
    }
    for (size_t i = 0; i < variant->run_count; i++) {
        free(variant->runs[i].file);
        free(variant->runs[i].failure);
        free(variant->runs[i].values);
    }
    free(variant->parameters);
    free(variant->runs);
    free(variant->label);
}

static void free_metric(struct compare_metric *metric)
{
    free(metric->group);
    free(metric->name);
    free(metric->title);
    free(metric->unit);
}

void compare_free(struct comparison *comparison)
{
    if (comparison == NULL)
        return;
    for (size_t i = 0; i < comparison->variant_count; i++)
        free_variant(&comparison->variants[i]);
    for (size_t i = 0; i < comparison->metric_count; i++)
        free_metric(&comparison->metrics[i]);
    free(comparison->variants);
    free(comparison->metrics);
    free(comparison->order);
    free(comparison->cells);
    free(comparison->name);
    free(comparison);
}

struct compare_variant *compare_add_variant(struct comparison *comparison,
                                            const char *label)
{
    struct compare_variant *variant;

    comparison->variants = grow(comparison->variants, comparison->variant_count,
                                sizeof(*comparison->variants));
    variant = &comparison->variants[comparison->variant_count++];
    *variant = (struct compare_variant){.label = copy_of(label)};
    return variant;
}

void compare_add_parameter(struct compare_variant *variant, const char *path,
                           const char *value)
{
    variant->parameters = grow(variant->parameters, variant->parameter_count,
                               sizeof(*variant->parameters));
    variant->parameters[variant->parameter_count++] =
        (struct compare_parameter){copy_of(path), copy_of(value)};
}

struct compare_run *compare_add_run(struct compare_variant *variant,
                                    uint64_t seed, const char *file)
{
    size_t at = variant->run_count;

    variant->runs =
        grow(variant->runs, variant->run_count, sizeof(*variant->runs));
    for (; at > 0 && variant->runs[at - 1].seed > seed; at--)
        variant->runs[at] = variant->runs[at - 1];
    variant->runs[at] =
        (struct compare_run){.seed = seed, .file = copy_of(file)};
    variant->run_count++;
    return &variant->runs[at];
}

/** Where in the order a new metric of `group` belongs. */
static size_t find_place(const struct comparison *comparison, const char *group)
{
    size_t place = 0;
    size_t results = 0;

    for (size_t i = 0; i < comparison->metric_count; i++) {
        const char *other = comparison->metrics[comparison->order[i]].group;

        if (strcmp(other, group) == 0)
            place = i + 1;
        if (*other != '\0')
            results = i + 1;
    }
    if (place > 0)
        return place;
    return *group != '\0' ? results : comparison->metric_count;
}

static void put_in_order(struct comparison *comparison, const char *group)
{
    size_t count = comparison->metric_count;
    size_t place = find_place(comparison, group);

    comparison->order =
        grow(comparison->order, count, sizeof(*comparison->order));
    memmove(&comparison->order[place + 1], &comparison->order[place],
            (count - place) * sizeof(*comparison->order));
    comparison->order[place] = count;
}

size_t compare_add_metric(struct comparison *comparison, const char *group,
                          const char *name, const char *title, const char *unit,
                          enum compare_better better)
{
    size_t count = comparison->metric_count;

    /* Runs have the same metrics in the same order, or nearly so. */
    for (size_t i = 0; i < count; i++) {
        size_t at = (comparison->last_metric + 1 + i) % count;
        const struct compare_metric *metric = &comparison->metrics[at];

        if (strcmp(metric->name, name) == 0 &&
            strcmp(metric->unit, unit) == 0) {
            comparison->last_metric = at;
            return at;
        }
    }
    put_in_order(comparison, group);
    comparison->metrics =
        grow(comparison->metrics, count, sizeof(*comparison->metrics));
    comparison->metrics[count] =
        (struct compare_metric){copy_of(group), copy_of(name), copy_of(title),
                                copy_of(unit),  better,        false};
    comparison->last_metric = count;
    return comparison->metric_count++;
}

void compare_set_value(struct compare_run *run, size_t metric, double value)
{
    while (run->value_count <= metric) {
        run->values = grow(run->values, run->value_count, sizeof(*run->values));
        run->values[run->value_count++] = (struct compare_value){0};
    }
    run->values[metric] = (struct compare_value){true, value};
}

size_t compare_failures(const struct compare_variant *variant)
{
    size_t count = 0;

    for (size_t i = 0; i < variant->run_count; i++)
        count += variant->runs[i].failure != NULL;
    return count;
}

/* Cells */

const struct compare_cell *compare_cell(const struct comparison *comparison,
                                        size_t metric, size_t variant)
{
    return &comparison->cells[metric * comparison->variant_count + variant];
}

static bool find_value(const struct compare_run *run, size_t metric,
                       double *value)
{
    if (metric >= run->value_count || !run->values[metric].known)
        return false;
    *value = run->values[metric].value;
    return true;
}

static const struct compare_run *
find_seed(const struct compare_variant *variant, uint64_t seed)
{
    for (size_t i = 0; i < variant->run_count; i++)
        if (variant->runs[i].seed == seed)
            return &variant->runs[i];
    return NULL;
}

/** `values` has room for a value of each run. */
static struct stats_estimate
estimate_mean(const struct compare_variant *variant, size_t metric,
              double *values)
{
    size_t count = 0;

    for (size_t i = 0; i < variant->run_count; i++)
        count += find_value(&variant->runs[i], metric, &values[count]);
    return stats_estimate(values, count);
}

static struct stats_estimate
estimate_difference(const struct compare_variant *variant,
                    const struct compare_variant *from, size_t metric,
                    double *values)
{
    size_t count = 0;

    for (size_t i = 0; i < variant->run_count; i++) {
        const struct compare_run *run = &variant->runs[i];
        const struct compare_run *other = find_seed(from, run->seed);
        double value;
        double base;

        if (other != NULL && find_value(run, metric, &value) &&
            find_value(other, metric, &base))
            values[count++] = value - base;
    }
    return stats_estimate(values, count);
}

/** The variants with the least and the greatest mean of a metric; false if no
 *  two differ. */
static bool find_extremes(const struct compare_cell *cells, size_t count,
                          size_t *least, size_t *most)
{
    bool found = false;

    for (size_t i = 0; i < count; i++) {
        if (cells[i].mean.count == 0)
            continue;
        if (!found || cells[i].mean.mean < cells[*least].mean.mean)
            *least = i;
        if (!found || cells[i].mean.mean > cells[*most].mean.mean)
            *most = i;
        found = true;
    }
    return found && cells[*least].mean.mean < cells[*most].mean.mean;
}

/** Whether the two may be the same but for chance. Where each has one run, of
 *  the same seed, nobody expects to know; where there are more, and too few
 *  pairs among them, it is as good as chance: means of unlike seeds. */
static bool is_chance(const struct comparison *comparison, size_t metric,
                      const struct compare_cell *cells, size_t a, size_t b,
                      double *values)
{
    struct stats_estimate difference = estimate_difference(
        &comparison->variants[a], &comparison->variants[b], metric, values);

    if (cells[a].mean.count == 1 && cells[b].mean.count == 1 &&
        difference.count == 1)
        return false;
    return !stats_differs_from_zero(&difference);
}

static void mark_extremes(const struct comparison *comparison, size_t metric,
                          struct compare_cell *cells, double *values)
{
    static const enum compare_mark of_least[] = {
        [COMPARE_UNKNOWN] = COMPARE_LOWEST,
        [COMPARE_LESS] = COMPARE_BEST,
        [COMPARE_MORE] = COMPARE_WORST,
    };
    static const enum compare_mark of_most[] = {
        [COMPARE_UNKNOWN] = COMPARE_HIGHEST,
        [COMPARE_LESS] = COMPARE_WORST,
        [COMPARE_MORE] = COMPARE_BEST,
    };
    enum compare_better better = comparison->metrics[metric].better;
    size_t count = comparison->variant_count;
    size_t least = 0;
    size_t most = 0;

    if (!find_extremes(cells, count, &least, &most) ||
        is_chance(comparison, metric, cells, most, least, values))
        return;
    for (size_t i = 0; i < count; i++) {
        if (cells[i].mean.count == 0)
            continue;
        if (cells[i].mean.mean == cells[least].mean.mean)
            cells[i].mark = of_least[better];
        else if (cells[i].mean.mean == cells[most].mean.mean)
            cells[i].mark = of_most[better];
    }
}

/* Repetitions */

static void drop_values(struct compare_run *run,
                        const struct compare_metric *metrics)
{
    size_t kept = 0;

    for (size_t i = 0; i < run->value_count; i++)
        if (!metrics[i].is_repetition)
            run->values[kept++] = run->values[i];
    run->value_count = kept;
}

/** The order has the metrics by their numbers, which become `numbers`. */
static void drop_from_order(struct comparison *comparison,
                            const size_t *numbers)
{
    size_t kept = 0;

    for (size_t i = 0; i < comparison->metric_count; i++) {
        size_t metric = comparison->order[i];

        if (!comparison->metrics[metric].is_repetition)
            comparison->order[kept++] = numbers[metric];
    }
}

static void drop_repetitions(struct comparison *comparison)
{
    size_t *numbers = calloc(comparison->metric_count + 1, sizeof(*numbers));
    size_t kept = 0;

    CHECK(numbers != NULL);
    for (size_t i = 0; i < comparison->metric_count; i++) {
        numbers[i] = kept;
        kept += !comparison->metrics[i].is_repetition;
    }
    drop_from_order(comparison, numbers);
    for (size_t i = 0; i < comparison->variant_count; i++)
        for (size_t k = 0; k < comparison->variants[i].run_count; k++)
            drop_values(&comparison->variants[i].runs[k], comparison->metrics);
    for (size_t i = 0; i < comparison->metric_count; i++) {
        if (comparison->metrics[i].is_repetition)
            free_metric(&comparison->metrics[i]);
        else
            comparison->metrics[numbers[i]] = comparison->metrics[i];
    }
    comparison->metric_count = kept;
    comparison->last_metric = 0;
    free(numbers);
}

static size_t most_runs(const struct comparison *comparison)
{
    size_t most = 0;

    for (size_t i = 0; i < comparison->variant_count; i++)
        if (comparison->variants[i].run_count > most)
            most = comparison->variants[i].run_count;
    return most;
}

void compare_summarise(struct comparison *comparison)
{
    size_t count = comparison->variant_count;
    const struct compare_variant *from =
        &comparison->variants[comparison->baseline];
    double *values = calloc(most_runs(comparison) + 1, sizeof(*values));

    CHECK(comparison->baseline < count && values != NULL);
    drop_repetitions(comparison);
    free(comparison->cells);
    comparison->cells = calloc(comparison->metric_count * count + 1,
                               sizeof(*comparison->cells));
    CHECK(comparison->cells != NULL);
    for (size_t metric = 0; metric < comparison->metric_count; metric++) {
        struct compare_cell *cells = &comparison->cells[metric * count];

        for (size_t i = 0; i < count; i++) {
            const struct compare_variant *variant = &comparison->variants[i];

            cells[i].mean = estimate_mean(variant, metric, values);
            if (i != comparison->baseline)
                cells[i].difference =
                    estimate_difference(variant, from, metric, values);
        }
        mark_extremes(comparison, metric, cells, values);
    }
    free(values);
}

const char *compare_better_name(enum compare_better better)
{
    static const char *const names[] = {
        [COMPARE_UNKNOWN] = "",
        [COMPARE_LESS] = "less",
        [COMPARE_MORE] = "more",
    };

    return names[better];
}

const char *compare_mark_name(enum compare_mark mark)
{
    static const char *const names[] = {
        [COMPARE_NO_MARK] = "",      [COMPARE_BEST] = "best",
        [COMPARE_WORST] = "worst",   [COMPARE_HIGHEST] = "highest",
        [COMPARE_LOWEST] = "lowest",
    };

    return names[mark];
}
