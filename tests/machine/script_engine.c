/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/machine/script_engine.h"

#include <stdlib.h>
#include <string.h>

#include "sim/core/check.h"

#define BLOCK_CYCLES 50u /* how finely a SCRIPT_RUN can be interrupted */

struct engine_pool {
    struct arena *arena;
};

struct engine {
    struct x86_state state;
    uint8_t xmm[16][16];
    struct engine_host host;
    struct arena *arena;
    struct slat_root slat;
    cycles_t now, limit;
    cycles_t elapsed;  /* since the host last took it */
    uint64_t run_left; /* of the SCRIPT_RUN at RIP; 0: not begun */
    uint64_t operations;
    bool window_wanted;
    uint64_t return_rip, return_base; /* of the handler under way */
};

enum sim_status engine_pool_create(struct engine_pool **out,
                                   struct arena *arena, struct sim_error *error)
{
    *out = calloc(1, sizeof(**out));
    if (!*out)
        return sim_fail(error, SIM_NO_MEMORY, "no memory for scripts");
    (*out)->arena = arena;
    return SIM_OK;
}

void engine_pool_free(struct engine_pool *pool)
{
    free(pool);
}

enum sim_status engine_create(struct engine **out, struct engine_pool *pool,
                              const struct engine_host *host,
                              struct slat_root slat, struct sim_error *error)
{
    struct engine *engine = calloc(1, sizeof(*engine));

    if (!engine)
        return sim_fail(error, SIM_NO_MEMORY, "no memory for a script");
    x86_reset(&engine->state);
    engine->host = *host;
    engine->arena = pool->arena;
    engine->slat = slat;
    *out = engine;
    return SIM_OK;
}

void engine_free(struct engine *engine)
{
    free(engine);
}

/* Execution. */

static struct script_op fetch(struct engine *engine)
{
    struct x86_state *state = &engine->state;
    gpa_t at = gpa(state->segment[X86_CS].base + state->rip);
    struct script_op op;

    /* Operations may lie across a page boundary, but their pages are one
     * large page. */
    struct slat_translation t;

    CHECK(slat_translate(engine->arena, engine->slat, at, false, &t));
    arena_read(engine->arena, t.spa, &op, sizeof(op));
    return op;
}

static void pass(struct engine *engine, uint64_t spent)
{
    engine->now.v += spent;
    engine->elapsed.v += spent;
}

static void jump(struct engine *engine, uint32_t operations)
{
    engine->state.rip +=
        (uint64_t)((int64_t)(int32_t)operations * (int64_t)SCRIPT_OP_BYTES);
}

/* A part of a computation, up to the limit or to the operation's end. */
static void run(struct engine *engine, const struct script_op *op)
{
    uint64_t room = engine->limit.v - engine->now.v;
    uint64_t block = room + BLOCK_CYCLES - 1 - (room - 1) % BLOCK_CYCLES;

    if (engine->run_left == 0)
        engine->run_left = op->a ? op->a : 1;
    if (block > engine->run_left || block < room)
        block = engine->run_left;
    pass(engine, block);
    engine->run_left -= block;
    if (engine->run_left == 0)
        jump(engine, 1);
}

/* What takes no intercept; false if `op` is another. */
static bool execute_plainly(struct engine *engine, const struct script_op *op)
{
    struct x86_state *state = &engine->state;

    switch ((enum script_code)op->code) {
    case SCRIPT_RUN:
        run(engine, op);
        return true;
    case SCRIPT_STI:
        state->interrupt_shadow = !(state->rflags & RFLAGS_IF);
        state->rflags |= RFLAGS_IF;
        break;
    case SCRIPT_CLI:
        state->rflags &= ~RFLAGS_IF;
        break;
    case SCRIPT_IRET:
        state->rip = engine->return_rip;
        state->segment[X86_CS].base = engine->return_base;
        state->rflags |= RFLAGS_IF;
        pass(engine, 1);
        return true;
    case SCRIPT_JUMP:
        jump(engine, op->a);
        pass(engine, 1);
        return true;
    case SCRIPT_SET:
        state->gpr[op->a & 15] = op->b;
        break;
    case SCRIPT_LOOP:
        pass(engine, 1);
        jump(engine, --state->gpr[op->a & 15] ? op->b : 1);
        return true;
    case SCRIPT_HLT:
    case SCRIPT_CPUID:
    case SCRIPT_RDMSR:
    case SCRIPT_WRMSR:
    case SCRIPT_IN:
    case SCRIPT_OUT:
    case SCRIPT_CALL:
    case SCRIPT_CALL_MEMORY:
    case SCRIPT_CR8:
    case SCRIPT_PAUSE:
    case SCRIPT_TOUCH:
    case SCRIPT_TRIPLE_FAULT:
    case SCRIPT_STUCK:
    default:
        return false;
    }
    pass(engine, 1);
    jump(engine, 1);
    return true;
}

/* The exit that `op` causes; registers are as its operands say. */
static struct vm_exit make_exit(struct engine *engine,
                                const struct script_op *op)
{
    uint64_t *gpr = engine->state.gpr;
    struct vm_exit exit = {.instruction_bytes = SCRIPT_OP_BYTES};

    switch ((enum script_code)op->code) {
    case SCRIPT_HLT:
        exit.kind = VM_EXIT_HLT;
        break;
    case SCRIPT_CPUID:
        exit.kind = VM_EXIT_CPUID;
        exit.u.cpuid.leaf = op->a;
        break;
    case SCRIPT_RDMSR:
        exit.kind = VM_EXIT_RDMSR;
        exit.u.msr.index = op->a;
        break;
    case SCRIPT_WRMSR:
        exit.kind = VM_EXIT_WRMSR;
        exit.u.msr.index = op->a;
        exit.u.msr.value = (uint64_t)op->high << 32 | op->b;
        break;
    case SCRIPT_OUT:
        gpr[X86_RAX] = op->b;
        exit.u.io.value = op->b;
        /* fall through */
    case SCRIPT_IN:
        exit.kind = VM_EXIT_IO;
        exit.u.io.port = (uint16_t)op->a;
        exit.u.io.bytes = op->high;
        exit.u.io.in = op->code == SCRIPT_IN;
        break;
    case SCRIPT_CALL:
    case SCRIPT_CALL_MEMORY:
        exit.kind = VM_EXIT_HYPERCALL;
        gpr[X86_RCX] =
            op->a | (op->code == SCRIPT_CALL ? UINT64_C(1) << 16 : 0);
        gpr[X86_RDX] = op->b;
        gpr[X86_R8] = op->high;
        break;
    case SCRIPT_CR8:
        exit.kind = VM_EXIT_CR8;
        exit.u.cr8.write = true;
        exit.u.cr8.value = op->a;
        break;
    case SCRIPT_PAUSE:
        exit.kind = VM_EXIT_PAUSE;
        break;
    case SCRIPT_TOUCH:
        exit.kind = VM_EXIT_GPA;
        exit.u.gpa.gpa = gpa(UINT64_C(1) << 40);
        break;
    case SCRIPT_RUN:
    case SCRIPT_STI:
    case SCRIPT_CLI:
    case SCRIPT_IRET:
    case SCRIPT_JUMP:
    case SCRIPT_SET:
    case SCRIPT_LOOP:
    case SCRIPT_TRIPLE_FAULT:
    case SCRIPT_STUCK:
    default: /* what is no operation is the end too */
        exit.kind = VM_EXIT_SHUTDOWN;
        break;
    }
    return exit;
}

enum vm_exit_kind engine_run(struct engine *engine, struct engine_run *how)
{
    engine->now = how->now;
    engine->limit = how->limit;
    while (cycles_before(engine->now, engine->limit)) {
        if (engine->window_wanted && engine_interruptible(engine))
            return VM_EXIT_INTERRUPT_WINDOW;

        struct script_op op = fetch(engine);
        bool shadow = engine->state.interrupt_shadow;

        if (op.code == SCRIPT_STUCK)
            return VM_EXIT_LIMIT;
        engine->operations++;
        if (!execute_plainly(engine, &op)) {
            struct vm_exit exit = make_exit(engine, &op);

            pass(engine, 1);
            if (engine->host.on_exit(engine->host.context, &exit) ==
                ENGINE_STOP)
                return VM_EXIT_STOPPED;
        } else if (shadow) {
            engine->state.interrupt_shadow = false;
        }
    }
    return VM_EXIT_LIMIT;
}

cycles_t engine_now(const struct engine *engine)
{
    return engine->now;
}

cycles_t engine_take_elapsed(struct engine *engine)
{
    cycles_t elapsed = engine->elapsed;

    engine->elapsed = cycles(0);
    return elapsed;
}

void engine_advance(struct engine *engine, cycles_t spent)
{
    engine->now = cycles_add(engine->now, spent);
}

void engine_foresee(const struct engine *engine)
{
    (void)engine;
}

void engine_set_limit(struct engine *engine, cycles_t limit)
{
    engine->limit = limit;
}

void engine_set_clock_limit(struct engine *engine, cycles_t limit)
{
    (void)engine;
    (void)limit;
}

uint64_t engine_instructions(const struct engine *engine)
{
    return engine->operations;
}

/* Registers. */

uint64_t engine_gpr(struct engine *engine, enum x86_gpr gpr)
{
    return engine->state.gpr[gpr];
}

void engine_set_gpr(struct engine *engine, enum x86_gpr gpr, uint64_t value)
{
    engine->state.gpr[gpr] = value;
}

uint64_t engine_rip(struct engine *engine)
{
    return engine->state.rip;
}

void engine_set_rip(struct engine *engine, uint64_t rip)
{
    engine->state.rip = rip;
}

uint64_t engine_rflags(struct engine *engine)
{
    return engine->state.rflags;
}

unsigned engine_cpl(struct engine *engine)
{
    (void)engine;
    return 0;
}

/* Hypercalls take their parameters where 64-bit code puts them. */
bool engine_64bit_code(struct engine *engine)
{
    (void)engine;
    return true;
}

void engine_get_xmm(struct engine *engine, unsigned index, uint8_t value[16])
{
    memcpy(value, engine->xmm[index], 16);
}

void engine_set_xmm(struct engine *engine, unsigned index,
                    const uint8_t value[16])
{
    memcpy(engine->xmm[index], value, 16);
}

void engine_get_state(struct engine *engine, struct x86_state *state)
{
    *state = engine->state;
}

void engine_set_state(struct engine *engine, const struct x86_state *state)
{
    engine->state = *state;
    engine->run_left = 0;
}

void engine_reset(struct engine *engine)
{
    x86_reset(&engine->state);
    engine->run_left = 0;
}

void engine_set_tsc_offset(struct engine *engine, uint64_t offset)
{
    (void)engine;
    (void)offset;
}

void engine_set_features(struct engine *engine,
                         const struct engine_features *features)
{
    (void)engine;
    (void)features;
}

void engine_skip_instruction(struct engine *engine, const struct vm_exit *exit)
{
    engine->state.rip += exit->instruction_bytes;
    engine->state.interrupt_shadow = false;
}

/* Events. */

bool engine_interruptible(struct engine *engine)
{
    return (engine->state.rflags & RFLAGS_IF) &&
           !engine->state.interrupt_shadow;
}

void engine_inject_interrupt(struct engine *engine, uint8_t vector)
{
    struct x86_state *state = &engine->state;

    (void)vector;
    engine->return_rip = state->rip;
    engine->return_base = state->segment[X86_CS].base;
    /* A computation that is interrupted begins anew; the total is not what
     * scripts are about. */
    engine->run_left = 0;
    state->segment[X86_CS].base = 0;
    state->rip = SCRIPT_HANDLER;
    state->rflags &= ~RFLAGS_IF;
}

void engine_inject_nmi(struct engine *engine)
{
    (void)engine;
}

void engine_inject_exception(struct engine *engine, uint8_t vector,
                             bool has_error_code, uint32_t error_code)
{
    (void)vector;
    (void)has_error_code;
    (void)error_code;
    jump(engine, 1);
}

void engine_request_window(struct engine *engine, bool wanted)
{
    engine->window_wanted = wanted;
}

void engine_intercept_exceptions(struct engine *engine, uint32_t vectors)
{
    (void)engine;
    (void)vectors;
}

void engine_filter_pause(struct engine *engine, uint32_t count, cycles_t gap)
{
    (void)engine;
    (void)count;
    (void)gap;
}

void engine_set_apic_page(struct engine *engine, bool on, gpa_t page)
{
    (void)engine;
    (void)on;
    (void)page;
}

void engine_flush_translations(struct engine *engine)
{
    (void)engine;
}

void engine_flush_guest(struct engine *engine, bool keep_global)
{
    (void)engine;
    (void)keep_global;
}

void engine_flush_page(struct engine *engine, gva_t page)
{
    (void)engine;
    (void)page;
}

struct engine_walks engine_walks(const struct engine *engine)
{
    (void)engine;
    return (struct engine_walks){0};
}

uint64_t engine_page_faults(const struct engine *engine)
{
    (void)engine;
    return 0;
}

uint32_t engine_fetch(struct engine *engine, uint8_t bytes[16])
{
    (void)engine;
    memset(bytes, 0, 16);
    return 0;
}

bool engine_io_string(struct engine *engine, const struct vm_exit *exit,
                      uint32_t *value, bool *more)
{
    (void)engine;
    (void)exit;
    (void)value;
    (void)more;
    return false;
}
