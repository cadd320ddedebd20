/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_MACHINE_CONSOLE_LOG_H
#define HVSIM_SIM_MACHINE_CONSOLE_LOG_H

/**
 * Makes lines of text of the bytes that a VM sends to its console. What a
 * terminal would act on is written out (\x1b), so that a log can be shown
 * anywhere. Zero-initialise.
 */

#include <stddef.h>

#include "sim/core/types.h"

#define CONSOLE_LOG_LINE_BYTES 2048

struct console_log {
    char line[CONSOLE_LOG_LINE_BYTES]; /* zero-terminated */
    size_t used;
    bool carriage_return; /* was the last byte; gone if a line feed follows */
};

/** True when a line is complete: by a line feed, or because it is full. */
bool console_log_add(struct console_log *log, uint8_t byte);

/** The line as far as it has come; valid until something is added. */
const char *console_log_line(const struct console_log *log);
bool console_log_is_empty(const struct console_log *log);
/** Begins the next line. */
void console_log_clear(struct console_log *log);

#endif
