/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_MACHINE_SCHED_LAWS_PRIVATE_H
#define HVSIM_TESTS_MACHINE_SCHED_LAWS_PRIVATE_H

/** Shared by sched_laws.c (VPs) and sched_laws_lp.c (LPs). */

#include "tests/machine/sched_laws.h"

/** Writes what is wrong; returns false. */
bool law_broken(char *text, const char *format, ...) PRINTF_LIKE(2, 3);

/** What a VP pays at a stretch when it begins, before its LP can be told
 *  anything, for timers that have expired while it waited. */
uint64_t law_owed(const struct story_run *run);

/** Whether VP `vp` of the VM with that control may be on `lp`. */
bool law_may_run(const struct story_control *control, uint32_t vp, uint32_t lp);

/** True if no control changed in [from, to]; `*at` is which were in force. */
bool law_controls_constant(const struct story *story, uint64_t from,
                           uint64_t to, size_t *at);

/** How much of the wait a limit or a cap explains. */
uint64_t law_parked(const struct story_wait *wait);
/** The same question of a wait that has not ended. */
bool law_may_be_parked(const struct story_control *control);

#endif
