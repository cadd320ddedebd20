/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpu/mmio.h"

#define FLAG_PF (UINT64_C(1) << 2)
#define FLAG_AF (UINT64_C(1) << 4)
#define FLAG_ZF (UINT64_C(1) << 6)
#define FLAG_SF (UINT64_C(1) << 7)
#define FLAG_OF (UINT64_C(1) << 11)
#define FLAGS_ALL (RFLAGS_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

static uint64_t mask_of(unsigned bytes)
{
    return bytes >= 8 ? UINT64_MAX : (UINT64_C(1) << (8 * bytes)) - 1;
}

static bool sign_of(uint64_t value, unsigned bytes)
{
    return value >> (8 * bytes - 1) & 1;
}

static uint64_t get_register(const struct decode_mmio *insn,
                             const struct mmio_state *state)
{
    uint64_t value = state->gpr[insn->gpr];

    if (insn->high_byte)
        value >>= 8;
    return value & mask_of(insn->register_bytes);
}

/* 32 bits clear the upper half; fewer leave the rest alone. */
static void set_register(const struct decode_mmio *insn,
                         struct mmio_state *state, uint64_t value)
{
    uint64_t mask = mask_of(insn->register_bytes);
    unsigned shift = insn->high_byte ? 8 : 0;
    uint64_t *gpr = &state->gpr[insn->gpr];

    if (insn->register_bytes >= 4)
        *gpr = value & mask;
    else
        *gpr = (*gpr & ~(mask << shift)) | (value & mask) << shift;
}

/* SF, ZF and PF, which every operation derives from its result. */
static uint64_t result_flags(uint64_t result, unsigned bytes)
{
    unsigned low = (unsigned)result & 0xff;
    uint64_t flags = 0;

    if (result == 0)
        flags |= FLAG_ZF;
    if (sign_of(result, bytes))
        flags |= FLAG_SF;
    low ^= low >> 4;
    if (!(0x6996u >> (low & 0xf) & 1))
        flags |= FLAG_PF;
    return flags;
}

static uint64_t add(uint64_t a, uint64_t b, bool carry, unsigned bytes,
                    uint64_t *flags)
{
    uint64_t result = (a + b + carry) & mask_of(bytes);

    *flags = result_flags(result, bytes);
    if (result < a || (carry && result == a))
        *flags |= RFLAGS_CF;
    if ((a ^ b ^ result) & 0x10)
        *flags |= FLAG_AF;
    if (sign_of((a ^ result) & (b ^ result), bytes))
        *flags |= FLAG_OF;
    return result;
}

static uint64_t subtract(uint64_t a, uint64_t b, bool borrow, unsigned bytes,
                         uint64_t *flags)
{
    uint64_t result = (a - b - borrow) & mask_of(bytes);

    *flags = result_flags(result, bytes);
    if (a < b || (borrow && a == b))
        *flags |= RFLAGS_CF;
    if ((a ^ b ^ result) & 0x10)
        *flags |= FLAG_AF;
    if (sign_of((a ^ b) & (a ^ result), bytes))
        *flags |= FLAG_OF;
    return result;
}

/* INC and DEC leave the carry alone. */
static uint64_t count(bool up, uint64_t a, unsigned bytes, uint64_t *flags)
{
    uint64_t old = *flags & RFLAGS_CF;
    uint64_t result = up ? add(a, 1, false, bytes, flags)
                         : subtract(a, 1, false, bytes, flags);

    *flags = (*flags & ~RFLAGS_CF) | old;
    return result;
}

/* `a` op `b`. *flags: those before, and those after; AF, which logic leaves
 * undefined, is cleared. */
static uint64_t compute(enum decode_mmio_op op, uint64_t a, uint64_t b,
                        unsigned bytes, uint64_t *flags)
{
    bool carry = *flags & RFLAGS_CF;
    uint64_t result;

    switch (op) {
    case MMIO_ADD:
        return add(a, b, false, bytes, flags);
    case MMIO_ADC:
        return add(a, b, carry, bytes, flags);
    case MMIO_SBB:
        return subtract(a, b, carry, bytes, flags);
    case MMIO_SUB:
    case MMIO_CMP:
        return subtract(a, b, false, bytes, flags);
    case MMIO_NEG:
        return subtract(0, a, false, bytes, flags);
    case MMIO_INC:
    case MMIO_DEC:
        return count(op == MMIO_INC, a, bytes, flags);
    case MMIO_NOT:
        return ~a & mask_of(bytes);
    case MMIO_OR:
        result = a | b;
        break;
    case MMIO_XOR:
        result = a ^ b;
        break;
    case MMIO_AND:
    case MMIO_TEST:
        result = a & b;
        break;
    case MMIO_MOV:
    case MMIO_XCHG:
    case MMIO_STOS:
    case MMIO_LODS:
    case MMIO_MOVS:
    case MMIO_SCAS:
    case MMIO_CMPS:
    case MMIO_XADD:
    case MMIO_CMPXCHG:
    case MMIO_MOVBE:
    case MMIO_SETCC:
    case MMIO_CMOVCC:
    case MMIO_BT:
    case MMIO_BTS:
    case MMIO_BTR:
    case MMIO_BTC:
    case MMIO_VECTOR:
    default: /* none of these is arithmetic */
        return b;
    }
    *flags = result_flags(result, bytes);
    return result;
}

static uint64_t execute_arithmetic(const struct decode_mmio *insn,
                                   struct mmio_state *state, uint64_t memory)
{
    uint64_t other = insn->has_immediate
                         ? insn->immediate & mask_of(insn->bytes)
                         : get_register(insn, state);
    uint64_t flags = state->rflags & FLAGS_ALL;
    uint64_t result =
        compute(insn->op, insn->memory_first ? memory : other,
                insn->memory_first ? other : memory, insn->bytes, &flags);

    state->rflags = (state->rflags & ~FLAGS_ALL) | flags;
    if (!insn->memory_first && insn->op != MMIO_CMP)
        set_register(insn, state, result);
    return result;
}

static uint64_t execute_move(const struct decode_mmio *insn,
                             struct mmio_state *state, uint64_t memory)
{
    if (insn->memory_first)
        return insn->has_immediate ? insn->immediate & mask_of(insn->bytes)
                                   : get_register(insn, state);
    if (insn->sign_extend && sign_of(memory, insn->bytes))
        memory |= ~mask_of(insn->bytes);
    set_register(insn, state, memory);
    return 0;
}

/* The flags of `a` less `b`, which is all that a comparison does. */
static void compare(const struct decode_mmio *insn, struct mmio_state *state,
                    uint64_t a, uint64_t b)
{
    uint64_t flags;

    (void)subtract(a, b, false, insn->bytes, &flags);
    state->rflags = (state->rflags & ~FLAGS_ALL) | flags;
}

static uint64_t execute_xadd(const struct decode_mmio *insn,
                             struct mmio_state *state, uint64_t memory)
{
    uint64_t flags;
    uint64_t sum =
        add(memory, get_register(insn, state), false, insn->bytes, &flags);

    state->rflags = (state->rflags & ~FLAGS_ALL) | flags;
    set_register(insn, state, memory);
    return sum;
}

/* Memory is written in either case, with what it held if that is not what the
 * accumulator expects. */
static uint64_t execute_cmpxchg(const struct decode_mmio *insn,
                                struct mmio_state *state, uint64_t memory)
{
    struct decode_mmio accumulator = *insn;

    accumulator.gpr = X86_RAX;
    accumulator.high_byte = false;
    compare(insn, state, get_register(&accumulator, state), memory);
    if (state->rflags & FLAG_ZF)
        return get_register(insn, state);
    set_register(&accumulator, state, memory);
    return memory;
}

static uint64_t swap_bytes(uint64_t value, unsigned bytes)
{
    return __builtin_bswap64(value) >> (64 - 8 * bytes);
}

static uint64_t execute_swapped(const struct decode_mmio *insn,
                                struct mmio_state *state, uint64_t memory)
{
    if (insn->memory_first)
        return swap_bytes(get_register(insn, state), insn->bytes);
    set_register(insn, state, swap_bytes(memory, insn->bytes));
    return 0;
}

/* SDM 1, "EFLAGS Condition Codes": eight conditions and their opposites. */
static bool condition_holds(uint8_t condition, uint64_t flags)
{
    bool less = !(flags & FLAG_SF) != !(flags & FLAG_OF);
    const bool holds[8] = {
        flags & FLAG_OF,
        flags & RFLAGS_CF,
        flags & FLAG_ZF,
        flags & (RFLAGS_CF | FLAG_ZF),
        flags & FLAG_SF,
        flags & FLAG_PF,
        less,
        less || (flags & FLAG_ZF),
    };

    return holds[condition >> 1] != (condition & 1);
}

/* Without the condition, CMOVcc writes the register all the same. */
static uint64_t execute_condition(const struct decode_mmio *insn,
                                  struct mmio_state *state, uint64_t memory)
{
    bool holds = condition_holds(insn->condition, state->rflags);

    if (insn->op == MMIO_SETCC)
        return holds;
    set_register(insn, state, holds ? memory : get_register(insn, state));
    return 0;
}

/* BT and its kin change one bit and CF. */
static uint64_t execute_bits(const struct decode_mmio *insn,
                             struct mmio_state *state, uint64_t memory)
{
    uint64_t number =
        insn->has_immediate ? insn->immediate : get_register(insn, state);
    uint64_t bit = UINT64_C(1) << (number & (8u * insn->bytes - 1));

    state->rflags &= ~RFLAGS_CF;
    if (memory & bit)
        state->rflags |= RFLAGS_CF;
    if (insn->op == MMIO_BTS)
        return memory | bit;
    return insn->op == MMIO_BTR ? memory & ~bit : memory ^ bit;
}

/* RSI, RDI or RCX moves by `by`, as far as the address size goes. */
static void move_pointer(const struct decode_mmio *insn, uint64_t *gpr,
                         uint64_t by)
{
    uint64_t mask = mask_of(insn->address_bytes);
    uint64_t moved = (*gpr + by) & mask;

    *gpr = insn->address_bytes == 2 ? (*gpr & ~mask) | moved : moved;
}

static void advance_string(const struct decode_mmio *insn,
                           struct mmio_state *state)
{
    uint64_t by =
        state->rflags & RFLAGS_DF ? -(uint64_t)insn->bytes : insn->bytes;
    uint64_t *gpr = state->gpr;

    if (insn->op != MMIO_STOS && insn->op != MMIO_SCAS)
        move_pointer(insn, &gpr[X86_RSI], by);
    if (insn->op != MMIO_LODS)
        move_pointer(insn, &gpr[X86_RDI], by);
    if (insn->repeated)
        move_pointer(insn, &gpr[X86_RCX], UINT64_MAX);
}

static uint64_t execute_string(const struct decode_mmio *insn,
                               struct mmio_state *state, uint64_t memory)
{
    uint64_t out = insn->op == MMIO_MOVS ? memory : get_register(insn, state);

    if (insn->op == MMIO_LODS)
        set_register(insn, state, memory);
    else if (insn->op == MMIO_SCAS)
        compare(insn, state, get_register(insn, state), memory);
    else if (insn->op == MMIO_CMPS)
        compare(insn, state, memory, state->other);
    advance_string(insn, state);
    return out;
}

/* Whether a repeated instruction that had `left` iterations to do has more. */
static bool comes_again(const struct decode_mmio *insn,
                        const struct mmio_state *state, uint64_t left)
{
    if (!insn->repeated || left <= 1)
        return false;
    return (insn->op != MMIO_SCAS && insn->op != MMIO_CMPS) ||
           !(state->rflags & FLAG_ZF) != insn->while_equal;
}

static uint64_t execute_exchange(const struct decode_mmio *insn,
                                 struct mmio_state *state, uint64_t memory)
{
    uint64_t out = get_register(insn, state);

    set_register(insn, state, memory);
    return out;
}

static uint64_t execute_nothing(const struct decode_mmio *insn,
                                struct mmio_state *state, uint64_t memory)
{
    (void)insn;
    (void)state;
    return memory;
}

typedef uint64_t execute_fn(const struct decode_mmio *insn,
                            struct mmio_state *state, uint64_t memory);

static execute_fn *const executors[] = {
    [MMIO_ADD] = execute_arithmetic,   [MMIO_OR] = execute_arithmetic,
    [MMIO_ADC] = execute_arithmetic,   [MMIO_SBB] = execute_arithmetic,
    [MMIO_AND] = execute_arithmetic,   [MMIO_SUB] = execute_arithmetic,
    [MMIO_XOR] = execute_arithmetic,   [MMIO_CMP] = execute_arithmetic,
    [MMIO_TEST] = execute_arithmetic,  [MMIO_NOT] = execute_arithmetic,
    [MMIO_NEG] = execute_arithmetic,   [MMIO_INC] = execute_arithmetic,
    [MMIO_DEC] = execute_arithmetic,   [MMIO_MOV] = execute_move,
    [MMIO_XCHG] = execute_exchange,    [MMIO_STOS] = execute_string,
    [MMIO_LODS] = execute_string,      [MMIO_MOVS] = execute_string,
    [MMIO_SCAS] = execute_string,      [MMIO_CMPS] = execute_string,
    [MMIO_XADD] = execute_xadd,        [MMIO_CMPXCHG] = execute_cmpxchg,
    [MMIO_MOVBE] = execute_swapped,    [MMIO_SETCC] = execute_condition,
    [MMIO_CMOVCC] = execute_condition, [MMIO_BT] = execute_bits,
    [MMIO_BTS] = execute_bits,         [MMIO_BTR] = execute_bits,
    [MMIO_BTC] = execute_bits,         [MMIO_VECTOR] = execute_nothing,
};

uint64_t mmio_execute(const struct decode_mmio *insn, struct mmio_state *state,
                      uint64_t memory)
{
    uint64_t left = state->gpr[X86_RCX] & mask_of(insn->address_bytes);
    uint64_t out = executors[insn->op](insn, state, memory);

    if (!comes_again(insn, state, left))
        state->rip += insn->length;
    return out;
}
