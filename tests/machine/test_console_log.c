/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "sim/machine/console_log.h"

/* What the bytes make: complete lines in brackets, then what is left. */
static void expect(const char *bytes, size_t count, const char *lines)
{
    struct console_log log = {0};
    char got[512] = "";

    for (size_t i = 0; i < count; i++) {
        if (!console_log_add(&log, (uint8_t)bytes[i]))
            continue;
        strcat(got, "[");
        strcat(got, console_log_line(&log));
        strcat(got, "]");
        console_log_clear(&log);
    }
    strcat(got, console_log_line(&log));
    assert_string_equal(got, lines);
}

static void lines_end_with_a_line_feed_with_or_without_return(void **state)
{
    (void)state;
    expect("one\ntwo\r\nthree", 14, "[one][two]three");
    expect("\n\r\n", 3, "[][]");
}

static void what_a_terminal_would_act_on_is_written_out(void **state)
{
    (void)state;
    expect("a\x1b[2J\tb\x00\xff\n", 10, "[a\\x1b[2J\tb\\x00\\xff]");
    expect("50%\r60%\r\n", 9, "[50%\\x0d60%]");
}

static void a_line_without_end_is_cut_before_the_buffer_is(void **state)
{
    struct console_log log = {0};
    unsigned lines = 0;

    (void)state;
    for (unsigned i = 0; i < 100000; i++) {
        uint8_t byte = i % 3 == 0 ? '\r' : 0xff;

        if (!console_log_add(&log, byte))
            continue;
        assert_true(strlen(console_log_line(&log)) < CONSOLE_LOG_LINE_BYTES);
        assert_true(log.used < CONSOLE_LOG_LINE_BYTES);
        console_log_clear(&log);
        lines++;
    }
    assert_in_range(lines, 100000 * 4 / CONSOLE_LOG_LINE_BYTES - 2, 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_end_with_a_line_feed_with_or_without_return),
        cmocka_unit_test(what_a_terminal_would_act_on_is_written_out),
        cmocka_unit_test(a_line_without_end_is_cut_before_the_buffer_is),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
