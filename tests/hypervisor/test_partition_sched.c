/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The scheduling controls of a partition, and who heeds them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hypervisor/cpu_group.h"
#include "tests/hypervisor/sched_host.h"

#define GROUP 5

static const struct sched_plan always_busy = {0};

/* With SMT, or else "core" is "classic". */
static void create(struct sched_host *host, const char *policy)
{
    struct sched_host_config config = {
        .policy = policy, .lps_per_node = 4, .threads_per_core = 2};

    sched_host_create(host, &config);
    assert_int_equal(cpu_group_create(host->hv, GROUP), HV_STATUS_SUCCESS);
}

static enum hv_status set(struct sched_host *host, struct hv_partition *vm,
                          uint32_t code, uint64_t value)
{
    struct hv_context context = sched_host_context(host);

    switch (code) {
    case PARTITION_PROPERTY_CPU_RESERVE:
        return partition_set_reserve(&context, vm, value);
    case PARTITION_PROPERTY_CPU_CAP:
        return partition_set_cap(&context, vm, value);
    case PARTITION_PROPERTY_CPU_WEIGHT:
        return partition_set_weight(&context, vm, value);
    default:
        return partition_set_group(&context, vm, value);
    }
}

static void a_policy_refuses_what_it_does_not_heed(void **state)
{
    static const struct {
        unsigned flag;
        uint32_t code;
        uint64_t value, usual;
    } controls[] = {
        {SCHED_WEIGHTS, PARTITION_PROPERTY_CPU_WEIGHT, 200, 100},
        {SCHED_RESERVES, PARTITION_PROPERTY_CPU_RESERVE, 0x1000, 0},
        {SCHED_LIMITS, PARTITION_PROPERTY_CPU_CAP, 0x8000, 0x10000},
        {SCHED_LIMITS, PARTITION_PROPERTY_CPU_GROUP_ID, GROUP, 0},
    };

    (void)state;
    for (unsigned p = 0; sched_by_index(p); p++) {
        const struct hv_sched_ops *ops = sched_by_index(p);
        struct sched_host host;

        create(&host, ops->name);

        struct hv_partition *vm = sched_host_partition(&host, 100);

        for (unsigned i = 0; i < sizeof(controls) / sizeof(controls[0]); i++) {
            enum hv_status status =
                set(&host, vm, controls[i].code, controls[i].value);
            bool heeds = (ops->flags & controls[i].flag) != 0;

            if (status !=
                (heeds ? HV_STATUS_SUCCESS : HV_STATUS_OPERATION_DENIED))
                fail_msg("%s: %#x: %s", ops->name, controls[i].code,
                         hv_status_name(status));
            assert_int_equal(
                set(&host, vm, controls[i].code, controls[i].usual),
                HV_STATUS_SUCCESS);
        }
        sched_host_destroy(&host);
    }
}

static enum hv_status confine(struct sched_host *host, struct hv_partition *vm,
                              const struct lp_set *lps)
{
    struct hv_context context = sched_host_context(host);

    return partition_set_affinity(&context, vm, lps);
}

/* Whatever else it does not heed. */
static void every_policy_heeds_affinity_while_vps_run(void **state)
{
    (void)state;
    for (unsigned p = 0; sched_by_index(p); p++) {
        struct sched_task *tasks[6];
        struct sched_host host;
        struct lp_set odd = {0};
        struct hv_partition *vm;

        create(&host, sched_by_index(p)->name);
        for (uint32_t lp = 0; lp < 4; lp++)
            sched_host_root_vp(&host, lp,
                               (struct sched_plan){.start = sched_ms(9999)});
        vm = sched_host_partition(&host, 100);
        vm->topology.threads_per_core = 2;
        for (unsigned i = 0; i < 6; i++)
            tasks[i] = sched_host_vp(&host, vm, always_busy);
        sched_host_run_until(&host, sched_ms(33));
        lp_set_add(&odd, 1);
        lp_set_add(&odd, 3);
        assert_int_equal(confine(&host, vm, &odd), HV_STATUS_SUCCESS);
        sched_host_run_until(&host, sched_us(33100));
        assert_null(host.hv->lps[0].vp);
        assert_null(host.hv->lps[2].vp);
        sched_host_forget(&host);
        sched_host_run_until(&host, sched_us(633100));
        for (unsigned i = 0; i < 6; i++) {
            assert_in_range(sched_host_share(tasks[i], sched_ms(600)), 2000,
                            4500);
            assert_true(lp_set_has(&odd, tasks[i]->vp->sched.lp->id.v));
        }
        odd = lp_set_first_of(LP_COUNT_MAX);
        assert_int_equal(confine(&host, vm, &odd), HV_STATUS_SUCCESS);
        sched_host_run_until(&host, sched_ms(700));
        sched_host_forget(&host);
        sched_host_run_until(&host, sched_ms(1300));
        for (unsigned i = 0; i < 6; i++)
            assert_in_range(sched_host_share(tasks[i], sched_ms(600)), 5900,
                            7400);
        sched_host_destroy(&host);
    }
}

static void an_affinity_leaves_every_vp_an_lp(void **state)
{
    struct lp_set none = {0}, beyond = {0}, two = lp_set_first_of(2);
    struct sched_host host;
    struct hv_partition *vm;

    (void)state;
    create(&host, "round-robin");
    vm = sched_host_partition(&host, 100);
    sched_host_vp(&host, vm, always_busy);
    lp_set_add(&beyond, 4);
    assert_int_equal(confine(&host, vm, &none), HV_STATUS_INVALID_PARAMETER);
    assert_int_equal(confine(&host, vm, &beyond), HV_STATUS_INVALID_PARAMETER);
    assert_int_equal(lp_set_count(&vm->sched.affinity), 4);
    lp_set_add(&beyond, 1);
    assert_int_equal(confine(&host, vm, &beyond), HV_STATUS_SUCCESS);
    assert_int_equal(lp_set_count(&vm->sched.affinity), 1);
    assert_true(partition_could_run(vm, &two, &two));
    assert_false(partition_could_run(vm, &two, &none));
    /* VPs to come are confined too. */
    sched_host_vp(&host, vm, always_busy);
    assert_int_equal(lp_set_next(&vm->vps[1]->sched.allowed, 0), 1);
    assert_int_equal(lp_set_count(&vm->vps[1]->sched.allowed), 1);
    sched_host_destroy(&host);
}

static void weights_change_while_vps_run(void **state)
{
    (void)state;
    for (unsigned p = 0; sched_by_index(p); p++) {
        struct sched_task *tasks[2];
        struct sched_host_config config = {.policy = sched_by_index(p)->name};
        struct sched_host host;

        if (!(sched_by_index(p)->flags & SCHED_WEIGHTS))
            continue;
        sched_host_create(&host, &config);
        for (unsigned i = 0; i < 2; i++)
            tasks[i] = sched_host_vm(&host, 100, always_busy);
        sched_host_run_until(&host, sched_ms(1005));
        assert_in_range(sched_host_share(tasks[0], sched_ms(1005)), 4900, 5100);
        assert_int_equal(set(&host, tasks[0]->vp->partition,
                             PARTITION_PROPERTY_CPU_WEIGHT, 300),
                         HV_STATUS_SUCCESS);
        sched_host_run_until(&host, sched_ms(1105));
        sched_host_forget(&host);
        sched_host_run_until(&host, sched_ms(3105));
        assert_in_range(sched_host_share(tasks[0], sched_ms(2000)), 7350, 7650);
        assert_in_range(sched_host_share(tasks[1], sched_ms(2000)), 2350, 2650);
        sched_host_destroy(&host);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_policy_refuses_what_it_does_not_heed),
        cmocka_unit_test(every_policy_heeds_affinity_while_vps_run),
        cmocka_unit_test(an_affinity_leaves_every_vp_an_lp),
        cmocka_unit_test(weights_change_while_vps_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
