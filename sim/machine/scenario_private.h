/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_MACHINE_SCENARIO_PRIVATE_H
#define HVSIM_SIM_MACHINE_SCENARIO_PRIVATE_H

/**
 * The steps of reading a scenario, for scenario_read.c alone: overrides change
 * the document, the reader turns it into a struct scenario by the table of
 * keys, and the checks compare parameters with each other.
 */

#include "sim/machine/document.h"
#include "sim/machine/scenario.h"

/**
 * Puts the override's value into the document, in the place of what stands
 * there or as a new key. Whether the key exists and takes such a value is for
 * the reader to say, as for any other.
 */
MUST_USE enum sim_status
scenario_override_apply(struct document_node *root,
                        const struct scenario_override *override,
                        struct sim_error *error);

/**
 * Checks what no parameter can tell alone, resolves "auto", and writes
 * `scenario->notes`. `root` is where places in messages come from.
 */
MUST_USE enum sim_status scenario_check(struct scenario *scenario,
                                        const struct document_node *root,
                                        struct sim_error *error);

/** The checks of `scenario->validation`. */
MUST_USE enum sim_status
scenario_validation_check(const struct scenario *scenario,
                          const struct document_node *root,
                          struct sim_error *error);

#endif
