/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/vmbus/fake_device.h"
#include "tests/vmbus/fake_guest.h"

struct world {
    struct fake_guest guest;
    struct fake_device device;
    uint32_t relid;    /* of its channel */
    uint32_t instance; /* of its GUID */
};

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    fake_guest_setup(&world->guest);
    world->instance = world->guest.next_gpadl_id;
    world->relid =
        fake_guest_offer(&world->guest, &fake_device_ops, &world->device);
    *state = world;
    return 0;
}

static int setup_connected(void **state)
{
    setup(state);
    fake_guest_connect(&((struct world *)*state)->guest, VMBUS_VERSION_5_2);
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

static void send_plain(struct fake_guest *guest, enum vmbus_message_type type)
{
    struct vmbus_header message = {.type = type};

    fake_guest_send(guest, &message, sizeof(message));
}

static void release(struct fake_guest *guest, uint32_t relid)
{
    struct vmbus_relid_message released = {.header.type = VMBUS_RELID_RELEASED,
                                           .relid = relid};

    fake_guest_send(guest, &released, sizeof(released));
}

static void tear_down(struct fake_guest *guest, uint32_t relid, uint32_t gpadl)
{
    struct vmbus_gpadl_teardown teardown_message = {
        .header.type = VMBUS_GPADL_TEARDOWN,
        .relid = relid,
        .gpadl_id = gpadl,
    };

    fake_guest_send(guest, &teardown_message, sizeof(teardown_message));
}

static const struct fake_post *expect_offer(struct fake_guest *guest)
{
    return fake_guest_expect(guest, VMBUS_OFFER_CHANNEL,
                             sizeof(struct vmbus_offer_channel));
}

static void expect_rescind(struct fake_guest *guest, uint32_t relid)
{
    const struct fake_post *post = fake_guest_expect(
        guest, VMBUS_RESCIND_CHANNEL_OFFER, sizeof(struct vmbus_relid_message));

    assert_int_equal(post->relid.relid, relid);
}

/** The answer to an open of `channel` with open id 7. */
static uint32_t open_status(struct fake_guest *guest,
                            const struct fake_channel *channel)
{
    fake_guest_send_open(guest, channel, 0, 7);
    const struct fake_post *post =
        fake_guest_expect(guest, VMBUS_OPEN_CHANNEL_RESULT,
                          sizeof(struct vmbus_open_channel_result));
    assert_int_equal(post->open.relid, channel->relid);
    assert_int_equal(post->open.open_id, 7);
    return post->open.status;
}

static uint32_t gpadl_status(struct fake_guest *guest)
{
    return fake_guest_expect(guest, VMBUS_GPADL_CREATED,
                             sizeof(struct vmbus_gpadl_created))
        ->created.status;
}

static void offers_come_in_order_and_to_an_end(void **state)
{
    struct world *world = *state;
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
    send_plain(&world->guest, VMBUS_REQUEST_OFFERS);
    assert_int_equal(expect_offer(&world->guest)->offer.relid, 1);
    const struct vmbus_offer_channel *second =
        &expect_offer(&world->guest)->offer;
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
    send_plain(&world->guest, VMBUS_REQUEST_OFFERS);
    fake_guest_expect_silence(&world->guest);

    /* A device that comes later is told of at once, and without an end. */
    uint32_t relid =
        fake_guest_offer(&world->guest, &fake_device_ops, &more[1]);
    assert_int_equal(expect_offer(&world->guest)->offer.relid, relid);
    fake_guest_expect_silence(&world->guest);
}

static void before_the_contact_nothing_is_heard(void **state)
{
    struct world *world = *state;
    const uint64_t words[] = {4096, 1};

    world->guest.connection_id = VMBUS_CONNECTION_OLD;
    send_plain(&world->guest, VMBUS_REQUEST_OFFERS);
    send_plain(&world->guest, VMBUS_UNLOAD);
    fake_guest_send_gpadl(&world->guest, world->relid, 1, 1, words, 2);
    fake_guest_close(&world->guest, world->relid);
    release(&world->guest, world->relid);
    fake_guest_expect_silence(&world->guest);
    assert_int_equal(vmbus_version(world->guest.bus), 0);
}

static void what_is_no_message_is_ignored(void **state)
{
    struct world *world = *state;
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

static void an_open_needs_rings_that_can_be(void **state)
{
    struct world *world = *state;
    struct fake_guest *guest = &world->guest;
    struct fake_channel good = {.relid = world->relid,
                                .page = fake_guest_pages(guest, 4),
                                .pages = {2, 2}};

    good.gpadl_id = fake_guest_lend(guest, world->relid, good.page, 4);
    struct fake_channel bad = good;
    bad.relid = world->relid + 1;
    assert_int_not_equal(open_status(guest, &bad), 0);
    bad.relid = UINT32_MAX;
    assert_int_not_equal(open_status(guest, &bad), 0);
    bad = good;
    bad.gpadl_id++;
    assert_int_not_equal(open_status(guest, &bad), 0);
    for (uint32_t downstream = 0; downstream < 6; downstream++) {
        bad = good;
        bad.pages[0] = downstream;
        if (downstream != 2)
            assert_int_not_equal(open_status(guest, &bad), 0);
    }
    bad.pages[0] = UINT32_MAX;
    assert_int_not_equal(open_status(guest, &bad), 0);
    assert_int_equal(world->device.opened, 0);
    assert_int_equal(open_status(guest, &good), 0);
    assert_int_not_equal(open_status(guest, &good), 0);
    assert_int_equal(world->device.opened, 1);
}

static void an_open_needs_a_complete_buffer_of_whole_pages(void **state)
{
    struct world *world = *state;
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
    assert_int_not_equal(open_status(&world->guest, &channel), 0);
    fake_guest_send_gpadl(&world->guest, world->relid, 10, 1, ragged, 6);
    assert_int_equal(gpadl_status(&world->guest), 0);
    channel.gpadl_id = 10;
    assert_int_not_equal(open_status(&world->guest, &channel), 0);
    fake_guest_send_gpadl(&world->guest, world->relid, 11, 2, pieces, 6);
    assert_int_equal(gpadl_status(&world->guest), 0);
    channel.gpadl_id = 11;
    assert_int_not_equal(open_status(&world->guest, &channel), 0);
}

static void an_open_needs_a_host_that_listens(void **state)
{
    struct world *world = *state;
    struct fake_channel channel = {.relid = world->relid,
                                   .page = fake_guest_pages(&world->guest, 4),
                                   .pages = {2, 2}};

    channel.gpadl_id =
        fake_guest_lend(&world->guest, world->relid, channel.page, 4);
    world->guest.listen_status = HV_STATUS_INVALID_PARAMETER;
    assert_int_not_equal(open_status(&world->guest, &channel), 0);
    world->guest.listen_status = HV_STATUS_SUCCESS;
    assert_int_equal(open_status(&world->guest, &channel), 0);
}

static void packets_from_before_the_open_are_served(void **state)
{
    struct world *world = *state;
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
    assert_int_equal(open_status(&world->guest, &channel), 0);
    fake_guest_run(&world->guest);
    assert_int_equal(world->device.packets, 1);
}

static void a_close_is_not_answered_and_can_be_followed_by_an_open(void **state)
{
    struct world *world = *state;
    struct fake_channel channel =
        fake_guest_open(&world->guest, world->relid, 2);

    fake_guest_close(&world->guest, world->relid);
    fake_guest_close(&world->guest, world->relid);
    fake_guest_close(&world->guest, 999999);
    fake_guest_expect_silence(&world->guest);
    assert_int_equal(world->device.closed, 1);
    assert_false(world->guest.services[world->relid].listens);
    assert_int_equal(open_status(&world->guest, &channel), 0);
    assert_int_equal(world->device.opened, 2);
}

static void a_ring_that_is_torn_down_closes_its_channel(void **state)
{
    struct world *world = *state;
    struct fake_channel channel =
        fake_guest_open(&world->guest, world->relid, 2);

    tear_down(&world->guest, world->relid, channel.gpadl_id);
    const struct fake_post *post =
        fake_guest_expect(&world->guest, VMBUS_GPADL_TORNDOWN,
                          sizeof(struct vmbus_gpadl_torndown));
    assert_int_equal(post->torndown.gpadl_id, channel.gpadl_id);
    assert_int_equal(world->device.closed, 1);
    fake_guest_close(&world->guest, world->relid);
    assert_int_equal(world->device.closed, 1);
    assert_int_not_equal(open_status(&world->guest, &channel), 0);
    /* Who waits for what there is not would wait for ever. */
    tear_down(&world->guest, world->relid, channel.gpadl_id);
    fake_guest_expect(&world->guest, VMBUS_GPADL_TORNDOWN,
                      sizeof(struct vmbus_gpadl_torndown));
}

static void a_buffer_that_cannot_be_is_refused(void **state)
{
    struct world *world = *state;
    const uint64_t words[] = {8192, 1, 2};
    const uint64_t orphan[] = {0, 0};
    struct vmbus_gpadl_body body = {.header.type = VMBUS_GPADL_BODY,
                                    .gpadl_id = 77};

    fake_guest_send_gpadl(&world->guest, 1234, 1, 1, words, 3);
    assert_int_equal(gpadl_status(&world->guest), VMBUS_STATUS_UNEXPECTED);
    fake_guest_send_gpadl(&world->guest, world->relid, 1, 2, words, 3);
    assert_int_equal(gpadl_status(&world->guest), VMBUS_STATUS_UNEXPECTED);
    fake_guest_send_gpadl(&world->guest, world->relid, 1, 1, words, 2);
    assert_int_equal(gpadl_status(&world->guest), VMBUS_STATUS_UNEXPECTED);
    fake_guest_send_gpadl(&world->guest, world->relid, 1, 1, orphan, 2);
    assert_int_equal(gpadl_status(&world->guest), VMBUS_STATUS_UNEXPECTED);
    fake_guest_send(&world->guest, &body, sizeof(body));
    fake_guest_expect_silence(&world->guest);
    fake_guest_send_gpadl(&world->guest, world->relid, 1, 1, words, 3);
    assert_int_equal(gpadl_status(&world->guest), 0);
    body.gpadl_id = 1; /* of which there is nothing missing */
    fake_guest_send(&world->guest, &body, sizeof(body));
    fake_guest_expect_silence(&world->guest);
    fake_guest_send_gpadl(&world->guest, world->relid, 1, 1, words, 3);
    assert_int_equal(gpadl_status(&world->guest), VMBUS_STATUS_UNEXPECTED);
}

static void who_does_not_know_a_channel_cannot_use_it(void **state)
{
    struct world *world = *state;
    const uint64_t words[] = {8192, 1, 2};

    fake_guest_contact(&world->guest, VMBUS_VERSION_5_2, 0);
    world->guest.posts_read = world->guest.post_count;
    fake_guest_send_gpadl(&world->guest, world->relid, 1, 1, words, 3);
    assert_int_equal(gpadl_status(&world->guest), VMBUS_STATUS_UNEXPECTED);
}

static void the_number_of_a_buffer_is_free_when_its_channel_goes(void **state)
{
    struct world *world = *state;
    struct fake_device device = {0};
    const uint64_t words[] = {8192, 1, 2};
    uint32_t relid = fake_guest_offer(&world->guest, &fake_device_ops, &device);

    expect_offer(&world->guest);
    fake_guest_send_gpadl(&world->guest, relid, 1, 1, words, 3);
    assert_int_equal(gpadl_status(&world->guest), 0);
    vmbus_rescind(vmbus_find_channel(world->guest.bus, relid),
                  &world->guest.context);
    expect_rescind(&world->guest, relid);
    release(&world->guest, relid);
    fake_guest_send_gpadl(&world->guest, world->relid, 1, 1, words, 3);
    assert_int_equal(gpadl_status(&world->guest), 0);

    release(&world->guest, world->relid);
    relid = fake_guest_offer(&world->guest, &fake_device_ops, &device);
    expect_offer(&world->guest);
    fake_guest_send_gpadl(&world->guest, relid, 1, 1, words, 3);
    assert_int_equal(gpadl_status(&world->guest), 0);
}

static void another_buffer_can_be_taken_back_while_it_is_open(void **state)
{
    struct world *world = *state;

    fake_guest_open(&world->guest, world->relid, 2);
    uint32_t id = fake_guest_lend(&world->guest, world->relid, 1, 3);
    tear_down(&world->guest, world->relid, id);
    fake_guest_expect(&world->guest, VMBUS_GPADL_TORNDOWN,
                      sizeof(struct vmbus_gpadl_torndown));
    struct vmbus_channel *channel =
        vmbus_find_channel(world->guest.bus, world->relid);
    assert_true(vmbus_channel_is_open(channel));
    assert_null(vmbus_channel_gpadl(channel, id));
}

static void a_large_buffer_takes_many_bodies(void **state)
{
    struct world *world = *state;
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

static void a_device_that_goes_closes_its_channel(void **state)
{
    struct world *world = *state;
    struct fake_device device = {0};
    uint32_t relid = fake_guest_offer(&world->guest, &fake_device_ops, &device);

    expect_offer(&world->guest);
    struct fake_channel channel = fake_guest_open(&world->guest, relid, 2);
    vmbus_rescind(vmbus_find_channel(world->guest.bus, relid),
                  &world->guest.context);
    expect_rescind(&world->guest, relid);
    assert_int_equal(device.closed, 1);
    assert_int_equal(device.freed, 1);
    assert_null(vmbus_find_channel(world->guest.bus, relid));
    /* The guest closes, takes back its memory and lets go. */
    fake_guest_close(&world->guest, relid);
    assert_int_not_equal(open_status(&world->guest, &channel), 0);
    tear_down(&world->guest, relid, channel.gpadl_id);
    fake_guest_expect(&world->guest, VMBUS_GPADL_TORNDOWN,
                      sizeof(struct vmbus_gpadl_torndown));
    release(&world->guest, relid);
    fake_guest_expect_silence(&world->guest);
    assert_int_equal(device.closed, 1);
    assert_int_equal(world->guest.forgotten, 1);
}

static void of_an_unknown_device_s_end_nothing_is_said(void **state)
{
    struct world *world = *state;
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
    struct world *world = *state;
    struct fake_channel channel =
        fake_guest_open(&world->guest, world->relid, 2);

    release(&world->guest, world->relid); /* not of an open one */
    assert_int_equal(world->device.closed, 0);
    fake_guest_close(&world->guest, world->relid);
    release(&world->guest, world->relid);
    assert_int_not_equal(open_status(&world->guest, &channel), 0);
    send_plain(&world->guest, VMBUS_REQUEST_OFFERS);
    fake_guest_expect_silence(&world->guest);
    fake_guest_connect(&world->guest, VMBUS_VERSION_5_2);
    fake_guest_open(&world->guest, world->relid, 2);
}

static void of_the_end_of_what_it_let_go_it_hears_nothing(void **state)
{
    struct world *world = *state;

    release(&world->guest, world->relid);
    vmbus_rescind(vmbus_find_channel(world->guest.bus, world->relid),
                  &world->guest.context);
    fake_guest_expect_silence(&world->guest);
    assert_int_equal(world->guest.forgotten, 1);
}

static void a_contact_releases_what_was_rescinded(void **state)
{
    struct world *world = *state;
    struct fake_device device = {0};
    uint32_t relid = fake_guest_offer(&world->guest, &fake_device_ops, &device);

    vmbus_rescind(vmbus_find_channel(world->guest.bus, relid),
                  &world->guest.context);
    fake_guest_contact(&world->guest, VMBUS_VERSION_5_2, 0);
    assert_int_equal(world->guest.forgotten, 1);
    assert_int_equal(fake_guest_offer(&world->guest, &fake_device_ops, &device),
                     relid);
}

static void a_channel_can_be_told_to_interrupt_nobody(void **state)
{
    struct world *world = *state;
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

/** Offers sub-channel `index` of the world's device. */
static struct vmbus_channel *offer_sub_channel(struct world *world,
                                               uint16_t index)
{
    struct vmbus_offer offer = {.sub_channel_index = index,
                                .ops = &fake_device_ops,
                                .device = &world->device};

    offer.class_id.bytes[0] = 0xc1;
    memcpy(offer.instance_id.bytes, &world->instance, sizeof(world->instance));
    return vmbus_offer(world->guest.bus, &world->guest.context, &offer);
}

static void sub_channels_go_with_their_primary(void **state)
{
    struct world *world = *state;

    assert_null(offer_sub_channel(world, 1));
    struct fake_channel primary =
        fake_guest_open(&world->guest, world->relid, 2);
    struct vmbus_channel *sub = offer_sub_channel(world, 1);
    assert_int_equal(vmbus_channel_sub_channel_index(sub), 1);
    const struct vmbus_offer_channel *offer =
        &expect_offer(&world->guest)->offer;
    assert_int_equal(offer->sub_channel_index, 1);
    uint32_t relid = offer->relid;
    struct fake_channel channel = fake_guest_open(&world->guest, relid, 2);
    fake_guest_put(&world->guest, &channel, VMBUS_PACKET_IN_BAND, 0, 3, "sub",
                   0, 4);
    fake_guest_run(&world->guest);
    assert_ptr_equal(world->device.channel, sub);
    assert_non_null(offer_sub_channel(world, 2)); /* never opened */
    expect_offer(&world->guest);

    fake_guest_close(&world->guest, primary.relid);
    expect_rescind(&world->guest, relid);
    expect_rescind(&world->guest, relid + 1);
    assert_int_equal(world->device.closed, 2);
    assert_int_equal(world->device.freed, 0);
    release(&world->guest, relid);
    release(&world->guest, relid + 1);
    assert_int_equal(world->guest.forgotten, 2);
}

static void a_sub_channel_is_rescinded_once(void **state)
{
    struct world *world = *state;

    fake_guest_open(&world->guest, world->relid, 2);
    struct vmbus_channel *sub = offer_sub_channel(world, 1);
    uint32_t relid = vmbus_channel_relid(sub);
    expect_offer(&world->guest);
    vmbus_rescind(sub, &world->guest.context);
    expect_rescind(&world->guest, relid);
    fake_guest_close(&world->guest, world->relid);
    fake_guest_expect_silence(&world->guest);
    assert_int_equal(world->device.freed, 0);
}

static void sub_channels_do_not_depend_on_each_other(void **state)
{
    struct world *world = *state;
    struct fake_device other = {0};
    uint32_t low = fake_guest_offer(&world->guest, &fake_device_ops, &other);

    /* The sub-channel gets a lower number than its primary. */
    world->instance = world->guest.next_gpadl_id;
    uint32_t primary =
        fake_guest_offer(&world->guest, &fake_device_ops, &other);
    vmbus_rescind(vmbus_find_channel(world->guest.bus, low), NULL);
    fake_guest_connect(&world->guest, VMBUS_VERSION_5_2);
    fake_guest_open(&world->guest, primary, 2);
    assert_int_equal(vmbus_channel_relid(offer_sub_channel(world, 1)), low);
    expect_offer(&world->guest);
    fake_guest_open(&world->guest, low, 2);
    offer_sub_channel(world, 2);
    expect_offer(&world->guest);
    fake_guest_close(&world->guest, low);
    fake_guest_expect_silence(&world->guest);
}

static void a_sub_channel_goes_with_the_connection(void **state)
{
    struct world *world = *state;

    fake_guest_open(&world->guest, world->relid, 2);
    uint32_t relid = vmbus_channel_relid(offer_sub_channel(world, 1));
    expect_offer(&world->guest);
    fake_guest_open(&world->guest, relid, 2);
    fake_guest_connect(&world->guest, VMBUS_VERSION_4_0);
    assert_int_equal(world->device.closed, 2);
    assert_null(vmbus_find_channel(world->guest.bus, relid));
    assert_non_null(vmbus_find_channel(world->guest.bus, world->relid));
}

static void unload_is_answered_when_all_is_over(void **state)
{
    struct world *world = *state;

    fake_guest_contact(&world->guest, VMBUS_VERSION_5_0, 6);
    world->guest.posts_read = world->guest.post_count;
    send_plain(&world->guest, VMBUS_REQUEST_OFFERS);
    world->guest.posts_read = world->guest.post_count;
    fake_guest_open(&world->guest, world->relid, 2);
    send_plain(&world->guest, VMBUS_UNLOAD);
    assert_int_equal(fake_guest_expect(&world->guest, VMBUS_UNLOAD_RESPONSE,
                                       sizeof(struct vmbus_header))
                         ->vp,
                     6);
    assert_int_equal(world->device.closed, 1);
    assert_int_equal(vmbus_version(world->guest.bus), 0);
    send_plain(&world->guest, VMBUS_REQUEST_OFFERS);
    send_plain(&world->guest, VMBUS_UNLOAD);
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
    struct world *world = *state;
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
    struct world *world = *state;
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
    struct world *world = *state;
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
    struct world *world = *state;
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
    struct world *world = *state;

    fake_guest_open(&world->guest, world->relid, 2);
    offer_sub_channel(world, 1);
    expect_offer(&world->guest);
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
    struct world *world = *state;

    cost_bill_clear(&world->guest.bill);
    fake_guest_contact(&world->guest, VMBUS_VERSION_5_3, 0);
    assert_int_equal(cost_count(&world->guest.bill, COST_VMBUS_MESSAGE), 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define CONNECTED(name)                                                        \
    cmocka_unit_test_setup_teardown(name, setup_connected, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(offers_come_in_order_and_to_an_end),
        TEST(before_the_contact_nothing_is_heard),
        CONNECTED(what_is_no_message_is_ignored),
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
        CONNECTED(a_device_that_goes_closes_its_channel),
        TEST(of_an_unknown_device_s_end_nothing_is_said),
        CONNECTED(who_lets_go_of_an_offer_hears_of_it_with_the_next_contact),
        CONNECTED(of_the_end_of_what_it_let_go_it_hears_nothing),
        CONNECTED(a_contact_releases_what_was_rescinded),
        CONNECTED(a_channel_can_be_told_to_interrupt_nobody),
        CONNECTED(sub_channels_go_with_their_primary),
        CONNECTED(a_sub_channel_is_rescinded_once),
        TEST(sub_channels_do_not_depend_on_each_other),
        CONNECTED(a_sub_channel_goes_with_the_connection),
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
