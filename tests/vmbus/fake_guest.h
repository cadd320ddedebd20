/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_VMBUS_FAKE_GUEST_H
#define HVSIM_TESTS_VMBUS_FAKE_GUEST_H

/**
 * The other side of a bus: a guest with flat memory, its ends of rings, and a
 * host that keeps what the bus asks of it. The guest is a well-behaved one as
 * Linux is; what is not, a test writes into memory and messages by itself.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hypervisor/hypervisor.h"
#include "vmbus/vmbus.h"

#define FAKE_GUEST_PAGES 1024
#define FAKE_GUEST_POSTS_MAX 4096

struct fake_post {
    uint32_t vp, bytes;
    union {
        struct vmbus_header header;
        struct vmbus_offer_channel offer;
        struct vmbus_relid_message relid;
        struct vmbus_open_channel_result open;
        struct vmbus_gpadl_created created;
        struct vmbus_gpadl_torndown torndown;
        struct vmbus_version_response version;
        struct vmbus_modify_channel_response modify;
        struct vmbus_tl_connect_result tl_connect;
        uint8_t payload[VMBUS_MESSAGE_BYTES];
    };
};

/* What the host was asked to do about one channel. */
struct fake_service {
    struct vmbus_channel *channel; /* NULL: forgotten, or never heard of */
    bool listens;
    uint32_t vp;      /* where its interrupts go */
    unsigned signals; /* so often were they sent */
    bool serve;       /* asked for, and not done yet */
    cycles_t wake_at; /* 0 at first */
};

struct fake_guest {
    uint8_t *memory; /* FAKE_GUEST_PAGES, from GPA 0 */
    struct guest_memory guest_memory;
    struct hypervisor hv; /* a trace, and nothing else */
    struct cost_bill bill;
    struct hv_context context;
    struct vmbus *bus;

    struct fake_post *posts;
    unsigned post_count, posts_read;
    struct fake_service services[VMBUS_CHANNELS_MAX];
    enum hv_status listen_status; /* of the next listen() */
    unsigned forgotten;

    uint32_t connection_id; /* where its messages go */
    uint32_t next_gpadl_id;
    uint32_t next_page; /* what was not handed out yet */
};

/* The guest's ends of a channel's rings. */
struct fake_channel {
    uint32_t relid;
    uint32_t gpadl_id;
    uint32_t page;     /* of the first control page */
    uint32_t pages[2]; /* guest to host, host to guest */
};

enum fake_ring { FAKE_TO_HOST, FAKE_FROM_HOST };

void fake_guest_setup(struct fake_guest *guest);
void fake_guest_teardown(struct fake_guest *guest);

/** Offers a channel of a device, with its own GUID, and returns its relid. */
uint32_t fake_guest_offer(struct fake_guest *guest,
                          const struct vmbus_device_ops *ops, void *device);

/** Sends a message to the connection agreed on. */
void fake_guest_send(struct fake_guest *guest, const void *message,
                     uint32_t bytes);
/** INITIATE_CONTACT as Linux would, to the VP; reads no answer. */
void fake_guest_contact(struct fake_guest *guest, uint32_t version,
                        uint32_t vp);
/** Connects to VP 0 with that version, asks for offers and forgets them. */
void fake_guest_connect(struct fake_guest *guest, uint32_t version);

/** The next message from the host, asserted to be of that type and size. */
const struct fake_post *fake_guest_expect(struct fake_guest *guest,
                                          enum vmbus_message_type type,
                                          uint32_t bytes);
void fake_guest_expect_silence(const struct fake_guest *guest);

/** `count` fresh pages of zeros; the number of the first. */
uint32_t fake_guest_pages(struct fake_guest *guest, uint32_t count);
/** Lends pages to a channel, in one range; the GPADL's id. */
uint32_t fake_guest_lend(struct fake_guest *guest, uint32_t relid,
                         uint32_t page, uint32_t count);
/** Sends the header and bodies of a GPADL; reads no answer. */
void fake_guest_send_gpadl(struct fake_guest *guest, uint32_t relid,
                           uint32_t id, uint32_t range_count,
                           const uint64_t *words, uint32_t word_count);

/** Lends rings of so many pages each and opens the channel for VP 0. */
struct fake_channel fake_guest_open(struct fake_guest *guest, uint32_t relid,
                                    uint32_t pages);
/** OPEN_CHANNEL for rings that were lent before; reads no answer. */
void fake_guest_send_open(struct fake_guest *guest,
                          const struct fake_channel *channel,
                          uint32_t target_vp, uint32_t open_id);
void fake_guest_close(struct fake_guest *guest, uint32_t relid);

struct vmbus_ring_control *fake_guest_ring(struct fake_guest *guest,
                                           const struct fake_channel *channel,
                                           enum fake_ring ring);
uint8_t *fake_guest_ring_data(struct fake_guest *guest,
                              const struct fake_channel *channel,
                              enum fake_ring ring);
uint32_t fake_guest_ring_bytes(const struct fake_channel *channel,
                               enum fake_ring ring);

/** Writes a packet whose first `head_bytes` of `body` are not its payload.
 *  True if the host is to be signalled: it then is served at the next run. */
bool fake_guest_put(struct fake_guest *guest,
                    const struct fake_channel *channel,
                    enum vmbus_packet_type type, uint16_t flags,
                    uint64_t transaction_id, const void *body,
                    uint32_t head_bytes, uint32_t bytes);

/** Takes a packet: its descriptor, and what follows it, at most `room` bytes.
 *  False if there is none. Signals the host as Linux does if it waits. */
bool fake_guest_get(struct fake_guest *guest,
                    const struct fake_channel *channel,
                    struct vmbus_packet_descriptor *descriptor, void *body,
                    uint32_t room);

/** Serves every channel that is to be, until nothing is left to do. */
void fake_guest_run(struct fake_guest *guest);
/** The guest signals a channel: it is served. */
void fake_guest_signal(struct fake_guest *guest, uint32_t relid);

#endif
