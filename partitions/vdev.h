/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_PARTITIONS_VDEV_H
#define HVSIM_PARTITIONS_VDEV_H

/**
 * A virtual device of a VM, emulated in its worker process. A device answers
 * port accesses; it knows neither its VM nor who raises its interrupt. Owned
 * by the worker process (vmwp.c).
 */

#include "sim/core/types.h"

struct vdev;

struct vdev_ops {
    const char *name; /* "16550 UART" */
    /** A read of `bytes` (1, 2 or 4) at `offset` from the first port. */
    uint32_t (*read)(struct vdev *vdev, uint16_t offset, uint32_t bytes);
    void (*write)(struct vdev *vdev, uint16_t offset, uint32_t bytes,
                  uint32_t value);
    /** The VM is switched off: as after power-on. */
    void (*reset)(struct vdev *vdev);
    /** Frees the device. */
    void (*free)(struct vdev *vdev);
};

/** The first member of every device's own struct. */
struct vdev {
    const struct vdev_ops *ops;
    uint16_t first_port;
    uint16_t port_count;
};

static inline bool vdev_claims(const struct vdev *vdev, uint16_t port)
{
    return port >= vdev->first_port &&
           port - vdev->first_port < vdev->port_count;
}

#endif
