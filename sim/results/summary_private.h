/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_RESULTS_SUMMARY_PRIVATE_H
#define HVSIM_SIM_RESULTS_SUMMARY_PRIVATE_H

/**
 * What the parts of the summary share: for summary*.c.
 */

#include <sqlite3.h>
#include <stdio.h>

#include "sim/core/error.h"
#include "sim/core/types.h"
#include "sim/results/summary_table.h"

/* Objects as the views spell them, ready for a query. */
#define SUMMARY_LP "'Hyper-V Hypervisor Logical Processor'"
#define SUMMARY_VP "'Hyper-V Hypervisor Virtual Processor'"
#define SUMMARY_ROOT_VP "'Hyper-V Hypervisor Root Virtual Processor'"

/* An instance of the VP object is "<VM>:Hv VP <index>"; this is the VM. */
#define SUMMARY_VM_OF_INSTANCE "substr(instance, 1, instr(instance, ':') - 1)"

struct summary {
    FILE *out;
    sqlite3 *db;
    unsigned width; /* 0: no limit */
    bool failed;    /* a query has: */
    char why[SIM_ERROR_BYTES_MAX / 2];
    uint64_t sim_ns; /* of the run */
    int lp_count;
};

/**
 * Has `print` print all there is, its context being `all`, and passes it on to
 * `out` as text from outside, since a file may say anything: text.h.
 * SIM_IO_ERROR if a query has failed.
 */
typedef void summary_print_fn(void *all);
MUST_USE enum sim_status summary_print_all(struct summary *summary,
                                           summary_print_fn *print, void *all,
                                           struct sim_error *error);

/** Prepares `sql`, or notes the failure and returns NULL. */
sqlite3_stmt *summary_query(struct summary *summary, const char *sql);

/** The next row; false at the end, for NULL and after a failure. */
bool summary_next_row(struct summary *summary, sqlite3_stmt *row);

/** The text in `column`, "" for NULL; valid until the next row. */
const char *summary_text(sqlite3_stmt *row, int column);

/** The integer that `sql` asks for; 0 if there is none. */
int summary_count(struct summary *summary, const char *sql);

/** Prints the table and frees it. */
void summary_print_table(struct summary *summary, struct summary_table *table);

#define SUMMARY_DURATION_BYTES 24

/** "1.33 ms": three digits of it. */
void summary_duration(uint64_t ns, char text[static SUMMARY_DURATION_BYTES]);

/** Why the VPs of each VM waited, and how long. */
void summary_print_waits(struct summary *summary);

/** What guests that report at intervals believed, and what the host saw. */
void summary_print_guests(struct summary *summary);

/** How busy each LP and each VM was over the run, in a few lines. */
void summary_print_timeline(struct summary *summary);

#endif
