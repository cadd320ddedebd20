/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A counter over time. A value is of the sample interval that ends at its
 * time, and is drawn as long as that interval. Of more instances than there
 * are colours, those with the highest means are shown.
 */
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

#include "sim/compare/compare_metric.h"
#include "sim/core/check.h"
#include "sim/plot/plot_private.h"

#define LINES_MAX PLOT_COLOUR_COUNT
#define HEIGHT 480
#define INSTANCE_BYTES 128 /* a VM's name and a few words */

struct lines {
    sqlite3 *db;
    struct compare_counter counter;
    struct plot_span span;
    char instances[LINES_MAX][INSTANCE_BYTES]; /* the highest */
    size_t count;                              /* shown or not */
    double most;       /* of all values that are shown */
    uint64_t *ends_ns; /* owned; of the intervals of the run */
    size_t end_count;
};

static sqlite3_stmt *query_counter(const struct lines *lines, const char *sql,
                                   struct sim_error *error)
{
    sqlite3_stmt *row = plot_query(lines->db, sql, error);

    if (row == NULL)
        return NULL;
    sqlite3_bind_text(row, 1, lines->counter.object, -1, SQLITE_STATIC);
    sqlite3_bind_text(row, 2, lines->counter.name, -1, SQLITE_STATIC);
    return row;
}

static size_t shown(const struct lines *lines)
{
    return lines->count < LINES_MAX ? lines->count : LINES_MAX;
}

/* Reading */

static enum sim_status read_intervals(struct lines *lines,
                                      struct sim_error *error)
{
    sqlite3_stmt *row =
        query_counter(lines,
                      "SELECT DISTINCT time_ns FROM perf"
                      " WHERE object = ?1 AND counter = ?2 ORDER BY time_ns",
                      error);

    if (row == NULL)
        return error->status;
    while (sqlite3_step(row) == SQLITE_ROW) {
        lines->ends_ns = reallocarray(lines->ends_ns, lines->end_count + 1,
                                      sizeof(*lines->ends_ns));
        CHECK(lines->ends_ns != NULL);
        lines->ends_ns[lines->end_count++] =
            (uint64_t)sqlite3_column_int64(row, 0);
    }
    return plot_end_query(lines->db, row, error);
}

/** The first interval that ends at `time_ns` or later; end_count if none does.
 *  Intervals follow each other. */
static size_t find_interval(const struct lines *lines, uint64_t time_ns)
{
    size_t least = 0;
    size_t most = lines->end_count;

    while (least < most) {
        size_t middle = least + (most - least) / 2;

        if (lines->ends_ns[middle] < time_ns)
            least = middle + 1;
        else
            most = middle;
    }
    return least;
}

static uint64_t start_of(const struct lines *lines, uint64_t end_ns)
{
    size_t interval = find_interval(lines, end_ns);

    return interval > 0 ? lines->ends_ns[interval - 1] : 0;
}

/** The end of the last interval of which some part is drawn. */
static uint64_t last_end(const struct lines *lines)
{
    size_t interval = find_interval(lines, lines->span.to_ns);

    return interval < lines->end_count ? lines->ends_ns[interval]
                                       : lines->span.to_ns;
}

/** Without an instance that was asked for, the total is no line: of rates it is
 *  the sum of the others, and would dwarf them. */
static bool is_wanted(const struct lines *lines, const char *instance)
{
    if (lines->counter.instance == NULL)
        return strcmp(instance, "_Total") != 0;
    return fnmatch(lines->counter.instance, instance, FNM_NOESCAPE) == 0;
}

static void take_instance(struct lines *lines, const char *instance,
                          double most)
{
    if (lines->count < LINES_MAX) {
        snprintf(lines->instances[lines->count], INSTANCE_BYTES, "%s",
                 instance);
        if (most > lines->most)
            lines->most = most;
    }
    lines->count++;
}

/** "Hv LP 2" before "Hv LP 10". */
static int compare_instances(const void *a, const void *b)
{
    return strverscmp(a, b);
}

static enum sim_status read_instances(struct lines *lines,
                                      struct sim_error *error)
{
    sqlite3_stmt *row =
        query_counter(lines,
                      "SELECT instance, max(value) FROM perf"
                      " WHERE object = ?1 AND counter = ?2"
                      " AND time_ns > ?3 AND time_ns <= ?4"
                      " GROUP BY instance"
                      " ORDER BY avg(value) DESC, instance COLLATE by_number",
                      error);

    if (row == NULL)
        return error->status;
    sqlite3_bind_int64(row, 3, (int64_t)lines->span.from_ns);
    sqlite3_bind_int64(row, 4, (int64_t)last_end(lines));
    while (sqlite3_step(row) == SQLITE_ROW)
        if (is_wanted(lines, plot_text_of(row, 0)))
            take_instance(lines, plot_text_of(row, 0),
                          sqlite3_column_double(row, 1));
    if (plot_end_query(lines->db, row, error) != SIM_OK)
        return error->status;
    qsort(lines->instances, shown(lines), INSTANCE_BYTES, compare_instances);
    if (lines->count > 0)
        return SIM_OK;
    return sim_fail(error, SIM_BAD_USAGE,
                    "plot: no instance%s%s of %s has a value in what is to be "
                    "drawn",
                    lines->counter.instance != NULL ? " " : "",
                    lines->counter.instance != NULL ? lines->counter.instance
                                                    : "",
                    lines->counter.object);
}

/* Writing */

/** A value for as long as its interval, cut to what is drawn: gnuplot draws no
 *  line both ends of which lie outside. */
static void put_value(const struct plot *plot, const struct plot_span *span,
                      const struct plot_unit *time, uint64_t start_ns,
                      uint64_t end_ns, double value)
{
    if (end_ns <= span->from_ns || start_ns >= span->to_ns)
        return;
    if (start_ns < span->from_ns)
        start_ns = span->from_ns;
    if (end_ns > span->to_ns)
        end_ns = span->to_ns;
    fprintf(plot->out, "%.12g %.9g\n%.12g %.9g\n",
            (double)start_ns / time->divisor, value,
            (double)end_ns / time->divisor, value);
}

static enum sim_status put_values(const struct plot *plot,
                                  const struct lines *lines, size_t index,
                                  const struct plot_unit *time,
                                  const struct plot_unit *unit,
                                  struct sim_error *error)
{
    sqlite3_stmt *row =
        query_counter(lines,
                      "SELECT time_ns, value FROM perf WHERE object = ?1"
                      " AND counter = ?2 AND instance = ?3 ORDER BY time_ns",
                      error);

    if (row == NULL)
        return error->status;
    sqlite3_bind_text(row, 3, lines->instances[index], -1, SQLITE_STATIC);
    fprintf(plot->out, "$l%zu << EOD\n", index);
    while (sqlite3_step(row) == SQLITE_ROW) {
        uint64_t end_ns = (uint64_t)sqlite3_column_int64(row, 0);

        put_value(plot, &lines->span, time, start_of(lines, end_ns), end_ns,
                  sqlite3_column_double(row, 1) / unit->divisor);
    }
    fprintf(plot->out, "EOD\n");
    return plot_end_query(lines->db, row, error);
}

static void put_axes(const struct plot *plot, const struct lines *lines,
                     const struct plot_unit *time, const struct plot_unit *unit)
{
    bool is_share = strcmp(lines->counter.unit, "%") == 0;

    plot_put_time_axis(plot, lines->span, time);
    fprintf(plot->out,
            "set yrange [0:%s]\n"
            "set grid ytics\n"
            "set ylabel ",
            lines->most == 0                                     ? "1"
            : is_share && lines->most > 50 && lines->most <= 100 ? "105"
                                                                 : "*");
    plot_put_text(plot, lines->counter.name, 60);
    fprintf(plot->out, " . ', %s'\n", unit->name);
}

/** The later a line is drawn the thinner it is, so that one which it covers can
 *  be seen behind it. */
static void put_plots(const struct plot *plot, const struct lines *lines)
{
    fprintf(plot->out, "plot ");
    for (size_t i = 0; i < shown(lines); i++) {
        fprintf(plot->out, "%s$l%zu using 1:2 with lines lw %.1f lc rgb '%s' ",
                i > 0 ? ", \\\n  " : "", i, 4.5 - 0.5 * (double)i,
                plot_colours[i]);
        fprintf(plot->out, "title ");
        plot_put_text(plot, lines->instances[i], 28);
    }
    fprintf(plot->out, "\n");
}

static enum sim_status put_lines(const struct plot *plot,
                                 const struct lines *lines,
                                 struct sim_error *error)
{
    struct plot_unit time = plot_choose_unit((double)lines->span.to_ns);
    struct plot_unit unit = {lines->counter.unit, 1};
    enum sim_status status = SIM_OK;
    char more[80] = "";

    if (strcmp(unit.name, "ns") == 0)
        unit = plot_choose_unit(lines->most);
    if (lines->count > LINES_MAX)
        snprintf(more, sizeof(more), "the %d highest of %zu", LINES_MAX,
                 lines->count);
    plot_put_head(plot, HEIGHT);
    if (plot_put_run_title(plot, lines->db, lines->counter.name, more, error) !=
        SIM_OK)
        return error->status;
    put_axes(plot, lines, &time, &unit);
    for (size_t i = 0; i < shown(lines) && status == SIM_OK; i++)
        status = put_values(plot, lines, i, &time, &unit, error);
    put_plots(plot, lines);
    return status;
}

enum sim_status plot_counter(const struct plot *plot, sqlite3 *db,
                             const char *what, struct plot_span span,
                             struct sim_error *error)
{
    struct lines lines = {.db = db, .span = span};
    enum sim_status status =
        compare_metric_counter(&lines.counter, what, error);

    if (status != SIM_OK)
        sim_prefix(error, "plot");
    if (status == SIM_OK)
        status = plot_read_end(db, &lines.span, error);
    if (status == SIM_OK)
        status = read_intervals(&lines, error);
    if (status == SIM_OK)
        status = read_instances(&lines, error);
    if (status == SIM_OK)
        status = put_lines(plot, &lines, error);
    free(lines.ends_ns);
    free(lines.counter.instance);
    return status;
}
