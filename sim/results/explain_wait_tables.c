/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "sim/core/check.h"
#include "sim/results/explain_wait_private.h"
#include "sim/text/text.h"

#define HOLDERS_MAX 12
#define WORST_OF_ALL 10 /* of one VP, all that there are */
#define BAR_WIDTH 40
#define MATTERS 10     /* percent of the time waited */
#define PART_LEAST 100 /* a part of a wait is told if it is a 100th of it */

static void add_duration(struct summary_table *table, int64_t ns)
{
    char text[SUMMARY_DURATION_BYTES];

    summary_duration((uint64_t)ns, text);
    summary_table_add(table, "%s", text);
}

/* In short, as --vp takes it: "web:0". */
static void add_vp(struct summary_table *table, sqlite3_stmt *row, int column)
{
    if (sqlite3_column_type(row, column) == SQLITE_NULL)
        summary_table_add(table, "nobody");
    else
        summary_table_add(table, "%s:%d", summary_text(row, column),
                          sqlite3_column_int(row, column + 1));
}

static void add_count(struct summary_table *table, int64_t count)
{
    summary_table_add(table, "%" PRId64, count);
}

static void add_headings(struct summary_table *table, size_t count,
                         const char *const *headings)
{
    for (size_t i = 0; i < count; i++)
        summary_table_add(table, "%s", headings[i]);
}

static double percent(int64_t part, uint64_t whole)
{
    return whole ? 100.0 * (double)part / (double)whole : 0;
}

/* By rule */

/* A wait that no dispatch ended is time waited as any other. */
static const char rule_query[] =
    "SELECT rule, sum(wait_ns + undispatched_ns) AS waited, sum(dispatches),"
    " max(longest_ns) FROM wait WHERE" WAIT_IN_SCOPE
    " GROUP BY rule ORDER BY waited DESC, rule";

/* "slice: each LP ..."; and what to do, where it matters. */
static void print_meaning(FILE *out, const char *rule, bool matters)
{
    char *text = NULL;

    CHECK(asprintf(&text, "%s: %s", rule, explain_wait_meaning(rule)) >= 0);
    text_print_wrapped(out, text, 0);
    free(text);
    if (matters)
        text_print_wrapped(out, explain_wait_advice(rule), 4);
}

static void print_meanings(struct wait_report *report)
{
    sqlite3_stmt *row = explain_wait_query(report, rule_query);

    fprintf(report->summary.out,
            "\nWhat that means, and what bears on it in the scenario\n");
    while (summary_next_row(&report->summary, row)) {
        double share = percent(sqlite3_column_int64(row, 1), report->waited_ns);

        print_meaning(report->summary.out, summary_text(row, 0),
                      share >= MATTERS);
    }
    sqlite3_finalize(row);
}

void explain_wait_rules(struct wait_report *report)
{
    static const char *const headings[] = {"rule", "time", "% of it",
                                           "dispatches", "longest"};
    struct summary_table *table = summary_table_create(5);
    sqlite3_stmt *row = explain_wait_query(report, rule_query);

    add_headings(table, 5, headings);
    while (summary_next_row(&report->summary, row)) {
        int64_t waited = sqlite3_column_int64(row, 1);

        summary_table_add(table, "%s", summary_text(row, 0));
        add_duration(table, waited);
        summary_table_add(table, "%.1f", percent(waited, report->waited_ns));
        add_count(table, sqlite3_column_int64(row, 2));
        add_duration(table, sqlite3_column_int64(row, 3));
    }
    sqlite3_finalize(row);
    fprintf(report->summary.out, "\nTime waited, by what kept a VP out; a "
                                 "dispatch counts for the longest of it\n");
    summary_print_table(&report->summary, table);
    print_meanings(report);
}

/* By holder */

static const char holder_query[] =
    "SELECT holder_vm, holder_vp, sum(wait_ns) AS waited, sum(dispatches),"
    " (SELECT sum(wait_ns) FROM wait_holder WHERE" WAIT_IN_SCOPE ")"
    " FROM wait_holder WHERE" WAIT_IN_SCOPE " GROUP BY holder_vm, holder_vp"
    " ORDER BY waited DESC, holder_vm COLLATE by_number, holder_vp LIMIT ?3";

void explain_wait_holders(struct wait_report *report)
{
    static const char *const headings[] = {"who", "time", "% of it",
                                           "dispatches"};
    struct summary_table *table = summary_table_create(4);
    sqlite3_stmt *row = explain_wait_query(report, holder_query);
    int count = 0;

    add_headings(table, 4, headings);
    sqlite3_bind_int(row, 3, HOLDERS_MAX);
    for (; summary_next_row(&report->summary, row); count++) {
        int64_t waited = sqlite3_column_int64(row, 2);

        add_vp(table, row, 0);
        add_duration(table, waited);
        summary_table_add(
            table, "%.1f",
            percent(waited, (uint64_t)sqlite3_column_int64(row, 4)));
        add_count(table, sqlite3_column_int64(row, 3));
    }
    sqlite3_finalize(row);
    if (count == 0) {
        summary_table_free(table);
        return;
    }
    fprintf(report->summary.out,
            "\nWho had the LPs, of the time waited for LPs in use; nobody: "
            "switches and others\n");
    summary_print_table(&report->summary, table);
}

/* The histogram */

static const char histogram_query[] =
    "SELECT from_ns, to_ns, sum(dispatches) AS dispatches"
    " FROM wait_histogram WHERE" WAIT_IN_SCOPE
    " GROUP BY from_ns ORDER BY from_ns";

static void print_bar(FILE *out, int64_t count, int64_t most)
{
    double length = count > 0 ? (double)count * BAR_WIDTH / (double)most : 0;

    fputs(length > 0 ? "  " : "", out);
    for (; length > 0; length--)
        putc('#', out);
    putc('\n', out);
}

static void print_bucket(FILE *out, int64_t from, int64_t to, int64_t count,
                         int64_t most)
{
    char from_text[SUMMARY_DURATION_BYTES];
    char to_text[SUMMARY_DURATION_BYTES] = "more";

    summary_duration((uint64_t)from, from_text);
    if (to > 0)
        summary_duration((uint64_t)to, to_text);
    fprintf(out, "  %8s to %-8s %9" PRId64, from_text, to_text, count);
    print_bar(out, count, most);
}

static int64_t fullest_bucket(struct wait_report *report)
{
    sqlite3_stmt *row = explain_wait_query(report, histogram_query);
    int64_t most = 0;

    while (summary_next_row(&report->summary, row)) {
        if (sqlite3_column_int64(row, 2) > most)
            most = sqlite3_column_int64(row, 2);
    }
    sqlite3_finalize(row);
    return most;
}

void explain_wait_histogram(struct wait_report *report)
{
    FILE *out = report->summary.out;
    int64_t most = fullest_bucket(report);
    int64_t next = -1;
    sqlite3_stmt *row;

    if (most == 0)
        return;
    fprintf(out, "\nDispatches, by how long each wait was\n");
    row = explain_wait_query(report, histogram_query);
    while (summary_next_row(&report->summary, row)) {
        int64_t from = sqlite3_column_int64(row, 0);

        /* What lies between and has none is left out of the views. */
        for (; next > 0 && next <= from / 2; next *= 2)
            print_bucket(out, next, next * 2, 0, most);
        print_bucket(out, from, sqlite3_column_int64(row, 1),
                     sqlite3_column_int64(row, 2), most);
        next = sqlite3_column_int64(row, 1);
    }
    sqlite3_finalize(row);
}

/* The worst cases */

static const char worst_query[] =
    "SELECT vm, vp, rank, ready_ns, wait_ns, lp, rule, holder_vm, holder_vp"
    " FROM wait_worst WHERE" WAIT_IN_SCOPE
    " ORDER BY wait_ns DESC, ready_ns, vm COLLATE by_number, vp LIMIT ?3";
enum { VM, VP, RANK, READY, WAIT, LP, RULE, HOLDER };

static const char part_query[] =
    "SELECT rule, wait_ns FROM wait_worst_part"
    " WHERE vm = ?1 AND vp = ?2 AND rank = ?3 AND wait_ns >= ?4"
    " ORDER BY wait_ns DESC";

/* "cap 55%, slice 45%"; one that is nearly all of it alone; "..." for more than
 * two. */
static void add_parts(struct wait_report *report, struct summary_table *table,
                      sqlite3_stmt *worst)
{
    sqlite3_stmt *row = summary_query(&report->summary, part_query);
    int64_t wait = sqlite3_column_int64(worst, WAIT);
    char text[64] = "";
    unsigned count = 0;

    sqlite3_bind_text(row, 1, summary_text(worst, VM), -1, SQLITE_TRANSIENT);
    sqlite3_bind_int64(row, 2, sqlite3_column_int64(worst, VP));
    sqlite3_bind_int64(row, 3, sqlite3_column_int64(worst, RANK));
    sqlite3_bind_int64(row, 4, wait / PART_LEAST);
    while (summary_next_row(&report->summary, row)) {
        size_t used = strlen(text);

        count++;
        if (count <= 2)
            snprintf(text + used, sizeof(text) - used, "%s%.16s %.0f%%",
                     used ? ", " : "", summary_text(row, 0),
                     percent(sqlite3_column_int64(row, 1), (uint64_t)wait));
    }
    sqlite3_finalize(row);
    if (count > 1)
        summary_table_add(table, "%s%s", text, count > 2 ? ", ..." : "");
    else
        summary_table_add(table, "%s", summary_text(worst, RULE));
}

static void add_worst(struct wait_report *report, struct summary_table *table,
                      sqlite3_stmt *row)
{
    uint64_t ready = (uint64_t)sqlite3_column_int64(row, READY);
    uint64_t wait = (uint64_t)sqlite3_column_int64(row, WAIT);

    add_vp(table, row, VM);
    summary_table_add(table, "%.6f", (double)ready / 1e9);
    add_duration(table, (int64_t)wait);
    /* Nanoseconds are rounded down twice. */
    if (sqlite3_column_type(row, LP) != SQLITE_NULL)
        summary_table_add(table, "LP %d", sqlite3_column_int(row, LP));
    else if (ready + wait + 2 >= report->summary.sim_ns)
        summary_table_add(table, "waits still");
    else
        summary_table_add(table, "not run");
    add_vp(table, row, HOLDER);
    add_parts(report, table, row);
}

void explain_wait_worst(struct wait_report *report)
{
    static const char *const headings[] = {"VP",   "ready at, s", "wait",
                                           "then", "who had it",  "rule"};
    struct summary_table *table = summary_table_create(6);
    sqlite3_stmt *row = explain_wait_query(report, worst_query);

    add_headings(table, 6, headings);
    sqlite3_bind_int(row, 3, report->scope->one_vp ? -1 : WORST_OF_ALL);
    while (summary_next_row(&report->summary, row))
        add_worst(report, table, row);
    sqlite3_finalize(row);
    fprintf(report->summary.out,
            "\nThe longest waits; then: where the VP ran\n");
    summary_print_table(&report->summary, table);
}
