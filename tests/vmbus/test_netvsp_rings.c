/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two guests with buses and rings of their own, at one switch: what is on the
 * wire, rings that fill up, and how it all ends. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/vmbus/fake_guest.h"
#include "vmbus/netvsp.h"
#include "vmbus/rndis.h"

#define RING_PAGES 2 /* one of data: 51 frames fill it */
#define RECEIVE_PAGES 64
#define RECEIVE_SECTIONS (RECEIVE_PAGES * 4096u / NETVSP_RECEIVE_SECTION_BYTES)
#define SEND_PAGES 2
#define SET 0xcafeu
#define FRAME_BYTES 60u
#define NO_ID UINT64_MAX

struct end {
    struct fake_guest guest;
    struct vmbus_channel *offered;
    struct fake_channel channel;
    struct vswitch_address address;
    void *device;
    uint32_t receive_page, receive_id;
    uint32_t send_page, send_id;
    uint64_t *now; /* the world's */
};

struct world {
    struct vswitch *lan;
    uint64_t now;
    struct end ends[2];
};

/* What came out of the ring: a descriptor and what is behind it. */
struct received {
    struct vmbus_packet_descriptor descriptor;
    union {
        struct {
            struct vmbus_transfer_pages pages;
            struct vmbus_transfer_range range;
            uint32_t payload[10];
        };
        uint32_t completion[14];
    };
};

/* Time goes on by one, and channels are served that are due. */
static void run(struct end *end)
{
    struct fake_service *service = &end->guest.services[end->channel.relid];

    end->guest.context.now = cycles(++*end->now);
    fake_guest_run(&end->guest);
    while (service->channel && service->wake_at.v <= *end->now) {
        service->wake_at = CYCLES_NEVER;
        service->serve = true;
        fake_guest_run(&end->guest);
    }
}

static bool get(struct end *end, struct received *received)
{
    memset(received, 0, sizeof(*received));
    return fake_guest_get(&end->guest, &end->channel, &received->descriptor,
                          &received->pages,
                          sizeof(*received) - sizeof(received->descriptor));
}

/* A message of so many words, and its answer's, which has to come. */
static struct received ask(struct end *end, const uint32_t *words,
                           uint32_t count)
{
    struct received received;

    fake_guest_put(&end->guest, &end->channel, VMBUS_PACKET_IN_BAND,
                   VMBUS_PACKET_COMPLETION_WANTED, 7, words, 0,
                   count * (uint32_t)sizeof(*words));
    fake_guest_signal(&end->guest, end->channel.relid);
    run(end);
    assert_true(get(end, &received));
    assert_int_equal(received.descriptor.type, VMBUS_PACKET_COMPLETION);
    assert_int_equal(received.descriptor.transaction_id, 7);
    return received;
}

static uint8_t *section_of(struct end *end, uint32_t offset)
{
    return end->guest.memory + end->receive_page * PAGE_BYTES + offset;
}

/* The next is in a section: its place, and the id to give it back by. */
static const uint8_t *get_section(struct end *end, uint64_t *id)
{
    struct received received;

    if (!get(end, &received)) {
        *id = NO_ID;
        return NULL;
    }
    assert_int_equal(received.descriptor.type, VMBUS_PACKET_TRANSFER_PAGES);
    assert_int_equal(received.descriptor.flags, 1);
    assert_int_equal(received.descriptor.data_offset_8, 4);
    assert_int_equal(received.pages.set, SET);
    assert_int_equal(received.pages.range_count, 1);
    assert_int_equal(received.payload[0], NETVSP_SEND_RNDIS_PACKET);
    *id = received.descriptor.transaction_id;
    return section_of(end, received.range.offset);
}

static void give_back(struct end *end, uint64_t id)
{
    const uint32_t words[] = {NETVSP_SEND_RNDIS_PACKET_COMPLETE,
                              NETVSP_STATUS_SUCCESS};

    fake_guest_put(&end->guest, &end->channel, VMBUS_PACKET_COMPLETION, 0, id,
                   words, 0, sizeof(words));
    fake_guest_signal(&end->guest, end->channel.relid);
    run(end);
}

/* What is in the send buffer's first section; the status. */
static uint32_t send_section(struct end *end, uint32_t channel, uint32_t bytes)
{
    const uint32_t message[] = {NETVSP_SEND_RNDIS_PACKET, channel, 0, bytes};

    return ask(end, message, 4).completion[1];
}

static void control(struct end *end, const uint32_t *words, uint32_t bytes)
{
    uint64_t id;

    memcpy(end->guest.memory + end->send_page * PAGE_BYTES, words, bytes);
    assert_int_equal(send_section(end, NETVSP_CHANNEL_CONTROL, bytes),
                     NETVSP_STATUS_SUCCESS);
    run(end);
    for (assert_non_null(get_section(end, &id)); id != NO_ID;
         get_section(end, &id)) {
        give_back(end, id);
        run(end);
    }
}

static void bring_up(struct end *end)
{
    uint32_t init[] = {NETVSP_INIT, NETVSP_VERSION_61, NETVSP_VERSION_61};
    uint32_t receive[] = {NETVSP_SEND_RECEIVE_BUFFER, end->receive_id, SET};
    uint32_t send[] = {NETVSP_SEND_SEND_BUFFER, end->send_id, 0};
    const uint32_t initialize[] = {RNDIS_INITIALIZE, 24, 1, 1, 0, 0x4000};
    const uint32_t filter[] = {
        RNDIS_SET, 32, 2, 0x0001010e,
        4,         20, 0, RNDIS_FILTER_DIRECTED | RNDIS_FILTER_BROADCAST};

    assert_int_equal(ask(end, init, 3).completion[3], NETVSP_STATUS_SUCCESS);
    assert_int_equal(ask(end, receive, 3).completion[1], NETVSP_STATUS_SUCCESS);
    assert_int_equal(ask(end, send, 3).completion[1], NETVSP_STATUS_SUCCESS);
    control(end, initialize, sizeof(initialize));
    control(end, filter, sizeof(filter));
}

static void open_channel(struct end *end)
{
    end->channel = fake_guest_open(
        &end->guest, vmbus_channel_relid(end->offered), RING_PAGES);
    bring_up(end);
}

static void make_end(struct world *world, struct end *end, uint32_t number)
{
    struct vmbus_offer offer;

    end->now = &world->now;
    fake_guest_setup(&end->guest);
    assert_true(netvsp_offer(&offer, world->lan, number, 0));
    end->device = offer.device;
    end->address = netvsp_address(number, 0);
    end->offered = vmbus_offer(end->guest.bus, NULL, &offer);
    assert_non_null(end->offered);
    fake_guest_connect(&end->guest, VMBUS_VERSION_5_3);
    end->receive_page = fake_guest_pages(&end->guest, RECEIVE_PAGES);
    end->send_page = fake_guest_pages(&end->guest, SEND_PAGES);
    end->receive_id =
        fake_guest_lend(&end->guest, vmbus_channel_relid(end->offered),
                        end->receive_page, RECEIVE_PAGES);
    end->send_id =
        fake_guest_lend(&end->guest, vmbus_channel_relid(end->offered),
                        end->send_page, SEND_PAGES);
    open_channel(end);
}

static int setup(void **state)
{
    struct world *world = calloc(1, sizeof(*world));

    assert_non_null(world);
    world->lan = vswitch_create("lan");
    assert_non_null(world->lan);
    for (uint32_t i = 0; i < 2; i++)
        make_end(world, &world->ends[i], i);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    for (uint32_t i = 0; i < 2; i++)
        fake_guest_teardown(&world->ends[i].guest);
    vswitch_free(world->lan);
    free(world);
    return 0;
}

/* A frame with a mark as its last two bytes. */
static uint32_t send_frame(struct end *from, const struct end *to,
                           uint16_t mark)
{
    uint8_t *message = from->guest.memory + from->send_page * PAGE_BYTES;
    uint32_t head = rndis_build_packet(FRAME_BYTES, false, 0, message);
    uint8_t *frame = message + head;

    memset(frame, 0, FRAME_BYTES);
    memcpy(frame, &to->address, sizeof(to->address));
    memcpy(frame + sizeof(to->address), &from->address, sizeof(from->address));
    memcpy(frame + FRAME_BYTES - sizeof(mark), &mark, sizeof(mark));
    return send_section(from, NETVSP_CHANNEL_DATA, head + FRAME_BYTES);
}

/* The next frame has that mark. */
static uint64_t expect_frame(struct end *end, uint16_t mark)
{
    struct rndis_packet packet;
    uint64_t id;
    const uint8_t *message = get_section(end, &id);
    uint16_t is;

    assert_non_null(message);
    assert_true(
        rndis_parse_packet(message, NETVSP_RECEIVE_SECTION_BYTES, &packet));
    assert_int_equal(packet.frame_bytes, FRAME_BYTES);
    memcpy(&is, packet.frame + FRAME_BYTES - sizeof(is), sizeof(is));
    assert_int_equal(is, mark);
    return id;
}

static void expect_nothing(struct end *end)
{
    struct received received;

    run(end);
    assert_false(get(end, &received));
}

static void a_frame_crosses_two_buses(void **state)
{
    struct world *world = *state;
    struct end *a = &world->ends[0];
    struct end *b = &world->ends[1];
    unsigned signals = b->guest.services[b->channel.relid].signals;

    assert_int_equal(send_frame(a, b, 77), NETVSP_STATUS_SUCCESS);
    run(b);
    assert_int_equal(b->guest.services[b->channel.relid].signals, signals + 1);
    give_back(b, expect_frame(b, 77));
    expect_nothing(b);
    assert_int_equal(send_frame(b, a, 78), NETVSP_STATUS_SUCCESS);
    run(a);
    give_back(a, expect_frame(a, 78));
}

static void a_guest_that_does_not_read_loses_nothing_that_fits(void **state)
{
    struct world *world = *state;
    struct end *a = &world->ends[0];
    struct end *b = &world->ends[1];

    for (unsigned round = 0; round < 3; round++) {
        for (uint16_t i = 0; i < 200; i++) {
            assert_int_equal(send_frame(a, b, i), NETVSP_STATUS_SUCCESS);
            run(b); /* into the ring until that is full */
        }
        for (uint16_t i = 0; i < 200; i++) {
            give_back(b, expect_frame(b, i));
            run(b);
        }
        expect_nothing(b);
    }
    assert_int_equal(netvsp_counts(b->device).drops, 0);
}

static void sections_run_out_and_come_back(void **state)
{
    struct world *world = *state;
    struct end *a = &world->ends[0];
    struct end *b = &world->ends[1];
    uint64_t ids[RECEIVE_SECTIONS];
    uint16_t taken = 0;

    for (unsigned i = 0; i < RECEIVE_SECTIONS + 20; i++) {
        assert_int_equal(send_frame(a, b, (uint16_t)i), NETVSP_STATUS_SUCCESS);
        run(b);
        if (taken + 16u < RECEIVE_SECTIONS) { /* those are not for frames */
            ids[taken] = expect_frame(b, taken);
            taken++;
        }
    }
    expect_nothing(b);
    for (uint16_t i = 0; i < 36; i++) {
        give_back(b, ids[i]);
        run(b);
        give_back(b, expect_frame(b, taken++));
        run(b);
        if (taken == RECEIVE_SECTIONS + 20)
            break;
    }
    assert_int_equal(taken, RECEIVE_SECTIONS + 20);
    expect_nothing(b);
}

static void buffers_may_be_torn_down_under_us(void **state)
{
    struct world *world = *state;
    struct end *a = &world->ends[0];
    struct end *b = &world->ends[1];
    struct vmbus_gpadl_teardown teardown_receive = {
        .header.type = VMBUS_GPADL_TEARDOWN,
        .relid = b->channel.relid,
        .gpadl_id = b->receive_id,
    };

    assert_int_equal(send_frame(a, b, 1), NETVSP_STATUS_SUCCESS);
    fake_guest_send(&b->guest, &teardown_receive, sizeof(teardown_receive));
    fake_guest_expect(&b->guest, VMBUS_GPADL_TORNDOWN,
                      sizeof(struct vmbus_gpadl_torndown));
    memset(section_of(b, 0), 0xee, RECEIVE_PAGES * PAGE_BYTES);
    assert_int_equal(send_frame(a, b, 2), NETVSP_STATUS_SUCCESS);
    expect_nothing(b);
    for (size_t i = 0; i < RECEIVE_PAGES * PAGE_BYTES; i++)
        assert_int_equal(section_of(b, 0)[i], 0xee);

    teardown_receive.gpadl_id = b->send_id;
    fake_guest_send(&b->guest, &teardown_receive, sizeof(teardown_receive));
    assert_int_equal(send_frame(b, a, 3), NETVSP_STATUS_INVALID_PACKET);
}

static void a_broken_protocol_ends_one_channel_alone(void **state)
{
    struct world *world = *state;
    struct end *a = &world->ends[0];
    struct end *b = &world->ends[1];
    uint64_t id;

    assert_int_equal(send_frame(a, b, 1), NETVSP_STATUS_SUCCESS);
    run(b);
    id = expect_frame(b, 1);
    assert_int_equal(send_frame(a, b, 2), NETVSP_STATUS_SUCCESS);
    give_back(b, id);
    assert_true(vmbus_channel_is_open(b->offered));
    give_back(b, id);
    assert_false(vmbus_channel_is_open(b->offered));
    assert_int_equal(send_frame(a, b, 3), NETVSP_STATUS_SUCCESS);
    run(b);

    /* Once the guest has noticed, it may begin anew. */
    fake_guest_close(&b->guest, b->channel.relid);
    open_channel(b);
    assert_int_equal(send_frame(a, b, 4), NETVSP_STATUS_SUCCESS);
    run(b);
    give_back(b, expect_frame(b, 4));
}

static void a_channel_closes_with_all_in_flight(void **state)
{
    struct world *world = *state;
    struct end *a = &world->ends[0];
    struct end *b = &world->ends[1];

    for (uint16_t i = 0; i < 100; i++)
        assert_int_equal(send_frame(a, b, i), NETVSP_STATUS_SUCCESS);
    run(b); /* the ring is full, and more waits */
    fake_guest_close(&b->guest, b->channel.relid);
    assert_int_equal(send_frame(a, b, 100), NETVSP_STATUS_SUCCESS);
    run(b);
    open_channel(b);
    assert_int_equal(send_frame(a, b, 101), NETVSP_STATUS_SUCCESS);
    run(b);
    give_back(b, expect_frame(b, 101));
    expect_nothing(b);
}

static void a_vm_is_switched_off_with_all_in_flight(void **state)
{
    struct world *world = *state;
    struct end *a = &world->ends[0];
    struct end *b = &world->ends[1];

    for (uint16_t i = 0; i < 100; i++)
        assert_int_equal(send_frame(a, b, i), NETVSP_STATUS_SUCCESS);
    run(b);
    vmbus_reset(b->guest.bus);
    assert_int_equal(send_frame(a, b, 100), NETVSP_STATUS_SUCCESS);
    run(b);
    assert_int_equal(netvsp_counts(b->device).drops, 0); /* it is not there */

    /* And on again. */
    fake_guest_connect(&b->guest, VMBUS_VERSION_5_3);
    b->receive_id = fake_guest_lend(&b->guest, b->channel.relid,
                                    b->receive_page, RECEIVE_PAGES);
    b->send_id =
        fake_guest_lend(&b->guest, b->channel.relid, b->send_page, SEND_PAGES);
    open_channel(b);
    assert_int_equal(send_frame(a, b, 101), NETVSP_STATUS_SUCCESS);
    run(b);
    give_back(b, expect_frame(b, 101));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(a_frame_crosses_two_buses),
        TEST(a_guest_that_does_not_read_loses_nothing_that_fits),
        TEST(sections_run_out_and_come_back),
        TEST(buffers_may_be_torn_down_under_us),
        TEST(a_broken_protocol_ends_one_channel_alone),
        TEST(a_channel_closes_with_all_in_flight),
        TEST(a_vm_is_switched_off_with_all_in_flight),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
