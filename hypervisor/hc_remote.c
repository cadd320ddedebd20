/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a guest does to its other processors without stopping each of them:
 * flush their translations, interrupt them (TLFS, "Virtual MMU" and "Virtual
 * Interrupt Control").
 *
 * A VP that is on no LP costs nothing: that is what these calls are for. One
 * that runs is interrupted, and flushes when it is. Every flush is one of all
 * translations: the interface allows to flush more than was asked for.
 */
#include "hypervisor/hypercall_private.h"
#include "hypervisor/lp.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"

#define FIRST_VECTOR 16

#define FLUSH_FLAGS                                                            \
    (HV_FLUSH_ALL_PROCESSORS | HV_FLUSH_ALL_ADDRESS_SPACES |                   \
     HV_FLUSH_NON_GLOBAL_ONLY)
#define FLUSH_LIST_FLAGS (HV_FLUSH_ALL_PROCESSORS | HV_FLUSH_ALL_ADDRESS_SPACES)

_Static_assert(PARTITION_VP_COUNT_MAX <= HV_VP_SET_BANK_VPS,
               "bank 0 names every VP that there can be");

/* The VPs of a set, one bit each. The header must hold as many banks as the
 * set says that it has, even where it means all VPs. */
static enum hv_status read_set(const struct hc_call *call,
                               const struct hv_vp_set *set, uint64_t *mask)
{
    uint32_t banks = (uint32_t)__builtin_popcountll(set->valid_banks);

    if (call->variable_bytes != banks * sizeof(uint64_t))
        return HV_STATUS_INVALID_HYPERCALL_INPUT;
    *mask = 0;
    if (set->format == HV_VP_SET_ALL)
        *mask = UINT64_MAX;
    else if (set->format != HV_VP_SET_SPARSE)
        return HV_STATUS_INVALID_PARAMETER;
    else if ((set->valid_banks & 1) != 0)
        memcpy(mask, set + 1, sizeof(*mask));
    return HV_STATUS_SUCCESS;
}

/* The VP flushes; if it runs elsewhere, its LP is interrupted for it. */
static void flush_vp(struct hv_context *context, struct hv_vp *vp)
{
    engine_flush_translations(vp->engine);
    cost_note(context->bill, COST_TLB_SHOOTDOWN, 1);
    vp_kick(context, vp);
}

static void flush(struct hv_context *context, uint64_t mask)
{
    struct hv_partition *partition = context->vp->partition;

    for (uint32_t i = 0; i < PARTITION_VP_COUNT_MAX; i++) {
        struct hv_vp *vp = partition->vps[i];

        if (vp && vp->engine && (mask >> i & 1) != 0)
            flush_vp(context, vp);
    }
}

/* Old Windows guests mean all processors by a mask without any. */
static uint64_t flush_mask(const struct hv_input_flush *input)
{
    bool all = (input->flags & HV_FLUSH_ALL_PROCESSORS) != 0;

    return all || input->processor_mask == 0 ? UINT64_MAX
                                             : input->processor_mask;
}

enum hv_status hc_remote_flush_space(struct hv_context *context,
                                     struct hc_call *call)
{
    const struct hv_input_flush *input = call->input;

    if ((input->flags & ~(uint64_t)FLUSH_FLAGS) != 0)
        return HV_STATUS_INVALID_PARAMETER;
    flush(context, flush_mask(input));
    return HV_STATUS_SUCCESS;
}

enum hv_status hc_remote_flush_list(struct hv_context *context,
                                    struct hc_call *call)
{
    const struct hv_input_flush *input = call->input;

    if ((input->flags & ~(uint64_t)FLUSH_LIST_FLAGS) != 0)
        return HV_STATUS_INVALID_PARAMETER;
    flush(context, flush_mask(input));
    call->done = call->count;
    return HV_STATUS_SUCCESS;
}

static enum hv_status flush_set(struct hv_context *context,
                                const struct hc_call *call, uint64_t allowed)
{
    const struct hv_input_flush_ex *input = call->input;
    uint64_t mask;
    enum hv_status status = read_set(call, &input->processors, &mask);

    if (status != HV_STATUS_SUCCESS)
        return status;
    if ((input->flags & ~allowed) != 0)
        return HV_STATUS_INVALID_PARAMETER;
    if ((input->flags & HV_FLUSH_ALL_PROCESSORS) != 0)
        mask = UINT64_MAX;
    flush(context, mask);
    return HV_STATUS_SUCCESS;
}

enum hv_status hc_remote_flush_space_ex(struct hv_context *context,
                                        struct hc_call *call)
{
    return flush_set(context, call, FLUSH_FLAGS);
}

enum hv_status hc_remote_flush_list_ex(struct hv_context *context,
                                       struct hc_call *call)
{
    enum hv_status status = flush_set(context, call, FLUSH_LIST_FLAGS);

    if (status == HV_STATUS_SUCCESS)
        call->done = call->count;
    return status;
}

static enum hv_status send_ipi(struct hv_context *context, uint32_t vector,
                               uint8_t vtl, const uint8_t reserved[3],
                               uint64_t mask)
{
    struct hv_partition *partition = context->vp->partition;
    enum hv_status status = hc_target_vtl(vtl);

    if (status != HV_STATUS_SUCCESS)
        return status;
    if (vector < FIRST_VECTOR || vector > UINT8_MAX || reserved[0] != 0 ||
        reserved[1] != 0 || reserved[2] != 0)
        return HV_STATUS_INVALID_HYPERCALL_INPUT;
    for (uint32_t i = 0; i < PARTITION_VP_COUNT_MAX; i++) {
        if (partition->vps[i] && (mask >> i & 1) != 0)
            vp_interrupt(context, partition->vps[i], (uint8_t)vector);
    }
    return HV_STATUS_SUCCESS;
}

enum hv_status hc_remote_send_ipi(struct hv_context *context,
                                  struct hc_call *call)
{
    const struct hv_input_cluster_ipi *input = call->input;

    return send_ipi(context, input->vector, input->vtl, input->reserved,
                    input->processor_mask);
}

enum hv_status hc_remote_send_ipi_ex(struct hv_context *context,
                                     struct hc_call *call)
{
    const struct hv_input_cluster_ipi_ex *input = call->input;
    uint64_t mask;
    enum hv_status status = read_set(call, &input->processors, &mask);

    if (status != HV_STATUS_SUCCESS)
        return status;
    return send_ipi(context, input->vector, input->vtl, input->reserved, mask);
}
