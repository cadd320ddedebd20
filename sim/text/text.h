/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_TEXT_TEXT_H
#define HVSIM_SIM_TEXT_TEXT_H

/**
 * Text from outside (file names, arguments, scenarios, what guests say) on its
 * way to a terminal: UTF-8 passes, and what a terminal would act on, or could
 * not show, is written out as \xNN.
 */

#include <stddef.h>
#include <stdio.h>

#include "sim/core/types.h"

/**
 * Decodes one character of UTF-8 of at most `bytes` bytes, at least one.
 * Returns its length; 0 if it is malformed, overlong, or a surrogate.
 */
size_t text_decode(const char *text, size_t bytes, uint32_t *character);

#define TEXT_PIECE_BYTES 5

/**
 * Takes the next character off the front of the zero-terminated `*text`, which
 * is not empty: as it is if it can be shown, else its first byte as \xNN. The
 * piece is zero-terminated; returns its length.
 */
size_t text_next(const char **text, char piece[static TEXT_PIECE_BYTES]);

/** Prints `text`, piece by piece, on `out`. */
void text_print(FILE *out, const char *text);

/** So that of a text of lines, which stay lines. */
void text_print_lines(FILE *out, const char *text);

/** Prints `text`, which is UTF-8, in double quotes as YAML reads it back: what
 *  is not printable ASCII is escaped. */
void text_print_quoted(FILE *out, const char *text);

/** Prints `text`, which is ours and of ASCII, in lines that are indented by
 *  `indent` and, but for words that are longer, at most 76 columns wide. */
void text_print_wrapped(FILE *out, const char *text, unsigned indent);

#endif
