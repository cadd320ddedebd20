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
 * little late, is missing from its next one; what it did not use is lost. A
 * limit that comes, or is lowered, counts from then on: what was used before is
 * no debt.
 *
 * A group's cap is divided evenly among those of its VMs that want to run
 * (Microsoft, "Virtual Machine Resource Controls"), and a VM's part among its
 * VPs; what one cannot use goes to the others. A VP takes its part when it
 * begins to run and gives back what is left of it, so that VPs that run at the
 * same time do not use the same cycles twice.
 *
 * Design. Refilled when it is looked at, so an account costs nothing while
 * nobody asks; and there is none of VPs whose VM has had neither limit nor
 * reserve. When it gets one, it is known of a VP that runs what it has used of
 * the period in one piece. A VP that may not run is parked, on a list of this
 * file and on none of the policy's, until the next period gives it time, or
 * others of its group give some back.
 */

#include "sim/core/types.h"

struct hv_partition;
struct hv_sched;
struct hv_vp;
struct sched_period;

/** Of a VP, of a CPU group, or of a VM in one. Zero-initialise. */
struct sched_account {
    uint64_t period; /* 1 + number of the period that the rest speaks of; 0:
                        never looked at */
    uint64_t quota;  /* cycles that may be used in it */
    uint64_t used;   /* in it; of a group: what VPs have taken included */
    int64_t debt;    /* used too much before; below 0: what has been used of
                        this period under a higher quota */
};

/** What a running VP has taken of its group's cap. */
struct sched_grant {
    uint64_t period; /* as sched_account.period */
    uint64_t left;   /* cycles */
};

bool sched_period_init(struct hv_sched *sched);
void sched_period_fini(struct hv_sched *sched);

/** When the period after that of `now` begins. */
cycles_t sched_period_next(const struct hv_sched *sched, cycles_t now);

/** False if the limit of `vp` or its group's cap is used up. */
bool sched_period_may_run(struct hv_sched *sched, struct hv_vp *vp,
                          cycles_t now);

/** `vp` runs from `now` on: returns how long it may, before its limit or its
 *  part of its group's cap is used up or the period ends that they speak of.
 *  0: it may not. CYCLES_NEVER: it has neither. */
cycles_t sched_period_start(struct hv_sched *sched, struct hv_vp *vp,
                            cycles_t now);

/** `vp`, running, has run for `ran` until `now`. */
void sched_period_charge(struct hv_sched *sched, struct hv_vp *vp, cycles_t ran,
                         cycles_t now);

/** `vp`, charged, runs no more, or starts again: gives back what it has not
 *  used of its group's cap. */
void sched_period_stop(struct hv_sched *sched, struct hv_vp *vp, cycles_t now);

/** What `vp` has not had yet of its reserve for this period. 0: nothing. */
cycles_t sched_period_reserve_left(struct hv_sched *sched, struct hv_vp *vp,
                                   cycles_t now);

/**
 * Two who are owed so much of their reserves at `now`: one that has an LP, and
 * `next`, that waits (0: nobody who is owed something does). All have the same
 * deadline, the end of the period. Until when the one may go on:
 */
cycles_t sched_period_owed_end(const struct hv_sched *sched, cycles_t owed,
                               cycles_t next, cycles_t now);
/** True if it makes room: else the one that waits, which is owed more, would
 *  not get that in time. */
bool sched_period_owed_yields(const struct hv_sched *sched, cycles_t owed,
                              cycles_t next, cycles_t now);

/** Takes in a VP that may not run, and gives it to the policy when it may;
 *  takes it out before. */
void sched_period_park(struct hv_sched *sched, struct hv_vp *vp, cycles_t now);
void sched_period_unpark(struct hv_sched *sched, struct hv_vp *vp);

/** For vp.c: from now on `vp` wants to run (is ready, or runs), or does not. */
void sched_period_note_wish(struct hv_vp *vp, bool wants);

/** The partition, whose VPs have been charged, gets a limit or a reserve. */
void sched_period_open_accounts(struct hv_partition *partition);

#endif
