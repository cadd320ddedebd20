/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How fast code runs beside a busy sibling, and away from its memory. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "tests/machine/script_host.h"

#define WORK 8000000u /* ns */
/* Loading a VM, and a root VP on the sibling now and then. */
#define APART (WORK / 20)

static struct script_host host;

/* One VP that works for so long at full speed, and then sleeps. */
static void add_worker(struct script_config *config, uint32_t cycles)
{
    struct script_vm *vm = &config->vms[config->vm_count++];

    vm->vps = 1;
    script_begin(&vm->script[0], 0, 1);
    script_add(&vm->script[0], SCRIPT_RUN, cycles, 0, 0);
    script_sleep(&vm->script[0]);
}

/* The guest time of VM `index` when all have gone to sleep. */
static uint64_t guest_time(uint32_t index)
{
    const struct hypervisor *hv = host.machine->hv;
    const struct hv_vp *vp = hv->partitions[1 + index]->vps[0];

    assert_int_equal(vp->state, VP_IDLE);
    return ledger_vp(host.machine->ledger, vp->number).guest.v;
}

static void run(const struct script_config *config)
{
    script_host_create(&host, config);
    assert_int_equal(script_host_run(&host), SIM_OK);
}

static void close_to(uint64_t time, uint64_t wanted)
{
    assert_in_range(time, wanted - APART, wanted + APART);
}

static int teardown(void **state)
{
    (void)state;
    script_host_destroy(&host);
    return 0;
}

static void make(struct script_config *config, uint32_t smt)
{
    script_config_init(config);
    config->smt = smt;
    config->smt_speed = SCENARIO_FRACTION_ONE / 2;
    config->duration_ns = 150000000;
    config->slice_ns = 60000000;
}

static void siblings_slow_each_other_down(void **state)
{
    struct script_config config;

    (void)state;
    make(&config, 2);
    add_worker(&config, WORK);
    add_worker(&config, WORK);
    run(&config);
    close_to(guest_time(0), 2 * WORK);
    close_to(guest_time(1), 2 * WORK);
}

static void lps_of_different_cores_do_not(void **state)
{
    struct script_config config;

    (void)state;
    make(&config, 1);
    add_worker(&config, WORK);
    add_worker(&config, WORK);
    run(&config);
    close_to(guest_time(0), WORK);
    close_to(guest_time(1), WORK);
}

/* The shorter one is slowed all the time, the other one as long. */
static void a_sibling_that_sleeps_slows_nobody_down(void **state)
{
    struct script_config config;

    (void)state;
    make(&config, 2);
    add_worker(&config, WORK);
    add_worker(&config, WORK / 2);
    run(&config);
    close_to(guest_time(0), WORK / 2 + 2 * (WORK / 2));
    close_to(guest_time(1), 2 * (WORK / 2));
}

/* Two nodes of one LP, and three VMs: round robin takes the LP that is free,
 * wherever the memory is. */
static void code_away_from_its_node_is_slower(void **state)
{
    struct script_config config;
    unsigned remote_count = 0;

    (void)state;
    make(&config, 1);
    config.nodes = 2;
    config.lps = 1;
    config.remote_speed = SCENARIO_FRACTION_ONE / 4;
    for (unsigned i = 0; i < 3; i++)
        add_worker(&config, WORK);
    run(&config);
    for (uint32_t i = 0; i < 3; i++) {
        const struct hv_vp *vp = host.machine->hv->partitions[1 + i]->vps[0];
        bool remote = vp->sched.lp->node != vp->node;

        close_to(guest_time(i), remote ? 4 * WORK : WORK);
        remote_count += remote;
    }
    assert_int_not_equal(remote_count, 0); /* else nothing has been tested */
}

#define T(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(siblings_slow_each_other_down),
        T(lps_of_different_cores_do_not),
        T(a_sibling_that_sleeps_slows_nobody_down),
        T(code_away_from_its_node_is_slower),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
