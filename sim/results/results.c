/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/results/results.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/core/check.h"
#include "sim/results/results_private.h"
#include "sim/results/results_schema.h"
#include "sim/results/results_value.h"

static const char *const statement_text[STATEMENT_COUNT] = {
    [INSERT_INTERVAL] = "INSERT INTO interval VALUES (?, ?, ?)",
    [INSERT_INSTANCE] = "INSERT INTO instance VALUES (?, ?, ?)",
    [BEGIN_PRESENCE] = "INSERT INTO presence VALUES (?, ?, NULL)",
    [END_PRESENCE] = "UPDATE presence SET last_interval = ?3"
                     " WHERE instance_id = ?1 AND first_interval = ?2",
    [INSERT_SAMPLE] = "INSERT INTO sample VALUES (?, ?, ?, ?)",
    [INSERT_TOTAL] = "INSERT INTO total VALUES (?, ?, ?)",
    [INSERT_IMAGE] = "INSERT INTO guest_image VALUES (NULL, ?, ?, ?)",
    [INSERT_PARTITION] = "INSERT OR IGNORE INTO vm_partition VALUES (?, ?)",
    [INSERT_RESULT] = "INSERT INTO guest_result VALUES (NULL, ?1, ?2, ?3, ?4,"
                      " ?5, (SELECT max(id) FROM vm_partition WHERE vm = ?2))",
    [INSERT_CONSOLE] = "INSERT INTO console_line VALUES (NULL, ?, ?, ?)",
    [INSERT_FAILURE] = "INSERT INTO vm_failure VALUES (NULL, ?, ?, ?, ?)",
    [INSERT_INPUT] = "INSERT INTO console_input VALUES (NULL, ?, ?, ?)",
    [INSERT_EVENT] = "INSERT INTO trace_event VALUES (NULL, ?, ?, ?, ?, ?, ?)",
    [INSERT_WAIT_VP] = "INSERT INTO wait_vp VALUES (?, ?, ?)",
    [INSERT_WAIT_RULE] = "INSERT INTO wait_rule VALUES (?, ?, ?, ?, ?, ?, ?)",
    [INSERT_WAIT_HOLDER] = "INSERT INTO wait_by_holder VALUES (?, ?, ?, ?)",
    [INSERT_WAIT_BUCKET] = "INSERT INTO wait_bucket VALUES (?, ?, ?, ?)",
    [INSERT_WAIT_CASE] = "INSERT INTO wait_case VALUES (?, ?, ?, ?, ?, ?, ?)",
    [INSERT_WAIT_PART] = "INSERT INTO wait_part VALUES (?, ?, ?, ?)",
    [ADVANCE_RUN] = "UPDATE run_info SET sim_ns = ?",
};

/* Failures */

static enum sim_status fail(struct results *results, const char *reason,
                            struct sim_error *error)
{
    if (results->failure.status == SIM_OK)
        sim_fail(&results->failure, SIM_IO_ERROR,
                 "%s: the results cannot be written: %s", results->file.path,
                 reason);
    *error = results->failure;
    return error->status;
}

/** Fails with what SQLite has last complained about. */
static enum sim_status fail_by_sqlite(struct results *results,
                                      struct sim_error *error)
{
    int system_error = sqlite3_system_errno(results->db);
    const char *reason = sqlite3_errmsg(results->db);
    char both[256];

    if (sqlite3_errcode(results->db) == SQLITE_FULL)
        reason = "the disk is full";
    if (sqlite3_errcode(results->db) == SQLITE_IOERR && system_error != 0) {
        snprintf(both, sizeof(both), "%s: %s", reason, strerror(system_error));
        reason = both;
    }
    return fail(results, reason, error);
}

static bool has_failed(const struct results *results)
{
    return results->failure.status != SIM_OK;
}

static enum sim_status repeat_failure(const struct results *results,
                                      struct sim_error *error)
{
    *error = results->failure;
    return error->status;
}

/* Statements */

void results_bind_u64(sqlite3_stmt *row, int column, uint64_t value)
{
    char text[32];

    if (value <= INT64_MAX) {
        sqlite3_bind_int64(row, column, (int64_t)value);
        return;
    }
    snprintf(text, sizeof(text), "%" PRIu64, value);
    sqlite3_bind_text(row, column, text, -1, SQLITE_TRANSIENT);
}

void results_bind_text(sqlite3_stmt *row, int column, const char *text)
{
    sqlite3_bind_text(row, column, text, -1, SQLITE_STATIC);
}

void results_bind_time(sqlite3_stmt *row, int column, uint64_t time_ns)
{
    CHECK(time_ns <= INT64_MAX);
    sqlite3_bind_int64(row, column, (int64_t)time_ns);
}

/** Executes what has been bound. */
static bool execute(sqlite3_stmt *row)
{
    sqlite3_step(row);
    return sqlite3_reset(row) == SQLITE_OK;
}

static bool execute_text(struct results *results, const char *sql)
{
    return sqlite3_exec(results->db, sql, NULL, NULL, NULL) == SQLITE_OK;
}

/** Opens the transaction of this interval, unless it is open. */
static bool begin(struct results *results)
{
    return !sqlite3_get_autocommit(results->db) ||
           execute_text(results, "BEGIN IMMEDIATE");
}

enum sim_status results_put_row(struct results *results, sqlite3_stmt *row,
                                struct sim_error *error)
{
    if (has_failed(results))
        return repeat_failure(results, error);
    if (!begin(results) || !execute(row))
        return fail_by_sqlite(results, error);
    return SIM_OK;
}

static bool prepare_statements(struct results *results)
{
    for (int i = 0; i < STATEMENT_COUNT; i++)
        if (sqlite3_prepare_v3(results->db, statement_text[i], -1,
                               SQLITE_PREPARE_PERSISTENT,
                               &results->statement[i], NULL) != SQLITE_OK)
            return false;
    return true;
}

/* Life */

static void close_database(struct results *results)
{
    for (int i = 0; i < STATEMENT_COUNT; i++)
        sqlite3_finalize(results->statement[i]);
    sqlite3_close(results->db);
    results->db = NULL;
}

static void release(struct results *results)
{
    free(results->known);
    free(results);
}

enum sim_status results_create(struct results **out, const char *path,
                               bool replace, struct sim_error *error)
{
    struct results *results = calloc(1, sizeof(*results));

    *out = NULL;
    CHECK(results != NULL);
    if (results_file_claim(&results->file, path, replace, error) != SIM_OK) {
        free(results);
        return error->status;
    }
    if (sqlite3_open_v2(results->file.work_path, &results->db,
                        SQLITE_OPEN_READWRITE, NULL) == SQLITE_OK &&
        sqlite3_busy_timeout(results->db, RESULTS_BUSY_TIMEOUT_MS) ==
            SQLITE_OK &&
        results_schema_create(results->db) == SQLITE_OK &&
        prepare_statements(results)) {
        *out = results;
        return SIM_OK;
    }
    fail_by_sqlite(results, error);
    results_abandon(results);
    return error->status;
}

/** A file that holds no interval is of no use, and one that was to replace
 *  another has failed to. */
void results_abandon(struct results *results)
{
    if (results == NULL)
        return;
    close_database(results);
    if (results_file_replaces(&results->file) || !results->kept)
        results_file_discard(&results->file);
    else
        results_file_leave(&results->file);
    release(results);
}

enum sim_status results_commit(struct results *results, struct sim_error *error)
{
    if (has_failed(results))
        return repeat_failure(results, error);
    if (sqlite3_get_autocommit(results->db))
        return SIM_OK;
    results_bind_time(results->statement[ADVANCE_RUN], 1, results->sim_ns);
    if (!execute(results->statement[ADVANCE_RUN]) ||
        !execute_text(results, "COMMIT"))
        return fail_by_sqlite(results, error);
    results->kept = results->interval > 0;
    return SIM_OK;
}

static bool complete_run(struct results *results, const struct results_end *end)
{
    sqlite3_stmt *row = NULL;
    char hash[17];
    bool done;

    snprintf(hash, sizeof(hash), "%016" PRIx64, end->trace_hash);
    if (sqlite3_prepare_v2(results->db, "UPDATE run_info SET trace_hash = ?",
                           -1, &row, NULL) != SQLITE_OK)
        return false;
    results_bind_text(row, 1, hash);
    done = execute(row);
    sqlite3_finalize(row);
    if (!done ||
        sqlite3_prepare_v2(results->db, "INSERT INTO host_clock VALUES (1, ?)",
                           -1, &row, NULL) != SQLITE_OK)
        return false;
    results_bind_time(row, 1, end->host_ns);
    done = execute(row);
    sqlite3_finalize(row);
    return done;
}

enum sim_status results_finish(struct results *results,
                               const struct results_end *end,
                               struct sim_error *error)
{
    enum sim_status status = SIM_OK;

    if (has_failed(results))
        status = repeat_failure(results, error);
    else if (!begin(results) || !complete_run(results, end))
        status = fail_by_sqlite(results, error);
    results->sim_ns = end->sim_ns;
    if (status == SIM_OK)
        status = results_commit(results, error);
    if (status != SIM_OK) {
        results_abandon(results);
        return status;
    }
    close_database(results);
    status = results_file_finish(&results->file, error);
    release(results);
    return status;
}

/* Rows */

static bool insert_run(struct results *results, const struct results_run *run)
{
    sqlite3_stmt *row = NULL;
    bool done;

    if (sqlite3_prepare_v2(results->db,
                           "INSERT INTO run_info"
                           " VALUES (1, ?, ?, ?, ?, ?, ?, 0, NULL)",
                           -1, &row, NULL) != SQLITE_OK)
        return false;
    results_bind_text(row, 1, run->name);
    results_bind_text(row, 2, run->scenario_yaml);
    results_bind_u64(row, 3, run->seed);
    results_bind_text(row, 4, run->version);
    results_bind_text(row, 5, run->engine_version);
    results_bind_text(row, 6, run->profile);
    done = execute(row);
    sqlite3_finalize(row);
    return done;
}

enum sim_status results_put_run(struct results *results,
                                const struct results_run *run,
                                struct sim_error *error)
{
    if (has_failed(results))
        return repeat_failure(results, error);
    results->clock = run->clock;
    if (!begin(results) || !insert_run(results, run))
        return fail_by_sqlite(results, error);
    return results_commit(results, error);
}

enum sim_status results_put_image(struct results *results, const char *name,
                                  uint64_t bytes, uint64_t hash,
                                  struct sim_error *error)
{
    sqlite3_stmt *row = results->statement[INSERT_IMAGE];
    char digits[17];

    snprintf(digits, sizeof(digits), "%016" PRIx64, hash);
    results_bind_text(row, 1, name);
    results_bind_u64(row, 2, bytes);
    results_bind_text(row, 3, digits);
    return results_put_row(results, row, error);
}

enum sim_status results_put_partition(struct results *results,
                                      uint64_t partition, const char *vm,
                                      struct sim_error *error)
{
    sqlite3_stmt *row = results->statement[INSERT_PARTITION];

    results_bind_u64(row, 1, partition);
    results_bind_text(row, 2, vm);
    return results_put_row(results, row, error);
}

/* What guests report */

enum sim_status results_put_console(struct results *results, const char *vm,
                                    uint64_t time_ns, const char *line,
                                    struct sim_error *error)
{
    sqlite3_stmt *row = results->statement[INSERT_CONSOLE];

    results_bind_time(row, 1, time_ns);
    results_bind_text(row, 2, vm);
    results_bind_text(row, 3, line);
    return results_put_row(results, row, error);
}

enum sim_status results_put_failure(struct results *results, const char *vm,
                                    uint64_t time_ns, const char *reason,
                                    const char *text, struct sim_error *error)
{
    sqlite3_stmt *row = results->statement[INSERT_FAILURE];

    results_bind_time(row, 1, time_ns);
    results_bind_text(row, 2, vm);
    results_bind_text(row, 3, reason);
    results_bind_text(row, 4, *text ? text : NULL);
    return results_put_row(results, row, error);
}

enum sim_status results_put_input(struct results *results, const char *vm,
                                  uint64_t time_ns, const uint8_t *bytes,
                                  size_t count, struct sim_error *error)
{
    sqlite3_stmt *row = results->statement[INSERT_INPUT];

    results_bind_time(row, 1, time_ns);
    results_bind_text(row, 2, vm);
    sqlite3_bind_blob64(row, 3, bytes, count, SQLITE_STATIC);
    return results_put_row(results, row, error);
}

enum sim_status results_put_result(struct results *results, const char *vm,
                                   uint64_t time_ns, const char *name,
                                   const char *value, const char *unit,
                                   struct sim_error *error)
{
    sqlite3_stmt *row = results->statement[INSERT_RESULT];
    struct results_value number;

    if (has_failed(results))
        return repeat_failure(results, error);
    if (!results_value_parse(value, &number) || !results_value_is_name(name) ||
        !results_value_is_unit(unit))
        return sim_fail(error, SIM_RUN_FAILED,
                        "VM \"%s\": reported a result that is not of the form "
                        "NAME NUMBER UNIT",
                        vm);
    results_bind_time(row, 1, time_ns);
    results_bind_text(row, 2, vm);
    results_bind_text(row, 3, name);
    if (number.integral)
        sqlite3_bind_int64(row, 4, number.whole);
    else
        sqlite3_bind_double(row, 4, number.real);
    results_bind_text(row, 5, unit);
    return results_put_row(results, row, error);
}

/* Events */

static void bind_optional(sqlite3_stmt *row, int column, uint64_t value,
                          uint64_t none)
{
    if (value == none)
        sqlite3_bind_null(row, column);
    else
        results_bind_u64(row, column, value);
}

void results_put_event(void *context, const struct trace_record *record)
{
    struct results *results = context;
    sqlite3_stmt *row = results->statement[INSERT_EVENT];

    if (has_failed(results))
        return;
    results_bind_time(row, 1, clock_to_ns(results->clock, record->time));
    bind_optional(row, 2, record->lp, TRACE_NO_LP);
    bind_optional(row, 3, record->partition, 0);
    bind_optional(row, 4, record->vp, TRACE_NO_VP);
    sqlite3_bind_int(row, 5, (int)record->kind + 1);
    results_bind_u64(row, 6, record->detail);
    if (!begin(results) || !execute(row))
        fail_by_sqlite(results, &(struct sim_error){0});
}
