/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_CLI_FARM_H
#define HVSIM_SIM_CLI_FARM_H

/**
 * Runs this program many times, with other arguments each time, as processes
 * of their own and several at once. Owns the processes and the pipes to them;
 * what they are for is its caller's business. When this process dies, they
 * are told to end too.
 */

#include <signal.h>

#include "sim/core/error.h"

struct farm {
    size_t count;   /* of processes, in all */
    size_t at_once; /* at least 1 */
    const volatile sig_atomic_t
        *stop;   /* not 0: start no more, end the others */
    int tick_ms; /* how often to call `tick`; -1: never */
    void *context;
    /** The arguments of process `index`, ended by NULL; borrowed until its
     *  end(). Called in order. */
    char *const *(*start)(void *context, size_t index);
    /** Process `index` has ended with `wait_status`, as waitpid() has it, and
     *  has written `said` (its beginning) to standard error. */
    void (*end)(void *context, size_t index, int wait_status, const char *said);
    /** Of `count`, `ended` have ended and `running` run. */
    void (*tick)(void *context, size_t ended, size_t running);
};

/**
 * Starts the processes in order and returns when all that were started have
 * ended. SIM_INTERRUPTED if stopped: SIGINT has been sent to those that ran,
 * and no other was started. SIM_UNAVAILABLE if a process could not be started;
 * then the others have been ended likewise.
 */
MUST_USE enum sim_status farm_run(const struct farm *farm,
                                  struct sim_error *error);

#endif
