/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "sim/compare/compare_vary.h"

static struct compare_vary *vary_of(size_t count, const char *const *texts)
{
    struct compare_vary *vary = compare_vary_create();
    struct sim_error error = {0};

    for (size_t i = 0; i < count; i++)
        if (compare_vary_add(vary, texts[i], &error) != SIM_OK)
            fail_msg("%s", error.message);
    return vary;
}

static void assert_labels(const struct compare_vary *vary, size_t count,
                          const char *const *labels)
{
    struct comparison *comparison = compare_create("made-up");

    assert_int_equal(compare_vary_count(vary), count);
    for (size_t i = 0; i < count; i++)
        assert_string_equal(compare_vary_variant(vary, i, comparison)->label,
                            labels[i]);
    compare_free(comparison);
}

static void variants_are_the_cross_product(void **state)
{
    static const char *const texts[] = {"a.b=1,2", "c=x,y,z"};
    static const char *const labels[] = {"b=1 c=x", "b=1 c=y", "b=1 c=z",
                                         "b=2 c=x", "b=2 c=y", "b=2 c=z"};
    struct compare_vary *vary = vary_of(2, texts);

    (void)state;
    assert_labels(vary, 6, labels);
    compare_vary_free(vary);
}

static void paths_are_shortened_as_long_as_they_differ(void **state)
{
    static const char *const texts[] = {"vms.web.weight=1", "vms.db.weight=2",
                                        "hypervisor.timeslice=1ms"};
    static const char *const labels[] = {
        "web.weight=1 db.weight=2 timeslice=1ms"};
    struct compare_vary *vary = vary_of(3, texts);

    (void)state;
    assert_labels(vary, 1, labels);
    compare_vary_free(vary);
}

static void commas_within_a_value_belong_to_it(void **state)
{
    static const char *const texts[] = {
        "host.nodes=[{lps: 2, memory: 1GiB}],[{lps: 4, memory: 1GiB}]"};
    static const char *const labels[] = {"nodes=[{lps: 2, memory: 1GiB}]",
                                         "nodes=[{lps: 4, memory: 1GiB}]"};
    static const char *const quoted[] = {"x={a: \"1,\\\",2\"},3"};
    static const char *const quoted_labels[] = {"x={a: \"1,\\\",2\"}", "x=3"};
    struct compare_vary *vary = vary_of(1, texts);

    (void)state;
    assert_labels(vary, 2, labels);
    compare_vary_free(vary);
    vary = vary_of(1, quoted);
    assert_labels(vary, 2, quoted_labels);
    compare_vary_free(vary);
}

static void without_a_parameter_there_is_one_variant(void **state)
{
    static const char *const labels[] = {"as it is"};
    struct compare_vary *vary = compare_vary_create();

    (void)state;
    assert_labels(vary, 1, labels);
    compare_vary_free(vary);
}

static void assert_refused(size_t count, const char *const *texts,
                           const char *says)
{
    struct compare_vary *vary = compare_vary_create();
    struct sim_error error = {0};
    enum sim_status status = SIM_OK;

    for (size_t i = 0; i < count; i++) {
        assert_int_equal(status, SIM_OK);
        status = compare_vary_add(vary, texts[i], &error);
    }
    assert_int_equal(status, SIM_BAD_USAGE);
    if (strstr(error.message, says) == NULL)
        fail_msg("'%s' is not in: %s", says, error.message);
    compare_vary_free(vary);
}

static void what_cannot_be_varied_is_refused(void **state)
{
    static const char *const no_equals[] = {"a"};
    static const char *const no_path[] = {"=1"};
    static const char *const empty[] = {"a="};
    static const char *const gap[] = {"a=1,,2"};
    static const char *const twice[] = {"a=1,2,1"};
    static const char *const same[] = {"a=1", "a=2"};
    static const char *const seed[] = {"seed=1,2"};

    (void)state;
    assert_refused(1, no_equals, "expected PATH=V1");
    assert_refused(1, no_path, "expected PATH=V1");
    assert_refused(1, empty, "an empty value");
    assert_refused(1, gap, "an empty value");
    assert_refused(1, twice, "has a value twice");
    assert_refused(2, same, "another --vary");
    assert_refused(1, seed, "--seeds");
}

static void the_number_of_variants_is_limited(void **state)
{
    static const char ten[] = "=0,1,2,3,4,5,6,7,8,9";
    char texts[5][32];
    const char *pointers[5];

    (void)state;
    for (int i = 0; i < 5; i++) {
        snprintf(texts[i], sizeof(texts[i]), "p%d%s", i, ten);
        pointers[i] = texts[i];
    }

    struct compare_vary *vary = vary_of(4, pointers);

    assert_int_equal(compare_vary_count(vary), 10000);
    compare_vary_free(vary);
    assert_refused(5, pointers, "more than 10000 variants");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(variants_are_the_cross_product),
        cmocka_unit_test(paths_are_shortened_as_long_as_they_differ),
        cmocka_unit_test(commas_within_a_value_belong_to_it),
        cmocka_unit_test(without_a_parameter_there_is_one_variant),
        cmocka_unit_test(what_cannot_be_varied_is_refused),
        cmocka_unit_test(the_number_of_variants_is_limited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
