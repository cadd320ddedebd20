/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_RESULTS_RESULTS_SCHEMA_H
#define HVSIM_SIM_RESULTS_RESULTS_SCHEMA_H

/**
 * The tables and views of a result database, and the rows that are the same in
 * every one: objects, counters and kinds of events. For results.c,
 * results_read.c and those who explain the views; readers of a file use the
 * views alone.
 */

#include <sqlite3.h>

#include "perfcounters/pc_counters.h"

#define RESULTS_APPLICATION_ID 0x6876736D /* "hvsm", in the file's header */
#define RESULTS_SCHEMA_VERSION 5          /* raised when a view changes */

/* Readers may look at a file while it grows; who comes second waits. */
#define RESULTS_BUSY_TIMEOUT_MS 10000

/** Makes an empty database a result database; a result code of SQLite. */
int results_schema_create(sqlite3 *db);

/** A view, for people: what a row is, and its columns in order. */
struct results_view {
    const char *name;
    const char *columns; /* "vm, name, value, unit" */
    const char *help;
    const char *order; /* to export the rows in; NULL: as the view has them */
};

const struct results_view *results_schema_views(size_t *count);

/** The key of a counter in the tables. */
int64_t results_schema_counter_id(enum pc_object_id object, size_t counter);

#endif
