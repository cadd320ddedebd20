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
        .policy = "root", .lps_per_node = lps, .switch_cost = sched_us(2)};

    sched_host_create(host, &config);
}

static void busy_vps_take_turns_on_an_lp(void **state)
{
    struct sched_host host;
    struct sched_task *vms[4];

    (void)state;
    create(&host, 1);
    for (unsigned i = 0; i < 4; i++)
        vms[i] = sched_host_vm(&host, 100, always_busy);
    sched_host_run_until(&host, sched_ms(1000));
    for (unsigned i = 0; i < 4; i++) {
        assert_in_range(sched_host_share(vms[i], sched_ms(1000)), 2400, 2600);
        assert_in_range(vms[i]->dispatches, 24, 26);
        assert_in_range(vms[i]->longest_wait.v, 0, sched_ms(41).v);
    }
    sched_host_destroy(&host);
}

static void a_vp_that_wakes_comes_at_once(void **state)
{
    struct sched_plan ticks = {.busy = sched_us(50), .sleep = sched_us(1950)};
    struct sched_host host;
    struct sched_task *ticker, *busy;

    (void)state;
    create(&host, 1);
    busy = sched_host_vm(&host, 100, always_busy);
    ticker = sched_host_vm(&host, 100, ticks);
    sched_host_run_until(&host, sched_ms(100));
    sched_host_forget(&host);
    sched_host_run_until(&host, sched_ms(1100));
    assert_in_range(ticker->dispatches, 490, 500);
    assert_in_range(ticker->longest_wait.v, 1, sched_us(20).v);
    assert_in_range(sched_host_share(busy, sched_ms(1000)), 9500, 9750);
    sched_host_destroy(&host);
}

/* At priority 9 it has its quantum; then it is one of many. */
static void a_boost_decays_with_the_quantum(void **state)
{
    struct sched_plan late = {.start = sched_ms(100)};
    struct sched_host host;
    struct sched_task *woken, *busy[2];

    (void)state;
    create(&host, 1);
    busy[0] = sched_host_vm(&host, 100, always_busy);
    busy[1] = sched_host_vm(&host, 100, always_busy);
    woken = sched_host_vm(&host, 100, late);
    sched_host_run_until(&host, sched_us(109900));
    assert_in_range(woken->ran.v, sched_us(9800).v, sched_us(9900).v);
    sched_host_run_until(&host, sched_us(119000));
    assert_in_range(woken->ran.v, sched_us(9900).v, sched_us(10000).v);
    sched_host_run_until(&host, sched_ms(1100));
    assert_in_range(woken->ran.v, sched_ms(320).v, sched_ms(350).v);
    assert_in_range(busy[0]->ran.v, sched_ms(365).v, sched_ms(395).v);
    sched_host_destroy(&host);
}

/* Who was interrupted goes on, though another one waits at its priority. */
static void an_interrupted_vp_keeps_the_rest_of_its_quantum(void **state)
{
    struct sched_plan once = {
        .busy = sched_ms(1), .sleep = sched_ms(900), .start = sched_ms(104)};
    struct sched_host host;
    struct sched_task *busy[2], *once_woken, *runs, *waits;
    uint64_t ran;

    (void)state;
    create(&host, 1);
    busy[0] = sched_host_vm(&host, 100, always_busy);
    busy[1] = sched_host_vm(&host, 100, always_busy);
    once_woken = sched_host_vm(&host, 100, once);
    sched_host_run_until(&host, sched_ms(103));
    runs = busy[busy[1]->vp->state == VP_RUNNING];
    waits = busy[runs == busy[0]];
    ran = waits->ran.v;
    sched_host_run_until(&host, sched_us(105100));
    assert_int_equal(once_woken->ran.v, sched_ms(1).v);
    assert_int_equal(runs->vp->state, VP_RUNNING);
    assert_int_equal(waits->ran.v, ran);
    /* Ten milliseconds in all, and then it is the other's turn. */
    sched_host_run_until(&host, sched_us(112000));
    assert_int_equal(waits->vp->state, VP_RUNNING);
    sched_host_destroy(&host);
}

static void the_roots_work_comes_first(void **state)
{
    struct sched_plan interrupts = {.busy = sched_us(300),
                                    .sleep = sched_us(700)};
    struct sched_host host;
    struct sched_task *root;

    (void)state;
    create(&host, 1);
    sched_host_vm(&host, 100, always_busy);
    sched_host_vm(&host, 100, always_busy);
    root = sched_host_root_vp(&host, 0, interrupts);
    sched_host_run_until(&host, sched_ms(1000));
    assert_in_range(root->longest_wait.v, 1, sched_us(20).v);
    assert_in_range(sched_host_share(root, sched_ms(1000)), 2900, 3000);
    sched_host_destroy(&host);
}

static void a_root_that_goes_on_working_takes_turns(void **state)
{
    struct sched_host host;
    struct sched_task *root, *vm;

    (void)state;
    create(&host, 1);
    root = sched_host_root_vp(&host, 0, always_busy);
    vm = sched_host_vm(&host, 100, always_busy);
    sched_host_run_until(&host, sched_ms(1000));
    assert_in_range(sched_host_share(root, sched_ms(1000)), 4900, 5150);
    assert_in_range(sched_host_share(vm, sched_ms(1000)), 4850, 5100);
    sched_host_destroy(&host);
}

static void an_idle_lp_takes_a_vp_from_another(void **state)
{
    struct sched_plan naps = {.busy = sched_ms(7), .sleep = sched_ms(3)};
    struct sched_host host;
    uint64_t ran = 0;

    (void)state;
    create(&host, 2);
    for (unsigned i = 0; i < 4; i++)
        sched_host_vm(&host, 100, naps);
    sched_host_run_until(&host, sched_ms(1000));
    for (unsigned i = 0; i < 4; i++)
        ran += host.tasks[i]->ran.v;
    /* 2.8 LPs are asked for: hardly ever are there not two awake. */
    assert_true(ran > sched_ms(1700).v);
    sched_host_destroy(&host);
}

/* VPs that always wake, and never use a quantum up, keep their boost. */
static void a_vp_that_starves_is_boosted_after_four_seconds(void **state)
{
    struct sched_plan naps = {.busy = sched_us(3000), .sleep = sched_us(100)};
    struct sched_host host;
    struct sched_task *starves;

    (void)state;
    create(&host, 1);
    for (unsigned i = 0; i < 3; i++)
        sched_host_vm(&host, 100, naps);
    starves = sched_host_vm(&host, 100, always_busy);
    sched_host_run_until(&host, sched_ms(1000));
    sched_host_forget(&host);
    sched_host_run_until(&host, sched_ms(21000));
    assert_in_range(starves->longest_wait.v, sched_ms(4000).v,
                    sched_ms(5001).v);
    assert_in_range(starves->ran.v, sched_ms(3 * 10).v, sched_ms(5 * 10).v);
    sched_host_destroy(&host);
}

/* It is queued anew, behind one that has not been ready for as long. */
static void a_vp_starves_though_its_affinity_changes(void **state)
{
    struct sched_plan naps = {.busy = sched_us(3000), .sleep = sched_us(100)};
    struct sched_plan later = {.start = sched_ms(3000)};
    struct sched_host host;
    struct sched_task *starves;
    struct hv_context context;
    struct lp_set all = lp_set_first_of(1);
    cycles_t ran;

    (void)state;
    create(&host, 1);
    for (unsigned i = 0; i < 3; i++)
        sched_host_vm(&host, 100, naps);
    starves = sched_host_vm(&host, 100, always_busy);
    sched_host_vm(&host, 100, later);
    sched_host_run_until(&host, sched_ms(3900));
    ran = starves->ran;
    context = sched_host_context(&host);
    assert_int_equal(
        partition_set_affinity(&context, starves->vp->partition, &all),
        HV_STATUS_SUCCESS);
    sched_host_run_until(&host, sched_ms(5100));
    assert_in_range(starves->ran.v - ran.v, sched_ms(9).v, sched_ms(10).v);
    sched_host_destroy(&host);
}

static void controls_are_refused(void **state)
{
    struct sched_host host;
    struct sched_task *vm;
    struct hv_context context;
    struct hv_partition *partition;

    (void)state;
    create(&host, 2);
    vm = sched_host_vm(&host, 100, always_busy);
    partition = vm->vp->partition;
    context = sched_host_context(&host);
    assert_int_equal(cpu_group_create(host.hv, 7), HV_STATUS_SUCCESS);
    assert_int_equal(partition_set_weight(&context, partition, 200),
                     HV_STATUS_OPERATION_DENIED);
    assert_int_equal(partition_set_reserve(&context, partition, 0x1000),
                     HV_STATUS_OPERATION_DENIED);
    assert_int_equal(partition_set_cap(&context, partition, 0x8000),
                     HV_STATUS_OPERATION_DENIED);
    assert_int_equal(partition_set_group(&context, partition, 7),
                     HV_STATUS_OPERATION_DENIED);
    /* What they are by default may be said. */
    assert_int_equal(
        partition_set_weight(&context, partition, PARTITION_CPU_WEIGHT_DEFAULT),
        HV_STATUS_SUCCESS);
    assert_int_equal(
        partition_set_cap(&context, partition, PARTITION_CPU_SHARE_MAX),
        HV_STATUS_SUCCESS);
    sched_host_destroy(&host);
}

static void a_dispatch_is_the_roots_work_where_it_has_a_processor(void **state)
{
    struct sched_host host;
    struct sched_task *vm, *root;
    const struct hv_sched_ops *ops;
    struct cost_bill bill = {0};

    (void)state;
    create(&host, 2);
    ops = host.sched->ops;
    root = sched_host_root_vp(&host, 0, always_busy);
    vm = sched_host_vm(&host, 100, always_busy);
    assert_ptr_equal(host.hv->lps[0].root_vp, root->vp);
    ops->price_dispatch(host.sched, &host.hv->lps[0], vm->vp, &bill);
    assert_int_equal(cost_count(&bill, COST_ROOT_THREAD_SWITCH), 1);
    assert_int_equal(cost_count(&bill, COST_ROOT_VP_DISPATCH), 1);
    assert_int_equal(cost_count(&bill, COST_HYPERCALL_BODY), 1);

    cost_bill_clear(&bill);
    ops->price_dispatch(host.sched, &host.hv->lps[1], vm->vp, &bill);
    assert_int_equal(cost_count(&bill, COST_ROOT_VP_DISPATCH), 0);
    assert_int_equal(cost_count(&bill, COST_PHYSICAL_IPI), 1);

    cost_bill_clear(&bill);
    ops->price_dispatch(host.sched, &host.hv->lps[0], root->vp, &bill);
    assert_int_equal(cost_count(&bill, COST_HYPERCALL_BODY), 0);

    sched_host_remove_vp(root);
    assert_null(host.hv->lps[0].root_vp);
    sched_host_destroy(&host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(busy_vps_take_turns_on_an_lp),
        cmocka_unit_test(a_vp_that_wakes_comes_at_once),
        cmocka_unit_test(a_boost_decays_with_the_quantum),
        cmocka_unit_test(an_interrupted_vp_keeps_the_rest_of_its_quantum),
        cmocka_unit_test(the_roots_work_comes_first),
        cmocka_unit_test(a_root_that_goes_on_working_takes_turns),
        cmocka_unit_test(an_idle_lp_takes_a_vp_from_another),
        cmocka_unit_test(a_vp_that_starves_is_boosted_after_four_seconds),
        cmocka_unit_test(a_vp_starves_though_its_affinity_changes),
        cmocka_unit_test(controls_are_refused),
        cmocka_unit_test(a_dispatch_is_the_roots_work_where_it_has_a_processor),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
