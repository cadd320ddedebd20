/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpu/decode_mmio.h"

#include "cpu/decode_private.h"
#include "sim/core/check.h"

#define REX_B 0x1u
#define REX_X 0x2u
#define REX_R 0x4u
#define REX_W 0x8u

/* Where decoding has got to. `short_of` is set as soon as a byte is missing;
 * what was read is then worthless. */
struct cursor {
    const uint8_t *code;
    uint32_t at, bytes;
    bool short_of;
    struct decode_prefixes prefixes;
};

static uint8_t next_byte(struct cursor *cursor)
{
    if (cursor->at >= cursor->bytes) {
        cursor->short_of = true;
        return 0;
    }
    return cursor->code[cursor->at++];
}

/* The next `bytes` bytes, sign-extended to 64 bits. */
static uint64_t next_signed(struct cursor *cursor, uint32_t bytes)
{
    uint64_t value = 0;

    CHECK(bytes > 0);
    for (uint32_t i = 0; i < bytes; i++)
        value |= (uint64_t)next_byte(cursor) << (8 * i);
    if (bytes < 8 && (value >> (8 * bytes - 1) & 1))
        value |= UINT64_MAX << (8 * bytes);
    return value;
}

/* Addresses of 16 bits: pairs of registers (SDM 2, table 2-1). */
static void read_address16(struct cursor *cursor, uint8_t mod, uint8_t rm,
                           struct decode_mmio *out)
{
    static const uint8_t bases[] = {X86_RBX, X86_RBX, X86_RBP, X86_RBP,
                                    X86_RSI, X86_RDI, X86_RBP, X86_RBX};
    static const uint8_t indices[] = {X86_RSI, X86_RDI, X86_RSI, X86_RDI};

    out->base = bases[rm];
    if (rm < 4)
        out->index = indices[rm];
    if (mod == 0 && rm == 6) {
        out->base = DECODE_MMIO_NO_GPR;
        out->displacement = next_signed(cursor, 2);
    } else if (mod != 0) {
        out->displacement = next_signed(cursor, mod == 1 ? 1 : 2);
    }
}

static void read_sib(struct cursor *cursor, uint8_t mod,
                     struct decode_mmio *out)
{
    uint8_t rex = cursor->prefixes.rex;
    uint8_t sib = next_byte(cursor);
    uint8_t index = (uint8_t)((sib >> 3 & 7) | (rex & REX_X ? 8 : 0));

    if (index != X86_RSP) {
        out->index = index;
        out->scale = (uint8_t)(1u << (sib >> 6));
    }
    out->base = (uint8_t)((sib & 7) | (rex & REX_B ? 8 : 0));
    if (mod == 0 && (sib & 7) == 5) {
        out->base = DECODE_MMIO_NO_GPR;
        out->displacement = next_signed(cursor, 4);
    }
}

static void read_address32(struct cursor *cursor, uint8_t mod, uint8_t rm,
                           struct decode_mmio *out)
{
    if (rm == 4) {
        read_sib(cursor, mod, out);
    } else if (mod == 0 && rm == 5) {
        out->rip_relative = cursor->prefixes.mode == CODE_64;
        out->displacement = next_signed(cursor, 4);
    } else {
        out->base = (uint8_t)(rm | (cursor->prefixes.rex & REX_B ? 8 : 0));
    }
    if (mod != 0)
        out->displacement = next_signed(cursor, mod == 1 ? 1 : 4);
}

/* Addresses off the stack's registers are in SS, unless a prefix says else. */
static void choose_segment(const struct cursor *cursor, struct decode_mmio *out)
{
    const struct decode_prefixes *prefixes = &cursor->prefixes;
    bool stack = out->base == X86_RBP || out->base == X86_RSP;

    if (prefixes->has_segment)
        out->segment = prefixes->segment;
    else
        out->segment = stack ? X86_SS : X86_DS;
}

/* Reads ModR/M and what belongs to it; *reg: its middle field. False if its
 * other operand is no memory. */
static bool read_modrm(struct cursor *cursor, struct decode_mmio *out,
                       uint8_t *reg)
{
    uint8_t modrm = next_byte(cursor);
    uint8_t mod = modrm >> 6;

    *reg = modrm >> 3 & 7;
    if (mod == 3)
        return false;
    if (cursor->prefixes.address_bytes == 2)
        read_address16(cursor, mod, modrm & 7, out);
    else
        read_address32(cursor, mod, modrm & 7, out);
    choose_segment(cursor, out);
    return true;
}

/* The register operand: without REX, bytes 4 to 7 are AH to BH. */
static void set_register(const struct cursor *cursor, uint8_t reg,
                         struct decode_mmio *out)
{
    uint8_t rex = cursor->prefixes.rex;

    out->gpr = (uint8_t)(reg | (rex & REX_R ? 8 : 0));
    if (out->register_bytes == 1 && !rex && reg >= 4) {
        out->gpr = reg - 4;
        out->high_byte = true;
    }
}

static void set_immediate(struct cursor *cursor, struct decode_mmio *out,
                          uint32_t bytes)
{
    out->has_immediate = true;
    out->memory_first = true;
    out->immediate = next_signed(cursor, bytes > 4 ? 4 : bytes);
}

/* Only from one operand to the other. */
static bool is_move(enum decode_mmio_op op)
{
    return op == MMIO_MOV || op == MMIO_STOS || op == MMIO_MOVBE ||
           op == MMIO_SETCC || op == MMIO_VECTOR;
}

static bool only_compares(enum decode_mmio_op op)
{
    return op == MMIO_CMP || op == MMIO_TEST || op == MMIO_BT;
}

/* Which accesses the operation makes. */
static void set_accesses(struct decode_mmio *out)
{
    bool destination = out->memory_first || out->op == MMIO_XCHG;

    out->reads = !is_move(out->op) || !destination;
    out->writes = destination && !only_compares(out->op);
}

/* ADD to CMP, 00 to 3F, whose lowest three bits are their form. */
static bool decode_arithmetic(struct cursor *cursor, uint8_t opcode,
                              struct decode_mmio *out)
{
    uint8_t reg;

    out->op = (enum decode_mmio_op)(opcode >> 3);
    out->memory_first = (opcode & 2) == 0;
    if (!read_modrm(cursor, out, &reg))
        return false;
    set_register(cursor, reg, out);
    return true;
}

/* Group 1 (80 to 83): an immediate of the operand's size, or of a byte. */
static bool decode_group1(struct cursor *cursor, uint8_t opcode,
                          struct decode_mmio *out)
{
    uint8_t reg;

    if (!read_modrm(cursor, out, &reg))
        return false;
    out->op = (enum decode_mmio_op)reg;
    set_immediate(cursor, out, opcode == 0x83 ? 1 : out->bytes);
    return true;
}

/* C6 and C7 (only MOV), F6 and F7 (TEST, NOT, NEG), FE and FF (INC, DEC). */
static bool decode_group(struct cursor *cursor, uint8_t opcode,
                         struct decode_mmio *out)
{
    uint8_t reg;

    if (!read_modrm(cursor, out, &reg))
        return false;
    out->memory_first = true;
    switch ((opcode & 0xfeu) << 4 | reg) {
    case 0xc60:
        out->op = MMIO_MOV;
        set_immediate(cursor, out, out->bytes);
        return true;
    case 0xf60:
    case 0xf61:
        out->op = MMIO_TEST;
        set_immediate(cursor, out, out->bytes);
        return true;
    case 0xf62:
        out->op = MMIO_NOT;
        return true;
    case 0xf63:
        out->op = MMIO_NEG;
        return true;
    case 0xfe0:
        out->op = MMIO_INC;
        return true;
    case 0xfe1:
        out->op = MMIO_DEC;
        return true;
    default:
        return false;
    }
}

/* TEST, XCHG and MOV with a register: 84 to 8B. */
static bool decode_register(struct cursor *cursor, uint8_t opcode,
                            struct decode_mmio *out)
{
    uint8_t reg;

    out->memory_first = opcode < 0x8a;
    if (opcode < 0x86)
        out->op = MMIO_TEST;
    else
        out->op = opcode < 0x88 ? MMIO_XCHG : MMIO_MOV;
    if (!read_modrm(cursor, out, &reg))
        return false;
    set_register(cursor, reg, out);
    return true;
}

/* MOVZX and MOVSX from a byte or a word; MOVSXD from 32 bits. */
static bool decode_extension(struct cursor *cursor, uint32_t bytes, bool sign,
                             struct decode_mmio *out)
{
    uint8_t reg;

    out->op = MMIO_MOV;
    out->bytes = (uint8_t)bytes;
    out->register_bytes = cursor->prefixes.operand_bytes;
    out->sign_extend = sign;
    if (!read_modrm(cursor, out, &reg))
        return false;
    set_register(cursor, reg, out);
    return true;
}

/* MOV between the accumulator and an address in the instruction. */
static bool decode_offset(struct cursor *cursor, uint8_t opcode,
                          struct decode_mmio *out)
{
    out->op = MMIO_MOV;
    out->memory_first = opcode >= 0xa2;
    out->gpr = X86_RAX;
    out->displacement = next_signed(cursor, out->address_bytes);
    choose_segment(cursor, out);
    return true;
}

/* The last of F2 and F3, else 66, else 0: what selects among instructions of
 * one opcode. */
static uint8_t mandatory_prefix(const struct cursor *cursor)
{
    uint8_t found = 0;

    for (uint32_t i = 0; i < cursor->prefixes.opcode_at; i++) {
        uint8_t byte = cursor->code[i];

        if (byte == 0xf2 || byte == 0xf3 || (byte == 0x66 && found == 0))
            found = byte;
    }
    return found;
}

static bool decode_string(const struct cursor *cursor, enum decode_mmio_op op,
                          struct decode_mmio *out)
{
    out->op = op;
    out->repeated = cursor->prefixes.repeat;
    out->while_equal = mandatory_prefix(cursor) == 0xf3;
    out->gpr = X86_RAX;
    out->base = X86_RSI;
    choose_segment(cursor, out);
    out->memory_first = op == MMIO_STOS;
    if (op == MMIO_STOS || op == MMIO_SCAS) {
        out->base = X86_RDI;
        out->segment = X86_ES;
    }
    return true;
}

static bool decode_one_byte(struct cursor *cursor, uint8_t opcode,
                            struct decode_mmio *out)
{
    if (opcode < 0x40 && (opcode & 7) < 4)
        return decode_arithmetic(cursor, opcode, out);
    switch (opcode) {
    case 0x63:
        return cursor->prefixes.mode == CODE_64 &&
               decode_extension(cursor, 4, true, out);
    case 0x80:
    case 0x81:
    case 0x83:
        return decode_group1(cursor, opcode, out);
    case 0x84:
    case 0x85:
    case 0x86:
    case 0x87:
    case 0x88:
    case 0x89:
    case 0x8a:
    case 0x8b:
        return decode_register(cursor, opcode, out);
    case 0xa0:
    case 0xa1:
    case 0xa2:
    case 0xa3:
        return decode_offset(cursor, opcode, out);
    case 0xa4:
    case 0xa5:
        return decode_string(cursor, MMIO_MOVS, out);
    case 0xa6:
    case 0xa7:
        return decode_string(cursor, MMIO_CMPS, out);
    case 0xaa:
    case 0xab:
        return decode_string(cursor, MMIO_STOS, out);
    case 0xac:
    case 0xad:
        return decode_string(cursor, MMIO_LODS, out);
    case 0xae:
    case 0xaf:
        return decode_string(cursor, MMIO_SCAS, out);
    case 0xc6:
    case 0xc7:
    case 0xf6:
    case 0xf7:
    case 0xfe:
    case 0xff:
        return decode_group(cursor, opcode, out);
    default:
        return false;
    }
}

/* Two operands, of which the register is the second if `store`. */
static bool decode_plain(struct cursor *cursor, enum decode_mmio_op op,
                         bool store, struct decode_mmio *out)
{
    uint8_t reg;

    out->op = op;
    out->memory_first = store;
    if (!read_modrm(cursor, out, &reg))
        return false;
    set_register(cursor, reg, out);
    return true;
}

static bool decode_condition(struct cursor *cursor, enum decode_mmio_op op,
                             uint8_t opcode, struct decode_mmio *out)
{
    if (op == MMIO_SETCC)
        out->bytes = out->register_bytes = 1;
    out->condition = opcode & 0xf;
    return decode_plain(cursor, op, op == MMIO_SETCC, out);
}

/* BT to BTC with a register, and group 8 with an immediate. */
static bool decode_bits(struct cursor *cursor, uint8_t opcode,
                        struct decode_mmio *out)
{
    uint8_t reg;

    out->memory_first = true;
    if (!read_modrm(cursor, out, &reg))
        return false;
    if (opcode != 0xba) {
        out->op = (enum decode_mmio_op)(MMIO_BT + (opcode >> 3 & 3));
        out->bit_string = true;
        set_register(cursor, reg, out);
        return true;
    }
    if (reg < 4)
        return false;
    out->op = (enum decode_mmio_op)(MMIO_BT + (reg & 3));
    set_immediate(cursor, out, 1);
    return true;
}

/* Moves between an XMM register and memory that touch nothing else. */
struct vector_move {
    uint8_t prefix, opcode;
    uint8_t bytes; /* 0: 4, or 8 with REX.W */
    bool store;
};

static const struct vector_move vector_moves[] = {
    {0x00, 0x10, 16, false}, {0x66, 0x10, 16, false}, {0xf3, 0x10, 4, false},
    {0xf2, 0x10, 8, false},  {0x00, 0x11, 16, true},  {0x66, 0x11, 16, true},
    {0xf3, 0x11, 4, true},   {0xf2, 0x11, 8, true},   {0x00, 0x28, 16, false},
    {0x66, 0x28, 16, false}, {0x00, 0x29, 16, true},  {0x66, 0x29, 16, true},
    {0x00, 0x2b, 16, true},  {0x66, 0x2b, 16, true},  {0x66, 0x6e, 0, false},
    {0x66, 0x6f, 16, false}, {0xf3, 0x6f, 16, false}, {0x66, 0x7e, 0, true},
    {0xf3, 0x7e, 8, false},  {0x66, 0x7f, 16, true},  {0xf3, 0x7f, 16, true},
    {0x66, 0xd6, 8, true},   {0x66, 0xe7, 16, true},  {0xf2, 0xf0, 16, false},
};

static bool decode_vector(struct cursor *cursor, uint8_t opcode,
                          struct decode_mmio *out)
{
    const size_t count = sizeof(vector_moves) / sizeof(vector_moves[0]);
    uint8_t prefix = mandatory_prefix(cursor);
    size_t i = 0;

    while (i < count && (vector_moves[i].opcode != opcode ||
                         vector_moves[i].prefix != prefix))
        i++;
    if (i == count)
        return false;
    out->bytes = vector_moves[i].bytes;
    if (out->bytes == 0)
        out->bytes = cursor->prefixes.rex & REX_W ? 8 : 4;
    out->register_bytes = 16;
    return decode_plain(cursor, MMIO_VECTOR, vector_moves[i].store, out);
}

/* MOVBE, which with F2 would be CRC32. */
static bool decode_swapped(struct cursor *cursor, struct decode_mmio *out)
{
    uint8_t opcode = next_byte(cursor);

    return (opcode & 0xfe) == 0xf0 && !cursor->prefixes.repeat &&
           decode_plain(cursor, MMIO_MOVBE, opcode == 0xf1, out);
}

static bool decode_two_byte(struct cursor *cursor, uint8_t opcode,
                            struct decode_mmio *out)
{
    switch (opcode) {
    case 0x38:
        return decode_swapped(cursor, out);
    case 0xa3:
    case 0xab:
    case 0xb3:
    case 0xbb:
    case 0xba:
        return decode_bits(cursor, opcode, out);
    case 0xb0:
    case 0xc0:
        out->bytes = out->register_bytes = 1;
        return decode_plain(cursor, opcode == 0xb0 ? MMIO_CMPXCHG : MMIO_XADD,
                            true, out);
    case 0xb1:
    case 0xc1:
        return decode_plain(cursor, opcode == 0xb1 ? MMIO_CMPXCHG : MMIO_XADD,
                            true, out);
    case 0xb6:
    case 0xb7:
    case 0xbe:
    case 0xbf:
        return decode_extension(cursor, opcode & 1 ? 2 : 1, opcode >= 0xbe,
                                out);
    case 0xc3: /* MOVNTI */
        return cursor->prefixes.operand_bytes > 2 &&
               decode_plain(cursor, MMIO_MOV, true, out);
    default:
        break;
    }
    if ((opcode & 0xf0) == 0x40)
        return decode_condition(cursor, MMIO_CMOVCC, opcode, out);
    if ((opcode & 0xf0) == 0x90)
        return decode_condition(cursor, MMIO_SETCC, opcode, out);
    return decode_vector(cursor, opcode, out);
}

static bool decode_opcode(struct cursor *cursor, struct decode_mmio *out)
{
    uint8_t opcode = next_byte(cursor);

    if (opcode == 0x0f)
        return decode_two_byte(cursor, next_byte(cursor), out);
    /* The lowest bit of all these is their size. */
    if (!(opcode & 1))
        out->bytes = out->register_bytes = 1;
    return decode_one_byte(cursor, opcode, out);
}

/* LOCK is for what reads and writes; elsewhere it is #UD before any access. */
bool decode_mmio(enum code_mode mode, const uint8_t *code, uint32_t bytes,
                 struct decode_mmio *out)
{
    struct cursor cursor = {.code = code, .bytes = bytes};

    if (bytes > INSTRUCTION_BYTES_MAX)
        cursor.bytes = INSTRUCTION_BYTES_MAX;
    decode_read_prefixes(mode, code, cursor.bytes, &cursor.prefixes);
    cursor.at = cursor.prefixes.opcode_at;
    *out = (struct decode_mmio){
        .bytes = cursor.prefixes.operand_bytes,
        .register_bytes = cursor.prefixes.operand_bytes,
        .base = DECODE_MMIO_NO_GPR,
        .index = DECODE_MMIO_NO_GPR,
        .scale = 1,
        .address_bytes = cursor.prefixes.address_bytes,
    };
    if (!decode_opcode(&cursor, out) || cursor.short_of)
        return false;
    out->length = (uint8_t)cursor.at;
    set_accesses(out);
    return true;
}

/* How far from its operand's address a bit of a string is, in whole operands:
 * the register is signed. */
static uint64_t bit_offset(const struct decode_mmio *insn, uint64_t value)
{
    unsigned spare = 64 - 8u * insn->register_bytes;
    int64_t bit = (int64_t)(value << spare) >> spare;

    return (uint64_t)(bit >> 3) & ~(uint64_t)(insn->bytes - 1u);
}

uint64_t decode_mmio_offset(const struct decode_mmio *insn,
                            const uint64_t gpr[X86_GPR_COUNT], uint64_t rip)
{
    uint64_t offset = insn->displacement;

    if (insn->bit_string)
        offset += bit_offset(insn, gpr[insn->gpr]);

    if (insn->base != DECODE_MMIO_NO_GPR)
        offset += gpr[insn->base];
    if (insn->index != DECODE_MMIO_NO_GPR)
        offset += gpr[insn->index] * insn->scale;
    if (insn->rip_relative)
        offset += rip + insn->length;
    if (insn->address_bytes < 8)
        offset &= (UINT64_C(1) << (8 * insn->address_bytes)) - 1;
    return offset;
}
