/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hypervisor/intercept.h"
#include "hypervisor/lp.h"
#include "hypervisor/memory.h"
#include "tests/hypervisor/fake_engine.h"
#include "tests/hypervisor/small_host.h"

static void the_root_maps_all_memory_but_the_hypervisors(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *root = host->hv->root;
    struct gpa_mapping mapping;
    spa_t first;
    uint64_t pages;

    memory_root_range(host->hv->memory, 0, &first, &pages);
    assert_int_equal(root->gpa.pages_2m, pages / 512);
    assert_int_equal(root->gpa.pages_4k, 0);
    assert_true(
        gpa_space_find(&root->gpa, gpa(pages * PAGE_BYTES - 1), &mapping));
    assert_int_equal(mapping.spa.raw, pages * PAGE_BYTES - 1);
    assert_true(mapping.writable && mapping.executable && mapping.large);
    assert_false(gpa_space_find(&root->gpa, gpa(pages * PAGE_BYTES), &mapping));
    assert_int_equal(root->state, PARTITION_ACTIVE);
    assert_int_equal(root->privileges, PRIVILEGES_KNOWN);
    assert_null(root->parent);
}

/* The root's tables are paid for before anybody needs them: even if it gave
 * away a page in every 2 MiB. */
static void the_roots_pool_covers_the_tables_for_4_kib_mappings(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_child(host);
    spa_t first;
    uint64_t pages;

    memory_root_range(host->hv->memory, 0, &first, &pages);
    for (uint64_t page = 5; page < pages; page += 512)
        small_host_deposit(host, child->id.v, page, 1);
    assert_int_equal(host->hv->root->gpa.pages_2m, 0);
}

static void ids_are_never_used_again(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *first = small_host_child(host);
    uint64_t id = first->id.v;

    assert_int_equal(partition_delete(&host->context, first),
                     HV_STATUS_SUCCESS);
    assert_null(hypervisor_find_partition(host->hv, (partition_id_t){id}));
    assert_true(small_host_child(host)->id.v > id);
    assert_null(hypervisor_find_partition(host->hv, (partition_id_t){0}));
}

static void creating_takes_a_page_of_the_parents_pool(void **state)
{
    struct small_host *host = *state;
    struct memory_pool *pool = host->hv->root->pool;
    uint64_t in_use = memory_pool_in_use(pool);
    struct hv_partition *child = small_host_child(host);
    struct hv_partition *grandchild;
    spa_t page;

    assert_int_equal(memory_pool_in_use(pool), in_use + 1);
    partition_delete(&host->context, child);
    assert_int_equal(memory_pool_in_use(pool), in_use);

    assert_int_equal(
        partition_create(&host->context, host->hv->root, 1, &child),
        HV_STATUS_INVALID_PARAMETER);
    child = small_host_child(host);
    assert_int_equal(partition_create(&host->context, child, 0, &grandchild),
                     HV_STATUS_PARTITION_TOO_DEEP);
    while (memory_pool_take(host->hv, pool, &page))
        ;
    assert_int_equal(
        partition_create(&host->context, host->hv->root, 0, &child),
        HV_STATUS_INSUFFICIENT_MEMORY);
}

static void a_new_partition_has_the_default_privileges(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_child(host);

    assert_int_equal(child->privileges, PRIVILEGES_DEFAULT);
    assert_false(partition_has(child, PRIVILEGE_CPU_MANAGEMENT));
    assert_int_equal(child->sched.weight, 100);
    assert_int_equal(child->sched.cap, 0x10000);
    assert_int_equal(child->sched.reserve, 0);
    assert_int_equal(child->created_at.v, host->context.now.v);
}

static void initialising_needs_a_page_in_the_childs_pool(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_child(host);

    assert_int_equal(partition_initialize(&host->context, child),
                     HV_STATUS_INSUFFICIENT_MEMORY);
    assert_int_equal(child->state, PARTITION_UNINITIALIZED);
    small_host_deposit(host, child->id.v, 0x600, 1);
    assert_int_equal(partition_initialize(&host->context, child),
                     HV_STATUS_SUCCESS);
    assert_int_equal(child->state, PARTITION_ACTIVE);
    assert_string_equal(partition_state_name(child->state), "active");
}

/* What each call answers in each state: TLFS 2.0a, "Partition State". */
enum operation { INITIALIZE, FINALIZE, DELETE, PROPERTY, INTERCEPT, ADD_VP };

static enum hv_status operate(struct small_host *host,
                              struct hv_partition *child,
                              enum operation operation)
{
    uint64_t value;

    switch (operation) {
    case INITIALIZE:
        return partition_initialize(&host->context, child);
    case FINALIZE:
        return partition_finalize(&host->context, child);
    case DELETE:
        return partition_delete(&host->context, child);
    case PROPERTY:
        return partition_get_property(child, PARTITION_PROPERTY_CPU_CAP,
                                      &value);
    case INTERCEPT:
        return partition_install_intercept(child, INTERCEPT_TYPE_MSR, 3, 0);
    case ADD_VP:
        return partition_add_vp(&host->context, child, (vp_index_t){3}, 0);
    }
    return HV_STATUS_SUCCESS;
}

static void each_state_allows_what_the_life_cycle_says(void **state)
{
    static const struct {
        enum partition_state state;
        enum operation operation;
    } refused[] = {
        {PARTITION_UNINITIALIZED, FINALIZE},
        {PARTITION_UNINITIALIZED, PROPERTY},
        {PARTITION_UNINITIALIZED, INTERCEPT},
        {PARTITION_UNINITIALIZED, ADD_VP},
        {PARTITION_ACTIVE, INITIALIZE},
        {PARTITION_ACTIVE, DELETE},
        {PARTITION_FINALIZING, INITIALIZE},
        {PARTITION_FINALIZING, DELETE},
        {PARTITION_FINALIZING, PROPERTY},
        {PARTITION_FINALIZING, INTERCEPT},
        {PARTITION_FINALIZING, ADD_VP},
        {PARTITION_FINALIZED, INITIALIZE},
        {PARTITION_FINALIZED, FINALIZE},
        {PARTITION_FINALIZED, PROPERTY},
        {PARTITION_FINALIZED, INTERCEPT},
        {PARTITION_FINALIZED, ADD_VP},
    };
    struct small_host *host = *state;
    struct hv_partition *child = small_host_child(host);

    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        child->state = refused[i].state;
        if (operate(host, child, refused[i].operation) !=
            HV_STATUS_INVALID_PARTITION_STATE)
            fail_msg("operation %d while %s", refused[i].operation,
                     partition_state_name(refused[i].state));
    }
    child->state = PARTITION_UNINITIALIZED;
}

static void a_life_ends_with_all_pages_given_back(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_child_with_vp(host);
    spa_t page;

    gpa_space_map(&child->gpa, gpa(0x123000), spa(0), false, GPA_MAP_ALL);
    assert_int_equal(partition_finalize(&host->context, child),
                     HV_STATUS_SUCCESS);
    assert_int_equal(child->state, PARTITION_FINALIZED);
    assert_int_equal(child->vp_count, 0);
    assert_int_equal(memory_pool_in_use(child->pool), 0);
    assert_int_equal(memory_pool_available(child->pool), 32);
    assert_int_equal(partition_delete(&host->context, child),
                     HV_STATUS_OPERATION_DENIED);
    while (memory_pool_withdraw(host->hv, child->pool, &page))
        ;
    assert_int_equal(partition_delete(&host->context, child),
                     HV_STATUS_SUCCESS);
    assert_int_equal(host->hv->partition_count, 1);
}

/* Puts VP 0 on an LP, as the run loop does. */
static void run_vp(struct small_host *host, struct hv_vp *vp,
                   struct hv_lp **out)
{
    struct hv_context context = host->context;

    vp->explicit_suspend = false;
    vp_reconsider(&context, vp);
    assert_int_equal(vp->state, VP_READY);
    for (uint32_t i = 0; i < host->hv->lp_count; i++) {
        struct hv_lp *lp = &host->hv->lps[i];

        context.lp = lp;
        lp->now = cycles(2000);
        if (lp_dispatch(&context)) {
            lp_start(&context);
            *out = lp;
        }
    }
    assert_int_equal(vp->state, VP_RUNNING);
}

static void finalising_waits_for_a_vp_to_leave_its_lp(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_child_with_vp(host);
    struct hv_lp *lp = NULL;

    run_vp(host, child->vps[0], &lp);
    assert_int_equal(partition_finalize(&host->context, child),
                     HV_STATUS_CALL_PENDING);
    assert_int_equal(child->state, PARTITION_FINALIZING);
    assert_int_equal(child->vp_count, 1);

    struct hv_context context = host->context;

    context.lp = lp;
    lp_undispatch(&context);
    assert_int_equal(partition_finalize(&host->context, child),
                     HV_STATUS_SUCCESS);
    assert_int_equal(child->vp_count, 0);
}

static void a_host_can_end_while_vps_run(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_child_with_vp(host);
    struct hv_lp *lp = NULL;

    run_vp(host, child->vps[0], &lp);
    assert_ptr_equal(lp->vp, child->vps[0]);
    /* The teardown is the test. */
}

static void vps_are_added_and_removed(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_active_child(host);
    uint64_t in_use = memory_pool_in_use(child->pool);
    struct hv_lp *lp = NULL;
    spa_t page;

    assert_int_equal(
        partition_add_vp(&host->context, child, (vp_index_t){5}, 0),
        HV_STATUS_SUCCESS);
    assert_int_equal(memory_pool_in_use(child->pool), in_use + 1);
    assert_true(child->vps[5]->explicit_suspend);
    assert_int_equal(child->vps[5]->apic_id, 5);
    assert_int_equal(
        partition_add_vp(&host->context, child, (vp_index_t){5}, 0),
        HV_STATUS_INVALID_VP_INDEX);
    assert_int_equal(partition_add_vp(&host->context, child,
                                      (vp_index_t){PARTITION_VP_COUNT_MAX}, 0),
                     HV_STATUS_INVALID_VP_INDEX);
    assert_int_equal(partition_remove_vp(&host->context, child->vps[5]),
                     HV_STATUS_SUCCESS);
    assert_int_equal(memory_pool_in_use(child->pool), in_use);

    partition_add_vp(&host->context, child, (vp_index_t){0}, 0);
    run_vp(host, child->vps[0], &lp);
    assert_int_equal(partition_remove_vp(&host->context, child->vps[0]),
                     HV_STATUS_INVALID_VP_STATE);
    assert_true(child->vps[0]->explicit_suspend);
    assert_int_equal(partition_remove_vp(&host->context, host->root_vp),
                     HV_STATUS_OPERATION_DENIED);

    while (memory_pool_take(host->hv, child->pool, &page))
        ;
    assert_int_equal(
        partition_add_vp(&host->context, child, (vp_index_t){1}, 0),
        HV_STATUS_INSUFFICIENT_MEMORY);
}

static void properties_have_ranges(void **state)
{
    static const struct {
        uint32_t code;
        uint64_t value;
        enum hv_status status;
    } cases[] = {
        {0x12345, 0, HV_STATUS_UNKNOWN_PROPERTY},
        {PARTITION_PROPERTY_CPU_WEIGHT, 0,
         HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE},
        {PARTITION_PROPERTY_CPU_WEIGHT, 1, HV_STATUS_SUCCESS},
        {PARTITION_PROPERTY_CPU_WEIGHT, 10000, HV_STATUS_SUCCESS},
        {PARTITION_PROPERTY_CPU_WEIGHT, 10001,
         HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE},
        {PARTITION_PROPERTY_CPU_CAP, 0x10001,
         HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE},
        {PARTITION_PROPERTY_CPU_CAP, 0x8000, HV_STATUS_SUCCESS},
        {PARTITION_PROPERTY_CPU_RESERVE, 0x8001,
         HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE},
        {PARTITION_PROPERTY_CPU_RESERVE, 0x8000, HV_STATUS_SUCCESS},
        {PARTITION_PROPERTY_CPU_CAP, 0x7fff,
         HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE},
        {PARTITION_PROPERTY_CPU_RESERVE, UINT64_MAX,
         HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE},
        {PARTITION_PROPERTY_SUSPEND, 2, HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE},
        {PARTITION_PROPERTY_SUSPEND, 1, HV_STATUS_SUCCESS},
        {PARTITION_PROPERTY_PRIVILEGES, PRIVILEGE(60),
         HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE},
        {PARTITION_PROPERTY_PRIVILEGES, PRIVILEGE_CPU_MANAGEMENT,
         HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE},
        {PARTITION_PROPERTY_PRIVILEGES,
         PRIVILEGES_KNOWN & ~PRIVILEGE_CPU_MANAGEMENT, HV_STATUS_SUCCESS},
        {PARTITION_PROPERTY_PRIVILEGES, PRIVILEGE(5), HV_STATUS_SUCCESS},
        {PARTITION_PROPERTY_SYNTHETIC_FEATURES, FEATURE(1),
         HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE},
        {PARTITION_PROPERTY_SYNTHETIC_FEATURES, 0, HV_STATUS_SUCCESS},
    };
    struct small_host *host = *state;
    struct hv_partition *child = small_host_active_child(host);
    const struct hv_sched_ops *ops = host->hv->sched.ops;
    struct hv_sched_ops heeding = *ops;

    heeding.flags = SCHED_WEIGHTS | SCHED_RESERVES | SCHED_LIMITS;
    host->hv->sched.ops = &heeding;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t value;
        enum hv_status status = partition_set_property(
            &host->context, child, cases[i].code, cases[i].value);

        if (status != cases[i].status)
            fail_msg("%#x = %#llx: %s", cases[i].code,
                     (unsigned long long)cases[i].value,
                     hv_status_name(status));
        if (status != HV_STATUS_SUCCESS)
            continue;
        assert_int_equal(partition_get_property(child, cases[i].code, &value),
                         HV_STATUS_SUCCESS);
        assert_int_equal(value, cases[i].value);
    }
    host->hv->sched.ops = ops;
}

static void privileges_are_fixed_once_there_is_a_vp(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_child_with_vp(host);

    assert_int_equal(partition_set_property(&host->context, child,
                                            PARTITION_PROPERTY_PRIVILEGES, 0),
                     HV_STATUS_INVALID_PARTITION_STATE);
}

static void no_privilege_exceeds_the_parents(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_active_child(host);

    host->hv->root->privileges &= ~PRIVILEGE_ACCESS_RESET;
    assert_int_equal(partition_set_property(&host->context, child,
                                            PARTITION_PROPERTY_PRIVILEGES,
                                            PRIVILEGE_ACCESS_RESET),
                     HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE);
}

static void suspending_a_partition_stops_its_vps(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_child_with_vp(host);
    struct hv_vp *vp = child->vps[0];

    vp->explicit_suspend = false;
    vp_reconsider(&host->context, vp);
    assert_int_equal(vp->state, VP_READY);
    partition_set_property(&host->context, child, PARTITION_PROPERTY_SUSPEND,
                           1);
    assert_int_equal(vp->state, VP_SUSPENDED);
    partition_set_property(&host->context, child, PARTITION_PROPERTY_SUSPEND,
                           0);
    assert_int_equal(vp->state, VP_READY);
}

static void intercepts_are_checked_by_type(void **state)
{
    static const struct {
        uint32_t type, access;
        uint64_t parameter;
        enum hv_status status;
    } cases[] = {
        {INTERCEPT_TYPE_IO_PORT, 3, 0x3f8, HV_STATUS_SUCCESS},
        {INTERCEPT_TYPE_IO_PORT, 3, 0xffff, HV_STATUS_SUCCESS},
        {INTERCEPT_TYPE_IO_PORT, 1, 0x3f8, HV_STATUS_INVALID_PARAMETER},
        {INTERCEPT_TYPE_IO_PORT, 7, 0x3f8, HV_STATUS_INVALID_PARAMETER},
        {INTERCEPT_TYPE_IO_PORT, 3, 0x10000, HV_STATUS_INVALID_PARAMETER},
        {INTERCEPT_TYPE_MSR, 3, 0, HV_STATUS_SUCCESS},
        {INTERCEPT_TYPE_MSR, 2, 0, HV_STATUS_INVALID_PARAMETER},
        {INTERCEPT_TYPE_MSR, 3, 1, HV_STATUS_INVALID_PARAMETER},
        {INTERCEPT_TYPE_CPUID, 4, 0x80000001, HV_STATUS_SUCCESS},
        {INTERCEPT_TYPE_CPUID, 1, 0, HV_STATUS_INVALID_PARAMETER},
        {INTERCEPT_TYPE_CPUID, 4, UINT64_C(1) << 32,
         HV_STATUS_INVALID_PARAMETER},
        {INTERCEPT_TYPE_EXCEPTION, 4, 13, HV_STATUS_SUCCESS},
        {INTERCEPT_TYPE_EXCEPTION, 4, 32, HV_STATUS_INVALID_PARAMETER},
        {INTERCEPT_TYPE_EXCEPTION, 3, 13, HV_STATUS_INVALID_PARAMETER},
        {4, 3, 0, HV_STATUS_INVALID_PARAMETER},
        {UINT32_MAX, 3, 0, HV_STATUS_INVALID_PARAMETER},
        {INTERCEPT_TYPE_IO_PORT, 0, 0x60, HV_STATUS_SUCCESS},
    };
    struct small_host *host = *state;
    struct hv_partition *child = small_host_active_child(host);

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
        assert_int_equal(partition_install_intercept(child, cases[i].type,
                                                     cases[i].access,
                                                     cases[i].parameter),
                         cases[i].status);
    assert_int_equal(
        partition_intercept_access(child, INTERCEPT_TYPE_IO_PORT, 0x3f8), 3);
    assert_int_equal(
        partition_intercept_access(child, INTERCEPT_TYPE_IO_PORT, 0x3f9), 0);
}

static void an_intercept_is_removed_by_no_access(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_active_child(host);

    for (uint32_t i = 0; i < PARTITION_INTERCEPT_COUNT_MAX; i++)
        assert_int_equal(
            partition_install_intercept(child, INTERCEPT_TYPE_IO_PORT, 3, i),
            HV_STATUS_SUCCESS);
    assert_int_equal(
        partition_install_intercept(child, INTERCEPT_TYPE_IO_PORT, 3, 100),
        HV_STATUS_NO_RESOURCES);
    assert_int_equal(
        partition_install_intercept(child, INTERCEPT_TYPE_IO_PORT, 3, 7),
        HV_STATUS_SUCCESS);
    partition_install_intercept(child, INTERCEPT_TYPE_IO_PORT, 0, 7);
    assert_int_equal(
        partition_intercept_access(child, INTERCEPT_TYPE_IO_PORT, 7), 0);
    assert_int_equal(
        partition_install_intercept(child, INTERCEPT_TYPE_IO_PORT, 3, 100),
        HV_STATUS_SUCCESS);
}

static void engines_learn_which_exceptions_matter(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_child_with_vp(host);

    partition_install_intercept(child, INTERCEPT_TYPE_EXCEPTION, 4, 3);
    partition_install_intercept(child, INTERCEPT_TYPE_EXCEPTION, 4, 31);
    assert_int_equal(child->vps[0]->engine->intercepted_vectors, 0x80000008);
    partition_add_vp(&host->context, child, (vp_index_t){1}, 0);
    assert_int_equal(child->vps[1]->engine->intercepted_vectors, 0x80000008);
    partition_install_intercept(child, INTERCEPT_TYPE_EXCEPTION, 0, 3);
    assert_int_equal(child->vps[0]->engine->intercepted_vectors, 0x80000000);
}

#define T(name)                                                                \
    cmocka_unit_test_setup_teardown(name, small_host_setup, small_host_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_root_maps_all_memory_but_the_hypervisors),
        T(the_roots_pool_covers_the_tables_for_4_kib_mappings),
        T(ids_are_never_used_again),
        T(creating_takes_a_page_of_the_parents_pool),
        T(a_new_partition_has_the_default_privileges),
        T(initialising_needs_a_page_in_the_childs_pool),
        T(each_state_allows_what_the_life_cycle_says),
        T(a_life_ends_with_all_pages_given_back),
        T(finalising_waits_for_a_vp_to_leave_its_lp),
        T(a_host_can_end_while_vps_run),
        T(vps_are_added_and_removed),
        T(properties_have_ranges),
        T(privileges_are_fixed_once_there_is_a_vp),
        T(no_privilege_exceeds_the_parents),
        T(suspending_a_partition_stops_its_vps),
        T(intercepts_are_checked_by_type),
        T(an_intercept_is_removed_by_no_access),
        T(engines_learn_which_exceptions_matter),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
