/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "partitions/root.h"

#include <stdlib.h>

#include "hypervisor/lp.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "partitions/root_private.h"
#include "sim/core/check.h"

static void work_append(struct work_list *list, struct root_work *work)
{
    work->next = NULL;
    if (list->tail)
        list->tail->next = work;
    else
        list->head = work;
    list->tail = work;
}

static struct root_work *work_take(struct work_list *list)
{
    struct root_work *work = list->head;

    if (!work)
        return NULL;
    list->head = work->next;
    if (!list->head)
        list->tail = NULL;
    work->next = NULL;
    return work;
}

/* It has been given work of its own, or been called for some. */
static bool root_vp_is_busy(const struct root_vp *rvp)
{
    return rvp->dpc || rvp->thread || rvp->dpcs.head ||
           root_interrupt_is_pending(rvp) || lapic_has_pending(&rvp->vp->lapic);
}

/* The LP of the root VP that took over may be behind by the quantum. */
static void root_trace_done(const struct root_work *work,
                            struct hv_context *context)
{
    cycles_t since = cycles_min(work->begun_at, context->now);

    hypervisor_trace(context, TRACE_ROOT_WORK,
                     cycles_sub(context->now, since).v);
}

/* Goes on with work that is under way; false when that is done. */
static bool root_step_work(struct root_work *work, struct hv_context *context)
{
    if (!work->begun)
        work->begun_at = context->now;
    work->begun = true;
    if (work->step(work->context, context) == ROOT_AGAIN)
        return true;
    root_trace_done(work, context);
    work->begun = false;
    work->queued = work->run_again;
    work->run_again = false;
    return false;
}

static void root_step_dpc(struct root_vp *rvp, struct hv_context *context)
{
    struct root_work *dpc = rvp->dpc;

    if (root_step_work(dpc, context))
        return;
    rvp->dpc = NULL;
    if (dpc->queued)
        work_append(&rvp->dpcs, dpc);
}

static bool root_has_ready(const struct root *root)
{
    return root->boosted.head || root->ready.head;
}

static void root_make_ready(struct root *root, struct root_work *thread,
                            cycles_t now)
{
    thread->ready_at = now;
    work_append(thread->boosted ? &root->boosted : &root->ready, thread);
}

static void root_step_thread(struct root_vp *rvp, struct hv_context *context)
{
    struct root_work *thread = rvp->thread;

    if (root_step_work(thread, context))
        return;
    rvp->thread = NULL;
    thread->boosted = false;
    if (thread->queued)
        root_make_ready(rvp->root, thread, context->now);
}

/* A root VP without a thread has been called for one, or is here for it. */
static bool root_all_have_threads(const struct root *root)
{
    for (uint32_t i = 0; i < root->vp_count; i++) {
        if (!root->vps[i].thread)
            return false;
    }
    return true;
}

/* There is none under way, or it must make room for another one. */
static bool root_must_switch(const struct root_vp *rvp)
{
    if (!rvp->thread)
        return true;
    if (rvp->root->boosted.head && !rvp->thread->boosted &&
        root_all_have_threads(rvp->root))
        return true;
    return root_has_ready(rvp->root) &&
           !cycles_before(rvp->vp->run_time, rvp->quantum_end);
}

/* LPs may be behind each other by the synchronisation quantum. */
static bool root_is_starved(const struct root *root,
                            const struct root_work *thread, cycles_t now)
{
    cycles_t patience = clock_from_ns(root->hv->clock, ROOT_STARVED_NS);

    return thread &&
           !cycles_before(now, cycles_add(thread->ready_at, patience));
}

static struct root_work *root_next_thread(struct root *root, cycles_t now)
{
    struct root_work *thread;

    if (root_is_starved(root, root->ready.head, now)) {
        thread = work_take(&root->ready);
        thread->boosted = true;
        return thread;
    }
    return work_take(root->boosted.head ? &root->boosted : &root->ready);
}

/* A boost lasts for a quantum. */
static void root_switch_thread(struct root_vp *rvp, cycles_t now)
{
    const struct hypervisor *hv = rvp->root->hv;
    struct root *root = rvp->root;

    if (rvp->thread) {
        rvp->thread->boosted = false;
        root_make_ready(root, rvp->thread, now);
    }
    rvp->thread = root_next_thread(root, now);
    rvp->quantum_end = cycles_add(rvp->vp->run_time,
                                  clock_from_ns(hv->clock, ROOT_QUANTUM_NS));
}

/* One step of whatever comes first. */
static void root_do_some(struct root_vp *rvp, struct hv_context *context)
{
    if (root_interrupt_is_pending(rvp)) {
        root_interrupt_serve(rvp, context);
    } else if (rvp->dpc) {
        root_step_dpc(rvp, context);
    } else if (rvp->dpcs.head) {
        rvp->dpc = work_take(&rvp->dpcs);
        cost_note(context->bill, COST_ROOT_THREAD_SWITCH, 1);
    } else if (!root_must_switch(rvp)) {
        root_step_thread(rvp, context);
    } else if (root_has_ready(rvp->root)) {
        root_switch_thread(rvp, context->now);
        cost_note(context->bill, COST_ROOT_THREAD_SWITCH, 1);
    }
}

static enum vm_exit_kind root_run(void *runner, struct engine_run *run)
{
    struct root_vp *rvp = runner;

    (void)run;
    if (!root_vp_is_busy(rvp) && !root_has_ready(rvp->root))
        return VM_EXIT_HLT;
    root_do_some(rvp, rvp->root->hv->current);
    return VM_EXIT_STOPPED;
}

/* The model's time is all on the bill: it has no block clock of its own. */
static cycles_t root_take_elapsed(void *runner)
{
    (void)runner;
    return cycles(0);
}

static void root_advance(void *runner, cycles_t spent)
{
    (void)runner;
    (void)spent;
}

static void root_set_limit(void *runner, cycles_t limit)
{
    (void)runner;
    (void)limit;
}

static bool root_interruptible(void *runner)
{
    const struct root_vp *rvp = runner;

    return !rvp->in_service;
}

static void root_inject(void *runner, uint8_t vector)
{
    root_interrupt_accept(runner, vector);
}

/* The run loop looks before every step: there is no window to ask for. */
static void root_request_window(void *runner, bool wanted)
{
    (void)runner;
    (void)wanted;
}

/* Nothing sends NMIs to the root; its APIC accepts none. */
static void root_inject_nmi(void *runner)
{
    (void)runner;
}

static const struct vp_runner_ops root_runner_ops = {
    .run = root_run,
    .take_elapsed = root_take_elapsed,
    .advance = root_advance,
    .set_limit = root_set_limit,
    .interruptible = root_interruptible,
    .inject = root_inject,
    .request_window = root_request_window,
    .inject_nmi = root_inject_nmi,
};

/* Root VPs are spread evenly over the nodes, which take turns: where they do
 * not come out even, the first nodes have one more; a node without an LP left
 * is passed over. */
static void root_spread_vps(const struct hypervisor *hv, uint32_t vp_count,
                            uint32_t *of_node)
{
    uint32_t node = 0;

    while (vp_count > 0) {
        if (of_node[node] < lp_set_count(&hv->node_lps[node])) {
            of_node[node]++;
            vp_count--;
        }
        node = (node + 1) % hv->node_count;
    }
}

static bool root_create_vp(struct root *root, uint32_t index, uint32_t at)
{
    struct hv_lp *on = &root->hv->lps[at];
    struct root_vp *rvp = &root->vps[index];
    struct vp_runner runner = {&root_runner_ops, rvp};
    lp_id_t lp = {at};

    rvp->root = root;
    rvp->vp = vp_create_model(root->hv, root->hv->root, (vp_index_t){index},
                              runner, lp);
    if (!rvp->vp)
        return false;
    if (!root_interrupt_set_up(rvp, on->node))
        return false;
    cost_bill_clear(&rvp->vp->owed); /* before the simulated time begins */
    pc_lp_set_signed(&on->counters, PC_LP_ROOT_VP_INDEX, (int64_t)index);
    return true;
}

/* Numbered by node, and on the first LPs of each. */
static bool root_create_vps(struct root *root)
{
    const struct hypervisor *hv = root->hv;
    uint32_t *of_node = calloc(hv->node_count, sizeof(*of_node));
    uint32_t index = 0;
    bool created = of_node != NULL;

    for (uint32_t i = 0; i < hv->lp_count; i++)
        pc_lp_set_signed(&hv->lps[i].counters, PC_LP_ROOT_VP_INDEX, -1);
    if (created)
        root_spread_vps(hv, root->vp_count, of_node);
    for (uint32_t node = 0; created && node < hv->node_count; node++) {
        int lp = lp_set_next(&hv->node_lps[node], 0);

        for (uint32_t i = 0; created && i < of_node[node]; i++) {
            created = root_create_vp(root, index++, (uint32_t)lp);
            lp = lp_set_next(&hv->node_lps[node], (uint32_t)lp + 1);
        }
    }
    free(of_node);
    return created;
}

enum sim_status root_create(struct root **out, struct hypervisor *hv,
                            uint32_t vp_count, uint64_t memory_bytes,
                            struct sim_error *error)
{
    struct root *root = calloc(1, sizeof(*root));

    if (!root)
        return sim_fail(error, SIM_NO_MEMORY, "no memory for the root");
    root->hv = hv;
    root->vp_count = vp_count;
    root->vps = calloc(vp_count, sizeof(*root->vps));
    root->memory = root_memory_create(hv->memory, hv->node_count, memory_bytes);
    if (!root->vps || !root->memory)
        goto no_memory;
    if (!root_create_vps(root))
        goto no_memory;
    *out = root;
    return SIM_OK;

no_memory:
    root_free(root);
    return sim_fail(error, SIM_NO_MEMORY,
                    "the root partition's memory does not suffice for %u "
                    "root VPs",
                    (unsigned)vp_count);
}

void root_free(struct root *root)
{
    if (!root)
        return;
    root_memory_free(root->memory);
    free(root->vps);
    free(root);
}

void root_set_message_handler(struct root *root, root_message_fn *handler,
                              void *context)
{
    root->on_message = handler;
    root->on_message_context = context;
}

void root_set_vmbus_handler(struct root *root, root_vmbus_fn *handler,
                            void *context)
{
    root->on_vmbus = handler;
    root->on_vmbus_context = context;
}

/* The root VP that executes now; the first, if none does. */
static struct root_vp *root_here(struct root *root,
                                 const struct hv_context *context)
{
    if (context->vp && context->vp->partition == root->hv->root)
        return &root->vps[context->vp->index.v];
    return &root->vps[0];
}

/* Makes a root VP look at its lists. The one that executes this will. */
static void root_kick(struct hv_context *context, struct root_vp *rvp)
{
    bool executes = context->lp && context->vp == rvp->vp;

    if (!executes)
        vp_interrupt(context, rvp->vp, ROOT_VECTOR_RESCHEDULE);
}

/* True if the work is to be put on a list; it is on one, or under way, else. */
static bool work_ask_for(struct root_work *work)
{
    if (work->begun)
        work->run_again = true;
    if (work->queued)
        return false;
    work->queued = true;
    return true;
}

struct hv_context root_event_context(const struct root *root, cycles_t now)
{
    const struct hypervisor *hv = root->hv;

    return hv->current ? *hv->current : vp_event_context(hv->root->vps[0], now);
}

void root_queue_dpc(struct root *root, struct hv_context *context,
                    struct root_work *dpc)
{
    struct root_vp *rvp = root_here(root, context);

    if (!work_ask_for(dpc))
        return;
    work_append(&rvp->dpcs, dpc);
    root_kick(context, rvp);
}

/* A DPC that wakes a thread is short: its root VP is there for the thread next,
 * without an inter-processor interrupt. */
static bool root_is_free_soon(const struct root *root,
                              const struct root_vp *rvp)
{
    return rvp->dpc && !rvp->dpcs.head && !rvp->thread && !root_has_ready(root);
}

/* Who should look at the ready list; NULL if all are busy: whoever is done
 * first takes the thread. */
static struct root_vp *root_taker(struct root *root,
                                  const struct hv_context *context)
{
    struct root_vp *here = root_here(root, context);

    if (root_is_free_soon(root, here) || !root_vp_is_busy(here))
        return here;
    for (uint32_t i = 0; i < root->vp_count; i++) {
        if (!root_vp_is_busy(&root->vps[i]))
            return &root->vps[i];
    }
    return NULL;
}

static bool root_in_dpc(const struct root *root,
                        const struct hv_context *context)
{
    return context->lp && context->vp->partition == root->hv->root &&
           root->vps[context->vp->index.v].dpc;
}

void root_wake_thread(struct root *root, struct hv_context *context,
                      struct root_work *thread)
{
    if (!work_ask_for(thread))
        return;

    struct root_vp *taker = root_taker(root, context);

    thread->boosted = root_in_dpc(root, context);
    root_make_ready(root, thread, context->now);
    if (taker)
        root_kick(context, taker);
}
