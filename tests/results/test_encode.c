/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "sim/text/encode.h"

static void assert_text(void (*encode)(FILE *, const char *), const char *text,
                        const char *expected)
{
    char *made = NULL;
    size_t bytes;
    FILE *out = open_memstream(&made, &bytes);

    assert_non_null(out);
    encode(out, text);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(made, expected);
    free(made);
}

static void assert_real(double value, const char *expected)
{
    char *made = NULL;
    size_t bytes;
    FILE *out = open_memstream(&made, &bytes);

    assert_non_null(out);
    encode_real(out, value);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(made, expected);
    assert_true(strtod(made, NULL) == value);
    free(made);
}

static void csv_quotes_what_would_end_a_field(void **state)
{
    (void)state;
    assert_text(encode_csv, "", "");
    assert_text(encode_csv, "plain 'text'", "plain 'text'");
    assert_text(encode_csv, "a,b", "\"a,b\"");
    assert_text(encode_csv, "a\"b", "\"a\"\"b\"");
    assert_text(encode_csv, "a\nb", "\"a\nb\"");
    assert_text(encode_csv, "a\r", "\"a\r\"");
}

static void json_escapes_what_would_end_a_string(void **state)
{
    (void)state;
    assert_text(encode_json, "", "\"\"");
    assert_text(encode_json, "\"\\/", "\"\\\"\\\\/\"");
    assert_text(encode_json, "\t\x1f\x7f", "\"\\u0009\\u001f\x7f\"");
    assert_text(encode_json, "\u00e9\u20ac\U0001f600",
                "\"\u00e9\u20ac\U0001f600\"");
}

static void json_is_utf8_whatever_comes(void **state)
{
    (void)state;
    assert_text(encode_json, "caf\xe9", "\"caf\\ufffd\"");
    assert_text(encode_json, "\xe2\x82", "\"\\ufffd\\ufffd\"");
    assert_text(encode_json, "\xc0\"\xed\xa0\x80",
                "\"\\ufffd\\\"\\ufffd\\ufffd\\ufffd\"");
}

static void a_real_reads_back_as_itself(void **state)
{
    (void)state;
    assert_real(0, "0");
    assert_real(-2.5, "-2.5");
    assert_real(0.1, "0.1");
    assert_real(0.1 + 0.2, "0.30000000000000004");
    assert_real(1e300, "1e+300");
    assert_real(HUGE_VAL, "9e999");
    assert_real(-HUGE_VAL, "-9e999");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(csv_quotes_what_would_end_a_field),
        cmocka_unit_test(json_escapes_what_would_end_a_string),
        cmocka_unit_test(json_is_utf8_whatever_comes),
        cmocka_unit_test(a_real_reads_back_as_itself),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
