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

struct thread;

/** Creates a thread on processor `index` (below cpu_count()), before
 *  thread_run_all(). The runtime owns it. */
struct thread *thread_create(uint32_t index, void (*function)(void *),
                             void *argument);

/** Starts all processors, runs every thread to its end and returns then, on
 *  the first processor. Once. */
void thread_run_all(void);

/** Gives way for at least `ns`. On a thread. */
void thread_sleep(uint64_t ns);

/** Gives way until thread_unpark() is called for this thread; returns at once
 *  if it has been since the last time. On a thread. */
void thread_park(void);

/** Lets `thread` go on from thread_park(), or from the next one. On a thread,
 *  of any processor. */
void thread_unpark(struct thread *thread);

#endif
