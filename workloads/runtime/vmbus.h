/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_WORKLOADS_RUNTIME_VMBUS_H
#define HVSIM_WORKLOADS_RUNTIME_VMBUS_H

/**
 * VMBus, the guest's side: messages to and from the host, and channels with
 * their two rings. For the first processor alone, which looks for itself:
 * interrupts are only counted. Layouts are as Linux sends them (drivers/hv,
 * include/linux/hyperv.h).
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define VMBUS_VERSION(major, minor) ((uint32_t)(major) << 16 | (minor))
#define VMBUS_CONNECTION_OLD 1u /* for contact below 5.0 */
#define VMBUS_CONNECTION_NEW 4u

#define VMBUS_SINT 2
#define VMBUS_VECTOR 0xb8

/* Types of messages. */
#define VMBUS_OFFER_CHANNEL 1u
#define VMBUS_RESCIND 2u
#define VMBUS_REQUEST_OFFERS 3u
#define VMBUS_ALL_OFFERS_DELIVERED 4u
#define VMBUS_OPEN_CHANNEL 5u
#define VMBUS_OPEN_RESULT 6u
#define VMBUS_CLOSE_CHANNEL 7u
#define VMBUS_GPADL_HEADER 8u
#define VMBUS_GPADL_CREATED 10u
#define VMBUS_GPADL_TEARDOWN 11u
#define VMBUS_GPADL_TORNDOWN 12u
#define VMBUS_RELID_RELEASED 13u
#define VMBUS_INITIATE_CONTACT 14u
#define VMBUS_VERSION_RESPONSE 15u
#define VMBUS_UNLOAD 16u
#define VMBUS_UNLOAD_RESPONSE 17u
#define VMBUS_MODIFY_CHANNEL 22u
#define VMBUS_MODIFY_RESPONSE 24u

/** A message: words of 32 bits, of which the first is its type. */
#define VMBUS_MESSAGE_WORDS 60
struct vmbus_message {
    uint32_t words[VMBUS_MESSAGE_WORDS];
    uint32_t bytes;
};

/** How long an answer may take. */
#define VMBUS_PATIENCE_NS UINT64_C(100000000)

/** Prepares the pages and the vector. Once. */
void vmbus_init(void);
/** Switches the SynIC on for VMBus, or off; messages in the slot are lost. */
void vmbus_enable(void);
void vmbus_disable(void);

/** Posts a message; returns the call's status. */
uint16_t vmbus_send(uint32_t connection, const void *message, uint32_t bytes);

/** Waits for a message, at most `ns`. False if none has come. */
bool vmbus_receive(struct vmbus_message *message, uint64_t ns);
/** The same for one of that type; others are dropped. */
bool vmbus_receive_type(struct vmbus_message *message, uint32_t type);

/** InitiateContact by the connection that the version calls for, with the
 *  host's messages to go to VP `vp`. Returns the call's status. */
uint16_t vmbus_initiate_contact(uint32_t version, uint32_t vp);

/** The newest version that the host takes, agreed on; 0: none. */
uint32_t vmbus_connect(void);
/** Which connection messages go to; set by vmbus_connect(). */
uint32_t vmbus_connection(void);
void vmbus_set_connection(uint32_t connection);
/** Ends the connection; false if that is not answered. */
bool vmbus_unload(void);

struct vmbus_offer {
    uint32_t class_id[4], instance_id[4];
    uint16_t flags, sub_channel;
    uint32_t relid, connection;
    uint8_t monitor_allocated;
    uint16_t is_dedicated;
};

/** Asks for offers and takes them until all are delivered. Returns how many
 *  there are, of which at most `most` are stored. */
size_t vmbus_request_offers(struct vmbus_offer *offers, size_t most);

/** Words of GUIDs, as they lie in memory. */
extern const uint32_t vmbus_heartbeat_class[4];

/** The offer of that class among `count`, or NULL. */
const struct vmbus_offer *vmbus_find(const struct vmbus_offer *offers,
                                     size_t count, const uint32_t class_id[4]);

/** A channel that is open. Each ring has a page for control and some of data;
 *  they lie one behind the other, the guest's own first. */
struct vmbus_channel {
    const struct vmbus_offer *offer;
    uint8_t *rings;
    uint32_t pages; /* of each ring */
    uint32_t gpadl;
};

/** Lends the pages as GPADL `gpadl`; returns the host's status. */
uint32_t vmbus_lend(const struct vmbus_offer *offer, const void *pages,
                    uint32_t count, uint32_t gpadl);
/** Takes them back; false if that is not answered. */
bool vmbus_take_back(const struct vmbus_offer *offer, uint32_t gpadl);

/** Opens the channel with rings of `pages` pages each; the channel's interrupts
 *  go to VP `vp`. Returns the host's status. */
uint32_t vmbus_open(struct vmbus_channel *channel,
                    const struct vmbus_offer *offer, uint32_t pages,
                    uint32_t vp);
/** Closes it and takes the rings back. */
bool vmbus_close(struct vmbus_channel *channel);

/** What the host, as the consumer of the guest's ring, says it can do. */
uint32_t vmbus_host_features(const struct vmbus_channel *channel);
/** Tells the host that the guest looks for packets anyway, or does not. */
void vmbus_mask(const struct vmbus_channel *channel, bool masked);
/** The channel's event flag at the first processor; cleared by this. */
bool vmbus_take_flag(uint32_t relid);

#define VMBUS_PACKET_IN_BAND 6u
#define VMBUS_PACKET_COMPLETION 11u
#define VMBUS_PACKET_BYTES_MAX 1024

struct vmbus_packet {
    uint16_t type, flags;
    uint64_t transaction;
    uint32_t bytes;
    uint8_t payload[VMBUS_PACKET_BYTES_MAX];
};

/** Puts an in-band packet on the ring and signals the host if it must be. False
 *  if there is no room. */
bool vmbus_write(struct vmbus_channel *channel, uint64_t transaction,
                 const void *payload, uint32_t bytes);

/** The same for one that is to be answered by a completion. */
bool vmbus_request(struct vmbus_channel *channel, uint64_t transaction,
                   const void *payload, uint32_t bytes);

/** Waits for a packet, at most `ns`. False if none has come, or it is too
 *  long. */
bool vmbus_read(struct vmbus_channel *channel, struct vmbus_packet *packet,
                uint64_t ns);

#endif
