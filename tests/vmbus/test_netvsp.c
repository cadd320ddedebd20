/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/vmbus/net_guest.h"

#define SLOTS_RESERVED 10u /* a quarter of GUEST_SECTIONS */
#define FRAME_BYTES 100u
#define OID_FILTER 0x0001010eu
#define OID_ADDRESS 0x01010101u

static struct vswitch *lan;
static struct net_guest *a, *b;

static int set_up(void **state)
{
    (void)state;
    lan = vswitch_create("lan");
    assert_non_null(lan);
    a = guest_create(lan, 1);
    b = guest_create(lan, 2);
    return 0;
}

static int clean_up(void **state)
{
    (void)state;
    guest_free(a);
    guest_free(b);
    vswitch_free(lan);
    return 0;
}

static struct vswitch_address address_of(const struct net_guest *guest)
{
    return netvsp_address(guest == a ? 1 : 2, 0);
}

/* Sends a frame of FRAME_BYTES that is known by its mark. */
static uint32_t send_mark(struct net_guest *from, struct net_guest *to,
                          uint8_t mark)
{
    uint8_t message[NETVSP_SEND_SECTION_BYTES];
    uint32_t bytes = guest_frame(message, address_of(to), address_of(from),
                                 FRAME_BYTES, mark);

    return guest_send_rndis(from, NETVSP_CHANNEL_DATA, message, bytes);
}

/* The mark of the frame that comes next; the section stays the guest's. */
static uint8_t receive_mark(struct net_guest *guest, struct guest_sent *packet)
{
    struct rndis_packet found;
    uint32_t bytes;
    const uint8_t *message = guest_receive(guest, &bytes, packet);

    assert_int_equal(packet->payload[1], NETVSP_CHANNEL_DATA);
    assert_int_equal(packet->payload[2], NETVSP_NO_SECTION);
    assert_int_equal(packet->payload[3], 0);
    assert_true(rndis_parse_packet(message, bytes, &found));
    assert_int_equal(found.message_bytes, bytes);
    assert_int_equal(found.frame_bytes, FRAME_BYTES);
    return found.frame[FRAME_BYTES - 1];
}

static uint32_t query(struct net_guest *guest, uint32_t id, uint32_t oid)
{
    const uint32_t message[] = {RNDIS_QUERY, 28, id, oid, 0, 20, 0};

    return guest_send_rndis(guest, NETVSP_CHANNEL_CONTROL, message,
                            sizeof(message));
}

static uint32_t set_filter(struct net_guest *guest, uint32_t filter)
{
    const uint32_t message[] = {RNDIS_SET, 32, 9, OID_FILTER, 4, 20, 0, filter};

    return guest_send_rndis(guest, NETVSP_CHANNEL_CONTROL, message,
                            sizeof(message));
}

/* Rule 38. */

static void rule_38_rndis_answers_come_in_the_receive_buffer(void **state)
{
    const uint32_t initialize[] = {RNDIS_INITIALIZE, 24, 0x77, 1, 0, 0x4000};
    struct guest_sent packet;
    uint32_t words[13];
    uint32_t bytes;
    const uint8_t *answer;

    (void)state;
    guest_connect(a, NETVSP_VERSION_61);
    assert_int_equal(guest_send_rndis(a, NETVSP_CHANNEL_CONTROL, initialize,
                                      sizeof(initialize)),
                     NETVSP_STATUS_SUCCESS);
    guest_run(a, cycles(1));
    answer = guest_receive(a, &bytes, &packet);
    assert_int_equal(packet.type, 7); /* transfer pages */
    assert_int_equal(packet.set, 0xcafe);
    assert_int_equal(packet.payload[1], NETVSP_CHANNEL_CONTROL);
    assert_int_equal(bytes, sizeof(words));
    memcpy(words, answer, sizeof(words));
    assert_int_equal(words[0], 0x80000002);
    assert_int_equal(words[2], 0x77);
    assert_false(guest_has(a));
}

static void rule_38_the_page_set_is_named_as_the_guest_does(void **state)
{
    const uint32_t init[] = {NETVSP_INIT, NETVSP_VERSION_5, NETVSP_VERSION_5};
    const uint32_t receive[] = {NETVSP_SEND_RECEIVE_BUFFER, GUEST_RECEIVE_GPADL,
                                0xbeef};
    const uint32_t query_words[] = {RNDIS_QUERY, 28, 1, OID_ADDRESS, 0, 20, 0};

    (void)state;
    assert_true(guest_message(a, init, 3));
    guest_completion(a, NETVSP_INIT_COMPLETE);
    assert_true(guest_message(a, receive, 3));
    guest_completion(a, NETVSP_SEND_RECEIVE_BUFFER_COMPLETE);
    memcpy(a->pages, query_words, sizeof(query_words));
    assert_int_equal(guest_send_pages(a, NETVSP_CHANNEL_CONTROL, 0, 0, 28),
                     NETVSP_STATUS_SUCCESS);
    guest_run(a, cycles(1));
    assert_int_equal(guest_take(a)->set, 0xbeef);
}

static void rule_38_ndis_version_and_config_get_no_answer(void **state)
{
    const uint32_t init[] = {NETVSP_INIT, NETVSP_VERSION_61, NETVSP_VERSION_61};
    const uint32_t config[] = {NETVSP_SEND_NDIS_CONFIG, 1514, 0, 0xac, 0};
    const uint32_t version[] = {NETVSP_SEND_NDIS_VERSION, 6, 30};

    (void)state;
    assert_true(guest_message(a, init, 3));
    guest_completion(a, NETVSP_INIT_COMPLETE);
    assert_true(guest_packet(a, VMBUS_PACKET_IN_BAND, false, 5, config,
                             sizeof(config), NULL));
    assert_true(guest_packet(a, VMBUS_PACKET_IN_BAND, false, 6, version,
                             sizeof(version), NULL));
    guest_run(a, cycles(1000000));
    assert_false(guest_has(a));
}

/* A guest that asks for one all the same is told that it is done. */
static void rule_38_a_completion_of_them_says_nothing(void **state)
{
    const uint32_t init[] = {NETVSP_INIT, NETVSP_VERSION_61, NETVSP_VERSION_61};
    const uint32_t config[] = {NETVSP_SEND_NDIS_CONFIG, 9014, 0, 0xac, 0};
    const struct guest_sent *sent;

    (void)state;
    assert_true(guest_message(a, init, 3));
    guest_completion(a, NETVSP_INIT_COMPLETE);
    assert_true(guest_message(a, config, 5));
    sent = guest_take(a);
    assert_int_equal(sent->type, VMBUS_PACKET_COMPLETION);
    assert_int_equal(sent->id, a->next_id);
    assert_int_equal(sent->bytes, 0);
}

/* Negotiation. */

static void every_version_is_agreed_to_and_no_other(void **state)
{
    static const uint32_t good[] = {0x00002, 0x30002, 0x40000,
                                    0x50000, 0x60000, 0x60001};
    static const uint32_t bad[][2] = {{0, 0},
                                      {0x60002, 0x60002},
                                      {0x30001, 0x30001},
                                      {0xffffffff, 0xffffffff},
                                      {0x00002, 0x60001}};

    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        uint32_t init[] = {NETVSP_INIT, 0, 0};
        const uint32_t *answer;

        for (unsigned j = 0; j < 5; j++) {
            init[1] = bad[j][0];
            init[2] = bad[j][1];
            assert_true(guest_message(a, init, 3));
            answer = guest_completion(a, NETVSP_INIT_COMPLETE);
            assert_int_not_equal(answer[2], NETVSP_STATUS_SUCCESS);
        }
        init[1] = init[2] = good[i];
        assert_true(guest_message(a, init, 3));
        assert_int_equal(guest_completion(a, NETVSP_INIT_COMPLETE)[2],
                         NETVSP_STATUS_SUCCESS);
        assert_false(guest_message(a, init, 3)); /* not again */
        guest_close(a);
        guest_open(a);
    }
}

static void messages_are_longer_from_6_1_on(void **state)
{
    const uint32_t revoke[] = {NETVSP_SUB_CHANNEL, 1, 3};

    (void)state;
    guest_connect(a, NETVSP_VERSION_6);
    assert_true(guest_message(a, revoke, 3));
    assert_int_equal(guest_take(a)->bytes, 0x1c);
    guest_connect(b, NETVSP_VERSION_61);
    assert_true(guest_message(b, revoke, 3));
    assert_int_equal(guest_take(b)->bytes, 0x28);
}

static void nothing_comes_before_a_version(void **state)
{
    static const uint32_t types[] = {100, 101, 103, 104, 106,
                                     107, 125, 129, 131, 133};

    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        const uint32_t message[10] = {types[i], GUEST_RECEIVE_GPADL, GUEST_SET};

        assert_false(guest_message(a, message, 10));
        assert_false(guest_has(a));
    }
}

static void buffers_are_divided_into_sections(void **state)
{
    const uint32_t init[] = {NETVSP_INIT, NETVSP_VERSION_5, NETVSP_VERSION_5};
    const uint32_t receive[] = {NETVSP_SEND_RECEIVE_BUFFER, GUEST_RECEIVE_GPADL,
                                GUEST_SET};
    const uint32_t send[] = {NETVSP_SEND_SEND_BUFFER, GUEST_SEND_GPADL, 0};
    const uint32_t *answer;

    (void)state;
    assert_true(guest_message(a, init, 3));
    guest_completion(a, NETVSP_INIT_COMPLETE);
    assert_true(guest_message(a, receive, 3));
    answer = guest_completion(a, NETVSP_SEND_RECEIVE_BUFFER_COMPLETE);
    assert_int_equal(answer[0], NETVSP_STATUS_SUCCESS);
    assert_int_equal(answer[1], 1);
    assert_int_equal(answer[2], 0);
    assert_int_equal(answer[3], NETVSP_RECEIVE_SECTION_BYTES);
    assert_int_equal(answer[4], GUEST_SECTIONS);
    assert_int_equal(answer[5], GUEST_SECTIONS * NETVSP_RECEIVE_SECTION_BYTES);
    assert_true(guest_message(a, send, 3));
    answer = guest_completion(a, NETVSP_SEND_SEND_BUFFER_COMPLETE);
    assert_int_equal(answer[0], NETVSP_STATUS_SUCCESS);
    assert_int_equal(answer[1], NETVSP_SEND_SECTION_BYTES);

    /* A second one has to wait until the first is taken back. */
    assert_true(guest_message(a, receive, 3));
    answer = guest_completion(a, NETVSP_SEND_RECEIVE_BUFFER_COMPLETE);
    assert_int_equal(answer[0], NETVSP_STATUS_FAILURE);
    assert_true(guest_message(a, send, 3));
    answer = guest_completion(a, NETVSP_SEND_SEND_BUFFER_COMPLETE);
    assert_int_equal(answer[0], NETVSP_STATUS_FAILURE);
}

static void a_buffer_that_is_none_is_refused(void **state)
{
    static const uint32_t bad[] = {0, 0x44, GUEST_SMALL_GPADL};
    const uint32_t init[] = {NETVSP_INIT, NETVSP_VERSION_61, NETVSP_VERSION_61};

    (void)state;
    assert_true(guest_message(a, init, 3));
    guest_completion(a, NETVSP_INIT_COMPLETE);
    for (unsigned i = 0; i < 3; i++) {
        uint32_t lend[] = {NETVSP_SEND_RECEIVE_BUFFER, bad[i], GUEST_SET};
        const uint32_t *answer;

        assert_true(guest_message(a, lend, 3));
        answer = guest_completion(a, NETVSP_SEND_RECEIVE_BUFFER_COMPLETE);
        assert_int_equal(answer[0], NETVSP_STATUS_FAILURE);
        assert_int_equal(answer[1], 0);
        lend[0] = NETVSP_SEND_SEND_BUFFER;
        assert_true(guest_message(a, lend, 3));
        answer = guest_completion(a, NETVSP_SEND_SEND_BUFFER_COMPLETE);
        assert_int_equal(answer[0], NETVSP_STATUS_FAILURE);
    }
}

static void sub_channels_are_refused_and_one_is_enough(void **state)
{
    const uint32_t wanted[] = {NETVSP_SUB_CHANNEL, 1, 7};
    struct guest_sent packet;
    const uint32_t *answer;

    (void)state;
    guest_bring_up(a, NETVSP_VERSION_61);
    guest_bring_up(b, NETVSP_VERSION_61);
    assert_true(guest_message(b, wanted, 3));
    answer = guest_completion(b, NETVSP_SUB_CHANNEL);
    assert_int_not_equal(answer[0], NETVSP_STATUS_SUCCESS);
    assert_int_equal(answer[1], 0); /* granted */
    assert_int_equal(send_mark(a, b, 5), NETVSP_STATUS_SUCCESS);
    guest_run(b, cycles(2));
    assert_int_equal(receive_mark(b, &packet), 5);
}

static void what_is_not_there_is_answered_all_the_same(void **state)
{
    const uint32_t oid[] = {NETVSP_OID_QUERY, 0x00100196, 0x10203};
    const uint32_t path[] = {NETVSP_SWITCH_DATA_PATH, 1};
    const uint32_t unknown[10] = {109};
    const uint32_t table[10] = {134}; /* only we would send it */

    (void)state;
    guest_connect(a, NETVSP_VERSION_61);
    assert_true(guest_message(a, oid, 3));
    assert_int_equal(guest_completion(a, NETVSP_OID_QUERY_COMPLETE)[0],
                     RNDIS_STATUS_NOT_SUPPORTED);
    assert_true(guest_message(a, path, 2));
    assert_int_equal(guest_take(a)->bytes, 0); /* as Linux wants it */
    assert_false(guest_message(a, unknown, 10));
    assert_false(guest_message(a, table, 10));
    assert_false(guest_has(a));
}

static void a_message_that_is_too_short_breaks_the_protocol(void **state)
{
    const uint32_t init[] = {NETVSP_INIT, NETVSP_VERSION_61, NETVSP_VERSION_61};
    const uint32_t rndis[] = {NETVSP_SEND_RNDIS_PACKET, 0, 0};

    (void)state;
    assert_false(guest_message(a, init, 0));
    assert_false(guest_message(a, init, 2));
    guest_connect(a, NETVSP_VERSION_61);
    assert_false(guest_message(a, rndis, 3));
}

/* Frames. */

static void a_frame_gets_from_one_guest_to_the_other(void **state)
{
    struct guest_sent packet;

    (void)state;
    guest_bring_up(a, NETVSP_VERSION_61);
    guest_bring_up(b, NETVSP_VERSION_4);
    assert_int_equal(send_mark(a, b, 1), NETVSP_STATUS_SUCCESS);
    assert_false(guest_has(b)); /* not within the sender's packet */
    guest_run(b, cycles(5));
    assert_int_equal(receive_mark(b, &packet), 1);
    assert_true(guest_done(b, &packet));
    assert_int_equal(send_mark(b, a, 2), NETVSP_STATUS_SUCCESS);
    guest_run(a, cycles(5));
    assert_int_equal(receive_mark(a, &packet), 2);
    assert_int_equal(netvsp_counts(a->offer.device).frames_received, 1);
    assert_int_equal(netvsp_counts(a->offer.device).frames_sent, 1);
}

static void a_frame_is_not_delivered_before_it_was_sent(void **state)
{
    struct guest_sent packet;

    (void)state;
    guest_bring_up(a, NETVSP_VERSION_61);
    guest_bring_up(b, NETVSP_VERSION_61);
    a->context.now = cycles(500);
    assert_int_equal(send_mark(a, b, 1), NETVSP_STATUS_SUCCESS);
    a->context.now = cycles(400); /* another processor's clock */
    assert_int_equal(send_mark(a, b, 2), NETVSP_STATUS_SUCCESS);
    assert_int_equal(b->wake.v, 400);
    guest_run(b, cycles(450));
    assert_int_equal(receive_mark(b, &packet), 2);
    assert_false(guest_has(b));
    assert_int_equal(b->wake.v, 500);
    guest_run(b, cycles(500));
    assert_int_equal(receive_mark(b, &packet), 1);
}

static void several_packets_in_one_message_are_several_frames(void **state)
{
    uint8_t data[NETVSP_SEND_SECTION_BYTES];
    struct guest_sent packet;
    uint32_t bytes = 0;

    (void)state;
    guest_bring_up(a, NETVSP_VERSION_61);
    guest_bring_up(b, NETVSP_VERSION_61);
    for (uint8_t i = 0; i < 8; i++)
        bytes += guest_frame(data + bytes, address_of(b), address_of(a),
                             FRAME_BYTES, i);
    assert_int_equal(guest_send_rndis(a, NETVSP_CHANNEL_DATA, data, bytes),
                     NETVSP_STATUS_SUCCESS);
    guest_run(b, cycles(5));
    for (uint8_t i = 0; i < 8; i++)
        assert_int_equal(receive_mark(b, &packet), i);

    /* No more than we said. */
    bytes +=
        guest_frame(data + bytes, address_of(b), address_of(a), FRAME_BYTES, 8);
    assert_int_equal(guest_send_rndis(a, NETVSP_CHANNEL_DATA, data, bytes),
                     NETVSP_STATUS_INVALID_PACKET);
}

/* Linux copies headers to the send buffer and leaves data where they are. */
static void a_message_may_be_in_a_section_and_in_pages(void **state)
{
    uint8_t data[RNDIS_MESSAGE_BYTES_MAX];
    struct guest_sent packet;
    uint32_t bytes;

    (void)state;
    guest_bring_up(a, NETVSP_VERSION_61);
    guest_bring_up(b, NETVSP_VERSION_61);
    bytes = guest_frame(data, address_of(b), address_of(a), FRAME_BYTES, 3);
    memcpy(a->send, data, 60);
    memcpy(a->pages + 4090, data + 60, bytes - 60); /* across two */
    assert_int_equal(
        guest_send_pages(a, NETVSP_CHANNEL_DATA, 60, 4090, bytes - 60),
        NETVSP_STATUS_SUCCESS);
    guest_run(b, cycles(5));
    assert_int_equal(receive_mark(b, &packet), 3);

    memcpy(a->pages, data, bytes); /* and in pages alone */
    assert_int_equal(guest_send_pages(a, NETVSP_CHANNEL_DATA, 0, 0, bytes),
                     NETVSP_STATUS_SUCCESS);
    guest_run(b, cycles(5));
    assert_int_equal(receive_mark(b, &packet), 3);
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
    guest_bring_up(a, NETVSP_VERSION_61);
    for (unsigned i = 0; i < 6; i++) {
        const uint32_t message[] = {NETVSP_SEND_RNDIS_PACKET, 0, bad[i][0],
                                    bad[i][1]};

        assert_true(guest_message(a, message, 4));
        assert_int_equal(
            guest_completion(a, NETVSP_SEND_RNDIS_PACKET_COMPLETE)[0],
            NETVSP_STATUS_INVALID_PACKET);
    }
    /* Pages that are not there. */
    assert_int_equal(
        guest_send_pages(a, NETVSP_CHANNEL_DATA, 0, 0, GUEST_PAGES + 8),
        NETVSP_STATUS_INVALID_PACKET);
    assert_int_equal(netvsp_counts(a->offer.device).frames_sent, 0);
}

static void jumbo_frames_are_refused(void **state)
{
    uint8_t data[RNDIS_MESSAGE_BYTES_MAX];
    struct guest_sent packet;
    uint32_t bytes;
    const uint8_t *message;

    (void)state;
    guest_bring_up(a, NETVSP_VERSION_61);
    guest_bring_up(b, NETVSP_VERSION_61);
    bytes = guest_frame(data, address_of(b), address_of(a), 1515, 1);
    assert_int_equal(guest_send_rndis(a, NETVSP_CHANNEL_DATA, data, bytes),
                     NETVSP_STATUS_INVALID_PACKET);
    data[44 + 12] = 0x81; /* but a tag in it may take four bytes more */
    data[44 + 13] = 0x00;
    assert_int_equal(guest_send_rndis(a, NETVSP_CHANNEL_DATA, data, bytes),
                     NETVSP_STATUS_SUCCESS);
    bytes = guest_frame(data, address_of(b), address_of(a), 1514, 1);
    assert_int_equal(guest_send_rndis(a, NETVSP_CHANNEL_DATA, data, bytes),
                     NETVSP_STATUS_SUCCESS);
    guest_run(b, cycles(5));
    guest_take(b);
    message = guest_receive(b, &bytes, &packet);
    assert_int_equal(bytes, 1514 + 44);
    assert_memory_equal(message, data, bytes);
    bytes = guest_frame(data, address_of(b), address_of(a), 13, 1);
    assert_int_equal(guest_send_rndis(a, NETVSP_CHANNEL_DATA, data, bytes),
                     NETVSP_STATUS_INVALID_PACKET);
}

static void a_guest_cannot_speak_for_another(void **state)
{
    uint8_t data[NETVSP_SEND_SECTION_BYTES];
    uint32_t bytes =
        guest_frame(data, address_of(a), address_of(b), FRAME_BYTES, 1);

    (void)state;
    guest_bring_up(a, NETVSP_VERSION_61);
    guest_bring_up(b, NETVSP_VERSION_61);
    assert_int_equal(guest_send_rndis(a, NETVSP_CHANNEL_DATA, data, bytes),
                     NETVSP_STATUS_SUCCESS);
    guest_run(a, cycles(5));
    assert_false(guest_has(a));
    assert_int_equal(netvsp_counts(a->offer.device).sends_refused, 1);
}

/* The tag goes beside the frame, both ways. */
static void a_tag_goes_along(void **state)
{
    uint8_t data[NETVSP_SEND_SECTION_BYTES];
    uint8_t plain[NETVSP_SEND_SECTION_BYTES];
    struct rndis_packet found;
    struct guest_sent packet;
    uint32_t head = rndis_build_packet(FRAME_BYTES, true, 0x4007, data);
    uint32_t bytes;
    const uint8_t *message;

    (void)state;
    guest_bring_up(a, NETVSP_VERSION_61);
    guest_bring_up(b, NETVSP_VERSION_61);
    guest_frame(plain, address_of(b), address_of(a), FRAME_BYTES, 1);
    memcpy(data + head, plain + 44, FRAME_BYTES);
    assert_int_equal(
        guest_send_rndis(a, NETVSP_CHANNEL_DATA, data, head + FRAME_BYTES),
        NETVSP_STATUS_SUCCESS);
    guest_run(b, cycles(5));
    message = guest_receive(b, &bytes, &packet);
    assert_true(rndis_parse_packet(message, bytes, &found));
    assert_true(found.tagged);
    assert_int_equal(found.tag, 0x4007);
    assert_int_equal(found.frame_bytes, FRAME_BYTES);
}

static void frames_before_initialisation_fail(void **state)
{
    (void)state;
    guest_connect(a, NETVSP_VERSION_61);
    assert_int_equal(send_mark(a, b, 1), NETVSP_STATUS_FAILURE);
}

/* Flow. */

static void frames_wait_for_sections_and_answers_do_not(void **state)
{
    struct guest_sent held[GUEST_SECTIONS];
    struct guest_sent packet;
    unsigned count = 0;

    (void)state;
    guest_bring_up(a, NETVSP_VERSION_61);
    guest_bring_up(b, NETVSP_VERSION_61);
    for (uint8_t i = 0; i < GUEST_SECTIONS; i++)
        assert_int_equal(send_mark(a, b, i), NETVSP_STATUS_SUCCESS);
    guest_run(b, cycles(5));
    while (guest_has(b)) {
        assert_int_equal(receive_mark(b, &held[count]), count);
        for (unsigned i = 0; i < count; i++) /* no section twice */
            assert_int_not_equal(held[i].range.offset,
                                 held[count].range.offset);
        count++;
    }
    assert_int_equal(count, GUEST_SECTIONS - SLOTS_RESERVED);
    guest_run(b, cycles(100)); /* it does not ask again and again */
    assert_int_equal(b->wake.v, CYCLES_NEVER.v);

    /* What is said about the adapter gets through. */
    assert_int_equal(query(b, 3, OID_ADDRESS), NETVSP_STATUS_SUCCESS);
    guest_run(b, cycles(100));
    guest_receive(b, &(uint32_t){0}, &packet);
    assert_int_equal(packet.payload[1], NETVSP_CHANNEL_CONTROL);
    assert_true(guest_done(b, &packet));

    /* For each section that is given back, the next one. */
    assert_true(guest_done(b, &held[3]));
    guest_run(b, cycles(100));
    assert_int_equal(receive_mark(b, &packet), count);
    assert_false(guest_has(b));
}

static void what_no_section_is_found_for_is_dropped_and_counted(void **state)
{
    unsigned delivered = GUEST_SECTIONS - SLOTS_RESERVED;

    (void)state;
    guest_bring_up(a, NETVSP_VERSION_61);
    guest_bring_up(b, NETVSP_VERSION_61);
    for (unsigned i = 0; i < delivered; i++)
        assert_int_equal(send_mark(a, b, 1), NETVSP_STATUS_SUCCESS);
    guest_run(b, cycles(5));
    for (unsigned i = 0; i < VSWITCH_QUEUE_FRAMES + 5; i++)
        assert_int_equal(send_mark(a, b, 1), NETVSP_STATUS_SUCCESS);
    assert_int_equal(netvsp_counts(b->offer.device).drops, 5);
}

static void a_full_ring_delays_and_loses_nothing(void **state)
{
    struct guest_sent packet;

    (void)state;
    guest_bring_up(a, NETVSP_VERSION_61);
    guest_bring_up(b, NETVSP_VERSION_61);
    for (uint8_t i = 1; i <= 3; i++)
        assert_int_equal(send_mark(a, b, i), NETVSP_STATUS_SUCCESS);
    b->room = false;
    guest_run(b, cycles(5));
    assert_false(guest_has(b));
    assert_true(b->wants_room);
    assert_int_equal(send_mark(a, b, 4), NETVSP_STATUS_SUCCESS);
    guest_run(b, cycles(6)); /* the wait is for room alone */
    b->room = true;
    guest_run(b, cycles(7));
    for (uint8_t i = 1; i <= 4; i++) {
        assert_int_equal(receive_mark(b, &packet), i);
        assert_true(guest_done(b, &packet));
    }
    assert_false(guest_has(b));
}

static void a_completion_that_was_refused_comes_first(void **state)
{
    const uint32_t message[] = {RNDIS_QUERY, 28, 1, OID_ADDRESS, 0, 20, 0};
    const uint32_t send[] = {NETVSP_SEND_RNDIS_PACKET, NETVSP_CHANNEL_CONTROL,
                             0, sizeof(message)};

    (void)state;
    guest_bring_up(a, NETVSP_VERSION_61);
    memcpy(a->send, message, sizeof(message));
    a->room = false;
    assert_true(guest_message(a, send, 4));
    assert_true(a->wants_room);
    guest_run(a, cycles(5));
    assert_false(guest_has(a));
    a->room = true;
    guest_run(a, cycles(6));
    assert_int_equal(guest_completion(a, NETVSP_SEND_RNDIS_PACKET_COMPLETE)[0],
                     NETVSP_STATUS_SUCCESS);
    assert_int_equal(guest_take(a)->type, VMBUS_PACKET_TRANSFER_PAGES);
}

static void answers_that_nobody_takes_are_bounded(void **state)
{
    struct guest_sent held[GUEST_SECTIONS];
    uint32_t status = NETVSP_STATUS_SUCCESS;
    unsigned count = 0;

    (void)state;
    guest_bring_up(a, NETVSP_VERSION_61);
    while (status == NETVSP_STATUS_SUCCESS) {
        status = query(a, count, OID_ADDRESS);
        guest_run(a, cycles(5));
        if (guest_has(a))
            guest_receive(a, &(uint32_t){0}, &held[count]);
        count++;
        assert_true(count < 100);
    }
    assert_int_equal(status, NETVSP_STATUS_BUSY);
    assert_true(guest_done(a, &held[0]));
    guest_run(a, cycles(5));
    guest_take(a);
    assert_int_equal(query(a, count, OID_ADDRESS), NETVSP_STATUS_SUCCESS);
}

static void an_answer_waits_for_a_receive_buffer(void **state)
{
    const uint32_t init[] = {NETVSP_INIT, NETVSP_VERSION_61, NETVSP_VERSION_61};
    const uint32_t send[] = {NETVSP_SEND_SEND_BUFFER, GUEST_SEND_GPADL, 0};
    const uint32_t receive[] = {NETVSP_SEND_RECEIVE_BUFFER, GUEST_RECEIVE_GPADL,
                                GUEST_SET};
    struct guest_sent packet;

    (void)state;
    assert_true(guest_message(a, init, 3));
    guest_completion(a, NETVSP_INIT_COMPLETE);
    assert_true(guest_message(a, send, 3));
    guest_completion(a, NETVSP_SEND_SEND_BUFFER_COMPLETE);
    assert_int_equal(query(a, 1, OID_ADDRESS), NETVSP_STATUS_SUCCESS);
    guest_run(a, cycles(5));
    assert_false(guest_has(a));
    assert_true(guest_message(a, receive, 3));
    guest_completion(a, NETVSP_SEND_RECEIVE_BUFFER_COMPLETE);
    guest_run(a, cycles(5));
    guest_receive(a, &(uint32_t){0}, &packet);
}

static void a_section_is_given_back_once(void **state)
{
    struct guest_sent packet;

    (void)state;
    guest_bring_up(a, NETVSP_VERSION_61);
    guest_bring_up(b, NETVSP_VERSION_61);
    assert_int_equal(send_mark(a, b, 1), NETVSP_STATUS_SUCCESS);
    guest_run(b, cycles(5));
    receive_mark(b, &packet);
    assert_true(guest_done(b, &packet));
    assert_false(guest_done(b, &packet));
    packet.id += GUEST_SECTIONS; /* one that there is not */
    assert_false(guest_done(b, &packet));
    packet.id |= UINT64_C(0xffffffff) << 32;
    assert_false(guest_done(b, &packet));
}

static void a_buffer_taken_back_is_not_written_any_more(void **state)
{
    const uint32_t revoke[] = {NETVSP_REVOKE_RECEIVE_BUFFER, GUEST_SET};
    const uint32_t receive[] = {NETVSP_SEND_RECEIVE_BUFFER, GUEST_RECEIVE_GPADL,
                                GUEST_SET};
    static const uint8_t untouched[sizeof(a->receive)];
    struct guest_sent packet;

    (void)state;
    guest_bring_up(a, NETVSP_VERSION_61);
    guest_bring_up(b, NETVSP_VERSION_61);
    assert_int_equal(send_mark(a, b, 1), NETVSP_STATUS_SUCCESS);
    guest_run(b, cycles(5));
    receive_mark(b, &packet);
    assert_true(guest_packet(b, VMBUS_PACKET_IN_BAND, false, 9, revoke,
                             sizeof(revoke), NULL));
    assert_false(guest_has(b));
    memset(b->receive, 0, sizeof(b->receive));
    assert_int_equal(send_mark(a, b, 2), NETVSP_STATUS_SUCCESS);
    guest_run(b, cycles(6));
    assert_false(guest_has(b));
    assert_memory_equal(b->receive, untouched, sizeof(untouched));

    /* A late completion is of no interest, to another buffer neither. */
    assert_true(guest_done(b, &packet));
    assert_true(guest_message(b, receive, 3));
    assert_int_equal(
        guest_completion(b, NETVSP_SEND_RECEIVE_BUFFER_COMPLETE)[0],
        NETVSP_STATUS_SUCCESS);
    guest_run(b, cycles(7));
    assert_true(guest_done(b, &packet));
    assert_int_equal(receive_mark(b, &packet), 2);
    assert_true(guest_done(b, &packet));
}

static void a_send_buffer_taken_back_is_not_read_any_more(void **state)
{
    const uint32_t revoke[] = {NETVSP_REVOKE_SEND_BUFFER, 0};

    (void)state;
    guest_bring_up(a, NETVSP_VERSION_61);
    assert_true(guest_message(a, revoke, 2));
    assert_int_equal(guest_take(a)->bytes, 0);
    assert_int_equal(send_mark(a, b, 1), NETVSP_STATUS_INVALID_PACKET);
}

static void buffers_that_vanish_lose_frames_and_no_more(void **state)
{
    (void)state;
    guest_bring_up(a, NETVSP_VERSION_61);
    guest_bring_up(b, NETVSP_VERSION_61);
    assert_int_equal(send_mark(a, b, 1), NETVSP_STATUS_SUCCESS);
    b->buffers_gone = true;
    guest_run(b, cycles(5));
    assert_false(guest_has(b));
    assert_int_equal(send_mark(b, a, 1), NETVSP_STATUS_INVALID_PACKET);
    b->buffers_gone = false;
    assert_int_equal(send_mark(a, b, 2), NETVSP_STATUS_SUCCESS);
    guest_run(b, cycles(6));
    assert_true(guest_has(b));
}

/* Life. */

static void bringing_the_interface_up_tells_of_the_link(void **state)
{
    struct guest_sent packet;
    uint32_t words[5];
    uint32_t bytes;

    (void)state;
    guest_bring_up(a, NETVSP_VERSION_61);
    assert_int_equal(set_filter(a, 0), NETVSP_STATUS_SUCCESS);
    guest_run(a, cycles(1));
    guest_take(a); /* the answer */
    assert_false(guest_has(a));
    assert_int_equal(set_filter(a, RNDIS_FILTER_DIRECTED),
                     NETVSP_STATUS_SUCCESS);
    guest_run(a, cycles(1));
    guest_take(a);
    memcpy(words, guest_receive(a, &bytes, &packet), sizeof(words));
    assert_int_equal(bytes, sizeof(words));
    assert_int_equal(words[0], RNDIS_INDICATE);
    assert_int_equal(words[2], RNDIS_STATUS_CONNECT);
    assert_int_equal(set_filter(a, RNDIS_FILTER_PROMISCUOUS),
                     NETVSP_STATUS_SUCCESS);
    guest_run(a, cycles(1));
    guest_take(a);
    assert_false(guest_has(a)); /* it was up */
}

static void a_guest_that_is_down_receives_nothing(void **state)
{
    const uint32_t halt[] = {RNDIS_HALT, 12, 9};

    (void)state;
    guest_bring_up(a, NETVSP_VERSION_61);
    guest_connect(b, NETVSP_VERSION_61);
    assert_int_equal(send_mark(a, b, 1), NETVSP_STATUS_SUCCESS);
    guest_run(b, cycles(5));
    assert_false(guest_has(b));
    assert_int_equal(netvsp_counts(b->offer.device).drops, 0);

    assert_int_equal(
        guest_send_rndis(a, NETVSP_CHANNEL_CONTROL, halt, sizeof(halt)),
        NETVSP_STATUS_SUCCESS);
    guest_run(a, cycles(5));
    assert_false(guest_has(a)); /* it has no answer */
    assert_int_equal(send_mark(a, b, 1), NETVSP_STATUS_FAILURE);
}

static void a_closed_channel_starts_anew(void **state)
{
    struct guest_sent packet;

    (void)state;
    guest_bring_up(a, NETVSP_VERSION_61);
    guest_bring_up(b, NETVSP_VERSION_61);
    b->room = false;
    assert_int_equal(send_mark(a, b, 1), NETVSP_STATUS_SUCCESS);
    guest_run(b, cycles(5));
    guest_close(b);
    assert_int_equal(send_mark(a, b, 2), NETVSP_STATUS_SUCCESS);
    assert_int_equal(b->wake.v, CYCLES_NEVER.v);
    b->room = true;
    guest_open(b);
    guest_bring_up(b, NETVSP_VERSION_2);
    assert_int_equal(send_mark(a, b, 3), NETVSP_STATUS_SUCCESS);
    guest_run(b, cycles(6));
    assert_int_equal(receive_mark(b, &packet), 3);
}

static void addresses_tell_vms_and_adapters_apart(void **state)
{
    struct vmbus_offer offer;
    struct vswitch_address first = netvsp_address(1, 0);
    struct vswitch_address last =
        netvsp_address(NETVSP_VMS_MAX - 1, NETVSP_ADAPTERS_MAX - 1);

    (void)state;
    assert_memory_equal(first.byte, "\x00\x15\x5d\x00\x00\x10", 6);
    assert_memory_equal(last.byte, "\x00\x15\x5d\xff\xff\xf7", 6);
    assert_false(netvsp_offer(&offer, lan, 1, 0)); /* a is there */
    assert_true(netvsp_offer(&offer, lan, 1, 1));
    assert_memory_not_equal(&offer.instance_id, &a->offer.instance_id, 16);
    assert_memory_equal(&offer.class_id, &a->offer.class_id, 16);
    assert_memory_equal(offer.class_id.bytes,
                        "\x63\x51\x61\xf8\x3e\xdf\xc5\x46"
                        "\x91\x3f\xf2\xd2\xf9\x65\xed\x0e",
                        16);
    offer.ops->free(offer.device);
}

static void work_is_billed_by_message(void **state)
{
    (void)state;
    guest_bring_up(a, NETVSP_VERSION_61);
    guest_bring_up(b, NETVSP_VERSION_61);
    cost_bill_clear(&a->bill);
    cost_bill_clear(&b->bill);
    assert_int_equal(send_mark(a, b, 1), NETVSP_STATUS_SUCCESS);
    assert_int_equal(cost_count(&a->bill, COST_NETVSP_MESSAGE), 1);
    assert_int_equal(cost_count(&a->bill, COST_NETVSP_RNDIS), 1);
    assert_int_equal(cost_count(&a->bill, COST_VSWITCH_FRAME), 1);
    assert_int_equal(cost_count(&b->bill, COST_NETVSP_MESSAGE), 0);
    guest_run(b, cycles(5));
    assert_int_equal(cost_count(&b->bill, COST_NETVSP_MESSAGE), 1);
    assert_int_equal(cost_count(&b->bill, COST_NETVSP_RNDIS), 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, clean_up)
    const struct CMUnitTest tests[] = {
        TEST(rule_38_rndis_answers_come_in_the_receive_buffer),
        TEST(rule_38_the_page_set_is_named_as_the_guest_does),
        TEST(rule_38_ndis_version_and_config_get_no_answer),
        TEST(rule_38_a_completion_of_them_says_nothing),
        TEST(every_version_is_agreed_to_and_no_other),
        TEST(messages_are_longer_from_6_1_on),
        TEST(nothing_comes_before_a_version),
        TEST(buffers_are_divided_into_sections),
        TEST(a_buffer_that_is_none_is_refused),
        TEST(sub_channels_are_refused_and_one_is_enough),
        TEST(what_is_not_there_is_answered_all_the_same),
        TEST(a_message_that_is_too_short_breaks_the_protocol),
        TEST(a_frame_gets_from_one_guest_to_the_other),
        TEST(a_frame_is_not_delivered_before_it_was_sent),
        TEST(several_packets_in_one_message_are_several_frames),
        TEST(a_message_may_be_in_a_section_and_in_pages),
        TEST(what_is_not_where_it_is_said_is_invalid),
        TEST(jumbo_frames_are_refused),
        TEST(a_guest_cannot_speak_for_another),
        TEST(a_tag_goes_along),
        TEST(frames_before_initialisation_fail),
        TEST(frames_wait_for_sections_and_answers_do_not),
        TEST(what_no_section_is_found_for_is_dropped_and_counted),
        TEST(a_full_ring_delays_and_loses_nothing),
        TEST(a_completion_that_was_refused_comes_first),
        TEST(answers_that_nobody_takes_are_bounded),
        TEST(an_answer_waits_for_a_receive_buffer),
        TEST(a_section_is_given_back_once),
        TEST(a_buffer_taken_back_is_not_written_any_more),
        TEST(a_send_buffer_taken_back_is_not_read_any_more),
        TEST(buffers_that_vanish_lose_frames_and_no_more),
        TEST(bringing_the_interface_up_tells_of_the_link),
        TEST(a_guest_that_is_down_receives_nothing),
        TEST(a_closed_channel_starts_anew),
        TEST(addresses_tell_vms_and_adapters_apart),
        TEST(work_is_billed_by_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
