/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_CLI_VALIDATE_H
#define HVSIM_SIM_CLI_VALIDATE_H

/**
 * Published statements about Hyper-V, and what came out here: rows that
 * scenario files describe, their figures, the verdicts on them, and how all
 * that is written for people and programs. Who runs the runs is cli_validate.c.
 */

#include <stdio.h>

#include "sim/core/error.h"
#include "sim/scenario/scenario.h"

/** The worst last. */
enum validate_verdict {
    VALIDATE_PASS,         /* definitional, within its bounds */
    VALIDATE_AGREES,       /* calibration, within its bounds */
    VALIDATE_DIFFERS,      /* calibration, not within them */
    VALIDATE_NOT_MEASURED, /* a run or the measure failed */
    VALIDATE_FAIL,         /* definitional, not within its bounds */
};

/** A figure. */
struct validate_check {
    const struct scenario_validation_check *about;
    enum validate_verdict verdict;
    double value;  /* unless VALIDATE_NOT_MEASURED */
    char *failure; /* owned: why it is not measured; else NULL */
};

struct validate_row {
    const struct scenario_validation *about;
    const struct scenario *scenario; /* borrowed: that it stands in */
    const char *file;                /* borrowed: that that stands in */
    struct validate_check *checks;   /* owned; as many as `about` has */
};

/** Rows in the order of their numbers. */
struct validation {
    struct validate_row *rows; /* owned */
    size_t row_count;
};

/** The scenario's rows, none of them measured yet, behind those that are there.
 *  `scenario` and `file` are borrowed for as long as `validation` lives. */
void validate_add(struct validation *validation,
                  const struct scenario *scenario, const char *file);

void validate_free(struct validation *validation);

bool validate_is_definitional(const struct validate_row *row);

/** Notes the figure of a check and judges it. */
void validate_measured(const struct validate_row *row,
                       struct validate_check *check, double value);

/** Notes why a check has none. */
void validate_not_measured(struct validate_check *check, const char *why);

/** Whether all is as it must be: no definitional row fails, all are measured,
 *  and, if `strict`, no calibration differs. */
bool validate_holds(const struct validation *validation, bool strict);

/** "pass", "FAIL", "agrees", "differs" or "not measured" */
const char *validate_verdict_name(enum validate_verdict verdict);

/** "text", "json" or "csv"; false if `name` is none of them. */
enum validate_format { VALIDATE_TEXT, VALIDATE_JSON, VALIDATE_CSV };
bool validate_find_format(const char *name, enum validate_format *format);

/** Writes measured beside published. */
void validate_print(const struct validation *validation,
                    enum validate_format format, FILE *out);

/** Writes what there is to measure: a line for each row. */
void validate_print_list(const struct validation *validation, FILE *out);

#endif
