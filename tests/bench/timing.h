/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_BENCH_TIMING_H
#define HVSIM_TESTS_BENCH_TIMING_H

/** Host time that this process has used, in seconds. */
double timing_cpu_s(void);

/** The median of `count` values, which are sorted then. */
double timing_median(double *values, unsigned count);

#endif
