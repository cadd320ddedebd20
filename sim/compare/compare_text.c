/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A comparison for people: a block of lines for each metric, with a line for
 * each variant, whose columns stand under each other all the way down. Figures
 * are rounded to what their intervals leave certain.
 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/compare/compare_figures.h"
#include "sim/core/check.h"
#include "sim/text/text.h"

#define GAP 2 /* blanks between columns */
#define LABEL_WIDTH_MIN 12
/* The other formats have all. */
#define METRICS_SHOWN 40
#define SAME_SHOWN 10
#define PARAMETERS_SHOWN 12 /* of a variant */
#define FAILURES_SHOWN 20

static const char *const headings[COLUMN_COUNT] = {
    [MEAN] = "mean",
    [MEAN_HALF] = "+/-",
    [DIFFERENCE] = "difference",
    [DIFFERENCE_HALF] = "+/-",
    [PERCENT] = "%",
    [DIFFERS] = "differs",
    [MARK] = "",
};

/** All that a comparison's lines need to stand under each other. */
struct layout {
    const struct comparison *comparison;
    FILE *out;
    bool colours;
    size_t *metrics; /* owned; those that are shown, in order */
    size_t metric_count;
    size_t same_count; /* metrics that are the same in all variants */
    size_t more_count; /* metrics for which there is no room */
    unsigned label_width;
    unsigned widths[COLUMN_COUNT];
};

/** Whether all variants have the same, to the last digit. */
static bool is_same(const struct comparison *comparison, size_t metric)
{
    const struct compare_cell *first = compare_cell(comparison, metric, 0);

    for (size_t i = 0; i < comparison->variant_count; i++) {
        const struct compare_cell *cell = compare_cell(comparison, metric, i);

        if (cell->mean.count != first->mean.count || cell->mean.half != 0 ||
            cell->mean.mean != first->mean.mean)
            return false;
    }
    return comparison->variant_count > 1;
}

/* Layout */

/** Characters, of text that text.h has let pass. */
static unsigned width_of(const char *text)
{
    unsigned width = 0;

    for (; *text != '\0'; text++)
        width += ((unsigned char)*text & 0xc0) != 0x80;
    return width;
}

static unsigned number_width(size_t number)
{
    return number < 10 ? 1 : 1 + number_width(number / 10);
}

/** "  12 label", where numbers stand under each other. */
static unsigned label_indent(const struct comparison *comparison)
{
    return 2 + number_width(comparison->variant_count) + 1;
}

/** A column in which nothing stands has no width, and is not there. */
static void measure_columns(struct layout *layout)
{
    const struct comparison *comparison = layout->comparison;

    for (size_t metric = 0; metric < layout->metric_count; metric++) {
        size_t index = layout->metrics[metric];
        struct compare_scale scale = compare_figures_scale(comparison, index);

        for (size_t i = 0; i < comparison->variant_count; i++) {
            struct compare_line line;

            compare_figures_line(comparison, index, i, &scale, &line);
            for (enum compare_column c = 0; c < COLUMN_COUNT; c++)
                if (width_of(line.cells[c]) > layout->widths[c])
                    layout->widths[c] = width_of(line.cells[c]);
        }
    }
    for (enum compare_column c = 0; c < COLUMN_COUNT; c++)
        if (layout->widths[c] > 0 && layout->widths[c] < width_of(headings[c]))
            layout->widths[c] = width_of(headings[c]);
}

/** Labels have what the columns leave of `width`, but not too little. */
static void measure(struct layout *layout, unsigned width)
{
    const struct comparison *comparison = layout->comparison;
    unsigned used = label_indent(comparison);
    unsigned room;

    measure_columns(layout);
    for (enum compare_column c = 0; c < COLUMN_COUNT; c++)
        used += layout->widths[c] > 0 ? GAP + layout->widths[c] : 0;
    for (size_t i = 0; i < comparison->variant_count; i++)
        if (width_of(comparison->variants[i].label) > layout->label_width)
            layout->label_width = width_of(comparison->variants[i].label);
    room = used < width ? width - used : 0;
    if (room < LABEL_WIDTH_MIN)
        room = LABEL_WIDTH_MIN;
    if (width > 0 && room < layout->label_width)
        layout->label_width = room;
}

/** `text` in `width` characters, cut, and marked by '~', if it is longer. */
static void print_padded(FILE *out, const char *text, unsigned width)
{
    char piece[TEXT_PIECE_BYTES];
    unsigned used = 0;
    bool cut = width_of(text) > width;

    while (*text != '\0' && used + cut < width) {
        text_next(&text, piece);
        fputs(piece, out);
        used++;
    }
    if (cut)
        putc('~', out);
    for (used += cut; used < width; used++)
        putc(' ', out);
}

static const char *colour_of(enum compare_mark mark)
{
    if (mark == COMPARE_BEST)
        return "\x1b[32m";
    return mark == COMPARE_WORST ? "\x1b[31m" : "";
}

static void print_cells(const struct layout *layout,
                        const struct compare_line *line, enum compare_mark mark)
{
    const char *colour = layout->colours ? colour_of(mark) : "";
    unsigned blanks = 0; /* not printed yet: none end a line */

    for (enum compare_column i = 0; i < COLUMN_COUNT; i++) {
        const char *cell = line->cells[i];
        unsigned width = i == MARK ? width_of(cell) : layout->widths[i];

        if (layout->widths[i] == 0)
            continue;
        blanks += GAP + width - width_of(cell);
        if (*cell == '\0')
            continue;
        fprintf(layout->out, "%*s%s%s%s", (int)blanks, "",
                i == MARK ? colour : "", cell,
                i == MARK && *colour != '\0' ? "\x1b[0m" : "");
        blanks = 0;
    }
    putc('\n', layout->out);
}

static void print_headings(const struct layout *layout)
{
    struct compare_line line = {0};

    for (enum compare_column i = 0; i < COLUMN_COUNT; i++)
        if (layout->widths[i] > 0)
            snprintf(line.cells[i], COMPARE_CELL_BYTES, "%s", headings[i]);
    fprintf(layout->out, "%*s",
            (int)(label_indent(layout->comparison) + layout->label_width), "");
    print_cells(layout, &line, COMPARE_NO_MARK);
}

static void print_metric(const struct layout *layout, size_t index)
{
    const struct comparison *comparison = layout->comparison;
    const struct compare_metric *metric = &comparison->metrics[index];
    struct compare_scale scale = compare_figures_scale(comparison, index);

    text_print(layout->out, metric->title);
    fprintf(layout->out, ", %s", scale.unit);
    if (metric->better != COMPARE_UNKNOWN)
        fprintf(layout->out, ": %s is better",
                compare_better_name(metric->better));
    putc('\n', layout->out);
    for (size_t i = 0; i < comparison->variant_count; i++) {
        struct compare_line line;

        compare_figures_line(comparison, index, i, &scale, &line);
        fprintf(layout->out, "  %*zu ",
                (int)number_width(comparison->variant_count), i + 1);
        print_padded(layout->out, comparison->variants[i].label,
                     layout->label_width);
        print_cells(layout, &line, compare_cell(comparison, index, i)->mark);
    }
}

/* What stands around the table */

/** The whole paths of what labels say for short. */
static void print_varied(const struct comparison *comparison, FILE *out)
{
    const struct compare_variant *first = &comparison->variants[0];

    for (size_t i = 0; i < first->parameter_count && !comparison->of_files;
         i++) {
        fputs(i == 0 ? "varied: " : ", ", out);
        text_print(out, first->parameters[i].path);
    }
    if (first->parameter_count > 0 && !comparison->of_files)
        putc('\n', out);
}

static void print_head(const struct comparison *comparison, FILE *out)
{
    size_t least = SIZE_MAX;
    size_t most = 0;

    for (size_t i = 0; i < comparison->variant_count; i++) {
        size_t runs = comparison->variants[i].run_count;

        least = runs < least ? runs : least;
        most = runs > most ? runs : most;
    }
    text_print(out, comparison->name);
    fprintf(out, ": %zu variant%s, ", comparison->variant_count,
            comparison->variant_count == 1 ? "" : "s");
    if (least < most)
        fprintf(out, "%zu to %zu seeds each\n", least, most);
    else
        fprintf(out, "%zu seed%s%s\n", most, most == 1 ? "" : "s",
                comparison->variant_count == 1 ? "" : " each");
    print_varied(comparison, out);
    putc('\n', out);
}

/** What tells the variants apart, where their names do not. */
static void print_parameters(const struct comparison *comparison, FILE *out)
{
    bool any = false;

    for (size_t i = 0; i < comparison->variant_count && comparison->of_files;
         i++) {
        const struct compare_variant *variant = &comparison->variants[i];

        any = any || variant->parameter_count > 0;
        for (size_t k = 0; k < variant->parameter_count; k++) {
            if (k == PARAMETERS_SHOWN) {
                fprintf(out, "  (and %zu more)\n",
                        variant->parameter_count - k);
                break;
            }
            fprintf(out, "%zu ", i + 1);
            text_print(out, variant->label);
            fputs(": ", out);
            text_print(out, variant->parameters[k].path);
            fputs(": ", out);
            text_print(out, variant->parameters[k].value);
            putc('\n', out);
        }
    }
    if (any)
        putc('\n', out);
    else if (comparison->of_files && comparison->variant_count > 1)
        fprintf(out, "These are runs of the same scenario, with the same "
                     "seeds and programs.\n\n");
}

static void print_failures(const struct comparison *comparison, FILE *out)
{
    size_t count = 0;

    for (size_t i = 0; i < comparison->variant_count; i++) {
        const struct compare_variant *variant = &comparison->variants[i];

        for (size_t k = 0; k < variant->run_count; k++) {
            if (variant->runs[k].failure == NULL || count++ >= FAILURES_SHOWN)
                continue;
            fprintf(out, "Failed: %zu ", i + 1);
            text_print(out, variant->label);
            fprintf(out, ", seed %" PRIu64 ": ", variant->runs[k].seed);
            text_print(out, variant->runs[k].failure);
            putc('\n', out);
        }
    }
    if (count > FAILURES_SHOWN)
        fprintf(out, "(and %zu failures more; --format json has all)\n",
                count - FAILURES_SHOWN);
}

/** Whether some figure has an interval; and whether some figure is exact. */
static bool has_intervals(const struct comparison *comparison, bool *exact)
{
    size_t count = comparison->metric_count * comparison->variant_count;
    bool found = false;

    *exact = false;
    for (size_t i = 0; i < count; i++) {
        if (comparison->cells[i].mean.count < 2)
            continue;
        found = true;
        *exact = *exact || comparison->cells[i].mean.half == 0;
    }
    return found;
}

/** Whether some mean is of fewer runs than there are. */
static bool has_gaps(const struct comparison *comparison)
{
    for (size_t metric = 0; metric < comparison->metric_count; metric++) {
        for (size_t i = 0; i < comparison->variant_count; i++) {
            const struct compare_variant *variant = &comparison->variants[i];
            size_t count = compare_cell(comparison, metric, i)->mean.count;

            if (count > 0 &&
                count < variant->run_count - compare_failures(variant))
                return true;
        }
    }
    return false;
}

static void print_legend(const struct comparison *comparison, FILE *out)
{
    size_t base = comparison->baseline + 1;
    bool several = comparison->variant_count > 1;
    bool exact;

    putc('\n', out);
    if (!has_intervals(comparison, &exact)) {
        fprintf(out,
                "One seed each: there are no intervals, and nobody can say "
                "whether a difference\nis more than chance; %s.\n",
                comparison->of_files ? "results of more seeds would tell"
                                     : "--seeds N runs more");
        if (several)
            fprintf(out, "difference, %%: from variant %zu.\n", base);
        return;
    }
    fprintf(out, "+/-: half of the interval that holds the mean with 95 %% "
                 "confidence (Student's t).\n");
    if (has_gaps(comparison))
        fprintf(out, "Not all runs have every metric: a mean is of those that "
                     "do (seeds, in csv).\n");
    if (exact)
        fprintf(out, "exact: every seed gave the same; there is no chance in "
                     "it.\n");
    if (several)
        fprintf(out,
                "difference, %%: from variant %zu, seed by seed; differs: "
                "whether its interval\nexcludes 0. Where nothing differs, one "
                "line in 20 says yes by chance.\n",
                base);
}

/** Chooses what is shown: not what is the same in all variants. */
static void choose_metrics(struct layout *layout)
{
    const struct comparison *comparison = layout->comparison;

    layout->metrics =
        calloc(comparison->metric_count + 1, sizeof(*layout->metrics));
    CHECK(layout->metrics != NULL);
    for (size_t i = 0; i < comparison->metric_count; i++) {
        size_t metric = comparison->order[i];

        if (is_same(comparison, metric))
            layout->same_count++;
        else if (layout->metric_count < METRICS_SHOWN)
            layout->metrics[layout->metric_count++] = metric;
        else
            layout->more_count++;
    }
}

static void print_same(const struct layout *layout)
{
    const struct comparison *comparison = layout->comparison;
    size_t shown = 0;

    if (layout->same_count == 0)
        return;
    fprintf(layout->out, "%sThe same in all variants:\n",
            layout->metric_count > 0 ? "\n" : "");
    for (size_t i = 0; i < comparison->metric_count; i++) {
        size_t metric = comparison->order[i];
        struct compare_scale scale = compare_figures_scale(comparison, metric);
        struct compare_line line;

        if (!is_same(comparison, metric) || shown++ >= SAME_SHOWN)
            continue;
        compare_figures_line(comparison, metric, 0, &scale, &line);
        fputs("  ", layout->out);
        text_print(layout->out, comparison->metrics[metric].title);
        fprintf(layout->out, ": %s %s\n", line.cells[MEAN], scale.unit);
    }
    if (shown > SAME_SHOWN)
        fprintf(layout->out, "  (and %zu metrics more)\n", shown - SAME_SHOWN);
}

void compare_print_text(const struct comparison *comparison, FILE *out,
                        unsigned width, bool colours)
{
    struct layout layout = {
        .comparison = comparison,
        .out = out,
        .colours = colours,
    };

    choose_metrics(&layout);
    measure(&layout, width);
    print_head(comparison, out);
    print_parameters(comparison, out);
    if (layout.metric_count > 0)
        print_headings(&layout);
    for (size_t i = 0; i < layout.metric_count; i++)
        print_metric(&layout, layout.metrics[i]);
    if (layout.more_count > 0)
        fprintf(out,
                "(and %zu metrics more; --format csv has all, --only and "
                "--metric choose)\n",
                layout.more_count);
    print_same(&layout);
    if (comparison->metric_count == 0)
        fprintf(out, "There is nothing to compare.\n");
    else
        print_legend(comparison, out);
    print_failures(comparison, out);
    free(layout.metrics);
}
