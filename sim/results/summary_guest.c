/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What guests say of themselves at intervals, beside what the host counted
 * meanwhile: the view guest_view, of each VM in a few lines. Where there are
 * more, neighbours are put together, weighted by their length.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/core/check.h"
#include "sim/results/summary_private.h"

#define LINES_MAX 10
#define VMS_MAX 8
#define SHARES 5 /* columns in percent */

static const char span_query[] =
    "SELECT vm, start_ns, end_ns, believed_busy, believed_stolen, guest_run,"
    " total_run, waiting, clock_ahead_ns FROM guest_view"
    " ORDER BY vm COLLATE by_number, end_ns";
enum { VM, START, END, FIRST_SHARE, CLOCK = FIRST_SHARE + SHARES };

/** Spans of one VM that make up a line. */
struct line {
    unsigned spans;
    double ns;
    double shares[SHARES]; /* percent * ns */
    double end_ns, clock_ahead_ns;
};

struct guest_table {
    struct summary *summary;
    struct summary_table *table; /* owned; NULL: nothing in it yet */
    char *vm;                    /* owned; whose spans are being added */
    unsigned spans_per_line;
    unsigned vm_count;
    struct line line;
};

static void end_line(struct guest_table *guests)
{
    const struct line *line = &guests->line;

    if (line->spans == 0)
        return;
    summary_table_add(guests->table, "%s", guests->vm);
    summary_table_add(guests->table, "%.3f", line->end_ns / 1e9);
    for (unsigned i = 0; i < SHARES; i++)
        summary_table_add(guests->table, "%.2f", line->shares[i] / line->ns);
    summary_table_add(guests->table, "%+.1f", line->clock_ahead_ns / 1e6);
    guests->line = (struct line){0};
}

static void add_span(struct guest_table *guests, sqlite3_stmt *row)
{
    struct line *line = &guests->line;
    double ns =
        sqlite3_column_double(row, END) - sqlite3_column_double(row, START);

    line->spans++;
    line->ns += ns;
    for (int i = 0; i < SHARES; i++)
        line->shares[i] += ns * sqlite3_column_double(row, FIRST_SHARE + i);
    line->end_ns = sqlite3_column_double(row, END);
    line->clock_ahead_ns = sqlite3_column_double(row, CLOCK);
    if (line->spans == guests->spans_per_line)
        end_line(guests);
}

/** How many spans the VM with most of them has. */
static int count_spans(struct summary *summary)
{
    return summary_count(summary, "SELECT coalesce(max(spans), 0) FROM (SELECT "
                                  "count(*) AS spans FROM guest_view "
                                  "GROUP BY vm)");
}

static void begin_vm(struct guest_table *guests, const char *vm)
{
    end_line(guests);
    free(guests->vm);
    guests->vm = strdup(vm);
    CHECK(guests->vm != NULL);
    guests->vm_count++;
}

static void read_spans(struct guest_table *guests)
{
    struct summary *summary = guests->summary;
    sqlite3_stmt *row = summary_query(summary, span_query);

    while (summary_next_row(summary, row)) {
        if (!guests->vm || strcmp(guests->vm, summary_text(row, VM)) != 0)
            begin_vm(guests, summary_text(row, VM));
        if (guests->vm_count <= VMS_MAX)
            add_span(guests, row);
    }
    end_line(guests);
    sqlite3_finalize(row);
}

void summary_print_guests(struct summary *summary)
{
    static const char *const headings[] = {"VM",      "until, s", "busy",
                                           "stolen",  "guest",    "total",
                                           "waiting", "clock, ms"};
    const unsigned columns = sizeof(headings) / sizeof(headings[0]);
    struct guest_table guests = {.summary = summary};
    int spans = count_spans(summary);

    if (spans == 0)
        return;
    guests.spans_per_line = ((unsigned)spans + LINES_MAX - 1) / LINES_MAX;
    guests.table = summary_table_create(columns);
    for (unsigned i = 0; i < columns; i++)
        summary_table_add(guests.table, "%s", headings[i]);
    read_spans(&guests);
    fprintf(summary->out,
            "\nGuests, in %% of their VPs' time: busy and stolen as they "
            "report of themselves;\nmeanwhile by the host's counters: guest "
            "and total run time, waiting for an LP;\nclock: how far theirs "
            "has come ahead (+) or behind (-) since the first report\n");
    summary_print_table(summary, guests.table);
    if (guests.vm_count > VMS_MAX)
        fprintf(summary->out,
                "(the first %d of %u VMs; the view guest_view has all)\n",
                VMS_MAX, guests.vm_count);
    free(guests.vm);
}
