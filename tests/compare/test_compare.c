/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "sim/compare/compare_metric.h"

/** Adds a variant whose runs have the seeds 1, 2, ... and these values. */
static void add_variant(struct comparison *comparison, const char *label,
                        size_t metric, const double *values, size_t count)
{
    struct compare_variant *variant = compare_add_variant(comparison, label);

    for (size_t i = 0; i < count; i++)
        compare_set_value(compare_add_run(variant, i + 1, "file.db"), metric,
                          values[i]);
}

static struct comparison *make(enum compare_better better, size_t *metric)
{
    struct comparison *comparison = compare_create("made-up");

    *metric = compare_add_metric(comparison, "web", "result:web:x", "web x",
                                 "ns", better);
    return comparison;
}

static void differences_are_paired_by_seed(void **state)
{
    static const double base[] = {10, 20, 30};
    static const double more[] = {11, 21, 31};
    size_t metric;
    struct comparison *comparison = make(COMPARE_LESS, &metric);
    const struct compare_cell *cell;

    (void)state;
    add_variant(comparison, "a", metric, base, 3);
    add_variant(comparison, "b", metric, more, 3);
    compare_summarise(comparison);
    cell = compare_cell(comparison, metric, 1);
    /* The means lie well within each other's intervals; the pairs do not. */
    assert_true(cell->mean.half > 10);
    assert_true(cell->difference.mean == 1 && cell->difference.half == 0);
    assert_true(stats_differs_from_zero(&cell->difference));
    assert_int_equal(cell->mark, COMPARE_WORST);
    assert_int_equal(compare_cell(comparison, metric, 0)->mark, COMPARE_BEST);
    assert_int_equal(compare_cell(comparison, metric, 0)->difference.count, 0);
    compare_free(comparison);
}

static void a_seed_that_one_side_lacks_is_no_pair(void **state)
{
    static const double base[] = {10, 20};
    size_t metric;
    struct comparison *comparison = make(COMPARE_UNKNOWN, &metric);
    struct compare_variant *variant;

    (void)state;
    add_variant(comparison, "a", metric, base, 2);
    variant = compare_add_variant(comparison, "b");
    compare_set_value(compare_add_run(variant, 7, "7.db"), metric, 70);
    compare_set_value(compare_add_run(variant, 2, "2.db"), metric, 25);
    compare_add_run(variant, 1, "1.db")->failure = strdup("it failed");
    compare_summarise(comparison);

    const struct compare_cell *cell = compare_cell(comparison, metric, 1);

    assert_int_equal(cell->mean.count, 2);
    assert_int_equal(cell->difference.count, 1);
    assert_true(cell->difference.mean == 5);
    /* The means are of unlike seeds, and one pair tells nothing. */
    assert_int_equal(cell->mark, COMPARE_NO_MARK);
    assert_int_equal(compare_cell(comparison, metric, 0)->mark,
                     COMPARE_NO_MARK);
    assert_int_equal(compare_failures(&comparison->variants[1]), 1);
    /* In the order of seeds, whatever the order in which they came. */
    assert_int_equal(comparison->variants[1].runs[0].seed, 1);
    assert_int_equal(comparison->variants[1].runs[2].seed, 7);
    compare_free(comparison);
}

static void equals_share_a_mark_and_all_equal_have_none(void **state)
{
    static const double low = 1;
    static const double high = 2;
    size_t metric;
    struct comparison *comparison = make(COMPARE_MORE, &metric);

    (void)state;
    add_variant(comparison, "a", metric, &low, 1);
    add_variant(comparison, "b", metric, &low, 1);
    compare_summarise(comparison);
    assert_int_equal(compare_cell(comparison, metric, 0)->mark,
                     COMPARE_NO_MARK);
    add_variant(comparison, "c", metric, &high, 1);
    compare_add_variant(comparison, "d");
    compare_summarise(comparison);
    assert_int_equal(compare_cell(comparison, metric, 0)->mark, COMPARE_WORST);
    assert_int_equal(compare_cell(comparison, metric, 1)->mark, COMPARE_WORST);
    assert_int_equal(compare_cell(comparison, metric, 2)->mark, COMPARE_BEST);
    assert_int_equal(compare_cell(comparison, metric, 3)->mark,
                     COMPARE_NO_MARK);
    compare_free(comparison);
}

static void what_may_be_chance_is_not_marked(void **state)
{
    static const double base[] = {10, 20, 30};
    static const double other[] = {12, 19, 30};
    size_t metric;
    struct comparison *comparison = make(COMPARE_LESS, &metric);

    (void)state;
    add_variant(comparison, "a", metric, base, 3);
    add_variant(comparison, "b", metric, other, 3);
    compare_summarise(comparison);
    assert_int_equal(compare_cell(comparison, metric, 0)->mark,
                     COMPARE_NO_MARK);
    assert_int_equal(compare_cell(comparison, metric, 1)->mark,
                     COMPARE_NO_MARK);
    compare_free(comparison);
}

static void runs_of_different_seeds_are_not_marked(void **state)
{
    size_t metric;
    struct comparison *comparison = make(COMPARE_LESS, &metric);

    (void)state;
    for (uint64_t seed = 1; seed <= 2; seed++) {
        struct compare_variant *variant = compare_add_variant(comparison, "v");

        compare_set_value(compare_add_run(variant, seed, "v.db"), metric,
                          (double)seed);
    }
    compare_summarise(comparison);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(compare_cell(comparison, metric, i)->mark,
                         COMPARE_NO_MARK);
    compare_free(comparison);
}

static void metrics_stand_by_vm_and_counters_last(void **state)
{
    struct comparison *comparison = compare_create("made-up");
    static const char *const expected[] = {"a1", "a2", "b1", "c1", "n"};

    (void)state;
    compare_add_metric(comparison, "a", "a1", "a1", "ns", COMPARE_LESS);
    compare_add_metric(comparison, "b", "b1", "b1", "ns", COMPARE_LESS);
    compare_add_metric(comparison, "", "n", "n", "ns", COMPARE_LESS);
    compare_add_metric(comparison, "c", "c1", "c1", "ns", COMPARE_LESS);
    compare_add_metric(comparison, "a", "a2", "a2", "ns", COMPARE_LESS);
    assert_int_equal(
        compare_add_metric(comparison, "b", "b1", "b1", "ns", COMPARE_LESS), 1);
    assert_int_equal(comparison->metric_count, 5);
    for (size_t i = 0; i < 5; i++)
        assert_string_equal(comparison->metrics[comparison->order[i]].name,
                            expected[i]);
    /* Of another unit, it is another metric. */
    compare_add_metric(comparison, "b", "b1", "b1", "s", COMPARE_LESS);
    assert_int_equal(comparison->metric_count, 6);
    compare_free(comparison);
}

static void assert_refused(const char *text, const char *says)
{
    struct compare_selection *selection = compare_metric_select(false);
    struct sim_error error = {0};

    assert_int_equal(compare_metric_add(selection, text, &error),
                     SIM_BAD_USAGE);
    if (strstr(error.message, says) == NULL)
        fail_msg("'%s' is not in: %s", says, error.message);
    compare_metric_free(selection);
}

static void metrics_that_do_not_exist_are_refused(void **state)
{
    (void)state;
    assert_refused("", "expected NAME");
    assert_refused(":less", "expected NAME");
    assert_refused("result:web", "expected NAME");
    assert_refused("result::elapsed", "expected NAME");
    assert_refused("result:a:b:c", "expected NAME");
    assert_refused("mean:", "expected NAME");
    assert_refused("mean:a:b", "expected NAME");
    assert_refused("Logical Processer\\% Idle Time",
                   "did you mean 'Logical Processor'?");
    assert_refused("Logical Processor\\Idle Time", "there is no counter");
    assert_refused("Virtual Processor\\CPU Wiat Time Per Dispatch",
                   "did you mean 'CPU Wait Time Per Dispatch'?");
    assert_refused("\\", "there is no object");
    assert_refused("\\\\", "there is no object");
    assert_refused("()\\()", "there is no object");
}

static void metrics_are_taken_in_every_form(void **state)
{
    static const char *const texts[] = {
        "elapsed",
        "elapsed:less",
        "result:web-*:p99:more",
        "Logical Processor\\% Idle Time",
        "\\Hyper-V Hypervisor Logical Processor(Hv LP *)\\% Idle Time:more",
        "virtual processor\\cpu wait time per dispatch(web:Hv VP 0)",
        "Virtual Processor(a:Hv VP 0)\\% Total Run Time:less",
    };
    struct compare_selection *selection = compare_metric_select(true);
    struct sim_error error = {0};
    size_t at = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        if (compare_metric_add(selection, texts[i], &error) != SIM_OK)
            fail_msg("%s", error.message);
    /* No run has been read: all are in vain, but for the defaults. */
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
        assert_string_equal(compare_metric_unmet(selection, &at), texts[i]);
    assert_null(compare_metric_unmet(selection, &at));
    compare_metric_free(selection);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(differences_are_paired_by_seed),
        cmocka_unit_test(a_seed_that_one_side_lacks_is_no_pair),
        cmocka_unit_test(equals_share_a_mark_and_all_equal_have_none),
        cmocka_unit_test(what_may_be_chance_is_not_marked),
        cmocka_unit_test(runs_of_different_seeds_are_not_marked),
        cmocka_unit_test(metrics_stand_by_vm_and_counters_last),
        cmocka_unit_test(metrics_that_do_not_exist_are_refused),
        cmocka_unit_test(metrics_are_taken_in_every_form),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
