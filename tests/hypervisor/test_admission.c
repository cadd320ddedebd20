/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What reserves may sum up to. The policy heeds all controls. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hypervisor/admission.h"
#include "hypervisor/cpu_group.h"
#include "tests/hypervisor/small_host.h"

#define LP 0x10000u

struct world {
    struct small_host host; /* of two LPs */
    struct hv_sched_ops heeding;
    const struct hv_sched_ops *ops;
};

static int setup(void **state)
{
    static struct world world;

    small_host_create(&world.host);
    world.ops = world.host.hv->sched.ops;
    world.heeding = *world.ops;
    world.heeding.flags = SCHED_WEIGHTS | SCHED_RESERVES | SCHED_LIMITS;
    world.host.hv->sched.ops = &world.heeding;
    *state = &world;
    return 0;
}

static int teardown(void **state)
{
    struct world *world = *state;

    world->host.hv->sched.ops = world->ops;
    small_host_destroy(&world->host);
    return 0;
}

static enum hv_status reserve(struct world *world, struct hv_partition *vm,
                              uint64_t value)
{
    return partition_set_property(&world->host.context, vm,
                                  PARTITION_PROPERTY_CPU_RESERVE, value);
}

static enum hv_status add_vp(struct world *world, struct hv_partition *vm)
{
    return partition_add_vp(&world->host.context, vm,
                            (vp_index_t){vm->vp_count}, 0);
}

static struct hv_partition *add_vm(struct world *world, uint32_t vps)
{
    struct hv_partition *vm = small_host_active_child(&world->host);

    for (uint32_t i = 0; i < vps; i++)
        assert_int_equal(add_vp(world, vm), HV_STATUS_SUCCESS);
    return vm;
}

static uint64_t left(const struct world *world)
{
    struct lp_set all = lp_set_first_of(world->host.hv->lp_count);

    return admission_left(world->host.hv, &all, NULL);
}

static void a_reserve_is_set_up_to_what_is_left(void **state)
{
    struct world *world = *state;
    struct hv_partition *two = add_vm(world, 2);
    struct hv_partition *one = add_vm(world, 1);

    assert_int_equal(left(world), 2 * LP);
    assert_int_equal(reserve(world, two, 0xc000), HV_STATUS_SUCCESS);
    assert_int_equal(left(world), LP / 2);
    assert_int_equal(reserve(world, one, 0x8001),
                     HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE);
    assert_int_equal(one->sched.reserve, 0);
    assert_int_equal(reserve(world, one, 0x8000), HV_STATUS_SUCCESS);
    assert_int_equal(left(world), 0);
    /* It may be set again, to less, and to what that leaves. */
    assert_int_equal(reserve(world, one, 0x8000), HV_STATUS_SUCCESS);
    assert_int_equal(reserve(world, two, 0x8000), HV_STATUS_SUCCESS);
    assert_int_equal(reserve(world, one, 0x10000), HV_STATUS_SUCCESS);
    assert_int_equal(reserve(world, two, 0x8001),
                     HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE);
    assert_int_equal(two->sched.reserve, 0x8000);
}

static void a_reserve_is_at_most_the_cap(void **state)
{
    struct world *world = *state;
    struct hv_partition *vm = add_vm(world, 1);

    assert_int_equal(partition_set_cap(&world->host.context, vm, 0x4000),
                     HV_STATUS_SUCCESS);
    assert_int_equal(reserve(world, vm, 0x4001),
                     HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE);
    assert_int_equal(reserve(world, vm, 0x4000), HV_STATUS_SUCCESS);
    assert_int_equal(partition_set_cap(&world->host.context, vm, 0x3fff),
                     HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE);
    assert_int_equal(vm->sched.cap, 0x4000);
}

static void a_vp_is_created_if_its_reserve_fits(void **state)
{
    struct world *world = *state;
    struct hv_partition *other = add_vm(world, 1);
    struct hv_partition *vm = add_vm(world, 0);

    /* Before there are VPs it takes nothing. */
    assert_int_equal(reserve(world, vm, 0xc000), HV_STATUS_SUCCESS);
    assert_int_equal(left(world), 2 * LP);
    assert_int_equal(reserve(world, other, 0x8001), HV_STATUS_SUCCESS);
    assert_int_equal(add_vp(world, vm), HV_STATUS_SUCCESS);
    assert_int_equal(add_vp(world, vm), HV_STATUS_OPERATION_DENIED);
    assert_int_equal(vm->vp_count, 1);
    assert_int_equal(reserve(world, other, 0x8000), HV_STATUS_SUCCESS);
    assert_int_equal(add_vp(world, vm), HV_STATUS_SUCCESS);
    assert_int_equal(left(world), 0);
}

static void what_goes_away_is_left_again(void **state)
{
    struct world *world = *state;
    struct hv_partition *vm = add_vm(world, 2);

    assert_int_equal(reserve(world, vm, LP), HV_STATUS_SUCCESS);
    assert_int_equal(left(world), 0);
    assert_int_equal(partition_remove_vp(&world->host.context, vm->vps[1]),
                     HV_STATUS_SUCCESS);
    assert_int_equal(left(world), LP);
    assert_int_equal(partition_finalize(&world->host.context, vm),
                     HV_STATUS_SUCCESS);
    assert_int_equal(left(world), 2 * LP);
}

static void a_reserve_of_more_vps_than_lps_counts_nothing(void **state)
{
    struct world *world = *state;
    struct hv_partition *wide = add_vm(world, 2);
    struct hv_partition *other = add_vm(world, 1);

    assert_int_equal(reserve(world, wide, 0xc000), HV_STATUS_SUCCESS);
    assert_int_equal(add_vp(world, wide), HV_STATUS_SUCCESS);
    assert_int_equal(admission_reserve(wide), 0);
    assert_int_equal(left(world), 2 * LP);
    assert_int_equal(reserve(world, wide, LP), HV_STATUS_SUCCESS);
    assert_int_equal(reserve(world, other, LP), HV_STATUS_SUCCESS);
    /* With two VPs it would count again, and does not fit. */
    assert_int_equal(partition_remove_vp(&world->host.context, wide->vps[2]),
                     HV_STATUS_SUCCESS);
    assert_int_equal(wide->sched.reserve, 0);
    assert_int_equal(left(world), LP);
}

static void those_confined_to_an_lp_share_it(void **state)
{
    struct world *world = *state;
    struct hv_context *context = &world->host.context;
    struct lp_set first = lp_set_first_of(1);
    struct lp_set all = lp_set_first_of(2);
    struct hv_partition *a = add_vm(world, 1);
    struct hv_partition *b = add_vm(world, 1);
    struct hv_partition *free = add_vm(world, 1);

    assert_int_equal(partition_set_affinity(context, a, &first),
                     HV_STATUS_SUCCESS);
    assert_int_equal(reserve(world, a, 0xa000), HV_STATUS_SUCCESS);
    assert_int_equal(reserve(world, b, 0x8000), HV_STATUS_SUCCESS);
    assert_int_equal(partition_set_affinity(context, b, &first),
                     HV_STATUS_OPERATION_DENIED);
    assert_int_equal(reserve(world, b, 0x6000), HV_STATUS_SUCCESS);
    assert_int_equal(partition_set_affinity(context, b, &first),
                     HV_STATUS_SUCCESS);
    assert_int_equal(admission_left(world->host.hv, &first, NULL), 0);
    assert_int_equal(left(world), LP);
    assert_int_equal(reserve(world, b, 0x6001),
                     HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE);
    /* Others have the other LP. */
    assert_int_equal(reserve(world, free, LP), HV_STATUS_SUCCESS);
    assert_int_equal(partition_set_affinity(context, a, &all),
                     HV_STATUS_SUCCESS);
    assert_int_equal(left(world), 0);
}

static void a_group_keeps_its_members_reserves(void **state)
{
    struct world *world = *state;
    struct hv_context *context = &world->host.context;
    struct hypervisor *hv = world->host.hv;
    struct lp_set first = lp_set_first_of(1);
    struct hv_partition *a = add_vm(world, 1);
    struct hv_partition *b = add_vm(world, 1);
    struct cpu_group *group;

    assert_int_equal(cpu_group_create(hv, 1), HV_STATUS_SUCCESS);
    group = cpu_group_find(hv, 1);
    assert_int_equal(reserve(world, a, 0x8000), HV_STATUS_SUCCESS);
    assert_int_equal(reserve(world, b, 0x9000), HV_STATUS_SUCCESS);
    assert_int_equal(partition_set_group(context, a, 1), HV_STATUS_SUCCESS);
    assert_int_equal(partition_set_group(context, b, 1), HV_STATUS_SUCCESS);
    assert_int_equal(cpu_group_set_lps(context, group, &first),
                     HV_STATUS_OPERATION_DENIED);
    assert_int_equal(lp_set_count(&group->lps), 2);
    assert_int_equal(partition_set_group(context, b, CPU_GROUP_NONE),
                     HV_STATUS_SUCCESS);
    assert_int_equal(cpu_group_set_lps(context, group, &first),
                     HV_STATUS_SUCCESS);
    assert_int_equal(partition_set_group(context, b, 1),
                     HV_STATUS_OPERATION_DENIED);
    assert_null(b->sched.group);
    assert_int_equal(reserve(world, b, 0x8000), HV_STATUS_SUCCESS);
    assert_int_equal(partition_set_group(context, b, 1), HV_STATUS_SUCCESS);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_reserve_is_set_up_to_what_is_left),
        T(a_reserve_is_at_most_the_cap),
        T(a_vp_is_created_if_its_reserve_fits),
        T(what_goes_away_is_left_again),
        T(a_reserve_of_more_vps_than_lps_counts_nothing),
        T(those_confined_to_an_lp_share_it),
        T(a_group_keeps_its_members_reserves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
