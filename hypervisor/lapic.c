/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/lapic.h"

#include <string.h>

#include "hypervisor/intercept.h"
#include "hypervisor/lapic_private.h"
#include "hypervisor/partition.h"
#include "hypervisor/vector_map.h"
#include "hypervisor/vp.h"
#include "sim/core/check.h"

/* HV_VP_ASSIST_PAGE, the first dword. */
#define ASSIST_NO_EOI_REQUIRED 1u

#define APIC_BASE_DEFAULT UINT64_C(0xfee00000)

/** The upper four bits of a vector or a priority: what is compared. */
static uint32_t priority_class(uint32_t value)
{
    return value >> 4 & 0xf;
}

void lapic_settle_assist(struct lapic *lapic)
{
    struct arena *arena = lapic->vp->hv->arena;
    spa_t page = lapic->vp->msrs.assist_page;
    uint32_t word;

    if (!lapic->assisted)
        return;
    lapic->assisted = false;
    arena_read(arena, page, &word, sizeof(word));
    if ((word & ASSIST_NO_EOI_REQUIRED) != 0) {
        word &= ~ASSIST_NO_EOI_REQUIRED;
        arena_write(arena, page, &word, sizeof(word));
    } else {
        vector_map_clear(lapic->isr, (uint8_t)vector_map_highest(lapic->isr));
    }
}

/* An EOI that only ends the one vector in service may be left out: nothing
 * waits for it, and nobody else is told (TLFS, "EOI Assist"). */
static void offer_assist(struct lapic *lapic, uint8_t vector)
{
    struct hv_vp *vp = lapic->vp;
    const uint32_t word = ASSIST_NO_EOI_REQUIRED;

    if (!msr_assist_enabled(vp) ||
        !partition_offers(vp->partition, FEATURE_EOI_ASSIST) ||
        vector_map_has(lapic->tmr, vector) ||
        !vector_map_is_empty(lapic->irr) ||
        vector_map_lowest(lapic->isr) != vector)
        return;
    arena_write(vp->hv->arena, vp->msrs.assist_page, &word, sizeof(word));
    lapic->assisted = true;
}

void lapic_power_up(struct lapic *lapic)
{
    lapic_settle_assist(lapic);
    lapic_timer_stop(lapic);
    memset(lapic->irr, 0, sizeof(lapic->irr));
    memset(lapic->isr, 0, sizeof(lapic->isr));
    memset(lapic->tmr, 0, sizeof(lapic->tmr));
    lapic->tpr = 0;
    lapic->svr = SVR_RESET;
    lapic->esr = 0;
    lapic->esr_pending = 0;
    lapic->ldr = 0;
    lapic->dfr = DFR_RESET;
    lapic->divide = 0;
    lapic->icr = 0;
    for (unsigned i = 0; i < LVT_COUNT; i++)
        lapic->lvt[i] = LVT_MASKED;
    lapic->timer_initial = 0;
    lapic->tsc_deadline = 0;
}

void lapic_init(struct lapic *lapic, struct hv_vp *vp)
{
    *lapic = (struct lapic){.vp = vp};
    lapic->base_msr = APIC_BASE_DEFAULT | APIC_BASE_ENABLE |
                      (vp->index.v == 0 ? APIC_BASE_BSP : 0);
    lapic_timer_init(lapic);
    lapic_power_up(lapic);
}

void lapic_attach(struct lapic *lapic)
{
    if (lapic->vp->engine)
        engine_set_apic_page(lapic->vp->engine,
                             lapic_enabled(lapic) && !lapic_x2apic(lapic),
                             gpa_page(gpa(lapic->base_msr)));
}

void lapic_reset(struct hv_context *context, struct lapic *lapic)
{
    (void)context;
    lapic_power_up(lapic);
}

void lapic_fini(struct lapic *lapic)
{
    lapic_timer_stop(lapic);
}

uint32_t lapic_priority(const struct lapic *lapic)
{
    int in_service = vector_map_highest(lapic->isr);

    if (in_service < 0 ||
        priority_class(lapic->tpr) >= priority_class((uint32_t)in_service))
        return lapic->tpr;
    return (uint32_t)in_service & 0xf0;
}

bool lapic_error(struct lapic *lapic, uint32_t esr_bits)
{
    uint32_t lvt = lapic->lvt[LVT_ERROR];
    uint8_t vector = (uint8_t)(lvt & LVT_VECTOR);

    lapic->esr_pending |= esr_bits;
    /* An illegal vector here would be the next error, and so on for ever. */
    if ((lvt & LVT_MASKED) != 0 || vector < VECTOR_FIRST_LEGAL ||
        !lapic_accepts(lapic) || vector_map_has(lapic->irr, vector))
        return false;
    lapic_settle_assist(lapic);
    vector_map_set(lapic->irr, vector);
    vector_map_clear(lapic->tmr, vector);
    return true;
}

bool lapic_set_irr(struct lapic *lapic, uint8_t vector, bool level,
                   bool auto_eoi)
{
    if (!lapic_accepts(lapic))
        return false;
    if (vector < VECTOR_FIRST_LEGAL)
        return lapic_error(lapic, ESR_RECEIVE_ILLEGAL_VECTOR);
    if (auto_eoi)
        vector_map_set(lapic->auto_eoi, vector);
    if (vector_map_has(lapic->irr, vector))
        return false;
    lapic_settle_assist(lapic);
    vector_map_set(lapic->irr, vector);
    if (level)
        vector_map_set(lapic->tmr, vector);
    else
        vector_map_clear(lapic->tmr, vector);
    return true;
}

void lapic_set_auto_eoi(struct lapic *lapic, uint8_t vector, bool on)
{
    if (on)
        vector_map_set(lapic->auto_eoi, vector);
    else
        vector_map_clear(lapic->auto_eoi, vector);
}

int lapic_deliverable(const struct lapic *lapic)
{
    int vector = vector_map_highest(lapic->irr);

    if (vector < 0 || !lapic_accepts(lapic) ||
        priority_class((uint32_t)vector) <=
            priority_class(lapic_priority(lapic)))
        return -1;
    return vector;
}

bool lapic_has_pending(const struct lapic *lapic)
{
    return !vector_map_is_empty(lapic->irr);
}

uint8_t lapic_accept(struct hv_context *context, struct lapic *lapic)
{
    int deliverable = lapic_deliverable(lapic);

    (void)context;
    CHECK(deliverable >= 0);

    uint8_t vector = (uint8_t)deliverable;

    vector_map_clear(lapic->irr, vector);
    if (!vector_map_has(lapic->auto_eoi, vector)) {
        vector_map_set(lapic->isr, vector);
        offer_assist(lapic, vector);
    }
    return vector;
}

void lapic_eoi(struct hv_context *context, struct lapic *lapic)
{
    struct hv_vp *vp = lapic->vp;

    lapic_settle_assist(lapic);

    int vector = vector_map_highest(lapic->isr);

    pc_vp_add(&vp->counters, PC_VP_APIC_EOI, 1);
    if (vector < 0)
        return;
    vector_map_clear(lapic->isr, (uint8_t)vector);
    if (vector_map_has(lapic->tmr, (uint8_t)vector))
        intercept_send_eoi(context, vp, (uint8_t)vector);
    synic_eoi(context, &vp->synic, (uint8_t)vector);
    vp_check_interrupts(vp);
}

void lapic_write_tpr(struct hv_context *context, struct lapic *lapic,
                     uint32_t value)
{
    (void)context;
    pc_vp_add(&lapic->vp->counters, PC_VP_APIC_TPR, 1);
    lapic->tpr = value & 0xff;
    vp_check_interrupts(lapic->vp);
}

/** No firmware of ours runs: an APIC that software has not enabled is as
 *  firmware leaves it, in virtual wire mode. */
bool lapic_passes_external(const struct lapic *lapic)
{
    return !lapic_accepts(lapic) ||
           (lapic->lvt[LVT_LINT0] & (LVT_MASKED | LVT_DELIVERY)) == LVT_EXTINT;
}

bool lapic_is_enabled(const struct lapic *lapic)
{
    return lapic_enabled(lapic);
}

uint32_t lapic_tpr(const struct lapic *lapic)
{
    return lapic->tpr;
}

uint64_t lapic_read_cr8(const struct lapic *lapic)
{
    pc_vp_add(&lapic->vp->counters, PC_VP_APIC_TPR, 1);
    return priority_class(lapic->tpr);
}

void lapic_write_cr8(struct hv_context *context, struct lapic *lapic,
                     uint64_t value)
{
    lapic_write_tpr(context, lapic, (uint32_t)(value & 0xf) << 4);
}
