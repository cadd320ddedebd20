/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/hypervisor/small_host.h"

#include <string.h>

#include "sim/core/check.h"

#define CHILD_POOL_PAGES 32
#define CHILD_POOL_FIRST 0x800u /* at 8 MiB of the root */

static enum engine_verdict on_exit_nothing(void *context, struct hv_vp *vp,
                                           const struct vm_exit *exit)
{
    (void)context;
    (void)vp;
    (void)exit;
    return ENGINE_STOP;
}

static uint32_t price_nothing(void *context, const struct cost_bill *bill)
{
    (void)context;
    (void)bill;
    return 0;
}

static void count_ready(void *context, struct hv_lp *lp, cycles_t at)
{
    struct small_host *host = context;

    (void)lp;
    (void)at;
    host->ready_lps++;
}

static void forget_nothing(void *context, struct hv_vp *vp)
{
    (void)context;
    (void)vp;
}

/* The root's VP does what the test does, and nothing by itself. */

static enum vm_exit_kind model_run(void *runner, struct engine_run *run)
{
    (void)runner;
    (void)run;
    return VM_EXIT_LIMIT;
}

static cycles_t model_take_elapsed(void *runner)
{
    (void)runner;
    return cycles(0);
}

static void model_take_cycles(void *runner, cycles_t value)
{
    (void)runner;
    (void)value;
}

static bool model_interruptible(void *runner)
{
    (void)runner;
    return true;
}

static void model_inject(void *runner, uint8_t vector)
{
    (void)runner;
    (void)vector;
}

static void model_request_window(void *runner, bool wanted)
{
    (void)runner;
    (void)wanted;
}

static void model_inject_nmi(void *runner)
{
    (void)runner;
}

static const struct vp_runner_ops model_ops = {
    .run = model_run,
    .take_elapsed = model_take_elapsed,
    .advance = model_take_cycles,
    .set_limit = model_take_cycles,
    .interruptible = model_interruptible,
    .inject = model_inject,
    .request_window = model_request_window,
    .inject_nmi = model_inject_nmi,
};

void small_host_create(struct small_host *host)
{
    static const struct hv_node_config node = {
        .lp_count = 2, .memory_bytes = SMALL_HOST_NODE_BYTES};
    struct hv_config config = {
        .clock = {.hz = 2000000000},
        .nodes = &node,
        .node_count = 1,
        .sched_ops = sched_find("round-robin"),
        .sched_params = {.slice = cycles(1000000), .period = cycles(10000000)},
    };
    struct hv_host callbacks = {
        .context = host,
        .on_exit = on_exit_nothing,
        .price_block = price_nothing,
        .lp_ready = count_ready,
        .vp_added = forget_nothing,
        .vp_gone = forget_nothing,
        .limit_changed = forget_nothing,
    };
    struct sim_error error;

    *host = (struct small_host){0};
    host->events = event_queue_create();
    host->trace = trace_create(NULL, NULL);
    CHECK(host->events && host->trace && config.sched_ops);
    CHECK(hypervisor_create(&host->hv, &config, &callbacks, host->events,
                            host->trace, &error) == SIM_OK);

    struct vp_runner runner = {.ops = &model_ops, .context = NULL};

    host->root_vp = vp_create_model(host->hv, host->hv->root, (vp_index_t){0},
                                    runner, (lp_id_t){0});
    CHECK(host->root_vp);
    host->context = (struct hv_context){
        .hv = host->hv,
        .lp = NULL,
        .vp = host->root_vp,
        .now = cycles(1000),
        .bill = &host->bill,
    };
}

void small_host_destroy(struct small_host *host)
{
    hypervisor_free(host->hv);
    event_queue_free(host->events);
    trace_free(host->trace);
}

int small_host_setup(void **state)
{
    static struct small_host host;

    small_host_create(&host);
    *state = &host;
    return 0;
}

int small_host_teardown(void **state)
{
    small_host_destroy(*state);
    return 0;
}

void small_host_poke(struct small_host *host, uint64_t at, const void *from,
                     size_t bytes)
{
    CHECK(guest_memory_write(gpa_space_memory(&host->hv->root->gpa), gpa(at),
                             from, bytes));
}

void small_host_peek(struct small_host *host, uint64_t at, void *to,
                     size_t bytes)
{
    CHECK(guest_memory_read(gpa_space_memory(&host->hv->root->gpa), gpa(at), to,
                            bytes));
}

uint64_t small_host_call(struct small_host *host, uint64_t control,
                         const void *input, size_t input_bytes,
                         const void *list, size_t list_bytes)
{
    struct hypercall call = {
        .memory = gpa_space_memory(&host->hv->root->gpa),
        .control = control,
        .input = gpa(SMALL_HOST_INPUT),
        .output = gpa(SMALL_HOST_OUTPUT),
    };
    enum hypercall_outcome outcome;

    if (input_bytes)
        small_host_poke(host, SMALL_HOST_INPUT, input, input_bytes);
    if (list_bytes)
        small_host_poke(host, SMALL_HOST_INPUT + input_bytes, list, list_bytes);
    do {
        outcome = hypercall_dispatch(&host->context, &call);
    } while (outcome == HYPERCALL_CONTINUE);
    CHECK(outcome == HYPERCALL_DONE);
    return call.result;
}

void small_host_deposit(struct small_host *host, uint64_t id, uint64_t first,
                        uint32_t count)
{
    struct hv_input_deposit_memory input = {.partition_id = id};
    uint64_t pages[500];

    CHECK(count <= 500);
    for (uint32_t i = 0; i < count; i++)
        pages[i] = first + i;
    CHECK(hypercall_status(
              small_host_call(host, hypercall_rep(HVCALL_DEPOSIT_MEMORY, count),
                              &input, sizeof(input), pages,
                              count * sizeof(pages[0]))) == HV_STATUS_SUCCESS);
}

struct hv_partition *small_host_child(struct small_host *host)
{
    struct hv_partition *child;

    CHECK(partition_create(&host->context, host->hv->root, 0, &child) ==
          HV_STATUS_SUCCESS);
    return child;
}

struct hv_partition *small_host_active_child(struct small_host *host)
{
    struct hv_partition *child = small_host_child(host);

    /* Each child's pages come from a place of its own. */
    small_host_deposit(host, child->id.v,
                       CHILD_POOL_FIRST + child->id.v * CHILD_POOL_PAGES,
                       CHILD_POOL_PAGES);
    CHECK(partition_initialize(&host->context, child) == HV_STATUS_SUCCESS);
    return child;
}

struct hv_partition *small_host_child_with_vp(struct small_host *host)
{
    struct hv_partition *child = small_host_active_child(host);

    CHECK(partition_add_vp(&host->context, child, (vp_index_t){0}, 0) ==
          HV_STATUS_SUCCESS);
    return child;
}
