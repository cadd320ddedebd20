/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_WORKLOADS_LINUX_JOB_H
#define HVSIM_WORKLOADS_LINUX_JOB_H

/**
 * A fixed amount of computing, shared out over processes: the same job takes
 * a quarter of the time on four processors, if they are there.
 */

#include <stdint.h>

#define JOB_WORKERS_MAX 256
#define JOB_ITEMS_MAX 1000000000

/** What one item computes: some hundred thousand instructions. */
uint64_t job_item(uint64_t number);

/**
 * Runs items 0 to `items` - 1 in `workers` processes, each of which takes the
 * next item when it is done with one. Reports items (count), elapsed (ns) and
 * checksum (count), which depends on the items alone. The process's exit
 * code: 0 if all went well.
 */
int job_run(unsigned workers, uint64_t items);

#endif
