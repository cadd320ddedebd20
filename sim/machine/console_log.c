/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/machine/console_log.h"

#include <stdio.h>

#define ESCAPE_BYTES ((size_t)4) /* "\x1b" */

static void append(struct console_log *log, uint8_t byte)
{
    size_t room = sizeof(log->line) - log->used;
    int bytes;

    if ((byte >= ' ' && byte <= '~') || byte == '\t')
        bytes = snprintf(log->line + log->used, room, "%c", byte);
    else
        bytes = snprintf(log->line + log->used, room, "\\x%02x", byte);
    log->used += (size_t)bytes;
}

bool console_log_add(struct console_log *log, uint8_t byte)
{
    bool after_return = log->carriage_return;

    log->carriage_return = byte == '\r';
    if (byte == '\n')
        return true;
    if (after_return)
        append(log, '\r');
    if (!log->carriage_return)
        append(log, byte);
    /* Room for two escapes: a return that was held back, and its successor. */
    return log->used + 2 * ESCAPE_BYTES >= sizeof(log->line);
}

const char *console_log_line(const struct console_log *log)
{
    return log->line;
}

bool console_log_is_empty(const struct console_log *log)
{
    return log->used == 0 && !log->carriage_return;
}

void console_log_clear(struct console_log *log)
{
    log->line[0] = '\0';
    log->used = 0;
    log->carriage_return = false;
}
