/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_PARTITIONS_VDEV_IOAPIC_H
#define HVSIM_PARTITIONS_VDEV_IOAPIC_H

/**
 * An I/O APIC (Intel 82093AA data sheet): index and data window, 24 pins, each
 * with a redirection entry. Its interrupts are not sent by itself: it keeps
 * them until the worker process takes and sends them, one by one and for a
 * price, by HvCallAssertVirtualInterrupt.
 *
 * The register at 40h of later I/O APICs (EOI, version 20h on) is not there.
 */

#include "partitions/vdev.h"

struct vdev_ioapic;

enum vdev_ioapic_delivery {
    IOAPIC_FIXED = 0,
    IOAPIC_LOWEST_PRIORITY = 1,
    IOAPIC_SMI = 2,
    IOAPIC_NMI = 4,
    IOAPIC_INIT = 5,
    IOAPIC_EXTINT = 7,
};

struct vdev_ioapic_interrupt {
    enum vdev_ioapic_delivery delivery;
    uint8_t vector;
    uint8_t destination;
    bool logical;
    bool level; /* triggered */
};

/** NULL if out of memory. */
struct vdev *vdev_ioapic_create(void);

/** An input pin changes; out of range: ignored. */
void vdev_ioapic_set_pin(struct vdev *vdev, unsigned pin, bool level);

/** Whether there is an interrupt to take. */
bool vdev_ioapic_pending(const struct vdev *vdev);

/** Takes the next interrupt to be sent, the lowest pin first. False if there
 *  is none. */
bool vdev_ioapic_take(struct vdev *vdev, struct vdev_ioapic_interrupt *out);

/** A local APIC has ended this level-triggered vector: pins that are still
 *  asserted interrupt again. */
void vdev_ioapic_eoi(struct vdev *vdev, uint8_t vector);

#endif
