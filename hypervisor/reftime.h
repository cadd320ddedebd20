/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_REFTIME_H
#define HVSIM_HYPERVISOR_REFTIME_H

/**
 * A partition's reference time (TLFS, "Partition Reference Time"): 100 ns
 * units since the partition was created, and the page from which a guest
 * computes it without an intercept.
 */

#include "hypervisor/hypervisor.h"

/** 0 before the partition was created: an LP's clock may be behind that. */
reftime_t reftime_now(const struct hv_partition *partition, cycles_t now);

/** The cycle at which the partition's reference time reaches `time`. */
cycles_t reftime_to_cycles(const struct hv_partition *partition,
                           reftime_t time);

/** Writes the reference TSC page in the order that readers rely on. Each page
 *  of a partition's has a sequence that the one before had not: a reader that
 *  one is taken from in the middle finds that out by the next. */
void reftime_write_page(struct hv_partition *partition, spa_t page);

#endif
