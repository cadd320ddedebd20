/* SPDX-License-Identifier: GPL-2.0-or-later */
/** What the timeline does to VMs and groups while the machine runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hypervisor/cpu_group.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "tests/machine/script_host.h"

#define MS UINT64_C(1000000)

static struct script_config config;
static struct script_host host;

/* VMs of busy VPs on a host of four LPs, of which the root has one. */
static void make(uint32_t vm_count, uint32_t vps)
{
    script_config_init(&config);
    config.lps = 4;
    config.root_vps = 1;
    config.duration_ns = 60 * MS;
    config.vm_count = vm_count;
    for (uint32_t i = 0; i < vm_count; i++) {
        config.vms[i].vps = vps;
        for (uint32_t vp = 0; vp < vps; vp++) {
            struct script *script = &config.vms[i].script[vp];

            script->count = 0;
            script_begin(script, vp, vps);
            script_add(script, SCRIPT_RUN, 50000, 0, 0);
            script_repeat(script, script->count - 1);
        }
        config.vms[i].group = NULL;
        config.vms[i].affinity = (struct lp_set){0};
        config.vms[i].vps_at_first = 0;
    }
}

static void run(enum sim_status expected)
{
    script_host_create(&host, &config);

    enum sim_status status = script_host_run(&host);

    if (status != expected)
        fail_msg("%s", host.error.message);
}

static int destroy(void **state)
{
    (void)state;
    script_host_destroy(&host);
    return 0;
}

static struct lp_set lps(uint64_t mask)
{
    return (struct lp_set){.words = {mask}};
}

/* No LPs: all of them. */
static void add_group(const char *name, uint32_t cap, uint64_t lp_mask)
{
    config.groups[config.group_count++] =
        (struct scenario_group){.name = name, .cap = cap, .lps = lps(lp_mask)};
}

static const struct hv_partition *partition_of(uint32_t vm)
{
    return hypervisor_find_partition(host.machine->hv,
                                     vmms_partition(host.machine->vmms, vm));
}

/* How often the only VM has been started: each time it is a new partition. */
static uint64_t starts(void)
{
    return partition_of(0)->id.v - host.machine->hv->root->id.v;
}

static double run_share(const char *instance)
{
    return fake_results_total(&host.results, PC_OBJECT_VP, instance,
                              "% Total Run Time");
}

static double lp_guest_share(const char *instance)
{
    return fake_results_total(&host.results, PC_OBJECT_LP, instance,
                              "% Guest Run Time");
}

static void a_vm_stays_on_the_lps_of_its_affinity(void **state)
{
    (void)state;
    make(1, 2);
    config.vms[0].affinity = lps(0x4);
    run(SIM_OK);
    assert_true(lp_guest_share("Hv LP 2") > 90);
    assert_true(lp_guest_share("Hv LP 1") < 1);
    assert_true(lp_guest_share("Hv LP 3") < 1);
}

static void a_vm_is_in_its_group_from_its_start_on(void **state)
{
    (void)state;
    make(2, 1);
    add_group("gold", SCENARIO_FRACTION_ONE / 4, 0xc);
    config.vms[0].group = config.vms[1].group = "gold";
    run(SIM_OK);
    assert_non_null(partition_of(0)->sched.group);
    assert_ptr_equal(partition_of(0)->sched.group,
                     partition_of(1)->sched.group);
    /* A quarter of two LPs is half of one. */
    assert_true(run_share("vm0:Hv VP 0") + run_share("vm1:Hv VP 0") < 51);
    assert_true(run_share("vm0:Hv VP 0") + run_share("vm1:Hv VP 0") > 40);
    assert_true(lp_guest_share("Hv LP 1") < 1);
}

static void a_limit_holds_from_its_time_on(void **state)
{
    (void)state;
    make(1, 1);
    script_at(&config, 30 * MS)->set.limit = SCENARIO_FRACTION_ONE / 4;
    config.at[0].set.vm = "vm0";
    run(SIM_OK);
    /* Half of the time without, half of it with a quarter. */
    assert_true(run_share("vm0:Hv VP 0") > 55);
    assert_true(run_share("vm0:Hv VP 0") < 65);
    assert_int_equal(partition_of(0)->sched.cap, SCENARIO_FRACTION_ONE / 4);
}

static void reserve_and_limit_are_raised_and_lowered_together(void **state)
{
    struct scenario_event *event;

    (void)state;
    make(1, 1);
    config.scheduler = "classic";
    config.vms[0].reserve = SCENARIO_FRACTION_ONE / 8;
    config.vms[0].limit = SCENARIO_FRACTION_ONE / 4;
    event = script_at(&config, 20 * MS);
    event->set.vm = "vm0";
    event->set.reserve = SCENARIO_FRACTION_ONE / 2;
    event->set.limit = SCENARIO_FRACTION_ONE;
    event = script_at(&config, 40 * MS);
    event->set.vm = "vm0";
    event->set.reserve = SCENARIO_FRACTION_ONE / 16;
    event->set.limit = SCENARIO_FRACTION_ONE / 8;
    event->set.weight = 300;
    run(SIM_OK);
    assert_int_equal(partition_of(0)->sched.reserve,
                     SCENARIO_FRACTION_ONE / 16);
    assert_int_equal(partition_of(0)->sched.cap, SCENARIO_FRACTION_ONE / 8);
    assert_int_equal(partition_of(0)->sched.weight, 300);
}

static void a_vm_moves_to_a_group_of_other_lps_in_one_step(void **state)
{
    struct scenario_event *event;

    (void)state;
    make(1, 2);
    add_group("gold", SCENARIO_FRACTION_ONE, 0x3);
    add_group("silver", SCENARIO_FRACTION_ONE, 0xc);
    config.vms[0].group = "gold";
    config.vms[0].affinity = lps(0x2);
    event = script_at(&config, 30 * MS);
    event->set.vm = "vm0";
    event->set.group = "silver";
    event->set.affinity = lps(0x4);
    run(SIM_OK);
    assert_int_equal(partition_of(0)->sched.group->id, 2);
    assert_true(lp_guest_share("Hv LP 1") > 30);
    assert_true(lp_guest_share("Hv LP 2") > 45);
    assert_true(lp_guest_share("Hv LP 3") < 1);
}

static void a_groups_cap_and_lps_change_while_its_vms_run(void **state)
{
    const struct cpu_group *gold;
    struct scenario_event *event;

    (void)state;
    make(1, 2);
    add_group("gold", SCENARIO_FRACTION_ONE, 0);
    config.vms[0].group = "gold";
    event = script_at(&config, 30 * MS);
    event->set.group = "gold";
    event->set.cap = SCENARIO_FRACTION_ONE / 8;
    event->set.lps = lps(0x2);
    event = script_at(&config, 50 * MS);
    event->set.vm = "vm0";
    event->set.group = SCENARIO_NO_GROUP;
    run(SIM_OK);
    assert_null(partition_of(0)->sched.group);
    gold = cpu_group_find(host.machine->hv, 1);
    assert_int_equal(gold->cap, SCENARIO_FRACTION_ONE / 8);
    assert_int_equal(gold->lps.words[0], 0x2);
    /* Two LPs for 40 ms of 60, less what the start takes, and an eighth of one
     * for 20 ms. */
    assert_true(run_share("vm0:Hv VP 0") + run_share("vm0:Hv VP 1") > 125);
    assert_true(run_share("vm0:Hv VP 0") + run_share("vm0:Hv VP 1") < 138);
}

static void
a_vm_is_off_until_it_is_started_and_after_it_is_stopped(void **state)
{
    (void)state;
    make(1, 1);
    script_at(&config, 20 * MS)->start = "vm0";
    script_at(&config, 40 * MS)->stop = "vm0";
    run(SIM_OK);
    assert_true(run_share("vm0:Hv VP 0") > 10);
    assert_int_equal(vmms_state(host.machine->vmms, 0), VM_OFF);
    /* There is nothing left to run for. */
    assert_true(machine_now_ns(host.machine) < 45 * MS);
}

static void a_run_waits_for_a_start_that_is_to_come(void **state)
{
    (void)state;
    make(1, 1);
    script_at(&config, 20 * MS)->stop = "vm0";
    script_at(&config, 50 * MS)->start = "vm0";
    run(SIM_OK);
    assert_int_equal(vmms_state(host.machine->vmms, 0), VM_RUNNING);
    assert_int_equal(machine_now_ns(host.machine), 60 * MS);
    assert_int_equal(starts(), 2);
}

/* Off for 10 ms of 60, and started twice. */
static void a_vm_that_starts_again_has_the_counters_that_it_had(void **state)
{
    double once;
    double both;

    (void)state;
    make(1, 2);
    run(SIM_OK);
    once = run_share("vm0:Hv VP 1");
    script_host_destroy(&host);

    make(1, 2);
    script_at(&config, 20 * MS)->stop = "vm0";
    script_at(&config, 30 * MS)->start = "vm0";
    run(SIM_OK);
    assert_int_equal(starts(), 2);
    assert_true(run_share("vm0:Hv VP 1") < once - 100.0 / 6);
    assert_true(run_share("vm0:Hv VP 1") > once - 2 * 100.0 / 6);
    /* There are two VPs, and not four. */
    both = run_share("vm0:Hv VP 0") + run_share("vm0:Hv VP 1");
    assert_true(run_share("_Total") > both / 2 - 1e-9);
    assert_true(run_share("_Total") < both / 2 + 1e-9);
}

static void a_vm_is_started_as_soon_as_it_is_off(void **state)
{
    (void)state;
    make(1, 1);
    script_at(&config, 20 * MS)->stop = "vm0";
    script_at(&config, 20 * MS + 1000)->start = "vm0";
    run(SIM_OK);
    assert_int_equal(vmms_state(host.machine->vmms, 0), VM_RUNNING);
    assert_int_equal(starts(), 2);
}

static void
a_stop_takes_back_a_start_that_waits_for_the_vm_to_be_off(void **state)
{
    (void)state;
    make(1, 1);
    script_at(&config, 20 * MS)->stop = "vm0";
    script_at(&config, 20 * MS + 1000)->start = "vm0";
    script_at(&config, 20 * MS + 2000)->stop = "vm0";
    run(SIM_OK);
    assert_int_equal(vmms_state(host.machine->vmms, 0), VM_OFF);
    /* There is nothing left to run for. */
    assert_true(machine_now_ns(host.machine) < 25 * MS);
}

static void what_is_set_of_a_vm_that_is_off_holds_at_its_start(void **state)
{
    (void)state;
    make(1, 1);
    config.at_count = 0;
    script_at(&config, 10 * MS)->set.vm = "vm0";
    config.at[0].set.limit = SCENARIO_FRACTION_ONE / 2;
    script_at(&config, 20 * MS)->start = "vm0";
    run(SIM_OK);
    assert_int_equal(partition_of(0)->sched.cap, SCENARIO_FRACTION_ONE / 2);
    assert_true(run_share("vm0:Hv VP 0") < 36);
}

#define MSR_X2APIC_ICR 0x830u
#define ICR_INIT 0x4500u
#define ICR_STARTUP 0x4600u

/* A VM of one VP gets another at 10 ms, which it starts 20 ms after its own
 * start, as a guest does that has learnt of it. */
static void make_growing(void)
{
    struct script *first = &config.vms[0].script[0];

    make(1, 2);
    config.vms[0].vps_at_first = 1;
    first->count = 0;
    script_begin(first, 0, 1);
    script_add(first, SCRIPT_RUN, 20 * MS, 0, 0);
    script_add(first, SCRIPT_WRMSR, MSR_X2APIC_ICR, ICR_INIT, 1);
    script_add(first, SCRIPT_WRMSR, MSR_X2APIC_ICR,
               ICR_STARTUP | ((SCRIPT_ENTRY >> PAGE_SHIFT) + 1), 1);
    script_sleep(first);
    script_at(&config, 10 * MS)->add_vps.vm = "vm0";
    config.at[0].add_vps.count = 1;
}

static void a_vp_that_is_added_runs_when_its_guest_starts_it(void **state)
{
    (void)state;
    make_growing();
    run(SIM_OK);
    assert_int_equal(partition_of(0)->vp_count, 2);
    assert_true(run_share("vm0:Hv VP 1") > 50);
}

static void vps_stay_added_when_their_vm_starts_again(void **state)
{
    (void)state;
    make_growing();
    script_at(&config, 12 * MS)->stop = "vm0";
    script_at(&config, 14 * MS)->start = "vm0";
    run(SIM_OK);
    assert_int_equal(partition_of(0)->vp_count, 2);
    assert_int_equal(vmms_state(host.machine->vmms, 0), VM_RUNNING);
    assert_int_equal(starts(), 2);
}

/* At any moment: the VP is there at the next start, or who wanted it is told
 * that it is not. */
static void
a_vm_stopped_while_it_gets_vps_has_them_at_its_next_start_or_says_no(
    void **state)
{
    unsigned there = 0;
    unsigned refused = 0;

    (void)state;
    for (uint64_t later = 0; later < 3 * MS; later += 180013) {
        make_growing();
        script_at(&config, 10 * MS + later)->stop = "vm0";
        script_at(&config, 14 * MS)->start = "vm0";
        script_host_create(&host, &config);
        if (script_host_run(&host) == SIM_OK) {
            assert_int_equal(partition_of(0)->vp_count, 2);
            assert_true(run_share("vm0:Hv VP 1") > 0);
            there++;
        } else {
            assert_non_null(strstr(host.error.message, "cannot add VPs"));
            assert_int_equal(partition_of(0)->vp_count, 1);
            refused++;
        }
        script_host_destroy(&host);
    }
    assert_true(there > 0 && refused > 0);
    make_growing();
    run(SIM_OK);
}

/* Of what the hypervisor's memory is lent for a VP, none is lost. */
static void vps_that_were_added_leave_nothing_when_their_vm_is_off(void **state)
{
    uint64_t free_bytes;

    (void)state;
    make_growing();
    script_at(&config, 30 * MS)->stop = "vm0";
    script_host_create(&host, &config);
    free_bytes = root_memory_free_bytes(host.machine->root->memory);
    assert_int_equal(script_host_run(&host), SIM_OK);
    assert_int_equal(vmms_state(host.machine->vmms, 0), VM_OFF);
    assert_int_equal(root_memory_free_bytes(host.machine->root->memory),
                     free_bytes);
}

static void vps_cannot_be_added_to_a_vm_that_is_off(void **state)
{
    (void)state;
    make_growing();
    config.at_count = 0;
    script_at(&config, 5 * MS)->stop = "vm0";
    script_at(&config, 20 * MS)->add_vps.vm = "vm0";
    config.at[1].add_vps.count = 1;
    script_at(&config, 30 * MS)->start = "vm0";
    run(SIM_RUN_FAILED);
    assert_string_equal(host.error.message,
                        "VM \"vm0\": script.yaml:1:1: at[0]: cannot add VPs: "
                        "it does not run");
}

/* The reader refuses it; so does the hypervisor, should it get that far. */
static void what_is_refused_fails_the_run_with_its_place(void **state)
{
    (void)state;
    make(1, 1);
    script_at(&config, 10 * MS)->set.vm = "vm0";
    config.at[0].set.reserve = 100;
    run(SIM_RUN_FAILED);
    assert_string_equal(host.error.message,
                        "VM \"vm0\": script.yaml:1:1: at[0]: cannot set its "
                        "reserve: HV_STATUS_OPERATION_DENIED");
    assert_int_equal(vmms_state(host.machine->vmms, 0), VM_RUNNING);
}

static void a_group_left_without_an_lp_fails_the_run(void **state)
{
    (void)state;
    make(1, 1);
    add_group("gold", SCENARIO_FRACTION_ONE, 0);
    config.vms[0].group = "gold";
    config.vms[0].affinity = lps(0x2);
    script_at(&config, 10 * MS)->set.group = "gold";
    config.at[0].set.lps = lps(0x4);
    run(SIM_RUN_FAILED);
    assert_string_equal(host.error.message,
                        "script.yaml:1:1: at[0]: cannot set the LPs of CPU "
                        "group 1: HV_STATUS_INVALID_PARAMETER");
}

/* The root needs some microseconds for it. */
static void what_the_root_does_not_come_to_fails_the_run(void **state)
{
    (void)state;
    make(1, 1);
    script_at(&config, config.duration_ns - 100)->set.vm = "vm0";
    config.at[0].set.limit = SCENARIO_FRACTION_ONE / 4;
    run(SIM_RUN_FAILED);
    assert_string_equal(host.error.message,
                        "VM \"vm0\": script.yaml:1:1: at[0]: the run has ended "
                        "before the root had the time to do it");
}

static void
what_the_root_does_not_come_to_for_a_group_fails_the_run(void **state)
{
    (void)state;
    make(1, 1);
    add_group("gold", SCENARIO_FRACTION_ONE, 0);
    config.vms[0].group = "gold";
    script_at(&config, config.duration_ns - 100)->set.group = "gold";
    config.at[0].set.cap = SCENARIO_FRACTION_ONE / 4;
    run(SIM_RUN_FAILED);
    assert_string_equal(host.error.message,
                        "script.yaml:1:1: at[0]: the run has ended before the "
                        "root had the time to do it");
}

#define TEST(name) cmocka_unit_test_teardown(name, destroy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_vm_stays_on_the_lps_of_its_affinity),
        TEST(a_vm_is_in_its_group_from_its_start_on),
        TEST(a_limit_holds_from_its_time_on),
        TEST(reserve_and_limit_are_raised_and_lowered_together),
        TEST(a_vm_moves_to_a_group_of_other_lps_in_one_step),
        TEST(a_groups_cap_and_lps_change_while_its_vms_run),
        TEST(a_vm_is_off_until_it_is_started_and_after_it_is_stopped),
        TEST(a_run_waits_for_a_start_that_is_to_come),
        TEST(a_vm_that_starts_again_has_the_counters_that_it_had),
        TEST(a_vm_is_started_as_soon_as_it_is_off),
        TEST(a_stop_takes_back_a_start_that_waits_for_the_vm_to_be_off),
        TEST(what_is_set_of_a_vm_that_is_off_holds_at_its_start),
        TEST(a_vp_that_is_added_runs_when_its_guest_starts_it),
        TEST(vps_stay_added_when_their_vm_starts_again),
        TEST(
            a_vm_stopped_while_it_gets_vps_has_them_at_its_next_start_or_says_no),
        TEST(vps_that_were_added_leave_nothing_when_their_vm_is_off),
        TEST(vps_cannot_be_added_to_a_vm_that_is_off),
        TEST(what_is_refused_fails_the_run_with_its_place),
        TEST(a_group_left_without_an_lp_fails_the_run),
        TEST(what_the_root_does_not_come_to_fails_the_run),
        TEST(what_the_root_does_not_come_to_for_a_group_fails_the_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
