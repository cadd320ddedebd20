/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A storage guest that does anything. Input: records, each a byte that says
 * what (see enum action), a byte of argument, and for packets two bytes of
 * where the data is, and as many bytes as the argument says.
 *
 * Nothing crashes; the device keeps its promises to the channel (checked by
 * fake_channel.c); and each answer is one, of 64 bytes, to a packet that was
 * accepted.
 */
#include <string.h>

#include "sim/core/check.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/vmbus/fake_channel.h"
#include "vmbus/storvsp.h"
#include "vmbus/storvsp_abi.h"

#define ACTIONS_MAX 400
#define CHANNELS 3

enum action {
    IN_BAND,
    ABOUT_MEMORY,
    NEGOTIATE, /* does it right */
    TIME_PASSES,
    OPEN_OR_CLOSE,
    RING_FILLS,
    RING_EMPTIES,
    DISK_COMES_OR_GOES,
    VM_RESETS,
    ACTION_COUNT,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

struct run {
    struct fuzz_input input;
    struct storvsp *storvsp;
    unsigned owed[CHANNELS]; /* accepted, and not answered yet */
};

static void take_answers(struct run *run, unsigned index)
{
    struct vmbus_channel *channel = &fake.channels[index];

    for (unsigned i = 0; i < channel->sent_count; i++) {
        const struct fake_sent *sent = &channel->sent[i];
        struct storvsp_packet packet;

        CHECK(sent->bytes == sizeof(packet) && sent->flags == 0);
        memcpy(&packet, sent->payload, sizeof(packet));
        if (sent->type == VMBUS_PACKET_IN_BAND) {
            CHECK(index == 0 && sent->transaction_id == 0);
            CHECK(packet.operation == STORVSP_ENUMERATE_BUS);
            continue;
        }
        CHECK(packet.operation == STORVSP_COMPLETE_IO);
        CHECK(run->owed[index] > 0);
        run->owed[index]--;
    }
    channel->sent_count = 0;
}

static void close_channel(struct run *run, unsigned index)
{
    if (fake.channels[index].open)
        fake_close(&fake.channels[index]);
    run->owed[index] = 0;
    if (index > 0)
        return;
    for (unsigned i = 1; i < fake.channel_count; i++)
        close_channel(run, i);
    fake.channel_count = 1;
    fake.offers_left = FAKE_CHANNELS_MAX - 1;
}

static void send(struct run *run, unsigned index, const void *packet,
                 uint32_t bytes, bool about_memory)
{
    struct vmbus_channel *channel = &fake.channels[index];
    uint64_t gpa =
        about_memory ? (uint64_t)fuzz_input_byte(&run->input) << 8 : 0;
    uint32_t data_bytes =
        about_memory ? 1 + (uint32_t)fuzz_input_byte(&run->input) * 512 : 0;

    if (!channel->open || channel->held || channel->waiting)
        return;
    if (about_memory
            ? fake_packet_about(channel, bytes, packet, bytes, gpa, data_bytes)
            : fake_packet(channel, bytes, packet, bytes)) {
        run->owed[index]++;
        take_answers(run, index);
    } else {
        close_channel(run, index);
    }
}

static void send_bytes(struct run *run, uint8_t argument, bool about_memory)
{
    uint8_t packet[80];
    uint32_t bytes = argument % sizeof(packet);

    for (uint32_t i = 0; i < bytes; i++)
        packet[i] = fuzz_input_byte(&run->input);
    send(run, argument % fake.channel_count, packet, bytes, about_memory);
}

static void negotiate(struct run *run)
{
    static const struct storvsp_packet steps[] = {
        {.operation = STORVSP_BEGIN_INITIALIZATION},
        {.operation = STORVSP_QUERY_PROTOCOL_VERSION,
         .version.version = 0x0602},
        {.operation = STORVSP_QUERY_PROPERTIES},
        {.operation = STORVSP_END_INITIALIZATION},
    };

    for (unsigned i = 0; i < 4; i++)
        send(run, 0, &steps[i], sizeof(steps[i]), false);
}

static void attach_or_detach(struct run *run, uint8_t argument)
{
    struct disk_config config = {.bytes = 64 * DISK_SECTOR_BYTES};
    struct disk *disk = NULL;
    struct sim_error error;
    uint32_t lun = argument % 66;

    if (storvsp_detach(run->storvsp, &fake.context, lun))
        return;
    CHECK(disk_create(&disk, &config, (struct sim_clock){1000000000}, &error) ==
          SIM_OK);
    if (!storvsp_attach(run->storvsp, &fake.context, lun, disk))
        disk_free(disk);
}

static void open_or_close(struct run *run, unsigned index)
{
    if (fake.channels[index].open)
        close_channel(run, index);
    else if (fake.channels[0].open || index == 0)
        fake_open(&fake.channels[index]);
}

static void reset(struct run *run)
{
    for (unsigned i = 0; i < fake.channel_count; i++)
        fake.channels[i].open = false;
    fake.channels[0].offer.ops->reset(run->storvsp);
    close_channel(run, 0);
}

static void act(struct run *run)
{
    enum action action =
        (enum action)(fuzz_input_byte(&run->input) % ACTION_COUNT);
    uint8_t argument = fuzz_input_byte(&run->input);
    unsigned index = argument % fake.channel_count;
    struct vmbus_channel *channel = &fake.channels[index];

    switch (action) {
    case IN_BAND:
    case ABOUT_MEMORY:
        send_bytes(run, argument, action == ABOUT_MEMORY);
        break;
    case NEGOTIATE:
        negotiate(run);
        break;
    case TIME_PASSES:
        if (channel->open)
            fake_run_until(channel,
                           cycles_add(fake.context.now,
                                      cycles(UINT64_C(1000) * argument)));
        break;
    case OPEN_OR_CLOSE:
        open_or_close(run, index);
        break;
    case RING_FILLS:
        channel->room = argument % 4;
        break;
    case RING_EMPTIES:
        if (channel->open)
            fake_make_room(channel, argument);
        break;
    case DISK_COMES_OR_GOES:
        attach_or_detach(run, argument);
        break;
    case VM_RESETS:
        reset(run);
        break;
    case ACTION_COUNT:
        break;
    }
    for (unsigned i = 0; i < fake.channel_count; i++)
        take_answers(run, i);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct run run = {.input = {data, bytes}};
    struct vmbus_offer offer;

    fake_reset();
    run.storvsp = storvsp_create(fake_memory(), 0, CHANNELS - 1);
    CHECK(run.storvsp);
    attach_or_detach(&run, 0);
    offer = storvsp_offer(run.storvsp);
    CHECK(vmbus_offer(NULL, NULL, &offer));
    for (unsigned i = 0; i < ACTIONS_MAX && run.input.bytes > 0; i++)
        act(&run);
    storvsp_free(run.storvsp);
    return 0;
}
