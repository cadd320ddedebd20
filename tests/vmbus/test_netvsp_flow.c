/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Frames between two guests, and answers, through their adapters. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/vmbus/net_guest.h"

#define SLOTS_RESERVED 16u /* of GUEST_SECTIONS */
#define OID_ADDRESS 0x01010101u

static uint32_t query(struct net_guest *guest, uint32_t id, uint32_t oid)
{
    const uint32_t message[] = {RNDIS_QUERY, 28, id, oid, 0, 20, 0};

    return guest_send_rndis(guest, NETVSP_CHANNEL_CONTROL, message,
                            sizeof(message));
}

/* Frames. */

static void a_frame_gets_from_one_guest_to_the_other(void **state)
{
    struct guest_sent packet;

    (void)state;
    guest_bring_up(alice, NETVSP_VERSION_61);
    guest_bring_up(bob, NETVSP_VERSION_4);
    assert_int_equal(guest_send_mark(alice, bob, 1), NETVSP_STATUS_SUCCESS);
    assert_false(guest_has(bob)); /* not within the sender's packet */
    guest_run(bob, cycles(5));
    assert_int_equal(guest_receive_mark(bob, &packet), 1);
    assert_true(guest_done(bob, &packet));
    assert_int_equal(guest_send_mark(bob, alice, 2), NETVSP_STATUS_SUCCESS);
    guest_run(alice, cycles(5));
    assert_int_equal(guest_receive_mark(alice, &packet), 2);
    assert_int_equal(netvsp_counts(alice->offer.device).frames_received, 1);
    assert_int_equal(netvsp_counts(alice->offer.device).frames_sent, 1);
}

static void a_frame_is_not_delivered_before_it_was_sent(void **state)
{
    struct guest_sent packet;

    (void)state;
    guest_bring_up(alice, NETVSP_VERSION_61);
    guest_bring_up(bob, NETVSP_VERSION_61);
    alice->context.now = cycles(500);
    assert_int_equal(guest_send_mark(alice, bob, 1), NETVSP_STATUS_SUCCESS);
    alice->context.now = cycles(400); /* another processor's clock */
    assert_int_equal(guest_send_mark(alice, bob, 2), NETVSP_STATUS_SUCCESS);
    assert_int_equal(bob->wake.v, 400);
    guest_run(bob, cycles(450));
    assert_int_equal(guest_receive_mark(bob, &packet), 2);
    assert_false(guest_has(bob));
    assert_int_equal(bob->wake.v, 500);
    guest_run(bob, cycles(500));
    assert_int_equal(guest_receive_mark(bob, &packet), 1);
}

static void what_can_be_sent_at_once_does_not_wait_for_a_frame(void **state)
{
    struct guest_sent packet;

    (void)state;
    guest_bring_up(alice, NETVSP_VERSION_61);
    guest_bring_up(bob, NETVSP_VERSION_61);
    assert_int_equal(query(bob, 1, OID_ADDRESS), NETVSP_STATUS_SUCCESS);
    alice->context.now = cycles(500);
    assert_int_equal(guest_send_mark(alice, bob, 1), NETVSP_STATUS_SUCCESS);
    assert_true(bob->wake.v < 500);
    guest_run(bob, cycles(499));
    guest_receive(bob, &(uint32_t){0}, &packet);
    assert_int_equal(packet.payload[1], NETVSP_CHANNEL_CONTROL);
    assert_false(guest_has(bob));
    assert_int_equal(bob->wake.v, 500);
}

static void several_packets_in_one_message_are_several_frames(void **state)
{
    uint8_t data[NETVSP_SEND_SECTION_BYTES];
    struct guest_sent packet;
    uint32_t bytes = 0;

    (void)state;
    guest_bring_up(alice, NETVSP_VERSION_61);
    guest_bring_up(bob, NETVSP_VERSION_61);
    for (uint8_t i = 0; i < 8; i++)
        bytes += guest_frame(data + bytes, bob->address, alice->address,
                             GUEST_FRAME_BYTES, i);
    assert_int_equal(guest_send_rndis(alice, NETVSP_CHANNEL_DATA, data, bytes),
                     NETVSP_STATUS_SUCCESS);
    guest_run(bob, cycles(5));
    for (uint8_t i = 0; i < 8; i++)
        assert_int_equal(guest_receive_mark(bob, &packet), i);

    /* No more than we said. */
    bytes += guest_frame(data + bytes, bob->address, alice->address,
                         GUEST_FRAME_BYTES, 8);
    assert_int_equal(guest_send_rndis(alice, NETVSP_CHANNEL_DATA, data, bytes),
                     NETVSP_STATUS_INVALID_PACKET);
}

/* Linux copies headers to the send buffer and leaves data where they are. */
static void a_message_may_be_in_a_section_and_in_pages(void **state)
{
    uint8_t data[RNDIS_MESSAGE_BYTES_MAX];
    struct guest_sent packet;
    uint32_t bytes;

    (void)state;
    guest_bring_up(alice, NETVSP_VERSION_61);
    guest_bring_up(bob, NETVSP_VERSION_61);
    bytes =
        guest_frame(data, bob->address, alice->address, GUEST_FRAME_BYTES, 3);
    memcpy(alice->send, data, 60);
    memcpy(alice->pages + 4090, data + 60, bytes - 60); /* across two */
    assert_int_equal(
        guest_send_pages(alice, NETVSP_CHANNEL_DATA, 60, 4090, bytes - 60),
        NETVSP_STATUS_SUCCESS);
    guest_run(bob, cycles(5));
    assert_int_equal(guest_receive_mark(bob, &packet), 3);

    memcpy(alice->pages, data, bytes); /* and in pages alone */
    assert_int_equal(guest_send_pages(alice, NETVSP_CHANNEL_DATA, 0, 0, bytes),
                     NETVSP_STATUS_SUCCESS);
    guest_run(bob, cycles(5));
    assert_int_equal(guest_receive_mark(bob, &packet), 3);
}

static void a_message_may_be_as_long_as_was_said(void **state)
{
    uint8_t data[RNDIS_MESSAGE_BYTES_MAX + 8] = {0};
    uint32_t length = NETVSP_SEND_SECTION_BYTES;

    (void)state;
    guest_bring_up(alice, NETVSP_VERSION_61);
    guest_frame(data, bob->address, alice->address, GUEST_FRAME_BYTES, 3);
    memcpy(data + 4, &length, sizeof(length)); /* the rest is padding */
    assert_int_equal(guest_send_rndis(alice, NETVSP_CHANNEL_DATA, data, length),
                     NETVSP_STATUS_SUCCESS);
    length = RNDIS_MESSAGE_BYTES_MAX;
    memcpy(data + 4, &length, sizeof(length));
    memcpy(alice->pages, data, sizeof(data));
    assert_int_equal(guest_send_pages(alice, NETVSP_CHANNEL_DATA, 0, 0, length),
                     NETVSP_STATUS_SUCCESS);
    length += 8;
    memcpy(alice->pages + 4, &length, sizeof(length));
    assert_int_equal(guest_send_pages(alice, NETVSP_CHANNEL_DATA, 0, 0, length),
                     NETVSP_STATUS_INVALID_PACKET);
    assert_int_equal(netvsp_counts(alice->offer.device).frames_sent, 2);
}

/* A packet that asks for a checksum is not sent without one. */
static void offloads_are_refused(void **state)
{
    uint8_t plain[NETVSP_SEND_SECTION_BYTES];
    uint8_t data[NETVSP_SEND_SECTION_BYTES];
    const uint32_t checksum[] = {0, 12, 0x5}; /* in the place of a tag */
    uint32_t head = rndis_build_packet(GUEST_FRAME_BYTES, true, 0, data);

    (void)state;
    guest_bring_up(alice, NETVSP_VERSION_61);
    guest_frame(plain, bob->address, alice->address, GUEST_FRAME_BYTES, 1);
    memcpy(data + head, plain + 44, GUEST_FRAME_BYTES);
    memcpy(data + 48, checksum, sizeof(checksum));
    assert_int_equal(guest_send_rndis(alice, NETVSP_CHANNEL_DATA, data,
                                      head + GUEST_FRAME_BYTES),
                     NETVSP_STATUS_INVALID_PACKET);
    assert_int_equal(netvsp_counts(alice->offer.device).frames_sent, 0);
}

static void what_is_not_where_it_is_said_is_invalid(void **state)
{
    static const uint32_t bad[][2] = {
        {4, 100},                           /* no such section */
        {0xfffffffe, 100},                  /* nor that */
        {0, NETVSP_SEND_SECTION_BYTES + 1}, /* more than a section */
        {0, 0xffffffff},
        {0, 0}, /* nothing at all */
        {NETVSP_NO_SECTION, 100},
    };

    (void)state;
    guest_bring_up(alice, NETVSP_VERSION_61);
    for (unsigned i = 0; i < 6; i++) {
        const uint32_t message[] = {NETVSP_SEND_RNDIS_PACKET, 0, bad[i][0],
                                    bad[i][1]};

        assert_true(guest_message(alice, message, 4));
        assert_int_equal(
            guest_completion(alice, NETVSP_SEND_RNDIS_PACKET_COMPLETE)[0],
            NETVSP_STATUS_INVALID_PACKET);
    }
    /* Pages that are not there. */
    assert_int_equal(
        guest_send_pages(alice, NETVSP_CHANNEL_DATA, 0, 0, GUEST_PAGES + 8),
        NETVSP_STATUS_INVALID_PACKET);
    assert_int_equal(netvsp_counts(alice->offer.device).frames_sent, 0);
}

static void jumbo_frames_are_refused(void **state)
{
    uint8_t data[RNDIS_MESSAGE_BYTES_MAX];
    struct guest_sent packet;
    uint32_t bytes;
    const uint8_t *message;

    (void)state;
    guest_bring_up(alice, NETVSP_VERSION_61);
    guest_bring_up(bob, NETVSP_VERSION_61);
    bytes = guest_frame(data, bob->address, alice->address, 1515, 1);
    assert_int_equal(guest_send_rndis(alice, NETVSP_CHANNEL_DATA, data, bytes),
                     NETVSP_STATUS_INVALID_PACKET);
    data[44 + 12] = 0x81; /* but a tag in it may take four bytes more */
    data[44 + 13] = 0x00;
    assert_int_equal(guest_send_rndis(alice, NETVSP_CHANNEL_DATA, data, bytes),
                     NETVSP_STATUS_SUCCESS);
    bytes = guest_frame(data, bob->address, alice->address, 1514, 1);
    assert_int_equal(guest_send_rndis(alice, NETVSP_CHANNEL_DATA, data, bytes),
                     NETVSP_STATUS_SUCCESS);
    guest_run(bob, cycles(5));
    guest_take(bob);
    message = guest_receive(bob, &bytes, &packet);
    assert_int_equal(bytes, 1514 + 44);
    assert_memory_equal(message, data, bytes);
    bytes = guest_frame(data, bob->address, alice->address, 14, 1);
    assert_int_equal(guest_send_rndis(alice, NETVSP_CHANNEL_DATA, data, bytes),
                     NETVSP_STATUS_SUCCESS);
    bytes = guest_frame(data, bob->address, alice->address, 13, 1);
    assert_int_equal(guest_send_rndis(alice, NETVSP_CHANNEL_DATA, data, bytes),
                     NETVSP_STATUS_INVALID_PACKET);
    assert_int_equal(netvsp_counts(alice->offer.device).sends_refused, 2);
}

static void a_guest_cannot_speak_for_another(void **state)
{
    uint8_t data[NETVSP_SEND_SECTION_BYTES];
    uint32_t bytes =
        guest_frame(data, alice->address, bob->address, GUEST_FRAME_BYTES, 1);

    (void)state;
    guest_bring_up(alice, NETVSP_VERSION_61);
    guest_bring_up(bob, NETVSP_VERSION_61);
    assert_int_equal(guest_send_rndis(alice, NETVSP_CHANNEL_DATA, data, bytes),
                     NETVSP_STATUS_SUCCESS);
    guest_run(alice, cycles(5));
    assert_false(guest_has(alice));
    assert_int_equal(netvsp_counts(alice->offer.device).sends_refused, 1);
}

/* The tag goes beside the frame, both ways. */
static void a_tag_goes_along(void **state)
{
    uint8_t data[NETVSP_SEND_SECTION_BYTES];
    uint8_t plain[NETVSP_SEND_SECTION_BYTES];
    struct rndis_packet found;
    struct guest_sent packet;
    uint32_t head = rndis_build_packet(GUEST_FRAME_BYTES, true, 0x4007, data);
    uint32_t bytes;
    const uint8_t *message;

    (void)state;
    guest_bring_up(alice, NETVSP_VERSION_61);
    guest_bring_up(bob, NETVSP_VERSION_61);
    guest_frame(plain, bob->address, alice->address, GUEST_FRAME_BYTES, 1);
    memcpy(data + head, plain + 44, GUEST_FRAME_BYTES);
    assert_int_equal(guest_send_rndis(alice, NETVSP_CHANNEL_DATA, data,
                                      head + GUEST_FRAME_BYTES),
                     NETVSP_STATUS_SUCCESS);
    guest_run(bob, cycles(5));
    message = guest_receive(bob, &bytes, &packet);
    assert_true(rndis_parse_packet(message, bytes, &found));
    assert_true(found.tagged);
    assert_int_equal(found.tag, 0x4007);
    assert_int_equal(found.frame_bytes, GUEST_FRAME_BYTES);
}

static void frames_before_initialisation_fail(void **state)
{
    (void)state;
    guest_connect(alice, NETVSP_VERSION_61);
    assert_int_equal(guest_send_mark(alice, bob, 1), NETVSP_STATUS_FAILURE);
}

/* Flow. */

static void frames_wait_for_sections_and_answers_do_not(void **state)
{
    struct guest_sent held[GUEST_SECTIONS];
    struct guest_sent packet;
    unsigned count = 0;

    (void)state;
    guest_bring_up(alice, NETVSP_VERSION_61);
    guest_bring_up(bob, NETVSP_VERSION_61);
    for (uint8_t i = 0; i < GUEST_SECTIONS; i++)
        assert_int_equal(guest_send_mark(alice, bob, i), NETVSP_STATUS_SUCCESS);
    guest_run(bob, cycles(5));
    while (guest_has(bob)) {
        assert_int_equal(guest_receive_mark(bob, &held[count]), count);
        for (unsigned i = 0; i < count; i++) /* no section twice */
            assert_int_not_equal(held[i].range.offset,
                                 held[count].range.offset);
        count++;
    }
    assert_int_equal(count, GUEST_SECTIONS - SLOTS_RESERVED);
    guest_run(bob, cycles(100)); /* it does not ask again and again */
    assert_int_equal(bob->wake.v, CYCLES_NEVER.v);

    /* What is said about the adapter gets through. */
    assert_int_equal(query(bob, 3, OID_ADDRESS), NETVSP_STATUS_SUCCESS);
    guest_run(bob, cycles(100));
    guest_receive(bob, &(uint32_t){0}, &packet);
    assert_int_equal(packet.payload[1], NETVSP_CHANNEL_CONTROL);
    assert_true(guest_done(bob, &packet));

    /* For each section that is given back, the next one. */
    assert_true(guest_done(bob, &held[3]));
    guest_run(bob, cycles(100));
    assert_int_equal(guest_receive_mark(bob, &packet), count);
    assert_false(guest_has(bob));
}

static void what_no_section_is_found_for_is_dropped_and_counted(void **state)
{
    unsigned delivered = GUEST_SECTIONS - SLOTS_RESERVED;

    (void)state;
    guest_bring_up(alice, NETVSP_VERSION_61);
    guest_bring_up(bob, NETVSP_VERSION_61);
    for (unsigned i = 0; i < delivered; i++)
        assert_int_equal(guest_send_mark(alice, bob, 1), NETVSP_STATUS_SUCCESS);
    guest_run(bob, cycles(5));
    for (unsigned i = 0; i < VSWITCH_QUEUE_FRAMES + 5; i++)
        assert_int_equal(guest_send_mark(alice, bob, 1), NETVSP_STATUS_SUCCESS);
    assert_int_equal(netvsp_counts(bob->offer.device).drops, 5);
}

static void a_full_ring_delays_and_loses_nothing(void **state)
{
    struct guest_sent packet;

    (void)state;
    guest_bring_up(alice, NETVSP_VERSION_61);
    guest_bring_up(bob, NETVSP_VERSION_61);
    for (uint8_t i = 1; i <= 3; i++)
        assert_int_equal(guest_send_mark(alice, bob, i), NETVSP_STATUS_SUCCESS);
    bob->room = false;
    guest_run(bob, cycles(5));
    assert_false(guest_has(bob));
    assert_true(bob->wants_room);
    assert_int_equal(guest_send_mark(alice, bob, 4), NETVSP_STATUS_SUCCESS);
    guest_run(bob, cycles(6));
    assert_int_equal(bob->wake.v, CYCLES_NEVER.v); /* for room alone */
    bob->room = true;
    guest_run(bob, cycles(7));
    for (uint8_t i = 1; i <= 4; i++) {
        assert_int_equal(guest_receive_mark(bob, &packet), i);
        assert_true(guest_done(bob, &packet));
    }
    assert_false(guest_has(bob));
}

static void a_completion_that_was_refused_comes_first(void **state)
{
    const uint32_t message[] = {RNDIS_QUERY, 28, 1, OID_ADDRESS, 0, 20, 0};
    const uint32_t send[] = {NETVSP_SEND_RNDIS_PACKET, NETVSP_CHANNEL_CONTROL,
                             0, sizeof(message)};

    (void)state;
    guest_bring_up(alice, NETVSP_VERSION_61);
    memcpy(alice->send, message, sizeof(message));
    alice->room = false;
    assert_true(guest_message(alice, send, 4));
    assert_true(alice->wants_room);
    guest_run(alice, cycles(5));
    assert_false(guest_has(alice));
    alice->room = true;
    guest_run(alice, cycles(6));
    assert_int_equal(
        guest_completion(alice, NETVSP_SEND_RNDIS_PACKET_COMPLETE)[0],
        NETVSP_STATUS_SUCCESS);
    assert_int_equal(guest_take(alice)->type, VMBUS_PACKET_TRANSFER_PAGES);
}

static void answers_come_in_order_and_none_is_lost(void **state)
{
    (void)state;
    guest_bring_up(alice, NETVSP_VERSION_61);
    for (uint32_t round = 0; round < 20; round++) {
        for (uint32_t id = 1; id <= 3; id++)
            assert_int_equal(query(alice, id, OID_ADDRESS),
                             NETVSP_STATUS_SUCCESS);
        alice->room = false;
        guest_run(alice, cycles(5));
        assert_false(guest_has(alice));
        alice->room = true;
        guest_run(alice, cycles(6));
        for (uint32_t id = 1; id <= 3; id++) {
            struct guest_sent packet;
            uint32_t words[3];
            uint32_t bytes;

            memcpy(words, guest_receive(alice, &bytes, &packet), sizeof(words));
            assert_int_equal(words[2], id);
            assert_true(guest_done(alice, &packet));
        }
        assert_false(guest_has(alice));
    }
}

static void answers_that_nobody_takes_are_bounded(void **state)
{
    struct guest_sent held[GUEST_SECTIONS];
    uint32_t status = NETVSP_STATUS_SUCCESS;
    unsigned count = 0;

    (void)state;
    guest_bring_up(alice, NETVSP_VERSION_61);
    while (status == NETVSP_STATUS_SUCCESS) {
        status = query(alice, count, OID_ADDRESS);
        guest_run(alice, cycles(5));
        if (guest_has(alice))
            guest_receive(alice, &(uint32_t){0}, &held[count]);
        count++;
        assert_true(count < 200);
    }
    assert_int_equal(status, NETVSP_STATUS_BUSY);
    assert_true(guest_done(alice, &held[0]));
    guest_run(alice, cycles(5));
    guest_take(alice);
    assert_int_equal(query(alice, count, OID_ADDRESS), NETVSP_STATUS_SUCCESS);
}

static void an_answer_waits_for_a_receive_buffer(void **state)
{
    const uint32_t init[] = {NETVSP_INIT, NETVSP_VERSION_61, NETVSP_VERSION_61};
    const uint32_t send[] = {NETVSP_SEND_SEND_BUFFER, GUEST_SEND_GPADL, 0};
    const uint32_t receive[] = {NETVSP_SEND_RECEIVE_BUFFER, GUEST_RECEIVE_GPADL,
                                GUEST_SET};
    struct guest_sent packet;

    (void)state;
    assert_true(guest_message(alice, init, 3));
    guest_completion(alice, NETVSP_INIT_COMPLETE);
    assert_true(guest_message(alice, send, 3));
    guest_completion(alice, NETVSP_SEND_SEND_BUFFER_COMPLETE);
    assert_int_equal(query(alice, 1, OID_ADDRESS), NETVSP_STATUS_SUCCESS);
    guest_run(alice, cycles(5));
    assert_false(guest_has(alice));
    assert_true(guest_message(alice, receive, 3));
    guest_completion(alice, NETVSP_SEND_RECEIVE_BUFFER_COMPLETE);
    guest_run(alice, cycles(5));
    guest_receive(alice, &(uint32_t){0}, &packet);
}

static void a_section_is_given_back_once(void **state)
{
    struct guest_sent packet;

    (void)state;
    guest_bring_up(alice, NETVSP_VERSION_61);
    guest_bring_up(bob, NETVSP_VERSION_61);
    assert_int_equal(guest_send_mark(alice, bob, 1), NETVSP_STATUS_SUCCESS);
    guest_run(bob, cycles(5));
    guest_receive_mark(bob, &packet);
    assert_true(guest_done(bob, &packet));
    assert_false(guest_done(bob, &packet));
    packet.id += GUEST_SECTIONS; /* one that there is not */
    assert_false(guest_done(bob, &packet));
    packet.id |= UINT64_C(0xffffffff) << 32;
    assert_false(guest_done(bob, &packet));
}

static void a_buffer_taken_back_is_not_written_any_more(void **state)
{
    const uint32_t revoke[] = {NETVSP_REVOKE_RECEIVE_BUFFER, GUEST_SET};
    const uint32_t receive[] = {NETVSP_SEND_RECEIVE_BUFFER, GUEST_RECEIVE_GPADL,
                                GUEST_SET};
    static const uint8_t untouched[sizeof(alice->receive)];
    struct guest_sent packet;

    (void)state;
    guest_bring_up(alice, NETVSP_VERSION_61);
    guest_bring_up(bob, NETVSP_VERSION_61);
    assert_int_equal(guest_send_mark(alice, bob, 1), NETVSP_STATUS_SUCCESS);
    guest_run(bob, cycles(5));
    guest_receive_mark(bob, &packet);
    assert_true(guest_packet(bob, VMBUS_PACKET_IN_BAND, false, 9, revoke,
                             sizeof(revoke), NULL));
    assert_false(guest_has(bob));
    memset(bob->receive, 0, sizeof(bob->receive));
    assert_int_equal(guest_send_mark(alice, bob, 2), NETVSP_STATUS_SUCCESS);
    guest_run(bob, cycles(6));
    assert_false(guest_has(bob));
    assert_memory_equal(bob->receive, untouched, sizeof(untouched));

    /* A late completion is of no interest, to another buffer neither. */
    assert_true(guest_done(bob, &packet));
    assert_true(guest_message(bob, receive, 3));
    assert_int_equal(
        guest_completion(bob, NETVSP_SEND_RECEIVE_BUFFER_COMPLETE)[0],
        NETVSP_STATUS_SUCCESS);
    guest_run(bob, cycles(7));
    assert_true(guest_done(bob, &packet));
    assert_int_equal(guest_receive_mark(bob, &packet), 2);
    assert_true(guest_done(bob, &packet));
}

static void a_buffer_lent_again_is_all_free(void **state)
{
    const uint32_t revoke[] = {NETVSP_REVOKE_RECEIVE_BUFFER, GUEST_SET};
    const uint32_t receive[] = {NETVSP_SEND_RECEIVE_BUFFER, GUEST_RECEIVE_GPADL,
                                GUEST_SET};
    struct guest_sent packet;

    (void)state;
    guest_bring_up(alice, NETVSP_VERSION_61);
    guest_bring_up(bob, NETVSP_VERSION_61);
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < GUEST_SECTIONS - SLOTS_RESERVED; i++)
            assert_int_equal(guest_send_mark(alice, bob, 1),
                             NETVSP_STATUS_SUCCESS);
        guest_run(bob, cycles(5));
        for (unsigned i = 0; i < GUEST_SECTIONS - SLOTS_RESERVED; i++)
            guest_receive_mark(bob, &packet);
        assert_true(guest_packet(bob, VMBUS_PACKET_IN_BAND, false, 9, revoke,
                                 sizeof(revoke), NULL));
        assert_true(guest_message(bob, receive, 3));
        guest_completion(bob, NETVSP_SEND_RECEIVE_BUFFER_COMPLETE);
    }
}

static void a_send_buffer_taken_back_is_not_read_any_more(void **state)
{
    const uint32_t revoke[] = {NETVSP_REVOKE_SEND_BUFFER, 0};

    (void)state;
    guest_bring_up(alice, NETVSP_VERSION_61);
    assert_true(guest_message(alice, revoke, 2));
    assert_int_equal(guest_take(alice)->bytes, 0);
    assert_int_equal(guest_send_mark(alice, bob, 1),
                     NETVSP_STATUS_INVALID_PACKET);
}

static void buffers_that_vanish_lose_frames_and_no_more(void **state)
{
    struct guest_sent packet;

    (void)state;
    guest_bring_up(alice, NETVSP_VERSION_61);
    guest_bring_up(bob, NETVSP_VERSION_61);
    assert_int_equal(guest_send_mark(alice, bob, 1), NETVSP_STATUS_SUCCESS);
    bob->buffers_gone = true;
    guest_run(bob, cycles(5));
    assert_false(guest_has(bob));
    assert_int_equal(netvsp_counts(bob->offer.device).frames_received, 0);
    assert_int_equal(netvsp_counts(bob->offer.device).drops, 1);
    assert_int_equal(guest_send_mark(bob, alice, 1),
                     NETVSP_STATUS_INVALID_PACKET);
    bob->buffers_gone = false;
    assert_int_equal(guest_send_mark(alice, bob, 2), NETVSP_STATUS_SUCCESS);
    guest_run(bob, cycles(6));
    assert_int_equal(guest_receive_mark(bob, &packet), 2);
    assert_false(guest_has(bob));
    assert_int_equal(netvsp_counts(bob->offer.device).frames_received, 1);
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, guest_set_up, guest_clean_up)
    const struct CMUnitTest tests[] = {
        TEST(a_frame_gets_from_one_guest_to_the_other),
        TEST(a_frame_is_not_delivered_before_it_was_sent),
        TEST(what_can_be_sent_at_once_does_not_wait_for_a_frame),
        TEST(several_packets_in_one_message_are_several_frames),
        TEST(a_message_may_be_in_a_section_and_in_pages),
        TEST(a_message_may_be_as_long_as_was_said),
        TEST(offloads_are_refused),
        TEST(what_is_not_where_it_is_said_is_invalid),
        TEST(jumbo_frames_are_refused),
        TEST(a_guest_cannot_speak_for_another),
        TEST(a_tag_goes_along),
        TEST(frames_before_initialisation_fail),
        TEST(frames_wait_for_sections_and_answers_do_not),
        TEST(what_no_section_is_found_for_is_dropped_and_counted),
        TEST(a_full_ring_delays_and_loses_nothing),
        TEST(a_completion_that_was_refused_comes_first),
        TEST(answers_come_in_order_and_none_is_lost),
        TEST(answers_that_nobody_takes_are_bounded),
        TEST(an_answer_waits_for_a_receive_buffer),
        TEST(a_section_is_given_back_once),
        TEST(a_buffer_taken_back_is_not_written_any_more),
        TEST(a_buffer_lent_again_is_all_free),
        TEST(a_send_buffer_taken_back_is_not_read_any_more),
        TEST(buffers_that_vanish_lose_frames_and_no_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
