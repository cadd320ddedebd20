/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/results/results.h"
#include "sim/results/results_file.h"
#include "sim/results/results_schema.h"

/** Reads a pragma that is an integer. */
static bool read_pragma(sqlite3 *db, const char *sql, int *value)
{
    sqlite3_stmt *query = NULL;
    bool found = sqlite3_prepare_v2(db, sql, -1, &query, NULL) == SQLITE_OK &&
                 sqlite3_step(query) == SQLITE_ROW;

    if (found)
        *value = sqlite3_column_int(query, 0);
    return sqlite3_finalize(query) == SQLITE_OK && found;
}

static enum sim_status check_header(sqlite3 *db, const char *path,
                                    const struct results_kind *kind,
                                    struct sim_error *error)
{
    int application = 0;
    int version = 0;

    if ((!read_pragma(db, "PRAGMA application_id", &application) ||
         !read_pragma(db, "PRAGMA user_version", &version)) &&
        sqlite3_errcode(db) != SQLITE_NOTADB)
        return sim_fail(error, SIM_NO_INPUT, "%s: cannot be read: %s", path,
                        sqlite3_errmsg(db));
    if (application != kind->application_id)
        return sim_fail(error, SIM_NO_INPUT, "%s: is not a %s of hvsim", path,
                        kind->name);
    if (version != kind->schema_version)
        return sim_fail(error, SIM_NO_INPUT,
                        "%s: has format %d, but this hvsim reads format %d",
                        path, version, kind->schema_version);
    return SIM_OK;
}

/** SQLite says no more than "unable to open"; the system says why. */
static enum sim_status check_readable(const char *path, struct sim_error *error)
{
    struct stat file;
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    int reason = errno;

    if (fd >= 0 && fstat(fd, &file) == 0 && S_ISREG(file.st_mode)) {
        close(fd);
        return SIM_OK;
    }
    if (fd >= 0) {
        close(fd);
        return sim_fail(error, SIM_NO_INPUT, "%s: is not a file", path);
    }
    return sim_fail(error, SIM_NO_INPUT, "%s: cannot be read: %s", path,
                    strerror(reason));
}

/** The end of the digits at `text`; `*first` is past its leading zeros. */
static const char *skip_number(const char *text, const char *end,
                               const char **first)
{
    while (text < end && *text == '0')
        text++;
    *first = text;
    while (text < end && *text >= '0' && *text <= '9')
        text++;
    return text;
}

static int compare_numbers(const char **a, const char *a_end, const char **b,
                           const char *b_end)
{
    const char *a_first;
    const char *b_first;

    *a = skip_number(*a, a_end, &a_first);
    *b = skip_number(*b, b_end, &b_first);
    if (*a - a_first != *b - b_first)
        return *a - a_first < *b - b_first ? -1 : 1;
    return memcmp(a_first, b_first, (size_t)(*a - a_first));
}

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/** The collation "by_number": numbers within a text compare as numbers, so that
 *  "Hv LP 2" comes before "Hv LP 10". */
static int compare_by_number(void *unused, int a_bytes, const void *a_text,
                             int b_bytes, const void *b_text)
{
    const char *a = a_text;
    const char *b = b_text;
    const char *a_end = a + a_bytes;
    const char *b_end = b + b_bytes;

    (void)unused;
    while (a < a_end && b < b_end) {
        int order;

        if (is_digit(*a) && is_digit(*b)) {
            order = compare_numbers(&a, a_end, &b, b_end);
        } else {
            order = (unsigned char)*a++ - (unsigned char)*b++;
        }
        if (order != 0)
            return order;
    }
    if (a < a_end || b < b_end)
        return a < a_end ? 1 : -1;
    /* "01" and "1" are no match, only neighbours. */
    return a_bytes != b_bytes ? (a_bytes < b_bytes ? -1 : 1)
                              : memcmp(a_text, b_text, (size_t)a_bytes);
}

enum sim_status results_open(sqlite3 **out, const char *path,
                             struct sim_error *error)
{
    static const struct results_kind kind = {
        "result file", RESULTS_APPLICATION_ID, RESULTS_SCHEMA_VERSION};

    return results_open_kind(out, path, &kind, error);
}

enum sim_status results_open_kind(sqlite3 **out, const char *path,
                                  const struct results_kind *kind,
                                  struct sim_error *error)
{
    char *anchored;
    sqlite3 *db = NULL;

    *out = NULL;
    if (check_readable(path, error) != SIM_OK)
        return error->status;
    anchored = results_file_anchor(path);
    /* Not read-only: the first to open the file of a run that was killed
     * takes back the interval which that run did not complete. */
    if (sqlite3_open_v2(anchored, &db, SQLITE_OPEN_READWRITE, NULL) !=
            SQLITE_OK ||
        sqlite3_busy_timeout(db, RESULTS_BUSY_TIMEOUT_MS) != SQLITE_OK)
        sim_fail(error, SIM_NO_INPUT, "%s: cannot be read: %s", path,
                 sqlite3_errmsg(db));
    else if (check_header(db, path, kind, error) == SIM_OK) {
        sqlite3_exec(db, "PRAGMA query_only = ON", NULL, NULL, NULL);
        sqlite3_create_collation(db, "by_number", SQLITE_UTF8, NULL,
                                 compare_by_number);
        *out = db;
    }
    free(anchored);
    if (*out != NULL)
        return SIM_OK;
    sqlite3_close(db);
    return error->status;
}
