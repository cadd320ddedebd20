/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Calls that only models make: who may, and what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/hypervisor/small_host.h"

static uint16_t call(struct small_host *host, struct hypercall_direct direct)
{
    struct hypercall call = {.direct = &direct};

    assert_int_equal(hypercall_dispatch(&host->context, &call), HYPERCALL_DONE);
    return hypercall_status(call.result);
}

static void each_call_says_what_is_wrong(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *active = small_host_active_child(host);
    struct hv_partition *inactive = small_host_child(host);
    struct lp_set one = lp_set_first_of(1);
    const struct {
        struct hypercall_direct call;
        uint16_t status;
    } cases[] = {
        {{HYPERCALL_CREATE_CPU_GROUP, .id = 0}, HV_STATUS_INVALID_CPU_GROUP_ID},
        {{HYPERCALL_CREATE_CPU_GROUP, .id = 4}, HV_STATUS_SUCCESS},
        {{HYPERCALL_CREATE_CPU_GROUP, .id = 4}, HV_STATUS_INVALID_CPU_GROUP_ID},
        {{HYPERCALL_SET_CPU_GROUP_CAP, .id = 5, .cap = 1},
         HV_STATUS_INVALID_CPU_GROUP_ID},
        {{HYPERCALL_SET_CPU_GROUP_CAP, .id = 4, .cap = 0x10001},
         HV_STATUS_INVALID_PARAMETER},
        {{HYPERCALL_SET_CPU_GROUP_CAP, .id = 4, .cap = 0x10000},
         HV_STATUS_SUCCESS},
        {{HYPERCALL_SET_CPU_GROUP_LPS, .id = 5, .lps = one},
         HV_STATUS_INVALID_CPU_GROUP_ID},
        {{HYPERCALL_SET_CPU_GROUP_LPS, .id = 4}, HV_STATUS_INVALID_PARAMETER},
        {{HYPERCALL_SET_CPU_GROUP_LPS, .id = 4, .lps = one}, HV_STATUS_SUCCESS},
        {{HYPERCALL_SET_AFFINITY, .id = 99, .lps = one},
         HV_STATUS_INVALID_PARTITION_ID},
        {{HYPERCALL_SET_AFFINITY, .id = host->hv->root->id.v, .lps = one},
         HV_STATUS_ACCESS_DENIED},
        {{HYPERCALL_SET_AFFINITY, .id = inactive->id.v, .lps = one},
         HV_STATUS_INVALID_PARTITION_STATE},
        {{HYPERCALL_SET_AFFINITY, .id = active->id.v},
         HV_STATUS_INVALID_PARAMETER},
        {{HYPERCALL_SET_AFFINITY, .id = active->id.v, .lps = one},
         HV_STATUS_SUCCESS},
        {{HYPERCALL_DELETE_CPU_GROUP, .id = 5}, HV_STATUS_INVALID_CPU_GROUP_ID},
        {{HYPERCALL_DELETE_CPU_GROUP, .id = 4}, HV_STATUS_SUCCESS},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint16_t status = call(host, cases[i].call);

        if (status != cases[i].status)
            fail_msg("case %zu: %s", i, hv_status_name(status));
    }
}

static void groups_are_for_who_manages_processors(void **state)
{
    struct small_host *host = *state;

    host->hv->root->privileges &= ~PRIVILEGE_CPU_MANAGEMENT;
    for (unsigned code = HYPERCALL_CREATE_CPU_GROUP;
         code <= HYPERCALL_SET_CPU_GROUP_LPS; code++)
        assert_int_equal(
            call(host,
                 (struct hypercall_direct){
                     .code = (enum hypercall_direct_code)code, .id = 1}),
            HV_STATUS_ACCESS_DENIED);
    assert_null(host->hv->groups);
    host->hv->root->privileges |= PRIVILEGE_CPU_MANAGEMENT;
}

/* Refused ones too. */
static void calls_are_priced_and_counted(void **state)
{
    struct small_host *host = *state;
    const struct hypercall_direct group = {HYPERCALL_CREATE_CPU_GROUP, .id = 1};
    const struct hypercall_direct nobody = {HYPERCALL_SET_AFFINITY, .id = 99};
    const uint64_t *cell = host->root_vp->counters.cell;

    call(host, group);
    call(host, group);
    call(host, nobody);
    assert_int_equal(cost_count(&host->bill, COST_HYPERCALL_BODY), 3);
    assert_int_equal(cell[PC_VP_CPU_GROUP_HYPERCALLS], 2);
    assert_int_equal(cell[PC_VP_VIRTUAL_PROCESSOR_HYPERCALLS], 1);
}

#define T(name)                                                                \
    cmocka_unit_test_setup_teardown(name, small_host_setup, small_host_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(each_call_says_what_is_wrong),
        T(groups_are_for_who_manages_processors),
        T(calls_are_priced_and_counted),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
