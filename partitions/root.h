/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_PARTITIONS_ROOT_H
#define HVSIM_PARTITIONS_ROOT_H

/**
 * The root partition's operating system, as a model: threads and DPCs in C
 * that run only while a root VP is dispatched on an LP by the same scheduler
 * as every other VP, and are billed for it. Owned by the machine; its VPs are
 * driven by the run loop through struct vp_runner_ops.
 *
 * A piece of work is a state machine. Each call of its step function does one
 * thing and notes what it costs; the time is spent before the next step is
 * called. So work that must come before an effect is a step of its own, and
 * everything may be interrupted between two steps.
 */

#include "hypervisor/hypervisor.h"
#include "partitions/root_memory.h"

struct root_vp;

/** The highest vector that the root uses for itself. */
#define ROOT_VECTOR_INTERCEPT 0x31  /* SINT 0: intercepts of children */
#define ROOT_VECTOR_VMBUS 0x30      /* SINT 2: VMBus messages and events */
#define ROOT_VECTOR_RESCHEDULE 0x2f /* another root VP has put work here */

enum root_step {
    ROOT_AGAIN, /* call again when what was noted has been spent */
    ROOT_DONE,  /* finished: a DPC is gone, a thread sleeps */
};

/** How long a thread runs before another one that is ready has its turn: two
 *  ticks of the usual clock ("Windows Internals": the short quantum). */
#define ROOT_QUANTUM_NS 31250000

/** How long a thread that is ready gives way to others that have a boost. Then
 *  it has one itself ("Windows Internals": the balance set manager). */
#define ROOT_STARVED_NS UINT64_C(4000000000)

/** A DPC or thread. The owner keeps it until it is done. */
struct root_work {
    const char *name;
    enum root_step (*step)(void *context, struct hv_context *hv_context);
    void *context; /* borrowed */
    /* Private to root.c below. */
    struct root_work *next;
    bool queued;    /* asked for and not done yet */
    bool begun;     /* has taken its first step since */
    bool run_again; /* asked for once more since it has begun */
    bool boosted;   /* woken by a DPC, or starved */
    cycles_t begun_at;
    cycles_t ready_at;
};

/** Called for each SynIC message that a root VP takes from SINT 0. */
typedef void root_message_fn(void *context, struct hv_context *hv_context,
                             const uint8_t message[256]);

#define ROOT_MESSAGE_BYTES 256
#define ROOT_VMBUS_SINT 2
#define ROOT_EVENT_WORDS 32 /* 64 event flags each, of a SINT */

/** Called in the service routine of SINT 2 at root VP `vp`: there are messages
 *  in its slot, or event flags set. Returns how many of both. */
typedef uint32_t root_vmbus_fn(void *context, struct hv_context *hv_context,
                               uint32_t vp);

/** First in, first out. */
struct work_list {
    struct root_work *head, *tail;
};

struct root {
    struct hypervisor *hv;      /* borrowed */
    struct root_memory *memory; /* owns */
    struct root_vp *vps;        /* owns, vp_count */
    uint32_t vp_count;
    /* Threads, for any root VP to take: those with a boost first. */
    struct work_list boosted, ready;
    root_message_fn *on_message;
    void *on_message_context; /* borrowed */
    root_vmbus_fn *on_vmbus;  /* NULL: nobody listens */
    void *on_vmbus_context;   /* borrowed */
};

/**
 * Boots the root: `vp_count` VPs, at most one for each LP, to which it is
 * pinned, and the use of the first `memory_bytes` for itself. The caller owns
 * it.
 *
 * Over k nodes there are vp_count / k on the first LPs of each ("minroot":
 * Microsoft, "Hyper-V Host CPU Resource Management"); what is over goes to the
 * first nodes. They are numbered node by node.
 */
MUST_USE enum sim_status root_create(struct root **out, struct hypervisor *hv,
                                     uint32_t vp_count, uint64_t memory_bytes,
                                     struct sim_error *error);
void root_free(struct root *root);

/** Who gets the messages of SINT 0. */
void root_set_message_handler(struct root *root, root_message_fn *handler,
                              void *context);

/** Who is told of SINT 2. */
void root_set_vmbus_handler(struct root *root, root_vmbus_fn *handler,
                            void *context);

/** Takes the message out of the slot of SINT 2 at root VP `vp`, where this is
 *  called. False if there is none. */
bool root_take_message(struct root *root, struct hv_context *context,
                       uint32_t vp, uint8_t message[ROOT_MESSAGE_BYTES]);

/** Reads the event flags of SINT 2 at root VP `vp`. */
void root_read_event_flags(struct root *root, uint32_t vp,
                           uint64_t flags[ROOT_EVENT_WORDS]);
void root_clear_event_flag(struct root *root, uint32_t vp, uint32_t flag);

/** Where an event at `now` has its effect: in the work that is under way, if
 *  there is any; else at the first root VP, and no LP executes it. */
struct hv_context root_event_context(const struct root *root, cycles_t now);

/** Queues a DPC on the root VP of the context (or the first, if none). It comes
 *  before any thread, also one that is in the middle of its work there. */
void root_queue_dpc(struct root *root, struct hv_context *context,
                    struct root_work *dpc);

/**
 * Makes a thread ready. The root VP of the context takes it if a DPC is all
 * that it has to do; else an idle root VP is called for it, if there is one.
 * If the thread is in the middle of its work, it will run again.
 *
 * One that a DPC wakes has what Windows calls a boost, for this run: it comes
 * before those without, also one that is in the middle of its work; but not
 * before one that has been ready for ROOT_STARVED_NS.
 */
void root_wake_thread(struct root *root, struct hv_context *context,
                      struct root_work *thread);

#endif
