/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_PARTITIONS_VDEV_RTC_H
#define HVSIM_PARTITIONS_VDEV_RTC_H

/**
 * A CMOS real-time clock (Motorola MC146818A data sheet) with 128 bytes: time
 * and date, alarm, update and periodic interrupts, and memory. It tells the
 * time of a fixed date at the machine's start, and simulated time since.
 *
 * Not modelled: the divider chain's reset, daylight saving, square wave.
 */

#include "partitions/vdev.h"

/** 2024-01-01 00:00:00, a Monday, in seconds since 1970. */
#define VDEV_RTC_START_SECONDS INT64_C(1704067200)

/** At ports 70h and 71h. NULL if out of memory. */
struct vdev *vdev_rtc_create(void);

#endif
