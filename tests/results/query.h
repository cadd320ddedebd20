/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_RESULTS_QUERY_H
#define HVSIM_TESTS_RESULTS_QUERY_H

/**
 * Questions to a result file and to the files around it, for tests: what
 * cannot be answered fails the test.
 */

#include <sqlite3.h>
#include <stdbool.h>

/** Opens `path` as any other program would, and closes it. */
sqlite3 *query_open(const char *path);

/** All rows as text: columns parted by '|', rows ended by a newline, NULL as
 *  "NULL". The caller frees it. */
char *query_text(sqlite3 *db, const char *sql);

/** The rows of `sql` over the file `path` are `expected`. */
void query_expect(const char *path, const char *sql, const char *expected);

/** The bytes of a file; the caller frees them. */
char *query_bytes(const char *path, long *size);

bool query_exists(const char *path);

/** How many entries of the current folder begin with `prefix`. */
int query_count_files(const char *prefix);

/** Removes each of them. */
void query_remove_files(const char *prefix);

#endif
