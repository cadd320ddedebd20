/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The table of MSRs. What is not in it is #GP, as are an access that it does
 * not allow and one for which the partition lacks the privilege.
 *
 * Not here: EFER, STAR, LSTAR, CSTAR, FMASK, the FS, GS and kernel GS bases,
 * SYSENTER_* and TSC_AUX, which the engine keeps and which do not intercept;
 * and what no CPUID bit of ours offers: TSC_ADJUST, SPEC_CTRL,
 * ARCH_CAPABILITIES, MPERF and APERF, performance counters, thermal and power
 * management.
 */
#include "hypervisor/msr.h"

#include "hypervisor/msr_private.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"

/* By ascending index: find() bisects. */
static const struct msr_def msrs[] = {
    {0x10, 0x10, "IA32_TIME_STAMP_COUNTER", 0, msr_read_tsc, msr_write_tsc},
    {0x17, 0x17, "IA32_PLATFORM_ID", 0, msr_read_zero, NULL},
    {0x1b, 0x1b, "IA32_APIC_BASE", 0, msr_read_lapic, msr_write_lapic},
    {0x34, 0x34, "MSR_SMI_COUNT", 0, msr_read_zero, NULL},
    {0x3a, 0x3a, "IA32_FEATURE_CONTROL", 0, msr_read_feature_control, NULL},
    {0x8b, 0x8b, "IA32_BIOS_SIGN_ID", 0, msr_read_bios_sign_id,
     msr_write_ignored},
    {0xfe, 0xfe, "IA32_MTRRCAP", 0, msr_read_mtrr_cap, NULL},
    {0x140, 0x140, "MSR_MISC_FEATURES_ENABLES", 0, msr_read_zero,
     msr_write_zero},
    {0x179, 0x179, "IA32_MCG_CAP", 0, msr_read_zero, NULL},
    {0x17a, 0x17a, "IA32_MCG_STATUS", 0, msr_read_mcg_status,
     msr_write_mcg_status},
    {0x1a0, 0x1a0, "IA32_MISC_ENABLE", 0, msr_read_misc_enable,
     msr_write_misc_enable},
    {0x1d9, 0x1d9, "IA32_DEBUGCTL", 0, msr_read_zero, msr_write_zero},
    {0x200, 0x200 + 2 * MSR_MTRR_VARIABLE_COUNT - 1, "IA32_MTRR_PHYS", 0,
     msr_read_mtrr_variable, msr_write_mtrr_variable},
    {0x250, 0x250, "IA32_MTRR_FIX64K", 0, msr_read_mtrr_fixed,
     msr_write_mtrr_fixed},
    {0x258, 0x259, "IA32_MTRR_FIX16K", 0, msr_read_mtrr_fixed,
     msr_write_mtrr_fixed},
    {0x268, 0x26f, "IA32_MTRR_FIX4K", 0, msr_read_mtrr_fixed,
     msr_write_mtrr_fixed},
    {0x277, 0x277, "IA32_PAT", 0, msr_read_pat, msr_write_pat},
    {0x2ff, 0x2ff, "IA32_MTRR_DEF_TYPE", 0, msr_read_mtrr_default,
     msr_write_mtrr_default},
    {0x6e0, 0x6e0, "IA32_TSC_DEADLINE", 0, msr_read_lapic, msr_write_lapic},
    {0x800, 0x8ff, "X2APIC", 0, msr_read_lapic, msr_write_lapic},
    {0x40000000, 0x40000000, "HV_X64_MSR_GUEST_OS_ID",
     PRIVILEGE_ACCESS_HYPERCALL_MSRS, msr_read_guest_os_id,
     msr_write_guest_os_id},
    {0x40000001, 0x40000001, "HV_X64_MSR_HYPERCALL",
     PRIVILEGE_ACCESS_HYPERCALL_MSRS, msr_read_hypercall, msr_write_hypercall},
    {0x40000002, 0x40000002, "HV_X64_MSR_VP_INDEX", PRIVILEGE_ACCESS_VP_INDEX,
     msr_read_vp_index, NULL},
    {MSR_HV_RESET, MSR_HV_RESET, "HV_X64_MSR_RESET", PRIVILEGE_ACCESS_RESET,
     msr_read_zero, msr_write_reset},
    {0x40000010, 0x40000010, "HV_X64_MSR_VP_RUNTIME",
     PRIVILEGE_ACCESS_VP_RUN_TIME, msr_read_vp_runtime, NULL},
    {0x40000020, 0x40000020, "HV_X64_MSR_TIME_REF_COUNT",
     PRIVILEGE_ACCESS_REFERENCE_COUNTER, msr_read_reference_count, NULL},
    {0x40000021, 0x40000021, "HV_X64_MSR_REFERENCE_TSC",
     PRIVILEGE_ACCESS_REFERENCE_TSC, msr_read_reference_tsc,
     msr_write_reference_tsc},
    {0x40000022, 0x40000022, "HV_X64_MSR_TSC_FREQUENCY",
     PRIVILEGE_ACCESS_FREQUENCY, msr_read_tsc_frequency, NULL},
    {0x40000023, 0x40000023, "HV_X64_MSR_APIC_FREQUENCY",
     PRIVILEGE_ACCESS_FREQUENCY, msr_read_apic_frequency, NULL},
    {0x40000070, 0x40000070, "HV_X64_MSR_EOI", PRIVILEGE_ACCESS_APIC_MSRS, NULL,
     msr_write_lapic},
    {0x40000071, 0x40000071, "HV_X64_MSR_ICR", PRIVILEGE_ACCESS_APIC_MSRS,
     msr_read_lapic, msr_write_lapic},
    {0x40000072, 0x40000072, "HV_X64_MSR_TPR", PRIVILEGE_ACCESS_APIC_MSRS,
     msr_read_lapic, msr_write_lapic},
    {0x40000073, 0x40000073, "HV_X64_MSR_VP_ASSIST_PAGE",
     PRIVILEGE_ACCESS_APIC_MSRS, msr_read_assist, msr_write_assist},
    {0x40000080, 0x40000080, "HV_X64_MSR_SCONTROL", PRIVILEGE_ACCESS_SYNIC,
     msr_read_synic, msr_write_synic},
    {0x40000081, 0x40000081, "HV_X64_MSR_SVERSION", PRIVILEGE_ACCESS_SYNIC,
     msr_read_synic, NULL},
    {0x40000082, 0x40000082, "HV_X64_MSR_SIEFP", PRIVILEGE_ACCESS_SYNIC,
     msr_read_synic, msr_write_synic},
    {0x40000083, 0x40000083, "HV_X64_MSR_SIMP", PRIVILEGE_ACCESS_SYNIC,
     msr_read_synic, msr_write_synic},
    {0x40000084, 0x40000084, "HV_X64_MSR_EOM", PRIVILEGE_ACCESS_SYNIC,
     msr_read_synic, msr_write_synic},
    /* The event ring is of use to those whose ports doorbells can have. */
    {0x40000085, 0x40000085, "HV_X64_MSR_SIRBP",
     PRIVILEGE_ACCESS_SYNIC | PRIVILEGE_CREATE_PORT, msr_read_synic,
     msr_write_synic},
    {0x40000090, 0x4000009f, "HV_X64_MSR_SINT", PRIVILEGE_ACCESS_SYNIC,
     msr_read_synic, msr_write_synic},
    {0x400000b0, 0x400000b0 + 2 * STIMER_COUNT - 1, "HV_X64_MSR_STIMER",
     PRIVILEGE_ACCESS_SYNTHETIC_TIMERS, msr_read_stimer, msr_write_stimer},
    {0x400000f0, 0x400000f0, "HV_X64_MSR_GUEST_IDLE",
     PRIVILEGE_ACCESS_GUEST_IDLE, msr_read_guest_idle, NULL},
    {MSR_HV_CRASH_P0, MSR_HV_CRASH_CONTROL, "HV_X64_MSR_CRASH", 0,
     msr_read_crash, msr_write_crash},
    {0x40000106, 0x40000106, "HV_X64_MSR_REENLIGHTENMENT_CONTROL",
     PRIVILEGE_ACCESS_REENLIGHTENMENT, msr_read_reenlightenment,
     msr_write_reenlightenment},
    {0x40000107, 0x40000107, "HV_X64_MSR_TSC_EMULATION_CONTROL",
     PRIVILEGE_ACCESS_REENLIGHTENMENT, msr_read_tsc_emulation,
     msr_write_tsc_emulation},
    {0x40000108, 0x40000108, "HV_X64_MSR_TSC_EMULATION_STATUS",
     PRIVILEGE_ACCESS_REENLIGHTENMENT, msr_read_zero, msr_write_zero},
    {0x40000118, 0x40000118, "HV_X64_MSR_TSC_INVARIANT_CONTROL",
     PRIVILEGE_ACCESS_TSC_INVARIANT, msr_read_tsc_invariant,
     msr_write_tsc_invariant},
};

#define MSR_COUNT (sizeof(msrs) / sizeof(msrs[0]))

static const struct msr_def *find(uint32_t index)
{
    size_t low = 0;
    size_t high = MSR_COUNT;

    while (low < high) {
        size_t middle = (low + high) / 2;

        if (index < msrs[middle].first)
            high = middle;
        else if (index > msrs[middle].last)
            low = middle + 1;
        else
            return &msrs[middle];
    }
    return NULL;
}

/** The definition if context->vp may know of the register; else NULL. */
static const struct msr_def *find_allowed(const struct hv_context *context,
                                          uint32_t index)
{
    const struct msr_def *def = find(index);

    if (!def || !partition_has(context->vp->partition, def->privilege))
        return NULL;
    return def;
}

bool msr_read(struct hv_context *context, uint32_t index, uint64_t *value)
{
    const struct msr_def *def = find_allowed(context, index);

    return def && def->read && def->read(context, index, value);
}

bool msr_write(struct hv_context *context, uint32_t index, uint64_t value)
{
    const struct msr_def *def = find_allowed(context, index);

    return def && def->write && def->write(context, index, value);
}

const char *msr_name(uint32_t index)
{
    const struct msr_def *def = find(index);

    return def ? def->name : NULL;
}

/* Registers that other files own. */

bool msr_read_zero(struct hv_context *context, uint32_t index, uint64_t *value)
{
    (void)context;
    (void)index;
    *value = 0;
    return true;
}

bool msr_read_lapic(struct hv_context *context, uint32_t index, uint64_t *value)
{
    return lapic_msr_read(context, &context->vp->lapic, index, value);
}

bool msr_write_lapic(struct hv_context *context, uint32_t index, uint64_t value)
{
    return lapic_msr_write(context, &context->vp->lapic, index, value);
}

bool msr_read_synic(struct hv_context *context, uint32_t index, uint64_t *value)
{
    return synic_msr_read(context, &context->vp->synic, index, value);
}

bool msr_write_synic(struct hv_context *context, uint32_t index, uint64_t value)
{
    return synic_msr_write(context, &context->vp->synic, index, value);
}

static struct stimer *stimer_of(const struct hv_context *context,
                                uint32_t index)
{
    return &context->vp->stimers[(index - 0x400000b0) / 2];
}

bool msr_read_stimer(struct hv_context *context, uint32_t index,
                     uint64_t *value)
{
    const struct stimer *timer = stimer_of(context, index);

    *value = index % 2 == 0 ? timer->config : timer->count;
    return true;
}

bool msr_write_stimer(struct hv_context *context, uint32_t index,
                      uint64_t value)
{
    struct stimer *timer = stimer_of(context, index);

    return index % 2 == 0 ? stimer_write_config(context, timer, value)
                          : stimer_write_count(context, timer, value);
}
