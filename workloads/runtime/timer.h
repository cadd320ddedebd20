/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_WORKLOADS_RUNTIME_TIMER_H
#define HVSIM_WORKLOADS_RUNTIME_TIMER_H

/**
 * One interrupt timer per processor: a direct-mode synthetic timer where the
 * hypervisor has them, else the local APIC timer. All calls act on the
 * calling processor.
 */

#include <stdint.h>

#define TIMER_VECTOR 0xec

/** Prepares this processor's timer; the first call finds out frequencies. */
void timer_init(void);

/** Called on each expiry, interrupts off, after the EOI. One for all
 *  processors. */
void timer_set_handler(void (*handler)(void));

/** One expiry at `clock_ns()` time `deadline_ns`, or up to 100 ns later; a
 *  deadline that is past expires at once. A far deadline may expire early:
 *  the caller compares with the clock. Replaces what was set before. */
void timer_set_deadline(uint64_t deadline_ns);

/** An expiry every `period_ns` from now on. */
void timer_set_period(uint64_t period_ns);

void timer_stop(void);

/** "stimer" or "apic": for the console. */
const char *timer_name(void);

#endif
