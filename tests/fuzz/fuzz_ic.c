/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest that answers integration components with anything. Input: a byte
 * that chooses the component, then records: a byte that says what happens (see
 * enum action), a byte of argument, and for packets as many bytes as it says.
 *
 * Nothing crashes; the component keeps its promises to the channel (checked by
 * fake_channel.c); it asks with well-formed messages, and has no more answers
 * than it had questions.
 */
#include <string.h>

#include "sim/core/check.h"
#include "tests/fuzz/fuzz_input.h"
#include "tests/vmbus/fake_channel.h"
#include "vmbus/ic.h"
#include "vmbus/ic_abi.h"

#define ACTIONS_MAX 400
#define SECOND UINT64_C(1000000000)
#define HEADERS (sizeof(struct ic_pipe_header) + sizeof(struct ic_header))

enum action {
    ANY_PACKET,
    ANSWER, /* to the latest question, with a body that may be any */
    TIME_PASSES,
    OPEN_OR_CLOSE,
    RING_FILLS,
    RING_EMPTIES,
    SHUTDOWN_IS_WANTED,
    VM_RESETS,
    ACTION_COUNT,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

struct run {
    struct fuzz_input input;
    struct ic *ic;
    struct vmbus_channel *channel;
    bool can_shut_down;
    uint8_t asked[FAKE_PAYLOAD_MAX];
    uint32_t asked_bytes;
};

static reftime_t vm_time(void *owner, cycles_t now)
{
    (void)owner;
    return (reftime_t){now.v / 100};
}

static void take_questions(struct run *run)
{
    for (unsigned i = 0; i < run->channel->sent_count; i++) {
        const struct fake_sent *sent = &run->channel->sent[i];
        struct ic_pipe_header pipe;
        struct ic_header header;

        CHECK(sent->type == VMBUS_PACKET_IN_BAND && sent->bytes >= HEADERS);
        memcpy(&pipe, sent->payload, sizeof(pipe));
        memcpy(&header, sent->payload + sizeof(pipe), sizeof(header));
        CHECK(pipe.type == IC_PIPE_DATA && pipe.bytes + 8 == sent->bytes);
        CHECK(header.bytes + HEADERS == sent->bytes);
        memcpy(run->asked, sent->payload, sent->bytes);
        run->asked_bytes = sent->bytes;
    }
    run->channel->sent_count = 0;
}

static void send(struct run *run, const uint8_t *packet, uint32_t bytes)
{
    if (run->channel->open && !run->channel->waiting)
        CHECK(fake_packet(run->channel, 0, packet, bytes));
}

static void send_any(struct run *run, uint8_t argument)
{
    uint8_t packet[64];
    uint32_t bytes = argument % sizeof(packet);

    for (uint32_t i = 0; i < bytes; i++)
        packet[i] = fuzz_input_byte(&run->input);
    send(run, packet, bytes);
}

/* The headers are right; the first bytes of the body are the input's. */
static void send_answer(struct run *run, uint8_t argument)
{
    uint32_t own = argument % 24;

    if (run->asked_bytes < HEADERS + own)
        return;
    run->asked[8 + offsetof(struct ic_header, flags)] = IC_FLAG_RESPONSE;
    for (uint32_t i = 0; i < own; i++)
        run->asked[HEADERS + i] = fuzz_input_byte(&run->input);
    send(run, run->asked, run->asked_bytes);
}

static void act(struct run *run)
{
    enum action action =
        (enum action)(fuzz_input_byte(&run->input) % ACTION_COUNT);
    uint8_t argument = fuzz_input_byte(&run->input);
    struct vmbus_channel *channel = run->channel;

    switch (action) {
    case ANY_PACKET:
        send_any(run, argument);
        break;
    case ANSWER:
        send_answer(run, argument);
        break;
    case TIME_PASSES:
        if (channel->open)
            fake_run_until(channel, cycles_add(fake.context.now,
                                               cycles(SECOND * argument)));
        break;
    case OPEN_OR_CLOSE:
        if (channel->open)
            fake_close(channel);
        else
            fake_open(channel);
        break;
    case RING_FILLS:
        channel->room = argument % 4;
        break;
    case RING_EMPTIES:
        if (channel->open)
            fake_make_room(channel, argument);
        break;
    case SHUTDOWN_IS_WANTED:
        if (run->can_shut_down)
            (void)ic_shutdown_request(run->ic, &fake.context,
                                      (enum ic_shutdown_kind)(argument % 3),
                                      argument & 4, argument);
        break;
    case VM_RESETS:
        channel->open = false;
        channel->offer.ops->reset(run->ic);
        break;
    case ACTION_COUNT:
        break;
    }
    take_questions(run);
    CHECK(ic_counts(run->ic)->answered <= ic_counts(run->ic)->asked);
}

static struct ic *create(uint8_t which)
{
    const struct sim_clock clock = {SECOND};

    switch (which % 3) {
    case 0:
        return ic_heartbeat_create(clock);
    case 1:
        return ic_shutdown_create(clock, NULL, NULL);
    default:
        return ic_timesync_create(clock, 0, vm_time, NULL);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
    struct run run = {.input = {data, bytes}};
    uint8_t which = fuzz_input_byte(&run.input);
    struct vmbus_offer offer;

    fake_reset();
    run.ic = create(which);
    CHECK(run.ic);
    run.can_shut_down = which % 3 == 1;
    offer = ic_offer(run.ic);
    run.channel = vmbus_offer(NULL, NULL, &offer);
    fake_open(run.channel);
    take_questions(&run);
    for (unsigned i = 0; i < ACTIONS_MAX && run.input.bytes > 0; i++)
        act(&run);
    ic_free(run.ic);
    return 0;
}
