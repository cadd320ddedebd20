/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/vp.h"

#include "hypervisor/lp.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp_registers.h"
#include "sim/core/check.h"
#include "sim/core/host_line.h"

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

/* Of one that has been woken, up to then: that may be ahead of its LP's clock,
 * and so is not counted at once (see vp_skip_idle()). */
static void vp_count_idle(struct hv_vp *vp, cycles_t now)
{
    cycles_t within;

    if (vp->state == VP_READY)
        now = cycles_min(now, vp->state_since);
    else if (vp->state != VP_IDLE)
        return;
    if (!cycles_before(vp->idle_counted, now))
        return;
    within = cycles_min(
        now, cycles_max(vp->idle_counted, vp->partition->hv->count_until));
    pc_vp_add_time(&vp->counters, PC_VP_IDLE_TIME,
                   cycles_sub(within, vp->idle_counted));
    if (cycles_before(within, now))
        vp->idle_aside = cycles_add(vp->idle_aside, cycles_sub(now, within));
    vp->idle_counted = now;
}

void vp_take_up(struct hv_vp *vp, cycles_t most)
{
    cycles_t taken = cycles_min(vp->idle_aside, most);

    pc_vp_add_time(&vp->counters, PC_VP_IDLE_TIME, taken);
    vp->idle_aside = cycles_sub(vp->idle_aside, taken);
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

/* It was ready, and is not any more without having been dispatched. */
static void vp_report_wait(const struct hv_vp *vp, cycles_t now)
{
    struct sched_waited waited;

    const struct hv_host *host = &vp->partition->hv->host;

    if (!host->vp_waited)
        return;
    sched_wait_end(vp, NULL, now, &waited);
    host->vp_waited(host->context, &waited);
}

static bool wants_to_run(enum vp_state state)
{
    return state == VP_READY || state == VP_RUNNING;
}

void vp_skip_idle(struct hv_vp *vp, cycles_t now)
{
    if (vp->state == VP_IDLE || vp->state == VP_READY)
        vp->idle_counted = cycles_max(vp->idle_counted, now);
}

void vp_set_state(struct hv_context *context, struct hv_vp *vp,
                  enum vp_state to)
{
    /* Another LP's clock may be behind this VP's last change by up to the
     * synchronisation quantum: effects do not arrive in a VP's past. */
    cycles_t when = cycles_max(context->now, vp->state_since);

    CHECK((transitions[vp->state] & TO(to)) != 0);
    if (vp->state != VP_IDLE || to != VP_READY) {
        vp_count_idle(vp, when);
        vp->idle_counted = when;
    }
    if (vp->state == VP_READY && to != VP_RUNNING)
        vp_report_wait(vp, when);
    if (wants_to_run(vp->state) != wants_to_run(to))
        sched_period_note_wish(vp, wants_to_run(to));
    vp->state = to;
    vp->state_since = when;
    if (to == VP_READY)
        sched_wait_begin(vp, when);

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
    vp_set_state(context, vp, VP_READY);
    sched_enqueue(&vp->partition->hv->sched, vp, vp->state_since);
}

void vp_reconsider(struct hv_context *context, struct hv_vp *vp)
{
    vp_foresee_dispatch(vp);
    host_line_foresee(vp->sched.policy, 1);
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
        sched_dequeue(&vp->partition->hv->sched, vp);
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

void vp_foresee(const struct hv_vp *vp)
{
    /* Its counters' line apart, what an interrupt needs is one piece. */
    vp_foresee_dispatch(vp);
    host_line_foresee(&vp->owed, offsetof(struct hv_vp, synic) -
                                     offsetof(struct hv_vp, owed));
    if (vp->engine)
        engine_foresee(vp->engine);
}

struct hv_vp *vp_find(struct hv_partition *partition, vp_index_t index)
{
    if (index.v >= PARTITION_VP_COUNT_MAX)
        return NULL;
    return partition->vps[index.v];
}
