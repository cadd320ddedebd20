/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_CPU_DECODE_H
#define HVSIM_CPU_DECODE_H

/**
 * What a piece of guest code is made of: the bill of operation classes of a
 * basic block, and the facts about single instructions that intercepts and
 * faults need. Decoding is Capstone's; the classes are ours. No prices.
 */

#include "cpu/x86.h"
#include "sim/core/cost.h"

enum code_mode { CODE_16, CODE_32, CODE_64 };

/** How the code at CS:RIP is to be decoded. */
enum code_mode decode_mode(const struct x86_state *state);

struct decoder;

/** NULL if the disassembler is missing or too old. The caller owns it. */
struct decoder *decode_create(void);
void decode_free(struct decoder *decoder);

/**
 * Adds the operation classes of the instructions in `code` to `bill` and
 * returns how many instructions there are. Each has one class, and one
 * INSN_LOAD or INSN_STORE for each item of memory it surely reads or writes,
 * the stack's included; a string instruction is billed as one iteration. So
 * the bill of a block is the sum of its instructions'. They are those that
 * Unicorn executes (code_shape.h), also where Capstone has another view; what
 * Capstone does not know counts as one INSN_SYSTEM.
 *
 * RDTSC, SYSCALL, SYSENTER, INVLPG and INT n count as INSN_ALU here: the
 * engine bills what they do by kinds of their own.
 */
uint32_t decode_block(struct decoder *decoder, enum code_mode mode,
                      const uint8_t *code, uint32_t bytes,
                      struct cost_bill *bill);

/** The length of the instruction at `code` (at most `bytes` are looked at),
 *  0 if it does not decode or does not end within `bytes`. */
uint32_t decode_length(struct decoder *decoder, enum code_mode mode,
                       const uint8_t *code, uint32_t bytes);

#define DECODE_OPERANDS_MAX 4

/** A memory operand's linear address range as the registers stand. */
struct decode_operand {
    gva_t start;
    uint32_t bytes;
    bool read;
    bool write;
};

/**
 * Every memory access that the instruction at `code` makes with the registers
 * of `state`, implicit ones (push, pop, call, ret, string, movs, xlat, iret,
 * enter, leave) included, in the order of the processor's accesses. Returns
 * how many (at most DECODE_OPERANDS_MAX). Used to find the exact faulting
 * address on a page: the lowest byte on that page of the first operand that
 * touches it with that access. Not listed: references to descriptor tables
 * and TSS, and gathers. What a return to another privilege level pops beyond
 * RIP, CS and RFLAGS is listed whether or not it is one. A range that wraps
 * around a 16-bit stack is listed as if it did not.
 */
uint32_t decode_operands(struct decoder *decoder, const struct x86_state *state,
                         const uint8_t *code, uint32_t bytes,
                         struct decode_operand operands[DECODE_OPERANDS_MAX]);

/** An IN, OUT, INS or OUTS, decoded. */
struct decode_io {
    uint16_t port;
    uint8_t bytes; /* operand size: 1, 2 or 4 */
    bool in;       /* towards the processor */
    bool string;
    bool repeated;
    uint8_t address_bytes; /* string: 2, 4 or 8 */
    uint8_t segment;       /* string: enum x86_segment_register */
    uint8_t length;        /* of the instruction */
};

/** False if the instruction at `code` is none, or does not end within
 *  `bytes`. Needs no decoder. */
bool decode_io(const struct x86_state *state, const uint8_t *code,
               uint32_t bytes, struct decode_io *out);

#endif
