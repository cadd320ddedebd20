/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Random bytes as code: any instruction that there is, and what is none, in
 * every mode and ring that code can have under long mode. Most runs are
 * single-stepped, and so counted; of the others only the first instruction is
 * known to have been executed. A page of code is used several times, with other
 * registers: to translate it takes an emulator longer than to execute it.
 */

#include "workloads/attacks/random.h"
#include "workloads/runtime/memory.h"
#include "workloads/runtime/string.h"
#include "workloads/runtime/x86.h"

#define RUN_BYTES 64 /* from one run's beginning to the next one's */
#define ROUNDS 8     /* through a page */
#define RUNS_OF_PAGE (ROUNDS * PAGE_BYTES / RUN_BYTES)
#define UNCOUNTED_ONE_IN 4
#define OPENING_BYTES_MAX 6
#define STACK_AT (5 * PAGE_BYTES) /* within the sandbox */

/* Where code can run. A 16-bit segment begins at the sandbox. */
struct mode {
    uint16_t code, stack;
    bool is_low; /* its addresses have 32 bits */
    bool is_16;
};

static const struct mode modes[] = {
    {SEGMENT_CODE64, SEGMENT_DATA, false, false},
    {SEGMENT_USER_CODE64, SEGMENT_USER_DATA, false, false},
    {SEGMENT_USER_CODE64, SEGMENT_USER_DATA, false, false},
    {SEGMENT_CODE32, SEGMENT_DATA, true, false},
    {SEGMENT_USER_CODE32, SEGMENT_USER_DATA, true, false},
    {RANDOM_SEGMENT_CODE16, SEGMENT_DATA, true, true},
    {RANDOM_SEGMENT_USER_CODE16, SEGMENT_USER_DATA, true, true},
};

/* LGDT, LIDT, LTR, moves to control registers: few machines survive them. */
static bool is_table_or_control(uint8_t opcode, uint8_t modrm)
{
    unsigned field = modrm >> 3 & 7;

    switch (opcode) {
    case 0x00:
        return field == 3;
    case 0x01:
        return field == 2 || field == 3;
    case 0x22:
        return true;
    default:
        return false;
    }
}

/* Prefixes, and the way to one of the opcode maps. */
static void put_opening(struct random_area *area, uint8_t *at)
{
    static const uint8_t prefixes[] = {0x66, 0x67, 0xf2, 0xf3, 0xf0,
                                       0x2e, 0x36, 0x64, 0x65};

    for (unsigned i = 0; i < 3 && random_one_in(area, 3); i++)
        *at++ = RANDOM_PICK(area, prefixes);
    if (random_one_in(area, 2))
        *at++ = (uint8_t)(0x40 | random_below(area, 16)); /* REX */
    if (random_one_in(area, 2))
        *at++ = 0x0f;
    if (random_one_in(area, 8))
        *at = random_one_in(area, 2) ? 0x38 : 0x3a;
}

static void fill_page(struct random_area *area)
{
    uint8_t *page = area->page;

    for (size_t i = 0; i < PAGE_BYTES; i += sizeof(uint64_t)) {
        uint64_t bytes = random_next(area);

        memcpy(page + i, &bytes, sizeof(bytes));
    }
    for (size_t i = 0; i + OPENING_BYTES_MAX < PAGE_BYTES; i += 8) {
        if (random_one_in(area, 2))
            put_opening(area, page + i);
    }
    for (size_t i = 0; i + 2 < PAGE_BYTES; i++) {
        if (page[i] == 0x0f && is_table_or_control(page[i + 1], page[i + 2]) &&
            !random_is_lethal(area))
            page[i] = 0x90;
    }
}

/* Near the sandbox mostly, or few accesses of an instruction would succeed; in
 * the code itself seldom. */
static uint64_t pick_register(struct random_area *area, uint64_t sandbox,
                              bool is_user)
{
    switch (random_below(area, 8)) {
    case 0:
        return random_below(area, 256);
    case 1:
        return random_next(area);
    case 2:
        return is_user ? random_value(area) : 0;
    case 3:
        return sandbox + random_below(area, PAGE_BYTES);
    default:
        return sandbox + PAGE_BYTES + random_below(area, 6 * PAGE_BYTES);
    }
}

static uint64_t pick_flags(struct random_area *area)
{
    const uint64_t arithmetic = 0xcd5 & ~(RFLAGS_IF | RFLAGS_TF);
    uint64_t flags = RFLAGS_FIXED | (random_next(area) & arithmetic);

    if (!random_one_in(area, UNCOUNTED_ONE_IN))
        flags |= RFLAGS_TF;
    if (random_one_in(area, 8))
        flags |= RFLAGS_IOPL3;
    if (random_one_in(area, 8))
        flags |= RFLAGS_AC;
    return flags;
}

/* What the run that has ended is known to have executed; the one that ended it
 * too, unless an NMI did. */
static void count_run(struct random_area *area, uint32_t vector)
{
    uint64_t stepped = (uint64_t)(RANDOM_STEPS_MAX - 1 - area->steps);

    if (area->runs > 0)
        area->instructions[area->ring] += stepped + (vector != TRAP_NMI);
}

void random_bytes(struct random_area *area, uint32_t vector)
{
    bool is_new = area->runs % RUNS_OF_PAGE == 0;
    const struct mode *mode =
        is_new ? &RANDOM_PICK(area, modes) : &modes[area->mode];
    uint64_t sandbox = mode->is_low ? area->low : area->sandbox;
    uint64_t base = mode->is_16 ? 0 : sandbox; /* of the code's segment */
    bool is_user = (mode->code & 3) == 3;

    count_run(area, vector);
    area->runs++;
    area->mode = (uint32_t)(mode - modes);
    if (is_new)
        fill_page(area);
    for (unsigned i = 0; i < RANDOM_REGISTER_COUNT; i++)
        area->registers[i] = pick_register(area, sandbox, is_user);
    area->frame = (struct random_frame){
        .rip = base + area->runs * RUN_BYTES % PAGE_BYTES,
        .cs = mode->code,
        .rflags = pick_flags(area),
        .rsp = sandbox + STACK_AT,
        .ss = mode->stack,
    };
    area->steps = RANDOM_STEPS_MAX - 1;
    area->ring = is_user ? 3 : 0;
}
