/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "cpu/code_shape.h"
#include "cpu/engine_private.h"
#include "sim/core/check.h"

/*
 * Prices. A block is charged when it begins; whatever of it is not executed
 * after all (an intercept or a fault in its middle) is taken back, which is
 * exact because prices are sums over instructions and RIP is exact. So it
 * does not matter how Unicorn cuts code into blocks.
 *
 * It does matter for where a run stops at its limit, which is between blocks.
 * Unicorn cuts by branches, by 512 instructions and by the size of its own
 * code; the last differs between versions, for straight-line code of more than
 * some 250 instructions with memory operands.
 *
 * Traps. Unicorn executes IN, OUT, INS and OUTS by itself, without the checks
 * of I/O privilege and with no way to suspend them, and RDRAND and RDSEED with
 * the machine's randomness. A block that holds one is recognised here, before
 * it runs for the first time; the instruction gets an INT3 in the copy of its
 * page (cpu/code_pages.h) and then arrives as an intercept, at its own RIP.
 */

/* Unicorn ends a block that has come to 4064 bytes, wherever in a page. */
#define BLOCK_BYTES_MAX PAGE_BYTES

bool engine_block_needs_trap(const uint8_t *code, uint32_t bytes,
                             enum code_mode mode)
{
    uint32_t at = 0;

    if (code_shape_is_fatal(mode, code, bytes, false))
        return true;
    while (at < bytes && code_shape_is_prefix(mode, code[at]))
        at++;
    if (at == bytes)
        return false;
    if ((code[at] & 0xfc) == 0x6c || (code[at] & 0xf4) == 0xe4)
        return true; /* INS, OUTS; IN, OUT */
    return at + 2 < bytes && code[at] == 0x0f && code[at + 1] == 0xc7 &&
           code[at + 2] >= 0xf0; /* RDRAND, RDSEED: register forms */
}

/* A quick no for most blocks: none of the opcodes' bytes occurs. */
static bool may_need_traps(const uint8_t *code, uint32_t bytes)
{
    for (uint32_t i = 0; i < bytes; i++)
        if ((code[i] & 0xfc) == 0x6c || (code[i] & 0xf4) == 0xe4 ||
            code[i] == 0xc7)
            return true;
    return false;
}

/* Whether the traps in the copy are where this instruction needs them: on its
 * first byte if at all. Another decoding of the same bytes may want others. */
static bool traps_fit(struct engine *engine, uint64_t pc, const uint8_t *code,
                      uint32_t bytes, enum code_mode mode)
{
    const struct code_pages *pages = engine->mmu.arena->code;
    bool wanted = engine_block_needs_trap(code, bytes, mode);

    for (uint32_t i = 0; i < bytes; i++) {
        spa_t at;

        if (!engine_memory_code(engine, pc + i, &at))
            return true;
        if (code_pages_is_trap(pages, at) != (wanted && i == 0))
            return false;
        if (!wanted && !code_pages_has_traps(pages, at) &&
            (pc & PAGE_MASK) + bytes <= PAGE_BYTES)
            return true;
        if (wanted)
            return true;
    }
    return true;
}

/* The length of the instruction, or of what is there of it. */
static uint32_t length_at(enum code_mode mode, const uint8_t *code,
                          uint32_t bytes)
{
    struct code_shape shape = code_shape(mode, code, bytes);

    return shape.length != 0 ? shape.length : bytes;
}

static bool has_traps(struct engine *engine, uint64_t pc)
{
    spa_t at;

    return engine_memory_code(engine, pc, &at) &&
           code_pages_has_traps(engine->mmu.arena->code, at);
}

/* A block may end inside an instruction, at its trap: `have` bytes, beyond the
 * block's own, are there to decode it by. */
static bool block_traps_fit(struct engine *engine, uint64_t pc,
                            const uint8_t *code, uint32_t bytes, uint32_t have,
                            enum code_mode mode)
{
    if (!may_need_traps(code, bytes) && !has_traps(engine, pc) &&
        !has_traps(engine, pc + bytes - 1))
        return true;
    for (uint32_t at = 0; at < bytes;) {
        uint32_t length = length_at(mode, code + at, have - at);

        if (!traps_fit(engine, pc + at, code + at, length, mode))
            return false;
        at += length;
    }
    return true;
}

/* The block hook may look at the translation flags, which are up to date at
 * the start of a block, though the image is otherwise out of bounds. A code
 * segment of long mode is remembered by its selector. */
static enum code_mode current_mode(struct engine *engine)
{
    bool suspended = engine->image_valid;
    bool long_mode = (engine->mmu.efer & EFER_LMA) != 0;
    uint64_t cs = 0;
    enum code_mode mode;

    (void)uc_reg_read(engine->uc, UC_X86_REG_CS, &cs);
    if (!engine->image_dirty && long_mode && cs == engine->mode_selector)
        return engine->mode;
    engine_image_load(engine);
    mode = engine_image_mode(engine);
    engine->image_valid = suspended;
    engine->mode = mode;
    engine->mode_selector =
        long_mode && !engine->image_dirty ? (uint32_t)cs : MODE_UNKNOWN;
    return mode;
}

/* How many bytes may be looked at past a block: looking must not walk. */
static uint32_t lookahead(struct engine *engine, uint64_t end)
{
    uint64_t room = -end & PAGE_MASK;

    if (room >= CODE_INSTRUCTION_BYTES_MAX ||
        tlb_find(engine->tlb, gva_page(gva(end + CODE_INSTRUCTION_BYTES_MAX))))
        return CODE_INSTRUCTION_BYTES_MAX;
    return (uint32_t)room;
}

/* What the instructions cost, wherever they stand. */
static struct block_price price_content(struct engine *engine,
                                        enum code_mode mode,
                                        const uint8_t *code, uint32_t bytes)
{
    struct far_prices *far = engine->pool->far;
    struct cost_bill bill = {0};
    struct block_price price = {0};

    if (price_cache_content_find(far, (uint8_t)mode, code, bytes, &price))
        return price;
    price.instructions =
        (uint16_t)decode_block(engine->decoder, mode, code, bytes, &bill);
    price.subcycles = engine->host->price_block(engine->host->context, &bill);
    price_cache_content_add(far, (uint8_t)mode, code, bytes, &price);
    return price;
}

static struct block_price price_bytes(struct engine *engine, uint64_t pc,
                                      uint32_t bytes, enum code_mode mode)
{
    uint8_t code[BLOCK_BYTES_MAX + CODE_INSTRUCTION_BYTES_MAX];
    struct block_price price;
    uint32_t have = engine_memory_read_code(
        engine, pc, code, bytes + lookahead(engine, pc + bytes));

    if (have < bytes) /* cannot be: the block has been fetched */
        bytes = have;
    price = price_content(engine, mode, code, bytes);
    price.traps = !block_traps_fit(engine, pc, code, bytes, have, mode);
    return price;
}

/* From the far cache if the block lies in one page. */
static struct block_price price_anywhere(struct engine *engine, uint64_t pc,
                                         uint32_t bytes)
{
    enum code_mode mode = current_mode(engine);
    struct block_price price;
    struct far_key key = {.bytes = (uint16_t)bytes, .mode = (uint8_t)mode};

    if (!engine_memory_code(engine, pc, &key.start))
        return (struct block_price){0};
    if ((pc & PAGE_MASK) + bytes > PAGE_BYTES)
        return price_bytes(engine, pc, bytes, mode);
    key.version = code_pages_version(engine->mmu.arena->code, key.start);
    if (price_cache_far_find(engine->pool->far, &key, &price))
        return price;
    price = price_bytes(engine, pc, bytes, mode);
    price_cache_far_add(engine->pool->far, &key, &price);
    return price;
}

/* What [pc, pc + bytes) costs, by way of the near cache. */
static const struct near_price *price_near(struct engine *engine, uint64_t pc,
                                           uint32_t bytes, bool *traps)
{
    struct near_price *slot;
    uint64_t key = near_key(&engine->near, pc, bytes);
    struct block_price price;

    *traps = false;
    slot = near_slot(&engine->near, pc, bytes);
    if (slot->key == key)
        return slot;
    price = price_anywhere(engine, pc, bytes);
    *traps = price.traps;
    price_cache_near_missed(&engine->near);
    slot = near_slot(&engine->near, pc, bytes);
    *slot = (struct near_price){
        /* A block that must not run is asked about again. */
        .key = price.traps ? 0 : key,
        .subcycles = price.subcycles,
        .instructions = price.instructions,
    };
    return slot;
}

static void stop_before(struct engine *engine, enum engine_stop why)
{
    engine->block = NULL;
    engine->stop = why;
    (void)uc_emu_stop(engine->uc);
}

/* As engine_interruptible(), from inside the block hook. */
static bool window_is_open(struct engine *engine)
{
    uint64_t rflags = 0;
    bool shadow;

    (void)uc_reg_read(engine->uc, UC_X86_REG_RFLAGS, &rflags);
    if ((rflags & RFLAGS_IF) == 0)
        return false;
    engine_image_load(engine);
    shadow = engine_image_shadow(engine);
    engine->image_valid = false;
    return !shadow;
}

/* The instructions in the scratch page are those of its real page; what else
 * is there stops them. There may be a loop, which goes on till the limit. */
static void run_scratch_block(struct engine *engine, uint64_t pc,
                              uint32_t bytes)
{
    const struct engine_scratch *scratch = &engine->scratch;
    bool traps;

    engine->block = NULL;
    if (scratch->entered && engine->clock + engine->billed >= engine->limit) {
        stop_before(engine, STOP_BOUNDARY);
        return;
    }
    engine->scratch.entered = true;
    if (pc < scratch->start.raw || pc >= scratch->end.raw)
        return;
    if (bytes > scratch->end.raw - pc)
        bytes = (uint32_t)(scratch->end.raw - pc);
    engine->block = price_near(engine, pc, bytes, &traps);
    engine->clock += engine->block->subcycles;
    engine->instructions += engine->block->instructions;
}

/* A block that begins again now is taken for a loop. */
static void look_for_loop(struct engine *engine, uint64_t pc, uint32_t bytes)
{
    const struct near_price *last = engine->block;

    engine->sample_at = engine->clock + engine->sample_every;
    if (last && last->key == near_key(&engine->near, pc, bytes) &&
        last != &engine->near.loop)
        price_cache_near_loop(&engine->near, last);
}

static bool stop_wanted(const struct engine *engine)
{
    const struct engine_host *host = engine->host;

    return host->stop_wanted && host->stop_wanted(host->context);
}

/* True if the block at `pc` is not to be treated as usual. */
static bool attend(struct engine *engine, uint64_t pc, uint32_t bytes)
{
    if (engine->unmasking_nmi && engine->instructions > engine->iret_at) {
        engine->unmasking_nmi = false;
        engine->nmi_masked = false;
    }
    if (engine->scratch.active) {
        run_scratch_block(engine, pc, bytes);
        return true;
    }
    if (engine->clock + engine->billed >= engine->limit ||
        engine->flush_wanted || engine->debug_trap_pending ||
        (engine->nmi_pending && !engine->nmi_masked) ||
        (engine->window_wanted && window_is_open(engine))) {
        stop_before(engine, STOP_BOUNDARY);
        return true;
    }
    if (engine->clock >= engine->sample_at) {
        look_for_loop(engine, pc, bytes);
        if (stop_wanted(engine)) {
            stop_before(engine, STOP_HOST);
            return true;
        }
    }
    engine_update_attention(engine); /* what it was for may have passed */
    return false;
}

/* What has a price has been translated, and counted, before. */
static bool is_new(const struct engine *engine, uint64_t pc, uint32_t bytes)
{
    uint64_t key = near_key(&engine->near, pc, bytes);

    return near_slot(&engine->near, pc, bytes)->key != key;
}

/* All that is not the usual: kept out of the hook, so that the hook needs no
 * stack frame. */
static __attribute__((noinline)) void run_unusual_block(struct engine *engine,
                                                        uint64_t pc,
                                                        uint32_t bytes,
                                                        const void *code)
{
    const struct near_price *price;
    bool traps;

    if (engine->clock >= engine->attention && attend(engine, pc, bytes))
        return;
    CHECK(bytes > 0 && bytes < BLOCK_BYTES_MAX);
    if (is_new(engine, pc, bytes) && engine_count_code(engine, bytes)) {
        stop_before(engine, STOP_BOUNDARY);
        return;
    }
    price = price_near(engine, pc, bytes, &traps);
    if (traps) {
        stop_before(engine, STOP_TRAPS);
        return;
    }
    engine_foresee_note_block(engine, price, code);
    engine->block = price;
    engine->clock += price->subcycles;
    engine->instructions += price->instructions;
}

/* Called by Unicorn before each block. */
void engine_block_hook(uc_engine *uc, uint64_t pc, uint32_t bytes,
                       void *context)
{
    struct engine *engine = context;
    const struct near_price *price = &engine->near.loop;
    uint64_t clock = engine->clock;

    (void)uc;
    if (__builtin_expect(pc != engine->near.loop_pc, 1)) {
        uint64_t key = near_key(&engine->near, pc, bytes);

        price = near_slot(&engine->near, pc, bytes);
        if (__builtin_expect(price->key != key, 0))
            goto unusual;
    } else if (bytes != near_bytes(price->key)) {
        goto unusual;
    }
    if (__builtin_expect(clock >= engine->attention, 0))
        goto unusual;
    engine->block = price;
    engine->clock = clock + price->subcycles;
    engine->instructions += price->instructions;
    return;

unusual:
    run_unusual_block(engine, pc, bytes, __builtin_return_address(0));
}

void engine_block_cut(struct engine *engine, uint64_t pc)
{
    struct near_price block;
    uint64_t start;
    uint64_t done;

    if (!engine->block)
        return;
    block = *engine->block;
    engine->block = NULL;
    start = near_address(block.key);
    done = pc - start;
    if (done >= near_bytes(block.key))
        return;
    engine->clock -= block.subcycles;
    engine->instructions -= block.instructions;
    if (done > 0)
        engine_block_charge(engine, start, (uint32_t)done);
}

void engine_block_charge(struct engine *engine, uint64_t pc, uint32_t bytes)
{
    const struct near_price *price;
    bool traps;

    if (bytes == 0)
        return;
    price = price_near(engine, pc, bytes, &traps);
    engine->clock += price->subcycles;
    engine->instructions += price->instructions;
}

/* Puts a trap at the instruction; false if the copy cannot serve it, or has
 * not: one that runs into a page not yet looked at may come here with it. */
static bool trap_instruction(struct engine *engine, uint64_t pc,
                             const uint8_t *code, uint32_t bytes,
                             enum code_mode mode)
{
    struct arena *arena = engine->mmu.arena;
    spa_t at;

    if (!engine_block_needs_trap(code, bytes, mode))
        return traps_fit(engine, pc, code, bytes, mode);
    if (!engine_memory_code(engine, pc, &at) ||
        !code_pages_is_code(arena->code, at))
        return false;
    return !code_pages_is_trap(arena->code, at) &&
           code_pages_trap(arena->code, at, arena->base + spa_page(at).raw);
}

/* From RIP to the first instruction that needs a trap; what comes after it in
 * the block is a block of its own from now on. */
void engine_block_trap(struct engine *engine)
{
    enum code_mode mode = engine_image_mode(engine);
    uint64_t pc = engine_image_pc(engine);
    bool fits = true;

    for (uint32_t steps = 0; steps < PAGE_BYTES && fits; steps++) {
        uint8_t code[CODE_INSTRUCTION_BYTES_MAX];
        uint32_t have = engine_memory_read_code(engine, pc, code, sizeof(code));
        uint32_t length = length_at(mode, code, have);

        fits = have != 0 && trap_instruction(engine, pc, code, length, mode);
        if (engine_block_needs_trap(code, length, mode))
            break;
        pc += length;
    }
    if (!fits && !engine_step_piece(engine))
        engine_step_instruction(engine);
}
