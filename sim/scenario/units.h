/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_SCENARIO_UNITS_H
#define HVSIM_SIM_SCENARIO_UNITS_H

/**
 * Quantities as people write them, and back: "10us", "1.5GiB", "2.4GHz",
 * "12.5%". Used for scenarios, the command line and reports. All exact: a text
 * that does not stand for a whole number of the base unit is refused, except
 * for percentages, which are rounded to the nearest 1/65536.
 *
 * A number is plain decimal digits, with a fraction where the unit allows one:
 * no sign, no leading zero, no underscore, no exponent, no blank before the
 * unit. So nothing that YAML 1.1 reads as octal, sexagesimal or a date has a
 * second meaning here.
 */

#include <stddef.h>

#include "sim/core/types.h"

enum units_status {
    UNITS_OK,
    UNITS_EMPTY,
    UNITS_NOT_A_NUMBER,
    UNITS_LEADING_ZERO,
    UNITS_NO_UNIT,      /* a number alone where a unit is needed */
    UNITS_UNKNOWN_UNIT, /* a number, then something else */
    UNITS_TOO_FINE,     /* a fraction of the base unit */
    UNITS_TOO_LARGE,    /* beyond 64 bits, or too many digits */
};

enum units_kind {
    UNITS_PLAIN,     /* 42 */
    UNITS_DURATION,  /* ns: 5ns, 10us, 100ms, 1.5s, 2min, 1h */
    UNITS_BYTES,     /* bytes: 512B, 64KiB, 256MiB, 2GiB, 1TiB */
    UNITS_FREQUENCY, /* Hz: 100Hz, 32kHz, 2400MHz, 2.4GHz */
    UNITS_FRACTION,  /* 1/65536, below 2^32: 0%, 12.5%, 100% */
    UNITS_KIND_COUNT,
};

/** Reads the whole of `text`; on failure `*value` is untouched. */
MUST_USE enum units_status units_parse(enum units_kind kind, const char *text,
                                       uint64_t *value);

#define UNITS_TEXT_BYTES 32

/**
 * Writes `value` so that units_parse() gives it back: in the largest unit of
 * which it is a whole number; a fraction with as few decimals as will do.
 */
void units_print(enum units_kind kind, uint64_t value,
                 char text[static UNITS_TEXT_BYTES]);

/** What is wrong, to follow the quoted text: "has no unit". */
const char *units_status_text(enum units_status status);

/** "ns, us, ms, s, min, h": the units of `kind`, "" for plain numbers. */
const char *units_list(enum units_kind kind);

/** A regular expression (ECMA 262) for what units_parse() accepts. */
const char *units_pattern(enum units_kind kind);

#endif
