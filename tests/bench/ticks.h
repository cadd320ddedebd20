/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_BENCH_TICKS_H
#define HVSIM_TESTS_BENCH_TICKS_H

#include "hypervisor/sched.h"

/** Measures and prints how many dispatches of VPs that only tick the host
 *  simulates in a second by that policy. */
void ticks_print(const struct hv_sched_ops *ops);

#endif
