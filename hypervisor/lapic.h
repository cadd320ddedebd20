/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_LAPIC_H
#define HVSIM_HYPERVISOR_LAPIC_H

/**
 * The virtual local APIC of a VP (SDM 3A, "APIC"; TLFS, "Virtual Interrupt
 * Control"): IRR, ISR, TPR and priority, xAPIC page, x2APIC MSRs, synthetic
 * EOI/ICR/TPR MSRs, timer (one-shot, periodic, TSC deadline), IPIs with INIT
 * and SIPI. Owned by its VP; the state is written by lapic*.c alone.
 */

#include "sim/core/event_queue.h"
#include "sim/core/types.h"

struct hv_context;
struct hv_partition;
struct hv_vp;

struct lapic {
    struct hv_vp *vp;  /* borrowed: its owner */
    uint64_t base_msr; /* IA32_APIC_BASE */
    uint32_t irr[8], isr[8], tmr[8];
    uint32_t auto_eoi[8]; /* vectors that end as they are delivered; the
                             SynIC keeps the bits of its SINTs */
    bool assisted; /* "no EOI required" is, or was, set in the assist page */
    uint32_t tpr, svr, esr, ldr, dfr, divide;
    uint32_t esr_pending;
    uint64_t icr;
    uint32_t lvt[7]; /* CMCI, timer, thermal, PMC, LINT0, LINT1, error */
    uint32_t timer_initial;
    uint64_t tsc_deadline;
    uint32_t timer_first;   /* the count when the countdown began; 0: none */
    cycles_t timer_started; /* when that was */
    uint64_t timer_periods; /* expiries since, in periodic mode */
    struct event timer;
};

/** How a message of the APIC bus is delivered (SDM 3A, "Delivery Mode"); also
 *  HV_INTERRUPT_TYPE of the hypercall interface. */
enum lapic_delivery {
    LAPIC_FIXED,
    LAPIC_LOWEST,
    LAPIC_SMI,
    LAPIC_RESERVED,
    LAPIC_NMI,
    LAPIC_INIT,
    LAPIC_STARTUP,
    LAPIC_EXTINT,
};

struct lapic_message {
    enum lapic_delivery delivery;
    bool logical; /* how `destination` is meant */
    bool level;   /* its EOI is reported to the parent */
    uint32_t destination;
    uint8_t vector;
};

/**
 * Ticks per second of the timer before its divide register, and what
 * HV_X64_MSR_APIC_FREQUENCY reads: 200 MHz. Linux on Hyper-V prints "LAPIC
 * Timer Frequency: 0xc3500" per jiffy of 4 ms (builds 17763 to 20348).
 */
#define LAPIC_TIMER_HZ UINT64_C(200000000)

/** Power-up state; `vp` is created. */
void lapic_init(struct lapic *lapic, struct hv_vp *vp);

/** The VP's engine exists: tells it where the APIC page is. */
void lapic_attach(struct lapic *lapic);

/** INIT: as SDM 3A says; the APIC ID and base stay. */
void lapic_reset(struct hv_context *context, struct lapic *lapic);

/** Cancels its timer; before the VP goes away. */
void lapic_fini(struct lapic *lapic);

/**
 * Sets the vector in IRR; `auto_eoi` as lapic_set_auto_eoi(). False if this
 * changed nothing: it was set already, or the APIC is disabled, by software or
 * wholly, and so drops it. A vector below 16 is an error: it sets ESR and, if
 * the error LVT says so, another vector.
 */
bool lapic_set_irr(struct lapic *lapic, uint8_t vector, bool level,
                   bool auto_eoi);

/** Whether the vector needs no EOI: it skips ISR when it is delivered. */
void lapic_set_auto_eoi(struct lapic *lapic, uint8_t vector, bool on);

/** The guest's TSC was set: an armed deadline is now at another time. */
void lapic_tsc_moved(struct hv_context *context, struct lapic *lapic);

/** The vector that would be delivered now, or -1: the highest in IRR whose
 *  class is above the processor priority. */
int lapic_deliverable(const struct lapic *lapic);

/** True if any vector waits in IRR, whatever its priority. */
bool lapic_has_pending(const struct lapic *lapic);

/** Moves the deliverable vector (CHECKed to exist) from IRR to ISR. */
uint8_t lapic_accept(struct hv_context *context, struct lapic *lapic);

/** Ends what the guest has ended in its assist page, and takes "no EOI
 *  required" back: before the page goes, or something new is pending. */
void lapic_settle_assist(struct lapic *lapic);

/** Ends the highest vector in service, if there is one. */
void lapic_eoi(struct hv_context *context, struct lapic *lapic);

/**
 * Delivers a message that comes from none of the partition's VPs, as an IOAPIC
 * sends them. An address that no VP has is no error: on the bus nobody would
 * listen either. False if an ExtINT found that a VP has not taken the last one.
 */
bool lapic_deliver(struct hv_context *context, struct hv_partition *partition,
                   const struct lapic_message *message);

/** True if ExtINTs (of an 8259, at LINT0) get through to the processor. */
bool lapic_passes_external(const struct lapic *lapic);

/** False while IA32_APIC_BASE has turned it off as a whole. */
bool lapic_is_enabled(const struct lapic *lapic);

/** The task priority register, for those who show it to others. */
uint32_t lapic_tpr(const struct lapic *lapic);

/** CR8: bits 7:4 of TPR. */
uint64_t lapic_read_cr8(const struct lapic *lapic);
void lapic_write_cr8(struct hv_context *context, struct lapic *lapic,
                     uint64_t value);

/** Accesses to the xAPIC page. */
uint32_t lapic_mmio_read(struct hv_context *context, struct lapic *lapic,
                         uint32_t offset, uint32_t bytes);
void lapic_mmio_write(struct hv_context *context, struct lapic *lapic,
                      uint32_t offset, uint32_t bytes, uint32_t value);

/** x2APIC MSRs 0x800..0x8ff, IA32_APIC_BASE, IA32_TSC_DEADLINE, and the
 *  synthetic EOI, ICR and TPR (0x40000070..72). False: #GP. */
bool lapic_msr_read(struct hv_context *context, struct lapic *lapic,
                    uint32_t index, uint64_t *value);
bool lapic_msr_write(struct hv_context *context, struct lapic *lapic,
                     uint32_t index, uint64_t value);

#endif
