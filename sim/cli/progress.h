/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_CLI_PROGRESS_H
#define HVSIM_SIM_CLI_PROGRESS_H

/**
 * The line on a terminal that says how far a run has got. Owns nothing but its
 * last time of writing; the command line drives it from the run loop. The
 * host's clock is read here for people's eyes and for `host_ns`; nothing of it
 * can reach the simulation. (Elsewhere it is read in cli_live.c only.)
 */

#include <stdio.h>

#include "sim/core/types.h"

struct progress {
    FILE *out; /* borrowed */
    bool shown;
    uint64_t end_ns;     /* simulated */
    uint64_t started_ns; /* host time */
    uint64_t written_ns; /* host time of the last line; 0: none */
};

/** Whether `out` is a terminal on which a line can be rewritten. */
bool progress_is_possible(FILE *out);

/** Begins now, to end at the simulated time `end_ns` at the latest. */
void progress_start(struct progress *progress, FILE *out, bool shown,
                    uint64_t end_ns);

/** The run has got to `sim_ns`: writes the line, but at most five a second. */
void progress_update(struct progress *progress, uint64_t sim_ns);

/** Writes `line` instead, under the same rule; at once if nothing stands there.
 */
void progress_show(struct progress *progress, const char *line);

/** Takes the line away, for other messages to come. */
void progress_clear(struct progress *progress);

/** Host time since progress_start(). */
uint64_t progress_host_ns(const struct progress *progress);

#define PROGRESS_LINE_BYTES 80

/**
 * The line itself, for a run that has simulated `sim_ns` of `end_ns` in
 * `host_ns` of host time: "0.52 s of 2 s simulated, 1.3 x real time, 1 s left".
 */
void progress_format(char line[static PROGRESS_LINE_BYTES], uint64_t sim_ns,
                     uint64_t end_ns, uint64_t host_ns);

#endif
