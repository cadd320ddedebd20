/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_BENCH_CELLS_H
#define HVSIM_TESTS_BENCH_CELLS_H

#include "hypervisor/sched.h"

/** Measures and prints what a dispatch by that policy costs the host, by
 * numbers of LPs and VPs. */
void cells_print(const struct hv_sched_ops *ops);

#endif
