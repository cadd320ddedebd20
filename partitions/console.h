/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_PARTITIONS_CONSOLE_H
#define HVSIM_PARTITIONS_CONSOLE_H

/**
 * A VM's console: passes on what the guest prints and reads the lines by
 * which a guest program reports (workloads/README.md is the authority):
 *
 *   hvsim: result NAME VALUE UNIT
 *   hvsim: done
 *   hvsim: fail TEXT
 *
 * A line of another form that begins with "hvsim: " is console text, as is
 * everything else. Guests are not trusted: lines are of limited length and
 * every part is checked.
 */

#include <stddef.h>

#include "sim/core/types.h"

#define CONSOLE_LINE_BYTES_MAX 512

/** What comes out of a console. Strings are valid during the call. */
struct console_listener {
    void *context; /* borrowed */
    void (*on_byte)(void *context, uint8_t byte);
    /** `name` is 1 to 64 of [a-z0-9_.-], `unit` 1 to 16 of printable ASCII
     *  without blanks, `value` decimal: -?[0-9]{1,18}(\.[0-9]{1,9})? */
    void (*on_result)(void *context, const char *name, const char *value,
                      const char *unit);
    void (*on_done)(void *context);
    void (*on_fail)(void *context, const char *text);
};

struct console {
    struct console_listener listener;
    char line[CONSOLE_LINE_BYTES_MAX];
    size_t line_bytes; /* more than fit: the line is not a report */
};

/** `listener` is copied; what it points to is borrowed. */
void console_init(struct console *console,
                  const struct console_listener *listener);

/** Forgets a line that has not ended. */
void console_reset(struct console *console);

/** A byte that the guest sent. */
void console_put(struct console *console, uint8_t byte);

#endif
