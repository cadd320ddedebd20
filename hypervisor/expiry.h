/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_EXPIRY_H
#define HVSIM_HYPERVISOR_EXPIRY_H

/**
 * What all virtual timers have in common when one expires. Called by the
 * event queue's callbacks in lapic_timer.c and stimer.c.
 */

#include "hypervisor/hypervisor.h"

/** How traces number timers: the synthetic ones 0..3, then the APIC's. */
#define EXPIRY_LAPIC_TIMER 4
#define EXPIRY_MONITOR 5 /* a look at a monitor page of the partition */

/**
 * Counts and traces the expiry of a timer of `vp` and returns the context in
 * which it is handled. A physical timer served it: its cost is owed by the VP.
 */
struct hv_context expiry_begin(struct hv_vp *vp, cycles_t now,
                               uint64_t timer_number);

#endif
