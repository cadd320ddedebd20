/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sim/core/rng.h"
#include "sim/machine/console_match.h"

/* After how many bytes of `output` the text was complete; 0: never. */
static size_t found_after(const char *text, const char *output)
{
    struct console_match match;

    console_match_begin(&match, text);
    for (size_t i = 0; output[i]; i++) {
        if (console_match_see(&match, (uint8_t)output[i]))
            return i + 1;
    }
    return 0;
}

static void finds_a_text_where_it_ends(void **state)
{
    (void)state;
    assert_int_equal(found_after("login:", "Debian login: "), 13);
    assert_int_equal(found_after("a", "a"), 1);
    assert_int_equal(found_after("login:", "Login: logi"), 0);
    assert_int_equal(found_after("\r\n\x1b[6n", "x\r\r\n\x1b[6n"), 8);
    assert_int_equal(found_after("\xc3\xbc", "\xc3\xc3\xbc"), 3);
}

/* What has failed to match may be the beginning of what does. */
static void goes_back_no_further_than_it_must(void **state)
{
    (void)state;
    assert_int_equal(found_after("aab", "aaaab"), 5);
    assert_int_equal(found_after("abcabd", "abcabcabd"), 9);
    assert_int_equal(found_after("aabaaa", "aabaabaaa"), 9);
    assert_int_equal(found_after("nano", "nanano"), 6);
}

static void begins_anew_after_a_match(void **state)
{
    struct console_match match;

    (void)state;
    console_match_begin(&match, "aa");
    assert_false(console_match_see(&match, 'a'));
    assert_true(console_match_see(&match, 'a'));
    assert_false(console_match_see(&match, 'a'));
    assert_true(console_match_see(&match, 'a'));
}

static void the_longest_text_is_found(void **state)
{
    char text[CONSOLE_MATCH_BYTES_MAX + 1];
    char output[2 * CONSOLE_MATCH_BYTES_MAX + 1];

    (void)state;
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 2] = 'y';
    text[sizeof(text) - 1] = '\0';
    memset(output, 'x', sizeof(output) - 1);
    output[sizeof(output) - 2] = 'y';
    output[sizeof(output) - 1] = '\0';
    assert_int_equal(found_after(text, output), sizeof(output) - 1);
}

static size_t found_by_strstr(const char *text, const char *output)
{
    const char *at = strstr(output, text);

    return at ? (size_t)(at - output) + strlen(text) : 0;
}

/* Of two letters, so that much nearly matches. */
static void finds_what_a_plain_search_finds(void **state)
{
    struct rng rng = rng_from_seed(1);

    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        char text[12] = "";
        char output[40] = "";
        size_t bytes = 1 + rng_below(&rng, sizeof(text) - 2);

        for (size_t i = 0; i < bytes; i++)
            text[i] = (char)('a' + rng_below(&rng, 2));
        for (size_t i = 0; i < sizeof(output) - 1; i++)
            output[i] = (char)('a' + rng_below(&rng, 2));
        assert_int_equal(found_after(text, output),
                         found_by_strstr(text, output));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_a_text_where_it_ends),
        cmocka_unit_test(goes_back_no_further_than_it_must),
        cmocka_unit_test(begins_anew_after_a_match),
        cmocka_unit_test(the_longest_text_is_found),
        cmocka_unit_test(finds_what_a_plain_search_finds),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
