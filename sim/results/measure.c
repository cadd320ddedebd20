/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/results/measure.h"

#include <math.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>

#include "sim/core/check.h"
#include "sim/results/results.h"
#include "sim/results/results_file.h"
#include "sim/results/results_schema.h"

/* A measure of a million events takes some ten million steps of SQLite's
 * machine. The limit is in steps, so that it does not depend on the host. */
#define STEPS_PER_LOOK 100000
#define LOOKS_MAX 2000

/* Steps may be small and what they move large: so both have their bounds. */
#define VALUE_BYTES_MAX (1 << 16)
#define MEMORY_BYTES_MAX (INT64_C(512) << 20)

/* What became of the runs. */
#define OUTCOME "outcome"

struct measure {
    sqlite3 *db;
    unsigned looks; /* of the statement that runs */
};

static enum sim_status out_of_memory(struct sim_error *error)
{
    return sim_fail(error, SIM_NO_MEMORY, "no memory for a measure");
}

/* Functions whose value depends on their arguments alone. */
static bool is_function(const char *name)
{
    static const char *const names[] = {
        "abs",        "avg",     "ceil",        "ceiling",    "coalesce",
        "count",      "exp",     "first_value", "floor",      "format",
        "glob",       "ifnull",  "iif",         "instr",      "lag",
        "last_value", "lead",    "length",      "like",       "ln",
        "lower",      "ltrim",   "max",         "min",        "nth_value",
        "nullif",     "pow",     "power",       "printf",     "rank",
        "dense_rank", "replace", "round",       "row_number", "rtrim",
        "sign",       "sqrt",    "substr",      "substring",  "sum",
        "total",      "trim",    "typeof",      "upper",
    };

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        if (strcmp(name, names[i]) == 0)
            return true;
    }
    return false;
}

static bool is_view(const char *name)
{
    size_t count;
    const struct results_view *views = results_schema_views(&count);

    if (name && strcmp(name, OUTCOME) == 0)
        return true;
    for (size_t i = 0; name && i < count; i++) {
        if (strcmp(name, views[i].name) == 0)
            return true;
    }
    return false;
}

/* Views may be read, and tables by way of `view`, or to count their rows: a
 * view that joins tables may do so too, and SQLite does not say then which it
 * is. Nor does it tell a view from a WITH of the same name, whose author thus
 * finds in the tables what the views tell anyway; but never SQLite's own. */
static bool may_read(const char *table, const char *column, const char *view)
{
    if (strncmp(table, "sqlite_", strlen("sqlite_")) == 0 ||
        strncmp(table, "pragma_", strlen("pragma_")) == 0)
        return false;
    return is_view(table) || is_view(view) || *column == '\0';
}

/* sqlite3_set_authorizer() */
static int authorize(void *unused, int action, const char *first,
                     const char *second, const char *database, const char *view)
{
    (void)unused;
    (void)database;
    switch (action) {
    case SQLITE_SELECT:
    case SQLITE_RECURSIVE:
        return SQLITE_OK;
    case SQLITE_READ:
        return may_read(first, second, view) ? SQLITE_OK : SQLITE_DENY;
    case SQLITE_FUNCTION:
        return is_function(second) ? SQLITE_OK : SQLITE_DENY;
    default:
        return SQLITE_DENY;
    }
}

static int count_steps(void *context)
{
    struct measure *measure = context;

    return ++measure->looks > LOOKS_MAX;
}

/* Puts the empty database of a run that has not been into `name`. */
static int attach_empty(sqlite3 *db, const char *name)
{
    sqlite3 *empty = NULL;
    sqlite3_int64 bytes = 0;
    unsigned char *image = NULL;
    int code = sqlite3_open(":memory:", &empty);

    if (code == SQLITE_OK)
        code = results_schema_create(empty);
    if (code == SQLITE_OK) {
        image = sqlite3_serialize(empty, "main", &bytes, 0);
        code = image ? SQLITE_OK : SQLITE_NOMEM;
    }
    /* Takes the image, also on failure. */
    if (code == SQLITE_OK)
        code = sqlite3_deserialize(db, name, image, bytes, bytes,
                                   SQLITE_DESERIALIZE_FREEONCLOSE |
                                       SQLITE_DESERIALIZE_READONLY);
    sqlite3_close(empty);
    return code;
}

static int attach(sqlite3 *db, const char *name, const char *file)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, "ATTACH ? AS ?", -1, &statement, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_bind_text(statement, 1, file, -1, SQLITE_STATIC);
    if (code == SQLITE_OK)
        code = sqlite3_bind_text(statement, 2, name, -1, SQLITE_STATIC);
    if (code == SQLITE_OK)
        sqlite3_step(statement);
    return sqlite3_finalize(statement);
}

static enum sim_status open_run(sqlite3 *db, const struct measure_run *run,
                                struct sim_error *error)
{
    sqlite3 *results;
    char *path;
    int code;

    if (!run->path) {
        code = attach(db, run->name, ":memory:");
        if (code == SQLITE_OK)
            code = attach_empty(db, run->name);
        return code == SQLITE_OK ? SIM_OK : out_of_memory(error);
    }
    /* Says in our words what may be wrong with the file. */
    if (results_open(&results, run->path, error) != SIM_OK)
        return error->status;
    sqlite3_close(results);
    path = results_file_anchor(run->path);
    code = attach(db, run->name, path);
    free(path);
    if (code != SQLITE_OK)
        return sim_fail(error, SIM_NO_INPUT, "%s: cannot be read: %s",
                        run->path, sqlite3_errmsg(db));
    return SIM_OK;
}

static int put_outcomes(sqlite3 *db, const struct measure_run *runs,
                        size_t count)
{
    sqlite3_stmt *row = NULL;
    int code = sqlite3_exec(
        db, "CREATE TABLE " OUTCOME " (run TEXT, exit_code INT, message TEXT)",
        NULL, NULL, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_prepare_v2(
            db, "INSERT INTO " OUTCOME " VALUES (?, ?, ?)", -1, &row, NULL);
    for (size_t i = 0; i < count && code == SQLITE_OK; i++) {
        sqlite3_bind_text(row, 1, runs[i].name, -1, SQLITE_STATIC);
        sqlite3_bind_int(row, 2, runs[i].exit_code);
        sqlite3_bind_text(row, 3, runs[i].message ? runs[i].message : "", -1,
                          SQLITE_STATIC);
        sqlite3_step(row);
        code = sqlite3_reset(row);
    }
    sqlite3_finalize(row);
    return code;
}

enum sim_status measure_open(struct measure **out,
                             const struct measure_run *runs, size_t count,
                             struct sim_error *error)
{
    struct measure *measure = calloc(1, sizeof(*measure));
    enum sim_status status = SIM_OK;

    *out = NULL;
    if (!measure || sqlite3_open(":memory:", &measure->db) != SQLITE_OK) {
        measure_close(measure);
        return out_of_memory(error);
    }
    CHECK(count <= MEASURE_RUNS_MAX);
    if (put_outcomes(measure->db, runs, count) != SQLITE_OK)
        status = out_of_memory(error);
    for (size_t i = 0; i < count && status == SIM_OK; i++)
        status = open_run(measure->db, &runs[i], error);
    if (status != SIM_OK) {
        measure_close(measure);
        return status;
    }
    /* What does not fit into memory is refused, and fills no disk. */
    sqlite3_hard_heap_limit64(MEMORY_BYTES_MAX);
    sqlite3_exec(measure->db,
                 "PRAGMA query_only = ON; PRAGMA temp_store = MEMORY", NULL,
                 NULL, NULL);
    sqlite3_limit(measure->db, SQLITE_LIMIT_LENGTH, VALUE_BYTES_MAX);
    sqlite3_set_authorizer(measure->db, authorize, NULL);
    sqlite3_progress_handler(measure->db, STEPS_PER_LOOK, count_steps, measure);
    *out = measure;
    return SIM_OK;
}

void measure_close(struct measure *measure)
{
    if (!measure)
        return;
    sqlite3_close(measure->db);
    free(measure);
}

/* Fails with SQLite's message and the place that it names. */
static enum sim_status refuse(struct measure *measure, const char *sql,
                              struct sim_error *error)
{
    int offset = sqlite3_error_offset(measure->db);
    unsigned line = 1;
    unsigned column = 1;

    for (int i = 0; i < offset && sql[i] != '\0'; i++) {
        column++;
        if (sql[i] == '\n') {
            line++;
            column = 1;
        }
    }
    if (offset < 0)
        return sim_fail(error, SIM_BAD_SCENARIO, "%s",
                        sqlite3_errmsg(measure->db));
    return sim_fail(error, SIM_BAD_SCENARIO, "%s (line %u, column %u of it)",
                    sqlite3_errmsg(measure->db), line, column);
}

static enum sim_status prepare(struct measure *measure, const char *sql,
                               sqlite3_stmt **out, struct sim_error *error)
{
    sqlite3_stmt *next = NULL;
    const char *rest;
    int code = sqlite3_prepare_v2(measure->db, sql, -1, out, &rest);

    if (code != SQLITE_OK)
        return refuse(measure, sql, error);
    /* Blanks and comments make no statement. */
    code = sqlite3_prepare_v2(measure->db, rest, -1, &next, NULL);
    sqlite3_finalize(next);
    if (!*out || sqlite3_column_count(*out) != 1 || next || code != SQLITE_OK) {
        sqlite3_finalize(*out);
        *out = NULL;
        return sim_fail(error, SIM_BAD_SCENARIO,
                        "expected one SELECT of one column");
    }
    return SIM_OK;
}

enum sim_status measure_check(struct measure *measure, const char *sql,
                              struct sim_error *error)
{
    sqlite3_stmt *statement;
    enum sim_status status = prepare(measure, sql, &statement, error);

    if (status == SIM_OK)
        sqlite3_finalize(statement);
    return status;
}

/* The statement has come to an end, or will not. */
static enum sim_status finish(struct measure *measure, int code, bool has_value,
                              struct sim_error *error)
{
    if (measure->looks > LOOKS_MAX)
        return sim_fail(error, SIM_BAD_SCENARIO, "takes too long");
    if (code == SQLITE_NOMEM)
        return sim_fail(error, SIM_BAD_SCENARIO, "takes too much memory");
    if (code == SQLITE_ROW)
        return sim_fail(error, SIM_BAD_SCENARIO,
                        "gives more than one row; expected one number");
    if (code != SQLITE_DONE)
        return sim_fail(error, SIM_BAD_SCENARIO, "%s",
                        sqlite3_errmsg(measure->db));
    if (!has_value)
        return sim_fail(error, SIM_RUN_FAILED, "gives no number");
    return SIM_OK;
}

enum sim_status measure_evaluate(struct measure *measure, const char *sql,
                                 double *value, struct sim_error *error)
{
    sqlite3_stmt *statement;
    enum sim_status status = prepare(measure, sql, &statement, error);
    bool has_value = false;
    int code;

    if (status != SIM_OK)
        return status;
    measure->looks = 0;
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
        int type = sqlite3_column_type(statement, 0);

        *value = sqlite3_column_double(statement, 0);
        has_value = (type == SQLITE_INTEGER || type == SQLITE_FLOAT) &&
                    isfinite(*value);
        code = sqlite3_step(statement);
    }
    status = finish(measure, code, has_value, error);
    sqlite3_finalize(statement);
    return status;
}
