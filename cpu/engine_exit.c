/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "cpu/engine_private.h"
#include "sim/core/check.h"

/* SVM exit codes (AMD APM volume 2, "SVM Intercept Exit Codes"). */
#define EXIT_CR_READ 0x00u
#define EXIT_CR_WRITE 0x10u
#define EXIT_DR 0x20u
#define EXIT_EXCEPTION 0x40u
#define EXIT_RDTSC 0x6eu
#define EXIT_RDPMC 0x6fu
#define EXIT_CPUID 0x72u
#define EXIT_IRET 0x74u
#define EXIT_SOFTWARE_INTERRUPT 0x75u
#define EXIT_PAUSE 0x77u
#define EXIT_HLT 0x78u
#define EXIT_INVLPG 0x79u
#define EXIT_MSR 0x7cu
#define EXIT_VMMCALL 0x81u
#define EXIT_ICEBP 0x88u
#define EXIT_COUNT 0xa0u

/* The host, and the clock it sees. */

void engine_exit_to_host(struct engine *engine, const struct vm_exit *exit)
{
    const struct engine_host *host = engine->host;

    engine->run->now = cycles(engine->clock / SUBCYCLES_PER_CYCLE);
    if (host->on_exit(host->context, exit) == ENGINE_STOP)
        engine->stop = STOP_HOST;
    if (engine->run->bill) {
        uint64_t used = 0;

        for (unsigned i = 0; i < COST_BILL_WORDS; i++)
            used |= engine->run->bill->used[i];
        if (used == 0) /* the host has settled it */
            engine->billed = 0;
    }
}

/* The common intercepts without prefixes; 0 for all else. */
static uint8_t plain_length(const uint8_t *code, uint32_t bytes)
{
    if (bytes < 3)
        return 0;
    if (code[0] == 0xf4) /* HLT */
        return 1;
    if (code[0] == 0x0f && (code[1] == 0xa2 || /* CPUID */
                            (code[1] >= 0x30 && code[1] <= 0x33)))
        return 2; /* WRMSR, RDTSC, RDMSR, RDPMC */
    if (code[0] == 0x0f && code[1] == 0x01 && code[2] >= 0xc0)
        return 3; /* VMCALL, VMMCALL, RDTSCP */
    return 0;
}

uint8_t engine_exit_length(struct engine *engine)
{
    uint8_t code[16];
    uint32_t have = engine_fetch(engine, code);
    uint8_t length = plain_length(code, have);

    if (length != 0)
        return length;
    return (uint8_t)decode_length(engine->decoder, engine_image_mode(engine),
                                  code, have);
}

static uint64_t next_rip(const struct engine *engine, uint32_t bytes)
{
    uint64_t rip = image_load64(engine, engine->layout->rip) + bytes;

    switch (engine_image_mode(engine)) {
    case CODE_64:
        return rip;
    case CODE_32:
        return (uint32_t)rip;
    case CODE_16:
        return (uint16_t)rip;
    }
    return rip;
}

/* RF and TF are kept as they are, not lazily. */
void engine_exit_skip(struct engine *engine, uint32_t bytes)
{
    uint32_t flags_at = engine->layout->eflags;
    uint64_t flags;

    engine_image_load(engine);
    flags = image_load64(engine, flags_at);
    engine_block_charge(engine, engine_image_pc(engine), bytes);
    image_store64(engine, engine->layout->rip, next_rip(engine, bytes));
    engine_image_end_shadow(engine);
    if (flags & RFLAGS_TF)
        engine->debug_trap_pending = true;
    if (flags & RFLAGS_RF) {
        engine->rflags_known = false;
        engine_image_set_rflags(engine, engine_rflags(engine) & ~RFLAGS_RF);
    }
    engine_update_attention(engine);
}

void engine_skip_instruction(struct engine *engine, const struct vm_exit *exit)
{
    engine_exit_skip(engine, exit->instruction_bytes);
}

/* Handlers, RIP at the instruction. */

static uint32_t gpr32(const struct engine *engine, enum x86_gpr gpr)
{
    return image_load32(engine, engine->layout->regs + 8 * (uint32_t)gpr);
}

static void exit_simple(struct engine *engine, enum vm_exit_kind kind)
{
    const struct vm_exit exit = {
        .kind = kind,
        .instruction_bytes = engine_exit_length(engine),
    };

    engine_exit_to_host(engine, &exit);
}

static void on_cpuid(struct engine *engine)
{
    struct vm_exit exit = {
        .kind = VM_EXIT_CPUID,
        .instruction_bytes = engine_exit_length(engine),
    };

    exit.u.cpuid.leaf = gpr32(engine, X86_RAX);
    exit.u.cpuid.subleaf = gpr32(engine, X86_RCX);
    engine_exit_to_host(engine, &exit);
}

static void on_hlt(struct engine *engine)
{
    exit_simple(engine, VM_EXIT_HLT);
}

static void on_pause(struct engine *engine)
{
    exit_simple(engine, VM_EXIT_PAUSE);
}

static void on_hypercall(struct engine *engine)
{
    exit_simple(engine, VM_EXIT_HYPERCALL);
}

static void on_rdmsr(struct engine *engine, uint8_t length)
{
    struct vm_exit exit = {
        .kind = VM_EXIT_RDMSR,
        .instruction_bytes = length,
    };
    uint64_t value;

    exit.u.msr.index = gpr32(engine, X86_RCX);
    if (!engine_control_rdmsr(engine, exit.u.msr.index, &value)) {
        engine_exit_to_host(engine, &exit);
        return;
    }
    engine_set_gpr(engine, X86_RAX, (uint32_t)value);
    engine_set_gpr(engine, X86_RDX, value >> 32);
    engine_exit_skip(engine, length);
}

static void on_wrmsr(struct engine *engine, uint8_t length)
{
    struct vm_exit exit = {
        .kind = VM_EXIT_WRMSR,
        .instruction_bytes = length,
    };
    bool fault = false;

    exit.u.msr.index = gpr32(engine, X86_RCX);
    exit.u.msr.value =
        (uint64_t)gpr32(engine, X86_RDX) << 32 | gpr32(engine, X86_RAX);
    if (!engine_control_wrmsr(engine, exit.u.msr.index, exit.u.msr.value,
                              &fault))
        engine_exit_to_host(engine, &exit);
    else if (fault)
        engine_event_fault(engine, X86_VECTOR_GP, 0);
    else
        engine_exit_skip(engine, length);
}

/* The opcode says which: 0F 30 WRMSR, 0F 32 RDMSR. */
static void on_msr(struct engine *engine)
{
    uint8_t length = engine_exit_length(engine);
    uint8_t code[16];

    if (engine_fetch(engine, code) >= length && length > 0 &&
        code[length - 1] == 0x30)
        on_wrmsr(engine, length);
    else
        on_rdmsr(engine, length);
}

/* The NMI handler's IRET ends the masking once an instruction has been executed
 * from here on: itself, or the first of its fault's handler. */
static void on_iret(struct engine *engine)
{
    engine->unmasking_nmi = true;
    engine->iret_at = engine->instructions;
    engine_image_intercept(engine, 0, INTERCEPT_BIT(SVM_EXIT_IRET));
    engine_update_attention(engine);
}

/* INT3, INT n, INTO, or a trap of ours. */
static void on_software_interrupt(struct engine *engine)
{
    spa_t at;

    if (engine_memory_code(engine, engine_image_pc(engine), &at) &&
        code_pages_is_trap(engine->mmu.arena->code, at))
        engine_io_exit(engine);
    else
        engine_event_software(engine);
}

static void on_rdpmc(struct engine *engine)
{
    engine_event_fault(engine, X86_VECTOR_GP, 0);
}

/* What CPUID does not offer is undefined, whatever Unicorn knows. */
static void on_not_offered(struct engine *engine)
{
    engine_event_fault(engine, X86_VECTOR_UD, 0);
}

typedef void exit_handler(struct engine *engine);

static exit_handler *const exit_handlers[EXIT_COUNT] = {
    [EXIT_RDTSC] = engine_control_rdtsc,
    [EXIT_RDPMC] = on_rdpmc,
    [EXIT_CPUID] = on_cpuid,
    [EXIT_IRET] = on_iret,
    [EXIT_SOFTWARE_INTERRUPT] = on_software_interrupt,
    [EXIT_PAUSE] = on_pause,
    [EXIT_HLT] = on_hlt,
    [EXIT_INVLPG] = engine_control_invlpg,
    [EXIT_MSR] = on_msr,
    [EXIT_VMMCALL] = on_hypercall,
    [EXIT_ICEBP] = engine_event_icebp,
};

/* Unicorn refuses the SVM instructions to CPL 3 with #GP; on a processor
 * without SVM they are undefined at any CPL. */
static bool is_svm_instruction(struct engine *engine)
{
    uint8_t code[16];

    return engine_fetch(engine, code) >= 3 && code[0] == 0x0f &&
           code[1] == 0x01 && code[2] >= 0xd8 && code[2] <= 0xdf;
}

static void on_exception(struct engine *engine, uint8_t vector)
{
    uint32_t error_code = image_load32(engine, engine->layout->error_code);
    const struct cpu_event step = {
        .type = EVENT_TYPE_EXCEPTION,
        .vector = X86_VECTOR_DB,
        .dr6 = UINT64_C(1) << 14, /* BS */
    };

    if (vector == X86_VECTOR_DB)
        engine_event_raise(engine, &step);
    else if (vector == X86_VECTOR_UD)
        engine_event_undefined(engine);
    else if (vector == X86_VECTOR_GP && is_svm_instruction(engine))
        engine_event_fault(engine, X86_VECTOR_UD, 0);
    else
        engine_event_fault(engine, vector, error_code);
}

static void dispatch(struct engine *engine, uint32_t code)
{
    if (code < EXIT_CR_WRITE)
        engine_control_cr_read(engine, code - EXIT_CR_READ);
    else if (code < EXIT_DR)
        engine_control_cr_write(engine, code - EXIT_CR_WRITE);
    else if (code < EXIT_EXCEPTION)
        engine_control_dr(engine);
    else if (code < EXIT_EXCEPTION + 32)
        on_exception(engine, (uint8_t)(code - EXIT_EXCEPTION));
    else if (code < EXIT_COUNT && exit_handlers[code])
        exit_handlers[code](engine);
    else
        on_not_offered(engine);
}

/* True if the exit only says that the scratch page has done its work. */
static bool ends_step(struct engine *engine, uint32_t code, uint64_t pc)
{
    const struct engine_scratch scratch = engine->scratch;

    if (!scratch.active)
        return false;
    engine_step_end(engine);
    return code == EXIT_SOFTWARE_INTERRUPT &&
           (pc < scratch.start.raw || pc >= scratch.end.raw);
}

/* Called by Unicorn at an intercept, with no guest code under way; it goes on
 * at RIP afterwards. */
void engine_exit_hook(uc_engine *uc, uint32_t number, void *context)
{
    struct engine *engine = context;
    uint32_t code = number - SVM_INTNO;
    uint64_t pc;

    if (engine->setting_up) {
        (void)uc_emu_stop(uc);
        return;
    }
    engine_image_load(engine);
    pc = engine_image_pc(engine);
    if (code != EXIT_EXCEPTION + X86_VECTOR_DB) /* a trap: all was executed */
        engine_block_cut(engine, pc);
    engine->block = NULL;
    if (!ends_step(engine, code, pc))
        dispatch(engine, code);
    if (engine->stop != STOP_NONE || engine->shut_down ||
        engine->event_pending || engine->steps_left > 0)
        (void)uc_emu_stop(uc);
    engine_image_commit(engine);
    if (engine->flush_wanted)
        engine_memory_flush(engine);
    engine_update_attention(engine);
}

/* Refusals of the fill hook. */

/* The exact address: where Unicorn keeps it if that is known, else by decoding
 * the instruction. */
static gva_t faulting_address(struct engine *engine)
{
    const struct engine_trouble *trouble = &engine->trouble;
    struct decode_operand operands[DECODE_OPERANDS_MAX];
    struct x86_state state;
    uint8_t code[16];
    uint32_t have;
    uint32_t count;
    uint64_t address = 0;

    if (engine->layout->fault_address) {
        memcpy(&address, (uint8_t *)engine->uc + engine->layout->fault_address,
               sizeof(address));
        if (gva_page(gva(address)).raw == trouble->page.raw)
            return gva(address);
    }
    engine_image_get(engine, &state);
    have = engine_fetch(engine, code);
    count = decode_operands(engine->decoder, &state, code, have, operands);
    for (uint32_t i = 0; i < count; i++) {
        uint64_t first = operands[i].start.raw;
        uint64_t last = first + operands[i].bytes - 1;

        if (trouble->access == MMU_WRITE ? !operands[i].write
                                         : !operands[i].read)
            continue;
        if (gva_page(gva(first)).raw == trouble->page.raw)
            return gva(first);
        if (gva_page(gva(last)).raw == trouble->page.raw)
            return trouble->page;
    }
    return trouble->page;
}

static gva_t trouble_address(struct engine *engine)
{
    uint64_t pc = engine_image_pc(engine);

    if (engine->event_pending) /* no instruction's access */
        return engine->trouble.page;
    if (engine->trouble.access != MMU_FETCH)
        return faulting_address(engine);
    if (gva_page(gva(pc)).raw == engine->trouble.page.raw)
        return gva(pc);
    return engine->trouble.page;
}

/* Unicorn lets a far transfer to 32-bit code keep the upper half of RIP, which
 * the processor drops, and fetches from there. True if it did: the code goes
 * on where it should have. */
static bool drop_upper_rip(struct engine *engine)
{
    uint64_t rip = engine_rip(engine);

    if (engine_image_mode(engine) == CODE_64 || rip <= UINT32_MAX)
        return false;
    engine_set_rip(engine, (uint32_t)rip);
    return true;
}

/* Unicorn translates a block before it runs any of it, so a page that cannot
 * be fetched is refused too early when it is the second of a block. True if
 * there are instructions to run first. */
static bool run_up_to_page(struct engine *engine)
{
    uint64_t pc = engine_image_pc(engine);

    if (engine->trouble.access != MMU_FETCH)
        return false;
    if (drop_upper_rip(engine))
        return true;
    if (engine->trouble.page.raw - gva_page(gva(pc)).raw != PAGE_BYTES)
        return false;
    return engine_step_piece(engine); /* the rest comes this way again */
}

/* Unicorn loads before it stores; the processor checks the access of a
 * read-modify-write instruction as the write that it is. */
static bool is_read_modify_write(struct engine *engine, gva_t address)
{
    struct decode_operand operands[DECODE_OPERANDS_MAX];
    struct x86_state state;
    uint8_t code[16];
    uint32_t have = engine_fetch(engine, code);
    uint32_t count;

    engine_image_get(engine, &state);
    count = decode_operands(engine->decoder, &state, code, have, operands);
    for (uint32_t i = 0; i < count; i++)
        if (operands[i].read && operands[i].write &&
            address.raw - operands[i].start.raw < operands[i].bytes)
            return true;
    return false;
}

/* Instructions that read descriptor tables, with supervisor rights at any
 * CPL. They are stepped, so that nothing else gets those rights. */
static bool loads_segment(const uint8_t *code, uint32_t bytes)
{
    uint32_t at = 0;

    while (at < bytes && ((code[at] & 0xf0) == 0x40 || code[at] == 0x66))
        at++;
    if (at + 1 >= bytes)
        return false;
    switch (code[at]) {
    case 0x07:
    case 0x17:
    case 0x1f: /* POP of a segment register */
    case 0x8e: /* MOV to one */
    case 0x9a:
    case 0xea:
    case 0xca:
    case 0xcb:
    case 0xcf: /* far, IRET */
    case 0xc4:
    case 0xc5: /* LES, LDS */
    case 0xff: /* far CALL and JMP among them */
        return true;
    case 0x0f:
        return code[at + 1] <= 0x03 || code[at + 1] == 0xa1 ||
               code[at + 1] == 0xa9 || code[at + 1] == 0xb2 ||
               code[at + 1] == 0xb4 || code[at + 1] == 0xb5;
    default:
        return false;
    }
}

/* True if the fault may be that, and the instruction is being tried again. */
static bool retry_as_segment_load(struct engine *engine)
{
    uint8_t code[16];
    uint32_t have = engine_fetch(engine, code);

    if (engine->trouble.access == MMU_FETCH ||
        (engine->trouble.fault.error_code & PF_USER) == 0 ||
        !loads_segment(code, have))
        return false;
    engine_step_instruction(engine);
    engine->loading_segment = true;
    return true;
}

static void raise_page_fault(struct engine *engine)
{
    struct cpu_event event = {
        .type = EVENT_TYPE_EXCEPTION,
        .vector = X86_VECTOR_PF,
        .has_error_code = true,
        .error_code = engine->trouble.fault.error_code,
        .cr2 = trouble_address(engine).raw,
    };

    if (engine->trouble.access == MMU_READ &&
        is_read_modify_write(engine, gva(event.cr2)))
        event.error_code |= PF_WRITE;

    engine_event_raise(engine, &event);
}

void engine_exit_gpa(struct engine *engine)
{
    const struct engine_trouble *trouble = &engine->trouble;
    gva_t address = trouble_address(engine);
    bool no_instruction = engine->event_pending || trouble->access == MMU_FETCH;
    struct vm_exit exit = {
        .kind = VM_EXIT_GPA,
        .instruction_bytes = no_instruction ? 0 : engine_exit_length(engine),
    };

    exit.u.gpa.gva = address;
    exit.u.gpa.gpa = trouble->fault.gpa;
    if (!trouble->fault.in_walk)
        exit.u.gpa.gpa =
            gpa_add(gpa_page(trouble->fault.gpa), address.raw & PAGE_MASK);
    exit.u.gpa.write = trouble->fault.in_walk ? trouble->fault.write
                                              : trouble->access == MMU_WRITE;
    exit.u.gpa.fetch = trouble->access == MMU_FETCH;
    exit.u.gpa.in_walk = trouble->fault.in_walk;
    engine_exit_to_host(engine, &exit);
}

/* PUSH, POP, CALL, RET, ENTER, LEAVE, PUSHF, POPF, IRET. */
static bool is_stack_opcode(uint8_t op)
{
    return (op & 0xf0) == 0x50 || op == 0x68 || op == 0x6a || op == 0x9c ||
           op == 0x9d || op == 0xc2 || op == 0xc3 || op == 0xc8 || op == 0xc9 ||
           op == 0xcf || op == 0xe8;
}

/* Instructions without a ModRM byte that access memory elsewhere. */
static bool is_string_opcode(uint8_t op)
{
    return (op >= 0x6c && op <= 0x6f) || (op >= 0xa0 && op <= 0xaf) ||
           op == 0xd7;
}

/* The stack segment is the default for the stack instructions and for
 * addresses off RSP and RBP in 64-bit code; its faults are #SS. */
static bool is_stack_access(const uint8_t *code, uint32_t bytes)
{
    uint32_t at = 0;
    uint8_t mod;
    uint8_t base;

    while (at < bytes &&
           ((code[at] & 0xf0) == 0x40 || code[at] == 0x66 || code[at] == 0xf0 ||
            code[at] == 0xf2 || code[at] == 0xf3))
        at++;
    if (at < bytes && is_stack_opcode(code[at]))
        return true;
    if (at < bytes && is_string_opcode(code[at]))
        return false;
    if (at < bytes && code[at] == 0x0f)
        at++;
    if (at + 2 >= bytes)
        return false;
    mod = code[at + 1] >> 6;
    base = code[at + 1] & 7;
    if (mod == 3)
        return false;
    if (base == X86_RSP) { /* means a SIB byte, whose base is this */
        base = code[at + 2] & 7;
        return base == X86_RSP || (base == X86_RBP && mod != 0);
    }
    return base == X86_RBP && mod != 0; /* without mod: RIP-relative */
}

static void raise_non_canonical(struct engine *engine)
{
    uint8_t code[16];
    uint32_t have = engine_fetch(engine, code);
    bool stack =
        engine->trouble.access != MMU_FETCH && is_stack_access(code, have);

    engine_event_fault(engine, stack ? X86_VECTOR_SS : X86_VECTOR_GP, 0);
}

static bool lies_in(struct engine *engine, uint64_t pc, spa_t page)
{
    spa_t at;

    return engine_memory_code(engine, pc, &at) && spa_page(at).raw == page.raw;
}

/* A store to its own page less than this many instructions after the last one
 * is one of a series; so many instructions are stepped at most for one. */
#define STEPS_FREE 32u
#define STEPS_MAX 256u

/* After a store to its own page, code is translated again from there on, as
 * far as a block goes. Where one such store follows the other, that would be
 * done for each: so the instructions in between are stepped, the more the
 * longer it goes on. */
static void plan_steps(struct engine *engine)
{
    uint64_t since = engine->instructions - engine->own_store_at;

    engine->steps_planned = since > 2 * engine->steps_planned + STEPS_FREE
                                ? 0
                                : 2 * engine->steps_planned + 1;
    if (engine->steps_planned > STEPS_MAX)
        engine->steps_planned = STEPS_MAX;
    engine->steps_left = engine->steps_planned;
    engine->own_store_at = engine->instructions;
}

/* A block that runs into the page it stores to would be translated anew for
 * ever: the whole next page counts as its own. */
static void store_to_code(struct engine *engine)
{
    uint64_t pc = engine_image_pc(engine);
    spa_t page = spa_page(engine->trouble.spa);
    bool own = lies_in(engine, pc, page) ||
               lies_in(engine, (pc & ~PAGE_MASK) + PAGE_BYTES, page);

    code_pages_to_data(engine->mmu.arena->code, page);
    if (own && !engine->scratch.active) {
        plan_steps(engine);
        engine_step_instruction(engine);
    }
}

void engine_exit_trouble(struct engine *engine)
{
    enum trouble kind = engine->trouble.kind;
    bool retried;

    if (engine->trouble.access != MMU_FETCH)
        engine_block_cut(engine, engine_image_pc(engine));
    engine->block = NULL;
    retried = engine->loading_segment;
    if (kind != TROUBLE_STORE_TO_CODE && kind != TROUBLE_FLUSH)
        engine_step_end(engine);
    switch (kind) {
    case TROUBLE_NONE:
    case TROUBLE_LEFT_SCRATCH:
        break;
    case TROUBLE_PAGE_FAULT:
        if (!run_up_to_page(engine) &&
            (retried || !retry_as_segment_load(engine)))
            raise_page_fault(engine);
        break;
    case TROUBLE_SLAT:
        if (!run_up_to_page(engine))
            engine_exit_gpa(engine);
        break;
    case TROUBLE_NON_CANONICAL:
        if (!run_up_to_page(engine))
            raise_non_canonical(engine);
        break;
    case TROUBLE_STORE_TO_CODE:
        store_to_code(engine);
        break;
    case TROUBLE_FLUSH:
        engine->flush_wanted = true;
        break;
    case TROUBLE_DENSE_CODE:
        if (!run_up_to_page(engine) && !engine_step_piece(engine))
            engine_step_instruction(engine);
        break;
    }
}
