/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/code_density.h"
#include "sim/core/rng.h"

#define NOP 0x90

/* A page of NOPs, with `count` times `code` from its start, `apart` NOPs
 * between them. */
static void fill(uint8_t page[PAGE_BYTES], const char *code, size_t bytes,
                 unsigned count, unsigned apart)
{
    memset(page, NOP, PAGE_BYTES);
    for (unsigned i = 0; i < count; i++)
        memcpy(page + i * (bytes + apart), code, bytes);
}

static bool is_high(const char *code, size_t bytes, unsigned count,
                    unsigned apart)
{
    uint8_t page[PAGE_BYTES];

    fill(page, code, bytes, count, apart);
    return code_density_is_high(page);
}

static void lines_that_leak_too_much_are_found(void **state)
{
    (void)state;
    assert_true(is_high("\xd8\xd8", 2, 27, 0));
    assert_true(is_high("\xdc\xd0", 2, 27, 0)); /* an alias of FCOM */
    assert_true(is_high("\x66\x66\xd9\x00", 4, 53, 0));
    assert_true(is_high("\x9c", 1, 27, 0));
    assert_true(is_high("\x66\x0f\x70\xc0\x1b", 5, 53, 0));
    assert_true(is_high("\x66\x0f\x3a\x21\xc0\x0f", 6, 14, 0));
    assert_true(is_high("\xc5\xf9\x70\xc0\x1b", 5, 53, 0)); /* as SSE */
}

static void they_are_found_however_thinly_they_are_spread(void **state)
{
    (void)state;
    assert_true(is_high("\xd8\xd8", 2, 27, 140));
    assert_true(is_high("\x9c", 1, 27, 140));
}

/* JMP, `count` PUSHFs, RET. */
static bool is_high_between_jumps(unsigned count)
{
    uint8_t page[PAGE_BYTES];

    memset(page, NOP, sizeof(page));
    memcpy(page + 100, "\xeb\xfe", 2);
    memset(page + 102, 0x9c, count);
    page[102 + count] = 0xc3;
    return code_density_is_high(page);
}

static void a_line_inside_the_page_may_leak_twice_as_much(void **state)
{
    (void)state;
    assert_false(is_high_between_jumps(52));
    assert_true(is_high_between_jumps(53));
}

static void shorter_lines_and_usual_code_are_not_found(void **state)
{
    (void)state;
    assert_false(is_high("\xd8\xd8", 2, 26, 0));
    assert_false(is_high("\xd9\xc0\xc3", 3, 500, 0)); /* returns between */
    assert_false(is_high("\xd9\x00\x75\x02", 4, 1000, 0));
    assert_false(is_high("\x48\x8b\x03\x90", 4, 1000, 0));
    assert_false(is_high("", 0, 0, 0));
}

/* The same by looking at every line of the page. */
static bool is_high_by_all_lines(const uint8_t *page, enum code_mode mode)
{
    uint32_t leak[PAGE_BYTES + CODE_INSTRUCTION_BYTES_MAX] = {0};
    bool goes_on[PAGE_BYTES + CODE_INSTRUCTION_BYTES_MAX];

    memset(goes_on, true, sizeof(goes_on));
    for (uint32_t i = PAGE_BYTES; i-- > 0;) {
        struct code_shape shape =
            code_shape(mode, page + i, (uint32_t)PAGE_BYTES - i);
        bool crosses;

        if (shape.length == 0)
            continue;
        goes_on[i] = !shape.ends_block && goes_on[i + shape.length];
        leak[i] = shape.leak;
        if (!shape.ends_block)
            leak[i] += leak[i + shape.length];
        crosses = goes_on[i] || i < CODE_INSTRUCTION_BYTES_MAX;
        if (leak[i] >
            (crosses ? CODE_DENSITY_LEAK_MAX / 2 : CODE_DENSITY_LEAK_MAX))
            return true;
    }
    return false;
}

/* Bytes by chance, but for those that matter, which are more or less rare. */
static void fill_by_chance(uint8_t page[PAGE_BYTES], struct rng *rng)
{
    static const uint8_t special[] = {0x66, 0x48, 0x0f, 0x9c, 0xd9, 0xc5, 0xf3};
    static const uint8_t ends[] = {0xc3, 0xeb, 0x75, 0xe8};
    uint64_t often = 2 + rng_below(rng, 40);
    uint64_t ending = 50 + rng_below(rng, 1000);

    for (uint32_t i = 0; i < PAGE_BYTES; i++) {
        page[i] = (uint8_t)(rng_next(rng) % 0x70); /* few branches */
        if (rng_below(rng, often) == 0)
            page[i] = special[rng_below(rng, sizeof(special))];
        if (rng_below(rng, ending) == 0)
            page[i] = ends[rng_below(rng, sizeof(ends))];
    }
}

static void no_line_is_overlooked(void **state)
{
    struct rng rng = rng_from_seed(3);
    unsigned found = 0;

    (void)state;
    for (unsigned round = 0; round < 1000; round++) {
        uint8_t page[PAGE_BYTES];
        bool high = false;

        fill_by_chance(page, &rng);
        for (unsigned mode = 0; mode <= CODE_64; mode++)
            high |= is_high_by_all_lines(page, (enum code_mode)mode);
        assert_int_equal(code_density_is_high(page), high);
        found += high;
    }
    assert_in_range(found, 200, 800);
}

static uint32_t next_fatal(const char *code, size_t bytes, uint32_t at,
                           uint32_t from)
{
    uint8_t page[PAGE_BYTES];

    memset(page, NOP, sizeof(page));
    memcpy(page + at, code, bytes);
    return code_density_next_fatal(page, from);
}

static void
fatal_instructions_are_found_from_each_of_their_prefixes(void **state)
{
    (void)state;
    assert_int_equal(next_fatal("\xf0\x0f\xa3\xc0", 4, 100, 0), 100);
    assert_int_equal(next_fatal("\xf0\x0f\xa3\xc0", 4, 100, 101), PAGE_BYTES);
    assert_int_equal(next_fatal("\x66\xf0\x48\x0f\xba\xe0", 6, 7, 0), 7);
    assert_int_equal(next_fatal("\x66\xf0\x48\x0f\xba\xe0", 6, 7, 8), 8);
    assert_int_equal(next_fatal("\x66\xf0\x48\x0f\xba\xe0", 6, 7, 9),
                     PAGE_BYTES);
    /* LOCK BTS of memory is what LOCK is for. */
    assert_int_equal(next_fatal("\xf0\x0f\xab\x03", 4, 100, 0), PAGE_BYTES);
}

static void what_may_become_fatal_in_the_next_page_counts(void **state)
{
    (void)state;
    assert_int_equal(next_fatal("\xf0", 1, 4095, 0), 4095);
    assert_int_equal(next_fatal("\x66\xf0\x0f\xab", 4, 4092, 0), 4092);
    assert_int_equal(next_fatal("\xf0\x89", 2, 4094, 0), PAGE_BYTES);
}

/* Looking must not take longer than the page is long. */
static void a_page_of_prefixes_is_no_trouble(void **state)
{
    uint8_t page[PAGE_BYTES];
    uint32_t count = 0;

    (void)state;
    memset(page, 0xf0, sizeof(page));
    for (uint32_t at = code_density_next_fatal(page, 0); at < PAGE_BYTES;
         at = code_density_next_fatal(page, at + 1))
        count++;
    assert_int_equal(count, 12); /* of 15 bytes with opcode and ModRM */
    assert_false(code_density_is_high(page));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_that_leak_too_much_are_found),
        cmocka_unit_test(they_are_found_however_thinly_they_are_spread),
        cmocka_unit_test(a_line_inside_the_page_may_leak_twice_as_much),
        cmocka_unit_test(shorter_lines_and_usual_code_are_not_found),
        cmocka_unit_test(no_line_is_overlooked),
        cmocka_unit_test(
            fatal_instructions_are_found_from_each_of_their_prefixes),
        cmocka_unit_test(what_may_become_fatal_in_the_next_page_counts),
        cmocka_unit_test(a_page_of_prefixes_is_no_trouble),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
