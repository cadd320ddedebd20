/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_RESULTS_RESULTS_PRIVATE_H
#define HVSIM_SIM_RESULTS_RESULTS_PRIVATE_H

/** What results.c shares with the files that fill other tables. */

#include "sim/results/results.h"
#include "sim/results/results_file.h"

/** Statements that are executed over and over; their texts are in results.c. */
enum results_statement {
    INSERT_INTERVAL,
    INSERT_INSTANCE,
    BEGIN_PRESENCE,
    END_PRESENCE,
    INSERT_SAMPLE,
    INSERT_TOTAL,
    INSERT_IMAGE,
    INSERT_PARTITION,
    INSERT_RESULT,
    INSERT_CONSOLE,
    INSERT_FAILURE,
    INSERT_INPUT,
    INSERT_EVENT,
    INSERT_WAIT_VP,
    INSERT_WAIT_RULE,
    INSERT_WAIT_HOLDER,
    INSERT_WAIT_BUCKET,
    INSERT_WAIT_CASE,
    INSERT_WAIT_PART,
    ADVANCE_RUN,
    STATEMENT_COUNT,
};

/** An instance of a counter object that is in the file. */
struct known_instance {
    bool present;
    int64_t first_seen, last_seen; /* intervals, of its last presence */
};

struct results {
    sqlite3 *db; /* owned */
    struct results_file file;
    sqlite3_stmt *statement[STATEMENT_COUNT]; /* owned */
    struct sim_clock clock;
    int64_t interval; /* key of the last one put; they count from 1 */
    bool kept;        /* an interval has been committed */
    uint64_t sim_ns;  /* end of the last interval put */
    struct known_instance *known; /* owned; by struct pc_row's `instance` */
    uint32_t known_count;
    uint32_t known_capacity;
    struct sim_error failure; /* SIM_OK until a write has failed */
};

/** INTEGER where it fits, else decimal TEXT, so that no number is changed. */
void results_bind_u64(sqlite3_stmt *row, int column, uint64_t value);

/** Simulated time; int64_t nanoseconds last 292 years. */
void results_bind_time(sqlite3_stmt *row, int column, uint64_t time_ns);

/** `text` must last until the row is put. */
void results_bind_text(sqlite3_stmt *row, int column, const char *text);

/** Executes what has been bound, in the transaction of this interval. */
MUST_USE enum sim_status results_put_row(struct results *results,
                                         sqlite3_stmt *row,
                                         struct sim_error *error);

#endif
