/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_VMBUS_NET_GUEST_H
#define HVSIM_TESTS_VMBUS_NET_GUEST_H

/**
 * A guest with one adapter, for tests of NetVSP: it stands in for the channel
 * and the bus below (net_guest.c defines what channel.h and gpadl.h declare),
 * so that a test decides when there is room and what each packet says.
 */

#include "sim/core/cost.h"
#include "vmbus/netvsp.h"
#include "vmbus/rndis.h"

#define GUEST_RECEIVE_GPADL 0x11u
#define GUEST_SEND_GPADL 0x22u
#define GUEST_SMALL_GPADL 0x33u /* less than a section */
#define GUEST_LARGE_GPADL 0x44u /* more sections than are used */
#define GUEST_SECTIONS 80u
#define GUEST_SET 0xcafeu
#define GUEST_PAGES 0x4800u /* bytes that it sends by GPAs, from 0 */
#define GUEST_SENT_MAX 600u
#define GUEST_FRAME_BYTES 100u
#define GUEST_PAYLOAD_BYTES 64u

/** What the host sent. */
struct guest_sent {
    enum vmbus_packet_type type;
    uint64_t id;
    uint16_t set;
    struct vmbus_transfer_range range;
    uint32_t bytes;
    uint32_t payload[GUEST_PAYLOAD_BYTES / sizeof(uint32_t)];
};

struct net_guest {
    struct vmbus_offer offer;
    struct vswitch_address address;
    struct hv_context context;
    struct cost_bill bill;
    bool room; /* in the host-to-guest ring */
    bool wants_room;
    bool buffers_gone; /* the guest took back what it lent */
    cycles_t wake;
    uint64_t next_id;
    uint32_t sent_first, sent_count;
    struct guest_sent sent[GUEST_SENT_MAX];
    uint8_t receive[GUEST_SECTIONS * NETVSP_RECEIVE_SECTION_BYTES];
    uint8_t send[4 * NETVSP_SEND_SECTION_BYTES + 100]; /* four, and a rest */
    uint8_t pages[GUEST_PAGES]; /* the last is only half there */
};

/** The VM of that number, connected to `vswitch`, its channel open. The caller
 *  frees it. */
struct net_guest *guest_create(struct vswitch *vswitch, uint32_t vm_number);
void guest_free(struct net_guest *guest);

/** Closes the channel, as the bus does, and opens it again. */
void guest_close(struct net_guest *guest);
void guest_open(struct net_guest *guest);

/** Hands a packet to the device; what it says of it. */
bool guest_packet(struct net_guest *guest, enum vmbus_packet_type type,
                  bool completion_wanted, uint64_t id, const void *payload,
                  uint32_t bytes, struct vmbus_ranges *ranges);

/** An NVSP message of so many words that wants to be completed. */
bool guest_message(struct net_guest *guest, const uint32_t *words,
                   uint32_t count);

/** Lets time reach `now`, the device send what it wants to, and gives room
 *  that it waits for, if there is any. */
void guest_run(struct net_guest *guest, cycles_t now);

/** The next that the host sent, asserted to be there; and whether there is. */
const struct guest_sent *guest_take(struct net_guest *guest);
bool guest_has(const struct net_guest *guest);

/** The next that the host sent is a completion with that message type; its
 *  words after the type. */
const uint32_t *guest_completion(struct net_guest *guest, uint32_t type);

/** INIT with that version, NDIS version, both buffers, all answered. */
void guest_connect(struct net_guest *guest, uint32_t version);

/** An RNDIS message by section 0 of the send buffer, or by GPAs; the status
 *  of its completion. */
uint32_t guest_send_rndis(struct net_guest *guest, uint32_t channel,
                          const void *data, uint32_t bytes);
uint32_t guest_send_pages(struct net_guest *guest, uint32_t channel,
                          uint32_t section_bytes, uint32_t page_offset,
                          uint32_t bytes);

/** The next that the host sent is in a section of the receive buffer: the
 *  message, valid until the section is used again; `packet` gets what named
 *  it, to be completed. */
const uint8_t *guest_receive(struct net_guest *guest, uint32_t *bytes,
                             struct guest_sent *packet);
/** The guest is done with a section. */
bool guest_done(struct net_guest *guest, const struct guest_sent *packet);

/** Connects, initialises RNDIS and sets the usual filter; all answers taken. */
void guest_bring_up(struct net_guest *guest, uint32_t version);

/** Builds a packet message of a frame at `out`; its size. */
uint32_t guest_frame(uint8_t *out, struct vswitch_address to,
                     struct vswitch_address from, uint32_t frame_bytes,
                     uint8_t mark);

/** Sends a frame of GUEST_FRAME_BYTES that is known by its mark; a status. */
uint32_t guest_send_mark(struct net_guest *from, const struct net_guest *to,
                         uint8_t mark);
/** The mark of the frame that comes next; its section stays the guest's. */
uint8_t guest_receive_mark(struct net_guest *guest, struct guest_sent *packet);

/** Two guests at one switch, for every test: VMs 1 and 2. */
extern struct vswitch *lan;
extern struct net_guest *alice, *bob;
int guest_set_up(void **state);
int guest_clean_up(void **state);

#endif
