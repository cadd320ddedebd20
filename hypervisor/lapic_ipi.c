/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inter-processor interrupts (SDM 3A, "Issuing Interprocessor Interrupts").
 *
 * Ordering. Targets are served by ascending VP index. Lowest-priority delivery
 * goes to the target with the lowest processor priority, among equals to the
 * lowest VP index; real processors leave the choice open.
 *
 * What this does not model: SMI (there is no SMM), remote read, and ExtINT.
 */
#include "hypervisor/lapic_private.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"

enum delivery {
    DELIVER_FIXED,
    DELIVER_LOWEST,
    DELIVER_SMI,
    DELIVER_RESERVED,
    DELIVER_NMI,
    DELIVER_INIT,
    DELIVER_STARTUP,
    DELIVER_EXTINT,
};

enum shorthand {
    TO_DESTINATION,
    TO_SELF,
    TO_ALL,
    TO_OTHERS,
};

#define ICR_LOGICAL (1u << 11)
#define ICR_ASSERT (1u << 14)
#define ICR_LEVEL (1u << 15)

struct ipi {
    const struct lapic *from;
    enum delivery delivery;
    enum shorthand shorthand;
    bool logical;
    bool broadcast; /* the destination field is all ones */
    uint32_t destination;
    uint8_t vector;
};

uint32_t lapic_x2apic_ldr(uint32_t apic_id)
{
    return (apic_id >> 4) << 16 | 1u << (apic_id & 0xf);
}

static bool matches_x2apic_logical(const struct lapic *lapic,
                                   uint32_t destination)
{
    uint32_t ldr = lapic_x2apic_ldr(lapic->vp->apic_id);

    return destination >> 16 == ldr >> 16 && (destination & ldr & 0xffff) != 0;
}

/** In the flat model (DFR 1111b) each bit is a processor; in the cluster
 *  model (0000b) the upper nibble names four of them, 15 every cluster. */
static bool matches_xapic_logical(const struct lapic *lapic,
                                  uint32_t destination)
{
    uint32_t id = lapic->ldr >> 24;

    if (lapic->dfr >> 28 == 0xf)
        return (id & destination & 0xff) != 0;
    if (lapic->dfr >> 28 != 0)
        return false;
    return (destination >> 4 == 0xf || destination >> 4 == id >> 4) &&
           (destination & id & 0xf) != 0;
}

static bool is_target(const struct ipi *ipi, const struct lapic *to)
{
    if (!lapic_enabled(to))
        return false;
    switch (ipi->shorthand) {
    case TO_SELF:
        return to == ipi->from;
    case TO_ALL:
        return true;
    case TO_OTHERS:
        return to != ipi->from;
    case TO_DESTINATION:
        break;
    }
    if (ipi->broadcast)
        return true;
    if (!ipi->logical)
        return to->vp->apic_id == ipi->destination;
    return lapic_x2apic(to) ? matches_x2apic_logical(to, ipi->destination)
                            : matches_xapic_logical(to, ipi->destination);
}

/** Which combinations exist: SDM 3A, "Valid Combinations for the Pentium 4
 *  ICR". The others send nothing. */
static bool is_valid(const struct ipi *ipi)
{
    switch (ipi->delivery) {
    case DELIVER_FIXED:
        return true;
    case DELIVER_LOWEST:
    case DELIVER_NMI:
    case DELIVER_INIT:
    case DELIVER_STARTUP:
        return ipi->shorthand == TO_DESTINATION || ipi->shorthand == TO_OTHERS;
    case DELIVER_SMI:
    case DELIVER_RESERVED:
    case DELIVER_EXTINT:
        return false;
    }
    return false;
}

static void deliver(struct hv_context *context, const struct ipi *ipi,
                    struct hv_vp *vp)
{
    switch (ipi->delivery) {
    case DELIVER_FIXED:
    case DELIVER_LOWEST:
        vp_interrupt(context, vp, ipi->vector);
        break;
    case DELIVER_NMI:
        vp_nmi(context, vp);
        break;
    case DELIVER_INIT:
        vp_init(context, vp);
        break;
    case DELIVER_STARTUP:
        vp_startup(context, vp, ipi->vector);
        break;
    case DELIVER_SMI:
    case DELIVER_RESERVED:
    case DELIVER_EXTINT:
        break;
    }
}

/** The target of a lowest-priority IPI, or NULL. */
static struct hv_vp *arbitrate(const struct ipi *ipi)
{
    struct hv_partition *partition = ipi->from->vp->partition;
    struct hv_vp *best = NULL;

    for (uint32_t i = 0; i < PARTITION_VP_COUNT_MAX; i++) {
        struct hv_vp *vp = partition->vps[i];

        if (!vp || !is_target(ipi, &vp->lapic) || !lapic_accepts(&vp->lapic))
            continue;
        if (!best || lapic_priority(&vp->lapic) < lapic_priority(&best->lapic))
            best = vp;
    }
    return best;
}

static void deliver_to_all(struct hv_context *context, const struct ipi *ipi)
{
    struct hv_partition *partition = ipi->from->vp->partition;

    for (uint32_t i = 0; i < PARTITION_VP_COUNT_MAX; i++) {
        struct hv_vp *vp = partition->vps[i];

        if (vp && is_target(ipi, &vp->lapic))
            deliver(context, ipi, vp);
    }
}

static struct ipi decode(const struct lapic *lapic, uint64_t icr)
{
    uint32_t low = (uint32_t)icr;
    bool x2apic = lapic_x2apic(lapic);
    uint32_t destination = (uint32_t)(icr >> (x2apic ? 32 : 56));

    return (struct ipi){
        .from = lapic,
        .delivery = (enum delivery)(low >> 8 & 7),
        .shorthand = (enum shorthand)(low >> 18 & 3),
        .logical = (low & ICR_LOGICAL) != 0,
        .broadcast = destination == (x2apic ? UINT32_MAX : 0xff),
        .destination = destination,
        .vector = (uint8_t)low,
    };
}

void lapic_send(struct hv_context *context, struct lapic *lapic, uint64_t icr)
{
    struct ipi ipi = decode(lapic, icr);
    struct hv_vp *vp = lapic->vp;

    if (!lapic_enabled(lapic) || !is_valid(&ipi))
        return;
    /* "INIT level de-assert" has no effect since the Pentium 4. */
    if (ipi.delivery == DELIVER_INIT && (icr & ICR_LEVEL) != 0 &&
        (icr & ICR_ASSERT) == 0)
        return;
    if ((ipi.delivery == DELIVER_FIXED || ipi.delivery == DELIVER_LOWEST) &&
        ipi.vector < VECTOR_FIRST_LEGAL) {
        if (lapic_error(lapic, ESR_SEND_ILLEGAL_VECTOR))
            vp_check_interrupts(vp);
        return;
    }

    pc_vp_add(&vp->counters, PC_VP_APIC_IPIS, 1);
    hypervisor_trace(context, TRACE_IPI, ipi.vector);
    if (ipi.delivery == DELIVER_LOWEST) {
        struct hv_vp *target = arbitrate(&ipi);

        if (!target)
            return;
        if (target == vp)
            pc_vp_add(&vp->counters, PC_VP_APIC_SELF_IPIS, 1);
        deliver(context, &ipi, target);
        return;
    }
    if (is_target(&ipi, lapic))
        pc_vp_add(&vp->counters, PC_VP_APIC_SELF_IPIS, 1);
    deliver_to_all(context, &ipi);
}
