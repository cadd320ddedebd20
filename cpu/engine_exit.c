/* SPDX-License-Identifier: GPL-2.0-or-later */
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

bool engine_exit_undefined(struct engine *engine, uint8_t length)
{
    if (length != 0)
        return false;
    engine_event_fault(engine, X86_VECTOR_UD, 0);
    return true;
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

    if (!engine_exit_undefined(engine, exit.instruction_bytes))
        engine_exit_to_host(engine, &exit);
}

static void on_cpuid(struct engine *engine)
{
    struct vm_exit exit = {
        .kind = VM_EXIT_CPUID,
        .instruction_bytes = engine_exit_length(engine),
    };

    if (engine_exit_undefined(engine, exit.instruction_bytes))
        return;
    exit.u.cpuid.leaf = gpr32(engine, X86_RAX);
    exit.u.cpuid.subleaf = gpr32(engine, X86_RCX);
    engine_exit_to_host(engine, &exit);
}

static void on_hlt(struct engine *engine)
{
    exit_simple(engine, VM_EXIT_HLT);
}

/* True for one PAUSE of so many. */
static bool passes_pause_filter(struct engine *engine)
{
    cycles_t now = cycles(engine->clock / SUBCYCLES_PER_CYCLE);

    if (cycles_before(cycles_add(engine->paused_at, engine->pause_gap), now))
        engine->pauses_left = engine->pause_count;
    engine->paused_at = now;
    if (--engine->pauses_left > 0)
        return false;
    engine->pauses_left = engine->pause_count;
    return true;
}

static void on_pause(struct engine *engine)
{
    if (passes_pause_filter(engine))
        exit_simple(engine, VM_EXIT_PAUSE);
    else
        engine_exit_skip(engine, engine_exit_length(engine));
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

    /* Which of them are clocks is for the host to know: any may be one. */
    if (engine_control_clock_waits(engine))
        return;
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

    if (engine_exit_undefined(engine, length))
        return;
    if (engine_fetch(engine, code) >= length && code[length - 1] == 0x30)
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
