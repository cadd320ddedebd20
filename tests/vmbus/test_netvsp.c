/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/vmbus/net_guest.h"

#define OID_FILTER 0x0001010eu

static uint32_t set_filter(struct net_guest *guest, uint32_t filter)
{
    const uint32_t message[] = {RNDIS_SET, 32, 9, OID_FILTER, 4, 20, 0, filter};

    return guest_send_rndis(guest, NETVSP_CHANNEL_CONTROL, message,
                            sizeof(message));
}

/* Negotiation. */

static void connect_without_ndis(struct net_guest *guest)
{
    const uint32_t init[] = {NETVSP_INIT, NETVSP_VERSION_61, NETVSP_VERSION_61};
    const uint32_t receive[] = {NETVSP_SEND_RECEIVE_BUFFER, GUEST_RECEIVE_GPADL,
                                GUEST_SET};
    const uint32_t send[] = {NETVSP_SEND_SEND_BUFFER, GUEST_SEND_GPADL, 0};
    const uint32_t initialize[] = {RNDIS_INITIALIZE, 24, 1, 1, 0, 0x4000};

    assert_true(guest_message(guest, init, 3));
    guest_completion(guest, NETVSP_INIT_COMPLETE);
    assert_true(guest_message(guest, receive, 3));
    guest_completion(guest, NETVSP_SEND_RECEIVE_BUFFER_COMPLETE);
    assert_true(guest_message(guest, send, 3));
    guest_completion(guest, NETVSP_SEND_SEND_BUFFER_COMPLETE);
    assert_int_equal(guest_send_rndis(guest, NETVSP_CHANNEL_CONTROL, initialize,
                                      sizeof(initialize)),
                     NETVSP_STATUS_SUCCESS);
}

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
            assert_true(guest_message(alice, init, 3));
            answer = guest_completion(alice, NETVSP_INIT_COMPLETE);
            assert_int_not_equal(answer[2], NETVSP_STATUS_SUCCESS);
        }
        init[1] = init[2] = good[i];
        assert_true(guest_message(alice, init, 3));
        assert_int_equal(guest_completion(alice, NETVSP_INIT_COMPLETE)[2],
                         NETVSP_STATUS_SUCCESS);
        assert_false(guest_message(alice, init, 3)); /* not again */
        guest_close(alice);
        guest_open(alice);
    }
}

static void messages_are_longer_from_6_1_on(void **state)
{
    const uint32_t wanted[] = {NETVSP_SUB_CHANNEL, 1, 3};

    (void)state;
    guest_connect(alice, NETVSP_VERSION_6);
    assert_true(guest_message(alice, wanted, 3));
    assert_int_equal(guest_take(alice)->bytes, 0x1c);
    guest_connect(bob, NETVSP_VERSION_61);
    assert_true(guest_message(bob, wanted, 3));
    assert_int_equal(guest_take(bob)->bytes, 0x28);
}

static void nothing_comes_before_a_version(void **state)
{
    static const uint32_t types[] = {100, 101, 103, 104, 106,
                                     107, 125, 129, 131, 133};

    (void)state;
    for (unsigned i = 0; i < 10; i++) {
        const uint32_t message[10] = {types[i], GUEST_RECEIVE_GPADL, GUEST_SET};

        assert_false(guest_message(alice, message, 10));
        assert_false(guest_has(alice));
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
    assert_true(guest_message(alice, init, 3));
    guest_completion(alice, NETVSP_INIT_COMPLETE);
    assert_true(guest_message(alice, receive, 3));
    answer = guest_completion(alice, NETVSP_SEND_RECEIVE_BUFFER_COMPLETE);
    assert_int_equal(answer[0], NETVSP_STATUS_SUCCESS);
    assert_int_equal(answer[1], 1);
    assert_int_equal(answer[2], 0);
    assert_int_equal(answer[3], NETVSP_RECEIVE_SECTION_BYTES);
    assert_int_equal(answer[4], GUEST_SECTIONS);
    assert_int_equal(answer[5], GUEST_SECTIONS * NETVSP_RECEIVE_SECTION_BYTES);
    assert_true(guest_message(alice, send, 3));
    answer = guest_completion(alice, NETVSP_SEND_SEND_BUFFER_COMPLETE);
    assert_int_equal(answer[0], NETVSP_STATUS_SUCCESS);
    assert_int_equal(answer[1], NETVSP_SEND_SECTION_BYTES);

    /* A second one has to wait until the first is taken back. */
    assert_true(guest_message(alice, receive, 3));
    answer = guest_completion(alice, NETVSP_SEND_RECEIVE_BUFFER_COMPLETE);
    assert_int_equal(answer[0], NETVSP_STATUS_FAILURE);
    assert_true(guest_message(alice, send, 3));
    answer = guest_completion(alice, NETVSP_SEND_SEND_BUFFER_COMPLETE);
    assert_int_equal(answer[0], NETVSP_STATUS_FAILURE);
}

static void no_more_sections_are_used_than_are_kept_account_of(void **state)
{
    const uint32_t init[] = {NETVSP_INIT, NETVSP_VERSION_61, NETVSP_VERSION_61};
    const uint32_t receive[] = {NETVSP_SEND_RECEIVE_BUFFER, GUEST_LARGE_GPADL,
                                GUEST_SET};
    const uint32_t revoke[] = {NETVSP_REVOKE_RECEIVE_BUFFER, GUEST_SET};
    const uint32_t *answer;

    (void)state;
    assert_true(guest_message(alice, init, 3));
    guest_completion(alice, NETVSP_INIT_COMPLETE);
    assert_true(guest_message(alice, receive, 3));
    answer = guest_completion(alice, NETVSP_SEND_RECEIVE_BUFFER_COMPLETE);
    assert_int_equal(answer[0], NETVSP_STATUS_SUCCESS);
    assert_int_equal(answer[4], (31 << 20) / NETVSP_RECEIVE_SECTION_BYTES);
    assert_true(guest_message(alice, revoke, 2)); /* and wants to know */
    assert_int_equal(guest_take(alice)->bytes, 0);
}

static void a_buffer_that_is_none_is_refused(void **state)
{
    static const uint32_t bad[] = {0, 0x55, GUEST_SMALL_GPADL};
    const uint32_t init[] = {NETVSP_INIT, NETVSP_VERSION_61, NETVSP_VERSION_61};

    (void)state;
    assert_true(guest_message(alice, init, 3));
    guest_completion(alice, NETVSP_INIT_COMPLETE);
    for (unsigned i = 0; i < 3; i++) {
        uint32_t lend[] = {NETVSP_SEND_RECEIVE_BUFFER, bad[i], GUEST_SET};
        const uint32_t *answer;

        assert_true(guest_message(alice, lend, 3));
        answer = guest_completion(alice, NETVSP_SEND_RECEIVE_BUFFER_COMPLETE);
        assert_int_equal(answer[0], NETVSP_STATUS_FAILURE);
        assert_int_equal(answer[1], 0);
        lend[0] = NETVSP_SEND_SEND_BUFFER;
        assert_true(guest_message(alice, lend, 3));
        answer = guest_completion(alice, NETVSP_SEND_SEND_BUFFER_COMPLETE);
        assert_int_equal(answer[0], NETVSP_STATUS_FAILURE);
    }
}

static void sub_channels_are_refused_and_one_is_enough(void **state)
{
    const uint32_t wanted[] = {NETVSP_SUB_CHANNEL, 1, 7};
    struct guest_sent packet;
    const uint32_t *answer;

    (void)state;
    guest_bring_up(alice, NETVSP_VERSION_61);
    guest_bring_up(bob, NETVSP_VERSION_61);
    assert_true(guest_message(bob, wanted, 3));
    answer = guest_completion(bob, NETVSP_SUB_CHANNEL);
    assert_int_not_equal(answer[0], NETVSP_STATUS_SUCCESS);
    assert_int_equal(answer[1], 0); /* granted */
    assert_int_equal(guest_send_mark(alice, bob, 5), NETVSP_STATUS_SUCCESS);
    guest_run(bob, cycles(2));
    assert_int_equal(guest_receive_mark(bob, &packet), 5);
}

static void what_is_not_there_is_answered_all_the_same(void **state)
{
    const uint32_t oid[] = {NETVSP_OID_QUERY, 0x00100196, 0x10203};
    const uint32_t path[] = {NETVSP_SWITCH_DATA_PATH, 1};
    const uint32_t unknown[10] = {109};
    const uint32_t table[10] = {134}; /* only we would send it */

    (void)state;
    guest_connect(alice, NETVSP_VERSION_61);
    assert_true(guest_message(alice, oid, 3));
    assert_int_equal(guest_completion(alice, NETVSP_OID_QUERY_COMPLETE)[0],
                     RNDIS_STATUS_NOT_SUPPORTED);
    assert_true(guest_message(alice, path, 2));
    assert_int_equal(guest_take(alice)->bytes, 0); /* as Linux wants it */
    assert_false(guest_message(alice, unknown, 10));
    assert_false(guest_message(alice, table, 10));
    assert_false(guest_has(alice));
}

static void a_message_that_is_too_short_breaks_the_protocol(void **state)
{
    const uint32_t init[] = {NETVSP_INIT, NETVSP_VERSION_61, NETVSP_VERSION_61};
    static const struct {
        uint32_t type, words; /* behind the type, that have to be there */
    } messages[] = {
        {NETVSP_SEND_NDIS_VERSION, 2},
        {NETVSP_SEND_RECEIVE_BUFFER, 2},
        {NETVSP_REVOKE_RECEIVE_BUFFER, 1},
        {NETVSP_SEND_SEND_BUFFER, 2},
        {NETVSP_REVOKE_SEND_BUFFER, 1},
        {NETVSP_SEND_RNDIS_PACKET, 3},
        {NETVSP_SEND_NDIS_CONFIG, 4},
        {NETVSP_SWITCH_DATA_PATH, 1},
        {NETVSP_OID_QUERY, 2},
        {NETVSP_SUB_CHANNEL, 2},
    };

    (void)state;
    assert_false(guest_message(alice, init, 0));
    assert_false(guest_message(alice, init, 2));
    for (unsigned i = 0; i < sizeof(messages) / sizeof(messages[0]); i++) {
        const uint32_t words[8] = {messages[i].type};

        guest_connect(alice, NETVSP_VERSION_61);
        assert_false(guest_message(alice, words, messages[i].words));
        guest_close(alice);
        guest_open(alice);
    }
}

/* Life. */

static void bringing_the_interface_up_tells_of_the_link(void **state)
{
    struct guest_sent packet;
    uint32_t words[5];
    uint32_t bytes;

    (void)state;
    guest_bring_up(alice, NETVSP_VERSION_61);
    assert_int_equal(set_filter(alice, 0), NETVSP_STATUS_SUCCESS);
    guest_run(alice, cycles(1));
    guest_take(alice); /* the answer */
    assert_false(guest_has(alice));
    assert_int_equal(set_filter(alice, RNDIS_FILTER_DIRECTED),
                     NETVSP_STATUS_SUCCESS);
    guest_run(alice, cycles(1));
    guest_take(alice);
    memcpy(words, guest_receive(alice, &bytes, &packet), sizeof(words));
    assert_int_equal(bytes, sizeof(words));
    assert_int_equal(words[0], RNDIS_INDICATE);
    assert_int_equal(words[2], RNDIS_STATUS_CONNECT);
    assert_int_equal(set_filter(alice, RNDIS_FILTER_PROMISCUOUS),
                     NETVSP_STATUS_SUCCESS);
    guest_run(alice, cycles(1));
    guest_take(alice);
    assert_false(guest_has(alice)); /* it was up */
}

static void another_filter_does_not_keep_the_link_a_secret(void **state)
{
    struct guest_sent packet;
    uint32_t words[5];
    uint32_t bytes;

    (void)state;
    guest_bring_up(alice, NETVSP_VERSION_61);
    set_filter(alice, 0);
    guest_run(alice, cycles(1));
    guest_take(alice);
    set_filter(alice, RNDIS_FILTER_DIRECTED);
    set_filter(alice, RNDIS_FILTER_PROMISCUOUS);
    guest_run(alice, cycles(1));
    guest_take(alice); /* both answers */
    guest_take(alice);
    memcpy(words, guest_receive(alice, &bytes, &packet), sizeof(words));
    assert_int_equal(words[0], RNDIS_INDICATE);
    assert_false(guest_has(alice));
}

static void a_halt_needs_no_place_for_an_answer(void **state)
{
    const uint32_t halt[] = {RNDIS_HALT, 12, 9};
    uint32_t status = NETVSP_STATUS_SUCCESS;

    (void)state;
    guest_bring_up(alice, NETVSP_VERSION_61);
    for (unsigned i = 0; i < 100 && status == NETVSP_STATUS_SUCCESS; i++)
        status = set_filter(alice, RNDIS_FILTER_DIRECTED);
    assert_int_equal(status, NETVSP_STATUS_BUSY);
    assert_int_equal(
        guest_send_rndis(alice, NETVSP_CHANNEL_CONTROL, halt, sizeof(halt)),
        NETVSP_STATUS_SUCCESS);
    assert_int_equal(guest_send_mark(alice, bob, 1), NETVSP_STATUS_FAILURE);
}

/* Each bit lets through what it names, and nothing else. */
static void the_filter_is_the_ports(void **state)
{
    static const struct {
        uint32_t filter;
        uint8_t marks[5]; /* of those sent below; 0 ends them */
    } filters[] = {
        {RNDIS_FILTER_DIRECTED, {1}},
        {RNDIS_FILTER_MULTICAST, {2}},
        {RNDIS_FILTER_ALL_MULTICAST, {2}},
        {RNDIS_FILTER_BROADCAST, {3}},
        {RNDIS_FILTER_PROMISCUOUS, {1, 2, 3, 4}},
        {0x10, {0}}, /* source routing: of token rings */
    };
    const struct vswitch_address to[] = {bob->address,
                                         {{0x01, 0x00, 0x5e, 0, 0, 1}},
                                         {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}},
                                         {{0x02, 0, 0, 0, 0, 9}}};
    struct guest_sent packet;

    (void)state;
    guest_bring_up(alice, NETVSP_VERSION_61);
    for (unsigned i = 0; i < sizeof(filters) / sizeof(filters[0]); i++) {
        guest_bring_up(bob, NETVSP_VERSION_61);
        assert_int_equal(set_filter(bob, filters[i].filter),
                         NETVSP_STATUS_SUCCESS);
        guest_run(bob, cycles(2));
        guest_take(bob);
        for (uint8_t mark = 1; mark <= 4; mark++) {
            uint8_t message[NETVSP_SEND_SECTION_BYTES];
            uint32_t bytes = guest_frame(message, to[mark - 1], alice->address,
                                         GUEST_FRAME_BYTES, mark);

            assert_int_equal(
                guest_send_rndis(alice, NETVSP_CHANNEL_DATA, message, bytes),
                NETVSP_STATUS_SUCCESS);
        }
        guest_run(bob, cycles(2));
        for (const uint8_t *mark = filters[i].marks; *mark; mark++)
            assert_int_equal(guest_receive_mark(bob, &packet), *mark);
        assert_false(guest_has(bob));
        guest_close(bob);
        guest_open(bob);
    }
}

static void an_adapter_tells_its_address_and_speed(void **state)
{
    const uint32_t queries[][7] = {{RNDIS_QUERY, 28, 1, 0x01010101, 0, 20, 0},
                                   {RNDIS_QUERY, 28, 1, 0x00010107, 0, 20, 0}};
    struct guest_sent packet;
    uint32_t bytes;
    uint32_t speed;

    (void)state;
    guest_bring_up(bob, NETVSP_VERSION_61);
    for (unsigned i = 0; i < 2; i++)
        guest_send_rndis(bob, NETVSP_CHANNEL_CONTROL, queries[i],
                         sizeof(queries[i]));
    guest_run(bob, cycles(1));
    assert_memory_equal(guest_receive(bob, &bytes, &packet) + 24,
                        bob->address.byte, 6);
    memcpy(&speed, guest_receive(bob, &bytes, &packet) + 24, sizeof(speed));
    assert_int_equal(speed, 100000000);
}

static void a_guest_that_is_down_receives_nothing(void **state)
{
    const uint32_t halt[] = {RNDIS_HALT, 12, 9};

    (void)state;
    guest_bring_up(alice, NETVSP_VERSION_61);
    guest_connect(bob, NETVSP_VERSION_61);
    assert_int_equal(guest_send_mark(alice, bob, 1), NETVSP_STATUS_SUCCESS);
    guest_run(bob, cycles(5));
    assert_false(guest_has(bob));
    assert_int_equal(netvsp_counts(bob->offer.device).drops, 0);

    assert_int_equal(
        guest_send_rndis(alice, NETVSP_CHANNEL_CONTROL, halt, sizeof(halt)),
        NETVSP_STATUS_SUCCESS);
    guest_run(alice, cycles(5));
    assert_false(guest_has(alice)); /* it has no answer */
    assert_int_equal(guest_send_mark(alice, bob, 1), NETVSP_STATUS_FAILURE);
}

static void a_closed_channel_starts_anew(void **state)
{
    struct guest_sent packet;

    (void)state;
    guest_bring_up(alice, NETVSP_VERSION_61);
    guest_bring_up(bob, NETVSP_VERSION_61);
    bob->room = false;
    assert_int_equal(guest_send_mark(alice, bob, 1), NETVSP_STATUS_SUCCESS);
    guest_run(bob, cycles(5));
    guest_close(bob);
    assert_int_equal(guest_send_mark(alice, bob, 2), NETVSP_STATUS_SUCCESS);
    assert_int_equal(bob->wake.v, CYCLES_NEVER.v);
    bob->room = true;
    guest_open(bob);
    guest_bring_up(bob, NETVSP_VERSION_2);
    assert_int_equal(guest_send_mark(alice, bob, 3), NETVSP_STATUS_SUCCESS);
    guest_run(bob, cycles(6));
    assert_int_equal(guest_receive_mark(bob, &packet), 3);
}

/* What was asked for by the one before is not for who opens it next. */
static void a_closed_channel_forgets_what_it_owed(void **state)
{
    const uint32_t query[] = {RNDIS_QUERY, 28, 1, 0x01010101, 0, 20, 0};
    const uint32_t offload[] = {RNDIS_QUERY, 28, 1, 0xfc01020d, 0, 20, 0};
    const uint32_t init[] = {NETVSP_INIT, NETVSP_VERSION_5, NETVSP_VERSION_5};
    const uint32_t receive[] = {NETVSP_SEND_RECEIVE_BUFFER, GUEST_RECEIVE_GPADL,
                                GUEST_SET};
    struct guest_sent packet;
    uint32_t header;

    (void)state;
    guest_bring_up(alice, NETVSP_VERSION_61);
    assert_int_equal(set_filter(alice, 0), NETVSP_STATUS_SUCCESS);
    assert_int_equal(set_filter(alice, RNDIS_FILTER_DIRECTED),
                     NETVSP_STATUS_SUCCESS); /* two answers and a link */
    assert_int_equal(
        guest_send_rndis(alice, NETVSP_CHANNEL_CONTROL, query, sizeof(query)),
        NETVSP_STATUS_SUCCESS);
    alice->room = false;
    guest_run(alice, cycles(1)); /* refused */
    guest_close(alice);
    alice->room = true;
    guest_open(alice);
    assert_true(guest_message(alice, init, 3));
    guest_completion(alice, NETVSP_INIT_COMPLETE);
    assert_true(guest_message(alice, receive, 3));
    guest_completion(alice, NETVSP_SEND_RECEIVE_BUFFER_COMPLETE);
    guest_run(alice, cycles(2));
    assert_false(guest_has(alice));

    guest_close(alice);
    guest_open(alice);
    guest_connect(alice, NETVSP_VERSION_5);
    assert_int_equal(guest_send_mark(alice, bob, 1), NETVSP_STATUS_FAILURE);

    /* The version of NDIS was the other's too. */
    guest_close(alice);
    guest_open(alice);
    connect_without_ndis(alice);
    guest_send_rndis(alice, NETVSP_CHANNEL_CONTROL, offload, sizeof(offload));
    guest_run(alice, cycles(3));
    guest_take(alice); /* of INITIALIZE */
    memcpy(&header, guest_receive(alice, &(uint32_t){0}, &packet) + 24,
           sizeof(header));
    assert_int_equal(header, 0x007001a7);
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
    assert_false(netvsp_offer(&offer, lan, 1, 0)); /* alice is there */
    assert_true(netvsp_offer(&offer, lan, 1, 1));
    assert_memory_not_equal(&offer.instance_id, &alice->offer.instance_id, 16);
    assert_memory_equal(&offer.class_id, &alice->offer.class_id, 16);
    assert_memory_equal(offer.class_id.bytes,
                        "\x63\x51\x61\xf8\x3e\xdf\xc5\x46"
                        "\x91\x3f\xf2\xd2\xf9\x65\xed\x0e",
                        16);
    offer.ops->free(offer.device);
}

static void work_is_billed_by_message(void **state)
{
    (void)state;
    guest_bring_up(alice, NETVSP_VERSION_61);
    guest_bring_up(bob, NETVSP_VERSION_61);
    cost_bill_clear(&alice->bill);
    cost_bill_clear(&bob->bill);
    assert_int_equal(guest_send_mark(alice, bob, 1), NETVSP_STATUS_SUCCESS);
    assert_int_equal(cost_count(&alice->bill, COST_NETVSP_MESSAGE), 1);
    assert_int_equal(cost_count(&alice->bill, COST_NETVSP_RNDIS), 1);
    assert_int_equal(cost_count(&alice->bill, COST_VSWITCH_FRAME), 1);
    assert_int_equal(cost_count(&bob->bill, COST_NETVSP_MESSAGE), 0);
    guest_run(bob, cycles(5));
    assert_int_equal(cost_count(&bob->bill, COST_NETVSP_MESSAGE), 1);
    assert_int_equal(cost_count(&bob->bill, COST_NETVSP_RNDIS), 1);
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, guest_set_up, guest_clean_up)
    const struct CMUnitTest tests[] = {
        TEST(every_version_is_agreed_to_and_no_other),
        TEST(messages_are_longer_from_6_1_on),
        TEST(nothing_comes_before_a_version),
        TEST(buffers_are_divided_into_sections),
        TEST(no_more_sections_are_used_than_are_kept_account_of),
        TEST(a_buffer_that_is_none_is_refused),
        TEST(sub_channels_are_refused_and_one_is_enough),
        TEST(what_is_not_there_is_answered_all_the_same),
        TEST(a_message_that_is_too_short_breaks_the_protocol),
        TEST(bringing_the_interface_up_tells_of_the_link),
        TEST(another_filter_does_not_keep_the_link_a_secret),
        TEST(a_halt_needs_no_place_for_an_answer),
        TEST(the_filter_is_the_ports),
        TEST(an_adapter_tells_its_address_and_speed),
        TEST(a_guest_that_is_down_receives_nothing),
        TEST(a_closed_channel_starts_anew),
        TEST(a_closed_channel_forgets_what_it_owed),
        TEST(addresses_tell_vms_and_adapters_apart),
        TEST(work_is_billed_by_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
