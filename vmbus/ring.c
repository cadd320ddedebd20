/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmbus/ring.h"

#include <string.h>

/* The fields that change lie at the beginning of the control page. */
struct indices {
    uint32_t write, read, mask, pending;
};

static_assert(offsetof(struct vmbus_ring_control, pending_send_bytes) ==
                  offsetof(struct indices, pending),
              "VMBus");

static bool read_indices(const struct vmbus_ring *ring, struct indices *indices)
{
    return vmbus_ranges_read(ring->ranges, ring->memory, ring->control, indices,
                             sizeof(*indices));
}

static bool write_control(const struct vmbus_ring *ring, size_t field,
                          uint32_t value)
{
    return vmbus_ranges_write(ring->ranges, ring->memory, ring->control + field,
                              &value, sizeof(value));
}

static bool index_is_valid(const struct vmbus_ring *ring, uint32_t index)
{
    return index < ring->data_bytes && index % 8 == 0;
}

static uint32_t index_add(const struct vmbus_ring *ring, uint32_t index,
                          uint32_t bytes)
{
    return (uint32_t)(((uint64_t)index + bytes) % ring->data_bytes);
}

/** How much lies between a consumer at `read` and a producer at `write`. */
static uint32_t used_bytes(const struct vmbus_ring *ring, uint32_t read,
                           uint32_t write)
{
    return write >= read ? write - read : ring->data_bytes - (read - write);
}

/** Copies from the ring's data at `index`, around its end if need be. */
static bool copy_out(const struct vmbus_ring *ring, uint32_t index, void *to,
                     uint32_t bytes)
{
    uint64_t data = ring->control + PAGE_BYTES;
    uint32_t first = ring->data_bytes - index;

    if (bytes == 0)
        return true;
    if (first > bytes)
        first = bytes;
    return vmbus_ranges_read(ring->ranges, ring->memory, data + index, to,
                             first) &&
           vmbus_ranges_read(ring->ranges, ring->memory, data,
                             (uint8_t *)to + first, bytes - first);
}

/** Copies to the ring's data at *index, likewise, and moves *index on. */
static bool copy_in(const struct vmbus_ring *ring, uint32_t *index,
                    const void *from, uint32_t bytes)
{
    uint64_t data = ring->control + PAGE_BYTES;
    uint32_t first = ring->data_bytes - *index;

    if (bytes == 0)
        return true;
    if (first > bytes)
        first = bytes;
    bool copied =
        vmbus_ranges_write(ring->ranges, ring->memory, data + *index, from,
                           first) &&
        vmbus_ranges_write(ring->ranges, ring->memory, data,
                           (const uint8_t *)from + first, bytes - first);
    *index = index_add(ring, *index, bytes);
    return copied;
}

/** Fills *ring but for its index; false if there are no such pages. */
static bool place(struct vmbus_ring *ring, struct guest_memory memory,
                  const struct vmbus_ranges *ranges, uint32_t first_page,
                  uint32_t page_count)
{
    uint64_t pages = vmbus_ranges_bytes(ranges) >> PAGE_SHIFT;

    if (!vmbus_ranges_is_contiguous(ranges) ||
        page_count < VMBUS_RING_PAGES_MIN ||
        (uint64_t)first_page + page_count > pages)
        return false;
    *ring = (struct vmbus_ring){
        .memory = memory,
        .ranges = ranges,
        .control = (uint64_t)first_page << PAGE_SHIFT,
        .data_bytes = (page_count - 1) << PAGE_SHIFT,
    };
    return true;
}

enum vmbus_ring_result
vmbus_ring_attach_consumer(struct vmbus_ring *ring, struct guest_memory memory,
                           const struct vmbus_ranges *ranges,
                           uint32_t first_page, uint32_t page_count)
{
    struct indices indices;

    if (!place(ring, memory, ranges, first_page, page_count) ||
        !read_indices(ring, &indices) || !index_is_valid(ring, indices.read) ||
        !write_control(ring, offsetof(struct vmbus_ring_control, feature_bits),
                       VMBUS_RING_PENDING_SEND))
        return VMBUS_RING_CORRUPT;
    ring->index = indices.read;
    return VMBUS_RING_OK;
}

enum vmbus_ring_result
vmbus_ring_attach_producer(struct vmbus_ring *ring, struct guest_memory memory,
                           const struct vmbus_ranges *ranges,
                           uint32_t first_page, uint32_t page_count)
{
    struct indices indices;

    if (!place(ring, memory, ranges, first_page, page_count) ||
        !read_indices(ring, &indices) || !index_is_valid(ring, indices.write))
        return VMBUS_RING_CORRUPT;
    ring->index = indices.write;
    return VMBUS_RING_OK;
}

static bool
descriptor_is_valid(const struct vmbus_packet_descriptor *descriptor,
                    uint32_t used)
{
    return descriptor->data_offset_8 >= sizeof(*descriptor) / 8 &&
           descriptor->data_offset_8 <= descriptor->length_8 &&
           vmbus_packet_bytes(descriptor) + VMBUS_TRAILER_BYTES <= used;
}

enum vmbus_ring_result
vmbus_ring_peek(struct vmbus_ring *ring,
                struct vmbus_packet_descriptor *descriptor)
{
    struct indices indices;

    if (!read_indices(ring, &indices) || !index_is_valid(ring, indices.write))
        return VMBUS_RING_CORRUPT;
    uint32_t used = used_bytes(ring, ring->index, indices.write);
    if (used == 0)
        return VMBUS_RING_WAIT;
    if (!copy_out(ring, ring->index, descriptor, sizeof(*descriptor)) ||
        !descriptor_is_valid(descriptor, used))
        return VMBUS_RING_CORRUPT;
    return VMBUS_RING_OK;
}

/**
 * Whether a producer that waits for `pending` bytes is to be signalled when
 * the free ones grow. It is by some that "more than", by others that "at
 * least" so many are wanted: the crossing of either is signalled, and one too
 * many does no harm.
 */
static bool crosses(uint32_t pending, uint32_t free_before, uint32_t free_now)
{
    return pending != 0 && free_before <= pending && free_now >= pending;
}

enum vmbus_ring_result
vmbus_ring_take(struct vmbus_ring *ring,
                const struct vmbus_packet_descriptor *descriptor, void *to,
                bool *signal)
{
    uint32_t length = vmbus_packet_bytes(descriptor);
    uint32_t head = sizeof(*descriptor);
    struct indices indices;

    if (!copy_out(ring, index_add(ring, ring->index, head), to, length - head))
        return VMBUS_RING_CORRUPT;
    ring->index = index_add(ring, ring->index, length + VMBUS_TRAILER_BYTES);
    /* What the producer waits for counts as it is after the index moved. */
    if (!write_control(ring, offsetof(struct vmbus_ring_control, read_index),
                       ring->index) ||
        !read_indices(ring, &indices) || !index_is_valid(ring, indices.write))
        return VMBUS_RING_CORRUPT;
    uint32_t free_now =
        ring->data_bytes - used_bytes(ring, ring->index, indices.write);
    uint32_t freed = length + VMBUS_TRAILER_BYTES;
    uint32_t free_before = free_now > freed ? free_now - freed : 0;
    *signal = crosses(indices.pending, free_before, free_now);
    return VMBUS_RING_OK;
}

enum vmbus_ring_result vmbus_ring_mask(struct vmbus_ring *ring, bool masked)
{
    size_t field = offsetof(struct vmbus_ring_control, interrupt_mask);

    return write_control(ring, field, masked) ? VMBUS_RING_OK
                                              : VMBUS_RING_CORRUPT;
}

/** What has to be free for a packet, and one byte more: a full ring would look
 *  like an empty one. */
static uint64_t needed_bytes(uint64_t packet_bytes)
{
    return packet_bytes + VMBUS_TRAILER_BYTES;
}

static enum vmbus_ring_result look_for_room(const struct vmbus_ring *ring,
                                            uint64_t packet_bytes)
{
    struct indices indices;

    if (!read_indices(ring, &indices) || !index_is_valid(ring, indices.read))
        return VMBUS_RING_CORRUPT;
    uint32_t used = used_bytes(ring, indices.read, ring->index);
    return needed_bytes(packet_bytes) < ring->data_bytes - used
               ? VMBUS_RING_OK
               : VMBUS_RING_WAIT;
}

/**
 * Says what we wait for. A consumer may signal at "at least" so much, or at
 * more: 8 bytes beyond what is needed, the first fits and the second comes,
 * unless no more than that can ever be free.
 */
static bool publish_wait(const struct vmbus_ring *ring, uint64_t packet_bytes)
{
    uint64_t pending = needed_bytes(packet_bytes) + 8;

    if (pending > ring->data_bytes - 8)
        pending = ring->data_bytes - 8;
    return write_control(
        ring, offsetof(struct vmbus_ring_control, pending_send_bytes),
        (uint32_t)pending);
}

enum vmbus_ring_result vmbus_ring_poll_room(struct vmbus_ring *ring,
                                            uint64_t packet_bytes)
{
    enum vmbus_ring_result result = look_for_room(ring, packet_bytes);

    if (result == VMBUS_RING_OK &&
        !write_control(
            ring, offsetof(struct vmbus_ring_control, pending_send_bytes), 0))
        return VMBUS_RING_CORRUPT;
    return result;
}

/** OK if the packet fits; else we wait, unless the guest has made room
 *  meanwhile: it may have looked before it was told that we wait. */
static enum vmbus_ring_result reserve(struct vmbus_ring *ring,
                                      uint64_t packet_bytes)
{
    if (packet_bytes / 8 > UINT16_MAX ||
        needed_bytes(packet_bytes) >= ring->data_bytes)
        return VMBUS_RING_CORRUPT;
    enum vmbus_ring_result result = look_for_room(ring, packet_bytes);
    if (result != VMBUS_RING_WAIT)
        return result;
    if (!publish_wait(ring, packet_bytes))
        return VMBUS_RING_CORRUPT;
    return vmbus_ring_poll_room(ring, packet_bytes);
}

/** Writes descriptor, pieces, padding and trailer from *index on. */
static bool write_packet(const struct vmbus_ring *ring, uint32_t *index,
                         const struct vmbus_packet_descriptor *descriptor,
                         const struct vmbus_piece *pieces, unsigned piece_count)
{
    static const uint8_t zeros[8];
    uint64_t trailer = (uint64_t)*index << 32;

    if (!copy_in(ring, index, descriptor, sizeof(*descriptor)))
        return false;
    for (unsigned i = 0; i < piece_count; i++) {
        if (!copy_in(ring, index, pieces[i].data, (uint32_t)pieces[i].bytes))
            return false;
    }
    return copy_in(ring, index, zeros, -*index & 7) &&
           copy_in(ring, index, &trailer, sizeof(trailer));
}

/** Shows the guest what was written up to `index`. It is signalled if it does
 *  not look by itself: it had emptied the ring, and masks nothing. */
static enum vmbus_ring_result publish(struct vmbus_ring *ring, uint32_t index,
                                      bool *signal)
{
    uint32_t old_index = ring->index;
    struct indices indices;

    ring->index = index;
    if (!write_control(ring, offsetof(struct vmbus_ring_control, write_index),
                       index) ||
        !read_indices(ring, &indices))
        return VMBUS_RING_CORRUPT;
    *signal = indices.mask == 0 && indices.read == old_index;
    return VMBUS_RING_OK;
}

enum vmbus_ring_result vmbus_ring_put(
    struct vmbus_ring *ring, const struct vmbus_packet_descriptor *descriptor,
    const struct vmbus_piece *pieces, unsigned piece_count, bool *signal)
{
    struct vmbus_packet_descriptor sent = *descriptor;
    uint64_t bytes = 0;

    for (unsigned i = 0; i < piece_count; i++)
        bytes += pieces[i].bytes;
    uint64_t packet_bytes = vmbus_ring_packet_bytes(bytes);
    enum vmbus_ring_result room = reserve(ring, packet_bytes);
    if (room != VMBUS_RING_OK)
        return room;

    sent.length_8 = (uint16_t)(packet_bytes / 8);
    uint32_t index = ring->index;
    if (!write_packet(ring, &index, &sent, pieces, piece_count))
        return VMBUS_RING_CORRUPT;
    return publish(ring, index, signal);
}
