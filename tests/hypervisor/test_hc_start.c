/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starting a processor by hypercall, and finding it by its APIC id. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/hypervisor/fake_engine.h"
#include "tests/hypervisor/small_host.h"

#define PAT UINT64_C(0x0606060606060606)

static struct small_host host;
static struct hv_partition *child;
static struct hv_vp *second;

/* Calls are made by the child's first processor. */
static int setup(void **state)
{
    (void)state;
    small_host_create(&host);
    child = small_host_child_with_vp(&host);
    assert_int_equal(partition_add_vp(&host.context, child, (vp_index_t){1}, 0),
                     HV_STATUS_SUCCESS);
    second = child->vps[1];
    second->explicit_suspend = false;
    vp_reconsider(&host.context, second);
    assert_int_equal(second->state, VP_WAIT_FOR_SIPI);
    host.context.vp = child->vps[0];
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    host.context.vp = host.root_vp;
    small_host_destroy(&host);
    return 0;
}

static struct hv_input_start_vp long_mode(void)
{
    return (struct hv_input_start_vp){
        .partition_id = PARTITION_ID_SELF,
        .vp_index = 1,
        .context = {.rip = 0x123000,
                    .rsp = 0x9000,
                    .rflags = 2,
                    .cs = {.selector = 0x10, .attributes = 0xa09b},
                    .ss = {.selector = 0x18, .attributes = 0xc093},
                    .tr = {.limit = 0x67, .attributes = 0x8b},
                    .gdtr = {.limit = 0x1f, .base = 0x4000},
                    .efer = EFER_LME | EFER_LMA,
                    .cr0 = CR0_PE | CR0_PG | CR0_ET,
                    .cr3 = 0x1000,
                    .cr4 = CR4_PAE,
                    .pat = PAT}};
}

static uint16_t start(const struct hv_input_start_vp *input)
{
    return hypercall_status(small_host_call(
        &host, HVCALL_START_VIRTUAL_PROCESSOR, input, sizeof(*input), NULL, 0));
}

static void a_processor_starts_in_the_state_it_is_given(void **state)
{
    const struct hv_input_start_vp input = long_mode();
    const struct x86_state *x86 = &second->engine->state;

    (void)state;
    assert_int_equal(start(&input), HV_STATUS_SUCCESS);
    assert_int_equal(second->state, VP_READY);
    assert_int_equal(x86->rip, 0x123000);
    assert_int_equal(x86->gpr[X86_RSP], 0x9000);
    assert_int_equal(x86->segment[X86_CS].attributes, 0xa09b);
    assert_int_equal(x86->segment[X86_SS].selector, 0x18);
    assert_int_equal(x86->tr.limit, 0x67);
    assert_int_equal(x86->gdtr.base, 0x4000);
    assert_int_equal(x86->gdtr.limit, 0x1f);
    assert_int_equal(x86->cr3, 0x1000);
    assert_int_equal(second->msrs.pat, PAT);
    /* It has started. */
    assert_int_equal(start(&input), HV_STATUS_INVALID_VP_STATE);
}

static void what_cannot_be_started_is_left_as_it_is(void **state)
{
    struct hv_input_start_vp input = long_mode();
    struct x86_state before = second->engine->state;

    (void)state;
    input.vp_index = 2;
    assert_int_equal(start(&input), HV_STATUS_INVALID_VP_INDEX);
    input.vp_index = 0; /* it runs */
    assert_int_equal(start(&input), HV_STATUS_INVALID_VP_STATE);
    input = long_mode();
    input.vtl = 1;
    assert_int_equal(start(&input), HV_STATUS_INVALID_VTL_STATE);
    input = long_mode();
    input.reserved[1] = 1;
    assert_int_equal(start(&input), HV_STATUS_INVALID_PARAMETER);
    input = long_mode();
    input.context.cr4 = UINT64_MAX;
    assert_int_equal(start(&input), HV_STATUS_INVALID_REGISTER_VALUE);
    input = long_mode();
    input.context.pat = UINT64_MAX;
    assert_int_equal(start(&input), HV_STATUS_INVALID_REGISTER_VALUE);
    assert_int_equal(second->state, VP_WAIT_FOR_SIPI);
    assert_memory_equal(&second->engine->state, &before, sizeof(before));
    assert_true(second->msrs.pat != PAT);
}

static void starting_needs_the_privilege_but_not_of_the_parent(void **state)
{
    struct hv_input_start_vp input = long_mode();

    (void)state;
    child->privileges &= ~PRIVILEGE_START_VIRTUAL_PROCESSOR;
    assert_int_equal(start(&input), HV_STATUS_ACCESS_DENIED);
    host.context.vp = host.root_vp;
    input.partition_id = child->id.v;
    assert_int_equal(start(&input), HV_STATUS_SUCCESS);
}

static void apic_ids_are_found(void **state)
{
    struct hv_input_vp_index_from_apic_id input = {.partition_id =
                                                       PARTITION_ID_SELF};
    const uint32_t ids[] = {1, 0, 7, 1};
    uint32_t indices[4] = {9, 9, 9, 9};
    uint64_t result;

    (void)state;
    result = small_host_call(&host,
                             hypercall_rep(HVCALL_GET_VP_INDEX_FROM_APIC_ID, 4),
                             &input, sizeof(input), ids, sizeof(ids));
    assert_int_equal(hypercall_status(result), HV_STATUS_INVALID_PARAMETER);
    assert_int_equal(hypercall_reps_done(result), 2);
    small_host_peek(&host, SMALL_HOST_OUTPUT, indices, sizeof(indices));
    assert_int_equal(indices[0], 1);
    assert_int_equal(indices[1], 0);

    result = small_host_call(&host,
                             hypercall_rep(HVCALL_GET_VP_INDEX_FROM_APIC_ID, 2),
                             &input, sizeof(input), ids, 8);
    assert_int_equal(hypercall_status(result), HV_STATUS_SUCCESS);
    input.reserved[6] = 1;
    result = small_host_call(&host,
                             hypercall_rep(HVCALL_GET_VP_INDEX_FROM_APIC_ID, 2),
                             &input, sizeof(input), ids, 8);
    assert_int_equal(hypercall_status(result), HV_STATUS_INVALID_PARAMETER);
    input.reserved[6] = 0;
    child->privileges &= ~PRIVILEGE_START_VIRTUAL_PROCESSOR;
    result = small_host_call(&host,
                             hypercall_rep(HVCALL_GET_VP_INDEX_FROM_APIC_ID, 2),
                             &input, sizeof(input), ids, 8);
    assert_int_equal(hypercall_status(result), HV_STATUS_ACCESS_DENIED);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_processor_starts_in_the_state_it_is_given),
        T(what_cannot_be_started_is_left_as_it_is),
        T(starting_needs_the_privilege_but_not_of_the_parent),
        T(apic_ids_are_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
