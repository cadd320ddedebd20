/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A comparison as an SQLite file. */
#include <endian.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <unistd.h>

#include "sim/compare/compare.h"
#include "sim/results/results.h"
#include "sim/results/results_file.h"

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

/* All that could depend on how this SQLite was built and that shapes the file
 * is set here. */
static const char pragmas[] =
    "PRAGMA page_size = 4096;"
    "PRAGMA encoding = 'UTF-8';"
    "PRAGMA auto_vacuum = NONE;"
    "PRAGMA journal_mode = DELETE;"
    "PRAGMA synchronous = OFF;"
    "PRAGMA secure_delete = OFF;"
    "PRAGMA application_id = " TEXT(
        COMPARE_APPLICATION_ID) ";"
                                "PRAGMA user_version = " TEXT(
                                    COMPARE_SCHEMA_VERSION) ";";

static const char tables[] =
    "CREATE TABLE comparison_row ("
    "  id INTEGER PRIMARY KEY CHECK (id = 1),"
    "  name TEXT NOT NULL,"
    "  baseline INTEGER NOT NULL,"
    "  confidence REAL NOT NULL"
    ") STRICT;"
    "CREATE TABLE variant_row ("
    "  id INTEGER PRIMARY KEY," /* from 1 */
    "  label TEXT NOT NULL"
    ") STRICT;"
    "CREATE TABLE parameter_row ("
    "  id INTEGER PRIMARY KEY,"
    "  variant INTEGER NOT NULL REFERENCES variant_row,"
    "  path TEXT NOT NULL,"
    "  value TEXT NOT NULL"
    ") STRICT;"
    "CREATE TABLE run_row ("
    "  id INTEGER PRIMARY KEY,"
    "  variant INTEGER NOT NULL REFERENCES variant_row,"
    "  seed ANY NOT NULL," /* TEXT if it exceeds an INTEGER */
    "  file TEXT NOT NULL,"
    "  failure TEXT" /* NULL: it succeeded */
    ") STRICT;"
    "CREATE TABLE metric_row ("
    "  id INTEGER PRIMARY KEY,"
    "  name TEXT NOT NULL,"
    "  title TEXT NOT NULL,"
    "  unit TEXT NOT NULL,"
    "  better TEXT CHECK (better IN ('less', 'more'))"
    ") STRICT;"
    "CREATE TABLE value_row ("
    "  run INTEGER NOT NULL REFERENCES run_row,"
    "  metric INTEGER NOT NULL REFERENCES metric_row,"
    "  value REAL NOT NULL,"
    "  PRIMARY KEY (run, metric)"
    ") STRICT, WITHOUT ROWID;"
    "CREATE TABLE cell ("
    "  metric INTEGER NOT NULL REFERENCES metric_row,"
    "  variant INTEGER NOT NULL REFERENCES variant_row,"
    "  seeds INTEGER NOT NULL,"
    "  mean REAL,"
    "  half_interval REAL,"
    "  difference REAL,"
    "  difference_half_interval REAL,"
    "  differs INTEGER,"
    "  mark TEXT,"
    "  PRIMARY KEY (metric, variant)"
    ") STRICT, WITHOUT ROWID;";

static const char views[] =
    "CREATE VIEW comparison AS"
    "  SELECT name, baseline, confidence FROM comparison_row;"
    "CREATE VIEW variant AS"
    "  SELECT id AS variant, label FROM variant_row ORDER BY id;"
    "CREATE VIEW parameter AS"
    "  SELECT variant, path, value FROM parameter_row ORDER BY id;"
    "CREATE VIEW run AS"
    "  SELECT variant, seed, file, failure FROM run_row ORDER BY id;"
    "CREATE VIEW measurement AS"
    "  SELECT variant, seed, name AS metric, value, unit"
    "  FROM value_row JOIN run_row ON run_row.id = run"
    "  JOIN metric_row ON metric_row.id = metric ORDER BY metric, run;"
    "CREATE VIEW summary AS"
    "  SELECT name AS metric, title, unit, better, variant, label, seeds, mean,"
    "    half_interval, difference, difference_half_interval, differs, mark"
    "  FROM cell JOIN metric_row ON metric_row.id = metric"
    "  JOIN variant_row ON variant_row.id = variant"
    "  ORDER BY metric_row.id, variant;";

static const struct results_view descriptions[] = {
    {"comparison", "name, baseline, confidence",
     "the comparison itself: of which scenario, which variant the others "
     "differ from, and how sure its intervals are",
     NULL},
    {"variant", "variant, label", "what was compared, numbered from 1", NULL},
    {"parameter", "variant, path, value",
     "a parameter in which variants differ, or a version or a guest program, "
     "and its value in this one",
     NULL},
    {"run", "variant, seed, file, failure",
     "a run: the file of its results, and why it failed if it did", NULL},
    {"measurement", "variant, seed, metric, value, unit", "a metric of one run",
     NULL},
    {"summary",
     "metric, title, unit, better, variant, label, seeds, mean, "
     "half_interval, difference, difference_half_interval, differs, mark",
     "a metric of one variant: its mean over the seeds, and its difference "
     "from the baseline, paired by seed; an interval is that and "
     "half_interval to either side; differs is whether it excludes 0",
     NULL},
};

const struct results_view *compare_views(size_t *count)
{
    *count = sizeof(descriptions) / sizeof(descriptions[0]);
    return descriptions;
}

/** A file on its way; the first failure stays in `code` and `error`. */
struct store {
    sqlite3 *db;
    sqlite3_stmt *row; /* being filled */
    int code;
    const char *path; /* for messages */
    struct sim_error *error;
};

/** SQLite remembers no failure but its last one. */
static void note_failure(struct store *store, int code)
{
    if (code == SQLITE_OK || store->code != SQLITE_OK)
        return;
    store->code = code;
    sim_fail(store->error, SIM_IO_ERROR, "%s: cannot be written: %s",
             store->path, sqlite3_errmsg(store->db));
}

static void prepare(struct store *store, const char *sql)
{
    store->row = NULL;
    if (store->code == SQLITE_OK)
        note_failure(store,
                     sqlite3_prepare_v2(store->db, sql, -1, &store->row, NULL));
}

/** Adds the row that has been bound. Nothing of this is reached with a NULL
 *  statement but SQLite, which says so. */
static void insert(struct store *store)
{
    if (store->code != SQLITE_OK)
        return;
    sqlite3_step(store->row);
    note_failure(store, sqlite3_reset(store->row));
}

static void finish_rows(struct store *store)
{
    sqlite3_finalize(store->row);
    store->row = NULL;
}

/* SQLite takes a NULL statement, and answers that it is misused. */
static void bind_text(struct store *store, int column, const char *text)
{
    sqlite3_bind_text(store->row, column, text, -1, SQLITE_STATIC);
}

/** What is not known has no name. */
static void bind_name(struct store *store, int column, const char *name)
{
    bind_text(store, column, *name != '\0' ? name : NULL);
}

static void bind_number(struct store *store, int column, size_t number)
{
    sqlite3_bind_int64(store->row, column, (int64_t)number);
}

static void bind_real(struct store *store, int column, bool known, double value)
{
    if (known)
        sqlite3_bind_double(store->row, column, value);
    else
        sqlite3_bind_null(store->row, column);
}

static void put_variants(struct store *store,
                         const struct comparison *comparison)
{
    prepare(store, "INSERT INTO comparison_row VALUES (1, ?, ?, 0.95)");
    bind_text(store, 1, comparison->name);
    bind_number(store, 2, comparison->baseline + 1);
    insert(store);
    finish_rows(store);
    prepare(store, "INSERT INTO variant_row VALUES (?, ?)");
    for (size_t i = 0; i < comparison->variant_count; i++) {
        bind_number(store, 1, i + 1);
        bind_text(store, 2, comparison->variants[i].label);
        insert(store);
    }
    finish_rows(store);
}

static void put_parameters(struct store *store,
                           const struct comparison *comparison)
{
    prepare(store, "INSERT INTO parameter_row VALUES (NULL, ?, ?, ?)");
    for (size_t i = 0; i < comparison->variant_count; i++) {
        const struct compare_variant *variant = &comparison->variants[i];

        for (size_t k = 0; k < variant->parameter_count; k++) {
            bind_number(store, 1, i + 1);
            bind_text(store, 2, variant->parameters[k].path);
            bind_text(store, 3, variant->parameters[k].value);
            insert(store);
        }
    }
    finish_rows(store);
}

static void bind_seed(struct store *store, int column, uint64_t seed)
{
    char text[32];

    snprintf(text, sizeof(text), "%" PRIu64, seed);
    if (seed <= INT64_MAX)
        sqlite3_bind_int64(store->row, column, (int64_t)seed);
    else
        sqlite3_bind_text(store->row, column, text, -1, SQLITE_TRANSIENT);
}

static void put_runs(struct store *store, const struct comparison *comparison)
{
    prepare(store, "INSERT INTO run_row VALUES (NULL, ?, ?, ?, ?)");
    for (size_t i = 0; i < comparison->variant_count; i++) {
        const struct compare_variant *variant = &comparison->variants[i];

        for (size_t k = 0; k < variant->run_count; k++) {
            bind_number(store, 1, i + 1);
            bind_seed(store, 2, variant->runs[k].seed);
            bind_text(store, 3, variant->runs[k].file);
            bind_text(store, 4, variant->runs[k].failure);
            insert(store);
        }
    }
    finish_rows(store);
}

static void put_metrics(struct store *store,
                        const struct comparison *comparison)
{
    prepare(store, "INSERT INTO metric_row VALUES (?, ?, ?, ?, ?)");
    for (size_t i = 0; i < comparison->metric_count; i++) {
        const struct compare_metric *metric =
            &comparison->metrics[comparison->order[i]];

        bind_number(store, 1, i + 1);
        bind_text(store, 2, metric->name);
        bind_text(store, 3, metric->title);
        bind_text(store, 4, metric->unit);
        bind_name(store, 5, compare_better_name(metric->better));
        insert(store);
    }
    finish_rows(store);
}

static void put_run_values(struct store *store,
                           const struct comparison *comparison,
                           const struct compare_run *from, size_t run)
{
    for (size_t i = 0; i < comparison->metric_count; i++) {
        size_t metric = comparison->order[i];

        if (metric >= from->value_count || !from->values[metric].known)
            continue;
        bind_number(store, 1, run);
        bind_number(store, 2, i + 1);
        bind_real(store, 3, true, from->values[metric].value);
        insert(store);
    }
}

/** Runs are numbered as put_runs() does. */
static void put_values(struct store *store, const struct comparison *comparison)
{
    size_t run = 0;

    prepare(store, "INSERT INTO value_row VALUES (?, ?, ?)");
    for (size_t i = 0; i < comparison->variant_count; i++) {
        const struct compare_variant *variant = &comparison->variants[i];

        for (size_t k = 0; k < variant->run_count; k++) {
            run++;
            put_run_values(store, comparison, &variant->runs[k], run);
        }
    }
    finish_rows(store);
}

static void put_cell(struct store *store, size_t metric, size_t variant,
                     const struct compare_cell *cell)
{
    const struct stats_estimate *mean = &cell->mean;
    const struct stats_estimate *difference = &cell->difference;

    bind_number(store, 1, metric + 1);
    bind_number(store, 2, variant + 1);
    bind_number(store, 3, mean->count);
    bind_real(store, 4, mean->count >= 1, mean->mean);
    bind_real(store, 5, mean->count >= 2, mean->half);
    bind_real(store, 6, difference->count >= 1, difference->mean);
    bind_real(store, 7, difference->count >= 2, difference->half);
    if (difference->count >= 2)
        bind_number(store, 8, stats_differs_from_zero(difference));
    else
        sqlite3_bind_null(store->row, 8);
    bind_name(store, 9, compare_mark_name(cell->mark));
    insert(store);
}

static void put_cells(struct store *store, const struct comparison *comparison)
{
    prepare(store, "INSERT INTO cell VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
    for (size_t metric = 0; metric < comparison->metric_count; metric++)
        for (size_t i = 0; i < comparison->variant_count; i++)
            put_cell(store, metric, i,
                     compare_cell(comparison, comparison->order[metric], i));
    finish_rows(store);
}

static void execute(struct store *store, const char *sql)
{
    if (store->code == SQLITE_OK)
        note_failure(store, sqlite3_exec(store->db, sql, NULL, NULL, NULL));
}

static void put_all(struct store *store, const struct comparison *comparison)
{
    execute(store, pragmas);
    execute(store, "BEGIN IMMEDIATE");
    execute(store, tables);
    execute(store, views);
    put_variants(store, comparison);
    put_parameters(store, comparison);
    put_runs(store, comparison);
    put_metrics(store, comparison);
    put_values(store, comparison);
    put_cells(store, comparison);
    execute(store, "COMMIT");
}

enum sim_status compare_store(const struct comparison *comparison,
                              const char *path, bool replace,
                              struct sim_error *error)
{
    struct store store = {.path = path, .error = error};
    struct results_file file;

    if (results_file_claim(&file, path, replace, error) != SIM_OK)
        return error->status;
    note_failure(&store, sqlite3_open_v2(file.work_path, &store.db,
                                         SQLITE_OPEN_READWRITE, NULL));
    put_all(&store, comparison);
    sqlite3_close(store.db);
    if (store.code == SQLITE_OK)
        return results_file_finish(&file, error);
    results_file_discard(&file);
    return error->status;
}

enum sim_status compare_open(sqlite3 **out, const char *path,
                             struct sim_error *error)
{
    static const struct results_kind kind = {
        "comparison", COMPARE_APPLICATION_ID, COMPARE_SCHEMA_VERSION};

    return results_open_kind(out, path, &kind, error);
}

bool compare_is_stored(const char *path)
{
    /* SQLite's file format: the application id, big-endian. */
    const off_t place = 68;
    uint32_t id = 0;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    ssize_t got;

    if (fd < 0)
        return false;
    got = pread(fd, &id, sizeof(id), place);
    close(fd);
    return got == (ssize_t)sizeof(id) && be32toh(id) == COMPARE_APPLICATION_ID;
}
