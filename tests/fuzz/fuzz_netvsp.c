/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Two hostile guests at one switch: arbitrary packets, completions, buffers
 * that come and go, rings without room. Nothing crashes or goes on for ever,
 * and no section is filled that a guest has already.
 *
 * Input: steps, each a byte that says what (bits 3:0) and whose (bit 7), and
 * as many bytes more as that wants.
 */
#include <stdlib.h>
#include <string.h>

#include "sim/core/check.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/vmbus/net_guest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

#define SECOND_GUEST 0x80u
#define STEPS_MAX 400

/* What a guest has received and not yet given back. */
struct held {
    uint32_t count;
    struct guest_sent packets[GUEST_SECTIONS];
};

static void reopen(struct net_guest *guest, struct held *held)
{
    guest_close(guest);
    guest_open(guest);
    held->count = 0;
}

/* As the bus: a protocol that is broken ends the channel. */
static void give(struct net_guest *guest, struct held *held,
                 enum vmbus_packet_type type, bool wanted, uint64_t id,
                 const void *payload, uint32_t bytes,
                 struct vmbus_ranges *ranges)
{
    if (guest->wants_room)
        return;
    if (!guest_packet(guest, type, wanted, id, payload, bytes, ranges))
        reopen(guest, held);
}

/* Moves what was sent to what is held. */
static void receive(struct net_guest *guest, struct held *held)
{
    while (guest_has(guest)) {
        const struct guest_sent *sent = guest_take(guest);

        if (sent->type != VMBUS_PACKET_TRANSFER_PAGES)
            continue;
        CHECK(sent->range.bytes <= NETVSP_RECEIVE_SECTION_BYTES);
        CHECK(sent->range.offset % NETVSP_RECEIVE_SECTION_BYTES == 0);
        CHECK(sent->range.offset < sizeof(guest->receive));
        for (uint32_t i = 0; i < held->count; i++)
            CHECK(held->packets[i].range.offset != sent->range.offset);
        CHECK(held->count < GUEST_SECTIONS);
        held->packets[held->count++] = *sent;
    }
}

static void send_message(struct net_guest *guest, struct held *held,
                         struct fuzz_input *input)
{
    uint32_t words[10] = {0};
    uint8_t how = fuzz_input_byte(input);
    uint32_t bytes = how % (sizeof(words) + 1);

    fuzz_input_take(input, words, bytes);
    words[0] &= 0xff; /* there are no others */
    if (words[0] == NETVSP_REVOKE_RECEIVE_BUFFER)
        held->count = 0;
    give(guest, held, VMBUS_PACKET_IN_BAND, how & 0x80, how, words, bytes & ~7u,
         NULL);
}

static void send_pages(struct net_guest *guest, struct held *held,
                       struct fuzz_input *input)
{
    uint8_t of[5];

    fuzz_input_take(input, of, sizeof(of));

    struct {
        struct vmbus_range range;
        uint64_t pages[3];
    } list = {{of[0] * 32u, of[1]}, {0, 1, 2}};
    const uint32_t words[] = {NETVSP_SEND_RNDIS_PACKET, of[2] & 1, of[3] - 1u,
                              of[4]};
    uint32_t pages = (list.range.bytes + list.range.offset + 4095) / 4096;
    struct vmbus_ranges *ranges = vmbus_ranges_parse(
        &list, sizeof(list.range) + pages * sizeof(uint64_t), 1);

    if (ranges)
        give(guest, held, VMBUS_PACKET_GPA_DIRECT, true, 1, words,
             sizeof(words), ranges);
    vmbus_ranges_free(ranges);
}

static void complete(struct net_guest *guest, struct held *held,
                     struct fuzz_input *input)
{
    uint8_t which = fuzz_input_byte(input);
    struct guest_sent *packet = &held->packets[which % GUEST_SECTIONS];
    uint64_t id;

    if (guest->wants_room)
        return;
    if (which % GUEST_SECTIONS >= held->count) {
        fuzz_input_take(input, &id, sizeof(id));
        for (uint32_t i = 0; i < held->count; i++)
            if (id == held->packets[i].id)
                return; /* by name, below */
    } else {
        id = packet->id;
        *packet = held->packets[--held->count];
    }
    give(guest, held, VMBUS_PACKET_COMPLETION, false, id, NULL, 0, NULL);
}

/* What a driver says first, as far as it is not yet said. */
static void connect(struct net_guest *guest, struct held *held)
{
    const uint32_t words[][4] = {
        {NETVSP_INIT, NETVSP_VERSION_61, NETVSP_VERSION_61},
        {NETVSP_SEND_RECEIVE_BUFFER, GUEST_RECEIVE_GPADL, GUEST_SET},
        {NETVSP_SEND_SEND_BUFFER, GUEST_SEND_GPADL, 0},
        {NETVSP_SEND_RNDIS_PACKET, NETVSP_CHANNEL_CONTROL, 0, 24},
    };
    const uint32_t initialize[] = {RNDIS_INITIALIZE, 24, 1, 1, 0, 0x4000};

    reopen(guest, held);
    memcpy(guest->send, initialize, sizeof(initialize));
    for (unsigned i = 0; i < 4; i++)
        give(guest, held, VMBUS_PACKET_IN_BAND, true, i, words[i],
             sizeof(words[i]), NULL);
}

static void set_filter(struct net_guest *guest, struct held *held,
                       struct fuzz_input *input)
{
    const uint32_t set[] = {RNDIS_SET, 32, 2, 0x0001010e,
                            4,         20, 0, fuzz_input_byte(input)};
    const uint32_t words[] = {NETVSP_SEND_RNDIS_PACKET, NETVSP_CHANNEL_CONTROL,
                              0, sizeof(set)};

    memcpy(guest->send, set, sizeof(set));
    give(guest, held, VMBUS_PACKET_IN_BAND, true, 1, words, sizeof(words),
         NULL);
}

static void send_frames(struct net_guest *guest, struct held *held,
                        const struct vswitch_address to[],
                        struct fuzz_input *input)
{
    uint8_t how = fuzz_input_byte(input);
    uint32_t bytes = 0;

    for (unsigned i = 0; i <= how % 8u; i++)
        bytes += guest_frame(guest->send + bytes, to[how >> 4 & 1],
                             guest->address, 60 + how, how);

    const uint32_t words[] = {NETVSP_SEND_RNDIS_PACKET, NETVSP_CHANNEL_DATA, 0,
                              bytes};

    give(guest, held, VMBUS_PACKET_IN_BAND, true, 1, words, sizeof(words),
         NULL);
}

static void change_memory(struct net_guest *guest, struct fuzz_input *input)
{
    uint8_t where = fuzz_input_byte(input);
    uint8_t bytes = fuzz_input_byte(input);

    fuzz_input_take(
        input, where & 1 ? guest->send + where : guest->pages + where, bytes);
}

static void step(struct net_guest *guest, struct held *held,
                 const struct vswitch_address to[], uint8_t what,
                 struct fuzz_input *input)
{
    switch (what % 10) {
    case 0:
        send_message(guest, held, input);
        break;
    case 1:
        send_pages(guest, held, input);
        break;
    case 2:
        complete(guest, held, input);
        break;
    case 3:
        guest->room = !guest->room;
        break;
    case 4:
        guest->buffers_gone = !guest->buffers_gone;
        break;
    case 5:
        connect(guest, held);
        break;
    case 6:
        set_filter(guest, held, input);
        break;
    case 7:
        send_frames(guest, held, to, input);
        break;
    case 8:
        change_memory(guest, input);
        break;
    case 9:
        guest_run(guest, cycles(guest->context.now.v + fuzz_input_byte(input)));
        break;
    }
    receive(guest, held);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct fuzz_input input = {data, bytes};
    struct held held[2] = {0};
    struct net_guest *guests[2];
    const struct vswitch_address to[] = {
        netvsp_address(1, 0), {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff}}};

    guest_set_up(NULL);
    guests[0] = alice;
    guests[1] = bob;
    for (unsigned i = 0; i < STEPS_MAX && input.bytes > 0; i++) {
        uint8_t what = fuzz_input_byte(&input);
        unsigned who = what & SECOND_GUEST ? 1 : 0;

        step(guests[who], &held[who], to, what & 0xf, &input);
    }
    guest_clean_up(NULL);
    return 0;
}
