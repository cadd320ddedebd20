/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_SCENARIO_SCENARIO_PRIVATE_H
#define HVSIM_SIM_SCENARIO_SCENARIO_PRIVATE_H

/**
 * The steps of reading a scenario: overrides change
 * the document, the reader turns it into a struct scenario by the table of
 * keys, and the checks compare parameters with each other.
 */

#include <stdio.h>

#include "sim/scenario/document.h"
#include "sim/scenario/scenario.h"

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

/* For the checks. */

/* Any number or two, and the longest key. */
#define SCENARIO_PATH_BYTES 80

/** "vms[2].weight" */
const char *scenario_vm_path(char path[static SCENARIO_PATH_BYTES], size_t vm,
                             const char *key);

/** Fails with the place nearest to `path` in the document: "place: path:
 *  message". */
enum sim_status scenario_refuse(const struct document_node *root,
                                struct sim_error *error, const char *path,
                                const char *format, ...) PRINTF_LIKE(4, 5);

/** The place nearest to `path`, to begin a message with: "file:line:column: ".
 */
void scenario_print_place(const struct document_node *root, const char *path,
                          FILE *out);

/** A control that not every scheduler heeds: `flag` of struct hv_sched_ops. */
MUST_USE enum sim_status scenario_check_heeded(const struct scenario *scenario,
                                               const struct document_node *root,
                                               struct sim_error *error,
                                               const char *path, unsigned flag);

/** LPs that the host has. */
MUST_USE enum sim_status scenario_check_lps(const struct scenario *scenario,
                                            const struct document_node *root,
                                            struct sim_error *error,
                                            const char *path,
                                            const struct lp_set *lps);

/** `name` is that of a group, whose index *index becomes. */
MUST_USE enum sim_status scenario_check_group(const struct scenario *scenario,
                                              const struct document_node *root,
                                              struct sim_error *error,
                                              const char *path,
                                              const char *name, int *index);

/** scenario_check_sched.c: groups, and the controls of VMs. Resolves "auto". */
MUST_USE enum sim_status scenario_check_sched(struct scenario *scenario,
                                              const struct document_node *root,
                                              struct sim_error *error);

/** scenario_check_timeline.c: each entry, and all of them played through in
 *  the order of their times. Fills in their places, and resolves "auto". */
MUST_USE enum sim_status
scenario_check_timeline(struct scenario *scenario,
                        const struct document_node *root,
                        struct sim_error *error);
void scenario_note_timeline(const struct scenario *scenario,
                            const struct document_node *root, FILE *notes);

#endif
