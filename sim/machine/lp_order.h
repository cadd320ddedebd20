/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_MACHINE_LP_ORDER_H
#define HVSIM_SIM_MACHINE_LP_ORDER_H

/**
 * The LPs that have something to run, ordered by local clock and then by
 * number: the first one runs next. Borrows the LPs; whoever moves the clock of
 * one that is here calls lp_order_settle() before another's moves, or the first
 * or the second is asked for. Others may come and go before that.
 */

#include "hypervisor/lp.h"

struct lp_order;

struct lp_order *lp_order_create(uint32_t lp_count); /* NULL: out of memory */
void lp_order_free(struct lp_order *order);

/** The LP with the smallest clock, and the next after it; NULL if none. */
struct hv_lp *lp_order_first(const struct lp_order *order);
struct hv_lp *lp_order_second(const struct lp_order *order);

bool lp_order_contains(const struct lp_order *order, const struct hv_lp *lp);
void lp_order_add(struct lp_order *order, struct hv_lp *lp);

/** The clock of `lp`, which is in the order, has moved. */
void lp_order_settle(struct lp_order *order, struct hv_lp *lp);

/** `lp` has nothing to run any more. */
void lp_order_remove(struct lp_order *order, struct hv_lp *lp);

#endif
