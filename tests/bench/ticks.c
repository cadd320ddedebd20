/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A whole machine whose VPs only tick: see bench_sched.c. */
#include "tests/bench/ticks.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "hypervisor/msr.h"
#include "hypervisor/partition.h"
#include "sim/core/check.h"
#include "sim/machine/machine_private.h"
#include "tests/bench/ticker.h"
#include "tests/bench/timing.h"

#define REPEATS 7
#define MSR_APIC_BASE 0x1bu
#define MSR_X2APIC_SVR 0x80fu
#define MSR_STIMER0_CONFIG 0x400000b0u
#define MSR_STIMER0_COUNT 0x400000b1u
#define STIMER_PERIODIC_DIRECT 0x140au /* vector 0x40, enabled by a count */
#define PERIOD_REFTIME 10000           /* a millisecond */
#define LPS 64
#define VPS 256

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
        cycles_t start = cycles(i * (uint64_t)PERIOD_REFTIME * 100 / count);

        set_register(vp, start, MSR_APIC_BASE, 0xfee00c00);
        set_register(vp, start, MSR_X2APIC_SVR, 0x1ff);
        set_register(vp, start, MSR_STIMER0_CONFIG, STIMER_PERIODIC_DIRECT);
        set_register(vp, start, MSR_STIMER0_COUNT, PERIOD_REFTIME);
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
                         LPS / 2, LPS / 2, ops->name);

    if (scenario_read_text(&scenario, "tick", text, (size_t)bytes, NULL, 0,
                           error) != SIM_OK)
        return NULL;
    return scenario;
}

static double measure_ticks(const struct hv_sched_ops *ops)
{
    const struct machine_run_options options = {0};
    struct ticker *tickers = calloc(VPS, sizeof(*tickers));
    struct machine *machine;
    struct sim_error error;

    struct scenario *scenario = read_scenario(ops, &error);

    CHECK(tickers);
    if (!scenario || machine_create(&machine, scenario, NULL, &error) != SIM_OK)
        goto failed;
    machine->hv->host.vp_added = report_vp;
    ticker_add_vms(machine->hv, tickers, VPS);
    start_tickers(tickers, VPS);

    double start = timing_cpu_s();

    if (machine_run(machine, &options, &error) != SIM_OK)
        goto failed;

    double seconds = timing_cpu_s() - start;
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

void ticks_print(const struct hv_sched_ops *ops)
{
    double rate[REPEATS];

    for (unsigned i = 0; i < REPEATS; i++)
        rate[i] = measure_ticks(ops);
    double median = timing_median(rate, REPEATS);

    printf("  ticking VPs (%d on %d LPs)  %8.2f million dispatches per host "
           "second, at most %.2f\n",
           VPS, LPS, median / 1e6, rate[REPEATS - 1] / 1e6); /* sorted */
}
