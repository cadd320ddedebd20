/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/core/rng.h"

/* Random123's published known answer for philox4x64-10 with counter and key
 * all zero (kat_vectors): its first word. */
#define PHILOX_ZERO_WORD UINT64_C(0x16554d9eca36314c)

static void the_numbers_are_philox(void **state)
{
    struct rng rng = rng_from_seed(0);

    (void)state;
    assert_int_equal(rng_next(&rng), PHILOX_ZERO_WORD);
}

/** Every result ever published with a seed depends on these. */
static void the_streams_of_a_seed_are_those_of_earlier_versions(void **state)
{
    struct rng root = rng_from_seed(1);
    struct rng fork = rng_fork(&root, "storvsp0");
    struct rng grandchild = rng_fork(&fork, "");

    (void)state;
    assert_int_equal(rng_next(&root), UINT64_C(0xcb7ea744cf19bb4c));
    assert_int_equal(rng_next(&fork), UINT64_C(0xce0507982098bbf6));
    assert_int_equal(rng_next(&grandchild), UINT64_C(0x5ba7faff0ef6a0aa));
}

static void equal_seeds_give_equal_streams_and_others_do_not(void **state)
{
    struct rng a = rng_from_seed(7);
    struct rng b = rng_from_seed(7);
    struct rng other = rng_from_seed(8);
    unsigned equal = 0;

    (void)state;
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t number = rng_next(&a);

        assert_int_equal(number, rng_next(&b));
        equal += number == rng_next(&other);
    }
    assert_int_equal(equal, 0);
}

static void a_fork_depends_on_key_and_name_alone(void **state)
{
    struct rng parent = rng_from_seed(7);
    struct rng before = rng_fork(&parent, "storvsp0");

    (void)state;
    /* Neither what the parent drew nor what siblings were born matters. */
    for (unsigned i = 0; i < 10; i++)
        rng_next(&parent);
    (void)rng_fork(&parent, "netvsp0");

    struct rng after = rng_fork(&parent, "storvsp0");

    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(rng_next(&before), rng_next(&after));
}

static void forks_share_no_numbers_with_parent_sibling_or_namesake(void **state)
{
    struct rng root = rng_from_seed(7);
    struct rng elsewhere = rng_from_seed(8);
    struct rng streams[] = {
        root,
        rng_fork(&root, "storvsp0"),
        rng_fork(&root, "storvsp1"),
        rng_fork(&root, ""),
        rng_fork(&elsewhere, "storvsp0"),
    };
    enum { STREAMS = sizeof(streams) / sizeof(streams[0]), DRAWS = 200 };
    uint64_t drawn[STREAMS][DRAWS];

    (void)state;
    for (size_t s = 0; s < STREAMS; s++) {
        for (size_t i = 0; i < DRAWS; i++)
            drawn[s][i] = rng_next(&streams[s]);
    }
    /* Compared at any offset: a shifted copy would not be independent. */
    for (size_t a = 0; a < STREAMS * DRAWS; a++) {
        for (size_t b = a + 1; b < STREAMS * DRAWS; b++)
            assert_int_not_equal(drawn[a / DRAWS][a % DRAWS],
                                 drawn[b / DRAWS][b % DRAWS]);
    }
}

static void forks_agree_in_half_of_their_bits(void **state)
{
    struct rng root = rng_from_seed(1);
    struct rng a = rng_fork(&root, "vp0");
    struct rng b = rng_fork(&root, "vp1");
    unsigned equal_bits = 0;

    (void)state;
    for (unsigned i = 0; i < 10000; i++)
        equal_bits +=
            64 - (unsigned)__builtin_popcountll(rng_next(&a) ^ rng_next(&b));
    /* 320,000 expected with a standard deviation of 400. */
    assert_in_range(equal_bits, 318000, 322000);
}

static void numbers_below_a_bound_are_uniform(void **state)
{
    struct rng rng = rng_from_seed(3);
    unsigned drawn[6] = {0};

    (void)state;
    for (unsigned i = 0; i < 60000; i++) {
        uint64_t number = rng_below(&rng, 6);

        assert_true(number < 6);
        drawn[number]++;
    }
    /* 10,000 expected with a standard deviation of 91. */
    for (unsigned i = 0; i < 6; i++)
        assert_in_range(drawn[i], 9500, 10500);
}

/**
 * With a bound of three quarters of the range, a plain modulo would draw the
 * lowest third twice as often as the others, a plain product one residue of
 * three.
 */
static void a_bound_near_the_range_has_no_bias(void **state)
{
    const uint64_t third = UINT64_C(1) << 62;
    struct rng rng = rng_from_seed(5);
    unsigned by_magnitude[3] = {0};
    unsigned by_residue[3] = {0};

    (void)state;
    for (unsigned i = 0; i < 30000; i++) {
        uint64_t number = rng_below(&rng, 3 * third);

        assert_true(number < 3 * third);
        by_magnitude[number / third]++;
        by_residue[number % 3]++;
    }
    /* 10,000 expected with a standard deviation of 82. */
    for (unsigned i = 0; i < 3; i++) {
        assert_in_range(by_magnitude[i], 9500, 10500);
        assert_in_range(by_residue[i], 9500, 10500);
    }
}

static void bounds_of_one_and_of_the_whole_range_work(void **state)
{
    struct rng rng = rng_from_seed(6);

    (void)state;
    assert_int_equal(rng_below(&rng, 1), 0);
    assert_true(rng_below(&rng, UINT64_MAX) < UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_numbers_are_philox),
        cmocka_unit_test(the_streams_of_a_seed_are_those_of_earlier_versions),
        cmocka_unit_test(equal_seeds_give_equal_streams_and_others_do_not),
        cmocka_unit_test(a_fork_depends_on_key_and_name_alone),
        cmocka_unit_test(
            forks_share_no_numbers_with_parent_sibling_or_namesake),
        cmocka_unit_test(forks_agree_in_half_of_their_bits),
        cmocka_unit_test(numbers_below_a_bound_are_uniform),
        cmocka_unit_test(a_bound_near_the_range_has_no_bias),
        cmocka_unit_test(bounds_of_one_and_of_the_whole_range_work),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
