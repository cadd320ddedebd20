/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_PARTITIONS_VDEV_PM_H
#define HVSIM_PARTITIONS_VDEV_PM_H

/**
 * ACPI fixed hardware (ACPI 6.5, "ACPI Hardware Specification"): PM1 status,
 * enable and control, the PM timer of 32 bits, and the reset register. ACPI
 * mode is always on (SCI_EN reads 1). Its interrupt is the SCI, raised by the
 * timer's overflow and, where processors may be added, by the general-purpose
 * event that tells of a new one (platform.h): there are no buttons.
 */

#include "partitions/vdev.h"

/** What a guest asks for. */
enum vdev_pm_request { VDEV_PM_POWER_OFF, VDEV_PM_RESET };

typedef void vdev_pm_request_fn(void *context, enum vdev_pm_request request);

/** NULL if out of memory. `context` is borrowed. */
struct vdev *vdev_pm_create(vdev_pm_request_fn *on_request, void *context);

/** Gives the device, before it is on its bus, what tells of processors. */
void vdev_pm_tell_processors(struct vdev *pm);

/** At a start there are `count` of them, 1 to 64: the guest is not told. */
void vdev_pm_set_processors(struct vdev *pm, uint32_t count);

/** Processor `index` is there from now on: the guest is told of it. */
void vdev_pm_add_processor(struct vdev *pm, uint64_t now_ns, uint32_t index);

#endif
