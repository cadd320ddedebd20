/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_CLI_PACE_H
#define HVSIM_SIM_CLI_PACE_H

/**
 * Keeps simulated time from running ahead of real time, for a person at a
 * console: a guest that waits for a key would otherwise be at the end of the
 * run before the key is found. A machine that is slower than real time does
 * not make up for it afterwards, but for a little.
 */

#include "sim/core/types.h"

/** How far simulated time may hurry to catch up, in ns. */
#define PACE_CATCH_UP_NS UINT64_C(100000000)

struct pace {
    uint64_t sim_ns, host_ns; /* the same moment by either clock */
};

/** It is `sim_ns` in the machine and `host_ns` outside. */
void pace_start(struct pace *pace, uint64_t sim_ns, uint64_t host_ns);

/** It is `sim_ns` in the machine and `host_ns` outside: how far simulated time
 *  may have come; before `sim_ns` if it is ahead. */
uint64_t pace_limit(struct pace *pace, uint64_t sim_ns, uint64_t host_ns);

#endif
