/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_RESULTS_RESULTS_H
#define HVSIM_SIM_RESULTS_RESULTS_H

/**
 * The result database of one run: a single SQLite file whose stable face are
 * the views run, image, partition, perf, perf_total, result, console, input,
 * failure, event, guest_view, wait and its kin (results_schema.h;
 * results_wait.h puts the last). The machine writes it, an interval
 * at a time; everything else reads the views.
 *
 * Bytes. The same calls in the same order make the same file with the same
 * version of SQLite, but for the page that holds host_ns. Nothing is written
 * that the caller did not hand over; there is no clock and no randomness here.
 *
 * Interruptions. Each results_commit() is one transaction under a rollback
 * journal (journal_mode DELETE): a process that is killed, or a disk that is
 * full, costs the interval at hand and nothing else, and there is one file,
 * with no companions once it is closed. WAL would leave two more files behind
 * a killed run and does not work on network file systems. Nothing is forced to
 * the disk before the end (synchronous OFF), since a run can be repeated
 * exactly; only a crash of the whole host can damage an unfinished file.
 *
 * Replacing. A new file is written under its own name, readable all the while.
 * A file that is to replace another is written beside it, as
 * "<path>.partial-<pid>", and takes its place in one step at results_finish().
 *
 * Failures to write are SIM_IO_ERROR with the path and are remembered: every
 * later call but results_abandon() fails the same way.
 */

#include <sqlite3.h>

#include "perfcounters/pc_report.h"
#include "sim/core/clock.h"
#include "sim/core/error.h"
#include "sim/core/trace.h"

struct results;

/** What identifies a run; borrowed for the call. */
struct results_run {
    const char *name;
    const char *scenario_yaml; /* with every parameter resolved */
    uint64_t seed;
    const char *version;        /* of hvsim */
    const char *engine_version; /* of the emulator below it */
    const char *profile;        /* of prices */
    struct sim_clock clock;     /* makes nanoseconds of events' times */
};

/** What is known when a run ends. */
struct results_end {
    uint64_t sim_ns;
    uint64_t host_ns; /* the only figure that two equal runs differ in */
    uint64_t trace_hash;
};

/**
 * Creates the database at `path` and gives it to the caller. A file that is
 * there already is refused (SIM_NO_OUTPUT) unless `replace` is set; a path
 * where nothing can be created is SIM_NO_OUTPUT too. On failure `*out` is NULL
 * and no file has been left.
 */
MUST_USE enum sim_status results_create(struct results **out, const char *path,
                                        bool replace, struct sim_error *error);

/** Writes and commits the row of the view "run", incomplete until
 *  results_finish(). To be called once, before anything else is put. */
MUST_USE enum sim_status results_put_run(struct results *results,
                                         const struct results_run *run,
                                         struct sim_error *error);

/**
 * Adds a guest program to the view "image". Guest programs are compiled where
 * hvsim is built, so that another compiler makes other programs and these other
 * results of the same scenario: the hash, of the file's bytes, tells such runs
 * apart. It is shown as `xxhsum -H64` shows it.
 */
MUST_USE enum sim_status results_put_image(struct results *results,
                                           const char *name, uint64_t bytes,
                                           uint64_t hash,
                                           struct sim_error *error);

/** Adds the partition that is VM `vm` from now on to the view "partition", if
 *  it is not there yet. */
MUST_USE enum sim_status results_put_partition(struct results *results,
                                               uint64_t partition,
                                               const char *vm,
                                               struct sim_error *error);

/** Adds one interval to the view "perf". */
MUST_USE enum sim_status results_put_sample(struct results *results,
                                            const struct pc_sample *sample,
                                            struct sim_error *error);

/** Fills the view "perf_total"; once, at the end. */
MUST_USE enum sim_status results_put_total(struct results *results,
                                           const struct pc_sample *sample,
                                           struct sim_error *error);

/**
 * Adds what a guest reported from `time_ns` on to the views "result" and
 * "guest_view". `value` is a decimal number
 * of at most 18 digits before and 9 after the point, and is stored as INTEGER
 * if it is integral, else as REAL; `name` is of [a-z0-9_.-], at most 64;
 * `unit` is of printable ASCII without blanks, at most 16. A guest may have
 * sent anything: what does not fit is SIM_RUN_FAILED, and nothing is stored.
 */
MUST_USE enum sim_status results_put_result(struct results *results,
                                            const char *vm, uint64_t time_ns,
                                            const char *name, const char *value,
                                            const char *unit,
                                            struct sim_error *error);

/** Adds a line that a VM's console has completed to the view "console". `line`
 *  is printable ASCII. */
MUST_USE enum sim_status results_put_console(struct results *results,
                                             const char *vm, uint64_t time_ns,
                                             const char *line,
                                             struct sim_error *error);

/** Adds a VM to the view "failure", with what its guest had to say besides, in
 *  lines; "" if nothing. All of it is printable ASCII. */
MUST_USE enum sim_status results_put_failure(struct results *results,
                                             const char *vm, uint64_t time_ns,
                                             const char *reason,
                                             const char *text,
                                             struct sim_error *error);

/** Adds what was typed at a VM's console, at once, to the view "input". */
MUST_USE enum sim_status results_put_input(struct results *results,
                                           const char *vm, uint64_t time_ns,
                                           const uint8_t *bytes, size_t count,
                                           struct sim_error *error);

/**
 * Adds a record to the view "event". This is a trace_sink_fn, whose context is
 * the struct results; a failure shows at the next results_commit().
 */
void results_put_event(void *context, const struct trace_record *record);

/** What has been put so far stays, whatever happens from here on. */
MUST_USE enum sim_status results_commit(struct results *results,
                                        struct sim_error *error);

/**
 * Completes the row of "run", commits, forces the file to the disk and, where
 * it replaces another, puts it in its place. Takes `results`, also on failure.
 */
MUST_USE enum sim_status results_finish(struct results *results,
                                        const struct results_end *end,
                                        struct sim_error *error);

/**
 * The run has failed: closes the file. A new file keeps what was committed,
 * unless no interval was; a file that was to replace another is removed, and
 * the other stays. Takes `results`; does nothing for NULL.
 */
void results_abandon(struct results *results);

/**
 * Opens the finished or interrupted result file at `path` for reading and
 * gives the connection to the caller (sqlite3_close()). SIM_NO_INPUT if there
 * is no such file or it is not a result file of this version of hvsim. Queries
 * may order by COLLATE by_number: "Hv LP 2" comes before "Hv LP 10".
 */
MUST_USE enum sim_status results_open(sqlite3 **out, const char *path,
                                      struct sim_error *error);

/** A kind of database, by what its header says. */
struct results_kind {
    const char *name; /* "result file" */
    int application_id;
    int schema_version;
};

/** The same for a database of another kind. */
MUST_USE enum sim_status results_open_kind(sqlite3 **out, const char *path,
                                           const struct results_kind *kind,
                                           struct sim_error *error);

#endif
