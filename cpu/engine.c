/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>

#include "cpu/engine_private.h"
#include "sim/core/check.h"

#define TLB_PAGES_MAX 65536u

/* This many returns from Unicorn without an instruction or a cost in between:
 * the run ends, so that its owner stays in control. */
#define STUCK_MAX 64u

static uint64_t subcycles(cycles_t time)
{
    uint64_t v = time.v;

    return v > UINT64_MAX / SUBCYCLES_PER_CYCLE ? UINT64_MAX
                                                : v * SUBCYCLES_PER_CYCLE;
}

/* The kinds that the engine notes on the run's bill. Their prices are asked
 * for once, to know roughly when the limit is reached; the bill itself is
 * priced by its owner. */
static void learn_prices(struct engine *engine)
{
    static const enum cost_kind kinds[] = {
        COST_EXCEPTION,      COST_SYSCALL,       COST_RDTSC,   COST_TLB_FLUSH,
        COST_GUEST_WALK_REF, COST_SLAT_WALK_REF, COST_INVLPG,  COST_APIC_ACCESS,
        COST_VMEXIT,         COST_EXIT_DISPATCH, COST_VMENTRY,
    };

    for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        struct cost_bill bill = {0};

        cost_note(&bill, kinds[i], 1);
        engine->price[kinds[i]] =
            engine->host->price_block(engine->host->context, &bill);
    }
}

enum sim_status engine_create(struct engine **out, struct engine_pool *pool,
                              const struct engine_host *host,
                              struct slat_root slat, struct sim_error *error)
{
    struct engine *engine = calloc(1, sizeof(*engine));
    enum sim_status status;

    if (!engine)
        return sim_fail(error, SIM_NO_MEMORY, "not enough memory");
    engine->pool = pool;
    engine->host = host;
    engine->decoder = pool->decoder;
    engine->layout = &pool->layout;
    engine->mmu.arena = pool->arena;
    engine->mmu.slat = slat;
    engine->features = (struct engine_features){
        .cr4_valid = CR4_VME | CR4_TSD | CR4_DE | CR4_PSE | CR4_PAE | CR4_MCE |
                     CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT | CR4_FSGSBASE |
                     CR4_SMEP | CR4_SMAP,
        .efer_valid = EFER_SCE | EFER_LME | EFER_LMA | EFER_NXE,
        .pages_1g = true,
        .physical_bits = 46,
    };
    engine->tlb = tlb_create(TLB_PAGES_MAX);
    engine->refills_until_flush = ENGINE_REFILLS_MIN;
    engine->sample_every = ENGINE_SAMPLE_EVERY;
    if (!engine->tlb || !price_cache_near_init(&engine->near) ||
        !engine_pool_join(pool, engine)) {
        engine_free(engine);
        return sim_fail(error, SIM_NO_MEMORY,
                        "not enough memory for one more virtual processor");
    }
    status = engine_setup(engine, error);
    if (status != SIM_OK) {
        engine_free(engine);
        return status;
    }
    learn_prices(engine);
    engine_reset(engine);
    *out = engine;
    return SIM_OK;
}

void engine_free(struct engine *engine)
{
    if (!engine)
        return;
    engine_pool_leave(engine->pool, engine);
    engine_setup_undo(engine);
    free(engine->fetched);
    price_cache_near_free(&engine->near);
    tlb_free(engine->tlb);
    free(engine);
}

void engine_reset(struct engine *engine)
{
    struct x86_state state;

    engine_image_reset(engine);
    engine->nmi_masked = false;
    engine->nmi_pending = false;
    engine->unmasking_nmi = false;
    if (engine->pause_count != 0)
        engine_image_intercept(engine, INTERCEPT_BIT(SVM_EXIT_PAUSE), 0);
    x86_reset(&state);
    engine_set_state(engine, &state);
    engine_memory_flush_all(engine, false);
}

void engine_set_features(struct engine *engine,
                         const struct engine_features *features)
{
    engine->features = *features;
    engine->mmu.physical_bits = features->physical_bits;
    engine_memory_flush_all(engine, false);
}

/* Time. */

/* What is done between two runs (an event injected) is on the next bill. */
void engine_bill(struct engine *engine, enum cost_kind kind, uint32_t count)
{
    struct cost_bill *bill =
        engine->run && engine->run->bill ? engine->run->bill : &engine->owed;

    cost_note(bill, kind, count);
    engine->billed += (uint64_t)engine->price[kind] * count;
    engine_update_attention(engine);
}

/* The block hook compares the clock with one number. It is 0 when anything
 * but the limit wants to be looked at before the next block. */
void engine_update_attention(struct engine *engine)
{
    if (engine->window_wanted || engine->nmi_pending ||
        engine->debug_trap_pending || engine->scratch.active ||
        engine->flush_wanted || engine->unmasking_nmi ||
        engine->trail.recording)
        engine->attention = 0;
    else
        engine->attention =
            engine->limit > engine->billed ? engine->limit - engine->billed : 0;
    if (engine->attention > engine->sample_at)
        engine->attention = engine->sample_at;
}

cycles_t engine_take_elapsed(struct engine *engine)
{
    uint64_t whole = (engine->clock - engine->taken) / SUBCYCLES_PER_CYCLE;

    engine->taken += whole * SUBCYCLES_PER_CYCLE;
    return cycles(whole);
}

cycles_t engine_now(const struct engine *engine)
{
    uint64_t block = engine->block ? engine->block->subcycles : 0;

    return cycles((engine->clock + engine->billed - block) /
                  SUBCYCLES_PER_CYCLE);
}

void engine_advance(struct engine *engine, cycles_t spent)
{
    engine->clock += subcycles(spent);
    engine->taken += subcycles(spent);
}

void engine_set_limit(struct engine *engine, cycles_t limit)
{
    engine->limit = subcycles(limit);
    engine_update_attention(engine);
}

void engine_set_clock_limit(struct engine *engine, cycles_t limit)
{
    engine->clock_limit = limit.v;
}

void engine_set_tsc_offset(struct engine *engine, uint64_t offset)
{
    engine->tsc_offset = offset;
}

uint64_t engine_instructions(const struct engine *engine)
{
    return engine->instructions;
}

/* Requests. */

void engine_request_window(struct engine *engine, bool wanted)
{
    engine->window_wanted = wanted;
    engine_update_attention(engine);
}

void engine_intercept_exceptions(struct engine *engine, uint32_t vectors)
{
    engine->intercepted_vectors = vectors;
}

void engine_filter_pause(struct engine *engine, uint32_t count, cycles_t gap)
{
    bool wanted = count != 0;

    engine->pause_count = engine->pauses_left = count;
    engine->pause_gap = gap;
    engine_image_intercept(engine, wanted ? INTERCEPT_BIT(SVM_EXIT_PAUSE) : 0,
                           wanted ? 0 : INTERCEPT_BIT(SVM_EXIT_PAUSE));
}

bool engine_interruptible(struct engine *engine)
{
    return (engine_rflags(engine) & RFLAGS_IF) != 0 &&
           !engine_image_shadow(engine) && !engine->scratch.active;
}

/* The run loop. */

static void bring_up_to_date(struct engine *engine)
{
    engine->run->now = cycles(engine->clock / SUBCYCLES_PER_CYCLE);
}

static void begin_run(struct engine *engine, struct engine_run *run)
{
    uint64_t not_taken = engine->clock - engine->taken;

    CHECK(!engine->run && !engine->pool->running);
    engine->run = run;
    engine->taken = subcycles(run->now);
    engine->clock = engine->taken + not_taken;
    engine->limit = subcycles(run->limit);
    engine->clock_limit = run->clock_limit.v;
    engine->at_clock = false;
    engine->billed = 0;
    if (run->bill) {
        cost_bill_add(run->bill, &engine->owed);
        cost_bill_clear(&engine->owed);
    }
    engine->stuck = 0;
    engine->stop = STOP_NONE;
}

/* Guest code can keep the host busy for long without taking time of its own:
 * the question that the block hook asks now and then would come too late. */
static bool stop_wanted(const struct engine *engine)
{
    const struct engine_host *host = engine->host;

    return !engine->scratch.active && host->stop_wanted &&
           host->stop_wanted(host->context);
}

/* What is due before the next guest instruction. True: come back with *why. */
static bool due(struct engine *engine, enum vm_exit_kind *why)
{
    if (engine->stop == STOP_HOST) {
        *why = VM_EXIT_STOPPED;
        return true;
    }
    if (engine->shut_down) {
        const struct vm_exit exit = {.kind = VM_EXIT_SHUTDOWN};

        engine_exit_to_host(engine, &exit);
        if (engine->shut_down || engine->stop == STOP_HOST) {
            *why = engine->shut_down ? VM_EXIT_SHUTDOWN : VM_EXIT_STOPPED;
            return true;
        }
    }
    if (engine->at_clock || (engine->clock + engine->billed >= engine->limit &&
                             !engine->scratch.active)) {
        *why = VM_EXIT_LIMIT;
        return true;
    }
    if (stop_wanted(engine)) {
        *why = VM_EXIT_STOPPED;
        return true;
    }
    if (engine->window_wanted && engine_interruptible(engine)) {
        *why = VM_EXIT_INTERRUPT_WINDOW;
        return true;
    }
    return false;
}

/* One stay in Unicorn. */
static void execute(struct engine *engine)
{
    uc_engine *uc = engine->uc;
    uint64_t rip = engine_rip(engine);

    engine->trouble.kind = TROUBLE_NONE;
    engine->stop = STOP_NONE;
    engine_image_commit(engine);
    if (engine->flush_wanted)
        engine_memory_flush(engine);
    engine_update_attention(engine);
    if (engine->flush_code_wanted) {
        CHECK(uc_ctl_flush_tb(uc) == UC_ERR_OK);
        engine->flush_code_wanted = false;
    }
    engine->block = NULL;
    engine->scratch.entered = false;
    engine->pool->running = engine;
    (void)uc_emu_start(uc, rip, 0, 0, 0);
    engine->pool->running = NULL;
    engine_image_load(engine);
}

/* Guest code that neither advances nor costs anything must not keep us. */
static bool is_stuck(struct engine *engine, uint64_t before)
{
    if (engine->clock + engine->billed != before)
        engine->stuck = 0;
    return ++engine->stuck > STUCK_MAX;
}

/* False if the next instruction is one to be stepped and has been dealt with
 * as an intercept. */
static bool step_more(struct engine *engine)
{
    if (engine->steps_left == 0 || engine->scratch.active)
        return true;
    engine->steps_left--;
    engine_step_instruction(engine);
    return engine->scratch.active;
}

enum vm_exit_kind engine_run(struct engine *engine, struct engine_run *run)
{
    enum vm_exit_kind why = VM_EXIT_LIMIT;

    begin_run(engine, run);
    while (!due(engine, &why)) {
        uint64_t before = engine->clock + engine->billed;

        if (engine_event_pending(engine) && step_more(engine)) {
            execute(engine);
            if (engine->trouble.kind != TROUBLE_NONE)
                engine_trouble_handle(engine);
            else if (engine->stop == STOP_TRAPS)
                engine_block_trap(engine);
            else if (engine->stop == STOP_BOUNDARY)
                engine_step_end(engine);
        }
        if (is_stuck(engine, before)) {
            why = VM_EXIT_LIMIT;
            break;
        }
    }
    bring_up_to_date(engine);
    run->at_clock = engine->at_clock;
    engine_foresee_stay_ended(engine);
    engine->stop = STOP_NONE;
    engine->run = NULL;
    return why;
}
