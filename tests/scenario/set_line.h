/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_SCENARIO_SET_LINE_H
#define HVSIM_TESTS_SCENARIO_SET_LINE_H

/**
 * How an input of the corpus carries an override: its first line is the
 * comment "#set PATH=VALUE".
 */

#include "sim/scenario/scenario.h"

struct set_line {
    struct scenario_override override;
    size_t count; /* 1 if there is an override, else 0 */
    char *path;   /* owned */
};

/** Looks for the line; set_line_free() frees what it holds. */
struct set_line set_line_take(const void *text, size_t bytes);
void set_line_free(struct set_line *line);

#endif
