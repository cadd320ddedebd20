/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/scenario/units.h"

#define UNTOUCHED UINT64_C(0x5555555555555555)

static void assert_reads(enum units_kind kind, const char *text, uint64_t value)
{
    uint64_t actual = UNTOUCHED;

    assert_int_equal(units_parse(kind, text, &actual), UNITS_OK);
    assert_int_equal(actual, value);
}

static void assert_refuses(enum units_kind kind, const char *text,
                           enum units_status status)
{
    uint64_t actual = UNTOUCHED;

    assert_int_equal(units_parse(kind, text, &actual), status);
    assert_int_equal(actual, UNTOUCHED);
}

static void assert_prints(enum units_kind kind, uint64_t value,
                          const char *text)
{
    char actual[UNITS_TEXT_BYTES];

    units_print(kind, value, actual);
    assert_string_equal(actual, text);
}

static void reads_whole_and_decimal_quantities_exactly(void **state)
{
    (void)state;
    assert_reads(UNITS_PLAIN, "0", 0);
    assert_reads(UNITS_PLAIN, "9999999999999999999",
                 UINT64_C(9999999999999999999));
    assert_reads(UNITS_DURATION, "5ns", 5);
    assert_reads(UNITS_DURATION, "10us", 10000);
    assert_reads(UNITS_DURATION, "0.1ms", 100000);
    assert_reads(UNITS_DURATION, "1.5s", UINT64_C(1500000000));
    assert_reads(UNITS_DURATION, "2min", UINT64_C(120000000000));
    assert_reads(UNITS_DURATION, "0.000000001s", 1);
    assert_reads(UNITS_BYTES, "512B", 512);
    assert_reads(UNITS_BYTES, "256MiB", UINT64_C(256) << 20);
    assert_reads(UNITS_BYTES, "1.5GiB", UINT64_C(1536) << 20);
    assert_reads(UNITS_FREQUENCY, "2.0GHz", UINT64_C(2000000000));
    assert_reads(UNITS_FREQUENCY, "2399.999MHz", UINT64_C(2399999000));
}

static void rounds_percentages_to_the_nearest_65536th(void **state)
{
    (void)state;
    assert_reads(UNITS_FRACTION, "0%", 0);
    assert_reads(UNITS_FRACTION, "100%", 65536);
    assert_reads(UNITS_FRACTION, "50%", 32768);
    assert_reads(UNITS_FRACTION, "33.3333%", 21845);
    assert_reads(UNITS_FRACTION, "0.0007%", 0);            /* 0.46 of 1/65536 */
    assert_reads(UNITS_FRACTION, "0.0008%", 1);            /* 0.52 */
    assert_reads(UNITS_FRACTION, "0.000762939453125%", 1); /* a half goes up */
}

static void refuses_what_other_readers_would_guess_at(void **state)
{
    (void)state;
    assert_refuses(UNITS_PLAIN, "", UNITS_EMPTY);
    assert_refuses(UNITS_PLAIN, "0755", UNITS_LEADING_ZERO);
    assert_refuses(UNITS_PLAIN, "1_000", UNITS_NOT_A_NUMBER);
    assert_refuses(UNITS_PLAIN, "0x10", UNITS_NOT_A_NUMBER);
    assert_refuses(UNITS_PLAIN, "-1", UNITS_NOT_A_NUMBER);
    assert_refuses(UNITS_PLAIN, "+1", UNITS_NOT_A_NUMBER);
    assert_refuses(UNITS_PLAIN, "1e3", UNITS_NOT_A_NUMBER);
    assert_refuses(UNITS_PLAIN, " 1", UNITS_NOT_A_NUMBER);
    assert_refuses(UNITS_PLAIN, "1.5", UNITS_TOO_FINE);
    assert_refuses(UNITS_DURATION, "1:30", UNITS_UNKNOWN_UNIT);
    assert_refuses(UNITS_DURATION, "100 ms", UNITS_UNKNOWN_UNIT);
    assert_refuses(UNITS_DURATION, "1.s", UNITS_UNKNOWN_UNIT);
    assert_refuses(UNITS_DURATION, ".5s", UNITS_NOT_A_NUMBER);
    assert_refuses(UNITS_DURATION, "1.2.3s", UNITS_UNKNOWN_UNIT);
    assert_refuses(UNITS_DURATION, "1S", UNITS_UNKNOWN_UNIT);
    assert_refuses(UNITS_DURATION, "100", UNITS_NO_UNIT);
    assert_refuses(UNITS_BYTES, "2GB", UNITS_UNKNOWN_UNIT);
    assert_refuses(UNITS_FRACTION, "0.5", UNITS_NO_UNIT);
}

static void refuses_what_is_finer_than_the_base_unit(void **state)
{
    (void)state;
    assert_refuses(UNITS_DURATION, "0.5ns", UNITS_TOO_FINE);
    assert_refuses(UNITS_DURATION, "0.0000000001s", UNITS_TOO_FINE);
    assert_refuses(UNITS_BYTES, "0.3KiB", UNITS_TOO_FINE);
}

static void never_overflows(void **state)
{
    (void)state;
    assert_refuses(UNITS_PLAIN, "99999999999999999999", UNITS_TOO_LARGE);
    assert_refuses(UNITS_DURATION, "9999999999999999999h", UNITS_TOO_LARGE);
    assert_refuses(UNITS_BYTES, "9999999999999999999TiB", UNITS_TOO_LARGE);
    assert_refuses(UNITS_BYTES, "16777216TiB", UNITS_TOO_LARGE); /* 2^64 */
    assert_reads(UNITS_BYTES, "16777215TiB", UINT64_C(16777215) << 40);
    assert_refuses(UNITS_FRACTION, "9999999999999999999%", UNITS_TOO_LARGE);
    assert_refuses(UNITS_DURATION, "0.00000000000000000001s", UNITS_TOO_LARGE);
}

static void prints_in_the_largest_unit_that_divides(void **state)
{
    (void)state;
    assert_prints(UNITS_PLAIN, 42, "42");
    assert_prints(UNITS_DURATION, 0, "0ns");
    assert_prints(UNITS_DURATION, 1500000000, "1500ms");
    assert_prints(UNITS_DURATION, UINT64_C(86400000000000), "24h");
    assert_prints(UNITS_BYTES, UINT64_C(1536) << 20, "1536MiB");
    assert_prints(UNITS_FREQUENCY, UINT64_C(2400000000), "2400MHz");
    assert_prints(UNITS_DURATION, UINT64_MAX, "18446744073709551615ns");
}

static void prints_percentages_that_read_back_to_each_65536th(void **state)
{
    (void)state;
    assert_prints(UNITS_FRACTION, 6554, "10%"); /* not 10.0006% */
    assert_prints(UNITS_FRACTION, 16712, "25.5%");
    for (uint64_t value = 0; value <= 131072; value++) {
        char text[UNITS_TEXT_BYTES];

        units_print(UNITS_FRACTION, value, text);
        assert_reads(UNITS_FRACTION, text, value);
    }
}

static void reads_back_what_it_prints(void **state)
{
    uint64_t value = 1;

    (void)state;
    for (int i = 0; i < 1000; i++, value = value * 5 / 4 + 7) {
        for (enum units_kind kind = UNITS_PLAIN; kind < UNITS_FRACTION;
             kind++) {
            char text[UNITS_TEXT_BYTES];

            units_print(kind, value & INT64_MAX, text);
            assert_reads(kind, text, value & INT64_MAX);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_whole_and_decimal_quantities_exactly),
        cmocka_unit_test(rounds_percentages_to_the_nearest_65536th),
        cmocka_unit_test(refuses_what_other_readers_would_guess_at),
        cmocka_unit_test(refuses_what_is_finer_than_the_base_unit),
        cmocka_unit_test(never_overflows),
        cmocka_unit_test(prints_in_the_largest_unit_that_divides),
        cmocka_unit_test(prints_percentages_that_read_back_to_each_65536th),
        cmocka_unit_test(reads_back_what_it_prints),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
