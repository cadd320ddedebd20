/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_CORE_COST_H
#define HVSIM_SIM_CORE_COST_H

/**
 * What happened, in kinds and counts, without prices: the seam between
 * function and cost. Functional code notes on a bill; a cost model
 * (sim/machine/cost_model.h) prices the bill; the run loop alone turns the
 * price into time.
 */

#include "sim/core/types.h"

enum cost_kind {
#define COST(id, party, help) COST_##id,
#include "sim/core/cost_kinds.def"
#undef COST
    COST_KIND_COUNT,
};

/** Whose time a kind takes: "% Guest Run Time" and its like derive from it. */
enum cost_party {
    COST_PARTY_GUEST,      /* the VP's own run time: guest or root code */
    COST_PARTY_HYPERVISOR, /* hypervisor time on behalf of the current VP */
    COST_PARTY_IDLE,       /* the LP's, in which it executes nothing yet */
};

#define COST_PARTY_COUNT (COST_PARTY_IDLE + 1)

#define COST_BILL_WORDS ((COST_KIND_COUNT + 63) / 64)

/** Zero-initialise. `used` marks the kinds with a count, so that pricing and
 *  clearing cost what is on the bill and not what could be. */
struct cost_bill {
    uint64_t used[COST_BILL_WORDS];
    uint32_t count[COST_KIND_COUNT]; /* valid only where `used` says so */
};

static inline void cost_note(struct cost_bill *bill, enum cost_kind kind,
                             uint32_t count)
{
    uint64_t *word = &bill->used[kind / 64];
    uint64_t bit = UINT64_C(1) << (kind % 64);

    bill->count[kind] = (*word & bit ? bill->count[kind] : 0) + count;
    *word |= bit;
}

static inline void cost_bill_clear(struct cost_bill *bill)
{
    for (unsigned i = 0; i < COST_BILL_WORDS; i++)
        bill->used[i] = 0;
}

/** How often `kind` is on the bill. */
uint32_t cost_count(const struct cost_bill *bill, enum cost_kind kind);

/** Adds all of `from` to `to`. */
void cost_bill_add(struct cost_bill *to, const struct cost_bill *from);

const char *cost_kind_name(enum cost_kind kind); /* "VMEXIT" */
const char *cost_kind_help(enum cost_kind kind);
enum cost_party cost_kind_party(enum cost_kind kind);

/**
 * Guest code is priced in fractions of a cycle, so that the price of a block
 * is the sum of its instructions' however the engine cuts it into blocks.
 */
#define SUBCYCLES_PER_CYCLE 256

#endif
