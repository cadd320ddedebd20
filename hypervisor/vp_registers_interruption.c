/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HvX64RegisterPendingInterruption: an event that the parent of a VP has it
 * take at its next entry. */
#include "hypervisor/vp.h"
#include "hypervisor/vp_registers.h"

#define INTERRUPTION_VALID UINT64_C(0xffffffffffff001f)
#define INTERRUPTION_VECTOR_MASK 0xffffu
#define FIRST_INTERRUPT_VECTOR 16
#define LAST_INTERRUPT_VECTOR 255
#define EXCEPTION_VECTOR_COUNT 32

static uint32_t interruption_type(uint64_t interruption)
{
    return (interruption >> HV_INTERRUPTION_TYPE_SHIFT) &
           HV_INTERRUPTION_TYPE_MASK;
}

static uint32_t interruption_vector(uint64_t interruption)
{
    return (interruption >> HV_INTERRUPTION_VECTOR_SHIFT) &
           INTERRUPTION_VECTOR_MASK;
}

/* Software interrupts and exceptions would need the length of an instruction
 * that nobody executed; the hypervisor does not take them. */
bool vp_registers_interruption_valid(uint64_t value)
{
    uint32_t vector = interruption_vector(value);

    if (!(value & HV_INTERRUPTION_PENDING))
        return value == 0;
    if ((value & ~INTERRUPTION_VALID) != 0)
        return false;
    switch (interruption_type(value)) {
    case HV_INTERRUPTION_TYPE_INTERRUPT:
        return vector >= FIRST_INTERRUPT_VECTOR &&
               vector <= LAST_INTERRUPT_VECTOR;
    case HV_INTERRUPTION_TYPE_NMI:
        return vector == X86_VECTOR_NMI;
    case HV_INTERRUPTION_TYPE_EXCEPTION:
        return vector < EXCEPTION_VECTOR_COUNT && vector != X86_VECTOR_NMI;
    default:
        return false;
    }
}

void vp_registers_inject(struct hv_context *context, struct hv_vp *vp)
{
    uint64_t interruption = vp->pending_interruption;
    uint8_t vector = (uint8_t)interruption_vector(interruption);

    if (interruption == 0)
        return;
    switch (interruption_type(interruption)) {
    case HV_INTERRUPTION_TYPE_NMI:
        engine_inject_nmi(vp->engine);
        break;
    case HV_INTERRUPTION_TYPE_EXCEPTION:
        engine_inject_exception(
            vp->engine, vector, interruption & HV_INTERRUPTION_HAS_ERROR_CODE,
            (uint32_t)(interruption >> HV_INTERRUPTION_ERROR_CODE_SHIFT));
        break;
    default:
        /* It waits for the guest like a processor's pin would. */
        if (!engine_interruptible(vp->engine))
            return;
        engine_inject_interrupt(vp->engine, vector);
        break;
    }
    vp->pending_interruption = 0;
    cost_note(context->bill, COST_INTERRUPT_INJECT, 1);
}
