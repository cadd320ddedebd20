/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/vmbus/bus_world.h"

static void offers_come_in_order_and_to_an_end(void **state)
{
    struct bus_world *world = *state;
    struct fake_device more[2] = {{0}};
    const struct vmbus_offer offer = {
        .class_id = VMBUS_GUID(0xf8615163, 0xdf3e, 0x46c5, 0x91, 0x3f, 0xf2,
                               0xd2, 0xf9, 0x65, 0xed, 0x0e),
        .instance_id.bytes = {1, 2, 3},
        .flags = VMBUS_OFFER_NAMED_PIPE,
        .mmio_megabytes = 8,
        .user_data = {VMBUS_PIPE_MESSAGE},
        .ops = &fake_device_ops,
        .device = &more[0],
    };
    static const uint8_t class_id[] = {0x63, 0x51, 0x61, 0xf8, 0x3e, 0xdf,
                                       0xc5, 0x46, 0x91, 0x3f, 0xf2, 0xd2,
                                       0xf9, 0x65, 0xed, 0x0e};

    vmbus_offer(world->guest.bus, NULL, &offer);
    fake_guest_contact(&world->guest, VMBUS_VERSION_5_3, 0);
    world->guest.posts_read = world->guest.post_count;
    bus_world_send(&world->guest, VMBUS_REQUEST_OFFERS);
    assert_int_equal(bus_world_expect_offer(&world->guest)->offer.relid, 1);
    const struct vmbus_offer_channel *second =
        &bus_world_expect_offer(&world->guest)->offer;
    assert_int_equal(second->relid, 2);
    assert_memory_equal(&second->class_id, class_id, sizeof(class_id));
    assert_memory_equal(&second->instance_id, &offer.instance_id, 16);
    assert_int_equal(second->flags, VMBUS_OFFER_NAMED_PIPE);
    assert_int_equal(second->mmio_megabytes, 8);
    assert_int_equal(second->user_data[0], VMBUS_PIPE_MESSAGE);
    assert_int_equal(second->monitor_allocated, 0);
    assert_int_equal(second->is_dedicated, 1);
    assert_int_equal(second->connection_id, VMBUS_EVENT_CONNECTION(2));
    fake_guest_expect(&world->guest, VMBUS_ALL_OFFERS_DELIVERED,
                      sizeof(struct vmbus_header));
    bus_world_send(&world->guest, VMBUS_REQUEST_OFFERS);
    fake_guest_expect_silence(&world->guest);

    /* A device that comes later is told of at once, and without an end. */
    uint32_t relid =
        fake_guest_offer(&world->guest, &fake_device_ops, &more[1]);
    assert_int_equal(bus_world_expect_offer(&world->guest)->offer.relid, relid);
    fake_guest_expect_silence(&world->guest);
}

static void before_the_contact_nothing_is_heard(void **state)
{
    struct bus_world *world = *state;
    const uint64_t words[] = {4096, 1};

    world->guest.connection_id = VMBUS_CONNECTION_OLD;
    bus_world_send(&world->guest, VMBUS_REQUEST_OFFERS);
    bus_world_send(&world->guest, VMBUS_UNLOAD);
    fake_guest_send_gpadl(&world->guest, world->relid, 1, 1, words, 2);
    fake_guest_close(&world->guest, world->relid);
    bus_world_release(&world->guest, world->relid);
    fake_guest_expect_silence(&world->guest);
    assert_int_equal(vmbus_version(world->guest.bus), 0);
}

static void what_is_no_message_is_ignored(void **state)
{
    struct bus_world *world = *state;
    uint8_t bytes[VMBUS_MESSAGE_BYTES + 1] = {0};

    for (uint32_t type = 0; type < 40; type++) {
        bytes[0] = (uint8_t)type;
        if (type == VMBUS_REQUEST_OFFERS || type == VMBUS_UNLOAD)
            continue;
        fake_guest_send(&world->guest, bytes, 11);
        fake_guest_send(&world->guest, bytes, sizeof(bytes));
    }
    fake_guest_send(&world->guest, bytes, 0);
    fake_guest_send(&world->guest, bytes, 7);
    memset(bytes, 0xff, sizeof(bytes));
    fake_guest_send(&world->guest, bytes, 240);
    fake_guest_expect_silence(&world->guest);
    assert_int_equal(vmbus_version(world->guest.bus), VMBUS_VERSION_5_2);
}

static void a_device_that_goes_closes_its_channel(void **state)
{
    struct bus_world *world = *state;
    struct fake_device device = {0};
    uint32_t relid = fake_guest_offer(&world->guest, &fake_device_ops, &device);

    bus_world_expect_offer(&world->guest);
    struct fake_channel channel = fake_guest_open(&world->guest, relid, 2);
    vmbus_rescind(vmbus_find_channel(world->guest.bus, relid),
                  &world->guest.context);
    bus_world_expect_rescind(&world->guest, relid);
    assert_int_equal(device.closed, 1);
    assert_int_equal(device.freed, 1);
    assert_null(vmbus_find_channel(world->guest.bus, relid));
    /* The guest closes, takes back its memory and lets go. */
    fake_guest_close(&world->guest, relid);
    assert_int_not_equal(bus_world_open_status(&world->guest, &channel), 0);
    bus_world_tear_down(&world->guest, relid, channel.gpadl_id);
    fake_guest_expect(&world->guest, VMBUS_GPADL_TORNDOWN,
                      sizeof(struct vmbus_gpadl_torndown));
    bus_world_release(&world->guest, relid);
    fake_guest_expect_silence(&world->guest);
    assert_int_equal(device.closed, 1);
    assert_int_equal(world->guest.forgotten, 1);
}

static void of_an_unknown_device_s_end_nothing_is_said(void **state)
{
    struct bus_world *world = *state;
    struct fake_device device = {0};
    uint32_t relid = fake_guest_offer(&world->guest, &fake_device_ops, &device);

    vmbus_rescind(vmbus_find_channel(world->guest.bus, relid), NULL);
    fake_guest_expect_silence(&world->guest);
    assert_int_equal(device.freed, 1);
    assert_int_equal(world->guest.forgotten, 1);
    assert_int_equal(fake_guest_offer(&world->guest, &fake_device_ops, &device),
                     relid);
}

static void
who_lets_go_of_an_offer_hears_of_it_with_the_next_contact(void **state)
{
    struct bus_world *world = *state;
    struct fake_channel channel =
        fake_guest_open(&world->guest, world->relid, 2);

    bus_world_release(&world->guest, world->relid); /* not of an open one */
    assert_int_equal(world->device.closed, 0);
    fake_guest_close(&world->guest, world->relid);
    bus_world_release(&world->guest, world->relid);
    assert_int_not_equal(bus_world_open_status(&world->guest, &channel), 0);
    bus_world_send(&world->guest, VMBUS_REQUEST_OFFERS);
    fake_guest_expect_silence(&world->guest);
    fake_guest_connect(&world->guest, VMBUS_VERSION_5_2);
    fake_guest_open(&world->guest, world->relid, 2);
}

static void of_the_end_of_what_it_let_go_it_hears_nothing(void **state)
{
    struct bus_world *world = *state;

    bus_world_release(&world->guest, world->relid);
    vmbus_rescind(vmbus_find_channel(world->guest.bus, world->relid),
                  &world->guest.context);
    fake_guest_expect_silence(&world->guest);
    assert_int_equal(world->guest.forgotten, 1);
}

static void a_contact_releases_what_was_rescinded(void **state)
{
    struct bus_world *world = *state;
    struct fake_device device = {0};
    uint32_t relid = fake_guest_offer(&world->guest, &fake_device_ops, &device);

    vmbus_rescind(vmbus_find_channel(world->guest.bus, relid),
                  &world->guest.context);
    fake_guest_contact(&world->guest, VMBUS_VERSION_5_2, 0);
    assert_int_equal(world->guest.forgotten, 1);
    assert_int_equal(fake_guest_offer(&world->guest, &fake_device_ops, &device),
                     relid);
}

static void unload_is_answered_when_all_is_over(void **state)
{
    struct bus_world *world = *state;

    fake_guest_contact(&world->guest, VMBUS_VERSION_5_0, 6);
    world->guest.posts_read = world->guest.post_count;
    bus_world_send(&world->guest, VMBUS_REQUEST_OFFERS);
    world->guest.posts_read = world->guest.post_count;
    fake_guest_open(&world->guest, world->relid, 2);
    bus_world_send(&world->guest, VMBUS_UNLOAD);
    assert_int_equal(fake_guest_expect(&world->guest, VMBUS_UNLOAD_RESPONSE,
                                       sizeof(struct vmbus_header))
                         ->vp,
                     6);
    assert_int_equal(world->device.closed, 1);
    assert_int_equal(vmbus_version(world->guest.bus), 0);
    bus_world_send(&world->guest, VMBUS_REQUEST_OFFERS);
    bus_world_send(&world->guest, VMBUS_UNLOAD);
    fake_guest_expect_silence(&world->guest);
    fake_guest_connect(&world->guest, VMBUS_VERSION_5_0);
}

static const struct vmbus_version_response *
contact(struct fake_guest *guest, const struct vmbus_initiate_contact *message)
{
    fake_guest_send(guest, message, sizeof(*message));
    return &fake_guest_expect(guest, VMBUS_VERSION_RESPONSE,
                              sizeof(struct vmbus_version_response))
                ->version;
}

static void one_monitor_page_alone_is_refused(void **state)
{
    struct bus_world *world = *state;
    struct vmbus_initiate_contact message = {
        .header.type = VMBUS_INITIATE_CONTACT,
        .version = VMBUS_VERSION_5_2,
        .target_sint = VMBUS_SINT,
        .monitor_pages = {0x6000, 0},
    };

    assert_int_equal(contact(&world->guest, &message)->connection_state,
                     VMBUS_CONNECTION_FAILED_UNKNOWN);
    assert_int_equal(vmbus_version(world->guest.bus), 0);
    message.monitor_pages[0] = 0;
    assert_int_equal(contact(&world->guest, &message)->connection_state,
                     VMBUS_CONNECTION_SUCCESSFUL);
}

static void messages_go_to_sint_2_and_vtl_0_alone(void **state)
{
    struct bus_world *world = *state;
    struct vmbus_initiate_contact message = {
        .header.type = VMBUS_INITIATE_CONTACT,
        .version = VMBUS_VERSION_5_2,
        .target_sint = 3,
    };

    assert_int_equal(contact(&world->guest, &message)->supported, 0);
    message.target_sint = VMBUS_SINT;
    message.target_vtl = 1;
    assert_int_equal(contact(&world->guest, &message)->supported, 0);
    message.target_vtl = 0;
    assert_int_equal(contact(&world->guest, &message)->supported, 1);
}

static void a_socket_is_refused(void **state)
{
    struct bus_world *world = *state;
    struct vmbus_tl_connect_request request = {
        .header.type = VMBUS_TL_CONNECT_REQUEST,
        .endpoint_id.bytes = {1},
        .service_id.bytes = {2},
    };

    fake_guest_send(&world->guest, &request, sizeof(request));
    const struct fake_post *post =
        fake_guest_expect(&world->guest, VMBUS_TL_CONNECT_RESULT,
                          sizeof(struct vmbus_tl_connect_result));
    assert_int_equal(post->tl_connect.endpoint_id.bytes[0], 1);
    assert_int_equal(post->tl_connect.service_id.bytes[0], 2);
    assert_int_equal(post->tl_connect.status, VMBUS_STATUS_CONNECTION_REFUSED);
}

static void there_are_2047_channels_at_most(void **state)
{
    struct bus_world *world = *state;
    struct fake_device device = {0};
    struct vmbus_offer offer = {.ops = &fake_device_ops, .device = &device};
    uint32_t last = 0;

    for (struct vmbus_channel *channel;
         (channel =
              vmbus_offer(world->guest.bus, &world->guest.context, &offer));)
        last = vmbus_channel_relid(channel);
    assert_int_equal(last, VMBUS_CHANNELS_MAX - 1);
}

static void switching_off_resets_without_a_word(void **state)
{
    struct bus_world *world = *state;

    fake_guest_open(&world->guest, world->relid, 2);
    bus_world_offer_sub_channel(world, 1);
    bus_world_expect_offer(&world->guest);
    vmbus_reset(world->guest.bus);
    fake_guest_expect_silence(&world->guest);
    assert_int_equal(world->device.reset, 1);
    assert_int_equal(world->device.closed, 0);
    assert_int_equal(world->device.freed, 0);
    assert_false(world->guest.services[world->relid].listens);
    assert_int_equal(vmbus_version(world->guest.bus), 0);
    fake_guest_connect(&world->guest, VMBUS_VERSION_5_2);
    fake_guest_open(&world->guest, world->relid, 2);
}

static void messages_are_billed_both_ways(void **state)
{
    struct bus_world *world = *state;

    cost_bill_clear(&world->guest.bill);
    fake_guest_contact(&world->guest, VMBUS_VERSION_5_3, 0);
    assert_int_equal(cost_count(&world->guest.bill, COST_VMBUS_MESSAGE), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(offers_come_in_order_and_to_an_end),
        TEST(before_the_contact_nothing_is_heard),
        CONNECTED(what_is_no_message_is_ignored),
        CONNECTED(a_device_that_goes_closes_its_channel),
        TEST(of_an_unknown_device_s_end_nothing_is_said),
        CONNECTED(who_lets_go_of_an_offer_hears_of_it_with_the_next_contact),
        CONNECTED(of_the_end_of_what_it_let_go_it_hears_nothing),
        CONNECTED(a_contact_releases_what_was_rescinded),
        CONNECTED(unload_is_answered_when_all_is_over),
        CONNECTED(one_monitor_page_alone_is_refused),
        CONNECTED(messages_go_to_sint_2_and_vtl_0_alone),
        CONNECTED(a_socket_is_refused),
        TEST(there_are_2047_channels_at_most),
        CONNECTED(switching_off_resets_without_a_word),
        CONNECTED(messages_are_billed_both_ways),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
