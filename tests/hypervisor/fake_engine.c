/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/hypervisor/fake_engine.h"

#include <stdlib.h>
#include <string.h>

struct engine_pool {
    struct arena *arena;
};

enum sim_status engine_pool_create(struct engine_pool **out,
                                   struct arena *arena, struct sim_error *error)
{
    *out = calloc(1, sizeof(**out));
    if (!*out)
        return sim_fail(error, SIM_NO_MEMORY, "fake engine");
    (*out)->arena = arena;
    return SIM_OK;
}

void engine_pool_free(struct engine_pool *pool)
{
    free(pool);
}

void engine_version(char *buffer, size_t bytes)
{
    strncpy(buffer, "fake", bytes);
}

enum sim_status engine_create(struct engine **out, struct engine_pool *pool,
                              const struct engine_host *host,
                              struct slat_root slat, struct sim_error *error)
{
    struct engine *engine = calloc(1, sizeof(*engine));

    (void)pool;
    if (!engine)
        return sim_fail(error, SIM_NO_MEMORY, "fake engine");
    x86_reset(&engine->state);
    engine->host = *host;
    engine->slat = slat;
    *out = engine;
    return SIM_OK;
}

void engine_free(struct engine *engine)
{
    free(engine);
}

enum vm_exit_kind engine_run(struct engine *engine, struct engine_run *run)
{
    (void)engine;
    (void)run;
    return VM_EXIT_LIMIT;
}

cycles_t engine_now(const struct engine *engine)
{
    (void)engine;
    return cycles(0);
}

cycles_t engine_take_elapsed(struct engine *engine)
{
    (void)engine;
    return cycles(0);
}

void engine_advance(struct engine *engine, cycles_t spent)
{
    (void)engine;
    (void)spent;
}

void engine_set_limit(struct engine *engine, cycles_t limit)
{
    (void)engine;
    (void)limit;
}

void engine_set_clock_limit(struct engine *engine, cycles_t limit)
{
    (void)engine;
    (void)limit;
}

uint64_t engine_instructions(const struct engine *engine)
{
    (void)engine;
    return 0;
}

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
    return x86_cpl(&engine->state);
}

bool engine_64bit_code(struct engine *engine)
{
    return x86_64bit_code(&engine->state);
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
}

void engine_reset(struct engine *engine)
{
    engine->resets++;
    x86_reset(&engine->state);
}

void engine_set_tsc_offset(struct engine *engine, uint64_t offset)
{
    engine->tsc_offset = offset;
}

void engine_set_features(struct engine *engine,
                         const struct engine_features *features)
{
    engine->features = *features;
}

void engine_skip_instruction(struct engine *engine, const struct vm_exit *exit)
{
    engine->skips++;
    engine->state.rip += exit->instruction_bytes;
}

bool engine_interruptible(struct engine *engine)
{
    return (engine->state.rflags & RFLAGS_IF) &&
           !engine->state.interrupt_shadow;
}

void engine_inject_interrupt(struct engine *engine, uint8_t vector)
{
    engine->interrupts++;
    engine->interrupt_vector = vector;
    engine->state.rflags &= ~RFLAGS_IF;
}

void engine_inject_nmi(struct engine *engine)
{
    engine->nmis++;
}

void engine_inject_exception(struct engine *engine, uint8_t vector,
                             bool has_error_code, uint32_t error_code)
{
    engine->exceptions++;
    engine->exception_vector = vector;
    engine->exception_has_error_code = has_error_code;
    engine->exception_error_code = error_code;
}

void engine_request_window(struct engine *engine, bool wanted)
{
    engine->window_wanted = wanted;
}

void engine_filter_pause(struct engine *engine, uint32_t count, cycles_t gap)
{
    (void)engine;
    (void)count;
    (void)gap;
}

void engine_intercept_exceptions(struct engine *engine, uint32_t vectors)
{
    engine->intercepted_vectors = vectors;
}

void engine_set_apic_page(struct engine *engine, bool on, gpa_t page)
{
    engine->apic_on = on;
    engine->apic_page = page;
}

void engine_flush_translations(struct engine *engine)
{
    engine->flushes++;
}

void engine_flush_guest(struct engine *engine, bool keep_global)
{
    engine->flushes++;
    engine->kept_global = keep_global;
}

void engine_flush_page(struct engine *engine, gva_t page)
{
    engine->page_flushes++;
    engine->flushed_page = page;
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
    memcpy(bytes, engine->code, 16);
    return 16;
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
