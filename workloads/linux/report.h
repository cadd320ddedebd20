/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_WORKLOADS_LINUX_REPORT_H
#define HVSIM_WORKLOADS_LINUX_REPORT_H

/**
 * Lines of the results channel (workloads/README.md) on standard output, which
 * is the console. A line is one write, so that no other process's output gets
 * into it.
 */

#include <stdint.h>

/** "hvsim: result NAME VALUE UNIT" */
void report_result(const char *name, uint64_t value, const char *unit);

/** The same for hundredths: 1234 is written as 12.34. */
void report_hundredths(const char *name, uint64_t hundredths, const char *unit);

/** "hvsim: fail TEXT": the run fails and shows the text, a printf format. */
__attribute__((format(printf, 1, 2))) void report_fail(const char *format, ...);

/** Waits until all is on the console. */
void report_flush(void);

/** CLOCK_MONOTONIC. */
uint64_t report_clock_ns(void);

#endif
