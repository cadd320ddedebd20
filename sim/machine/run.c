/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * The run loop: the only place where cost becomes time.
 *
 * The LP with the smallest local clock runs next, until its horizon: the next
 * event of the queue, or the clock of the second LP plus the synchronisation
 * quantum. Events fire when no LP is behind them; and a VP that has siblings
 * reads a clock when no LP is behind it, so that they agree about time. An LP
 * without anything to run is not among them (lp_order.h) and costs no host
 * time; its clock stands where it went idle until something is put on its run
 * list.
 *
 * settle() turns what was noted into time after every functional call, so a
 * handler sees the time at which it starts.
 */
#include "hypervisor/hypercall.h"
#include "hypervisor/intercept.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "sim/core/check.h"
#include "sim/machine/machine_private.h"

/*
 * At what speed code runs on `lp`, of SCENARIO_FRACTION_ONE. Two LPs of a core
 * share what it has; memory of another node is further away. Looked at when a
 * step is settled: the others' steps are a quantum apart at most. The
 * hypervisor's own paths are priced alike everywhere.
 */
static uint64_t code_speed(const struct machine *m, const struct hv_lp *lp,
                           const struct hv_vp *vp)
{
    const struct scenario_host *host = &m->scenario->host;
    uint64_t speed = SCENARIO_FRACTION_ONE;

    if (lp_sibling_is_busy(m->hv, lp))
        speed = speed * host->smt_speed / SCENARIO_FRACTION_ONE;
    if (lp->node != vp->node)
        speed = speed * host->remote_speed / SCENARIO_FRACTION_ONE;
    return speed ? speed : 1;
}

/* How long code takes that would take `spent` at full speed. What is less than
 * a cycle is not lost. */
static cycles_t slowed(const struct machine *m, struct hv_lp *lp,
                       const struct hv_vp *vp, cycles_t spent)
{
    uint64_t speed = code_speed(m, lp, vp);
    uint64_t work;

    if (speed == SCENARIO_FRACTION_ONE)
        return spent;
    work = spent.v * SCENARIO_FRACTION_ONE + lp->work_left;
    lp->work_left = work % speed;
    return cycles(work / speed);
}

/* How far code may get on `lp` before its clock reaches `limit`. */
static cycles_t code_limit(const struct machine *m, const struct hv_lp *lp,
                           cycles_t limit)
{
    uint64_t speed = code_speed(m, lp, lp->vp);

    if (speed == SCENARIO_FRACTION_ONE || limit.v == CYCLES_NEVER.v ||
        !cycles_before(lp->now, limit))
        return limit;

    uint64_t room = cycles_sub(limit, lp->now).v;
    uint64_t work =
        room / SCENARIO_FRACTION_ONE * speed +
        room % SCENARIO_FRACTION_ONE * speed / SCENARIO_FRACTION_ONE;

    return cycles_add(lp->now, cycles(work ? work : 1));
}

/* Moves the LP's clock by what `party` spent on `vp`, and books it. */
static void spend(struct machine *m, struct hv_lp *lp, struct hv_vp *vp,
                  enum cost_party party, cycles_t spent)
{
    cycles_t none = cycles(0);

    if (party == COST_PARTY_GUEST)
        spent = slowed(m, lp, vp, spent);
    if (spent.v == 0)
        return;
    run_sample_count(m, lp, vp, party, lp->now, spent);
    if (party == COST_PARTY_GUEST)
        ledger_post(m->ledger, lp->id, vp->number, spent, none);
    else
        ledger_post(m->ledger, lp->id, vp->number, none, spent);
    vp->run_time = cycles_add(vp->run_time, spent);
    lp->now = cycles_add(lp->now, spent);
}

/* The root's processor on `lp` has run code without having been dispatched. */
static void spend_for_root(struct machine *m, struct hv_lp *lp, cycles_t spent)
{
    struct hv_vp *vp = lp->root_vp;

    CHECK(vp);
    vp_count_up_to(vp, lp->now);
    spend(m, lp, vp, COST_PARTY_GUEST, spent);
    vp_skip_idle(vp, lp->now);
}

/* An idle LP's clock jumps to where its work begins. */
static void wake_lp(struct machine *m, struct hv_lp *lp, cycles_t at)
{
    if (cycles_before(lp->now, at)) {
        run_sample_idle(m, lp, at);
        ledger_post_idle(m->ledger, lp->id, cycles_sub(at, lp->now));
        lp->now = at;
    }
}

/* Spends what the bill of a dispatch comes to. To wake takes idle time; the
 * rest is the LP's time, charged to no VP, but for what the root does there if
 * it is that which schedules. The VP that is switched to is still waiting. */
static void settle_switch(struct machine *m, struct hv_lp *lp)
{
    struct cost_total total = cost_model_price(&m->cost, &m->bill);
    cycles_t spent = cycles(total.hypervisor_subcycles / SUBCYCLES_PER_CYCLE);
    cycles_t root = cycles(total.guest_subcycles / SUBCYCLES_PER_CYCLE);
    cycles_t wake = cycles(total.idle_subcycles / SUBCYCLES_PER_CYCLE);

    wake_lp(m, lp, cycles_add(lp->now, wake));
    ledger_count(m->ledger, &m->bill);
    cost_bill_clear(&m->bill);
    if (root.v > 0)
        spend_for_root(m, lp, root);
    run_sample_count(m, lp, NULL, COST_PARTY_HYPERVISOR, lp->now, spent);
    ledger_post_switch(m->ledger, lp->id, spent);
    lp->now = cycles_add(lp->now, spent);
}

/* Prices the step's bill and spends it on `vp`. Returns the hypervisor's part,
 * which is what an intercept's Cost counter shows. */
static cycles_t settle(struct machine *m, struct hv_lp *lp, struct hv_vp *vp)
{
    struct cost_total total = cost_model_price(&m->cost, &m->bill);
    cycles_t guest = cycles(total.guest_subcycles / SUBCYCLES_PER_CYCLE);
    cycles_t hypervisor =
        cycles(total.hypervisor_subcycles / SUBCYCLES_PER_CYCLE);

    ledger_count(m->ledger, &m->bill);
    cost_bill_clear(&m->bill);
    spend(m, lp, vp, COST_PARTY_GUEST, guest);
    spend(m, lp, vp, COST_PARTY_HYPERVISOR, hypervisor);
    return hypervisor;
}

/* Spends the guest code that ran since the last settlement, and what it noted
 * beside its blocks. */
static void settle_guest(struct machine *m, struct hv_lp *lp, struct hv_vp *vp)
{
    cycles_t before = lp->now;
    cycles_t elapsed = vp->runner.ops->take_elapsed(vp->runner.context);

    spend(m, lp, vp, COST_PARTY_GUEST, elapsed);
    settle(m, lp, vp);
    vp->runner.ops->advance(vp->runner.context,
                            cycles_sub(cycles_sub(lp->now, before), elapsed));
}

/* How far the LP under way may go: not past what has been scheduled, nor past
 * an LP that has just been woken by more than the quantum. */
static cycles_t run_limit(const struct machine *m)
{
    cycles_t limit = cycles_min(m->horizon, event_queue_next(m->events));

    return cycles_min(limit, m->stepping->slice_end);
}

/* Until when the VP may read a clock: as long as no other LP is behind, or a
 * sibling there could read an earlier time after it. It waits for them. Nobody
 * can tell of a VP without siblings. */
static cycles_t run_clock_limit(const struct machine *m, const struct hv_vp *vp)
{
    return vp->partition->vp_count > 1 ? m->others : CYCLES_NEVER;
}

static struct hv_context step_context(struct machine *m, struct hv_lp *lp)
{
    return (struct hv_context){
        .hv = m->hv,
        .lp = lp,
        .vp = lp->vp,
        .now = lp->now,
        .bill = &m->bill,
    };
}

/* What the hypervisor and the engines ask of the run loop. */

static enum engine_verdict run_on_exit(void *host, struct hv_vp *vp,
                                       const struct vm_exit *exit)
{
    struct machine *m = host;
    struct hv_lp *lp = m->stepping;
    struct hv_context *context = m->hv->current;
    enum engine_verdict verdict;

    settle_guest(m, lp, vp);
    context->now = lp->now;
    verdict = intercept_handle(context, exit);
    if (verdict == ENGINE_RESUME) {
        vp_prepare_entry(context, vp);
        cost_note(&m->bill, COST_VMENTRY, 1);
    }

    cycles_t spent = settle(m, lp, vp);

    pc_vp_add_intercept(&vp->counters, intercept_class(exit->kind), spent);
    vp->runner.ops->advance(vp->runner.context, spent);
    context->now = lp->now;
    engine_set_limit(vp->engine, code_limit(m, lp, run_limit(m)));
    engine_set_clock_limit(vp->engine, run_clock_limit(m, vp));
    return verdict;
}

static void run_on_model_hypercall(void *host, struct hv_vp *vp,
                                   struct hypercall *call)
{
    struct machine *m = host;
    struct hv_lp *lp = m->stepping;
    struct hv_context *context = m->hv->current;
    enum hypercall_outcome outcome;

    settle(m, lp, vp);
    do {
        context->now = lp->now;
        cost_note(&m->bill, COST_VMEXIT, 1);
        cost_note(&m->bill, COST_EXIT_DISPATCH, 1);
        cost_note(&m->bill, COST_VMENTRY, 1);
        outcome = hypercall_dispatch(context, call);
        CHECK(outcome != HYPERCALL_UNDEFINED);
        pc_vp_add_intercept(&vp->counters, PC_INTERCEPT_HYPERCALL,
                            settle(m, lp, vp));
    } while (outcome == HYPERCALL_CONTINUE);
    context->now = lp->now;
}

static bool run_stop_wanted(void *host)
{
    const struct machine *m = host;
    const volatile sig_atomic_t *stop = m->options->stop;

    return !m->stopping && ((stop && *stop) || machine_console_must_end(m));
}

static uint32_t run_price_block(void *host, const struct cost_bill *bill)
{
    struct machine *m = host;
    struct cost_total total = cost_model_price(&m->cost, bill);
    uint64_t price = total.guest_subcycles + total.hypervisor_subcycles;

    /* Code that takes no time at all would never reach the end of the run, and
     * a guest that waits for a time would take hours to get there by less. */
    if (price == 0)
        return SUBCYCLES_PER_CYCLE;
    return price < UINT32_MAX ? (uint32_t)price : UINT32_MAX;
}

/* The LP under way does not get further ahead of `other` than the quantum. */
static void note_other(struct machine *m, const struct hv_lp *other)
{
    m->others = cycles_min(m->others, other->now);
    m->horizon = cycles_min(m->horizon, cycles_add(other->now, m->quantum));
}

static void run_lp_ready(void *host, struct hv_lp *lp, cycles_t at)
{
    struct machine *m = host;

    if (lp_order_contains(m->active, lp))
        return;
    wake_lp(m, lp, at);
    lp_order_add(m->active, lp);
    if (m->stepping)
        note_other(m, lp);
}

static void run_vp_waited(void *host, const struct sched_waited *waited)
{
    const struct machine *m = host;

    wait_book_post(m->waits, waited);
}

static void run_vp_added(void *host, struct hv_vp *vp)
{
    machine_vms_report(host, vp);
}

static void run_vp_gone(void *host, struct hv_vp *vp)
{
    struct machine *m = host;

    run_sample_vp_gone(m, vp);
    wait_book_vp_gone(m->waits, vp);
}

static void run_limit_changed(void *host, struct hv_vp *vp)
{
    struct machine *m = host;

    if (m->stepping && m->stepping->vp == vp)
        vp->runner.ops->set_limit(vp->runner.context,
                                  code_limit(m, m->stepping, run_limit(m)));
}

struct hv_host run_host(struct machine *machine)
{
    return (struct hv_host){
        .context = machine,
        .on_exit = run_on_exit,
        .on_model_hypercall = run_on_model_hypercall,
        .price_block = run_price_block,
        .stop_wanted = run_stop_wanted,
        .lp_ready = run_lp_ready,
        .vp_waited = run_vp_waited,
        .vp_added = run_vp_added,
        .vp_gone = run_vp_gone,
        .limit_changed = run_limit_changed,
    };
}

/* One step of an LP. */

static void note_idle(struct hv_context *context)
{
    context->vp = NULL;
    pc_lp_add(&context->lp->counters, PC_LP_IDLE_ENTRIES, 1);
    hypervisor_trace(context, TRACE_LP_IDLE, 0);
}

/* Puts a VP on the free LP; false if there is none, and the LP idles. */
static bool step_dispatch(struct machine *m, struct hv_context *context)
{
    struct hv_lp *lp = context->lp;

    if (!lp_dispatch(context)) {
        lp_order_remove(m->active, lp);
        note_idle(context);
        return false;
    }
    if (cycles_before(lp->now, lp_starts_at(lp)))
        note_idle(context);
    wake_lp(m, lp, lp_starts_at(lp));
    settle_switch(m, lp);
    lp_start(context);
    settle(m, lp, lp->vp);
    context->now = lp->now;
    return true;
}

/* What others did for this VP and interrupted it with. */
static void step_pay_debts(struct machine *m, struct hv_context *context)
{
    struct hv_vp *vp = context->vp;
    bool owes = false;

    for (unsigned i = 0; i < COST_BILL_WORDS; i++)
        owes |= vp->owed.used[i] != 0;
    if (!owes)
        return;
    cost_bill_add(&m->bill, &vp->owed);
    cost_bill_clear(&vp->owed);
    pc_vp_add_intercept(&vp->counters, PC_INTERCEPT_EXTERNAL_INTERRUPT,
                        settle(m, context->lp, vp));
    context->now = context->lp->now;
}

/* The timer of the LP ends the slice: an intercept like any other interrupt.
 * False if the VP had to make room. */
static bool step_slice(struct machine *m, struct hv_context *context)
{
    struct hv_lp *lp = context->lp;
    struct hv_vp *vp = context->vp;

    if (cycles_before(lp->now, lp->slice_end))
        return true;

    bool yields = lp_end_slice(context);

    cost_note(&m->bill, COST_VMEXIT, 1);
    if (!yields)
        cost_note(&m->bill, COST_VMENTRY, 1);
    pc_vp_add_intercept(&vp->counters, PC_INTERCEPT_EXTERNAL_INTERRUPT,
                        settle(m, lp, vp));
    context->now = lp->now;
    if (yields)
        lp_undispatch(context);
    return !yields;
}

/* An engine that came back without time having passed cannot execute what its
 * VP is at. The VP is like one that spins: it uses up its time, so that the
 * others' goes on. */
static void spend_stuck(struct machine *m, struct hv_lp *lp, struct hv_vp *vp)
{
    cycles_t before = lp->now;
    cycles_t limit = code_limit(m, lp, run_limit(m));

    if (!cycles_before(before, limit))
        return;
    spend(m, lp, vp, COST_PARTY_GUEST, cycles_sub(limit, before));
    vp->runner.ops->advance(vp->runner.context, cycles_sub(lp->now, before));
}

static void step_run(struct machine *m, struct hv_context *context)
{
    struct hv_lp *lp = context->lp;
    struct hv_vp *vp = context->vp;
    struct engine_run run = {
        .now = lp->now,
        .limit = code_limit(m, lp, run_limit(m)),
        .clock_limit = run_clock_limit(m, vp),
        .bill = &m->bill,
    };
    enum vm_exit_kind kind;

    kind = vp->runner.ops->run(vp->runner.context, &run);
    settle_guest(m, lp, vp);
    /* A root that waits for another LP, with nothing priced, would wait for
     * ever: that LP would never be the one furthest behind. */
    if (!vp->engine && kind == VM_EXIT_STOPPED && lp->now.v == run.now.v)
        spend(m, lp, vp, COST_PARTY_GUEST, cycles(1));
    if (vp->engine && kind == VM_EXIT_LIMIT && lp->now.v == run.now.v &&
        !run.at_clock)
        spend_stuck(m, lp, vp);
    context->now = lp->now;
    if (kind == VM_EXIT_HLT) { /* of a model; an engine's is an intercept */
        cost_note(&m->bill, COST_VMEXIT, 1);
        vp_halt(context, vp);
        pc_vp_add_intercept(&vp->counters, PC_INTERCEPT_HLT, settle(m, lp, vp));
    } else if (kind == VM_EXIT_INTERRUPT_WINDOW) {
        cost_note(&m->bill, COST_VMEXIT, 1);
        cost_note(&m->bill, COST_EXIT_DISPATCH, 1);
        cost_note(&m->bill, COST_VMENTRY, 1);
        vp_prepare_entry(context, vp);
        pc_vp_add_intercept(&vp->counters, PC_INTERCEPT_PENDING_INTERRUPT,
                            settle(m, lp, vp));
    }
    context->now = lp->now;
}

static void step_lp(struct machine *m, struct hv_lp *lp)
{
    struct hv_context context = step_context(m, lp);

    m->stepping = lp;
    m->hv->current = &context;
    if (!lp->vp) {
        step_dispatch(m, &context);
    } else {
        step_pay_debts(m, &context);
        if (vp_runnable(lp->vp) && step_slice(m, &context)) {
            vp_prepare_entry(&context, lp->vp);
            settle(m, lp, lp->vp);
            context.now = lp->now;
            if (cycles_before(lp->now, run_limit(m)))
                step_run(m, &context);
        }
        if (lp->vp && !vp_runnable(lp->vp))
            lp_undispatch(&context);
    }
    m->hv->current = NULL;
    m->stepping = NULL;
    if (lp_order_contains(m->active, lp))
        lp_order_settle(m->active, lp);
}

/* When the event is due that comes next; 0 if an LP runs before. */
static cycles_t next_event(const struct machine *m)
{
    const struct hv_lp *lp = lp_order_first(m->active);
    cycles_t next = event_queue_next(m->events);

    return lp && cycles_before(lp->now, next) ? cycles(0) : next;
}

static void step_machine(struct machine *m)
{
    struct hv_lp *lp = lp_order_first(m->active);
    const struct hv_lp *second;
    cycles_t next = event_queue_next(m->events);

    if (!lp || !cycles_before(lp->now, next)) {
        m->now = next;
        event_queue_fire_next(m->events);
        return;
    }
    m->horizon = CYCLES_NEVER;
    m->others = CYCLES_NEVER;
    /* The others bound what a VP runs, and nothing else. */
    second = lp->vp ? lp_order_second(m->active) : NULL;
    if (second)
        note_other(m, second);
    step_lp(m, lp);
}

static cycles_t reached(const struct machine *m)
{
    cycles_t reached = m->now;

    for (uint32_t i = 0; i < m->hv->lp_count; i++)
        reached = cycles_max(reached, m->hv->lps[i].now);
    return reached;
}

uint64_t run_first_free_ns(const struct machine *m)
{
    cycles_t now = reached(m);
    uint64_t ns = clock_to_ns(m->clock, now);

    while (!cycles_before(now, clock_from_ns(m->clock, ns)))
        ns++;
    return ns;
}

static void end_at(struct machine *m, cycles_t end)
{
    if (!event_is_scheduled(&m->end) || cycles_before(end, m->end.due))
        event_schedule(m->events, &m->end, end);
    m->hv->count_until = cycles_min(m->hv->count_until, end);
}

void run_end_early(struct machine *m)
{
    end_at(m, reached(m));
}

static void run_end(void *machine, cycles_t now)
{
    struct machine *m = machine;

    m->now = now;
    m->ended = true;
}

/* The interrupted interval is recorded as far as all LPs get, which is as far
 * as the first of them has got: at the next whole nanosecond, so that the run
 * can be repeated with this as its duration. */
static void run_stop(struct machine *m)
{
    if (m->stopping)
        return;
    m->stopping = true;
    end_at(m, clock_from_ns(m->clock, run_first_free_ns(m)));
    machine_note_failure(m, SIM_INTERRUPTED, "interrupted at %llu ns",
                         (unsigned long long)clock_to_ns(m->clock, m->end.due));
}

void run_to_end(struct machine *m)
{
    m->end = (struct event){
        .kind = EVENT_END, .name = "end", .fire = run_end, .context = m};
    event_schedule(m->events, &m->end,
                   clock_from_ns(m->clock, m->scenario->duration_ns));
    run_sample_start(m);
    machine_timeline_start(m);
    machine_vms_start(m);
    machine_console_start(m);
    while (!m->ended) {
        if (machine_console_poll(m, next_event(m)))
            step_machine(m);
        if (run_stop_wanted(m) || machine_console_is_left(m))
            run_stop(m);
    }
    machine_console_finish(m);
    machine_timeline_finish(m);
    run_sample_finish(m);
}
