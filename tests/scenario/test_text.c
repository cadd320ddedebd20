/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/text/text.h"

static void assert_prints(const char *text, const char *expected)
{
    char *printed = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&printed, &bytes);

    assert_non_null(out);
    text_print(out, text);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(printed, expected);
    free(printed);
}

static void what_can_be_shown_is_printed_as_it_is(void **state)
{
    (void)state;
    assert_prints("", "");
    assert_prints("plain ~ text", "plain ~ text");
    assert_prints("gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x99\x82",
                  "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x99\x82");
}

static void what_a_terminal_would_act_on_is_written_out(void **state)
{
    (void)state;
    assert_prints("\x1b[2J\r\n\t\x7f", "\\x1b[2J\\x0d\\x0a\t\\x7f");
    assert_prints("\xc2\x9b"
                  "31m",
                  "\\xc2\\x9b31m");        /* CSI as U+009B */
    assert_prints("\xc2\xa0", "\xc2\xa0"); /* the first that is none */
}

static void what_is_not_utf8_is_written_out(void **state)
{
    (void)state;
    assert_prints("\x9b"
                  "31m",
                  "\\x9b31m");
    assert_prints("a\xff", "a\\xff");
    assert_prints("\xc0\xaf", "\\xc0\\xaf");          /* overlong */
    assert_prints("\xed\xa0\x80", "\\xed\\xa0\\x80"); /* a surrogate */
    assert_prints("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80");
    assert_prints("\xe2\x82", "\\xe2\\x82"); /* cut off */
    assert_prints("\xe2\x82z", "\\xe2\\x82z");
}

static void decoding_never_reads_past_the_bytes_it_was_given(void **state)
{
    uint32_t character = 0;
    char *text = malloc(2);

    (void)state;
    assert_non_null(text);
    memcpy(text, "\xe2\x82", 2);
    assert_int_equal(text_decode(text, 2, &character), 0);
    free(text);
    assert_int_equal(text_decode("\xe2\x82\xac", 3, &character), 3);
    assert_int_equal(character, 0x20ac);
}

static void help_is_wrapped_between_words(void **state)
{
    char *printed = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&printed, &bytes);

    (void)state;
    assert_non_null(out);
    text_print_wrapped(out, "", 4);
    text_print_wrapped(out, "one", 4);
    text_print_wrapped(out,
                       "This line has seventy-six columns with the four of its "
                       "indent, not one  more.",
                       4);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(
        printed, "    one\n"
                 "    This line has seventy-six columns with the four of "
                 "its indent, not one\n"
                 "    more.\n");
    free(printed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_can_be_shown_is_printed_as_it_is),
        cmocka_unit_test(what_a_terminal_would_act_on_is_written_out),
        cmocka_unit_test(what_is_not_utf8_is_written_out),
        cmocka_unit_test(help_is_wrapped_between_words),
        cmocka_unit_test(decoding_never_reads_past_the_bytes_it_was_given),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
