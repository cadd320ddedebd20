/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/results/query.h"

#include <dirent.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

sqlite3 *query_open(const char *path)
{
    sqlite3 *db = NULL;

    if (sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
        fail_msg("%s: %s", path, sqlite3_errmsg(db));
    return db;
}

static void write_row(FILE *out, sqlite3_stmt *row)
{
    for (int i = 0; i < sqlite3_column_count(row); i++) {
        const char *text = (const char *)sqlite3_column_text(row, i);

        fprintf(out, "%s%s", i > 0 ? "|" : "", text != NULL ? text : "NULL");
    }
    putc('\n', out);
}

char *query_text(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *row = NULL;
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    if (sqlite3_prepare_v2(db, sql, -1, &row, NULL) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    while (sqlite3_step(row) == SQLITE_ROW)
        write_row(out, row);
    if (sqlite3_finalize(row) != SQLITE_OK)
        fail_msg("%s: %s", sql, sqlite3_errmsg(db));
    fclose(out);
    return text;
}

void query_expect(const char *path, const char *sql, const char *expected)
{
    sqlite3 *db = query_open(path);
    char *text = query_text(db, sql);

    assert_string_equal(text, expected);
    free(text);
    sqlite3_close(db);
}

char *query_bytes(const char *path, long *size)
{
    FILE *file = fopen(path, "rb");
    char *bytes;

    if (file == NULL)
        fail_msg("%s cannot be read", path);
    fseek(file, 0, SEEK_END);
    *size = ftell(file);
    rewind(file);
    bytes = calloc(1, (size_t)*size + 1);
    assert_non_null(bytes);
    assert_int_equal(fread(bytes, 1, (size_t)*size, file), *size);
    fclose(file);
    return bytes;
}

bool query_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

static int visit_files(const char *prefix, bool remove_them)
{
    DIR *folder = opendir(".");
    struct dirent *entry;
    int count = 0;

    assert_non_null(folder);
    while ((entry = readdir(folder)) != NULL) {
        if (strncmp(entry->d_name, prefix, strlen(prefix)) != 0)
            continue;
        count++;
        if (remove_them)
            unlink(entry->d_name);
    }
    closedir(folder);
    return count;
}

int query_count_files(const char *prefix)
{
    return visit_files(prefix, false);
}

void query_remove_files(const char *prefix)
{
    visit_files(prefix, true);
}
