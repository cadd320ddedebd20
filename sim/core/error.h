/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_CORE_ERROR_H
#define HVSIM_SIM_CORE_ERROR_H

/**
 * The user's errors: what is wrong with a scenario, a guest file or the
 * machine hvsim runs on. A function that can fail this way returns MUST_USE
 * enum sim_status and describes the failure in the caller's struct sim_error;
 * each level on the way up may prefix its own context.
 */

#include "sim/core/types.h"

enum sim_status {
#define SIM_STATUS(name, exit_code, text) SIM_##name,
#include "sim/core/error.def"
#undef SIM_STATUS
};

#define SIM_ERROR_BYTES_MAX 1024

struct sim_error {
    enum sim_status status;
    char message[SIM_ERROR_BYTES_MAX]; /* no trailing newline */
};

/**
 * Records `status` with a message and returns `status`, so that a failing
 * function can end in `return sim_fail(error, SIM_BAD_SCENARIO, ...)`.
 * A message longer than the buffer is cut.
 */
enum sim_status sim_fail(struct sim_error *error, enum sim_status status,
                         const char *format, ...) PRINTF_LIKE(3, 4);

/** Puts "<context>: " before the message and returns the recorded status. */
enum sim_status sim_prefix(struct sim_error *error, const char *format, ...)
    PRINTF_LIKE(2, 3);

/** One line for people: what kind of failure `status` is. */
const char *sim_status_text(enum sim_status status);

/** The exit code of a process that ends with `status`. */
int sim_status_exit_code(enum sim_status status);

#endif
