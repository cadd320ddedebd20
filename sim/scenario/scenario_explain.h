/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_SCENARIO_SCENARIO_EXPLAIN_H
#define HVSIM_SIM_SCENARIO_SCENARIO_EXPLAIN_H

/**
 * The parameters of a scenario for people: `hvsim explain`, printed from the
 * table of keys.
 */

#include "sim/scenario/scenario_keys.h"
#include "sim/scenario/suggest.h"

/**
 * Explains on `out` each parameter that `what` names: by its path
 * ("vms[].weight", "vms.web.weight") or by the end of it ("weight"), and what
 * is inside if it is a collection; case does not count. NULL explains all.
 * Returns how many were explained; if none, `near` has been offered all the
 * names.
 */
size_t scenario_explain(const char *what, struct suggestion *near, FILE *out);

#endif
