/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A hostile guest at its bus: arbitrary messages among such that make sense,
 * rings that change under us, lent memory that is not there. Nothing crashes
 * or is leaked, a channel is open exactly while its device and the host were
 * told so, and no answer is longer than a message.
 *
 * Input: steps, each a byte that says what, and as many bytes more as that
 * wants.
 */
#include <string.h>

#include "sim/core/check.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/vmbus/fake_guest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define STEPS_MAX 300
#define SERVED_MAX 200 /* steps of a channel at one time */
#define DEVICES 6
#define PAGES 16 /* those that are written to: control pages and data */

struct device {
    bool present, open, stuck;
    struct vmbus_channel *channel; /* of the last call */
};

struct world {
    struct fake_guest guest;
    struct device devices[DEVICES];
    struct fuzz_input input;
};

/* The device: reads what it is told of, and completes what wants it. */

static void device_opened(void *context, struct vmbus_channel *channel,
                          struct hv_context *hv_context)
{
    struct device *device = context;

    (void)hv_context;
    CHECK(vmbus_channel_is_open(channel));
    if (vmbus_channel_sub_channel_index(channel) != 0)
        return;
    CHECK(!device->open);
    device->open = true;
    device->stuck = false;
    device->channel = channel;
}

static void device_closed(void *context, struct vmbus_channel *channel,
                          struct hv_context *hv_context)
{
    struct device *device = context;

    CHECK(!vmbus_channel_is_open(channel));
    CHECK(!vmbus_channel_complete(channel, hv_context, 1, "late", 4));
    if (vmbus_channel_sub_channel_index(channel) != 0)
        return;
    CHECK(device->open);
    device->open = false;
}

static bool device_packet(void *context, struct vmbus_channel *channel,
                          struct hv_context *hv_context,
                          const struct vmbus_packet *packet)
{
    struct device *device = context;
    uint8_t bytes[300];
    uint64_t sum = 0;

    CHECK(!device->stuck || vmbus_channel_sub_channel_index(channel) != 0);
    for (uint32_t i = 0; i < packet->bytes; i++)
        sum ^= packet->payload[i];
    vmbus_packet_read(packet, channel, hv_context, sum, bytes, sizeof(bytes));
    vmbus_packet_write(packet, channel, hv_context, sum * 40, bytes, 16);
    if (packet->completion_wanted &&
        !vmbus_channel_complete(channel, hv_context, packet->transaction_id,
                                packet->payload, packet->bytes))
        device->stuck = vmbus_channel_is_open(channel) &&
                        vmbus_channel_sub_channel_index(channel) == 0;
    return sum != 0x5c;
}

static void device_room(void *context, struct vmbus_channel *channel,
                        struct hv_context *hv_context)
{
    (void)hv_context;
    if (vmbus_channel_sub_channel_index(channel) == 0)
        ((struct device *)context)->stuck = false;
}

static void device_reset(void *context)
{
    ((struct device *)context)->open = false;
}

static void device_free(void *context)
{
    CHECK(((struct device *)context)->present);
    *(struct device *)context = (struct device){0};
}

static const struct vmbus_device_ops device_ops = {
    .name = "fuzzed",
    .opened = device_opened,
    .closed = device_closed,
    .packet = device_packet,
    .room = device_room,
    .reset = device_reset,
    .free = device_free,
};

/* What a step may be. */

static void raw_message(struct world *world)
{
    uint8_t message[256] = {0};

    message[0] = fuzz_input_byte(&world->input);
    uint8_t bytes = fuzz_input_byte(&world->input);
    fuzz_input_take(&world->input, message + 8, bytes % 64);
    fake_guest_send(&world->guest, message, bytes);
}

static void contact(struct world *world)
{
    static const uint32_t versions[] = {VMBUS_VERSION_2_4, VMBUS_VERSION_4_1,
                                        VMBUS_VERSION_5_0, VMBUS_VERSION_5_3,
                                        VMBUS_VERSION_6_0};
    struct vmbus_header request = {.type = VMBUS_REQUEST_OFFERS};

    uint32_t version = versions[fuzz_input_byte(&world->input) % 5];

    fake_guest_contact(&world->guest, version, fuzz_input_byte(&world->input));
    fake_guest_send(&world->guest, &request, sizeof(request));
}

/** Lends a few pages, which may overlap others, or lie beyond all memory. */
static void lend(struct world *world)
{
    uint64_t words[65] = {0};
    uint32_t relid = fuzz_input_byte(&world->input) % 8u;
    uint32_t id = fuzz_input_byte(&world->input) % 8u;
    uint32_t count = fuzz_input_byte(&world->input) % 64u;
    uint8_t first = fuzz_input_byte(&world->input);

    words[0] = count * PAGE_BYTES;
    for (uint32_t i = 0; i < count; i++)
        words[i + 1] = first < 250 ? (first + i) % PAGES : first * 1000u;
    fake_guest_send_gpadl(&world->guest, relid, id, 1, words, count + 1);
}

static void open_channel(struct world *world)
{
    uint8_t of[4];

    fuzz_input_take(&world->input, of, sizeof(of));

    struct fake_channel channel = {
        .relid = of[0] % 8u,
        .gpadl_id = of[1] % 8u,
        .pages = {of[2] % 16u},
    };

    fake_guest_send_open(&world->guest, &channel, of[3] % 4u, 7);
}

static void write_memory(struct world *world)
{
    uint32_t page = fuzz_input_byte(&world->input) % PAGES;
    uint32_t offset = fuzz_input_byte(&world->input) * 8u;

    uint32_t bytes = fuzz_input_byte(&world->input) % 128u;

    fuzz_input_take(&world->input,
                    world->guest.memory + page * PAGE_BYTES + offset, bytes);
}

static void serve(struct world *world)
{
    uint32_t relid = fuzz_input_byte(&world->input) % 8u;
    struct fake_service *service = &world->guest.services[relid];

    for (unsigned i = 0; i < SERVED_MAX && service->channel; i++) {
        if (vmbus_channel_step(service->channel, &world->guest.context) ==
            VMBUS_DONE)
            break;
    }
}

static void offer(struct world *world)
{
    uint8_t which = fuzz_input_byte(&world->input) % DEVICES;
    uint16_t sub_channel = fuzz_input_byte(&world->input) % 3u;
    struct device *device = &world->devices[which];
    struct vmbus_offer what = {
        .instance_id.bytes = {which},
        .sub_channel_index = sub_channel,
        .ops = &device_ops,
        .device = device,
    };

    if (sub_channel == 0 && device->present)
        return;
    if (vmbus_offer(world->guest.bus, &world->guest.context, &what) &&
        sub_channel == 0)
        device->present = true;
}

static void rescind(struct world *world)
{
    struct vmbus_channel *channel = vmbus_find_channel(
        world->guest.bus, fuzz_input_byte(&world->input) % 8u);

    if (channel)
        vmbus_rescind(channel, &world->guest.context);
}

static void touch_buffer(struct world *world, struct vmbus_channel *channel)
{
    uint8_t bytes[100] = {0};
    uint64_t offset = (uint64_t)fuzz_input_byte(&world->input) * 64;
    struct vmbus_gpadl *gpadl =
        vmbus_channel_gpadl(channel, fuzz_input_byte(&world->input) % 8u);

    if (!gpadl)
        return;
    bool fits = offset + sizeof(bytes) <= vmbus_gpadl_bytes(gpadl);
    bool done = vmbus_gpadl_read(gpadl, &world->guest.context, offset, bytes,
                                 sizeof(bytes));
    CHECK(fits || !done);
    vmbus_gpadl_write(gpadl, &world->guest.context, offset, bytes,
                      sizeof(bytes));
}

/** What a device does of its own accord. */
static void device_act(struct world *world)
{
    static const uint8_t zeros[256];
    static const struct vmbus_transfer_range ranges[4];
    struct device *device =
        &world->devices[fuzz_input_byte(&world->input) % DEVICES];
    uint8_t how = fuzz_input_byte(&world->input);
    struct vmbus_channel *channel = device->channel;
    struct hv_context *context = &world->guest.context;

    if (!device->open)
        return;
    if (how < 128)
        vmbus_channel_send(channel, context, VMBUS_PACKET_IN_BAND, how & 1, 1,
                           zeros, how * 2u);
    else if (how < 160)
        vmbus_channel_hold(channel, context, how & 1);
    else if (how < 192)
        vmbus_channel_send_transfer_pages(channel, context, 0xcafe, ranges,
                                          how % 5u, 1, zeros, how);
    else if (how < 224)
        vmbus_channel_wake_at(channel, cycles(how % 2u));
    else
        touch_buffer(world, channel);
}

static void power_off(struct world *world)
{
    vmbus_reset(world->guest.bus);
}

static void (*const steps[])(struct world *) = {
    raw_message, contact, lend,    open_channel, write_memory,
    serve,       offer,   rescind, device_act,   power_off,
};

/** A channel is open for its device while the host listens for it. */
static void check_agreement(const struct world *world)
{
    for (unsigned i = 0; i < DEVICES; i++) {
        const struct device *device = &world->devices[i];
        if (!device->open)
            continue;
        uint32_t relid = vmbus_channel_relid(device->channel);
        CHECK(world->guest.services[relid].listens);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct world world = {.input = {data, bytes}};

    fake_guest_setup(&world.guest);
    for (unsigned i = 0; i < STEPS_MAX && world.input.bytes > 0; i++) {
        steps[fuzz_input_byte(&world.input) %
              (sizeof(steps) / sizeof(steps[0]))](&world);
        check_agreement(&world);
        world.guest.post_count = world.guest.posts_read = 0;
    }
    fake_guest_teardown(&world.guest);
    for (unsigned i = 0; i < DEVICES; i++)
        CHECK(!world.devices[i].present);
    return 0;
}
