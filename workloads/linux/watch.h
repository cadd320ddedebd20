/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_WORKLOADS_LINUX_WATCH_H
#define HVSIM_WORKLOADS_LINUX_WATCH_H

/**
 * The kernel's own idea of how busy it is, at intervals: what a task manager
 * inside the VM would show.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** Time of all processors since boot, in units of USER_HZ (10 ms), from the
 *  first line of /proc/stat (proc(5)). */
struct watch_times {
    uint64_t busy;   /* user, nice, system, irq, softirq */
    uint64_t idle;   /* idle, iowait */
    uint64_t stolen; /* steal: given to others, as far as the kernel knows */
};

/** Reads the line "cpu  USER NICE SYSTEM IDLE IOWAIT IRQ SOFTIRQ STEAL ...";
 *  false if it is none. */
bool watch_parse(const char *line, struct watch_times *times);

/** Hundredths of a percent that were busy between the two; 0 if no time is
 *  between them. */
uint64_t watch_utilization(const struct watch_times *from,
                           const struct watch_times *to);

/**
 * Reports clock (ns), stat_busy, stat_idle and stat_stolen (ms since boot), now
 * and after every interval, for ever; then also cpu_utilization (%), of the
 * interval. Comes back only if /proc/stat cannot be read.
 */
void watch_run(uint64_t interval_ns);

#endif
