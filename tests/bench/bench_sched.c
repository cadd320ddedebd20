/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * What scheduling costs the host, with VPs that are models.
 *
 *   bench_sched [policy...]
 *
 * For each policy, the medians of a few repeats, which take turns:
 *
 * - Host nanoseconds per dispatch, by numbers of LPs and VPs: choosing,
 *   accounting, queueing, waking and pre-empting, as the run loop has it done,
 *   but nothing else of a machine. VPs compute for a while and then sleep, or
 *   compute until their slice ends.
 * - Dispatches per second through the whole run loop, by VPs that only tick:
 *   timer, interrupt, dispatch, two microseconds of work, halt; every one of
 *   them priced, counted and in the trace's hash.
 *
 * Nothing here is a test.
 */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "hypervisor/msr.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "sim/core/check.h"
#include "sim/machine/machine_private.h"

/* Many short ones: a moment in which the host is slow spoils one of a cell. */
#define REPEATS 21
#define TICK_REPEATS 7
#define DISPATCHES 40000           /* timed, of a repeat */
#define SETTLING_DISPATCHES 100000 /* before the first */
#define VPS_PER_VM 4
#define THREADS_PER_CORE 2
#define HZ UINT64_C(1000000000) /* a cycle is a nanosecond */

#define SWITCH_CYCLES 3000
#define SLICE_CYCLES 10000000
#define BURST_CYCLES_MAX 20000000

static double cpu_s(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static double median(double *values, unsigned count)
{
    qsort(values, count, sizeof(*values), by_value);
    return values[count / 2];
}

/* A VP that ticks: its timer's interrupt, a little work, HLT. */

#define TICK_WORK_CYCLES 2000

struct ticker {
    struct hv_vp *vp;
    cycles_t elapsed;
};

static enum vm_exit_kind ticker_run(void *runner, struct engine_run *run)
{
    struct ticker *ticker = runner;

    (void)run;
    ticker->elapsed = cycles(TICK_WORK_CYCLES);
    return VM_EXIT_HLT;
}

static cycles_t ticker_take_elapsed(void *runner)
{
    struct ticker *ticker = runner;
    cycles_t elapsed = ticker->elapsed;

    ticker->elapsed = cycles(0);
    return elapsed;
}

static void ticker_ignore_cycles(void *runner, cycles_t value)
{
    (void)runner;
    (void)value;
}

static bool ticker_interruptible(void *runner)
{
    (void)runner;
    return true;
}

static void ticker_inject(void *runner, uint8_t vector)
{
    struct ticker *ticker = runner;
    struct hv_context context = vp_event_context(ticker->vp, cycles(0));

    (void)vector;
    lapic_eoi(&context, &ticker->vp->lapic);
}

static void ticker_request_window(void *runner, bool wanted)
{
    (void)runner;
    (void)wanted;
}

static void ticker_inject_nmi(void *runner)
{
    (void)runner;
}

static const struct vp_runner_ops ticker_ops = {
    .run = ticker_run,
    .take_elapsed = ticker_take_elapsed,
    .advance = ticker_ignore_cycles,
    .set_limit = ticker_ignore_cycles,
    .interruptible = ticker_interruptible,
    .inject = ticker_inject,
    .request_window = ticker_request_window,
    .inject_nmi = ticker_inject_nmi,
};

/* VMs of model VPs that may run anywhere, weighted by turns where the policy
 * heeds weights. */
static void add_vms(struct hypervisor *hv, struct ticker *tickers,
                    uint32_t count)
{
    static const uint64_t weights[] = {100, 200, 50, 400};
    struct cost_bill bill = {0};
    struct hv_context context = {.hv = hv, .bill = &bill};
    struct lp_set all = lp_set_first_of(hv->lp_count);
    struct hv_partition *partition = NULL;

    for (uint32_t i = 0; i < count; i++) {
        vp_index_t index = {i % VPS_PER_VM};
        struct vp_runner runner = {&ticker_ops, &tickers[i]};

        if (index.v == 0)
            CHECK(partition_create(&context, hv->root, 0, &partition) ==
                  HV_STATUS_SUCCESS);
        tickers[i].vp = vp_create_model(hv, partition, index, runner,
                                        (lp_id_t){i % hv->lp_count});
        CHECK(tickers[i].vp);
        tickers[i].vp->sched.affinity = all;
        if (index.v + 1 < VPS_PER_VM && i + 1 < count)
            continue;
        /* It becomes known to the scheduler that they may run anywhere. */
        CHECK(partition_set_affinity(&context, partition, &all) ==
              HV_STATUS_SUCCESS);
        if (hv->sched.ops->flags & SCHED_WEIGHTS)
            CHECK(partition_set_weight(&context, partition,
                                       weights[partition->id.v % 4]) ==
                  HV_STATUS_SUCCESS);
    }
}

/* The scheduler alone. */

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
    add_vms(b->hv, b->tickers, vps);
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
    double ns[REPEATS]; /* per dispatch */
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
    start = cpu_s();
    step_until(b, before + DISPATCHES);
    return (cpu_s() - start) * 1e9 / (double)(b->dispatches - before);
}

/* In turns: what else the host does slows all of them down. */
static void measure_cells(struct cell *cells)
{
    for (unsigned i = 0; i < REPEATS; i++) {
        for (unsigned c = 0; c < SIZES * SIZES; c++)
            cells[c].ns[i] = measure(&cells[c].bench);
    }
}

static void print_cells(const struct hv_sched_ops *ops, struct cell *cells)
{
    double least = 0, most = 0;

    printf("%s: host ns per dispatch\n  LPs \\ VPs", ops->name);
    for (unsigned v = 0; v < SIZES; v++)
        printf("%8" PRIu32, vp_sizes[v]);
    for (unsigned c = 0; c < SIZES * SIZES; c++) {
        double ns = median(cells[c].ns, REPEATS);

        if (c % SIZES == 0)
            printf("\n  %9" PRIu32, lp_sizes[c / SIZES]);
        printf("%8.0f", ns);
        least = least == 0 || ns < least ? ns : least;
        most = ns > most ? ns : most;
    }
    printf("\n  largest / smallest        %8.2f\n", most / least);
    fflush(stdout);
}

static void print_scheduler(const struct hv_sched_ops *ops)
{
    static struct cell cells[SIZES * SIZES];

    for (unsigned c = 0; c < SIZES * SIZES; c++)
        start_cell(&cells[c], ops, lp_sizes[c / SIZES], vp_sizes[c % SIZES]);
    measure_cells(cells);
    print_cells(ops, cells);
    for (unsigned c = 0; c < SIZES * SIZES; c++)
        bench_destroy(&cells[c].bench);
}

/* The whole machine. */

#define MSR_APIC_BASE 0x1bu
#define MSR_X2APIC_SVR 0x80fu
#define MSR_STIMER0_CONFIG 0x400000b0u
#define MSR_STIMER0_COUNT 0x400000b1u
#define STIMER_PERIODIC_DIRECT 0x140au /* vector 0x40, enabled by a count */
#define TICK_PERIOD_REFTIME 10000      /* a millisecond */
#define TICK_LPS 64
#define TICK_VPS 256

static void set_register(struct hv_vp *vp, cycles_t now, uint32_t index,
                         uint64_t value)
{
    struct hv_context context = vp_event_context(vp, now);

    CHECK(msr_write(&context, index, value));
    cost_bill_clear(&vp->owed);
}

/* One after another, as ticks of machines that have been started so. */
static void start_tickers(struct ticker *tickers, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) {
        struct hv_vp *vp = tickers[i].vp;
        cycles_t start =
            cycles(i * (uint64_t)TICK_PERIOD_REFTIME * 100 / count);

        set_register(vp, start, MSR_APIC_BASE, 0xfee00c00);
        set_register(vp, start, MSR_X2APIC_SVR, 0x1ff);
        set_register(vp, start, MSR_STIMER0_CONFIG, STIMER_PERIODIC_DIRECT);
        set_register(vp, start, MSR_STIMER0_COUNT, TICK_PERIOD_REFTIME);
    }
}

static void report_vp(void *machine, struct hv_vp *vp)
{
    struct machine *m = machine;
    char name[32];

    snprintf(name, sizeof(name), "vm%" PRIu64, vp->partition->id.v);
    pc_report_add_vp(m->report, name, vp->index, &vp->counters);
}

static struct scenario *read_scenario(const struct hv_sched_ops *ops,
                                      struct sim_error *error)
{
    struct scenario *scenario;
    char text[512];
    int bytes = snprintf(text, sizeof(text),
                         "hvsim: 1\nname: tick\nduration: 4s\n"
                         "host:\n  frequency: 1GHz\n  nodes:\n"
                         "  - {lps: %d, memory: 1GiB}\n"
                         "  - {lps: %d, memory: 1GiB}\n"
                         "hypervisor: {scheduler: %s}\n"
                         "root: {vps: 2, memory: 64MiB}\n"
                         "vms: []\ncounters: {interval: 500ms}\n",
                         TICK_LPS / 2, TICK_LPS / 2, ops->name);

    if (scenario_read_text(&scenario, "tick", text, (size_t)bytes, NULL, 0,
                           error) != SIM_OK)
        return NULL;
    return scenario;
}

static double measure_ticks(const struct hv_sched_ops *ops)
{
    const struct machine_run_options options = {0};
    struct ticker *tickers = calloc(TICK_VPS, sizeof(*tickers));
    struct machine *machine;
    struct sim_error error;

    struct scenario *scenario = read_scenario(ops, &error);

    CHECK(tickers);
    if (!scenario || machine_create(&machine, scenario, NULL, &error) != SIM_OK)
        goto failed;
    machine->hv->host.vp_added = report_vp;
    add_vms(machine->hv, tickers, TICK_VPS);
    start_tickers(tickers, TICK_VPS);

    double start = cpu_s();

    if (machine_run(machine, &options, &error) != SIM_OK)
        goto failed;

    double seconds = cpu_s() - start;
    /* No slice ends: every decision is a dispatch. */
    uint64_t dispatches = ledger_kind(machine->ledger, COST_SCHEDULE);

    machine_free(machine);
    scenario_free(scenario);
    free(tickers);
    return (double)dispatches / seconds;

failed:
    fprintf(stderr, "bench_sched: %s\n", error.message);
    exit(sim_status_exit_code(error.status));
}

static void print_ticks(const struct hv_sched_ops *ops)
{
    double rate[TICK_REPEATS];

    for (unsigned i = 0; i < TICK_REPEATS; i++)
        rate[i] = measure_ticks(ops);
    printf("  ticking VPs (%d on %d LPs)  %8.2f million dispatches per host "
           "second\n",
           TICK_VPS, TICK_LPS, median(rate, TICK_REPEATS) / 1e6);
}

static bool is_wanted(const char *name, int argc, char **argv)
{
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], name) == 0)
            return true;
    }
    return argc == 1;
}

int main(int argc, char **argv)
{
    const struct hv_sched_ops *ops;

    for (int i = 1; i < argc; i++) {
        if (!sched_find(argv[i])) {
            fprintf(stderr, "bench_sched: there is no scheduler \"%s\"\n",
                    argv[i]);
            return 2;
        }
    }
    for (unsigned i = 0; (ops = sched_by_index(i)); i++) {
        if (!is_wanted(ops->name, argc, argv))
            continue;
        print_scheduler(ops);
        print_ticks(ops);
    }
    return 0;
}
