/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the fill hook refused, see enum trouble. Some of it becomes a fault or
 * an intercept; the rest is Unicorn's way of going about things, and no guest
 * may notice: the instruction is run in another way.
 */
#include <string.h>

#include "cpu/engine_private.h"

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

void engine_trouble_to_host(struct engine *engine)
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

void engine_trouble_handle(struct engine *engine)
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
            engine_trouble_to_host(engine);
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
