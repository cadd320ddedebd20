/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_VP_REGISTERS_H
#define HVSIM_HYPERVISOR_VP_REGISTERS_H

/**
 * A VP's registers by the names that the hypercall interface gives them
 * (TLFS, "HV_REGISTER_NAME"), for its parent and for itself. The x86 state is
 * fetched from the engine once and written back once: open, get and set as
 * often as needed, close.
 */

#include "cpu/x86.h"
#include "hypervisor/hv_status.h"
#include "hypervisor/hypercall_abi.h"
#include "hypervisor/hypervisor.h"

#define HV_REGISTER_EXPLICIT_SUSPEND 0x00000000u
#define HV_REGISTER_INTERCEPT_SUSPEND 0x00000001u
#define HV_REGISTER_INTERNAL_ACTIVITY 0x00000004u
#define HV_REGISTER_HYPERVISOR_VERSION 0x00000100u
#define HV_REGISTER_PRIVILEGES_AND_FEATURES 0x00000200u
#define HV_REGISTER_CRASH_P0 0x00000210u
#define HV_REGISTER_PENDING_INTERRUPTION 0x00010002u
#define HV_REGISTER_INTERRUPT_STATE 0x00010003u
#define HV_REGISTER_RAX 0x00020000u /* then in the order of enum x86_gpr */
#define HV_REGISTER_RIP 0x00020010u
#define HV_REGISTER_RFLAGS 0x00020011u
#define HV_REGISTER_XMM0 0x00030000u
#define HV_REGISTER_CR0 0x00040000u
#define HV_REGISTER_CR2 0x00040001u
#define HV_REGISTER_CR3 0x00040002u
#define HV_REGISTER_CR4 0x00040003u
#define HV_REGISTER_CR8 0x00040004u
#define HV_REGISTER_DR0 0x00050000u
#define HV_REGISTER_DR6 0x00050004u
#define HV_REGISTER_DR7 0x00050005u
#define HV_REGISTER_ES 0x00060000u /* then as enum x86_segment_register */
#define HV_REGISTER_CS 0x00060001u
#define HV_REGISTER_LDTR 0x00060006u
#define HV_REGISTER_TR 0x00060007u
#define HV_REGISTER_IDTR 0x00070000u
#define HV_REGISTER_GDTR 0x00070001u
#define HV_REGISTER_TSC 0x00080000u
#define HV_REGISTER_EFER 0x00080001u
#define HV_REGISTER_KERNEL_GS_BASE 0x00080002u
#define HV_REGISTER_APIC_BASE 0x00080003u
#define HV_REGISTER_PAT 0x00080004u
#define HV_REGISTER_SYSENTER_CS 0x00080005u
#define HV_REGISTER_SYSENTER_EIP 0x00080006u
#define HV_REGISTER_SYSENTER_ESP 0x00080007u
#define HV_REGISTER_STAR 0x00080008u
#define HV_REGISTER_LSTAR 0x00080009u
#define HV_REGISTER_CSTAR 0x0008000au
#define HV_REGISTER_SFMASK 0x0008000bu
#define HV_REGISTER_INITIAL_APIC_ID 0x0008000cu
#define HV_REGISTER_MTRR_CAP 0x0008000du
#define HV_REGISTER_MTRR_DEF_TYPE 0x0008000eu
#define HV_REGISTER_MTRR_BASE0 0x00080010u
#define HV_REGISTER_MTRR_MASK0 0x00080040u
#define HV_REGISTER_MTRR_FIX64K 0x00080070u
#define HV_REGISTER_TSC_AUX 0x0008007bu
#define HV_REGISTER_TSC_DEADLINE 0x00080095u
#define HV_REGISTER_VP_RUNTIME 0x00090000u
#define HV_REGISTER_HYPERCALL 0x00090001u
#define HV_REGISTER_GUEST_OS_ID 0x00090002u
#define HV_REGISTER_VP_INDEX 0x00090003u
#define HV_REGISTER_TIME_REF_COUNT 0x00090004u
#define HV_REGISTER_VP_ASSIST_PAGE 0x00090013u
#define HV_REGISTER_REFERENCE_TSC 0x00090017u
#define HV_REGISTER_SINT0 0x000a0000u
#define HV_REGISTER_SCONTROL 0x000a0010u
/* Then STIMER0_COUNT, and so on timer by timer. */
#define HV_REGISTER_STIMER0_CONFIG 0x000b0000u

/* HV_REGISTER_PENDING_INTERRUPTION. */
#define HV_INTERRUPTION_PENDING 0x1u
#define HV_INTERRUPTION_TYPE_SHIFT 1
#define HV_INTERRUPTION_TYPE_MASK 0x7u
#define HV_INTERRUPTION_TYPE_INTERRUPT 0u
#define HV_INTERRUPTION_TYPE_NMI 2u
#define HV_INTERRUPTION_TYPE_EXCEPTION 3u
#define HV_INTERRUPTION_HAS_ERROR_CODE 0x10u
#define HV_INTERRUPTION_VECTOR_SHIFT 16
#define HV_INTERRUPTION_ERROR_CODE_SHIFT 32

/** Caller's storage between open and close; zeroed by open. */
struct vp_registers {
    struct hv_context *context; /* borrowed */
    struct hv_vp *vp;           /* borrowed */
    struct x86_state state;     /* valid while `loaded` */
    bool loaded;
    bool changed;
};

/** Begins; the VP does not run before vp_registers_close(). */
void vp_registers_open(struct vp_registers *registers,
                       struct hv_context *context, struct hv_vp *vp);

/**
 * UNKNOWN_REGISTER: no such name, or a VP without x86 state. ACCESS_DENIED:
 * the register belongs to a facility that the partition has no privilege for.
 */
enum hv_status vp_registers_get(struct vp_registers *registers, uint32_t name,
                                struct hv_register_value *out);

/**
 * As vp_registers_get(); and INVALID_REGISTER_VALUE for what the register
 * cannot hold, INVALID_VP_STATE while the VP is free to run (suspend it first;
 * the suspend registers themselves can be set at any time, and a VP may change
 * its own), OPERATION_DENIED for read-only registers.
 */
enum hv_status vp_registers_set(struct vp_registers *registers, uint32_t name,
                                const struct hv_register_value *value);

/** Forgets what has been set and is the engine's. */
void vp_registers_discard(struct vp_registers *registers);

/** Writes what has been set to the engine. */
void vp_registers_close(struct vp_registers *registers);

/** True for what PendingInterruption can hold: an interrupt, an NMI or a
 *  hardware exception, or nothing. */
bool vp_registers_interruption_valid(uint64_t value);

/** At VM entry: what the parent has put into PendingInterruption. */
void vp_registers_inject(struct hv_context *context, struct hv_vp *vp);

#endif
