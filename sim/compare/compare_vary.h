/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_COMPARE_COMPARE_VARY_H
#define HVSIM_SIM_COMPARE_COMPARE_VARY_H

/**
 * `--vary PATH=V1,V2,…`: the parameters that a comparison varies, and the
 * variants that this makes: each value of the one with each of the other, the
 * last --vary changing fastest.
 */

#include "sim/compare/compare.h"

#define COMPARE_VARIANTS_MAX 10000

struct compare_vary;

/** The caller owns it. */
struct compare_vary *compare_vary_create(void);
void compare_vary_free(struct compare_vary *vary);

/**
 * Adds a --vary. Values stand between commas; commas within brackets, braces
 * or double quotes belong to the value. SIM_BAD_USAGE: no path, an empty
 * value, a value or path that was there before, the seed, too many variants.
 */
MUST_USE enum sim_status compare_vary_add(struct compare_vary *vary,
                                          const char *text,
                                          struct sim_error *error);

/** One without any --vary. */
size_t compare_vary_count(const struct compare_vary *vary);

/**
 * Adds variant `index` to the comparison: its label, made of what tells the
 * parameters apart ("weight=200 timeslice=1ms"), and its parameters.
 */
struct compare_variant *compare_vary_variant(const struct compare_vary *vary,
                                             size_t index,
                                             struct comparison *comparison);

#endif
