/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_MACHINE_COST_MODEL_H
#define HVSIM_SIM_MACHINE_COST_MODEL_H

/**
 * Prices a bill. Three models: "null" (all is free: functional debugging),
 * "unit" (each kind costs one cycle: tests) and "table" (a profile, in which
 * every price names its source). Read-only after creation.
 */

#include "sim/core/cost.h"
#include "sim/core/error.h"

/** How a price was come by. */
enum cost_basis {
    COST_MEASURED,  /* on the hardware that the source names */
    COST_PUBLISHED, /* a vendor's or author's figure, not measured by us */
    COST_ESTIMATED, /* reasoned from the source named; no figure exists */
};

struct cost_price {
    uint32_t subcycles; /* of one unit, 1/256 cycle */
    enum cost_basis basis;
    const char *source; /* never empty */
};

struct cost_profile {
    const char *name; /* "reference-2020" */
    const char *help;
    struct cost_price price[COST_KIND_COUNT];
};

struct cost_model {
    const struct cost_profile *profile; /* what "table" goes by */
    struct {
        uint32_t subcycles; /* of one unit */
        enum cost_party party;
    } kinds[COST_KIND_COUNT];
};

/** What a bill comes to, by whom it is charged to. */
struct cost_total {
    uint64_t guest_subcycles;
    uint64_t hypervisor_subcycles;
    uint64_t idle_subcycles;
};

/** The model called `timing`, with the profile called `profile`.
 *  SIM_BAD_SCENARIO if either is unknown. */
MUST_USE enum sim_status cost_model_init(struct cost_model *model,
                                         const char *timing,
                                         const char *profile,
                                         struct sim_error *error);

/** Pure: the same bill always costs the same. */
struct cost_total cost_model_price(const struct cost_model *model,
                                   const struct cost_bill *bill);

/** The profile of that name, or NULL. */
const struct cost_profile *cost_profile_find(const char *name);

/** The profiles in order: start with NULL; NULL at the end. */
const struct cost_profile *cost_profile_next(const struct cost_profile *after);

/** How many of its prices are estimates. */
unsigned cost_profile_estimates(const struct cost_profile *profile);

/** "measured", "published" or "estimated" */
const char *cost_basis_name(enum cost_basis basis);

#endif
