/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_TEXT_ENCODE_H
#define HVSIM_SIM_TEXT_ENCODE_H

/**
 * Texts and numbers as the formats of other tools have them: CSV (RFC 4180)
 * and JSON (RFC 8259). For all that exports; no state.
 */

#include <stdio.h>

/** A field of CSV, in quotes where it needs them. */
void encode_csv(FILE *out, const char *text);

/** A string of JSON, in its quotes. Bytes that are no UTF-8, which a file name
 *  may have, become U+FFFD. */
void encode_json(FILE *out, const char *text);

/** The shortest of 15 to 17 digits that reads back to the same double: a number
 *  in CSV and JSON alike. These have no infinity, but a number beyond all
 *  doubles reads back as one. `value` is not NaN. */
void encode_real(FILE *out, double value);

#endif
