/* SPDX-License-Identifier: GPL-2.0-or-later */
/** What a scenario says of typing at consoles; what it can get wrong stands in
 *  the corpus (test_scenario_corpus.c), but for what is too large for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/scenario/scenario_keys.h"

#define HEAD                                                                   \
    "hvsim: 1\n"                                                               \
    "name: typed\n"                                                            \
    "vms:\n"                                                                   \
    "  - name: web\n"                                                          \
    "    guest: {workload: w}\n"

static struct scenario *read_text(const char *text)
{
    struct scenario *scenario;
    struct sim_error error;

    if (scenario_read_text(&scenario, "test.yaml", text, strlen(text), NULL, 0,
                           &error) != SIM_OK)
        fail_msg("%s", error.message);
    return scenario;
}

static void nothing_is_typed_unless_it_is_said(void **state)
{
    struct scenario *s = read_text(HEAD);

    (void)state;
    assert_int_equal(s->vms[0].console_count, 0);
    assert_int_equal(s->vms[0].console_baud, 115200);
    scenario_free(s);
}

static void a_step_has_what_is_given_and_no_more(void **state)
{
    struct scenario *s = read_text(
        HEAD "    console:\n"
             "      - {expect: \"login:\", send: \"root\\n\", timeout: 5s}\n"
             "      - {at: 1.5us, hex: 00fF}\n");
    const struct scenario_step *steps = s->vms[0].console;

    (void)state;
    assert_int_equal(s->vms[0].console_count, 2);
    assert_string_equal(steps[0].expect, "login:");
    assert_string_equal(steps[0].send, "root\n");
    assert_string_equal(steps[0].hex, "");
    assert_true(steps[0].timeout_ns == 5000000000);
    assert_true(steps[0].after_ns == 0);
    assert_true(steps[0].at_ns == SCENARIO_NO_TIME);
    assert_string_equal(steps[1].expect, "");
    assert_true(steps[1].timeout_ns == SCENARIO_NO_TIME);
    assert_true(steps[1].at_ns == 1500);
    assert_string_equal(steps[1].hex, "00fF");
    scenario_free(s);
}

static void digits_stand_for_bytes(void **state)
{
    uint8_t bytes[3];

    (void)state;
    assert_int_equal(scenario_key_parse_hex("", bytes, 3), 0);
    assert_int_equal(scenario_key_parse_hex("00fF7a", bytes, 3), 3);
    assert_memory_equal(bytes, "\x00\xff\x7a", 3);
    assert_int_equal(scenario_key_parse_hex("01020304", bytes, 3), 3);
}

/* Every character that YAML can name. */
static void
whatever_is_typed_reads_back_from_the_resolved_scenario(void **state)
{
    struct scenario *s = read_text(
        HEAD
        "    console:\n"
        "      - {send: \"\\x01\\x03\\a\\b\\t\\n\\v\\f\\r\\e !\\\"#'\\\\\"}\n"
        "      - {send: \"~\\x7f\\x85\\xa0\\xff\\u2028\\ufeff\\U0001F600\"}\n"
        "      - {expect: \"\xc3\xbc \\r\\n\", after: 3us}\n"
        "      - {at: 1.234567891s, send: \" \"}\n"
        "      - {at: 2min, hex: 00}\n");
    char *yaml = scenario_resolved_yaml(s);
    struct scenario *again = read_text(yaml);

    (void)state;
    assert_int_equal(again->vms[0].console_count, 5);
    for (size_t i = 0; i < 5; i++) {
        const struct scenario_step *a = &s->vms[0].console[i];
        const struct scenario_step *b = &again->vms[0].console[i];

        assert_string_equal(a->expect, b->expect);
        assert_string_equal(a->send, b->send);
        assert_string_equal(a->hex, b->hex);
        assert_true(a->at_ns == b->at_ns);
        assert_true(a->after_ns == b->after_ns);
        assert_true(a->timeout_ns == b->timeout_ns);
    }
    free(yaml);
    scenario_free(s);
    scenario_free(again);
}

/* A scenario with `count` steps that type `bytes` bytes each. */
static char *many_steps(size_t count, size_t bytes)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);

    assert_non_null(out);
    fprintf(out, HEAD "    console:\n");
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "      - {send: ");
        for (size_t b = 0; b < bytes; b++)
            fputc('x', out);
        fprintf(out, "}\n");
    }
    assert_int_equal(fclose(out), 0);
    return text;
}

static void assert_refused(char *text, const char *why)
{
    struct scenario *scenario;
    struct sim_error error;

    assert_int_equal(scenario_read_text(&scenario, "test.yaml", text,
                                        strlen(text), NULL, 0, &error),
                     SIM_BAD_SCENARIO);
    assert_string_equal(error.message, why);
    free(text);
}

static void there_is_an_end_to_what_can_be_typed(void **state)
{
    char *most = many_steps(SCENARIO_STEPS_MAX, 1);

    (void)state;
    scenario_free(read_text(most));
    free(most);
    most = many_steps(64, SCENARIO_SEND_BYTES_MAX);
    scenario_free(read_text(most));
    free(most);
    assert_refused(many_steps(SCENARIO_STEPS_MAX + 1, 1),
                   "test.yaml:7:7: vms[0].console: 10001 items; expected 0 to "
                   "10000");
    assert_refused(many_steps(65, SCENARIO_SEND_BYTES_MAX),
                   "test.yaml:71:16: vms[0].console[64].send: with this, more "
                   "than 256 KiB are typed at one console");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_typed_unless_it_is_said),
        cmocka_unit_test(a_step_has_what_is_given_and_no_more),
        cmocka_unit_test(digits_stand_for_bytes),
        cmocka_unit_test(
            whatever_is_typed_reads_back_from_the_resolved_scenario),
        cmocka_unit_test(there_is_an_end_to_what_can_be_typed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
