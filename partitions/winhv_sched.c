/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/hypercall.h"
#include "partitions/winhv.h"

static enum hv_status direct_call(struct hv_context *context,
                                  const struct hypercall_direct *direct)
{
    struct hypervisor *hv = context->hv;
    struct hypercall call = {.direct = direct};

    cost_note(context->bill, COST_WINHV_CALL, 1);
    hv->host.on_model_hypercall(hv->host.context, context->vp, &call);
    return (enum hv_status)hypercall_status(call.result);
}

enum hv_status winhv_create_cpu_group(struct winhv *winhv,
                                      struct hv_context *context,
                                      uint64_t group)
{
    (void)winhv;
    return direct_call(
        context, &(struct hypercall_direct){.code = HYPERCALL_CREATE_CPU_GROUP,
                                            .id = group});
}

enum hv_status winhv_delete_cpu_group(struct winhv *winhv,
                                      struct hv_context *context,
                                      uint64_t group)
{
    (void)winhv;
    return direct_call(
        context, &(struct hypercall_direct){.code = HYPERCALL_DELETE_CPU_GROUP,
                                            .id = group});
}

enum hv_status winhv_set_cpu_group_cap(struct winhv *winhv,
                                       struct hv_context *context,
                                       uint64_t group, uint64_t cap)
{
    (void)winhv;
    return direct_call(
        context, &(struct hypercall_direct){.code = HYPERCALL_SET_CPU_GROUP_CAP,
                                            .id = group,
                                            .cap = cap});
}

enum hv_status winhv_set_cpu_group_lps(struct winhv *winhv,
                                       struct hv_context *context,
                                       uint64_t group, const struct lp_set *lps)
{
    (void)winhv;
    return direct_call(
        context, &(struct hypercall_direct){.code = HYPERCALL_SET_CPU_GROUP_LPS,
                                            .id = group,
                                            .lps = *lps});
}

enum hv_status winhv_set_affinity(struct winhv *winhv,
                                  struct hv_context *context, partition_id_t id,
                                  const struct lp_set *lps)
{
    (void)winhv;
    return direct_call(
        context, &(struct hypercall_direct){
                     .code = HYPERCALL_SET_AFFINITY, .id = id.v, .lps = *lps});
}
