/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>

#include "cpu/code_shape.h"
#include "cpu/engine_private.h"
#include "sim/core/check.h"

/*
 * Some instructions cannot run where they lie: one that stores to its own page
 * or to the page that follows (the page is to be writable and executable at
 * once), and one whose page holds a trap for another decoding of its bytes.
 * And the instructions in front of a page that cannot be fetched must run
 * before the fault is raised, while Unicorn translates them as one block with
 * what follows.
 *
 * They are copied to a scratch page of two pages of INT3, at their own offset;
 * fetches from their page and the next one are answered with the scratch
 * pages, loads and stores as ever. Whatever happens next ends the step: the
 * INT3 that follows, a jump to another INT3, an intercept or fault of their
 * own, or a fetch from any other page. (INT3, because HLT faults at CPL 3.)
 * No interrupt is taken meanwhile.
 */

#define INT3 0xcc
#define SCRATCH_BYTES (2 * PAGE_BYTES)

static uint8_t *scratch_bytes(struct engine *engine)
{
    return engine->private_memory + (PRIVATE_SCRATCH - PRIVATE_SPA);
}

void engine_step_begin(struct engine *engine, uint64_t pc, uint32_t bytes)
{
    uint64_t offset = pc & PAGE_MASK;

    CHECK(!engine->scratch.active && offset + bytes < SCRATCH_BYTES);
    bytes = engine_memory_read_code(engine, pc, scratch_bytes(engine) + offset,
                                    bytes);
    engine->scratch = (struct engine_scratch){
        .active = true,
        .page = gva_page(gva(pc)),
        .start = gva(pc),
        .end = gva(pc + bytes),
    };
    engine->flush_wanted = true;
    engine_update_attention(engine);
}

void engine_step_end(struct engine *engine)
{
    struct engine_scratch *scratch = &engine->scratch;

    if (!scratch->active)
        return;
    memset(scratch_bytes(engine) + (scratch->start.raw & PAGE_MASK), INT3,
           scratch->end.raw - scratch->start.raw);
    (void)engine_count_code(engine,
                            (uint32_t)(scratch->end.raw - scratch->start.raw));
    scratch->active = false;
    engine->loading_segment = false;
    engine_forget_blocks(engine, spa(PRIVATE_SCRATCH));
    engine_forget_blocks(engine, spa(PRIVATE_SCRATCH + PAGE_BYTES));
    engine_update_attention(engine);
}

/* An instruction that crosses into a page needs the right to fetch from it,
 * for which the scratch page would not ask. */
void engine_step_instruction(struct engine *engine)
{
    uint64_t pc = engine_image_pc(engine);
    uint8_t code[16];
    uint32_t have = engine_fetch(engine, code);
    enum code_mode mode = engine_image_mode(engine);
    uint8_t length = code_shape(mode, code, have).length;
    gva_t next = gva_add(gva_page(gva(pc)), PAGE_BYTES);

    if ((length == 0 || (pc & PAGE_MASK) + length > PAGE_BYTES) &&
        !engine_memory_may_fetch(engine, next)) {
        engine_trouble_handle(engine);
        return;
    }
    if (engine_block_needs_trap(code, have, mode)) {
        engine_io_exit(engine);
        return;
    }
    engine_step_begin(engine, pc, length != 0 ? length : have);
}

/* True if a fatal instruction begins at one of the instruction's own bytes,
 * where a jump inside the piece could go. */
static bool hides_fatal(const uint8_t *code, uint32_t length, uint32_t have)
{
    for (uint32_t i = 0; i < length; i++)
        if (code_shape_is_fatal(CODE_64, code + i, have - i, true))
            return true;
    return false;
}

/* So few that no piece is too much for Unicorn (cpu/code_density.h), and that
 * a loop is not much slower for its being copied. */
#define PIECE_BYTES_MAX 96u

bool engine_step_piece(struct engine *engine)
{
    uint64_t pc = engine_image_pc(engine);
    uint64_t room = PAGE_BYTES - (pc & PAGE_MASK);
    enum code_mode mode = engine_image_mode(engine);
    uint8_t code[PIECE_BYTES_MAX];
    uint32_t have = engine_memory_read_code(
        engine, pc, code,
        room < PIECE_BYTES_MAX ? (uint32_t)room : PIECE_BYTES_MAX);
    uint32_t done = 0;

    while (done < have) {
        struct code_shape shape = code_shape(mode, code + done, have - done);

        if (shape.length == 0 ||
            engine_block_needs_trap(code + done, have - done, mode))
            break;
        if (hides_fatal(code + done, shape.length, have - done)) {
            if (done == 0) /* alone, there is nothing that could jump to it */
                done = shape.length;
            break;
        }
        done += shape.length;
    }
    if (done != 0)
        engine_step_begin(engine, pc, done);
    else if (engine_block_needs_trap(code, have, mode))
        engine_io_exit(engine);
    else
        return false;
    return true;
}
