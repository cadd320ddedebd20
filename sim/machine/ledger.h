/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_MACHINE_LEDGER_H
#define HVSIM_SIM_MACHINE_LEDGER_H

/**
 * Where every cycle of every LP went, booked twice: by LP (guest, hypervisor,
 * idle) and by VP. At the end of a run the two books must agree with the LPs'
 * clocks; a difference fails the run.
 */

#include "sim/core/cost.h"
#include "sim/core/error.h"

struct ledger_lp {
    cycles_t guest, hypervisor, idle;
};

struct ledger_vp {
    cycles_t guest, hypervisor;
};

struct ledger;

/** NULL if out of memory. */
struct ledger *ledger_create(uint32_t lp_count);
void ledger_free(struct ledger *ledger);

/** Books what VP number `vp` cost `lp`. The book of VPs grows as needed. */
void ledger_post(struct ledger *ledger, lp_id_t lp, uint32_t vp, cycles_t guest,
                 cycles_t hypervisor);
/** Books hypervisor time of `lp` that is charged to no VP: choosing and
 *  switching to the next one. */
void ledger_post_switch(struct ledger *ledger, lp_id_t lp, cycles_t hypervisor);
void ledger_post_idle(struct ledger *ledger, lp_id_t lp, cycles_t idle);

/** Counts the kinds of a bill, for the cost report. */
void ledger_count(struct ledger *ledger, const struct cost_bill *bill);

/** How many units of `kind` were billed. */
uint64_t ledger_kind(const struct ledger *ledger, enum cost_kind kind);

struct ledger_lp ledger_lp(const struct ledger *ledger, lp_id_t lp);
struct ledger_vp ledger_vp(const struct ledger *ledger, uint32_t vp);

/**
 * Per LP: guest + hypervisor + idle = elapsed; over all: what LPs spent =
 * what VPs were charged and what was charged to none. SIM_RUN_FAILED with the
 * figures if not.
 */
MUST_USE enum sim_status ledger_check(const struct ledger *ledger,
                                      const cycles_t *elapsed,
                                      uint32_t lp_count,
                                      struct sim_error *error);

#endif
