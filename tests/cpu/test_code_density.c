/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/code_density.h"

/* A page of `count` times `code`, then JMP to itself, then zeros. */
static bool is_high(const char *code, size_t bytes, unsigned count)
{
    struct decoder *decoder = decode_create();
    uint8_t page[PAGE_BYTES] = {0};
    bool high;

    for (unsigned i = 0; i < count; i++)
        memcpy(page + i * bytes, code, bytes);
    memcpy(page + count * bytes, "\xeb\xfe", 2);
    high = code_density_is_high(decoder, page);
    decode_free(decoder);
    return high;
}

static void long_lines_of_leaky_instructions_are_found(void **state)
{
    (void)state;
    assert_true(is_high("\xd8\xd8", 2, 120));
    assert_true(is_high("\xdc\xd0", 2, 200)); /* an alias */
    assert_true(is_high("\x66\x66\xd9\x00", 4, 200));
    assert_true(is_high("\x9c", 1, 200));
    assert_true(is_high("\x66\x0f\x70\xc0\x1b", 5, 200));
}

static void short_lines_and_usual_code_are_not(void **state)
{
    (void)state;
    assert_false(is_high("\xd8\xd8", 2, CODE_DENSITY_LEAKY_MAX - 1));
    assert_false(is_high("\xd9\xc0\xc3", 3, 500)); /* returns between */
    assert_false(is_high("\x48\x8b\x03\x90", 4, 1000));
    assert_false(is_high("\x90", 1, 4000));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(long_lines_of_leaky_instructions_are_found),
        cmocka_unit_test(short_lines_and_usual_code_are_not),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
