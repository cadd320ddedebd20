/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/vmbus/fake_device.h"
#include "tests/vmbus/fake_guest.h"

struct world {
    struct fake_guest guest;
    struct fake_device device;
    struct fake_channel channel; /* open; rings of two pages */
};

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    fake_guest_setup(&world->guest);
    uint32_t relid =
        fake_guest_offer(&world->guest, &fake_device_ops, &world->device);
    fake_guest_connect(&world->guest, VMBUS_VERSION_5_3);
    world->channel = fake_guest_open(&world->guest, relid, 2);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    fake_guest_teardown(&world->guest);
    assert_int_equal(world->device.freed, 1);
    free(world);
    return 0;
}

static struct vmbus_channel *the_channel(struct world *world)
{
    return vmbus_find_channel(world->guest.bus, world->channel.relid);
}

static struct fake_service *the_service(struct world *world)
{
    return &world->guest.services[world->channel.relid];
}

static void send(struct world *world, uint16_t flags, uint64_t id,
                 const char *text)
{
    fake_guest_put(&world->guest, &world->channel, VMBUS_PACKET_IN_BAND, flags,
                   id, text, 0, (uint32_t)strlen(text) + 1);
}

static struct vmbus_ring_control *ring(struct world *world,
                                       enum fake_ring which)
{
    return fake_guest_ring(&world->guest, &world->channel, which);
}

static void a_packet_arrives_as_it_was_sent(void **state)
{
    struct world *world = *state;

    assert_int_equal(world->device.opened, 1);
    send(world, 0, 77, "a packet in band");
    fake_guest_run(&world->guest);
    assert_int_equal(world->device.packets, 1);
    assert_int_equal(world->device.type, VMBUS_PACKET_IN_BAND);
    assert_int_equal(world->device.transaction_id, 77);
    assert_false(world->device.completion_wanted);
    assert_int_equal(world->device.bytes, 24);
    assert_string_equal(world->device.payload, "a packet in band");
    assert_int_equal(world->device.range_bytes, 0);
}

static void a_completion_has_the_id_and_interrupts(void **state)
{
    struct world *world = *state;
    struct vmbus_packet_descriptor descriptor;
    char body[64];

    send(world, VMBUS_PACKET_COMPLETION_WANTED, 0xabcdef, "please");
    fake_guest_run(&world->guest);
    assert_int_equal(the_service(world)->signals, 1);
    assert_true(fake_guest_get(&world->guest, &world->channel, &descriptor,
                               body, sizeof(body)));
    assert_int_equal(descriptor.type, VMBUS_PACKET_COMPLETION);
    assert_int_equal(descriptor.flags, 0);
    assert_int_equal(descriptor.transaction_id, 0xabcdef);
    assert_string_equal(body, "please");
    assert_false(fake_guest_get(&world->guest, &world->channel, &descriptor,
                                body, sizeof(body)));
}

static void many_packets_go_around_the_rings(void **state)
{
    struct world *world = *state;
    struct vmbus_packet_descriptor descriptor;
    unsigned completed = 0;
    char text[32];
    char body[64];

    for (unsigned i = 0; i < 1000; i++) {
        snprintf(text, sizeof(text), "number %u", i);
        send(world, VMBUS_PACKET_COMPLETION_WANTED, i, text);
        if (i % 3 == 0)
            fake_guest_run(&world->guest);
        while (fake_guest_get(&world->guest, &world->channel, &descriptor, body,
                              sizeof(body))) {
            snprintf(text, sizeof(text), "number %u", completed);
            assert_int_equal(descriptor.transaction_id, completed);
            assert_string_equal(body, text);
            completed++;
        }
    }
    assert_int_equal(world->device.packets, 1000);
    assert_int_equal(completed, 1000);
}

static void one_step_takes_one_packet(void **state)
{
    struct world *world = *state;

    fake_guest_run(&world->guest);
    send(world, 0, 1, "one");
    send(world, 0, 2, "two");
    assert_int_equal(
        vmbus_channel_step(the_channel(world), &world->guest.context),
        VMBUS_AGAIN);
    assert_int_equal(world->device.transaction_id, 1);
    /* While there is work, the guest need not signal. */
    assert_int_equal(ring(world, FAKE_TO_HOST)->interrupt_mask, 1);
    vmbus_channel_step(the_channel(world), &world->guest.context);
    assert_int_equal(
        vmbus_channel_step(the_channel(world), &world->guest.context),
        VMBUS_DONE);
    assert_int_equal(ring(world, FAKE_TO_HOST)->interrupt_mask, 0);
    assert_int_equal(world->device.packets, 2);
}

/* A GPA-direct packet's body: 8 bytes, ranges, payload. */
struct direct {
    struct vmbus_gpa_direct head;
    uint64_t words[3];
    char payload[8];
};

static void send_direct(struct world *world, uint32_t range_count,
                        uint32_t bytes, uint32_t offset, uint32_t page)
{
    struct direct direct = {
        .head.range_count = range_count,
        .words = {(uint64_t)offset << 32 | bytes, page, page + 1},
        .payload = "payload",
    };

    fake_guest_put(&world->guest, &world->channel, VMBUS_PACKET_GPA_DIRECT, 0,
                   9, &direct, sizeof(direct) - 8, sizeof(direct));
}

static void memory_named_by_a_packet_is_reached(void **state)
{
    struct world *world = *state;
    uint32_t page = fake_guest_pages(&world->guest, 2);
    uint8_t *memory = world->guest.memory + page * PAGE_BYTES;

    memcpy(memory + 100, "the first bytes", 16);
    memcpy(memory + 100 + 8000 - 16, "and last of all", 16);
    send_direct(world, 1, 8000, 100, page);
    fake_guest_run(&world->guest);
    assert_int_equal(world->device.range_bytes, 8000);
    assert_memory_equal(world->device.first, "the first bytes", 16);
    assert_memory_equal(world->device.last, "and last of all", 16);
    assert_string_equal(world->device.payload, "payload");
    assert_int_equal(world->device.bytes, 8);
}

static void expect_broken(struct world *world)
{
    fake_guest_run(&world->guest);
    assert_int_equal(world->device.closed, 1);
    assert_false(vmbus_channel_is_open(the_channel(world)));
    assert_false(the_service(world)->listens);
    assert_int_equal(
        vmbus_channel_step(the_channel(world), &world->guest.context),
        VMBUS_DONE);
    fake_guest_expect_silence(&world->guest);
}

static void ranges_that_make_no_sense_close_the_channel(void **state)
{
    struct world *world = *state;

    send_direct(world, 0, 8000, 100, 1);
    expect_broken(world);
    assert_int_equal(world->device.packets, 0);
}

static void ranges_with_too_few_pages_close_the_channel(void **state)
{
    struct world *world = *state;

    send_direct(world, 1, 8192, 1, 1);
    expect_broken(world);
}

static void a_packet_without_its_ranges_closes_the_channel(void **state)
{
    struct world *world = *state;

    fake_guest_put(&world->guest, &world->channel, VMBUS_PACKET_GPA_DIRECT, 0,
                   1, "", 0, 0);
    expect_broken(world);
}

static void an_unknown_packet_closes_the_channel(void **state)
{
    struct world *world = *state;

    fake_guest_put(&world->guest, &world->channel, VMBUS_PACKET_TRANSFER_PAGES,
                   0, 1, "", 0, 0);
    expect_broken(world);
}

static void unknown_flags_close_the_channel(void **state)
{
    struct world *world = *state;

    send(world, 2, 1, "x");
    expect_broken(world);
}

static void a_device_can_give_up_a_guest(void **state)
{
    struct world *world = *state;

    world->device.refuse = true;
    send(world, 0, 1, "nonsense");
    expect_broken(world);
    assert_int_equal(world->device.packets, 1);
}

static void a_corrupt_ring_closes_the_channel(void **state)
{
    struct world *world = *state;

    ring(world, FAKE_TO_HOST)->write_index = 4;
    fake_guest_signal(&world->guest, world->channel.relid);
    expect_broken(world);
}

static void a_corrupt_outgoing_ring_closes_it_at_the_next_step(void **state)
{
    struct world *world = *state;

    fake_guest_run(&world->guest);
    ring(world, FAKE_FROM_HOST)->read_index = 4;
    assert_false(vmbus_channel_send(the_channel(world), &world->guest.context,
                                    VMBUS_PACKET_IN_BAND, 0, 1, "x", 1));
    assert_int_equal(world->device.closed, 0);
    assert_false(vmbus_channel_is_open(the_channel(world)));
    expect_broken(world);
}

static void a_broken_channel_can_be_opened_again(void **state)
{
    struct world *world = *state;

    send(world, 2, 1, "x");
    expect_broken(world);
    fake_guest_close(&world->guest, world->channel.relid);
    world->channel = fake_guest_open(&world->guest, world->channel.relid, 2);
    send(world, 0, 5, "again");
    fake_guest_run(&world->guest);
    assert_int_equal(world->device.transaction_id, 5);
    assert_int_equal(world->device.closed, 1);
}

/** Sends what wants a completion until one does not fit. */
static unsigned fill(struct world *world)
{
    unsigned sent = 0;

    while (!world->device.stuck) {
        send(world, VMBUS_PACKET_COMPLETION_WANTED, ++sent,
             "a text of some forty letters, for a packet");
        fake_guest_run(&world->guest);
    }
    return sent;
}

/** Closes the channel, opens it with new rings, and sends packets. */
static void expect_it_to_begin_anew(struct world *world)
{
    unsigned packets = world->device.packets;
    unsigned rooms = world->device.rooms;

    fake_guest_close(&world->guest, world->channel.relid);
    world->channel = fake_guest_open(&world->guest, world->channel.relid, 2);
    world->device.stuck = false;
    send(world, 0, 5, "anew");
    vmbus_channel_step(the_channel(world), &world->guest.context);
    assert_int_equal(ring(world, FAKE_TO_HOST)->interrupt_mask, 1);
    send(world, 0, 6, "and again");
    fake_guest_run(&world->guest);
    assert_int_equal(ring(world, FAKE_TO_HOST)->interrupt_mask, 0);
    assert_int_equal(world->device.packets, packets + 2);
    assert_int_equal(world->device.rooms, rooms);
    assert_true(vmbus_channel_is_open(the_channel(world)));
}

static void a_channel_that_is_opened_begins_anew(void **state)
{
    struct world *world = *state;

    fill(world);
    expect_it_to_begin_anew(world);
    send(world, 0, 1, "one of two");
    send(world, 0, 2, "the other");
    vmbus_channel_step(the_channel(world), &world->guest.context);
    expect_it_to_begin_anew(world); /* while it was masked */
    vmbus_channel_hold(the_channel(world), &world->guest.context, true);
    expect_it_to_begin_anew(world);
    ring(world, FAKE_FROM_HOST)->read_index = 4;
    vmbus_channel_send(the_channel(world), &world->guest.context,
                       VMBUS_PACKET_IN_BAND, 0, 1, "x", 1);
    expect_it_to_begin_anew(world);
}

static void a_refused_send_stops_the_packets_and_is_made_up_for(void **state)
{
    struct world *world = *state;
    struct vmbus_packet_descriptor descriptor;
    char body[64];

    unsigned sent = fill(world);
    send(world, VMBUS_PACKET_COMPLETION_WANTED, ++sent, "last");
    fake_guest_signal(&world->guest, world->channel.relid);
    fake_guest_run(&world->guest);
    assert_int_equal(world->device.packets, sent - 1);
    assert_int_equal(world->device.rooms, 0);

    unsigned received = 0;
    while (received < sent) {
        while (fake_guest_get(&world->guest, &world->channel, &descriptor, body,
                              sizeof(body)))
            assert_int_equal(descriptor.transaction_id, ++received);
        fake_guest_run(&world->guest);
    }
    assert_int_equal(world->device.rooms, 1);
    assert_int_equal(world->device.packets, sent);
    assert_int_equal(ring(world, FAKE_FROM_HOST)->pending_send_bytes, 0);
}

static void a_device_that_has_enough_to_do_holds_the_packets(void **state)
{
    struct world *world = *state;

    fake_guest_run(&world->guest);
    vmbus_channel_hold(the_channel(world), &world->guest.context, false);
    assert_false(the_service(world)->serve);
    vmbus_channel_hold(the_channel(world), &world->guest.context, true);
    send(world, 0, 1, "x");
    fake_guest_run(&world->guest);
    assert_int_equal(world->device.packets, 0);
    vmbus_channel_hold(the_channel(world), &world->guest.context, false);
    fake_guest_run(&world->guest);
    assert_int_equal(world->device.packets, 1);
}

static void a_device_is_called_at_its_time(void **state)
{
    struct world *world = *state;

    fake_guest_run(&world->guest);
    vmbus_channel_wake_at(the_channel(world), cycles(1000));
    assert_int_equal(the_service(world)->wake_at.v, 1000);
    world->guest.context.now = cycles(999);
    vmbus_channel_step(the_channel(world), &world->guest.context);
    assert_int_equal(world->device.expired, 0);
    world->guest.context.now = cycles(1000);
    assert_int_equal(
        vmbus_channel_step(the_channel(world), &world->guest.context),
        VMBUS_AGAIN);
    assert_int_equal(
        vmbus_channel_step(the_channel(world), &world->guest.context),
        VMBUS_DONE);
    assert_int_equal(world->device.expired, 1);
}

static void what_is_due_takes_turns_with_packets(void **state)
{
    struct world *world = *state;

    fake_guest_run(&world->guest);
    send(world, 0, 1, "one");
    send(world, 0, 2, "two");
    for (unsigned i = 0; i < 4; i++) {
        vmbus_channel_wake_at(the_channel(world), cycles(0));
        assert_int_equal(
            vmbus_channel_step(the_channel(world), &world->guest.context),
            VMBUS_AGAIN);
    }
    assert_int_equal(world->device.expired, 2);
    assert_int_equal(world->device.packets, 2);
}

static void closing_cancels_the_time(void **state)
{
    struct world *world = *state;

    vmbus_channel_wake_at(the_channel(world), cycles(1000));
    fake_guest_close(&world->guest, world->channel.relid);
    assert_int_equal(the_service(world)->wake_at.v, UINT64_MAX);
    vmbus_channel_wake_at(the_channel(world), cycles(2000));
    assert_int_equal(the_service(world)->wake_at.v, UINT64_MAX);
    assert_int_equal(world->device.closed, 1);
}

static void transfer_pages_name_ranges_of_a_buffer(void **state)
{
    struct world *world = *state;
    const struct vmbus_transfer_range ranges[] = {{60, 0}, {1514, 2048}};
    struct vmbus_packet_descriptor descriptor;
    struct {
        struct vmbus_transfer_pages head;
        struct vmbus_transfer_range ranges[2];
        char payload[8];
    } body;

    assert_true(vmbus_channel_send_transfer_pages(the_channel(world),
                                                  &world->guest.context, 0xcafe,
                                                  ranges, 2, 31, "frames", 7));
    assert_true(fake_guest_get(&world->guest, &world->channel, &descriptor,
                               &body, sizeof(body)));
    assert_int_equal(descriptor.type, VMBUS_PACKET_TRANSFER_PAGES);
    assert_int_equal(descriptor.flags, VMBUS_PACKET_COMPLETION_WANTED);
    assert_int_equal(descriptor.transaction_id, 31);
    assert_int_equal(descriptor.data_offset_8, 5);
    assert_int_equal(descriptor.length_8, 6);
    assert_int_equal(body.head.set, 0xcafe);
    assert_int_equal(body.head.range_count, 2);
    assert_memory_equal(body.ranges, ranges, sizeof(ranges));
    assert_string_equal(body.payload, "frames");
}

static void a_buffer_is_its_channel_s_alone(void **state)
{
    struct world *world = *state;
    struct fake_device other = {0};
    uint32_t relid = fake_guest_offer(&world->guest, &fake_device_ops, &other);
    uint32_t page = fake_guest_pages(&world->guest, 3);

    fake_guest_expect(&world->guest, VMBUS_OFFER_CHANNEL,
                      sizeof(struct vmbus_offer_channel));
    uint32_t mine =
        fake_guest_lend(&world->guest, world->channel.relid, page, 3);
    uint32_t theirs = fake_guest_lend(&world->guest, relid, page, 3);
    const struct vmbus_gpadl *gpadl =
        vmbus_channel_gpadl(the_channel(world), mine);
    assert_int_equal(vmbus_gpadl_bytes(gpadl), 3 * PAGE_BYTES);
    assert_null(vmbus_channel_gpadl(the_channel(world), theirs));
    assert_null(vmbus_channel_gpadl(the_channel(world), theirs + 1));
}

static void a_channel_without_interrupts_is_served(void **state)
{
    struct world *world = *state;

    fake_guest_close(&world->guest, world->channel.relid);
    fake_guest_send_open(&world->guest, &world->channel, VMBUS_NO_VP, 3);
    send(world, VMBUS_PACKET_COMPLETION_WANTED, 1, "quiet");
    fake_guest_run(&world->guest);
    assert_int_equal(world->device.packets, 1);
    assert_int_equal(the_service(world)->signals, 0);
    assert_int_not_equal(ring(world, FAKE_FROM_HOST)->write_index, 0);
}

static void packets_and_copies_are_billed(void **state)
{
    struct world *world = *state;

    fake_guest_run(&world->guest);
    cost_bill_clear(&world->guest.bill);
    send(world, VMBUS_PACKET_COMPLETION_WANTED, 1, "twenty-four bytes long.");
    fake_guest_run(&world->guest);
    assert_int_equal(cost_count(&world->guest.bill, COST_VMBUS_PACKET), 2);
    assert_int_equal(cost_count(&world->guest.bill, COST_VMBUS_COPY), 2);
}

static void the_host_can_keep_something_with_it(void **state)
{
    struct world *world = *state;

    assert_null(vmbus_channel_host_data(the_channel(world)));
    vmbus_channel_set_host_data(the_channel(world), world);
    assert_ptr_equal(vmbus_channel_host_data(the_channel(world)), world);
    assert_string_equal(vmbus_channel_name(the_channel(world)), "fake");
    assert_ptr_equal(vmbus_channel_bus(the_channel(world)), world->guest.bus);
    assert_int_equal(vmbus_channel_sub_channel_index(the_channel(world)), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_packet_arrives_as_it_was_sent),
        TEST(a_completion_has_the_id_and_interrupts),
        TEST(many_packets_go_around_the_rings),
        TEST(one_step_takes_one_packet),
        TEST(memory_named_by_a_packet_is_reached),
        TEST(ranges_that_make_no_sense_close_the_channel),
        TEST(ranges_with_too_few_pages_close_the_channel),
        TEST(a_packet_without_its_ranges_closes_the_channel),
        TEST(an_unknown_packet_closes_the_channel),
        TEST(unknown_flags_close_the_channel),
        TEST(a_device_can_give_up_a_guest),
        TEST(a_corrupt_ring_closes_the_channel),
        TEST(a_corrupt_outgoing_ring_closes_it_at_the_next_step),
        TEST(a_broken_channel_can_be_opened_again),
        TEST(a_channel_that_is_opened_begins_anew),
        TEST(a_refused_send_stops_the_packets_and_is_made_up_for),
        TEST(a_device_that_has_enough_to_do_holds_the_packets),
        TEST(a_device_is_called_at_its_time),
        TEST(what_is_due_takes_turns_with_packets),
        TEST(closing_cancels_the_time),
        TEST(transfer_pages_name_ranges_of_a_buffer),
        TEST(a_buffer_is_its_channel_s_alone),
        TEST(a_channel_without_interrupts_is_served),
        TEST(packets_and_copies_are_billed),
        TEST(the_host_can_keep_something_with_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
