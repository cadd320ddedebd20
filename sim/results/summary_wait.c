/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How long the VPs of each VM waited for LPs, and what for: the view wait, a
 * line for each VM. hvsim explain wait says more.
 */
#include <inttypes.h>

#include "sim/results/summary_private.h"

#define VMS_MAX 24

void summary_duration(uint64_t ns, char text[static SUMMARY_DURATION_BYTES])
{
    static const char *const units[] = {"ns", "us", "ms", "s"};
    double value = (double)ns;
    unsigned unit = 0;

    if (ns < 1000) {
        snprintf(text, SUMMARY_DURATION_BYTES, "%" PRIu64 " ns", ns);
        return;
    }
    /* 999.5 and more would be shown as 1000. */
    while (unit < 3 && value >= 999.5) {
        value /= 1000;
        unit++;
    }
    snprintf(text, SUMMARY_DURATION_BYTES, "%.*f %s",
             value < 9.995   ? 2
             : value < 99.95 ? 1
                             : 0,
             value, units[unit]);
}

/* A wait that no dispatch ended is one that may be the longest, but is of no
 * dispatch. The number of all VMs comes last. */
static const char vm_query[] =
    "WITH by_rule AS ("
    "  SELECT vm, rule, sum(wait_ns) AS wait_ns,"
    "    sum(wait_ns + undispatched_ns) AS waited_ns,"
    "    sum(dispatches) AS dispatches"
    "  FROM wait GROUP BY vm, rule),"
    " ranked AS ("
    "  SELECT vm, rule, waited_ns,"
    "    sum(waited_ns) OVER w AS all_ns, sum(wait_ns) OVER w AS wait_ns,"
    "    sum(dispatches) OVER w AS dispatches,"
    "    row_number() OVER (PARTITION BY vm ORDER BY waited_ns DESC, rule)"
    "      AS rank"
    "  FROM by_rule WINDOW w AS (PARTITION BY vm)),"
    " longest AS ("
    "  SELECT vm, max(wait_ns) AS wait_ns FROM wait_worst GROUP BY vm)"
    " SELECT vm, all_ns, ranked.wait_ns / max(dispatches, 1),"
    "  coalesce(longest.wait_ns, 0), rule,"
    "  100.0 * waited_ns / max(all_ns, 1), dispatches,"
    "  (SELECT count(DISTINCT vm) FROM wait)"
    " FROM ranked LEFT JOIN longest USING (vm) WHERE rank = 1"
    " ORDER BY all_ns DESC, vm COLLATE by_number LIMIT ?1";
enum { VM, ALL, MEAN, LONGEST, RULE, SHARE, DISPATCHES, VM_COUNT };

static void add_duration(struct summary_table *table, sqlite3_stmt *row,
                         int column)
{
    char text[SUMMARY_DURATION_BYTES];

    summary_duration((uint64_t)sqlite3_column_int64(row, column), text);
    summary_table_add(table, "%s", text);
}

void summary_print_waits(struct summary *summary)
{
    static const char *const headings[] = {
        "VM", "waited", "per dispatch", "longest", "dispatches", "most for"};
    const unsigned columns = sizeof(headings) / sizeof(headings[0]);
    struct summary_table *table = summary_table_create(columns);
    sqlite3_stmt *row = summary_query(summary, vm_query);
    int count = 0;

    for (unsigned i = 0; i < columns; i++)
        summary_table_add(table, "%s", headings[i]);
    sqlite3_bind_int(row, 1, VMS_MAX);
    while (summary_next_row(summary, row)) {
        count = sqlite3_column_int(row, VM_COUNT);
        summary_table_add(table, "%s", summary_text(row, VM));
        add_duration(table, row, ALL);
        if (sqlite3_column_int64(row, DISPATCHES) > 0)
            add_duration(table, row, MEAN);
        else
            summary_table_add(table, "-");
        add_duration(table, row, LONGEST);
        summary_table_add(table, "%" PRId64,
                          (int64_t)sqlite3_column_int64(row, DISPATCHES));
        summary_table_add(table, "%s %.0f %%", summary_text(row, RULE),
                          sqlite3_column_double(row, SHARE));
    }
    sqlite3_finalize(row);
    if (count == 0) {
        summary_table_free(table);
        return;
    }
    fprintf(summary->out,
            "\nWaits of ready VPs, by VM, and the rule that took most of the "
            "time\n(hvsim explain wait says who had the LPs, and more)\n");
    summary_print_table(summary, table);
    if (count > VMS_MAX)
        fprintf(summary->out,
                "(the %d of %d VMs that waited most; the view wait has all)\n",
                VMS_MAX, count);
}
