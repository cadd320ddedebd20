/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hypervisor/hypervisor.h"
#include "sim/core/cost.h"
#include "vmbus/vswitch.h"

#define PORTS 3
#define ALL                                                                    \
    (VSWITCH_DIRECTED | VSWITCH_MULTICAST | VSWITCH_BROADCAST |                \
     VSWITCH_PROMISCUOUS)
#define NORMAL (VSWITCH_DIRECTED | VSWITCH_MULTICAST | VSWITCH_BROADCAST)
#define FRAME_BYTES 64 /* one copy, and not a byte less */

struct station {
    struct vswitch_port *port;
    unsigned told; /* how often it was told of a frame */
    cycles_t at;   /* when that arrives */
};

static struct vswitch *lan;
static struct station station[PORTS];
static struct cost_bill bill;
static struct hv_context context;

static const struct vswitch_address broadcast = {
    {0xff, 0xff, 0xff, 0xff, 0xff, 0xff}};
static const struct vswitch_address group = {{0x01, 0x00, 0x5e, 0, 0, 1}};
static const struct vswitch_address stranger = {{2, 0, 0, 0, 0, 9}};

static struct vswitch_address own(unsigned index)
{
    return (struct vswitch_address){{0x00, 0x15, 0x5d, 0, 0, (uint8_t)index}};
}

static void arrived(void *owner, cycles_t at)
{
    struct station *told = owner;

    told->told++;
    told->at = at;
}

static int set_up(void **state)
{
    (void)state;
    bill = (struct cost_bill){0};
    context = (struct hv_context){.now = cycles(1000), .bill = &bill};
    lan = vswitch_create("lan");
    assert_non_null(lan);
    for (unsigned i = 0; i < PORTS; i++) {
        station[i] = (struct station){0};
        station[i].port = vswitch_connect(lan, own(i), arrived, &station[i]);
        assert_non_null(station[i].port);
        vswitch_set_filter(station[i].port, NORMAL);
    }
    return 0;
}

static int clean_up(void **state)
{
    (void)state;
    for (unsigned i = 0; i < PORTS; i++)
        vswitch_disconnect(station[i].port);
    vswitch_free(lan);
    return 0;
}

/* The frame's last byte is `mark`, by which it is known again. */
static bool send_from(unsigned from, struct vswitch_address to,
                      struct vswitch_address source, uint8_t mark)
{
    uint8_t frame[FRAME_BYTES] = {0};

    memcpy(frame, to.byte, sizeof(to));
    memcpy(frame + sizeof(to), source.byte, sizeof(source));
    frame[FRAME_BYTES - 1] = mark;
    return vswitch_send(station[from].port, &context, frame, sizeof(frame),
                        false, 0);
}

/* The mark of the first frame that has arrived, which is taken; 0: none. */
static uint8_t receive(unsigned index)
{
    const struct vswitch_frame *frame =
        vswitch_peek(station[index].port, context.now);
    uint8_t mark;

    if (!frame)
        return 0;
    assert_int_equal(frame->bytes, FRAME_BYTES);
    mark = frame->data[FRAME_BYTES - 1];
    vswitch_take(station[index].port);
    return mark;
}

static void a_frame_goes_to_the_port_with_its_address(void **state)
{
    (void)state;
    assert_true(send_from(0, own(2), own(0), 7));
    assert_int_equal(station[1].told, 0);
    assert_int_equal(station[2].told, 1);
    assert_int_equal(station[2].at.v, 1000);
    assert_int_equal(receive(1), 0);
    assert_int_equal(receive(2), 7);
    assert_int_equal(receive(2), 0);
    assert_int_equal(vswitch_next(station[2].port).v, CYCLES_NEVER.v);
}

static void broadcasts_and_groups_go_to_all_but_the_sender(void **state)
{
    (void)state;
    assert_true(send_from(1, broadcast, own(1), 1));
    assert_true(send_from(1, group, own(1), 2));
    for (unsigned i = 0; i < PORTS; i += 2) {
        assert_int_equal(receive(i), 1);
        assert_int_equal(receive(i), 2);
    }
    assert_int_equal(receive(1), 0);
}

static void an_unknown_address_is_flooded_until_it_is_learned(void **state)
{
    (void)state;
    vswitch_set_filter(station[1].port, ALL);
    vswitch_set_filter(station[2].port, ALL);
    assert_true(send_from(0, stranger, own(0), 1));
    assert_int_equal(receive(1), 1);
    assert_int_equal(receive(2), 1);
    assert_true(send_from(2, own(0), stranger, 2));
    assert_true(send_from(0, stranger, own(0), 3));
    assert_int_equal(receive(1), 0);
    assert_int_equal(receive(2), 3);

    /* It moves to another port. */
    assert_true(send_from(1, own(0), stranger, 4));
    assert_true(send_from(0, stranger, own(0), 5));
    assert_int_equal(receive(1), 5);
    assert_int_equal(receive(2), 0);
}

static void addresses_are_found_whatever_their_order(void **state)
{
    struct vswitch_address address = stranger;

    (void)state;
    vswitch_set_filter(station[1].port, ALL);
    vswitch_set_filter(station[2].port, ALL);
    for (uint8_t i = 0; i < 9; i++) {
        address.byte[5] = (uint8_t)(i * 5 % 9);
        assert_true(send_from(2, own(0), address, 1));
    }
    for (uint8_t i = 0; i < 9; i++) {
        address.byte[5] = i;
        assert_true(send_from(0, address, own(0), i + 1));
        assert_int_equal(receive(1), 0);
        assert_int_equal(receive(2), i + 1);
    }
}

static void an_address_behind_the_sender_is_not_sent_back(void **state)
{
    (void)state;
    for (unsigned i = 0; i < PORTS; i++)
        vswitch_set_filter(station[i].port, ALL);
    assert_true(send_from(0, own(1), stranger, 1));
    assert_true(send_from(0, stranger, own(0), 2));
    assert_int_equal(receive(0), 0);
    assert_int_equal(receive(1), 1);
    assert_int_equal(receive(1), 0);
    assert_int_equal(receive(2), 0);
}

static void a_full_table_forgets_who_was_silent_longest(void **state)
{
    struct vswitch_address many = {{2, 0, 0, 1, 0, 0}};

    (void)state;
    vswitch_set_filter(station[0].port, ALL);
    vswitch_set_filter(station[2].port, ALL);
    assert_true(send_from(1, own(0), stranger, 1));
    for (unsigned i = 0; i < VSWITCH_LEARNED_MAX; i++) {
        unsigned number = (i * 5 + 500) % VSWITCH_LEARNED_MAX;

        many.byte[4] = (uint8_t)(number >> 8);
        many.byte[5] = (uint8_t)number;
        /* All but the last leave a place for the stranger, who speaks again. */
        if (i == VSWITCH_LEARNED_MAX - 1)
            assert_true(send_from(1, own(0), stranger, 1));
        assert_true(send_from(1, own(0), many, 1));
    }
    while (receive(0))
        ;
    assert_true(send_from(0, stranger, own(0), 2)); /* known: not to 2 */
    assert_int_equal(receive(2), 0);
    many.byte[4] = 500 >> 8;
    many.byte[5] = 500 & 0xff;
    assert_true(send_from(0, many, own(0), 3)); /* the first one: forgotten */
    assert_int_equal(receive(2), 3);
    many.byte[5] += 5;
    assert_true(send_from(0, many, own(0), 4)); /* the second one: known */
    assert_int_equal(receive(2), 0);
}

static void nobody_sends_in_another_ports_name(void **state)
{
    (void)state;
    assert_false(send_from(0, own(2), own(1), 1));
    assert_false(send_from(0, own(2), group, 1));
    assert_int_equal(receive(2), 0);
    assert_int_equal(vswitch_counts(station[0].port).sends_refused, 2);
    assert_int_equal(vswitch_counts(station[0].port).frames_sent, 0);
    assert_true(send_from(0, own(1), own(0), 2)); /* 1 is where it was */
    assert_int_equal(receive(1), 2);
}

static void a_port_receives_what_its_filter_lets_through(void **state)
{
    (void)state;
    vswitch_set_filter(station[1].port, VSWITCH_DIRECTED);
    vswitch_set_filter(station[2].port, VSWITCH_BROADCAST);
    assert_true(send_from(0, broadcast, own(0), 1));
    assert_true(send_from(0, group, own(0), 2));
    assert_true(send_from(0, own(1), own(0), 3));
    assert_true(send_from(0, own(2), own(0), 4));
    assert_true(send_from(0, stranger, own(0), 5));
    assert_int_equal(receive(1), 3);
    assert_int_equal(receive(1), 0);
    assert_int_equal(receive(2), 1);
    assert_int_equal(receive(2), 0);
}

static void without_a_filter_what_waits_is_lost(void **state)
{
    (void)state;
    assert_true(send_from(0, own(1), own(0), 1));
    vswitch_set_filter(station[1].port, 0);
    vswitch_set_filter(station[1].port, NORMAL);
    assert_int_equal(receive(1), 0);
    vswitch_set_filter(station[1].port, 0);
    assert_true(send_from(0, own(1), own(0), 2));
    vswitch_set_filter(station[1].port, NORMAL);
    assert_int_equal(receive(1), 0);
}

static void a_full_queue_drops_and_counts(void **state)
{
    (void)state;
    for (unsigned i = 0; i < VSWITCH_QUEUE_FRAMES + 3; i++)
        assert_true(send_from(0, own(1), own(0), 1));
    assert_int_equal(vswitch_counts(station[1].port).drops, 3);
    for (unsigned i = 0; i < VSWITCH_QUEUE_FRAMES; i++)
        assert_int_equal(receive(1), 1);
    assert_int_equal(receive(1), 0);

    struct vswitch_counts counts = vswitch_counts(station[1].port);

    assert_int_equal(counts.frames_received, VSWITCH_QUEUE_FRAMES);
    assert_int_equal(counts.bytes_received, VSWITCH_QUEUE_FRAMES * FRAME_BYTES);
    counts = vswitch_counts(station[0].port);
    assert_int_equal(counts.frames_sent, VSWITCH_QUEUE_FRAMES + 3);
    assert_int_equal(counts.bytes_sent,
                     (VSWITCH_QUEUE_FRAMES + 3) * FRAME_BYTES);
    assert_int_equal(counts.drops, 0);
}

/* Senders on two processors, whose clocks differ: who is ahead sends first. */
static void frames_arrive_in_the_order_of_simulated_time(void **state)
{
    (void)state;
    assert_true(send_from(0, own(1), own(0), 1)); /* at 1000 */
    context.now = cycles(900);
    assert_true(send_from(2, own(1), own(2), 2));
    assert_int_equal(station[1].told, 2);
    assert_int_equal(station[1].at.v, 900);
    context.now = cycles(1000);
    assert_true(send_from(2, own(1), own(2), 3)); /* behind its equal */
    context.now = cycles(950);
    assert_true(send_from(0, own(1), own(0), 4));
    assert_int_equal(station[1].told, 2); /* 900 is soon enough */

    context.now = cycles(899);
    assert_int_equal(vswitch_next(station[1].port).v, 900);
    assert_int_equal(receive(1), 0); /* not yet sent */
    context.now = cycles(999);
    assert_int_equal(receive(1), 2);
    assert_int_equal(receive(1), 4);
    assert_int_equal(receive(1), 0);
    context.now = cycles(1000);
    assert_int_equal(receive(1), 1);
    assert_int_equal(receive(1), 3);

    /* What was taken already is not in the way. */
    context.now = cycles(980);
    assert_true(send_from(0, own(1), own(0), 5));
    assert_true(send_from(0, own(1), own(0), 6));
    assert_int_equal(receive(1), 5);
    assert_int_equal(receive(1), 6);
    assert_int_equal(receive(1), 0);
}

static void a_frame_keeps_its_tag_and_its_bytes(void **state)
{
    uint8_t data[VSWITCH_FRAME_BYTES_MAX];
    struct vswitch_address to = own(1);
    struct vswitch_address from = own(0);
    const struct vswitch_frame *frame;

    (void)state;
    for (unsigned i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 7);
    memcpy(data, to.byte, sizeof(to));
    memcpy(data + sizeof(to), from.byte, sizeof(from));
    assert_true(vswitch_send(station[0].port, &context, data, sizeof(data),
                             true, 0x6123));
    frame = vswitch_peek(station[1].port, context.now);
    assert_non_null(frame);
    assert_true(frame->tagged);
    assert_int_equal(frame->tag, 0x6123);
    assert_int_equal(frame->bytes, sizeof(data));
    assert_memory_equal(frame->data, data, sizeof(data));
}

static void what_is_no_frame_is_refused(void **state)
{
    uint8_t data[VSWITCH_FRAME_BYTES_MAX + 1] = {0};

    (void)state;
    assert_false(vswitch_send(station[0].port, &context, data,
                              VSWITCH_HEADER_BYTES - 1, false, 0));
    assert_false(
        vswitch_send(station[0].port, &context, data, sizeof(data), false, 0));
    assert_int_equal(vswitch_counts(station[0].port).sends_refused, 2);
    assert_true(vswitch_send(station[0].port, &context, data,
                             VSWITCH_HEADER_BYTES, false, 0));
}

static void addresses_of_ports_are_unique_and_no_groups(void **state)
{
    struct vswitch_port *late;

    (void)state;
    assert_null(vswitch_connect(lan, own(1), arrived, NULL));
    assert_null(vswitch_connect(lan, group, arrived, NULL));

    /* What was learned gives way to a port that has the address. */
    vswitch_set_filter(station[1].port, ALL);
    assert_true(send_from(1, own(0), stranger, 1));
    late = vswitch_connect(lan, stranger, arrived, &station[2]);
    assert_non_null(late);
    assert_true(send_from(0, stranger, own(0), 2));
    assert_int_equal(receive(1), 0);
    assert_false(send_from(1, own(0), stranger, 3));
    vswitch_disconnect(late);
}

static void a_port_that_leaves_is_forgotten(void **state)
{
    (void)state;
    vswitch_set_filter(station[2].port, ALL);
    assert_true(send_from(1, own(0), stranger, 1));
    vswitch_disconnect(station[1].port);
    assert_true(send_from(0, stranger, own(0), 2)); /* flooded again */
    assert_int_equal(receive(2), 2);
    assert_true(send_from(0, own(1), own(0), 3));
    assert_int_equal(receive(2), 3);
    assert_false(send_from(0, own(1), own(2), 4)); /* others are not */
    station[1].port = vswitch_connect(lan, own(1), arrived, &station[1]);
    assert_non_null(station[1].port);
}

/* Performance Monitor's cells of a port, in the order of counters.def. */
static void what_passes_is_counted_by_kind_and_direction(void **state)
{
    const struct pc_nic *sender = vswitch_counters(station[0].port);
    const struct pc_nic *receiver = vswitch_counters(station[1].port);

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        assert_true(send_from(0, own(1), own(0), 1));
    for (unsigned i = 0; i < 2; i++)
        assert_true(send_from(0, group, own(0), 1));
    assert_true(send_from(0, broadcast, own(0), 1));
    assert_false(send_from(0, own(1), own(2), 1));
    assert_int_equal(receiver->cell[PC_NIC_DIRECTED_RECEIVED], 0);
    while (receive(1))
        ;
    for (unsigned i = 0; i < VSWITCH_QUEUE_FRAMES + 4; i++)
        assert_true(send_from(2, own(1), own(2), 1));

    assert_int_equal(sender->cell[PC_NIC_DIRECTED_SENT], 3);
    assert_int_equal(sender->cell[PC_NIC_MULTICAST_SENT], 2);
    assert_int_equal(sender->cell[PC_NIC_BROADCAST_SENT], 1);
    assert_int_equal(sender->cell[PC_NIC_BYTES_SENT], 6 * FRAME_BYTES);
    assert_int_equal(sender->cell[PC_NIC_DROPPED_OUTGOING], 1);
    assert_int_equal(sender->cell[PC_NIC_DROPPED_INCOMING], 0);
    assert_int_equal(receiver->cell[PC_NIC_DIRECTED_RECEIVED], 3);
    assert_int_equal(receiver->cell[PC_NIC_MULTICAST_RECEIVED], 2);
    assert_int_equal(receiver->cell[PC_NIC_BROADCAST_RECEIVED], 1);
    assert_int_equal(receiver->cell[PC_NIC_BYTES_RECEIVED], 6 * FRAME_BYTES);
    assert_int_equal(receiver->cell[PC_NIC_DROPPED_INCOMING], 4);
    assert_int_equal(receiver->cell[PC_NIC_DROPPED_OUTGOING], 0);
}

static uint32_t copies_of(uint32_t frame_bytes)
{
    uint8_t frame[VSWITCH_FRAME_BYTES_MAX] = {0};
    struct vswitch_address source = own(0);

    memcpy(frame + sizeof(source), source.byte, sizeof(source));
    bill = (struct cost_bill){0};
    assert_true(
        vswitch_send(station[0].port, &context, frame, frame_bytes, false, 0));
    return cost_count(&bill, COST_VSWITCH_COPY);
}

static void work_is_billed_by_frame_port_and_byte(void **state)
{
    (void)state;
    assert_true(send_from(0, broadcast, own(0), 1));
    assert_int_equal(cost_count(&bill, COST_VSWITCH_FRAME), 1);
    assert_int_equal(cost_count(&bill, COST_VSWITCH_DELIVERY), 2);
    assert_int_equal(cost_count(&bill, COST_VSWITCH_COPY), 1);
    assert_int_equal(copies_of(65), 2);
    assert_int_equal(copies_of(1500), 24);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, clean_up)
    const struct CMUnitTest tests[] = {
        TEST(a_frame_goes_to_the_port_with_its_address),
        TEST(broadcasts_and_groups_go_to_all_but_the_sender),
        TEST(an_unknown_address_is_flooded_until_it_is_learned),
        TEST(addresses_are_found_whatever_their_order),
        TEST(an_address_behind_the_sender_is_not_sent_back),
        TEST(a_full_table_forgets_who_was_silent_longest),
        TEST(nobody_sends_in_another_ports_name),
        TEST(a_port_receives_what_its_filter_lets_through),
        TEST(without_a_filter_what_waits_is_lost),
        TEST(a_full_queue_drops_and_counts),
        TEST(frames_arrive_in_the_order_of_simulated_time),
        TEST(a_frame_keeps_its_tag_and_its_bytes),
        TEST(what_is_no_frame_is_refused),
        TEST(addresses_of_ports_are_unique_and_no_groups),
        TEST(a_port_that_leaves_is_forgotten),
        TEST(what_passes_is_counted_by_kind_and_direction),
        TEST(work_is_billed_by_frame_port_and_byte),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
