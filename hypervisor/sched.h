/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_SCHED_H
#define HVSIM_HYPERVISOR_SCHED_H

/**
 * The plug-in point for scheduling policies: which VP runs on which LP, and
 * until when. A policy is one file with one const struct hv_sched_ops, listed
 * in sched_policies[] (sched_policies.c); README.md shows how to write one.
 *
 * What is alike for every policy is not a policy's business: states of VPs,
 * dispatch, wait and migration accounting (lp.c, vp.c), and limits and CPU
 * groups' caps (sched_period.c): a VP that has used its limit up is taken away
 * from the policy until its next period, and slices end where a limit does.
 *
 * Ordering: all decisions depend on simulated time, VP creation order and LP
 * numbers, never on addresses. LPs' clocks differ by up to the synchronisation
 * quantum, so `now` may be before a time that the policy has seen already.
 */

#include "hypervisor/lp_set.h"
#include "sim/core/event_queue.h"
#include "sim/core/host_line.h"
#include "sim/core/types.h"

struct cost_bill;
struct hv_lp;
struct hv_partition;
struct hv_vp;
struct hypervisor;
struct lp_run;

/** What keeps a ready VP from running. */
enum sched_rule {
#define SCHED_RULE(id, name, help) SCHED_RULE_##id,
#include "hypervisor/sched_rules.def"
#undef SCHED_RULE
    SCHED_RULE_COUNT,
};

const char *sched_rule_name(enum sched_rule rule); /* "slice" */
const char *sched_rule_help(enum sched_rule rule);

/** What Microsoft has not published is a parameter with a stated default. */
struct hv_sched_params {
    cycles_t slice;         /* the longest run while others wait */
    cycles_t preempt_after; /* a VP that wakes interrupts another only when
                               that has run for so long */
    cycles_t wake_boost;    /* so much time ahead is a VP that wakes */
    cycles_t migrate_after; /* a VP leaves an LP that is not idle for another
                               if it gains more than this */
    cycles_t node_patience; /* so long does a VP wait for an LP of its own
                               NUMA node while one of another is idle */
    cycles_t period;        /* over which limits and reserves are kept */
    bool spin_yields;      /* a VP that says that it spins gives up its slice */
    uint32_t pause_filter; /* a VP spins too when it has executed so many PAUSEs
                              in a loop; 0: the processor does not count */
};

/** A VP that kept another one out, and for how long. */
struct sched_holder {
    uint64_t partition; /* 0: nobody */
    uint32_t vp;        /* its index there, */
    uint32_t number;    /* and its number in the machine */
    cycles_t time;
};

/** Where a VP's wait is booked: by sched_wait.c alone; see sched_wait(). */
struct vp_wait {
    cycles_t since;     /* of the rule that holds now */
    cycles_t slice;     /* SCHED_RULE_SLICE's part, without what runs since */
    cycles_t sibling;   /* likewise */
    cycles_t held_time; /* so long was it out by the VP of number */
    uint32_t held;      /* that: of all those named the longest, if is_held */
    uint32_t named;     /* by the policy, now, if is_named */
    enum sched_rule rule : 8;
    enum sched_rule before : 8; /* the rule until `since` */
    uint8_t booked;             /* those that have a part, by bits */
    bool is_named : 1, is_held : 1;
};

_Static_assert(SCHED_RULE_COUNT <= 8, "a bit for each");

/** The rest of it, which few waits need. */
struct vp_wait_parts {
    cycles_t time[SCHED_RULE_COUNT]; /* of the other rules */
    cycles_t idle_time; /* of some LP, as of `since`; of a restricted VP */
};

/* LP_RUNS, who is on the LP, and one that the policy named. */
#define SCHED_HOLDERS_MAX 10

/** A wait that has ended: what hv_host.vp_waited() learns. */
struct sched_waited {
    const struct hv_vp *vp;
    const struct hv_lp *lp;     /* on which it is dispatched; NULL: on none, it
                                   is not ready any more, or waits still */
    cycles_t ready, dispatched; /* ready <= dispatched: when it ended */
    cycles_t by_rule[SCHED_RULE_COUNT]; /* their sum is the wait */
    enum sched_rule rule;      /* the one that kept it out longest; the first
                                  in the order of the list, of equals */
    uint64_t holder_partition; /* who had the LP longest meanwhile, or else */
    uint32_t holder_vp;        /* kept it out; partition 0: nobody */
    /* All who did, the longest first. The sum of their times is at most the
     * contention: the rest were switches, the hypervisor's own work, and VPs
     * too far back to be remembered (LP_RUNS). */
    struct sched_holder holders[SCHED_HOLDERS_MAX];
    unsigned holder_count;
};

/** What a policy has chosen. */
struct sched_choice {
    struct hv_vp *vp;    /* NULL: the LP idles */
    cycles_t not_before; /* it may run from then on; 0: at once */
    cycles_t slice_end;  /* until when at most */
    /* Who may follow there, or NULL: nothing depends on it but what the host
     * fetches into its caches. */
    const struct hv_vp *next;
};

struct hv_sched;

/** Controls that a policy heeds beside limits and groups; the others are
 *  refused (HV_STATUS_OPERATION_DENIED). Affinity is heeded by all. */
#define SCHED_WEIGHTS (1u << 0)
#define SCHED_RESERVES (1u << 1)
#define SCHED_LIMITS (1u << 2) /* limits and groups' caps; see above */
/** What it promises: no LP idles while a ready VP may run on it (for longer
 *  than node_patience). */
#define SCHED_WORK_CONSERVING (1u << 3)

struct hv_sched_ops {
    const char *name; /* as written in a scenario: "round-robin" */
    const char *help; /* one sentence */
    unsigned flags;   /* SCHED_* */
    size_t vp_bytes;  /* of the policy's own state of each VP, which stands at
                         vp->sched.policy, all zero at first; 0: none, and
                         the pointer is the policy's to use */

    /** Makes the policy's own state. False if out of memory. Mandatory. */
    bool (*init)(struct hv_sched *sched);
    /** Frees what init() made. Mandatory. */
    void (*fini)(struct hv_sched *sched);

    /** A VP exists from now on. It is on no run list. False if out of memory.
     *  Optional. */
    bool (*vp_add)(struct hv_sched *sched, struct hv_vp *vp);
    /** A VP goes away; it is neither running nor queued. Optional. */
    void (*vp_remove)(struct hv_sched *sched, struct hv_vp *vp);
    /** The LPs on which a VP may run (vp->sched.allowed) are others now; it is
     *  not queued. Optional. */
    void (*allowed_changed)(struct hv_sched *sched, struct hv_vp *vp);

    /**
     * A VP became runnable at `now`, or was switched out and still is. It is
     * on no run list; the policy puts it on one, calls an LP for it
     * (sched_poke()) if one should choose again because of it, and says what
     * it waits for else (sched_wait()). Mandatory.
     */
    void (*enqueue)(struct hv_sched *sched, struct hv_vp *vp, cycles_t now);

    /** A queued VP is no longer runnable. Mandatory. */
    void (*dequeue)(struct hv_sched *sched, struct hv_vp *vp);

    /**
     * Chooses what `lp`, which runs nothing, runs next. The VP chosen is on no
     * run list any more. Asked again at once if that VP's group has nothing
     * left for it; it is enqueued when it may run. Mandatory.
     */
    struct sched_choice (*pick)(struct hv_sched *sched, struct hv_lp *lp,
                                cycles_t now);

    /**
     * The slice of `vp` on `lp` has ended, or the LP has been called: true if
     * the VP must make room, and is switched out and enqueued again. Else it
     * goes on until *slice_end, which the policy sets. vp->sched.yields says
     * that the VP asked to make room. Mandatory.
     */
    bool (*must_yield)(struct hv_sched *sched, struct hv_lp *lp,
                       struct hv_vp *vp, cycles_t now, cycles_t *slice_end);

    /** `vp`, running, has used `ran` cycles more of an LP; called before
     *  must_yield() and before the VP is switched out. Optional: a policy that
     *  keeps no accounts leaves it NULL. */
    void (*charge)(struct hv_sched *sched, struct hv_vp *vp, cycles_t ran,
                   cycles_t now);

    /** The time of sched_expire_at() has come. Optional. */
    void (*expire)(struct hv_sched *sched, cycles_t now);

    /** The LP on whose run list `vp`, queued, stands. Optional: a policy that
     *  has one list for all LPs leaves it NULL. */
    const struct hv_lp *(*queue_of)(const struct hv_sched *sched,
                                    const struct hv_vp *vp);

    /** Notes what dispatching `vp` on `lp` costs besides the hypervisor's own
     *  decision and switch; a root that schedules pays by guest kinds, on the
     *  bill of the root VP of that LP. Optional. */
    void (*price_dispatch)(struct hv_sched *sched, const struct hv_lp *lp,
                           const struct hv_vp *vp, struct cost_bill *bill);
};

/** So many bytes in front of a VP are the policy's own state of it: whole
 *  lines, so that what a dispatch needs is one piece. */
static inline size_t sched_front_bytes(size_t vp_bytes)
{
    return (vp_bytes + HOST_LINE_BYTES - 1) / HOST_LINE_BYTES * HOST_LINE_BYTES;
}

/** The VP behind its state, of so many bytes, without a look at either. */
static inline const struct hv_vp *sched_vp_behind(const void *state,
                                                  size_t vp_bytes)
{
    const char *memory = state;

    return (const struct hv_vp *)(const void *)(memory +
                                                sched_front_bytes(vp_bytes));
}

struct hv_sched {
    const struct hv_sched_ops *ops; /* shared, read-only */
    struct hv_sched_params params;
    struct hypervisor *hv; /* borrowed */
    /** LPs that have found nothing to run and have not been called since. Kept
     *  by sched.c and lp.c, read by policies. */
    struct lp_set idle;
    uint32_t idle_count;
    cycles_t idle_since; /* if any is idle: at least one is, since then */
    cycles_t idle_time;  /* so long was at least one idle before */
    struct event expiry;
    struct sched_period *period; /* owned by sched_period.c */
    void *policy;                /* owned by the policy */
};

/** The policy of that name, or NULL. */
const struct hv_sched_ops *sched_find(const char *name);
/** All of them, one after another; NULL after the last. */
const struct hv_sched_ops *sched_by_index(unsigned index);

/** Makes `sched` a scheduler by that policy, for the LPs that `hv` has. False
 *  if out of memory. */
bool sched_init(struct hv_sched *sched, const struct hv_sched_ops *ops,
                struct hv_sched_params params, struct hypervisor *hv);
void sched_fini(struct hv_sched *sched);

/* For policies. */

/**
 * Has `lp` choose again at `now` or as soon after as its clock allows: it
 * wakes if it is idle; a VP that runs there is interrupted, and must_yield()
 * is asked. Who is called by another LP costs both an inter-processor
 * interrupt.
 */
void sched_poke(struct hv_sched *sched, struct hv_lp *lp, cycles_t now);

/**
 * From `now` on it is `rule` that keeps `vp`, which is ready, from running,
 * and `holder` who has what it waits for (NULL: whoever has the LP on which
 * it will be dispatched). Until a policy says so it is SCHED_RULE_WAKE, again
 * with each enqueue(), and from when an LP has chosen the VP. A policy need not
 * tell SLICE from AFFINITY: of a VP that may not run everywhere it is the
 * latter while an LP idles, the former while none does.
 */
void sched_wait(struct hv_vp *vp, enum sched_rule rule,
                const struct hv_vp *holder, cycles_t now);

/** How long `vp`, which is ready, has been kept out by the rule, without what
 *  passes under the one that holds now. */
cycles_t sched_wait_booked(const struct hv_vp *vp, enum sched_rule rule);

/** For vp.c: `vp` is ready from `now` on. */
void sched_wait_begin(struct hv_vp *vp, cycles_t now);

/** What the wait of `vp`, which is ready, comes to if it ends at `now`, by its
 *  start on `lp`, or without (NULL). Changes nothing. */
void sched_wait_end(const struct hv_vp *vp, const struct hv_lp *lp,
                    cycles_t now, struct sched_waited *waited);

/** For lp.c: what the VP that is on `lp` has had of it until `now`. */
struct lp_run sched_wait_run(const struct hv_lp *lp, cycles_t now);

/** The parts of a wait that are counted: an LP was free and had to wake or
 *  switch; it was another VP's; the VP had used up what it may use, which is
 *  neither. */
cycles_t sched_waited_wake_up(const struct sched_waited *waited);
cycles_t sched_waited_contention(const struct sched_waited *waited);
cycles_t sched_waited_held_back(const struct sched_waited *waited);

/** expire() is called at that time, or at the earlier one that has been asked
 *  for and has not come. */
void sched_expire_at(struct hv_sched *sched, cycles_t at);

/** True if `vp` may run on `lp`. */
bool sched_allows(const struct hv_vp *vp, const struct hv_lp *lp);

/** True if `vp` may run on one LP only. */
bool sched_is_pinned(const struct hv_vp *vp);

/** True if `vp`, which is enqueued at `now`, comes from the LP on which it has
 *  just run: it is not one that wakes. */
bool sched_has_just_run(const struct hv_vp *vp, cycles_t now);

/** The idle LP that suits `vp` best: where it ran last, else its ideal one,
 *  else one of its node, else any, the lowest of equals; NULL if there is none
 *  that it may run on. */
struct hv_lp *sched_idle_lp(const struct hv_sched *sched,
                            const struct hv_vp *vp);

/** The first of those that are idle and on which it may run, or NULL. */
struct hv_lp *sched_first_idle_lp(const struct hv_sched *sched,
                                  const struct hv_vp *vp);

/** Brings the LPs' counters of how many VPs wait for each up to date: for a
 *  sample. */
void sched_count_lists(const struct hv_sched *sched);

/* For lp.c, vp.c and whoever changes controls. */
bool sched_vp_add(struct hv_sched *sched, struct hv_vp *vp);
void sched_vp_remove(struct hv_sched *sched, struct hv_vp *vp);
void sched_enqueue(struct hv_sched *sched, struct hv_vp *vp, cycles_t now);
void sched_dequeue(struct hv_sched *sched, struct hv_vp *vp);
struct sched_choice sched_pick(struct hv_sched *sched, struct hv_lp *lp,
                               cycles_t now);
/** `vp` begins to run at `now`: returns when its slice ends, which is not after
 *  a limit does. */
cycles_t sched_start(struct hv_sched *sched, struct hv_vp *vp, cycles_t now,
                     cycles_t slice_end);
/** `vp` leaves its LP; it has been charged. */
void sched_stop(struct hv_sched *sched, struct hv_vp *vp, cycles_t now);
bool sched_must_yield(struct hv_sched *sched, struct hv_lp *lp,
                      struct hv_vp *vp, cycles_t now, cycles_t *slice_end);
void sched_charge(struct hv_sched *sched, struct hv_vp *vp, cycles_t ran,
                  cycles_t now);
void sched_price_dispatch(struct hv_sched *sched, const struct hv_lp *lp,
                          const struct hv_vp *vp, struct cost_bill *bill);
/** `vp`, running, says that it spins for something that another VP has. */
void sched_spin(struct hv_sched *sched, struct hv_vp *vp, cycles_t now);

/** Weight, reserve, limit, affinity or group of the partition's VPs have
 *  changed: they are queued again by the new ones, and one that runs where it
 *  may not any more leaves. */
void sched_controls_changed(struct hv_partition *partition, cycles_t now);

#endif
