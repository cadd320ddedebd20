/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sim/core/error.h"

static void a_failure_is_recorded_and_returned(void **state)
{
    struct sim_error error = {0};

    (void)state;
    assert_int_equal(
        sim_fail(&error, SIM_BAD_SCENARIO, "%s has %d VPs", "web", 9),
        SIM_BAD_SCENARIO);
    assert_int_equal(error.status, SIM_BAD_SCENARIO);
    assert_string_equal(error.message, "web has 9 VPs");
}

static void each_level_puts_its_context_before_the_message(void **state)
{
    struct sim_error error = {0};

    (void)state;
    sim_fail(&error, SIM_NO_INPUT, "cannot be read");
    assert_int_equal(sim_prefix(&error, "guest \"%s\"", "web"), SIM_NO_INPUT);
    assert_int_equal(sim_prefix(&error, "idle.yaml:14:3"), SIM_NO_INPUT);
    assert_string_equal(error.message,
                        "idle.yaml:14:3: guest \"web\": cannot be read");
}

static void the_old_message_may_be_part_of_the_new_one(void **state)
{
    struct sim_error error = {0};

    (void)state;
    sim_fail(&error, SIM_IO_ERROR, "disk full");
    sim_fail(&error, SIM_NO_OUTPUT, "a.db: %s (%s)", error.message,
             error.message);
    assert_string_equal(error.message, "a.db: disk full (disk full)");
}

static void a_message_beyond_the_buffer_is_cut(void **state)
{
    struct sim_error error = {0};
    char text[2 * SIM_ERROR_BYTES_MAX];

    (void)state;
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    sim_fail(&error, SIM_BAD_SCENARIO, "%s", text);
    assert_int_equal(strlen(error.message), SIM_ERROR_BYTES_MAX - 1);
    sim_prefix(&error, "%s", text);
    assert_int_equal(strlen(error.message), SIM_ERROR_BYTES_MAX - 1);
}

/** Cuts a message in every place within a character of 2, 3 or 4 bytes. */
static void a_cut_never_leaves_half_a_character(void **state)
{
    static const char *const characters[] = {"\xc3\xa9", "\xe2\x82\xac",
                                             "\xf0\x9f\x98\x80"};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        size_t bytes = strlen(characters[i]);

        for (size_t kept = 0; kept <= bytes; kept++) {
            struct sim_error error = {0};
            char text[SIM_ERROR_BYTES_MAX + 16] = {0};
            size_t before = SIM_ERROR_BYTES_MAX - 1 - kept;

            memset(text, 'x', before);
            memcpy(text + before, characters[i], bytes);
            memcpy(text + before + bytes, "yyyy", 4);
            sim_fail(&error, SIM_BAD_SCENARIO, "%s", text);

            size_t expected = before + (kept == bytes ? bytes : 0);

            assert_int_equal(strlen(error.message), expected);
            assert_memory_equal(error.message, text, expected);
        }
    }
}

static void exit_codes_are_those_of_the_manual(void **state)
{
    (void)state;
    assert_int_equal(sim_status_exit_code(SIM_OK), 0);
    assert_int_equal(sim_status_exit_code(SIM_RUN_FAILED), 1);
    assert_int_equal(sim_status_exit_code(SIM_BAD_USAGE), 2);
    assert_int_equal(sim_status_exit_code(SIM_BAD_SCENARIO), 65);
    assert_int_equal(sim_status_exit_code(SIM_INTERRUPTED), 130);
    assert_string_equal(sim_status_text(SIM_BAD_SCENARIO),
                        "the scenario is not valid");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_is_recorded_and_returned),
        cmocka_unit_test(each_level_puts_its_context_before_the_message),
        cmocka_unit_test(the_old_message_may_be_part_of_the_new_one),
        cmocka_unit_test(a_message_beyond_the_buffer_is_cut),
        cmocka_unit_test(a_cut_never_leaves_half_a_character),
        cmocka_unit_test(exit_codes_are_those_of_the_manual),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
