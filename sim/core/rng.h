/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_CORE_RNG_H
#define HVSIM_SIM_CORE_RNG_H

/**
 * Randomness as an argument. Each component is born with a stream of its own,
 * derived from its parent's key and its name, so adding a device does not
 * shift another's numbers. Philox 4x64 (Random123), counter based.
 */

#include "sim/core/types.h"

struct rng {
    uint64_t key[2];
    uint64_t counter;
};

/** The root stream of a run. */
struct rng rng_from_seed(uint64_t seed);

/** A stream that depends on the parent's key and on `name` alone. */
struct rng rng_fork(const struct rng *parent, const char *name);

uint64_t rng_next(struct rng *rng);

/** Uniform in [0, bound); bound must be positive. Without modulo bias. */
uint64_t rng_below(struct rng *rng, uint64_t bound);

#endif
