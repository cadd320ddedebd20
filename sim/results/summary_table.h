/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_RESULTS_SUMMARY_TABLE_H
#define HVSIM_SIM_RESULTS_SUMMARY_TABLE_H

/**
 * A table in plain text: the first column to the left, figures to the right,
 * each column as wide as it needs to be. For summary.c.
 */

#include <stdio.h>

#include "sim/core/types.h"

struct summary_table;

/** The caller owns the table. `columns` is at least 1. */
struct summary_table *summary_table_create(unsigned columns);
void summary_table_free(struct summary_table *table);

/** Appends a cell; cells fill rows from left to right, the first row being the
 *  heading. Text from outside is as it is: see summary_print_all(). */
void summary_table_add(struct summary_table *table, const char *format, ...)
    PRINTF_LIKE(2, 3);

/** How wide the table is when nothing is cut. */
unsigned summary_table_width(const struct summary_table *table);

/** Prints the complete rows. If the table is wider than `width` (0: no limit),
 *  the first column is cut, marked by a '~', but never below 12. */
void summary_table_print(const struct summary_table *table, FILE *out,
                         unsigned width);

#endif
