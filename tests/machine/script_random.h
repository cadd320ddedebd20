/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_MACHINE_SCRIPT_RANDOM_H
#define HVSIM_TESTS_MACHINE_SCRIPT_RANDOM_H

/** Guests made by a random stream. */

#include "sim/core/rng.h"
#include "tests/machine/script_host.h"

/** Uniform in [least, most]. */
uint64_t script_random_between(struct rng *rng, uint64_t least, uint64_t most);

/** A VP of a VM of `vp_count` that always has a timer to wake it and does this
 *  and that for ever; one in four is always busy. Of those that are mortal, one
 *  in forty ends in a triple fault. */
void script_random(struct script *script, struct rng *rng, uint32_t vp,
                   uint32_t vp_count, bool mortal);

#endif
