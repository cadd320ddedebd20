/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_VP_H
#define HVSIM_HYPERVISOR_VP_H

/**
 * A virtual processor: what it executes, its states, its virtual interrupt
 * hardware and its accounts. Created by HvCallCreateVp (or, for the root, at
 * start), owned by its partition.
 *
 * States are entered through vp_set_state() alone, which checks the
 * transition:
 *
 *   SUSPENDED --resume--> WAIT_FOR_SIPI --SIPI--> READY   (application VPs)
 *   SUSPENDED --resume--> READY --dispatch--> RUNNING --HLT--> IDLE
 *   RUNNING --slice end--> READY        IDLE --interrupt--> READY
 *   any --explicit suspend or intercept suspend--> SUSPENDED
 *   RUNNING --triple fault--> SHUTDOWN
 */

#include <stdalign.h>
#include <stddef.h>

#include "hypervisor/hv_status.h"
#include "hypervisor/hypervisor.h"
#include "hypervisor/intercept.h"
#include "hypervisor/lapic.h"
#include "hypervisor/msr.h"
#include "hypervisor/sched_period.h"
#include "hypervisor/stimer.h"
#include "hypervisor/synic.h"
#include "perfcounters/pc_feed.h"
#include "sim/core/host_line.h"

enum vp_state {
    VP_SUSPENDED,     /* by explicit_suspend or intercept_suspend */
    VP_WAIT_FOR_SIPI, /* after INIT */
    VP_IDLE,          /* halted: an interrupt makes it ready */
    VP_READY,         /* on a run list */
    VP_RUNNING,       /* on an LP */
    VP_SHUTDOWN,      /* triple fault */
    VP_STATE_COUNT,
};

/** What a VP executes. x86 guests: the engine; root VPs: the root's model. */
struct vp_runner_ops {
    /** Executes until run->limit or an exit; see engine_run(). */
    enum vm_exit_kind (*run)(void *runner, struct engine_run *run);
    /** As engine_take_elapsed(). */
    cycles_t (*take_elapsed)(void *runner);
    /** As engine_advance(). */
    void (*advance)(void *runner, cycles_t spent);
    /** As engine_set_limit(). */
    void (*set_limit)(void *runner, cycles_t limit);
    /** True if it would take a maskable interrupt now. */
    bool (*interruptible)(void *runner);
    /** Takes the interrupt: the engine through its IDT, the root as a call of
     *  the service routine for `vector`. */
    void (*inject)(void *runner, uint8_t vector);
    /** As engine_request_window(). */
    void (*request_window)(void *runner, bool wanted);
    /** As engine_inject_nmi(). */
    void (*inject_nmi)(void *runner);
    /** Back to the reset state, or to that after a start-up IPI. NULL for a
     *  model, which is never reset. */
    void (*reset)(void *runner);
    void (*startup)(void *runner, uint8_t vector);
};

struct vp_runner {
    const struct vp_runner_ops *ops;
    void *context; /* borrowed: the engine, or the root's model */
};

/** The scheduler's fields of a VP; written by lp.c, vp.c, sched*.c and the
 *  policies. */
struct vp_sched {
    struct hv_lp *lp;   /* runs there, or ran there last; NULL: never */
    void *policy;       /* its own state; in front of the VP */
    bool queued;        /* on a run list of the policy */
    bool parked;        /* on the list of sched_period.c */
    bool restricted;    /* `allowed` are not all LPs */
    bool yields;        /* it has said that it spins, and runs */
    uint32_t ideal_lp;  /* where a policy should try first */
    struct hv_vp *next; /* on the policy's list or sched_period.c's */
    struct hv_vp *previous;
    struct vp_wait wait; /* valid while VP_READY */

    /* What few dispatches need. */
    struct vp_wait_parts wait_parts; /* as `wait` says */
    struct sched_grant grant;        /* while it runs, as is */
    struct sched_account account;
    struct lp_set allowed;  /* by its affinity, its partition's, its group's */
    struct lp_set affinity; /* its own: a root VP's single LP */
};

/**
 * Thousands of VPs do not fit into the host's caches. So what every dispatch
 * needs is two lines in front, and that of the counters.
 */
struct hv_vp {
    /* Borrowed: its owner. */
    alignas(HOST_LINE_BYTES) struct hv_partition *partition;
    vp_index_t index;
    uint32_t number; /* machine-wide, in creation order: breaks ties */
    enum vp_state state : 8;
    bool explicit_suspend;
    bool intercept_suspend;
    bool wait_for_sipi; /* what SUSPENDED returns to */
    bool halted;        /* likewise */
    bool shut_down;     /* triple fault: only INIT gets it out of this */
    uint16_t node;      /* preferred NUMA node */
    cycles_t state_since;
    cycles_t idle_counted; /* up to when the idle time at hand is counted */
    struct vp_sched sched;
    alignas(HOST_LINE_BYTES) struct pc_vp counters;
    cycles_t idle_aside;   /* idle behind the next reading of the counters */
    struct hypervisor *hv; /* borrowed; a dispatch asks the partition for it */
    uint32_t apic_id;      /* equals the index (TLFS 2.0a) */
    cycles_t run_time;     /* guest and hypervisor, for the run-time MSR */
    struct cost_bill owed; /* hypervisor work done for this VP by others (a
                              timer, an IPI): charged when its LP steps next */
    struct vp_runner runner;
    struct engine *engine; /* owns; NULL for a VP that is a model */
    struct engine_host engine_host;
    struct lapic lapic;
    struct stimer stimers[STIMER_COUNT];
    struct synic synic;
    struct msr_state msrs;
    bool guest_idle;       /* halted, to go on even with interrupts disabled */
    bool nmi_pending;      /* wakes a halted VP; the engine delivers it */
    bool external_pending; /* an ExtINT, */
    uint8_t external_vector; /* of this vector */
    bool init_held;          /* INIT has come within an intercept, */
    int startup_held;        /* and then the SIPI of this vector; -1: none */
    uint64_t pending_interruption; /* HvX64RegisterPendingInterruption: what
                                      its parent injects at the next entry */
    struct engine_walks walks_counted;
    uint64_t page_faults_counted;
    struct vp_intercept intercept; /* the message its parent has */
    struct vp_eois eois;           /* those its parent has not heard of */
};

_Static_assert(offsetof(struct hv_vp, sched) +
                       offsetof(struct vp_sched, wait_parts) ==
                   2 * (size_t)HOST_LINE_BYTES,
               "two lines in front");
_Static_assert(PC_VP_CONTENTION_TIME < HOST_LINE_BYTES / sizeof(uint64_t),
               "one of the counters");

/** Changes the state; CHECKs that the transition exists. */
void vp_set_state(struct hv_context *context, struct hv_vp *vp,
                  enum vp_state to);

/**
 * Brings the state in line with the suspend flags, `wait_for_sipi`, `halted`
 * and pending interrupts, after any of them changed: a VP that can run now is
 * put on a run list, one that cannot is taken off.
 */
void vp_reconsider(struct hv_context *context, struct hv_vp *vp);

/** A VP that has left its LP and cannot run enters the state it rests in. */
void vp_rest(struct hv_context *context, struct hv_vp *vp);

/** True if nothing keeps the VP from being on a run list or an LP. */
bool vp_runnable(const struct hv_vp *vp);

/**
 * The context of something that happens to `vp` at `now` without an LP
 * executing it: a timer that expires. What it costs is owed by the VP.
 */
struct hv_context vp_event_context(struct hv_vp *vp, cycles_t now);

/** Asserts a fixed, edge-triggered interrupt in the VP's APIC and wakes it.
 *  `now` is the context's; the VP sees it at that time or as soon after as its
 *  LP's clock allows. */
void vp_interrupt(struct hv_context *context, struct hv_vp *vp, uint8_t vector);

/** The same, level-triggered: the parent is told of its EOI. */
void vp_interrupt_level(struct hv_context *context, struct hv_vp *vp,
                        uint8_t vector);

/** The interrupt of an 8259: no APIC register knows of it. False, and nothing
 *  has changed, if the VP has not taken the last one. */
bool vp_external_interrupt(struct hv_context *context, struct hv_vp *vp,
                           uint8_t vector);

/** Makes an NMI pending, which also wakes the VP. */
void vp_nmi(struct hv_context *context, struct hv_vp *vp);

/** INIT and start-up IPIs (SDM 3A, "MP Initialization"). They come between two
 *  instructions: while the parent is at one, they are held. */
void vp_init(struct hv_context *context, struct hv_vp *vp);
void vp_startup(struct hv_context *context, struct hv_vp *vp, uint8_t vector);

/** The parent is done with the VP's intercept (InterceptSuspend is cleared). */
void vp_end_intercept(struct hv_context *context, struct hv_vp *vp);

/** If the VP runs on another LP, interrupts that LP, at the cost of both (an
 *  exit-less post is not modelled). */
void vp_kick(struct hv_context *context, struct hv_vp *vp);

/** Something that lets interrupts through has changed (EOI, TPR): asks the
 *  runner for a window if one is deliverable now. */
void vp_check_interrupts(struct hv_vp *vp);

/** The VP executed HLT: it idles unless an interrupt is pending. */
void vp_halt(struct hv_context *context, struct hv_vp *vp);

/** The VP read GUEST_IDLE: the same, but what it does not let through wakes it
 *  too (TLFS, "Virtual Processor Idle Sleep State"). */
void vp_idle(struct hv_context *context, struct hv_vp *vp);

/** Before entry on the context's LP: injects what is pending and can be
 *  taken, or asks for an interrupt window. */
void vp_prepare_entry(struct hv_context *context, struct hv_vp *vp);

/** The VP will run soon: see engine_foresee(). */
void vp_foresee(const struct hv_vp *vp);

/** The VP will be dispatched, or made ready, soon: has the host fetch the lines
 *  of it that this needs, which together take as long as one. */
static inline void vp_foresee_dispatch(const struct hv_vp *vp)
{
    host_line_foresee(vp, 1);
    host_line_foresee((const char *)vp + HOST_LINE_BYTES, 1);
    host_line_foresee(&vp->counters, 1);
}

const char *vp_state_name(enum vp_state state);

/** The VP of that index, or NULL. */
struct hv_vp *vp_find(struct hv_partition *partition, vp_index_t index);

/**
 * Creates VP `index` of an x86 partition, explicitly suspended, in its reset
 * state. HV_STATUS_* on failure (see HvCallCreateVp).
 */
enum hv_status vp_create(struct hv_context *context,
                         struct hv_partition *partition, vp_index_t index,
                         uint32_t node, struct hv_vp **out);

/** Before the first VP of `hv` is created: makes the pool of their memory. */
void vp_init_pool(struct hypervisor *hv);

/** Creates a VP whose execution is a model: the root's. */
struct hv_vp *vp_create_model(struct hypervisor *hv,
                              struct hv_partition *partition, vp_index_t index,
                              struct vp_runner runner, lp_id_t pinned);

/** Feeds the counters that are otherwise fed when the VP changes its state,
 *  as of `now`: for a sample. */
void vp_count_up_to(struct hv_vp *vp, cycles_t now);

/** Counts what was put aside (see hypervisor.count_until), `most` at most. */
void vp_take_up(struct hv_vp *vp, cycles_t most);

/** Until `now` the VP did something on an LP without having been dispatched:
 *  that was no idle time. vp_count_up_to() has been called when it began. */
void vp_skip_idle(struct hv_vp *vp, cycles_t now);

/** Frees the VP, which must not be running. */
void vp_free(struct hv_context *context, struct hv_vp *vp);

#endif
