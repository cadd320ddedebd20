/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_MSR_H
#define HVSIM_HYPERVISOR_MSR_H

/**
 * Every MSR that reaches the hypervisor: the synthetic ones (TLFS), the x2APIC
 * range and the architectural ones that a VP has beyond the engine's own.
 * Works on context->vp.
 */

#include "hypervisor/hypervisor.h"

/* Those whose writes concern the parent. */
#define MSR_HV_RESET 0x40000003u
#define MSR_HV_CRASH_P0 0x40000100u
#define MSR_HV_CRASH_CONTROL 0x40000105u

#define MSR_MTRR_VARIABLE_COUNT 8
#define MSR_MTRR_FIXED_COUNT 11

/** The registers of a VP that have no other owner; written by msr*.c. */
struct msr_state {
    uint64_t tsc_offset; /* guest TSC less simulated time */
    uint64_t misc_enable;
    uint64_t pat;
    uint64_t mcg_status;
    uint64_t mtrr_default;
    uint64_t mtrr_variable[2 * MSR_MTRR_VARIABLE_COUNT]; /* base, mask */
    uint64_t mtrr_fixed[MSR_MTRR_FIXED_COUNT];
    uint64_t assist;   /* VP_ASSIST_PAGE */
    spa_t assist_page; /* valid if that is enabled */
};

/** The values that a new VP starts with. INIT changes none of them. */
void msr_init(struct hv_vp *vp);

/** Takes the VP's own pages away; before the VP goes away. */
void msr_fini(struct hv_vp *vp);

/** False: #GP(0), and nothing has changed. */
bool msr_read(struct hv_context *context, uint32_t index, uint64_t *value);
bool msr_write(struct hv_context *context, uint32_t index, uint64_t value);

/** True for a write, carried out already, that the parent must act on: a reset
 *  of the partition, a crash to be reported. */
bool msr_concerns_parent(uint32_t index, uint64_t value);

/** True while the VP has its assist page. */
bool msr_assist_enabled(const struct hv_vp *vp);

/** The specification's name of an MSR, or NULL if it is not in the table. */
const char *msr_name(uint32_t index);

#endif
