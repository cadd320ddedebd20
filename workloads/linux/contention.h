/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_WORKLOADS_LINUX_CONTENTION_H
#define HVSIM_WORKLOADS_LINUX_CONTENTION_H

/**
 * The contention benchmark (workloads/contention) as a Linux program:
 * processes as workers, memory from mmap(), sleeping by nanosleep(), and a
 * spin lock in shared memory.
 */

/**
 * Runs it. `words` are arguments NAME=VALUE as our own guest has them
 * (workloads/contention/plan.def); seed is that of the kernel's command line,
 * hvsim.seed, if none is given. Reports the same results, cpu being what the
 * kernel believes. The process's exit code: 2 if an argument is wrong.
 */
int contention_run(int count, char **words);

#endif
