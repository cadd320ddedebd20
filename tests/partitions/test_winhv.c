/* SPDX-License-Identifier: GPL-2.0-or-later */
/** WinHv's wrappers against the hypervisor that they call. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hypervisor/hypercall_abi.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "hypervisor/vp_registers.h"
#include "sim/machine/ledger.h"
#include "tests/partitions/root_host.h"

#define DEPOSITED 16
#define GUEST_BYTES (UINT64_C(2) << 20)

static struct root_host host;
static struct winhv winhv;

typedef void call_fn(struct hv_context *context);

static void make_calls(struct root_job *job, struct hv_context *context,
                       unsigned step)
{
    call_fn *const *calls = job->context;

    (void)step;
    (*calls)(context);
}

/* Runs `calls` as a step of a root thread. */
static void on_root(call_fn *calls)
{
    struct root_job job =
        root_job('w', 1, COST_VMWP_COMPLETE, make_calls, &calls);
    struct script_config config;
    struct sim_error error;

    script_config_init(&config);
    root_host_create(&host, &config);
    assert_int_equal(winhv_init(&winhv, host.root, &error), SIM_OK);
    root_host_add(&host, &job);
    root_host_wake(&host, &job);
    root_host_run(&host);
    assert_int_equal(job.runs, 1);
}

static int destroy(void **state)
{
    (void)state;
    root_host_destroy(&host);
    return 0;
}

static spa_t page(void)
{
    spa_t at;

    assert_true(root_memory_take_page(host.root->memory, 0, &at));
    return at;
}

static spa_t block(void)
{
    spa_t at;

    assert_true(root_memory_take_block(host.root->memory, 0, &at));
    return at;
}

static partition_id_t new_partition(struct hv_context *context)
{
    spa_t pages[DEPOSITED];
    partition_id_t id;
    uint32_t done;

    assert_int_equal(winhv_create_partition(&winhv, context, &id),
                     HV_STATUS_SUCCESS);
    for (unsigned i = 0; i < DEPOSITED; i++)
        pages[i] = page();
    assert_int_equal(
        winhv_deposit_memory(&winhv, context, id, pages, DEPOSITED, &done),
        HV_STATUS_SUCCESS);
    assert_int_equal(done, DEPOSITED);
    assert_int_equal(winhv_initialize_partition(&winhv, context, id),
                     HV_STATUS_SUCCESS);
    return id;
}

/* With 2 MiB at GPA 0, which lie at `memory`, and VP 0. */
static partition_id_t new_guest(struct hv_context *context, spa_t *memory)
{
    partition_id_t id = new_partition(context);
    uint32_t done;

    *memory = block();
    assert_int_equal(
        winhv_map_pages(&winhv, context, id, gpa(0), memory, 1, true, &done),
        HV_STATUS_SUCCESS);
    assert_int_equal(done, 1);
    assert_int_equal(winhv_create_vp(&winhv, context, id, 0, 0),
                     HV_STATUS_SUCCESS);
    return id;
}

static void call_through_a_life(struct hv_context *context)
{
    partition_id_t id;
    spa_t pages[WINHV_LIST_MAX], memory;
    uint32_t count = WINHV_LIST_MAX;
    uint32_t partitions = context->hv->partition_count;

    id = new_guest(context, &memory);
    assert_int_equal(context->hv->partition_count, partitions + 1);
    assert_int_equal(winhv_delete_partition(&winhv, context, id),
                     HV_STATUS_INVALID_PARTITION_STATE);
    assert_int_equal(winhv_delete_vp(&winhv, context, id, 0),
                     HV_STATUS_SUCCESS);
    assert_int_equal(winhv_delete_vp(&winhv, context, id, 0),
                     HV_STATUS_INVALID_VP_INDEX);
    assert_int_equal(winhv_finalize_partition(&winhv, context, id),
                     HV_STATUS_SUCCESS);
    assert_int_equal(winhv_delete_partition(&winhv, context, id),
                     HV_STATUS_OPERATION_DENIED); /* it has memory */
    /* Fewer than were asked for: that is how the last ones are known. */
    assert_int_equal(winhv_withdraw_memory(&winhv, context, id, pages, &count),
                     HV_STATUS_NO_RESOURCES);
    assert_int_equal(count, DEPOSITED);
    assert_int_equal(winhv_delete_partition(&winhv, context, id),
                     HV_STATUS_SUCCESS);
    assert_int_equal(winhv_delete_partition(&winhv, context, id),
                     HV_STATUS_INVALID_PARTITION_ID);
    assert_int_equal(context->hv->partition_count, partitions);
}

static void call_for_groups(struct hv_context *context)
{
    struct hypervisor *hv = context->hv;
    struct lp_set one = {0};
    cycles_t began = context->now;
    spa_t memory;
    partition_id_t id = new_guest(context, &memory);
    struct hv_vp *vp =
        vp_find(hypervisor_find_partition(hv, id), (vp_index_t){0});

    lp_set_add(&one, 1);
    assert_int_equal(winhv_set_cpu_group_cap(&winhv, context, 7, 0x8000),
                     HV_STATUS_INVALID_CPU_GROUP_ID);
    assert_int_equal(winhv_create_cpu_group(&winhv, context, 7),
                     HV_STATUS_SUCCESS);
    assert_int_equal(winhv_create_cpu_group(&winhv, context, 7),
                     HV_STATUS_INVALID_CPU_GROUP_ID);
    assert_int_equal(winhv_set_cpu_group_cap(&winhv, context, 7, 0x8000),
                     HV_STATUS_SUCCESS);
    assert_int_equal(winhv_set_cpu_group_lps(&winhv, context, 7, &one),
                     HV_STATUS_SUCCESS);
    assert_int_equal(winhv_set_property(&winhv, context, id,
                                        PARTITION_PROPERTY_CPU_GROUP_ID, 7),
                     HV_STATUS_SUCCESS);
    assert_int_equal(lp_set_next(&vp->sched.allowed, 0), 1);
    assert_int_equal(winhv_delete_cpu_group(&winhv, context, 7),
                     HV_STATUS_INVALID_CPU_GROUP_STATE);
    assert_int_equal(winhv_set_property(&winhv, context, id,
                                        PARTITION_PROPERTY_CPU_GROUP_ID, 0),
                     HV_STATUS_SUCCESS);
    assert_int_equal(lp_set_count(&vp->sched.allowed), 2);
    assert_int_equal(winhv_set_affinity(&winhv, context, id, &one),
                     HV_STATUS_SUCCESS);
    assert_int_equal(lp_set_next(&vp->sched.allowed, 0), 1);
    assert_int_equal(winhv_delete_cpu_group(&winhv, context, 7),
                     HV_STATUS_SUCCESS);
    assert_true(cycles_before(began, context->now)); /* it has its price */
}

static void groups_and_affinity_are_the_roots_to_set(void **state)
{
    (void)state;
    on_root(call_for_groups);
}

static void a_partition_goes_through_its_life(void **state)
{
    (void)state;
    on_root(call_through_a_life);
}

static void call_for_memory(struct hv_context *context)
{
    partition_id_t id;
    spa_t pages[3];
    uint32_t done = 99;

    assert_int_equal(winhv_create_partition(&winhv, context, &id),
                     HV_STATUS_SUCCESS);
    assert_int_equal(winhv_initialize_partition(&winhv, context, id),
                     HV_STATUS_INSUFFICIENT_MEMORY);
    pages[0] = page();
    pages[1] = page();
    pages[2] = pages[0]; /* is the hypervisor's by then */
    assert_int_not_equal(
        winhv_deposit_memory(&winhv, context, id, pages, 3, &done),
        HV_STATUS_SUCCESS);
    assert_int_equal(done, 2);
    assert_int_equal(winhv_deposit_memory(&winhv, context,
                                          (partition_id_t){12345}, pages, 1,
                                          &done),
                     HV_STATUS_INVALID_PARTITION_ID);
    assert_int_equal(done, 0);
}

static void a_deposit_says_how_many_pages_it_took(void **state)
{
    (void)state;
    on_root(call_for_memory);
}

static void call_for_mappings(struct hv_context *context)
{
    partition_id_t id = new_partition(context);
    spa_t pages[3] = {page(), page(), spa(UINT64_C(1) << 40)};
    uint32_t done = 99;

    assert_int_not_equal(winhv_map_pages(&winhv, context, id, gpa(0x10000),
                                         pages, 3, false, &done),
                         HV_STATUS_SUCCESS);
    assert_int_equal(done, 2);
    assert_int_not_equal(winhv_map_pages(&winhv, context, id, gpa(0x1000),
                                         pages, 1, true, &done),
                         HV_STATUS_SUCCESS);
    assert_int_equal(done, 0);
}

static void a_mapping_says_how_many_pages_it_mapped(void **state)
{
    (void)state;
    on_root(call_for_mappings);
}

static void call_for_vps(struct hv_context *context)
{
    spa_t memory;
    partition_id_t id = new_guest(context, &memory);

    assert_int_equal(winhv_create_vp(&winhv, context, id, 0, 0),
                     HV_STATUS_INVALID_VP_INDEX);
    assert_int_equal(winhv_create_vp(&winhv, context, id, 100000, 0),
                     HV_STATUS_INVALID_VP_INDEX);
    /* For want of a node 77. */
    assert_int_not_equal(winhv_create_vp(&winhv, context, id, 1, 77),
                         HV_STATUS_SUCCESS);
    assert_int_equal(winhv_set_property(&winhv, context, id,
                                        PARTITION_PROPERTY_CPU_WEIGHT, 0),
                     HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE);
    assert_int_equal(winhv_set_property(&winhv, context, id, 0x7777, 0),
                     HV_STATUS_UNKNOWN_PROPERTY);
    assert_int_equal(winhv_install_intercept(&winhv, context, id, 99, 3, 0x3f8),
                     HV_STATUS_INVALID_PARAMETER);
}

static void what_the_hypervisor_refuses_comes_back_as_its_status(void **state)
{
    (void)state;
    on_root(call_for_vps);
}

static void call_for_registers(struct hv_context *context)
{
    const struct winhv_register values[] = {
        {HV_REGISTER_RAX, {0x1111, 0}},
        {HV_REGISTER_IDTR, {UINT64_C(0x0fff) << 48, 0x7000}},
        {0x7fffffff, {0, 0}},
        {HV_REGISTER_RIP, {0x2222, 0}},
    };
    struct winhv_register r = {.name = HV_REGISTER_RAX};
    spa_t memory;
    partition_id_t id = new_guest(context, &memory);

    /* In order, up to the one that there is not. */
    assert_int_equal(winhv_set_registers(&winhv, context, id, 0, values, 4),
                     HV_STATUS_UNKNOWN_REGISTER);
    assert_int_equal(winhv_get_register(&winhv, context, id, 0, &r),
                     HV_STATUS_SUCCESS);
    assert_true(r.value[0] == 0x1111 && r.value[1] == 0);
    r.name = HV_REGISTER_IDTR;
    assert_int_equal(winhv_get_register(&winhv, context, id, 0, &r),
                     HV_STATUS_SUCCESS);
    assert_true(r.value[0] >> 48 == 0x0fff && r.value[1] == 0x7000);
    r.name = HV_REGISTER_RIP;
    assert_int_equal(winhv_get_register(&winhv, context, id, 0, &r),
                     HV_STATUS_SUCCESS);
    assert_true(r.value[0] != 0x2222);
    r = (struct winhv_register){.name = 0x7fffffff, .value = {5, 6}};
    assert_int_equal(winhv_get_register(&winhv, context, id, 0, &r),
                     HV_STATUS_UNKNOWN_REGISTER);
    assert_true(r.value[0] == 5 && r.value[1] == 6);
    assert_int_equal(winhv_get_register(&winhv, context, id, 9, &r),
                     HV_STATUS_INVALID_VP_INDEX);
}

static void registers_are_set_in_order_and_read_back(void **state)
{
    (void)state;
    on_root(call_for_registers);
}

static void call_for_guest_memory(struct hv_context *context)
{
    char bytes[16] = "sixteen letters";
    spa_t memory;
    partition_id_t id = new_guest(context, &memory);
    struct arena *arena = context->hv->arena;
    gpa_t where;

    assert_true(
        winhv_access_gpa(&winhv, context, id, 0, gpa(0x1ff0), true, bytes, 16));
    memset(bytes, 0, sizeof(bytes));
    arena_read(arena, spa_add(memory, 0x1ff0), bytes, 16);
    assert_string_equal(bytes, "sixteen letters");
    memset(bytes, 0, sizeof(bytes));
    assert_true(
        winhv_access_gpa(&winhv, context, id, 0, gpa(0x1ff0), false, bytes, 7));
    assert_string_equal(bytes, "sixteen");
    /* Not across a page's end, not where nothing is, not nothing. */
    assert_false(winhv_access_gpa(&winhv, context, id, 0, gpa(0x1ff1), false,
                                  bytes, 16));
    assert_false(winhv_access_gpa(&winhv, context, id, 0, gpa(GUEST_BYTES),
                                  true, bytes, 1));
    assert_false(
        winhv_access_gpa(&winhv, context, id, 0, gpa(0), false, bytes, 0));
    /* Without paging an address is what it is. */
    assert_int_equal(
        winhv_translate(&winhv, context, id, 0, gva(0x5678), true, &where),
        HV_TRANSLATE_SUCCESS);
    assert_true(where.raw == 0x5000);
    assert_int_equal(winhv_translate(&winhv, context, id, 0, gva(GUEST_BYTES),
                                     false, &where),
                     HV_TRANSLATE_GPA_UNMAPPED);
    assert_int_equal(winhv_translate(&winhv, context, (partition_id_t){12345},
                                     0, gva(0), false, &where),
                     HV_TRANSLATE_GPA_UNMAPPED);
}

static void guest_memory_is_reached_by_address(void **state)
{
    (void)state;
    on_root(call_for_guest_memory);
}

static void call_once(struct hv_context *context)
{
    partition_id_t id;
    cycles_t before = context->now;

    assert_int_equal(winhv_create_partition(&winhv, context, &id),
                     HV_STATUS_SUCCESS);
    assert_true(cycles_before(before, context->now));
}

static void a_call_takes_its_time_and_is_counted(void **state)
{
    (void)state;
    on_root(call_once);
    assert_int_equal(ledger_kind(host.machine->ledger, COST_WINHV_CALL), 1);
    assert_int_equal(ledger_kind(host.machine->ledger, COST_HYPERCALL_BODY), 1);
    assert_true(fake_results_total(&host.script.results, PC_OBJECT_ROOT_VP,
                                   "Root VP 0", "Hypercalls/sec") > 0);
}

/* Ports: the root sends to itself. */

#define MESSAGE_PORT 5
#define EVENT_PORT 6
#define MESSAGE_CONNECTION 7
#define EVENT_CONNECTION 8
#define FLAGS_BASE 0x140
#define FLAG 3

static const char text[] = "a message";

/* What the root has heard at SINT 2. */
static struct {
    unsigned interrupts;
    uint8_t message[ROOT_MESSAGE_BYTES];
    bool has_message;
    uint64_t flags[ROOT_EVENT_WORDS];
} heard;

static uint32_t hear(void *context, struct hv_context *hv_context, uint32_t vp)
{
    (void)context;
    heard.interrupts++;
    heard.has_message =
        root_take_message(host.root, hv_context, vp, heard.message);
    root_read_event_flags(host.root, vp, heard.flags);
    root_clear_event_flag(host.root, vp, FLAGS_BASE + FLAG);
    return 2;
}

static void make_ports(struct hv_context *context)
{
    const struct hv_port_info message = {
        .type = HV_PORT_MESSAGE, .sint = ROOT_VMBUS_SINT, .vp = 0};
    const struct hv_port_info event = {.type = HV_PORT_EVENT,
                                       .sint = ROOT_VMBUS_SINT,
                                       .vp = 0,
                                       .base_flag = FLAGS_BASE,
                                       .flag_count = FLAG + 1};
    partition_id_t root = context->hv->root->id;

    assert_int_equal(
        winhv_create_port(&winhv, context, root, MESSAGE_PORT, root, &message),
        HV_STATUS_SUCCESS);
    assert_int_equal(
        winhv_create_port(&winhv, context, root, MESSAGE_PORT, root, &message),
        HV_STATUS_INVALID_PORT_ID);
    assert_int_equal(
        winhv_create_port(&winhv, context, root, EVENT_PORT, root, &event),
        HV_STATUS_SUCCESS);
    assert_int_equal(winhv_connect_port(&winhv, context, root,
                                        MESSAGE_CONNECTION, root, MESSAGE_PORT,
                                        HV_PORT_MESSAGE),
                     HV_STATUS_SUCCESS);
    assert_int_equal(winhv_connect_port(&winhv, context, root, EVENT_CONNECTION,
                                        root, EVENT_PORT, HV_PORT_EVENT),
                     HV_STATUS_SUCCESS);
}

static void send_through_ports(struct hv_context *context)
{
    partition_id_t root = context->hv->root->id;

    root_set_vmbus_handler(host.root, hear, NULL);
    make_ports(context);
    assert_int_equal(winhv_post_message(&winhv, context, MESSAGE_CONNECTION, 1,
                                        text, sizeof(text)),
                     HV_STATUS_SUCCESS);
    assert_int_equal(
        winhv_signal_event(&winhv, context, EVENT_CONNECTION, FLAG + 1),
        HV_STATUS_INVALID_PARAMETER);
    assert_int_equal(
        winhv_signal_event(&winhv, context, EVENT_CONNECTION, FLAG),
        HV_STATUS_SUCCESS);
    assert_int_equal(winhv_delete_port(&winhv, context, root, EVENT_PORT),
                     HV_STATUS_SUCCESS);
    assert_int_equal(
        winhv_signal_event(&winhv, context, EVENT_CONNECTION, FLAG),
        HV_STATUS_INVALID_PORT_ID);
    assert_int_equal(
        winhv_disconnect_port(&winhv, context, root, EVENT_CONNECTION),
        HV_STATUS_SUCCESS);
    assert_int_equal(
        winhv_signal_event(&winhv, context, EVENT_CONNECTION, FLAG),
        HV_STATUS_INVALID_CONNECTION_ID);
}

static void what_is_sent_through_ports_interrupts_the_root(void **state)
{
    const uint32_t flag = FLAGS_BASE + FLAG;

    (void)state;
    memset(&heard, 0, sizeof(heard));
    on_root(send_through_ports);
    assert_int_equal(heard.interrupts, 1); /* for both: the root was busy */
    assert_true(heard.has_message);
    assert_int_equal(heard.message[0], 1);
    assert_int_equal(heard.message[8], MESSAGE_PORT);
    assert_string_equal((const char *)heard.message + 16, text);
    for (uint32_t word = 0; word < ROOT_EVENT_WORDS; word++)
        assert_int_equal(heard.flags[word],
                         word == flag / 64 ? UINT64_C(1) << flag % 64 : 0);
    root_read_event_flags(host.root, 0, heard.flags);
    assert_int_equal(heard.flags[flag / 64], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_partition_goes_through_its_life, destroy),
        cmocka_unit_test_teardown(groups_and_affinity_are_the_roots_to_set,
                                  destroy),
        cmocka_unit_test_teardown(a_deposit_says_how_many_pages_it_took,
                                  destroy),
        cmocka_unit_test_teardown(a_mapping_says_how_many_pages_it_mapped,
                                  destroy),
        cmocka_unit_test_teardown(
            what_the_hypervisor_refuses_comes_back_as_its_status, destroy),
        cmocka_unit_test_teardown(registers_are_set_in_order_and_read_back,
                                  destroy),
        cmocka_unit_test_teardown(guest_memory_is_reached_by_address, destroy),
        cmocka_unit_test_teardown(
            what_is_sent_through_ports_interrupts_the_root, destroy),
        cmocka_unit_test_teardown(a_call_takes_its_time_and_is_counted,
                                  destroy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
