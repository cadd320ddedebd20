/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_PLOT_PLOT_TIMELINE_PRIVATE_H
#define HVSIM_SIM_PLOT_PLOT_TIMELINE_PRIVATE_H

/**
 * A timeline between its two files: plot_timeline.c, which reads it and
 * chooses the colours, and plot_boxes.c, which writes it down.
 */

#include "sim/plot/plot_private.h"

#define PLOT_NAME_BYTES 80

/** A VP's time on an LP. */
struct plot_box {
    uint64_t from_ns;
    uint64_t to_ns;
    uint32_t lp;
    struct plot_runner *who;
};

/** A partition, and the first that its VM had: each start makes another. */
struct plot_life {
    uint64_t partition;
    uint64_t first;
};

/** A VP that ran, in whichever life of its VM. */
struct plot_runner {
    uint64_t partition; /* the first of its VM */
    uint64_t vp;
    uint64_t ns; /* in the span */
    size_t group;
};

/** What has a colour: a VP, a VM, the root, or the others. */
struct plot_group {
    char name[PLOT_NAME_BYTES];
    uint64_t partition;
    uint64_t ns;
    const char *colour;
};

struct plot_timeline {
    sqlite3 *db;
    struct plot_span span;
    struct plot_box *boxes; /* owned; by time of their end */
    size_t box_count;
    struct plot_life *lives; /* owned; by partition */
    size_t life_count;
    struct plot_runner *runners; /* owned; by partition, then VP */
    size_t runner_count;
    struct plot_group *groups; /* owned */
    size_t group_count;
    uint32_t lp_count;
    /* While reading: the box that is open on each LP. */
    struct plot_box *open; /* owned; from_ns UINT64_MAX: none */
    bool had_events;
};

/** Writes the script. */
MUST_USE enum sim_status plot_boxes_put(const struct plot *plot,
                                        const struct plot_timeline *timeline,
                                        struct sim_error *error);

#endif
