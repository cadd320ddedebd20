/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/vmbus/bus_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

int bus_world_setup(void **state)
{
    struct bus_world *world = calloc(1, sizeof(*world));

    fake_guest_setup(&world->guest);
    world->instance = world->guest.next_gpadl_id;
    world->relid =
        fake_guest_offer(&world->guest, &fake_device_ops, &world->device);
    *state = world;
    return 0;
}

int bus_world_setup_connected(void **state)
{
    bus_world_setup(state);
    fake_guest_connect(&((struct bus_world *)*state)->guest, VMBUS_VERSION_5_2);
    return 0;
}

int bus_world_teardown(void **state)
{
    struct bus_world *world = *state;

    fake_guest_teardown(&world->guest);
    assert_int_equal(world->device.freed, 1);
    free(world);
    return 0;
}

void bus_world_send(struct fake_guest *guest, enum vmbus_message_type type)
{
    struct vmbus_header message = {.type = type};

    fake_guest_send(guest, &message, sizeof(message));
}

void bus_world_release(struct fake_guest *guest, uint32_t relid)
{
    struct vmbus_relid_message released = {.header.type = VMBUS_RELID_RELEASED,
                                           .relid = relid};

    fake_guest_send(guest, &released, sizeof(released));
}

void bus_world_tear_down(struct fake_guest *guest, uint32_t relid,
                         uint32_t gpadl)
{
    struct vmbus_gpadl_teardown teardown_message = {
        .header.type = VMBUS_GPADL_TEARDOWN,
        .relid = relid,
        .gpadl_id = gpadl,
    };

    fake_guest_send(guest, &teardown_message, sizeof(teardown_message));
}

const struct fake_post *bus_world_expect_offer(struct fake_guest *guest)
{
    return fake_guest_expect(guest, VMBUS_OFFER_CHANNEL,
                             sizeof(struct vmbus_offer_channel));
}

void bus_world_expect_rescind(struct fake_guest *guest, uint32_t relid)
{
    const struct fake_post *post = fake_guest_expect(
        guest, VMBUS_RESCIND_CHANNEL_OFFER, sizeof(struct vmbus_relid_message));

    assert_int_equal(post->relid.relid, relid);
}

uint32_t bus_world_open_status(struct fake_guest *guest,
                               const struct fake_channel *channel)
{
    fake_guest_send_open(guest, channel, 0, 7);
    const struct fake_post *post =
        fake_guest_expect(guest, VMBUS_OPEN_CHANNEL_RESULT,
                          sizeof(struct vmbus_open_channel_result));
    assert_int_equal(post->open.relid, channel->relid);
    assert_int_equal(post->open.open_id, 7);
    return post->open.status;
}

uint32_t bus_world_gpadl_status(struct fake_guest *guest)
{
    return fake_guest_expect(guest, VMBUS_GPADL_CREATED,
                             sizeof(struct vmbus_gpadl_created))
        ->created.status;
}

struct vmbus_channel *bus_world_offer_sub_channel(struct bus_world *world,
                                                  uint16_t index)
{
    struct vmbus_offer offer = {.sub_channel_index = index,
                                .ops = &fake_device_ops,
                                .device = &world->device};

    offer.class_id.bytes[0] = 0xc1;
    memcpy(offer.instance_id.bytes, &world->instance, sizeof(world->instance));
    return vmbus_offer(world->guest.bus, &world->guest.context, &offer);
}
