/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_RESULTS_RESULTS_VALUE_H
#define HVSIM_SIM_RESULTS_RESULTS_VALUE_H

/**
 * What a guest may report as a result: bytes from outside, checked before they
 * reach a file or a terminal. For results.c.
 */

#include <stdbool.h>
#include <stdint.h>

/** A decimal number, whose digits after the point are kept if there are any. */
struct results_value {
    bool integral;
    int64_t whole; /* the number, if integral */
    double real;   /* the nearest double, if not */
};

/**
 * Reads `text`: an optional '-', 1 to 18 digits, and optionally a point and 1
 * to 9 digits; leading zeros do not count. False if it is anything else.
 */
bool results_value_parse(const char *text, struct results_value *value);

/** 1 to 64 of [a-z0-9_.-]. */
bool results_value_is_name(const char *text);

/** 1 to 16 of printable ASCII without blanks. */
bool results_value_is_unit(const char *text);

#endif
