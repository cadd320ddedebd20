/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "sim/machine/cost_model.h"

static struct cost_model model(const char *timing)
{
    struct cost_model model;
    struct sim_error error;

    assert_int_equal(cost_model_init(&model, timing, "reference-2020", &error),
                     SIM_OK);
    return model;
}

static void unit_prices_each_kind_at_a_cycle_and_null_at_nothing(void **state)
{
    struct cost_model unit = model("unit"), null = model("null");
    struct cost_bill bill = {0};

    (void)state;
    cost_note(&bill, COST_INSN_ALU, 5);
    cost_note(&bill, COST_VMEXIT, 2);

    struct cost_total total = cost_model_price(&unit, &bill);

    assert_int_equal(total.guest_subcycles, 5 * SUBCYCLES_PER_CYCLE);
    assert_int_equal(total.hypervisor_subcycles, 2 * SUBCYCLES_PER_CYCLE);
    total = cost_model_price(&null, &bill);
    assert_int_equal(total.guest_subcycles + total.hypervisor_subcycles, 0);
}

static void
the_profile_prices_an_exit_and_entry_as_its_source_says(void **state)
{
    struct cost_model table = model("table");
    struct cost_bill bill = {0};

    (void)state;
    cost_note(&bill, COST_VMEXIT, 1);
    cost_note(&bill, COST_VMENTRY, 1);
    assert_int_equal(cost_model_price(&table, &bill).hypervisor_subcycles,
                     1500 * SUBCYCLES_PER_CYCLE);
}

static void every_kind_has_a_price_with_a_source(void **state)
{
    const struct cost_profile *profile = cost_profile_find("reference-2020");

    (void)state;
    assert_non_null(profile);
    for (unsigned kind = 0; kind < COST_KIND_COUNT; kind++) {
        const struct cost_price *price = &profile->price[kind];

        if (!price->source || strlen(price->source) < 10)
            fail_msg("%s has no source", cost_kind_name((enum cost_kind)kind));
        if (price->subcycles == 0)
            fail_msg("%s is free", cost_kind_name((enum cost_kind)kind));
    }
    assert_in_range(cost_profile_estimates(profile), 1, COST_KIND_COUNT - 1);
}

static void a_native_machine_has_no_price_of_a_hypervisor(void **state)
{
    const struct cost_profile *native = cost_profile_find("native-2020");
    const struct cost_profile *reference = cost_profile_find("reference-2020");

    (void)state;
    assert_non_null(native);
    for (unsigned kind = 0; kind < COST_VMEXIT; kind++) {
        if (kind != COST_SLAT_WALK_REF)
            assert_int_equal(native->price[kind].subcycles,
                             reference->price[kind].subcycles);
    }
    assert_int_equal(native->price[COST_SLAT_WALK_REF].subcycles, 0);
    for (unsigned kind = COST_VMEXIT; kind < COST_KIND_COUNT; kind++)
        assert_int_equal(native->price[kind].subcycles,
                         kind == COST_LP_WAKE ? reference->price[kind].subcycles
                                              : 0);
}

static void unknown_models_and_profiles_are_refused_by_name(void **state)
{
    struct cost_model model;
    struct sim_error error;

    (void)state;
    assert_int_equal(
        cost_model_init(&model, "tables", "reference-2020", &error),
        SIM_BAD_SCENARIO);
    assert_non_null(strstr(error.message, "\"tables\""));
    assert_int_equal(cost_model_init(&model, "table", "reference", &error),
                     SIM_BAD_SCENARIO);
    assert_non_null(strstr(error.message, "\"reference-2020\""));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(unit_prices_each_kind_at_a_cycle_and_null_at_nothing),
        cmocka_unit_test(
            the_profile_prices_an_exit_and_entry_as_its_source_says),
        cmocka_unit_test(every_kind_has_a_price_with_a_source),
        cmocka_unit_test(a_native_machine_has_no_price_of_a_hypervisor),
        cmocka_unit_test(unknown_models_and_profiles_are_refused_by_name),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
