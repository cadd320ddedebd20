/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * Counting time into the counters, and taking samples.
 *
 * An LP's clock may have passed a sample's time by the rest of a block or of
 * an intercept when the sample is taken. What lies behind the boundary is put
 * aside and counted right after it, so that each LP's shares of an interval
 * make up exactly the interval.
 */
#include <stdlib.h>

#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "sim/core/check.h"
#include "sim/machine/machine_private.h"

static void count_lp(struct hv_lp *lp, enum cost_party party, cycles_t spent)
{
    pc_lp_add_time(&lp->counters,
                   party == COST_PARTY_GUEST ? PC_LP_GUEST_TIME
                                             : PC_LP_HYPERVISOR_TIME,
                   spent);
}

static void count_vp(const struct hv_lp *lp, struct hv_vp *vp,
                     enum cost_party party, cycles_t spent)
{
    pc_vp_add_time(&vp->counters,
                   party == COST_PARTY_GUEST ? PC_VP_GUEST_TIME
                                             : PC_VP_HYPERVISOR_TIME,
                   spent);
    if (lp->node != vp->node)
        pc_vp_add_time(&vp->counters, PC_VP_REMOTE_TIME, spent);
}

/* Adds to the cells of the LP and of the VP on it (NULL: it has gone). */
static void count(struct hv_lp *lp, struct hv_vp *vp, enum cost_party party,
                  cycles_t spent)
{
    count_lp(lp, party, spent);
    if (vp)
        count_vp(lp, vp, party, spent);
}

static void put_aside(struct run_overshoot *overshoot, struct hv_vp *vp,
                      enum cost_party party, cycles_t spent)
{
    /* Of a VP that has gone there may be code left, which is none of that. */
    if (!vp && party == COST_PARTY_HYPERVISOR) {
        overshoot->switching = cycles_add(overshoot->switching, spent);
        return;
    }
    /* One step has passed the boundary, and a step is of one VP and perhaps of
     * the root's that switches to it: the LP is not stepped again before the
     * sample. */
    unsigned at = overshoot->of[0].vp && overshoot->of[0].vp != vp;

    CHECK(!overshoot->of[at].vp || overshoot->of[at].vp == vp);
    overshoot->of[at].vp = vp;
    if (party == COST_PARTY_GUEST)
        overshoot->of[at].guest = cycles_add(overshoot->of[at].guest, spent);
    else
        overshoot->of[at].hypervisor =
            cycles_add(overshoot->of[at].hypervisor, spent);
}

void run_sample_count(struct machine *m, struct hv_lp *lp, struct hv_vp *vp,
                      enum cost_party party, cycles_t start, cycles_t spent)
{
    cycles_t within = spent;

    if (cycles_before(m->hv->count_until, cycles_add(start, spent)))
        within = cycles_before(start, m->hv->count_until)
                     ? cycles_sub(m->hv->count_until, start)
                     : cycles(0);
    if (within.v > 0)
        count(lp, vp, party, within);
    if (within.v < spent.v)
        put_aside(&m->overshoot[lp->id.v], vp, party,
                  cycles_sub(spent, within));
}

/* Counts idle time from `start` on, as far as the boundary. */
static void count_idle(struct machine *m, struct hv_lp *lp, cycles_t start,
                       cycles_t until)
{
    cycles_t within = cycles_min(until, cycles_max(start, m->hv->count_until));
    struct run_overshoot *overshoot = &m->overshoot[lp->id.v];

    pc_lp_add_time(&lp->counters, PC_LP_IDLE_TIME, cycles_sub(within, start));
    overshoot->idle = cycles_add(overshoot->idle, cycles_sub(until, within));
}

void run_sample_idle(struct machine *m, struct hv_lp *lp, cycles_t until)
{
    count_idle(m, lp, lp->now, until);
}

typedef void visit_fn(struct machine *m, struct hv_vp *vp, cycles_t now);

static void for_each_vp(struct machine *m, visit_fn *visit, cycles_t now)
{
    struct hypervisor *hv = m->hv;

    for (uint32_t p = 0; p < hv->partition_count; p++) {
        for (uint32_t i = 0; i < PARTITION_VP_COUNT_MAX; i++) {
            if (hv->partitions[p]->vps[i])
                visit(m, hv->partitions[p]->vps[i], now);
        }
    }
}

static void count_up_to(struct machine *m, struct hv_vp *vp, cycles_t now)
{
    (void)m;
    vp_count_up_to(vp, now);
}

static void take_up_vp(struct machine *m, struct hv_vp *vp, cycles_t now)
{
    vp_take_up(vp, cycles_sub(m->hv->count_until, now));
}

/* Brings what is counted at state changes up to the sample's time. */
static void bring_up_to_date(struct machine *m, cycles_t now)
{
    struct hypervisor *hv = m->hv;

    for (uint32_t i = 0; i < hv->lp_count; i++) {
        struct hv_lp *lp = &hv->lps[i];

        if (lp_order_contains(m->active, lp) || !cycles_before(lp->now, now))
            continue;
        run_sample_idle(m, lp, now);
        ledger_post_idle(m->ledger, lp->id, cycles_sub(now, lp->now));
        lp->now = now;
    }
    sched_count_lists(&hv->sched);
    for_each_vp(m, count_up_to, now);
}

/* What was put aside belongs to the interval that begins. */
static void take_up(struct machine *m, cycles_t now)
{
    for (uint32_t i = 0; i < m->hv->lp_count; i++) {
        struct run_overshoot over = m->overshoot[i];
        struct hv_lp *lp = &m->hv->lps[i];

        m->overshoot[i] = (struct run_overshoot){0};

        cycles_t at = cycles_add(now, over.idle);

        count_idle(m, lp, now, at);
        for (unsigned k = 0; k < 2; k++) {
            run_sample_count(m, lp, over.of[k].vp, COST_PARTY_GUEST, at,
                             over.of[k].guest);
            at = cycles_add(at, over.of[k].guest);
            run_sample_count(m, lp, over.of[k].vp, COST_PARTY_HYPERVISOR, at,
                             over.of[k].hypervisor);
            at = cycles_add(at, over.of[k].hypervisor);
        }
        run_sample_count(m, lp, NULL, COST_PARTY_HYPERVISOR, at,
                         over.switching);
    }
    for_each_vp(m, take_up_vp, now);
}

void run_sample_vp_gone(struct machine *m, struct hv_vp *vp)
{
    for (uint32_t i = 0; i < 2 * m->hv->lp_count; i++) {
        struct run_overshoot *over = &m->overshoot[i / 2];
        const struct hv_lp *lp = &m->hv->lps[i / 2];

        if (over->of[i % 2].vp != vp)
            continue;
        /* Its own cells are about to be read for the last time. */
        count_vp(lp, vp, COST_PARTY_GUEST, over->of[i % 2].guest);
        count_vp(lp, vp, COST_PARTY_HYPERVISOR, over->of[i % 2].hypervisor);
        over->of[i % 2].vp = NULL;
    }
    pc_report_retire_vp(m->report, &vp->counters);
}

static void record(struct machine *m, enum sim_status status,
                   const struct sim_error *error)
{
    if (status != SIM_OK)
        machine_note_failure(m, status, "%s", error->message);
}

static void put_sample(struct machine *m, cycles_t now)
{
    struct sim_error error;

    m->sampled_at = now;
    bring_up_to_date(m, now);

    const struct pc_sample *sample = pc_report_sample(m->report, now);

    if (!m->results)
        return;
    record(m, results_put_sample(m->results, sample, &error), &error);
    if (m->status == SIM_OK)
        record(m, results_commit(m->results, &error), &error);
}

/* The next sample, and the boundary for what is counted until then. */
static void schedule_sample(struct machine *m, cycles_t now)
{
    cycles_t due = cycles_add(
        now, clock_from_ns(m->clock, m->scenario->counters.interval_ns));

    event_schedule(m->events, &m->sample, due);
    m->hv->count_until = cycles_min(due, m->end.due);
}

static void sample(void *machine, cycles_t now)
{
    struct machine *m = machine;
    const struct machine_run_options *options = m->options;

    m->now = now;
    put_sample(m, now);
    schedule_sample(m, now);
    take_up(m, now);
    if (options->progress)
        options->progress(options->progress_context,
                          clock_to_ns(m->clock, now));
    /* Results that cannot be written end the run: there is no use in it. */
    if (m->status == SIM_IO_ERROR || m->status == SIM_NO_OUTPUT)
        m->ended = true;
}

bool run_sample_init(struct machine *m)
{
    m->overshoot = calloc(m->hv->lp_count, sizeof(*m->overshoot));
    m->report = pc_report_create(m->clock, PC_TOTAL_MEAN);
    m->waits = wait_book_create(m->clock);
    if (!m->overshoot || !m->report || !m->waits)
        return false;
    for (uint32_t i = 0; i < m->hv->lp_count; i++)
        pc_report_add_lp(m->report, m->hv->lps[i].id, &m->hv->lps[i].counters);
    return true;
}

void run_sample_start(struct machine *m)
{
    m->sample = (struct event){
        .kind = EVENT_SAMPLE, .name = "sample", .fire = sample, .context = m};
    schedule_sample(m, cycles(0));
}

static void check_books(struct machine *m)
{
    uint32_t count = m->hv->lp_count;
    cycles_t *elapsed = calloc(count, sizeof(*elapsed));
    struct sim_error error;

    CHECK(elapsed);
    for (uint32_t i = 0; i < count; i++)
        elapsed[i] = m->hv->lps[i].now;
    record(m, ledger_check(m->ledger, elapsed, count, &error), &error);
    record(m, pc_report_check(m->report, m->now, &error), &error);
    record(m, wait_book_check(m->waits, &error), &error);
    free(elapsed);
}

void run_sample_finish(struct machine *m)
{
    struct sim_error error;

    machine_vms_flush_consoles(m);
    /* The end of a run is the end of an interval, full or not. */
    if (cycles_before(m->sampled_at, m->now))
        put_sample(m, m->now);
    wait_book_close(m->waits, m->hv, m->now);
    check_books(m);
    if (!m->results || m->status == SIM_IO_ERROR || m->status == SIM_NO_OUTPUT)
        return;
    record(m,
           results_put_total(m->results, pc_report_total(m->report, m->now),
                             &error),
           &error);
    if (m->status != SIM_IO_ERROR)
        record(m, wait_book_put(m->waits, m->results, &error), &error);
}
