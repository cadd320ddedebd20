/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a root VP is interrupted for: by its SynIC, and by other root VPs. */
#include "hypervisor/gpa_space.h"
#include "hypervisor/intercept.h"
#include "hypervisor/msr.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "partitions/root_private.h"
#include "sim/core/check.h"

#define MSR_SCONTROL 0x40000080u
#define MSR_SIEFP 0x40000082u
#define MSR_SIMP 0x40000083u
#define MSR_SINT0 0x40000090u
#define MSR_APIC_SVR 0x80fu
#define MSR_APIC_BASE 0x1bu

#define ENABLE UINT64_C(1)

static const uint8_t vectors[ROOT_INTERRUPT_COUNT] = {
    [ROOT_INTERRUPT_INTERCEPT] = ROOT_VECTOR_INTERCEPT,
    [ROOT_INTERRUPT_VMBUS] = ROOT_VECTOR_VMBUS,
    [ROOT_INTERRUPT_RESCHEDULE] = ROOT_VECTOR_RESCHEDULE,
};

static bool write_registers(struct hv_context *context, spa_t messages,
                            spa_t event_flags)
{
    uint64_t base;

    return msr_read(context, MSR_APIC_BASE, &base) &&
           msr_write(context, MSR_APIC_BASE, base | 0xc00) &&
           msr_write(context, MSR_APIC_SVR, 0x1ff) &&
           msr_write(context, MSR_SIMP, messages.raw | ENABLE) &&
           msr_write(context, MSR_SIEFP, event_flags.raw | ENABLE) &&
           msr_write(context, MSR_SINT0 + INTERCEPT_SINT,
                     ROOT_VECTOR_INTERCEPT) &&
           msr_write(context, MSR_SINT0 + ROOT_VMBUS_SINT, ROOT_VECTOR_VMBUS) &&
           msr_write(context, MSR_SCONTROL, ENABLE);
}

bool root_interrupt_set_up(struct root_vp *rvp, uint32_t node)
{
    struct hv_context context = vp_event_context(rvp->vp, cycles(0));
    struct root_memory *memory = rvp->root->memory;
    spa_t messages;

    if (!root_memory_take_page(memory, node, &messages) ||
        !root_memory_take_page(memory, node, &rvp->event_flags))
        return false;
    CHECK(write_registers(&context, messages, rvp->event_flags));
    return true;
}

void root_interrupt_accept(struct root_vp *rvp, uint8_t vector)
{
    int which = 0;

    while (which < ROOT_INTERRUPT_COUNT && vectors[which] != vector)
        which++;
    CHECK(which < ROOT_INTERRUPT_COUNT);
    rvp->in_service = true;
    rvp->interrupt_pending[which] = true;
}

bool root_interrupt_is_pending(const struct root_vp *rvp)
{
    for (int which = 0; which < ROOT_INTERRUPT_COUNT; which++) {
        if (rvp->interrupt_pending[which])
            return true;
    }
    return false;
}

/* Hands over what has come to SINT 0; returns how many messages. */
static uint32_t take_intercepts(struct root_vp *rvp, struct hv_context *context)
{
    struct root *root = rvp->root;
    uint8_t message[SYNIC_MESSAGE_BYTES];
    uint32_t count = 0;

    for (;
         synic_take_message(context, &rvp->vp->synic, INTERCEPT_SINT, message);
         count++)
        root->on_message(root->on_message_context, context, message);
    return count;
}

/* All routines are short, and end their interrupt. */
void root_interrupt_serve(struct root_vp *rvp, struct hv_context *context)
{
    struct root *root = rvp->root;
    uint32_t count = 0;

    if (rvp->interrupt_pending[ROOT_INTERRUPT_INTERCEPT]) {
        rvp->interrupt_pending[ROOT_INTERRUPT_INTERCEPT] = false;
        count = take_intercepts(rvp, context);
    } else if (rvp->interrupt_pending[ROOT_INTERRUPT_VMBUS]) {
        rvp->interrupt_pending[ROOT_INTERRUPT_VMBUS] = false;
        if (root->on_vmbus)
            count = root->on_vmbus(root->on_vmbus_context, context,
                                   rvp->vp->index.v);
    } else {
        rvp->interrupt_pending[ROOT_INTERRUPT_RESCHEDULE] = false;
    }
    cost_note(context->bill, COST_ROOT_INTERRUPT, count ? count : 1);
    lapic_eoi(context, &rvp->vp->lapic);
    rvp->in_service = false;
}

/* What the root's VMBus reads of the pages of SINT 2. */

bool root_take_message(struct root *root, struct hv_context *context,
                       uint32_t vp, uint8_t message[ROOT_MESSAGE_BYTES])
{
    CHECK(vp < root->vp_count);
    return synic_take_message(context, &root->vps[vp].vp->synic,
                              ROOT_VMBUS_SINT, message);
}

static gpa_t flags_at(const struct root *root, uint32_t vp)
{
    const uint64_t sint_bytes = SYNIC_EVENT_FLAG_COUNT / 8;

    CHECK(vp < root->vp_count);
    return gpa(root->vps[vp].event_flags.raw + ROOT_VMBUS_SINT * sint_bytes);
}

void root_read_event_flags(struct root *root, uint32_t vp,
                           uint64_t flags[ROOT_EVENT_WORDS])
{
    CHECK(guest_memory_read(gpa_space_memory(&root->hv->root->gpa),
                            flags_at(root, vp), flags,
                            ROOT_EVENT_WORDS * sizeof(*flags)));
}

void root_clear_event_flag(struct root *root, uint32_t vp, uint32_t flag)
{
    struct guest_memory memory = gpa_space_memory(&root->hv->root->gpa);
    gpa_t at = gpa_add(flags_at(root, vp), flag / 64 * sizeof(uint64_t));
    uint64_t flags;

    CHECK(flag < SYNIC_EVENT_FLAG_COUNT);
    CHECK(guest_memory_read(memory, at, &flags, sizeof(flags)));
    flags &= ~(UINT64_C(1) << flag % 64);
    CHECK(guest_memory_write(memory, at, &flags, sizeof(flags)));
}
