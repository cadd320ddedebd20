/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_CPU_CODE_SHAPE_H
#define HVSIM_CPU_CODE_SHAPE_H

/**
 * How Unicorn decodes an instruction, as far as its well-being depends on it:
 * where the next one begins, and what this one costs its translator. Not what
 * a processor does, nor what Capstone says: REX may stand before other
 * prefixes, VEX is a prefix of SSE instructions, MOV to and from control
 * registers has no memory form, undefined x87 opcodes are aliases.
 *
 * The tables were measured: every opcode of every map, with every /reg, in
 * register and memory forms, bare and with 66, F2, F3, F0, 67, 64 and REX, in
 * 16-, 32- and 64-bit, real and user mode, was translated 4 and 20 times in a
 * line by Unicorn 2.1.1 and 2.1.4, and its temporaries counted. Both versions
 * leak the same.
 */

#include "cpu/decode.h"

#define CODE_INSTRUCTION_BYTES_MAX 15

struct code_shape {
    uint8_t length;  /* 0: does not end within the bytes given */
    uint8_t pattern; /* bytes that say what it is and touches, see below */
    uint8_t leak;    /* temporaries that Unicorn does not take back */
    bool ends_block; /* for certain; a line goes on otherwise */
};

/* An instruction's pattern is all of it but a displacement at its end, or an
 * immediate, or both: with others in their place it does the same to other
 * data. Where an immediate says what is done, it belongs to the pattern. */

/** No instruction leaks more. */
#define CODE_SHAPE_LEAK_MAX 4

/** Of the instruction at `code`, of which `bytes` are there. What Unicorn
 *  refuses has some length, at most 15. */
struct code_shape code_shape(enum code_mode mode, const uint8_t *code,
                             uint32_t bytes);

/** What an instruction whose opcode begins at `opcode`, behind its prefixes,
 *  leaks at most. Four bytes are read. */
uint8_t code_shape_leak(enum code_mode mode, const uint8_t *opcode);

/** By byte: false if no opcode that begins with it leaks. */
extern const bool code_shape_may_leak[256];

/** True if `byte` is a prefix, REX among them; VEX is none here. */
bool code_shape_is_prefix(enum code_mode mode, uint8_t byte);

/**
 * True if the instruction at `code` is LOCK BT, BTS, BTR or BTC of a register,
 * on which Unicorn aborts the process; to a processor it is undefined.
 * If the `bytes` end too early to tell, `unsure` is returned. CODE_64, where
 * there are most prefixes, finds those of all modes.
 */
bool code_shape_is_fatal(enum code_mode mode, const uint8_t *code,
                         uint32_t bytes, bool unsure);

#endif
