/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/vp.h"

#include <stdlib.h>

#include "hypervisor/cpuid.h"
#include "hypervisor/intercept.h"
#include "hypervisor/lp.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp_registers.h"
#include "sim/core/check.h"

static const char *const state_names[VP_STATE_COUNT] = {
    [VP_SUSPENDED] = "suspended", [VP_WAIT_FOR_SIPI] = "wait-for-sipi",
    [VP_IDLE] = "idle",           [VP_READY] = "ready",
    [VP_RUNNING] = "running",     [VP_SHUTDOWN] = "shutdown",
};

#define TO(state) (1u << (state))

/* Which states may follow which; see the picture in vp.h. */
static const unsigned transitions[VP_STATE_COUNT] = {
    [VP_SUSPENDED] = TO(VP_READY) | TO(VP_WAIT_FOR_SIPI) | TO(VP_IDLE),
    [VP_WAIT_FOR_SIPI] = TO(VP_READY) | TO(VP_SUSPENDED),
    [VP_IDLE] = TO(VP_READY) | TO(VP_SUSPENDED) | TO(VP_WAIT_FOR_SIPI),
    [VP_READY] =
        TO(VP_RUNNING) | TO(VP_SUSPENDED) | TO(VP_WAIT_FOR_SIPI) | TO(VP_IDLE),
    [VP_RUNNING] = TO(VP_READY) | TO(VP_IDLE) | TO(VP_SUSPENDED) |
                   TO(VP_WAIT_FOR_SIPI) | TO(VP_SHUTDOWN),
    [VP_SHUTDOWN] = TO(VP_SUSPENDED) | TO(VP_WAIT_FOR_SIPI) | TO(VP_READY),
};

const char *vp_state_name(enum vp_state state)
{
    return state_names[state];
}

static void vp_count_idle(struct hv_vp *vp, cycles_t now)
{
    if (vp->state != VP_IDLE || !cycles_before(vp->idle_counted, now))
        return;
    pc_vp_add_time(&vp->counters, PC_VP_IDLE_TIME,
                   cycles_sub(now, vp->idle_counted));
    vp->idle_counted = now;
}

void vp_count_up_to(struct hv_vp *vp, cycles_t now)
{
    vp_count_idle(vp, now);
    if (!vp->engine)
        return;

    struct engine_walks walks = engine_walks(vp->engine);
    uint64_t count = walks.count - vp->walks_counted.count;
    uint64_t large = walks.large - vp->walks_counted.large;

    pc_vp_add(&vp->counters, PC_VP_LARGE_TLB_FILLS, large);
    pc_vp_add(&vp->counters, PC_VP_SMALL_TLB_FILLS, count - large);
    vp->walks_counted = walks;

    uint64_t faults = engine_page_faults(vp->engine);

    pc_vp_add(&vp->counters, PC_VP_GUEST_PAGE_FAULTS,
              faults - vp->page_faults_counted);
    vp->page_faults_counted = faults;
}

void vp_set_state(struct hv_context *context, struct hv_vp *vp,
                  enum vp_state to)
{
    /* Another LP's clock may be behind this VP's last change by up to the
     * synchronisation quantum: effects do not arrive in a VP's past. */
    cycles_t when = cycles_max(context->now, vp->state_since);

    CHECK((transitions[vp->state] & TO(to)) != 0);
    vp_count_idle(vp, when);
    vp->state = to;
    vp->state_since = when;
    vp->idle_counted = when;
    if (to == VP_READY)
        vp->sched.ready_since = when;

    struct hv_context of_vp = *context;

    of_vp.vp = vp;
    of_vp.now = when;
    hypervisor_trace(&of_vp, TRACE_VP_STATE, to);
}

static bool vp_external_deliverable(const struct hv_vp *vp)
{
    return vp->external_pending && lapic_passes_external(&vp->lapic);
}

/* An interrupt waits for nothing but the runner's being interruptible. */
static bool vp_deliverable(const struct hv_vp *vp)
{
    return lapic_deliverable(&vp->lapic) >= 0 || vp_external_deliverable(vp);
}

/* HLT ends with an interrupt that would be delivered, or an NMI. */
static bool vp_must_wake(const struct hv_vp *vp)
{
    if (vp->nmi_pending)
        return true;
    return vp_deliverable(vp) &&
           (vp->guest_idle ||
            vp->runner.ops->interruptible(vp->runner.context));
}

bool vp_runnable(const struct hv_vp *vp)
{
    return !vp->shut_down && !vp->explicit_suspend && !vp->intercept_suspend &&
           !vp->partition->suspended && !vp->wait_for_sipi && !vp->halted;
}

/* Where a VP that cannot run now rests. */
static enum vp_state vp_resting_state(const struct hv_vp *vp)
{
    if (vp->shut_down)
        return VP_SHUTDOWN;
    if (vp->explicit_suspend || vp->intercept_suspend ||
        vp->partition->suspended)
        return VP_SUSPENDED;
    return vp->wait_for_sipi ? VP_WAIT_FOR_SIPI : VP_IDLE;
}

void vp_rest(struct hv_context *context, struct hv_vp *vp)
{
    enum vp_state rest = vp_resting_state(vp);

    if (vp->state != rest)
        vp_set_state(context, vp, rest);
}

static void vp_make_ready(struct hv_context *context, struct hv_vp *vp)
{
    struct hypervisor *hv = vp->hv;

    vp_set_state(context, vp, VP_READY);

    struct hv_lp *lp = sched_enqueue(&hv->sched, vp, vp->sched.ready_since);

    if (!lp)
        return;
    if (context->lp && context->lp != lp) {
        cost_note(context->bill, COST_PHYSICAL_IPI, 1);
        pc_lp_add(&context->lp->counters, PC_LP_IPIS_SENT, 1);
        pc_lp_add(&lp->counters, PC_LP_IPIS_RECEIVED, 1);
        pc_lp_add(&lp->counters, PC_LP_SCHEDULER_INTERRUPTS, 1);
    }
    hv->host.lp_ready(hv->host.context, lp, vp->sched.ready_since);
}

void vp_reconsider(struct hv_context *context, struct hv_vp *vp)
{
    if (vp->halted && vp_must_wake(vp))
        vp->halted = false;

    bool runnable = vp_runnable(vp);
    bool listed = vp->state == VP_READY || vp->state == VP_RUNNING;

    if (runnable && !listed) {
        vp_make_ready(context, vp);
        return;
    }
    /* A running VP that may not run any more is taken off by its own LP, at
     * the LP's own time: see lp_undispatch(). */
    if (runnable || vp->state == VP_RUNNING)
        return;
    if (vp->state == VP_READY)
        sched_dequeue(&vp->hv->sched, vp);
    vp_rest(context, vp);
}

struct hv_context vp_event_context(struct hv_vp *vp, cycles_t now)
{
    return (struct hv_context){
        .hv = vp->hv,
        .lp = NULL,
        .vp = vp,
        .now = now,
        .bill = &vp->owed,
    };
}

void vp_check_interrupts(struct hv_vp *vp)
{
    if (vp->state == VP_RUNNING && vp_deliverable(vp))
        vp->runner.ops->request_window(vp->runner.context, true);
}

void vp_kick(struct hv_context *context, struct hv_vp *vp)
{
    if (vp->state != VP_RUNNING || vp == context->vp)
        return;
    cost_note(&vp->owed, COST_PHYSICAL_IPI, 1);
    cost_note(&vp->owed, COST_VMEXIT, 1);
    cost_note(&vp->owed, COST_VMENTRY, 1);
    if (!context->lp)
        return;
    cost_note(context->bill, COST_PHYSICAL_IPI, 1);
    pc_lp_add(&context->lp->counters, PC_LP_IPIS_SENT, 1);
    pc_lp_add(&vp->sched.lp->counters, PC_LP_IPIS_RECEIVED, 1);
}

/* Makes a VP that may be anywhere notice what was asserted for it. */
static void vp_notice(struct hv_context *context, struct hv_vp *vp)
{
    vp_kick(context, vp);
    vp_reconsider(context, vp);
    vp_check_interrupts(vp);
}

void vp_interrupt(struct hv_context *context, struct hv_vp *vp, uint8_t vector)
{
    cost_note(context->bill, COST_VIRTUAL_INTERRUPT, 1);
    if (lapic_set_irr(&vp->lapic, vector, false, false))
        vp_notice(context, vp);
}

void vp_interrupt_level(struct hv_context *context, struct hv_vp *vp,
                        uint8_t vector)
{
    cost_note(context->bill, COST_VIRTUAL_INTERRUPT, 1);
    if (lapic_set_irr(&vp->lapic, vector, true, false))
        vp_notice(context, vp);
}

bool vp_external_interrupt(struct hv_context *context, struct hv_vp *vp,
                           uint8_t vector)
{
    if (vp->external_pending)
        return false;
    cost_note(context->bill, COST_VIRTUAL_INTERRUPT, 1);
    vp->external_pending = true;
    vp->external_vector = vector;
    vp_notice(context, vp);
    return true;
}

void vp_nmi(struct hv_context *context, struct hv_vp *vp)
{
    cost_note(context->bill, COST_VIRTUAL_INTERRUPT, 1);
    vp->nmi_pending = true;
    vp_notice(context, vp);
}

static void vp_start_over(struct hv_context *context, struct hv_vp *vp)
{
    vp->shut_down = false;
    lapic_reset(context, &vp->lapic);
    /* The others' registers change when the start-up IPI comes: INIT leaves
     * their MSRs and FPU as they are. */
    if (vp->index.v == 0 && vp->runner.ops->reset)
        vp->runner.ops->reset(vp->runner.context);
    vp->halted = false;
    vp->nmi_pending = false;
    vp->external_pending = false;
    /* The bootstrap processor starts over; the others wait for a SIPI. */
    vp->wait_for_sipi = vp->index.v != 0;
    vp_reconsider(context, vp);
}

/* A shutdown is no instruction that would end. */
void vp_init(struct hv_context *context, struct hv_vp *vp)
{
    if (!vp->intercept_suspend || vp->shut_down) {
        vp_start_over(context, vp);
        return;
    }
    vp->init_held = true;
    vp->startup_held = -1;
}

void vp_startup(struct hv_context *context, struct hv_vp *vp, uint8_t vector)
{
    if (vp->init_held) {
        if (vp->startup_held < 0)
            vp->startup_held = vector;
        return;
    }
    if (!vp->wait_for_sipi || !vp->runner.ops->startup)
        return;
    vp->runner.ops->startup(vp->runner.context, vector);
    vp->wait_for_sipi = false;
    vp_reconsider(context, vp);
}

void vp_end_intercept(struct hv_context *context, struct hv_vp *vp)
{
    vp->intercept_suspend = false;
    if (!vp->init_held) {
        vp_reconsider(context, vp);
        return;
    }
    vp->init_held = false;
    vp_start_over(context, vp);
    if (vp->startup_held >= 0)
        vp_startup(context, vp, (uint8_t)vp->startup_held);
}

void vp_halt(struct hv_context *context, struct hv_vp *vp)
{
    cost_note(context->bill, COST_HLT_BODY, 1);
    vp->halted = true;
    vp->guest_idle = false;
    vp_reconsider(context, vp);
}

void vp_idle(struct hv_context *context, struct hv_vp *vp)
{
    cost_note(context->bill, COST_HLT_BODY, 1);
    vp->halted = true;
    vp->guest_idle = true;
    vp_reconsider(context, vp);
}

static uint8_t vp_take_interrupt(struct hv_context *context, struct hv_vp *vp)
{
    if (!vp_external_deliverable(vp))
        return lapic_accept(context, &vp->lapic);
    vp->external_pending = false;
    return vp->external_vector;
}

void vp_prepare_entry(struct hv_context *context, struct hv_vp *vp)
{
    const struct vp_runner_ops *ops = vp->runner.ops;

    vp_registers_inject(context, vp);
    if (vp->nmi_pending) {
        vp->nmi_pending = false;
        ops->inject_nmi(vp->runner.context);
    }

    bool waiting = vp_deliverable(vp);

    if (waiting && ops->interruptible(vp->runner.context)) {
        uint8_t vector = vp_take_interrupt(context, vp);

        ops->inject(vp->runner.context, vector);
        cost_note(context->bill, COST_INTERRUPT_INJECT, 1);
        pc_vp_add(&vp->counters, PC_VP_VIRTUAL_INTERRUPTS, 1);
        hypervisor_trace(context, TRACE_INTERRUPT, vector);
        waiting = vp_deliverable(vp);
    }
    ops->request_window(vp->runner.context, waiting);
}

#define HOST_LINE_BYTES 64u

void vp_foresee(const struct hv_vp *vp)
{
    const char *bytes = (const char *)vp;

    for (size_t at = 0; at < sizeof(*vp); at += HOST_LINE_BYTES)
        __builtin_prefetch(bytes + at, 1, 2);
    if (vp->engine)
        engine_foresee(vp->engine);
}

struct hv_vp *vp_find(struct hv_partition *partition, vp_index_t index)
{
    if (index.v >= PARTITION_VP_COUNT_MAX)
        return NULL;
    return partition->vps[index.v];
}

/* What the engine asks of its VP. */

static uint32_t vp_price_block(void *context, const struct cost_bill *bill)
{
    struct hypervisor *hv = ((struct hv_vp *)context)->hv;

    return hv->host.price_block(hv->host.context, bill);
}

static bool vp_stop_wanted(void *context)
{
    struct hypervisor *hv = ((struct hv_vp *)context)->hv;

    return hv->host.stop_wanted && hv->host.stop_wanted(hv->host.context);
}

static enum engine_verdict vp_on_exit(void *context, const struct vm_exit *exit)
{
    struct hv_vp *vp = context;

    return vp->hv->host.on_exit(vp->hv->host.context, vp, exit);
}

/* An access to the APIC page is no intercept: nothing has been settled, but
 * the guest's time has gone on, and the access itself is on its bill. */
static struct hv_context *vp_apic_context(struct hv_vp *vp)
{
    struct hv_context *context = vp->hv->current;

    context->now = cycles_max(context->now, engine_now(vp->engine));
    return context;
}

static uint32_t vp_apic_read(void *context, uint32_t offset, uint32_t bytes)
{
    struct hv_vp *vp = context;

    return lapic_mmio_read(vp_apic_context(vp), &vp->lapic, offset, bytes);
}

static void vp_apic_write(void *context, uint32_t offset, uint32_t bytes,
                          uint32_t value)
{
    struct hv_vp *vp = context;

    lapic_mmio_write(vp_apic_context(vp), &vp->lapic, offset, bytes, value);
    vp_check_interrupts(vp);
    vp->hv->host.limit_changed(vp->hv->host.context, vp);
}

/* The engine as a runner. */

static enum vm_exit_kind vp_engine_run(void *runner, struct engine_run *run)
{
    return engine_run(runner, run);
}

static cycles_t vp_engine_take_elapsed(void *runner)
{
    return engine_take_elapsed(runner);
}

static void vp_engine_advance(void *runner, cycles_t spent)
{
    engine_advance(runner, spent);
}

static void vp_engine_set_limit(void *runner, cycles_t limit)
{
    engine_set_limit(runner, limit);
}

static bool vp_engine_interruptible(void *runner)
{
    return engine_interruptible(runner);
}

static void vp_engine_inject(void *runner, uint8_t vector)
{
    engine_inject_interrupt(runner, vector);
}

static void vp_engine_request_window(void *runner, bool wanted)
{
    engine_request_window(runner, wanted);
}

static void vp_engine_inject_nmi(void *runner)
{
    engine_inject_nmi(runner);
}

static void vp_engine_reset(void *runner)
{
    engine_reset(runner);
}

static void vp_engine_startup(void *runner, uint8_t vector)
{
    struct x86_state state;

    engine_get_state(runner, &state);
    x86_startup(&state, vector);
    engine_set_state(runner, &state);
}

static const struct vp_runner_ops engine_runner_ops = {
    .run = vp_engine_run,
    .take_elapsed = vp_engine_take_elapsed,
    .advance = vp_engine_advance,
    .set_limit = vp_engine_set_limit,
    .interruptible = vp_engine_interruptible,
    .inject = vp_engine_inject,
    .request_window = vp_engine_request_window,
    .inject_nmi = vp_engine_inject_nmi,
    .reset = vp_engine_reset,
    .startup = vp_engine_startup,
};

#define TRANSLATION_BYTES_LEAST (UINT64_C(1) << 20)
#define TRANSLATION_BYTES_MOST (UINT64_C(32) << 20)
#define GUEST_BYTES_PER_TRANSLATION_BYTE 16

/* A guest's code grows with its memory: a kernel in 512 MiB fills a large
 * buffer, a small program in 16 MiB never does, and all of it is touched. */
static uint32_t vp_translation_bytes(const struct gpa_space *gpa)
{
    uint64_t memory =
        gpa->pages_4k * PAGE_BYTES + gpa->pages_2m * (PAGE_BYTES * 512);
    uint64_t bytes = TRANSLATION_BYTES_LEAST;

    while (bytes < TRANSLATION_BYTES_MOST &&
           bytes * GUEST_BYTES_PER_TRANSLATION_BYTE < memory)
        bytes *= 2;
    return (uint32_t)bytes;
}

/* Everything of a new VP but what it executes. */
static struct hv_vp *vp_allocate(struct hv_partition *partition,
                                 vp_index_t index, uint32_t node)
{
    struct hypervisor *hv = partition->hv;
    struct hv_vp *vp = calloc(1, sizeof(*vp));

    if (!vp)
        return NULL;
    vp->hv = hv;
    vp->partition = partition;
    vp->index = index;
    vp->apic_id = index.v;
    vp->node = node;
    vp->number = hv->next_vp_number++;
    vp->sched.pinned_lp = -1;
    vp->state = VP_SUSPENDED;
    lapic_init(&vp->lapic, vp);
    for (uint8_t i = 0; i < STIMER_COUNT; i++)
        stimer_init(&vp->stimers[i], vp, i);
    synic_init(&vp->synic, vp);
    msr_init(vp);
    return vp;
}

/* The VP is complete: its partition and the scheduler know it from now on. */
static bool vp_register(struct hv_vp *vp)
{
    if (!sched_vp_add(&vp->hv->sched, vp))
        return false;
    vp->partition->vps[vp->index.v] = vp;
    vp->partition->vp_count++;
    vp->hv->host.vp_added(vp->hv->host.context, vp);
    return true;
}

static void vp_discard(struct hv_vp *vp)
{
    for (unsigned i = 0; i < STIMER_COUNT; i++)
        stimer_fini(&vp->stimers[i]);
    synic_fini(&vp->synic);
    msr_fini(vp);
    lapic_fini(&vp->lapic);
    if (vp->engine)
        engine_free(vp->engine);
    intercept_forget(vp);
    free(vp);
}

enum hv_status vp_create(struct hv_context *context,
                         struct hv_partition *partition, vp_index_t index,
                         uint32_t node, struct hv_vp **out)
{
    if (index.v >= PARTITION_VP_COUNT_MAX)
        return HV_STATUS_INVALID_VP_INDEX;
    if (partition->vps[index.v])
        return HV_STATUS_INVALID_VP_STATE;

    struct hv_vp *vp = vp_allocate(partition, index, node);

    if (!vp)
        return HV_STATUS_NO_RESOURCES;
    vp->explicit_suspend = true;
    vp->wait_for_sipi = index.v != 0;
    vp->engine_host = (struct engine_host){
        .context = vp,
        .translation_buffer_bytes = vp_translation_bytes(&partition->gpa),
        .price_block = vp_price_block,
        .stop_wanted = vp_stop_wanted,
        .on_exit = vp_on_exit,
        .apic_read = vp_apic_read,
        .apic_write = vp_apic_write,
    };

    struct sim_error error;

    if (engine_create(&vp->engine, vp->hv->engines, &vp->engine_host,
                      partition->gpa.root, &error) != SIM_OK) {
        vp_discard(vp);
        return HV_STATUS_NO_RESOURCES;
    }

    struct engine_features features;

    cpuid_engine_features(&features);
    engine_set_features(vp->engine, &features);
    vp->runner = (struct vp_runner){&engine_runner_ops, vp->engine};
    lapic_attach(&vp->lapic);
    vp->state_since = context->now;
    if (!vp_register(vp)) {
        vp_discard(vp);
        return HV_STATUS_NO_RESOURCES;
    }
    cost_note(context->bill, COST_VP_CREATE, 1);
    *out = vp;
    return HV_STATUS_SUCCESS;
}

struct hv_vp *vp_create_model(struct hypervisor *hv,
                              struct hv_partition *partition, vp_index_t index,
                              struct vp_runner runner, lp_id_t pinned)
{
    CHECK(index.v < PARTITION_VP_COUNT_MAX && !partition->vps[index.v]);
    CHECK(pinned.v < hv->lp_count);

    struct hv_vp *vp = vp_allocate(partition, index, hv->lps[pinned.v].node);

    if (!vp)
        return NULL;
    vp->runner = runner;
    vp->sched.pinned_lp = (int32_t)pinned.v;
    vp->sched.ideal_lp = pinned.v;
    vp->halted = true;
    vp->state = VP_IDLE;
    if (!vp_register(vp)) {
        vp_discard(vp);
        return NULL;
    }
    return vp;
}

void vp_free(struct hv_context *context, struct hv_vp *vp)
{
    struct hv_partition *partition = vp->partition;

    CHECK(vp->state != VP_RUNNING);
    if (vp->state == VP_READY) {
        sched_dequeue(&vp->hv->sched, vp);
        vp_set_state(context, vp, VP_SUSPENDED);
    }
    sched_vp_remove(&vp->hv->sched, vp);
    partition->vps[vp->index.v] = NULL;
    partition->vp_count--;
    vp_count_up_to(vp, context->now);
    vp->hv->host.vp_gone(vp->hv->host.context, vp);
    vp_discard(vp);
}
