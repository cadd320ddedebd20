/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The timeline averages whole numbers of sample intervals, weighted by their
 * length, so that the run fits in a few lines. LPs that do not fit beside each
 * other are shown by their mean and extremes; VMs take what room is left.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/core/check.h"
#include "sim/results/summary_private.h"

#define LINES_MAX 10
#define COLUMNS_MAX 64
#define TIME_WIDTH 9 /* of the first column */
#define CELL_WIDTH 8 /* of another, at least, with its gap */

/* One row per value, in order of time. */
#define BUSY_OF(object)                                                        \
    " FROM perf WHERE object = " object " AND instance <> '_Total'"            \
    " AND counter = '% Total Run Time' "

static const char each_lp[] =
    "SELECT time_ns, substr(instance, 4), value" BUSY_OF(
        SUMMARY_LP) "ORDER BY time_ns, instance COLLATE by_number";
static const char lp_mean[] = "SELECT time_ns, 'mean LP', avg(value)" BUSY_OF(
    SUMMARY_LP) "GROUP BY time_ns ORDER BY time_ns";
static const char lp_least[] =
    "SELECT time_ns, 'idlest LP', min(value)" BUSY_OF(
        SUMMARY_LP) "GROUP BY time_ns ORDER BY time_ns";
static const char lp_most[] =
    "SELECT time_ns, 'busiest LP', max(value)" BUSY_OF(
        SUMMARY_LP) "GROUP BY time_ns ORDER BY time_ns";
static const char each_vm[] =
    "SELECT time_ns, " SUMMARY_VM_OF_INSTANCE
    " AS vm, sum(value)" BUSY_OF(SUMMARY_VP) "GROUP BY time_ns, vm ORDER BY "
                                             "time_ns, vm COLLATE by_number";

struct timeline {
    uint64_t *ends_ns; /* owned; of the intervals, in order */
    unsigned interval_count;
    unsigned intervals_per_line;
    unsigned width; /* of all columns so far */
    unsigned column_count;
    char *names[COLUMNS_MAX];            /* owned */
    double sums[LINES_MAX][COLUMNS_MAX]; /* percent * ns */
};

/** The length of interval `index`. */
static uint64_t length_ns(const struct timeline *timeline, unsigned index)
{
    uint64_t start_ns = index > 0 ? timeline->ends_ns[index - 1] : 0;

    return timeline->ends_ns[index] - start_ns;
}

/** Reads where the intervals end. */
static void read_intervals(struct summary *summary, struct timeline *timeline)
{
    sqlite3_stmt *row = summary_query(
        summary, "SELECT time_ns" BUSY_OF(
                     SUMMARY_LP) "GROUP BY time_ns ORDER BY time_ns");
    unsigned capacity = 0;

    while (summary_next_row(summary, row)) {
        if (timeline->interval_count == capacity) {
            capacity = capacity * 2 + 64;
            timeline->ends_ns =
                realloc(timeline->ends_ns, capacity * sizeof(uint64_t));
            CHECK(timeline->ends_ns != NULL);
        }
        timeline->ends_ns[timeline->interval_count++] =
            (uint64_t)sqlite3_column_int64(row, 0);
    }
    sqlite3_finalize(row);
    timeline->intervals_per_line =
        (timeline->interval_count + LINES_MAX - 1) / LINES_MAX;
}

/** The column of `name`, which is made if there is room for it; -1 if not. */
static int find_column(const struct summary *summary, struct timeline *timeline,
                       const char *name)
{
    unsigned width = (unsigned)strlen(name) + 2;

    for (unsigned i = 0; i < timeline->column_count; i++)
        if (strcmp(timeline->names[i], name) == 0)
            return (int)i;
    if (width < CELL_WIDTH)
        width = CELL_WIDTH;
    if (timeline->column_count == COLUMNS_MAX ||
        (summary->width > 0 && timeline->width + width > summary->width))
        return -1;
    timeline->width += width;
    timeline->names[timeline->column_count] = strdup(name);
    CHECK(timeline->names[timeline->column_count] != NULL);
    return (int)timeline->column_count++;
}

/** Adds the columns that `sql` yields, with the rows in order of time. */
static void add_columns(struct summary *summary, struct timeline *timeline,
                        const char *sql)
{
    sqlite3_stmt *row = summary_query(summary, sql);
    unsigned interval = 0;

    while (summary_next_row(summary, row)) {
        uint64_t end_ns = (uint64_t)sqlite3_column_int64(row, 0);
        int column = find_column(summary, timeline, summary_text(row, 1));

        while (interval + 1 < timeline->interval_count &&
               timeline->ends_ns[interval] < end_ns)
            interval++;
        if (column >= 0)
            timeline->sums[interval / timeline->intervals_per_line][column] +=
                sqlite3_column_double(row, 2) *
                (double)length_ns(timeline, interval);
    }
    sqlite3_finalize(row);
}

/** LPs one by one if that leaves them readable, else their mean and range. */
static void add_lps(struct summary *summary, struct timeline *timeline)
{
    unsigned lp_count = (unsigned)summary->lp_count;

    if (lp_count <= COLUMNS_MAX &&
        (summary->width == 0 ||
         TIME_WIDTH + lp_count * CELL_WIDTH <= summary->width)) {
        add_columns(summary, timeline, each_lp);
        return;
    }
    add_columns(summary, timeline, lp_mean);
    add_columns(summary, timeline, lp_least);
    add_columns(summary, timeline, lp_most);
}

static void add_line(const struct timeline *timeline,
                     struct summary_table *table, unsigned line)
{
    unsigned first = line * timeline->intervals_per_line;
    unsigned end = first + timeline->intervals_per_line;
    uint64_t line_ns = 0;

    if (end > timeline->interval_count)
        end = timeline->interval_count;
    for (unsigned i = first; i < end; i++)
        line_ns += length_ns(timeline, i);
    summary_table_add(table, "%.3f", (double)timeline->ends_ns[end - 1] / 1e9);
    for (unsigned i = 0; i < timeline->column_count; i++)
        summary_table_add(table, "%.2f",
                          timeline->sums[line][i] / (double)line_ns);
}

static void print_lines(struct summary *summary,
                        const struct timeline *timeline)
{
    struct summary_table *table =
        summary_table_create(timeline->column_count + 1);

    summary_table_add(table, "until, s");
    for (unsigned i = 0; i < timeline->column_count; i++)
        summary_table_add(table, "%s", timeline->names[i]);
    for (unsigned i = 0;
         i * timeline->intervals_per_line < timeline->interval_count; i++)
        add_line(timeline, table, i);
    fprintf(summary->out, "\nTimeline: %% Total Run Time of each LP, and of "
                          "each VM in %% of one LP\n");
    summary_print_table(summary, table);
}

void summary_print_timeline(struct summary *summary)
{
    struct timeline timeline = {.width = TIME_WIDTH};

    read_intervals(summary, &timeline);
    if (timeline.interval_count > 0) {
        add_lps(summary, &timeline);
        add_columns(summary, &timeline, each_vm);
        print_lines(summary, &timeline);
    }
    for (unsigned i = 0; i < timeline.column_count; i++)
        free(timeline.names[i]);
    free(timeline.ends_ns);
}
