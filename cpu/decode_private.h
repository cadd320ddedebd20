/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_CPU_DECODE_PRIVATE_H
#define HVSIM_CPU_DECODE_PRIVATE_H

/**
 * What decode*.c share: the disassembler's handles, the prefixes that we read
 * ourselves, and our table of what each instruction costs and touches. For no
 * other file.
 */

#include <capstone/capstone.h>

#include "cpu/decode.h"

#define CODE_MODE_COUNT 3
#define INSTRUCTION_BYTES_MAX 15

/** What one instruction adds to the bill of its block. */
struct decode_share {
    uint8_t kind; /* enum cost_kind */
    uint8_t loads;
    uint8_t stores;
};

/** The share of all instructions of a pattern, see decode_block.c. */
struct decode_pattern {
    uint64_t key[2]; /* 0, 0: none; no pattern is empty */
    struct decode_share share;
};

#define DECODE_PATTERN_BITS 12

struct decoder {
    csh handles[CODE_MODE_COUNT]; /* by enum code_mode */
    cs_insn *insn;                /* owns; the instruction decoded last */
    struct decode_pattern patterns[1u << DECODE_PATTERN_BITS];
};

/** Prefixes and what follows from them, read from the bytes: the
 *  disassembler reports only those that it thinks matter. */
struct decode_prefixes {
    enum code_mode mode;
    uint8_t opcode_at; /* bytes of prefixes before the opcode */
    uint8_t rex;       /* 0 if none */
    bool has_segment;
    uint8_t segment; /* enum x86_segment_register, if it has one */
    bool lock;
    bool repeat;           /* F2 or F3 */
    uint8_t operand_bytes; /* 2, 4 or 8: the operand size attribute */
    uint8_t address_bytes; /* 2, 4 or 8 */
};

void decode_read_prefixes(enum code_mode mode, const uint8_t *code,
                          uint32_t bytes, struct decode_prefixes *out);

/** How an instruction uses its memory operand (ModR/M or moffs). */
enum decode_use {
    USE_DEFAULT, /* written if it is the first operand, else read */
    USE_READ,
    USE_MODIFY, /* read and written if it is the first operand, else read */
    USE_NONE,   /* an address only, or a hint */
    USE_STRING, /* addressed by rSI and rDI */
};

/** How big a memory operand is where the disassembler does not know. */
enum decode_size {
    SIZE_GIVEN,   /* as the disassembler says */
    SIZE_OPERAND, /* the operand size */
    SIZE_QUADWORD,
    SIZE_FAR_POINTER, /* offset and selector */
    SIZE_FAR_LOAD,    /* the same, with an offset of 4 bytes at most (AMD) */
    SIZE_BOUNDS,      /* two of the operand size */
    SIZE_FPU_ENV,     /* 14 or 28 bytes, by operand size */
    SIZE_FPU_STATE,   /* 94 or 108 bytes */
    SIZE_FXSAVE,      /* 512 bytes */
    SIZE_XSAVE,       /* legacy area and header */
};

enum decode_class {
    CLASS_BY_GROUP, /* see kind_by_group() in decode.c */
    CLASS_ALU,
    CLASS_MUL,
    CLASS_DIV,
    CLASS_BRANCH,
    CLASS_LOCKED,
    CLASS_FLOAT,
    CLASS_FLOAT_DIV,
    CLASS_STRING,
    CLASS_SYSTEM,
    CLASS_PAUSE,
};

/** What the instruction set says of one mnemonic. */
struct decode_traits {
    uint8_t kind;   /* enum decode_class */
    uint8_t use;    /* enum decode_use */
    uint8_t size;   /* enum decode_size */
    uint8_t pops;   /* items read from the top of the stack */
    uint8_t pushes; /* items written below it */
    bool far;       /* its stack items have the plain operand size */
    bool bits;      /* a bit string: the register operand selects the address */
};

/** Of a disassembler's instruction number (enum x86_insn). */
struct decode_traits decode_traits(unsigned id);

/** The same for an instruction, where one mnemonic means several things. */
struct decode_traits decode_traits_of(const cs_insn *insn,
                                      const struct decode_prefixes *prefixes);

/** Decodes one instruction into decoder->insn; false if there is none. */
bool decode_next(struct decoder *decoder, enum code_mode mode,
                 const uint8_t *code, uint32_t bytes);

/** Where a memory access of an instruction gets its address from. */
enum decode_form {
    FORM_OPERAND,     /* a memory operand of the disassembler's */
    FORM_SOURCE,      /* string: DS or override : rSI */
    FORM_DESTINATION, /* string: ES:rDI */
    FORM_MASKED,      /* MASKMOV: DS or override : rDI */
    FORM_TABLE,       /* XLAT: DS or override : rBX + AL */
    FORM_PUSH,        /* the items below SS:rSP */
    FORM_POP,         /* the items from SS:rSP on */
    FORM_POP_MORE,    /* what a return to another privilege level pops too */
    FORM_FRAME,       /* LEAVE: the item at SS:rBP */
    FORM_DISPLAY,     /* ENTER: the items below SS:rBP */
};

/** One memory access of an instruction, whatever the registers hold. */
struct decode_access {
    enum decode_form form;
    uint8_t operand; /* FORM_OPERAND: its index */
    uint8_t items;   /* loads or stores; 0 if it is not certain to be made */
    uint16_t bytes;  /* of all items */
    bool read;
    bool write;
};

/** Lists the accesses in their order and returns how many there are. */
uint32_t decode_accesses(const cs_insn *insn,
                         const struct decode_prefixes *prefixes,
                         const struct decode_traits *traits,
                         struct decode_access out[DECODE_OPERANDS_MAX]);

#endif
