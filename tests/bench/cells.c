/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The scheduler alone, without a machine: see bench_sched.c. */
#include "tests/bench/cells.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "hypervisor/lp.h"
#include "hypervisor/partition.h"
#include "sim/core/check.h"
#include "sim/machine/lp_order.h"
#include "tests/bench/ticker.h"
#include "tests/bench/timing.h"

/* Many short ones: a moment in which the host is slow spoils one of a cell. */
#define REPEATS 21
#define DISPATCHES 40000           /* timed, of a repeat */
#define SETTLING_DISPATCHES 100000 /* before the first */
#define THREADS_PER_CORE 2
#define HZ UINT64_C(1000000000) /* a cycle is a nanosecond */

#define SWITCH_CYCLES 3000
#define SLICE_CYCLES 10000000
#define BURST_CYCLES_MAX 20000000

struct bench {
    struct hypervisor *hv;
    struct event_queue *events;
    struct trace *trace;
    struct lp_order *active;
    struct ticker *tickers;  /* vp_count */
    uint64_t *burst_end;     /* by LP: when its VP goes to sleep; 0: not set */
    struct hv_vp **sleepers; /* a ring of vp_count, the oldest first */
    uint32_t vp_count, first_sleeper, sleeper_count;
    uint64_t random;
    uint64_t dispatches;
};

static uint64_t some(struct bench *b)
{
    b->random = b->random * UINT64_C(6364136223846793005) + 1442695040888963407;
    return b->random >> 33;
}

static void lp_ready(void *context, struct hv_lp *lp, cycles_t at)
{
    struct bench *b = context;

    if (lp_order_contains(b->active, lp))
        return;
    lp->now = cycles_max(lp->now, at);
    lp_order_add(b->active, lp);
}

static void ignore_vp(void *context, struct hv_vp *vp)
{
    (void)context;
    (void)vp;
}

static void bench_create(struct bench *b, const struct hv_sched_ops *ops,
                         uint32_t lps, uint32_t vps)
{
    const struct hv_node_config nodes[] = {{lps / 2, UINT64_C(16) << 20},
                                           {lps / 2, UINT64_C(16) << 20}};
    struct hv_config config = {
        .clock = {.hz = HZ},
        .nodes = nodes,
        .node_count = 2,
        .threads_per_core = THREADS_PER_CORE,
        .sched_ops = ops,
        .sched_params = {.slice = cycles(SLICE_CYCLES),
                         .preempt_after = cycles(1000000),
                         .wake_boost = cycles(2000000),
                         .migrate_after = cycles(2000000),
                         .node_patience = cycles(500000),
                         .period = cycles(10000000),
                         .spin_yields = true},
    };
    struct hv_host host = {
        .context = b,
        .lp_ready = lp_ready,
        .vp_added = ignore_vp,
        .vp_gone = ignore_vp,
        .limit_changed = ignore_vp,
    };
    struct sim_error error;

    *b = (struct bench){.vp_count = vps, .random = 1};
    b->events = event_queue_create();
    b->trace = trace_create(NULL, NULL);
    b->active = lp_order_create(lps);
    b->tickers = calloc(vps, sizeof(*b->tickers));
    b->burst_end = calloc(lps, sizeof(*b->burst_end));
    b->sleepers = calloc(vps, sizeof(struct hv_vp *));
    CHECK(b->active && b->tickers && b->burst_end && b->sleepers);
    if (hypervisor_create(&b->hv, &config, &host, b->events, b->trace,
                          &error) != SIM_OK) {
        fprintf(stderr, "bench_sched: %s\n", error.message);
        exit(sim_status_exit_code(error.status));
    }
    ticker_add_vms(b->hv, b->tickers, vps);
}

static void bench_destroy(struct bench *b)
{
    hypervisor_free(b->hv);
    event_queue_free(b->events);
    trace_free(b->trace);
    lp_order_free(b->active);
    free(b->tickers);
    free(b->burst_end);
    free(b->sleepers);
}

static void wake(struct hv_context *context, struct hv_vp *vp)
{
    context->vp = vp;
    vp->halted = false;
    vp_reconsider(context, vp);
}

/* A quarter of the VPs sleep: who goes to sleep wakes the one that has slept
 * longest. */
static void fall_asleep(struct bench *b, struct hv_context *context)
{
    struct hv_vp *vp = context->lp->vp;
    uint32_t at = (b->first_sleeper + b->sleeper_count++) % b->vp_count;

    b->sleepers[at] = vp;
    vp->halted = true;
    lp_undispatch(context);
    if (b->sleeper_count <= b->vp_count / 4)
        return;
    vp = b->sleepers[b->first_sleeper];
    b->first_sleeper = (b->first_sleeper + 1) % b->vp_count;
    b->sleeper_count--;
    wake(context, vp);
    /* As the queue of events has it. */
    vp_foresee_dispatch(b->sleepers[b->first_sleeper]);
}

static void dispatch(struct bench *b, struct hv_context *context)
{
    struct hv_lp *lp = context->lp;

    if (!lp_dispatch(context)) {
        lp_order_remove(b->active, lp);
        return;
    }
    lp->now = cycles_add(cycles_max(lp->now, lp_starts_at(lp)),
                         cycles(SWITCH_CYCLES));
    lp_start(context);
    b->burst_end[lp->id.v] =
        lp->now.v + 1 + some(b) * some(b) % BURST_CYCLES_MAX;
    b->dispatches++;
}

/* The LP's VP computes until it sleeps, its slice ends, or its LP is called. */
static void compute(struct bench *b, struct hv_context *context)
{
    struct hv_lp *lp = context->lp;
    uint64_t burst_end = b->burst_end[lp->id.v];

    if (cycles_before(lp->now, cycles_min(lp->slice_end, cycles(burst_end)))) {
        lp->now = cycles_min(lp->slice_end, cycles(burst_end));
    } else if (!cycles_before(lp->now, lp->slice_end)) {
        if (lp_end_slice(context))
            lp_undispatch(context);
    } else {
        fall_asleep(b, context);
    }
}

static void step(struct bench *b, struct cost_bill *bill)
{
    struct hv_lp *lp = lp_order_first(b->active);

    CHECK(lp);
    if (cycles_before(event_queue_next(b->events), lp->now)) {
        event_queue_fire_next(b->events);
        return;
    }

    struct hv_context context = {
        .hv = b->hv, .lp = lp, .vp = lp->vp, .now = lp->now, .bill = bill};

    b->hv->current = &context;
    if (lp->vp)
        compute(b, &context);
    else
        dispatch(b, &context);
    b->hv->current = NULL;
    if (lp_order_contains(b->active, lp))
        lp_order_settle(b->active, lp);
    cost_bill_clear(bill);
}

static void step_until(struct bench *b, uint64_t dispatches)
{
    struct cost_bill bill = {0};

    while (b->dispatches < dispatches)
        step(b, &bill);
}

/* Numbers of LPs and VPs. */

#define SIZES 4

static const uint32_t lp_sizes[SIZES] = {4, 32, 128, 512};
static const uint32_t vp_sizes[SIZES] = {8, 64, 512, 4096};

struct cell {
    struct bench bench;
    double ns[REPEATS]; /* per dispatch, by turns */
};

static void start_cell(struct cell *cell, const struct hv_sched_ops *ops,
                       uint32_t lps, uint32_t vps)
{
    struct cost_bill bill = {0};
    struct bench *b = &cell->bench;

    bench_create(b, ops, lps, vps);

    struct hv_context context = {.hv = b->hv, .bill = &bill};

    for (uint32_t i = 0; i < vps; i++)
        wake(&context, b->tickers[i].vp);
    step_until(b, SETTLING_DISPATCHES);
}

/* The host's caches are this cell's by then. */
static void warm_up(struct bench *b)
{
    step_until(b, b->dispatches + DISPATCHES / 4);
}

static double measure(struct bench *b)
{
    uint64_t before;
    double start;

    warm_up(b);
    before = b->dispatches;
    start = timing_cpu_s();
    step_until(b, before + DISPATCHES);
    return (timing_cpu_s() - start) * 1e9 / (double)(b->dispatches - before);
}

/* In turns: what else the host does slows all of them down. */
static void measure_cells(struct cell *cells)
{
    for (unsigned i = 0; i < REPEATS; i++) {
        for (unsigned c = 0; c < SIZES * SIZES; c++)
            cells[c].ns[i] = measure(&cells[c].bench);
    }
}

struct range {
    double least, most; /* 0: nothing yet */
};

static void widen(struct range *range, double value)
{
    if (range->least == 0 || value < range->least)
        range->least = value;
    if (value > range->most)
        range->most = value;
}

/* Of what each cell takes of a turn: a host that is slower for a while is so
 * for all cells of a turn, or nearly. */
static double ratio_by_turns(const struct cell *cells)
{
    double sums[REPEATS] = {0};
    struct range shares = {0};

    for (unsigned i = 0; i < REPEATS; i++) {
        for (unsigned c = 0; c < SIZES * SIZES; c++)
            sums[i] += cells[c].ns[i];
    }
    for (unsigned c = 0; c < SIZES * SIZES; c++) {
        double share[REPEATS];

        for (unsigned i = 0; i < REPEATS; i++)
            share[i] = cells[c].ns[i] / sums[i];
        widen(&shares, timing_median(share, REPEATS));
    }
    return shares.most / shares.least;
}

static void print_cells(const struct hv_sched_ops *ops, struct cell *cells)
{
    double by_turns = ratio_by_turns(cells);
    struct range medians = {0};

    printf("%s: host ns per dispatch\n  LPs \\ VPs", ops->name);
    for (unsigned v = 0; v < SIZES; v++)
        printf("%8" PRIu32, vp_sizes[v]);
    for (unsigned c = 0; c < SIZES * SIZES; c++) {
        double ns = timing_median(cells[c].ns, REPEATS);

        if (c % SIZES == 0)
            printf("\n  %9" PRIu32, lp_sizes[c / SIZES]);
        printf("%8.0f", ns);
        widen(&medians, ns);
    }
    printf("\n  largest / smallest        %8.2f of medians, %.2f by turns\n",
           medians.most / medians.least, by_turns);
    fflush(stdout);
}

void cells_print(const struct hv_sched_ops *ops)
{
    static struct cell cells[SIZES * SIZES];

    for (unsigned c = 0; c < SIZES * SIZES; c++)
        start_cell(&cells[c], ops, lp_sizes[c / SIZES], vp_sizes[c % SIZES]);
    measure_cells(cells);
    print_cells(ops, cells);
    for (unsigned c = 0; c < SIZES * SIZES; c++)
        bench_destroy(&cells[c].bench);
}
