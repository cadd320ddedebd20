/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "partitions/vdev.h"

#include <stddef.h>

#include "sim/core/check.h"

#define NS_PER_SECOND UINT64_C(1000000000)

__extension__ typedef unsigned __int128 wide_t;

void vdev_set_irq(struct vdev *vdev, bool level)
{
    if (vdev->irq_level == level)
        return;
    vdev->irq_level = level;
    if (vdev->irq_sink)
        vdev->irq_sink->set(vdev->irq_sink->context, vdev->gsi, level);
}

bool vdev_bus_add(struct vdev_bus *bus, struct vdev *vdev)
{
    if (!vdev)
        return false;
    if (bus->count == VDEV_BUS_MAX) {
        vdev->ops->free(vdev);
        return false;
    }
    CHECK(vdev->range_count <= VDEV_RANGES_MAX);
    bus->vdevs[bus->count++] = vdev;
    return true;
}

void vdev_bus_free(struct vdev_bus *bus)
{
    for (unsigned i = 0; i < bus->count; i++)
        bus->vdevs[i]->ops->free(bus->vdevs[i]);
    bus->count = 0;
}

/* True if `address` is the device's; `offset`: counted through its ranges. */
static bool vdev_claims(const struct vdev *vdev, enum vdev_space space,
                        uint64_t address, uint32_t *offset)
{
    uint32_t before = 0;

    for (unsigned i = 0; i < vdev->range_count; i++) {
        const struct vdev_range *range = &vdev->ranges[i];

        if (range->space == space && address >= range->first &&
            address - range->first < range->count) {
            *offset = before + (uint32_t)(address - range->first);
            return true;
        }
        before += range->count;
    }
    return false;
}

struct vdev *vdev_bus_find(const struct vdev_bus *bus, enum vdev_space space,
                           uint64_t address, uint32_t *offset)
{
    for (unsigned i = 0; i < bus->count; i++) {
        if (vdev_claims(bus->vdevs[i], space, address, offset))
            return bus->vdevs[i];
    }
    return NULL;
}

/* The bytes of the next piece: as many as the device takes at once, if they
 * lie where it can take them. */
static uint32_t piece_bytes(const struct vdev *vdev, uint64_t address,
                            uint32_t left)
{
    uint32_t bytes = vdev ? vdev->ops->width : 1;

    CHECK(left > 0);
    while (bytes > left || address % bytes != 0)
        bytes /= 2;
    return bytes;
}

static uint64_t ones(uint32_t bytes)
{
    return bytes >= 8 ? UINT64_MAX : (UINT64_C(1) << (8 * bytes)) - 1;
}

uint64_t vdev_bus_read(const struct vdev_bus *bus, uint64_t now_ns,
                       enum vdev_space space, uint64_t address, uint32_t bytes)
{
    uint64_t value = 0;

    CHECK(bytes <= 8);
    for (uint32_t done = 0, piece; done < bytes; done += piece) {
        uint32_t offset;
        struct vdev *vdev = vdev_bus_find(bus, space, address + done, &offset);
        uint64_t got = UINT64_MAX;

        piece = piece_bytes(vdev, address + done, bytes - done);
        if (vdev)
            got = vdev->ops->read(vdev, now_ns, offset, piece);
        value |= (got & ones(piece)) << (8 * done);
    }
    return value;
}

void vdev_bus_write(const struct vdev_bus *bus, uint64_t now_ns,
                    enum vdev_space space, uint64_t address, uint32_t bytes,
                    uint64_t value)
{
    CHECK(bytes <= 8);
    for (uint32_t done = 0, piece; done < bytes; done += piece) {
        uint32_t offset;
        struct vdev *vdev = vdev_bus_find(bus, space, address + done, &offset);

        piece = piece_bytes(vdev, address + done, bytes - done);
        if (vdev)
            vdev->ops->write(vdev, now_ns, offset, piece,
                             (uint32_t)((value >> (8 * done)) & ones(piece)));
    }
}

bool vdev_bus_port(const struct vdev_bus *bus, uint64_t index, uint16_t *port)
{
    for (unsigned i = 0; i < bus->count; i++) {
        const struct vdev *vdev = bus->vdevs[i];

        for (unsigned k = 0; k < vdev->range_count; k++) {
            const struct vdev_range *range = &vdev->ranges[k];

            if (range->space != VDEV_PORTS)
                continue;
            if (index < range->count) {
                *port = (uint16_t)(range->first + index);
                return true;
            }
            index -= range->count;
        }
    }
    return false;
}

uint64_t vdev_bus_deadline(const struct vdev_bus *bus)
{
    uint64_t first = VDEV_NEVER;

    for (unsigned i = 0; i < bus->count; i++) {
        if (bus->vdevs[i]->deadline_ns < first)
            first = bus->vdevs[i]->deadline_ns;
    }
    return first;
}

void vdev_bus_expire(const struct vdev_bus *bus, uint64_t now_ns)
{
    for (unsigned i = 0; i < bus->count; i++) {
        struct vdev *vdev = bus->vdevs[i];

        if (vdev->deadline_ns <= now_ns && vdev->ops->expire)
            vdev->ops->expire(vdev, now_ns);
    }
}

void vdev_bus_reset(const struct vdev_bus *bus)
{
    for (unsigned i = 0; i < bus->count; i++)
        bus->vdevs[i]->ops->reset(bus->vdevs[i]);
}

uint64_t vdev_ticks(uint64_t ns, uint64_t hz)
{
    return (uint64_t)((wide_t)ns * hz / NS_PER_SECOND);
}

uint64_t vdev_ticks_to_ns(uint64_t ticks, uint64_t hz)
{
    wide_t ns = ((wide_t)ticks * NS_PER_SECOND + hz - 1) / hz;

    return ns < VDEV_NEVER ? (uint64_t)ns : VDEV_NEVER;
}
