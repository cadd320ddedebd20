/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_PERFCOUNTERS_PC_QUOTIENT_H
#define HVSIM_PERFCOUNTERS_PC_QUOTIENT_H

/**
 * The one place where counters leave the integers.
 */

__extension__ typedef unsigned __int128 pc_wide_t;

/**
 * The double nearest to numerator / denominator, ties to even; 0 if the
 * denominator is 0. The denominator must be below 2^127.
 */
double pc_quotient(pc_wide_t numerator, pc_wide_t denominator);

#endif
