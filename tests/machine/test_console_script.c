/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sim/machine/console_script.h"

static struct scenario_step step(const char *expect, const char *send)
{
    return (struct scenario_step){.expect = expect,
                                  .send = send,
                                  .hex = "",
                                  .at_ns = SCENARIO_NO_TIME,
                                  .timeout_ns = SCENARIO_NO_TIME};
}

static void see(struct console_script *script, const char *text,
                uint64_t now_ns)
{
    for (; *text; text++)
        console_script_see(script, (uint8_t)*text, now_ns);
}

static void assert_due(const struct console_script *script, uint64_t due_ns)
{
    assert_true(console_script_due(script) == due_ns);
}

static void types(struct console_script *script, uint64_t now_ns,
                  const char *text)
{
    uint8_t bytes[SCENARIO_SEND_BYTES_MAX];
    size_t count;

    assert_int_equal(console_script_act(script, now_ns, bytes, &count),
                     CONSOLE_TYPE);
    assert_int_equal(count, strlen(text));
    assert_memory_equal(bytes, text, count);
}

static void does(struct console_script *script, uint64_t now_ns,
                 enum console_action action)
{
    uint8_t bytes[SCENARIO_SEND_BYTES_MAX];
    size_t count;

    assert_int_equal(console_script_act(script, now_ns, bytes, &count), action);
    assert_int_equal(count, 0);
}

static void is_done(const struct console_script *script)
{
    assert_null(console_script_step(script));
    assert_due(script, CONSOLE_SCRIPT_NEVER);
}

static void nothing_is_typed_without_steps(void **state)
{
    struct console_script script;

    (void)state;
    console_script_init(&script, NULL, 0);
    is_done(&script);
    see(&script, "login:", 5);
    does(&script, 5, CONSOLE_NOTHING);
    is_done(&script);
}

static void types_when_the_text_has_come(void **state)
{
    const struct scenario_step steps[] = {step("login:", "root\n")};
    struct console_script script;

    (void)state;
    console_script_init(&script, steps, 1);
    assert_due(&script, CONSOLE_SCRIPT_NEVER);
    see(&script, "Debian logi", 10);
    assert_due(&script, CONSOLE_SCRIPT_NEVER);
    does(&script, 15, CONSOLE_NOTHING);
    see(&script, "n:", 20);
    assert_due(&script, 20);
    does(&script, 19, CONSOLE_NOTHING);
    types(&script, 21, "root\n");
    is_done(&script);
}

static void waits_after_the_text_or_the_step_before(void **state)
{
    struct scenario_step steps[] = {step("a", "1"), step("", "2")};
    struct console_script script;

    (void)state;
    steps[0].after_ns = 100;
    steps[1].after_ns = 7;
    console_script_init(&script, steps, 2);
    see(&script, "a", 10);
    see(&script, "a", 50); /* has come already */
    assert_due(&script, 110);
    types(&script, 112, "1");
    assert_due(&script, 119);
    types(&script, 119, "2");
    is_done(&script);
}

static void what_was_printed_before_a_step_does_not_count(void **state)
{
    const struct scenario_step steps[] = {step("# ", "ls\n"),
                                          step("# ", "exit\n")};
    struct console_script script;

    (void)state;
    console_script_init(&script, steps, 2);
    see(&script, "# ", 10);
    see(&script, "# ", 11); /* not typed yet */
    types(&script, 12, "ls\n");
    assert_due(&script, CONSOLE_SCRIPT_NEVER);
    see(&script, "ls\r\nbin\r\n#", 20);
    assert_due(&script, CONSOLE_SCRIPT_NEVER);
    see(&script, " ", 21);
    types(&script, 21, "exit\n");
    is_done(&script);
}

/* Not even the next byte is missed. */
static void a_step_that_types_nothing_is_over_at_its_text(void **state)
{
    struct scenario_step steps[] = {step("ab", ""), step("cd", ""),
                                    step("e", "x")};
    struct console_script script;

    (void)state;
    console_script_init(&script, steps, 3);
    see(&script, "abcde", 10);
    types(&script, 10, "x");
    is_done(&script);

    steps[1].after_ns = 5;
    console_script_init(&script, steps, 3);
    see(&script, "abcde", 10);
    assert_due(&script, 15);
    does(&script, 15, CONSOLE_NOTHING);
    assert_ptr_equal(console_script_step(&script), &steps[2]);
}

static void types_at_a_time_whatever_is_printed(void **state)
{
    struct scenario_step steps[] = {step("", "1"), step("", "2")};
    struct console_script script;

    (void)state;
    steps[0].at_ns = 50;
    steps[1].at_ns = 40; /* which has passed by then */
    console_script_init(&script, steps, 2);
    assert_due(&script, 50);
    see(&script, "anything", 10);
    does(&script, 49, CONSOLE_NOTHING);
    types(&script, 50, "1");
    assert_due(&script, 40);
    types(&script, 51, "2");
    is_done(&script);
}

static void a_text_can_be_overdue(void **state)
{
    struct scenario_step steps[] = {step("a", "1"), step("b", "2")};
    struct console_script script;

    (void)state;
    steps[0].timeout_ns = 100;
    steps[1].timeout_ns = 100;
    console_script_init(&script, steps, 2);
    assert_due(&script, 100);
    see(&script, "a", 99);
    assert_due(&script, 99);
    types(&script, 120, "1"); /* is typed late, but has come in time */
    assert_due(&script, 220);
    does(&script, 219, CONSOLE_NOTHING);
    does(&script, 220, CONSOLE_OVERDUE);
    assert_ptr_equal(console_script_step(&script), &steps[1]);
}

static void bytes_can_be_given_as_digits(void **state)
{
    struct scenario_step steps[] = {step("", "")};
    struct console_script script;
    uint8_t bytes[SCENARIO_SEND_BYTES_MAX];
    size_t count;

    (void)state;
    steps[0].hex = "00fF1B";
    console_script_init(&script, steps, 1);
    assert_int_equal(console_script_act(&script, 0, bytes, &count),
                     CONSOLE_TYPE);
    assert_int_equal(count, 3);
    assert_memory_equal(bytes, "\x00\xff\x1b", 3);
}

static void the_most_that_a_step_sends_is_typed(void **state)
{
    char text[SCENARIO_SEND_BYTES_MAX + 1] = "";
    struct scenario_step steps[1];
    struct console_script script;

    (void)state;
    memset(text, 'x', SCENARIO_SEND_BYTES_MAX);
    steps[0] = step("", text);
    console_script_init(&script, steps, 1);
    types(&script, 0, text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_typed_without_steps),
        cmocka_unit_test(types_when_the_text_has_come),
        cmocka_unit_test(waits_after_the_text_or_the_step_before),
        cmocka_unit_test(what_was_printed_before_a_step_does_not_count),
        cmocka_unit_test(a_step_that_types_nothing_is_over_at_its_text),
        cmocka_unit_test(types_at_a_time_whatever_is_printed),
        cmocka_unit_test(a_text_can_be_overdue),
        cmocka_unit_test(bytes_can_be_given_as_digits),
        cmocka_unit_test(the_most_that_a_step_sends_is_typed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
