/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_MACHINE_CONSOLE_SCRIPT_H
#define HVSIM_SIM_MACHINE_CONSOLE_SCRIPT_H

/**
 * Carries out what a scenario says is to be typed at a VM's console, step by
 * step. It knows what the guest prints and what time it is, and says when it
 * wants to be asked again; it does not know who types, nor where.
 *
 * A step begins when the one before it has been carried out, the first at time
 * 0. Only what the guest prints while a step waits for it counts. All times are
 * simulated, in nanoseconds since the start of the run.
 */

#include "sim/machine/console_match.h"
#include "sim/scenario/scenario.h"

#define CONSOLE_SCRIPT_NEVER UINT64_MAX

struct console_script {
    const struct scenario_step *steps; /* borrowed */
    size_t count;
    size_t at;       /* the step under way; `count`: all are done */
    bool is_waiting; /* for a text; else for a time */
    uint64_t due_ns; /* that time, or when the text is overdue */
    struct console_match match;
};

enum console_action {
    CONSOLE_NOTHING, /* not yet */
    CONSOLE_TYPE,    /* what the step sends */
    CONSOLE_OVERDUE, /* the text of this step has not come in time */
};

/** The first step begins, at time 0. Borrows the steps. */
void console_script_init(struct console_script *script,
                         const struct scenario_step *steps, size_t count);

/** The guest prints a byte at `now_ns`. */
void console_script_see(struct console_script *script, uint8_t byte,
                        uint64_t now_ns);

/** When console_script_act() should be called; CONSOLE_SCRIPT_NEVER. Changes
 *  with each call of the others. */
uint64_t console_script_due(const struct console_script *script);

/**
 * It is `now_ns`. For CONSOLE_TYPE the bytes to type, at least one, are written
 * to `bytes`, and the next step has begun. Must not be called again after
 * CONSOLE_OVERDUE.
 */
enum console_action
console_script_act(struct console_script *script, uint64_t now_ns,
                   uint8_t bytes[static SCENARIO_SEND_BYTES_MAX],
                   size_t *count);

/** The step under way; NULL if all are done. */
const struct scenario_step *
console_script_step(const struct console_script *script);

#endif
