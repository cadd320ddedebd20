/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_WORKLOADS_HVTESTS_RULE_H
#define HVSIM_WORKLOADS_HVTESTS_RULE_H

/**
 * The rules of rule.def: rule_NN_NAME() is the test of rule NN. They run on
 * the first processor, with interrupts on, while the others watch; see below.
 */

#include <stdint.h>

#define RULE(number, name) void rule_##number##_##name(void);
#include "workloads/hvtests/rule.def"
#undef RULE

#define RULE_CPUS 3

/** What each of the other processors found before it did anything. */
struct rule_first_look {
    uint64_t scontrol;
    uint32_t vp_index, apic_id;
};
extern struct rule_first_look rule_first_looks[RULE_CPUS];

/** The message pages of the other processors, which do not look at them: their
 *  SINTs are masked, and so messages only land. A slot begins with its type;
 *  word 4 is the first of the payload. */
extern uint32_t *rule_slots[RULE_CPUS];
#define RULE_SLOT_WORDS 64

/** Where the others read over and over, and so keep their translations: a
 *  few pages, whose last one is looked at. */
#define RULE_WINDOW UINT64_C(0x0000600000000000)
#define RULE_WINDOW_PAGES 4

/** The last value that the processor read there. */
extern volatile uint64_t rule_seen[RULE_CPUS];

/** How often the processor read the reference time from the page and found it
 *  outside what the counter said before and after. */
extern volatile uint64_t rule_time_wrong[RULE_CPUS];
extern volatile uint64_t rule_time_looks[RULE_CPUS];

#endif
