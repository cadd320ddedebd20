/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a scenario may choose from exists, and what exists may be chosen. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hypervisor/sched.h"
#include "sim/machine/cost_model.h"
#include "sim/scenario/scenario_keys.h"

static scenario_word_fn *words_of(enum scenario_section section,
                                  const char *name)
{
    const struct scenario_key *key = scenario_key_find(section, name);

    assert_non_null(key);
    assert_int_equal(key->type, SCENARIO_CHOICE);
    assert_true(key->word_at(0).built); /* the first one at least */
    return key->word_at;
}

static void a_scheduler_is_offered_if_and_only_if_it_is_built(void **state)
{
    scenario_word_fn *word_at =
        words_of(SCENARIO_SECTION_HYPERVISOR, "scheduler");
    unsigned i = 0;

    (void)state;
    for (; word_at(i).text; i++)
        assert_ptr_equal(sched_find(word_at(i).text), sched_by_index(i));
    assert_null(sched_by_index(i));
}

static void every_profile_has_a_table_of_prices(void **state)
{
    scenario_word_fn *word_at = words_of(SCENARIO_SECTION_HOST, "profile");

    (void)state;
    for (unsigned i = 0; word_at(i).text; i++)
        assert_int_equal(cost_profile_find(word_at(i).text) != NULL,
                         word_at(i).built);
}

static void every_timing_has_a_cost_model(void **state)
{
    scenario_word_fn *word_at = words_of(SCENARIO_SECTION_HYPERVISOR, "timing");

    (void)state;
    for (unsigned i = 0; word_at(i).text; i++) {
        struct cost_model model;
        struct sim_error error;

        assert_int_equal(
            cost_model_init(&model, word_at(i).text, "reference-2020", &error),
            SIM_OK);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_scheduler_is_offered_if_and_only_if_it_is_built),
        cmocka_unit_test(every_profile_has_a_table_of_prices),
        cmocka_unit_test(every_timing_has_a_cost_model),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
