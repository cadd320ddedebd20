/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Rules 29 to 34, 36 and 39: the connection to VMBus and the life of a channel,
 * as Linux lives it (drivers/hv). The channel is the heartbeat's, which every
 * VM is offered. */

#include "workloads/hvtests/rule.h"
#include "workloads/runtime/clock.h"
#include "workloads/runtime/memory.h"
#include "workloads/runtime/string.h"
#include "workloads/runtime/vmbus.h"
#include "workloads/runtime/x86.h"
#include "workloads/selftest/selftest.h"

#define STATUS_INVALID_CONNECTION_ID 0x12
#define OFFERS_MAX 16

/* Long enough for an answer that is not to come. */
#define SILENCE_NS UINT64_C(10000000)

static struct vmbus_offer offers[OFFERS_MAX];

/* Words of VersionResponse. */
#define SUPPORTED(response) ((response).words[2] & 0xff)
#define SELECTED(response) ((response).words[3])

static struct vmbus_message contact(uint32_t version, uint32_t vp)
{
    struct vmbus_message response = {0};

    selftest_equal(vmbus_initiate_contact(version, vp), 0,
                   "InitiateContact %#x: status", version);
    selftest_equal(vmbus_receive_type(&response, VMBUS_VERSION_RESPONSE), true,
                   "InitiateContact %#x is answered", version);
    return response;
}

/* Of that version; the heartbeat's offer, or NULL. */
static const struct vmbus_offer *connect(uint32_t version)
{
    struct vmbus_message response = contact(version, 0);
    size_t count;

    if (version >= VMBUS_VERSION(5, 0))
        vmbus_set_connection(SELECTED(response));
    count = vmbus_request_offers(offers, OFFERS_MAX);
    if (count > OFFERS_MAX)
        count = OFFERS_MAX;
    return vmbus_find(offers, count, vmbus_heartbeat_class);
}

static void disconnect(void)
{
    selftest_equal(vmbus_unload(), true, "Unload is answered");
    vmbus_disable();
}

/* By the connection that the version is not for. */
static void contact_elsewhere(uint32_t version, uint32_t connection)
{
    const uint32_t message[10] = {VMBUS_INITIATE_CONTACT, 0, version, 0,
                                  version >> 16 >= 5 ? VMBUS_SINT : 0};
    struct vmbus_message response;

    selftest_equal(vmbus_send(connection, message, sizeof(message)), 0,
                   "version %#x by connection %u: status", version, connection);
    selftest_equal(vmbus_receive_type(&response, VMBUS_VERSION_RESPONSE), true,
                   "version %#x by connection %u is answered", version,
                   connection);
    selftest_equal(SUPPORTED(response), 0,
                   "version %#x by connection %u is not supported", version,
                   connection);
}

void rule_29_contact_says_where_messages_go(void)
{
    struct vmbus_message response;

    vmbus_enable();
    contact_elsewhere(VMBUS_VERSION(4, 1), VMBUS_CONNECTION_NEW);
    contact_elsewhere(VMBUS_VERSION(5, 3), VMBUS_CONNECTION_OLD);
    response = contact(VMBUS_VERSION(4, 1), 0);
    selftest_equal(SUPPORTED(response), 1, "4.1 by connection 1");
    selftest_equal(vmbus_request_offers(offers, OFFERS_MAX) > 0, true,
                   "4.1: offers by connection 1");

    response = contact(VMBUS_VERSION(5, 3), 0);
    selftest_equal(SUPPORTED(response), 1, "5.3 by connection 4");
    vmbus_set_connection(SELECTED(response));
    selftest_equal(vmbus_request_offers(offers, OFFERS_MAX) > 0, true,
                   "5.3: offers by the connection that was named");
    selftest_equal(vmbus_send(2, &response, 8), STATUS_INVALID_CONNECTION_ID,
                   "a connection that is not there");
    disconnect();
}

void rule_30_every_contact_is_answered(void)
{
    static const uint32_t versions[] = {
        VMBUS_VERSION(99, 0), VMBUS_VERSION(6, 0), VMBUS_VERSION(5, 9),
        VMBUS_VERSION(4, 2),  VMBUS_VERSION(0, 1), UINT32_MAX,
    };

    vmbus_enable();
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++)
        selftest_equal(SUPPORTED(contact(versions[i], 0)), 0,
                       "version %#x is not supported", versions[i]);
    selftest_equal(SUPPORTED(contact(VMBUS_VERSION(5, 0), 0)), 1,
                   "the next one is");
    disconnect();
}

#define GPADL 7

void rule_31_contact_begins_anew(void)
{
    void *page = memory_pages(1);
    const struct vmbus_offer *offer;

    vmbus_enable();
    offer = connect(VMBUS_VERSION(5, 3));
    selftest_equal(offer != NULL, true, "there is a heartbeat");
    if (!offer)
        return;
    selftest_equal(vmbus_lend(offer, page, 1, GPADL), 0, "a GPADL");
    selftest_equal(vmbus_lend(offer, page, 1, GPADL) != 0, true,
                   "its number is in use");
    offer = connect(VMBUS_VERSION(5, 3));
    selftest_equal(offer != NULL, true, "offers are asked for once more");
    if (offer)
        selftest_equal(vmbus_lend(offer, page, 1, GPADL), 0,
                       "what was lent is not any more");
    disconnect();
}

/* Words of InitiateContact. */
#define CONTACT_INTERRUPT_PAGE 4

void rule_32_the_target_vp_counts_from_3_0(void)
{
    uint64_t *page = memory_pages(1);
    uint32_t message[10] = {VMBUS_INITIATE_CONTACT, 0, VMBUS_VERSION(2, 4), 1};
    struct vmbus_message response;
    volatile uint32_t *other = rule_slots[1] + VMBUS_SINT * RULE_SLOT_WORDS;

    message[CONTACT_INTERRUPT_PAGE] = (uint32_t)(uintptr_t)page;
    vmbus_enable();
    vmbus_set_connection(VMBUS_CONNECTION_OLD);
    selftest_equal(vmbus_send(VMBUS_CONNECTION_OLD, message, sizeof(message)),
                   0, "2.4 for VP 1: status");
    selftest_equal(vmbus_receive_type(&response, VMBUS_VERSION_RESPONSE), true,
                   "2.4 for VP 1 is answered to VP 0");
    selftest_equal(vmbus_request_offers(offers, OFFERS_MAX) > 0, true,
                   "and so are offers");
    selftest_equal(*other, 0, "VP 1 is told nothing");

    message[2] = VMBUS_VERSION(3, 0);
    selftest_equal(vmbus_send(VMBUS_CONNECTION_OLD, message, sizeof(message)),
                   0, "3.0 for VP 1: status");
    selftest_equal(vmbus_receive(&response, SILENCE_NS), false,
                   "3.0 for VP 1 is not answered to VP 0");
    selftest_equal(*other, 1, "but to VP 1");
    selftest_equal(other[4], VMBUS_VERSION_RESPONSE, "by a version response");
    *other = 0;
    for (unsigned i = 0; i < PAGE_BYTES / sizeof(*page); i++)
        selftest_equal(page[i], 0, "the interrupt page, at %u", 8 * i);
    contact(VMBUS_VERSION(5, 3), 0);
    disconnect();
}

/* A heartbeat's channel (hv_utils): a packet has a header of 8 bytes for the
 * pipe, then one of the integration service, then a body. */
struct ic_packet {
    uint32_t pipe_flags, pipe_bytes;
    uint16_t framework_version[2];
    uint16_t type;
    uint16_t message_version[2];
    uint16_t bytes;
    uint32_t status;
    uint8_t transaction, flags;
    uint16_t reserved;
    union {
        struct {
            uint16_t framework_count, message_count;
            uint32_t reserved;
            uint32_t versions[8]; /* of the framework, then of messages */
        } negotiate;
        struct {
            uint32_t sequence[2];
        } heartbeat;
    } u;
};

#define IC_NEGOTIATE 0
#define IC_HEARTBEAT 1
#define IC_RESPONSE 5 /* to a transaction */

static struct vmbus_packet packet;

/* The channel of the heartbeat, open, and its first packet. */
static bool open_heartbeat(struct vmbus_channel *channel, struct ic_packet *ic)
{
    const struct vmbus_offer *offer = connect(VMBUS_VERSION(5, 3));
    bool is_there = false;

    selftest_equal(offer != NULL, true, "there is a heartbeat");
    if (!offer)
        return false;
    selftest_equal(vmbus_open(channel, offer, 3, 0), 0, "open: status");
    is_there = vmbus_read(channel, &packet, VMBUS_PATIENCE_NS);
    selftest_equal(is_there, true, "the host begins");
    memcpy(ic, packet.payload, sizeof(*ic));
    return is_there;
}

static void answer(struct vmbus_channel *channel, struct ic_packet *ic)
{
    ic->flags = IC_RESPONSE;
    selftest_equal(vmbus_write(channel, packet.transaction, ic, packet.bytes),
                   true, "there is room for an answer");
}

/* Agrees to the first versions that are offered, or to none. */
static void agree(struct vmbus_channel *channel, struct ic_packet *ic, bool any)
{
    ic->u.negotiate.versions[1] =
        ic->u.negotiate.versions[ic->u.negotiate.framework_count % 8];
    ic->u.negotiate.framework_count = any;
    ic->u.negotiate.message_count = any;
    answer(channel, ic);
}

void rule_33_one_gpadl_holds_both_rings(void)
{
    struct vmbus_channel channel;
    struct ic_packet ic;

    vmbus_enable();
    if (!open_heartbeat(&channel, &ic))
        return;
    selftest_equal(packet.type, VMBUS_PACKET_IN_BAND,
                   "in the second ring: a packet");
    selftest_equal(ic.type, IC_NEGOTIATE, "a negotiation");
    selftest_equal(vmbus_host_features(&channel), 1,
                   "the host is the consumer of the first");
    selftest_equal(vmbus_close(&channel), true, "what was lent comes back");
    disconnect();
}

void rule_34_who_looks_anyway_is_not_signalled(void)
{
    struct vmbus_channel channel;
    struct ic_packet ic;

    vmbus_enable();
    if (!open_heartbeat(&channel, &ic))
        return;
    selftest_equal(vmbus_take_flag(channel.offer->relid), true,
                   "signalled: the ring was empty");
    vmbus_mask(&channel, true);
    agree(&channel, &ic, true);
    selftest_equal(vmbus_read(&channel, &packet, VMBUS_PATIENCE_NS), true,
                   "masked: a packet");
    selftest_equal(vmbus_take_flag(channel.offer->relid), false,
                   "masked: and no signal");
    selftest_equal(vmbus_close(&channel), true, "closed");
    disconnect();
}

void rule_39_services_answer_in_band(void)
{
    struct vmbus_channel channel;
    struct ic_packet ic;

    vmbus_enable();
    if (!open_heartbeat(&channel, &ic))
        return;
    selftest_equal(ic.flags, 3, "a request, of a transaction");
    agree(&channel, &ic, true);
    selftest_equal(vmbus_read(&channel, &packet, VMBUS_PATIENCE_NS), true,
                   "what was agreed on is used");
    memcpy(&ic, packet.payload, sizeof(ic));
    selftest_equal(ic.type, IC_HEARTBEAT, "a heartbeat");
    selftest_equal(vmbus_close(&channel), true, "closed");
    disconnect();

    vmbus_enable();
    if (!open_heartbeat(&channel, &ic))
        return;
    agree(&channel, &ic, false);
    selftest_equal(vmbus_read(&channel, &packet, SILENCE_NS), false,
                   "no version in common: silence");
    selftest_equal(vmbus_close(&channel), true, "closed");
    disconnect();
}

static bool modify(const struct vmbus_offer *offer, uint32_t vp,
                   struct vmbus_message *response)
{
    const uint32_t message[] = {VMBUS_MODIFY_CHANNEL, 0, offer->relid, vp};

    selftest_equal(vmbus_send(vmbus_connection(), message, sizeof(message)), 0,
                   "ModifyChannel: status of the call");
    return vmbus_receive(response, SILENCE_NS);
}

void rule_36_modify_channel_is_answered_from_5_3(void)
{
    static const uint32_t versions[] = {VMBUS_VERSION(5, 2),
                                        VMBUS_VERSION(5, 3)};
    struct vmbus_message response;
    struct vmbus_channel channel;

    for (unsigned i = 0; i < 2; i++) {
        const struct vmbus_offer *offer;

        vmbus_enable();
        offer = connect(versions[i]);
        selftest_equal(offer != NULL, true, "there is a heartbeat");
        if (!offer)
            return;
        selftest_equal(vmbus_open(&channel, offer, 2, 0), 0, "open: status");
        selftest_equal(modify(offer, 1, &response), i == 1,
                       "ModifyChannel is answered, in version %#x",
                       versions[i]);
        if (i == 1) {
            selftest_equal(response.words[0], VMBUS_MODIFY_RESPONSE, "type");
            selftest_equal(response.words[2], offer->relid, "relid");
            selftest_equal(response.words[3], 0, "status");
        }
        selftest_equal(vmbus_close(&channel), true, "closed");
        disconnect();
    }
}
