/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_RESULTS_EXPLAIN_WAIT_PRIVATE_H
#define HVSIM_SIM_RESULTS_EXPLAIN_WAIT_PRIVATE_H

/** Shared by explain_wait.c (what is asked, sentences), explain_wait_tables.c
 *  (figures) and explain_wait_words.c (what things are called). */

#include "sim/results/explain_wait.h"
#include "sim/results/summary_private.h"

struct wait_report {
    struct summary summary; /* where to, how wide, the run */
    const struct explain_wait_scope *scope;
    uint64_t waited_ns; /* by all in the scope, dispatched in the end or not */
};

#define WAIT_VP_BYTES 300

/** "web:Hv VP 0", "Root VP 0"; "nobody" for a NULL `vm`. */
void explain_wait_vp_name(const char *vm, uint32_t vp,
                          char text[static WAIT_VP_BYTES]);

/** What a VP waited for, to follow "it waited": "for its turn on LPs". */
const char *explain_wait_phrase(const char *rule);
/** True if others kept it out: there are holders. */
bool explain_wait_is_contention(const char *rule);
/** What the rule means, as the scheduler says it. */
const char *explain_wait_meaning(const char *rule);
/** Which keys of a scenario bear on it. */
const char *explain_wait_advice(const char *rule);

/** A query whose ?1 and ?2 are the VM and the VP of the scope, or NULL: */
#define WAIT_IN_SCOPE " (?1 IS NULL OR vm = ?1) AND (?2 IS NULL OR vp = ?2) "
sqlite3_stmt *explain_wait_query(struct wait_report *report, const char *sql);

void explain_wait_rules(struct wait_report *report);
void explain_wait_holders(struct wait_report *report);
void explain_wait_histogram(struct wait_report *report);
void explain_wait_worst(struct wait_report *report);

#endif
