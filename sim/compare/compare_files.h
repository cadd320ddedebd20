/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_COMPARE_COMPARE_FILES_H
#define HVSIM_SIM_COMPARE_COMPARE_FILES_H

/**
 * A comparison of result files that are there already. Files that differ in
 * their seed alone, and not in hvsim or a guest program either, are runs of one
 * variant; what else differs is said, parameter by parameter.
 */

#include "sim/compare/compare_metric.h"

/** Whether `path` is an SQLite file; false too if it cannot be read. */
bool compare_files_is_database(const char *path);

/** A resolved scenario without the line that has its seed. The caller frees
 *  it. */
char *compare_files_without_seed(const char *yaml);

/**
 * Makes a comparison of the files at `paths` and gives it to the caller, not
 * summarised yet. SIM_NO_INPUT names the file that cannot be used.
 */
MUST_USE enum sim_status compare_files_read(struct comparison **out,
                                            char *const *paths, size_t count,
                                            struct compare_selection *selection,
                                            struct sim_error *error);

#endif
