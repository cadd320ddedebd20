/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_CPU_DECODE_MMIO_H
#define HVSIM_CPU_DECODE_MMIO_H

/**
 * Instructions that reach a device through memory, decoded for whoever carries
 * them out in place of the processor: moves, extensions, the arithmetic and
 * logic with one memory operand, XCHG, STOS, LODS and MOVS (SDM 2, opcode
 * maps). What they do is in cpu/mmio.h.
 */

#include "cpu/decode.h"

enum decode_mmio_op {
    /* In the order of the opcode map and of group 1. */
    MMIO_ADD,
    MMIO_OR,
    MMIO_ADC,
    MMIO_SBB,
    MMIO_AND,
    MMIO_SUB,
    MMIO_XOR,
    MMIO_CMP,
    MMIO_TEST,
    MMIO_NOT,
    MMIO_NEG,
    MMIO_INC,
    MMIO_DEC,
    MMIO_MOV,
    MMIO_XCHG,
    MMIO_STOS,
    MMIO_LODS,
    MMIO_MOVS,
};

/** "None" for a base or index register. */
#define DECODE_MMIO_NO_GPR 0xff

struct decode_mmio {
    enum decode_mmio_op op;
    uint8_t length;         /* of the instruction */
    uint8_t bytes;          /* of the memory operand: 1, 2, 4 or 8 */
    uint8_t register_bytes; /* of the register operand: `bytes`, unless the
                               value is extended on its way */
    uint8_t gpr;            /* the register operand, enum x86_gpr */
    bool high_byte;         /* it is AH, CH, DH or BH */
    bool sign_extend;
    bool has_immediate; /* in place of the register operand */
    uint64_t immediate; /* sign-extended */
    bool memory_first;  /* the memory operand is the destination */
    bool reads, writes; /* the memory operand */
    bool repeated;      /* string forms */
    /* Where the memory operand is. String forms: the side that is no register,
     * with MOVS the source, which may have another segment; the destination is
     * always ES:rDI. */
    uint8_t base, index; /* enum x86_gpr or DECODE_MMIO_NO_GPR */
    uint8_t scale;       /* 1, 2, 4 or 8 */
    bool rip_relative;
    uint64_t displacement; /* sign-extended */
    uint8_t address_bytes; /* 2, 4 or 8 */
    uint8_t segment;       /* enum x86_segment_register */
};

/** False if the instruction at `code` is none of these, or does not end
 *  within `bytes`. Needs no decoder. */
bool decode_mmio(enum code_mode mode, const uint8_t *code, uint32_t bytes,
                 struct decode_mmio *out);

/** The memory operand's offset in its segment; `rip`: of the instruction. */
uint64_t decode_mmio_offset(const struct decode_mmio *insn,
                            const uint64_t gpr[X86_GPR_COUNT], uint64_t rip);

#endif
