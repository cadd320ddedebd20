/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/hypervisor/sched_host.h"

static const struct sched_plan always_busy = {0};

static void create(struct sched_host *host, uint32_t lps)
{
    struct sched_host_config config = {
        .policy = "edf", .lps_per_node = lps, .switch_cost = sched_us(2)};

    sched_host_create(host, &config);
}

static void reserve(struct sched_host *host, const struct sched_task *task,
                    uint64_t reserve)
{
    struct hv_context context = sched_host_context(host);

    assert_int_equal(
        partition_set_reserve(&context, task->vp->partition, reserve),
        HV_STATUS_SUCCESS);
}

static void a_reserve_is_had_against_any_others(void **state)
{
    struct sched_host host;
    struct sched_task *reserved, *others[4];

    (void)state;
    create(&host, 1);
    for (unsigned i = 0; i < 4; i++)
        others[i] = sched_host_vm(&host, 10000, always_busy);
    reserved = sched_host_vm(&host, 100, always_busy);
    reserve(&host, reserved, 0xc000);
    sched_host_run_until(&host, sched_ms(1000));
    assert_in_range(sched_host_share(reserved, sched_ms(1000)), 7400, 7600);
    for (unsigned i = 0; i < 4; i++)
        assert_in_range(sched_host_share(others[i], sched_ms(1000)), 530, 700);
    sched_host_destroy(&host);
}

static void an_idle_reserve_is_lent_out(void **state)
{
    struct sched_plan short_work = {.busy = sched_us(500),
                                    .sleep = sched_us(4500)};
    struct sched_host host;
    struct sched_task *reserved, *other;

    (void)state;
    create(&host, 1);
    other = sched_host_vm(&host, 100, always_busy);
    reserved = sched_host_vm(&host, 100, short_work);
    reserve(&host, reserved, 0xc000);
    sched_host_run_until(&host, sched_ms(1000));
    assert_in_range(sched_host_share(reserved, sched_ms(1000)), 980, 1000);
    assert_in_range(sched_host_share(other, sched_ms(1000)), 8900, 9020);
    /* It runs at once when it wakes. */
    assert_in_range(reserved->longest_wait.v, 0, sched_us(20).v);
    sched_host_destroy(&host);
}

/* Deadlines at different times; those with less time to go come first. */
static void each_has_its_reserve_of_each_of_its_periods(void **state)
{
    static const uint64_t reserves[] = {0x4000, 0x5000, 0x6000};
    struct sched_host host;
    struct sched_task *vms[3];
    uint64_t before[3] = {0};

    (void)state;
    create(&host, 1);
    sched_host_vm(&host, 10000, always_busy);
    for (unsigned i = 0; i < 3; i++) {
        struct sched_plan plan = {.start = sched_us(3000 * i)};

        vms[i] = sched_host_vm(&host, 100, plan);
        reserve(&host, vms[i], reserves[i]);
    }
    /* Together 15/16 of the LP. A period of one begins 3 ms after the one of
     * another. */
    for (uint64_t us = 20000; us < 1000000; us += 1000) {
        sched_host_run_until(&host, sched_us(us));
        for (unsigned i = 0; i < 3; i++) {
            uint64_t quota = sched_ms(10).v * reserves[i] / 0x10000;

            if ((us - 3000 * i) % 10000 != 0)
                continue;
            if (before[i] > 0)
                assert_true(vms[i]->ran.v + sched_us(20).v >=
                            before[i] + quota);
            before[i] = vms[i]->ran.v;
        }
    }
    sched_host_destroy(&host);
}

/* No partition of these into LPs exists: one has to be spread. */
static void reserves_that_fit_no_lp_alone_are_had_on_several(void **state)
{
    struct sched_host host;
    struct sched_task *vms[3];

    (void)state;
    create(&host, 2);
    sched_host_vm(&host, 10000, always_busy);
    sched_host_vm(&host, 10000, always_busy);
    for (unsigned i = 0; i < 3; i++) {
        struct sched_plan plan = {.start = sched_us(700 * i)};

        vms[i] = sched_host_vm(&host, 100, plan);
        reserve(&host, vms[i], 65536 * 64 / 100);
    }
    for (uint64_t ms = 100; ms <= 2000; ms += 10) {
        sched_host_run_until(&host, sched_ms(ms));
        /* Late by no more than the periods of two LPs. */
        for (unsigned i = 0; i < 3; i++)
            assert_true(vms[i]->ran.v >= sched_ms(ms - 30).v * 635 / 1000);
    }
    sched_host_destroy(&host);
}

static void what_is_left_is_shared_by_weight(void **state)
{
    static const unsigned weights[] = {100, 200, 700};
    struct sched_host host;
    struct sched_task *vms[3], *reserved;

    (void)state;
    create(&host, 1);
    for (unsigned i = 0; i < 3; i++)
        vms[i] = sched_host_vm(&host, weights[i], always_busy);
    sched_host_run_until(&host, sched_ms(2000));
    for (unsigned i = 0; i < 3; i++)
        assert_in_range(sched_host_share(vms[i], sched_ms(2000)),
                        weights[i] * 10 - 80, weights[i] * 10 + 80);

    reserved = sched_host_vm(&host, 100, always_busy);
    reserve(&host, reserved, 0x8000);
    sched_host_run_until(&host, sched_ms(2100));
    sched_host_forget(&host);
    sched_host_run_until(&host, sched_ms(4100));
    assert_in_range(sched_host_share(reserved, sched_ms(2000)), 4950, 5050);
    for (unsigned i = 0; i < 3; i++)
        assert_in_range(sched_host_share(vms[i], sched_ms(2000)),
                        weights[i] * 5 - 80, weights[i] * 5 + 80);
    sched_host_destroy(&host);
}

static void a_reserve_that_goes_leaves_no_debt(void **state)
{
    struct sched_host host;
    struct sched_task *once, *other;

    (void)state;
    create(&host, 1);
    once = sched_host_vm(&host, 100, always_busy);
    other = sched_host_vm(&host, 100, always_busy);
    reserve(&host, once, 0xc000);
    sched_host_run_until(&host, sched_ms(5000));
    reserve(&host, once, 0);
    sched_host_run_until(&host, sched_ms(5100));
    sched_host_forget(&host);
    sched_host_run_until(&host, sched_ms(6100));
    assert_in_range(sched_host_share(once, sched_ms(1000)), 4900, 5100);
    assert_in_range(sched_host_share(other, sched_ms(1000)), 4900, 5100);
    sched_host_destroy(&host);
}

static void a_vp_that_wakes_comes_before_those_that_have_had_more(void **state)
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
    assert_in_range(ticker->longest_wait.v, 1, sched_us(1020).v);
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
    assert_in_range(lightest->longest_wait.v, 0, sched_ms(1000).v);
    sched_host_destroy(&host);
}

/* Admission promises no such reserves. A policy that had them anyway could not
 * keep them all; nobody else pays for it. */
/* What one has that is alone on its LP is no measure for those on another. */
static void a_vp_that_wakes_is_measured_by_those_beside_it(void **state)
{
    const struct sched_plan quarter = {.busy = sched_ms(1),
                                       .sleep = sched_ms(3)};
    struct lp_set first = {{UINT64_C(1) << 0}}, second = {{UINT64_C(1) << 1}};
    struct sched_task *alone, *busy, *wakes;
    struct hv_context context;
    struct sched_host host;

    (void)state;
    create(&host, 2);
    alone = sched_host_vm(&host, 10, always_busy);
    busy = sched_host_vm(&host, 100, always_busy);
    wakes = sched_host_vm(&host, 100, quarter);
    context = sched_host_context(&host);
    assert_int_equal(
        partition_set_affinity(&context, alone->vp->partition, &first),
        HV_STATUS_SUCCESS);
    assert_int_equal(
        partition_set_affinity(&context, busy->vp->partition, &second),
        HV_STATUS_SUCCESS);
    assert_int_equal(
        partition_set_affinity(&context, wakes->vp->partition, &second),
        HV_STATUS_SUCCESS);
    sched_host_run_until(&host, sched_ms(2000));
    assert_in_range(sched_host_share(wakes, sched_ms(2000)), 2000, 2500);
    sched_host_destroy(&host);
}

static void reserves_that_do_not_fit_an_affinity_harm_no_others(void **state)
{
    struct sched_host host;
    struct sched_task *pinned[2], *free_one, *plain;
    struct lp_set first = {0};

    (void)state;
    create(&host, 2);
    lp_set_add(&first, 0);
    for (unsigned i = 0; i < 2; i++) {
        struct hv_context context = sched_host_context(&host);

        pinned[i] = sched_host_vm(&host, 100, always_busy);
        assert_int_equal(
            partition_set_affinity(&context, pinned[i]->vp->partition, &first),
            HV_STATUS_SUCCESS);
        pinned[i]->vp->partition->sched.reserve = 0xc000;
    }
    free_one = sched_host_vm(&host, 100, always_busy);
    reserve(&host, free_one, 0x8000);
    plain = sched_host_vm(&host, 100, always_busy);
    sched_host_run_until(&host, sched_ms(2000));
    assert_in_range(pinned[0]->ran.v + pinned[1]->ran.v, sched_ms(1950).v,
                    sched_ms(2000).v);
    assert_in_range(pinned[0]->ran.v, sched_ms(950).v, sched_ms(1050).v);
    assert_in_range(sched_host_share(free_one, sched_ms(2000)), 4950, 5100);
    assert_in_range(sched_host_share(plain, sched_ms(2000)), 4850, 5050);
    sched_host_destroy(&host);
}

/* Three VPs on two of four LPs: nothing is promised to them (admission.h), and
 * the fourth there has its share. */
static void a_reserve_of_more_vps_than_they_have_lps_is_none(void **state)
{
    struct lp_set two = lp_set_first_of(2);
    struct hv_context context;
    struct hv_partition *wide;
    struct sched_host host;
    struct sched_task *plain;

    (void)state;
    create(&host, 4);
    context = sched_host_context(&host);
    wide = sched_host_partition(&host, 100);
    for (unsigned i = 0; i < 3; i++)
        sched_host_vp(&host, wide, always_busy);
    plain = sched_host_vm(&host, 100, always_busy);
    assert_int_equal(partition_set_affinity(&context, wide, &two),
                     HV_STATUS_SUCCESS);
    assert_int_equal(
        partition_set_affinity(&context, plain->vp->partition, &two),
        HV_STATUS_SUCCESS);
    assert_int_equal(partition_set_reserve(&context, wide, 0xa000),
                     HV_STATUS_SUCCESS);
    sched_host_run_until(&host, sched_ms(1000));
    assert_in_range(sched_host_share(plain, sched_ms(1000)), 4800, 5200);
    sched_host_destroy(&host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_reserve_is_had_against_any_others),
        cmocka_unit_test(an_idle_reserve_is_lent_out),
        cmocka_unit_test(each_has_its_reserve_of_each_of_its_periods),
        cmocka_unit_test(reserves_that_fit_no_lp_alone_are_had_on_several),
        cmocka_unit_test(what_is_left_is_shared_by_weight),
        cmocka_unit_test(a_reserve_that_goes_leaves_no_debt),
        cmocka_unit_test(a_vp_that_wakes_comes_before_those_that_have_had_more),
        cmocka_unit_test(the_lightest_is_not_starved),
        cmocka_unit_test(a_vp_that_wakes_is_measured_by_those_beside_it),
        cmocka_unit_test(reserves_that_do_not_fit_an_affinity_harm_no_others),
        cmocka_unit_test(a_reserve_of_more_vps_than_they_have_lps_is_none),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
