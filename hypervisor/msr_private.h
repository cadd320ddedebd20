/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_MSR_PRIVATE_H
#define HVSIM_HYPERVISOR_MSR_PRIVATE_H

/**
 * How the table in msr.c and the files with the registers' behaviour meet:
 * msr_synthetic.c (the specification's) and msr_architectural.c (the SDM's).
 */

#include "hypervisor/msr.h"

/** Works on context->vp. False: #GP, and nothing has changed. */
typedef bool msr_read_fn(struct hv_context *context, uint32_t index,
                         uint64_t *value);
typedef bool msr_write_fn(struct hv_context *context, uint32_t index,
                          uint64_t value);

struct msr_def {
    uint32_t first, last; /* indices, inclusive */
    const char *name;
    uint64_t privilege;  /* of the partition; else #GP. 0: none needed */
    msr_read_fn *read;   /* NULL: reading is #GP */
    msr_write_fn *write; /* NULL: writing is #GP */
};

msr_read_fn msr_read_zero, msr_read_lapic, msr_read_synic, msr_read_stimer;
msr_write_fn msr_write_lapic, msr_write_synic, msr_write_stimer;

msr_read_fn msr_read_guest_os_id, msr_read_hypercall, msr_read_vp_index,
    msr_read_vp_runtime, msr_read_reference_count, msr_read_reference_tsc,
    msr_read_tsc_frequency, msr_read_apic_frequency, msr_read_assist,
    msr_read_crash, msr_read_guest_idle, msr_read_reenlightenment,
    msr_read_tsc_emulation, msr_read_tsc_invariant;
msr_write_fn msr_write_guest_os_id, msr_write_hypercall,
    msr_write_reference_tsc, msr_write_assist, msr_write_crash, msr_write_reset,
    msr_write_reenlightenment, msr_write_tsc_emulation, msr_write_tsc_invariant;

msr_read_fn msr_read_tsc, msr_read_feature_control, msr_read_bios_sign_id,
    msr_read_mtrr_cap, msr_read_misc_enable, msr_read_mcg_status,
    msr_read_mtrr_variable, msr_read_mtrr_fixed, msr_read_pat,
    msr_read_mtrr_default;
msr_write_fn msr_write_tsc, msr_write_zero, msr_write_ignored,
    msr_write_misc_enable, msr_write_mcg_status, msr_write_mtrr_variable,
    msr_write_mtrr_fixed, msr_write_pat, msr_write_mtrr_default;

#endif
