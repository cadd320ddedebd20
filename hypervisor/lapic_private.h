/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_LAPIC_PRIVATE_H
#define HVSIM_HYPERVISOR_LAPIC_PRIVATE_H

/**
 * What the files of the local APIC share: lapic.c (state and priority),
 * lapic_registers.c (the guest's ways in), lapic_timer.c, lapic_ipi.c.
 */

#include "hypervisor/lapic.h"

#define APIC_BASE_BSP (UINT64_C(1) << 8)
#define APIC_BASE_X2APIC (UINT64_C(1) << 10)
#define APIC_BASE_ENABLE (UINT64_C(1) << 11)

#define SVR_ENABLE (1u << 8)
#define SVR_RESET 0xffu
#define DFR_RESET UINT32_MAX

enum lapic_lvt {
    LVT_CMCI,
    LVT_TIMER,
    LVT_THERMAL,
    LVT_PMC,
    LVT_LINT0,
    LVT_LINT1,
    LVT_ERROR,
    LVT_COUNT,
};

#define LVT_VECTOR 0x000ffu
#define LVT_DELIVERY 0x00700u
#define LVT_EXTINT 0x00700u
#define LVT_MASKED 0x10000u

/* SDM 3A, "Error Status Register" */
#define ESR_SEND_ILLEGAL_VECTOR (1u << 5)
#define ESR_RECEIVE_ILLEGAL_VECTOR (1u << 6)
#define ESR_ILLEGAL_REGISTER (1u << 7)

/** Vectors below are the processor's own: not for interrupts. */
#define VECTOR_FIRST_LEGAL 16

static inline bool lapic_enabled(const struct lapic *lapic)
{
    return (lapic->base_msr & APIC_BASE_ENABLE) != 0;
}

static inline bool lapic_x2apic(const struct lapic *lapic)
{
    return (lapic->base_msr & APIC_BASE_X2APIC) != 0;
}

/** Takes fixed interrupts: enabled, also by software. */
static inline bool lapic_accepts(const struct lapic *lapic)
{
    return lapic_enabled(lapic) && (lapic->svr & SVR_ENABLE) != 0;
}

/** The processor priority: the higher of TPR and what is in service. */
uint32_t lapic_priority(const struct lapic *lapic);

/** Every register to its value after power-up, APIC_BASE excepted. */
void lapic_power_up(struct lapic *lapic);

/** Notes an error for ESR. True if the error LVT made a vector pending. */
bool lapic_error(struct lapic *lapic, uint32_t esr_bits);

void lapic_write_tpr(struct hv_context *context, struct lapic *lapic,
                     uint32_t value);

/* lapic_ipi.c */

/** Carries out a write of ICR: destination in the upper half, in bits 63:32
 *  (x2APIC) or 63:56 (xAPIC). */
void lapic_send(struct hv_context *context, struct lapic *lapic, uint64_t icr);

/** The logical ID that x2APIC mode derives from the APIC ID. */
uint32_t lapic_x2apic_ldr(uint32_t apic_id);

/* lapic_timer.c */

void lapic_timer_init(struct lapic *lapic);
void lapic_timer_stop(struct lapic *lapic);
uint32_t lapic_timer_current(const struct lapic *lapic, cycles_t now);
void lapic_timer_write_initial(struct hv_context *context, struct lapic *lapic,
                               uint32_t value);
void lapic_timer_write_divide(struct hv_context *context, struct lapic *lapic,
                              uint32_t value);
/** Also changes the mode. */
void lapic_timer_write_lvt(struct hv_context *context, struct lapic *lapic,
                           uint32_t value);
uint64_t lapic_timer_read_deadline(const struct lapic *lapic);
void lapic_timer_write_deadline(struct hv_context *context, struct lapic *lapic,
                                uint64_t value);

#endif
