/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_WORKLOADS_HVTESTS_MESSAGE_H
#define HVSIM_WORKLOADS_HVTESTS_MESSAGE_H

/**
 * A message slot of the first processor, and messages for it: its synthetic
 * timers send them, being the one source that a guest has to itself. Several
 * timers share the SINT, and so contend for the slot.
 * Source: TLFS, "Virtual Interrupt Controller", "Synthetic Timers".
 */

#include <stdbool.h>
#include <stdint.h>

#define MESSAGE_MSR_SCONTROL 0x40000080u
#define MESSAGE_MSR_SIEFP 0x40000082u
#define MESSAGE_MSR_SIMP 0x40000083u
#define MESSAGE_MSR_EOM 0x40000084u
#define MESSAGE_MSR_SINT0 0x40000090u

#define MESSAGE_SINT 2
#define MESSAGE_MSR_SINT (MESSAGE_MSR_SINT0 + MESSAGE_SINT)
#define MESSAGE_MASKED UINT64_C(0x10000)
#define MESSAGE_AUTO_EOI UINT64_C(0x20000)
#define MESSAGE_POLLING UINT64_C(0x40000)
#define MESSAGE_VECTOR 0xb0
#define MESSAGE_VECTOR_DIRECT 0xb1 /* of timers in direct mode */

#define MESSAGE_TIMERS 4
#define MESSAGE_TIMER_SINT ((uint64_t)MESSAGE_SINT << 16) /* in CONFIG */
#define MESSAGE_TIMER_EXPIRED 0x80000010u
#define MESSAGE_PENDING 1 /* in a slot's flags */

#define MESSAGE_UNITS_PER_MS UINT64_C(10000)
#define MESSAGE_NS_PER_MS UINT64_C(1000000)

struct message_slot {
    volatile uint32_t type;
    volatile uint8_t payload_bytes, flags;
    uint16_t reserved;
    uint64_t origin;
    volatile uint32_t timer;
    uint32_t reserved2;
    volatile uint64_t expiration, delivery;
    uint8_t rest[256 - 40];
};

/** Prepares the page and the handlers. Once. */
void message_init(void);

/** All 16 slots, as far as the page is enabled. */
struct message_slot *message_slots(void);

/** Enables the page and the SynIC, with `sint` in the SINT's register; no
 *  interrupts are counted so far. Returns the SINT's slot, empty. */
struct message_slot *message_open(uint64_t sint);
/** Stops all timers, masks the SINT, disables SynIC and page. */
void message_close(void);

/** The timer expires at once: by message, or in direct mode. Returns the time
 *  that it was due at. */
uint64_t message_expire(unsigned timer);
uint64_t message_expire_direct(unsigned timer);

/** Long enough for anything that is to happen at once. */
void message_wait(void);

/** What Linux does: frees the slot, then looks at what its flags said. */
void message_consume(void);

/** How many interrupts came, of both vectors, since message_open(). */
unsigned message_interrupts(void);

/** Whether the handler leaves out the EOI. */
void message_keeps_in_service(bool keeps);

#endif
