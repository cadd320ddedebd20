/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Inter-processor interrupts (SDM 3A, "Issuing Interprocessor Interrupts"), and
 * messages from outside, which are routed alike.
 *
 * Ordering. Targets are served by ascending VP index. Lowest-priority delivery
 * goes to the target with the lowest processor priority, among equals to the
 * lowest VP index; real processors leave the choice open.
 *
 * What this does not model: SMI (there is no SMM) and remote read.
 */
#include "hypervisor/lapic_private.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"

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
    const struct lapic *from; /* NULL: none of the partition's */
    enum shorthand shorthand;
    bool broadcast; /* the destination field is all ones */
    struct lapic_message message;
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

    uint32_t destination = ipi->message.destination;

    if (!ipi->message.logical)
        return to->vp->apic_id == destination;
    return lapic_x2apic(to) ? matches_x2apic_logical(to, destination)
                            : matches_xapic_logical(to, destination);
}

/** Which combinations exist: SDM 3A, "Valid Combinations for the Pentium 4
 *  ICR". The others send nothing. */
static bool is_valid(const struct ipi *ipi)
{
    switch (ipi->message.delivery) {
    case LAPIC_FIXED:
        return true;
    case LAPIC_LOWEST:
    case LAPIC_NMI:
    case LAPIC_INIT:
    case LAPIC_STARTUP:
        return ipi->shorthand == TO_DESTINATION || ipi->shorthand == TO_OTHERS;
    case LAPIC_SMI:
    case LAPIC_RESERVED:
    case LAPIC_EXTINT:
        return false;
    }
    return false;
}

/** False: the VP has an ExtINT that it has not taken. */
static bool deliver(struct hv_context *context,
                    const struct lapic_message *message, struct hv_vp *vp)
{
    switch (message->delivery) {
    case LAPIC_FIXED:
    case LAPIC_LOWEST:
        if (message->level)
            vp_interrupt_level(context, vp, message->vector);
        else
            vp_interrupt(context, vp, message->vector);
        break;
    case LAPIC_NMI:
        vp_nmi(context, vp);
        break;
    case LAPIC_INIT:
        vp_init(context, vp);
        break;
    case LAPIC_STARTUP:
        vp_startup(context, vp, message->vector);
        break;
    case LAPIC_EXTINT:
        return vp_external_interrupt(context, vp, message->vector);
    case LAPIC_SMI:
    case LAPIC_RESERVED:
        break;
    }
    return true;
}

/** The target of a lowest-priority message, or NULL. */
static struct hv_vp *arbitrate(const struct hv_partition *partition,
                               const struct ipi *ipi)
{
    struct hv_vp *best = NULL;

    for (uint32_t i = 0; i < PARTITION_VP_COUNT_MAX; i++) {
        struct hv_vp *vp = partition->vps[i];

        if (!vp || !is_target(ipi, &vp->lapic) || !lapic_accepts(&vp->lapic))
            continue;
        lapic_settle_assist(&vp->lapic);
        if (!best || lapic_priority(&vp->lapic) < lapic_priority(&best->lapic))
            best = vp;
    }
    return best;
}

static bool deliver_to_all(struct hv_context *context,
                           struct hv_partition *partition,
                           const struct ipi *ipi)
{
    bool delivered = true;

    for (uint32_t i = 0; i < PARTITION_VP_COUNT_MAX; i++) {
        struct hv_vp *vp = partition->vps[i];

        if (vp && is_target(ipi, &vp->lapic))
            delivered &= deliver(context, &ipi->message, vp);
    }
    return delivered;
}

bool lapic_deliver(struct hv_context *context, struct hv_partition *partition,
                   const struct lapic_message *message)
{
    const struct ipi ipi = {
        .shorthand = TO_DESTINATION,
        .broadcast = message->destination == UINT32_MAX ||
                     (!message->logical && message->destination == 0xff),
        .message = *message,
    };

    if (message->delivery != LAPIC_LOWEST)
        return deliver_to_all(context, partition, &ipi);

    struct hv_vp *target = arbitrate(partition, &ipi);

    return !target || deliver(context, message, target);
}

static struct ipi decode(const struct lapic *lapic, uint64_t icr)
{
    uint32_t low = (uint32_t)icr;
    bool x2apic = lapic_x2apic(lapic);
    uint32_t destination = (uint32_t)(icr >> (x2apic ? 32 : 56));

    return (struct ipi){
        .from = lapic,
        .shorthand = (enum shorthand)(low >> 18 & 3),
        .broadcast = destination == (x2apic ? UINT32_MAX : 0xff),
        .message = {.delivery = (enum lapic_delivery)(low >> 8 & 7),
                    .logical = (low & ICR_LOGICAL) != 0,
                    .destination = destination,
                    .vector = (uint8_t)low},
    };
}

void lapic_send(struct hv_context *context, struct lapic *lapic, uint64_t icr)
{
    struct ipi ipi = decode(lapic, icr);
    enum lapic_delivery delivery = ipi.message.delivery;
    struct hv_vp *vp = lapic->vp;

    if (!lapic_enabled(lapic) || !is_valid(&ipi))
        return;
    /* "INIT level de-assert" has no effect since the Pentium 4. */
    if (delivery == LAPIC_INIT && (icr & ICR_LEVEL) != 0 &&
        (icr & ICR_ASSERT) == 0)
        return;
    if ((delivery == LAPIC_FIXED || delivery == LAPIC_LOWEST) &&
        ipi.message.vector < VECTOR_FIRST_LEGAL) {
        if (lapic_error(lapic, ESR_SEND_ILLEGAL_VECTOR))
            vp_check_interrupts(vp);
        return;
    }

    pc_vp_add(&vp->counters, PC_VP_APIC_IPIS, 1);
    hypervisor_trace(context, TRACE_IPI, ipi.message.vector);
    if (delivery == LAPIC_LOWEST) {
        struct hv_vp *target = arbitrate(vp->partition, &ipi);

        if (!target)
            return;
        if (target == vp)
            pc_vp_add(&vp->counters, PC_VP_APIC_SELF_IPIS, 1);
        deliver(context, &ipi.message, target);
        return;
    }
    if (is_target(&ipi, lapic))
        pc_vp_add(&vp->counters, PC_VP_APIC_SELF_IPIS, 1);
    deliver_to_all(context, vp->partition, &ipi);
}
