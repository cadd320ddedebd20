/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/vmbus/fake_guest.h"
#include "vmbus/ring.h"

#define SIZE 4096u /* of both rings' data: the smallest there are */

struct world {
    struct fake_guest guest; /* its memory */
    struct vmbus_ranges *ranges;
    struct vmbus_ring in, out; /* on pages 10 and 11, and 12 and 13 */
    struct vmbus_ring_control *in_control, *out_control;
    uint8_t *in_data, *out_data;
    bool guest_is_quick; /* it empties its ring whenever we write there */
};

static int setup(void **state)
{
    static const uint64_t pages[] = {4 * PAGE_BYTES, 10, 11, 12, 13};
    struct world *world = calloc(1, sizeof(*world));

    fake_guest_setup(&world->guest);
    uint8_t *at = world->guest.memory + 10 * PAGE_BYTES;
    world->in_control = (void *)at;
    world->in_data = at + PAGE_BYTES;
    world->out_control = (void *)(at + 2 * PAGE_BYTES);
    world->out_data = at + 3 * PAGE_BYTES;
    world->ranges = vmbus_ranges_parse(pages, sizeof(pages), 1);
    assert_int_equal(vmbus_ring_attach_consumer(&world->in,
                                                world->guest.guest_memory,
                                                world->ranges, 0, 2),
                     VMBUS_RING_OK);
    assert_int_equal(vmbus_ring_attach_producer(&world->out,
                                                world->guest.guest_memory,
                                                world->ranges, 2, 2),
                     VMBUS_RING_OK);
    *state = world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    vmbus_ranges_free(world->ranges);
    fake_guest_teardown(&world->guest);
    free(world);
    return 0;
}

/* Memory in which the guest acts, between two accesses of ours. */

static bool quick_read(void *context, gpa_t from, void *to, size_t bytes)
{
    struct world *world = context;

    return guest_memory_read(world->guest.guest_memory, from, to, bytes);
}

static bool quick_write(void *context, gpa_t to, const void *from, size_t bytes)
{
    struct world *world = context;

    if (world->guest_is_quick)
        world->out_control->read_index = world->out_control->write_index;
    return guest_memory_write(world->guest.guest_memory, to, from, bytes);
}

static const struct guest_memory_ops quick_ops = {quick_read, quick_write};

/** Puts `bytes` of payload; *signal as it comes. */
static enum vmbus_ring_result put(struct world *world, const void *payload,
                                  uint32_t bytes, bool *signal)
{
    struct vmbus_packet_descriptor descriptor = {
        .type = VMBUS_PACKET_IN_BAND,
        .data_offset_8 = 2,
        .transaction_id = 0x1234,
    };
    struct vmbus_piece piece = {payload, bytes};

    return vmbus_ring_put(&world->out, &descriptor, &piece, 1, signal);
}

/** A packet of the guest of `length` bytes in all, at its write index. */
static void write_descriptor(struct world *world, uint32_t length)
{
    struct vmbus_packet_descriptor descriptor = {
        .type = VMBUS_PACKET_IN_BAND,
        .data_offset_8 = 2,
        .length_8 = (uint16_t)(length / 8),
    };

    memcpy(world->in_data + world->in_control->write_index, &descriptor,
           sizeof(descriptor));
    world->in_control->write_index =
        (world->in_control->write_index + length + 8) % SIZE;
}

static enum vmbus_ring_result take(struct world *world, bool *signal)
{
    struct vmbus_packet_descriptor descriptor;
    uint8_t body[SIZE];

    *signal = false;
    enum vmbus_ring_result result = vmbus_ring_peek(&world->in, &descriptor);
    return result == VMBUS_RING_OK
               ? vmbus_ring_take(&world->in, &descriptor, body, signal)
               : result;
}

static void a_packet_lies_as_it_should(void **state)
{
    struct world *world = *state;
    struct vmbus_packet_descriptor descriptor;
    bool signal;
    uint64_t trailer;

    /* From 4080: the payload begins at the ring's beginning. */
    world->out.index = world->out_control->read_index = 4080;
    memset(world->out_data, 0xee, SIZE);
    assert_int_equal(put(world, "twelve bytes", 12, &signal), VMBUS_RING_OK);
    memcpy(&descriptor, world->out_data + 4080, sizeof(descriptor));
    assert_int_equal(descriptor.type, VMBUS_PACKET_IN_BAND);
    assert_int_equal(descriptor.data_offset_8, 2);
    assert_int_equal(descriptor.length_8, 4);
    assert_int_equal(descriptor.transaction_id, 0x1234);
    assert_memory_equal(world->out_data, "twelve bytes\0\0\0\0", 16);
    memcpy(&trailer, world->out_data + 16, sizeof(trailer));
    assert_int_equal(trailer, UINT64_C(4080) << 32);
    assert_int_equal(world->out_data[24], 0xee);
    assert_int_equal(world->out_control->write_index, 24);
}

static void a_packet_is_taken_around_the_end(void **state)
{
    struct world *world = *state;
    struct vmbus_packet_descriptor descriptor;
    bool signal;
    char body[16];

    world->in.index = world->in_control->write_index = 4088;
    const struct vmbus_packet_descriptor sent = {
        .type = VMBUS_PACKET_COMPLETION,
        .data_offset_8 = 2,
        .length_8 = 4,
        .transaction_id = 77,
    };
    memcpy(world->in_data + 4088, &sent, 8);
    memcpy(world->in_data, (const uint8_t *)&sent + 8, 8);
    memcpy(world->in_data + 8, "around the end!", 16);
    world->in_control->write_index = 32;
    assert_int_equal(vmbus_ring_peek(&world->in, &descriptor), VMBUS_RING_OK);
    assert_memory_equal(&descriptor, &sent, sizeof(sent));
    assert_int_equal(vmbus_ring_take(&world->in, &descriptor, body, &signal),
                     VMBUS_RING_OK);
    assert_string_equal(body, "around the end!");
    assert_int_equal(world->in_control->read_index, 32);
    assert_int_equal(vmbus_ring_peek(&world->in, &descriptor), VMBUS_RING_WAIT);
}

static void a_ring_is_never_filled(void **state)
{
    struct world *world = *state;
    const uint8_t zeros[SIZE] = {0};
    bool signal;

    /* Descriptor and trailer take 24 bytes, and 8 have to stay free. */
    assert_int_equal(put(world, zeros, SIZE - 24 - 8, &signal), VMBUS_RING_OK);
    assert_int_equal(world->out_control->write_index, SIZE - 8);
    assert_int_equal(put(world, zeros, 0, &signal), VMBUS_RING_WAIT);
    world->out_control->read_index = SIZE - 8;
    assert_int_equal(put(world, zeros, SIZE - 24, &signal), VMBUS_RING_CORRUPT);
}

static void only_an_empty_unmasked_ring_is_signalled(void **state)
{
    struct world *world = *state;
    bool signal = false;

    put(world, "a", 1, &signal);
    assert_true(signal);
    put(world, "b", 1, &signal);
    assert_false(signal);
    world->out_control->read_index = world->out_control->write_index;
    world->out_control->interrupt_mask = 1;
    put(world, "c", 1, &signal);
    assert_false(signal);
    world->out_control->read_index = world->out_control->write_index;
    world->out_control->interrupt_mask = 0;
    put(world, "d", 1, &signal);
    assert_true(signal);
}

static void who_finds_no_room_says_so(void **state)
{
    struct world *world = *state;
    const uint8_t zeros[SIZE] = {0};
    bool signal;

    put(world, zeros, 4000, &signal);
    assert_int_equal(put(world, zeros, 80, &signal), VMBUS_RING_WAIT);
    /* 96 and a trailer have to be free, and more: so tell those who signal at
     * "at least" as well as those who do at "more than". */
    assert_int_equal(world->out_control->pending_send_bytes, 96 + 8 + 8);
    assert_int_equal(vmbus_ring_poll_room(&world->out, 96), VMBUS_RING_WAIT);
    assert_int_equal(world->out_control->pending_send_bytes, 96 + 8 + 8);
    world->out_control->read_index = 40;
    assert_int_equal(vmbus_ring_poll_room(&world->out, 96), VMBUS_RING_OK);
    assert_int_equal(world->out_control->pending_send_bytes, 0);
    assert_int_equal(put(world, zeros, 80, &signal), VMBUS_RING_OK);
}

static void a_guest_that_has_been_quicker_is_not_waited_for(void **state)
{
    struct world *world = *state;
    const uint8_t zeros[SIZE] = {0};
    bool signal;

    world->out.memory = (struct guest_memory){&quick_ops, world};
    put(world, zeros, 4000, &signal);
    world->guest_is_quick = true; /* it empties the ring before it is told */
    assert_int_equal(put(world, zeros, 80, &signal), VMBUS_RING_OK);
    assert_int_equal(world->out_control->pending_send_bytes, 0);
}

static void a_packet_has_no_more_than_16_bits_of_length(void **state)
{
    struct world *world = *state;
    const uint32_t pages = 200;
    const uint32_t bytes = 8 * UINT16_MAX;
    uint64_t words[201] = {pages * PAGE_BYTES};
    uint8_t *zeros = calloc(bytes, 1);
    bool signal;

    for (uint32_t i = 0; i < pages; i++)
        words[i + 1] = 20 + i;
    struct vmbus_ranges *large = vmbus_ranges_parse(words, sizeof(words), 1);
    vmbus_ring_attach_producer(&world->out, world->guest.guest_memory, large, 0,
                               pages);
    assert_int_equal(put(world, zeros, bytes - 16 + 1, &signal),
                     VMBUS_RING_CORRUPT);
    assert_int_equal(put(world, zeros, bytes - 16, &signal), VMBUS_RING_OK);
    vmbus_ranges_free(large);
    free(zeros);
}

static void the_largest_packet_waits_for_what_can_be_free(void **state)
{
    struct world *world = *state;
    const uint8_t zeros[SIZE] = {0};
    bool signal;

    put(world, zeros, 8, &signal);
    assert_int_equal(put(world, zeros, SIZE - 24 - 8, &signal),
                     VMBUS_RING_WAIT);
    assert_int_equal(world->out_control->pending_send_bytes, SIZE - 8);
}

static void a_crossing_of_the_threshold_is_signalled_once(void **state)
{
    struct world *world = *state;
    bool signal;

    /* 3960 bytes in 99 packets: 136 free, and 40 more with each taken. */
    for (unsigned i = 0; i < 99; i++)
        write_descriptor(world, 32);
    world->in_control->pending_send_bytes = 200;
    take(world, &signal); /* 136 to 176 */
    assert_false(signal);
    take(world, &signal); /* 176 to 216 */
    assert_true(signal);
    take(world, &signal);
    assert_false(signal);
    world->in_control->pending_send_bytes = 0;
    take(world, &signal);
    assert_false(signal);
}

static void a_mask_is_published(void **state)
{
    struct world *world = *state;

    assert_int_equal(vmbus_ring_mask(&world->in, true), VMBUS_RING_OK);
    assert_int_equal(world->in_control->interrupt_mask, 1);
    assert_int_equal(vmbus_ring_mask(&world->in, false), VMBUS_RING_OK);
    assert_int_equal(world->in_control->interrupt_mask, 0);
    assert_int_equal(world->in_control->feature_bits, VMBUS_RING_PENDING_SEND);
}

static void indices_that_cannot_be_are_corrupt(void **state)
{
    struct world *world = *state;
    static const uint32_t bad[] = {4, SIZE, SIZE + 8, UINT32_MAX, 0x80000000};
    struct vmbus_packet_descriptor descriptor;
    bool signal;

    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        world->in_control->write_index = bad[i];
        assert_int_equal(vmbus_ring_peek(&world->in, &descriptor),
                         VMBUS_RING_CORRUPT);
        world->out_control->read_index = bad[i];
        assert_int_equal(put(world, "x", 1, &signal), VMBUS_RING_CORRUPT);
        assert_int_equal(vmbus_ring_poll_room(&world->out, 24),
                         VMBUS_RING_CORRUPT);
    }
}

static void our_own_index_is_not_asked_of_the_guest(void **state)
{
    struct world *world = *state;
    bool signal;

    write_descriptor(world, 16);
    write_descriptor(world, 16);
    world->in_control->read_index = 0x7777;
    assert_int_equal(take(world, &signal), VMBUS_RING_OK);
    assert_int_equal(world->in_control->read_index, 24);
    put(world, "x", 1, &signal);
    world->out_control->write_index = 0x7777;
    assert_int_equal(put(world, "x", 1, &signal), VMBUS_RING_OK);
    assert_int_equal(world->out_control->write_index, 2 * 32);
}

static void descriptors_that_cannot_be_are_corrupt(void **state)
{
    struct world *world = *state;
    static const struct vmbus_packet_descriptor bad[] = {
        {.type = 6, .data_offset_8 = 1, .length_8 = 2}, /* in itself */
        {.type = 6, .data_offset_8 = 3, .length_8 = 2}, /* behind its end */
        {.type = 6, .data_offset_8 = 0, .length_8 = 0},
        {.type = 6, .data_offset_8 = 2, .length_8 = 3}, /* no trailer */
        {.type = 6, .data_offset_8 = 2, .length_8 = UINT16_MAX},
    };
    struct vmbus_packet_descriptor descriptor;

    world->in_control->write_index = 24;
    for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        memcpy(world->in_data, &bad[i], sizeof(bad[i]));
        assert_int_equal(vmbus_ring_peek(&world->in, &descriptor),
                         VMBUS_RING_CORRUPT);
    }
    world->in_control->write_index = 8; /* not even a descriptor */
    assert_int_equal(vmbus_ring_peek(&world->in, &descriptor),
                     VMBUS_RING_CORRUPT);
}

static void attach_out(struct world *world, uint32_t first, uint32_t count,
                       enum vmbus_ring_result result)
{
    assert_int_equal(vmbus_ring_attach_producer(&world->out,
                                                world->guest.guest_memory,
                                                world->ranges, first, count),
                     result);
}

static void a_ring_has_its_pages(void **state)
{
    struct world *world = *state;

    attach_out(world, 0, 4, VMBUS_RING_OK);
    attach_out(world, 0, 1, VMBUS_RING_CORRUPT);
    attach_out(world, 0, 0, VMBUS_RING_CORRUPT);
    attach_out(world, 0, 5, VMBUS_RING_CORRUPT);
    attach_out(world, 3, 2, VMBUS_RING_CORRUPT);
    attach_out(world, UINT32_MAX, 2, VMBUS_RING_CORRUPT);
    world->out_control->write_index = SIZE;
    attach_out(world, 2, 2, VMBUS_RING_CORRUPT);
    world->out_control->write_index = 48; /* one that was used before */
    attach_out(world, 2, 2, VMBUS_RING_OK);
    assert_int_equal(world->out.index, 48);
}

static void pages_that_are_not_there_are_corrupt(void **state)
{
    struct world *world = *state;
    static const uint64_t pages[] = {2 * PAGE_BYTES, 10, 1 << 20};
    struct vmbus_packet_descriptor descriptor;
    struct vmbus_ring ring;
    bool signal;

    vmbus_ranges_free(world->ranges);
    world->ranges = vmbus_ranges_parse(pages, sizeof(pages), 1);
    assert_int_equal(vmbus_ring_attach_consumer(
                         &ring, world->guest.guest_memory, world->ranges, 0, 2),
                     VMBUS_RING_OK);
    world->in_control->write_index = 24;
    assert_int_equal(vmbus_ring_peek(&ring, &descriptor), VMBUS_RING_CORRUPT);
    world->out = ring;
    assert_int_equal(put(world, "x", 1, &signal), VMBUS_RING_CORRUPT);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_packet_lies_as_it_should),
        TEST(a_packet_is_taken_around_the_end),
        TEST(a_ring_is_never_filled),
        TEST(only_an_empty_unmasked_ring_is_signalled),
        TEST(who_finds_no_room_says_so),
        TEST(a_guest_that_has_been_quicker_is_not_waited_for),
        TEST(a_packet_has_no_more_than_16_bits_of_length),
        TEST(the_largest_packet_waits_for_what_can_be_free),
        TEST(a_crossing_of_the_threshold_is_signalled_once),
        TEST(a_mask_is_published),
        TEST(indices_that_cannot_be_are_corrupt),
        TEST(our_own_index_is_not_asked_of_the_guest),
        TEST(descriptors_that_cannot_be_are_corrupt),
        TEST(a_ring_has_its_pages),
        TEST(pages_that_are_not_there_are_corrupt),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
