/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/results/export.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "sim/core/check.h"
#include "sim/results/results.h"
#include "sim/results/results_file.h"
#include "sim/text/encode.h"

/* CSV as RFC 4180 has it: a header, CRLF, quotes where they are needed. */

/* Bytes that need not be text: hexadecimal digits. */
static void write_bytes(FILE *out, sqlite3_stmt *row, int column)
{
    const unsigned char *bytes = sqlite3_column_blob(row, column);
    int count = sqlite3_column_bytes(row, column);

    for (int i = 0; i < count; i++)
        fprintf(out, "%02x", bytes[i]);
}

static void write_field(FILE *out, sqlite3_stmt *row, int column)
{
    const char *text;

    switch (sqlite3_column_type(row, column)) {
    case SQLITE_BLOB:
        write_bytes(out, row, column);
        break;
    case SQLITE_FLOAT:
        encode_real(out, sqlite3_column_double(row, column));
        break;
    case SQLITE_NULL:
        break;
    default:
        text = (const char *)sqlite3_column_text(row, column);
        encode_csv(out, text != NULL ? text : "");
        break;
    }
}

static void write_csv_header(FILE *out, sqlite3_stmt *row)
{
    for (int i = 0; i < sqlite3_column_count(row); i++) {
        fputs(i > 0 ? "," : "", out);
        encode_csv(out, sqlite3_column_name(row, i));
    }
    fputs("\r\n", out);
}

static void write_csv_row(FILE *out, sqlite3_stmt *row, bool is_first)
{
    (void)is_first;
    for (int i = 0; i < sqlite3_column_count(row); i++) {
        fputs(i > 0 ? "," : "", out);
        write_field(out, row, i);
    }
    fputs("\r\n", out);
}

static void end_csv(FILE *out)
{
    (void)out;
}

/* JSON as RFC 8259 has it: an array with an object for each row, in a line. */

static void write_json_value(FILE *out, sqlite3_stmt *row, int column)
{
    int type = sqlite3_column_type(row, column);
    const char *text = type == SQLITE_INTEGER || type == SQLITE_TEXT
                           ? (const char *)sqlite3_column_text(row, column)
                           : NULL;

    switch (type) {
    case SQLITE_BLOB:
        putc('"', out);
        write_bytes(out, row, column);
        putc('"', out);
        break;
    case SQLITE_FLOAT:
        encode_real(out, sqlite3_column_double(row, column));
        break;
    case SQLITE_INTEGER:
        fputs(text != NULL ? text : "null", out);
        break;
    case SQLITE_NULL:
        fputs("null", out);
        break;
    default:
        encode_json(out, text != NULL ? text : "");
        break;
    }
}

static void begin_json(FILE *out, sqlite3_stmt *row)
{
    (void)row;
    putc('[', out);
}

static void write_json_row(FILE *out, sqlite3_stmt *row, bool is_first)
{
    fputs(is_first ? "\n" : ",\n", out);
    for (int i = 0; i < sqlite3_column_count(row); i++) {
        fputs(i > 0 ? ", " : "{", out);
        encode_json(out, sqlite3_column_name(row, i));
        fputs(": ", out);
        write_json_value(out, row, i);
    }
    putc('}', out);
}

static void end_json(FILE *out)
{
    fputs("\n]\n", out);
}

/* Both */

static sqlite3_stmt *select_rows(sqlite3 *db, const struct results_view *view)
{
    sqlite3_stmt *row = NULL;
    char *sql = sqlite3_mprintf("SELECT %s FROM %s%s%s", view->columns,
                                view->name, view->order ? " ORDER BY " : "",
                                view->order ? view->order : "");

    CHECK(sql != NULL);
    if (sqlite3_prepare_v2(db, sql, -1, &row, NULL) != SQLITE_OK)
        row = NULL;
    sqlite3_free(sql);
    return row;
}

static enum sim_status write_rows(FILE *out, sqlite3 *db,
                                  const struct export_format *format,
                                  const struct results_view *view,
                                  struct sim_error *error)
{
    sqlite3_stmt *row = select_rows(db, view);
    bool is_first = true;

    if (row != NULL)
        format->begin(out, row);
    while (row != NULL && !ferror(out) && sqlite3_step(row) == SQLITE_ROW) {
        format->row(out, row, is_first);
        is_first = false;
    }
    if (sqlite3_finalize(row) != SQLITE_OK || row == NULL)
        return sim_fail(error, SIM_IO_ERROR, "the results cannot be read: %s",
                        sqlite3_errmsg(db));
    format->end(out);
    return SIM_OK;
}

static const struct export_format formats[] = {
    {"csv", write_csv_header, write_csv_row, end_csv},
    {"json", begin_json, write_json_row, end_json},
};

#define FORMAT_COUNT (sizeof(formats) / sizeof(formats[0]))

enum sim_status export_find_format(const struct export_format **format,
                                   const char *name, struct sim_error *error)
{
    char names[256] = "";

    for (size_t i = 0; i < FORMAT_COUNT; i++) {
        if (strcmp(formats[i].name, name) == 0) {
            *format = &formats[i];
            return SIM_OK;
        }
        strncat(names, i > 0 ? ", " : "", sizeof(names) - strlen(names) - 1);
        strncat(names, formats[i].name, sizeof(names) - strlen(names) - 1);
    }
    return sim_fail(error, SIM_BAD_USAGE,
                    "there is no format \"%s\"; there is: %s", name, names);
}

enum sim_status export_find_view(const struct results_view **view,
                                 const char *name, struct sim_error *error)
{
    size_t count;
    const struct results_view *views = results_schema_views(&count);
    char names[256] = "";

    for (size_t i = 0; i < count; i++) {
        if (strcmp(views[i].name, name) == 0) {
            *view = &views[i];
            return SIM_OK;
        }
        strncat(names, i > 0 ? ", " : "", sizeof(names) - strlen(names) - 1);
        strncat(names, views[i].name, sizeof(names) - strlen(names) - 1);
    }
    return sim_fail(error, SIM_BAD_USAGE,
                    "there is no view \"%s\"; there are: %s", name, names);
}

/** Writes to `out` and notices when that did not work. */
static enum sim_status write_to(FILE *out, const char *name,
                                const struct export_format *format,
                                const struct results_view *view, sqlite3 *db,
                                struct sim_error *error)
{
    enum sim_status status;

    errno = 0;
    status = write_rows(out, db, format, view, error);
    if (status == SIM_OK && (fflush(out) != 0 || ferror(out)))
        status = sim_fail(error, SIM_IO_ERROR, "%s: cannot be written: %s",
                          name, errno != 0 ? strerror(errno) : "unknown error");
    return status;
}

static enum sim_status write_file(const struct export_format *format,
                                  const struct results_view *view, sqlite3 *db,
                                  const char *to, bool replace,
                                  struct sim_error *error)
{
    struct results_file file;
    enum sim_status status;
    FILE *out;

    if (results_file_claim(&file, to, replace, error) != SIM_OK)
        return error->status;
    out = fopen(file.work_path, "we");
    if (out == NULL) {
        status = sim_fail(error, SIM_NO_OUTPUT, "%s: cannot be written: %s", to,
                          strerror(errno));
        results_file_discard(&file);
        return status;
    }
    status = write_to(out, to, format, view, db, error);
    if (fclose(out) != 0 && status == SIM_OK)
        status = sim_fail(error, SIM_IO_ERROR, "%s: cannot be written: %s", to,
                          strerror(errno));
    if (status == SIM_OK)
        return results_file_finish(&file, error);
    results_file_discard(&file);
    return status;
}

/** --force is about old exports, not about the results they are made of. */
static enum sim_status spare_results(const char *from, const char *to,
                                     struct sim_error *error)
{
    struct stat source;
    struct stat target;

    if (stat(from, &source) == 0 && stat(to, &target) == 0 &&
        source.st_dev == target.st_dev && source.st_ino == target.st_ino)
        return sim_fail(error, SIM_BAD_USAGE,
                        "export: %s is the result file itself; expected "
                        "another file for the export",
                        to);
    return SIM_OK;
}

enum sim_status export_file(const struct export_format *format,
                            const struct results_view *view, const char *from,
                            const char *to, bool replace,
                            struct sim_error *error)
{
    enum sim_status status;
    sqlite3 *db;

    if (to != NULL && spare_results(from, to, error) != SIM_OK)
        return error->status;
    if (results_open(&db, from, error) != SIM_OK)
        return error->status;
    if (to == NULL)
        status = write_to(stdout, "standard output", format, view, db, error);
    else
        status = write_file(format, view, db, to, replace, error);
    sqlite3_close(db);
    return status;
}
