/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_CPU_EVENT_H
#define HVSIM_CPU_EVENT_H

/**
 * Delivery of exceptions and interrupts, in every mode: real mode through the
 * IVT, protected mode through 16- and 32-bit gates (task gates are refused,
 * see below), long mode through 64-bit gates with IST; stack switches from the
 * TSS; error codes; the contributory rules for double and triple faults
 * (SDM 3A, "Interrupt and Exception Handling"). Pure over (state, memory).
 *
 * Not modelled: virtual-8086 mode extensions (INT n there always goes through
 * the IDT, as with CR4.VME clear) and shadow stacks.
 */

#include "cpu/x86.h"

enum event_type {
    EVENT_TYPE_INTERRUPT, /* external */
    EVENT_TYPE_NMI,
    EVENT_TYPE_EXCEPTION,          /* a fault or trap of the processor */
    EVENT_TYPE_SOFTWARE_INTERRUPT, /* INT n: DPL of the gate is checked */
    EVENT_TYPE_SOFTWARE_EXCEPTION, /* INT3, INTO: likewise */
    EVENT_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION, /* INT1 */
};

struct cpu_event {
    enum event_type type;
    uint8_t vector;
    bool has_error_code;
    uint32_t error_code;
    uint64_t cr2;              /* #PF: loaded into CR2 on delivery */
    uint64_t dr6;              /* #DB: bits to set in DR6 */
    uint8_t instruction_bytes; /* software types: the return RIP skips it */
};

/**
 * What the access to descriptor tables and stacks goes through. Each returns
 * false after filling `fault` with the event that the access itself raises:
 * #PF with its error code and CR2. Limits, and whether an address is canonical
 * in long mode, event.c has checked before (#GP, #SS, #TS); a range may cross
 * pages. `user` is set for stack accesses at CPL 3; descriptor tables and TSS
 * are implicit supervisor accesses.
 */
struct event_memory {
    void *context;
    bool (*read)(void *context, gva_t from, void *to, uint32_t bytes, bool user,
                 struct cpu_event *fault);
    bool (*write)(void *context, gva_t to, const void *from, uint32_t bytes,
                  bool user, struct cpu_event *fault);
    /** The processor does not clear RF after each instruction: a fault then
     *  pushes it clear, or a restarted PUSHF would show it. */
    bool keeps_resume_flag;
};

enum event_outcome {
    EVENT_DELIVERED,
    EVENT_SHUTDOWN,  /* triple fault */
    EVENT_TASK_GATE, /* a hardware task switch: an unsupported feature, which
                        the hypervisor reports (TLFS, "Unsupported Feature
                        Intercept") */
};

/**
 * Delivers `event` to `state`, which is left at the first instruction of the
 * handler. RIP is on entry what the handler shall return to, but for software
 * types, where it is at the instruction. Faults met on the way are delivered
 * instead, one after the other, as #DF, or ending in shutdown, by the
 * contributory rules. Unless EVENT_DELIVERED is returned the state is that
 * before. `delivered` (may be NULL) receives what was delivered in the end,
 * or what the delivery ended with.
 */
enum event_outcome event_deliver(struct x86_state *state,
                                 const struct event_memory *memory,
                                 const struct cpu_event *event,
                                 struct cpu_event *delivered);

/** True for the exceptions that push an error code. */
bool event_has_error_code(uint8_t vector);

#endif
