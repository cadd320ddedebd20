/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/hypervisor/sched_host.h"

static const struct sched_plan always_busy = {0};

static void busy_vps_share_an_lp_equally(void **state)
{
    struct sched_host_config config = {.policy = "round-robin"};
    struct sched_host host;
    struct sched_task *vms[3];

    (void)state;
    sched_host_create(&host, &config);
    for (unsigned i = 0; i < 3; i++)
        vms[i] = sched_host_vm(&host, 100, always_busy);
    sched_host_run_until(&host, sched_ms(900));
    for (unsigned i = 0; i < 3; i++)
        assert_in_range(sched_host_share(vms[i], sched_ms(900)), 3330, 3337);
    assert_int_equal(vms[1]->waited.rule, SCHED_RULE_SLICE);
    assert_int_equal(vms[1]->waited.holder_partition,
                     vms[0]->vp->partition->id.v);
    assert_int_equal(vms[1]->longest_wait.v, sched_ms(20).v);
    sched_host_destroy(&host);
}

static void a_vp_that_sleeps_leaves_its_lp_idle(void **state)
{
    struct sched_host_config config = {.policy = "round-robin",
                                       .switch_cost = sched_us(1)};
    struct sched_plan plan = {.busy = sched_us(100), .sleep = sched_us(900)};
    struct sched_host host;
    struct sched_task *vm;

    (void)state;
    sched_host_create(&host, &config);
    vm = sched_host_vm(&host, 100, plan);
    sched_host_run_until(&host, sched_ms(100));
    assert_int_equal(vm->dispatches, 100);
    assert_int_equal(vm->ran.v, sched_ms(10).v);
    assert_int_equal(vm->longest_wait.v, sched_us(1).v);
    assert_int_equal(vm->waited.rule, SCHED_RULE_WAKE);
    assert_in_range(host.idle[0].v, sched_us(89000).v, sched_us(90000).v);
    sched_host_destroy(&host);
}

static void a_vp_can_go_while_it_runs(void **state)
{
    struct sched_host_config config = {.policy = "round-robin"};
    struct sched_host host;
    struct sched_task *gone, *stays;

    (void)state;
    sched_host_create(&host, &config);
    gone = sched_host_vm(&host, 100, always_busy);
    stays = sched_host_vm(&host, 100, always_busy);
    sched_host_run_until(&host, sched_ms(5));
    assert_int_equal(gone->vp->state, VP_RUNNING);
    sched_host_remove_vp(gone);
    sched_host_run_until(&host, sched_ms(15));
    assert_int_equal(stays->ran.v, sched_ms(10).v);
    sched_host_destroy(&host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(busy_vps_share_an_lp_equally),
        cmocka_unit_test(a_vp_that_sleeps_leaves_its_lp_idle),
        cmocka_unit_test(a_vp_can_go_while_it_runs),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
