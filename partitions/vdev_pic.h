/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_PARTITIONS_VDEV_PIC_H
#define HVSIM_PARTITIONS_VDEV_PIC_H

/**
 * The two 8259A interrupt controllers of a PC (Intel 8259A data sheet), at
 * ports 20h and A0h, the second at input 2 of the first, and the edge/level
 * registers at 4D0h (Intel 82371AB). Like the I/O APIC, it keeps its interrupt
 * until the worker process takes it: taking stands for the processor's INTA
 * cycles.
 *
 * Not modelled: MCS-80 mode and rotating priorities other than by EOI.
 */

#include "partitions/vdev.h"

/** NULL if out of memory. */
struct vdev *vdev_pic_create(void);

/** Input `irq`, 0 to 15, changes; others, and 2, are ignored. */
void vdev_pic_set_irq(struct vdev *vdev, unsigned irq, bool level);

/** Whether the first controller's INTR is asserted. */
bool vdev_pic_pending(const struct vdev *vdev);

/** The vector that vdev_pic_acknowledge() would give now: with nothing
 *  pending, the spurious one. */
uint8_t vdev_pic_vector(const struct vdev *vdev);

/** The processor takes the interrupt. */
void vdev_pic_acknowledge(struct vdev *vdev);

#endif
