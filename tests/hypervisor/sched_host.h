/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_HYPERVISOR_SCHED_HOST_H
#define HVSIM_TESTS_HYPERVISOR_SCHED_HOST_H

/**
 * A host for tests of schedulers: any number of LPs, a policy, and VPs that
 * only use time: each runs for a while, sleeps for a while, or is always busy.
 * The hypervisor is real (sched.c, lp.c, vp.c), its engine is none; a small run
 * loop stands in for sim/machine/run.c and keeps its rules: the LP that is
 * furthest behind goes next, no further ahead of the others than the quantum.
 *
 * The clock is 2 GHz: sched_us() and sched_ms() convert.
 */

#include "hypervisor/lp.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "sim/core/rng.h"

#define SCHED_HOST_HZ UINT64_C(2000000000)

struct sched_host_config {
    const char *policy;            /* aborts if there is no such policy */
    uint32_t nodes;                /* 0: one */
    uint32_t lps_per_node;         /* 0: one */
    uint32_t threads_per_core;     /* 0: one */
    cycles_t switch_cost;          /* from an LP's choice until the VP runs */
    cycles_t quantum;              /* 0: 10 us */
    uint64_t seed;                 /* of what VPs do at random */
    struct hv_sched_params params; /* 0 in `slice`: sched_host_params() */
    trace_sink_fn *sink;           /* may be NULL */
    void *sink_context;            /* borrowed */
};

/** What a VP does from `start` on, again and again. */
struct sched_plan {
    cycles_t busy;  /* 0: always */
    cycles_t sleep; /* then; at least one cycle */
    cycles_t start;
    bool random; /* `busy` and `sleep` are means: each is uniform from 1 to
                    twice as much */
};

/** A VP of such a host, owned by it. */
struct sched_task {
    struct hv_vp *vp; /* NULL once it has been removed */
    struct sched_host *host;
    struct sched_plan plan;
    cycles_t left; /* of this turn; CYCLES_NEVER: busy for ever */
    struct event wake;
    struct rng rng;

    cycles_t ran; /* since the start, or since sched_host_forget() */
    uint64_t dispatches, migrations;
    struct sched_waited waited;   /* the last; its `vp` and `lp` are borrowed */
    struct sched_waited given_up; /* likewise; without a dispatch */
    cycles_t longest_wait;
    cycles_t waited_by_rule[SCHED_RULE_COUNT]; /* all of them */
};

struct sched_host {
    struct hypervisor *hv;
    struct event_queue *events;
    struct trace *trace;
    struct lp_order *active;
    struct sched_host_config config;
    struct hv_sched *sched; /* the hypervisor's */
    cycles_t now;           /* no LP that is not idle is behind */
    cycles_t *idle;         /* by LP: ended idle times */
    uint64_t dispatches;
    struct sched_task **tasks;
    uint32_t task_count;
    bool ended;
    struct event end;
    struct cost_bill bill;
    /** Called after each step of an LP, or NULL. */
    void (*observe)(struct sched_host *host, void *context);
    void *observe_context; /* borrowed */
};

static inline cycles_t sched_us(uint64_t us)
{
    return cycles(us * (SCHED_HOST_HZ / 1000000));
}

static inline cycles_t sched_ms(uint64_t ms)
{
    return cycles(ms * (SCHED_HOST_HZ / 1000));
}

/** Those that a scenario has by default. */
struct hv_sched_params sched_host_params(void);

/** Aborts where the host cannot be made. */
void sched_host_create(struct sched_host *host,
                       const struct sched_host_config *config);
void sched_host_destroy(struct sched_host *host);

/** A partition of that weight, without VPs, which may run on all LPs. */
struct hv_partition *sched_host_partition(struct sched_host *host,
                                          uint64_t weight);

/** The partition's next VP, which prefers NUMA node 0; it begins at
 *  plan.start, or now if that is past. */
struct sched_task *sched_host_vp(struct sched_host *host,
                                 struct hv_partition *partition,
                                 struct sched_plan plan);
/** Likewise, of that node. */
struct sched_task *sched_host_vp_on(struct sched_host *host,
                                    struct hv_partition *partition,
                                    uint32_t node, struct sched_plan plan);
/** A partition of that weight with one VP. */
struct sched_task *sched_host_vm(struct sched_host *host, uint64_t weight,
                                 struct sched_plan plan);
/** The next VP of the root, which is pinned to that LP. */
struct sched_task *sched_host_root_vp(struct sched_host *host, uint32_t lp,
                                      struct sched_plan plan);

/** Frees the VP, wherever it is. */
void sched_host_remove_vp(struct sched_task *task);

/** A context for a change of controls, at the host's time. */
struct hv_context sched_host_context(struct sched_host *host);

/** Lets simulated time go on until `end`. */
void sched_host_run_until(struct sched_host *host, cycles_t end);

/** Counts `ran`, waits and dispatches of all tasks from now on. */
void sched_host_forget(struct sched_host *host);

/** What the task has used of `elapsed`, in hundredths of a per cent. */
unsigned sched_host_share(const struct sched_task *task, cycles_t elapsed);

#endif
