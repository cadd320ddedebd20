/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_COMPARE_COMPARE_METRIC_H
#define HVSIM_SIM_COMPARE_COMPARE_METRIC_H

/**
 * Which metrics a comparison takes from a result file, and taking them. Reads
 * the views run, result, perf_total and failure of the file and nothing else.
 */

#include "sim/compare/compare.h"

struct compare_selection;

/** Every result and a few counters if `defaults`, else nothing so far. The
 *  caller owns it. */
struct compare_selection *compare_metric_select(bool defaults);
void compare_metric_free(struct compare_selection *selection);

/**
 * Adds what `--metric TEXT` asks for, and what it says about better:
 * "elapsed:less", "result:web:elapsed", "result:web-*:*", "mean:elapsed" (over
 * the VMs that report it), "Logical Processor(Hv LP *)\% Idle Time".
 * SIM_BAD_USAGE if there is no such counter or the text is neither. `text` is
 * borrowed for the life of the selection.
 */
MUST_USE enum sim_status compare_metric_add(struct compare_selection *selection,
                                            const char *text,
                                            struct sim_error *error);

/**
 * Measures `run` of `comparison` by its open result file; or sets its failure,
 * if a VM failed it. `path` names the file in messages. SIM_NO_INPUT if the
 * run was killed, or the file is damaged.
 */
MUST_USE enum sim_status compare_read(struct comparison *comparison,
                                      struct compare_run *run,
                                      struct compare_selection *selection,
                                      sqlite3 *db, const char *path,
                                      struct sim_error *error);

/** A counter that people name. */
struct compare_counter {
    const char *object; /* as the views have it */
    const char *name;
    const char *unit;
    char *instance; /* a pattern, owned; NULL: none was said */
};

/** Reads "OBJECT(INSTANCE)\COUNTER", or COUNTER alone, of the first object that
 *  has it. SIM_BAD_USAGE if there is none. The caller frees the instance, also
 *  then. */
MUST_USE enum sim_status compare_metric_counter(struct compare_counter *counter,
                                                const char *text,
                                                struct sim_error *error);

/** The next text that asked for a metric that no run had, from `*at` (first 0)
 *  on; NULL if there is none. */
const char *compare_metric_unmet(const struct compare_selection *selection,
                                 size_t *at);

#endif
