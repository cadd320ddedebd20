/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpu/code_density.h"

#include <string.h>

#define LOCK 0xf0

/* How much of an opcode code_shape_leak() looks at. */
#define OPCODE_BYTES 4

#define CODE_MODES (CODE_64 + 1u)

/* What all bytes would leak if each were an opcode; no line leaks more. Nearly
 * all pages are known to be usual by that. */
static void add_up(const uint8_t *page, unsigned sum[CODE_MODES])
{
    for (unsigned mode = 0; mode < CODE_MODES; mode++)
        /* for opcodes that the last bytes of the page could be */
        sum[mode] = (OPCODE_BYTES - 1) * CODE_SHAPE_LEAK_MAX;
    for (uint32_t i = 0; i + OPCODE_BYTES <= PAGE_BYTES; i++)
        if (code_shape_may_leak(page[i]))
            for (unsigned mode = 0; mode < CODE_MODES; mode++)
                sum[mode] += code_shape_leak((enum code_mode)mode, page + i);
}

/* From the end of the page backwards: what the straight line leaks that begins
 * at each byte, and whether it goes on into the next page. */
static bool is_high_in(const uint8_t *page, enum code_mode mode)
{
    struct code_shape shapes[PAGE_BYTES];
    uint16_t line[PAGE_BYTES + CODE_INSTRUCTION_BYTES_MAX] = {0};
    bool goes_on[PAGE_BYTES + CODE_INSTRUCTION_BYTES_MAX];

    code_shape_page(mode, page, shapes);
    memset(goes_on, true, sizeof(goes_on));
    for (uint32_t i = PAGE_BYTES; i-- > 0;) {
        struct code_shape shape = shapes[i];
        bool crosses;

        if (shape.length == 0)
            continue;
        line[i] = shape.leak;
        goes_on[i] = !shape.ends_block && goes_on[i + shape.length];
        if (!shape.ends_block)
            line[i] = (uint16_t)(line[i] + line[i + shape.length]);
        crosses = goes_on[i] || i < CODE_INSTRUCTION_BYTES_MAX;
        if (line[i] > CODE_DENSITY_LEAK_MAX / (crosses ? 2 : 1))
            return true;
    }
    return false;
}

bool code_density_is_high(const uint8_t page[PAGE_BYTES])
{
    unsigned sum[CODE_MODES];

    add_up(page, sum);
    for (unsigned mode = 0; mode < CODE_MODES; mode++)
        if (sum[mode] > CODE_DENSITY_LEAK_MAX / 2 &&
            is_high_in(page, (enum code_mode)mode))
            return true;
    return false;
}

static bool may_be_fatal(const uint8_t *page, uint32_t at)
{
    return code_shape_is_fatal(CODE_64, page + at, (uint32_t)PAGE_BYTES - at,
                               true);
}

/* The prefixes in front of a LOCK are further places to begin at. */
static uint32_t first_prefix(const uint8_t *page, uint32_t from, uint32_t lock)
{
    uint32_t at = lock;

    while (at > from && may_be_fatal(page, at - 1))
        at--;
    return at;
}

uint32_t code_density_next_fatal(const uint8_t page[PAGE_BYTES], uint32_t from)
{
    while (from < PAGE_BYTES) {
        const uint8_t *lock = memchr(page + from, LOCK, PAGE_BYTES - from);
        uint32_t at;

        if (!lock)
            break;
        at = (uint32_t)(lock - page);
        if (may_be_fatal(page, at))
            return first_prefix(page, from, at);
        from = at + 1;
    }
    return PAGE_BYTES;
}
