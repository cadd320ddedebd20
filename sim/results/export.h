/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_RESULTS_EXPORT_H
#define HVSIM_SIM_RESULTS_EXPORT_H

/**
 * Writes a view of a result file in the formats of other tools. A format
 * is one entry of the table in export.c and sees the views alone.
 */

#include <sqlite3.h>
#include <stdio.h>

#include "sim/core/error.h"
#include "sim/results/results_schema.h"

struct export_format {
    const char *name; /* as given to --format */
    /* What comes before the rows, each of them, and what comes after. */
    void (*begin)(FILE *out, sqlite3_stmt *row);
    void (*row)(FILE *out, sqlite3_stmt *row, bool is_first);
    void (*end)(FILE *out);
};

/** The format called `name`; SIM_BAD_USAGE, with the names there are, if there
 *  is none. */
MUST_USE enum sim_status export_find_format(const struct export_format **format,
                                            const char *name,
                                            struct sim_error *error);

/** Likewise the view called `name`. */
MUST_USE enum sim_status export_find_view(const struct results_view **view,
                                          const char *name,
                                          struct sim_error *error);

/**
 * Exports `view` of the result file `from` to the file `to`, or to standard
 * output if `to` is NULL. A file that is there already is refused
 * (SIM_NO_OUTPUT) unless `replace` is set, and then replaced when the new one
 * is complete; after a failure no incomplete file is left. `from` itself is
 * never replaced (SIM_BAD_USAGE), whatever the name it is given by.
 */
MUST_USE enum sim_status export_file(const struct export_format *format,
                                     const struct results_view *view,
                                     const char *from, const char *to,
                                     bool replace, struct sim_error *error);

#endif
