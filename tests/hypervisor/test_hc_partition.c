/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The calls about partitions, as their parent and as others. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "hypervisor/intercept.h"
#include "tests/hypervisor/small_host.h"

static uint16_t call(struct small_host *host, enum hypercall_code code,
                     const void *input, size_t bytes)
{
    return hypercall_status(small_host_call(host, code, input, bytes, NULL, 0));
}

static uint64_t output64(struct small_host *host)
{
    uint64_t value;

    small_host_peek(host, SMALL_HOST_OUTPUT, &value, sizeof(value));
    return value;
}

static void a_partition_lives_and_dies_by_hypercalls(void **state)
{
    struct small_host *host = *state;
    struct hv_input_create_partition create = {0};
    struct hv_input_partition target;

    assert_int_equal(
        call(host, HVCALL_CREATE_PARTITION, &create, sizeof(create)),
        HV_STATUS_SUCCESS);
    target.partition_id = output64(host);
    assert_int_equal(target.partition_id, 2);
    assert_int_equal(
        call(host, HVCALL_INITIALIZE_PARTITION, &target, sizeof(target)),
        HV_STATUS_INSUFFICIENT_MEMORY);
    small_host_deposit(host, target.partition_id, 0x600, 1);
    assert_int_equal(
        call(host, HVCALL_INITIALIZE_PARTITION, &target, sizeof(target)),
        HV_STATUS_SUCCESS);
    assert_int_equal(
        call(host, HVCALL_INITIALIZE_PARTITION, &target, sizeof(target)),
        HV_STATUS_INVALID_PARTITION_STATE);
    assert_int_equal(
        call(host, HVCALL_FINALIZE_PARTITION, &target, sizeof(target)),
        HV_STATUS_SUCCESS);
    assert_int_equal(
        call(host, HVCALL_DELETE_PARTITION, &target, sizeof(target)),
        HV_STATUS_OPERATION_DENIED); /* its pool is not empty */

    struct hv_input_withdraw_memory withdraw = {target.partition_id, {0, 0}};

    assert_int_equal(small_host_call(host,
                                     hypercall_rep(HVCALL_WITHDRAW_MEMORY, 1),
                                     &withdraw, sizeof(withdraw), NULL, 0),
                     UINT64_C(1) << HYPERCALL_REP_COUNT_SHIFT);
    assert_int_equal(output64(host), 0x600);
    assert_int_equal(
        call(host, HVCALL_DELETE_PARTITION, &target, sizeof(target)),
        HV_STATUS_SUCCESS);
    assert_int_equal(
        call(host, HVCALL_DELETE_PARTITION, &target, sizeof(target)),
        HV_STATUS_INVALID_PARTITION_ID);
}

static void creation_is_refused_what_it_cannot_give(void **state)
{
    static const struct {
        const char *what;
        struct hv_input_create_partition input;
        uint16_t status;
    } cases[] = {
        {"a flag", {.flags = 1 << 13}, HV_STATUS_INVALID_PARAMETER},
        {"padding", {.padding = 1}, HV_STATUS_INVALID_PARAMETER},
        {"reserved", {.reserved = 1}, HV_STATUS_INVALID_PARAMETER},
        {"a disabled feature",
         {.disabled_processor_features = {0, 1}},
         HV_STATUS_INVALID_PARAMETER},
        {"disabled XSAVE",
         {.disabled_xsave_features = 1},
         HV_STATUS_INVALID_PARAMETER},
        {"proximity flags", {.proximity = {0, 2}}, HV_STATUS_INVALID_PARAMETER},
        {"a node that is not there",
         {.proximity = {1, HV_PROXIMITY_VALID}},
         HV_STATUS_INVALID_PROXIMITY_DOMAIN_INFO},
        {"a node that does not count",
         {.proximity = {9, 0}},
         HV_STATUS_SUCCESS},
        {"a node", {.proximity = {0, HV_PROXIMITY_VALID}}, HV_STATUS_SUCCESS},
    };
    struct small_host *host = *state;

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint16_t status = call(host, HVCALL_CREATE_PARTITION, &cases[i].input,
                               sizeof(cases[i].input));

        if (status != cases[i].status)
            fail_msg("%s: %s", cases[i].what, hv_status_name(status));
    }
}

/* Who may: nobody for a partition that is not there, the parent for its
 * children, and not a partition for itself or its parent. */
static void each_call_wants_a_child(void **state)
{
    static const struct {
        enum hypercall_code code;
        uint32_t bytes;
        uint32_t reps;
    } calls[] = {
        {HVCALL_INITIALIZE_PARTITION, 8, 0},
        {HVCALL_FINALIZE_PARTITION, 8, 0},
        {HVCALL_DELETE_PARTITION, 8, 0},
        {HVCALL_SET_PARTITION_PROPERTY, 24, 0},
        {HVCALL_MAP_GPA_PAGES, 24, 1},
        {HVCALL_MAP_SPARSE_GPA_PAGES, 16, 1},
        {HVCALL_UNMAP_GPA_PAGES, 24, 1},
        {HVCALL_INSTALL_INTERCEPT, 24, 0},
        {HVCALL_CREATE_VP, 40, 0},
        {HVCALL_DELETE_VP, 16, 0},
        {HVCALL_READ_GPA, 32, 0},
        {HVCALL_WRITE_GPA, 48, 0},
        {HVCALL_ASSERT_VIRTUAL_INTERRUPT, 32, 0},
    };
    struct small_host *host = *state;

    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        uint64_t control = hypercall_rep(calls[i].code, calls[i].reps);
        uint64_t input[6] = {777};

        assert_int_equal(hypercall_status(small_host_call(
                             host, control, input, calls[i].bytes, NULL, 0)),
                         HV_STATUS_INVALID_PARTITION_ID);
        input[0] = 0;
        assert_int_equal(hypercall_status(small_host_call(
                             host, control, input, calls[i].bytes, NULL, 0)),
                         HV_STATUS_INVALID_PARTITION_ID);
        input[0] = PARTITION_ID_SELF;
        assert_int_equal(hypercall_status(small_host_call(
                             host, control, input, calls[i].bytes, NULL, 0)),
                         HV_STATUS_ACCESS_DENIED);
        input[0] = host->hv->root->id.v;
        assert_int_equal(hypercall_status(small_host_call(
                             host, control, input, calls[i].bytes, NULL, 0)),
                         HV_STATUS_ACCESS_DENIED);
    }
}

static void properties_are_the_parents_to_set_and_both_to_get(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_active_child(host);
    struct hv_input_set_partition_property set = {
        .partition_id = child->id.v,
        .code = PARTITION_PROPERTY_CPU_CAP,
        .value = 0x8000,
    };
    struct hv_input_get_partition_property get = {
        .partition_id = child->id.v,
        .code = PARTITION_PROPERTY_CPU_CAP,
    };

    assert_int_equal(
        call(host, HVCALL_SET_PARTITION_PROPERTY, &set, sizeof(set)),
        HV_STATUS_SUCCESS);
    assert_int_equal(
        call(host, HVCALL_GET_PARTITION_PROPERTY, &get, sizeof(get)),
        HV_STATUS_SUCCESS);
    assert_int_equal(output64(host), 0x8000);

    set.value = 0x10001;
    assert_int_equal(
        call(host, HVCALL_SET_PARTITION_PROPERTY, &set, sizeof(set)),
        HV_STATUS_PROPERTY_VALUE_OUT_OF_RANGE);
    set.padding = 1;
    assert_int_equal(
        call(host, HVCALL_SET_PARTITION_PROPERTY, &set, sizeof(set)),
        HV_STATUS_INVALID_PARAMETER);
    get.code = 0x999;
    assert_int_equal(
        call(host, HVCALL_GET_PARTITION_PROPERTY, &get, sizeof(get)),
        HV_STATUS_UNKNOWN_PROPERTY);
    get.padding = 1;
    assert_int_equal(
        call(host, HVCALL_GET_PARTITION_PROPERTY, &get, sizeof(get)),
        HV_STATUS_INVALID_PARAMETER);
    get = (struct hv_input_get_partition_property){
        PARTITION_ID_SELF, PARTITION_PROPERTY_PRIVILEGES, 0};
    assert_int_equal(
        call(host, HVCALL_GET_PARTITION_PROPERTY, &get, sizeof(get)),
        HV_STATUS_SUCCESS);
    assert_int_equal(output64(host), PRIVILEGES_KNOWN);
}

static void children_are_listed_in_order(void **state)
{
    struct small_host *host = *state;
    struct hv_input_get_next_child input = {PARTITION_ID_SELF, 0};
    struct hv_partition *gone;

    assert_int_equal(
        call(host, HVCALL_GET_NEXT_CHILD_PARTITION, &input, sizeof(input)),
        HV_STATUS_SUCCESS);
    assert_int_equal(output64(host), 0);
    small_host_child(host);
    gone = small_host_child(host);
    small_host_child(host);
    partition_delete(&host->context, gone);
    for (uint64_t expected = 2; expected != 0;
         expected = expected == 2 ? 4 : 0) {
        call(host, HVCALL_GET_NEXT_CHILD_PARTITION, &input, sizeof(input));
        assert_int_equal(output64(host), expected);
        input.previous_id = expected;
    }
    assert_int_equal(
        call(host, HVCALL_GET_NEXT_CHILD_PARTITION, &input, sizeof(input)),
        HV_STATUS_SUCCESS);
    assert_int_equal(output64(host), 0);
    input.previous_id = 3;
    assert_int_equal(
        call(host, HVCALL_GET_NEXT_CHILD_PARTITION, &input, sizeof(input)),
        HV_STATUS_INVALID_PARTITION_ID);
    input.parent_id = 55;
    assert_int_equal(
        call(host, HVCALL_GET_NEXT_CHILD_PARTITION, &input, sizeof(input)),
        HV_STATUS_INVALID_PARTITION_ID);
}

static void a_partition_learns_its_id(void **state)
{
    struct small_host *host = *state;

    assert_int_equal(call(host, HVCALL_GET_PARTITION_ID, NULL, 0),
                     HV_STATUS_SUCCESS);
    assert_int_equal(output64(host), host->hv->root->id.v);
}

static void intercepts_are_installed(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_active_child(host);
    struct hv_input_install_intercept input = {
        .partition_id = child->id.v,
        .access = 3,
        .type = INTERCEPT_TYPE_IO_PORT,
        .parameter = 0x3f8,
    };

    assert_int_equal(
        call(host, HVCALL_INSTALL_INTERCEPT, &input, sizeof(input)),
        HV_STATUS_SUCCESS);
    assert_int_equal(
        partition_intercept_access(child, INTERCEPT_TYPE_IO_PORT, 0x3f8), 3);
    input.access = 2;
    assert_int_equal(
        call(host, HVCALL_INSTALL_INTERCEPT, &input, sizeof(input)),
        HV_STATUS_INVALID_PARAMETER);
    partition_finalize(&host->context, child);
    input.access = 3;
    assert_int_equal(
        call(host, HVCALL_INSTALL_INTERCEPT, &input, sizeof(input)),
        HV_STATUS_INVALID_PARTITION_STATE);
}

#define T(name)                                                                \
    cmocka_unit_test_setup_teardown(name, small_host_setup, small_host_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_partition_lives_and_dies_by_hypercalls),
        T(creation_is_refused_what_it_cannot_give),
        T(each_call_wants_a_child),
        T(properties_are_the_parents_to_set_and_both_to_get),
        T(children_are_listed_in_order),
        T(a_partition_learns_its_id),
        T(intercepts_are_installed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
