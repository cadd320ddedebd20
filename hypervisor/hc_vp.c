/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/hypercall_private.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "hypervisor/vp_registers.h"

#define FIRST_INTERRUPT_VECTOR 16

enum hv_status hc_vp_create(struct hv_context *context, struct hc_call *call)
{
    const struct hv_input_create_vp *input = call->input;
    struct hv_partition *partition;
    uint32_t node;
    enum hv_status status =
        hc_target_child(context, input->partition_id, &partition);

    if (status != HV_STATUS_SUCCESS)
        return status;
    if (partition->state != PARTITION_ACTIVE)
        return HV_STATUS_INVALID_PARTITION_STATE;
    if (input->reserved[0] || input->reserved[1] || input->reserved[2] ||
        input->subnode_type != 0 || input->subnode_id != 0 || input->flags != 0)
        return HV_STATUS_INVALID_PARAMETER;
    status = hc_target_node(context, input->proximity, &node);
    if (status != HV_STATUS_SUCCESS)
        return status;
    return partition_add_vp(context, partition, (vp_index_t){input->vp_index},
                            node);
}

enum hv_status hc_vp_delete(struct hv_context *context, struct hc_call *call)
{
    const struct hv_input_delete_vp *input = call->input;
    struct hv_vp *vp;
    enum hv_status status = hc_target_vp(context, input->partition_id,
                                         input->vp_index, false, 0, &vp);

    if (status != HV_STATUS_SUCCESS)
        return status;
    return partition_remove_vp(context, vp);
}

static enum hv_status find_registers(struct hv_context *context,
                                     const struct hv_input_vp_registers *input,
                                     struct hv_vp **vp)
{
    enum hv_status status =
        hc_target_vp(context, input->partition_id, input->vp_index, true,
                     PRIVILEGE_ACCESS_VP_REGISTERS, vp);

    if (status != HV_STATUS_SUCCESS)
        return status;
    if (input->reserved[0] || input->reserved[1] || input->reserved[2])
        return HV_STATUS_INVALID_PARAMETER;
    return hc_target_vtl(input->vtl);
}

enum hv_status hc_vp_get_registers(struct hv_context *context,
                                   struct hc_call *call)
{
    struct hv_register_value *values = call->output;
    struct vp_registers registers;
    struct hv_vp *vp;
    enum hv_status status = find_registers(context, call->input, &vp);

    if (status != HV_STATUS_SUCCESS)
        return status;
    vp_registers_open(&registers, context, vp);
    for (; call->done < call->count; call->done++) {
        status = vp_registers_get(&registers, hc_element32(call),
                                  &values[call->done]);
        if (status != HV_STATUS_SUCCESS)
            break;
    }
    vp_registers_close(&registers);
    return status;
}

static enum hv_status set_register(struct vp_registers *registers,
                                   const struct hc_call *call)
{
    struct hv_register_assoc assoc;

    memcpy(&assoc, (const uint8_t *)call->elements + call->done * sizeof(assoc),
           sizeof(assoc));
    return vp_registers_set(registers, assoc.name, &assoc.value);
}

enum hv_status hc_vp_set_registers(struct hv_context *context,
                                   struct hc_call *call)
{
    struct vp_registers registers;
    struct hv_vp *vp;
    enum hv_status status = find_registers(context, call->input, &vp);

    if (status != HV_STATUS_SUCCESS)
        return status;
    vp_registers_open(&registers, context, vp);
    for (; call->done < call->count; call->done++) {
        status = set_register(&registers, call);
        if (status != HV_STATUS_SUCCESS)
            break;
    }
    vp_registers_close(&registers);
    return status;
}

/* Which vectors and flags go with which type (TLFS, "Virtual Interrupt
 * Control"). SMI and remote read do not exist here. */
static bool interrupt_valid(const struct hv_input_assert_interrupt *input)
{
    const uint32_t known = HV_INTERRUPT_LEVEL_TRIGGERED | HV_INTERRUPT_LOGICAL;
    bool edge = (input->flags & HV_INTERRUPT_LEVEL_TRIGGERED) == 0;

    if ((input->flags & ~known) != 0 || input->destination > UINT32_MAX)
        return false;
    switch (input->type) {
    case HV_INTERRUPT_FIXED:
    case HV_INTERRUPT_LOWEST_PRIORITY:
        return input->vector >= FIRST_INTERRUPT_VECTOR && input->vector <= 255;
    case HV_INTERRUPT_NMI:
    case HV_INTERRUPT_INIT:
        return edge && input->vector == 0;
    case HV_INTERRUPT_SIPI:
    case HV_INTERRUPT_EXTINT:
        return edge && input->vector <= 255;
    default:
        return false;
    }
}

enum hv_status hc_vp_assert_interrupt(struct hv_context *context,
                                      struct hc_call *call)
{
    const struct hv_input_assert_interrupt *input = call->input;
    struct hv_partition *partition;
    enum hv_status status =
        hc_target_child(context, input->partition_id, &partition);

    if (status != HV_STATUS_SUCCESS)
        return status;
    if (partition->state != PARTITION_ACTIVE)
        return HV_STATUS_INVALID_PARTITION_STATE;
    if (input->reserved[0] || input->reserved[1] || input->reserved[2] ||
        !interrupt_valid(input))
        return HV_STATUS_INVALID_PARAMETER;
    status = hc_target_vtl(input->vtl);
    if (status != HV_STATUS_SUCCESS)
        return status;

    const struct lapic_message message = {
        .delivery = (enum lapic_delivery)input->type,
        .logical = (input->flags & HV_INTERRUPT_LOGICAL) != 0,
        .level = (input->flags & HV_INTERRUPT_LEVEL_TRIGGERED) != 0,
        .destination = (uint32_t)input->destination,
        .vector = (uint8_t)input->vector,
    };

    return lapic_deliver(context, partition, &message)
               ? HV_STATUS_SUCCESS
               : HV_STATUS_NOT_ACKNOWLEDGED;
}

/* Takes an ExtINT back that the VP has not taken: the 8259 has withdrawn it. */
enum hv_status hc_vp_clear_interrupt(struct hv_context *context,
                                     struct hc_call *call)
{
    const struct hv_input_clear_interrupt *input = call->input;
    struct hv_vp *vp;
    enum hv_status status = hc_target_vp(context, input->partition_id,
                                         input->vp_index, false, 0, &vp);

    if (status != HV_STATUS_SUCCESS)
        return status;
    if (!vp->external_pending)
        return HV_STATUS_ACKNOWLEDGED;
    vp->external_pending = false;
    return HV_STATUS_SUCCESS;
}

/* A hint for the scheduler, which may take it or not. */
enum hv_status hc_vp_notify_long_spin_wait(struct hv_context *context,
                                           struct hc_call *call)
{
    (void)call;
    sched_spin(&context->hv->sched, context->vp, context->now);
    return HV_STATUS_SUCCESS;
}
