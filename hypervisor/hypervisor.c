/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/hypervisor.h"

#include <stdlib.h>

#include "hypervisor/cpu_group.h"
#include "hypervisor/lp.h"
#include "hypervisor/memory.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "sim/core/host_line.h"

static enum sim_status create_lps(struct hypervisor *hv,
                                  const struct hv_config *config,
                                  struct sim_error *error)
{
    uint32_t count = 0;

    for (uint32_t node = 0; node < config->node_count; node++) {
        count += config->nodes[node].lp_count;
        if (config->nodes[node].lp_count % hv->threads_per_core != 0)
            return sim_fail(error, SIM_BAD_SCENARIO,
                            "node %u: %u logical processors are no whole cores "
                            "of %u",
                            node, config->nodes[node].lp_count,
                            hv->threads_per_core);
    }
    if (count == 0)
        return sim_fail(error, SIM_BAD_SCENARIO,
                        "a host needs a logical processor");
    if (count > LP_COUNT_MAX)
        return sim_fail(error, SIM_BAD_SCENARIO,
                        "%u logical processors: there can be %u", count,
                        LP_COUNT_MAX);
    hv->lps = host_line_calloc(count * sizeof(*hv->lps));
    hv->node_lps = calloc(config->node_count, sizeof(*hv->node_lps));
    if (!hv->lps || !hv->node_lps)
        return sim_fail(error, SIM_NO_MEMORY,
                        "no memory for %u logical processors", count);

    for (uint32_t node = 0; node < config->node_count; node++) {
        for (uint32_t i = 0; i < config->nodes[node].lp_count; i++) {
            struct hv_lp *lp = &hv->lps[hv->lp_count];

            lp->id = (lp_id_t){hv->lp_count++};
            lp->node = node;
            lp->core = lp->id.v / hv->threads_per_core;
            lp_set_add(&hv->node_lps[node], lp->id.v);
        }
    }
    return SIM_OK;
}

static enum sim_status create_parts(struct hypervisor *hv,
                                    const struct hv_config *config,
                                    struct sim_error *error)
{
    if (memory_create(&hv->memory, config->nodes, config->node_count, error) !=
        SIM_OK)
        return error->status;
    if (create_lps(hv, config, error) != SIM_OK)
        return error->status;
    if (arena_create(&hv->arena, memory_total_bytes(hv->memory), error) !=
        SIM_OK)
        return error->status;
    if (engine_pool_create(&hv->engines, hv->arena, error) != SIM_OK)
        return error->status;
    if (!sched_init(&hv->sched, config->sched_ops, config->sched_params, hv))
        return sim_fail(error, SIM_NO_MEMORY, "no memory for the scheduler");
    hv->partition_pool = host_pool(sizeof(struct hv_partition));
    vp_init_pool(hv);
    return partition_create_root(hv, error);
}

enum sim_status hypervisor_create(struct hypervisor **out,
                                  const struct hv_config *config,
                                  const struct hv_host *host,
                                  struct event_queue *events,
                                  struct trace *trace, struct sim_error *error)
{
    struct hypervisor *hv = calloc(1, sizeof(*hv));

    if (!hv)
        return sim_fail(error, SIM_NO_MEMORY, "no memory for the hypervisor");
    hv->clock = config->clock;
    hv->host = *host;
    hv->events = events;
    hv->trace = trace;
    hv->node_count = config->node_count;
    hv->count_until = CYCLES_NEVER;
    hv->threads_per_core =
        config->threads_per_core ? config->threads_per_core : 1;
    if (create_parts(hv, config, error) != SIM_OK) {
        hypervisor_free(hv);
        return error->status;
    }
    *out = hv;
    return SIM_OK;
}

/* At the end of a run LPs may still run VPs; nothing is accounted any more. */
static void empty_lps(struct hypervisor *hv)
{
    struct cost_bill bill = {0};

    for (uint32_t i = 0; i < hv->lp_count; i++) {
        struct hv_lp *lp = &hv->lps[i];
        struct hv_context context = {.hv = hv, .lp = lp, .bill = &bill};

        if (!lp->vp)
            continue;
        context.now = lp->now;
        if (lp->vp->state == VP_RUNNING)
            vp_set_state(&context, lp->vp, VP_SUSPENDED);
        else
            vp_rest(&context, lp->vp);
        lp->vp = NULL;
    }
}

void hypervisor_free(struct hypervisor *hv)
{
    if (!hv)
        return;
    hv->current = NULL;
    empty_lps(hv);
    while (hv->partition_count > 0)
        partition_free(hv->partitions[hv->partition_count - 1]);
    free(hv->partitions);
    sched_fini(&hv->sched);
    cpu_group_free_all(hv);
    engine_pool_free(hv->engines);
    memory_free(hv->memory);
    arena_free(hv->arena);
    free(hv->node_lps);
    free(hv->lps);
    vp_names_free(&hv->vp_names);
    host_pool_fini(&hv->vp_pool);
    host_pool_fini(&hv->partition_pool);
    free(hv);
}

struct hv_partition *hypervisor_find_partition(struct hypervisor *hv,
                                               partition_id_t id)
{
    for (uint32_t i = 0; i < hv->partition_count; i++) {
        if (hv->partitions[i]->id.v == id.v)
            return hv->partitions[i];
    }
    return NULL;
}

void hypervisor_trace(const struct hv_context *context, enum trace_kind kind,
                      uint64_t detail)
{
    const struct hv_vp *vp = context->vp;
    struct trace_record record = {
        .time = context->now,
        .lp = context->lp ? context->lp->id.v : TRACE_NO_LP,
        .vp = vp ? vp->index.v : TRACE_NO_VP,
        .partition = vp ? vp->partition->id.v : 0,
        .kind = kind,
        .detail = detail,
    };

    trace_add(context->hv->trace, &record);
}
