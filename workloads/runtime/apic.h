/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_WORKLOADS_RUNTIME_APIC_H
#define HVSIM_WORKLOADS_RUNTIME_APIC_H

/**
 * The local APIC of the calling processor, as x2APIC where CPUID offers it
 * and the argument `apic=xapic` does not forbid it, else through its page.
 * Register numbers are the xAPIC page offsets.
 */

#include <stdbool.h>
#include <stdint.h>

#define APIC_PHYSICAL UINT64_C(0xfee00000)

enum apic_register {
    APIC_ID = 0x20,
    APIC_VERSION = 0x30,
    APIC_TPR = 0x80,
    APIC_PPR = 0xa0,
    APIC_EOI = 0xb0,
    APIC_LDR = 0xd0,
    APIC_SPURIOUS = 0xf0,
    APIC_ISR = 0x100,
    APIC_IRR = 0x200,
    APIC_ESR = 0x280,
    APIC_ICR = 0x300,
    APIC_ICR_HIGH = 0x310, /* xAPIC only */
    APIC_LVT_TIMER = 0x320,
    APIC_TIMER_INITIAL = 0x380,
    APIC_TIMER_CURRENT = 0x390,
    APIC_TIMER_DIVIDE = 0x3e0,
};

#define APIC_VECTOR_SPURIOUS 0xff

/* ICR fields. */
#define APIC_ICR_FIXED 0x000u
#define APIC_ICR_NMI 0x400u
#define APIC_ICR_INIT 0x500u
#define APIC_ICR_STARTUP 0x600u
#define APIC_ICR_PENDING 0x1000u
#define APIC_ICR_ASSERT 0x4000u
#define APIC_ICR_SELF 0x40000u
#define APIC_ICR_ALL 0x80000u
#define APIC_ICR_OTHERS 0xc0000u

/* LVT timer fields. */
#define APIC_LVT_MASKED 0x10000u
#define APIC_LVT_PERIODIC 0x20000u
#define APIC_DIVIDE_BY_1 0xbu

/** Masks the two 8259s that a PC has beside its APICs: firmware leaves their
 *  timer running, on vectors that are exceptions here. */
void apic_mask_legacy(void);

/** Software-enables the APIC of the caller, all priorities open. */
void apic_enable(void);

bool apic_is_x2apic(void);

uint32_t apic_read(enum apic_register reg);
void apic_write(enum apic_register reg, uint32_t value);

/** Ends the interrupt being served; by the synthetic MSR where the
 *  hypervisor recommends that. */
void apic_eoi(void);

/** Sends `icr_low` to the processor with APIC id `target` (ignored where
 *  `icr_low` has a shorthand). */
void apic_send(uint32_t target, uint32_t icr_low);
void apic_send_init(uint32_t target);
/** `address` is a page below 1 MiB. */
void apic_send_startup(uint32_t target, uint32_t address);

#endif
