/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The calls about virtual processors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hypervisor/vp_registers.h"
#include "tests/hypervisor/fake_engine.h"
#include "tests/hypervisor/small_host.h"

#define REPS(n) ((uint64_t)(n) << HYPERCALL_REP_COUNT_SHIFT)

static uint16_t call(struct small_host *host, enum hypercall_code code,
                     const void *input, size_t bytes)
{
    return hypercall_status(small_host_call(host, code, input, bytes, NULL, 0));
}

static void vps_are_created_suspended(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_active_child(host);
    struct hv_input_create_vp input = {.partition_id = child->id.v,
                                       .vp_index = 1};

    assert_int_equal(call(host, HVCALL_CREATE_VP, &input, sizeof(input)),
                     HV_STATUS_SUCCESS);
    assert_int_equal(child->vps[1]->state, VP_SUSPENDED);
    assert_true(child->vps[1]->explicit_suspend);
    assert_true(child->vps[1]->wait_for_sipi);
    assert_int_equal(child->vp_count, 1);
    assert_int_equal(cost_count(&host->bill, COST_VP_CREATE), 1);
}

static void creating_is_checked(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_child_with_vp(host);
    struct hv_partition *fresh = small_host_child(host);
    uint64_t id = child->id.v;
    const struct {
        const char *what;
        struct hv_input_create_vp input;
        uint16_t status;
    } cases[] = {
        {"no partition", {.partition_id = 99}, HV_STATUS_INVALID_PARTITION_ID},
        {"not active",
         {.partition_id = fresh->id.v},
         HV_STATUS_INVALID_PARTITION_STATE},
        {"reserved",
         {.partition_id = id, .vp_index = 1, .reserved = {0, 0, 1}},
         HV_STATUS_INVALID_PARAMETER},
        {"a subnode",
         {.partition_id = id, .vp_index = 1, .subnode_type = 1},
         HV_STATUS_INVALID_PARAMETER},
        {"a subnode id",
         {.partition_id = id, .vp_index = 1, .subnode_id = 1},
         HV_STATUS_INVALID_PARAMETER},
        {"flags",
         {.partition_id = id, .vp_index = 1, .flags = 1},
         HV_STATUS_INVALID_PARAMETER},
        {"a node that is not there",
         {.partition_id = id,
          .vp_index = 1,
          .proximity = {1, HV_PROXIMITY_VALID}},
         HV_STATUS_INVALID_PROXIMITY_DOMAIN_INFO},
        {"there is one",
         {.partition_id = id, .vp_index = 0},
         HV_STATUS_INVALID_VP_INDEX},
        {"too great",
         {.partition_id = id, .vp_index = PARTITION_VP_COUNT_MAX},
         HV_STATUS_INVALID_VP_INDEX},
        {"much too great",
         {.partition_id = id, .vp_index = UINT32_MAX},
         HV_STATUS_INVALID_VP_INDEX},
        {"the last",
         {.partition_id = id, .vp_index = PARTITION_VP_COUNT_MAX - 1},
         HV_STATUS_SUCCESS},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint16_t status = call(host, HVCALL_CREATE_VP, &cases[i].input,
                               sizeof(cases[i].input));

        if (status != cases[i].status)
            fail_msg("%s: %s", cases[i].what, hv_status_name(status));
    }
}

static void deleting_is_checked(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_child_with_vp(host);
    struct hv_input_delete_vp input = {child->id.v, 1, 0};

    assert_int_equal(call(host, HVCALL_DELETE_VP, &input, sizeof(input)),
                     HV_STATUS_INVALID_VP_INDEX);
    input.vp_index = UINT32_MAX;
    assert_int_equal(call(host, HVCALL_DELETE_VP, &input, sizeof(input)),
                     HV_STATUS_INVALID_VP_INDEX);
    input.vp_index = 0;
    assert_int_equal(call(host, HVCALL_DELETE_VP, &input, sizeof(input)),
                     HV_STATUS_SUCCESS);
    assert_int_equal(child->vp_count, 0);
    assert_int_equal(call(host, HVCALL_DELETE_VP, &input, sizeof(input)),
                     HV_STATUS_INVALID_VP_INDEX);
    input.partition_id = small_host_child(host)->id.v;
    assert_int_equal(call(host, HVCALL_DELETE_VP, &input, sizeof(input)),
                     HV_STATUS_INVALID_PARTITION_STATE);
}

static void registers_are_set_and_got_in_order(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_child_with_vp(host);
    struct hv_input_vp_registers input = {.partition_id = child->id.v,
                                          .vtl = HV_INPUT_VTL_USE};
    struct hv_register_assoc set[] = {
        {.name = HV_REGISTER_RIP, .value = {0x7c00, 0}},
        {.name = HV_REGISTER_RAX + X86_RBX, .value = {0xb, 0}},
        {.name = HV_REGISTER_XMM0 + 15, .value = {1, 2}},
        {.name = HV_REGISTER_RIP, .value = {0x8000, 0}},
    };
    uint32_t names[] = {HV_REGISTER_XMM0 + 15, HV_REGISTER_RAX + X86_RBX,
                        HV_REGISTER_RIP};
    struct hv_register_value values[3];

    assert_int_equal(small_host_call(host,
                                     hypercall_rep(HVCALL_SET_VP_REGISTERS, 4),
                                     &input, sizeof(input), set, sizeof(set)),
                     REPS(4));
    assert_int_equal(child->vps[0]->engine->state.rip, 0x8000);
    assert_int_equal(
        small_host_call(host, hypercall_rep(HVCALL_GET_VP_REGISTERS, 3), &input,
                        sizeof(input), names, sizeof(names)),
        REPS(3));
    small_host_peek(host, SMALL_HOST_OUTPUT, values, sizeof(values));
    assert_int_equal(values[0].low, 1);
    assert_int_equal(values[0].high, 2);
    assert_int_equal(values[1].low, 0xb);
    assert_int_equal(values[2].low, 0x8000);
}

static void what_came_before_a_bad_register_is_set(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_child_with_vp(host);
    struct hv_input_vp_registers input = {.partition_id = child->id.v};
    struct hv_register_assoc set[] = {
        {.name = HV_REGISTER_RIP, .value = {0x7c00, 0}},
        {.name = HV_REGISTER_RFLAGS, .value = {0, 0}}, /* bit 1 is always 1 */
        {.name = HV_REGISTER_RAX, .value = {7, 0}},
    };
    uint32_t names[] = {HV_REGISTER_RIP, 0x7777};

    assert_int_equal(small_host_call(host,
                                     hypercall_rep(HVCALL_SET_VP_REGISTERS, 3),
                                     &input, sizeof(input), set, sizeof(set)),
                     HV_STATUS_INVALID_REGISTER_VALUE | REPS(1));
    assert_int_equal(child->vps[0]->engine->state.rip, 0x7c00);
    assert_int_equal(child->vps[0]->engine->state.gpr[X86_RAX], 0);
    assert_int_equal(
        small_host_call(host, hypercall_rep(HVCALL_GET_VP_REGISTERS, 2), &input,
                        sizeof(input), names, sizeof(names)),
        HV_STATUS_UNKNOWN_REGISTER | REPS(1));
}

static void register_calls_are_checked(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_child_with_vp(host);
    struct hv_partition *fresh = small_host_child(host);
    uint64_t id = child->id.v;
    const struct {
        const char *what;
        struct hv_input_vp_registers input;
        uint16_t status;
    } cases[] = {
        {"no partition", {.partition_id = 99}, HV_STATUS_INVALID_PARTITION_ID},
        {"not active",
         {.partition_id = fresh->id.v},
         HV_STATUS_INVALID_PARTITION_STATE},
        {"no VP",
         {.partition_id = id, .vp_index = 1},
         HV_STATUS_INVALID_VP_INDEX},
        {"VTL 1",
         {.partition_id = id, .vtl = HV_INPUT_VTL_USE | 1},
         HV_STATUS_INVALID_VTL_STATE},
        {"reserved bits of the VTL",
         {.partition_id = id, .vtl = 0x20},
         HV_STATUS_INVALID_PARAMETER},
        {"reserved",
         {.partition_id = id, .reserved = {1, 0, 0}},
         HV_STATUS_INVALID_PARAMETER},
        {"a model has no x86 state",
         {.partition_id = PARTITION_ID_SELF},
         HV_STATUS_UNKNOWN_REGISTER},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        static const enum hypercall_code codes[] = {HVCALL_GET_VP_REGISTERS,
                                                    HVCALL_SET_VP_REGISTERS};

        for (size_t c = 0; c < 2; c++) {
            uint64_t list[4] = {HV_REGISTER_RIP};
            uint64_t result = small_host_call(
                host, hypercall_rep(codes[c], 1), &cases[i].input,
                sizeof(cases[i].input), list, sizeof(list));

            if (result != cases[i].status)
                fail_msg("%s: %s", cases[i].what,
                         hv_status_name(hypercall_status(result)));
        }
    }
}

static void a_vp_reads_its_own_registers_only_with_the_privilege(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_child_with_vp(host);
    struct hypercall call_self = {
        .memory = gpa_space_memory(&host->hv->root->gpa),
        .control = hypercall_rep(HVCALL_GET_VP_REGISTERS, 1),
        .input = gpa(SMALL_HOST_INPUT),
        .output = gpa(SMALL_HOST_OUTPUT),
    };
    uint64_t input[3] = {PARTITION_ID_SELF, 0, HV_REGISTER_RIP};

    small_host_poke(host, SMALL_HOST_INPUT, input, sizeof(input));
    host->context.vp = child->vps[0];
    hypercall_dispatch(&host->context, &call_self);
    assert_int_equal(call_self.result, HV_STATUS_ACCESS_DENIED);
    child->privileges |= PRIVILEGE_ACCESS_VP_REGISTERS;
    hypercall_dispatch(&host->context, &call_self);
    assert_int_equal(call_self.result, REPS(1));
    host->context.vp = host->root_vp;
}

static struct hv_input_assert_interrupt
interrupt_for(const struct hv_partition *partition)
{
    return (struct hv_input_assert_interrupt){
        .partition_id = partition->id.v,
        .type = HV_INTERRUPT_FIXED,
        .vector = 0x40,
    };
}

/* A software-enabled APIC, as a kernel leaves it. */
static void enable_apic(struct small_host *host, struct hv_vp *vp)
{
    lapic_mmio_write(&host->context, &vp->lapic, 0xf0, 4, 0x1ff);
}

static bool in_irr(const struct hv_vp *vp, uint8_t vector)
{
    return vp->lapic.irr[vector / 32] >> (vector % 32) & 1;
}

static void interrupts_reach_the_processor_addressed(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_child_with_vp(host);
    struct hv_input_assert_interrupt input = interrupt_for(child);

    partition_add_vp(&host->context, child, (vp_index_t){1}, 0);
    enable_apic(host, child->vps[0]);
    enable_apic(host, child->vps[1]);
    input.destination = 1;
    assert_int_equal(
        call(host, HVCALL_ASSERT_VIRTUAL_INTERRUPT, &input, sizeof(input)),
        HV_STATUS_SUCCESS);
    assert_false(in_irr(child->vps[0], 0x40));
    assert_true(in_irr(child->vps[1], 0x40));

    input.destination = 0xff;
    input.vector = 0x41;
    input.flags = HV_INTERRUPT_LEVEL_TRIGGERED;
    assert_int_equal(
        call(host, HVCALL_ASSERT_VIRTUAL_INTERRUPT, &input, sizeof(input)),
        HV_STATUS_SUCCESS);
    assert_true(in_irr(child->vps[0], 0x41) && in_irr(child->vps[1], 0x41));
    assert_int_equal(child->vps[0]->lapic.tmr[0x41 / 32], 1u << (0x41 % 32));

    input = interrupt_for(child);
    input.destination = 77; /* nobody listens there */
    assert_int_equal(
        call(host, HVCALL_ASSERT_VIRTUAL_INTERRUPT, &input, sizeof(input)),
        HV_STATUS_SUCCESS);
}

static void nmi_init_and_sipi_can_be_asserted(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_child_with_vp(host);
    struct hv_input_assert_interrupt input = interrupt_for(child);
    struct hv_vp *vp;

    partition_add_vp(&host->context, child, (vp_index_t){1}, 0);
    vp = child->vps[1];
    input.destination = 1;
    input.type = HV_INTERRUPT_NMI;
    input.vector = 0;
    assert_int_equal(
        call(host, HVCALL_ASSERT_VIRTUAL_INTERRUPT, &input, sizeof(input)),
        HV_STATUS_SUCCESS);
    assert_true(vp->nmi_pending);
    input.type = HV_INTERRUPT_SIPI;
    input.vector = 0x9a;
    assert_int_equal(
        call(host, HVCALL_ASSERT_VIRTUAL_INTERRUPT, &input, sizeof(input)),
        HV_STATUS_SUCCESS);
    assert_false(vp->wait_for_sipi);
    assert_int_equal(vp->engine->state.segment[X86_CS].base, 0x9a000);
    input.type = HV_INTERRUPT_INIT;
    input.vector = 0;
    assert_int_equal(
        call(host, HVCALL_ASSERT_VIRTUAL_INTERRUPT, &input, sizeof(input)),
        HV_STATUS_SUCCESS);
    assert_true(vp->wait_for_sipi);
}

static void an_interrupt_by_logical_address_and_priority(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_child_with_vp(host);
    struct hv_input_assert_interrupt input = interrupt_for(child);

    partition_add_vp(&host->context, child, (vp_index_t){1}, 0);
    for (unsigned i = 0; i < 2; i++) {
        enable_apic(host, child->vps[i]);
        lapic_mmio_write(&host->context, &child->vps[i]->lapic, 0xd0, 4,
                         1u << (24 + i));
    }
    input.flags = HV_INTERRUPT_LOGICAL;
    input.destination = 2;
    assert_int_equal(
        call(host, HVCALL_ASSERT_VIRTUAL_INTERRUPT, &input, sizeof(input)),
        HV_STATUS_SUCCESS);
    assert_false(in_irr(child->vps[0], 0x40));
    assert_true(in_irr(child->vps[1], 0x40));

    input.type = HV_INTERRUPT_LOWEST_PRIORITY;
    input.destination = 3;
    input.vector = 0x51;
    lapic_mmio_write(&host->context, &child->vps[0]->lapic, 0x80, 4, 0x20);
    assert_int_equal(
        call(host, HVCALL_ASSERT_VIRTUAL_INTERRUPT, &input, sizeof(input)),
        HV_STATUS_SUCCESS);
    assert_false(in_irr(child->vps[0], 0x51));
    assert_true(in_irr(child->vps[1], 0x51));
}

static void an_extint_waits_until_taken_or_cleared(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_child_with_vp(host);
    struct hv_input_assert_interrupt input = interrupt_for(child);
    const struct hv_input_clear_interrupt clear = {.partition_id = child->id.v};
    const struct hv_input_clear_interrupt nobody = {.partition_id = child->id.v,
                                                    .vp_index = 9};
    struct hv_vp *vp = child->vps[0];

    input.type = HV_INTERRUPT_EXTINT;
    input.vector = 0x08; /* below 16: no APIC vector */
    assert_int_equal(
        call(host, HVCALL_ASSERT_VIRTUAL_INTERRUPT, &input, sizeof(input)),
        HV_STATUS_SUCCESS);
    assert_true(vp->external_pending);
    assert_int_equal(vp->external_vector, 0x08);
    input.vector = 0x09;
    assert_int_equal(
        call(host, HVCALL_ASSERT_VIRTUAL_INTERRUPT, &input, sizeof(input)),
        HV_STATUS_NOT_ACKNOWLEDGED);
    assert_int_equal(vp->external_vector, 0x08);

    assert_int_equal(
        call(host, HVCALL_CLEAR_VIRTUAL_INTERRUPT, &nobody, sizeof(nobody)),
        HV_STATUS_INVALID_VP_INDEX);
    assert_int_equal(
        call(host, HVCALL_CLEAR_VIRTUAL_INTERRUPT, &clear, sizeof(clear)),
        HV_STATUS_SUCCESS);
    assert_int_equal(
        call(host, HVCALL_CLEAR_VIRTUAL_INTERRUPT, &clear, sizeof(clear)),
        HV_STATUS_ACKNOWLEDGED);
}

static void an_extint_passes_lint0_only_where_it_is_let_through(void **state)
{
    struct small_host *host = *state;
    struct hv_vp *vp = small_host_child_with_vp(host)->vps[0];

    assert_true(lapic_passes_external(&vp->lapic)); /* as firmware leaves it */
    enable_apic(host, vp);
    assert_false(lapic_passes_external(&vp->lapic)); /* LINT0 is masked */
    lapic_mmio_write(&host->context, &vp->lapic, 0x350, 4, 0x700);
    assert_true(lapic_passes_external(&vp->lapic));
    lapic_mmio_write(&host->context, &vp->lapic, 0x350, 4, 0x030);
    assert_false(lapic_passes_external(&vp->lapic)); /* a fixed interrupt */
}

static void interrupts_are_checked(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_child_with_vp(host);
    struct hv_partition *fresh = small_host_child(host);
    uint64_t id = child->id.v;
    const struct {
        const char *what;
        struct hv_input_assert_interrupt input;
        uint16_t status;
    } cases[] = {
        {"not active",
         {.partition_id = fresh->id.v, .vector = 0x40},
         HV_STATUS_INVALID_PARTITION_STATE},
        {"vector 15",
         {.partition_id = id, .vector = 15},
         HV_STATUS_INVALID_PARAMETER},
        {"vector 16", {.partition_id = id, .vector = 16}, HV_STATUS_SUCCESS},
        {"vector 256",
         {.partition_id = id, .vector = 256},
         HV_STATUS_INVALID_PARAMETER},
        {"an NMI with a vector",
         {.partition_id = id, .type = HV_INTERRUPT_NMI, .vector = 2},
         HV_STATUS_INVALID_PARAMETER},
        {"an NMI by level",
         {.partition_id = id, .type = HV_INTERRUPT_NMI, .flags = 1},
         HV_STATUS_INVALID_PARAMETER},
        {"a SIPI far away",
         {.partition_id = id, .type = HV_INTERRUPT_SIPI, .vector = 256},
         HV_STATUS_INVALID_PARAMETER},
        {"an SMI",
         {.partition_id = id, .type = 2},
         HV_STATUS_INVALID_PARAMETER},
        {"an unknown type",
         {.partition_id = id, .type = UINT32_MAX, .vector = 0x40},
         HV_STATUS_INVALID_PARAMETER},
        {"an address of 33 bits",
         {.partition_id = id, .vector = 0x40, .destination = 1ull << 32},
         HV_STATUS_INVALID_PARAMETER},
        {"an ExtINT by level",
         {.partition_id = id, .type = HV_INTERRUPT_EXTINT, .flags = 1},
         HV_STATUS_INVALID_PARAMETER},
        {"lowest priority, vector 15",
         {.partition_id = id,
          .type = HV_INTERRUPT_LOWEST_PRIORITY,
          .vector = 15},
         HV_STATUS_INVALID_PARAMETER},
        {"unknown flags",
         {.partition_id = id, .flags = 8, .vector = 0x40},
         HV_STATUS_INVALID_PARAMETER},
        {"reserved",
         {.partition_id = id, .vector = 0x40, .reserved = {0, 1, 0}},
         HV_STATUS_INVALID_PARAMETER},
        {"VTL 1",
         {.partition_id = id, .vector = 0x40, .vtl = 1},
         HV_STATUS_INVALID_VTL_STATE},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint16_t status = call(host, HVCALL_ASSERT_VIRTUAL_INTERRUPT,
                               &cases[i].input, sizeof(cases[i].input));

        if (status != cases[i].status)
            fail_msg("%s: %s", cases[i].what, hv_status_name(status));
    }
}

#define T(name)                                                                \
    cmocka_unit_test_setup_teardown(name, small_host_setup, small_host_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(vps_are_created_suspended),
        T(creating_is_checked),
        T(deleting_is_checked),
        T(registers_are_set_and_got_in_order),
        T(what_came_before_a_bad_register_is_set),
        T(register_calls_are_checked),
        T(a_vp_reads_its_own_registers_only_with_the_privilege),
        T(interrupts_reach_the_processor_addressed),
        T(nmi_init_and_sipi_can_be_asserted),
        T(an_interrupt_by_logical_address_and_priority),
        T(an_extint_waits_until_taken_or_cleared),
        T(an_extint_passes_lint0_only_where_it_is_let_through),
        T(interrupts_are_checked),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
