/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_PLOT_PLOT_PRIVATE_H
#define HVSIM_SIM_PLOT_PLOT_PRIVATE_H

/**
 * What the pictures share: for plot*.c.
 */

#include "sim/plot/plot.h"

#define PLOT_WIDTH 1100

/** The colours that lines, bars and VMs get, and what is left over. */
#define PLOT_COLOUR_COUNT 7
extern const char *const plot_colours[PLOT_COLOUR_COUNT];
#define PLOT_COLOUR_OTHERS "#999999"
#define PLOT_COLOUR_ROOT "#555555"

/** The beginning of every script: how large, which letters, plain axes. */
void plot_put_head(const struct plot *plot, unsigned height);

/** A text from outside as a string of gnuplot's, in single quotes, within
 *  which gnuplot replaces nothing; one longer than `most` characters is cut. */
void plot_put_text(const struct plot *plot, const char *text, unsigned most);

/** "set title" with the scenario and seed of a run and `what`, then `more` in
 *  a second line, unless it is "". */
enum sim_status plot_put_run_title(const struct plot *plot, sqlite3 *db,
                                   const char *what, const char *more,
                                   struct sim_error *error);

/** A unit of time in which `most_ns` is at least 1, and what it has of ns. */
struct plot_unit {
    const char *name;
    double divisor;
};
struct plot_unit plot_choose_unit(double most_ns);

/** The x axis of a picture of `span`, in `unit`, and the legend beside it. */
void plot_put_time_axis(const struct plot *plot, struct plot_span span,
                        const struct plot_unit *unit);

/** A query; NULL and an error if it does not work. */
sqlite3_stmt *plot_query(sqlite3 *db, const char *sql, struct sim_error *error);

/** Ends it; a failure on the way is one now. NULL does nothing. */
enum sim_status plot_end_query(sqlite3 *db, sqlite3_stmt *row,
                               struct sim_error *error);

/** A column of text; "" for NULL. */
const char *plot_text_of(sqlite3_stmt *row, int column);

/** How long the run was, in simulated time. */
enum sim_status plot_read_end(sqlite3 *db, struct plot_span *span,
                              struct sim_error *error);

#endif
