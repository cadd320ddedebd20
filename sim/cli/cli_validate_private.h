/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_CLI_CLI_VALIDATE_PRIVATE_H
#define HVSIM_SIM_CLI_CLI_VALIDATE_PRIVATE_H

/**
 * What the files of the command validate share: cli_validate.c, which reads the
 * command line and the scenarios, and cli_validate_runs.c, which has the rows'
 * runs run and measures them.
 */

#include "sim/cli/validate.h"

/** What is to be run. All is borrowed. */
struct cli_validate_request {
    const char *folder; /* where results are kept; NULL: they are not */
    size_t jobs;        /* at once */
    bool quiet;
};

/** Whether each row's runs are valid and its measures can be evaluated.
 *  SIM_BAD_SCENARIO, with the place, if not. */
MUST_USE enum sim_status cli_validate_check(const struct validation *validation,
                                            struct sim_error *error);

/** Runs what the rows need, and measures them. What fails of a row is noted
 *  there; fails itself only if nothing can be run, or when interrupted. */
MUST_USE enum sim_status
cli_validate_runs(struct validation *validation,
                  const struct cli_validate_request *request,
                  struct sim_error *error);

#endif
