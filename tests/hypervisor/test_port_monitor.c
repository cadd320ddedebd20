/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Monitor pages: a child sets bits, and events of the root's are signalled. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hypervisor/memory.h"
#include "hypervisor/msr.h"
#include "hypervisor/port.h"
#include "hypervisor/synic.h"
#include "tests/hypervisor/small_host.h"

#define MSR_SCONTROL 0x40000080u
#define MSR_SIEFP 0x40000082u
#define MSR_SINT3 0x40000093u
#define SINT 3
#define FLAGS_PAGE 0x40000u
#define ROOT_PAGE 0x50000u /* where each side has the monitor page */
#define CHILD_PAGE 0x60000u
#define EVENT_PORT 1
#define MONITOR_PORT 2
#define EVENT_CONNECTION 7
#define MONITOR_CONNECTION 8

#define US 2000 /* cycles */

static struct small_host host;
static struct hv_partition *child;

static void set_msr(uint32_t index, uint64_t value)
{
    assert_true(msr_write(&host.context, index, value));
}

static enum hv_status create(uint32_t id, const struct hv_port_info *info)
{
    return port_create(host.hv->root, id, child->id, info);
}

static enum hv_status join(uint32_t id, uint32_t port, uint32_t type,
                           uint64_t at)
{
    const struct hv_connection_place place = {.gpa = at};

    return port_connect(&host.context, child, id, host.hv->root, port, type,
                        &place);
}

static enum hv_status join_monitor(uint32_t id, uint64_t at)
{
    return join(id, MONITOR_PORT, HV_PORT_MONITOR, at);
}

static const struct hv_port_info monitor_port = {.type = HV_PORT_MONITOR,
                                                 .monitor_gpa = ROOT_PAGE};

static int setup(void **state)
{
    const struct hv_port_info event = {
        .type = HV_PORT_EVENT, .sint = SINT, .flag_count = 100};

    (void)state;
    small_host_create(&host);
    child = small_host_child_with_vp(&host);
    set_msr(MSR_SIEFP, FLAGS_PAGE + 1);
    set_msr(MSR_SINT3, 0x50);
    set_msr(MSR_SCONTROL, 1);
    assert_int_equal(create(EVENT_PORT, &event), HV_STATUS_SUCCESS);
    assert_int_equal(join(EVENT_CONNECTION, EVENT_PORT, HV_PORT_EVENT, 0),
                     HV_STATUS_SUCCESS);
    assert_int_equal(create(MONITOR_PORT, &monitor_port), HV_STATUS_SUCCESS);
    assert_int_equal(join_monitor(MONITOR_CONNECTION, CHILD_PAGE),
                     HV_STATUS_SUCCESS);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    small_host_destroy(&host);
    return 0;
}

static void root_writes(uint64_t at, const void *from, size_t bytes)
{
    small_host_poke(&host, ROOT_PAGE + at, from, bytes);
}

static void set_state(uint32_t trigger_state)
{
    root_writes(offsetof(struct hv_monitor_page, trigger_state), &trigger_state,
                sizeof(trigger_state));
}

static void child_writes(uint64_t at, uint32_t value)
{
    assert_true(guest_memory_write(gpa_space_memory(&child->gpa),
                                   gpa(CHILD_PAGE + at), &value,
                                   sizeof(value)));
}

static uint32_t child_reads(uint64_t at)
{
    uint32_t value;

    assert_true(guest_memory_read(gpa_space_memory(&child->gpa),
                                  gpa(CHILD_PAGE + at), &value, sizeof(value)));
    return value;
}

static void request(unsigned group, unsigned trigger)
{
    uint64_t at = offsetof(struct hv_monitor_page, groups) +
                  group * sizeof(struct hv_monitor_group);

    child_writes(at, child_reads(at) | 1u << trigger);
}

static uint32_t pending(unsigned group)
{
    return child_reads(offsetof(struct hv_monitor_page, groups) +
                       group * sizeof(struct hv_monitor_group));
}

/* What the child may ask for: event `flag`, by this trigger. */
static void offer(unsigned group, unsigned trigger, uint16_t latency,
                  uint32_t connection, uint16_t flag)
{
    const struct hv_monitor_parameter parameter = {.connection_id = connection,
                                                   .flag = flag};
    size_t index = group * HV_MONITOR_GROUP_TRIGGERS + trigger;

    root_writes(offsetof(struct hv_monitor_page, latency) +
                    index * sizeof(latency),
                &latency, sizeof(latency));
    root_writes(offsetof(struct hv_monitor_page, parameters) +
                    index * sizeof(parameter),
                &parameter, sizeof(parameter));
}

static bool signalled(uint32_t flag)
{
    uint8_t byte;

    arena_read(
        host.hv->arena,
        spa_add(host.root_vp->synic.event_flags_page, SINT * 256 + flag / 8),
        &byte, 1);
    return byte >> flag % 8 & 1;
}

static void run_for(uint64_t duration)
{
    cycles_t end = cycles_add(host.context.now, cycles(duration));

    while (!cycles_before(end, event_queue_next(host.events)))
        event_queue_fire_next(host.events);
    host.context.now = end;
}

static void a_bit_set_becomes_an_event_within_its_latency(void **state)
{
    (void)state;
    offer(1, 9, 1000, EVENT_CONNECTION, 21); /* 100 us */
    set_state(1u << 1);
    run_for(1050 * US); /* the first look at an idle page, and later ones */
    request(1, 9);
    assert_false(signalled(21));
    run_for(101 * US);
    assert_true(signalled(21));
    assert_int_equal(pending(1), 0);
}

static void a_shorter_latency_is_served_sooner(void **state)
{
    (void)state;
    offer(0, 0, 20000, EVENT_CONNECTION, 0); /* 2 ms */
    offer(0, 1, 200, EVENT_CONNECTION, 1);   /* 20 us */
    set_state(1);
    run_for(1010 * US);
    request(0, 0);
    request(0, 1);
    run_for(25 * US);
    assert_true(signalled(1));
    assert_false(signalled(0));
    assert_int_equal(pending(0), 1);
    run_for(2000 * US);
    assert_true(signalled(0));
}

static void all_that_is_set_is_served(void **state)
{
    (void)state;
    set_state(HV_MONITOR_GROUP_ENABLES);
    for (unsigned group = 0; group < 4; group++) {
        for (unsigned i = 0; i < 3; i++) {
            offer(group, i * 15, 1000, EVENT_CONNECTION,
                  (uint16_t)(group * 10 + i));
            request(group, i * 15);
        }
    }
    run_for(1200 * US);
    for (unsigned group = 0; group < 4; group++) {
        assert_int_equal(pending(group), 0);
        for (unsigned i = 0; i < 3; i++)
            assert_true(signalled(group * 10 + i));
    }
}

static void a_group_that_is_off_waits(void **state)
{
    (void)state;
    offer(2, 3, 1000, EVENT_CONNECTION, 5);
    request(2, 3);
    set_state(0xb); /* all but this one */
    run_for(5000 * US);
    assert_false(signalled(5));
    set_state(0xf | HV_MONITOR_DISABLED);
    run_for(5000 * US);
    assert_false(signalled(5));
    assert_int_equal(pending(2), 1u << 3);
    set_state(0xf);
    run_for(2100 * US);
    assert_true(signalled(5));
}

/* Both can write anything to the page at any time. */
static void nonsense_is_dropped(void **state)
{
    (void)state;
    set_state(UINT32_MAX & ~HV_MONITOR_DISABLED);
    offer(0, 0, 1000, EVENT_CONNECTION + 100, 1);
    offer(0, 1, 1000, EVENT_CONNECTION, 100);
    offer(0, 2, 1000, MONITOR_CONNECTION, 0);
    offer(0, 3, 0xffff, UINT32_MAX, UINT16_MAX);
    offer(0, 4, 1, EVENT_CONNECTION, 44);
    for (unsigned i = 0; i < 32; i++)
        request(0, i);
    run_for(10000 * US);
    assert_int_equal(pending(0), 0);
    assert_true(signalled(44));
    for (unsigned i = 0; i < 100; i++)
        assert_int_equal(signalled(i), i == 44);
}

static void each_side_has_the_page_at_its_place(void **state)
{
    uint32_t there;

    (void)state;
    child_writes(0x900, 0x12345678);
    small_host_peek(&host, ROOT_PAGE + 0x900, &there, sizeof(there));
    assert_int_equal(there, 0x12345678);
}

static void disconnected_nobody_looks_and_the_page_is_gone(void **state)
{
    uint32_t there = 0;
    spa_t at;
    bool writable;

    (void)state;
    offer(0, 0, 1000, EVENT_CONNECTION, 1);
    set_state(1);
    request(0, 0);
    assert_int_equal(port_disconnect(child, MONITOR_CONNECTION),
                     HV_STATUS_SUCCESS);
    assert_false(
        gpa_space_lookup(&child->gpa, gpa(CHILD_PAGE), &at, &writable));
    run_for(5000 * US);
    assert_false(signalled(1));
    /* The port keeps the page, and what was asked for. */
    small_host_peek(&host, ROOT_PAGE + 8, &there, sizeof(there));
    assert_int_equal(there, 1);
    assert_int_equal(join_monitor(MONITOR_CONNECTION, CHILD_PAGE),
                     HV_STATUS_SUCCESS);
    run_for(1100 * US);
    assert_true(signalled(1));
}

static void a_deleted_port_takes_its_page_from_both(void **state)
{
    uint64_t in_use = memory_pool_in_use(host.hv->root->pool);
    uint32_t before = 7, there;
    spa_t at;
    bool writable;

    (void)state;
    child_writes(0, 1);
    assert_int_equal(port_delete(host.hv->root, MONITOR_PORT),
                     HV_STATUS_SUCCESS);
    assert_false(
        gpa_space_lookup(&child->gpa, gpa(CHILD_PAGE), &at, &writable));
    small_host_poke(&host, ROOT_PAGE, &before, sizeof(before));
    small_host_peek(&host, ROOT_PAGE, &there, sizeof(there));
    assert_int_equal(there, 7); /* the root's own again */
    assert_int_equal(memory_pool_in_use(host.hv->root->pool), in_use - 1);
    run_for(5000 * US);
    assert_int_equal(port_disconnect(child, MONITOR_CONNECTION),
                     HV_STATUS_SUCCESS);
}

static void a_sender_may_go_away_first(void **state)
{
    (void)state;
    set_state(0xf);
    assert_int_equal(partition_finalize(&host.context, child),
                     HV_STATUS_SUCCESS);
    run_for(5000 * US);
    assert_int_equal(port_delete(host.hv->root, MONITOR_PORT),
                     HV_STATUS_SUCCESS);
}

static void addresses_are_checked(void **state)
{
    const struct hv_port_info high = {.type = HV_PORT_MONITOR,
                                      .monitor_gpa = UINT64_C(1) << 48};
    const struct hv_port_info reserved = {.type = HV_PORT_MONITOR,
                                          .monitor_gpa = ROOT_PAGE,
                                          .monitor_reserved = 1};

    (void)state;
    assert_int_equal(join_monitor(99, CHILD_PAGE + 8),
                     HV_STATUS_INVALID_PARAMETER);
    assert_int_equal(join_monitor(99, UINT64_C(1) << 48),
                     HV_STATUS_INVALID_PARAMETER);
    assert_int_equal(create(99, &high), HV_STATUS_INVALID_PARAMETER);
    assert_int_equal(create(99, &reserved), HV_STATUS_INVALID_PARAMETER);
    assert_int_equal(port_disconnect(child, 99),
                     HV_STATUS_INVALID_CONNECTION_ID);
    assert_int_equal(port_delete(host.hv->root, 99), HV_STATUS_INVALID_PORT_ID);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_bit_set_becomes_an_event_within_its_latency),
        T(a_shorter_latency_is_served_sooner),
        T(all_that_is_set_is_served),
        T(a_group_that_is_off_waits),
        T(nonsense_is_dropped),
        T(each_side_has_the_page_at_its_place),
        T(disconnected_nobody_looks_and_the_page_is_gone),
        T(a_deleted_port_takes_its_page_from_both),
        T(a_sender_may_go_away_first),
        T(addresses_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
