/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_WORKLOADS_RUNTIME_CLOCK_H
#define HVSIM_WORKLOADS_RUNTIME_CLOCK_H

/**
 * The guest's own clock: Hyper-V reference time where there is one, else the
 * TSC with the frequency that CPUID names, else the TSC measured against the
 * PIT. Same value on every processor.
 */

#include <stdint.h>

#define NS_PER_S UINT64_C(1000000000)

/** Needs hyperv_init(). */
void clock_init(void);

/** Nanoseconds since some moment before clock_init(). Never runs backwards on
 *  one processor. */
uint64_t clock_ns(void);

/** "hyperv", "tsc" or "tsc-by-pit": for the console. */
const char *clock_name(void);

/** Spins for `ns`. */
void clock_spin(uint64_t ns);

#endif
