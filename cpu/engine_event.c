/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpu/engine_private.h"
#include "sim/core/check.h"

#define DR6_BS (UINT64_C(1) << 14)

/* STAR and SYSENTER_CS hold one selector; the others lie at fixed distances
 * (SDM 2B, SYSCALL, SYSENTER, SYSEXIT). */
#define STAR_SYSCALL_SHIFT 32
#define SELECTOR_NEXT 8u

#define FLAT_CODE (0x9b | X86_ATTR_P | X86_ATTR_G)
#define FLAT_DATA (0x93 | X86_ATTR_P | X86_ATTR_G | X86_ATTR_DB)
#define DPL3 (3u << X86_ATTR_DPL_SHIFT)

/* Delivery. */

static bool read_memory(void *context, gva_t from, void *to, uint32_t bytes,
                        bool user, struct cpu_event *fault)
{
    return engine_memory_access(context, from, to, bytes, false, user, true,
                                fault);
}

static bool write_memory(void *context, gva_t to, const void *from,
                         uint32_t bytes, bool user, struct cpu_event *fault)
{
    /* The buffer is only read: the access is a write. */
    return engine_memory_access(context, to, (void *)(uintptr_t)from, bytes,
                                true, user, true, fault);
}

static void report_task_gate(struct engine *engine)
{
    const struct vm_exit exit = {.kind = VM_EXIT_TASK_GATE};

    engine_exit_to_host(engine, &exit);
}

/* A second-level fault on the way is the host's to mend: the event waits, and
 * its delivery begins anew. */
static void deliver(struct engine *engine, const struct cpu_event *event)
{
    const struct event_memory memory = {
        .context = engine,
        .read = read_memory,
        .write = write_memory,
        /* Unicorn clears RF at the end of a block. There are no instruction
         * breakpoints, the one thing that RF holds back. */
        .keeps_resume_flag = true,
    };
    const struct cpu_event kept = *event;
    struct cpu_event delivered;
    struct x86_state state;
    enum event_outcome outcome;

    engine_image_get(engine, &state);
    engine->delivery_aborted = false;
    engine->event_pending = false;
    outcome = event_deliver(&state, &memory, &kept, &delivered);
    if (engine->delivery_aborted) {
        engine->event = kept;
        engine->event_pending = true;
        engine->event_reported = false;
        return;
    }
    engine_bill(engine, COST_EXCEPTION, 1);
    engine->billed += SUBCYCLES_PER_CYCLE; /* an instruction may fault for
                                              ever, at whatever price */
    switch (outcome) {
    case EVENT_DELIVERED:
        engine->page_faults += delivered.type == EVENT_TYPE_EXCEPTION &&
                               delivered.vector == X86_VECTOR_PF;
        engine_image_put(engine, &state);
        break;
    case EVENT_SHUTDOWN:
        engine->shut_down = true;
        break;
    case EVENT_TASK_GATE:
        report_task_gate(engine);
        break;
    }
    engine_update_attention(engine);
}

static void exit_exception(struct engine *engine, const struct cpu_event *event)
{
    struct vm_exit exit = {.kind = VM_EXIT_EXCEPTION};

    exit.u.exception.vector = event->vector;
    exit.u.exception.has_error_code = event->has_error_code;
    exit.u.exception.error_code = event->error_code;
    exit.u.exception.cr2 = event->cr2;
    engine_exit_to_host(engine, &exit);
}

void engine_event_raise(struct engine *engine, const struct cpu_event *event)
{
    if (event->type == EVENT_TYPE_EXCEPTION &&
        (engine->intercepted_vectors >> event->vector & 1) != 0)
        exit_exception(engine, event);
    else
        deliver(engine, event);
}

void engine_event_fault(struct engine *engine, uint8_t vector,
                        uint32_t error_code)
{
    const struct cpu_event event = {
        .type = EVENT_TYPE_EXCEPTION,
        .vector = vector,
        .has_error_code = event_has_error_code(vector),
        .error_code = event_has_error_code(vector) ? error_code : 0,
    };

    engine_event_raise(engine, &event);
}

static void deliver_debug_trap(struct engine *engine)
{
    const struct cpu_event event = {
        .type = EVENT_TYPE_EXCEPTION,
        .vector = X86_VECTOR_DB,
        .dr6 = DR6_BS,
    };

    engine->debug_trap_pending = false;
    engine_event_raise(engine, &event);
}

static void deliver_nmi(struct engine *engine)
{
    const struct cpu_event event = {
        .type = EVENT_TYPE_NMI,
        .vector = X86_VECTOR_NMI,
    };

    engine->nmi_pending = false;
    deliver(engine, &event);
}

bool engine_event_pending(struct engine *engine)
{
    if (engine->event_pending) {
        const struct cpu_event event = engine->event;

        if (!engine->event_reported) {
            engine->event_reported = true;
            engine_trouble_to_host(engine);
        }
        if (engine->stop == STOP_HOST)
            return false;
        if (engine->event_pending) /* unless the host made it void */
            deliver(engine, &event);
    }
    if (engine->debug_trap_pending && !engine->event_pending)
        deliver_debug_trap(engine);
    if (engine->nmi_pending && !engine->nmi_masked && !engine->event_pending &&
        !engine->scratch.active) {
        engine_image_load(engine);
        if (!engine_image_shadow(engine))
            deliver_nmi(engine);
    }
    return !engine->event_pending && !engine->shut_down &&
           engine->stop != STOP_HOST;
}

void engine_inject_interrupt(struct engine *engine, uint8_t vector)
{
    const struct cpu_event event = {
        .type = EVENT_TYPE_INTERRUPT,
        .vector = vector,
    };

    deliver(engine, &event);
}

void engine_inject_nmi(struct engine *engine)
{
    engine->nmi_pending = true;
    engine_update_attention(engine);
}

void engine_inject_exception(struct engine *engine, uint8_t vector,
                             bool has_error_code, uint32_t error_code)
{
    struct cpu_event event = {
        .type = EVENT_TYPE_EXCEPTION,
        .vector = vector,
        .has_error_code = has_error_code,
        .error_code = error_code,
    };

    engine_image_load(engine);
    if (vector == X86_VECTOR_PF)
        event.cr2 = image_load64(engine, engine->layout->cr + 8 * 2);
    deliver(engine, &event);
}

/* Software interrupts: they retire, and their gate's DPL is checked. */

static void deliver_software(struct engine *engine, enum event_type type,
                             uint8_t vector, uint32_t length)
{
    const struct cpu_event event = {
        .type = type,
        .vector = vector,
        .instruction_bytes = (uint8_t)length,
    };

    engine_block_charge(engine, engine_image_pc(engine), length);
    engine_image_end_shadow(engine);
    deliver(engine, &event);
}

void engine_event_software(struct engine *engine)
{
    uint8_t code[16];
    uint32_t have = engine_fetch(engine, code);
    uint32_t length =
        decode_length(engine->decoder, engine_image_mode(engine), code, have);

    if (length >= 2 && code[length - 2] == 0xcd)
        deliver_software(engine, EVENT_TYPE_SOFTWARE_INTERRUPT,
                         code[length - 1], length);
    else if (length > 0 && code[length - 1] == 0xce)
        deliver_software(engine, EVENT_TYPE_SOFTWARE_EXCEPTION, X86_VECTOR_OF,
                         length);
    else
        deliver_software(engine, EVENT_TYPE_SOFTWARE_EXCEPTION, X86_VECTOR_BP,
                         length > 0 ? length : 1);
}

void engine_event_icebp(struct engine *engine)
{
    deliver_software(engine, EVENT_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION,
                     X86_VECTOR_DB, engine_exit_length(engine));
}

/* System calls. */

static struct x86_segment flat(uint32_t selector, unsigned attributes)
{
    return (struct x86_segment){
        .limit = UINT32_MAX,
        .selector = (uint16_t)selector,
        .attributes = (uint16_t)attributes,
    };
}

/* SYSCALL; false if it is undefined here. */
static bool do_syscall(struct engine *engine, struct x86_state *state,
                       uint32_t length)
{
    uint32_t selector = (uint32_t)(state->star >> STAR_SYSCALL_SHIFT) & 0xfffcu;
    bool code64 = x86_64bit_code(state);
    bool intel = engine->features.sysenter_in_compatibility;

    if ((state->efer & EFER_SCE) == 0 || (state->cr0 & CR0_PE) == 0 ||
        (intel && !code64))
        return false;
    if (x86_long_mode(state)) {
        state->gpr[X86_RCX] = state->rip + length;
        state->gpr[X86_R11] = state->rflags & ~RFLAGS_RF;
        state->rip = code64 ? state->lstar : state->cstar;
        state->rflags &= ~(state->fmask | RFLAGS_RF);
        state->segment[X86_CS] = flat(selector, FLAT_CODE | X86_ATTR_L);
    } else {
        state->gpr[X86_RCX] = (uint32_t)(state->rip + length);
        state->rip = (uint32_t)state->star;
        state->rflags &= ~(RFLAGS_VM | RFLAGS_IF | RFLAGS_RF);
        state->segment[X86_CS] = flat(selector, FLAT_CODE | X86_ATTR_DB);
    }
    state->segment[X86_SS] = flat(selector + SELECTOR_NEXT, FLAT_DATA);
    state->interrupt_shadow = false;
    return true;
}

static bool sysenter_exists(const struct engine *engine,
                            const struct x86_state *state)
{
    return engine->features.sysenter_in_compatibility || !x86_long_mode(state);
}

/* SYSENTER where it exists; false: #GP(0). */
static bool do_sysenter(struct x86_state *state)
{
    uint32_t selector = (uint32_t)state->sysenter_cs & 0xfffcu;
    bool long_mode = x86_long_mode(state);

    if (selector == 0 || (state->cr0 & CR0_PE) == 0)
        return false;
    state->rflags &= ~(RFLAGS_VM | RFLAGS_IF | RFLAGS_RF);
    state->rip =
        long_mode ? state->sysenter_eip : (uint32_t)state->sysenter_eip;
    state->gpr[X86_RSP] =
        long_mode ? state->sysenter_esp : (uint32_t)state->sysenter_esp;
    state->segment[X86_CS] =
        flat(selector, FLAT_CODE | (long_mode ? X86_ATTR_L : X86_ATTR_DB));
    state->segment[X86_SS] = flat(selector + SELECTOR_NEXT, FLAT_DATA);
    state->interrupt_shadow = false;
    return true;
}

/* SYSEXIT from 64-bit code, which Unicorn's AMD model does not know. */
static bool do_sysexit(struct x86_state *state, bool to_64bit)
{
    uint32_t selector = (uint32_t)state->sysenter_cs & 0xfffcu;

    if (selector == 0 || x86_cpl(state) != 0)
        return false;
    if (to_64bit && (!x86_canonical(state->gpr[X86_RDX]) ||
                     !x86_canonical(state->gpr[X86_RCX])))
        return false;
    state->rip = to_64bit ? state->gpr[X86_RDX] : (uint32_t)state->gpr[X86_RDX];
    state->gpr[X86_RSP] =
        to_64bit ? state->gpr[X86_RCX] : (uint32_t)state->gpr[X86_RCX];
    selector += to_64bit ? 32u : 16u;
    state->segment[X86_CS] =
        flat(selector | 3u,
             DPL3 | FLAT_CODE | (to_64bit ? X86_ATTR_L : X86_ATTR_DB));
    state->segment[X86_SS] =
        flat((selector + SELECTOR_NEXT) | 3u, DPL3 | FLAT_DATA);
    return true;
}

static uint32_t hook_length(struct engine *engine)
{
    uint8_t code[16];
    uint32_t have = engine_fetch(engine, code);

    if (have >= 2 && code[0] == 0x0f)
        return 2;
    return decode_length(engine->decoder, engine_image_mode(engine), code,
                         have);
}

static void begin_hook(struct engine *engine)
{
    engine_image_load(engine);
    engine->rflags_known = false;
}

/* Unicorn adds the length to RIP after these hooks. */
static void end_hook(struct engine *engine, uint32_t length)
{
    engine_image_load(engine);
    image_store64(engine, engine->layout->rip,
                  image_load64(engine, engine->layout->rip) - length);
    if (engine->shut_down || engine->event_pending || engine->stop != STOP_NONE)
        (void)uc_emu_stop(engine->uc);
    engine_image_commit(engine);
    if (engine->flush_wanted)
        engine_memory_flush(engine);
    engine_update_attention(engine);
}

void engine_event_syscall_hook(uc_engine *uc, void *context)
{
    struct engine *engine = context;
    struct x86_state state;
    uint32_t length;

    (void)uc;
    begin_hook(engine);
    length = hook_length(engine);
    engine_image_get(engine, &state);
    if (do_syscall(engine, &state, length)) {
        engine_image_put(engine, &state);
        engine_bill(engine, COST_SYSCALL, 1);
    } else {
        engine_block_cut(engine, engine_image_pc(engine));
        engine_event_fault(engine, X86_VECTOR_UD, 0);
    }
    end_hook(engine, length);
}

static void sysenter(struct engine *engine)
{
    struct x86_state state;

    engine_image_get(engine, &state);
    if (!sysenter_exists(engine, &state)) {
        engine_event_fault(engine, X86_VECTOR_UD, 0);
    } else if (do_sysenter(&state)) {
        engine_block_charge(engine, engine_image_pc(engine), 2);
        engine_image_put(engine, &state);
        engine_bill(engine, COST_SYSCALL, 1);
    } else {
        engine_event_fault(engine, X86_VECTOR_GP, 0);
    }
}

void engine_event_sysenter_hook(uc_engine *uc, void *context)
{
    struct engine *engine = context;
    uint32_t length;

    (void)uc;
    begin_hook(engine);
    length = hook_length(engine);
    engine_block_cut(engine, engine_image_pc(engine));
    sysenter(engine);
    end_hook(engine, length);
}

static void sysexit(struct engine *engine, bool to_64bit)
{
    struct x86_state state;

    engine_image_get(engine, &state);
    if (!do_sysexit(&state, to_64bit)) {
        engine_event_fault(engine, X86_VECTOR_GP, 0);
        return;
    }
    engine_block_charge(engine, engine_image_pc(engine), to_64bit ? 3 : 2);
    engine_image_put(engine, &state);
}

/* #UD, or an instruction that the processor we offer has and Unicorn's model
 * has not: VMCALL; INT1; SYSENTER and SYSEXIT in 64-bit code. */
void engine_event_undefined(struct engine *engine)
{
    bool intel = engine->features.sysenter_in_compatibility;
    uint8_t code[16];
    uint32_t have = engine_fetch(engine, code);
    bool rex_w = have >= 3 && (code[0] & 0xf8) == 0x48 &&
                 engine_image_mode(engine) == CODE_64;
    const uint8_t *op = rex_w ? code + 1 : code;

    if (have >= 3 && code[0] == 0x0f && code[1] == 0x01 && code[2] == 0xc1) {
        const struct vm_exit exit = {
            .kind = VM_EXIT_HYPERCALL,
            .instruction_bytes = 3,
        };

        engine_exit_to_host(engine, &exit);
    } else if (have >= 1 && code[0] == 0xf1) {
        engine_event_icebp(engine);
    } else if (intel && have >= 3 && op[0] == 0x0f && op[1] == 0x34) {
        sysenter(engine);
    } else if (intel && have >= 3 && op[0] == 0x0f && op[1] == 0x35) {
        sysexit(engine, rex_w);
    } else {
        engine_event_fault(engine, X86_VECTOR_UD, 0);
    }
}
