/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_WORKLOADS_RUNTIME_TRAP_H
#define HVSIM_WORKLOADS_RUNTIME_TRAP_H

/**
 * Exceptions and interrupts: one IDT for all processors and one C handler per
 * vector. A vector without a handler prints its frame and fails the run.
 */

#include <stdint.h>

#include "workloads/runtime/x86.h"

/* As trap_entry.S pushes it; a handler may change it to resume elsewhere. */
struct trap_frame {
    uint64_t r15, r14, r13, r12, r11, r10, r9, r8;
    uint64_t rbp, rdi, rsi, rdx, rcx, rbx, rax;
    uint64_t vector;
    uint64_t error; /* 0 where the vector has no error code */
    uint64_t rip, cs, rflags, rsp, ss;
};

typedef void trap_handler(struct trap_frame *frame);

/** IST numbers of the stacks that every processor's TSS has. */
#define TRAP_IST_DOUBLE_FAULT 1
#define TRAP_IST_NMI 2

/** Builds the IDT. Once, before the first trap_load(). */
void trap_init(void);

/** Loads the IDT into this processor. */
void trap_load(void);

/** NULL restores the default. Returns the handler before. */
trap_handler *trap_set_handler(unsigned vector, trap_handler *handler);

/** Changes who may call `vector` by INT n (0 or 3) and its stack switch
 *  (0 = none); for tests. */
void trap_set_gate(unsigned vector, unsigned privilege, unsigned ist);

/** Whether the gate of `vector` is present; for tests. */
void trap_set_present(unsigned vector, bool is_present);

/** Prints `frame` and ends the run with a `hvsim: fail` line. */
_Noreturn void trap_unexpected(const struct trap_frame *frame);

#endif
