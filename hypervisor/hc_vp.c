/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/hypercall_private.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "hypervisor/vp_registers.h"

#define FIRST_INTERRUPT_VECTOR 16
#define XAPIC_BROADCAST 0xffu
#define X2APIC_BROADCAST 0xffffffffu

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

/* Which vectors go with which type (TLFS, "Virtual Interrupt Control"). The
 * types of the legacy PIC and SMI do not exist here, as there is neither; and
 * whoever routes by logical destination or priority has an IOAPIC, which is
 * the only one to need it. */
static bool interrupt_valid(const struct hv_input_assert_interrupt *input)
{
    bool level = input->flags == HV_INTERRUPT_LEVEL_TRIGGERED;

    switch (input->type) {
    case HV_INTERRUPT_FIXED:
        return (input->flags == 0 || level) &&
               input->vector >= FIRST_INTERRUPT_VECTOR && input->vector <= 255;
    case HV_INTERRUPT_NMI:
    case HV_INTERRUPT_INIT:
        return input->flags == 0 && input->vector == 0;
    case HV_INTERRUPT_SIPI:
        return input->flags == 0 && input->vector <= 255;
    default:
        return false;
    }
}

static void assert_fixed(struct hv_context *context, struct hv_vp *vp,
                         uint8_t vector, bool level)
{
    if (!level) {
        vp_interrupt(context, vp, vector);
        return;
    }
    cost_note(context->bill, COST_VIRTUAL_INTERRUPT, 1);
    if (!lapic_set_irr(&vp->lapic, vector, true, false))
        return;
    vp_reconsider(context, vp);
    vp_check_interrupts(vp);
}

static void assert_interrupt(struct hv_context *context, struct hv_vp *vp,
                             const struct hv_input_assert_interrupt *input)
{
    uint8_t vector = (uint8_t)input->vector;

    switch ((enum hv_interrupt_type)input->type) {
    case HV_INTERRUPT_FIXED:
        assert_fixed(context, vp, vector, input->flags != 0);
        break;
    case HV_INTERRUPT_NMI:
        vp_nmi(context, vp);
        break;
    case HV_INTERRUPT_INIT:
        vp_init(context, vp);
        break;
    case HV_INTERRUPT_SIPI:
        vp_startup(context, vp, vector);
        break;
    case HV_INTERRUPT_LOWEST_PRIORITY:
        break; /* refused before */
    }
}

/* An address that no processor has is not an error: on the APIC bus nobody
 * would listen either. */
static void assert_at_destination(struct hv_context *context,
                                  struct hv_partition *partition,
                                  const struct hv_input_assert_interrupt *input)
{
    bool all = input->destination == XAPIC_BROADCAST ||
               input->destination == X2APIC_BROADCAST;

    for (uint32_t i = 0; i < PARTITION_VP_COUNT_MAX; i++) {
        struct hv_vp *vp = partition->vps[i];

        if (vp && vp->engine && (all || vp->apic_id == input->destination))
            assert_interrupt(context, vp, input);
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
    assert_at_destination(context, partition, input);
    return HV_STATUS_SUCCESS;
}

/* A hint for schedulers; round robin has no use for it, so the call is only
 * counted (by the table in hypercall.c). */
enum hv_status hc_vp_notify_long_spin_wait(struct hv_context *context,
                                           struct hc_call *call)
{
    (void)context;
    (void)call;
    return HV_STATUS_SUCCESS;
}
