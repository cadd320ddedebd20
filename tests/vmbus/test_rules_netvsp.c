/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rules that implementers get wrong, of networking. See
 * workloads/hvtests/rule.def for the others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/vmbus/net_guest.h"

#define OID_ADDRESS 0x01010101u

/* Rule 38. */

static void rule_38_rndis_answers_come_in_the_receive_buffer(void **state)
{
    const uint32_t initialize[] = {RNDIS_INITIALIZE, 24, 0x77, 1, 0, 0x4000};
    struct guest_sent packet;
    uint32_t words[13];
    uint32_t bytes;
    const uint8_t *answer;

    (void)state;
    guest_connect(alice, NETVSP_VERSION_61);
    assert_int_equal(guest_send_rndis(alice, NETVSP_CHANNEL_CONTROL, initialize,
                                      sizeof(initialize)),
                     NETVSP_STATUS_SUCCESS);
    guest_run(alice, cycles(1));
    answer = guest_receive(alice, &bytes, &packet);
    assert_int_equal(packet.type, 7); /* transfer pages */
    assert_int_equal(packet.set, 0xcafe);
    assert_int_equal(packet.payload[1], NETVSP_CHANNEL_CONTROL);
    assert_int_equal(bytes, sizeof(words));
    memcpy(words, answer, sizeof(words));
    assert_int_equal(words[0], 0x80000002);
    assert_int_equal(words[2], 0x77);
    assert_false(guest_has(alice));
}

static void rule_38_the_page_set_is_named_as_the_guest_does(void **state)
{
    const uint32_t init[] = {NETVSP_INIT, NETVSP_VERSION_5, NETVSP_VERSION_5};
    const uint32_t receive[] = {NETVSP_SEND_RECEIVE_BUFFER, GUEST_RECEIVE_GPADL,
                                0xbeef};
    const uint32_t query_words[] = {RNDIS_QUERY, 28, 1, OID_ADDRESS, 0, 20, 0};

    (void)state;
    assert_true(guest_message(alice, init, 3));
    guest_completion(alice, NETVSP_INIT_COMPLETE);
    assert_true(guest_message(alice, receive, 3));
    guest_completion(alice, NETVSP_SEND_RECEIVE_BUFFER_COMPLETE);
    memcpy(alice->pages, query_words, sizeof(query_words));
    assert_int_equal(guest_send_pages(alice, NETVSP_CHANNEL_CONTROL, 0, 0, 28),
                     NETVSP_STATUS_SUCCESS);
    guest_run(alice, cycles(1));
    assert_int_equal(guest_take(alice)->set, 0xbeef);
}

static void rule_38_ndis_version_and_config_get_no_answer(void **state)
{
    const uint32_t init[] = {NETVSP_INIT, NETVSP_VERSION_61, NETVSP_VERSION_61};
    const uint32_t config[] = {NETVSP_SEND_NDIS_CONFIG, 1514, 0, 0xac, 0};
    const uint32_t version[] = {NETVSP_SEND_NDIS_VERSION, 6, 30};

    (void)state;
    assert_true(guest_message(alice, init, 3));
    guest_completion(alice, NETVSP_INIT_COMPLETE);
    assert_true(guest_packet(alice, VMBUS_PACKET_IN_BAND, false, 5, config,
                             sizeof(config), NULL));
    assert_true(guest_packet(alice, VMBUS_PACKET_IN_BAND, false, 6, version,
                             sizeof(version), NULL));
    guest_run(alice, cycles(1000000));
    assert_false(guest_has(alice));
}

/* A guest that asks for one all the same is told that it is done. */
static void rule_38_a_completion_of_them_says_nothing(void **state)
{
    const uint32_t init[] = {NETVSP_INIT, NETVSP_VERSION_61, NETVSP_VERSION_61};
    const uint32_t config[] = {NETVSP_SEND_NDIS_CONFIG, 9014, 0, 0xac, 0};
    const uint32_t version[] = {NETVSP_SEND_NDIS_VERSION, 6, 30};
    const struct guest_sent *sent;

    (void)state;
    assert_true(guest_message(alice, init, 3));
    guest_completion(alice, NETVSP_INIT_COMPLETE);
    assert_true(guest_message(alice, config, 5));
    sent = guest_take(alice);
    assert_int_equal(sent->type, VMBUS_PACKET_COMPLETION);
    assert_int_equal(sent->id, alice->next_id);
    assert_int_equal(sent->bytes, 0);
    assert_true(guest_message(alice, version, 3));
    assert_int_equal(guest_take(alice)->bytes, 0);
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, guest_set_up, guest_clean_up)
    const struct CMUnitTest tests[] = {
        TEST(rule_38_rndis_answers_come_in_the_receive_buffer),
        TEST(rule_38_the_page_set_is_named_as_the_guest_does),
        TEST(rule_38_ndis_version_and_config_get_no_answer),
        TEST(rule_38_a_completion_of_them_says_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
