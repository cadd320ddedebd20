/* SPDX-License-Identifier: GPL-2.0-or-later */
/** The root's threads and DPCs: what comes first, where, and whose turn. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "sim/core/rng.h"
#include "sim/machine/ledger.h"
#include "tests/partitions/root_host.h"

static struct script_config config;
static struct root_host host;

/* A machine of `root_vps` root VPs, on as many LPs. */
static void build(uint32_t root_vps)
{
    script_config_init(&config);
    config.lps = config.root_vps = root_vps;
    root_host_create(&host, &config);
}

static int destroy(void **state)
{
    (void)state;
    root_host_destroy(&host);
    return 0;
}

static unsigned interrupts(uint64_t vector)
{
    const struct results *results = &host.script.results;
    unsigned count = 0;

    for (size_t i = 0; i < results->event_count; i++)
        count += results->events[i].kind == TRACE_INTERRUPT &&
                 results->events[i].detail == vector;
    return count;
}

/* A job's second step asks for the job in its context. */
static void wake_in_second(struct root_job *job, struct hv_context *context,
                           unsigned step)
{
    if (step == 1)
        root_job_wake(job->context, context);
}

static void queue_in_second(struct root_job *job, struct hv_context *context,
                            unsigned step)
{
    if (step == 1)
        root_job_queue(job->context, context);
}

/* Microsoft: n root VPs over k nodes are n / k for each; what is over is ours
 * to place. */
static void root_vps_are_spread_over_the_nodes(void **state)
{
    static const struct {
        uint32_t nodes, lps, root_vps;
        int lp_of[10];
    } cases[] = {
        {1, 4, 4, {0, 1, 2, 3}},       {1, 4, 2, {0, 1}},
        {2, 4, 4, {0, 1, 4, 5}},       {2, 4, 8, {0, 1, 2, 3, 4, 5, 6, 7}},
        {2, 4, 3, {0, 1, 4}},          {2, 2, 1, {0}},
        {4, 2, 6, {0, 1, 2, 3, 4, 6}}, {3, 3, 3, {0, 3, 6}},
    };

    (void)state;
    for (size_t c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        uint32_t lps = cases[c].nodes * cases[c].lps;
        const struct hypervisor *hv;

        script_config_init(&config);
        config.nodes = cases[c].nodes;
        config.lps = cases[c].lps;
        config.root_vps = cases[c].root_vps;
        root_host_create(&host, &config);
        hv = host.machine->hv;
        for (uint32_t i = 0; i < cases[c].root_vps; i++) {
            const struct hv_vp *vp = hv->root->vps[i];

            assert_int_equal(lp_set_next(&vp->sched.allowed, 0),
                             cases[c].lp_of[i]);
            assert_int_equal(lp_set_count(&vp->sched.allowed), 1);
            assert_int_equal(vp->node, vp->sched.ideal_lp / cases[c].lps);
        }
        assert_int_equal(hv->lp_count, lps);
        root_host_destroy(&host);
    }
}

static void a_dpc_interrupts_a_thread_between_two_steps(void **state)
{
    struct root_job dpc = root_job('d', 2, COST_VDEV_ACCESS, NULL, NULL);
    struct root_job thread =
        root_job('t', 4, COST_VDEV_ACCESS, queue_in_second, &dpc);

    (void)state;
    build(1);
    root_host_add(&host, &dpc);
    root_host_add(&host, &thread);
    root_host_wake(&host, &thread);
    root_host_run(&host);
    assert_string_equal(host.log, "ttddtt");
}

static void queue_two_in_first(struct root_job *job, struct hv_context *context,
                               unsigned step)
{
    struct root_job *dpcs = job->context;

    if (step == 0) {
        root_job_queue(&dpcs[0], context);
        root_job_queue(&dpcs[1], context);
    }
}

static void dpcs_run_one_after_another_before_a_ready_thread(void **state)
{
    struct root_job dpcs[] = {root_job('d', 2, COST_VDEV_ACCESS, NULL, NULL),
                              root_job('e', 2, COST_VDEV_ACCESS, NULL, NULL)};
    struct root_job other = root_job('o', 1, COST_VDEV_ACCESS, NULL, NULL);
    struct root_job thread =
        root_job('t', 1, COST_VDEV_ACCESS, queue_two_in_first, dpcs);

    (void)state;
    build(1);
    root_host_add(&host, &dpcs[0]);
    root_host_add(&host, &dpcs[1]);
    root_host_add(&host, &other);
    root_host_add(&host, &thread);
    root_host_wake(&host, &thread);
    root_host_wake(&host, &other);
    root_host_run(&host);
    assert_string_equal(host.log, "tddeeo");
}

/* Asks for itself twice, but in its first run only. */
static void ask_again(struct root_job *job, struct hv_context *context,
                      unsigned step)
{
    (void)step;
    if (job->runs > 0)
        return;
    root_job_wake(job, context);
    root_job_wake(job, context);
}

static void a_thread_woken_in_its_work_runs_once_more(void **state)
{
    struct root_job thread =
        root_job('t', 1, COST_VDEV_ACCESS, ask_again, NULL);

    (void)state;
    build(2);
    root_host_add(&host, &thread);
    root_host_wake(&host, &thread);
    root_host_run(&host);
    assert_string_equal(host.log, "tt");
}

static void a_thread_woken_before_it_has_begun_runs_once(void **state)
{
    struct root_job thread = root_job('t', 2, COST_VDEV_ACCESS, NULL, NULL);

    (void)state;
    build(2);
    root_host_add(&host, &thread);
    root_host_wake(&host, &thread);
    root_host_wake(&host, &thread);
    root_host_run(&host);
    assert_string_equal(host.log, "tt");
    assert_int_equal(thread.runs, 1);
}

static void queue_itself_once(struct root_job *job, struct hv_context *context,
                              unsigned step)
{
    (void)step;
    if (job->runs == 0)
        root_job_queue(job, context);
}

static void a_dpc_queued_in_its_work_comes_again_before_threads(void **state)
{
    struct root_job dpc =
        root_job('d', 1, COST_VDEV_ACCESS, queue_itself_once, NULL);
    struct root_job thread =
        root_job('t', 3, COST_VDEV_ACCESS, queue_in_second, &dpc);

    (void)state;
    build(1);
    root_host_add(&host, &dpc);
    root_host_add(&host, &thread);
    root_host_wake(&host, &thread);
    root_host_run(&host);
    assert_string_equal(host.log, "ttddt");
}

/* The longest and the number of runs of one letter. */
static unsigned longest_run(const char *log, unsigned *turns)
{
    unsigned longest = 0;

    *turns = 0;
    while (*log) {
        char letter[] = {*log, '\0'};
        unsigned length = (unsigned)strspn(log, letter);

        longest = length > longest ? length : longest;
        log += length;
        ++*turns;
    }
    return longest;
}

/* Steps of a millisecond. */
static void threads_take_turns_when_their_quantum_is_over(void **state)
{
    struct root_job jobs[] = {
        root_job('a', 100, COST_VMMS_OPERATION, NULL, NULL),
        root_job('b', 100, COST_VMMS_OPERATION, NULL, NULL),
        root_job('c', 10, COST_VMMS_OPERATION, NULL, NULL)};
    unsigned turns;

    (void)state;
    script_config_init(&config);
    config.lps = config.root_vps = 1;
    config.duration_ns = 300000000;
    root_host_create(&host, &config);
    for (size_t i = 0; i < 3; i++) {
        root_host_add(&host, &jobs[i]);
        root_host_wake(&host, &jobs[i]);
    }
    root_host_run(&host);
    assert_int_equal(strlen(host.log), 210);
    assert_int_equal(longest_run(host.log, &turns), 32);
    /* abcababa, the last two of 4 steps each */
    assert_int_equal(turns, 9);
}

static void a_lone_thread_keeps_its_root_vp(void **state)
{
    struct root_job thread =
        root_job('t', 100, COST_VMMS_OPERATION, NULL, NULL);

    (void)state;
    script_config_init(&config);
    config.lps = config.root_vps = 1;
    config.duration_ns = 300000000;
    root_host_create(&host, &config);
    root_host_add(&host, &thread);
    root_host_wake(&host, &thread);
    root_host_run(&host);
    assert_int_equal(thread.runs, 1);
    assert_int_equal(ledger_kind(host.machine->ledger, COST_ROOT_THREAD_SWITCH),
                     1);
}

static void a_thread_woken_by_a_busy_root_vp_goes_to_an_idle_one(void **state)
{
    struct root_job other = root_job('o', 2, COST_VDEV_ACCESS, NULL, NULL);
    struct root_job thread =
        root_job('t', 100, COST_VDEV_ACCESS, wake_in_second, &other);

    (void)state;
    build(3);
    root_host_add(&host, &other);
    root_host_add(&host, &thread);
    root_host_wake(&host, &thread);
    root_host_run(&host);
    assert_int_equal(thread.last_vp, 0);
    assert_int_equal(other.last_vp, 1);
    assert_true(other.last_ns < thread.last_ns);
    assert_int_equal(interrupts(ROOT_VECTOR_RESCHEDULE), 2);
}

static void wake_in_last(struct root_job *job, struct hv_context *context,
                         unsigned step)
{
    if (step + 1 == job->steps)
        root_job_wake(job->context, context);
}

/* As VID's DPC does for the worker's thread: no interrupt between the two. */
static void a_thread_woken_by_a_dpc_runs_on_the_same_root_vp(void **state)
{
    struct root_job thread = root_job('t', 2, COST_VDEV_ACCESS, NULL, NULL);
    struct root_job dpc =
        root_job('d', 2, COST_VDEV_ACCESS, wake_in_last, &thread);
    struct root_job first =
        root_job('f', 2, COST_VDEV_ACCESS, queue_in_second, &dpc);

    (void)state;
    build(3);
    root_host_add(&host, &thread);
    root_host_add(&host, &dpc);
    root_host_add(&host, &first);
    root_host_wake(&host, &first);
    root_host_run(&host);
    assert_string_equal(host.log, "ffddtt");
    assert_int_equal(thread.last_vp, 0);
    assert_int_equal(interrupts(ROOT_VECTOR_RESCHEDULE), 1);
}

/* But not if that root VP has a thread already, which the DPC has stopped. */
static void a_dpc_that_stopped_a_thread_leaves_its_own_to_others(void **state)
{
    struct root_job thread = root_job('t', 2, COST_VDEV_ACCESS, NULL, NULL);
    struct root_job dpc =
        root_job('d', 2, COST_VDEV_ACCESS, wake_in_last, &thread);
    struct root_job first =
        root_job('f', 100, COST_VDEV_ACCESS, queue_in_second, &dpc);

    (void)state;
    build(2);
    root_host_add(&host, &thread);
    root_host_add(&host, &dpc);
    root_host_add(&host, &first);
    root_host_wake(&host, &first);
    root_host_run(&host);
    assert_int_equal(thread.last_vp, 1);
    assert_int_equal(first.runs, 1);
    assert_true(thread.last_ns < first.last_ns);
}

/* With no idle root VP, its turn comes before that of the one it stopped, and
 * of the one that has waited for longer. */
static void a_thread_woken_by_a_dpc_comes_before_others(void **state)
{
    struct root_job boosted = root_job('b', 2, COST_VDEV_ACCESS, NULL, NULL);
    struct root_job dpc =
        root_job('d', 2, COST_VDEV_ACCESS, wake_in_last, &boosted);
    struct root_job other = root_job('o', 2, COST_VDEV_ACCESS, NULL, NULL);
    struct root_job first =
        root_job('f', 4, COST_VDEV_ACCESS, queue_in_second, &dpc);

    (void)state;
    build(1);
    root_host_add(&host, &boosted);
    root_host_add(&host, &dpc);
    root_host_add(&host, &other);
    root_host_add(&host, &first);
    root_host_wake(&host, &first);
    root_host_wake(&host, &other);
    root_host_run(&host);
    assert_string_equal(host.log, "ffddbbooff");
}

/* Which lasts for a quantum. */
static void a_boost_does_not_starve_others(void **state)
{
    struct root_job boosted =
        root_job('b', 70, COST_VMMS_OPERATION, NULL, NULL);
    struct root_job dpc =
        root_job('d', 1, COST_VDEV_ACCESS, wake_in_last, &boosted);
    struct root_job first =
        root_job('f', 3, COST_VMMS_OPERATION, queue_in_second, &dpc);
    unsigned turns;

    (void)state;
    script_config_init(&config);
    config.lps = config.root_vps = 1;
    config.duration_ns = 200000000;
    root_host_create(&host, &config);
    root_host_add(&host, &boosted);
    root_host_add(&host, &dpc);
    root_host_add(&host, &first);
    root_host_wake(&host, &first);
    root_host_run(&host);
    assert_int_equal(strlen(host.log), 74);
    assert_memory_equal(host.log, "ffdbb", 5);
    assert_string_equal(strrchr(host.log, 'f'), host.log + 3 + 32);
    assert_int_equal(longest_run(host.log, &turns), 38);
}

static void queue_in_first(struct root_job *job, struct hv_context *context,
                           unsigned step)
{
    if (step == 0)
        root_job_queue(job->context, context);
}

/* Two threads whose DPCs wake each other always have a boost. */
static void who_has_been_ready_for_seconds_gets_a_turn(void **state)
{
    struct root_job one =
        root_job('1', 2, COST_VMMS_OPERATION, queue_in_first, NULL);
    struct root_job two =
        root_job('2', 2, COST_VMMS_OPERATION, queue_in_first, NULL);
    struct root_job wakes_one =
        root_job('a', 1, COST_VDEV_ACCESS, wake_in_last, &one);
    struct root_job wakes_two =
        root_job('b', 1, COST_VDEV_ACCESS, wake_in_last, &two);
    struct root_job first =
        root_job('f', 1, COST_VDEV_ACCESS, queue_in_first, &wakes_one);
    struct root_job starved = root_job('s', 5, COST_VMMS_OPERATION, NULL, NULL);

    (void)state;
    one.context = &wakes_two;
    two.context = &wakes_one;
    script_config_init(&config);
    config.lps = config.root_vps = 1;
    config.duration_ns = ROOT_STARVED_NS + 100000000;
    root_host_create(&host, &config);
    root_host_add(&host, &one);
    root_host_add(&host, &two);
    root_host_add(&host, &wakes_one);
    root_host_add(&host, &wakes_two);
    root_host_add(&host, &first);
    root_host_add(&host, &starved);
    root_host_wake(&host, &first);
    root_host_wake(&host, &starved);
    root_host_run(&host);
    assert_int_equal(starved.runs, 1);
    assert_in_range(starved.first_ns, ROOT_STARVED_NS,
                    ROOT_STARVED_NS + 10000000);
    assert_non_null(strstr(host.log, "sssss"));
}

static void when_all_are_busy_the_first_to_be_done_takes_a_thread(void **state)
{
    struct root_job third = root_job('c', 1, COST_VDEV_ACCESS, NULL, NULL);
    struct root_job brief =
        root_job('b', 10, COST_VDEV_ACCESS, wake_in_second, &third);
    struct root_job tall =
        root_job('a', 100, COST_VDEV_ACCESS, wake_in_second, &brief);

    (void)state;
    build(2);
    root_host_add(&host, &third);
    root_host_add(&host, &brief);
    root_host_add(&host, &tall);
    root_host_wake(&host, &tall);
    root_host_run(&host);
    assert_int_equal(brief.last_vp, 1);
    assert_int_equal(third.last_vp, 1);
    assert_true(third.last_ns > brief.last_ns);
    assert_true(third.last_ns < tall.last_ns);
    assert_int_equal(interrupts(ROOT_VECTOR_RESCHEDULE), 2);
}

#define CROWD 12

/* Jobs that ask for each other at random, a limited number of times. */
struct crowd {
    struct rng rng;
    struct root_job jobs[CROWD];
    unsigned asks_left, sequence;
    unsigned asked[CROWD], begun[CROWD]; /* in sequence; the last time */
    int at[CROWD];                       /* the root VP under way; -1: none */
};

static bool crowd_is_dpc(size_t which)
{
    return which < CROWD / 3;
}

static void crowd_ask(struct crowd *crowd, struct hv_context *context,
                      size_t which)
{
    crowd->asked[which] = ++crowd->sequence;
    if (crowd_is_dpc(which))
        root_job_queue(&crowd->jobs[which], context);
    else
        root_job_wake(&crowd->jobs[which], context);
}

static void crowd_step(struct root_job *job, struct hv_context *context,
                       unsigned step)
{
    struct crowd *crowd = job->context;
    size_t which = (size_t)(job - crowd->jobs);

    if (step == 0) {
        assert_int_equal(crowd->at[which], -1);
        crowd->begun[which] = ++crowd->sequence;
    }
    crowd->at[which] = step + 1 < job->steps ? (int)context->vp->index.v : -1;
    /* A DPC stays where it is; a thread may move between two steps. */
    if (crowd_is_dpc(which) && step > 0)
        assert_int_equal(job->last_vp, context->vp->index.v);
    if (crowd->asks_left > 0 && rng_below(&crowd->rng, 4) > 0) {
        crowd->asks_left--;
        crowd_ask(crowd, context, rng_below(&crowd->rng, CROWD));
    }
}

/* Each asking is answered by a run that begins after it, and no job runs twice
 * at once. */
static void no_asking_is_lost_and_no_work_runs_twice_at_once(void **state)
{
    static const enum cost_kind prices[] = {
        COST_VDEV_ACCESS, COST_VMWP_DISPATCH, COST_VMMS_OPERATION};

    unsigned asked = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 60; seed++) {
        static struct crowd crowd;

        crowd = (struct crowd){.rng = rng_from_seed(seed), .asks_left = 400};
        script_config_init(&config);
        config.lps = 4;
        config.root_vps = (uint32_t)(1 + rng_below(&crowd.rng, 4));
        config.duration_ns = 10000000000;
        config.interval_ns = 1000000000;
        root_host_create(&host, &config);
        for (size_t i = 0; i < CROWD; i++) {
            crowd.jobs[i] = root_job(
                (char)('a' + i), (unsigned)(1 + rng_below(&crowd.rng, 5)),
                prices[rng_below(&crowd.rng, 3)], crowd_step, &crowd);
            crowd.at[i] = -1;
            root_host_add(&host, &crowd.jobs[i]);
        }
        for (size_t i = 0; i < CROWD; i++) {
            if (crowd_is_dpc(i))
                continue;
            crowd.asked[i] = ++crowd.sequence;
            root_host_wake(&host, &crowd.jobs[i]);
        }
        root_host_run(&host);
        for (size_t i = 0; i < CROWD; i++) {
            assert_true(crowd.begun[i] >= crowd.asked[i]);
            assert_int_equal(crowd.at[i], -1);
        }
        asked += 400 - crowd.asks_left;
        if (seed < 60)
            root_host_destroy(&host);
    }
    assert_true(asked > 60 * 200);
}

/* More messages than SINT 0 has slots for, from all LPs to one root VP. */
static void messages_of_many_vps_are_all_served(void **state)
{
    enum { BYTES = 15 };

    (void)state;
    script_config_init(&config);
    config.lps = 8;
    config.root_vps = 1;
    config.duration_ns = 200000000;
    config.vm_count = SCRIPT_VMS_MAX;
    for (uint32_t i = 0; i < config.vm_count; i++) {
        struct script_vm *vm = &config.vms[i];

        vm->vps = SCRIPT_VPS_MAX;
        for (uint32_t vp = 0; vp < vm->vps; vp++) {
            vm->script[vp].count = 0;
            script_begin(&vm->script[vp], vp, vm->vps);
            for (unsigned n = 0; n < BYTES; n++)
                script_print(&vm->script[vp], "\n");
            script_sleep(&vm->script[vp]);
        }
    }
    root_host_create(&host, &config);
    root_host_run(&host);
    assert_int_equal(host.script.results.console_lines,
                     SCRIPT_VMS_MAX * SCRIPT_VPS_MAX * BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(root_vps_are_spread_over_the_nodes),
        cmocka_unit_test_teardown(a_dpc_interrupts_a_thread_between_two_steps,
                                  destroy),
        cmocka_unit_test_teardown(
            dpcs_run_one_after_another_before_a_ready_thread, destroy),
        cmocka_unit_test_teardown(a_thread_woken_in_its_work_runs_once_more,
                                  destroy),
        cmocka_unit_test_teardown(a_thread_woken_before_it_has_begun_runs_once,
                                  destroy),
        cmocka_unit_test_teardown(
            a_dpc_queued_in_its_work_comes_again_before_threads, destroy),
        cmocka_unit_test_teardown(threads_take_turns_when_their_quantum_is_over,
                                  destroy),
        cmocka_unit_test_teardown(a_lone_thread_keeps_its_root_vp, destroy),
        cmocka_unit_test_teardown(
            a_thread_woken_by_a_busy_root_vp_goes_to_an_idle_one, destroy),
        cmocka_unit_test_teardown(
            a_thread_woken_by_a_dpc_runs_on_the_same_root_vp, destroy),
        cmocka_unit_test_teardown(
            a_dpc_that_stopped_a_thread_leaves_its_own_to_others, destroy),
        cmocka_unit_test_teardown(a_thread_woken_by_a_dpc_comes_before_others,
                                  destroy),
        cmocka_unit_test_teardown(a_boost_does_not_starve_others, destroy),
        cmocka_unit_test_teardown(who_has_been_ready_for_seconds_gets_a_turn,
                                  destroy),
        cmocka_unit_test_teardown(
            when_all_are_busy_the_first_to_be_done_takes_a_thread, destroy),
        cmocka_unit_test_teardown(
            no_asking_is_lost_and_no_work_runs_twice_at_once, destroy),
        cmocka_unit_test_teardown(messages_of_many_vps_are_all_served, destroy),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
