/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "vmbus/rndis.h"

#define ID 0x1234u

#define OID_SUPPORTED 0x00010101u
#define OID_FRAME_SIZE 0x00010106u
#define OID_LINK_SPEED 0x00010107u
#define OID_VENDOR_NAME 0x0001010du
#define OID_FILTER 0x0001010eu
#define OID_LOOKAHEAD 0x0001010fu
#define OID_TOTAL_SIZE 0x00010111u
#define OID_CONNECT_STATUS 0x00010114u
#define OID_RSS_CAPABILITIES 0x00010203u
#define OID_LINK_SPEED_MAX 0x00010206u
#define OID_LINK_STATE 0x00010207u
#define OID_FRIENDLY_NAME 0x00020216u
#define OID_FRAMES_SENT 0x00020101u
#define OID_PERMANENT_ADDRESS 0x01010101u
#define OID_MULTICAST_LIST 0x01010103u
#define OID_OFFLOAD_PARAMETERS 0xfc01020cu
#define OID_OFFLOAD_CAPABILITIES 0xfc01020du

static struct rndis rndis;
static struct vswitch_counts counts;
static uint8_t reply[RNDIS_REPLY_BYTES_MAX];
static uint32_t reply_bytes;

static uint32_t word(unsigned index)
{
    uint32_t value;

    assert_true((index + 1) * sizeof(value) <= reply_bytes);
    memcpy(&value, reply + index * sizeof(value), sizeof(value));
    return value;
}

static bool control(const void *message, size_t bytes)
{
    memset(reply, 0xee, sizeof(reply));
    return rndis_control(&rndis, &counts, message, (uint32_t)bytes, reply,
                         &reply_bytes);
}

static void initialize(void)
{
    const uint32_t message[] = {RNDIS_INITIALIZE, 24, ID, 1, 0, 0x4000};

    assert_true(control(message, sizeof(message)));
}

static int set_up(void **state)
{
    (void)state;
    counts = (struct vswitch_counts){.frames_sent = 77,
                                     .frames_received = 66,
                                     .sends_refused = 55,
                                     .drops = 44};
    rndis = (struct rndis){.address = {{0x00, 0x15, 0x5d, 1, 2, 3}},
                           .link_bits = UINT64_C(10000000000),
                           .ndis_version = 0x6001e};
    rndis_reset(&rndis);
    initialize();
    return 0;
}

/* A query with `info`; the status of its answer, whose form is checked. */
static uint32_t query_with(uint32_t oid, const void *info, uint32_t info_bytes)
{
    uint32_t message[64] = {
        RNDIS_QUERY, 28 + info_bytes, ID, oid, info_bytes, 20, 0};

    if (info_bytes > 0)
        memcpy(&message[7], info, info_bytes);
    assert_true(control(message, message[1]));
    assert_int_equal(word(0), RNDIS_QUERY | RNDIS_ANSWER);
    assert_int_equal(word(1), reply_bytes);
    assert_int_equal(word(2), ID);
    assert_int_equal(reply_bytes, 24 + word(4));
    if (word(3) == RNDIS_STATUS_SUCCESS)
        assert_int_equal(word(5), 16);
    return word(3);
}

static uint32_t query(uint32_t oid)
{
    return query_with(oid, NULL, 0);
}

static uint32_t set(uint32_t oid, const void *info, uint32_t info_bytes)
{
    uint32_t message[64] = {RNDIS_SET, 28 + info_bytes, ID, oid, info_bytes, 20,
                            0};

    if (info_bytes > 0)
        memcpy(&message[7], info, info_bytes);
    assert_true(control(message, message[1]));
    assert_int_equal(word(0), RNDIS_SET | RNDIS_ANSWER);
    assert_int_equal(word(1), 16);
    assert_int_equal(reply_bytes, 16);
    assert_int_equal(word(2), ID);
    return word(3);
}

static void an_adapter_is_initialised_by_version_1_0(void **state)
{
    const uint32_t newer[] = {RNDIS_INITIALIZE, 24, ID, 2, 0, 0x4000};

    (void)state;
    assert_int_equal(reply_bytes, 52);
    assert_int_equal(word(0), RNDIS_INITIALIZE | RNDIS_ANSWER);
    assert_int_equal(word(1), 52);
    assert_int_equal(word(2), ID);
    assert_int_equal(word(3), RNDIS_STATUS_SUCCESS);
    assert_int_equal(word(4), 1);
    assert_int_equal(word(5), 0);
    assert_int_equal(word(6), 1); /* connectionless */
    assert_int_equal(word(7), 0); /* Ethernet */
    assert_int_equal(word(8), 8); /* packets in one message */
    assert_int_equal(word(9), 0x4000);
    assert_int_equal(word(10), 3); /* aligned to 8 */

    rndis_reset(&rndis);
    assert_true(control(newer, sizeof(newer)));
    assert_int_equal(word(3), RNDIS_STATUS_BAD_VERSION);
    assert_false(rndis.initialized);
}

static void before_that_nothing_is_answered_but_not_ready(void **state)
{
    uint32_t filter = RNDIS_FILTER_DIRECTED;

    (void)state;
    rndis_reset(&rndis);
    assert_int_equal(query(OID_PERMANENT_ADDRESS), RNDIS_STATUS_NOT_READY);
    assert_int_equal(set(OID_FILTER, &filter, 4), RNDIS_STATUS_NOT_READY);
    assert_int_equal(rndis.filter, 0);
}

static void what_linux_asks_for_is_answered(void **state)
{
    (void)state;
    assert_int_equal(query(OID_FRAME_SIZE), RNDIS_STATUS_SUCCESS);
    assert_int_equal(word(4), 4);
    assert_int_equal(word(6), 1500);
    assert_int_equal(query(OID_PERMANENT_ADDRESS), RNDIS_STATUS_SUCCESS);
    assert_int_equal(word(4), 6);
    assert_memory_equal(reply + 24, rndis.address.byte, 6);
    assert_int_equal(query(OID_CONNECT_STATUS), RNDIS_STATUS_SUCCESS);
    assert_int_equal(word(6), 0); /* connected */
    assert_int_equal(query(OID_LINK_SPEED), RNDIS_STATUS_SUCCESS);
    assert_int_equal(word(6), 100000000); /* of 100 bit/s */
}

/* What rndis_query_hwcaps() checks, with its own sizes by NVSP version. */
static void offload_is_told_in_the_revision_asked_for(void **state)
{
    static const struct {
        uint32_t header;
        uint32_t bytes;
    } asked[] = {{0x009c03a7, 156}, {0x009002a7, 144}, {0x007001a7, 112}};

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        uint32_t info[39] = {asked[i].header};

        assert_int_equal(
            query_with(OID_OFFLOAD_CAPABILITIES, info, asked[i].bytes),
            RNDIS_STATUS_SUCCESS);
        assert_int_equal(word(4), asked[i].bytes);
        assert_int_equal(word(6), asked[i].header);
        for (unsigned at = 7; at < 6 + asked[i].bytes / 4; at++)
            assert_int_equal(word(at), 0);
    }
    assert_int_equal(query(OID_OFFLOAD_CAPABILITIES), RNDIS_STATUS_SUCCESS);
    assert_int_equal(word(6), 0x009c03a7);
    rndis.ndis_version = 0x60001;
    assert_int_equal(query_with(OID_OFFLOAD_CAPABILITIES, &asked[0].header, 4),
                     RNDIS_STATUS_SUCCESS);
    assert_int_equal(word(6), 0x009c03a7);
    for (uint32_t revision = 0; revision <= 4; revision += 4) {
        uint32_t unknown = 0x009c00a7 | revision << 8;

        assert_int_equal(query_with(OID_OFFLOAD_CAPABILITIES, &unknown, 4),
                         RNDIS_STATUS_SUCCESS);
        assert_int_equal(word(6), 0x007001a7);
    }
    assert_int_equal(query(OID_OFFLOAD_CAPABILITIES), RNDIS_STATUS_SUCCESS);
    assert_int_equal(word(6), 0x007001a7);
}

static void offloads_can_be_switched_off_but_not_on(void **state)
{
    uint8_t parameters[28] = {0x80, 3, 28, 0, 1 /* IP checksum: off */};

    (void)state;
    parameters[16] = parameters[19] = 0xff; /* flags say nothing */
    assert_int_equal(set(OID_OFFLOAD_PARAMETERS, parameters, 28),
                     RNDIS_STATUS_SUCCESS);
    assert_int_equal(set(OID_OFFLOAD_PARAMETERS, parameters, 22),
                     RNDIS_STATUS_SUCCESS); /* of older versions */
    parameters[5] = 4;                      /* TCP checksums both ways */
    assert_int_equal(set(OID_OFFLOAD_PARAMETERS, parameters, 28),
                     RNDIS_STATUS_NOT_SUPPORTED);
    assert_int_equal(set(OID_OFFLOAD_PARAMETERS, parameters, 3),
                     RNDIS_STATUS_INVALID_DATA);
}

static void an_unknown_oid_is_not_supported(void **state)
{
    static const uint32_t unknown[] = {0, 0xffffffff, OID_RSS_CAPABILITIES,
                                       OID_FRIENDLY_NAME};
    uint32_t info = 0;

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(query(unknown[i]), 0xc00000bb);
        assert_int_equal(set(unknown[i], &info, 4), 0xc00000bb);
    }
    /* Known, but only to be asked for, or only to be set. */
    assert_int_equal(set(OID_PERMANENT_ADDRESS, "abcdef", 6), 0xc00000bb);
    assert_int_equal(query(OID_OFFLOAD_PARAMETERS), 0xc00000bb);
}

static void every_oid_in_the_list_is_supported(void **state)
{
    uint32_t oids[48];
    uint32_t count;

    (void)state;
    assert_int_equal(query(OID_SUPPORTED), RNDIS_STATUS_SUCCESS);
    count = word(4) / 4;
    assert_true(count > 20 && count <= 48);
    memcpy(oids, reply + 24, count * sizeof(oids[0]));
    for (unsigned i = 0; i < count; i++)
        if (oids[i] != OID_OFFLOAD_PARAMETERS)
            assert_int_equal(query(oids[i]), RNDIS_STATUS_SUCCESS);
}

static void the_filter_is_kept_and_read_back(void **state)
{
    uint32_t filter = RNDIS_FILTER_DIRECTED | RNDIS_FILTER_BROADCAST;

    (void)state;
    assert_int_equal(set(OID_FILTER, &filter, 4), RNDIS_STATUS_SUCCESS);
    assert_int_equal(query(OID_FILTER), RNDIS_STATUS_SUCCESS);
    assert_int_equal(word(6), filter);
    assert_int_equal(set(OID_FILTER, &filter, 3), RNDIS_STATUS_INVALID_DATA);
    assert_int_equal(rndis.filter, filter);
}

static void a_multicast_list_is_kept_if_it_is_one(void **state)
{
    uint8_t list[33 * 6];

    (void)state;
    memset(list, 0x33, sizeof(list));
    assert_int_equal(set(OID_MULTICAST_LIST, list, 12), RNDIS_STATUS_SUCCESS);
    assert_int_equal(query(OID_MULTICAST_LIST), RNDIS_STATUS_SUCCESS);
    assert_int_equal(word(4), 12);
    assert_memory_equal(reply + 24, list, 12);
    assert_int_equal(set(OID_MULTICAST_LIST, list, 13),
                     RNDIS_STATUS_INVALID_DATA);
    assert_int_equal(set(OID_MULTICAST_LIST, list, 32 * 6),
                     RNDIS_STATUS_SUCCESS);
    assert_int_equal(set(OID_MULTICAST_LIST, list, sizeof(list)),
                     RNDIS_STATUS_MULTICAST_FULL);
    assert_int_equal(set(OID_MULTICAST_LIST, NULL, 0), RNDIS_STATUS_SUCCESS);
    assert_int_equal(query(OID_MULTICAST_LIST), RNDIS_STATUS_SUCCESS);
    assert_int_equal(word(4), 0);
}

static void the_link_and_the_counts_can_be_asked_for(void **state)
{
    uint64_t bits;

    (void)state;
    assert_int_equal(query(OID_LINK_STATE), RNDIS_STATUS_SUCCESS);
    assert_int_equal(word(4), 40);
    assert_int_equal(word(6), 0x00280180); /* 40 bytes, revision 1 */
    assert_int_equal(word(7), 1);          /* connected */
    memcpy(&bits, reply + 24 + 16, sizeof(bits));
    assert_int_equal(bits, UINT64_C(10000000000));
    assert_int_equal(query(OID_LINK_SPEED_MAX), RNDIS_STATUS_SUCCESS);
    assert_int_equal(word(4), 16);
    memcpy(&bits, reply + 24, sizeof(bits));
    assert_int_equal(bits, UINT64_C(10000000000));
    for (unsigned i = 0; i < 5; i++) {
        static const uint32_t values[] = {77, 66, 55, 0, 44};

        assert_int_equal(query(OID_FRAMES_SENT + i), RNDIS_STATUS_SUCCESS);
        assert_int_equal(word(4), 4);
        assert_int_equal(word(6), values[i]);
    }
    assert_int_equal(query(OID_VENDOR_NAME), RNDIS_STATUS_SUCCESS);
    assert_true(word(4) > 1);
    assert_int_equal(reply[reply_bytes - 1], 0);
    assert_int_equal(query(OID_TOTAL_SIZE), RNDIS_STATUS_SUCCESS);
    assert_int_equal(word(6), 1514);
}

static void the_lookahead_is_kept(void **state)
{
    uint32_t lookahead = 128;

    (void)state;
    assert_int_equal(query(OID_LOOKAHEAD), RNDIS_STATUS_SUCCESS);
    assert_int_equal(word(4), 4);
    assert_int_equal(word(6), 1500);
    assert_int_equal(set(OID_LOOKAHEAD, &lookahead, 4), RNDIS_STATUS_SUCCESS);
    assert_int_equal(query(OID_LOOKAHEAD), RNDIS_STATUS_SUCCESS);
    assert_int_equal(word(6), 128);
}

static void information_outside_the_message_is_invalid(void **state)
{
    static const uint32_t places[][2] = {
        {4, 21}, {4, 0xfffffffe}, {0xffffffff, 20}, {5, 20}};

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        uint32_t message[] = {RNDIS_SET,    32,           ID, OID_FILTER,
                              places[i][0], places[i][1], 0,  1};

        assert_true(control(message, sizeof(message)));
        assert_int_equal(word(3), RNDIS_STATUS_INVALID_DATA);
        message[0] = RNDIS_QUERY;
        message[3] = OID_OFFLOAD_CAPABILITIES;
        assert_true(control(message, sizeof(message)));
        assert_int_equal(word(3), RNDIS_STATUS_INVALID_DATA);
    }
    assert_int_equal(rndis.filter, 0);
}

static void a_message_that_ends_too_soon_is_malformed(void **state)
{
    static const uint32_t types[] = {RNDIS_INITIALIZE, RNDIS_QUERY, RNDIS_SET,
                                     RNDIS_KEEPALIVE};

    (void)state;
    for (unsigned i = 0; i < 4; i++) {
        uint32_t message[7] = {types[i], 11, ID};

        assert_false(control(message, sizeof(message)));
        message[1] = sizeof(message) + 1; /* longer than what is there */
        assert_false(control(message, sizeof(message)));
        message[1] = 7;
        assert_false(control(message, sizeof(message)));
        assert_false(control(message, 7));
        assert_int_equal(reply_bytes, 0);
    }
}

static void what_is_no_request_is_malformed(void **state)
{
    static const uint32_t types[] = {
        0,         RNDIS_PACKET, RNDIS_INDICATE, 9, RNDIS_QUERY | RNDIS_ANSWER,
        0xffffffff};

    (void)state;
    for (unsigned i = 0; i < 6; i++) {
        uint32_t message[7] = {types[i], 28, ID};

        assert_false(control(message, sizeof(message)));
    }
}

static void reset_keepalive_and_halt(void **state)
{
    const uint32_t reset[] = {RNDIS_RESET, 8};
    const uint32_t keepalive[] = {RNDIS_KEEPALIVE, 12, ID};
    const uint32_t halt[] = {RNDIS_HALT, 12, ID};
    uint32_t filter = RNDIS_FILTER_DIRECTED;

    (void)state;
    assert_int_equal(set(OID_FILTER, &filter, 4), RNDIS_STATUS_SUCCESS);
    assert_int_equal(set(OID_LOOKAHEAD, &filter, 4), RNDIS_STATUS_SUCCESS);
    assert_int_equal(set(OID_MULTICAST_LIST, "abcdef", 6),
                     RNDIS_STATUS_SUCCESS);
    assert_true(control(reset, sizeof(reset)));
    assert_int_equal(word(0), RNDIS_RESET | RNDIS_ANSWER);
    assert_int_equal(reply_bytes, 16);
    assert_int_equal(word(2), RNDIS_STATUS_SUCCESS);
    assert_int_equal(word(3), 1); /* the filter has to be set again: */
    assert_int_equal(rndis.filter, 0);
    assert_int_equal(rndis.group_count, 0);
    assert_int_equal(rndis.lookahead, 1500);
    assert_true(rndis.initialized);

    assert_int_equal(set(OID_FILTER, &filter, 4), RNDIS_STATUS_SUCCESS);
    initialize(); /* that is a new beginning too */
    assert_int_equal(rndis.filter, 0);

    assert_true(control(keepalive, sizeof(keepalive)));
    assert_int_equal(word(0), RNDIS_KEEPALIVE | RNDIS_ANSWER);
    assert_int_equal(word(2), ID);
    assert_int_equal(word(3), RNDIS_STATUS_SUCCESS);

    assert_true(control(halt, sizeof(halt)));
    assert_int_equal(reply_bytes, 0);
    assert_false(rndis.initialized);
}

static void an_indication_has_no_data(void **state)
{
    (void)state;
    reply_bytes = rndis_indicate(RNDIS_STATUS_CONNECT, reply);
    assert_int_equal(reply_bytes, 20);
    assert_int_equal(word(0), RNDIS_INDICATE);
    assert_int_equal(word(1), 20);
    assert_int_equal(word(2), 0x4001000b);
    assert_int_equal(word(3), 0);
}

static void information_is_looked_for_only_if_there_is_any(void **state)
{
    const uint32_t message[] = {RNDIS_QUERY, 28,          ID, OID_FRAME_SIZE,
                                0,           0xffffffffu, 0};

    (void)state;
    assert_true(control(message, sizeof(message)));
    assert_int_equal(word(3), RNDIS_STATUS_SUCCESS);
}

/* A packet message of two frame bytes, with `info` in front of them. */
struct packet {
    uint32_t type, bytes;
    uint32_t data_offset, data_bytes, oob[3], info_offset, info_bytes, vc[2];
    uint32_t info[8];
    uint8_t frame[4];
};

static struct packet packet_with(uint32_t info_bytes)
{
    return (struct packet){
        .type = RNDIS_PACKET,
        .bytes = sizeof(struct packet),
        .data_offset = offsetof(struct packet, frame) - 8,
        .data_bytes = 2,
        .info_offset = offsetof(struct packet, info) - 8,
        .info_bytes = info_bytes,
        .frame = {0xab, 0xcd},
    };
}

static void a_frame_is_found_where_the_packet_says(void **state)
{
    struct packet message = packet_with(0);
    struct rndis_packet packet;

    (void)state;
    assert_true(
        rndis_parse_packet((uint8_t *)&message, sizeof(message), &packet));
    assert_int_equal(packet.message_bytes, sizeof(message));
    assert_ptr_equal(packet.frame, message.frame);
    assert_int_equal(packet.frame_bytes, 2);
    assert_false(packet.tagged);
    assert_false(packet.offloads);

    /* At the least: a header, and nothing in it. */
    message.bytes = 44;
    message.data_bytes = 0;
    message.data_offset = 36;
    message.info_offset = 0xffffffff; /* of no information */
    assert_true(rndis_parse_packet((uint8_t *)&message, 44, &packet));
    assert_int_equal(packet.message_bytes, 44);
    assert_int_equal(packet.frame_bytes, 0);
}

static void all_information_is_looked_at(void **state)
{
    struct packet message = packet_with(28);
    const uint32_t info[] = {12, 9, 12, /* says nothing */
                             16, 6, 12, 0x10};
    struct rndis_packet packet;

    (void)state;
    memcpy(message.info, info, sizeof(info));
    assert_true(
        rndis_parse_packet((uint8_t *)&message, sizeof(message), &packet));
    assert_true(packet.tagged);
    assert_int_equal(packet.tag, 1);

    /* One that has no room for what it should say says 0. */
    message.info[0] = 16;
    message.info[1] = 0;
    message.info[2] = 13;
    message.info_bytes = 16;
    message.info[3] = 0xffffffff;
    assert_true(
        rndis_parse_packet((uint8_t *)&message, sizeof(message), &packet));
    assert_false(packet.offloads);
}

static void a_tag_is_turned_into_what_the_wire_has(void **state)
{
    struct packet message = packet_with(16);
    uint8_t built[RNDIS_PACKET_HEADER_BYTES_MAX + 2];
    struct rndis_packet packet;

    (void)state;
    message.info[0] = 16;
    message.info[1] = 6;
    message.info[2] = 12;
    message.info[3] = 0x5 | 0x123 << 4; /* priority 5, VLAN 0x123 */
    assert_true(
        rndis_parse_packet((uint8_t *)&message, sizeof(message), &packet));
    assert_true(packet.tagged);
    assert_int_equal(packet.tag, 0xa123);

    /* And back, in what we build. */
    assert_int_equal(rndis_build_packet(2, true, 0xb123, built), 60);
    built[60] = 'x';
    built[61] = 'y';
    assert_true(rndis_parse_packet(built, sizeof(built), &packet));
    assert_true(packet.tagged);
    assert_int_equal(packet.tag, 0xb123);
    assert_memory_equal(packet.frame, "xy", 2);
    assert_int_equal(rndis_build_packet(2, false, 0, built), 44);
    assert_true(rndis_parse_packet(built, 46, &packet));
    assert_false(packet.tagged);
}

static void a_request_for_offloads_is_noticed(void **state)
{
    struct packet message = packet_with(16);
    struct rndis_packet packet;

    (void)state;
    message.info[0] = 16;
    message.info[2] = 12;
    message.info[1] = 0;
    message.info[3] = 0x5; /* IPv4: the TCP checksum */
    assert_true(
        rndis_parse_packet((uint8_t *)&message, sizeof(message), &packet));
    assert_true(packet.offloads);
    message.info[3] = 0x1; /* IPv4, and nothing to do */
    assert_true(
        rndis_parse_packet((uint8_t *)&message, sizeof(message), &packet));
    assert_false(packet.offloads);
    message.info[1] = 2; /* segmentation */
    assert_true(
        rndis_parse_packet((uint8_t *)&message, sizeof(message), &packet));
    assert_true(packet.offloads);
    message.info[1] = 8; /* a hash: of no interest */
    assert_true(
        rndis_parse_packet((uint8_t *)&message, sizeof(message), &packet));
    assert_false(packet.offloads);
}

static void packets_that_point_outside_are_malformed(void **state)
{
    static const struct {
        unsigned word;
        uint32_t value;
    } changes[] = {
        {0, RNDIS_SET},
        {1, 43},
        {1, sizeof(struct packet) + 1},
        {2, sizeof(struct packet)},
        {2, 0xffffffff},
        {3, 5},
        {3, 0xffffffff},
        {7, sizeof(struct packet) - 8 - 15},
        {7, 0xffffffff},
        {8, 0xffffffff},
        {8, 11}, /* less than the head of an information */
        {11, 0}, /* information of no length: would never end */
        {11, 11},
        {11, 17},
        {13, 17},
        {13, 0xffffffff},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        struct packet message = packet_with(16);
        uint32_t words[sizeof(message) / 4];
        struct rndis_packet packet;

        message.info[0] = 16;
        message.info[1] = 6;
        message.info[2] = 12;
        memcpy(words, &message, sizeof(message));
        assert_true(
            rndis_parse_packet((uint8_t *)words, sizeof(words), &packet));
        words[changes[i].word] = changes[i].value;
        assert_false(
            rndis_parse_packet((uint8_t *)words, sizeof(words), &packet));
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup(name, set_up)
    const struct CMUnitTest tests[] = {
        TEST(an_adapter_is_initialised_by_version_1_0),
        TEST(before_that_nothing_is_answered_but_not_ready),
        TEST(what_linux_asks_for_is_answered),
        TEST(offload_is_told_in_the_revision_asked_for),
        TEST(offloads_can_be_switched_off_but_not_on),
        TEST(an_unknown_oid_is_not_supported),
        TEST(every_oid_in_the_list_is_supported),
        TEST(the_filter_is_kept_and_read_back),
        TEST(a_multicast_list_is_kept_if_it_is_one),
        TEST(the_link_and_the_counts_can_be_asked_for),
        TEST(the_lookahead_is_kept),
        TEST(information_is_looked_for_only_if_there_is_any),
        TEST(information_outside_the_message_is_invalid),
        TEST(a_message_that_ends_too_soon_is_malformed),
        TEST(what_is_no_request_is_malformed),
        TEST(reset_keepalive_and_halt),
        TEST(an_indication_has_no_data),
        TEST(a_frame_is_found_where_the_packet_says),
        TEST(all_information_is_looked_at),
        TEST(a_tag_is_turned_into_what_the_wire_has),
        TEST(a_request_for_offloads_is_noticed),
        TEST(packets_that_point_outside_are_malformed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
