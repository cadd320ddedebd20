/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_CLI_CLI_H
#define HVSIM_SIM_CLI_CLI_H

/**
 * The command line: `hvsim COMMAND [OPTIONS] ...`. Data goes to standard
 * output; progress and messages go to standard error. A bad scenario is
 * reported as "file:line:column: ...", anything else as "hvsim: ...".
 */

/** Runs one command; returns the exit code of the process (error.def). */
int cli_main(int argc, char **argv);

#endif
