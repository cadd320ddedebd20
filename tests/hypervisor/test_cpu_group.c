/* SPDX-License-Identifier: GPL-2.0-or-later */
/* CPU groups, under every policy that heeds limits. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hypervisor/cpu_group.h"
#include "tests/hypervisor/sched_host.h"

#define GOLD 7
#define HALF 0x8000u
#define LPS 8

static const struct sched_plan always_busy = {0};

/* As in test_sched_period.c, with a group of all LPs and a cap of a half. */
static bool next_host(struct sched_host *host, unsigned *index)
{
    const struct hv_sched_ops *ops = sched_by_index(*index);
    struct sched_host_config config = {
        .lps_per_node = LPS,
        .switch_cost = sched_us(1),
        .params = sched_host_params(),
    };
    struct hv_context context;

    while (ops && !(ops->flags & SCHED_LIMITS))
        ops = sched_by_index(++*index);
    if (!ops)
        return false;
    ++*index;
    config.policy = ops->name;
    sched_host_create(host, &config);
    context = sched_host_context(host);
    assert_int_equal(cpu_group_create(host->hv, GOLD), HV_STATUS_SUCCESS);
    assert_int_equal(
        cpu_group_set_cap(&context, cpu_group_find(host->hv, GOLD), HALF),
        HV_STATUS_SUCCESS);
    return true;
}

static enum hv_status set_group(struct sched_host *host,
                                struct hv_partition *vm, uint64_t id)
{
    struct hv_context context = sched_host_context(host);

    return partition_set_group(&context, vm, id);
}

static void set_cap(struct sched_host *host, uint64_t cap)
{
    struct hv_context context = sched_host_context(host);

    assert_int_equal(
        cpu_group_set_cap(&context, cpu_group_find(host->hv, GOLD), cap),
        HV_STATUS_SUCCESS);
}

static enum hv_status set_lps(struct sched_host *host, const struct lp_set *lps)
{
    struct hv_context context = sched_host_context(host);

    return cpu_group_set_lps(&context, cpu_group_find(host->hv, GOLD), lps);
}

#define VPS_MAX 16

struct vm {
    struct hv_partition *partition;
    struct sched_task *vps[VPS_MAX];
    unsigned count;
    cycles_t before;
};

/* In the group GOLD. */
static struct vm add_vm(struct sched_host *host, unsigned vps,
                        struct sched_plan plan)
{
    struct vm vm = {.count = vps};

    vm.partition = sched_host_partition(host, 100);
    for (unsigned i = 0; i < vps; i++)
        vm.vps[i] = sched_host_vp(host, vm.partition, plan);
    assert_int_equal(set_group(host, vm.partition, GOLD), HV_STATUS_SUCCESS);
    return vm;
}

/* Thousandths of an LP since the last time it was asked, `elapsed` before. */
static uint64_t used(struct vm *vm, cycles_t elapsed)
{
    uint64_t ran = 0;
    uint64_t since;

    for (unsigned i = 0; i < vm->count; i++)
        ran += vm->vps[i]->ran.v;
    since = ran - vm->before.v;
    vm->before = cycles(ran);
    return since * 1000 / elapsed.v;
}

static void check_used(const struct sched_host *host, struct vm *vm,
                       cycles_t elapsed, uint64_t wanted)
{
    uint64_t got = used(vm, elapsed);

    if (got * 100 > wanted * 102 || got * 100 < wanted * 98)
        fail_msg("%s: a VM with %u VPs: %llu of %llu thousandths of an LP",
                 host->sched->ops->name, vm->count, (unsigned long long)got,
                 (unsigned long long)wanted);
}

static void one_busy_vm_may_use_the_whole_cap(void **state)
{
    struct sched_host host;

    (void)state;
    for (unsigned vps = 1; vps <= VPS_MAX; vps++) {
        for (unsigned index = 0; next_host(&host, &index);) {
            struct vm vm = add_vm(&host, vps, always_busy);

            add_vm(&host, 8, (struct sched_plan){.start = sched_ms(9999)});
            sched_host_run_until(&host, sched_ms(1000));
            check_used(&host, &vm, sched_ms(1000), vps < 4 ? vps * 1000 : 4000);
            sched_host_destroy(&host);
        }
    }
}

static void busy_vms_divide_the_cap_evenly(void **state)
{
    static const struct {
        unsigned vps[4];
        uint64_t wanted[4];
    } cases[] = {
        {{8, 8}, {2000, 2000}},
        {{2, 2}, {2000, 2000}},
        {{3, 8}, {2000, 2000}},
        {{4, 4}, {2000, 2000}},
        {{16, 16}, {2000, 2000}},
        {{1, 8}, {1000, 3000}},
        {{1, 1}, {1000, 1000}},
        {{1, 1, 1, 1}, {1000, 1000, 1000, 1000}},
        {{8, 8, 8, 8}, {1000, 1000, 1000, 1000}},
        {{1, 1, 3, 3}, {1000, 1000, 1000, 1000}},
    };
    struct sched_host host;

    (void)state;
    for (unsigned c = 0; c < sizeof(cases) / sizeof(cases[0]); c++) {
        for (unsigned index = 0; next_host(&host, &index);) {
            struct vm vms[4] = {0};

            for (unsigned i = 0; i < 4; i++) {
                if (cases[c].vps[i])
                    vms[i] = add_vm(&host, cases[c].vps[i], always_busy);
            }
            sched_host_run_until(&host, sched_ms(1000));
            uint64_t all = 0;

            for (unsigned i = 0; i < 4; i++) {
                struct vm again = vms[i];

                all += used(&again, sched_ms(1000));
                check_used(&host, &vms[i], sched_ms(1000), cases[c].wanted[i]);
            }
            assert_in_range(all, 0, 4000);
            sched_host_destroy(&host);
        }
    }
}

static void the_vps_of_a_vm_get_equal_parts(void **state)
{
    struct sched_host host;

    (void)state;
    for (unsigned index = 0; next_host(&host, &index);) {
        struct vm vms[2];

        for (unsigned i = 0; i < 2; i++)
            vms[i] = add_vm(&host, 8, always_busy);
        sched_host_run_until(&host, sched_ms(1000));
        for (unsigned i = 0; i < 8; i++) {
            assert_in_range(vms[0].vps[i]->ran.v, sched_ms(230).v,
                            sched_ms(270).v);
            assert_in_range(vms[1].vps[i]->ran.v, sched_ms(230).v,
                            sched_ms(270).v);
        }
        sched_host_destroy(&host);
    }
}

static void what_one_vm_does_not_use_is_the_others(void **state)
{
    struct sched_plan half = {
        .busy = sched_us(700), .sleep = sched_us(1300), .random = true};
    struct sched_host host;

    (void)state;
    for (unsigned index = 0; next_host(&host, &index);) {
        struct vm lazy = add_vm(&host, 4, half);
        struct vm busy = add_vm(&host, 8, always_busy);
        uint64_t both, lazy_part;

        sched_host_run_until(&host, sched_ms(1000));
        lazy_part = used(&lazy, sched_ms(1000));
        both = lazy_part + used(&busy, sched_ms(1000));
        assert_in_range(lazy_part, 1000, 1450);
        if (both < 3850 || both > 4000)
            fail_msg("%s: %llu", host.sched->ops->name,
                     (unsigned long long)both);
        sched_host_destroy(&host);
    }
}

static void limits_hold_beside_the_cap(void **state)
{
    struct sched_host host;

    (void)state;
    for (unsigned index = 0; next_host(&host, &index);) {
        struct vm limited = add_vm(&host, 8, always_busy);
        struct vm other = add_vm(&host, 8, always_busy);
        struct hv_context context = sched_host_context(&host);

        assert_int_equal(partition_set_cap(&context, limited.partition, 0x2000),
                         HV_STATUS_SUCCESS); /* 12.5 % of an LP per VP */
        sched_host_run_until(&host, sched_ms(1000));
        check_used(&host, &limited, sched_ms(1000), 1000);
        check_used(&host, &other, sched_ms(1000), 3000);
        sched_host_destroy(&host);
    }
}

static void the_cap_is_of_the_groups_lps(void **state)
{
    struct sched_host host;

    (void)state;
    for (unsigned index = 0; next_host(&host, &index);) {
        struct lp_set lps = lp_set_first_of(4);
        struct vm vm = add_vm(&host, 8, always_busy);

        sched_host_run_until(&host, sched_ms(50));
        used(&vm, sched_ms(50));
        assert_int_equal(set_lps(&host, &lps), HV_STATUS_SUCCESS);
        sched_host_run_until(&host, sched_ms(60));
        used(&vm, sched_ms(10));
        sched_host_run_until(&host, sched_ms(1060));
        check_used(&host, &vm, sched_ms(1000), 2000);
        /* Where each was last: now the cap is used up, and no LP has any. */
        for (unsigned i = 0; i < vm.count; i++)
            assert_in_range(vm.vps[i]->vp->sched.lp->id.v, 0, 3);
        sched_host_destroy(&host);
    }
}

static void a_cap_changes_while_vps_run(void **state)
{
    static const struct {
        uint64_t cap, wanted;
    } steps[] = {
        {0xc000, 6000}, {0x2000, 1000}, {0x10000, 8000}, {0, 0},
        {HALF, 4000},   {0x100, 31},    {0x10000, 8000},
    };
    struct sched_host host;

    (void)state;
    for (unsigned index = 0; next_host(&host, &index);) {
        struct vm vm = add_vm(&host, 8, always_busy);
        uint64_t now = 23; /* in the middle of a period */

        sched_host_run_until(&host, sched_ms(now));
        for (unsigned i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
            uint64_t got;

            set_cap(&host, steps[i].cap);
            now += 7;
            sched_host_run_until(&host, sched_ms(now));
            used(&vm, sched_ms(7));
            now += 500;
            sched_host_run_until(&host, sched_ms(now));
            got = used(&vm, sched_ms(500));
            if (got > steps[i].wanted ||
                got + 1 + steps[i].wanted / 50 < steps[i].wanted)
                fail_msg("%s: step %u: %llu", host.sched->ops->name, i,
                         (unsigned long long)got);
            now += 6;
            sched_host_run_until(&host, sched_ms(now));
            used(&vm, sched_ms(6));
        }
        sched_host_destroy(&host);
    }
}

static void vms_come_and_go(void **state)
{
    struct sched_host host;

    (void)state;
    for (unsigned index = 0; next_host(&host, &index);) {
        struct cpu_group *group = cpu_group_find(host.hv, GOLD);
        struct vm first = add_vm(&host, 8, always_busy);
        struct vm second = add_vm(&host, 8, always_busy);
        uint64_t outside;

        sched_host_run_until(&host, sched_ms(1000));
        check_used(&host, &first, sched_ms(1000), 2000);
        sched_host_run_until(&host, sched_ms(1007));
        assert_true(group->parked > 0);
        assert_int_equal(set_group(&host, second.partition, CPU_GROUP_NONE),
                         HV_STATUS_SUCCESS);
        sched_host_run_until(&host, sched_ms(1010));
        used(&first, sched_ms(10));
        used(&second, sched_ms(1010));
        sched_host_run_until(&host, sched_ms(2010));
        outside = used(&second, sched_ms(1000));
        assert_in_range(outside, 3900, 8000);
        assert_in_range(outside + used(&first, sched_ms(1000)), 7900, 8000);

        assert_int_equal(set_group(&host, second.partition, GOLD),
                         HV_STATUS_SUCCESS);
        for (unsigned i = 0; i < 8; i++)
            sched_host_remove_vp(first.vps[i]);
        sched_host_run_until(&host, sched_ms(2020));
        used(&second, sched_ms(10));
        sched_host_run_until(&host, sched_ms(3020));
        check_used(&host, &second, sched_ms(1000), 4000);
        for (unsigned i = 0; i < 8; i++)
            sched_host_remove_vp(second.vps[i]);
        assert_int_equal(group->parked, 0);
        sched_host_destroy(&host);
    }
}

static void a_group_lives_from_create_to_delete(void **state)
{
    struct sched_host host;
    unsigned index = 0;

    (void)state;
    assert_true(next_host(&host, &index));

    struct hv_partition *vm = sched_host_partition(&host, 100);
    struct hv_context context = sched_host_context(&host);

    assert_int_equal(cpu_group_create(host.hv, CPU_GROUP_NONE),
                     HV_STATUS_INVALID_CPU_GROUP_ID);
    assert_int_equal(cpu_group_create(host.hv, GOLD),
                     HV_STATUS_INVALID_CPU_GROUP_ID);
    assert_int_equal(cpu_group_create(host.hv, UINT64_MAX), HV_STATUS_SUCCESS);
    assert_int_equal(set_group(&host, vm, 8), HV_STATUS_INVALID_CPU_GROUP_ID);
    assert_int_equal(set_group(&host, vm, GOLD), HV_STATUS_SUCCESS);
    assert_int_equal(set_group(&host, vm, GOLD), HV_STATUS_SUCCESS);
    assert_int_equal(set_group(&host, vm, UINT64_MAX),
                     HV_STATUS_INVALID_CPU_GROUP_STATE);
    assert_int_equal(cpu_group_delete(host.hv, GOLD),
                     HV_STATUS_INVALID_CPU_GROUP_STATE);
    assert_int_equal(cpu_group_set_cap(&context, cpu_group_find(host.hv, GOLD),
                                       CPU_GROUP_CAP_MAX + 1),
                     HV_STATUS_INVALID_PARAMETER);
    assert_int_equal(partition_delete(&context, vm), HV_STATUS_SUCCESS);
    assert_int_equal(cpu_group_delete(host.hv, GOLD), HV_STATUS_SUCCESS);
    assert_int_equal(cpu_group_delete(host.hv, GOLD),
                     HV_STATUS_INVALID_CPU_GROUP_ID);
    sched_host_destroy(&host);
}

static void every_vp_must_have_an_lp(void **state)
{
    struct lp_set none = {0}, beyond = {0}, low = lp_set_first_of(2),
                  high = {0}, mixed;
    struct sched_host host;
    unsigned index = 0;

    (void)state;
    assert_true(next_host(&host, &index));

    struct hv_context context = sched_host_context(&host);
    struct vm vm = add_vm(&host, 2, always_busy);

    lp_set_add(&beyond, LPS);
    lp_set_add(&high, 7);
    mixed = high;
    lp_set_add(&mixed, 100);
    assert_int_equal(set_lps(&host, &none), HV_STATUS_INVALID_PARAMETER);
    assert_int_equal(set_lps(&host, &beyond), HV_STATUS_INVALID_PARAMETER);
    assert_int_equal(set_lps(&host, &low), HV_STATUS_SUCCESS);
    assert_int_equal(partition_set_affinity(&context, vm.partition, &high),
                     HV_STATUS_INVALID_PARAMETER);
    assert_int_equal(partition_set_affinity(&context, vm.partition, &low),
                     HV_STATUS_SUCCESS);
    assert_int_equal(set_lps(&host, &high), HV_STATUS_INVALID_PARAMETER);
    assert_int_equal(set_group(&host, vm.partition, CPU_GROUP_NONE),
                     HV_STATUS_SUCCESS);
    assert_int_equal(set_lps(&host, &mixed), HV_STATUS_SUCCESS);
    assert_int_equal(lp_set_count(&cpu_group_find(host.hv, GOLD)->lps), 1);
    assert_int_equal(set_group(&host, vm.partition, GOLD),
                     HV_STATUS_INVALID_PARAMETER);
    assert_null(vm.partition->sched.group);
    sched_host_destroy(&host);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_busy_vm_may_use_the_whole_cap),
        cmocka_unit_test(busy_vms_divide_the_cap_evenly),
        cmocka_unit_test(the_vps_of_a_vm_get_equal_parts),
        cmocka_unit_test(what_one_vm_does_not_use_is_the_others),
        cmocka_unit_test(limits_hold_beside_the_cap),
        cmocka_unit_test(the_cap_is_of_the_groups_lps),
        cmocka_unit_test(a_cap_changes_while_vps_run),
        cmocka_unit_test(vms_come_and_go),
        cmocka_unit_test(a_group_lives_from_create_to_delete),
        cmocka_unit_test(every_vp_must_have_an_lp),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
