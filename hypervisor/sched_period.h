/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_SCHED_PERIOD_H
#define HVSIM_HYPERVISOR_SCHED_PERIOD_H

/**
 * What VPs may use, and are owed, within a period: limits ("caps"), CPU
 * groups' caps and reserves (TLFS 2.0a, chapter 18; the length of the period
 * is not published: hv_sched_params.period).
 *
 * Periods are those of absolute time: [k * period, (k + 1) * period). A limit
 * gives a VP so much of each. What it used too much, because a slice ended a
 * little late, is missing from its next one; what it did not use is lost.
 *
 * Design. Refilled when it is looked at, so an account costs nothing while
 * nobody asks. A VP that may not run is parked, on a list of this file and on
 * none of the policy's, until the next period gives it time.
 */

#include "sim/core/types.h"

struct hv_sched;
struct hv_vp;
struct sched_period;

/** Of a VP, or of a CPU group. Zero-initialise. */
struct sched_account {
    uint64_t period; /* 1 + number of the period that the rest speaks of; 0:
                        never looked at */
    int64_t left;    /* cycles, of the limit; at most 0: may not run */
    uint64_t used;   /* cycles, in this period */
};

bool sched_period_init(struct hv_sched *sched);
void sched_period_fini(struct hv_sched *sched);

/** When the period after that of `now` begins. */
cycles_t sched_period_next(const struct hv_sched *sched, cycles_t now);

/** How long `vp` may run from `now` on before its limit or its group's cap is
 *  used up, or the period ends that they speak of. 0: it may not.
 *  CYCLES_NEVER: it has neither. */
cycles_t sched_period_left(struct hv_sched *sched, struct hv_vp *vp,
                           cycles_t now);

/** What `vp` has not had yet of its reserve for this period. 0: nothing. */
cycles_t sched_period_reserve_left(struct hv_sched *sched, struct hv_vp *vp,
                                   cycles_t now);

/** `vp` has run for `ran` until `now`. */
void sched_period_charge(struct hv_sched *sched, struct hv_vp *vp, cycles_t ran,
                         cycles_t now);

/** Takes in a VP that may not run, and gives it to the policy when it may;
 *  takes it out before. */
void sched_period_park(struct hv_sched *sched, struct hv_vp *vp, cycles_t now);
void sched_period_unpark(struct hv_sched *sched, struct hv_vp *vp);

#endif
