/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpu/code_density.h"

#define INSTRUCTION_BYTES_MAX 15

static bool is_x87(uint8_t opcode)
{
    return (opcode & 0xf8) == 0xd8;
}

/* Opcodes found to leak, by running hundreds of each in a line. */
static bool is_leaky(uint8_t opcode, uint8_t next)
{
    if (opcode == 0x0f)
        return next <= 0x01 || (next & 0xfc) == 0x20 || next == 0x38 ||
               next == 0x3a || (next & 0xfc) == 0x70 || next == 0xc2 ||
               (next >= 0xc4 && next <= 0xc6);
    return is_x87(opcode) || opcode == 0x9c || opcode == 0x9d;
}

#define WINDOW_BYTES 2048u
#define WINDOW_COUNT 120u

/* A quick no for nearly all pages: in usual code one byte in 25 looks like one
 * of these opcodes. A line that is spread more thinly is not found. */
static bool may_be_high(const uint8_t *page)
{
    unsigned count = 0;

    for (unsigned i = 0; i + 1 < PAGE_BYTES; i++) {
        count += is_leaky(page[i], page[i + 1]);
        if (i >= WINDOW_BYTES)
            count -=
                is_leaky(page[i - WINDOW_BYTES], page[i - WINDOW_BYTES + 1]);
        if (count >= WINDOW_COUNT)
            return true;
    }
    return false;
}

static bool is_prefix(uint8_t byte, enum code_mode mode)
{
    switch (byte) {
    case 0x26:
    case 0x2e:
    case 0x36:
    case 0x3e:
    case 0x64:
    case 0x65:
    case 0x66:
    case 0x67:
    case 0x9b: /* FWAIT, which disassemblers join to what follows */
    case 0xf0:
    case 0xf2:
    case 0xf3:
        return true;
    default:
        return mode == CODE_64 && (byte & 0xf0) == 0x40;
    }
}

/* The jumps, calls and returns that end a block for certain; to overlook one
 * only makes the line look longer. */
static bool ends_block(uint8_t opcode, uint8_t next)
{
    switch (opcode) {
    case 0xc2:
    case 0xc3:
    case 0xcc:
    case 0xe0:
    case 0xe1:
    case 0xe2:
    case 0xe3:
    case 0xe8:
    case 0xe9:
    case 0xeb:
        return true;
    case 0x0f:
        return (next & 0xf0) == 0x80;
    default:
        return (opcode & 0xf0) == 0x70;
    }
}

/* From the end of the page backwards: how many leaky instructions lie on the
 * straight line that begins at each byte. */
static bool is_high_in(struct decoder *decoder, const uint8_t *page,
                       enum code_mode mode)
{
    uint16_t line[PAGE_BYTES + INSTRUCTION_BYTES_MAX + 1] = {0};

    for (unsigned i = PAGE_BYTES; i-- > 0;) {
        unsigned room = (unsigned)PAGE_BYTES - i;
        unsigned at = i;
        uint32_t length = decode_length(
            decoder, mode, page + i,
            room < INSTRUCTION_BYTES_MAX ? room : INSTRUCTION_BYTES_MAX);

        /* Unicorn knows aliases of x87 instructions that Capstone does not. */
        if (length == 0 && room >= 2 && is_x87(page[i]))
            length = 2;
        if (length == 0)
            continue;
        while (at + 1 < i + length && is_prefix(page[at], mode))
            at++;

        uint8_t next = at + 1 < PAGE_BYTES ? page[at + 1] : 0;

        if (!ends_block(page[at], next))
            line[i] = line[i + length];
        line[i] = (uint16_t)(line[i] + is_leaky(page[at], next));
        if (line[i] >= CODE_DENSITY_LEAKY_MAX)
            return true;
    }
    return false;
}

bool code_density_is_high(struct decoder *decoder, const uint8_t *page)
{
    return may_be_high(page) && (is_high_in(decoder, page, CODE_64) ||
                                 is_high_in(decoder, page, CODE_32) ||
                                 is_high_in(decoder, page, CODE_16));
}
