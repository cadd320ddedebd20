/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_MACHINE_MACHINE_H
#define HVSIM_SIM_MACHINE_MACHINE_H

/**
 * A whole simulated host, built from a scenario: hypervisor, root partition,
 * VMs, cost model, counters. Everything hangs off one struct machine, and two
 * machines can live in one process.
 */

#include <signal.h>
#include <sqlite3.h>
#include <time.h>

#include "sim/core/error.h"
#include "sim/results/results.h"
#include "sim/scenario/scenario.h"

struct machine;

/**
 * Somebody at the console of a VM while the machine runs: a terminal, a pipe.
 * Called between steps of the machine only. What is typed is put into the
 * results with its simulated time; nothing else of the outside can reach them.
 */
struct machine_console {
    uint32_t vm;   /* number, entries of the scenario counted `count` times */
    void *context; /* borrowed */
    /** The guest has printed a byte. */
    void (*put)(void *context, uint8_t byte);
    /** Writes what has been typed since the last call, at most `most` bytes,
     *  and returns how many. `most` is 0 when the run keeps no more. */
    size_t (*get)(void *context, uint8_t *bytes, size_t most);
    /** Simulated time stands at `now_ns` and is to go on to `next_ns`, which is
     *  later. Returns how far it may go, and may have waited for that. */
    uint64_t (*wait)(void *context, uint64_t now_ns, uint64_t next_ns);
    /** Whether the run is to end between steps, so that it can be repeated;
     *  and whether that takes too long, and it is to end within one. */
    bool (*is_left)(void *context);
    bool (*must_end)(void *context);
};

struct machine_run_options {
    const volatile sig_atomic_t *stop; /* not 0: end soon; may be NULL */
    /** Called at least once a sample interval; may be NULL. */
    void (*progress)(void *context, uint64_t sim_ns);
    void *progress_context;
    const struct machine_console *console; /* may be NULL */
};

/** Builds what `scenario` describes. Borrows both for its life; `results` may
 *  be NULL, and then nothing is recorded. */
MUST_USE enum sim_status machine_create(struct machine **out,
                                        const struct scenario *scenario,
                                        struct results *results,
                                        struct sim_error *error);
void machine_free(struct machine *machine);

/**
 * Runs to the end of the scenario and puts samples, totals and what the guests
 * report into the results, committed interval by interval. SIM_INTERRUPTED if
 * stopped; SIM_RUN_FAILED if an invariant or a guest failed. In both cases
 * what was recorded is complete as far as the run got.
 */
MUST_USE enum sim_status machine_run(struct machine *machine,
                                     const struct machine_run_options *options,
                                     struct sim_error *error);

/** Whether there is a guest program for each VM of `scenario`. SIM_NO_INPUT
 *  names the first that is not there. */
MUST_USE enum sim_status machine_images_check(const struct scenario *scenario,
                                              struct sim_error *error);

/**
 * Whether a run of `scenario`, whose results `db` are, found the guest programs
 * that are there now, by the view image; and disk images that have not changed
 * after `made_at`, when the results were made. False too if one cannot be read.
 */
bool machine_images_match(const struct scenario *scenario, sqlite3 *db,
                          struct timespec made_at);

/** How many bytes that were typed at the console of VM number `vm`, called
 *  `*name`, its guest has never read; SIZE_MAX if there is no such VM. */
size_t machine_unread(const struct machine *machine, uint32_t vm,
                      const char **name);

uint64_t machine_now_ns(const struct machine *machine); /* simulated */
uint64_t machine_trace_hash(const struct machine *machine);

/** Guest instructions executed by all VPs. */
uint64_t machine_instructions(const struct machine *machine);

/** Host memory behind the simulated memory that has been touched. */
uint64_t machine_touched_bytes(const struct machine *machine);

#endif
