/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "partitions/console.h"

/* What a console said, one event a line. */
struct heard {
    char text[4096];
    size_t bytes_passed;
};

static void note(struct heard *heard, const char *format, ...)
{
    size_t used = strlen(heard->text);
    va_list args;

    va_start(args, format);
    vsnprintf(heard->text + used, sizeof(heard->text) - used, format, args);
    va_end(args);
}

static void on_byte(void *context, uint8_t byte)
{
    (void)byte;
    ((struct heard *)context)->bytes_passed++;
}

static void on_result(void *context, const char *name, const char *value,
                      const char *unit)
{
    note(context, "result %s|%s|%s\n", name, value, unit);
}

static void on_done(void *context)
{
    note(context, "done\n");
}

static void on_fail(void *context, const char *text)
{
    note(context, "fail %s|\n", text);
}

static struct heard say(const char *bytes, size_t count)
{
    struct heard heard = {0};
    struct console_listener listener = {&heard, on_byte, on_result, on_done,
                                        on_fail};
    struct console console;

    console_init(&console, &listener);
    for (size_t i = 0; i < count; i++)
        console_put(&console, (uint8_t)bytes[i]);
    return heard;
}

struct line_case {
    const char *said, *heard;
};

static void reports_are_read_and_all_else_is_console_text(void **state)
{
    static const struct line_case cases[] = {
        {"hvsim: done\n", "done\n"},
        {"hvsim: done\r\n", "done\n"},
        {"hvsim: done", ""}, /* no end of line yet */
        {"hvsim: done \n", ""},
        {" hvsim: done\n", ""},
        {"Hvsim: done\n", ""},
        {"hello\nhvsim: done\n", "done\n"},
        {"hvsim: result a 1 ns\n", "result a|1|ns\n"},
        {"hvsim: result a.b-c_9 -12.000000001 %\n",
         "result a.b-c_9|-12.000000001|%\n"},
        {"hvsim: result A 1 ns\n", ""},
        {"hvsim: result a 1\n", ""},
        {"hvsim: result a  ns\n", ""},
        {"hvsim: result a 1. ns\n", ""},
        {"hvsim: result a .1 ns\n", ""},
        {"hvsim: result a 1.0000000001 ns\n", ""},
        {"hvsim: result a 1e9 ns\n", ""},
        {"hvsim: result a 0x1 ns\n", ""},
        {"hvsim: result a - ns\n", ""},
        {"hvsim: result a 1 n s\n", ""},
        {"hvsim: result a -123456789012345678.123456789 ns\n",
         "result a|-123456789012345678.123456789|ns\n"},
        {"hvsim: result a 1234567890123456789 ns\n", ""},
        {"hvsim: result a 1 sixteen_letters_\n",
         "result a|1|sixteen_letters_\n"},
        {"hvsim: result a 1 seventeen_letters\n", ""},
        {"hvsim: fail out of luck\n", "fail out of luck|\n"},
        {"hvsim: fail \x1b[2J\n", "fail ?[2J|\n"},
        {"hvsim: fail\n", "fail |\n"},
        {"hvsim: failed\n", ""},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct heard heard = say(cases[i].said, strlen(cases[i].said));

        assert_string_equal(heard.text, cases[i].heard);
        assert_int_equal(heard.bytes_passed, strlen(cases[i].said));
    }
}

static void a_name_of_64_characters_is_the_longest(void **state)
{
    char line[128];

    (void)state;
    snprintf(line, sizeof(line), "hvsim: result %064d 1 ns\n", 0);
    assert_string_not_equal(say(line, strlen(line)).text, "");
    snprintf(line, sizeof(line), "hvsim: result %065d 1 ns\n", 0);
    assert_string_equal(say(line, strlen(line)).text, "");
}

static void a_line_of_any_length_does_no_harm(void **state)
{
    char bytes[3 * CONSOLE_LINE_BYTES_MAX];

    (void)state;
    for (size_t length = CONSOLE_LINE_BYTES_MAX - 2;
         length < CONSOLE_LINE_BYTES_MAX + 2; length++) {
        memset(bytes, 'x', sizeof(bytes));
        memcpy(bytes, "hvsim: fail ", 12);
        bytes[length] = '\n';
        memcpy(bytes + length + 1, "hvsim: done\n", 12);

        struct heard heard = say(bytes, length + 13);

        /* The report after it is read; the line itself only if it fits. */
        assert_non_null(strstr(heard.text, "done\n"));
        assert_int_equal(strncmp(heard.text, "fail", 4) == 0,
                         length < CONSOLE_LINE_BYTES_MAX);
    }
}

static void a_nul_inside_a_line_makes_it_text(void **state)
{
    static const char bytes[] = "hvsim: done\0!\n";

    (void)state;
    assert_string_equal(say(bytes, sizeof(bytes) - 1).text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reports_are_read_and_all_else_is_console_text),
        cmocka_unit_test(a_name_of_64_characters_is_the_longest),
        cmocka_unit_test(a_line_of_any_length_does_no_harm),
        cmocka_unit_test(a_nul_inside_a_line_makes_it_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
