/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_RESULTS_SUMMARY_H
#define HVSIM_SIM_RESULTS_SUMMARY_H

/**
 * The closing table of a run, for people: what each processor did, what each
 * VM believed and what the host saw of it, and how it went over time. It knows
 * the views of a result file and nothing else, so it can be printed from any
 * file at any time.
 */

#include <sqlite3.h>
#include <stdio.h>

#include "sim/core/error.h"

/**
 * Prints the summary of `db`, which results_open() has opened, in lines of at
 * most `width` characters where that is possible; 0 means no limit. The caller
 * notices failures of `out`. SIM_IO_ERROR if `db` cannot be read.
 */
MUST_USE enum sim_status summary_print(FILE *out, sqlite3 *db, unsigned width,
                                       struct sim_error *error);

/** The width to print in: of the terminal behind `out`, else 80. */
unsigned summary_width(FILE *out);

#endif
