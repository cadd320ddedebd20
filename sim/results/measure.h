/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_RESULTS_MEASURE_H
#define HVSIM_SIM_RESULTS_MEASURE_H

/**
 * Figures out of result files, by SQL that comes from a scenario: a SELECT over
 * the views of one or several runs, each under the run's name (`one.perf`), or
 * without a name (`perf`), which means the first run; and over the view
 * `outcome (run, exit_code, message)`. It can read what the views tell and
 * nothing else, only by functions that depend on their arguments, in a bounded
 * number of steps, with values of at most 64 KiB and 512 MiB of memory, which
 * all that the process does by SQLite counts for from then on: the same files
 * give the same figure, or the same error.
 */

#include <stddef.h>

#include "sim/core/error.h"

#define MEASURE_RUNS_MAX 8 /* SQLite may have been built for ten */

/** A run whose results are measured. */
struct measure_run {
    const char *name; /* not "main" or "temp" */
    const char *path; /* of its result file; NULL: there is none, which is
                         enough to check SQL */
    int exit_code;
    const char *message; /* what it said of its failure; "" */
};

struct measure;

/** Opens the runs and gives the measure to the caller. The runs are borrowed
 *  for the call; at most MEASURE_RUNS_MAX. SIM_NO_INPUT if a file is not a
 *  finished result file. */
MUST_USE enum sim_status measure_open(struct measure **out,
                                      const struct measure_run *runs,
                                      size_t count, struct sim_error *error);

/** Does nothing for NULL. */
void measure_close(struct measure *measure);

/** Whether `sql` is one that can be evaluated. SIM_BAD_SCENARIO if not; the
 *  message says what is wrong, and in which line and column of it. */
MUST_USE enum sim_status measure_check(struct measure *measure, const char *sql,
                                       struct sim_error *error);

/** Evaluates `sql`, which must give one number. SIM_BAD_SCENARIO if it cannot
 *  be, SIM_RUN_FAILED if it gives none, as when a VM has not reported. */
MUST_USE enum sim_status measure_evaluate(struct measure *measure,
                                          const char *sql, double *value,
                                          struct sim_error *error);

#endif
