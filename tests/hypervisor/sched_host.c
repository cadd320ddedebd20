/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/hypervisor/sched_host.h"

#include <stdlib.h>

#include "sim/core/check.h"
#include "sim/machine/lp_order.h"

#define NODE_BYTES (UINT64_C(32) << 20)

/* What the hypervisor asks of its host: no VP has an engine. */

static void wake_lp(struct sched_host *host, struct hv_lp *lp, cycles_t at)
{
    if (!cycles_before(lp->now, at))
        return;
    host->idle[lp->id.v] =
        cycles_add(host->idle[lp->id.v], cycles_sub(at, lp->now));
    lp->now = at;
}

static void lp_is_ready(void *context, struct hv_lp *lp, cycles_t at)
{
    struct sched_host *host = context;

    if (lp_order_contains(host->active, lp))
        return;
    wake_lp(host, lp, at);
    lp_order_add(host->active, lp);
}

static void forget_nothing(void *context, struct hv_vp *vp)
{
    (void)context;
    (void)vp;
}

static struct sched_task *task_of(const struct hv_vp *vp)
{
    return vp->runner.context;
}

/* The parts of every wait make it up, and who kept it out did not do so for
 * longer than it waited for others. */
static void check_wait(const struct sched_waited *waited, cycles_t wait)
{
    cycles_t parts = cycles(0), held = cycles(0);

    for (unsigned i = 0; i < SCHED_RULE_COUNT; i++)
        parts = cycles_add(parts, waited->by_rule[i]);
    for (unsigned i = 0; i < waited->holder_count; i++)
        held = cycles_add(held, waited->holders[i].time);
    CHECK(parts.v == wait.v);
    CHECK(held.v <= sched_waited_contention(waited).v);
}

static void note_wait(void *context, const struct sched_waited *waited)
{
    struct sched_host *host = context;
    struct sched_task *task = task_of(waited->vp);
    cycles_t wait = cycles_sub(waited->dispatched, waited->ready);

    check_wait(waited, wait);
    if (!waited->lp) {
        task->given_up = *waited;
        return;
    }
    host->dispatches++;
    task->dispatches++;
    task->migrations +=
        waited->vp->sched.lp && waited->vp->sched.lp != waited->lp;
    task->waited = *waited;
    task->longest_wait = cycles_max(task->longest_wait, wait);
    for (unsigned i = 0; i < SCHED_RULE_COUNT; i++)
        task->waited_by_rule[i] =
            cycles_add(task->waited_by_rule[i], waited->by_rule[i]);
}

/* What a task does. */

static bool always(void *runner)
{
    (void)runner;
    return true;
}

/* The loop below stands in for the rest. */
static const struct vp_runner_ops task_ops = {.interruptible = always};

static cycles_t draw(struct sched_task *task, cycles_t mean)
{
    if (!task->plan.random || mean.v == 0)
        return mean;
    return cycles(1 + rng_below(&task->rng, 2 * mean.v));
}

static void task_wake(void *context, cycles_t now)
{
    struct sched_task *task = context;
    struct hv_context event = vp_event_context(task->vp, now);

    task->left =
        task->plan.busy.v == 0 ? CYCLES_NEVER : draw(task, task->plan.busy);
    task->vp->halted = false;
    vp_reconsider(&event, task->vp);
}

static void task_halt(struct hv_context *context, struct sched_task *task)
{
    cycles_t sleep = cycles_max(draw(task, task->plan.sleep), cycles(1));

    vp_halt(context, task->vp);
    event_schedule(task->host->events, &task->wake,
                   cycles_add(context->now, sleep));
}

/* One step of an LP: see sim/machine/run.c. */

static void step_dispatch(struct sched_host *host, struct hv_context *context)
{
    struct hv_lp *lp = context->lp;

    if (!lp_dispatch(context)) {
        lp_order_remove(host->active, lp);
        return;
    }
    wake_lp(host, lp, lp_starts_at(lp));
    lp->now = cycles_add(lp->now, host->config.switch_cost);
    lp_start(context);
}

static void step_task(struct sched_host *host, struct hv_context *context,
                      cycles_t horizon)
{
    struct hv_lp *lp = context->lp;
    struct sched_task *task = task_of(lp->vp);
    cycles_t limit = cycles_min(horizon, event_queue_next(host->events));
    cycles_t room = cycles_sub(cycles_min(limit, lp->slice_end), lp->now);
    cycles_t spent = cycles_min(room, task->left);

    lp->now = cycles_add(lp->now, spent);
    task->ran = cycles_add(task->ran, spent);
    context->now = lp->now;
    if (task->left.v != CYCLES_NEVER.v)
        task->left = cycles_sub(task->left, spent);
    if (task->left.v == 0)
        task_halt(context, task);
}

static void step_lp(struct sched_host *host, struct hv_lp *lp, cycles_t horizon)
{
    struct hv_context context = {
        .hv = host->hv,
        .lp = lp,
        .vp = lp->vp,
        .now = lp->now,
        .bill = &host->bill,
    };

    host->hv->current = &context;
    if (!lp->vp)
        step_dispatch(host, &context);
    else if (vp_runnable(lp->vp) && cycles_before(lp->now, lp->slice_end))
        step_task(host, &context, horizon);
    else if (vp_runnable(lp->vp) && lp_end_slice(&context))
        lp_undispatch(&context);
    if (lp->vp && lp->vp->state == VP_RUNNING && !vp_runnable(lp->vp))
        lp_undispatch(&context);
    host->hv->current = NULL;
    cost_bill_clear(&host->bill);
    if (lp_order_contains(host->active, lp))
        lp_order_settle(host->active, lp);
}

static void step_host(struct sched_host *host)
{
    struct hv_lp *lp = lp_order_first(host->active);
    const struct hv_lp *second = lp_order_second(host->active);
    cycles_t next = event_queue_next(host->events);

    if (!lp || !cycles_before(lp->now, next)) {
        host->now = next;
        event_queue_fire_next(host->events);
        return;
    }
    host->now = lp->now;
    step_lp(host, lp,
            second ? cycles_add(second->now, host->config.quantum)
                   : CYCLES_NEVER);
    if (host->observe)
        host->observe(host, host->observe_context);
}

static void end_comes(void *context, cycles_t now)
{
    struct sched_host *host = context;

    (void)now;
    host->ended = true;
}

void sched_host_run_until(struct sched_host *host, cycles_t end)
{
    host->ended = false;
    host->end = (struct event){
        .kind = EVENT_END, .name = "end", .fire = end_comes, .context = host};
    event_schedule(host->events, &host->end, end);
    while (!host->ended)
        step_host(host);
}

/* The host itself. */

struct hv_sched_params sched_host_params(void)
{
    return (struct hv_sched_params){
        .slice = sched_ms(10),
        .preempt_after = sched_ms(1),
        .wake_boost = sched_ms(2),
        .migrate_after = sched_ms(2),
        .node_patience = sched_us(500),
        .period = sched_ms(10),
        .spin_yields = true,
    };
}

static void create_hypervisor(struct sched_host *host)
{
    struct sched_host_config *config = &host->config;
    struct hv_node_config *nodes = calloc(config->nodes, sizeof(*nodes));
    struct hv_config hv_config = {
        .clock = {.hz = SCHED_HOST_HZ},
        .nodes = nodes,
        .node_count = config->nodes,
        .threads_per_core = config->threads_per_core,
        .sched_ops = sched_find(config->policy),
        .sched_params = config->params,
    };
    struct hv_host callbacks = {
        .context = host,
        .lp_ready = lp_is_ready,
        .vp_waited = note_wait,
        .vp_added = forget_nothing,
        .vp_gone = forget_nothing,
        .limit_changed = forget_nothing,
    };
    struct sim_error error;

    CHECK(nodes && hv_config.sched_ops);
    for (uint32_t i = 0; i < config->nodes; i++)
        nodes[i] = (struct hv_node_config){.lp_count = config->lps_per_node,
                                           .memory_bytes = NODE_BYTES};
    CHECK(hypervisor_create(&host->hv, &hv_config, &callbacks, host->events,
                            host->trace, &error) == SIM_OK);
    free(nodes);
}

void sched_host_create(struct sched_host *host,
                       const struct sched_host_config *config)
{
    *host = (struct sched_host){.config = *config};
    config = &host->config;
    host->config.nodes += config->nodes == 0;
    host->config.lps_per_node += config->lps_per_node == 0;
    if (config->quantum.v == 0)
        host->config.quantum = sched_us(10);
    if (config->params.slice.v == 0)
        host->config.params = sched_host_params();
    host->events = event_queue_create();
    host->trace = trace_create(config->sink, config->sink_context);
    CHECK(host->events && host->trace);
    create_hypervisor(host);
    host->sched = &host->hv->sched;
    host->active = lp_order_create(host->hv->lp_count);
    host->idle = calloc(host->hv->lp_count, sizeof(*host->idle));
    CHECK(host->active && host->idle);
    for (uint32_t i = 0; i < host->hv->lp_count; i++)
        lp_order_add(host->active, &host->hv->lps[i]);
}

void sched_host_destroy(struct sched_host *host)
{
    for (uint32_t i = 0; i < host->task_count; i++)
        event_cancel(host->events, &host->tasks[i]->wake);
    trace_detach(host->trace);
    hypervisor_free(host->hv);
    for (uint32_t i = 0; i < host->task_count; i++)
        free(host->tasks[i]);
    free(host->tasks);
    free(host->idle);
    lp_order_free(host->active);
    event_queue_free(host->events);
    trace_free(host->trace);
}

struct hv_context sched_host_context(struct sched_host *host)
{
    return (struct hv_context){
        .hv = host->hv,
        .now = host->now,
        .bill = &host->bill,
    };
}

struct hv_partition *sched_host_partition(struct sched_host *host,
                                          uint64_t weight)
{
    struct hv_context context = sched_host_context(host);
    struct hv_partition *partition;

    CHECK(partition_create(&context, host->hv->root, 0, &partition) ==
          HV_STATUS_SUCCESS);
    CHECK(partition_set_weight(&context, partition, weight) ==
          HV_STATUS_SUCCESS);
    return partition;
}

static struct sched_task *add_task(struct sched_host *host,
                                   struct hv_partition *partition, uint32_t lp,
                                   struct sched_plan plan)
{
    struct sched_task *task = calloc(1, sizeof(*task));
    struct rng seed = rng_from_seed(host->config.seed + host->task_count);
    vp_index_t index = {0};

    host->tasks =
        realloc(host->tasks, (host->task_count + 1) * sizeof(*host->tasks));
    CHECK(task && host->tasks);
    while (vp_find(partition, index))
        index.v++;
    task->host = host;
    task->plan = plan;
    task->rng = rng_fork(&seed, "task");
    task->vp =
        vp_create_model(host->hv, partition, index,
                        (struct vp_runner){&task_ops, task}, (lp_id_t){lp});
    CHECK(task->vp);
    task->wake = (struct event){.kind = EVENT_TIMER,
                                .name = "wake",
                                .fire = task_wake,
                                .context = task};
    event_schedule(host->events, &task->wake,
                   cycles_max(plan.start, host->now));
    host->tasks[host->task_count++] = task;
    return task;
}

struct sched_task *sched_host_vp_on(struct sched_host *host,
                                    struct hv_partition *partition,
                                    uint32_t node, struct sched_plan plan)
{
    const struct hypervisor *hv = host->hv;
    uint32_t turn = hv->vp_names.count % host->config.lps_per_node;
    struct sched_task *task = add_task(
        host, partition, node * host->config.lps_per_node + turn, plan);

    /* A model's VP is pinned; this one is like a guest's. */
    task->vp->sched.affinity = lp_set_first_of(hv->lp_count);
    sched_controls_changed(partition, host->now);
    return task;
}

struct sched_task *sched_host_vp(struct sched_host *host,
                                 struct hv_partition *partition,
                                 struct sched_plan plan)
{
    return sched_host_vp_on(host, partition, 0, plan);
}

struct sched_task *sched_host_vm(struct sched_host *host, uint64_t weight,
                                 struct sched_plan plan)
{
    return sched_host_vp(host, sched_host_partition(host, weight), plan);
}

struct sched_task *sched_host_root_vp(struct sched_host *host, uint32_t lp,
                                      struct sched_plan plan)
{
    return add_task(host, host->hv->root, lp, plan);
}

void sched_host_remove_vp(struct sched_task *task)
{
    struct sched_host *host = task->host;
    struct hv_context context = sched_host_context(host);
    struct hv_vp *vp = task->vp;

    event_cancel(host->events, &task->wake);
    if (vp->state == VP_RUNNING) {
        context.lp = vp->sched.lp;
        context.now = context.lp->now;
        vp->explicit_suspend = true;
        lp_undispatch(&context);
        context.lp = NULL;
    }
    vp_free(&context, vp);
    task->vp = NULL;
}

void sched_host_forget(struct sched_host *host)
{
    for (uint32_t i = 0; i < host->task_count; i++) {
        struct sched_task *task = host->tasks[i];

        task->ran = task->longest_wait = cycles(0);
        task->dispatches = task->migrations = 0;
        for (unsigned rule = 0; rule < SCHED_RULE_COUNT; rule++)
            task->waited_by_rule[rule] = cycles(0);
    }
}

unsigned sched_host_share(const struct sched_task *task, cycles_t elapsed)
{
    return (unsigned)(task->ran.v * 10000 / elapsed.v);
}
