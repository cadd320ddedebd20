/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a guest, or its parent, starts a processor without INIT and SIPI, right
 * in the mode that it wants (TLFS, "HvCallStartVirtualProcessor"). */
#include "hypervisor/hypercall_private.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "hypervisor/vp_registers.h"

struct initial {
    uint32_t name;
    struct hv_register_value value;
};

static struct initial plain(uint32_t name, uint64_t value)
{
    return (struct initial){name, {.low = value}};
}

/* Segments and tables have in the context the form that registers have. */
static struct initial wide(uint32_t name, const void *value)
{
    struct initial initial = {.name = name};

    memcpy(&initial.value, value, sizeof(initial.value));
    return initial;
}

_Static_assert(sizeof(struct hv_segment_register) ==
                       sizeof(struct hv_register_value) &&
                   sizeof(struct hv_table_register) ==
                       sizeof(struct hv_register_value),
               "copied as they are");

/* All or nothing: the engine's registers are written only at the end, and PAT,
 * which is none of them, is the last. */
static enum hv_status set_context(struct hv_context *context, struct hv_vp *vp,
                                  const struct hv_initial_vp_context *from)
{
    const struct initial registers[] = {
        plain(HV_REGISTER_RIP, from->rip),
        plain(HV_REGISTER_RAX + X86_RSP, from->rsp),
        plain(HV_REGISTER_RFLAGS, from->rflags),
        wide(HV_REGISTER_ES + X86_CS, &from->cs),
        wide(HV_REGISTER_ES + X86_DS, &from->ds),
        wide(HV_REGISTER_ES + X86_ES, &from->es),
        wide(HV_REGISTER_ES + X86_FS, &from->fs),
        wide(HV_REGISTER_ES + X86_GS, &from->gs),
        wide(HV_REGISTER_ES + X86_SS, &from->ss),
        wide(HV_REGISTER_TR, &from->tr),
        wide(HV_REGISTER_LDTR, &from->ldtr),
        wide(HV_REGISTER_IDTR, &from->idtr),
        wide(HV_REGISTER_GDTR, &from->gdtr),
        plain(HV_REGISTER_EFER, from->efer),
        plain(HV_REGISTER_CR0, from->cr0),
        plain(HV_REGISTER_CR3, from->cr3),
        plain(HV_REGISTER_CR4, from->cr4),
        plain(HV_REGISTER_PAT, from->pat),
    };
    enum hv_status status = HV_STATUS_SUCCESS;
    struct vp_registers open;

    vp_registers_open(&open, context, vp);
    for (size_t i = 0; status == HV_STATUS_SUCCESS &&
                       i < sizeof(registers) / sizeof(registers[0]);
         i++)
        status =
            vp_registers_set(&open, registers[i].name, &registers[i].value);
    if (status != HV_STATUS_SUCCESS)
        vp_registers_discard(&open);
    vp_registers_close(&open);
    return status;
}

enum hv_status hc_start_processor(struct hv_context *context,
                                  struct hc_call *call)
{
    const struct hv_input_start_vp *input = call->input;
    struct hv_vp *vp;
    enum hv_status status =
        hc_target_vp(context, input->partition_id, input->vp_index, true,
                     PRIVILEGE_START_VIRTUAL_PROCESSOR, &vp);

    if (status == HV_STATUS_SUCCESS)
        status = hc_target_vtl(input->vtl);
    if (status != HV_STATUS_SUCCESS)
        return status;
    if (input->reserved[0] != 0 || input->reserved[1] != 0 ||
        input->reserved[2] != 0)
        return HV_STATUS_INVALID_PARAMETER;
    if (!vp->engine || !vp->wait_for_sipi)
        return HV_STATUS_INVALID_VP_STATE;
    status = set_context(context, vp, &input->context);
    if (status != HV_STATUS_SUCCESS)
        return status;
    vp->wait_for_sipi = false;
    vp_reconsider(context, vp);
    return HV_STATUS_SUCCESS;
}

static struct hv_vp *find_apic_id(const struct hv_partition *partition,
                                  uint32_t id)
{
    for (uint32_t i = 0; i < PARTITION_VP_COUNT_MAX; i++) {
        if (partition->vps[i] && partition->vps[i]->apic_id == id)
            return partition->vps[i];
    }
    return NULL;
}

enum hv_status hc_start_find_index(struct hv_context *context,
                                   struct hc_call *call)
{
    const struct hv_input_vp_index_from_apic_id *input = call->input;
    uint32_t *indices = call->output;
    struct hv_partition *partition;
    enum hv_status status =
        hc_target_child_or_self(context, input->partition_id,
                                PRIVILEGE_START_VIRTUAL_PROCESSOR, &partition);

    if (status == HV_STATUS_SUCCESS)
        status = hc_target_vtl(input->vtl);
    if (status != HV_STATUS_SUCCESS)
        return status;
    for (size_t i = 0; i < sizeof(input->reserved); i++) {
        if (input->reserved[i] != 0)
            return HV_STATUS_INVALID_PARAMETER;
    }
    for (; call->done < call->count; call->done++) {
        const struct hv_vp *vp = find_apic_id(partition, hc_element32(call));

        if (!vp)
            return HV_STATUS_INVALID_PARAMETER;
        indices[call->done] = vp->index.v;
    }
    return HV_STATUS_SUCCESS;
}
