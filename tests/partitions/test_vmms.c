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

/* A VM whose VPs are promised so much each, and do nothing. */
static void add_sleepers(uint32_t number, uint32_t vps, uint32_t reserve)
{
    for (uint32_t vp = 0; vp < vps; vp++) {
        script_begin(&host.scripts[number].script[vp], vp, vps);
        script_sleep(&host.scripts[number].script[vp]);
    }
    host.scripts[number].reserve = reserve;
    vm_host_add(&host, vps, 4 * MIB);
}

static void add_sleeper(uint32_t number, uint32_t reserve)
{
    add_sleepers(number, 2, reserve);
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

/* With a policy that heeds reserves. */
static void build_classic(uint32_t lps, uint32_t root_vps)
{
    script_config_init(&config);
    config.lps = lps;
    config.root_vps = root_vps;
    config.duration_ns = 60 * MS;
    config.scheduler = "classic";
    vm_host_create(&host, &config);
}

/* Two LPs: 1.5 are promised, then 0.5 more. */
static void a_vm_whose_reserve_cannot_be_promised_does_not_start(void **state)
{
    (void)state;
    build_classic(2, 1);
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
    assert_string_equal(host.failure[1],
                        "its reserve cannot be promised: 1 x 50.00 % ask for "
                        "0.501 LPs, and 0.500 of 2 are left");
    assert_string_equal(host.states[1], "starting stopping failed ");
    assert_string_equal(host.states[2], "starting running ");
    assert_string_equal(host.console[2], "yes");
}

static void a_vm_with_more_vps_than_lps_is_promised_nothing(void **state)
{
    (void)state;
    build_classic(2, 1);
    add_sleepers(0, 1, 0x10000);
    add_sleepers(1, 3, 0x10000);
    vm_host_order(&host, 1, 0, true);
    vm_host_order(&host, 20 * MS, 1, true);
    vm_host_run(&host);
    assert_string_equal(host.states[0], "starting running ");
    assert_string_equal(host.states[1], "starting running ");
}

static void of_two_vms_that_start_at_once_one_gets_its_reserve(void **state)
{
    (void)state;
    build_classic(2, 2);
    for (uint32_t i = 0; i < 2; i++) {
        add_sleeper(i, 0xc000);
        vm_host_order(&host, 1, i, true);
    }
    vm_host_run(&host);
    assert_int_equal(host.failures, 1);
    for (uint32_t i = 0; i < 2; i++) {
        if (!host.failure[i][0]) {
            assert_string_equal(host.states[i], "starting running ");
            continue;
        }
        assert_string_equal(host.states[i], "starting stopping failed ");
        assert_string_equal(host.failure[i],
                            "its reserve cannot be promised: 2 x 75.00 % ask "
                            "for 1.500 LPs, and 0.500 of 2 are left");
    }
}

static void two_vms_on_lps_of_their_own_both_get_their_reserve(void **state)
{
    (void)state;
    build_classic(4, 2);
    for (uint32_t i = 0; i < 2; i++) {
        host.scripts[i].affinity.words[0] = UINT64_C(3) << 2 * i;
        add_sleeper(i, 0x10000);
        vm_host_order(&host, 1, i, true);
    }
    vm_host_run(&host);
    for (uint32_t i = 0; i < 2; i++) {
        assert_string_equal(host.failure[i], "");
        assert_string_equal(host.states[i], "starting running ");
    }
}

static void a_vm_that_powers_off_is_off(void **state)
{
    struct script *script = &host.scripts[0].script[0];

    (void)state;
    build(2, 1, 60 * MS);
    script_begin(script, 0, 1);
    script_print(script, "bye");
    script_add(script, SCRIPT_OUT, 0x404, 5 << 10 | 0x2000, 2);
    script_print(script, "never");
    script_sleep(script);
    vm_host_add(&host, 1, 4 * MIB);
    vm_host_order(&host, 1, 0, true);
    vm_host_run(&host);
    assert_string_equal(host.states[0], "starting running stopping off ");
    assert_string_equal(host.console[0], "bye");
    assert_int_equal(host.failures, 0);
    nothing_is_left();
}

/* Again and again, until it is turned off from outside. */
static void a_vm_that_resets_starts_again(void **state)
{
    static const char twice[] =
        "starting running stopping starting running stopping starting ";
    struct script *script = &host.scripts[0].script[0];

    (void)state;
    build(2, 1, 40 * MS);
    script_begin(script, 0, 1);
    script_print(script, "again ");
    script_add(script, SCRIPT_OUT, 0xcf9, 0x06, 1);
    script_sleep(script);
    vm_host_add(&host, 1, 4 * MIB);
    vm_host_order(&host, 1, 0, true);
    vm_host_order(&host, 20 * MS, 0, false);
    vm_host_run(&host);
    assert_memory_equal(host.states[0], twice, sizeof(twice) - 1);
    assert_memory_equal(host.console[0], "again again ", 12);
    assert_int_equal(vmms_state(host.vmms, 0), VM_OFF);
    assert_int_equal(host.failures, 0);
    nothing_is_left();
}

static void who_hears_of_a_state_may_ask_for_the_next_one(void **state)
{
    (void)state;
    build(2, 2, 60 * MS);
    host.off_when_running = host.start_when_off = true;
    add_printer(0, "hello");
    vm_host_order(&host, 1, 0, true);
    vm_host_run(&host);
    assert_string_equal(host.states[0], "starting running stopping off "
                                        "starting running stopping off ");
    nothing_is_left();
}

static void a_vm_in_no_state_for_it_is_left_alone(void **state)
{
    (void)state;
    build(2, 2, 60 * MS);
    add_printer(0, "hello");
    vm_host_order(&host, 1, 0, false);
    vm_host_order(&host, 2, 0, true);
    vm_host_order(&host, 3, 0, true);
    vm_host_order(&host, 20 * MS, 0, true);
    vm_host_order(&host, 30 * MS, 0, false);
    vm_host_order(&host, 30 * MS + 1, 0, false);
    vm_host_order(&host, 30 * MS + 2, 0, true);
    vm_host_order(&host, 50 * MS, 0, false);
    vm_host_run(&host);
    assert_string_equal(host.states[0], "starting running stopping off ");
    nothing_is_left();
}

/* At any moment of the start. */
static void a_start_under_way_is_turned_back(void **state)
{
    (void)state;
    for (uint64_t off = 10000; off < 3 * MS; off += 5021) {
        build(2, 2, 10 * MS);
        for (uint32_t vp = 0; vp < 4; vp++)
            host.scripts[0].script[vp].count = 0;
        add_chatter(0, 4);
        vm_host_order(&host, 1, 0, true);
        vm_host_order(&host, off, 0, false);
        vm_host_run(&host);
        assert_int_equal(vmms_state(host.vmms, 0), VM_OFF);
        assert_int_equal(host.failures, 0);
        nothing_is_left();
        destroy(NULL);
    }
    build(1, 1, 1 * MS);
}

/* At any moment of its intercepts; and the next start is a clean one. */
static void a_vm_is_turned_off_in_the_middle_of_its_intercepts(void **state)
{
    (void)state;
    for (uint64_t off = 5 * MS; off < 5 * MS + 40000; off += 777) {
        build(6, 2, 60 * MS);
        add_chatter(0, 4);
        add_printer(1, "another one is not disturbed");
        vm_host_order(&host, 1, 0, true);
        vm_host_order(&host, off, 0, false);
        vm_host_order(&host, off + 40 * MS, 0, true);
        vm_host_order(&host, off - 100000, 1, true);
        vm_host_run(&host);
        assert_int_equal(host.failures, 0);
        assert_string_equal(host.states[0],
                            "starting running stopping off starting running ");
        assert_string_equal(host.console[1], "another one is not disturbed");
        destroy(NULL);
    }
    build(1, 1, 1 * MS);
}

static void a_vm_without_enough_memory_fails_and_gives_back_all(void **state)
{
    (void)state;
    build(2, 2, 100 * MS);
    add_printer(0, "small");
    vm_host_add(&host, 1, 256 * MIB);
    vm_host_order(&host, 1, 1, true);
    vm_host_order(&host, 40 * MS, 0, true);
    vm_host_order(&host, 60 * MS, 1, true);
    vm_host_order(&host, 60 * MS, 0, false);
    vm_host_run(&host);
    assert_string_equal(host.states[1], "starting stopping failed ");
    assert_non_null(strstr(host.failure[1], "not enough memory: "));
    assert_non_null(strstr(host.failure[1], " of 256 MiB could be had"));
    assert_int_equal(host.failures, 1);
    assert_string_equal(host.console[0], "small");
    nothing_is_left();
}

static uint64_t root_hypercalls(const char *counter)
{
    double rate = fake_results_total(&host.root.script.results,
                                     PC_OBJECT_ROOT_VP, "Root VP 0", counter);
    double count =
        rate * (double)machine_now_ns(host.root.machine) / 1000000000.0;

    return (uint64_t)(count + 0.5);
}

/* Of a guest with `vps` VPs: two pages and their tables of its own, three of
 * each VP. */
static uint64_t overlay_pages(uint64_t vps)
{
    return 2 * (2 + 3 * vps);
}

static uint64_t pages_available(uint32_t vm)
{
    const struct hypervisor *hv = host.root.machine->hv;

    for (uint32_t i = 0; i < hv->partition_count; i++) {
        if (hv->partitions[i]->id.v == vmms_partition(host.vmms, vm).v)
            return memory_pool_available(hv->partitions[i]->pool);
    }
    return 0;
}

/* What an MSR write needs, nobody can be asked for when it comes. */
static void
a_guest_has_pages_for_all_that_it_may_lay_over_its_memory(void **state)
{
    static const uint32_t vps[] = {1, 2, 8, 63, 64};

    (void)state;
    for (size_t i = 0; i < sizeof(vps) / sizeof(vps[0]); i++) {
        build(1, 1, 100 * MS);
        script_sleep(&host.scripts[0].script[0]);
        vm_host_add(&host, vps[i], 4 * MIB);
        vm_host_order(&host, 1, 0, true);
        vm_host_run(&host);
        assert_string_equal(host.states[0], "starting running ");
        assert_true(pages_available(0) >= overlay_pages(vps[i]));
        destroy(NULL);
    }
    build(1, 1, 1 * MS);
}

static void a_vm_of_many_vps_gets_more_deposited(void **state)
{
    (void)state;
    build(1, 1, 100 * MS);
    add_printer(0, "x");
    script_sleep(&host.scripts[1].script[0]);
    vm_host_add(&host, 64, 4 * MIB);
    vm_host_order(&host, 1, 1, true);
    vm_host_order(&host, 80 * MS, 1, false);
    vm_host_run(&host);
    assert_string_equal(host.states[1], "starting running stopping off ");
    assert_true(root_hypercalls("Deposit Hypercalls/sec") >
                (64 + overlay_pages(64)) / 64);
    nothing_is_left();
}

/* Takes all but `blocks` and `pages` out of the root's allocator. */
static void leave_only(uint64_t blocks, uint64_t pages)
{
    struct root_memory *memory = host.root.root->memory;
    uint64_t wanted = blocks * 2 * MIB + pages * PAGE_BYTES;
    spa_t item;

    /* Breaks up one block. */
    assert_true(root_memory_take_page(memory, 0, &item));
    while (root_memory_free_bytes(memory) > wanted + 2 * MIB)
        assert_true(root_memory_take_block(memory, 0, &item));
    while (root_memory_free_bytes(memory) > wanted)
        assert_true(root_memory_take_page(memory, 0, &item));
    host.free_bytes = root_memory_free_bytes(memory);
}

static void a_vm_whose_vps_find_no_memory_fails(void **state)
{
    /* 64 for the VPs, and the tables of a VM that has two large pages. */
    const uint64_t needed = 64 + 3 + overlay_pages(64);

    (void)state;
    for (uint64_t pages = 0; pages < needed + 2;
         pages += pages < needed - 30 ? 29 : 1) {
        build(1, 1, 60 * MS);
        script_sleep(&host.scripts[0].script[0]);
        vm_host_add(&host, 64, 4 * MIB);
        leave_only(2, pages);
        vm_host_order(&host, 1, 0, true);
        vm_host_order(&host, 50 * MS, 0, false);
        vm_host_run(&host);
        if (pages < needed) {
            assert_string_equal(host.states[0], "starting stopping failed ");
            assert_non_null(strstr(host.failure[0], "memory"));
        } else {
            assert_string_equal(host.states[0],
                                "starting running stopping off ");
        }
        nothing_is_left();
        destroy(NULL);
    }
    build(1, 1, 1 * MS);
}

/* Then VMMS deposits for the root itself; those pages stay where they are. */
static void a_partition_is_created_when_the_roots_pool_is_empty(void **state)
{
    struct hypervisor *hv;
    spa_t page;

    (void)state;
    build(2, 2, 30 * MS);
    add_printer(0, "hello");
    hv = host.root.machine->hv;
    while (memory_pool_take(hv, hv->root->pool, &page))
        continue;
    vm_host_order(&host, 1, 0, true);
    vm_host_order(&host, 20 * MS, 0, false);
    vm_host_run(&host);
    assert_string_equal(host.failure[0], "");
    assert_string_equal(host.states[0], "starting running stopping off ");
    assert_string_equal(host.console[0], "hello");
    assert_true(vm_host_missing_bytes(&host) == 64 * PAGE_BYTES);
}

static void a_triple_fault_turns_the_vm_off(void **state)
{
    (void)state;
    build(4, 2, 30 * MS);
    script_add(&host.scripts[0].script[0], SCRIPT_TRIPLE_FAULT, 0, 0, 0);
    vm_host_add(&host, 2, 4 * MIB);
    vm_host_order(&host, 1, 0, true);
    vm_host_run(&host);
    assert_string_equal(host.failure[0], "triple fault");
    assert_int_equal(host.failures, 1);
    assert_int_equal(vmms_state(host.vmms, 0), VM_OFF);
    nothing_is_left();
}

/* VP 0 is gone before VMMS has let the others go. */
static void a_triple_fault_while_the_vm_starts_turns_it_off_too(void **state)
{
    (void)state;
    build(4, 2, 60 * MS);
    script_add(&host.scripts[0].script[0], SCRIPT_TRIPLE_FAULT, 0, 0, 0);
    vm_host_add(&host, 64, 4 * MIB);
    vm_host_order(&host, 1, 0, true);
    vm_host_run(&host);
    assert_string_equal(host.failure[0], "triple fault");
    assert_string_equal(host.states[0], "starting stopping off ");
    nothing_is_left();
}

static void vms_are_started_side_by_side(void **state)
{
    (void)state;
    build(4, 4, 30 * MS);
    for (uint32_t vm = 0; vm < VM_HOST_VMS_MAX; vm++) {
        add_printer(vm, "side by side");
        vm_host_order(&host, 1, vm, true);
        vm_host_order(&host, 20 * MS, vm, false);
    }
    vm_host_run(&host);
    for (uint32_t vm = 0; vm < VM_HOST_VMS_MAX; vm++) {
        assert_string_equal(host.states[vm], "starting running stopping off ");
        assert_string_equal(host.console[vm], "side by side");
    }
    nothing_is_left();
}

static void build_two_nodes(void)
{
    script_config_init(&config);
    config.nodes = 2;
    config.lps = config.root_vps = 2;
    config.duration_ns = 60 * MS;
    config.node_memory_bytes = 32 * MIB;
    vm_host_create(&host, &config);
}

static void vms_are_spread_over_the_nodes(void **state)
{
    unsigned on_second = 0;

    (void)state;
    build_two_nodes();
    for (uint32_t vm = 0; vm < VM_HOST_VMS_MAX; vm++) {
        add_printer(vm, "spread");
        vm_host_order(&host, 1, vm, true);
    }
    vm_host_run(&host);
    for (uint32_t i = 0; i < host.root.machine->hv->partition_count; i++) {
        const struct hv_partition *p = host.root.machine->hv->partitions[i];

        if (p != host.root.machine->hv->root)
            on_second += p->vps[0]->node;
    }
    assert_int_equal(on_second, 2);
}

static void a_vm_may_take_memory_of_several_nodes(void **state)
{
    (void)state;
    build_two_nodes();
    add_printer(0, "small");
    vm_host_add(&host, 1, 40 * MIB);
    vm_host_order(&host, 1, 0, true);
    vm_host_order(&host, 20 * MS, 1, true);
    vm_host_order(&host, 50 * MS, 1, false);
    vm_host_order(&host, 50 * MS, 0, false);
    vm_host_run(&host);
    assert_string_equal(host.states[1], "starting running stopping off ");
    nothing_is_left();
}

/* A VM that does nothing. */
static void add_idler(uint32_t number, uint32_t vps, uint64_t memory_bytes)
{
    script_begin(&host.scripts[number].script[0], 0, 1);
    script_sleep(&host.scripts[number].script[0]);
    vm_host_add(&host, vps, memory_bytes);
}

static void a_vm_that_may_not_span_nodes_must_fit_into_one(void **state)
{
    (void)state;
    build_two_nodes();
    host.one_node = true;
    add_idler(0, 1, 36 * MIB);
    add_idler(1, 3, 8 * MIB);
    add_idler(2, 2, 8 * MIB);
    for (uint32_t i = 0; i < 3; i++)
        vm_host_order(&host, 1 + i * MS, i, true);
    vm_host_run(&host);
    assert_string_equal(host.states[0], "starting stopping failed ");
    assert_non_null(
        strstr(host.failure[0], "36 MiB do not fit into NUMA node"));
    assert_non_null(strstr(host.failure[0], "it may not span nodes"));
    assert_string_equal(host.states[1], "starting stopping failed ");
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

/* What the first of them has not taken yet is promised where it will lie. */
static void two_vms_of_two_nodes_fit_side_by_side(void **state)
{
    (void)state;
    build_two_nodes();
    host.one_node = true;
    host.numa_nodes = 2;
    add_idler(0, 2, 20 * MIB);
    add_idler(1, 2, 20 * MIB);
    vm_host_order(&host, 1, 0, true);
    vm_host_order(&host, 1, 1, true);
    vm_host_run(&host);
    assert_string_equal(host.states[0], "starting running ");
    assert_string_equal(host.states[1], "starting running ");
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
            a_vm_with_more_vps_than_lps_is_promised_nothing, destroy),
        cmocka_unit_test_teardown(
            of_two_vms_that_start_at_once_one_gets_its_reserve, destroy),
        cmocka_unit_test_teardown(
            two_vms_on_lps_of_their_own_both_get_their_reserve, destroy),
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
        cmocka_unit_test_teardown(two_vms_of_two_nodes_fit_side_by_side,
                                  destroy),
        cmocka_unit_test_teardown(each_node_of_a_vm_is_on_a_node_of_the_host,
                                  destroy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
