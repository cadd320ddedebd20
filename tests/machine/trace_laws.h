/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_MACHINE_TRACE_LAWS_H
#define HVSIM_TESTS_MACHINE_TRACE_LAWS_H

/**
 * What must hold in every trace, whatever the machine and its guests, as a
 * judge that knows nothing of how the machine works inside: it reads records
 * one by one and says which law the first bad one breaks.
 */

#include <stddef.h>

#include "sim/core/trace.h"

#define LAWS_LPS_MAX 16
#define LAWS_PARTITIONS_MAX 64
#define LAWS_VPS_MAX 8
#define LAWS_IDLE_REMEMBERED 32
#define LAWS_EXIT_KINDS 32 /* enum vm_exit_kind */

struct laws_lp {
    uint64_t last; /* time of its last record */
    int vp;        /* who runs there, as an index of vps; -1: nobody */
    int idle;      /* 1: it has said that it has nothing to run */
    uint64_t idle_since;
    /* Idle times that have ended, in a ring. */
    uint64_t idle_from[LAWS_IDLE_REMEMBERED], idle_to[LAWS_IDLE_REMEMBERED];
    unsigned idle_count;
    uint64_t ran; /* between dispatch and undispatch */
    int last_vp;  /* who was there last; -1: nobody */
    uint64_t switches, idles;
};

struct laws_vp {
    int seen;
    int lp;      /* where it runs; -1: nowhere */
    int last_lp; /* where it ran last; -1: never */
    unsigned state;
    uint64_t ready_since, left_at, dispatched_at;
    uint64_t dispatches, migrations, waited, ran, waited_most;
    uint64_t interrupts, exits[LAWS_EXIT_KINDS];
};

struct laws {
    /* Given. */
    uint32_t lp_count, root_vp_count;
    uint64_t root_partition;
    uint64_t quantum;  /* how far LPs' clocks may be apart */
    uint64_t wake;     /* the most that a dispatch costs */
    uint64_t wait_max; /* the longest that a ready VP may wait */
    /* Found. */
    struct laws_lp lps[LAWS_LPS_MAX];
    struct laws_vp vps[LAWS_PARTITIONS_MAX * LAWS_VPS_MAX];
    size_t records;
    char broken[256]; /* the first law that is broken, and where; "": none */
};

/** Fills in what is found; what is given is set by the caller before. */
void laws_begin(struct laws *laws);
void laws_see(struct laws *laws, const struct trace_record *record);

/** The account of a VP. */
const struct laws_vp *laws_vp(const struct laws *laws, uint64_t partition,
                              uint32_t vp);

#endif
