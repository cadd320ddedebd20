/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules that implementers get wrong, of the bus and its rings. */
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
    uint32_t relid;
};

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    fake_guest_setup(&world->guest);
    world->relid =
        fake_guest_offer(&world->guest, &fake_device_ops, &world->device);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    fake_guest_teardown(&((struct world *)*state)->guest);
    free(*state);
    return 0;
}

static const uint32_t versions[] = {
    VMBUS_VERSION_2_4, VMBUS_VERSION_3_0, VMBUS_VERSION_4_0, VMBUS_VERSION_4_1,
    VMBUS_VERSION_5_0, VMBUS_VERSION_5_1, VMBUS_VERSION_5_2, VMBUS_VERSION_5_3};
#define VERSION_COUNT (sizeof(versions) / sizeof(versions[0]))

static const struct fake_post *expect_response(struct fake_guest *guest)
{
    return fake_guest_expect(guest, VMBUS_VERSION_RESPONSE,
                             sizeof(struct vmbus_version_response));
}

static void send_plain(struct fake_guest *guest, enum vmbus_message_type type)
{
    struct vmbus_header message = {.type = type};

    fake_guest_send(guest, &message, sizeof(message));
}

/** INITIATE_CONTACT through that connection, whatever the version. */
static bool is_supported_through(struct fake_guest *guest, uint32_t version,
                                 uint32_t connection_id)
{
    struct vmbus_initiate_contact contact = {
        .header.type = VMBUS_INITIATE_CONTACT,
        .version = version,
        .target_sint = VMBUS_SINT,
    };

    vmbus_message(guest->bus, &guest->context, connection_id, &contact,
                  sizeof(contact));
    return expect_response(guest)->version.supported;
}

static void
rule_29_contact_is_through_connection_1_below_5_0_and_4_from_there(void **state)
{
    struct fake_guest *guest = &((struct world *)*state)->guest;

    for (unsigned i = 0; i < VERSION_COUNT; i++) {
        bool is_new = versions[i] >= VMBUS_VERSION_5_0;
        assert_int_equal(is_supported_through(guest, versions[i], 1), !is_new);
        assert_int_equal(is_supported_through(guest, versions[i], 4), is_new);
    }
}

static void rule_29_the_response_supplies_the_connection_to_use(void **state)
{
    struct fake_guest *guest = &((struct world *)*state)->guest;

    for (unsigned i = 0; i < VERSION_COUNT; i++) {
        fake_guest_contact(guest, versions[i], 0);
        uint32_t selected = expect_response(guest)->version.selected;
        assert_int_equal(selected,
                         versions[i] >= VMBUS_VERSION_5_0 ? 4 : versions[i]);
        uint32_t agreed = guest->connection_id;
        guest->connection_id = agreed == 4 ? 1 : 4;
        send_plain(guest, VMBUS_REQUEST_OFFERS);
        fake_guest_expect_silence(guest);
        guest->connection_id = agreed;
        send_plain(guest, VMBUS_REQUEST_OFFERS);
        fake_guest_expect(guest, VMBUS_OFFER_CHANNEL,
                          sizeof(struct vmbus_offer_channel));
        guest->posts_read = guest->post_count;
    }
}

static void rule_30_every_version_is_answered(void **state)
{
    struct fake_guest *guest = &((struct world *)*state)->guest;
    static const uint32_t unknown[] = {0,
                                       VMBUS_VERSION(0, 13),
                                       VMBUS_VERSION(1, 1),
                                       VMBUS_VERSION(2, 3),
                                       VMBUS_VERSION(3, 1),
                                       VMBUS_VERSION(5, 4),
                                       VMBUS_VERSION_6_0,
                                       UINT32_MAX};

    for (unsigned i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        fake_guest_contact(guest, unknown[i], 0);
        assert_int_equal(expect_response(guest)->version.supported, 0);
        assert_int_equal(vmbus_version(guest->bus), 0);
    }
    for (unsigned i = 0; i < VERSION_COUNT; i++) {
        fake_guest_contact(guest, versions[i], 0);
        assert_int_equal(expect_response(guest)->version.supported, 1);
        assert_int_equal(vmbus_version(guest->bus), versions[i]);
    }
}

static void rule_31_a_contact_ends_what_was_before(void **state)
{
    struct world *world = *state;
    struct fake_guest *guest = &world->guest;

    fake_guest_connect(guest, VMBUS_VERSION_4_0); /* firmware */
    struct fake_channel old = fake_guest_open(guest, world->relid, 2);
    fake_guest_put(guest, &old, VMBUS_PACKET_IN_BAND, 0, 1, "x", 0, 1);
    fake_guest_contact(guest, VMBUS_VERSION_5_3, 0); /* the system */
    assert_int_equal(world->device.closed, 1);
    assert_false(guest->services[world->relid].listens);
    assert_int_equal(expect_response(guest)->version.supported, 1);
    fake_guest_run(guest);
    assert_int_equal(world->device.packets, 0);

    /* Not even its buffers are there any more, nor does it know of offers. */
    fake_guest_send_open(guest, &old, 0, 1);
    assert_int_not_equal(
        fake_guest_expect(guest, VMBUS_OPEN_CHANNEL_RESULT,
                          sizeof(struct vmbus_open_channel_result))
            ->open.status,
        0);
    send_plain(guest, VMBUS_REQUEST_OFFERS);
    assert_int_equal(fake_guest_expect(guest, VMBUS_OFFER_CHANNEL,
                                       sizeof(struct vmbus_offer_channel))
                         ->offer.relid,
                     world->relid);
    fake_guest_expect(guest, VMBUS_ALL_OFFERS_DELIVERED,
                      sizeof(struct vmbus_header));
    struct vmbus_channel *channel =
        vmbus_find_channel(guest->bus, world->relid);
    assert_null(vmbus_channel_gpadl(channel, old.gpadl_id));
    fake_guest_open(guest, world->relid, 2);
}

static void rule_31_also_one_that_is_refused_ends_it(void **state)
{
    struct world *world = *state;

    fake_guest_connect(&world->guest, VMBUS_VERSION_5_3);
    fake_guest_open(&world->guest, world->relid, 2);
    fake_guest_contact(&world->guest, VMBUS_VERSION_6_0, 0);
    assert_int_equal(expect_response(&world->guest)->version.supported, 0);
    assert_int_equal(world->device.closed, 1);
    assert_int_equal(vmbus_version(world->guest.bus), 0);
}

static void rule_32_the_target_vp_counts_from_3_0(void **state)
{
    struct fake_guest *guest = &((struct world *)*state)->guest;

    for (unsigned i = 0; i < VERSION_COUNT; i++) {
        uint32_t vp = versions[i] >= VMBUS_VERSION_3_0 ? 3 : 0;
        fake_guest_contact(guest, versions[i], 3);
        assert_int_equal(expect_response(guest)->vp, vp);
        send_plain(guest, VMBUS_REQUEST_OFFERS);
        assert_int_equal(fake_guest_expect(guest, VMBUS_OFFER_CHANNEL,
                                           sizeof(struct vmbus_offer_channel))
                             ->vp,
                         vp);
        guest->posts_read = guest->post_count;
    }
}

static void rule_32_the_interrupt_page_is_none_from_2_4(void **state)
{
    struct world *world = *state;
    struct fake_guest *guest = &world->guest;
    uint8_t *page = guest->memory + fake_guest_pages(guest, 8) * PAGE_BYTES;
    uint8_t before[8 * PAGE_BYTES];

    /* fake_guest_contact() names pages 5 to 7. */
    memset(page, 0xff, sizeof(before));
    memcpy(before, page, sizeof(before));
    for (unsigned i = 0; i < VERSION_COUNT; i++) {
        fake_guest_connect(guest, versions[i]);
        struct fake_channel channel = fake_guest_open(guest, world->relid, 2);
        fake_guest_run(guest); /* bits of the page would be packets */
        fake_guest_put(guest, &channel, VMBUS_PACKET_IN_BAND,
                       VMBUS_PACKET_COMPLETION_WANTED, 1, "x", 0, 1);
        fake_guest_run(guest);
        assert_int_equal(guest->services[world->relid].signals, i + 1);
        assert_memory_equal(page, before, sizeof(before));
    }
}

static void rule_33_one_buffer_holds_both_rings(void **state)
{
    struct world *world = *state;
    struct fake_guest *guest = &world->guest;
    struct fake_channel channel = {.relid = world->relid, .pages = {2, 4}};
    struct vmbus_packet_descriptor descriptor;
    char body[64];

    fake_guest_connect(guest, VMBUS_VERSION_5_3);
    channel.page = fake_guest_pages(guest, 6);
    channel.gpadl_id = fake_guest_lend(guest, world->relid, channel.page, 6);
    fake_guest_send_open(guest, &channel, 0, 1);
    fake_guest_expect(guest, VMBUS_OPEN_CHANNEL_RESULT,
                      sizeof(struct vmbus_open_channel_result));

    fake_guest_put(guest, &channel, VMBUS_PACKET_IN_BAND,
                   VMBUS_PACKET_COMPLETION_WANTED, 5, "there and back", 0, 15);
    fake_guest_run(guest);
    assert_string_equal(world->device.payload, "there and back");
    /* Its own words, so that this does not rest on the fake's arithmetic. */
    const uint8_t *downstream = guest->memory + (channel.page + 2) * PAGE_BYTES;
    uint32_t write_index;
    memcpy(&write_index, downstream, sizeof(write_index));
    assert_int_equal(write_index, 16 + 16 + 8);
    assert_memory_equal(downstream + PAGE_BYTES + 16, "there and back", 15);
    assert_true(
        fake_guest_get(guest, &channel, &descriptor, body, sizeof(body)));
    assert_int_equal(fake_guest_ring_bytes(&channel, FAKE_FROM_HOST),
                     3 * PAGE_BYTES);
}

/** Connects, and opens the channel with rings of one page of data. */
static struct fake_channel open_small(struct world *world)
{
    fake_guest_connect(&world->guest, VMBUS_VERSION_5_3);
    struct fake_channel channel =
        fake_guest_open(&world->guest, world->relid, 2);
    fake_guest_run(&world->guest);
    return channel;
}

static bool send_bytes(struct world *world, uint32_t bytes)
{
    static const uint8_t zeros[PAGE_BYTES];

    return vmbus_channel_send(
        vmbus_find_channel(world->guest.bus, world->relid),
        &world->guest.context, VMBUS_PACKET_IN_BAND, 0, 1, zeros, bytes);
}

static void rule_34_a_ring_is_never_full(void **state)
{
    struct world *world = *state;
    struct fake_channel channel = open_small(world);
    struct vmbus_ring_control *control =
        fake_guest_ring(&world->guest, &channel, FAKE_FROM_HOST);

    /* 4096 bytes: 16 of descriptor and 8 of trailer for each of 102 packets of
     * 16 make 4080, and 16 are left. */
    for (unsigned i = 0; i < 102; i++)
        assert_true(send_bytes(world, 16));
    assert_int_equal(control->write_index, 102 * 40);
    assert_false(send_bytes(world, 0));
    /* With 24 free, a packet of 24 would fill it. */
    control->read_index = 8;
    assert_false(send_bytes(world, 0));
    control->read_index = 16;
    assert_true(send_bytes(world, 0));
}

static void rule_34_only_who_fills_an_empty_ring_signals(void **state)
{
    struct world *world = *state;
    struct fake_channel channel = open_small(world);
    struct vmbus_ring_control *control =
        fake_guest_ring(&world->guest, &channel, FAKE_FROM_HOST);
    const unsigned *signals = &world->guest.services[world->relid].signals;

    send_bytes(world, 8);
    assert_int_equal(*signals, 1);
    send_bytes(world, 8); /* was not empty */
    assert_int_equal(*signals, 1);
    control->read_index = control->write_index;
    control->interrupt_mask = 1;
    send_bytes(world, 8); /* masked */
    assert_int_equal(*signals, 1);
    control->interrupt_mask = 0;
    send_bytes(world, 8); /* unmasked, but not empty */
    assert_int_equal(*signals, 1);
    control->read_index = control->write_index;
    send_bytes(world, 8);
    assert_int_equal(*signals, 2);
}

static void rule_34_a_guest_that_obeys_it_is_heard(void **state)
{
    struct world *world = *state;
    struct fake_channel channel = open_small(world);
    struct fake_guest *guest = &world->guest;

    assert_true(
        fake_guest_put(guest, &channel, VMBUS_PACKET_IN_BAND, 0, 1, "a", 0, 1));
    assert_false(
        fake_guest_put(guest, &channel, VMBUS_PACKET_IN_BAND, 0, 2, "b", 0, 1));
    struct vmbus_channel *served = vmbus_find_channel(guest->bus, world->relid);
    vmbus_channel_step(served, &guest->context);
    vmbus_channel_step(served, &guest->context);
    /* Into a ring that was emptied, but by one that still looks. */
    assert_false(
        fake_guest_put(guest, &channel, VMBUS_PACKET_IN_BAND, 0, 3, "c", 0, 1));
    fake_guest_run(guest);
    assert_int_equal(world->device.packets, 3);
    assert_true(
        fake_guest_put(guest, &channel, VMBUS_PACKET_IN_BAND, 0, 4, "d", 0, 1));
}

/** Has the guest wait for `pending` with `packets` of 40 bytes in the ring, and
 *  one taken: whether that is signalled. */
static bool is_woken(struct world *world, const struct fake_channel *channel,
                     unsigned packets, uint32_t pending)
{
    struct fake_guest *guest = &world->guest;
    struct vmbus_channel *served = vmbus_find_channel(guest->bus, world->relid);

    for (unsigned i = 0; i < packets; i++)
        fake_guest_put(guest, channel, VMBUS_PACKET_IN_BAND, 0, 1,
                       "fifteen letters", 0, 16);
    fake_guest_ring(guest, channel, FAKE_TO_HOST)->pending_send_bytes = pending;
    unsigned before = guest->services[world->relid].signals;
    assert_int_equal(vmbus_channel_step(served, &guest->context), VMBUS_AGAIN);
    bool woken = guest->services[world->relid].signals > before;
    fake_guest_ring(guest, channel, FAKE_TO_HOST)->pending_send_bytes = 0;
    fake_guest_run(guest);
    return woken;
}

static void rule_35_a_waiting_guest_is_woken_at_the_crossing(void **state)
{
    struct world *world = *state;
    struct fake_channel channel = open_small(world);

    /* 100 packets: 96 bytes free, and 136 after one was taken. */
    assert_false(is_woken(world, &channel, 100, 0));
    assert_false(is_woken(world, &channel, 100, 144)); /* not reached */
    assert_true(is_woken(world, &channel, 100, 136));  /* "at least" */
    assert_true(is_woken(world, &channel, 100, 128));  /* and "more than" */
    assert_true(is_woken(world, &channel, 100, 104));
    assert_true(is_woken(world, &channel, 100, 96));  /* was not more before */
    assert_false(is_woken(world, &channel, 100, 88)); /* was free before */
    assert_int_equal(
        fake_guest_ring(&world->guest, &channel, FAKE_TO_HOST)->feature_bits,
        VMBUS_RING_PENDING_SEND);
}

/** Sends until there is no room, then takes packets as the guest until it
 *  would wake the host by its own comparison; whether a send fits then. */
static bool fits_when_woken(struct world *world, struct fake_channel *channel,
                            bool is_strict)
{
    struct vmbus_ring_control *control =
        fake_guest_ring(&world->guest, channel, FAKE_FROM_HOST);
    uint32_t size = fake_guest_ring_bytes(channel, FAKE_FROM_HOST);

    while (send_bytes(world, 40))
        ;
    uint32_t pending = control->pending_send_bytes;
    assert_int_not_equal(pending, 0);
    for (;;) {
        control->read_index = (control->read_index + 8) % size;
        uint32_t free_now =
            size - (control->write_index + size - control->read_index) % size;
        if (is_strict ? free_now > pending : free_now >= pending)
            break;
    }
    return send_bytes(world, 40);
}

static void rule_35_we_wait_for_what_suffices_either_way(void **state)
{
    struct world *world = *state;
    struct fake_channel channel = open_small(world);

    assert_true(fits_when_woken(world, &channel, true));
    assert_true(fits_when_woken(world, &channel, false));
}

static void rule_36_modify_channel_is_answered_from_5_3(void **state)
{
    struct world *world = *state;
    struct fake_guest *guest = &world->guest;
    const struct fake_service *service = &guest->services[world->relid];
    struct vmbus_modify_channel modify = {
        .header.type = VMBUS_MODIFY_CHANNEL,
        .relid = world->relid,
        .target_vp = 5,
    };

    for (unsigned i = 0; i < VERSION_COUNT; i++) {
        fake_guest_connect(guest, versions[i]);
        fake_guest_open(guest, world->relid, 2);
        fake_guest_send(guest, &modify, sizeof(modify));
        assert_int_equal(service->vp, versions[i] >= VMBUS_VERSION_4_1 ? 5 : 0);
        if (versions[i] < VMBUS_VERSION_5_3) {
            fake_guest_expect_silence(guest);
            continue;
        }
        const struct fake_post *post =
            fake_guest_expect(guest, VMBUS_MODIFY_CHANNEL_RESPONSE,
                              sizeof(struct vmbus_modify_channel_response));
        assert_int_equal(post->modify.relid, world->relid);
        assert_int_equal(post->modify.status, 0);
    }
    /* And so is what cannot be. */
    guest->listen_status = HV_STATUS_INVALID_PARAMETER;
    fake_guest_send(guest, &modify, sizeof(modify));
    modify.relid = 99;
    fake_guest_send(guest, &modify, sizeof(modify));
    for (unsigned i = 0; i < 2; i++)
        assert_int_not_equal(
            fake_guest_expect(guest, VMBUS_MODIFY_CHANNEL_RESPONSE,
                              sizeof(struct vmbus_modify_channel_response))
                ->modify.status,
            0);
}

static void rule_36_a_relid_is_free_when_it_is_released(void **state)
{
    struct world *world = *state;
    struct fake_guest *guest = &world->guest;
    struct fake_device other = {0};
    struct vmbus_relid_message released = {.header.type = VMBUS_RELID_RELEASED};

    fake_guest_connect(guest, VMBUS_VERSION_5_3);
    uint32_t first = fake_guest_offer(guest, &fake_device_ops, &other);
    vmbus_rescind(vmbus_find_channel(guest->bus, first), &guest->context);
    uint32_t second = fake_guest_offer(guest, &fake_device_ops, &other);
    assert_int_not_equal(second, first);
    released.relid = first;
    fake_guest_send(guest, &released, sizeof(released));
    assert_int_equal(fake_guest_offer(guest, &fake_device_ops, &other), first);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(
            rule_29_contact_is_through_connection_1_below_5_0_and_4_from_there),
        TEST(rule_29_the_response_supplies_the_connection_to_use),
        TEST(rule_30_every_version_is_answered),
        TEST(rule_31_a_contact_ends_what_was_before),
        TEST(rule_31_also_one_that_is_refused_ends_it),
        TEST(rule_32_the_target_vp_counts_from_3_0),
        TEST(rule_32_the_interrupt_page_is_none_from_2_4),
        TEST(rule_33_one_buffer_holds_both_rings),
        TEST(rule_34_a_ring_is_never_full),
        TEST(rule_34_only_who_fills_an_empty_ring_signals),
        TEST(rule_34_a_guest_that_obeys_it_is_heard),
        TEST(rule_35_a_waiting_guest_is_woken_at_the_crossing),
        TEST(rule_35_we_wait_for_what_suffices_either_way),
        TEST(rule_36_modify_channel_is_answered_from_5_3),
        TEST(rule_36_a_relid_is_free_when_it_is_released),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
