/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_MACHINE_TIMED_TRACE_H
#define HVSIM_TESTS_MACHINE_TIMED_TRACE_H

/**
 * A machine's trace as text that a person can review, with the bills between
 * the events: when, on which LP, which VP, what.
 *
 *   [     1 240 ns] lp0 vm0/vp0   exit HLT
 *   [     1 240 ns] lp0 vm0/vp0     + 950 ns hypervisor: VMEXIT, EXIT_DISPATCH
 *
 * A program that uses it is linked with --wrap=ledger_count: each bill passes
 * there when it is priced. Clocks run at 1 GHz (script_host.h).
 */

#include <stdio.h>

#include "tests/machine/script_host.h"

/** Notes each bill of this machine's run; one machine at a time. */
void timed_trace_begin(struct script_host *host);

/**
 * Writes what happened from the first exit of kind `from` by a VM's VP after
 * its `skip` exits of that kind, until the first CPUID exit that follows.
 */
void timed_trace_write(FILE *to, const struct script_host *host,
                       enum vm_exit_kind from, unsigned skip);

/** Forgets the bills. */
void timed_trace_end(void);

#endif
