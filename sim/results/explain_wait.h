/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_RESULTS_EXPLAIN_WAIT_H
#define HVSIM_SIM_RESULTS_EXPLAIN_WAIT_H

/**
 * Why VPs waited, for people: in a sentence per VP, by rule, by who had the LP,
 * as a histogram, and the worst cases; and which keys of the scenario bear on
 * it. It knows the views of a result file and what the rules mean.
 */

#include <sqlite3.h>
#include <stdio.h>

#include "sim/core/error.h"
#include "sim/core/types.h"

/** Whose waits: of all VPs, of one VM's, or of one VP. */
struct explain_wait_scope {
    const char *vm; /* NULL: all; "Root" for the root */
    bool one_vp;    /* of that VM: */
    uint32_t vp;
};

/**
 * Reads what was asked for: `vm` is a VM's name or NULL; `vp` a VP as counters
 * show it ("web:Hv VP 0", "Root VP 0"), in short ("web:0", or "0" with `vm`),
 * or NULL. `buffer`, which must outlive the scope, is where the VM's name goes.
 * SIM_BAD_USAGE says what was expected; SIM_NO_INPUT what there is in `db`.
 */
#define EXPLAIN_WAIT_NAME_BYTES 256
MUST_USE enum sim_status
explain_wait_find(struct explain_wait_scope *scope,
                  char buffer[static EXPLAIN_WAIT_NAME_BYTES], sqlite3 *db,
                  const char *vm, const char *vp, struct sim_error *error);

/** Prints it in lines of at most `width` (0: no limit), where that is
 *  possible. SIM_IO_ERROR if `db` cannot be read. */
MUST_USE enum sim_status
explain_wait_print(FILE *out, sqlite3 *db,
                   const struct explain_wait_scope *scope, unsigned width,
                   struct sim_error *error);

#endif
