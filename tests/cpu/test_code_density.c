/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/code_density.h"

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
        cmocka_unit_test(
            fatal_instructions_are_found_from_each_of_their_prefixes),
        cmocka_unit_test(what_may_become_fatal_in_the_next_page_counts),
        cmocka_unit_test(a_page_of_prefixes_is_no_trouble),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
