/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "sim/scenario/suggest.h"

static const char *nearest(const char *written)
{
    static const char *const words[] = {"weight", "limit",        "vps",
                                        "memory", "sync_quantum", "name"};
    struct suggestion best = {0};

    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        suggest_offer(&best, written, words[i]);
    return best.word;
}

static void finds_the_word_that_was_meant(void **state)
{
    (void)state;
    assert_string_equal(nearest("wieght"), "weight"); /* swapped */
    assert_string_equal(nearest("weigh"), "weight");  /* left out */
    assert_string_equal(nearest("limmit"), "limit");  /* added */
    assert_string_equal(nearest("nome"), "name");     /* changed */
    assert_string_equal(nearest("vcps"), "vps");
}

static void overlooks_case_and_dashes(void **state)
{
    (void)state;
    assert_string_equal(nearest("VPs"), "vps");
    assert_string_equal(nearest("sync-quantum"), "sync_quantum");
}

static void suggests_nothing_for_a_word_that_is_not_near(void **state)
{
    static const char long_word[] = "wwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwwww"
                                    "wwwwwwwwwwwwwwwwwwwwwwwwwwww";

    (void)state;
    assert_null(nearest("disks"));
    assert_null(nearest(""));
    assert_null(nearest("v"));
    assert_null(nearest(long_word));
}

static void finds_what_a_longer_word_holds(void **state)
{
    (void)state;
    assert_string_equal(nearest("quantum"), "sync_quantum");
    assert_string_equal(nearest("Sync"), "sync_quantum");
    assert_null(nearest("syn")); /* three letters are in too many words */
    assert_null(nearest("quantums"));
}

static void prefers_the_nearer_and_then_the_first(void **state)
{
    struct suggestion best = {0};

    (void)state;
    suggest_offer(&best, "abcdef", "abcdxx");
    suggest_offer(&best, "abcdef", "abcdex");
    suggest_offer(&best, "abcdef", "abcdey");
    assert_string_equal(best.word, "abcdex");
    assert_int_equal(best.distance, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_the_word_that_was_meant),
        cmocka_unit_test(overlooks_case_and_dashes),
        cmocka_unit_test(suggests_nothing_for_a_word_that_is_not_near),
        cmocka_unit_test(finds_what_a_longer_word_holds),
        cmocka_unit_test(prefers_the_nearer_and_then_the_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
