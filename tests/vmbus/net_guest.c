/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/vmbus/net_guest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* The channel is the guest: there is nothing else in it. */
static struct net_guest *guest_of(struct vmbus_channel *channel)
{
    return (struct net_guest *)channel;
}

static struct vmbus_channel *channel_of(struct net_guest *guest)
{
    return (struct vmbus_channel *)guest;
}

struct vmbus_gpadl {
    uint8_t *memory;
    uint64_t bytes;
};

/* What channel.h and gpadl.h declare. */

static struct guest_sent *next_sent(struct net_guest *guest)
{
    if (!guest->room) {
        guest->wants_room = true;
        return NULL;
    }
    assert_false(guest->wants_room); /* refused, and not told of room */
    assert_true(guest->sent_count < GUEST_SENT_MAX);
    return &guest->sent[(guest->sent_first + guest->sent_count++) %
                        GUEST_SENT_MAX];
}

bool vmbus_channel_complete(struct vmbus_channel *channel,
                            struct hv_context *context, uint64_t id,
                            const void *payload, uint32_t bytes)
{
    struct guest_sent *sent = next_sent(guest_of(channel));

    (void)context;
    if (!sent)
        return false;
    assert_true(bytes <= GUEST_PAYLOAD_BYTES);
    *sent = (struct guest_sent){
        .type = VMBUS_PACKET_COMPLETION, .id = id, .bytes = bytes};
    memcpy(sent->payload, payload, bytes);
    return true;
}

bool vmbus_channel_send_transfer_pages(
    struct vmbus_channel *channel, struct hv_context *context, uint16_t set,
    const struct vmbus_transfer_range *ranges, uint32_t count, uint64_t id,
    const void *payload, uint32_t bytes)
{
    struct guest_sent *sent = next_sent(guest_of(channel));

    (void)context;
    if (!sent)
        return false;
    assert_int_equal(count, 1);
    assert_true(bytes <= GUEST_PAYLOAD_BYTES);
    *sent = (struct guest_sent){.type = VMBUS_PACKET_TRANSFER_PAGES,
                                .id = id,
                                .set = set,
                                .range = ranges[0],
                                .bytes = bytes};
    memcpy(sent->payload, payload, bytes);
    return true;
}

void vmbus_channel_wake_at(struct vmbus_channel *channel, cycles_t at)
{
    guest_of(channel)->wake = at;
}

struct vmbus_gpadl *vmbus_channel_gpadl(struct vmbus_channel *channel,
                                        uint32_t id)
{
    /* One at a time is all that a device holds. */
    static _Thread_local struct vmbus_gpadl gpadl;
    struct net_guest *guest = guest_of(channel);

    if (guest->buffers_gone)
        return NULL;
    switch (id) {
    case GUEST_RECEIVE_GPADL:
        gpadl = (struct vmbus_gpadl){guest->receive, sizeof(guest->receive)};
        return &gpadl;
    case GUEST_SEND_GPADL:
        gpadl = (struct vmbus_gpadl){guest->send, sizeof(guest->send)};
        return &gpadl;
    case GUEST_SMALL_GPADL:
        gpadl =
            (struct vmbus_gpadl){guest->send, NETVSP_RECEIVE_SECTION_BYTES - 1};
        return &gpadl;
    case GUEST_LARGE_GPADL: /* nothing is written to it */
        gpadl = (struct vmbus_gpadl){NULL, UINT64_C(64) << 20};
        return &gpadl;
    }
    return NULL;
}

uint64_t vmbus_gpadl_bytes(const struct vmbus_gpadl *gpadl)
{
    return gpadl->bytes;
}

bool vmbus_gpadl_read(const struct vmbus_gpadl *gpadl,
                      struct hv_context *context, uint64_t offset, void *to,
                      size_t bytes)
{
    (void)context;
    if (offset > gpadl->bytes || bytes > gpadl->bytes - offset)
        return false;
    memcpy(to, gpadl->memory + offset, bytes);
    return true;
}

bool vmbus_gpadl_write(const struct vmbus_gpadl *gpadl,
                       struct hv_context *context, uint64_t offset,
                       const void *from, size_t bytes)
{
    (void)context;
    if (offset > gpadl->bytes || bytes > gpadl->bytes - offset)
        return false;
    if (bytes > 0)
        memcpy(gpadl->memory + offset, from, bytes);
    return true;
}

static bool read_pages(void *context, gpa_t from, void *to, size_t bytes)
{
    struct net_guest *guest = context;

    if (from.raw > GUEST_PAGES || bytes > GUEST_PAGES - from.raw)
        return false;
    memcpy(to, guest->pages + from.raw, bytes);
    return true;
}

bool vmbus_packet_read(const struct vmbus_packet *packet,
                       struct vmbus_channel *channel,
                       struct hv_context *context, uint64_t offset, void *to,
                       size_t bytes)
{
    static const struct guest_memory_ops ops = {.read = read_pages};
    struct guest_memory memory = {&ops, guest_of(channel)};

    (void)context;
    return packet->ranges &&
           vmbus_ranges_read(packet->ranges, memory, offset, to, bytes);
}

/* The guest. */

struct net_guest *guest_create(struct vswitch *vswitch, uint32_t vm_number)
{
    struct net_guest *guest = calloc(1, sizeof(*guest));

    assert_non_null(guest);
    assert_true(netvsp_offer(&guest->offer, vswitch, vm_number, 0));
    guest->address = netvsp_address(vm_number, 0);
    guest->context = (struct hv_context){.bill = &guest->bill};
    guest->room = true;
    guest_open(guest);
    return guest;
}

void guest_free(struct net_guest *guest)
{
    guest->offer.ops->free(guest->offer.device);
    free(guest);
}

void guest_close(struct net_guest *guest)
{
    guest->wake = CYCLES_NEVER;
    guest->wants_room = false;
    guest->offer.ops->closed(guest->offer.device, channel_of(guest), NULL);
}

void guest_open(struct net_guest *guest)
{
    guest->wake = CYCLES_NEVER;
    guest->offer.ops->opened(guest->offer.device, channel_of(guest),
                             &guest->context);
}

bool guest_packet(struct net_guest *guest, enum vmbus_packet_type type,
                  bool completion_wanted, uint64_t id, const void *payload,
                  uint32_t bytes, struct vmbus_ranges *ranges)
{
    const struct vmbus_packet packet = {
        .type = type,
        .completion_wanted = completion_wanted,
        .transaction_id = id,
        .payload = payload,
        .bytes = bytes,
        .ranges = ranges,
    };

    assert_false(guest->wants_room); /* the bus takes none then */
    return guest->offer.ops->packet(guest->offer.device, channel_of(guest),
                                    &guest->context, &packet);
}

bool guest_message(struct net_guest *guest, const uint32_t *words,
                   uint32_t count)
{
    return guest_packet(guest, VMBUS_PACKET_IN_BAND, true, ++guest->next_id,
                        words, count * (uint32_t)sizeof(*words), NULL);
}

static bool give_room(struct net_guest *guest)
{
    if (!guest->wants_room || !guest->room)
        return false;
    guest->wants_room = false;
    guest->offer.ops->room(guest->offer.device, channel_of(guest),
                           &guest->context);
    return true;
}

void guest_run(struct net_guest *guest, cycles_t now)
{
    guest->context.now = now;
    for (unsigned steps = 0;; steps++) {
        assert_true(steps < 10000);
        if (!cycles_before(now, guest->wake)) {
            guest->wake = CYCLES_NEVER;
            guest->offer.ops->expire(guest->offer.device, channel_of(guest),
                                     &guest->context);
        } else if (!give_room(guest)) {
            return;
        }
    }
}

bool guest_has(const struct net_guest *guest)
{
    return guest->sent_count > 0;
}

const struct guest_sent *guest_take(struct net_guest *guest)
{
    const struct guest_sent *sent = &guest->sent[guest->sent_first];

    assert_true(guest->sent_count > 0);
    guest->sent_first = (guest->sent_first + 1) % GUEST_SENT_MAX;
    guest->sent_count--;
    return sent;
}

const uint32_t *guest_completion(struct net_guest *guest, uint32_t type)
{
    const struct guest_sent *sent = guest_take(guest);

    assert_int_equal(sent->type, VMBUS_PACKET_COMPLETION);
    assert_int_equal(sent->id, guest->next_id);
    assert_int_equal(sent->payload[0], type);
    return &sent->payload[1];
}

void guest_connect(struct net_guest *guest, uint32_t version)
{
    const uint32_t init[] = {NETVSP_INIT, version, version};
    const uint32_t ndis[] = {NETVSP_SEND_NDIS_VERSION, 6, 30};
    const uint32_t receive[] = {NETVSP_SEND_RECEIVE_BUFFER, GUEST_RECEIVE_GPADL,
                                GUEST_SET};
    const uint32_t send[] = {NETVSP_SEND_SEND_BUFFER, GUEST_SEND_GPADL, 0};

    assert_true(guest_message(guest, init, 3));
    assert_int_equal(guest_completion(guest, NETVSP_INIT_COMPLETE)[2],
                     NETVSP_STATUS_SUCCESS);
    assert_true(guest_packet(guest, VMBUS_PACKET_IN_BAND, false, 0, ndis,
                             sizeof(ndis), NULL));
    assert_true(guest_message(guest, receive, 3));
    assert_int_equal(
        guest_completion(guest, NETVSP_SEND_RECEIVE_BUFFER_COMPLETE)[0],
        NETVSP_STATUS_SUCCESS);
    assert_true(guest_message(guest, send, 3));
    assert_int_equal(
        guest_completion(guest, NETVSP_SEND_SEND_BUFFER_COMPLETE)[0],
        NETVSP_STATUS_SUCCESS);
}

uint32_t guest_send_rndis(struct net_guest *guest, uint32_t channel,
                          const void *data, uint32_t bytes)
{
    const uint32_t message[] = {NETVSP_SEND_RNDIS_PACKET, channel, 0, bytes};

    assert_true(bytes <= NETVSP_SEND_SECTION_BYTES);
    memcpy(guest->send, data, bytes);
    assert_true(guest_message(guest, message, 4));
    return guest_completion(guest, NETVSP_SEND_RNDIS_PACKET_COMPLETE)[0];
}

uint32_t guest_send_pages(struct net_guest *guest, uint32_t channel,
                          uint32_t section_bytes, uint32_t page_offset,
                          uint32_t bytes)
{
    const uint32_t message[] = {NETVSP_SEND_RNDIS_PACKET, channel,
                                section_bytes ? 0 : NETVSP_NO_SECTION,
                                section_bytes};
    struct {
        struct vmbus_range range;
        uint64_t pages[5];
    } list = {{bytes, page_offset}, {0, 1, 2, 3, 4}};
    uint32_t page_count = (page_offset + bytes + 4095) / 4096;
    struct vmbus_ranges *ranges = vmbus_ranges_parse(
        &list, sizeof(list.range) + page_count * sizeof(uint64_t), 1);

    assert_non_null(ranges);
    assert_true(guest_packet(guest, VMBUS_PACKET_GPA_DIRECT, true,
                             ++guest->next_id, message, sizeof(message),
                             ranges));
    vmbus_ranges_free(ranges);
    return guest_completion(guest, NETVSP_SEND_RNDIS_PACKET_COMPLETE)[0];
}

const uint8_t *guest_receive(struct net_guest *guest, uint32_t *bytes,
                             struct guest_sent *packet)
{
    *packet = *guest_take(guest);
    assert_int_equal(packet->type, VMBUS_PACKET_TRANSFER_PAGES);
    assert_int_equal(packet->set, GUEST_SET);
    assert_int_equal(packet->payload[0], NETVSP_SEND_RNDIS_PACKET);
    assert_int_equal(packet->range.offset % NETVSP_RECEIVE_SECTION_BYTES, 0);
    assert_true(packet->range.offset < sizeof(guest->receive));
    assert_true(packet->range.bytes <= NETVSP_RECEIVE_SECTION_BYTES);
    *bytes = packet->range.bytes;
    return guest->receive + packet->range.offset;
}

bool guest_done(struct net_guest *guest, const struct guest_sent *packet)
{
    const uint32_t words[] = {NETVSP_SEND_RNDIS_PACKET_COMPLETE,
                              NETVSP_STATUS_SUCCESS};

    return guest_packet(guest, VMBUS_PACKET_COMPLETION, false, packet->id,
                        words, sizeof(words), NULL);
}

static void take_answer(struct net_guest *guest, uint32_t type)
{
    struct guest_sent packet;
    uint32_t bytes;
    uint32_t is;

    guest_run(guest, guest->context.now);
    memcpy(&is, guest_receive(guest, &bytes, &packet), sizeof(is));
    assert_int_equal(is, type);
    assert_true(guest_done(guest, &packet));
}

void guest_bring_up(struct net_guest *guest, uint32_t version)
{
    const uint32_t initialize[] = {RNDIS_INITIALIZE, 24, 1, 1, 0, 0x4000};
    const uint32_t filter[] = {RNDIS_SET,
                               32,
                               2,
                               0x0001010e,
                               4,
                               20,
                               0,
                               RNDIS_FILTER_DIRECTED |
                                   RNDIS_FILTER_ALL_MULTICAST |
                                   RNDIS_FILTER_BROADCAST};

    guest_connect(guest, version);
    assert_int_equal(guest_send_rndis(guest, NETVSP_CHANNEL_CONTROL, initialize,
                                      sizeof(initialize)),
                     NETVSP_STATUS_SUCCESS);
    take_answer(guest, RNDIS_INITIALIZE | RNDIS_ANSWER);
    assert_int_equal(
        guest_send_rndis(guest, NETVSP_CHANNEL_CONTROL, filter, sizeof(filter)),
        NETVSP_STATUS_SUCCESS);
    take_answer(guest, RNDIS_SET | RNDIS_ANSWER);
    take_answer(guest, RNDIS_INDICATE);
    assert_false(guest_has(guest));
}

uint32_t guest_frame(uint8_t *out, struct vswitch_address to,
                     struct vswitch_address from, uint32_t frame_bytes,
                     uint8_t mark)
{
    uint32_t head = rndis_build_packet(frame_bytes, false, 0, out);
    uint8_t *frame = out + head;

    memset(frame, mark, frame_bytes);
    memcpy(frame, &to, sizeof(to));
    memcpy(frame + sizeof(to), &from, sizeof(from));
    return head + frame_bytes;
}

uint32_t guest_send_mark(struct net_guest *from, const struct net_guest *to,
                         uint8_t mark)
{
    uint8_t message[NETVSP_SEND_SECTION_BYTES];
    uint32_t bytes = guest_frame(message, to->address, from->address,
                                 GUEST_FRAME_BYTES, mark);

    return guest_send_rndis(from, NETVSP_CHANNEL_DATA, message, bytes);
}

uint8_t guest_receive_mark(struct net_guest *guest, struct guest_sent *packet)
{
    struct rndis_packet found;
    uint32_t bytes;
    const uint8_t *message = guest_receive(guest, &bytes, packet);

    assert_int_equal(packet->payload[1], NETVSP_CHANNEL_DATA);
    assert_int_equal(packet->payload[2], NETVSP_NO_SECTION);
    assert_int_equal(packet->payload[3], 0);
    assert_true(rndis_parse_packet(message, bytes, &found));
    assert_int_equal(found.message_bytes, bytes);
    assert_int_equal(found.frame_bytes, GUEST_FRAME_BYTES);
    return found.frame[GUEST_FRAME_BYTES - 1];
}

struct vswitch *lan;
struct net_guest *alice, *bob;

int guest_set_up(void **state)
{
    (void)state;
    lan = vswitch_create("lan");
    assert_non_null(lan);
    alice = guest_create(lan, 1);
    bob = guest_create(lan, 2);
    return 0;
}

int guest_clean_up(void **state)
{
    (void)state;
    guest_free(alice);
    guest_free(bob);
    vswitch_free(lan);
    return 0;
}
