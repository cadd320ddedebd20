/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A comparison as bars that lie, so that the variants' labels can be read: one
 * for each variant, or a bundle of them where several metrics are shown, which
 * then have a colour each. The line through the end of a bar is its interval.
 */
#include <fnmatch.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "sim/core/check.h"
#include "sim/plot/plot_private.h"
#include "sim/scenario/suggest.h"

#define SERIES_MAX PLOT_COLOUR_COUNT
#define VARIANTS_MAX 200 /* more are no picture */
#define LABEL_MAX 44
#define COLOUR_BEST "#009E73"
#define COLOUR_WORST "#D55E00"

enum mark {
    PLAIN,
    BEST,
    WORST,
    MARK_COUNT,
};

/** A metric that is shown. */
struct series {
    char *metric; /* owned */
    char *title;  /* owned */
};

struct bars {
    sqlite3 *db;
    struct series series[SERIES_MAX];
    size_t series_count;
    size_t fit_count; /* metrics that were asked for, shown or not */
    char *unit;       /* owned; of all */
    char *better;     /* owned; of the first; "" if nobody knows */
    size_t variant_count;
    double least; /* of all ends of bars and intervals, and 0 */
    double most;
    long long seeds_least; /* that a bar is the mean of; 0: there is no bar */
    long long seeds_most;
    bool marked[MARK_COUNT]; /* whether some bar is */
};

/* Which metrics */

/** What follows the last ':' of "result:web:elapsed". */
static const char *last_word(const char *metric)
{
    const char *colon = strrchr(metric, ':');

    return strncmp(metric, "result:", 7) == 0 && colon ? colon + 1 : metric;
}

static bool is_wanted(const char *what, const char *metric, const char *title)
{
    return fnmatch(what, metric, FNM_NOESCAPE) == 0 ||
           fnmatch(what, title, FNM_NOESCAPE) == 0 ||
           strcmp(what, last_word(metric)) == 0;
}

static char *copy_of(const char *text)
{
    char *copy = strdup(text);

    CHECK(copy != NULL);
    return copy;
}

static void take_metric(struct bars *bars, sqlite3_stmt *row)
{
    if (bars->fit_count++ == 0) {
        bars->unit = copy_of(plot_text_of(row, 2));
        bars->better = copy_of(plot_text_of(row, 3));
    }
    if (bars->series_count == SERIES_MAX)
        return;
    bars->series[bars->series_count++] = (struct series){
        copy_of(plot_text_of(row, 0)), copy_of(plot_text_of(row, 1))};
}

static enum sim_status refuse_none(const char *what,
                                   const struct suggestion *near,
                                   struct sim_error *error)
{
    return sim_fail(error, SIM_BAD_USAGE,
                    "plot: the comparison has no metric '%s'; expected one of "
                    "its view summary, such as 'elapsed' or "
                    "'result:web:elapsed'%s%s%s",
                    what, near->word ? "; did you mean '" : "",
                    near->word ? near->word : "", near->word ? "'?" : "");
}

static enum sim_status check_metrics(const struct bars *bars, const char *what,
                                     bool mixed, struct sim_error *error)
{
    if (mixed)
        return sim_fail(error, SIM_BAD_USAGE,
                        "plot: '%s' fits %zu metrics of different units; "
                        "expected those of one",
                        what, bars->fit_count);
    if (bars->fit_count > SERIES_MAX)
        return sim_fail(error, SIM_BAD_USAGE,
                        "plot: '%s' fits %zu metrics; expected at most %d, as "
                        "by result:VM:NAME",
                        what, bars->fit_count, SERIES_MAX);
    return SIM_OK;
}

static enum sim_status choose_metrics(struct bars *bars, const char *what,
                                      struct sim_error *error)
{
    sqlite3_stmt *row = plot_query(bars->db,
                                   "SELECT metric, title, unit, better"
                                   " FROM summary WHERE variant = 1",
                                   error);
    struct suggestion near = {0};
    char *nearest = NULL;
    bool mixed = false;
    enum sim_status status = SIM_OK;

    if (row == NULL)
        return error->status;
    while (sqlite3_step(row) == SQLITE_ROW) {
        const char *metric = plot_text_of(row, 0);
        const char *before = near.word;

        if (is_wanted(what, metric, plot_text_of(row, 1))) {
            take_metric(bars, row);
            mixed = mixed || strcmp(bars->unit, plot_text_of(row, 2)) != 0;
            continue;
        }
        suggest_offer(&near, what, last_word(metric));
        if (near.word != before) { /* the row's text does not last */
            free(nearest);
            near.word = nearest = copy_of(near.word);
        }
    }
    status = plot_end_query(bars->db, row, error);
    if (status == SIM_OK && bars->fit_count == 0)
        status = refuse_none(what, &near, error);
    if (status == SIM_OK)
        status = check_metrics(bars, what, mixed, error);
    free(nearest);
    return status;
}

/* Bars */

static enum mark mark_of(const char *name)
{
    if (strcmp(name, "best") == 0)
        return BEST;
    return strcmp(name, "worst") == 0 ? WORST : PLAIN;
}

static sqlite3_stmt *query_cells(const struct bars *bars, size_t series,
                                 struct sim_error *error)
{
    sqlite3_stmt *row =
        plot_query(bars->db,
                   "SELECT variant, mean, coalesce(half_interval, 0),"
                   " coalesce(mark, ''), seeds FROM summary"
                   " WHERE metric = ?1 AND unit = ?2 ORDER BY variant",
                   error);

    if (row == NULL)
        return NULL;
    sqlite3_bind_text(row, 1, bars->series[series].metric, -1, SQLITE_STATIC);
    sqlite3_bind_text(row, 2, bars->unit, -1, SQLITE_STATIC);
    return row;
}

static void take_seeds(struct bars *bars, long long seeds)
{
    if (bars->seeds_least == 0 || seeds < bars->seeds_least)
        bars->seeds_least = seeds;
    if (seeds > bars->seeds_most)
        bars->seeds_most = seeds;
}

static enum sim_status measure(struct bars *bars, size_t series,
                               struct sim_error *error)
{
    sqlite3_stmt *row = query_cells(bars, series, error);

    if (row == NULL)
        return error->status;
    while (sqlite3_step(row) == SQLITE_ROW) {
        double mean = sqlite3_column_double(row, 1);
        double half = sqlite3_column_double(row, 2);

        bars->variant_count = (size_t)sqlite3_column_int64(row, 0);
        bars->least = fmin(bars->least, mean - half);
        bars->most = fmax(bars->most, mean + half);
        if (sqlite3_column_type(row, 1) == SQLITE_NULL)
            continue;
        take_seeds(bars, sqlite3_column_int64(row, 4));
        bars->marked[mark_of(plot_text_of(row, 3))] = true;
    }
    return plot_end_query(bars->db, row, error);
}

/** The middle of a bar: bundles are one apart, with a fifth of it between. */
static double place_of(const struct bars *bars, size_t variant, size_t series)
{
    double thickness = 0.8 / (double)bars->series_count;

    return (double)variant - 0.4 + ((double)series + 0.5) * thickness;
}

/** So many that the longest bar's figure has four digits, or is whole. */
static int decimals_of(const struct bars *bars, const struct plot_unit *unit)
{
    double most = fmax(bars->most, -bars->least) / unit->divisor;
    int decimals = most > 0 ? 3 : 0;

    while (most >= 10 && decimals > 0) {
        most /= 10;
        decimals--;
    }
    while (most > 0 && most < 1 && decimals < 9) {
        most *= 10;
        decimals++;
    }
    return decimals;
}

/** Rows of: place, from, to, low and high end of the interval. */
static enum sim_status put_bars(const struct plot *plot,
                                const struct bars *bars, size_t series,
                                const struct plot_unit *unit,
                                struct sim_error *error)
{
    sqlite3_stmt *row = query_cells(bars, series, error);
    int decimals = decimals_of(bars, unit);

    if (row == NULL)
        return error->status;
    fprintf(plot->out, "$s%zu << EOD\n", series);
    while (sqlite3_step(row) == SQLITE_ROW) {
        size_t variant = (size_t)sqlite3_column_int64(row, 0);
        double mean = sqlite3_column_double(row, 1) / unit->divisor;
        double half = sqlite3_column_double(row, 2) / unit->divisor;

        if (sqlite3_column_type(row, 1) == SQLITE_NULL)
            continue;
        fprintf(plot->out, "%.6g %.9g %.9g %.9g %.*f %d\n",
                place_of(bars, variant, series), mean, mean - half, mean + half,
                decimals, mean, (int)mark_of(plot_text_of(row, 3)));
    }
    fprintf(plot->out, "EOD\n");
    return plot_end_query(bars->db, row, error);
}

static enum sim_status put_labels(const struct plot *plot,
                                  const struct bars *bars,
                                  struct sim_error *error)
{
    sqlite3_stmt *row = plot_query(bars->db,
                                   "SELECT variant.variant, label,"
                                   " variant.variant = baseline"
                                   " FROM variant, comparison"
                                   " ORDER BY variant.variant",
                                   error);
    bool first = true;

    if (row == NULL)
        return error->status;
    fprintf(plot->out, "set ytics scale 0 (");
    while (sqlite3_step(row) == SQLITE_ROW) {
        fputs(first ? "" : ", ", plot->out);
        first = false;
        plot_put_text(plot, plot_text_of(row, 1), LABEL_MAX);
        if (sqlite3_column_int(row, 2) != 0 && bars->variant_count > 1)
            fprintf(plot->out, " . ' *'");
        fprintf(plot->out, " %d", sqlite3_column_int(row, 0));
    }
    fprintf(plot->out, ")\n");
    return plot_end_query(bars->db, row, error);
}

/** Of which seeds a bar is the mean: of how many, and which there are. */
static void put_seeds(const struct plot *plot, const struct bars *bars,
                      long long first, long long last)
{
    if (bars->seeds_most > 1) {
        fprintf(plot->out, "means of ");
        if (bars->seeds_least < bars->seeds_most)
            fprintf(plot->out, "%lld to ", bars->seeds_least);
        fprintf(plot->out, "%lld seeds (%lld to %lld), 95 %% confidence",
                bars->seeds_most, first, last);
    } else if (first == last) {
        fprintf(plot->out, "seed %lld: one each, no intervals", first);
    } else {
        fprintf(plot->out, "one seed each, no intervals");
    }
}

static enum sim_status put_title(const struct plot *plot,
                                 const struct bars *bars, const char *what,
                                 struct sim_error *error)
{
    sqlite3_stmt *row = plot_query(bars->db,
                                   "SELECT name, (SELECT min(seed) FROM run),"
                                   " (SELECT max(seed) FROM run)"
                                   " FROM comparison",
                                   error);

    if (row == NULL)
        return error->status;
    if (sqlite3_step(row) == SQLITE_ROW) {
        fprintf(plot->out, "set title ");
        plot_put_text(plot, plot_text_of(row, 0), 64);
        fprintf(plot->out, " . ': ' . ");
        plot_put_text(
            plot, bars->series_count == 1 ? bars->series[0].title : what, 80);
        if (*bars->better != '\0')
            fprintf(plot->out, " . ' (%s is better)'",
                    strcmp(bars->better, "less") == 0 ? "less" : "more");
        fprintf(plot->out, " . \"\\n\" . '");
        put_seeds(plot, bars, sqlite3_column_int64(row, 1),
                  sqlite3_column_int64(row, 2));
        fprintf(plot->out, "%s'\n",
                bars->variant_count > 1 ? "; * is the baseline" : "");
    }
    return plot_end_query(bars->db, row, error);
}

static void put_axes(const struct plot *plot, const struct bars *bars,
                     const struct plot_unit *unit)
{
    double room = (bars->most - bars->least) * 0.12;

    fprintf(plot->out,
            "set xrange [%.9g:%.9g]\n"
            "set yrange [%zu.6:0.4]\n"
            "set grid xtics\n"
            "set key outside right top Left reverse\n"
            "set style fill solid noborder\n"
            "set xlabel ",
            bars->least < 0 ? (bars->least - room) / unit->divisor : 0,
            bars->most > bars->least ? (bars->most + room) / unit->divisor : 1,
            bars->variant_count);
    plot_put_text(plot, unit->name, 16);
    putc('\n', plot->out);
}

/** The bars of a series that are so marked; all of them unless `marks`. */
static void put_marked(const struct plot *plot, const struct bars *bars,
                       size_t series, enum mark mark, bool marks)
{
    static const char *const colours[] = {NULL, COLOUR_BEST, COLOUR_WORST};
    static const char *const names[] = {NULL, "best", "worst"};
    double half = 0.4 / (double)bars->series_count;

    fprintf(plot->out,
            "$s%zu using 2:($6==%d||%d?$1:NaN):(0):2:($1-%g):($1+%g) "
            "with boxxyerror lc rgb '%s' ",
            series, (int)mark, !marks, half, half,
            mark != PLAIN ? colours[mark] : plot_colours[series]);
    if (mark != PLAIN) {
        fprintf(plot->out, "title '%s'", names[mark]);
    } else if (bars->series_count == 1) {
        fprintf(plot->out, "notitle");
    } else {
        fprintf(plot->out, "title ");
        plot_put_text(plot, bars->series[series].title, 28);
    }
    fputs(", \\\n  ", plot->out);
}

/** A series of bars, its intervals and its figures. */
static void put_series(const struct plot *plot, const struct bars *bars,
                       size_t series)
{
    bool marks = bars->series_count == 1 && *bars->better != '\0';

    fputs(series > 0 ? ", \\\n  " : "", plot->out);
    for (enum mark mark = PLAIN; mark < MARK_COUNT; mark++)
        if (marks ? bars->marked[mark] : mark == PLAIN)
            put_marked(plot, bars, series, mark, marks);
    fprintf(plot->out,
            "$s%zu using 2:($4>$3?$1:NaN):3:4 with xerrorbars pt 0 lw 1.5 "
            "lc rgb '#222222' notitle"
            ", \\\n  $s%zu using 4:1:5 with labels left offset 0.8,0 "
            "font ',9' tc rgb '#222222' notitle",
            series, series);
}

static enum sim_status put_all(const struct plot *plot, const struct bars *bars,
                               const char *what, struct sim_error *error)
{
    struct plot_unit unit = {bars->unit, 1};
    size_t rows = bars->variant_count * bars->series_count;
    unsigned height = 130 + (unsigned)(rows * (rows > 40 ? 16 : 26) +
                                       bars->variant_count * 6);
    enum sim_status status;

    CHECK(bars->unit != NULL);
    if (strcmp(bars->unit, "ns") == 0)
        unit = plot_choose_unit(fmax(bars->most, -bars->least));
    plot_put_head(plot, height < 260 ? 260 : height);
    status = put_title(plot, bars, what, error);
    put_axes(plot, bars, &unit);
    if (status == SIM_OK)
        status = put_labels(plot, bars, error);
    for (size_t i = 0; i < bars->series_count && status == SIM_OK; i++)
        status = put_bars(plot, bars, i, &unit, error);
    fprintf(plot->out, "plot ");
    for (size_t i = 0; i < bars->series_count; i++)
        put_series(plot, bars, i);
    fprintf(plot->out, "\n");
    return status;
}

enum sim_status plot_bars(const struct plot *plot, sqlite3 *db,
                          const char *what, struct sim_error *error)
{
    struct bars bars = {.db = db};
    enum sim_status status = choose_metrics(&bars, what, error);

    for (size_t i = 0; i < bars.series_count && status == SIM_OK; i++)
        status = measure(&bars, i, error);
    if (status == SIM_OK && bars.variant_count > VARIANTS_MAX)
        status = sim_fail(error, SIM_BAD_USAGE,
                          "plot: %zu variants are too many for a picture; "
                          "expected at most %d",
                          bars.variant_count, VARIANTS_MAX);
    if (status == SIM_OK)
        status = put_all(plot, &bars, what, error);
    for (size_t i = 0; i < bars.series_count; i++) {
        free(bars.series[i].metric);
        free(bars.series[i].title);
    }
    free(bars.unit);
    free(bars.better);
    return status;
}
