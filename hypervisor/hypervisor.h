/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_HYPERVISOR_H
#define HVSIM_HYPERVISOR_HYPERVISOR_H

/**
 * The hypervisor of one host: its logical processors, its partitions and their
 * virtual processors, system memory and the scheduler. Created by
 * sim/machine/machine.c and driven by sim/machine/run.c.
 *
 * Nothing here turns cost into time: handlers note what they did on the bill
 * of their struct hv_context and read no clock but its `now`.
 */

#include "cpu/arena.h"
#include "cpu/engine.h"
#include "hypervisor/sched.h"
#include "hypervisor/vp_names.h"
#include "sim/core/clock.h"
#include "sim/core/cost.h"
#include "sim/core/event_queue.h"
#include "sim/core/host_pool.h"
#include "sim/core/trace.h"
#include "sim/core/types.h"

struct cpu_group;
struct hv_lp;
struct hypercall;
struct hv_memory;
struct hv_partition;
struct hv_vp;

/** What the hypervisor needs from whoever runs the machine. */
struct hv_host {
    void *context; /* borrowed */

    /** An intercept of a VP that executes x86 code: the run loop settles the
     *  guest's time and then calls intercept_handle(). */
    enum engine_verdict (*on_exit)(void *context, struct hv_vp *vp,
                                   const struct vm_exit *exit);
    /** A hypercall of a VP that is a model (the root's): settled and counted
     *  like an intercept; the result is in `call` on return. */
    void (*on_model_hypercall)(void *context, struct hv_vp *vp,
                               struct hypercall *call);
    /** As in struct engine_host. */
    uint32_t (*price_block)(void *context, const struct cost_bill *bill);

    /** As engine_host's: guest code is to be left as soon as may be. May be
     *  NULL. */
    bool (*stop_wanted)(void *context);
    /** An LP that idled has a VP on its run list from time `at` on. */
    void (*lp_ready)(void *context, struct hv_lp *lp, cycles_t at);
    /** A VP's wait has ended: it is dispatched. May be NULL. */
    void (*vp_waited)(void *context, const struct sched_waited *waited);
    /** The VP has come to be, the root's included: its counters count from
     *  now on. */
    void (*vp_added)(void *context, struct hv_vp *vp);
    /** The VP is about to be freed: its counters have their last values. */
    void (*vp_gone)(void *context, struct hv_vp *vp);
    /** What is due when has changed for a VP that runs (by an access to its
     *  APIC page, which is no intercept, or by its LP being called): its limit
     *  may have to come down. */
    void (*limit_changed)(void *context, struct hv_vp *vp);
};

struct hv_node_config {
    uint32_t lp_count;
    uint64_t memory_bytes;
};

struct hv_config {
    struct sim_clock clock;
    const struct hv_node_config *nodes; /* borrowed during creation */
    uint32_t node_count;
    uint32_t threads_per_core; /* LPs of a core, by number; 0: as 1. A node's
                                  LPs are whole cores */
    const struct hv_sched_ops *sched_ops;
    struct hv_sched_params sched_params;
};

struct hypervisor {
    struct sim_clock clock;
    struct hv_host host;
    struct event_queue *events;  /* borrowed from the machine */
    struct trace *trace;         /* borrowed from the machine */
    struct arena *arena;         /* owns */
    struct engine_pool *engines; /* owns */
    struct hv_memory *memory;    /* owns */
    struct hv_lp *lps;           /* owns, lp_count */
    uint32_t lp_count;
    uint32_t threads_per_core;
    uint32_t node_count;
    struct lp_set *node_lps;  /* owns, node_count */
    struct cpu_group *groups; /* owns */
    struct hv_sched sched;
    struct hv_partition **partitions; /* owns; by creation order */
    uint32_t partition_count;
    uint64_t next_partition_id;
    struct vp_names vp_names;                 /* written by vp_life.c */
    struct host_pool partition_pool, vp_pool; /* own; of their memory */
    struct hv_partition *root; /* borrowed: the first partition */
    /* Counters are read then: what lies behind is put aside, to be counted
     * after it. Written by the machine; CYCLES_NEVER at first. */
    cycles_t count_until;
    /* Of the exit or root work under way; NULL between the run loop's steps. */
    struct hv_context *current;
};

/** What a handler may know of the moment it runs in. */
struct hv_context {
    struct hypervisor *hv;
    struct hv_lp *lp; /* NULL for an event that no LP executes */
    struct hv_vp *vp; /* on whose behalf; NULL likewise */
    cycles_t now;
    struct cost_bill *bill;
};

/**
 * Builds the hypervisor of a host, with its root partition, and gives it to
 * the caller. `config` is borrowed for the call, `host` is copied; events and
 * trace outlive it. SIM_BAD_SCENARIO, SIM_NO_MEMORY, or SIM_UNAVAILABLE if the
 * emulator library is not fit.
 */
MUST_USE enum sim_status
hypervisor_create(struct hypervisor **out, const struct hv_config *config,
                  const struct hv_host *host, struct event_queue *events,
                  struct trace *trace, struct sim_error *error);
void hypervisor_free(struct hypervisor *hv);

/** NULL if there is no such partition. */
struct hv_partition *hypervisor_find_partition(struct hypervisor *hv,
                                               partition_id_t id);

/** Adds a trace record for the context's LP and VP. */
void hypervisor_trace(const struct hv_context *context, enum trace_kind kind,
                      uint64_t detail);

#endif
