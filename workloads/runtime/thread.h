/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_WORKLOADS_RUNTIME_THREAD_H
#define HVSIM_WORKLOADS_RUNTIME_THREAD_H

/**
 * Kernel threads. Each belongs to one processor for life; a processor runs
 * its threads round robin, in slices of THREAD_SLICE_NS where more than one
 * can run, and halts where none can. There is no periodic tick.
 */

#include <stdint.h>

#define THREAD_SLICE_NS 4000000

/** Creates a thread on processor `index` (below cpu_count()), before
 *  thread_run_all(). */
void thread_create(uint32_t index, void (*function)(void *), void *argument);

/** Starts all processors, runs every thread to its end and returns then, on
 *  the first processor. Once. */
void thread_run_all(void);

/** Gives way for at least `ns`. On a thread. */
void thread_sleep(uint64_t ns);

#endif
