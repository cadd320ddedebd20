/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_ADMISSION_H
#define HVSIM_HYPERVISOR_ADMISSION_H

/**
 * Which reserves can be promised (TLFS 2.0a, chapter 18): the sum over all VPs
 * is never more than there are LPs. The same holds for each set of LPs to which
 * affinities or CPU groups confine partitions: those confined to it, or to a
 * part of it, have not more than its LPs. All sums are exact, in 1/65536 of an
 * LP.
 *
 * A partition with more VPs than it has LPs is promised nothing, and counts
 * nothing: TLFS leaves its reserve without a guarantee.
 */

#include "hypervisor/partition.h"

/** The LPs that the partition's VPs may run on. */
struct lp_set admission_lps(const struct hv_partition *partition);

/** What each VP of the partition is promised. */
uint64_t admission_reserve(const struct hv_partition *partition);

/** What all of them are, if there are `vp_count`, on `lps`. */
uint64_t admission_sum(const struct hv_partition *partition, uint32_t vp_count,
                       const struct lp_set *lps);

/** What can still be promised to VPs that run on `lps`, by all partitions but
 *  `besides`, which may be NULL. */
uint64_t admission_left(const struct hypervisor *hv, const struct lp_set *lps,
                        const struct hv_partition *besides);

/** True if the partition's reserve as it stands can be promised on `lps`. */
bool admission_fits(const struct hv_partition *partition,
                    const struct lp_set *lps);

#endif
