/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpu/decode_private.h"

/* XSAVE area of x87 and SSE state, which is all we offer: legacy region and
 * header. */
#define FXSAVE_BYTES 512
#define XSAVE_BYTES 576

#define ENTER_LEVEL_MASK 31u

/* The most that IRET pops after RIP, CS and RFLAGS: RSP, SS and, on the way
 * to virtual-8086 mode, ES, DS, FS, GS. */
#define IRET_MORE_ITEMS 6
#define RETF_MORE_ITEMS 2

/* An instruction being looked at, and the list that grows. */
struct listing {
    const cs_insn *insn;
    const struct decode_prefixes *prefixes;
    const struct decode_traits *traits;
    struct decode_access *out;
    uint32_t count;
};

static void add(struct listing *listing, struct decode_access access)
{
    if (listing->count < DECODE_OPERANDS_MAX && access.bytes > 0)
        listing->out[listing->count++] = access;
}

static uint16_t operand_bytes(const struct listing *listing, unsigned index)
{
    uint16_t plain = listing->prefixes->operand_bytes;

    switch ((enum decode_size)listing->traits->size) {
    case SIZE_GIVEN:
        return listing->insn->detail->x86.operands[index].size;
    case SIZE_OPERAND:
        return plain;
    case SIZE_QUADWORD:
        return 8;
    case SIZE_FAR_POINTER:
        return (uint16_t)(plain + 2);
    case SIZE_FAR_LOAD:
        return plain == 2 ? 4 : 6;
    case SIZE_BOUNDS:
        return (uint16_t)(plain * 2);
    case SIZE_FPU_ENV:
        return plain == 2 ? 14 : 28;
    case SIZE_FPU_STATE:
        return plain == 2 ? 94 : 108;
    case SIZE_FXSAVE:
        return FXSAVE_BYTES;
    case SIZE_XSAVE:
        return XSAVE_BYTES;
    }
    return 0;
}

/* SDM 1, "Stack Behavior in 64-Bit Mode"; far transfers are not part of it. */
static uint16_t stack_item_bytes(const struct listing *listing)
{
    const struct decode_prefixes *prefixes = listing->prefixes;

    if (listing->traits->far || prefixes->mode != CODE_64)
        return prefixes->operand_bytes;
    return prefixes->operand_bytes == 2 ? 2 : 8;
}

static void add_stack(struct listing *listing, enum decode_form form,
                      unsigned items, bool certain)
{
    add(listing, (struct decode_access){
                     .form = form,
                     .items = (uint8_t)(certain ? items : 0),
                     .bytes = (uint16_t)(items * stack_item_bytes(listing)),
                     .read = form != FORM_PUSH,
                     .write = form == FORM_PUSH,
                 });
}

static void add_fixed(struct listing *listing, enum decode_form form,
                      unsigned bytes, bool write)
{
    add(listing, (struct decode_access){.form = form,
                                        .items = 1,
                                        .bytes = (uint16_t)bytes,
                                        .read = !write,
                                        .write = write});
}

static uint8_t opcode_of(const struct listing *listing)
{
    return listing->insn->bytes[listing->prefixes->opcode_at];
}

static void list_string(struct listing *listing)
{
    uint8_t opcode = opcode_of(listing);
    unsigned bytes = opcode & 1 ? listing->prefixes->operand_bytes : 1;

    switch (opcode & 0xfe) {
    case 0x6c: /* INS */
        add_fixed(listing, FORM_DESTINATION, bytes > 4 ? 4 : bytes, true);
        break;
    case 0x6e: /* OUTS */
        add_fixed(listing, FORM_SOURCE, bytes > 4 ? 4 : bytes, false);
        break;
    case 0xa4: /* MOVS */
        add_fixed(listing, FORM_SOURCE, bytes, false);
        add_fixed(listing, FORM_DESTINATION, bytes, true);
        break;
    case 0xa6: /* CMPS */
        add_fixed(listing, FORM_SOURCE, bytes, false);
        add_fixed(listing, FORM_DESTINATION, bytes, false);
        break;
    case 0xaa: /* STOS */
        add_fixed(listing, FORM_DESTINATION, bytes, true);
        break;
    case 0xac: /* LODS */
        add_fixed(listing, FORM_SOURCE, bytes, false);
        break;
    case 0xae: /* SCAS */
        add_fixed(listing, FORM_DESTINATION, bytes, false);
        break;
    default:
        break;
    }
}

static void list_memory_operands(struct listing *listing)
{
    const cs_x86 *x86 = &listing->insn->detail->x86;
    enum decode_use use = (enum decode_use)listing->traits->use;

    for (unsigned i = 0; i < x86->op_count && use != USE_NONE; i++) {
        bool target = i == 0 && use != USE_READ;

        if (x86->operands[i].type != X86_OP_MEM)
            continue;
        add(listing, (struct decode_access){
                         .form = FORM_OPERAND,
                         .operand = (uint8_t)i,
                         .items = 1,
                         .bytes = operand_bytes(listing, i),
                         .read = !target || use == USE_MODIFY,
                         .write = target,
                     });
    }
}

/* ENTER with a level copies the frame pointers of the outer procedures. */
static void list_enter(struct listing *listing)
{
    unsigned level =
        (unsigned)listing->insn->detail->x86.operands[1].imm & ENTER_LEVEL_MASK;

    add_stack(listing, FORM_PUSH, 1 + level, true);
    if (level > 1)
        add_stack(listing, FORM_DISPLAY, level - 1, true);
}

static void list_stack_and_memory(struct listing *listing)
{
    const struct decode_traits *traits = listing->traits;

    if (traits->pops > 0)
        add_stack(listing, FORM_POP, traits->pops, true);
    list_memory_operands(listing);
    if (traits->pushes > 0)
        add_stack(listing, FORM_PUSH, traits->pushes, true);
}

uint32_t decode_accesses(const cs_insn *insn,
                         const struct decode_prefixes *prefixes,
                         const struct decode_traits *traits,
                         struct decode_access out[DECODE_OPERANDS_MAX])
{
    struct listing listing = {
        .insn = insn, .prefixes = prefixes, .traits = traits, .out = out};

    if (traits->use == USE_STRING) {
        list_string(&listing);
        return listing.count;
    }
    switch (insn->id) {
    case X86_INS_ENTER:
        list_enter(&listing);
        break;
    case X86_INS_LEAVE:
        add_stack(&listing, FORM_FRAME, 1, true);
        break;
    case X86_INS_XLATB:
        add_fixed(&listing, FORM_TABLE, 1, false);
        break;
    case X86_INS_MASKMOVQ:
        add_fixed(&listing, FORM_MASKED, 8, true);
        break;
    case X86_INS_MASKMOVDQU:
    case X86_INS_VMASKMOVDQU:
        add_fixed(&listing, FORM_MASKED, 16, true);
        break;
    case X86_INS_RETF:
    case X86_INS_RETFQ:
        list_stack_and_memory(&listing);
        add_stack(&listing, FORM_POP_MORE, RETF_MORE_ITEMS, false);
        break;
    case X86_INS_IRET:
    case X86_INS_IRETD:
        list_stack_and_memory(&listing);
        add_stack(&listing, FORM_POP_MORE, IRET_MORE_ITEMS, false);
        break;
    default:
        list_stack_and_memory(&listing);
        break;
    }
    return listing.count;
}

/* Addresses. */

/* The general register behind a register of the disassembler's, plus one; 0
 * for all others. */
static const uint8_t gprs[X86_REG_ENDING] = {
    [X86_REG_AX] = 1 + X86_RAX,   [X86_REG_EAX] = 1 + X86_RAX,
    [X86_REG_RAX] = 1 + X86_RAX,  [X86_REG_CX] = 1 + X86_RCX,
    [X86_REG_ECX] = 1 + X86_RCX,  [X86_REG_RCX] = 1 + X86_RCX,
    [X86_REG_DX] = 1 + X86_RDX,   [X86_REG_EDX] = 1 + X86_RDX,
    [X86_REG_RDX] = 1 + X86_RDX,  [X86_REG_BX] = 1 + X86_RBX,
    [X86_REG_EBX] = 1 + X86_RBX,  [X86_REG_RBX] = 1 + X86_RBX,
    [X86_REG_SP] = 1 + X86_RSP,   [X86_REG_ESP] = 1 + X86_RSP,
    [X86_REG_RSP] = 1 + X86_RSP,  [X86_REG_BP] = 1 + X86_RBP,
    [X86_REG_EBP] = 1 + X86_RBP,  [X86_REG_RBP] = 1 + X86_RBP,
    [X86_REG_SI] = 1 + X86_RSI,   [X86_REG_ESI] = 1 + X86_RSI,
    [X86_REG_RSI] = 1 + X86_RSI,  [X86_REG_DI] = 1 + X86_RDI,
    [X86_REG_EDI] = 1 + X86_RDI,  [X86_REG_RDI] = 1 + X86_RDI,
    [X86_REG_R8W] = 1 + X86_R8,   [X86_REG_R8D] = 1 + X86_R8,
    [X86_REG_R8] = 1 + X86_R8,    [X86_REG_R9W] = 1 + X86_R9,
    [X86_REG_R9D] = 1 + X86_R9,   [X86_REG_R9] = 1 + X86_R9,
    [X86_REG_R10W] = 1 + X86_R10, [X86_REG_R10D] = 1 + X86_R10,
    [X86_REG_R10] = 1 + X86_R10,  [X86_REG_R11W] = 1 + X86_R11,
    [X86_REG_R11D] = 1 + X86_R11, [X86_REG_R11] = 1 + X86_R11,
    [X86_REG_R12W] = 1 + X86_R12, [X86_REG_R12D] = 1 + X86_R12,
    [X86_REG_R12] = 1 + X86_R12,  [X86_REG_R13W] = 1 + X86_R13,
    [X86_REG_R13D] = 1 + X86_R13, [X86_REG_R13] = 1 + X86_R13,
    [X86_REG_R14W] = 1 + X86_R14, [X86_REG_R14D] = 1 + X86_R14,
    [X86_REG_R14] = 1 + X86_R14,  [X86_REG_R15W] = 1 + X86_R15,
    [X86_REG_R15D] = 1 + X86_R15, [X86_REG_R15] = 1 + X86_R15,
};

/* Everything that an address can depend on. */
struct addressing {
    const struct x86_state *state;
    const cs_insn *insn;
    const struct decode_prefixes *prefixes;
    const struct decode_traits *traits;
    uint64_t address_mask;
    uint64_t stack_mask;
};

static uint64_t mask_of(unsigned bytes)
{
    return bytes == 8 ? UINT64_MAX : (UINT64_C(1) << (bytes * 8)) - 1;
}

static uint64_t stack_mask(const struct x86_state *state, enum code_mode mode)
{
    if (mode == CODE_64)
        return mask_of(8);
    return mask_of(state->segment[X86_SS].attributes & X86_ATTR_DB ? 4 : 2);
}

static gva_t linear(const struct addressing *addressing,
                    enum x86_segment_register segment, uint64_t offset)
{
    uint64_t base = addressing->state->segment[segment].base;

    if (addressing->prefixes->mode != CODE_64)
        return gva((uint32_t)(base + offset));
    return gva(segment == X86_FS || segment == X86_GS ? base + offset : offset);
}

static gva_t data_linear(const struct addressing *addressing,
                         enum x86_segment_register otherwise, uint64_t offset)
{
    const struct decode_prefixes *prefixes = addressing->prefixes;

    return linear(addressing,
                  prefixes->has_segment
                      ? (enum x86_segment_register)prefixes->segment
                      : otherwise,
                  offset & addressing->address_mask);
}

static uint64_t gpr_value(const struct addressing *addressing, unsigned reg)
{
    unsigned gpr = reg < X86_REG_ENDING ? gprs[reg] : 0;

    return gpr == 0 ? 0 : addressing->state->gpr[gpr - 1];
}

/* Vector registers index gathers, whose addresses are not one range. */
static bool is_gather(x86_reg index)
{
    return index != X86_REG_INVALID && index != X86_REG_RIZ &&
           index != X86_REG_EIZ && gprs[index] == 0;
}

/* BT and its kin: bytes from the operand's address to the unit that holds the
 * bit that the register operand names. */
static uint64_t bit_string_offset(const struct addressing *addressing,
                                  unsigned bytes)
{
    const cs_x86_op *selector = &addressing->insn->detail->x86.operands[1];
    unsigned unused = 64 - bytes * 8;
    int64_t bit;

    if (selector->type != X86_OP_REG)
        return 0;
    bit = (int64_t)(gpr_value(addressing, selector->reg) << unused) >> unused;
    return (uint64_t)(bit >> 3) & ~(uint64_t)(bytes - 1);
}

static bool operand_start(const struct addressing *addressing,
                          const struct decode_access *access, gva_t *start)
{
    const cs_insn *insn = addressing->insn;
    const x86_op_mem *mem = &insn->detail->x86.operands[access->operand].mem;
    unsigned base = gprs[mem->base];
    uint64_t offset = (uint64_t)mem->disp;

    if (is_gather(mem->index))
        return false;
    if (mem->base == X86_REG_RIP || mem->base == X86_REG_EIP)
        offset += addressing->state->rip + insn->size;
    offset += gpr_value(addressing, mem->base);
    offset += gpr_value(addressing, mem->index) * (uint64_t)mem->scale;
    /* POP increments rSP before it computes the address to write to. */
    if (insn->id == X86_INS_POP && base == 1 + X86_RSP)
        offset += access->bytes;
    if (addressing->traits->bits)
        offset += bit_string_offset(addressing, access->bytes);
    *start = data_linear(
        addressing,
        base == 1 + X86_RSP || base == 1 + X86_RBP ? X86_SS : X86_DS, offset);
    return true;
}

/* Where the part of a far return's or IRET's frame begins that depends on the
 * privilege level: behind what is popped always, and RETF's parameters. */
static uint64_t more_offset(const struct addressing *addressing,
                            const struct decode_access *access)
{
    const cs_x86 *x86 = &addressing->insn->detail->x86;
    unsigned more = addressing->insn->id == X86_INS_RETF ||
                            addressing->insn->id == X86_INS_RETFQ
                        ? RETF_MORE_ITEMS
                        : IRET_MORE_ITEMS;
    uint64_t offset =
        (uint64_t)(access->bytes / more) * addressing->traits->pops;

    if (x86->op_count > 0 && x86->operands[0].type == X86_OP_IMM)
        offset += (uint16_t)x86->operands[0].imm;
    return offset;
}

static bool access_start(const struct addressing *addressing,
                         const struct decode_access *access, gva_t *start)
{
    const uint64_t *gpr = addressing->state->gpr;
    uint64_t offset = 0;

    switch (access->form) {
    case FORM_OPERAND:
        return operand_start(addressing, access, start);
    case FORM_SOURCE:
        *start = data_linear(addressing, X86_DS, gpr[X86_RSI]);
        return true;
    case FORM_DESTINATION:
        *start =
            linear(addressing, X86_ES, gpr[X86_RDI] & addressing->address_mask);
        return true;
    case FORM_MASKED:
        *start = data_linear(addressing, X86_DS, gpr[X86_RDI]);
        return true;
    case FORM_TABLE:
        *start = data_linear(addressing, X86_DS,
                             gpr[X86_RBX] + (uint8_t)gpr[X86_RAX]);
        return true;
    case FORM_PUSH:
        offset = gpr[X86_RSP] - access->bytes;
        break;
    case FORM_POP:
        offset = gpr[X86_RSP];
        break;
    case FORM_POP_MORE:
        offset = gpr[X86_RSP] + more_offset(addressing, access);
        break;
    case FORM_FRAME:
        offset = gpr[X86_RBP];
        break;
    case FORM_DISPLAY:
        offset = gpr[X86_RBP] - access->bytes;
        break;
    }
    *start = linear(addressing, X86_SS, offset & addressing->stack_mask);
    return true;
}

uint32_t decode_operands(struct decoder *decoder, const struct x86_state *state,
                         const uint8_t *code, uint32_t bytes,
                         struct decode_operand operands[DECODE_OPERANDS_MAX])
{
    enum code_mode mode = decode_mode(state);
    struct decode_access accesses[DECODE_OPERANDS_MAX];
    struct decode_prefixes prefixes;
    struct decode_traits traits;
    uint32_t access_count;
    uint32_t count = 0;

    if (!decode_next(decoder, mode, code, bytes))
        return 0;
    decode_read_prefixes(mode, code, bytes, &prefixes);
    traits = decode_traits_of(decoder->insn, &prefixes);

    struct addressing addressing = {
        .state = state,
        .insn = decoder->insn,
        .prefixes = &prefixes,
        .traits = &traits,
        .address_mask = mask_of(prefixes.address_bytes),
        .stack_mask = stack_mask(state, mode),
    };

    if (traits.use == USE_STRING && prefixes.repeat &&
        (state->gpr[X86_RCX] & addressing.address_mask) == 0)
        return 0;
    access_count = decode_accesses(decoder->insn, &prefixes, &traits, accesses);
    for (uint32_t i = 0; i < access_count; i++) {
        struct decode_operand *operand = &operands[count];

        if (!access_start(&addressing, &accesses[i], &operand->start))
            continue;
        operand->bytes = accesses[i].bytes;
        operand->read = accesses[i].read;
        operand->write = accesses[i].write;
        count++;
    }
    return count;
}
