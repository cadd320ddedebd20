/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Attacks on the host by VMBus: messages, what is lent, and rings. The machine
 * has a disk and a network adapter besides what every machine has. */
#include "workloads/attacks/attack.h"
#include "workloads/runtime/hyperv.h"
#include "workloads/runtime/memory.h"
#include "workloads/runtime/report.h"
#include "workloads/runtime/vmbus.h"
#include "workloads/runtime/x86.h"

#define CALL_SIGNAL_EVENT UINT64_C(0x1005d) /* fast */
#define CALL_POST_MESSAGE UINT64_C(0x5c)

#define OFFERS_MAX 16
#define RING_PAGES 4
/* Buffers that a host has to take, and more than it should. */
#define LENT_MIN 1000
#define LENT_MAX 20000

static struct vmbus_offer offers[OFFERS_MAX];
static size_t offer_count;

static void connect(void)
{
    vmbus_init();
    vmbus_enable();
    if (vmbus_connect() == 0)
        report_fail("there is no VMBus to attack");
    offer_count = vmbus_request_offers(offers, OFFERS_MAX);
    if (offer_count < 5 || offer_count > OFFERS_MAX)
        report_fail("%u devices are offered", (unsigned)offer_count);
}

/* Messages without end to a host whose answers are not taken. */
static void flood(void)
{
    uint32_t *post = memory_pages(1);

    post[0] = VMBUS_CONNECTION_OLD;
    post[2] = 1;
    post[3] = 40;
    post[4] = VMBUS_INITIATE_CONTACT;
    post[6] = VMBUS_VERSION(4, 1);
    for (;;)
        hyperv_hypercall(CALL_POST_MESSAGE, (uintptr_t)post, 0);
}

/* Messages that nobody else would send: of any type, about any channel. */
static void messages(void)
{
    uint32_t message[VMBUS_MESSAGE_WORDS];
    struct vmbus_message answer;

    connect();
    for (unsigned i = 0; i < 4000; i++) {
        for (unsigned n = 0; n < VMBUS_MESSAGE_WORDS; n++)
            message[n] = (uint32_t)(attack_random() >> (attack_random() % 32));
        message[0] = (uint32_t)(attack_random() % 30);
        message[2] = (uint32_t)(attack_random() % 8);
        message[3] = (uint32_t)(attack_random() % 8);
        message[4] = (uint32_t)(attack_random() % 8);
        vmbus_send(attack_random() % 2 ? VMBUS_CONNECTION_OLD
                                       : vmbus_connection(),
                   message, (uint32_t)(attack_random() % 241));
        while (vmbus_receive(&answer, 0))
            continue;
    }
}

/* Memory without end, and such that is not there, is lent. */
static void lending(void)
{
    static const uint64_t places[] = {
        0,
        0xfee00000,
        0xfec00000,
        UINT64_C(1) << 40,
        UINT64_C(0xfffffffffffff000),
    };
    void *page = memory_pages(1);
    struct vmbus_message answer;
    uint32_t gpadl = 1;

    connect();
    for (; gpadl < LENT_MAX; gpadl++) {
        if (vmbus_lend(&offers[gpadl % offer_count], page, 1, gpadl) != 0)
            break;
    }
    if (gpadl < LENT_MIN || gpadl == LENT_MAX)
        report_fail("the host takes %u buffers", gpadl);
    for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
        const uint32_t open[37] = {
            VMBUS_OPEN_CHANNEL, 0, offers[0].relid, 1, ++gpadl, 0, 2};

        vmbus_initiate_contact(VMBUS_VERSION(4, 1), 0);
        vmbus_request_offers(offers, OFFERS_MAX);
        vmbus_lend(&offers[0], (const void *)places[i], 4, gpadl);
        vmbus_send(vmbus_connection(), open, sizeof(open));
        vmbus_receive(&answer, VMBUS_PATIENCE_NS / 10);
    }
}

static void signal(const struct vmbus_offer *offer)
{
    hyperv_hypercall(CALL_SIGNAL_EVENT, offer->connection, 0);
}

/* Rings full of anything, whose indices go anywhere. */
static void scribble(const struct vmbus_channel *channel)
{
    uint64_t *words = (uint64_t *)(void *)channel->rings;
    const size_t count = 2 * RING_PAGES * PAGE_BYTES / sizeof(*words);
    volatile uint32_t *control = (uint32_t *)(void *)channel->rings;

    for (size_t i = 0; i < count; i++)
        words[i] = attack_random() >> (attack_random() % 64);
    for (unsigned i = 0; i < 50; i++) {
        unsigned shift = (unsigned)(attack_random() % 4) * 8;

        control[attack_random() % 4] = (uint32_t)attack_random() >> shift & ~7u;
        signal(channel->offer);
    }
}

/* Packets that look like some, with a payload of anything. */
static void babble(struct vmbus_channel *channel)
{
    uint64_t payload[32];

    for (unsigned i = 0; i < 50; i++) {
        for (unsigned n = 0; n < 32; n++)
            payload[n] = attack_random() >> (attack_random() % 64);
        payload[0] = attack_random() % 140;
        vmbus_write(channel, attack_random(), payload,
                    (uint32_t)(attack_random() % 256));
        signal(channel->offer);
    }
}

static void rings(void)
{
    struct vmbus_channel channel;

    connect();
    for (unsigned i = 0; i < 12 * offer_count; i++) {
        const struct vmbus_offer *offer = &offers[i % offer_count];

        if (vmbus_open(&channel, offer, RING_PAGES, 0) != 0)
            report_fail("channel %u does not open once more", offer->relid);
        if (i / offer_count % 2 == 0)
            babble(&channel);
        else
            scribble(&channel);
        if (!vmbus_close(&channel))
            report_fail("channel %u does not close", offer->relid);
    }
}

/* Signals without end, and nothing in the rings. */
static void signals(void)
{
    struct vmbus_channel channel;

    connect();
    if (vmbus_open(&channel, &offers[0], RING_PAGES, 0) != 0)
        report_fail("the channel does not open");
    for (;;)
        signal(&offers[0]);
}

const struct attack_case attack_vmbus_cases[] = {
    {"vmbus-flood", flood},     {"vmbus-messages", messages},
    {"vmbus-lending", lending}, {"vmbus-rings", rings},
    {"vmbus-signals", signals}, {NULL, NULL},
};
