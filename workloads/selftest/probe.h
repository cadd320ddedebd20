/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_WORKLOADS_SELFTEST_PROBE_H
#define HVSIM_WORKLOADS_SELFTEST_PROBE_H

/**
 * Runs a piece of code in any processor state until it traps, and catches
 * the whole state at the trap: the instrument of most self-tests. The code
 * ends by the trap it is to cause, or by INT PROBE_EXIT.
 */

#include <stdbool.h>
#include <stdint.h>

#include "workloads/runtime/trap.h"

#define PROBE_EXIT 0x81

/* The image's code is mapped once more from here on for user mode. */
#define PROBE_USER_TEXT UINT64_C(0x0000200000000000)
/* And from here on, for code that can only address 4 GiB. */
#define PROBE_COMPAT_TEXT UINT64_C(0xa0000000)

struct probe {
    struct trap_frame frame; /* in: where to start; out: as trapped */
    uint64_t cr2;            /* out, valid for vector 14 */
    uint64_t dr6;            /* out, valid for vector 1 */
};

/** Sees each trap first; true: `frame` was mended, go on with it. */
typedef bool probe_mend(struct trap_frame *frame);

/** Takes over all exceptions and makes the user mappings. Once. */
void probe_init(void);

/** A probe that starts at `code` in ring 0 or 3 with interrupts off, a stack
 *  of that ring and all other registers zero. */
struct probe probe_make(const void *code, unsigned ring);

/** Runs until a trap that `mend` (may be NULL) does not take. */
void probe_run(struct probe *probe, probe_mend *mend);

/** Has probes end at `vector` too, an interrupt from the local APIC. */
void probe_catch_interrupt(unsigned vector);

/** Has probes end at `vector` too, by INT from either ring. */
void probe_catch_software(unsigned vector);

/** Where `code` lies for `ring`. */
uint64_t probe_address(const void *code, unsigned ring);

/** The top of a user stack below 4 GiB. */
#define PROBE_COMPAT_STACK (PROBE_COMPAT_TEXT - UINT64_C(0x10000))

/** A page that both rings may write, at PROBE_USER_DATA. */
#define PROBE_USER_DATA UINT64_C(0x0000210000000000)

/** The top of the stack that probe_make() gives to `ring`. */
uint64_t probe_stack(unsigned ring);

#endif
