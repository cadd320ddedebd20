/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpu/mmu.h"
#include "hypervisor/cpuid.h"
#include "hypervisor/gpa_space.h"
#include "hypervisor/hypercall_private.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"

#define CACHE_TYPE_MASK UINT64_C(0xff)
/* What a walk did not get as far as. */
#define NO_GPA (gpa(UINT64_MAX))
#define GVA_PAGES (UINT64_C(1) << (64 - PAGE_SHIFT))

/* The VP's view of memory as its registers stand. `pdpte` is for PAE. */
static struct mmu_context mmu_context_of(const struct hv_vp *vp,
                                         const struct x86_state *state,
                                         uint64_t flags, uint64_t pdpte[4])
{
    struct engine_features features;

    cpuid_engine_features(&features);

    struct mmu_context mmu = {
        .arena = vp->hv->arena,
        .slat = vp->partition->gpa.root,
        .cr0 = state->cr0,
        .cr3 = state->cr3,
        .cr4 = state->cr4,
        .efer = state->efer,
        .user = !(flags & HV_TRANSLATE_PRIVILEGE_EXEMPT) && x86_cpl(state) == 3,
        .alignment_check = (state->rflags & RFLAGS_AC) != 0,
        .physical_bits = features.physical_bits,
        .pages_1g = features.pages_1g,
        .look_only = !(flags & HV_TRANSLATE_SET_PAGE_TABLE_BITS),
        .pdpte = pdpte,
    };

    /* Entries that do not load are as good as not present. */
    if ((state->cr0 & CR0_PG) && (state->cr4 & CR4_PAE) &&
        !(state->efer & EFER_LMA) && !mmu_load_pdptes(&mmu, pdpte))
        memset(pdpte, 0, 4 * sizeof(*pdpte));
    return mmu;
}

static enum hv_translate_result page_fault_result(uint32_t error_code)
{
    if (error_code & PF_RESERVED)
        return HV_TRANSLATE_INVALID_PAGE_TABLE_FLAGS;
    return error_code & PF_PRESENT ? HV_TRANSLATE_PRIVILEGE_VIOLATION
                                   : HV_TRANSLATE_PAGE_NOT_PRESENT;
}

static enum hv_translate_result slat_fault_result(const struct hv_vp *vp,
                                                  const struct mmu_fault *fault)
{
    struct gpa_mapping mapping;

    if (!gpa_space_find(&vp->partition->gpa, fault->gpa, &mapping))
        return HV_TRANSLATE_GPA_UNMAPPED;
    return fault->write ? HV_TRANSLATE_GPA_NO_WRITE_ACCESS
                        : HV_TRANSLATE_GPA_NO_READ_ACCESS;
}

static enum hv_translate_result translate(struct hv_context *context,
                                          const struct hv_vp *vp,
                                          const struct mmu_context *mmu,
                                          gva_t at, enum mmu_access access,
                                          struct mmu_translation *out)
{
    struct mmu_fault fault;
    enum mmu_result result = mmu_translate(mmu, at, access, out, &fault);

    cost_note(context->bill, COST_GUEST_WALK_REF, fault.guest_references);
    cost_note(context->bill, COST_SLAT_WALK_REF, fault.slat_references);
    switch (result) {
    case MMU_OK:
        break;
    case MMU_PAGE_FAULT:
        return page_fault_result(fault.error_code);
    case MMU_SLAT_FAULT:
        out->gpa = fault.in_walk ? NO_GPA : fault.gpa;
        return slat_fault_result(vp, &fault);
    }
    return HV_TRANSLATE_SUCCESS;
}

/* Each access asked for must be allowed; none asked for is a read. */
static enum hv_translate_result translate_all(struct hv_context *context,
                                              const struct hv_vp *vp,
                                              const struct mmu_context *mmu,
                                              gva_t at, uint64_t flags,
                                              struct mmu_translation *out)
{
    static const struct {
        uint64_t flag;
        enum mmu_access access;
    } accesses[] = {
        {HV_TRANSLATE_WRITE, MMU_WRITE},
        {HV_TRANSLATE_EXECUTE, MMU_FETCH},
    };
    enum hv_translate_result result = HV_TRANSLATE_SUCCESS;
    bool other = flags & (HV_TRANSLATE_WRITE | HV_TRANSLATE_EXECUTE);

    if (!other || (flags & HV_TRANSLATE_READ))
        result = translate(context, vp, mmu, at, MMU_READ, out);
    for (size_t i = 0; i < sizeof(accesses) / sizeof(accesses[0]); i++) {
        if (result == HV_TRANSLATE_SUCCESS && (flags & accesses[i].flag))
            result = translate(context, vp, mmu, at, accesses[i].access, out);
    }
    return result;
}

enum hv_status hc_access_translate(struct hv_context *context,
                                   struct hc_call *call)
{
    const struct hv_input_translate_gva *input = call->input;
    struct hv_output_translate_gva *output = call->output;
    struct mmu_translation translation = {0};
    struct gpa_mapping mapping;
    struct x86_state state;
    uint64_t pdpte[4];
    struct hv_vp *vp;
    enum hv_status status =
        hc_target_vp(context, input->partition_id, input->vp_index, true,
                     PRIVILEGE_ACCESS_VP_REGISTERS, &vp);

    if (status != HV_STATUS_SUCCESS)
        return status;
    /* Nothing here holds back another VP's TLB flush. */
    if (input->padding != 0 || (input->flags & ~(uint64_t)HV_TRANSLATE_FLAGS) ||
        (input->flags & HV_TRANSLATE_TLB_FLUSH_INHIBIT) ||
        input->gva_page >= GVA_PAGES)
        return HV_STATUS_INVALID_PARAMETER;
    if (!vp->engine)
        return HV_STATUS_OPERATION_DENIED;
    engine_get_state(vp->engine, &state);

    gva_t at = gva(input->gva_page << PAGE_SHIFT);
    struct mmu_context mmu = mmu_context_of(vp, &state, input->flags, pdpte);

    if (x86_long_mode(&state) && !x86_canonical(at.raw)) {
        output->result = HV_TRANSLATE_PAGE_NOT_PRESENT;
        return HV_STATUS_SUCCESS;
    }
    output->result =
        translate_all(context, vp, &mmu, at, input->flags, &translation);
    output->gpa_page = translation.gpa.raw >> PAGE_SHIFT;
    if (output->result != HV_TRANSLATE_SUCCESS)
        return HV_STATUS_SUCCESS;
    output->cache_type = HV_CACHE_TYPE_WRITE_BACK;
    if (gpa_space_find(&vp->partition->gpa, translation.gpa, &mapping) &&
        mapping.overlay)
        output->cache_type |= HV_TRANSLATE_OVERLAY_PAGE;
    return HV_STATUS_SUCCESS;
}

/* 1 to 16 bytes on one page; the cache type changes nothing here. */
static enum hv_status check_access(struct hv_context *context,
                                   uint64_t partition_id, uint32_t vp_index,
                                   uint32_t bytes, uint64_t at, uint64_t flags,
                                   struct hv_partition **partition)
{
    struct hv_vp *vp;
    enum hv_status status =
        hc_target_vp(context, partition_id, vp_index, false, 0, &vp);

    if (status != HV_STATUS_SUCCESS)
        return status;
    if (bytes == 0 || bytes > HV_ACCESS_GPA_BYTES_MAX ||
        (at & PAGE_MASK) + bytes > PAGE_BYTES || (flags & ~CACHE_TYPE_MASK))
        return HV_STATUS_INVALID_PARAMETER;
    *partition = vp->partition;
    return HV_STATUS_SUCCESS;
}

static enum hv_access_gpa_result
access_result(const struct hv_partition *partition, uint64_t at, bool write)
{
    struct gpa_mapping mapping;

    if (!gpa_space_find(&partition->gpa, gpa(at), &mapping))
        return HV_ACCESS_GPA_UNMAPPED;
    if (!write || mapping.writable)
        return HV_ACCESS_GPA_SUCCESS;
    return mapping.overlay ? HV_ACCESS_GPA_ILLEGAL_OVERLAY_ACCESS
                           : HV_ACCESS_GPA_WRITE_INTERCEPT;
}

enum hv_status hc_access_read(struct hv_context *context, struct hc_call *call)
{
    const struct hv_input_read_gpa *input = call->input;
    struct hv_output_read_gpa *output = call->output;
    struct hv_partition *partition;
    enum hv_status status =
        check_access(context, input->partition_id, input->vp_index,
                     input->bytes, input->gpa, input->flags, &partition);

    if (status != HV_STATUS_SUCCESS)
        return status;
    output->result = access_result(partition, input->gpa, false);
    if (output->result == HV_ACCESS_GPA_SUCCESS)
        (void)guest_memory_read(gpa_space_memory(&partition->gpa),
                                gpa(input->gpa), output->data, input->bytes);
    return HV_STATUS_SUCCESS;
}

enum hv_status hc_access_write(struct hv_context *context, struct hc_call *call)
{
    const struct hv_input_write_gpa *input = call->input;
    struct hv_output_write_gpa *output = call->output;
    struct hv_partition *partition;
    enum hv_status status =
        check_access(context, input->partition_id, input->vp_index,
                     input->bytes, input->gpa, input->flags, &partition);

    if (status != HV_STATUS_SUCCESS)
        return status;
    output->result = access_result(partition, input->gpa, true);
    if (output->result == HV_ACCESS_GPA_SUCCESS)
        (void)guest_memory_write(gpa_space_memory(&partition->gpa),
                                 gpa(input->gpa), input->data, input->bytes);
    return HV_STATUS_SUCCESS;
}
