/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_PARTITIONS_VDEV_H
#define HVSIM_PARTITIONS_VDEV_H

/**
 * A virtual device of a VM, emulated in its worker process, and the bus that
 * finds it. A device answers accesses to ports and to guest physical memory,
 * has at most one interrupt line, and may ask to be called at a time. It knows
 * neither its VM nor the interrupt controller. Owned by the worker process
 * (vmwp.c); time is simulated time since the machine's start, handed in.
 */

#include "sim/core/types.h"

struct vdev;

#define VDEV_NEVER UINT64_MAX

struct vdev_ops {
    const char *name; /* "16550 UART" */
    /** The widest access that it takes as one, 1, 2 or 4 bytes: wider ones,
     *  and those not aligned to it, arrive in pieces. */
    uint32_t width;
    /** A read of `bytes` at `offset`, which counts through all of the device's
     *  ranges in order. */
    uint32_t (*read)(struct vdev *vdev, uint64_t now_ns, uint32_t offset,
                     uint32_t bytes);
    void (*write)(struct vdev *vdev, uint64_t now_ns, uint32_t offset,
                  uint32_t bytes, uint32_t value);
    /** The time `deadline_ns` has come, or passed. NULL if it sets none. */
    void (*expire)(struct vdev *vdev, uint64_t now_ns);
    /** The VM is switched off: as after power-on. */
    void (*reset)(struct vdev *vdev);
    /** Frees the device. */
    void (*free)(struct vdev *vdev);
};

/** Who hears of interrupt lines. `gsi`: the platform's number (platform.h). */
struct vdev_irq_sink {
    void *context; /* borrowed */
    void (*set)(void *context, unsigned gsi, bool level);
};

enum vdev_space { VDEV_PORTS, VDEV_MEMORY };

struct vdev_range {
    enum vdev_space space;
    uint64_t first;
    uint32_t count; /* bytes, or ports; never 0 */
};

#define VDEV_RANGES_MAX 3

/** The first member of every device's own struct. */
struct vdev {
    const struct vdev_ops *ops;
    struct vdev_range ranges[VDEV_RANGES_MAX];
    unsigned range_count;
    const struct vdev_irq_sink *irq_sink; /* borrowed; NULL: not connected */
    unsigned gsi;
    bool irq_level;
    uint64_t deadline_ns; /* when it is to expire; VDEV_NEVER */
};

/** The device's interrupt line goes to `level`; no change, no effect. */
void vdev_set_irq(struct vdev *vdev, bool level);

#define VDEV_BUS_MAX 8

struct vdev_bus {
    struct vdev *vdevs[VDEV_BUS_MAX]; /* owns */
    unsigned count;
};

/** Gives the device to the bus. False, and the device is freed, if the bus is
 *  full; false too for NULL. */
bool vdev_bus_add(struct vdev_bus *bus, struct vdev *vdev);
void vdev_bus_free(struct vdev_bus *bus);

/** Reads up to 8 bytes. Where no device is, a bus reads ones. */
uint64_t vdev_bus_read(const struct vdev_bus *bus, uint64_t now_ns,
                       enum vdev_space space, uint64_t address, uint32_t bytes);
/** Writes up to 8 bytes; lost where no device is. */
void vdev_bus_write(const struct vdev_bus *bus, uint64_t now_ns,
                    enum vdev_space space, uint64_t address, uint32_t bytes,
                    uint64_t value);

/** The device at `address`; NULL if there is none. `offset`: within it. */
struct vdev *vdev_bus_find(const struct vdev_bus *bus, enum vdev_space space,
                           uint64_t address, uint32_t *offset);

/** The port number `index` of all that the devices have; false at the end. */
bool vdev_bus_port(const struct vdev_bus *bus, uint64_t index, uint16_t *port);

/** When the first device wants to be called; VDEV_NEVER. */
uint64_t vdev_bus_deadline(const struct vdev_bus *bus);
/** Calls the devices whose time has come, in the order of the bus. */
void vdev_bus_expire(const struct vdev_bus *bus, uint64_t now_ns);
/** As after power-on. */
void vdev_bus_reset(const struct vdev_bus *bus);

/** How often a counter of `hz` ticks until `ns`, rounded down. */
uint64_t vdev_ticks(uint64_t ns, uint64_t hz);
/** The first nanosecond at which vdev_ticks() is at least `ticks`; VDEV_NEVER
 *  if that does not fit. */
uint64_t vdev_ticks_to_ns(uint64_t ticks, uint64_t hz);

#endif
