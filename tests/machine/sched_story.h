/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_MACHINE_SCHED_STORY_H
#define HVSIM_TESTS_MACHINE_SCHED_STORY_H

/**
 * What a machine's scheduler did, told from outside: who ran where and when,
 * who waited and for what, which LP idled, and which controls were in force.
 * Taken from the trace, from hv_host.vp_waited() and from the partitions'
 * properties; made of plain arrays, so that a test can also write a story of
 * its own. Times are in cycles.
 */

#include "hypervisor/partition.h"
#include "tests/machine/script_host.h"

#define STORY_VMS_MAX (SCRIPT_VMS_MAX + 1) /* with the root, which is VM 0 */

/** VP `vp` of VM `vm` was on `lp` in [from, to). */
struct story_run {
    uint32_t lp, vm, vp;
    uint64_t from, to;
    size_t position, end; /* of dispatch and undispatch, in the trace */
    uint64_t expiries;    /* of its timers while it waited: it pays for them at
                             a stretch when it begins */
};

/** It was ready in [from, to), and went to `lp` then. */
struct story_wait {
    uint32_t lp, vm, vp;
    uint64_t from, to;
    uint64_t by_rule[SCHED_RULE_COUNT];
    bool ended; /* false: the run has ended first; `lp` is none */
};

/** The LP had nothing to run in [from, to). */
struct story_idle {
    uint32_t lp;
    uint64_t from, to;
};

/** What is in force for a VM, or will be when it has a partition. */
struct story_control {
    uint64_t weight;        /* 1..10000 */
    uint64_t reserve, cap;  /* of each VP, in 1/65536 of an LP */
    uint64_t group;         /* 0: none */
    uint64_t group_cap;     /* in 1/65536 of the group's LPs */
    uint32_t group_lps;     /* how many those are */
    struct lp_set affinity; /* with the group's LPs */
    bool is_root;           /* whose VP n is on LP root_lps[n] alone */
    uint16_t root_lps[PARTITION_VP_COUNT_MAX];
};

/** Everybody's controls from `time` on, before record `position` comes. */
struct story_controls {
    uint64_t time;
    size_t position;
    struct story_control of[STORY_VMS_MAX];
};

struct story {
    /* The host. */
    uint32_t lp_count, node_count, threads_per_core;
    uint32_t vm_count; /* with the root */
    uint64_t quantum;  /* how far LPs' clocks may be apart */
    struct hv_sched_params params;
    unsigned flags;     /* of the policy: SCHED_* */
    uint64_t end;       /* of the run */
    uint64_t wait_most; /* the longest that a VP may wait: set by the test */
    /* What happened, each in order of time as the machine went through it. */
    struct story_run *runs;
    struct story_wait *waits;
    struct story_idle *idles;
    struct story_controls *controls;
    size_t run_count, wait_count, idle_count, control_count;
    size_t wait_room, control_room;
    /* While it is recorded. */
    struct script_host *host;
};

/** Has the machine, which has not run yet, tell what VPs wait for. One machine
 *  at a time. */
void story_begin(struct story *story, struct script_host *host);
/** Notes the controls as they are now: after a change of any. */
void story_note_controls(struct story *story, uint64_t now);
/** The machine has run: reads its trace. */
void story_end(struct story *story);
void story_free(struct story *story);

/** How long VP `vp` of `vm` ran within [from, to). */
uint64_t story_ran(const struct story *story, uint32_t vm, uint32_t vp,
                   uint64_t from, uint64_t to);

#endif
