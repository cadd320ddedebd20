/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_MACHINE_LP_HEAP_H
#define HVSIM_SIM_MACHINE_LP_HEAP_H

/**
 * The LPs that have something to run, ordered by local clock and then by
 * number: the first one runs next. Borrows the LPs; whoever moves the clock of
 * one that is here calls lp_heap_settle() before another's moves, or the first
 * or the second is asked for. Others may come and go before that.
 */

#include "hypervisor/lp.h"

struct lp_heap;

struct lp_heap *lp_heap_create(uint32_t lp_count); /* NULL: out of memory */
void lp_heap_free(struct lp_heap *heap);

/** The LP with the smallest clock, and the next after it; NULL if none. */
struct hv_lp *lp_heap_first(const struct lp_heap *heap);
struct hv_lp *lp_heap_second(const struct lp_heap *heap);

bool lp_heap_contains(const struct lp_heap *heap, const struct hv_lp *lp);
void lp_heap_add(struct lp_heap *heap, struct hv_lp *lp);

/** The clock of `lp`, which is in the heap, has moved. */
void lp_heap_settle(struct lp_heap *heap, struct hv_lp *lp);

/** `lp` has nothing to run any more. */
void lp_heap_remove(struct lp_heap *heap, struct hv_lp *lp);

#endif
