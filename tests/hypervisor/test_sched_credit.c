/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hypervisor/cpu_group.h"
#include "tests/hypervisor/sched_host.h"

static const struct sched_plan always_busy = {0};

static void create(struct sched_host *host, uint32_t lps)
{
    struct sched_host_config config = {
        .policy = "credit", .lps_per_node = lps, .switch_cost = sched_us(2)};

    sched_host_create(host, &config);
}

static void an_lp_is_shared_by_weight(void **state)
{
    static const unsigned weights[] = {100, 200, 700};
    struct sched_host host;
    struct sched_task *vms[3];

    (void)state;
    create(&host, 1);
    for (unsigned i = 0; i < 3; i++)
        vms[i] = sched_host_vm(&host, weights[i], always_busy);
    sched_host_run_until(&host, sched_ms(1000));
    for (unsigned i = 0; i < 3; i++)
        assert_in_range(sched_host_share(vms[i], sched_ms(1000)),
                        weights[i] * 10 - 100, weights[i] * 10 + 100);
    sched_host_destroy(&host);
}

/* The bound that the policy states, at all times. */
static void shares_stay_within_two_periods_for_each_vp(void **state)
{
    static const unsigned weights[] = {100, 300, 150, 250, 400};
    struct sched_host host;
    struct sched_task *vms[5];

    (void)state;
    create(&host, 2);
    for (unsigned i = 0; i < 5; i++)
        vms[i] = sched_host_vm(&host, weights[i], always_busy);
    for (uint64_t ms = 10; ms < 3000; ms += 10) {
        uint64_t all = 0;

        sched_host_run_until(&host, sched_ms(ms));
        for (unsigned i = 0; i < 5; i++)
            all += vms[i]->ran.v;
        for (unsigned i = 0; i < 5; i++) {
            uint64_t due = all * weights[i] / 1200;

            assert_in_range(vms[i]->ran.v + sched_ms(60).v, due,
                            due + 2 * sched_ms(60).v);
        }
    }
    sched_host_destroy(&host);
}

static void a_share_beyond_an_lp_is_the_others(void **state)
{
    struct sched_host host;
    struct sched_task *heavy, *light[3];

    (void)state;
    create(&host, 2);
    heavy = sched_host_vm(&host, 10000, always_busy);
    light[0] = sched_host_vm(&host, 100, always_busy);
    light[1] = sched_host_vm(&host, 300, always_busy);
    light[2] = sched_host_vm(&host, 600, always_busy);
    sched_host_run_until(&host, sched_ms(2000));
    assert_in_range(sched_host_share(heavy, sched_ms(2000)), 9850, 10000);
    assert_in_range(sched_host_share(light[0], sched_ms(2000)), 850, 1150);
    assert_in_range(sched_host_share(light[1], sched_ms(2000)), 2850, 3150);
    assert_in_range(sched_host_share(light[2], sched_ms(2000)), 5850, 6150);
    sched_host_destroy(&host);
}

static void a_weight_is_the_vms_and_not_each_vps(void **state)
{
    struct sched_host host;
    struct hv_partition *wide;
    struct sched_task *alone, *one_of[3];

    (void)state;
    create(&host, 1);
    wide = sched_host_partition(&host, 100);
    for (unsigned i = 0; i < 3; i++)
        one_of[i] = sched_host_vp(&host, wide, always_busy);
    alone = sched_host_vm(&host, 100, always_busy);
    sched_host_run_until(&host, sched_ms(3000));
    assert_in_range(sched_host_share(alone, sched_ms(3000)), 4900, 5100);
    for (unsigned i = 0; i < 3; i++)
        assert_in_range(sched_host_share(one_of[i], sched_ms(3000)), 1600,
                        1734);
    sched_host_destroy(&host);
}

static void a_vm_that_hardly_runs_does_not_bend_the_others_shares(void **state)
{
    struct sched_plan ticks = {.busy = sched_us(20), .sleep = sched_ms(4)};
    struct sched_host host;
    struct sched_task *light, *heavy;

    (void)state;
    create(&host, 1);
    light = sched_host_vm(&host, 100, always_busy);
    heavy = sched_host_vm(&host, 200, always_busy);
    sched_host_vm(&host, 1000, ticks);
    sched_host_run_until(&host, sched_ms(3000));
    assert_in_range(heavy->ran.v, light->ran.v * 195 / 100,
                    light->ran.v * 205 / 100);
    sched_host_destroy(&host);
}

static void a_vp_that_wakes_is_boosted(void **state)
{
    struct sched_plan ticks = {.busy = sched_us(20), .sleep = sched_ms(4)};
    struct sched_host host;
    struct sched_task *ticker;

    (void)state;
    create(&host, 1);
    sched_host_vm(&host, 100, always_busy);
    sched_host_vm(&host, 100, always_busy);
    ticker = sched_host_vm(&host, 100, ticks);
    sched_host_run_until(&host, sched_ms(100));
    sched_host_forget(&host);
    sched_host_run_until(&host, sched_ms(1000));
    /* What runs may finish its first millisecond. */
    assert_in_range(ticker->longest_wait.v, 1, sched_us(1020).v);
    assert_in_range(ticker->dispatches, 175, 225);
    assert_int_equal(ticker->waited_by_rule[SCHED_RULE_AFFINITY].v, 0);
    sched_host_destroy(&host);
}

/* It takes part in turns, but is put behind those that have credits. */
static void a_vp_without_credits_is_not_boosted(void **state)
{
    struct sched_plan greedy = {.busy = sched_us(9500), .sleep = sched_us(10)};
    struct sched_host host;
    struct sched_task *vm;

    (void)state;
    create(&host, 1);
    sched_host_vm(&host, 300, always_busy);
    vm = sched_host_vm(&host, 100, greedy);
    sched_host_run_until(&host, sched_ms(2000));
    assert_in_range(sched_host_share(vm, sched_ms(2000)), 2350, 2650);
    sched_host_destroy(&host);
}

static void work_is_taken_from_other_lps(void **state)
{
    struct sched_host host;
    struct sched_task *vms[6];
    uint64_t least = UINT64_MAX, most = 0;

    (void)state;
    create(&host, 4);
    for (unsigned i = 0; i < 6; i++)
        vms[i] = sched_host_vm(&host, 100, always_busy);
    sched_host_run_until(&host, sched_ms(3000));
    for (unsigned i = 0; i < 6; i++) {
        least = vms[i]->ran.v < least ? vms[i]->ran.v : least;
        most = vms[i]->ran.v > most ? vms[i]->ran.v : most;
    }
    /* Two thirds of an LP each. */
    assert_in_range(least, sched_ms(1940).v, sched_ms(2000).v);
    assert_in_range(most, sched_ms(1980).v, sched_ms(2060).v);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(host.idle[i].v, 0);
    sched_host_destroy(&host);
}

static void the_lightest_is_not_starved(void **state)
{
    struct sched_host host;
    struct sched_task *lightest;

    (void)state;
    create(&host, 1);
    lightest = sched_host_vm(&host, 1, always_busy);
    sched_host_vm(&host, 99, always_busy);
    sched_host_run_until(&host, sched_ms(20000));
    assert_in_range(sched_host_share(lightest, sched_ms(20000)), 80, 120);
    /* Two periods' credits, at a hundredth of an LP, and the other's slice. */
    assert_in_range(lightest->longest_wait.v, 0, sched_ms(6010).v);
    sched_host_destroy(&host);
}

/* An accounting period is longer then, and their shares are the same. */
static void very_many_vps_have_their_shares(void **state)
{
    struct sched_host host;
    struct sched_task *vms[200];

    (void)state;
    create(&host, 2);
    for (unsigned i = 0; i < 200; i++)
        vms[i] = sched_host_vm(&host, i % 2 ? 300 : 100, always_busy);
    sched_host_run_until(&host, sched_ms(20000));
    for (unsigned i = 0; i < 200; i++)
        assert_in_range(sched_host_share(vms[i], sched_ms(20000)),
                        i % 2 ? 140 : 45, i % 2 ? 155 : 55);
    sched_host_destroy(&host);
}

static void a_pinned_vp_says_that_it_waits_for_its_affinity(void **state)
{
    struct sched_host host;
    struct sched_task *here, *pinned;
    struct hv_context context;
    struct lp_set first = {0};

    (void)state;
    create(&host, 2);
    context = sched_host_context(&host);
    lp_set_add(&first, 0);
    here = sched_host_vm(&host, 100, always_busy);
    pinned = sched_host_vm(&host, 100, always_busy);
    assert_int_equal(
        partition_set_affinity(&context, here->vp->partition, &first),
        HV_STATUS_SUCCESS);
    assert_int_equal(
        partition_set_affinity(&context, pinned->vp->partition, &first),
        HV_STATUS_SUCCESS);
    sched_host_run_until(&host, sched_ms(1000));
    assert_in_range(sched_host_share(here, sched_ms(1000)), 4900, 5100);
    assert_in_range(pinned->waited_by_rule[SCHED_RULE_AFFINITY].v,
                    sched_ms(470).v, sched_ms(530).v);
    assert_int_equal(pinned->waited_by_rule[SCHED_RULE_SLICE].v, 0);

    /* A third one comes for the other LP, and nobody idles any more. */
    sched_host_vm(&host, 100, always_busy);
    sched_host_run_until(&host, sched_ms(1100));
    sched_host_forget(&host);
    sched_host_run_until(&host, sched_ms(2000));
    assert_int_equal(pinned->waited_by_rule[SCHED_RULE_AFFINITY].v, 0);
    assert_in_range(pinned->waited_by_rule[SCHED_RULE_SLICE].v, sched_ms(400).v,
                    sched_ms(500).v);
    sched_host_destroy(&host);
}

static void a_limit_is_kept_and_its_rest_reaches_the_others(void **state)
{
    struct sched_host host;
    struct sched_task *limited, *other;
    struct hv_context context;

    (void)state;
    create(&host, 1);
    context = sched_host_context(&host);
    limited = sched_host_vm(&host, 300, always_busy);
    other = sched_host_vm(&host, 100, always_busy);
    assert_int_equal(
        partition_set_cap(&context, limited->vp->partition, 0x4000),
        HV_STATUS_SUCCESS);
    sched_host_run_until(&host, sched_ms(2000));
    /* It may wait for another's slice until its period is over. */
    assert_in_range(sched_host_share(limited, sched_ms(2000)), 2000, 2500);
    assert_in_range(sched_host_share(other, sched_ms(2000)), 7400, 8000);
    sched_host_destroy(&host);
}

static void a_reserve_is_refused(void **state)
{
    struct sched_host host;
    struct sched_task *vm;
    struct hv_context context;

    (void)state;
    create(&host, 1);
    context = sched_host_context(&host);
    vm = sched_host_vm(&host, 100, always_busy);
    assert_int_equal(partition_set_reserve(&context, vm->vp->partition, 0x4000),
                     HV_STATUS_OPERATION_DENIED);
    sched_host_destroy(&host);
}

/* Whatever they do, and while one goes: nobody idles beside a VP that waits,
 * and nobody is lost. */
static void no_lp_idles_beside_a_vp_that_waits(void **state)
{
    struct sched_host host;
    struct sched_task *tasks[24];
    uint64_t ran = 0, idle = 0, dispatches = 0;

    (void)state;
    create(&host, 4);
    for (unsigned i = 0; i < 24; i++) {
        struct sched_plan plan = {.busy = sched_us(100 + 300 * i),
                                  .sleep = sched_us(20 + 900 * (i % 5)),
                                  .random = true};

        tasks[i] = sched_host_vm(&host, 100 + 50 * i, plan);
    }
    sched_host_run_until(&host, sched_ms(500));
    sched_host_remove_vp(tasks[7]);
    sched_host_run_until(&host, sched_ms(2000));
    for (unsigned i = 0; i < 24; i++) {
        assert_true(tasks[i]->dispatches > 10);
        ran += tasks[i]->ran.v;
        dispatches += tasks[i]->dispatches;
    }
    for (unsigned i = 0; i < 4; i++)
        idle += host.idle[i].v;
    /* All that is not work or idleness is switching. */
    assert_in_range(ran + idle + dispatches * sched_us(2).v,
                    sched_ms(8000).v - sched_ms(1).v,
                    sched_ms(8000).v + sched_ms(1).v);
    assert_in_range(idle, 0, sched_ms(80).v);
    sched_host_destroy(&host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_lp_is_shared_by_weight),
        cmocka_unit_test(shares_stay_within_two_periods_for_each_vp),
        cmocka_unit_test(a_share_beyond_an_lp_is_the_others),
        cmocka_unit_test(a_weight_is_the_vms_and_not_each_vps),
        cmocka_unit_test(a_vm_that_hardly_runs_does_not_bend_the_others_shares),
        cmocka_unit_test(a_vp_that_wakes_is_boosted),
        cmocka_unit_test(a_vp_without_credits_is_not_boosted),
        cmocka_unit_test(work_is_taken_from_other_lps),
        cmocka_unit_test(the_lightest_is_not_starved),
        cmocka_unit_test(very_many_vps_have_their_shares),
        cmocka_unit_test(a_pinned_vp_says_that_it_waits_for_its_affinity),
        cmocka_unit_test(a_limit_is_kept_and_its_rest_reaches_the_others),
        cmocka_unit_test(a_reserve_is_refused),
        cmocka_unit_test(no_lp_idles_beside_a_vp_that_waits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
