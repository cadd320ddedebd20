/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Synthetic MSRs of the partition and of the VP that no other file owns. */
#include <string.h>

#include "hypervisor/hypercall.h"
#include "hypervisor/msr_private.h"
#include "hypervisor/partition.h"
#include "hypervisor/reftime.h"
#include "hypervisor/vp.h"

#define ENABLE UINT64_C(1)

#define HYPERCALL_MSR_LOCKED UINT64_C(2)
#define HYPERCALL_MSR_RESERVED UINT64_C(0xffc)

#define RESET_NOW UINT64_C(1)

#define CRASH_NOTIFY (UINT64_C(1) << 63)
#define CRASH_MESSAGE (UINT64_C(1) << 62)

/* Vector 7:0, enabled 16, target VP 63:32. */
#define REENLIGHTENMENT_RESERVED UINT64_C(0xfffeff00)

static struct hv_partition *partition_of(const struct hv_context *context)
{
    return context->vp->partition;
}

/** True if the two values of a page MSR put the same page at the same GPA, or
 *  both none. */
static bool same_page(uint64_t a, uint64_t b)
{
    if ((a & ENABLE) == 0 && (b & ENABLE) == 0)
        return true;
    return ((a ^ b) & (~PAGE_MASK | ENABLE)) == 0;
}

static bool is_backed(const struct hv_partition *partition, uint64_t value)
{
    spa_t at;
    bool writable;

    return gpa_space_lookup(&partition->gpa, gpa_page(gpa(value)), &at,
                            &writable);
}

bool msr_read_guest_os_id(struct hv_context *context, uint32_t index,
                          uint64_t *value)
{
    (void)index;
    *value = partition_of(context)->guest_os_id;
    return true;
}

/** Without an identity, no hypercalls: 0 takes the page away, even a locked
 *  one. */
bool msr_write_guest_os_id(struct hv_context *context, uint32_t index,
                           uint64_t value)
{
    struct hv_partition *partition = partition_of(context);

    (void)index;
    partition->guest_os_id = value;
    if (value == 0 && (partition->hypercall_msr & ENABLE) != 0) {
        partition->hypercall_msr &= ~ENABLE;
        gpa_space_remove_overlay(&partition->gpa, &partition->hypercall_msr);
    }
    return true;
}

bool msr_read_hypercall(struct hv_context *context, uint32_t index,
                        uint64_t *value)
{
    (void)index;
    *value = partition_of(context)->hypercall_msr;
    return true;
}

bool msr_write_hypercall(struct hv_context *context, uint32_t index,
                         uint64_t value)
{
    struct hv_partition *partition = partition_of(context);
    uint64_t *msr = &partition->hypercall_msr;
    spa_t page;

    (void)index;
    if ((*msr & HYPERCALL_MSR_LOCKED) != 0 ||
        (value & HYPERCALL_MSR_RESERVED) != 0)
        return false;
    if (partition->guest_os_id == 0)
        value &= ~ENABLE;
    if (!same_page(*msr, value)) {
        if ((value & ENABLE) == 0) {
            gpa_space_remove_overlay(&partition->gpa, msr);
        } else {
            if (!is_backed(partition, value) ||
                gpa_space_overlay(&partition->gpa, msr, gpa_page(gpa(value)),
                                  false, &page) != HV_STATUS_SUCCESS)
                return false;
            hypercall_write_page(partition->hv->arena, page);
        }
    }
    *msr = value;
    return true;
}

bool msr_read_vp_index(struct hv_context *context, uint32_t index,
                       uint64_t *value)
{
    (void)index;
    *value = context->vp->index.v;
    return true;
}

/** What the VP has run, up to the intercept that reads it. */
bool msr_read_vp_runtime(struct hv_context *context, uint32_t index,
                         uint64_t *value)
{
    (void)index;
    *value = clock_to_reftime(context->hv->clock, context->vp->run_time).v;
    return true;
}

bool msr_read_reference_count(struct hv_context *context, uint32_t index,
                              uint64_t *value)
{
    (void)index;
    *value = reftime_now(partition_of(context), context->now).v;
    return true;
}

bool msr_read_reference_tsc(struct hv_context *context, uint32_t index,
                            uint64_t *value)
{
    (void)index;
    *value = partition_of(context)->reference_tsc_msr;
    return true;
}

/** Reads back as written, even if the page is beyond the GPA space: then the
 *  guest has no page (TLFS, "Reference TSC Page MSR"). */
bool msr_write_reference_tsc(struct hv_context *context, uint32_t index,
                             uint64_t value)
{
    struct hv_partition *partition = partition_of(context);
    uint64_t *msr = &partition->reference_tsc_msr;
    bool same = same_page(*msr, value);
    spa_t page;

    (void)index;
    *msr = value;
    if (same)
        return true;
    gpa_space_remove_overlay(&partition->gpa, msr);
    if ((value & ENABLE) != 0 &&
        gpa_space_overlay(&partition->gpa, msr, gpa_page(gpa(value)), false,
                          &page) == HV_STATUS_SUCCESS)
        reftime_write_page(partition, page);
    return true;
}

bool msr_read_tsc_frequency(struct hv_context *context, uint32_t index,
                            uint64_t *value)
{
    (void)index;
    *value = context->hv->clock.hz;
    return true;
}

bool msr_read_apic_frequency(struct hv_context *context, uint32_t index,
                             uint64_t *value)
{
    (void)context;
    (void)index;
    *value = LAPIC_TIMER_HZ;
    return true;
}

bool msr_read_assist(struct hv_context *context, uint32_t index,
                     uint64_t *value)
{
    (void)index;
    *value = context->vp->msrs.assist;
    return true;
}

/** Of the page that the guest gives, the first dword ("no EOI required")
 *  begins anew and the rest shows through, as if there were no overlay. */
static bool show_assist(struct hv_vp *vp, uint64_t value)
{
    struct gpa_space *space = &vp->partition->gpa;
    spa_t *page = &vp->msrs.assist_page;
    uint8_t content[PAGE_BYTES];
    spa_t beneath;
    bool writable;

    if (!gpa_space_lookup(space, gpa_page(gpa(value)), &beneath, &writable))
        return false;
    arena_read(vp->hv->arena, beneath, content, sizeof(content));
    if (gpa_space_overlay(space, &vp->msrs.assist, gpa_page(gpa(value)), true,
                          page) != HV_STATUS_SUCCESS)
        return false;
    memset(content, 0, sizeof(uint32_t));
    arena_write(vp->hv->arena, *page, content, sizeof(content));
    return true;
}

bool msr_write_assist(struct hv_context *context, uint32_t index,
                      uint64_t value)
{
    uint64_t *msr = &context->vp->msrs.assist;

    (void)index;
    if (!same_page(*msr, value)) {
        lapic_settle_assist(&context->vp->lapic);
        if ((value & ENABLE) == 0)
            gpa_space_remove_overlay(&partition_of(context)->gpa, msr);
        else if (!show_assist(context->vp, value))
            return false;
    }
    *msr = value;
    return true;
}

bool msr_assist_enabled(const struct hv_vp *vp)
{
    return (vp->msrs.assist & ENABLE) != 0;
}

void msr_fini(struct hv_vp *vp)
{
    lapic_settle_assist(&vp->lapic);
    if ((vp->msrs.assist & ENABLE) != 0)
        gpa_space_remove_overlay(&vp->partition->gpa, &vp->msrs.assist);
    vp->msrs.assist = 0;
}

/** The control register reads what can be reported, not what was. */
bool msr_read_crash(struct hv_context *context, uint32_t index, uint64_t *value)
{
    if (!partition_offers(partition_of(context), FEATURE_CRASH_MSRS))
        return false;
    *value = index == MSR_HV_CRASH_CONTROL
                 ? CRASH_NOTIFY | CRASH_MESSAGE
                 : partition_of(context)->crash[index - MSR_HV_CRASH_P0];
    return true;
}

bool msr_write_crash(struct hv_context *context, uint32_t index, uint64_t value)
{
    if (!partition_offers(partition_of(context), FEATURE_CRASH_MSRS))
        return false;
    partition_of(context)->crash[index - MSR_HV_CRASH_P0] = value;
    return true;
}

/** The reset itself is the parent's: see msr_concerns_parent(). */
bool msr_write_reset(struct hv_context *context, uint32_t index, uint64_t value)
{
    (void)context;
    (void)index;
    return (value & ~RESET_NOW) == 0;
}

bool msr_concerns_parent(uint32_t index, uint64_t value)
{
    if (index == MSR_HV_RESET)
        return (value & RESET_NOW) != 0;
    return index == MSR_HV_CRASH_CONTROL && (value & CRASH_NOTIFY) != 0;
}

/** The read is done when the VP goes on. */
bool msr_read_guest_idle(struct hv_context *context, uint32_t index,
                         uint64_t *value)
{
    (void)index;
    *value = 0;
    vp_idle(context, context->vp);
    return true;
}

/* Reenlightenment (TLFS, "TSC Enlightenments"): a guest that runs guests of its
 * own asks to be told when a migration has changed the TSC's frequency, which
 * happens to none here: the registers keep what is asked for. */

bool msr_read_reenlightenment(struct hv_context *context, uint32_t index,
                              uint64_t *value)
{
    (void)index;
    *value = partition_of(context)->reenlightenment_control;
    return true;
}

bool msr_write_reenlightenment(struct hv_context *context, uint32_t index,
                               uint64_t value)
{
    (void)index;
    if ((value & REENLIGHTENMENT_RESERVED) != 0)
        return false;
    partition_of(context)->reenlightenment_control = value;
    return true;
}

bool msr_read_tsc_emulation(struct hv_context *context, uint32_t index,
                            uint64_t *value)
{
    (void)index;
    *value = partition_of(context)->tsc_emulation_control;
    return true;
}

bool msr_write_tsc_emulation(struct hv_context *context, uint32_t index,
                             uint64_t value)
{
    (void)index;
    if ((value & ~ENABLE) != 0)
        return false;
    partition_of(context)->tsc_emulation_control = value;
    return true;
}

bool msr_read_tsc_invariant(struct hv_context *context, uint32_t index,
                            uint64_t *value)
{
    (void)index;
    *value = partition_of(context)->tsc_invariant_control;
    return true;
}

bool msr_write_tsc_invariant(struct hv_context *context, uint32_t index,
                             uint64_t value)
{
    (void)index;
    if ((value & ~ENABLE) != 0)
        return false;
    partition_of(context)->tsc_invariant_control = value;
    return true;
}
