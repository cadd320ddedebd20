/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The root's VMBus driver with guests that are scripts: what it makes for
 *  them, and that all of it goes with them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hypervisor/gpa_space.h"
#include "hypervisor/hypercall_abi.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "tests/partitions/vm_host.h"
#include "vmbus/vmbus_abi.h"

#define MIB (UINT64_C(1) << 20)
#define MS UINT64_C(1000000)

static struct script_config config;
static struct vm_host host;

static void build(uint64_t duration_ns)
{
    script_config_init(&config);
    config.duration_ns = duration_ns;
    vm_host_create(&host, &config);
    host.vmbus = true;
}

static int destroy(void **state)
{
    (void)state;
    vm_host_destroy(&host);
    return 0;
}

static void add_sleeper(void)
{
    struct script *script = &host.scripts[0].script[0];

    script_begin(script, 0, 1);
    script_sleep(script);
    vm_host_add(&host, 1, 4 * MIB);
}

/* Puts bytes behind a script, 8-aligned, and says where they will lie. */
static uint32_t put_bytes(struct script *script, const void *from, size_t bytes)
{
    uint32_t at;

    if (script->count % 2 != 0)
        script_add(script, SCRIPT_HLT, 0, 0, 0);
    at = SCRIPT_ENTRY + script->count * SCRIPT_OP_BYTES;
    for (size_t done = 0; done < bytes; done += SCRIPT_OP_BYTES) {
        size_t left = bytes - done;

        script_add(script, SCRIPT_HLT, 0, 0, 0);
        memcpy(&script->ops[script->count - 1], (const uint8_t *)from + done,
               left < SCRIPT_OP_BYTES ? left : SCRIPT_OP_BYTES);
    }
    return at;
}

static struct hv_input_post_message contact(void)
{
    const struct vmbus_initiate_contact message = {
        .header.type = VMBUS_INITIATE_CONTACT, .version = VMBUS_VERSION_4_1};
    struct hv_input_post_message post = {.connection_id = VMBUS_CONNECTION_OLD,
                                         .type = VMBUS_MESSAGE_TYPE,
                                         .payload_bytes = sizeof(message)};

    memcpy(post.payload, &message, sizeof(message));
    return post;
}

/* Where a guest's page for messages is. */
#define MESSAGE_PAGE 0x200000u

/* A guest that contacts its bus `times` times, or for ever if 0. */
static void add_caller(bool listens, uint32_t times)
{
    const struct hv_input_post_message post = contact();
    struct script *script = &host.scripts[0].script[0];
    unsigned call;

    script_begin(script, 0, 1);
    if (listens) {
        script_add(script, SCRIPT_WRMSR, 0x40000083, MESSAGE_PAGE | 1, 0);
        script_add(script, SCRIPT_WRMSR, 0x40000082, 0x300001, 0);
        script_add(script, SCRIPT_WRMSR, 0x40000092, 0x40, 0);
        script_add(script, SCRIPT_WRMSR, 0x40000080, 1, 0);
    }
    call = script->count;
    for (uint32_t i = 0; i < times; i++)
        script_add(script, SCRIPT_CALL_MEMORY, HVCALL_POST_MESSAGE, 0, 0);
    if (times == 0) {
        script_add(script, SCRIPT_CALL_MEMORY, HVCALL_POST_MESSAGE, 0, 0);
        script_repeat(script, call);
    }
    script_sleep(script);

    uint32_t at = put_bytes(script, &post, sizeof(post));

    for (unsigned i = call; script->ops[i].code == SCRIPT_CALL_MEMORY; i++)
        script->ops[i].b = at;
    vm_host_add(&host, 1, 4 * MIB);
}

/* What the partitions have at a moment of the run. */
struct look {
    struct event event;
    uint32_t root_ports, root_connections;
    uint32_t guest_ports, guest_connections;
    uint32_t answer; /* the type of the message that the guest has; 0: none */
};

/* The slot of VMBus's SINT: the message's type, and its payload's. */
static uint32_t read_answer(struct hv_partition *guest)
{
    const gpa_t slot = gpa(MESSAGE_PAGE + VMBUS_SINT * 256);
    uint32_t words[5];

    assert_true(guest_memory_read(gpa_space_memory(&guest->gpa), slot, words,
                                  sizeof(words)));
    return words[0] == VMBUS_MESSAGE_TYPE ? words[4] : 0;
}

static void look(void *context, cycles_t now)
{
    struct look *look = context;
    struct hypervisor *hv = host.root.machine->hv;
    struct hv_partition *guest =
        hypervisor_find_partition(hv, vmms_partition(host.vmms, 0));

    (void)now;
    look->root_ports = hv->root->port_lists.port_count;
    look->root_connections = hv->root->port_lists.connection_count;
    look->guest_ports = guest ? guest->port_lists.port_count : 0;
    look->guest_connections = guest ? guest->port_lists.connection_count : 0;
    look->answer = guest ? read_answer(guest) : 0;
}

static void look_at(struct look *l, uint64_t ns)
{
    *l = (struct look){
        .event = {
            .kind = EVENT_SAMPLE, .name = "look", .fire = look, .context = l}};
    event_schedule(host.root.machine->events, &l->event, cycles(ns));
}

static void nothing_is_left(const struct look *after)
{
    assert_int_equal(after->root_ports, 0);
    assert_int_equal(after->root_connections, 0);
    assert_true(vm_host_missing_bytes(&host) == 0);
    assert_int_equal(host.root.machine->hv->partition_count, 1);
    assert_int_equal(host.failures, 0);
}

static void a_guest_that_never_calls_has_two_connections(void **state)
{
    struct look during;
    struct look after;

    (void)state;
    build(30 * MS);
    add_sleeper();
    vm_host_order(&host, 1, 0, true);
    look_at(&during, 15 * MS);
    vm_host_order(&host, 20 * MS, 0, false);
    look_at(&after, 29 * MS);
    vm_host_run(&host);
    assert_int_equal(during.root_ports, 2);
    assert_int_equal(during.guest_connections, 2);
    assert_int_equal(during.root_connections, 0);
    assert_int_equal(during.guest_ports, 0);
    assert_int_equal(during.answer, 0);
    nothing_is_left(&after);
}

static void a_vm_without_vmbus_has_none(void **state)
{
    struct look during;

    (void)state;
    build(20 * MS);
    host.vmbus = false;
    add_sleeper();
    vm_host_order(&host, 1, 0, true);
    look_at(&during, 15 * MS);
    vm_host_run(&host);
    assert_int_equal(during.root_ports, 0);
    assert_int_equal(during.guest_connections, 0);
}

static void an_answer_needs_a_port_of_the_guest(void **state)
{
    struct look during;
    struct look after;

    (void)state;
    build(40 * MS);
    add_caller(true, 1);
    vm_host_order(&host, 1, 0, true);
    look_at(&during, 20 * MS);
    vm_host_order(&host, 25 * MS, 0, false);
    look_at(&after, 39 * MS);
    vm_host_run(&host);
    assert_int_equal(during.answer, VMBUS_VERSION_RESPONSE);
    assert_int_equal(during.guest_ports, 1);
    assert_int_equal(during.root_connections, 1);
    nothing_is_left(&after);
}

static void a_restarted_guest_begins_anew(void **state)
{
    struct look first;
    struct look between;
    struct look second;

    (void)state;
    build(60 * MS);
    add_caller(true, 1);
    vm_host_order(&host, 1, 0, true);
    look_at(&first, 15 * MS);
    vm_host_order(&host, 16 * MS, 0, false);
    look_at(&between, 29 * MS);
    vm_host_order(&host, 30 * MS, 0, true);
    look_at(&second, 50 * MS);
    vm_host_order(&host, 51 * MS, 0, false);
    vm_host_run(&host);
    assert_int_equal(first.answer, VMBUS_VERSION_RESPONSE);
    assert_int_equal(between.answer, 0);
    assert_int_equal(between.root_ports, 0);
    assert_int_equal(second.answer, VMBUS_VERSION_RESPONSE);
    assert_int_equal(second.root_ports, 2);
}

/* The SynIC is off: nothing can be posted, now or later. What waits does not
 * keep the VM from going. */
static void answers_that_nobody_takes_wait(void **state)
{
    struct look during;
    struct look after;

    (void)state;
    build(60 * MS);
    add_caller(false, 3);
    vm_host_order(&host, 1, 0, true);
    look_at(&during, 40 * MS);
    vm_host_order(&host, 41 * MS, 0, false);
    look_at(&after, 59 * MS);
    vm_host_run(&host);
    assert_int_equal(during.guest_ports, 1);
    assert_int_equal(during.answer, 0);
    assert_int_equal(during.guest_connections, 2);
    nothing_is_left(&after);
}

/* Who sends thousands and takes no answer has nothing to send by any more. */
static void who_floods_is_not_heard_any_more(void **state)
{
    struct look during;
    struct look after;

    (void)state;
    build(120 * MS);
    add_caller(false, 0);
    vm_host_order(&host, 1, 0, true);
    look_at(&during, 100 * MS);
    vm_host_order(&host, 101 * MS, 0, false);
    look_at(&after, 119 * MS);
    vm_host_run(&host);
    assert_int_equal(during.root_ports, 0);
    assert_int_equal(during.guest_connections, 0);
    assert_string_equal(host.states[0], "starting running stopping off ");
    nothing_is_left(&after);
}

static void ask_shutdown(void *context, cycles_t now)
{
    (void)context;
    vmms_shutdown(host.vmms, 0, now);
}

static void ask_shutdown_at(struct event *event, uint64_t ns)
{
    *event = (struct event){
        .kind = EVENT_TIMELINE, .name = "shutdown", .fire = ask_shutdown};
    event_schedule(host.root.machine->events, event, cycles(ns));
}

static void who_does_not_serve_it_cannot_be_asked_to_shut_down(void **state)
{
    struct event shutdown;

    (void)state;
    build(30 * MS);
    add_sleeper();
    vm_host_order(&host, 1, 0, true);
    ask_shutdown_at(&shutdown, 15 * MS);
    vm_host_run(&host);
    assert_int_equal(host.failures, 1);
    assert_non_null(strstr(host.failure[0], "nobody there serves"));
    assert_string_equal(host.states[0], "starting running ");
}

static void a_vm_that_is_off_cannot_be_asked_to_shut_down(void **state)
{
    struct event shutdown;

    (void)state;
    build(30 * MS);
    add_sleeper();
    ask_shutdown_at(&shutdown, 15 * MS);
    vm_host_run(&host);
    assert_int_equal(host.failures, 1);
    assert_non_null(strstr(host.failure[0], "does not run"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_guest_that_never_calls_has_two_connections,
                                  destroy),
        cmocka_unit_test_teardown(a_vm_without_vmbus_has_none, destroy),
        cmocka_unit_test_teardown(an_answer_needs_a_port_of_the_guest, destroy),
        cmocka_unit_test_teardown(a_restarted_guest_begins_anew, destroy),
        cmocka_unit_test_teardown(answers_that_nobody_takes_wait, destroy),
        cmocka_unit_test_teardown(who_floods_is_not_heard_any_more, destroy),
        cmocka_unit_test_teardown(
            who_does_not_serve_it_cannot_be_asked_to_shut_down, destroy),
        cmocka_unit_test_teardown(a_vm_that_is_off_cannot_be_asked_to_shut_down,
                                  destroy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
