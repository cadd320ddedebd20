/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_PARTITIONS_VDEV_PIT_H
#define HVSIM_PARTITIONS_VDEV_PIT_H

/**
 * An 8254 interval timer (Intel 8254 data sheet) at ports 40h to 43h, and what
 * port 61h of a PC has to do with it: the gate of counter 2, and its output.
 * Counter 0 interrupts, counter 1 refreshes nothing. Counters follow simulated
 * time; periods that pass while nobody looks become one interrupt.
 *
 * Not modelled: the tick that a count takes to be loaded, and the gate's
 * triggers of modes 1 and 5 on counters 0 and 1, whose gates are tied high.
 */

#include "partitions/vdev.h"

#define VDEV_PIT_HZ 1193182

/** NULL if out of memory. */
struct vdev *vdev_pit_create(void);

#endif
