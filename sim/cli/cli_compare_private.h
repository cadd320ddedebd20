/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_CLI_CLI_COMPARE_PRIVATE_H
#define HVSIM_SIM_CLI_CLI_COMPARE_PRIVATE_H

/**
 * What the files of the command compare share: cli_compare.c reads the command
 * line and writes the comparison, cli_compare_plan.c says what is to be run,
 * cli_compare_runs.c has it run.
 */

#include "sim/cli/cli_private.h"
#include "sim/compare/compare_metric.h"
#include "sim/compare/compare_vary.h"

#define CLI_COMPARE_RUNS_MAX 100000

/** What the command line asks for. All is borrowed. */
struct cli_compare_request {
    const struct cli_invocation *invocation;
    const char *file; /* the scenario's */
    const struct compare_vary *vary;
    uint64_t seed_count; /* at least 1 */
    size_t jobs;         /* at once, at least 1 */
    const char *folder;  /* where results are kept; NULL: NAME.runs */
    bool again;          /* also what is there */
    bool quiet;
};

/** Heeds --baseline, once the comparison has its variants. SIM_BAD_USAGE if it
 *  names none of them. */
MUST_USE enum sim_status
cli_compare_baseline(const struct cli_invocation *invocation,
                     struct comparison *comparison, struct sim_error *error);

/** One run to be had: a variant with a seed. */
struct cli_compare_trial {
    size_t variant;
    uint64_t seed;
    char *yaml;    /* owned; its scenario, resolved */
    char *file;    /* owned; the name of its results */
    char *failure; /* owned; NULL: none */
};

struct cli_compare_plan {
    const struct cli_compare_request *request;
    struct comparison *comparison;    /* owned; its variants have no runs yet */
    struct scenario **scenarios;      /* owned; of each variant's first seed */
    struct cli_compare_trial *trials; /* owned; by variant, then seed */
    size_t count;
};

/**
 * Reads the scenario with each variant's changes and each seed, before any of
 * them is run. SIM_BAD_SCENARIO or SIM_BAD_USAGE names the --vary at fault;
 * SIM_NO_INPUT the guest program that is missing. Release `plan` in any case.
 */
MUST_USE enum sim_status
cli_compare_plan_make(struct cli_compare_plan *plan,
                      const struct cli_compare_request *request,
                      struct sim_error *error);
void cli_compare_plan_free(struct cli_compare_plan *plan);

/** The arguments of the process that runs `trial` and writes its results to
 *  `output`. The caller frees it as one. */
char **cli_compare_plan_arguments(const struct cli_compare_plan *plan,
                                  const struct cli_compare_trial *trial,
                                  const char *output);

/**
 * Runs what is not there yet and gives the comparison, not summarised yet, to
 * the caller. Runs that failed have their failure in it. SIM_INTERRUPTED, with
 * no comparison, if stopped: what is complete stays.
 */
MUST_USE enum sim_status
cli_compare_runs(struct comparison **out,
                 const struct cli_compare_request *request,
                 struct compare_selection *selection, struct sim_error *error);

#endif
