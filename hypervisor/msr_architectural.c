/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Architectural MSRs (SDM 4). Memory types are kept, since guests read back
 * what they wrote, and have no effect: every simulated access is coherent.
 */
#include "hypervisor/cpuid.h"
#include "hypervisor/msr_private.h"
#include "hypervisor/vp.h"

#define MSR_MTRR_PHYSBASE0 0x200u

/* Memory types */
#define TYPE_UNCACHEABLE 0
#define TYPE_WRITE_COMBINING 1
#define TYPE_WRITE_THROUGH 4
#define TYPE_WRITE_PROTECTED 5
#define TYPE_WRITE_BACK 6
#define TYPE_UNCACHED_MINUS 7 /* in PAT only */

#define MTRR_CAP_FIXED (UINT64_C(1) << 8)
#define MTRR_CAP_WRITE_COMBINING (UINT64_C(1) << 10)
#define MTRR_DEFAULT_TYPE UINT64_C(0xff)
#define MTRR_DEFAULT_FIXED (UINT64_C(1) << 10)
#define MTRR_DEFAULT_ENABLE (UINT64_C(1) << 11)
#define MTRR_MASK_VALID (UINT64_C(1) << 11)
#define MTRR_ALL_WRITE_BACK UINT64_C(0x0606060606060606)

#define PAT_RESET UINT64_C(0x0007040600070406)

#define FEATURE_CONTROL_LOCKED UINT64_C(1)

/* Hyper-V shows its guests this revision, so that they leave microcode to it.
 */
#define MICROCODE_REVISION UINT64_C(0xffffffff)

#define MISC_FAST_STRINGS (UINT64_C(1) << 0)
#define MISC_NO_BRANCH_TRACE (UINT64_C(1) << 11)
#define MISC_NO_PRECISE_EVENTS (UINT64_C(1) << 12)

#define MCG_STATUS_BITS UINT64_C(0x7)

static const uint64_t physical_pages =
    ((UINT64_C(1) << CPUID_PHYSICAL_BITS) - 1) & ~PAGE_MASK;

void msr_init(struct hv_vp *vp)
{
    /* No firmware of ours runs in a VM, so a VP starts as firmware leaves a
     * processor: MTRRs on, everything write-back. */
    vp->msrs = (struct msr_state){
        .misc_enable =
            MISC_FAST_STRINGS | MISC_NO_BRANCH_TRACE | MISC_NO_PRECISE_EVENTS,
        .pat = PAT_RESET,
        .mtrr_default =
            TYPE_WRITE_BACK | MTRR_DEFAULT_FIXED | MTRR_DEFAULT_ENABLE,
    };
    for (unsigned i = 0; i < MSR_MTRR_FIXED_COUNT; i++)
        vp->msrs.mtrr_fixed[i] = MTRR_ALL_WRITE_BACK;
}

static bool is_mtrr_type(uint64_t type)
{
    return type == TYPE_UNCACHEABLE || type == TYPE_WRITE_COMBINING ||
           type == TYPE_WRITE_THROUGH || type == TYPE_WRITE_PROTECTED ||
           type == TYPE_WRITE_BACK;
}

bool msr_write_zero(struct hv_context *context, uint32_t index, uint64_t value)
{
    (void)context;
    (void)index;
    return value == 0;
}

bool msr_write_ignored(struct hv_context *context, uint32_t index,
                       uint64_t value)
{
    (void)context;
    (void)index;
    (void)value;
    return true;
}

bool msr_read_tsc(struct hv_context *context, uint32_t index, uint64_t *value)
{
    (void)index;
    *value = context->now.v + context->vp->msrs.tsc_offset;
    return true;
}

bool msr_write_tsc(struct hv_context *context, uint32_t index, uint64_t value)
{
    struct hv_vp *vp = context->vp;

    (void)index;
    vp->msrs.tsc_offset = value - context->now.v;
    if (vp->engine)
        engine_set_tsc_offset(vp->engine, vp->msrs.tsc_offset);
    lapic_tsc_moved(context, &vp->lapic);
    return true;
}

/** Locked, with everything in it (VMX, SGX) off. */
bool msr_read_feature_control(struct hv_context *context, uint32_t index,
                              uint64_t *value)
{
    (void)context;
    (void)index;
    *value = FEATURE_CONTROL_LOCKED;
    return true;
}

/** Software writes 0, executes CPUID and reads the revision in the upper
 *  half; ours is there all the time. */
bool msr_read_bios_sign_id(struct hv_context *context, uint32_t index,
                           uint64_t *value)
{
    (void)context;
    (void)index;
    *value = MICROCODE_REVISION << 32;
    return true;
}

bool msr_read_misc_enable(struct hv_context *context, uint32_t index,
                          uint64_t *value)
{
    (void)index;
    *value = context->vp->msrs.misc_enable;
    return true;
}

bool msr_write_misc_enable(struct hv_context *context, uint32_t index,
                           uint64_t value)
{
    uint64_t *msr = &context->vp->msrs.misc_enable;

    (void)index;
    if (((value ^ *msr) & ~MISC_FAST_STRINGS) != 0)
        return false;
    *msr = value;
    return true;
}

bool msr_read_mcg_status(struct hv_context *context, uint32_t index,
                         uint64_t *value)
{
    (void)index;
    *value = context->vp->msrs.mcg_status;
    return true;
}

bool msr_write_mcg_status(struct hv_context *context, uint32_t index,
                          uint64_t value)
{
    (void)index;
    if ((value & ~MCG_STATUS_BITS) != 0)
        return false;
    context->vp->msrs.mcg_status = value;
    return true;
}

bool msr_read_mtrr_cap(struct hv_context *context, uint32_t index,
                       uint64_t *value)
{
    (void)context;
    (void)index;
    *value =
        MSR_MTRR_VARIABLE_COUNT | MTRR_CAP_FIXED | MTRR_CAP_WRITE_COMBINING;
    return true;
}

bool msr_read_mtrr_variable(struct hv_context *context, uint32_t index,
                            uint64_t *value)
{
    *value = context->vp->msrs.mtrr_variable[index - MSR_MTRR_PHYSBASE0];
    return true;
}

bool msr_write_mtrr_variable(struct hv_context *context, uint32_t index,
                             uint64_t value)
{
    bool is_mask = index % 2 != 0;
    uint64_t allowed =
        physical_pages | (is_mask ? MTRR_MASK_VALID : UINT64_C(0xff));

    if ((value & ~allowed) != 0 || (!is_mask && !is_mtrr_type(value & 0xff)))
        return false;
    context->vp->msrs.mtrr_variable[index - MSR_MTRR_PHYSBASE0] = value;
    return true;
}

/** FIX64K at 250h; FIX16K at 258h and 259h; FIX4K at 268h to 26fh. */
static unsigned fixed_number(uint32_t index)
{
    if (index >= 0x268)
        return index - 0x268 + 3;
    return index >= 0x258 ? index - 0x258 + 1 : 0;
}

bool msr_read_mtrr_fixed(struct hv_context *context, uint32_t index,
                         uint64_t *value)
{
    *value = context->vp->msrs.mtrr_fixed[fixed_number(index)];
    return true;
}

bool msr_write_mtrr_fixed(struct hv_context *context, uint32_t index,
                          uint64_t value)
{
    for (unsigned byte = 0; byte < 8; byte++) {
        if (!is_mtrr_type(value >> byte * 8 & 0xff))
            return false;
    }
    context->vp->msrs.mtrr_fixed[fixed_number(index)] = value;
    return true;
}

bool msr_read_pat(struct hv_context *context, uint32_t index, uint64_t *value)
{
    (void)index;
    *value = context->vp->msrs.pat;
    return true;
}

bool msr_write_pat(struct hv_context *context, uint32_t index, uint64_t value)
{
    (void)index;
    for (unsigned byte = 0; byte < 8; byte++) {
        uint64_t type = value >> byte * 8 & 0xff;

        if (!is_mtrr_type(type) && type != TYPE_UNCACHED_MINUS)
            return false;
    }
    context->vp->msrs.pat = value;
    return true;
}

bool msr_read_mtrr_default(struct hv_context *context, uint32_t index,
                           uint64_t *value)
{
    (void)index;
    *value = context->vp->msrs.mtrr_default;
    return true;
}

bool msr_write_mtrr_default(struct hv_context *context, uint32_t index,
                            uint64_t value)
{
    (void)index;
    if ((value & ~(MTRR_DEFAULT_TYPE | MTRR_DEFAULT_FIXED |
                   MTRR_DEFAULT_ENABLE)) != 0 ||
        !is_mtrr_type(value & MTRR_DEFAULT_TYPE))
        return false;
    context->vp->msrs.mtrr_default = value;
    return true;
}
