/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a processor is going to touch. Where hundreds of processors wake, work
 * for some microseconds and halt again, each finds the host's caches full of
 * the others' lines, and waits for one of its own after another: that is most
 * of its time. But it does much the same each time. So now and then the lines
 * that a stay touches are noted, its *trail*, and before another stay all of
 * them are asked for at once.
 *
 * Nothing but time depends on it. An address that is out of date fetches
 * something else, or nothing; it never faults.
 */
#include "cpu/engine_private.h"
#include "sim/core/host_line.h"

/* A stay that is recorded takes the slow way through the block hook, so that
 * few are, and of long ones only the beginning. */
#define STAYS_PER_TRAIL 64u
#define BLOCKS_MAX 32u

/* Notes that repeat one another come close together. */
#define LOOK_BACK 16u

/* Unicorn keeps a block's description before its code, and calls the block
 * hook early in that: the lines before and after the call. */
#define BLOCK_LINES_BEFORE 4u
#define BLOCK_LINES 8u

/* Of Unicorn's state: the registers and what goes with them, with the TLB's
 * heads before them; and the end, with what an intercept writes. */
#define STATE_BEFORE_REGS 128u
#define STATE_HEAD_BYTES 832u
#define STATE_BEFORE_DR 512u
#define STATE_TAIL_BYTES 640u
#define HANDLE_BYTES 1536u

static void note_line(struct engine_trail *trail, const char *at)
{
    const char *line = at - ((uintptr_t)at & (HOST_LINE_BYTES - 1));
    unsigned first = trail->count > LOOK_BACK ? trail->count - LOOK_BACK : 0;

    for (unsigned i = first; i < trail->count; i++)
        if (trail->lines[i] == line)
            return;
    if (trail->count < TRAIL_LINES_MAX)
        trail->lines[trail->count++] = line;
}

void engine_foresee_note(struct engine *engine, const void *touched)
{
    if (engine->trail.recording)
        note_line(&engine->trail, touched);
}

void engine_foresee_note_block(struct engine *engine, const void *price,
                               const void *code)
{
    struct engine_trail *trail = &engine->trail;
    const char *first =
        (const char *)code - BLOCK_LINES_BEFORE * HOST_LINE_BYTES;

    if (!trail->recording)
        return;
    note_line(trail, price);
    for (unsigned i = 0; i < BLOCK_LINES; i++)
        note_line(trail, first + i * HOST_LINE_BYTES);
    if (++trail->blocks == BLOCKS_MAX)
        trail->recording = false;
}

/* What is injected between two stays belongs to the second. */
void engine_foresee_stay_ended(struct engine *engine)
{
    struct engine_trail *trail = &engine->trail;

    trail->recording = false;
    if (trail->stays-- > 0)
        return;
    trail->recording = true;
    trail->stays = STAYS_PER_TRAIL;
    trail->blocks = 0;
    trail->count = 0;
}

void engine_foresee(const struct engine *engine)
{
    const struct engine_trail *trail = &engine->trail;
    const struct engine_layout *layout = engine->layout;

    host_line_foresee(engine, offsetof(struct engine, trail.lines));
    host_line_foresee(engine->image + layout->regs - STATE_BEFORE_REGS,
                      STATE_HEAD_BYTES);
    host_line_foresee(engine->image + layout->dr - STATE_BEFORE_DR,
                      STATE_TAIL_BYTES);
    host_line_foresee(engine->uc, HANDLE_BYTES);
    for (unsigned i = 0; i < trail->count; i++)
        __builtin_prefetch(trail->lines[i], 1, 2);
}
