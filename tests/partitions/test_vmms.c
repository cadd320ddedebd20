/* SPDX-License-Identifier: GPL-2.0-or-later */
/** Starting VMs and turning them off, whatever comes in between. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hypervisor/memory.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "tests/partitions/vm_host.h"

#define MIB (UINT64_C(1) << 20)
#define MS UINT64_C(1000000)

static struct script_config config;
static struct vm_host host;

static void build(uint32_t lps, uint32_t root_vps, uint64_t duration_ns)
{
    script_config_init(&config);
    config.lps = lps;
    config.root_vps = root_vps;
    config.duration_ns = duration_ns;
    vm_host_create(&host, &config);
}

static int destroy(void **state)
{
    (void)state;
    vm_host_destroy(&host);
    return 0;
}

/* A VM of one VP that prints a text. */
static void add_printer(uint32_t number, const char *text)
{
    struct script *script = &host.scripts[number].script[0];

    script_begin(script, 0, 1);
    script_print(script, text);
    script_sleep(script);
    vm_host_add(&host, 1, 4 * MIB);
}

/* A VM all of whose VPs print for ever. */
static void add_chatter(uint32_t number, uint32_t vps)
{
    for (uint32_t vp = 0; vp < vps; vp++) {
        struct script *script = &host.scripts[number].script[vp];

        script_begin(script, vp, vps);

        unsigned first = script->count;

        script_add(script, SCRIPT_RUN, 20000, 0, 0);
        script_add(script, SCRIPT_IN, 0x3fd, 0, 1);
        script_add(script, SCRIPT_OUT, 0x3ff, 'c', 1);
        script_repeat(script, first);
    }
    vm_host_add(&host, vps, 4 * MIB);
}

/* A VM of two VPs that are promised so much each, and do nothing. */
static void add_sleeper(uint32_t number, uint32_t reserve)
{
    for (uint32_t vp = 0; vp < 2; vp++) {
        script_begin(&host.scripts[number].script[vp], vp, 2);
        script_sleep(&host.scripts[number].script[vp]);
    }
    host.scripts[number].reserve = reserve;
    vm_host_add(&host, 2, 4 * MIB);
}

static void nothing_is_left(void)
{
    assert_int_equal(host.root.machine->hv->partition_count, 1);
    assert_true(vm_host_missing_bytes(&host) == 0);
}

static void a_vm_that_is_turned_off_leaves_nothing(void **state)
{
    (void)state;
    build(2, 2, 30 * MS);
    add_printer(0, "hello");
    vm_host_order(&host, 1, 0, true);
    vm_host_order(&host, 20 * MS, 0, false);
    vm_host_run(&host);
    assert_string_equal(host.states[0], "starting running stopping off ");
    assert_string_equal(host.console[0], "hello");
    assert_int_equal(host.failures, 0);
    assert_int_equal(vmms_partition(host.vmms, 0).v, 0);
    nothing_is_left();
}

static void a_vm_can_be_started_again(void **state)
{
    (void)state;
    build(2, 1, 60 * MS);
    add_printer(0, "hello ");
    vm_host_order(&host, 1, 0, true);
    vm_host_order(&host, 20 * MS, 0, false);
    vm_host_order(&host, 40 * MS, 0, true);
    vm_host_run(&host);
    assert_string_equal(host.states[0],
                        "starting running stopping off starting running ");
    assert_string_equal(host.console[0], "hello hello ");
    /* No id is used twice. */
    assert_int_equal(vmms_partition(host.vmms, 0).v,
                     host.root.machine->hv->root->id.v + 2);
}

/* Two LPs: 1.5 are promised, then 0.5 more. */
static void a_vm_whose_reserve_cannot_be_promised_does_not_start(void **state)
{
    (void)state;
    script_config_init(&config);
    config.lps = 2;
    config.root_vps = 1;
    config.duration_ns = 60 * MS;
    config.scheduler = "classic";
    vm_host_create(&host, &config);
    add_sleeper(0, 0xc000);
    host.scripts[1].reserve = 0x8001;
    add_printer(1, "no");
    host.scripts[2].reserve = 0x8000;
    add_printer(2, "yes");
    vm_host_order(&host, 1, 0, true);
    vm_host_order(&host, 20 * MS, 1, true);
    vm_host_order(&host, 30 * MS, 2, true);
    vm_host_run(&host);
    assert_string_equal(host.states[0], "starting running ");
    assert_non_null(strstr(host.failure[1], "3 VPs do not fit into NUMA node"));
    assert_non_null(strstr(host.failure[1], "which has 2 LPs; it may not"));
    assert_string_equal(host.states[2], "starting running ");
}

/* Each of its nodes has one of the host's for itself. */
static void a_vm_of_two_nodes_fits_into_two_without_spanning(void **state)
{
    (void)state;
    build_two_nodes();
    host.one_node = true;
    host.numa_nodes = 2;
    add_idler(0, 4, 36 * MIB);
    vm_host_order(&host, 1, 0, true);
    vm_host_run(&host);
    assert_string_equal(host.states[0], "starting running ");
}

static void each_node_of_a_vm_is_on_a_node_of_the_host(void **state)
{
    const struct hypervisor *hv;
    const struct root_memory *memory;
    uint64_t before[2];

    (void)state;
    build_two_nodes();
    hv = host.root.machine->hv;
    memory = host.root.machine->root->memory;
    host.numa_nodes = 2;
    for (uint32_t vp = 0; vp < 2; vp++) {
        script_begin(&host.scripts[0].script[vp], vp, 2);
        script_sleep(&host.scripts[0].script[vp]);
    }
    vm_host_add(&host, 2, 16 * MIB);
    for (uint32_t node = 0; node < 2; node++)
        before[node] = root_memory_node_free_bytes(memory, node);
    vm_host_order(&host, 1, 0, true);
    vm_host_run(&host);
    assert_string_equal(host.states[0], "starting running ");
    for (uint32_t i = 0; i < hv->partition_count; i++) {
        struct hv_vp *const *vps = hv->partitions[i]->vps;

        if (hv->partitions[i] != hv->root)
            assert_int_equal(vps[0]->node + vps[1]->node, 1);
    }
    for (uint32_t node = 0; node < 2; node++) {
        uint64_t taken =
            before[node] - root_memory_node_free_bytes(memory, node);

        assert_true(taken >= 8 * MIB && taken < 16 * MIB);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_vm_that_is_turned_off_leaves_nothing,
                                  destroy),
        cmocka_unit_test_teardown(a_vm_can_be_started_again, destroy),
        cmocka_unit_test_teardown(
            a_vm_whose_reserve_cannot_be_promised_does_not_start, destroy),
        cmocka_unit_test_teardown(
            of_two_vms_that_start_at_once_one_gets_its_reserve, destroy),
        cmocka_unit_test_teardown(a_vm_that_powers_off_is_off, destroy),
        cmocka_unit_test_teardown(a_vm_that_resets_starts_again, destroy),
        cmocka_unit_test_teardown(who_hears_of_a_state_may_ask_for_the_next_one,
                                  destroy),
        cmocka_unit_test_teardown(a_vm_in_no_state_for_it_is_left_alone,
                                  destroy),
        cmocka_unit_test_teardown(a_start_under_way_is_turned_back, destroy),
        cmocka_unit_test_teardown(
            a_vm_is_turned_off_in_the_middle_of_its_intercepts, destroy),
        cmocka_unit_test_teardown(
            a_vm_without_enough_memory_fails_and_gives_back_all, destroy),
        cmocka_unit_test_teardown(
            a_guest_has_pages_for_all_that_it_may_lay_over_its_memory, destroy),
        cmocka_unit_test_teardown(a_vm_of_many_vps_gets_more_deposited,
                                  destroy),
        cmocka_unit_test_teardown(a_vm_whose_vps_find_no_memory_fails, destroy),
        cmocka_unit_test_teardown(
            a_partition_is_created_when_the_roots_pool_is_empty, destroy),
        cmocka_unit_test_teardown(a_triple_fault_turns_the_vm_off, destroy),
        cmocka_unit_test_teardown(
            a_triple_fault_while_the_vm_starts_turns_it_off_too, destroy),
        cmocka_unit_test_teardown(vms_are_started_side_by_side, destroy),
        cmocka_unit_test_teardown(vms_are_spread_over_the_nodes, destroy),
        cmocka_unit_test_teardown(a_vm_may_take_memory_of_several_nodes,
                                  destroy),
        cmocka_unit_test_teardown(
            a_vm_that_may_not_span_nodes_must_fit_into_one, destroy),
        cmocka_unit_test_teardown(
            a_vm_of_two_nodes_fits_into_two_without_spanning, destroy),
        cmocka_unit_test_teardown(each_node_of_a_vm_is_on_a_node_of_the_host,
                                  destroy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
