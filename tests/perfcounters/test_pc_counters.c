/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "perfcounters/pc_counters.h"
#include "perfcounters/pc_feed.h"

static const struct pc_counter *counter(enum pc_object_id id, const char *name)
{
    int index = pc_counters_find(id, name);

    if (index < 0)
        fail_msg("no counter \"%s\"", name);
    return &pc_counters_object(id)->counters[index];
}

static void objects_are_spelled_as_windows_spells_them(void **state)
{
    (void)state;
    assert_string_equal(pc_counters_object(PC_OBJECT_LP)->name,
                        "Hyper-V Hypervisor Logical Processor");
    assert_string_equal(pc_counters_object(PC_OBJECT_VP)->name,
                        "Hyper-V Hypervisor Virtual Processor");
    assert_string_equal(pc_counters_object(PC_OBJECT_ROOT_VP)->name,
                        "Hyper-V Hypervisor Root Virtual Processor");
    assert_string_equal(pc_counters_object(PC_OBJECT_NIC)->name,
                        "Hyper-V Virtual Network Adapter");
    assert_string_equal(pc_counters_object(PC_OBJECT_DISK)->name,
                        "Hyper-V Virtual Storage Device");
    assert_string_equal(pc_counters_object(PC_OBJECT_VID)->name,
                        "Hyper-V VM Vid Partition");
}

static void root_vps_have_the_counters_of_vps(void **state)
{
    (void)state;
    assert_ptr_equal(pc_counters_object(PC_OBJECT_VP)->counters,
                     pc_counters_object(PC_OBJECT_ROOT_VP)->counters);
}

static void names_are_unique_within_an_object(void **state)
{
    (void)state;
    for (int id = 0; id < PC_OBJECT_COUNT; id++) {
        const struct pc_object *object =
            pc_counters_object((enum pc_object_id)id);

        for (int i = 0; i < object->counter_count; i++)
            assert_int_equal(pc_counters_find((enum pc_object_id)id,
                                              object->counters[i].name),
                             i);
    }
}

static void every_counter_has_help_unit_and_feeder(void **state)
{
    (void)state;
    for (int id = 0; id < PC_OBJECT_COUNT; id++) {
        const struct pc_object *object =
            pc_counters_object((enum pc_object_id)id);

        for (int i = 0; i < object->counter_count; i++) {
            assert_true(strlen(object->counters[i].help) > 0);
            assert_true(strlen(object->counters[i].unit) > 0);
            assert_true(strlen(object->counters[i].feeder) > 0);
        }
    }
}

static void formulas_fit_their_names(void **state)
{
    (void)state;
    for (int id = 0; id < PC_OBJECT_COUNT; id++) {
        const struct pc_object *object =
            pc_counters_object((enum pc_object_id)id);

        for (int i = 0; i < object->counter_count; i++) {
            const struct pc_counter *c = &object->counters[i];
            bool rate = strcasestr(c->name, "/sec") != NULL;

            assert_int_equal(rate, c->formula == PC_FORMULA_RATE);
            assert_int_equal(c->name[0] == '%',
                             c->formula == PC_FORMULA_PERCENT);
        }
    }
}

static void every_cell_is_shown_by_some_counter(void **state)
{
    (void)state;
    for (int id = 0; id < PC_OBJECT_COUNT; id++) {
        const struct pc_object *object =
            pc_counters_object((enum pc_object_id)id);
        bool shown[128] = {false};

        assert_true(object->cell_count <= 128);
        for (int i = 0; i < object->counter_count; i++)
            for (int c = object->counters[i].sum.first;
                 c < object->counters[i].sum.end; c++)
                shown[c] = true;
        for (int c = 0; c < object->cell_count; c++)
            assert_true(shown[c]);
    }
}

static void cost_is_divided_by_something_and_nothing_else_is(void **state)
{
    (void)state;
    for (int id = 0; id < PC_OBJECT_COUNT; id++) {
        const struct pc_object *object =
            pc_counters_object((enum pc_object_id)id);

        for (int i = 0; i < object->counter_count; i++) {
            const struct pc_counter *c = &object->counters[i];

            assert_int_equal(c->base.end > c->base.first,
                             c->formula == PC_FORMULA_COST);
            assert_true(c->sum.end > c->sum.first);
            assert_true(c->sum.end <= object->cell_count);
            assert_true(c->base.end <= object->cell_count);
        }
    }
}

/* A VP may come back, and then its cells are added to those that it had. */
static void vps_have_no_gauges(void **state)
{
    const struct pc_object *vp = pc_counters_object(PC_OBJECT_VP);

    (void)state;
    for (int i = 0; i < vp->counter_count; i++)
        assert_int_not_equal(vp->counters[i].formula, PC_FORMULA_VALUE);
}

/* The sums rely on the order of counters.def: here is what each must hold. */
static void sums_cover_exactly_the_cells_they_name(void **state)
{
    const struct pc_counter *c;

    (void)state;
    c = counter(PC_OBJECT_LP, "% Total Run Time");
    assert_int_equal(c->sum.first, PC_LP_GUEST_TIME);
    assert_int_equal(c->sum.end, PC_LP_HYPERVISOR_TIME + 1);
    assert_int_equal(c->sum.end - c->sum.first, 2);

    c = counter(PC_OBJECT_LP, "Total Interrupts/sec");
    assert_int_equal(c->sum.first, PC_LP_IPIS_RECEIVED);
    assert_int_equal(c->sum.end, PC_LP_TIMER_INTERRUPTS + 1);
    assert_int_equal(c->sum.end - c->sum.first, 2);

    c = counter(PC_OBJECT_VP, "% Total Run Time");
    assert_int_equal(c->sum.first, PC_VP_GUEST_TIME);
    assert_int_equal(c->sum.end - c->sum.first, 2);

    c = counter(PC_OBJECT_VP, "CPU Wait Time Per Dispatch");
    assert_int_equal(c->sum.first, PC_VP_WAKE_UP_TIME);
    assert_int_equal(c->sum.end, PC_VP_HELD_BACK_TIME + 1);
    assert_int_equal(c->sum.end - c->sum.first, 3);

    c = counter(PC_OBJECT_VP, "Total Messages/sec");
    assert_int_equal(c->sum.first, PC_VP_IO_MESSAGES);
    assert_int_equal(c->sum.end - c->sum.first, 3);
    assert_int_equal(PC_VP_MEMORY_MESSAGES, c->sum.first + 1);

    c = counter(PC_OBJECT_NIC, "Packets Received/sec");
    assert_int_equal(c->sum.first, PC_NIC_DIRECTED_RECEIVED);
    assert_int_equal(c->sum.end, PC_NIC_MULTICAST_RECEIVED + 1);
    assert_int_equal(c->sum.end - c->sum.first, 3);

    c = counter(PC_OBJECT_NIC, "Packets Sent/sec");
    assert_int_equal(c->sum.first, PC_NIC_DIRECTED_SENT);
    assert_int_equal(c->sum.end, PC_NIC_MULTICAST_SENT + 1);
    assert_int_equal(c->sum.end - c->sum.first, 3);

    c = counter(PC_OBJECT_NIC, "Packets/sec");
    assert_int_equal(c->sum.first, PC_NIC_DIRECTED_RECEIVED);
    assert_int_equal(c->sum.end, PC_NIC_MULTICAST_SENT + 1);
    assert_int_equal(c->sum.end - c->sum.first, 6);

    c = counter(PC_OBJECT_NIC, "Bytes/sec");
    assert_int_equal(c->sum.first, PC_NIC_BYTES_RECEIVED);
    assert_int_equal(c->sum.end, PC_NIC_BYTES_SENT + 1);
    assert_int_equal(c->sum.end - c->sum.first, 2);

    c = counter(PC_OBJECT_VP, "Total Intercepts Cost");
    assert_int_equal(c->sum.end - c->sum.first, PC_INTERCEPT_COUNT);
    assert_int_equal(c->base.end - c->base.first, PC_INTERCEPT_COUNT);
}

static void unknown_names_are_not_found(void **state)
{
    (void)state;
    assert_int_equal(pc_counters_find(PC_OBJECT_LP, "% Processor Time"), -1);
    assert_int_equal(pc_counters_find(PC_OBJECT_LP, ""), -1);
    assert_int_equal(pc_counters_find(PC_OBJECT_LP, "Hypercalls/sec"), -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_are_spelled_as_windows_spells_them),
        cmocka_unit_test(root_vps_have_the_counters_of_vps),
        cmocka_unit_test(names_are_unique_within_an_object),
        cmocka_unit_test(every_counter_has_help_unit_and_feeder),
        cmocka_unit_test(formulas_fit_their_names),
        cmocka_unit_test(every_cell_is_shown_by_some_counter),
        cmocka_unit_test(cost_is_divided_by_something_and_nothing_else_is),
        cmocka_unit_test(vps_have_no_gauges),
        cmocka_unit_test(sums_cover_exactly_the_cells_they_name),
        cmocka_unit_test(unknown_names_are_not_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
