/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * storage-channels: finds the SCSI controller on VMBus, asks for all the
 * channels that it may have, and counts them.
 *
 * Result: channels (count), the first one included. The storage protocol is as
 * Linux speaks it (drivers/scsi/storvsc_drv.c).
 */

#include "workloads/runtime/report.h"
#include "workloads/runtime/runtime.h"
#include "workloads/runtime/vmbus.h"

#define OFFERS_MAX 64
#define RING_PAGES 3

enum operation {
    BEGIN_INITIALIZATION = 7,
    END_INITIALIZATION = 8,
    QUERY_PROTOCOL_VERSION = 9,
    QUERY_PROPERTIES = 10,
    CREATE_SUB_CHANNELS = 13,
};

#define VERSION_6_2 0x0602u
#define COMPLETION_WANTED 1u

/* A packet of the storage protocol, as far as it is needed here. */
struct packet {
    uint32_t operation, flags, status;
    union {
        uint16_t version;
        uint16_t sub_channel_count;
        struct {
            uint32_t reserved;
            uint16_t sub_channels_max;
        } properties;
        uint8_t bytes[0x34];
    };
};

/* ba6163d9-04a1-4d29-b605-72e2ffb1dc7f: synthetic SCSI controllers. */
static const uint32_t scsi_class[4] = {0xba6163d9, 0x4d2904a1, 0xe27205b6,
                                       0x7fdcb1ff};

static struct vmbus_offer offers[OFFERS_MAX];
static struct vmbus_channel channel;
static struct vmbus_packet answer;

/* Sends a request and gives what comes back for it. */
static const struct packet *ask(enum operation operation, uint16_t argument)
{
    struct packet request = {.operation = operation,
                             .flags = COMPLETION_WANTED};
    const struct packet *reply = (const void *)answer.payload;

    request.sub_channel_count = argument; /* or the version: the same place */
    if (!vmbus_request(&channel, operation, &request, sizeof(request)))
        report_fail("the ring has no room");
    if (!vmbus_read(&channel, &answer, VMBUS_PATIENCE_NS) ||
        answer.bytes < sizeof(*reply))
        report_fail("operation %u is not answered", operation);
    if (reply->status != 0)
        report_fail("operation %u fails with %x", operation, reply->status);
    return reply;
}

static void open_controller(void)
{
    const struct vmbus_offer *offer;

    vmbus_init();
    vmbus_enable();
    if (vmbus_connect() == 0)
        report_fail("there is no VMBus");
    offer = vmbus_find(offers, vmbus_request_offers(offers, OFFERS_MAX),
                       scsi_class);
    if (!offer)
        report_fail("there is no SCSI controller; has the VM a disk?");
    if (vmbus_open(&channel, offer, RING_PAGES, 0) != 0)
        report_fail("the controller's channel cannot be opened");
}

static uint16_t negotiate(void)
{
    uint16_t most;

    ask(BEGIN_INITIALIZATION, 0);
    ask(QUERY_PROTOCOL_VERSION, VERSION_6_2);
    most = ask(QUERY_PROPERTIES, 0)->properties.sub_channels_max;
    ask(END_INITIALIZATION, 0);
    return most;
}

/* Each is offered by a message of its own. */
static uint64_t count_offers(void)
{
    struct vmbus_message message;
    uint64_t count = 0;

    while (vmbus_receive(&message, VMBUS_PATIENCE_NS))
        count += message.words[0] == VMBUS_OFFER_CHANNEL;
    return count;
}

void guest_main(void)
{
    uint16_t most;

    open_controller();
    most = negotiate();
    if (most > 0)
        ask(CREATE_SUB_CHANNELS, most);
    report_result("channels", 1 + count_offers(), "count");
    report_done();
}
