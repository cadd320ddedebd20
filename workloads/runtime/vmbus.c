/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "workloads/runtime/vmbus.h"

#include "workloads/runtime/apic.h"
#include "workloads/runtime/clock.h"
#include "workloads/runtime/hyperv.h"
#include "workloads/runtime/memory.h"
#include "workloads/runtime/string.h"
#include "workloads/runtime/trap.h"
#include "workloads/runtime/x86.h"

#define MSR_SCONTROL 0x40000080u
#define MSR_SIEFP 0x40000082u
#define MSR_SIMP 0x40000083u
#define MSR_EOM 0x40000084u
#define MSR_SINT (0x40000090u + VMBUS_SINT)
#define SINT_MASKED UINT64_C(0x10000)

#define CALL_POST_MESSAGE 0x5cu
#define CALL_SIGNAL_EVENT 0x5du
#define CALL_FAST (UINT64_C(1) << 16)
#define STATUS_INSUFFICIENT_BUFFERS 0x13

#define MESSAGE_TYPE 1u
#define SLOT_PENDING 1
#define FLAG_WORDS 32 /* of a SINT's 2048 event flags */

/* GPADLs of one message. */
#define GPADL_PAGES_MAX 26

const uint32_t vmbus_heartbeat_class[4] = {0x57164f39, 0x4e789115, 0x2f3855ab,
                                           0x2d42d53b};

struct slot {
    volatile uint32_t type;
    volatile uint8_t bytes, flags;
    uint16_t reserved;
    uint64_t port;
    uint32_t words[VMBUS_MESSAGE_WORDS];
};

/* The control page of a ring; its data follows. */
struct ring {
    volatile uint32_t write_index, read_index, interrupt_mask, pending_send;
    uint32_t reserved[12];
    volatile uint32_t features;
};

struct post {
    uint32_t connection, reserved, type, bytes;
    uint8_t payload[240];
};

static struct slot *slots;
static uint64_t *event_flags;
static struct post *post;
static uint32_t connection;

static void handle(struct trap_frame *frame)
{
    (void)frame;
    apic_eoi();
}

void vmbus_init(void)
{
    slots = memory_pages(1);
    event_flags = memory_pages(1);
    post = memory_pages(1);
    trap_set_handler(VMBUS_VECTOR, handle);
}

void vmbus_enable(void)
{
    x86_wrmsr(MSR_SIMP, (uintptr_t)slots | HV_PAGE_ENABLE);
    x86_wrmsr(MSR_SIEFP, (uintptr_t)event_flags | HV_PAGE_ENABLE);
    x86_wrmsr(MSR_SINT, VMBUS_VECTOR);
    x86_wrmsr(MSR_SCONTROL, 1);
}

void vmbus_disable(void)
{
    x86_wrmsr(MSR_SINT, SINT_MASKED);
    x86_wrmsr(MSR_SCONTROL, 0);
    x86_wrmsr(MSR_SIEFP, 0);
    x86_wrmsr(MSR_SIMP, 0);
}

/* While the host has not taken what was sent before, there may be no room. */
uint16_t vmbus_send(uint32_t to, const void *message, uint32_t bytes)
{
    uint16_t status;

    *post =
        (struct post){.connection = to, .type = MESSAGE_TYPE, .bytes = bytes};
    memcpy(post->payload, message, bytes);
    while ((status = (uint16_t)hyperv_hypercall(CALL_POST_MESSAGE,
                                                (uintptr_t)post, 0)) ==
           STATUS_INSUFFICIENT_BUFFERS)
        clock_spin(1000);
    return status;
}

static void consume(struct slot *slot)
{
    uint8_t flags = slot->flags;

    slot->type = 0;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if ((flags & SLOT_PENDING) != 0)
        x86_wrmsr(MSR_EOM, 0);
}

bool vmbus_receive(struct vmbus_message *message, uint64_t ns)
{
    struct slot *slot = &slots[VMBUS_SINT];
    uint64_t end = clock_ns() + ns;

    while (slot->type == 0) {
        if (clock_ns() >= end)
            return false;
        x86_pause();
    }
    message->bytes = slot->bytes;
    memcpy(message->words, slot->words, sizeof(message->words));
    consume(slot);
    return true;
}

bool vmbus_receive_type(struct vmbus_message *message, uint32_t type)
{
    while (vmbus_receive(message, VMBUS_PATIENCE_NS)) {
        if (message->words[0] == type)
            return true;
    }
    return false;
}

/* The connection */

uint16_t vmbus_initiate_contact(uint32_t version, uint32_t vp)
{
    bool is_new = version >= VMBUS_VERSION(5, 0);
    const uint32_t contact[] = {
        VMBUS_INITIATE_CONTACT,
        0,
        version,
        vp,
        is_new ? VMBUS_SINT : 0,
        0,
        0,
        0,
        0,
        0,
    };

    connection = is_new ? VMBUS_CONNECTION_NEW : VMBUS_CONNECTION_OLD;
    return vmbus_send(connection, contact, sizeof(contact));
}

uint32_t vmbus_connect(void)
{
    static const uint32_t versions[] = {
        VMBUS_VERSION(5, 3), VMBUS_VERSION(5, 2), VMBUS_VERSION(5, 1),
        VMBUS_VERSION(5, 0), VMBUS_VERSION(4, 1), VMBUS_VERSION(4, 0),
        VMBUS_VERSION(3, 0), VMBUS_VERSION(2, 4),
    };

    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        struct vmbus_message response;

        if (vmbus_initiate_contact(versions[i], 0) != 0 ||
            !vmbus_receive_type(&response, VMBUS_VERSION_RESPONSE))
            continue;
        if ((response.words[2] & 0xff) == 0)
            continue;
        if (versions[i] >= VMBUS_VERSION(5, 0))
            connection = response.words[3];
        return versions[i];
    }
    return 0;
}

uint32_t vmbus_connection(void)
{
    return connection;
}

void vmbus_set_connection(uint32_t to)
{
    connection = to;
}

bool vmbus_unload(void)
{
    const uint32_t unload[] = {VMBUS_UNLOAD, 0};
    struct vmbus_message response;

    return vmbus_send(connection, unload, sizeof(unload)) == 0 &&
           vmbus_receive_type(&response, VMBUS_UNLOAD_RESPONSE);
}

/* Words of OfferChannel. */
enum {
    OFFER_CLASS = 2,
    OFFER_INSTANCE = 6,
    OFFER_FLAGS = 14,
    OFFER_SUB_CHANNEL = 45,
    OFFER_RELID = 46,
    OFFER_MONITOR = 47,
    OFFER_CONNECTION = 48,
};

static struct vmbus_offer read_offer(const uint32_t *words)
{
    struct vmbus_offer offer = {
        .flags = (uint16_t)words[OFFER_FLAGS],
        .sub_channel = (uint16_t)words[OFFER_SUB_CHANNEL],
        .relid = words[OFFER_RELID],
        .connection = words[OFFER_CONNECTION],
        .monitor_allocated = (uint8_t)(words[OFFER_MONITOR] >> 8),
        .is_dedicated = (uint16_t)(words[OFFER_MONITOR] >> 16),
    };

    memcpy(offer.class_id, &words[OFFER_CLASS], sizeof(offer.class_id));
    memcpy(offer.instance_id, &words[OFFER_INSTANCE],
           sizeof(offer.instance_id));
    return offer;
}

size_t vmbus_request_offers(struct vmbus_offer *offers, size_t most)
{
    const uint32_t request[] = {VMBUS_REQUEST_OFFERS, 0};
    struct vmbus_message message;
    size_t count = 0;

    if (vmbus_send(connection, request, sizeof(request)) != 0)
        return 0;
    while (vmbus_receive(&message, VMBUS_PATIENCE_NS) &&
           message.words[0] != VMBUS_ALL_OFFERS_DELIVERED) {
        if (message.words[0] != VMBUS_OFFER_CHANNEL)
            continue;
        if (count < most)
            offers[count] = read_offer(message.words);
        count++;
    }
    return count;
}

const struct vmbus_offer *vmbus_find(const struct vmbus_offer *offers,
                                     size_t count, const uint32_t class_id[4])
{
    for (size_t i = 0; i < count; i++) {
        if (memcmp(offers[i].class_id, class_id, sizeof(offers[i].class_id)) ==
            0)
            return &offers[i];
    }
    return NULL;
}

/* Channels */

uint32_t vmbus_lend(const struct vmbus_offer *offer, const void *pages,
                    uint32_t count, uint32_t gpadl)
{
    uint32_t message[VMBUS_MESSAGE_WORDS] = {
        VMBUS_GPADL_HEADER, 0, offer->relid, gpadl, (8 + 8 * count) | 1u << 16,
        count * PAGE_BYTES};
    struct vmbus_message response;
    uint64_t page = (uintptr_t)pages / PAGE_BYTES;

    if (count > GPADL_PAGES_MAX)
        return UINT32_MAX;
    for (uint32_t i = 0; i < count; i++, page++)
        memcpy(&message[7 + 2 * i], &page, sizeof(page));
    if (vmbus_send(connection, message, 28 + 8 * count) != 0 ||
        !vmbus_receive_type(&response, VMBUS_GPADL_CREATED))
        return UINT32_MAX;
    return response.words[4];
}

bool vmbus_take_back(const struct vmbus_offer *offer, uint32_t gpadl)
{
    const uint32_t teardown[] = {VMBUS_GPADL_TEARDOWN, 0, offer->relid, gpadl};
    struct vmbus_message response;

    return vmbus_send(connection, teardown, sizeof(teardown)) == 0 &&
           vmbus_receive_type(&response, VMBUS_GPADL_TORNDOWN) &&
           response.words[2] == gpadl;
}

#define OPEN_WORDS 37

uint32_t vmbus_open(struct vmbus_channel *channel,
                    const struct vmbus_offer *offer, uint32_t pages,
                    uint32_t vp)
{
    const uint32_t gpadl = 0x100 + offer->relid;
    const uint32_t message[OPEN_WORDS] = {
        VMBUS_OPEN_CHANNEL, 0, offer->relid, offer->relid, gpadl, vp, pages};
    struct vmbus_message response;
    uint32_t status;

    *channel = (struct vmbus_channel){.offer = offer,
                                      .rings = memory_pages(2 * (size_t)pages),
                                      .pages = pages,
                                      .gpadl = gpadl};
    status = vmbus_lend(offer, channel->rings, 2 * pages, gpadl);
    if (status != 0)
        return status;
    if (vmbus_send(connection, message, sizeof(message)) != 0 ||
        !vmbus_receive_type(&response, VMBUS_OPEN_RESULT))
        return UINT32_MAX;
    return response.words[4];
}

bool vmbus_close(struct vmbus_channel *channel)
{
    const uint32_t message[] = {VMBUS_CLOSE_CHANNEL, 0, channel->offer->relid};

    return vmbus_send(connection, message, sizeof(message)) == 0 &&
           vmbus_take_back(channel->offer, channel->gpadl);
}

static void signal_host(const struct vmbus_channel *channel)
{
    hyperv_hypercall(CALL_SIGNAL_EVENT | CALL_FAST, channel->offer->connection,
                     0);
}

/* Rings */

#define DESCRIPTOR_BYTES 16u
#define TRAILER_BYTES 8u

static struct ring *out_ring(const struct vmbus_channel *channel)
{
    return (struct ring *)(void *)channel->rings;
}

static struct ring *in_ring(const struct vmbus_channel *channel)
{
    return (struct ring *)(void *)(channel->rings +
                                   (size_t)channel->pages * PAGE_BYTES);
}

uint32_t vmbus_host_features(const struct vmbus_channel *channel)
{
    return out_ring(channel)->features;
}

void vmbus_mask(const struct vmbus_channel *channel, bool masked)
{
    in_ring(channel)->interrupt_mask = masked;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
}

bool vmbus_take_flag(uint32_t relid)
{
    uint64_t *word = &event_flags[VMBUS_SINT * FLAG_WORDS + relid / 64];
    uint64_t bit = UINT64_C(1) << relid % 64;

    return (__atomic_fetch_and(word, ~bit, __ATOMIC_SEQ_CST) & bit) != 0;
}

static uint32_t data_bytes(const struct vmbus_channel *channel)
{
    return (channel->pages - 1) * PAGE_BYTES;
}

/* Both go round at the end of the data, and return where they came to. */

static uint32_t put(const struct vmbus_channel *channel, struct ring *ring,
                    uint32_t at, const void *from, uint32_t bytes)
{
    uint8_t *data = (uint8_t *)ring + PAGE_BYTES;
    uint32_t room = data_bytes(channel) - at;
    uint32_t first = bytes < room ? bytes : room;

    memcpy(data + at, from, first);
    memcpy(data, (const uint8_t *)from + first, bytes - first);
    return (at + bytes) % data_bytes(channel);
}

static uint32_t get(const struct vmbus_channel *channel, struct ring *ring,
                    uint32_t at, void *to, uint32_t bytes)
{
    const uint8_t *data = (const uint8_t *)ring + PAGE_BYTES;
    uint32_t room = data_bytes(channel) - at;
    uint32_t first = bytes < room ? bytes : room;

    memcpy(to, data + at, first);
    memcpy((uint8_t *)to + first, data, bytes - first);
    return (at + bytes) % data_bytes(channel);
}

static uint32_t used_bytes(const struct vmbus_channel *channel,
                           const struct ring *ring)
{
    return (ring->write_index + data_bytes(channel) - ring->read_index) %
           data_bytes(channel);
}

#define PACKET_COMPLETION_WANTED 1u

struct descriptor {
    uint16_t type, offset8, length8, flags;
    uint64_t transaction;
};

static bool write_packet(struct vmbus_channel *channel, uint16_t flags,
                         uint64_t transaction, const void *payload,
                         uint32_t bytes)
{
    struct ring *ring = out_ring(channel);
    uint32_t start = ring->write_index;
    uint32_t padded = (bytes + 7) & ~7u;
    const struct descriptor descriptor = {
        .type = VMBUS_PACKET_IN_BAND,
        .offset8 = DESCRIPTOR_BYTES / 8,
        .length8 = (uint16_t)((DESCRIPTOR_BYTES + padded) / 8),
        .flags = flags,
        .transaction = transaction};
    const uint64_t trailer = (uint64_t)start << 32, padding = 0;
    uint32_t at;

    if (DESCRIPTOR_BYTES + padded + TRAILER_BYTES >=
        data_bytes(channel) - used_bytes(channel, ring))
        return false;
    at = put(channel, ring, start, &descriptor, sizeof(descriptor));
    at = put(channel, ring, at, payload, bytes);
    at = put(channel, ring, at, &padding, padded - bytes);
    at = put(channel, ring, at, &trailer, sizeof(trailer));
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    ring->write_index = at;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if (ring->interrupt_mask == 0 && ring->read_index == start)
        signal_host(channel);
    return true;
}

bool vmbus_write(struct vmbus_channel *channel, uint64_t transaction,
                 const void *payload, uint32_t bytes)
{
    return write_packet(channel, 0, transaction, payload, bytes);
}

bool vmbus_request(struct vmbus_channel *channel, uint64_t transaction,
                   const void *payload, uint32_t bytes)
{
    return write_packet(channel, PACKET_COMPLETION_WANTED, transaction, payload,
                        bytes);
}

bool vmbus_read(struct vmbus_channel *channel, struct vmbus_packet *packet,
                uint64_t ns)
{
    struct ring *ring = in_ring(channel);
    uint64_t end = clock_ns() + ns;
    struct descriptor descriptor;
    uint32_t at, header;

    while (ring->write_index == ring->read_index) {
        if (clock_ns() >= end)
            return false;
        x86_pause();
    }
    at = get(channel, ring, ring->read_index, &descriptor, sizeof(descriptor));
    header = descriptor.offset8 * 8u;
    packet->type = descriptor.type;
    packet->flags = descriptor.flags;
    packet->transaction = descriptor.transaction;
    packet->bytes = descriptor.length8 * 8u - header;
    if (header < DESCRIPTOR_BYTES || packet->bytes > VMBUS_PACKET_BYTES_MAX)
        return false;
    at = (at + header - DESCRIPTOR_BYTES) % data_bytes(channel);
    at = get(channel, ring, at, packet->payload, packet->bytes);
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    ring->read_index = (at + TRAILER_BYTES) % data_bytes(channel);
    return true;
}
