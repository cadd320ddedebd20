/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_RESULTS_FAULT_VFS_H
#define HVSIM_TESTS_RESULTS_FAULT_VFS_H

/**
 * A disk that fails on order, below SQLite: after so many writes every further
 * one fails. It is the default VFS of the process from fault_vfs_install() on.
 */

#include <stdbool.h>

enum fault_kind {
    FAULT_NONE,
    FAULT_FULL,     /* writes beyond the end of a file fail: no space left */
    FAULT_READ_ONLY /* every write fails: a disk that has gone away */
};

struct fault {
    enum fault_kind kind;
    int countdown; /* writes that still succeed */
    bool struck;   /* one has failed */
};

/** Borrows `fault` for the life of the process. */
void fault_vfs_install(struct fault *fault);

#endif
