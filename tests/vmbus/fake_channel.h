/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_VMBUS_FAKE_CHANNEL_H
#define HVSIM_TESTS_VMBUS_FAKE_CHANNEL_H

/**
 * Channels without rings, in place of vmbus/channel.c and vmbus_offer.c: a
 * device's unit test hands it packets, and sees what it sends. They keep the
 * promises of vmbus/channel.h, and check that the device keeps its own. Guest
 * memory is a flat array.
 */

#include "vmbus/channel.h"
#include "vmbus/vmbus.h"

#define FAKE_MEMORY_PAGES 160
#define FAKE_CHANNELS_MAX 17
#define FAKE_SENT_MAX 600
#define FAKE_PAYLOAD_MAX 2112

struct fake_sent {
    enum vmbus_packet_type type;
    uint16_t flags;
    uint64_t transaction_id;
    uint32_t bytes;
    uint8_t payload[FAKE_PAYLOAD_MAX];
};

struct vmbus_channel {
    struct vmbus_offer offer;
    bool open, held;
    bool waiting;     /* a send was refused, and room() not called since */
    unsigned refused; /* sends, for want of room */
    unsigned room;    /* how many packets can still be sent */
    cycles_t wake_at;
    unsigned sent_count;
    struct fake_sent sent[FAKE_SENT_MAX];
};

/** Of everything below: there is one bus. Reset by fake_reset(). */
extern struct fake {
    struct vmbus_channel channels[FAKE_CHANNELS_MAX];
    unsigned channel_count;
    unsigned offers_left; /* vmbus_offer() fails when it is 0 */
    uint8_t memory[FAKE_MEMORY_PAGES * PAGE_BYTES];
    struct cost_bill bill;
    struct hv_context context; /* its `now` is the test's to set */
} fake;

/** No channels, memory of zeroes, time 0. */
void fake_reset(void);
struct guest_memory fake_memory(void);

/** The guest opens the channel, with room for many packets. */
void fake_open(struct vmbus_channel *channel);
void fake_close(struct vmbus_channel *channel);

/** Hands over an in-band packet that wants a completion, at `now`; as
 *  packet(). CHECKed not to come while no packet may. */
bool fake_packet(struct vmbus_channel *channel, uint64_t transaction_id,
                 const void *payload, uint32_t bytes);
/** The same about guest memory: `data_bytes` from byte `gpa` on. */
bool fake_packet_about(struct vmbus_channel *channel, uint64_t transaction_id,
                       const void *payload, uint32_t bytes, uint64_t gpa,
                       uint32_t data_bytes);

/** Lets time go to `now`, and calls expire() on the way as often as it is
 *  asked for. */
void fake_run_until(struct vmbus_channel *channel, cycles_t now);

/** There is room for `packets` more, and room() if it is waited for. */
void fake_make_room(struct vmbus_channel *channel, unsigned packets);

#endif
