/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "perfcounters/pc_quotient.h"
#include "sim/core/rng.h"

/** Bit for bit, so that a last bit rounded wrongly shows. */
static void assert_same(double value, double expected)
{
    uint64_t a, b;

    memcpy(&a, &value, sizeof(a));
    memcpy(&b, &expected, sizeof(b));
    assert_int_equal(a, b);
}

static void simple_quotients_are_exact(void **state)
{
    (void)state;
    assert_same(pc_quotient(95, 2), 47.5);
    assert_same(pc_quotient(0, 5), 0.0);
    assert_same(pc_quotient(1, 3), 1.0 / 3.0);
    assert_same(pc_quotient(100, 1), 100.0);
}

static void nothing_divided_by_nothing_is_zero(void **state)
{
    (void)state;
    assert_same(pc_quotient(0, 0), 0.0);
    assert_same(pc_quotient(17, 0), 0.0);
}

static void wide_operands_round_to_nearest(void **state)
{
    const pc_wide_t big = (pc_wide_t)1 << 100;

    (void)state;
    assert_same(pc_quotient(big, big), 1.0);
    assert_same(pc_quotient(big * 3, big * 2), 1.5);
    assert_same(pc_quotient(big, 3), 0x1.5555555555555p+98);
    assert_same(pc_quotient(1, big), 0x1p-100);
    /* 2^53 + 1 lies between two doubles: ties to even ... */
    assert_same(pc_quotient((UINT64_C(1) << 53) + 1, 1), 0x1p53);
    /* ... and anything above the tie rounds up. */
    assert_same(pc_quotient(((pc_wide_t)1 << 73) + (1 << 20) + 1, 1 << 20),
                0x1.0000000000001p53);
    assert_same(pc_quotient((pc_wide_t)UINT64_MAX << 32, 1), 0x1p96);
}

/** Numerators below 2^53 take the processor's division when not scaled. */
static void the_short_and_the_long_way_agree(void **state)
{
    struct rng rng = rng_from_seed(2);

    (void)state;
    for (int i = 0; i < 20000; i++) {
        uint64_t numerator = rng_below(&rng, UINT64_C(1) << 53);
        uint64_t denominator = rng_below(&rng, UINT64_C(1) << 53) + 1;

        assert_same(pc_quotient((pc_wide_t)numerator << 40,
                                (pc_wide_t)denominator << 40),
                    (double)numerator / (double)denominator);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(simple_quotients_are_exact),
        cmocka_unit_test(nothing_divided_by_nothing_is_zero),
        cmocka_unit_test(wide_operands_round_to_nearest),
        cmocka_unit_test(the_short_and_the_long_way_agree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
