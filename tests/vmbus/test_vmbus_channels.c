/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/vmbus/bus_world.h"

static void an_open_needs_rings_that_can_be(void **state)
{
    struct bus_world *world = *state;
    struct fake_guest *guest = &world->guest;
    struct fake_channel good = {.relid = world->relid,
                                .page = fake_guest_pages(guest, 4),
                                .pages = {2, 2}};

    good.gpadl_id = fake_guest_lend(guest, world->relid, good.page, 4);
    struct fake_channel bad = good;
    bad.relid = world->relid + 1;
    assert_int_not_equal(bus_world_open_status(guest, &bad), 0);
    bad.relid = UINT32_MAX;
    assert_int_not_equal(bus_world_open_status(guest, &bad), 0);
    bad = good;
    bad.gpadl_id++;
    assert_int_not_equal(bus_world_open_status(guest, &bad), 0);
    for (uint32_t downstream = 0; downstream < 6; downstream++) {
        bad = good;
        bad.pages[0] = downstream;
        if (downstream != 2)
            assert_int_not_equal(bus_world_open_status(guest, &bad), 0);
    }
    bad.pages[0] = UINT32_MAX;
    assert_int_not_equal(bus_world_open_status(guest, &bad), 0);
    assert_int_equal(world->device.opened, 0);
    assert_int_equal(bus_world_open_status(guest, &good), 0);
    assert_int_not_equal(bus_world_open_status(guest, &good), 0);
    assert_int_equal(world->device.opened, 1);
}

static void an_open_needs_a_complete_buffer_of_whole_pages(void **state)
{
    struct bus_world *world = *state;
    struct fake_channel channel = {.relid = world->relid, .pages = {2, 2}};
    const uint64_t ragged[] = {UINT64_C(0x800) << 32 | 0x4000, 1, 2, 3, 4, 5};
    const uint64_t pieces[] = {0x2000, 1, 2, 0x2000, 3, 4};
    struct vmbus_gpadl_header header = {.header.type = VMBUS_GPADL_HEADER,
                                        .relid = world->relid,
                                        .gpadl_id = 9,
                                        .range_bytes = 40,
                                        .range_count = 1};

    fake_guest_send(&world->guest, &header, sizeof(header));
    channel.gpadl_id = 9;
    assert_int_not_equal(bus_world_open_status(&world->guest, &channel), 0);
    fake_guest_send_gpadl(&world->guest, world->relid, 10, 1, ragged, 6);
    assert_int_equal(bus_world_gpadl_status(&world->guest), 0);
    channel.gpadl_id = 10;
    assert_int_not_equal(bus_world_open_status(&world->guest, &channel), 0);
    fake_guest_send_gpadl(&world->guest, world->relid, 11, 2, pieces, 6);
    assert_int_equal(bus_world_gpadl_status(&world->guest), 0);
    channel.gpadl_id = 11;
    assert_int_not_equal(bus_world_open_status(&world->guest, &channel), 0);
}

static void an_open_needs_a_host_that_listens(void **state)
{
    struct bus_world *world = *state;
    struct fake_channel channel = {.relid = world->relid,
                                   .page = fake_guest_pages(&world->guest, 4),
                                   .pages = {2, 2}};

    channel.gpadl_id =
        fake_guest_lend(&world->guest, world->relid, channel.page, 4);
    world->guest.listen_status = HV_STATUS_INVALID_PARAMETER;
    assert_int_not_equal(bus_world_open_status(&world->guest, &channel), 0);
    world->guest.listen_status = HV_STATUS_SUCCESS;
    assert_int_equal(bus_world_open_status(&world->guest, &channel), 0);
}

static void packets_from_before_the_open_are_served(void **state)
{
    struct bus_world *world = *state;
    struct fake_channel channel = {.relid = world->relid,
                                   .page = fake_guest_pages(&world->guest, 4),
                                   .pages = {2, 2}};
    const struct vmbus_packet_descriptor packet = {
        .type = VMBUS_PACKET_IN_BAND, .data_offset_8 = 2, .length_8 = 2};

    channel.gpadl_id =
        fake_guest_lend(&world->guest, world->relid, channel.page, 4);
    memcpy(fake_guest_ring_data(&world->guest, &channel, FAKE_TO_HOST), &packet,
           sizeof(packet));
    fake_guest_ring(&world->guest, &channel, FAKE_TO_HOST)->write_index = 24;
    assert_int_equal(bus_world_open_status(&world->guest, &channel), 0);
    fake_guest_run(&world->guest);
    assert_int_equal(world->device.packets, 1);
}

static void a_close_is_not_answered_and_can_be_followed_by_an_open(void **state)
{
    struct bus_world *world = *state;
    struct fake_channel channel =
        fake_guest_open(&world->guest, world->relid, 2);

    fake_guest_close(&world->guest, world->relid);
    fake_guest_close(&world->guest, world->relid);
    fake_guest_close(&world->guest, 999999);
    fake_guest_expect_silence(&world->guest);
    assert_int_equal(world->device.closed, 1);
    assert_false(world->guest.services[world->relid].listens);
    assert_int_equal(bus_world_open_status(&world->guest, &channel), 0);
    assert_int_equal(world->device.opened, 2);
}

static void a_ring_that_is_torn_down_closes_its_channel(void **state)
{
    struct bus_world *world = *state;
    struct fake_channel channel =
        fake_guest_open(&world->guest, world->relid, 2);

    bus_world_tear_down(&world->guest, world->relid, channel.gpadl_id);
    const struct fake_post *post =
        fake_guest_expect(&world->guest, VMBUS_GPADL_TORNDOWN,
                          sizeof(struct vmbus_gpadl_torndown));
    assert_int_equal(post->torndown.gpadl_id, channel.gpadl_id);
    assert_int_equal(world->device.closed, 1);
    fake_guest_close(&world->guest, world->relid);
    assert_int_equal(world->device.closed, 1);
    assert_int_not_equal(bus_world_open_status(&world->guest, &channel), 0);
    /* Who waits for what there is not would wait for ever. */
    bus_world_tear_down(&world->guest, world->relid, channel.gpadl_id);
    fake_guest_expect(&world->guest, VMBUS_GPADL_TORNDOWN,
                      sizeof(struct vmbus_gpadl_torndown));
}

static void a_buffer_that_cannot_be_is_refused(void **state)
{
    struct bus_world *world = *state;
    const uint64_t words[] = {8192, 1, 2};
    const uint64_t orphan[] = {0, 0};
    struct vmbus_gpadl_body body = {.header.type = VMBUS_GPADL_BODY,
                                    .gpadl_id = 77};

    fake_guest_send_gpadl(&world->guest, 1234, 1, 1, words, 3);
    assert_int_equal(bus_world_gpadl_status(&world->guest),
                     VMBUS_STATUS_UNEXPECTED);
    fake_guest_send_gpadl(&world->guest, world->relid, 1, 2, words, 3);
    assert_int_equal(bus_world_gpadl_status(&world->guest),
                     VMBUS_STATUS_UNEXPECTED);
    fake_guest_send_gpadl(&world->guest, world->relid, 1, 1, words, 2);
    assert_int_equal(bus_world_gpadl_status(&world->guest),
                     VMBUS_STATUS_UNEXPECTED);
    fake_guest_send_gpadl(&world->guest, world->relid, 1, 1, orphan, 2);
    assert_int_equal(bus_world_gpadl_status(&world->guest),
                     VMBUS_STATUS_UNEXPECTED);
    fake_guest_send(&world->guest, &body, sizeof(body));
    fake_guest_expect_silence(&world->guest);
    fake_guest_send_gpadl(&world->guest, world->relid, 1, 1, words, 3);
    assert_int_equal(bus_world_gpadl_status(&world->guest), 0);
    body.gpadl_id = 1; /* of which there is nothing missing */
    fake_guest_send(&world->guest, &body, sizeof(body));
    fake_guest_expect_silence(&world->guest);
    fake_guest_send_gpadl(&world->guest, world->relid, 1, 1, words, 3);
    assert_int_equal(bus_world_gpadl_status(&world->guest),
                     VMBUS_STATUS_UNEXPECTED);
}

static void who_does_not_know_a_channel_cannot_use_it(void **state)
{
    struct bus_world *world = *state;
    const uint64_t words[] = {8192, 1, 2};

    fake_guest_contact(&world->guest, VMBUS_VERSION_5_2, 0);
    world->guest.posts_read = world->guest.post_count;
    fake_guest_send_gpadl(&world->guest, world->relid, 1, 1, words, 3);
    assert_int_equal(bus_world_gpadl_status(&world->guest),
                     VMBUS_STATUS_UNEXPECTED);
}

static void the_number_of_a_buffer_is_free_when_its_channel_goes(void **state)
{
    struct bus_world *world = *state;
    struct fake_device device = {0};
    const uint64_t words[] = {8192, 1, 2};
    uint32_t relid = fake_guest_offer(&world->guest, &fake_device_ops, &device);

    bus_world_expect_offer(&world->guest);
    fake_guest_send_gpadl(&world->guest, relid, 1, 1, words, 3);
    assert_int_equal(bus_world_gpadl_status(&world->guest), 0);
    vmbus_rescind(vmbus_find_channel(world->guest.bus, relid),
                  &world->guest.context);
    bus_world_expect_rescind(&world->guest, relid);
    bus_world_release(&world->guest, relid);
    fake_guest_send_gpadl(&world->guest, world->relid, 1, 1, words, 3);
    assert_int_equal(bus_world_gpadl_status(&world->guest), 0);

    bus_world_release(&world->guest, world->relid);
    relid = fake_guest_offer(&world->guest, &fake_device_ops, &device);
    bus_world_expect_offer(&world->guest);
    fake_guest_send_gpadl(&world->guest, relid, 1, 1, words, 3);
    assert_int_equal(bus_world_gpadl_status(&world->guest), 0);
}

static void another_buffer_can_be_taken_back_while_it_is_open(void **state)
{
    struct bus_world *world = *state;

    fake_guest_open(&world->guest, world->relid, 2);
    uint32_t id = fake_guest_lend(&world->guest, world->relid, 1, 3);
    bus_world_tear_down(&world->guest, world->relid, id);
    fake_guest_expect(&world->guest, VMBUS_GPADL_TORNDOWN,
                      sizeof(struct vmbus_gpadl_torndown));
    struct vmbus_channel *channel =
        vmbus_find_channel(world->guest.bus, world->relid);
    assert_true(vmbus_channel_is_open(channel));
    assert_null(vmbus_channel_gpadl(channel, id));
}

static void a_large_buffer_takes_many_bodies(void **state)
{
    struct bus_world *world = *state;
    uint32_t page = fake_guest_pages(&world->guest, 600);
    uint8_t bytes[2] = {0};

    uint32_t id = fake_guest_lend(&world->guest, world->relid, page, 600);
    const struct vmbus_gpadl *gpadl = vmbus_channel_gpadl(
        vmbus_find_channel(world->guest.bus, world->relid), id);
    assert_int_equal(vmbus_gpadl_bytes(gpadl), 600 * PAGE_BYTES);
    world->guest.memory[(page + 600) * PAGE_BYTES - 1] = 0x5a;
    assert_true(vmbus_gpadl_read(gpadl, &world->guest.context,
                                 600 * PAGE_BYTES - 1, bytes, 1));
    assert_int_equal(bytes[0], 0x5a);
}

static void a_channel_can_be_told_to_interrupt_nobody(void **state)
{
    struct bus_world *world = *state;
    struct vmbus_modify_channel modify = {
        .header.type = VMBUS_MODIFY_CHANNEL,
        .relid = world->relid,
        .target_vp = VMBUS_NO_VP,
    };
    struct fake_channel channel =
        fake_guest_open(&world->guest, world->relid, 2);

    fake_guest_send(&world->guest, &modify, sizeof(modify));
    fake_guest_put(&world->guest, &channel, VMBUS_PACKET_IN_BAND,
                   VMBUS_PACKET_COMPLETION_WANTED, 1, "x", 0, 1);
    fake_guest_run(&world->guest);
    assert_int_equal(world->device.packets, 1);
    assert_int_equal(world->guest.services[world->relid].signals, 0);
    fake_guest_close(&world->guest, world->relid);
    fake_guest_send(&world->guest, &modify, sizeof(modify));
    assert_false(world->guest.services[world->relid].listens);
}

static void sub_channels_go_with_their_primary(void **state)
{
    struct bus_world *world = *state;

    assert_null(bus_world_offer_sub_channel(world, 1));
    struct fake_channel primary =
        fake_guest_open(&world->guest, world->relid, 2);
    struct vmbus_channel *sub = bus_world_offer_sub_channel(world, 1);
    assert_int_equal(vmbus_channel_sub_channel_index(sub), 1);
    const struct vmbus_offer_channel *offer =
        &bus_world_expect_offer(&world->guest)->offer;
    assert_int_equal(offer->sub_channel_index, 1);
    uint32_t relid = offer->relid;
    struct fake_channel channel = fake_guest_open(&world->guest, relid, 2);
    fake_guest_put(&world->guest, &channel, VMBUS_PACKET_IN_BAND, 0, 3, "sub",
                   0, 4);
    fake_guest_run(&world->guest);
    assert_ptr_equal(world->device.channel, sub);
    assert_non_null(bus_world_offer_sub_channel(world, 2)); /* never opened */
    bus_world_expect_offer(&world->guest);

    fake_guest_close(&world->guest, primary.relid);
    bus_world_expect_rescind(&world->guest, relid);
    bus_world_expect_rescind(&world->guest, relid + 1);
    assert_int_equal(world->device.closed, 2);
    assert_int_equal(world->device.freed, 0);
    bus_world_release(&world->guest, relid);
    bus_world_release(&world->guest, relid + 1);
    assert_int_equal(world->guest.forgotten, 2);
}

static void a_sub_channel_is_rescinded_once(void **state)
{
    struct bus_world *world = *state;

    fake_guest_open(&world->guest, world->relid, 2);
    struct vmbus_channel *sub = bus_world_offer_sub_channel(world, 1);
    uint32_t relid = vmbus_channel_relid(sub);
    bus_world_expect_offer(&world->guest);
    vmbus_rescind(sub, &world->guest.context);
    bus_world_expect_rescind(&world->guest, relid);
    fake_guest_close(&world->guest, world->relid);
    fake_guest_expect_silence(&world->guest);
    assert_int_equal(world->device.freed, 0);
}

static void sub_channels_do_not_depend_on_each_other(void **state)
{
    struct bus_world *world = *state;
    struct fake_device other = {0};
    uint32_t low = fake_guest_offer(&world->guest, &fake_device_ops, &other);

    /* The sub-channel gets a lower number than its primary. */
    world->instance = world->guest.next_gpadl_id;
    uint32_t primary =
        fake_guest_offer(&world->guest, &fake_device_ops, &other);
    vmbus_rescind(vmbus_find_channel(world->guest.bus, low), NULL);
    fake_guest_connect(&world->guest, VMBUS_VERSION_5_2);
    fake_guest_open(&world->guest, primary, 2);
    assert_int_equal(vmbus_channel_relid(bus_world_offer_sub_channel(world, 1)),
                     low);
    bus_world_expect_offer(&world->guest);
    fake_guest_open(&world->guest, low, 2);
    bus_world_offer_sub_channel(world, 2);
    bus_world_expect_offer(&world->guest);
    fake_guest_close(&world->guest, low);
    fake_guest_expect_silence(&world->guest);
}

static void a_sub_channel_goes_with_the_connection(void **state)
{
    struct bus_world *world = *state;

    fake_guest_open(&world->guest, world->relid, 2);
    uint32_t relid = vmbus_channel_relid(bus_world_offer_sub_channel(world, 1));
    bus_world_expect_offer(&world->guest);
    fake_guest_open(&world->guest, relid, 2);
    fake_guest_connect(&world->guest, VMBUS_VERSION_4_0);
    assert_int_equal(world->device.closed, 2);
    assert_null(vmbus_find_channel(world->guest.bus, relid));
    assert_non_null(vmbus_find_channel(world->guest.bus, world->relid));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CONNECTED(an_open_needs_rings_that_can_be),
        CONNECTED(an_open_needs_a_complete_buffer_of_whole_pages),
        CONNECTED(an_open_needs_a_host_that_listens),
        CONNECTED(packets_from_before_the_open_are_served),
        CONNECTED(a_close_is_not_answered_and_can_be_followed_by_an_open),
        CONNECTED(a_ring_that_is_torn_down_closes_its_channel),
        CONNECTED(a_buffer_that_cannot_be_is_refused),
        CONNECTED(who_does_not_know_a_channel_cannot_use_it),
        CONNECTED(the_number_of_a_buffer_is_free_when_its_channel_goes),
        CONNECTED(another_buffer_can_be_taken_back_while_it_is_open),
        CONNECTED(a_large_buffer_takes_many_bodies),
        CONNECTED(a_channel_can_be_told_to_interrupt_nobody),
        CONNECTED(sub_channels_go_with_their_primary),
        CONNECTED(a_sub_channel_is_rescinded_once),
        TEST(sub_channels_do_not_depend_on_each_other),
        CONNECTED(a_sub_channel_goes_with_the_connection),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
