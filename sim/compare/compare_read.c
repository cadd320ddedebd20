/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a comparison takes from a result file. */
#include <fnmatch.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "sim/compare/compare_metric_private.h"
#include "sim/core/check.h"

#define METRICS_MAX 20000

/* What is better */

static const char *const less_words[] = {
    "elapsed", "latency", "wait",   "waiting", "delay", "time", "run",
    "p50",     "p90",     "p95",    "p99",     "p999",  "lost", "errors",
    "missed",  "late",    "stolen", "dropped", "cost",
};
static const char *const more_words[] = {
    "iterations",   "items",      "work",      "operations",   "ops",
    "transactions", "throughput", "rate",      "done",         "requests",
    "tasks",        "frames",     "bandwidth", "acquisitions",
};

/* Of times, such as those of requests or tasks. */
static const char *const time_words[] = {"min", "mean", "max", "avg"};

/** Whether `name` has one of the words between its '_', '.' and '-'. */
static bool has_word(const char *name, const char *const *words, size_t count)
{
    while (*name != '\0') {
        size_t bytes = strcspn(name, "_.-");

        for (size_t i = 0; i < count; i++)
            if (strlen(words[i]) == bytes &&
                strncasecmp(name, words[i], bytes) == 0)
                return true;
        name += bytes;
        name += strspn(name, "_.-");
    }
    return false;
}

static enum compare_better judge_result(const char *name, const char *unit)
{
    size_t unit_bytes = strlen(unit);

    if (has_word(name, less_words, sizeof(less_words) / sizeof(char *)) ||
        (strcmp(unit, "ns") == 0 &&
         has_word(name, time_words, sizeof(time_words) / sizeof(char *))))
        return COMPARE_LESS;
    if (has_word(name, more_words, sizeof(more_words) / sizeof(char *)) ||
        (unit_bytes >= 2 && strcmp(&unit[unit_bytes - 2], "/s") == 0))
        return COMPARE_MORE;
    return COMPARE_UNKNOWN;
}

/** Of counters, times that are lost; more or fewer events are no judgement. */
static enum compare_better judge_counter(const struct pc_counter *counter)
{
    static const char *const texts[] = {"Wait Time",           "Wake Up Time",
                                        "Contention Time",     " Cost",
                                        "Hypervisor Run Time", "Latency"};

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (strstr(counter->name, texts[i]) != NULL)
            return COMPARE_LESS;
    return COMPARE_UNKNOWN;
}

/* Reading a file */

static bool is_match(const char *pattern, const char *text)
{
    return fnmatch(pattern, text, FNM_NOESCAPE) == 0;
}

/** `vm` is NULL for the mean of all. */
static bool is_result(const struct compare_pattern *pattern, const char *vm,
                      const char *name)
{
    if (pattern->name == NULL || pattern->is_mean != (vm == NULL))
        return false;
    return (vm == NULL || is_match(pattern->vm, vm)) &&
           is_match(pattern->name, name);
}

/** Whether `said` is about that instance of the counter of `read`. */
static bool is_counter(const struct compare_pattern *said,
                       const struct compare_pattern *read, const char *instance)
{
    return said->counter == read->counter && said->object == read->object &&
           is_match(said->instance, instance);
}

/** One file on its way into a comparison. */
struct reading {
    struct comparison *comparison;
    struct compare_run *run;
    struct compare_selection *selection;
    sqlite3 *db;
    const char *path;
};

/** Whether a metric can have that value, and there can be one more. */
static enum sim_status check_value(const struct reading *reading,
                                   const char *title, double value,
                                   struct sim_error *error)
{
    if (!(fabs(value) <= STATS_VALUE_MAX))
        return sim_fail(error, SIM_NO_INPUT, "%s: %s is not a number",
                        reading->path, title);
    if (reading->comparison->metric_count >= METRICS_MAX)
        return sim_fail(error, SIM_BAD_USAGE,
                        "more than %d metrics; expected a choice by --only and "
                        "--metric",
                        METRICS_MAX);
    return SIM_OK;
}

static enum sim_status put(const struct reading *reading, const char *group,
                           const char *name, const char *title,
                           const char *unit, enum compare_better better,
                           double value, struct sim_error *error)
{
    if (check_value(reading, title, value, error) != SIM_OK)
        return error->status;
    compare_set_value(reading->run,
                      compare_add_metric(reading->comparison, group, name,
                                         title, unit, better),
                      value);
    return SIM_OK;
}

static const char *text_of(sqlite3_stmt *row, int column)
{
    const char *text = (const char *)sqlite3_column_text(row, column);

    return text != NULL ? text : "";
}

/** NaN for what is none, which SQLite takes for a 0. */
static double number_of(sqlite3_stmt *row, int column)
{
    int type = sqlite3_column_type(row, column);

    if (type != SQLITE_INTEGER && type != SQLITE_FLOAT)
        return NAN;
    return sqlite3_column_double(row, column);
}

/** Whether a pattern asks for this result, or for its mean if `vm` is NULL; and
 *  what is said of it. */
static bool choose_result(const struct reading *reading, const char *vm,
                          const char *name, const char *unit,
                          enum compare_better *better)
{
    bool chosen = false;

    *better = judge_result(name, unit);
    for (size_t i = 0; i < reading->selection->count; i++) {
        struct compare_pattern *pattern = &reading->selection->patterns[i];
        /* What holds for a result of every VM holds for its mean. */
        bool is_of_all =
            vm == NULL && !pattern->is_mean && is_result(pattern, "", name);
        bool is_it = is_result(pattern, vm, name);

        chosen = chosen || is_it;
        pattern->met = pattern->met || is_it;
        if ((is_it || is_of_all) && pattern->better != COMPARE_UNKNOWN)
            *better = pattern->better;
    }
    return chosen;
}

static enum sim_status put_result(const struct reading *reading,
                                  sqlite3_stmt *row, struct sim_error *error)
{
    const char *vm = text_of(row, 0);
    const char *name = text_of(row, 1);
    const char *unit = text_of(row, 3);
    enum compare_better better;
    enum sim_status status;
    char *full;

    if (!choose_result(reading, vm, name, unit, &better))
        return SIM_OK;
    CHECK(asprintf(&full, "result:%s:%s", vm, name) >= 0);

    char *title;

    CHECK(asprintf(&title, "%s %s", vm, name) >= 0);
    status =
        put(reading, vm, full, title, unit, better, number_of(row, 2), error);
    free(title);
    free(full);
    return status;
}

static enum sim_status put_counter(const struct reading *reading,
                                   struct compare_pattern *pattern,
                                   sqlite3_stmt *row, struct sim_error *error)
{
    const char *object = pc_counters_object(pattern->object)->name;
    const char *instance = text_of(row, 0);
    enum compare_better better = judge_counter(pattern->counter);
    enum sim_status status;
    char *name;

    if (!is_match(pattern->instance, instance))
        return SIM_OK;
    pattern->met = true;
    for (size_t i = 0; i < reading->selection->count; i++) {
        const struct compare_pattern *said = &reading->selection->patterns[i];

        if (is_counter(said, pattern, instance) &&
            said->better != COMPARE_UNKNOWN)
            better = said->better;
    }
    CHECK(asprintf(&name, "%s(%s)\\%s", object, instance,
                   pattern->counter->name) >= 0);
    status = put(reading, "", name, compare_metric_short_object(name),
                 pattern->counter->unit, better, number_of(row, 1), error);
    free(name);
    return status;
}

static enum sim_status fail_by_sqlite(const struct reading *reading,
                                      struct sim_error *error)
{
    return sim_fail(error, SIM_NO_INPUT, "%s: cannot be read: %s",
                    reading->path, sqlite3_errmsg(reading->db));
}

/** Prepares `sql`; NULL and an error if that does not work. */
static sqlite3_stmt *query(const struct reading *reading, const char *sql,
                           struct sim_error *error)
{
    sqlite3_stmt *row = NULL;

    if (sqlite3_prepare_v2(reading->db, sql, -1, &row, NULL) != SQLITE_OK)
        fail_by_sqlite(reading, error);
    return row;
}

/** Ends a query whose rows have been taken with `status`. */
static enum sim_status end_query(const struct reading *reading,
                                 sqlite3_stmt *row, enum sim_status status,
                                 struct sim_error *error)
{
    if (sqlite3_finalize(row) != SQLITE_OK && status == SIM_OK)
        return fail_by_sqlite(reading, error);
    return status;
}

/** A result that VMs have in common, on its way to a mean. */
struct common {
    char name[80];
    char unit[32];
    size_t count; /* of VMs */
    double mean;  /* so far */
};

/** Whether that mean was asked for; the defaults are not asking. */
static bool is_asked_for(const struct reading *reading, const char *name)
{
    for (size_t i = 0; i < reading->selection->count; i++)
        if (reading->selection->patterns[i].written != NULL &&
            is_result(&reading->selection->patterns[i], NULL, name))
            return true;
    return false;
}

/** The mean of one VM is to be had too: another run may have several VMs. */
static void put_mean(const struct reading *reading, const struct common *common,
                     const char *name, const char *title,
                     enum compare_better better)
{
    struct comparison *comparison = reading->comparison;
    size_t count = comparison->metric_count;
    size_t at =
        compare_add_metric(comparison, "*", name, title, common->unit, better);
    struct compare_metric *metric = &comparison->metrics[at];

    metric->is_repetition = (at == count || metric->is_repetition) &&
                            common->count < 2 &&
                            !is_asked_for(reading, common->name);
    compare_set_value(reading->run, at, common->mean);
}

static enum sim_status put_common(const struct reading *reading,
                                  const struct common *common,
                                  struct sim_error *error)
{
    enum compare_better better;
    enum sim_status status;
    char *name;
    char *title;

    if (common->count < 1 ||
        !choose_result(reading, NULL, common->name, common->unit, &better))
        return SIM_OK;
    CHECK(asprintf(&name, "mean:%s", common->name) >= 0);
    CHECK(asprintf(&title, "mean of VMs: %s", common->name) >= 0);
    status = check_value(reading, title, common->mean, error);
    if (status == SIM_OK)
        put_mean(reading, common, name, title, better);
    free(title);
    free(name);
    return status;
}

/** The next row belongs to `common`, or ends it and begins another. */
static enum sim_status take_common(const struct reading *reading,
                                   struct common *common, sqlite3_stmt *row,
                                   struct sim_error *error)
{
    const char *name = text_of(row, 0);
    const char *unit = text_of(row, 1);
    double value = number_of(row, 2);
    enum sim_status status = SIM_OK;

    if (strcmp(common->name, name) != 0 || strcmp(common->unit, unit) != 0) {
        status = put_common(reading, common, error);
        *common = (struct common){0};
        snprintf(common->name, sizeof(common->name), "%s", name);
        snprintf(common->unit, sizeof(common->unit), "%s", unit);
    }
    common->count++;
    common->mean += (value - common->mean) / (double)common->count;
    return status;
}

static enum sim_status read_means(const struct reading *reading,
                                  struct sim_error *error)
{
    struct common common = {0};
    enum sim_status status = SIM_OK;
    /* In the order in which names are first reported, then of reports. */
    sqlite3_stmt *row = query(
        reading,
        "WITH told AS (SELECT *, row_number() OVER () AS place FROM result),"
        " last AS (SELECT vm, name, unit, value, place, max(place) OVER"
        "   (PARTITION BY vm, name, unit) AS last_place,"
        "   min(place) OVER (PARTITION BY name, unit) AS first_place FROM told)"
        " SELECT name, unit, value FROM last WHERE place = last_place"
        " ORDER BY first_place, place",
        error);

    if (row == NULL)
        return error->status;
    while (status == SIM_OK && sqlite3_step(row) == SQLITE_ROW)
        status = take_common(reading, &common, row, error);
    if (status == SIM_OK)
        status = put_common(reading, &common, error);
    return end_query(reading, row, status, error);
}

/** Of what a VM has reported twice, the last counts. */
static enum sim_status read_results(const struct reading *reading,
                                    struct sim_error *error)
{
    enum sim_status status = SIM_OK;
    sqlite3_stmt *row =
        query(reading,
              "SELECT vm, name, value, unit FROM"
              " (SELECT *, row_number() OVER () AS place FROM result)"
              " ORDER BY vm COLLATE by_number, place",
              error);

    if (row == NULL)
        return error->status;
    while (status == SIM_OK && sqlite3_step(row) == SQLITE_ROW)
        status = put_result(reading, row, error);
    return end_query(reading, row, status, error);
}

static enum sim_status read_counters(const struct reading *reading,
                                     struct compare_pattern *pattern,
                                     struct sim_error *error)
{
    enum sim_status status = SIM_OK;
    sqlite3_stmt *row = query(reading,
                              "SELECT instance, value FROM perf_total"
                              " WHERE object = ?1 AND counter = ?2"
                              " ORDER BY instance COLLATE by_number",
                              error);

    if (row == NULL)
        return error->status;
    sqlite3_bind_text(row, 1, pc_counters_object(pattern->object)->name, -1,
                      SQLITE_STATIC);
    sqlite3_bind_text(row, 2, pattern->counter->name, -1, SQLITE_STATIC);
    while (status == SIM_OK && sqlite3_step(row) == SQLITE_ROW)
        status = put_counter(reading, pattern, row, error);
    return end_query(reading, row, status, error);
}

/** A run that has not come to its end, or that a VM failed. */
static enum sim_status read_end(const struct reading *reading,
                                struct sim_error *error)
{
    sqlite3_stmt *row = query(reading,
                              "SELECT trace_hash IS NULL,"
                              " (SELECT 'VM \"' || vm || '\": ' || reason"
                              "  FROM failure LIMIT 1)"
                              " FROM run",
                              error);
    enum sim_status status = SIM_OK;

    if (row == NULL)
        return error->status;
    if (sqlite3_step(row) != SQLITE_ROW || sqlite3_column_int(row, 0) != 0)
        status = sim_fail(error, SIM_NO_INPUT,
                          "%s: its run was interrupted; expected a whole one",
                          reading->path);
    else if (sqlite3_column_type(row, 1) != SQLITE_NULL)
        CHECK((reading->run->failure = strdup(text_of(row, 1))) != NULL);
    return end_query(reading, row, status, error);
}

enum sim_status compare_read(struct comparison *comparison,
                             struct compare_run *run,
                             struct compare_selection *selection, sqlite3 *db,
                             const char *path, struct sim_error *error)
{
    const struct reading reading = {comparison, run, selection, db, path};
    enum sim_status status = read_end(&reading, error);

    if (status != SIM_OK || run->failure != NULL)
        return status;
    status = read_means(&reading, error);
    if (status == SIM_OK)
        status = read_results(&reading, error);
    for (size_t i = 0; i < selection->count && status == SIM_OK; i++)
        if (selection->patterns[i].counter != NULL)
            status = read_counters(&reading, &selection->patterns[i], error);
    return status;
}
