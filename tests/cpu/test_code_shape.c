/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/code_shape.h"

/* The bytes, followed by as many as an instruction can have. */
static struct code_shape shape_of(enum code_mode mode, const char *code,
                                  size_t bytes)
{
    uint8_t padded[2 * CODE_INSTRUCTION_BYTES_MAX] = {0};

    memcpy(padded, code, bytes);
    return code_shape(mode, padded, sizeof(padded));
}

#define LENGTH(mode, code) (shape_of((mode), (code), sizeof(code) - 1).length)
#define LEAK(code) (shape_of(CODE_64, (code), sizeof(code) - 1).leak)

static void lengths_follow_the_operands(void **state)
{
    (void)state;
    assert_int_equal(LENGTH(CODE_64, "\x90"), 1);
    assert_int_equal(LENGTH(CODE_64, "\x8b\x03"), 2);
    assert_int_equal(LENGTH(CODE_64, "\x8b\x44\x24"), 4);
    assert_int_equal(LENGTH(CODE_64, "\x8b\x84\x24"), 7);
    assert_int_equal(LENGTH(CODE_64, "\x8b\x05"), 6);
    assert_int_equal(LENGTH(CODE_64, "\x8b\x04\x25"), 7);
    assert_int_equal(LENGTH(CODE_64, "\xf7\x03"), 6);
    assert_int_equal(LENGTH(CODE_64, "\xf7\x13"), 2);
    assert_int_equal(LENGTH(CODE_64, "\xf6\x03"), 3);
    assert_int_equal(LENGTH(CODE_64, "\xc8"), 4);
    assert_int_equal(LENGTH(CODE_64, "\xa1"), 9);
    assert_int_equal(LENGTH(CODE_64, "\x0f\x38\xf0\x03"), 4);
    assert_int_equal(LENGTH(CODE_64, "\x66\x0f\x3a\x0f\xc1"), 6);
    assert_int_equal(LENGTH(CODE_64, "\x0f\x84"), 6);
}

static void lengths_follow_mode_and_prefixes(void **state)
{
    (void)state;
    assert_int_equal(LENGTH(CODE_64, "\x48\xb8"), 10);
    assert_int_equal(LENGTH(CODE_64, "\x66\xb8"), 4);
    assert_int_equal(LENGTH(CODE_32, "\xb8"), 5);
    assert_int_equal(LENGTH(CODE_16, "\xb8"), 3);
    assert_int_equal(LENGTH(CODE_16, "\x66\xb8"), 6);
    assert_int_equal(LENGTH(CODE_16, "\x8b\x06"), 4);
    assert_int_equal(LENGTH(CODE_16, "\x67\x8b\x05"), 7);
    assert_int_equal(LENGTH(CODE_32, "\x67\x8b\x06"), 5);
    assert_int_equal(LENGTH(CODE_32, "\x48"), 1);
    assert_int_equal(LENGTH(CODE_32, "\xc5\x03"), 2);         /* LDS */
    assert_int_equal(LENGTH(CODE_32, "\xc5\xf9\x70\xc0"), 5); /* VPSHUFD */
    assert_int_equal(LENGTH(CODE_32, "\x9a"), 7);
    assert_int_equal(LENGTH(CODE_16, "\x9a"), 5);
}

static void lengths_are_unicorns_not_the_manuals(void **state)
{
    (void)state;
    /* A REX in front of another prefix is forgotten, not a fault. */
    assert_int_equal(LENGTH(CODE_64, "\x48\x66\xb8"), 5);
    /* Control registers and some SSE take any ModRM as a register's. */
    assert_int_equal(LENGTH(CODE_64, "\x0f\x20\x04\x25"), 3);
    assert_int_equal(LENGTH(CODE_64, "\x0f\x71\x50\x01"), 4);
    /* Undefined x87 opcodes are aliases, and SSE4A has two operands more. */
    assert_int_equal(LENGTH(CODE_64, "\xdc\xd0"), 2);
    assert_int_equal(LENGTH(CODE_64, "\xf2\x0f\x78\xc1"), 6);
}

static void no_instruction_is_longer_than_fifteen_bytes(void **state)
{
    (void)state;
    assert_int_equal(LENGTH(CODE_64, "\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66"
                                     "\x66\x66\x66\x66\x66\x66\x66\x66\x66"),
                     15);
}

static void what_is_not_complete_has_no_length(void **state)
{
    static const uint8_t code[] = {0x66, 0x0f, 0x3a, 0x0f, 0xc1, 0x01};

    (void)state;
    for (uint32_t have = 0; have < sizeof(code); have++)
        assert_int_equal(code_shape(CODE_64, code, have).length, 0);
    assert_int_equal(code_shape(CODE_64, code, sizeof(code)).length, 6);
}

static void leaks_are_known_through_all_prefixes(void **state)
{
    (void)state;
    assert_int_equal(LEAK("\x90"), 0);
    assert_int_equal(LEAK("\x9c"), 2);
    assert_int_equal(LEAK("\x66\x9c"), 2);
    assert_int_equal(LEAK("\xf2\x64\x67\x41\xd9\xc0"), 2);
    assert_int_equal(LEAK("\xf2\x64\x67\x41\xd9\x00"), 1);
    assert_int_equal(LEAK("\xf3\x0f\x70\xc0"), 1);
    assert_int_equal(LEAK("\x66\x0f\x3a\x21\xc0"), CODE_SHAPE_LEAK_MAX);
    assert_int_equal(LEAK("\xc4\xe3\x79\x21\xc0"), CODE_SHAPE_LEAK_MAX);
    assert_int_equal(LEAK("\xc4\xe1\x79\x70\xc0"), 1);
    assert_int_equal(LEAK("\x0f\x38\x00\xc0"), 0);
}

static void only_sure_ends_end_a_block(void **state)
{
    (void)state;
    assert_true(shape_of(CODE_64, "\xc3", 1).ends_block);
    assert_true(shape_of(CODE_64, "\xf3\xc3", 2).ends_block);
    assert_true(shape_of(CODE_64, "\x0f\x84", 2).ends_block);
    /* HLT may be intercepted. */
    assert_false(shape_of(CODE_64, "\xf4", 1).ends_block);
    assert_false(shape_of(CODE_64, "\x0f\x0b", 2).ends_block);
}

static bool is_fatal(enum code_mode mode, const char *code, uint32_t bytes)
{
    return code_shape_is_fatal(mode, (const uint8_t *)code, bytes, false);
}

static void locked_bit_tests_of_registers_are_fatal(void **state)
{
    (void)state;
    assert_true(is_fatal(CODE_64, "\xf0\x0f\xa3\xc0", 4));
    assert_true(is_fatal(CODE_64, "\xf0\x66\x41\x0f\xb3\xff", 6));
    assert_true(is_fatal(CODE_64, "\x66\xf0\x0f\xba\xe0", 5));
    assert_true(is_fatal(CODE_16, "\xf0\x0f\xbb\xc0", 4));
    assert_false(is_fatal(CODE_64, "\x0f\xa3\xc0", 3));
    assert_false(is_fatal(CODE_64, "\xf0\x0f\xa3\x00", 4));
    assert_false(is_fatal(CODE_64, "\xf0\x0f\xb1\xc0", 4));
    assert_false(is_fatal(CODE_32, "\x48\xf0\x0f\xa3\xc0", 5)); /* DEC */
    assert_false(is_fatal(CODE_64,
                          "\xf0\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66\x66"
                          "\x66\x0f\xa3\xc0",
                          16)); /* too long to be executed */
    assert_false(is_fatal(CODE_64, "\xf0\x0f\xa3", 3));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lengths_follow_the_operands),
        cmocka_unit_test(lengths_follow_mode_and_prefixes),
        cmocka_unit_test(lengths_are_unicorns_not_the_manuals),
        cmocka_unit_test(no_instruction_is_longer_than_fifteen_bytes),
        cmocka_unit_test(what_is_not_complete_has_no_length),
        cmocka_unit_test(leaks_are_known_through_all_prefixes),
        cmocka_unit_test(only_sure_ends_end_a_block),
        cmocka_unit_test(locked_bit_tests_of_registers_are_fatal),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
