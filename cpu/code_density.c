/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpu/code_density.h"

#include <string.h>

#define LOCK 0xf0

/* How much of an opcode code_shape_leak() looks at. */
#define OPCODE_BYTES 4

#define CODE_MODES (CODE_64 + 1u)

/* Where an opcode that leaks may be, whatever the mode; so may the last bytes
 * of the page be the beginning of one. */
struct suspects {
    uint32_t count;
    uint16_t at[PAGE_BYTES];  /* ascending */
    uint8_t leak[PAGE_BYTES]; /* of each, in the mode being looked at */
};

static void find_suspects(const uint8_t *page, struct suspects *suspects)
{
    suspects->count = 0;
    for (uint32_t i = 0; i < PAGE_BYTES; i++) {
        suspects->at[suspects->count] = (uint16_t)i;
        suspects->count +=
            code_shape_may_leak[page[i]] || i + OPCODE_BYTES > PAGE_BYTES;
    }
}

/* What each of them would leak in a mode if it were an instruction. */
static void weigh_suspects(const uint8_t *page, enum code_mode mode,
                           struct suspects *suspects)
{
    for (uint32_t i = 0; i < suspects->count; i++) {
        uint32_t at = suspects->at[i];

        suspects->leak[i] = at + OPCODE_BYTES > PAGE_BYTES
                                ? CODE_SHAPE_LEAK_MAX
                                : code_shape_leak(mode, page + at);
    }
}

/* The straight line that begins at a byte: all that is known of it when the
 * line has been followed. Behind the page it goes on. */
enum line_end { LINE_UNKNOWN, LINE_ENDS, LINE_GOES_ON };

struct lines {
    const uint8_t *page;
    enum code_mode mode;
    uint8_t leak[PAGE_BYTES + CODE_INSTRUCTION_BYTES_MAX]; /* or UINT8_MAX */
    uint8_t end[PAGE_BYTES + CODE_INSTRUCTION_BYTES_MAX];  /* line_end */
};

static void lines_init(struct lines *lines, const uint8_t *page,
                       enum code_mode mode)
{
    lines->page = page;
    lines->mode = mode;
    memset(lines->end, LINE_UNKNOWN, PAGE_BYTES);
    memset(lines->end + PAGE_BYTES, LINE_GOES_ON, CODE_INSTRUCTION_BYTES_MAX);
    memset(lines->leak + PAGE_BYTES, 0, CODE_INSTRUCTION_BYTES_MAX);
}

/* The instruction at `at` goes in front of the line behind it. */
static void lines_prepend(struct lines *lines, uint32_t at,
                          struct code_shape shape)
{
    uint32_t leak = shape.leak;

    if (shape.length == 0) { /* runs into the next page */
        lines->leak[at] = 0;
        lines->end[at] = LINE_GOES_ON;
        return;
    }
    if (shape.ends_block) {
        lines->end[at] = LINE_ENDS;
    } else {
        leak += lines->leak[at + shape.length];
        lines->end[at] = lines->end[at + shape.length];
    }
    lines->leak[at] = (uint8_t)(leak < UINT8_MAX ? leak : UINT8_MAX);
}

/* True if the line that begins at `start` leaks too much. Lines soon meet
 * others that have been followed already. */
static bool lines_is_high(struct lines *lines, uint32_t start)
{
    struct code_shape shapes[PAGE_BYTES];
    uint16_t path[PAGE_BYTES];
    uint32_t count = 0;
    bool crosses;

    for (uint32_t at = start; lines->end[at] == LINE_UNKNOWN; count++) {
        path[count] = (uint16_t)at;
        shapes[count] = code_shape(lines->mode, lines->page + at,
                                   (uint32_t)PAGE_BYTES - at);
        if (shapes[count].ends_block || shapes[count].length == 0) {
            count++;
            break;
        }
        at += shapes[count].length;
    }
    while (count-- > 0)
        lines_prepend(lines, path[count], shapes[count]);
    crosses =
        lines->end[start] == LINE_GOES_ON || start < CODE_INSTRUCTION_BYTES_MAX;
    return lines->leak[start] > CODE_DENSITY_LEAK_MAX / (crosses ? 2 : 1);
}

/* The same from an opcode and from each prefix in front of it. */
static bool is_high_at(struct lines *lines, uint32_t opcode)
{
    uint32_t start = opcode;

    if (lines_is_high(lines, start))
        return true;
    while (start > 0 && opcode - start < CODE_INSTRUCTION_BYTES_MAX &&
           code_shape_is_prefix(lines->mode, lines->page[start - 1]))
        if (lines_is_high(lines, --start))
            return true;
    return false;
}

/* A line leaks what the one from its first suspect on does, so these are
 * followed; and those that may come from the page
 * in front, of which less is allowed. */
static bool is_high_in(const uint8_t *page, enum code_mode mode,
                       const struct suspects *suspects)
{
    struct lines lines;

    lines_init(&lines, page, mode);
    for (uint32_t i = suspects->count; i-- > 0;)
        if (suspects->leak[i] > 0 && is_high_at(&lines, suspects->at[i]))
            return true;
    for (uint32_t i = 0; i < CODE_INSTRUCTION_BYTES_MAX; i++)
        if (lines_is_high(&lines, i))
            return true;
    return false;
}

/* True if all lines that pass `from` end before `to`. Each of them has an
 * instruction in the first bytes there, since none is longer. */
static bool lines_end_between(const uint8_t *page, enum code_mode mode,
                              uint32_t from, uint32_t to)
{
    bool followed[PAGE_BYTES];

    memset(followed + from, false, to - from);
    for (uint32_t i = 0; i < CODE_INSTRUCTION_BYTES_MAX; i++) {
        uint32_t at = from + i;

        while (at < to && !followed[at]) {
            struct code_shape shape =
                code_shape(mode, page + at, (uint32_t)PAGE_BYTES - at);

            followed[at] = true;
            if (shape.ends_block)
                break;
            at += shape.length != 0 ? shape.length : (uint32_t)PAGE_BYTES;
        }
        if (at >= to)
            return false;
    }
    return true;
}

/* A quick proof for most pages that no line leaks too much. The page is cut
 * where the suspects of a piece have come to a quarter of what is allowed. If
 * no line runs through a whole piece, each lies in two of them at most, and
 * leaks half of it: little enough even for one that crosses pages. */
static bool is_low_in(const uint8_t *page, enum code_mode mode,
                      const struct suspects *suspects)
{
    uint32_t from = 0;
    unsigned leak = 0;

    for (uint32_t i = 0; i < suspects->count; i++) {
        uint32_t at = suspects->at[i];

        leak += suspects->leak[i];
        if (leak <= CODE_DENSITY_LEAK_MAX / 4)
            continue;
        if (from > 0 && !lines_end_between(page, mode, from, at))
            return false;
        from = at;
        leak = suspects->leak[i];
    }
    return true;
}

bool code_density_is_high(const uint8_t page[PAGE_BYTES])
{
    struct suspects suspects;

    find_suspects(page, &suspects);
    for (unsigned i = 0; i < CODE_MODES; i++) {
        enum code_mode mode = (enum code_mode)i;

        weigh_suspects(page, mode, &suspects);
        if (!is_low_in(page, mode, &suspects) &&
            is_high_in(page, mode, &suspects))
            return true;
    }
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
