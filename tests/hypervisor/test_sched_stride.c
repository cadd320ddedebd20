/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/hypervisor/sched_host.h"

static const struct sched_plan always_busy = {0};

static void an_lp_is_shared_by_weight(void **state)
{
    static const unsigned weights[] = {100, 200, 700};
    struct sched_host_config config = {.policy = "stride",
                                       .switch_cost = sched_us(2)};
    struct sched_host host;
    struct sched_task *vms[3];

    (void)state;
    sched_host_create(&host, &config);
    for (unsigned i = 0; i < 3; i++)
        vms[i] = sched_host_vm(&host, weights[i], always_busy);
    sched_host_run_until(&host, sched_ms(2000));
    for (unsigned i = 0; i < 3; i++)
        assert_in_range(sched_host_share(vms[i], sched_ms(2000)),
                        weights[i] * 10 - 60, weights[i] * 10 + 60);
    sched_host_destroy(&host);
}

static void sleeping_earns_nothing(void **state)
{
    struct sched_plan late = {.start = sched_ms(1000)};
    struct sched_host_config config = {.policy = "stride"};
    struct sched_host host;
    struct sched_task *first, *second;

    (void)state;
    sched_host_create(&host, &config);
    first = sched_host_vm(&host, 100, always_busy);
    second = sched_host_vm(&host, 100, late);
    sched_host_run_until(&host, sched_ms(2000));
    assert_in_range(first->ran.v, sched_ms(1490).v, sched_ms(1510).v);
    assert_in_range(second->ran.v, sched_ms(490).v, sched_ms(510).v);
    sched_host_destroy(&host);
}

static void several_lps_are_shared_by_weight(void **state)
{
    static const unsigned weights[] = {300, 100, 100, 100};
    struct sched_host_config config = {.policy = "stride", .lps_per_node = 2};
    struct sched_host host;
    struct sched_task *vms[4];

    (void)state;
    sched_host_create(&host, &config);
    for (unsigned i = 0; i < 4; i++)
        vms[i] = sched_host_vm(&host, weights[i], always_busy);
    sched_host_run_until(&host, sched_ms(3000));
    for (unsigned i = 1; i < 4; i++)
        assert_in_range(sched_host_share(vms[i], sched_ms(3000)), 3250, 3550);
    assert_in_range(sched_host_share(vms[0], sched_ms(3000)), 9600, 10000);
    sched_host_destroy(&host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_lp_is_shared_by_weight),
        cmocka_unit_test(sleeping_earns_nothing),
        cmocka_unit_test(several_lps_are_shared_by_weight),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
