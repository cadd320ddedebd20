/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_RESULTS_RESULTS_FILE_H
#define HVSIM_SIM_RESULTS_RESULTS_FILE_H

/**
 * A file that is being made: it never overwrites another by accident, and
 * replaces one only when it is complete. For all who write.
 */

#include "sim/core/error.h"

struct results_file {
    char *path;      /* as its user wrote it, for messages */
    char *target;    /* where the finished file goes */
    char *work_path; /* where it is written; equal to target for a new file */
};

/**
 * Claims `path` by creating an empty file: itself, or where it exists and
 * `replace` is set, "<path>.partial-<pid>". SIM_NO_OUTPUT says why it cannot
 * be; then there is nothing to release. Otherwise one of the three below takes
 * the file.
 */
MUST_USE enum sim_status results_file_claim(struct results_file *file,
                                            const char *path, bool replace,
                                            struct sim_error *error);

/** `path` so that it is a path to SQLite too, to which ":memory:" and names
 *  that begin with "file:" mean something else. The caller frees it. */
char *results_file_anchor(const char *path);

/** True if the finished file takes another's place. */
bool results_file_replaces(const struct results_file *file);

/** The file is complete and closed: forces it to the disk, puts it in place. */
MUST_USE enum sim_status results_file_finish(struct results_file *file,
                                             struct sim_error *error);

/** The file stays where and as it is. */
void results_file_leave(struct results_file *file);

/** The file is removed, and what SQLite may have left beside it. */
void results_file_discard(struct results_file *file);

#endif
