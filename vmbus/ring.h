/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_VMBUS_RING_H
#define HVSIM_VMBUS_RING_H

/**
 * The host's end of one ring: the consumer of what a guest sends, or the
 * producer of what it receives. The other end is hostile: our own index is
 * kept here and only published, the other's is read and checked each time, and
 * a packet is copied out before it is looked at. A ring that makes no sense is
 * CORRUPT, and the channel's end.
 *
 * Each call that says `signal` tells whether the other end wants to be
 * signalled now; the caller does it. Both ends' rules are those of Linux'
 * ring_buffer.c, which OpenVMM's vmbus_ring shares.
 */

#include <stddef.h>

#include "sim/core/guest_memory.h"
#include "vmbus/ranges.h"
#include "vmbus/vmbus_abi.h"

enum vmbus_ring_result {
    VMBUS_RING_OK,
    VMBUS_RING_WAIT, /* empty, or full */
    VMBUS_RING_CORRUPT,
};

struct vmbus_ring {
    struct guest_memory memory;
    const struct vmbus_ranges *ranges; /* borrowed: the GPADL's */
    uint64_t control;                  /* offset of the control page */
    uint32_t data_bytes;
    uint32_t index; /* ours: read index of a consumer, write of a producer */
};

/** The least that a ring has: its control page and one of data. */
#define VMBUS_RING_PAGES_MIN 2u

/** Attaches to pages `first_page` and on of `ranges`, one range of whole pages
 *  that holds them, at the indices that are there. As a consumer, tells the
 *  guest that we honour pending_send_bytes. */
enum vmbus_ring_result
vmbus_ring_attach_consumer(struct vmbus_ring *ring, struct guest_memory memory,
                           const struct vmbus_ranges *ranges,
                           uint32_t first_page, uint32_t page_count);
enum vmbus_ring_result
vmbus_ring_attach_producer(struct vmbus_ring *ring, struct guest_memory memory,
                           const struct vmbus_ranges *ranges,
                           uint32_t first_page, uint32_t page_count);

/* Consumer. */

/**
 * The next packet's descriptor, checked: it lies within what was written, and
 * its payload within it. WAIT: there is none. The packet stays.
 */
enum vmbus_ring_result
vmbus_ring_peek(struct vmbus_ring *ring,
                struct vmbus_packet_descriptor *descriptor);

/** Copies all that follows the descriptor of the packet peeked at, and
 *  removes it. */
enum vmbus_ring_result
vmbus_ring_take(struct vmbus_ring *ring,
                const struct vmbus_packet_descriptor *descriptor, void *to,
                bool *signal);

/** Asks the guest for no signals while we look anyway, or for signals again.
 *  After the latter look once more: the guest may have been faster. */
enum vmbus_ring_result vmbus_ring_mask(struct vmbus_ring *ring, bool masked);

/* Producer. */

/** A part of a packet: what is behind its descriptor is made of some. */
struct vmbus_piece {
    const void *data;
    size_t bytes;
};

/** What a packet with so many bytes behind its descriptor takes, with padding
 *  and without trailer. */
static inline uint64_t vmbus_ring_packet_bytes(uint64_t bytes)
{
    return (sizeof(struct vmbus_packet_descriptor) + bytes + 7) & ~UINT64_C(7);
}

/**
 * Appends a packet: `descriptor`, whose length_8 is set here, and the pieces.
 * WAIT: it does not fit now, pending_send_bytes says what we wait for, and the
 * guest signals when it has freed it. CORRUPT also for one that can never fit.
 */
enum vmbus_ring_result vmbus_ring_put(
    struct vmbus_ring *ring, const struct vmbus_packet_descriptor *descriptor,
    const struct vmbus_piece *pieces, unsigned piece_count, bool *signal);

/** Whether a packet of that size (vmbus_ring_packet_bytes()) fits now: OK,
 *  and we wait no more, or WAIT. */
enum vmbus_ring_result vmbus_ring_poll_room(struct vmbus_ring *ring,
                                            uint64_t packet_bytes);

#endif
