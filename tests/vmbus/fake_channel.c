/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/vmbus/fake_channel.h"

#include <stdlib.h>
#include <string.h>

#include "sim/core/check.h"

struct fake fake;

static bool read_memory(void *context, gpa_t from, void *to, size_t bytes)
{
    (void)context;
    if (from.raw > sizeof(fake.memory) ||
        bytes > sizeof(fake.memory) - from.raw)
        return false;
    memcpy(to, fake.memory + from.raw, bytes);
    return true;
}

static bool write_memory(void *context, gpa_t to, const void *from,
                         size_t bytes)
{
    (void)context;
    if (to.raw > sizeof(fake.memory) || bytes > sizeof(fake.memory) - to.raw)
        return false;
    memcpy(fake.memory + to.raw, from, bytes);
    return true;
}

static const struct guest_memory_ops memory_ops = {read_memory, write_memory};

struct guest_memory fake_memory(void)
{
    return (struct guest_memory){&memory_ops, NULL};
}

void fake_reset(void)
{
    memset(fake.memory, 0, sizeof(fake.memory));
    fake.channel_count = 0;
    fake.offers_left = FAKE_CHANNELS_MAX;
    cost_bill_clear(&fake.bill);
    fake.context = (struct hv_context){.bill = &fake.bill};
}

void fake_open(struct vmbus_channel *channel)
{
    CHECK(!channel->open);
    channel->open = true;
    channel->held = false;
    channel->waiting = false;
    channel->refused = 0;
    channel->room = FAKE_SENT_MAX;
    channel->wake_at = CYCLES_NEVER;
    channel->sent_count = 0;
    if (channel->offer.ops->opened)
        channel->offer.ops->opened(channel->offer.device, channel,
                                   &fake.context);
}

void fake_close(struct vmbus_channel *channel)
{
    CHECK(channel->open);
    channel->open = false;
    if (channel->offer.ops->closed)
        channel->offer.ops->closed(channel->offer.device, channel,
                                   &fake.context);
    channel->wake_at = CYCLES_NEVER;
}

/* What a packet carries comes in units of 8 bytes, and has no byte more: in
 * memory of its own, so that a sanitizer sees who reads beyond it. */
static bool hand_over_copy(struct vmbus_channel *channel,
                           uint64_t transaction_id, const void *payload,
                           uint32_t bytes, struct vmbus_ranges *ranges)
{
    uint32_t rounded = (bytes + 7) & ~7u;
    uint8_t *copy = calloc(1, rounded ? rounded : 1);
    struct vmbus_packet packet = {
        .type = ranges ? VMBUS_PACKET_GPA_DIRECT : VMBUS_PACKET_IN_BAND,
        .completion_wanted = true,
        .transaction_id = transaction_id,
        .payload = copy,
        .bytes = rounded,
        .ranges = ranges,
    };
    bool sound;

    CHECK(copy);
    CHECK(channel->open && !channel->held && !channel->waiting);
    if (bytes)
        memcpy(copy, payload, bytes);
    sound = channel->offer.ops->packet(channel->offer.device, channel,
                                       &fake.context, &packet);
    free(copy);
    return sound;
}

bool fake_packet(struct vmbus_channel *channel, uint64_t transaction_id,
                 const void *payload, uint32_t bytes)
{
    return hand_over_copy(channel, transaction_id, payload, bytes, NULL);
}

bool fake_packet_about(struct vmbus_channel *channel, uint64_t transaction_id,
                       const void *payload, uint32_t bytes, uint64_t gpa,
                       uint32_t data_bytes)
{
    uint64_t pages = (gpa % PAGE_BYTES + data_bytes + PAGE_MASK) >> PAGE_SHIFT;
    struct vmbus_range range = {data_bytes, (uint32_t)(gpa % PAGE_BYTES)};
    uint64_t list[1 + FAKE_MEMORY_PAGES];
    struct vmbus_ranges *ranges;
    bool sound;

    CHECK(pages <= FAKE_MEMORY_PAGES);
    memcpy(list, &range, sizeof(range));
    for (uint64_t i = 0; i < pages; i++)
        list[1 + i] = (gpa >> PAGE_SHIFT) + i;
    ranges = vmbus_ranges_parse(list, (1 + pages) * sizeof(list[0]), 1);
    CHECK(ranges);
    sound = hand_over_copy(channel, transaction_id, payload, bytes, ranges);
    vmbus_ranges_free(ranges);
    return sound;
}

void fake_run_until(struct vmbus_channel *channel, cycles_t now)
{
    while (channel->open && channel->wake_at.v <= now.v) {
        fake.context.now = cycles_max(fake.context.now, channel->wake_at);
        channel->wake_at = CYCLES_NEVER;
        channel->offer.ops->expire(channel->offer.device, channel,
                                   &fake.context);
    }
    fake.context.now = now;
}

void fake_make_room(struct vmbus_channel *channel, unsigned packets)
{
    channel->room += packets;
    if (!channel->waiting)
        return;
    channel->waiting = false;
    if (channel->offer.ops->room)
        channel->offer.ops->room(channel->offer.device, channel, &fake.context);
}

/* What devices call. */

struct vmbus_channel *vmbus_offer(struct vmbus *vmbus,
                                  struct hv_context *context,
                                  const struct vmbus_offer *offer)
{
    struct vmbus_channel *channel = &fake.channels[fake.channel_count];

    (void)vmbus;
    (void)context;
    if (fake.offers_left == 0)
        return NULL;
    fake.offers_left--;
    fake.channel_count++;
    memset(channel, 0, offsetof(struct vmbus_channel, sent));
    channel->offer = *offer;
    return channel;
}

/* Of sub-channels alone, so the device stays. */
void vmbus_rescind(struct vmbus_channel *channel, struct hv_context *context)
{
    (void)context;
    CHECK(channel == &fake.channels[fake.channel_count - 1]);
    CHECK(channel->offer.sub_channel_index > 0);
    fake.channel_count--;
    fake.offers_left++;
}

struct vmbus *vmbus_channel_bus(const struct vmbus_channel *channel)
{
    (void)channel;
    return NULL;
}

uint16_t vmbus_channel_sub_channel_index(const struct vmbus_channel *channel)
{
    return channel->offer.sub_channel_index;
}

bool vmbus_channel_send(struct vmbus_channel *channel,
                        struct hv_context *context, enum vmbus_packet_type type,
                        uint16_t flags, uint64_t transaction_id,
                        const void *payload, uint32_t bytes)
{
    struct fake_sent *sent = &channel->sent[channel->sent_count];

    CHECK(context && bytes <= FAKE_PAYLOAD_MAX);
    if (!channel->open)
        return false;
    if (channel->room == 0) {
        channel->waiting = true;
        channel->refused++;
        return false;
    }
    CHECK(channel->sent_count < FAKE_SENT_MAX);
    channel->room--;
    channel->sent_count++;
    sent->type = type;
    sent->flags = flags;
    sent->transaction_id = transaction_id;
    sent->bytes = bytes;
    memcpy(sent->payload, payload, bytes);
    return true;
}

bool vmbus_channel_complete(struct vmbus_channel *channel,
                            struct hv_context *context, uint64_t transaction_id,
                            const void *payload, uint32_t bytes)
{
    return vmbus_channel_send(channel, context, VMBUS_PACKET_COMPLETION, 0,
                              transaction_id, payload, bytes);
}

void vmbus_channel_wake_at(struct vmbus_channel *channel, cycles_t at)
{
    CHECK(channel->open);
    channel->wake_at = at;
}

void vmbus_channel_hold(struct vmbus_channel *channel,
                        struct hv_context *context, bool held)
{
    (void)context;
    CHECK(channel->open && channel->held != held);
    channel->held = held;
}
