/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_MACHINE_WAIT_BOOK_H
#define HVSIM_SIM_MACHINE_WAIT_BOOK_H

/**
 * Why VPs waited: what hypervisor/sched_wait.c tells of each wait, put together
 * by VP. A VP that goes and comes back, as its VM is started again, is the same
 * one: so memory is bounded by the most VPs that each VM had, but for a pointer
 * each time that one is made, as a holder may be gone when the wait ends.
 *
 *   totals     by rule; exact
 *   holders    by who had the LP meanwhile. The busiest of them are told one by
 *              one (at most WAIT_BOOK_HOLDERS, and rarely fewer if there are
 *              more); what the smallest had when there was no more room, and
 *              what nobody had in particular, is the rest, so that all of them
 *              together are the contention, to the cycle.
 *   histogram  of waits that ended with a dispatch: below 1 us, from 1 us
 *              on in powers of two, above 2^23 us (8.4 s). Hyper-V keeps
 *              seven such buckets and publishes no bounds.
 *   worst      the longest waits, in full; of equals the earliest. Those that
 *              no dispatch has ended are among them, also those that have not
 *              ended when the run does.
 */

#include "hypervisor/sched.h"
#include "sim/core/clock.h"
#include "sim/core/error.h"

#define WAIT_BOOK_HOLDERS 64
#define WAIT_BOOK_BUCKETS 25
#define WAIT_BOOK_WORST 20
#define WAIT_BOOK_ROOT UINT32_MAX /* in place of a VM's number */

struct hypervisor;
struct results;
struct wait_book;

/** NULL if out of memory. */
struct wait_book *wait_book_create(struct sim_clock clock);
void wait_book_free(struct wait_book *book);

/** `vp` exists from now on, in VM number `vm` (or WAIT_BOOK_ROOT), whose name
 *  is borrowed. */
void wait_book_add_vp(struct wait_book *book, uint32_t vm, const char *name,
                      const struct hv_vp *vp);
/** `vp` goes away; its counters have their last values. */
void wait_book_vp_gone(struct wait_book *book, const struct hv_vp *vp);

/** A wait has ended. */
void wait_book_post(struct wait_book *book, const struct sched_waited *waited);

/** The run ends at `now`: waits that go on are posted as they stand. Once,
 *  before the rest. */
void wait_book_close(struct wait_book *book, const struct hypervisor *hv,
                     cycles_t now);

/**
 * The laws, to the cycle, of each VP: its time by rule is what its counters
 * have of waiting, by kind; its dispatches are those of its counters and of the
 * histogram; its holders' time is its contention. SIM_RUN_FAILED says which one
 * is broken, where.
 */
MUST_USE enum sim_status wait_book_check(const struct wait_book *book,
                                         struct sim_error *error);

/** Fills the views wait, wait_holder, wait_histogram, wait_worst and
 *  wait_worst_part; once, at the end. */
MUST_USE enum sim_status wait_book_put(const struct wait_book *book,
                                       struct results *results,
                                       struct sim_error *error);

#endif
