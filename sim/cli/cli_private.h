/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_CLI_CLI_PRIVATE_H
#define HVSIM_SIM_CLI_CLI_PRIVATE_H

/**
 * What cli.c, which takes a command line apart, and the files with the
 * commands share. Each command is one entry of the table in cli.c, from which
 * its options, its help and its errors are made.
 */

#include <signal.h>
#include <sqlite3.h>

#include "sim/core/error.h"
#include "sim/core/types.h"
#include "sim/scenario/scenario.h"

/** What getopt_long() calls an option; a letter if it has a short form. */
enum cli_option_id {
    CLI_FORMAT = 'f',
    CLI_HELP = 'h',
    CLI_JOBS = 'j',
    CLI_LIST = 'l',
    CLI_OUTPUT = 'o',
    CLI_QUIET = 'q',
    CLI_AGAIN = 256,
    CLI_BASELINE,
    CLI_CONSOLE,
    CLI_FORCE,
    CLI_FROM,
    CLI_METRIC,
    CLI_ONLY,
    CLI_RESOLVED,
    CLI_RUNS,
    CLI_SCENARIOS,
    CLI_SCRIPT,
    CLI_SEED,
    CLI_SEEDS,
    CLI_SET,
    CLI_STRICT,
    CLI_TO,
    CLI_VARY,
    CLI_VIEW,
    CLI_VM,
    CLI_VP,
};

struct cli_option {
    enum cli_option_id id;
    const char *name;     /* without the dashes */
    const char *argument; /* as help shows it: "FILE"; NULL: takes none */
    const char *help;
};

/** An option that was given. */
struct cli_setting {
    enum cli_option_id id;
    const char *value; /* NULL without an argument */
};

struct cli_command;

/** A command line that fits its command. */
struct cli_invocation {
    const struct cli_command *command;
    struct cli_setting *settings; /* in the order in which they were given */
    size_t setting_count;
    char **operands; /* borrowed from argv; NULL at the end */
    size_t operand_count;
};

typedef enum sim_status cli_run_fn(const struct cli_invocation *invocation,
                                   struct sim_error *error);

struct cli_command {
    const char *name;
    const char *operands; /* as usage shows them: "FILE" */
    size_t operands_least;
    size_t operands_most;
    const char *summary;              /* one line */
    const char *details;              /* of the command's help; may be NULL */
    const struct cli_option *options; /* ends with a NULL name */
    cli_run_fn *run;
};

/** Whether the option was given; the last one wins in `*value` (may be NULL).
 */
bool cli_given(const struct cli_invocation *invocation, enum cli_option_id id,
               const char **value);

/** Tells people on standard error what went wrong. */
void cli_report(const struct sim_error *error);

/**
 * Reads the scenario `file` with the overrides that the command line asks for
 * (--set, --seed) and prints its notes on standard error unless --quiet. Gives
 * the scenario to the caller.
 */
MUST_USE enum sim_status
cli_read_scenario(const struct cli_invocation *invocation, const char *file,
                  struct scenario **out, struct sim_error *error);

/** Prints the notes of a scenario on standard error. */
void cli_print_notes(const char *notes);

/** A column of text; NULL, which only a damaged file holds there, is "". */
const char *cli_text_column(sqlite3_stmt *row, int column);

/** cli_stop.c: from now on the first Ctrl-C (or SIGTERM) only sets what is
 *  returned, for a command to end in good order; the second one kills. */
const volatile sig_atomic_t *cli_stop_catch(void);

/* cli_live.c: `--console VM`. */

struct cli_live;
struct machine_console;

/** NULL in `*out` without the option; else the caller's. */
MUST_USE enum sim_status
cli_live_create(struct cli_live **out, const struct cli_invocation *invocation,
                const struct scenario *scenario, struct sim_error *error);

/** For the machine; NULL for NULL, as in all of these. */
const struct machine_console *cli_live_console(const struct cli_live *live);

/** Around the run: the terminal is the guest's meanwhile. */
MUST_USE enum sim_status cli_live_begin(const struct cli_live *live,
                                        struct sim_error *error);
void cli_live_end(const struct cli_live *live);

/* The commands. */
cli_run_fn cli_run;
cli_run_fn cli_check;
cli_run_fn cli_compare;
cli_run_fn cli_console;
cli_run_fn cli_export;
cli_run_fn cli_plot;
cli_run_fn cli_summary;
cli_run_fn cli_schema;
cli_run_fn cli_explain;
cli_run_fn cli_validate;
cli_run_fn cli_version;

/** What cli_explain() does with a result file as its second operand. */
cli_run_fn cli_explain_wait;

#endif
