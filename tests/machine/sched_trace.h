/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_MACHINE_SCHED_TRACE_H
#define HVSIM_TESTS_MACHINE_SCHED_TRACE_H

/**
 * What the scheduler did as text that a person can review: when, on which LP,
 * which VP, what, and by which rule it waited for how long.
 *
 *   [   20 003 800 ns] lp0  vm1/vp0  runs, waited 1 003 800: slice, for vm0/vp0
 *   [   21 000 000 ns] lp0  vm1/vp0  leaves after 996 200, ready
 */

#include <stdio.h>

#include "tests/machine/script_host.h"

/** Writes what happened in [from, to). Clocks run at 1 GHz. */
void sched_trace_write(FILE *to, const struct script_host *host,
                       uint64_t from_ns, uint64_t to_ns);

#endif
