/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_PARTITIONS_VDEV_I8042_H
#define HVSIM_PARTITIONS_VDEV_I8042_H

/**
 * The keyboard controller of a PC (Intel 8042) with neither keyboard nor mouse,
 * and port 92h. Firmware tables do not announce it: it is for guests that know
 * no others, and expect it to open the A20 gate, which is open always, and to
 * reset the machine.
 */

#include "partitions/vdev.h"

/** The guest pulls the reset line. */
typedef void vdev_i8042_reset_fn(void *context);

/** NULL if out of memory. `context` is borrowed. */
struct vdev *vdev_i8042_create(vdev_i8042_reset_fn *on_reset, void *context);

#endif
