/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What a guest does to its other processors without stopping each of them:
 * flush their translations, interrupt them (TLFS, "Virtual MMU" and "Virtual
 * Interrupt Control").
 *
 * A VP that is on no LP costs nothing: that is what these calls are for. One
 * that runs is interrupted, and flushes when it is.
 *
 * The interface allows to flush more than was asked for. So the address space
 * makes no difference: a TLB holds those of one, and a kernel that isolates
 * its page tables runs user code with another CR3 than it names here. And a
 * list of many pages, or of large ones, flushes all.
 */
#include "hypervisor/hypercall_private.h"
#include "hypervisor/lp.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"

#define FIRST_VECTOR 16

#define FLUSH_FLAGS                                                            \
    (HV_FLUSH_ALL_PROCESSORS | HV_FLUSH_ALL_ADDRESS_SPACES |                   \
     HV_FLUSH_NON_GLOBAL_ONLY)
#define FLUSH_LIST_FLAGS                                                       \
    (HV_FLUSH_ALL_PROCESSORS | HV_FLUSH_ALL_ADDRESS_SPACES |                   \
     HV_FLUSH_EXTENDED_RANGES)

/* A list of more pages is not worth their INVLPGs. */
#define FLUSH_PAGES_MAX 64u

/* What is to be flushed: a few pages, or everything. */
struct flush {
    bool keep_global;
    bool all;
    uint32_t page_count;
    gva_t pages[FLUSH_PAGES_MAX];
};

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
static void flush_vp(struct hv_context *context, struct hv_vp *vp,
                     const struct flush *flush)
{
    if (flush->all)
        engine_flush_guest(vp->engine, flush->keep_global);
    for (uint32_t i = 0; !flush->all && i < flush->page_count; i++)
        engine_flush_page(vp->engine, flush->pages[i]);
    cost_note(context->bill, COST_TLB_SHOOTDOWN, 1);
    vp_kick(context, vp);
}

static void flush_vps(struct hv_context *context, uint64_t mask,
                      const struct flush *flush)
{
    struct hv_partition *partition = context->vp->partition;

    for (uint32_t i = 0; i < PARTITION_VP_COUNT_MAX; i++) {
        struct hv_vp *vp = partition->vps[i];

        if (vp && vp->engine && (mask >> i & 1) != 0)
            flush_vp(context, vp, flush);
    }
}

/* Adds the range's pages as long as there is room for them. */
static void add_range(struct flush *flush, uint64_t range, bool extended)
{
    uint64_t extra =
        range & (extended ? HV_GVA_RANGE_EXTENDED_EXTRA : HV_GVA_RANGE_EXTRA);
    gva_t first = gva(range & ~PAGE_MASK);

    if ((extended && (range & HV_GVA_RANGE_LARGE) != 0) ||
        extra >= FLUSH_PAGES_MAX - flush->page_count) {
        flush->all = true;
        return;
    }
    for (uint64_t i = 0; i <= extra; i++)
        flush->pages[flush->page_count++] = gva_add(first, i * PAGE_BYTES);
}

/* What the elements of this entry of the call ask for, if the flags are valid
 * for a list. */
static enum hv_status read_list(const struct hv_context *context,
                                struct hc_call *call, uint64_t flags,
                                struct flush *flush)
{
    bool extended = (flags & HV_FLUSH_EXTENDED_RANGES) != 0;

    if ((flags & ~(uint64_t)FLUSH_LIST_FLAGS) != 0 ||
        (extended &&
         !partition_has(context->vp->partition, PRIVILEGE_EXTENDED_GVA_RANGES)))
        return HV_STATUS_INVALID_PARAMETER;
    *flush = (struct flush){0};
    for (; call->done < call->count; call->done++) {
        if (!flush->all)
            add_range(flush, hc_element64(call), extended);
    }
    return HV_STATUS_SUCCESS;
}

static enum hv_status read_space(uint64_t flags, struct flush *flush)
{
    if ((flags & ~(uint64_t)FLUSH_FLAGS) != 0)
        return HV_STATUS_INVALID_PARAMETER;
    *flush = (struct flush){
        .all = true, .keep_global = (flags & HV_FLUSH_NON_GLOBAL_ONLY) != 0};
    return HV_STATUS_SUCCESS;
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
    struct flush flush;
    enum hv_status status = read_space(input->flags, &flush);

    if (status == HV_STATUS_SUCCESS)
        flush_vps(context, flush_mask(input), &flush);
    return status;
}

enum hv_status hc_remote_flush_list(struct hv_context *context,
                                    struct hc_call *call)
{
    const struct hv_input_flush *input = call->input;
    struct flush flush;
    enum hv_status status = read_list(context, call, input->flags, &flush);

    if (status == HV_STATUS_SUCCESS)
        flush_vps(context, flush_mask(input), &flush);
    return status;
}

static enum hv_status flush_set(const struct hc_call *call, uint64_t *mask)
{
    const struct hv_input_flush_ex *input = call->input;
    enum hv_status status = read_set(call, &input->processors, mask);

    if ((input->flags & HV_FLUSH_ALL_PROCESSORS) != 0)
        *mask = UINT64_MAX;
    return status;
}

enum hv_status hc_remote_flush_space_ex(struct hv_context *context,
                                        struct hc_call *call)
{
    const struct hv_input_flush_ex *input = call->input;
    struct flush flush;
    uint64_t mask;
    enum hv_status status = flush_set(call, &mask);

    if (status == HV_STATUS_SUCCESS)
        status = read_space(input->flags, &flush);
    if (status == HV_STATUS_SUCCESS)
        flush_vps(context, mask, &flush);
    return status;
}

enum hv_status hc_remote_flush_list_ex(struct hv_context *context,
                                       struct hc_call *call)
{
    const struct hv_input_flush_ex *input = call->input;
    struct flush flush;
    uint64_t mask;
    enum hv_status status = flush_set(call, &mask);

    if (status == HV_STATUS_SUCCESS)
        status = read_list(context, call, input->flags, &flush);
    if (status == HV_STATUS_SUCCESS)
        flush_vps(context, mask, &flush);
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
