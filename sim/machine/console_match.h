/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_MACHINE_CONSOLE_MATCH_H
#define HVSIM_SIM_MACHINE_CONSOLE_MATCH_H

/**
 * Looks for a text in what a guest prints, byte by byte as it arrives and
 * without keeping any of it: the algorithm of Knuth, Morris and Pratt. Bytes
 * are compared as they are.
 */

#include <stddef.h>

#include "sim/core/types.h"

#define CONSOLE_MATCH_BYTES_MAX 1024

struct console_match {
    const char *text; /* borrowed */
    size_t bytes;
    size_t matched; /* of the text, by the bytes seen last */
    /* By length of a beginning of the text: the longest shorter beginning that
     * it ends in. */
    uint16_t shorter[CONSOLE_MATCH_BYTES_MAX + 1];
};

/** Begins to look for `text`, of 1 to CONSOLE_MATCH_BYTES_MAX bytes; borrows
 *  it. What has been seen before does not count. */
void console_match_begin(struct console_match *match, const char *text);

/** True if `byte` completes the text. Then it begins anew. */
bool console_match_see(struct console_match *match, uint8_t byte);

#endif
