/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_MACHINE_SCRIPT_ENGINE_H
#define HVSIM_TESTS_MACHINE_SCRIPT_ENGINE_H

/**
 * An engine for whole machines that executes scripts instead of x86 code: a
 * dozen operations that compute for a while or cause an intercept. Linked in
 * place of cpu/engine*.c, so that thousands of machines run in seconds. A
 * script lies in the guest's memory like any code: it is loaded, mapped and
 * fetched through the second-level tables.
 *
 * No paging, no segments but the base of CS. An interrupt goes to
 * SCRIPT_HANDLER, whatever its vector; SCRIPT_IRET returns from it. A fault
 * that the hypervisor injects ends the operation, as a guest's fix-up would.
 */

#include "cpu/engine.h"

/** Every interrupt's handler lies here. */
#define SCRIPT_HANDLER 0x11000u
/** Where VP 0 starts, and VP n by its start-up IPI: a page each. */
#define SCRIPT_ENTRY 0x12000u

#define SCRIPT_OP_BYTES 12u

enum script_code {
    SCRIPT_RUN = 1, /* compute for `a` cycles */
    SCRIPT_HLT,
    SCRIPT_STI,
    SCRIPT_CLI,
    SCRIPT_IRET,
    SCRIPT_JUMP,  /* to the operation `a` operations from here, modulo 2^32 */
    SCRIPT_SET,   /* register `a`, 8 to 15, becomes `b` */
    SCRIPT_LOOP,  /* count register `a` down and jump as by `b`; not at zero */
    SCRIPT_CPUID, /* leaf `a` */
    SCRIPT_RDMSR, /* `a` */
    SCRIPT_WRMSR, /* `a` becomes `b`, with `high` above it */
    SCRIPT_IN,    /* `high` bytes from port `a` */
    SCRIPT_OUT,   /* `high` bytes to port `a`: RAX becomes `b` first */
    SCRIPT_CALL,  /* hypercall: RCX becomes `a` (fast), RDX `b`, R8 `high` */
    SCRIPT_CALL_MEMORY, /* the same, with its input in memory at `b` */
    SCRIPT_CR8,         /* the task priority becomes `a` */
    SCRIPT_PAUSE,       /* as an intercept */
    SCRIPT_TOUCH,       /* memory that is not there */
    SCRIPT_TRIPLE_FAULT,
    SCRIPT_STUCK, /* nothing, for ever: what an engine cannot execute */
};

struct script_op {
    uint8_t code; /* enum script_code */
    uint8_t high;
    uint16_t reserved;
    uint32_t a, b;
};

_Static_assert(sizeof(struct script_op) == SCRIPT_OP_BYTES, "no padding");

#endif
