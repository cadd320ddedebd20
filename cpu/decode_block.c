/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bill of a block: what each of its instructions is and touches.
 *
 * The disassembler takes half a microsecond for one, and a kernel that boots
 * has hundreds of thousands of them, but in a few thousand patterns: what an
 * instruction is and touches does not depend on its displacement, nor, but for
 * a few, on its immediate. So each pattern is disassembled once.
 */
#include <string.h>

#include "cpu/code_shape.h"
#include "cpu/decode_private.h"
#include "sim/core/check.h"

static bool is_vector_register(x86_reg reg)
{
    return (reg >= X86_REG_MM0 && reg <= X86_REG_MM7) ||
           (reg >= X86_REG_XMM0 && reg <= X86_REG_XMM31) ||
           (reg >= X86_REG_YMM0 && reg <= X86_REG_YMM31) ||
           (reg >= X86_REG_ZMM0 && reg <= X86_REG_ZMM31);
}

static bool has_operand(const cs_x86 *x86, x86_op_type type)
{
    for (unsigned i = 0; i < x86->op_count; i++) {
        if (x86->operands[i].type == type)
            return true;
    }
    return false;
}

static bool has_vector_operand(const cs_x86 *x86)
{
    for (unsigned i = 0; i < x86->op_count; i++) {
        if (x86->operands[i].type == X86_OP_REG &&
            is_vector_register(x86->operands[i].reg))
            return true;
    }
    return false;
}

/* Of an instruction that our table says nothing about. */
static enum cost_kind kind_by_group(const cs_insn *insn)
{
    const cs_detail *detail = insn->detail;
    enum cost_kind kind = COST_INSN_ALU;

    if (has_vector_operand(&detail->x86))
        return COST_INSN_VECTOR;
    for (unsigned i = 0; i < detail->groups_count; i++) {
        switch (detail->groups[i]) {
        case X86_GRP_PRIVILEGE:
        case X86_GRP_IRET:
        case X86_GRP_VM:
            return COST_INSN_SYSTEM;
        case X86_GRP_FPU:
            kind = COST_INSN_FLOAT;
            break;
        case X86_GRP_JUMP:
        case X86_GRP_CALL:
        case X86_GRP_RET:
        case X86_GRP_BRANCH_RELATIVE:
            kind = COST_INSN_BRANCH;
            break;
        default:
            break;
        }
    }
    return kind;
}

static enum cost_kind kind_of(const cs_insn *insn,
                              const struct decode_prefixes *prefixes,
                              const struct decode_traits *traits)
{
    const cs_x86 *x86 = &insn->detail->x86;

    /* XCHG locks the bus without being asked. */
    if ((prefixes->lock || insn->id == X86_INS_XCHG) &&
        has_operand(x86, X86_OP_MEM))
        return COST_INSN_LOCKED;
    switch ((enum decode_class)traits->kind) {
    case CLASS_BY_GROUP:
        return kind_by_group(insn);
    case CLASS_ALU:
        return COST_INSN_ALU;
    case CLASS_MUL:
        return COST_INSN_MUL;
    case CLASS_DIV:
        return COST_INSN_DIV;
    case CLASS_BRANCH:
        return COST_INSN_BRANCH;
    case CLASS_LOCKED:
        return COST_INSN_LOCKED;
    case CLASS_FLOAT:
        return COST_INSN_FLOAT;
    case CLASS_FLOAT_DIV:
        return COST_INSN_FLOAT_DIV;
    case CLASS_STRING:
        return COST_INSN_STRING;
    case CLASS_SYSTEM:
        return COST_INSN_SYSTEM;
    case CLASS_PAUSE:
        return COST_INSN_PAUSE;
    }
    CHECK(false);
    return COST_INSN_ALU;
}

/* What an instruction adds to the bill. */
static struct decode_share share_of(struct decoder *decoder,
                                    enum code_mode mode, const uint8_t *code,
                                    uint32_t bytes)
{
    struct decode_share share = {.kind = COST_INSN_SYSTEM};
    struct decode_access accesses[DECODE_OPERANDS_MAX];
    struct decode_prefixes prefixes;
    struct decode_traits traits;
    uint32_t count;

    if (!decode_next(decoder, mode, code, bytes))
        return share;
    decode_read_prefixes(mode, code, bytes, &prefixes);
    traits = decode_traits_of(decoder->insn, &prefixes);
    count = decode_accesses(decoder->insn, &prefixes, &traits, accesses);
    share.kind = (uint8_t)kind_of(decoder->insn, &prefixes, &traits);
    for (uint32_t i = 0; i < count; i++) {
        if (accesses[i].read)
            share.loads = (uint8_t)(share.loads + accesses[i].items);
        if (accesses[i].write)
            share.stores = (uint8_t)(share.stores + accesses[i].items);
    }
    return share;
}

/* Its pattern is put into two words: the bytes, their number, the mode. */
static struct decode_pattern *find_pattern(struct decoder *decoder,
                                           enum code_mode mode,
                                           const uint8_t *code, uint32_t bytes,
                                           uint64_t key[2])
{
    uint64_t hash;

    key[0] = 0;
    key[1] = (uint64_t)(bytes | (unsigned)mode << 4) << 56;
    memcpy(key, code, bytes); /* 15 at most */
    hash = (key[0] ^ key[1] * UINT64_C(0xc2b2ae3d27d4eb4f)) *
           UINT64_C(0x9e3779b97f4a7c15);
    return &decoder->patterns[hash >> (64 - DECODE_PATTERN_BITS)];
}

static struct decode_share recall_share(struct decoder *decoder,
                                        enum code_mode mode,
                                        const uint8_t *code, uint32_t bytes,
                                        uint32_t pattern_bytes)
{
    uint64_t key[2];
    struct decode_pattern *pattern =
        find_pattern(decoder, mode, code, pattern_bytes, key);

    if (pattern->key[0] != key[0] || pattern->key[1] != key[1]) {
        pattern->share = share_of(decoder, mode, code, bytes);
        pattern->key[0] = key[0];
        pattern->key[1] = key[1];
    }
    return pattern->share;
}

uint32_t decode_block(struct decoder *decoder, enum code_mode mode,
                      const uint8_t *code, uint32_t bytes,
                      struct cost_bill *bill)
{
    uint32_t count = 0;
    uint32_t at = 0;

    while (at < bytes) {
        struct code_shape shape = code_shape(mode, code + at, bytes - at);
        struct decode_share share;

        count++;
        if (shape.length == 0) { /* the bill must not depend on what follows */
            share = share_of(decoder, mode, code + at, bytes - at);
            shape.length = (uint8_t)(bytes - at);
        } else {
            share = recall_share(decoder, mode, code + at, shape.length,
                                 shape.pattern);
        }
        at += shape.length;
        cost_note(bill, (enum cost_kind)share.kind, 1);
        if (share.loads > 0)
            cost_note(bill, COST_INSN_LOAD, share.loads);
        if (share.stores > 0)
            cost_note(bill, COST_INSN_STORE, share.stores);
    }
    return count;
}
