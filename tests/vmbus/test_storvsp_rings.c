/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The storage provider on a real bus: what is on the wire, and how channels
 * and sub-channels end. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/vmbus/fake_guest.h"
#include "vmbus/storvsp.h"
#include "vmbus/storvsp_abi.h"

#define RING_PAGES 4
#define SECTOR DISK_SECTOR_BYTES
#define NEVER UINT64_C(1000000000000)

struct world {
    struct fake_guest guest;
    struct storvsp *storvsp;
    struct fake_channel channel; /* the primary; open */
    uint32_t data_page;          /* of the guest: two pages for data */
};

/* A guest's packet about memory: before its payload. */
struct head {
    struct vmbus_gpa_direct direct;
    struct vmbus_range range;
    uint64_t pages[2];
};

static struct storvsp *make_storvsp(struct fake_guest *guest)
{
    struct disk_config config = {.bytes = 1024 * SECTOR};
    struct storvsp *storvsp = storvsp_create(guest->guest_memory, 0, 2);
    struct disk *disk = NULL;
    struct sim_error error;

    assert_int_equal(
        disk_create(&disk, &config, (struct sim_clock){1000000000}, &error),
        SIM_OK);
    assert_non_null(storvsp);
    assert_true(storvsp_attach(storvsp, NULL, 0, disk));
    return storvsp;
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));
    struct vmbus_offer offer;
    struct vmbus_channel *channel;

    assert_non_null(world);
    fake_guest_setup(&world->guest);
    world->storvsp = make_storvsp(&world->guest);
    offer = storvsp_offer(world->storvsp);
    channel = vmbus_offer(world->guest.bus, NULL, &offer);
    assert_non_null(channel);
    fake_guest_connect(&world->guest, VMBUS_VERSION_5_3);
    world->channel = fake_guest_open(&world->guest,
                                     vmbus_channel_relid(channel), RING_PAGES);
    world->data_page = fake_guest_pages(&world->guest, 2);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    fake_guest_teardown(&world->guest);
    free(world);
    return 0;
}

/* What was sent is served; then time goes on to `now`, and channels are served
 * whose time has come. */
static void run_until(struct world *world, uint64_t now)
{
    struct fake_guest *guest = &world->guest;

    fake_guest_run(guest);
    guest->context.now = cycles(now);
    for (uint32_t relid = 1; relid < VMBUS_CHANNELS_MAX; relid++) {
        struct fake_service *service = &guest->services[relid];

        if (service->channel && service->wake_at.v <= now)
            service->serve = true;
    }
    fake_guest_run(guest);
}

static uint8_t *data_of(struct world *world)
{
    return world->guest.memory + world->data_page * PAGE_BYTES;
}

static void put_operation(struct world *world, uint64_t id, uint32_t operation,
                          uint16_t argument)
{
    struct storvsp_packet packet = {
        .operation = operation, .flags = 1, .version.version = argument};

    fake_guest_put(&world->guest, &world->channel, VMBUS_PACKET_IN_BAND,
                   VMBUS_PACKET_COMPLETION_WANTED, id, &packet, 0,
                   sizeof(packet));
}

static struct storvsp_packet srb_of(const uint8_t cdb[16], uint8_t direction,
                                    uint32_t bytes)
{
    struct storvsp_packet packet = {
        .operation = STORVSP_EXECUTE_SRB,
        .flags = 1,
        .srb = {.length = sizeof(packet.srb),
                .cdb_bytes = 16,
                .direction = direction,
                .transfer_bytes = bytes},
    };

    memcpy(packet.srb.cdb_or_sense, cdb, 16);
    return packet;
}

/* A request about `bytes` from byte 100 of the data pages on. */
static void put_request(struct world *world, const struct fake_channel *channel,
                        uint64_t id, const uint8_t cdb[16], uint8_t direction,
                        uint32_t bytes)
{
    struct {
        struct head head;
        struct storvsp_packet packet;
    } body = {
        .head = {.direct.range_count = 1,
                 .range = {bytes, 100},
                 .pages = {world->data_page, world->data_page + 1}},
        .packet = srb_of(cdb, direction, bytes),
    };

    assert_true(bytes > PAGE_BYTES - 100); /* it needs both */
    fake_guest_put(&world->guest, channel, VMBUS_PACKET_GPA_DIRECT,
                   VMBUS_PACKET_COMPLETION_WANTED, id, &body,
                   sizeof(struct head), sizeof(body));
}

/* Takes an answer and says how it is on the wire. */
static void expect_answer(struct world *world,
                          const struct fake_channel *channel, uint64_t id,
                          struct storvsp_packet *packet)
{
    struct vmbus_packet_descriptor descriptor;

    assert_true(fake_guest_get(&world->guest, channel, &descriptor, packet,
                               sizeof(*packet)));
    assert_int_equal(descriptor.type, VMBUS_PACKET_COMPLETION);
    assert_int_equal(descriptor.flags, 0);
    assert_int_equal(descriptor.transaction_id, id);
    assert_int_equal(descriptor.data_offset_8 * 8, sizeof(descriptor));
    assert_int_equal(descriptor.length_8 * 8, sizeof(descriptor) + 64);
    assert_int_equal(packet->operation, STORVSP_COMPLETE_IO);
    assert_int_equal(packet->status, 0);
}

static void expect_nothing(struct world *world,
                           const struct fake_channel *channel)
{
    struct vmbus_packet_descriptor descriptor;
    uint8_t body[64];

    assert_false(fake_guest_get(&world->guest, channel, &descriptor, body,
                                sizeof(body)));
}

static void negotiate(struct world *world)
{
    struct storvsp_packet packet;
    uint64_t now = world->guest.context.now.v;

    put_operation(world, 1, STORVSP_BEGIN_INITIALIZATION, 0);
    put_operation(world, 2, STORVSP_QUERY_PROTOCOL_VERSION, 0x0602);
    put_operation(world, 3, STORVSP_QUERY_PROPERTIES, 0);
    put_operation(world, 4, STORVSP_END_INITIALIZATION, 0);
    run_until(world, now);
    for (uint64_t id = 1; id <= 4; id++)
        expect_answer(world, &world->channel, id, &packet);
    expect_nothing(world, &world->channel);
}

static const uint8_t write_12[16] = {0x2a, [8] = 12};
static const uint8_t read_12[16] = {0x28, [8] = 12};
#define DATA_BYTES (12 * SECTOR)

static void put_read(struct world *world, const struct fake_channel *channel,
                     uint64_t id)
{
    put_request(world, channel, id, read_12, STORVSP_DATA_IN, DATA_BYTES);
}

/* expect_answer() looks at what the rule says. */
static void rule_37_on_the_wire(void **state)
{
    struct world *world = *state;
    struct storvsp_packet packet;

    negotiate(world);
    put_operation(world, UINT64_MAX, STORVSP_RESET_BUS, 0);
    put_read(world, &world->channel, 7);
    run_until(world, NEVER);
    expect_answer(world, &world->channel, UINT64_MAX, &packet);
    expect_answer(world, &world->channel, 7, &packet);
    expect_nothing(world, &world->channel);
}

static void data_crosses_pages(void **state)
{
    struct world *world = *state;
    struct storvsp_packet packet;
    uint8_t *data = data_of(world);

    negotiate(world);
    for (unsigned i = 0; i < DATA_BYTES; i++)
        data[100 + i] = (uint8_t)(i * 5 + i / 256);
    put_request(world, &world->channel, 90, write_12, STORVSP_DATA_OUT,
                DATA_BYTES);
    run_until(world, NEVER);
    expect_answer(world, &world->channel, 90, &packet);
    memset(data, 0, 2 * PAGE_BYTES);
    put_read(world, &world->channel, 91);
    run_until(world, 2 * NEVER);
    expect_answer(world, &world->channel, 91, &packet);
    assert_int_equal(packet.srb.srb_status, STORVSP_SRB_SUCCESS);
    assert_int_equal(packet.srb.transfer_bytes, DATA_BYTES);
    assert_int_equal(data[99], 0);
    for (unsigned i = 0; i < DATA_BYTES; i++)
        assert_int_equal(data[100 + i], (uint8_t)(i * 5 + i / 256));
    assert_int_equal(data[100 + DATA_BYTES], 0);
}

static void an_answer_comes_at_its_time(void **state)
{
    struct world *world = *state;
    struct storvsp_packet packet;

    negotiate(world);
    put_read(world, &world->channel, 7);
    run_until(world, 0);
    expect_nothing(world, &world->channel);
    run_until(world, DISK_LATENCY_NS_DEFAULT);
    expect_nothing(world, &world->channel);
    run_until(world, DISK_LATENCY_NS_DEFAULT + DATA_BYTES / 3);
    expect_answer(world, &world->channel, 7, &packet);
}

#define FLOOD 1000
#define REQUEST_BYTES                                                          \
    (sizeof(struct vmbus_packet_descriptor) + sizeof(struct head) +            \
     sizeof(struct storvsp_packet) + VMBUS_TRAILER_BYTES)

/* How many requests the guest can put in. */
static uint64_t room(struct world *world)
{
    const struct vmbus_ring_control *control =
        fake_guest_ring(&world->guest, &world->channel, FAKE_TO_HOST);
    uint32_t size = fake_guest_ring_bytes(&world->channel, FAKE_TO_HOST);
    uint32_t used = (control->write_index + size - control->read_index) % size;

    return (size - used - 1) / REQUEST_BYTES;
}

/* A guest that puts in as much as goes in, and takes out little: rings and
 * queue fill up, and yet each request is answered once, in order. */
static void a_flood_is_answered_one_by_one(void **state)
{
    struct world *world = *state;
    struct vmbus_packet_descriptor descriptor;
    struct storvsp_packet packet;
    uint64_t asked = 0;
    uint64_t answered = 0;
    uint64_t most_owed = 0;

    negotiate(world);
    for (uint64_t now = 0; answered < FLOOD; now += 1000000) {
        for (uint64_t n = room(world); n > 0 && asked < FLOOD; n--)
            put_read(world, &world->channel, ++asked);
        run_until(world, now);
        if (asked - answered > most_owed)
            most_owed = asked - answered;
        for (unsigned n = 0;
             n < 20 && fake_guest_get(&world->guest, &world->channel,
                                      &descriptor, &packet, sizeof(packet));
             n++)
            assert_int_equal(descriptor.transaction_id, ++answered);
        assert_true(answered <= asked && now < NEVER);
    }
    expect_nothing(world, &world->channel);
    assert_true(most_owed > STORVSP_PENDING_MAX);
    assert_int_equal(storvsp_counters(world->storvsp, 0)->cell[PC_DISK_READS],
                     FLOOD);
}

/* Asks for sub-channels, and opens the first of the two. */
static struct fake_channel open_sub_channel(struct world *world)
{
    struct storvsp_packet packet;
    uint32_t relid = 0;

    put_operation(world, 5, STORVSP_CREATE_SUB_CHANNELS, 2);
    fake_guest_run(&world->guest);
    for (unsigned i = 1; i <= 2; i++) {
        const struct fake_post *post =
            fake_guest_expect(&world->guest, VMBUS_OFFER_CHANNEL,
                              sizeof(struct vmbus_offer_channel));

        assert_int_equal(post->offer.sub_channel_index, i);
        relid = i == 1 ? post->offer.relid : relid;
    }
    expect_answer(world, &world->channel, 5, &packet);
    return fake_guest_open(&world->guest, relid, RING_PAGES);
}

static void a_sub_channel_has_requests_of_its_own(void **state)
{
    struct world *world = *state;
    struct storvsp_packet packet;

    negotiate(world);

    struct fake_channel sub = open_sub_channel(world);

    put_read(world, &sub, 11);
    put_read(world, &world->channel, 12);
    run_until(world, NEVER);
    expect_answer(world, &sub, 11, &packet);
    expect_nothing(world, &sub);
    expect_answer(world, &world->channel, 12, &packet);
    expect_nothing(world, &world->channel);
}

static void sub_channels_go_with_the_first(void **state)
{
    struct world *world = *state;

    negotiate(world);

    struct fake_channel sub = open_sub_channel(world);

    put_read(world, &sub, 11);
    put_read(world, &world->channel, 12);
    fake_guest_run(&world->guest);
    fake_guest_close(&world->guest, world->channel.relid);
    for (unsigned i = 0; i < 2; i++)
        fake_guest_expect(&world->guest, VMBUS_RESCIND_CHANNEL_OFFER,
                          sizeof(struct vmbus_relid_message));
    run_until(world, NEVER);
    expect_nothing(world, &sub);
    expect_nothing(world, &world->channel);

    world->channel =
        fake_guest_open(&world->guest, world->channel.relid, RING_PAGES);
    negotiate(world);
    (void)open_sub_channel(world); /* they may be asked for again */
}

static void switching_off_forgets_what_was_asked(void **state)
{
    struct world *world = *state;

    negotiate(world);
    (void)open_sub_channel(world);
    put_read(world, &world->channel, 12);
    fake_guest_run(&world->guest);
    vmbus_reset(world->guest.bus);
    fake_guest_connect(&world->guest, VMBUS_VERSION_5_3);
    world->channel =
        fake_guest_open(&world->guest, world->channel.relid, RING_PAGES);
    run_until(world, NEVER);
    expect_nothing(world, &world->channel);
    negotiate(world);
    (void)open_sub_channel(world);
}

#define T(test) cmocka_unit_test_setup_teardown(test, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rule_37_on_the_wire),
        T(data_crosses_pages),
        T(an_answer_comes_at_its_time),
        T(a_flood_is_answered_one_by_one),
        T(a_sub_channel_has_requests_of_its_own),
        T(sub_channels_go_with_the_first),
        T(switching_off_forgets_what_was_asked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
