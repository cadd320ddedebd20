/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_PLOT_PLOT_H
#define HVSIM_SIM_PLOT_PLOT_H

/**
 * Pictures of results and of comparisons, drawn by gnuplot. What is drawn is
 * written as a script for gnuplot, which holds its data, and nothing that came
 * from outside but numbers and quoted texts. Only the stable views are read.
 */

#include <sqlite3.h>
#include <stdio.h>

#include "sim/core/error.h"

enum plot_format {
    PLOT_SVG,
    PLOT_PNG,
    PLOT_SCRIPT, /* the script itself; it makes SVG */
};

/** The format by the end of the file's name. SIM_BAD_USAGE for another. */
MUST_USE enum sim_status plot_find_format(const char *path,
                                          enum plot_format *format,
                                          struct sim_error *error);

/** A script on its way; `out` is its caller's. */
struct plot {
    FILE *out;
    enum plot_format format;
};

/** The part of a run that is shown, in simulated time. */
struct plot_span {
    uint64_t from_ns;
    uint64_t to_ns; /* UINT64_MAX: the end of the run */
};

/** Who ran on which LP. SIM_NO_INPUT if the run was not traced. */
MUST_USE enum sim_status plot_timeline(const struct plot *plot, sqlite3 *db,
                                       struct plot_span span,
                                       struct sim_error *error);

/**
 * A counter over time, a line for each instance: `what` is its name, of the
 * first object that has it, or "OBJECT(INSTANCE)\COUNTER" as --metric has it.
 * SIM_BAD_USAGE if there is none.
 */
MUST_USE enum sim_status plot_counter(const struct plot *plot, sqlite3 *db,
                                      const char *what, struct plot_span span,
                                      struct sim_error *error);

/** A metric of a comparison, a bar with its interval for each variant; more
 *  than one if `what` fits more of one unit. SIM_BAD_USAGE if it fits none. */
MUST_USE enum sim_status plot_bars(const struct plot *plot, sqlite3 *db,
                                   const char *what, struct sim_error *error);

/**
 * Has gnuplot draw `script`, or keeps it, as the new file `path`. SIM_NO_OUTPUT
 * if it is there and not to be replaced; SIM_UNAVAILABLE without gnuplot.
 */
MUST_USE enum sim_status plot_draw(const char *script, enum plot_format format,
                                   const char *path, bool replace,
                                   struct sim_error *error);

#endif
