/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_CPU_MMIO_H
#define HVSIM_CPU_MMIO_H

/**
 * What an instruction with one operand in a device's memory does to registers
 * and flags (SDM 2). Its caller makes the accesses themselves.
 */

#include "cpu/decode_mmio.h"

struct mmio_state {
    uint64_t gpr[X86_GPR_COUNT];
    uint64_t rip;
    uint64_t rflags;
    uint64_t other; /* CMPS: what ES:rDI holds */
};

/**
 * Carries out the instruction, or one iteration of a repeated one. `memory`:
 * what the memory operand holds, if the instruction reads it. Returns what is
 * to be written there, if it writes. RIP moves behind the instruction, unless
 * there are iterations left. XMM registers are the caller's: of MMIO_VECTOR
 * only RIP is done here.
 */
uint64_t mmio_execute(const struct decode_mmio *insn, struct mmio_state *state,
                      uint64_t memory);

#endif
