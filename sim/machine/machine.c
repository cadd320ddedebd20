/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Builds a machine out of a scenario, from the bottom up. */
#include "sim/machine/machine.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "sim/machine/machine_private.h"

void machine_note_failure(struct machine *machine, enum sim_status status,
                          const char *format, ...)
{
    char text[SIM_ERROR_BYTES_MAX];
    va_list args;

    if (machine->status != SIM_OK)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    machine->status = sim_fail(&machine->error, status, "%s", text);
}

static struct hv_sched_params
sched_params(struct sim_clock clock, const struct scenario_hypervisor *from)
{
    return (struct hv_sched_params){
        .slice = clock_from_ns(clock, from->timeslice_ns),
        .preempt_after = clock_from_ns(clock, from->preempt_after_ns),
        .wake_boost = clock_from_ns(clock, from->wake_boost_ns),
        .migrate_after = clock_from_ns(clock, from->migrate_after_ns),
        .node_patience = clock_from_ns(clock, from->node_patience_ns),
        .period = clock_from_ns(clock, from->control_period_ns),
        .spin_yields = strcmp(from->long_spin_wait, "yield") == 0,
        .pause_filter = from->pause_filter,
    };
}

static enum sim_status create_hypervisor(struct machine *m,
                                         struct sim_error *error)
{
    const struct scenario *scenario = m->scenario;
    size_t count = scenario->host.node_count;
    struct hv_node_config *nodes = calloc(count, sizeof(*nodes));
    struct hv_host host = run_host(m);
    enum sim_status status;

    if (!nodes)
        return sim_fail(error, SIM_NO_MEMORY, "no memory for the host");
    for (size_t i = 0; i < count; i++)
        nodes[i] = (struct hv_node_config){
            scenario->host.nodes[i].lps,
            scenario->host.nodes[i].memory_bytes,
        };

    struct hv_config config = {
        .clock = m->clock,
        .nodes = nodes,
        .node_count = (uint32_t)count,
        .threads_per_core = scenario->host.smt,
        .sched_ops = sched_find(scenario->hypervisor.scheduler),
        .sched_params = sched_params(m->clock, &scenario->hypervisor),
    };

    if (config.sched_ops)
        status = hypervisor_create(&m->hv, &config, &host, m->events, m->trace,
                                   error);
    else
        status =
            sim_fail(error, SIM_BAD_SCENARIO, "there is no scheduler \"%s\"",
                     scenario->hypervisor.scheduler);
    free(nodes);
    return status;
}

/* What is the same for the whole run: shown, not fed. */
static void set_constants(struct machine *m)
{
    struct cost_bill transition = {0};

    cost_note(&transition, COST_VMEXIT, 1);
    cost_note(&transition, COST_VMENTRY, 1);

    uint64_t subcycles =
        cost_model_price(&m->cost, &transition).hypervisor_subcycles;

    for (uint32_t i = 0; i < m->hv->lp_count; i++) {
        struct pc_lp *cells = &m->hv->lps[i].counters;

        pc_lp_set(cells, PC_LP_MONITOR_TRANSITION,
                  subcycles / SUBCYCLES_PER_CYCLE);
        pc_lp_set(cells, PC_LP_FREQUENCY, m->clock.hz / 1000000);
    }
}

static enum sim_status create_root(struct machine *m, struct sim_error *error)
{
    struct vmms_listener listener = machine_vms_listener(m);
    const struct scenario_root *root = &m->scenario->root;

    if (root_create(&m->root, m->hv, root->vps, root->memory_bytes, error) !=
        SIM_OK)
        return error->status;
    return vmms_create(&m->vmms, m->root, &listener, error);
}

static bool create_basics(struct machine *m)
{
    uint32_t lp_count = scenario_lp_count(m->scenario);
    bool traced = m->results && m->scenario->counters.trace;

    m->events = event_queue_create();
    m->trace = trace_create(traced ? results_put_event : NULL, m->results);
    m->ledger = ledger_create(lp_count);
    m->active = lp_order_create(lp_count);
    return m->events && m->trace && m->ledger && m->active;
}

enum sim_status machine_create(struct machine **out,
                               const struct scenario *scenario,
                               struct results *results, struct sim_error *error)
{
    struct machine *m = calloc(1, sizeof(*m));

    *out = NULL;
    if (!m)
        return sim_fail(error, SIM_NO_MEMORY, "no memory for the machine");
    m->scenario = scenario;
    m->results = results;
    m->clock = (struct sim_clock){scenario->host.frequency_hz};
    m->quantum = clock_from_ns(m->clock, scenario->hypervisor.sync_quantum_ns);
    if (!create_basics(m)) {
        sim_fail(error, SIM_NO_MEMORY, "no memory for the machine");
        goto failed;
    }
    if (cost_model_init(&m->cost, scenario->hypervisor.timing,
                        scenario->host.profile, error) != SIM_OK ||
        create_hypervisor(m, error) != SIM_OK)
        goto failed;
    if (!run_sample_init(m)) {
        sim_fail(error, SIM_NO_MEMORY, "no memory for the counters");
        goto failed;
    }
    set_constants(m);
    if (create_root(m, error) != SIM_OK ||
        machine_timeline_create(m, error) != SIM_OK ||
        machine_vms_create(m, error) != SIM_OK)
        goto failed;
    *out = m;
    return SIM_OK;

failed:
    machine_free(m);
    return error->status;
}

void machine_free(struct machine *machine)
{
    struct machine *m = machine;

    if (!m)
        return;
    /* Taking the machine apart is no part of the run, whose results may be
     * finished and gone. */
    if (m->trace)
        trace_detach(m->trace);
    machine_vms_free(m);
    free(m->timeline);
    machine_images_free(m);
    vmms_free(m->vmms);
    root_free(m->root);
    hypervisor_free(m->hv);
    pc_report_free(m->report);
    wait_book_free(m->waits);
    free(m->overshoot);
    lp_order_free(m->active);
    ledger_free(m->ledger);
    trace_free(m->trace);
    event_queue_free(m->events);
    free(m);
}

enum sim_status machine_run(struct machine *machine,
                            const struct machine_run_options *options,
                            struct sim_error *error)
{
    machine->options = options;
    run_to_end(machine);
    if (machine->status != SIM_OK)
        *error = machine->error;
    return machine->status;
}

uint64_t machine_now_ns(const struct machine *machine)
{
    return clock_to_ns(machine->clock, machine->now);
}

uint64_t machine_trace_hash(const struct machine *machine)
{
    return trace_hash(machine->trace);
}

uint64_t machine_instructions(const struct machine *machine)
{
    const struct hypervisor *hv = machine->hv;
    uint64_t count = 0;

    for (uint32_t p = 0; p < hv->partition_count; p++) {
        for (uint32_t i = 0; i < PARTITION_VP_COUNT_MAX; i++) {
            const struct hv_vp *vp = hv->partitions[p]->vps[i];

            if (vp && vp->engine)
                count += engine_instructions(vp->engine);
        }
    }
    return count;
}

uint64_t machine_touched_bytes(const struct machine *machine)
{
    return arena_resident_bytes(machine->hv->arena);
}
