/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/results/summary.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "sim/core/check.h"
#include "sim/results/summary_private.h"
#include "sim/results/summary_table.h"
#include "sim/text/text.h"

#define WIDTH_DEFAULT 80
#define ROWS_MAX 24     /* of processors or VMs in one table */
#define SENTENCES_MAX 3 /* on what VMs believe */

/* Queries */

/** Later queries may do well: the first to fail says why. */
static void note_failure(struct summary *summary)
{
    if (!summary->failed)
        snprintf(summary->why, sizeof(summary->why), "%s",
                 sqlite3_errmsg(summary->db));
    summary->failed = true;
}

sqlite3_stmt *summary_query(struct summary *summary, const char *sql)
{
    sqlite3_stmt *row = NULL;

    if (sqlite3_prepare_v2(summary->db, sql, -1, &row, NULL) != SQLITE_OK)
        note_failure(summary);
    return row;
}

bool summary_next_row(struct summary *summary, sqlite3_stmt *row)
{
    int code = row != NULL ? sqlite3_step(row) : SQLITE_ERROR;

    if (code != SQLITE_ROW && code != SQLITE_DONE)
        note_failure(summary);
    return code == SQLITE_ROW;
}

const char *summary_text(sqlite3_stmt *row, int column)
{
    const char *text = (const char *)sqlite3_column_text(row, column);

    return text != NULL ? text : "";
}

int summary_count(struct summary *summary, const char *sql)
{
    sqlite3_stmt *row = summary_query(summary, sql);
    int count = summary_next_row(summary, row) ? sqlite3_column_int(row, 0) : 0;

    sqlite3_finalize(row);
    return count;
}

void summary_print_table(struct summary *summary, struct summary_table *table)
{
    summary_table_print(table, summary->out, summary->width);
    summary_table_free(table);
}

/** "-0.0" is no figure for people. */
static double not_below_zero(double value)
{
    return value > 0 ? value : 0;
}

/* The run */

static void print_run(struct summary *summary)
{
    sqlite3_stmt *row = summary_query(
        summary, "SELECT name, sim_ns, profile, seed, trace_hash FROM run");

    if (summary_next_row(summary, row)) {
        summary->sim_ns = (uint64_t)sqlite3_column_int64(row, 1);
        fprintf(summary->out,
                "%s: %.3f s simulated, %d LP%s, prices: %s, seed %s\n",
                summary_text(row, 0), (double)summary->sim_ns / 1e9,
                summary->lp_count, summary->lp_count == 1 ? "" : "s",
                summary_text(row, 2), summary_text(row, 3));
        if (sqlite3_column_type(row, 4) == SQLITE_NULL)
            fprintf(summary->out, "This run was interrupted: what follows "
                                  "ends at the last interval written.\n");
    }
    sqlite3_finalize(row);
}

/** Which VMs failed it. */
static void print_failures(struct summary *summary)
{
    sqlite3_stmt *row =
        summary_query(summary, "SELECT time_ns, vm, reason FROM failure");
    int count = 0;

    for (; summary_next_row(summary, row); count++) {
        if (count >= ROWS_MAX)
            continue;
        fprintf(summary->out, "VM \"%s\" failed at %.3f s:\n  %s\n",
                summary_text(row, 1),
                (double)sqlite3_column_int64(row, 0) / 1e9,
                summary_text(row, 2));
    }
    sqlite3_finalize(row);
    if (count > ROWS_MAX)
        fprintf(summary->out, "(and %d more; the view failure has all)\n",
                count - ROWS_MAX);
}

/* Processors */

/** Says that `count` rows were more than were shown. */
static void print_omitted(struct summary *summary, int count, const char *what)
{
    if (count > ROWS_MAX)
        fprintf(summary->out,
                "(the %d busiest of %d %s; the view perf_total has all)\n",
                ROWS_MAX, count, what);
}

static void add_headings(struct summary_table *table, size_t count,
                         const char *const *headings)
{
    for (size_t i = 0; i < count; i++)
        summary_table_add(table, "%s", headings[i]);
}

/* One row per LP, "_Total" last; of many LPs the busiest ?1. */
static const char lp_query[] =
    "SELECT instance,"
    " max(value) FILTER (WHERE counter = '% Guest Run Time'),"
    " max(value) FILTER (WHERE counter = '% Hypervisor Run Time'),"
    " max(value) FILTER (WHERE counter = '% Idle Time'),"
    " max(value) FILTER (WHERE counter = 'Context Switches/sec'),"
    " max(value) FILTER (WHERE counter = 'Total Interrupts/sec')"
    " FROM perf_total WHERE object = " SUMMARY_LP
    " AND (instance = '_Total' OR instance IN ("
    "  SELECT instance FROM perf_total WHERE object = " SUMMARY_LP
    "  AND counter = '% Total Run Time' AND instance <> '_Total'"
    "  ORDER BY value DESC, instance COLLATE by_number LIMIT ?1))"
    " GROUP BY instance"
    " ORDER BY instance = '_Total', instance COLLATE by_number";

static void print_lps(struct summary *summary)
{
    static const char *const headings[] = {
        "LP", "guest", "hypervisor", "idle", "switches/s", "interrupts/s"};
    struct summary_table *table = summary_table_create(6);
    sqlite3_stmt *row = summary_query(summary, lp_query);

    fprintf(summary->out, "\nLogical processors: %% of the run; _Total is the "
                          "mean, of rates the sum\n");
    add_headings(table, 6, headings);
    sqlite3_bind_int(row, 1, ROWS_MAX);
    while (summary_next_row(summary, row)) {
        summary_table_add(table, "%s", summary_text(row, 0));
        for (int i = 1; i <= 3; i++)
            summary_table_add(table, "%.2f", sqlite3_column_double(row, i));
        for (int i = 4; i <= 5; i++)
            summary_table_add(table, "%.1f", sqlite3_column_double(row, i));
    }
    sqlite3_finalize(row);
    summary_print_table(summary, table);
    print_omitted(summary, summary->lp_count, "LPs");
}

/* One row per VP, the root's first; of many VPs the busiest ?1. */
static const char vp_query[] =
    "SELECT instance,"
    " max(value) FILTER (WHERE counter = '% Guest Run Time'),"
    " max(value) FILTER (WHERE counter = '% Hypervisor Run Time'),"
    " max(value) FILTER (WHERE counter = '% Guest Idle Time'),"
    " max(value) FILTER (WHERE counter = 'CPU Wait Time Per Dispatch'),"
    " max(value) FILTER (WHERE counter = 'Logical Processor Dispatches/sec')"
    " FROM perf_total WHERE (object, instance) IN ("
    "  SELECT object, instance FROM perf_total"
    "  WHERE object IN (" SUMMARY_ROOT_VP ", " SUMMARY_VP ")"
    "  AND counter = '% Total Run Time' AND instance <> '_Total'"
    "  ORDER BY value DESC, object, instance COLLATE by_number LIMIT ?1)"
    " GROUP BY object, instance"
    " ORDER BY object, instance COLLATE by_number";

static const char vp_count_query[] =
    "SELECT count(*) FROM perf_total"
    " WHERE object IN (" SUMMARY_ROOT_VP ", " SUMMARY_VP ")"
    " AND counter = '% Total Run Time' AND instance <> '_Total'";

/** One row of vp_query. */
static void add_vp(struct summary *summary, struct summary_table *table,
                   sqlite3_stmt *row)
{
    double guest = sqlite3_column_double(row, 1);
    double hypervisor = sqlite3_column_double(row, 2);
    double halted = sqlite3_column_double(row, 3);
    double wait_ns = sqlite3_column_double(row, 4);
    double dispatch_rate = sqlite3_column_double(row, 5);
    /* ns per dispatch * dispatches per s = ns per s; 1e7 of them are 1 % */
    double waiting = wait_ns * dispatch_rate / 1e7;
    double rest = 100 - guest - hypervisor - halted - waiting;

    summary_table_add(table, "%s", summary_text(row, 0));
    summary_table_add(table, "%.2f", guest);
    summary_table_add(table, "%.2f", hypervisor);
    summary_table_add(table, "%.2f", halted);
    summary_table_add(table, "%.2f", waiting);
    summary_table_add(table, "%.2f", not_below_zero(rest));
    summary_table_add(table, "%.1f", wait_ns / 1e3);
    summary_table_add(table, "%.0f",
                      dispatch_rate * (double)summary->sim_ns / 1e9);
}

static void print_vps(struct summary *summary)
{
    static const char *const headings[] = {"VP",      "guest",     "hyperv.",
                                           "halted",  "waiting",   "other",
                                           "wait us", "dispatches"};
    struct summary_table *table = summary_table_create(8);
    sqlite3_stmt *row = summary_query(summary, vp_query);

    fprintf(summary->out,
            "\nVirtual processors: %% of the run; halted by its own HLT, "
            "waiting for an LP,\nother: not started, or waiting for the root; "
            "wait us is per dispatch\n");
    add_headings(table, 8, headings);
    sqlite3_bind_int(row, 1, ROWS_MAX);
    while (summary_next_row(summary, row))
        add_vp(summary, table, row);
    sqlite3_finalize(row);
    summary_print_table(summary, table);
    print_omitted(summary, summary_count(summary, vp_count_query), "VPs");
}

/* VMs: what they believed, and what the host saw */

/* Per VM: its VPs' time over the run, and in the interval in which it was
 * busiest; in percent of one LP. The number of all VMs comes last. */
static const char vm_query[] =
    "WITH run_share AS ("
    "  SELECT " SUMMARY_VM_OF_INSTANCE " AS vm, sum(value) AS share,"
    "    count(DISTINCT instance) AS vp_count"
    "  FROM perf_total WHERE object = " SUMMARY_VP
    "    AND instance <> '_Total' AND counter = '% Total Run Time'"
    "  GROUP BY vm),"
    " interval_share AS ("
    "  SELECT " SUMMARY_VM_OF_INSTANCE " AS vm, sum(value) AS share"
    "  FROM perf WHERE object = " SUMMARY_VP
    "    AND instance <> '_Total' AND counter = '% Total Run Time'"
    "  GROUP BY vm, time_ns),"
    " peak AS (SELECT vm, max(share) AS share FROM interval_share GROUP BY vm)"
    " SELECT vm, run_share.share, peak.share, vp_count,"
    "  (SELECT count(*) FROM run_share)"
    " FROM run_share LEFT JOIN peak USING (vm)"
    " ORDER BY run_share.share DESC, vm COLLATE by_number LIMIT ?1";

struct vm_figures {
    char *name;      /* owned */
    bool reported;   /* it has said how busy it was */
    double believed; /* what it said last, in percent */
    double share;    /* of one LP, over the run, in percent */
    double peak;     /* the same in its busiest interval */
    int vp_count;
};

static void read_belief(struct summary *summary, struct vm_figures *vm)
{
    sqlite3_stmt *row =
        summary_query(summary, "SELECT value FROM result WHERE vm = ?1"
                               " AND name = 'cpu_utilization'");

    sqlite3_bind_text(row, 1, vm->name, -1, SQLITE_STATIC);
    while (summary_next_row(summary, row)) {
        vm->reported = true;
        vm->believed = sqlite3_column_double(row, 0);
    }
    sqlite3_finalize(row);
}

/** Reads at most ROWS_MAX VMs, the busiest first, and says how many; all are
 *  counted in `*total`. */
static unsigned read_vms(struct summary *summary, struct vm_figures *vms,
                         int *total)
{
    sqlite3_stmt *row = summary_query(summary, vm_query);
    unsigned count = 0;

    sqlite3_bind_int(row, 1, ROWS_MAX);
    while (count < ROWS_MAX && summary_next_row(summary, row)) {
        struct vm_figures *vm = &vms[count++];

        *vm = (struct vm_figures){
            .name = strdup(summary_text(row, 0)),
            .share = sqlite3_column_double(row, 1),
            .peak = sqlite3_column_double(row, 2),
            .vp_count = sqlite3_column_int(row, 3),
        };
        CHECK(vm->name != NULL);
        *total = sqlite3_column_int(row, 4);
        read_belief(summary, vm);
    }
    sqlite3_finalize(row);
    return count;
}

static void print_vm_table(struct summary *summary,
                           const struct vm_figures *vms, unsigned count)
{
    static const char *const headings[] = {"VM",         "believes",
                                           "of one LP",  "of the host",
                                           "peak of LP", "peak of host"};
    struct summary_table *table = summary_table_create(6);

    add_headings(table, 6, headings);
    for (unsigned i = 0; i < count; i++) {
        summary_table_add(table, "%s", vms[i].name);
        if (vms[i].reported)
            summary_table_add(table, "%.2f", vms[i].believed);
        else
            summary_table_add(table, "-");
        summary_table_add(table, "%.2f", vms[i].share);
        summary_table_add(table, "%.2f", vms[i].share / summary->lp_count);
        summary_table_add(table, "%.2f", vms[i].peak);
        summary_table_add(table, "%.2f", vms[i].peak / summary->lp_count);
    }
    fprintf(summary->out,
            "\nVMs: the utilisation that each believes in, and the time that "
            "its VPs had, in %%\n");
    summary_print_table(summary, table);
}

static void print_sentence(struct summary *summary, const struct vm_figures *vm)
{
    bool one = vm->vp_count == 1;
    char vps[32] = "its VP was";

    if (!one)
        snprintf(vps, sizeof(vps), "its %d VPs were", vm->vp_count);
    fprintf(summary->out,
            "\"%s\" believes that %s %.2f %% busy. The host saw %s take\n"
            "%.2f %% of one LP over the run and %.2f %% in the busiest "
            "interval, which is\n%.2f %% and %.2f %% of this host.\n",
            vm->name, vps, vm->believed, one ? "it" : "them", vm->share,
            vm->peak, vm->share / summary->lp_count,
            vm->peak / summary->lp_count);
}

static void print_vms(struct summary *summary)
{
    struct vm_figures vms[ROWS_MAX];
    int total = 0;
    unsigned count = read_vms(summary, vms, &total);
    unsigned sentences = 0;

    if (count > 0)
        print_vm_table(summary, vms, count);
    print_omitted(summary, total, "VMs");
    for (unsigned i = 0; i < count && sentences < SENTENCES_MAX; i++) {
        if (vms[i].reported) {
            print_sentence(summary, &vms[i]);
            sentences++;
        }
    }
    for (unsigned i = 0; i < count; i++)
        free(vms[i].name);
}

/* All */

/* An interrupted run has no total, one shorter than an interval nothing else.
 */
static const char lp_count_query[] =
    "SELECT count(*) FROM ("
    " SELECT instance FROM perf_total WHERE object = " SUMMARY_LP
    "   AND counter = '% Total Run Time'"
    " UNION SELECT instance FROM perf WHERE object = " SUMMARY_LP
    "   AND counter = '% Total Run Time')"
    " WHERE instance <> '_Total'";

enum sim_status summary_print_all(struct summary *summary,
                                  summary_print_fn *print, void *all,
                                  struct sim_error *error)
{
    FILE *out = summary->out;
    char *text = NULL;
    size_t bytes;

    summary->out = open_memstream(&text, &bytes);
    CHECK(summary->out != NULL);
    print(all);
    CHECK(fclose(summary->out) == 0);
    summary->out = out;
    text_print_lines(out, text);
    free(text);
    if (summary->failed)
        return sim_fail(error, SIM_IO_ERROR, "the results cannot be read: %s",
                        summary->why);
    return SIM_OK;
}

static void print_summary(void *all)
{
    struct summary *summary = all;

    summary->lp_count = summary_count(summary, lp_count_query);
    print_run(summary);
    print_failures(summary);
    if (!summary->failed &&
        summary_count(summary, "SELECT count(*) FROM perf_total") > 0) {
        print_lps(summary);
        print_vps(summary);
        print_vms(summary);
        summary_print_waits(summary);
    }
    if (!summary->failed)
        summary_print_guests(summary);
    if (!summary->failed)
        summary_print_timeline(summary);
}

enum sim_status summary_print(FILE *out, sqlite3 *db, unsigned width,
                              struct sim_error *error)
{
    struct summary summary = {.out = out, .db = db, .width = width};

    return summary_print_all(&summary, print_summary, &summary, error);
}

unsigned summary_width(FILE *out)
{
    struct winsize size;

    if (ioctl(fileno(out), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return WIDTH_DEFAULT;
}
