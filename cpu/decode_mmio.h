/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_CPU_DECODE_MMIO_H
#define HVSIM_CPU_DECODE_MMIO_H

/**
 * Instructions that reach a device through memory, decoded for whoever carries
 * them out in place of the processor: moves, those of XMM registers and
 * conditional ones included, extensions, the arithmetic and logic with one
 * memory operand, bit tests, XCHG, XADD, CMPXCHG and the string instructions
 * (SDM 2, opcode maps). What they do is in cpu/mmio.h.
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
    MMIO_SCAS,
    MMIO_CMPS,
    MMIO_XADD,
    MMIO_CMPXCHG,
    MMIO_MOVBE,
    MMIO_SETCC,
    MMIO_CMOVCC,
    /* In the order of group 8. */
    MMIO_BT,
    MMIO_BTS,
    MMIO_BTR,
    MMIO_BTC,
    MMIO_VECTOR, /* a move of an XMM register's low bytes, or into one */
};

/** "None" for a base or index register. */
#define DECODE_MMIO_NO_GPR 0xff

struct decode_mmio {
    enum decode_mmio_op op;
    uint8_t length;         /* of the instruction */
    uint8_t bytes;          /* of the memory operand: 1, 2, 4 or 8; of an XMM
                               register 16, too */
    uint8_t register_bytes; /* of the register operand: `bytes`, unless the
                               value is extended on its way */
    uint8_t gpr;            /* the register operand, enum x86_gpr, or the
                               number of the XMM register */
    bool high_byte;         /* it is AH, CH, DH or BH */
    bool sign_extend;
    bool has_immediate; /* in place of the register operand */
    uint64_t immediate; /* sign-extended */
    bool memory_first;  /* the memory operand is the destination */
    bool reads, writes; /* the memory operand */
    bool repeated;      /* string forms */
    bool while_equal;   /* repeated SCAS and CMPS: as long as ZF is this */
    bool bit_string;    /* BT and its kin: the register selects the address */
    uint8_t condition;  /* SETcc, CMOVcc: the low four bits of the opcode */
    /* Where the memory operand is. String forms: the side that is no register,
     * with MOVS and CMPS the source, which may have another segment; the
     * destination is always ES:rDI. */
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
