/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/results/feed.h"

#include "sim/core/check.h"
#include "sim/results/results_wait.h"

#define MS UINT64_C(1000000)
#define US UINT64_C(1000)

void feed_create(struct feed *feed, unsigned lp_count)
{
    CHECK(lp_count >= 3 && lp_count <= FEED_LPS_MAX);
    *feed = (struct feed){
        .clock = {.hz = UINT64_C(1000000000)},
        .lp_count = lp_count,
    };
    feed->report = pc_report_create(feed->clock, PC_TOTAL_MEAN);
    for (unsigned i = 0; i < lp_count; i++) {
        pc_report_add_lp(feed->report, (lp_id_t){i}, &feed->lps[i]);
        pc_lp_set(&feed->lps[i], PC_LP_FREQUENCY, 1000);
    }
    pc_report_add_root_vp(feed->report, (vp_index_t){0}, &feed->root);
    pc_report_add_vp(feed->report, "web", (vp_index_t){0}, &feed->web);
    pc_report_add_vp(feed->report, "tick", (vp_index_t){0}, &feed->tick);
}

void feed_free(struct feed *feed)
{
    pc_report_free(feed->report);
}

/** `vp` ran on `lp`; the rest of the interval it was halted and `lp` idle. */
static void ran(struct pc_lp *lp, struct pc_vp *vp, uint64_t guest_ns,
                uint64_t hypervisor_ns, uint64_t dispatches)
{
    uint64_t wait_ns = dispatches * 5 * US;
    uint64_t rest_ns = FEED_INTERVAL_NS - guest_ns - hypervisor_ns;

    pc_lp_add_time(lp, PC_LP_GUEST_TIME, cycles(guest_ns));
    pc_lp_add_time(lp, PC_LP_HYPERVISOR_TIME, cycles(hypervisor_ns));
    pc_lp_add_time(lp, PC_LP_IDLE_TIME, cycles(rest_ns));
    pc_lp_add(lp, PC_LP_CONTEXT_SWITCHES, dispatches);
    pc_vp_add_time(vp, PC_VP_GUEST_TIME, cycles(guest_ns));
    pc_vp_add_time(vp, PC_VP_HYPERVISOR_TIME, cycles(hypervisor_ns));
    pc_vp_add_time(vp, PC_VP_IDLE_TIME, cycles(rest_ns - wait_ns));
    pc_vp_add_time(vp, PC_VP_WAKE_UP_TIME, cycles(wait_ns));
    pc_vp_add(vp, PC_VP_DISPATCHES, dispatches);
    for (uint64_t i = 0; i < dispatches; i++)
        pc_vp_add_intercept(vp, PC_INTERCEPT_HLT, cycles(1500));
}

const struct pc_sample *feed_interval(struct feed *feed, bool web_is_busy)
{
    ran(&feed->lps[0], &feed->root, 1 * MS, 250 * US, 3);
    if (web_is_busy)
        ran(&feed->lps[1], &feed->web, 99 * MS, 500 * US, 1);
    else
        ran(&feed->lps[1], &feed->web, 0, 0, 0);
    ran(&feed->lps[2], &feed->tick, 100 * US, 20 * US, 10);
    for (unsigned i = 3; i < feed->lp_count; i++)
        pc_lp_add_time(&feed->lps[i], PC_LP_IDLE_TIME,
                       cycles(FEED_INTERVAL_NS));
    feed->now_ns += FEED_INTERVAL_NS;
    return pc_report_sample(feed->report, cycles(feed->now_ns));
}

struct results_run feed_run(const struct feed *feed)
{
    return (struct results_run){
        .name = "heavy-load",
        .scenario_yaml = "hvsim: 1\nname: heavy-load\n",
        .seed = 1,
        .version = "0.1.0",
        .engine_version = "2.1.1",
        .profile = "reference-2020",
        .clock = feed->clock,
    };
}

static enum sim_status put_intervals(struct feed *feed, struct results *results,
                                     unsigned intervals,
                                     struct sim_error *error)
{
    for (unsigned i = 0; i < intervals; i++) {
        struct trace_record record = {
            .time = cycles(feed->now_ns + 7),
            .lp = i % 2 == 0 ? 1 : TRACE_NO_LP,
            .vp = i % 2 == 0 ? 0 : TRACE_NO_VP,
            .partition = i % 2 == 0 ? 2 : 0,
            .kind = i % 2 == 0 ? TRACE_EXIT : TRACE_LP_IDLE,
            .detail = i % 2 == 0 ? UINT64_MAX : 0,
        };

        results_put_event(results, &record);
        if (results_put_sample(results, feed_interval(feed, i < intervals / 2),
                               error) != SIM_OK ||
            results_commit(results, error) != SIM_OK)
            return error->status;
    }
    return SIM_OK;
}

/* "web" has waited for the root twice and for nobody in particular; "tick"
 * waits still. */
static enum sim_status put_waits(struct results *results,
                                 struct sim_error *error)
{
    const struct results_wait waits[] = {
        {.vp = 1,
         .rule = "wake",
         .dispatches = 2,
         .wait_ns = 10 * US,
         .longest_ns = 5 * US},
        {.vp = 1,
         .rule = "slice",
         .dispatches = 3,
         .wait_ns = 80 * MS,
         .longest_ns = 50 * MS},
        {.vp = 2, .rule = "cap", .undispatched = 1, .undispatched_ns = 7 * MS},
    };
    const struct results_wait_holder holders[] = {
        {.vp = 1, .holder = 0, .dispatches = 3, .wait_ns = 79 * MS},
        {.vp = 1, .holder = RESULTS_NOBODY, .dispatches = 1, .wait_ns = MS},
    };
    const struct results_wait_bucket buckets[] = {
        {.vp = 1, .from_ns = 4 * US, .to_ns = 8 * US, .dispatches = 2},
        {.vp = 1,
         .from_ns = UINT64_C(8388608000),
         .to_ns = UINT64_MAX,
         .dispatches = 3},
    };
    const struct results_wait_case cases[] = {
        {.vp = 1,
         .rank = 1,
         .ready_ns = 3 * MS,
         .wait_ns = 50 * MS,
         .lp = 1,
         .rule = "slice",
         .holder = 0},
        {.vp = 2,
         .rank = 1,
         .ready_ns = 393 * MS,
         .wait_ns = 7 * MS,
         .lp = RESULTS_NOBODY,
         .rule = "cap",
         .holder = RESULTS_NOBODY},
    };
    const struct results_wait_part parts[] = {
        {.vp = 1, .rank = 1, .rule = "wake", .wait_ns = 5 * US},
        {.vp = 1, .rank = 1, .rule = "slice", .wait_ns = 50 * MS - 5 * US},
        {.vp = 2, .rank = 1, .rule = "cap", .wait_ns = 7 * MS},
    };
    enum sim_status status = results_put_wait_vp(results, 0, "Root", 0, error);

    if (status == SIM_OK)
        status = results_put_wait_vp(results, 1, "web", 0, error);
    if (status == SIM_OK)
        status = results_put_wait_vp(results, 2, "tick", 0, error);
    for (size_t i = 0; i < 3 && status == SIM_OK; i++)
        status = results_put_wait(results, &waits[i], error);
    for (size_t i = 0; i < 2 && status == SIM_OK; i++)
        status = results_put_wait_holder(results, &holders[i], error);
    for (size_t i = 0; i < 2 && status == SIM_OK; i++)
        status = results_put_wait_bucket(results, &buckets[i], error);
    for (size_t i = 0; i < 2 && status == SIM_OK; i++)
        status = results_put_wait_case(results, &cases[i], error);
    for (size_t i = 0; i < 3 && status == SIM_OK; i++)
        status = results_put_wait_part(results, &parts[i], error);
    return status;
}

static enum sim_status put_run(struct feed *feed, struct results *results,
                               unsigned intervals, struct sim_error *error)
{
    struct results_run run = feed_run(feed);

    if (results_put_run(results, &run, error) != SIM_OK ||
        put_intervals(feed, results, intervals, error) != SIM_OK ||
        results_put_result(results, "web", 0, "cpu_utilization", "99.98", "%",
                           error) != SIM_OK ||
        results_put_result(results, "web", 0, "iterations", "123456", "count",
                           error) != SIM_OK ||
        put_waits(results, error) != SIM_OK)
        return error->status;
    return results_put_total(
        results, pc_report_total(feed->report, cycles(feed->now_ns)), error);
}

enum sim_status feed_whole_run(const char *path, bool replace,
                               unsigned lp_count, unsigned intervals,
                               uint64_t host_ns, struct sim_error *error)
{
    struct results *results;
    struct feed feed;
    enum sim_status status;

    if (results_create(&results, path, replace, error) != SIM_OK)
        return error->status;
    feed_create(&feed, lp_count);
    status = put_run(&feed, results, intervals, error);
    if (status == SIM_OK)
        status = results_finish(results,
                                &(struct results_end){
                                    .sim_ns = feed.now_ns,
                                    .host_ns = host_ns,
                                    .trace_hash = UINT64_C(0xfeedfacecafe),
                                },
                                error);
    else
        results_abandon(results);
    feed_free(&feed);
    return status;
}
