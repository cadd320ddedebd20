/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/results/explain_wait.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "sim/core/check.h"
#include "sim/results/explain_wait_private.h"
#include "sim/scenario/document.h"
#include "sim/text/text.h"

#define LISTED_MAX 12    /* names in an error */
#define SENTENCES_MAX 12 /* VPs with one */
#define HOLDERS_MAX 3    /* in a sentence */
#define HARDLY 2000      /* a VP hardly waited if below that part of the run */

/* What was asked for */

/* Digits alone, of at most 2^32 - 1. */
static bool read_index(const char *text, uint32_t *index)
{
    char *end;
    unsigned long long value = strtoull(text, &end, 10);

    if (*text < '0' || *text > '9' || *end || strlen(text) > 10 ||
        value >= UINT32_MAX)
        return false;
    *index = (uint32_t)value;
    return true;
}

static const char *skip(const char *text, const char *prefix)
{
    size_t bytes = strlen(prefix);

    return strncmp(text, prefix, bytes) == 0 ? text + bytes : text;
}

/* "web:Hv VP 0", "web:0", "Root VP 0", "Root:0", "Hv VP 0", "0". */
static bool read_vp(struct explain_wait_scope *scope, char *buffer,
                    const char *text)
{
    static const char root[] = "Root VP ";
    const char *colon = strrchr(text, ':');

    scope->one_vp = true;
    if (strncmp(text, root, strlen(root)) == 0) {
        strcpy(buffer, "Root");
        scope->vm = buffer;
        return read_index(text + strlen(root), &scope->vp);
    }
    if (colon) {
        size_t bytes = (size_t)(colon - text);

        if (bytes == 0 || bytes >= EXPLAIN_WAIT_NAME_BYTES)
            return false;
        memcpy(buffer, text, bytes);
        buffer[bytes] = '\0';
        scope->vm = buffer;
        text = colon + 1;
    }
    return scope->vm && read_index(skip(text, "Hv VP "), &scope->vp);
}

/* Every VP that there was: the root's first. */
#define ALL_VPS                                                                \
    "SELECT CASE object WHEN " SUMMARY_ROOT_VP " THEN 'Root'"                  \
    "  ELSE " SUMMARY_VM_OF_INSTANCE " END AS vm, instance,"                   \
    "  CAST(substr(instance, instr(instance, 'VP ') + 3) AS INTEGER) AS vp"    \
    " FROM (SELECT DISTINCT object, instance FROM perf_total"                  \
    "  WHERE object IN (" SUMMARY_ROOT_VP ", " SUMMARY_VP ")"                  \
    "  AND instance <> '_Total')"                                              \
    " ORDER BY object, instance COLLATE by_number"

static void list_names(sqlite3 *db, const char *sql, const char *vm, char *text,
                       size_t bytes)
{
    struct summary summary = {.db = db};
    sqlite3_stmt *row = summary_query(&summary, sql);
    unsigned count = 0;

    sqlite3_bind_text(row, 1, vm, -1, SQLITE_STATIC);
    text[0] = '\0';
    for (; summary_next_row(&summary, row); count++) {
        size_t used = strlen(text);

        if (count < LISTED_MAX)
            snprintf(text + used, bytes - used, "%s%s", count ? ", " : "",
                     summary_text(row, 0));
    }
    sqlite3_finalize(row);
    if (count > LISTED_MAX) {
        size_t used = strlen(text);

        snprintf(text + used, bytes - used, " and %u more", count - LISTED_MAX);
    }
}

static int count_matches(struct summary *summary,
                         const struct explain_wait_scope *scope)
{
    sqlite3_stmt *row = summary_query(
        summary, "SELECT count(*) FROM (" ALL_VPS ") WHERE"
                 " (?1 IS NULL OR vm = ?1) AND (?2 IS NULL OR vp = ?2)");
    int count;

    sqlite3_bind_text(row, 1, scope->vm, -1, SQLITE_STATIC);
    if (scope->one_vp)
        sqlite3_bind_int64(row, 2, scope->vp);
    count = summary_next_row(summary, row) ? sqlite3_column_int(row, 0) : 0;
    sqlite3_finalize(row);
    return count;
}

/* Of a VM that there is, its VPs; else the VMs. */
static enum sim_status refuse(struct summary *summary,
                              const struct explain_wait_scope *scope,
                              struct sim_error *error)
{
    struct explain_wait_scope vm = {.vm = scope->vm};
    char quoted[DOCUMENT_QUOTE_BYTES];
    char names[2048];

    document_quote(scope->vm, quoted);
    if (scope->one_vp && count_matches(summary, &vm) > 0) {
        list_names(summary->db,
                   "SELECT instance FROM (" ALL_VPS ") WHERE vm = ?1",
                   scope->vm, names, sizeof(names));
        return sim_fail(error, SIM_NO_INPUT,
                        "explain wait: %s has no VP %" PRIu32 "; there are: %s",
                        quoted, scope->vp, names);
    }
    list_names(summary->db, "SELECT DISTINCT vm FROM (" ALL_VPS ")", NULL,
               names, sizeof(names));
    return sim_fail(error, SIM_NO_INPUT,
                    "explain wait: no VM %s had VPs; there were: %s", quoted,
                    names);
}

enum sim_status explain_wait_find(struct explain_wait_scope *scope,
                                  char buffer[static EXPLAIN_WAIT_NAME_BYTES],
                                  sqlite3 *db, const char *vm, const char *vp,
                                  struct sim_error *error)
{
    struct summary summary = {.db = db};
    char quoted[DOCUMENT_QUOTE_BYTES];

    *scope = (struct explain_wait_scope){.vm = vm};
    if (vp && !read_vp(scope, buffer, vp))
        return sim_fail(error, SIM_BAD_USAGE,
                        "explain wait: --vp %s: expected a VP such as "
                        "\"web:Hv VP 0\", \"web:0\" or \"Root VP 0\"",
                        document_quote(vp, quoted));
    if (vp && vm && strcmp(scope->vm, vm) != 0)
        return sim_fail(error, SIM_BAD_USAGE,
                        "explain wait: --vp %s is not a VP of --vm",
                        document_quote(vp, quoted));
    if (summary_count(&summary, "SELECT count(*) FROM perf_total") == 0)
        return sim_fail(error, SIM_NO_INPUT,
                        "explain wait: the run was killed before it ended, "
                        "which is when waits are written");
    if (count_matches(&summary, scope) == 0 && scope->vm)
        return refuse(&summary, scope, error);
    return SIM_OK;
}

/* Sentences */

sqlite3_stmt *explain_wait_query(struct wait_report *report, const char *sql)
{
    sqlite3_stmt *row = summary_query(&report->summary, sql);

    sqlite3_bind_text(row, 1, report->scope->vm, -1, SQLITE_STATIC);
    if (report->scope->one_vp)
        sqlite3_bind_int64(row, 2, report->scope->vp);
    return row;
}

static const char vp_query[] =
    "SELECT vm, vp, sum(wait_ns) + sum(undispatched_ns) AS waited,"
    " sum(wait_ns), sum(dispatches)"
    " FROM wait WHERE" WAIT_IN_SCOPE "GROUP BY vm, vp"
    " ORDER BY waited DESC, vm COLLATE by_number, vp";

struct sentence {
    struct wait_report *report;
    FILE *to;
    const char *vm;
    int64_t vp, waited_ns;
};

static sqlite3_stmt *query_vp(const struct sentence *s, const char *sql)
{
    sqlite3_stmt *row = summary_query(&s->report->summary, sql);

    sqlite3_bind_text(row, 1, s->vm, -1, SQLITE_STATIC);
    sqlite3_bind_int64(row, 2, s->vp);
    return row;
}

/* " (batch 62 %, its own VM 31 %)": of the time that LPs were in use. */
static void say_holders(const struct sentence *s)
{
    sqlite3_stmt *row = query_vp(
        s, "SELECT holder_vm, sum(wait_ns) AS time, sum(sum(wait_ns)) OVER ()"
           " FROM wait_holder WHERE vm = ?1 AND vp = ?2 GROUP BY holder_vm"
           " ORDER BY time DESC, holder_vm COLLATE by_number");
    unsigned said = 0;

    while (said < HOLDERS_MAX && summary_next_row(&s->report->summary, row)) {
        double share =
            100 * sqlite3_column_double(row, 1) / sqlite3_column_double(row, 2);
        bool nobody = sqlite3_column_type(row, 0) == SQLITE_NULL;
        const char *vm = summary_text(row, 0);

        if (nobody || share < 5)
            continue;
        fprintf(s->to, "%s%s %.0f%%", said++ ? ", " : " (",
                strcmp(vm, s->vm) == 0 ? "its own VM" : vm, share);
    }
    if (said)
        fputc(')', s->to);
    sqlite3_finalize(row);
}

static void say_rules(const struct sentence *s)
{
    sqlite3_stmt *row =
        query_vp(s, "SELECT rule, wait_ns + undispatched_ns AS waited FROM wait"
                    " WHERE vm = ?1 AND vp = ?2 ORDER BY waited DESC");
    bool holders_said = false;
    unsigned said = 0;

    while (said < 3 && summary_next_row(&s->report->summary, row)) {
        const char *rule = summary_text(row, 0);
        double share =
            100 * sqlite3_column_double(row, 1) / (double)s->waited_ns;

        if (said > 0 && share < 1)
            break;
        fprintf(s->to, "%s %.0f%% %s%s", said ? ";" : ":", share,
                said ? "" : "of that ", explain_wait_phrase(rule));
        if (explain_wait_is_contention(rule) && !holders_said) {
            say_holders(s);
            holders_said = true;
        }
        said++;
    }
    sqlite3_finalize(row);
    fputc('.', s->to);
}

/* Waits that no dispatch has ended. */
static void say_open(const struct sentence *s)
{
    sqlite3_stmt *row =
        query_vp(s, "SELECT ready_ns, wait_ns FROM wait_worst"
                    " WHERE vm = ?1 AND vp = ?2 AND lp IS NULL"
                    " ORDER BY ready_ns + wait_ns DESC LIMIT 1");

    if (summary_next_row(&s->report->summary, row)) {
        uint64_t ready = (uint64_t)sqlite3_column_int64(row, 0);
        uint64_t wait = (uint64_t)sqlite3_column_int64(row, 1);
        char text[SUMMARY_DURATION_BYTES];

        summary_duration(wait, text);
        if (ready + wait + 2 >= s->report->summary.sim_ns)
            fprintf(s->to, " When the run ends it has been waiting for %s.",
                    text);
    }
    sqlite3_finalize(row);
}

static void write_sentence(struct sentence *s, sqlite3_stmt *vp)
{
    double run_ns = (double)s->report->summary.sim_ns;
    int64_t dispatches = sqlite3_column_int64(vp, 4);
    char name[WAIT_VP_BYTES];
    char all[SUMMARY_DURATION_BYTES], each[SUMMARY_DURATION_BYTES];

    explain_wait_vp_name(s->vm, (uint32_t)s->vp, name);
    summary_duration((uint64_t)s->waited_ns, all);
    summary_duration(dispatches > 0
                         ? (uint64_t)(sqlite3_column_int64(vp, 3) / dispatches)
                         : 0,
                     each);
    fprintf(s->to, "%s ", name);
    if ((double)s->waited_ns * HARDLY < run_ns)
        fprintf(s->to, "hardly waited: %s in all", all);
    else
        fprintf(s->to, "waited %.1f%% of the run, %s in all",
                100 * (double)s->waited_ns / run_ns, all);
    if (dispatches > 0)
        fprintf(s->to, ", %s per dispatch", each);
    if (s->waited_ns > 0)
        say_rules(s);
    else
        fputc('.', s->to);
    say_open(s);
}

static void print_sentence(struct wait_report *report, sqlite3_stmt *vp)
{
    char *text = NULL;
    size_t bytes = 0;
    struct sentence sentence = {
        .report = report,
        .to = open_memstream(&text, &bytes),
        .vm = summary_text(vp, 0),
        .vp = sqlite3_column_int64(vp, 1),
        .waited_ns = sqlite3_column_int64(vp, 2),
    };

    CHECK(sentence.to);
    write_sentence(&sentence, vp);
    CHECK(fclose(sentence.to) == 0);
    text_print_wrapped(report->summary.out, text, 0);
    free(text);
}

/* Returns how many VPs have waited. */
static unsigned print_sentences(struct wait_report *report)
{
    sqlite3_stmt *row = explain_wait_query(report, vp_query);
    unsigned count = 0;

    for (; summary_next_row(&report->summary, row); count++) {
        report->waited_ns += (uint64_t)sqlite3_column_int64(row, 2);
        if (count < SENTENCES_MAX)
            print_sentence(report, row);
    }
    sqlite3_finalize(row);
    if (count > SENTENCES_MAX)
        fprintf(report->summary.out,
                "(and %u VPs that waited less; --vm and --vp choose)\n",
                count - SENTENCES_MAX);
    return count;
}

static void print_run(struct wait_report *report)
{
    sqlite3_stmt *row =
        summary_query(&report->summary, "SELECT name, sim_ns FROM run");

    if (summary_next_row(&report->summary, row)) {
        report->summary.sim_ns = (uint64_t)sqlite3_column_int64(row, 1);
        fprintf(report->summary.out, "%s: %.3f s simulated\n\n",
                summary_text(row, 0), (double)report->summary.sim_ns / 1e9);
    }
    sqlite3_finalize(row);
}

static void print_report(void *all)
{
    struct wait_report *report = all;

    print_run(report);
    if (print_sentences(report) > 0) {
        explain_wait_rules(report);
        explain_wait_holders(report);
        explain_wait_histogram(report);
        explain_wait_worst(report);
    } else if (!report->summary.failed) {
        fprintf(report->summary.out,
                "None of the VPs asked for was ever ready to run.\n");
    }
}

enum sim_status explain_wait_print(FILE *out, sqlite3 *db,
                                   const struct explain_wait_scope *scope,
                                   unsigned width, struct sim_error *error)
{
    struct wait_report report = {
        .summary = {.out = out, .db = db, .width = width},
        .scope = scope,
    };

    return summary_print_all(&report.summary, print_report, &report, error);
}
