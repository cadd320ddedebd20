/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpu/engine_private.h"
#include "sim/core/check.h"

#define CR0_VALID                                                              \
    (CR0_PE | CR0_MP | CR0_EM | CR0_TS | CR0_ET | CR0_NE | CR0_WP | CR0_AM |   \
     CR0_NW | CR0_CD | CR0_PG)
#define CR0_LMSW (CR0_PE | CR0_MP | CR0_EM | CR0_TS)
#define CR0_FLUSHES (CR0_PG | CR0_PE | CR0_WP)
#define CR4_FLUSHES                                                            \
    (CR4_PSE | CR4_PAE | CR4_PGE | CR4_PCIDE | CR4_SMEP | CR4_SMAP | CR4_LA57)
#define CR3_NO_FLUSH (UINT64_C(1) << 63)

#define DR6_FIXED UINT64_C(0xffff0ff0)
#define DR6_BD (UINT64_C(1) << 13)
#define DR7_FIXED UINT64_C(0x400)
#define DR7_RESERVED UINT64_C(0xd000)
#define DR7_GD (UINT64_C(1) << 13)

enum {
    MSR_TSC = 0x10,
    MSR_SYSENTER_CS = 0x174,
    MSR_SYSENTER_ESP = 0x175,
    MSR_SYSENTER_EIP = 0x176,
};
#define MSR_EFER 0xc0000080u
#define MSR_STAR 0xc0000081u
#define MSR_LSTAR 0xc0000082u
#define MSR_CSTAR 0xc0000083u
#define MSR_FMASK 0xc0000084u
#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define MSR_TSC_AUX 0xc0000103u

static void flush(struct engine *engine, bool keep_global)
{
    engine_memory_flush_all(engine, keep_global);
    engine_bill(engine, COST_TLB_FLUSH, 1);
}

/* The instruction at RIP past its prefixes; REX.R and REX.B in *rex. */
struct opcode {
    uint8_t bytes[16];
    uint32_t have;
    uint32_t at; /* of the opcode, in bytes */
    uint8_t rex;
    uint8_t length;
};

static uint8_t opcode_byte(const struct opcode *op, uint32_t index)
{
    return op->at + index < op->have ? op->bytes[op->at + index] : 0;
}

/* MOV to and from control and debug registers: ModRM names registers whatever
 * its mode bits say. */
static bool is_register_move(const struct opcode *op)
{
    uint8_t opcode = opcode_byte(op, 1);

    return opcode_byte(op, 0) == 0x0f && opcode >= 0x20 && opcode <= 0x23;
}

/* False after #UD: with LOCK, or what the decoder does not know, there is no
 * such instruction, whatever Unicorn makes of it. */
static bool read_opcode(struct engine *engine, struct opcode *op)
{
    bool code64 = engine_image_mode(engine) == CODE_64;
    bool lock = false;

    *op = (struct opcode){0};
    op->have = engine_fetch(engine, op->bytes);
    for (; op->at < op->have; op->at++) {
        uint8_t byte = op->bytes[op->at];

        if (code64 && (byte & 0xf0) == 0x40)
            op->rex = byte;
        else if (byte == 0xf0)
            lock = true;
        else if (byte == 0x0f)
            break;
    }
    op->length = engine_exit_length(engine);
    if (is_register_move(op))
        op->length = (uint8_t)(op->at + 3);
    if (!lock && op->length != 0)
        return true;
    engine_event_fault(engine, X86_VECTOR_UD, 0);
    return false;
}

static enum x86_gpr opcode_rm(const struct opcode *op)
{
    return (enum x86_gpr)((opcode_byte(op, 2) & 7) | (op->rex & 1) << 3);
}

static uint64_t operand_value(struct engine *engine, enum x86_gpr gpr)
{
    uint64_t value = engine_gpr(engine, gpr);

    return engine_image_mode(engine) == CODE_64 ? value : (uint32_t)value;
}

/* The address of the memory operand of an 0F 01 instruction: that of MOVZX
 * with the same ModRM, which the decoder knows as an access. */
#define OPCODE_MOVZX8 0xb6

static bool operand_address(struct engine *engine, const struct opcode *op,
                            gva_t *address)
{
    struct decode_operand operands[DECODE_OPERANDS_MAX];
    struct opcode like = *op;
    struct x86_state state;

    if (op->at + 2 >= op->have)
        return false;
    like.bytes[op->at + 1] = OPCODE_MOVZX8;
    engine_image_get(engine, &state);
    if (decode_operands(engine->decoder, &state, like.bytes, like.have,
                        operands) == 0)
        return false;
    *address = operands[0].start;
    return true;
}

static void general_protection(struct engine *engine)
{
    engine_event_fault(engine, X86_VECTOR_GP, 0);
}

/* CR0 */

/* The checks of SDM 2B, "MOV - Move to Control Registers". */
static bool cr0_is_valid(const struct x86_state *state, uint64_t cr0)
{
    bool enabling = (cr0 & CR0_PG) != 0 && (state->cr0 & CR0_PG) == 0;
    bool disabling = (cr0 & CR0_PG) == 0 && (state->cr0 & CR0_PG) != 0;
    bool code64 = (state->segment[X86_CS].attributes & X86_ATTR_L) != 0;

    if (cr0 >> 32 != 0 || ((cr0 & CR0_PG) != 0 && (cr0 & CR0_PE) == 0) ||
        ((cr0 & CR0_NW) != 0 && (cr0 & CR0_CD) == 0))
        return false;
    if (enabling && (state->efer & EFER_LME) != 0 &&
        ((state->cr4 & CR4_PAE) == 0 || code64))
        return false;
    return !disabling ||
           (!x86_64bit_code(state) && (state->cr4 & CR4_PCIDE) == 0);
}

/* The PDPTEs are loaded when PAE paging begins or its registers change; a
 * reserved bit in one is #GP. */
static bool pdptes_are_valid(struct engine *engine,
                             const struct x86_state *state, uint64_t pdpte[4])
{
    struct mmu_context mmu = engine->mmu;

    if ((state->cr0 & CR0_PG) == 0 || (state->cr4 & CR4_PAE) == 0 ||
        (state->efer & EFER_LMA) != 0)
        return true;
    mmu.cr0 = state->cr0;
    mmu.cr3 = state->cr3;
    mmu.cr4 = state->cr4;
    mmu.efer = state->efer;
    return mmu_load_pdptes(&mmu, pdpte);
}

static bool adopt(struct engine *engine, const struct x86_state *state)
{
    uint64_t pdpte[4] = {0};

    if (!pdptes_are_valid(engine, state, pdpte))
        return false;
    __builtin_memcpy(engine->pdpte, pdpte, sizeof(pdpte));
    engine_image_put(engine, state);
    return true;
}

static void write_cr0(struct engine *engine, uint64_t value, uint32_t length)
{
    struct x86_state state;
    uint64_t old;

    engine_image_get(engine, &state);
    if (!cr0_is_valid(&state, value)) {
        general_protection(engine);
        return;
    }
    old = state.cr0;
    state.cr0 = (value & CR0_VALID) | CR0_ET;
    if ((state.efer & EFER_LME) != 0 && (state.cr0 & CR0_PG) != 0)
        state.efer |= EFER_LMA;
    else
        state.efer &= ~EFER_LMA;
    if (((old ^ state.cr0) & CR0_FLUSHES) == 0) {
        engine_image_put(engine, &state);
    } else if (adopt(engine, &state)) {
        flush(engine, false);
    } else {
        general_protection(engine);
        return;
    }
    engine_exit_skip(engine, length);
}

/* LMSW's operand may lie in memory; PE can be set by it, not cleared. */
static bool lmsw_value(struct engine *engine, const struct opcode *op,
                       uint16_t *value)
{
    struct cpu_event fault;
    gva_t at;

    if (opcode_byte(op, 2) >= 0xc0) {
        *value = (uint16_t)engine_gpr(engine, opcode_rm(op));
        return true;
    }
    if (!operand_address(engine, op, &at)) {
        general_protection(engine);
        return false;
    }
    engine->delivery_aborted = false;
    if (engine_memory_access(engine, at, value, sizeof(*value), false, false,
                             false, &fault))
        return true;
    if (!engine->delivery_aborted)
        engine_event_raise(engine, &fault);
    else
        engine_trouble_to_host(engine);
    engine->delivery_aborted = false;
    return false;
}

static void write_cr0_somehow(struct engine *engine, const struct opcode *op)
{
    uint64_t cr0 = engine->mmu.cr0;
    uint16_t word;

    switch (opcode_byte(op, 1)) {
    case 0x06: /* CLTS */
        write_cr0(engine, cr0 & ~CR0_TS, op->length);
        break;
    case 0x01: /* LMSW */
        if (lmsw_value(engine, op, &word))
            write_cr0(engine, (cr0 & ~(CR0_LMSW & ~CR0_PE)) | (word & CR0_LMSW),
                      op->length);
        break;
    default:
        write_cr0(engine, operand_value(engine, opcode_rm(op)), op->length);
        break;
    }
}

/* CR3 */

static void write_cr3(struct engine *engine, uint64_t value, uint32_t length)
{
    struct mmu_context *mmu = &engine->mmu;
    bool long_mode = (mmu->efer & EFER_LMA) != 0;
    uint64_t old = mmu->cr3;
    struct x86_state state = {
        .cr0 = mmu->cr0, .cr3 = value, .cr4 = mmu->cr4, .efer = mmu->efer};

    if (long_mode && (mmu->cr4 & CR4_PCIDE) != 0)
        value &= ~CR3_NO_FLUSH; /* a hint that we need not take */
    if (long_mode && value >> engine->features.physical_bits != 0) {
        general_protection(engine);
        return;
    }
    mmu->cr3 = value;
    if (!pdptes_are_valid(engine, &state, engine->pdpte)) {
        mmu->cr3 = old;
        general_protection(engine);
        return;
    }
    image_store64(engine, engine->layout->cr + 8 * 3, value);
    flush(engine, (mmu->cr4 & CR4_PGE) != 0);
    engine_exit_skip(engine, length);
}

/* CR4 */

static bool cr4_is_valid(const struct engine *engine,
                         const struct x86_state *state, uint64_t cr4)
{
    if ((cr4 & ~engine->features.cr4_valid) != 0)
        return false;
    if ((state->efer & EFER_LMA) != 0 &&
        ((cr4 & CR4_PAE) == 0 || ((cr4 ^ state->cr4) & CR4_LA57) != 0))
        return false;
    return (cr4 & CR4_PCIDE) == 0 || (state->cr4 & CR4_PCIDE) != 0 ||
           ((state->efer & EFER_LMA) != 0 && (state->cr3 & PAGE_MASK) == 0);
}

static void write_cr4(struct engine *engine, uint64_t value, uint32_t length)
{
    struct x86_state state;
    uint64_t changed;

    engine_image_get(engine, &state);
    changed = state.cr4 ^ value;
    if (!cr4_is_valid(engine, &state, value)) {
        general_protection(engine);
        return;
    }
    state.cr4 = value;
    if ((changed & CR4_FLUSHES) == 0) {
        engine_image_put(engine, &state);
    } else if (adopt(engine, &state)) {
        flush(engine, false);
    } else {
        general_protection(engine);
        return;
    }
    engine_exit_skip(engine, length);
}

/* CR8 is the host's: the task priority belongs to the APIC. */
static void exit_cr8(struct engine *engine, const struct opcode *op, bool write)
{
    struct vm_exit exit = {
        .kind = VM_EXIT_CR8,
        .instruction_bytes = op->length,
    };

    exit.u.cr8.write = write;
    exit.u.cr8.gpr = (uint8_t)opcode_rm(op);
    if (write)
        exit.u.cr8.value = operand_value(engine, opcode_rm(op));
    if (write && exit.u.cr8.value >> 4 != 0)
        general_protection(engine);
    else
        engine_exit_to_host(engine, &exit);
}

void engine_control_cr_write(struct engine *engine, unsigned cr)
{
    struct opcode op;
    uint64_t value;

    if (!read_opcode(engine, &op))
        return;
    value = operand_value(engine, opcode_rm(&op));
    if (cr == 0)
        write_cr0_somehow(engine, &op);
    else if (cr == 3)
        write_cr3(engine, value, op.length);
    else if (cr == 4)
        write_cr4(engine, value, op.length);
    else if (cr == 8)
        exit_cr8(engine, &op, true);
    else
        engine_event_fault(engine, X86_VECTOR_UD, 0);
}

void engine_control_cr_read(struct engine *engine, unsigned cr)
{
    struct opcode op;

    if (!read_opcode(engine, &op))
        return;
    if (cr == 8)
        exit_cr8(engine, &op, false);
    else
        engine_event_fault(engine, X86_VECTOR_UD, 0);
}

/* Debug registers are kept here, not in Unicorn, which would insert
 * breakpoints of its own. Hardware breakpoints are not implemented. */

static bool debug_access_faults(struct engine *engine, unsigned dr)
{
    const struct cpu_event detect = {
        .type = EVENT_TYPE_EXCEPTION,
        .vector = X86_VECTOR_DB,
        .dr6 = DR6_BD,
    };

    if ((dr == 4 || dr == 5) && (engine->mmu.cr4 & CR4_DE) != 0) {
        engine_event_fault(engine, X86_VECTOR_UD, 0);
        return true;
    }
    if (engine->dr[7] & DR7_GD) {
        engine_event_raise(engine, &detect);
        return true;
    }
    return false;
}

static void write_dr(struct engine *engine, unsigned dr, uint64_t value)
{
    if (dr == 6)
        value = (value & ~UINT64_C(0x1000)) | DR6_FIXED;
    else if (dr == 7)
        value = (value & ~DR7_RESERVED) | DR7_FIXED;
    engine->dr[dr] = value;
}

void engine_control_dr(struct engine *engine)
{
    struct opcode op;
    unsigned dr;
    uint64_t value;

    if (!read_opcode(engine, &op))
        return;
    dr = opcode_byte(&op, 2) >> 3 & 7;
    if (debug_access_faults(engine, dr))
        return;
    if (dr == 4 || dr == 5)
        dr += 2;
    if (opcode_byte(&op, 1) == 0x21) {
        engine_set_gpr(engine, opcode_rm(&op), engine->dr[dr]);
    } else {
        value = operand_value(engine, opcode_rm(&op));
        if (dr >= 6 && value >> 32 != 0) {
            general_protection(engine);
            return;
        }
        write_dr(engine, dr, value);
    }
    engine_exit_skip(engine, op.length);
}

/* INVLPG m: the address alone matters, not whether it can be accessed. */
void engine_control_invlpg(struct engine *engine)
{
    struct opcode op;
    gva_t address;

    if (!read_opcode(engine, &op))
        return;
    if (operand_address(engine, &op, &address) &&
        tlb_flush_page(engine->tlb, gva_page(address), engine->epoch))
        engine->flush_wanted = true;
    engine_bill(engine, COST_INVLPG, 1);
    engine_exit_skip(engine, op.length);
}

/* What is on the bill has been spent too, though its owner has not priced it
 * yet. */
static uint64_t clock_now(const struct engine *engine)
{
    return (engine->clock + engine->billed) / SUBCYCLES_PER_CYCLE;
}

bool engine_control_clock_waits(struct engine *engine)
{
    if (clock_now(engine) <= engine->clock_limit)
        return false;
    engine->at_clock = true;
    engine->stop = STOP_BOUNDARY;
    return true;
}

/* Time stamp. It never runs backwards when the bill's owner has priced it. */
uint64_t engine_control_tsc(struct engine *engine)
{
    uint64_t now = clock_now(engine);

    if (now < engine->tsc_last)
        now = engine->tsc_last;
    engine->tsc_last = now;
    return now + engine->tsc_offset;
}

void engine_control_rdtsc(struct engine *engine)
{
    uint8_t length = engine_exit_length(engine);
    uint8_t code[16];
    uint32_t have = engine_fetch(engine, code);
    uint64_t tsc;

    if (engine_exit_undefined(engine, length) ||
        engine_control_clock_waits(engine))
        return;
    engine_bill(engine, COST_RDTSC, 1);
    tsc = engine_control_tsc(engine);
    engine_set_gpr(engine, X86_RAX, (uint32_t)tsc);
    engine_set_gpr(engine, X86_RDX, tsc >> 32);
    if (length >= 3 && have >= length && code[length - 1] == 0xf9) /* RDTSCP */
        engine_set_gpr(engine, X86_RCX, (uint32_t)engine->msrs.tsc_aux);
    engine_exit_skip(engine, length);
}

/* MSRs that are the processor's own state. */

static uint64_t *plain_msr(struct engine *engine, uint32_t index)
{
    switch (index) {
    case MSR_STAR:
        return &engine->msrs.star;
    case MSR_LSTAR:
        return &engine->msrs.lstar;
    case MSR_CSTAR:
        return &engine->msrs.cstar;
    case MSR_FMASK:
        return &engine->msrs.fmask;
    case MSR_SYSENTER_CS:
        return &engine->msrs.sysenter_cs;
    case MSR_SYSENTER_ESP:
        return &engine->msrs.sysenter_esp;
    case MSR_SYSENTER_EIP:
        return &engine->msrs.sysenter_eip;
    case MSR_TSC_AUX:
        return &engine->msrs.tsc_aux;
    default:
        return NULL;
    }
}

bool engine_control_rdmsr(struct engine *engine, uint32_t index,
                          uint64_t *value)
{
    const uint64_t *plain = plain_msr(engine, index);

    if (plain) {
        *value = *plain;
        return true;
    }
    switch (index) {
    case MSR_TSC:
        *value = engine_control_tsc(engine);
        return true;
    case MSR_EFER:
        *value = engine->mmu.efer;
        return true;
    case MSR_FS_BASE:
        *value = engine_image_segment(engine, X86_FS).base;
        return true;
    case MSR_GS_BASE:
        *value = engine_image_segment(engine, X86_GS).base;
        return true;
    case MSR_KERNEL_GS_BASE:
        *value = image_load64(engine, engine->layout->kernel_gs_base);
        return true;
    default:
        return false;
    }
}

static bool write_efer(struct engine *engine, uint64_t value)
{
    uint64_t old = engine->mmu.efer;
    struct x86_state state;

    if ((value & ~engine->features.efer_valid) != 0)
        return false;
    if (((old ^ value) & EFER_LME) != 0 && (engine->mmu.cr0 & CR0_PG) != 0)
        return false;
    engine_image_get(engine, &state);
    state.efer = (value & ~EFER_LMA) | (old & EFER_LMA);
    engine_image_put(engine, &state);
    if (((old ^ value) & EFER_NXE) != 0)
        flush(engine, false);
    return true;
}

static bool holds_address(uint32_t index)
{
    return index == MSR_LSTAR || index == MSR_CSTAR ||
           index == MSR_SYSENTER_ESP || index == MSR_SYSENTER_EIP ||
           index == MSR_FS_BASE || index == MSR_GS_BASE ||
           index == MSR_KERNEL_GS_BASE;
}

static void write_plain_msr(struct engine *engine, uint32_t index,
                            uint64_t *msr, uint64_t value)
{
    if (index == MSR_FMASK || index == MSR_TSC_AUX)
        value = (uint32_t)value;
    *msr = value;
    if (index == MSR_STAR) /* SYSRET is Unicorn's */
        image_store64(engine, engine->layout->star, value);
    else if (index == MSR_SYSENTER_CS) /* and so is SYSEXIT */
        image_store32(engine, engine->layout->sysenter_cs, (uint16_t)value);
}

bool engine_control_wrmsr(struct engine *engine, uint32_t index, uint64_t value,
                          bool *fault)
{
    uint64_t *plain = plain_msr(engine, index);

    *fault = holds_address(index) && !x86_canonical(value);
    if (*fault)
        return true;
    if (plain) {
        write_plain_msr(engine, index, plain, value);
        return true;
    }
    switch (index) {
    case MSR_EFER:
        *fault = !write_efer(engine, value);
        return true;
    case MSR_FS_BASE:
        engine_image_set_segment_base(engine, X86_FS, value);
        return true;
    case MSR_GS_BASE:
        engine_image_set_segment_base(engine, X86_GS, value);
        return true;
    case MSR_KERNEL_GS_BASE:
        image_store64(engine, engine->layout->kernel_gs_base, value);
        return true;
    default:
        return false;
    }
}
