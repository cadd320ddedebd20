/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_SCENARIO_SCENARIO_SCHEMA_H
#define HVSIM_SIM_SCENARIO_SCENARIO_SCHEMA_H

/**
 * The parameters of a scenario for editors: `hvsim schema`, printed from the
 * table of keys.
 */

#include <stdio.h>

/** Prints the JSON Schema (draft-07) of scenario files. */
void scenario_schema_print(FILE *out);

#endif
