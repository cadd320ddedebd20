/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/bench/ticker.h"

#include "hypervisor/lapic.h"
#include "hypervisor/partition.h"
#include "sim/core/check.h"

#define VPS_PER_VM 4
#define WORK_CYCLES 2000

static enum vm_exit_kind ticker_run(void *runner, struct engine_run *run)
{
    struct ticker *ticker = runner;

    (void)run;
    ticker->elapsed = cycles(WORK_CYCLES);
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

void ticker_add_vms(struct hypervisor *hv, struct ticker *tickers,
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
