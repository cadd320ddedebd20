/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/machine/console_match.h"

#include <string.h>

#include "sim/core/check.h"

/* The longest beginning of the text in which `matched` bytes of it and then
 * `byte` end. */
static size_t advance(const struct console_match *match, size_t matched,
                      uint8_t byte)
{
    while (matched > 0 && (uint8_t)match->text[matched] != byte)
        matched = match->shorter[matched];
    return matched + ((uint8_t)match->text[matched] == byte);
}

void console_match_begin(struct console_match *match, const char *text)
{
    size_t bytes = strlen(text);

    CHECK(bytes > 0 && bytes <= CONSOLE_MATCH_BYTES_MAX);
    match->text = text;
    match->bytes = bytes;
    match->matched = 0;
    match->shorter[0] = 0;
    match->shorter[1] = 0;
    for (size_t i = 1; i < bytes; i++)
        match->shorter[i + 1] =
            (uint16_t)advance(match, match->shorter[i], (uint8_t)text[i]);
}

bool console_match_see(struct console_match *match, uint8_t byte)
{
    match->matched = advance(match, match->matched, byte);
    if (match->matched < match->bytes)
        return false;
    match->matched = 0;
    return true;
}
