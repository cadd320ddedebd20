/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_BENCH_TICKER_H
#define HVSIM_TESTS_BENCH_TICKER_H

/** VPs that are models: timer, interrupt, a little work, HLT. */

#include "hypervisor/vp.h"

struct ticker {
    struct hv_vp *vp; /* borrowed from its partition */
    cycles_t elapsed; /* private to ticker.c */
};

/** Adds VMs of four VPs each, `count` in all, which may run anywhere, weighted
 *  by turns where the policy heeds weights. `tickers` are theirs from then on.
 */
void ticker_add_vms(struct hypervisor *hv, struct ticker *tickers,
                    uint32_t count);

#endif
