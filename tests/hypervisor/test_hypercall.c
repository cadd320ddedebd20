/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How calls are decoded, checked, copied, continued and returned; what each
 * call does is in test_hc_*.c. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "hypervisor/memory.h"
#include "hypervisor/vp_registers.h"
#include "tests/hypervisor/fake_engine.h"
#include "tests/hypervisor/small_host.h"

#define REP_COUNT(n) ((uint64_t)(n) << HYPERCALL_REP_COUNT_SHIFT)
#define REP_START(n) ((uint64_t)(n) << HYPERCALL_REP_START_SHIFT)
#define VARIABLE(n) ((uint64_t)(n) << HYPERCALL_VARIABLE_SHIFT)
#define CPL3_SS_ATTRIBUTES 0xf3u

static uint16_t status_at(struct small_host *host, uint64_t control,
                          uint64_t input, uint64_t output)
{
    struct hypercall call = {
        .memory = gpa_space_memory(&host->hv->root->gpa),
        .control = control,
        .input = gpa(input),
        .output = gpa(output),
    };

    assert_int_equal(hypercall_dispatch(&host->context, &call), HYPERCALL_DONE);
    return hypercall_status(call.result);
}

static void every_malformed_call_gets_its_status(void **state)
{
    struct small_host *host = *state;
    uint64_t end = SMALL_HOST_NODE_BYTES;
    const struct {
        const char *what;
        uint64_t control, input, output;
        uint16_t status;
    } cases[] = {
        {"reserved bit 27", HVCALL_GET_PARTITION_ID | UINT64_C(1) << 27, 0,
         0x2000, HV_STATUS_INVALID_HYPERCALL_INPUT},
        {"reserved bit 30", HVCALL_GET_PARTITION_ID | UINT64_C(1) << 30, 0,
         0x2000, HV_STATUS_INVALID_HYPERCALL_INPUT},
        {"reserved bit 44", HVCALL_GET_PARTITION_ID | UINT64_C(1) << 44, 0,
         0x2000, HV_STATUS_INVALID_HYPERCALL_INPUT},
        {"reserved bit 60", HVCALL_GET_PARTITION_ID | UINT64_C(1) << 60, 0,
         0x2000, HV_STATUS_INVALID_HYPERCALL_INPUT},
        {"reserved bit 63", HVCALL_GET_PARTITION_ID | UINT64_C(1) << 63, 0,
         0x2000, HV_STATUS_INVALID_HYPERCALL_INPUT},
        {"reserved before unknown", 0xfff | UINT64_C(1) << 63, 0, 0,
         HV_STATUS_INVALID_HYPERCALL_INPUT},
        {"code 0", 0, 0, 0, HV_STATUS_INVALID_HYPERCALL_CODE},
        {"a gap in the codes", 0x55, 0, 0, HV_STATUS_INVALID_HYPERCALL_CODE},
        {"the end of the codes", HVCALL_CODE_END, 0, 0,
         HV_STATUS_INVALID_HYPERCALL_CODE},
        {"code ffff", 0xffff, 0, 0, HV_STATUS_INVALID_HYPERCALL_CODE},
        {"unknown before rep", 0xffff | REP_COUNT(3), 0, 0,
         HV_STATUS_INVALID_HYPERCALL_CODE},
        {"an extended call", HVCALL_EXT_QUERY_CAPABILITIES, 0, 0x2000,
         HV_STATUS_SUCCESS},
        {"an extended call of no known code", 0x8002, 0, 0x2000,
         HV_STATUS_INVALID_HYPERCALL_CODE},
        {"nested", HVCALL_GET_PARTITION_ID | HYPERCALL_NESTED, 0, 0x2000,
         HV_STATUS_INVALID_HYPERCALL_CODE},
        {"reps of a simple call", HVCALL_GET_PARTITION_ID | REP_COUNT(1), 0,
         0x2000, HV_STATUS_INVALID_HYPERCALL_INPUT},
        {"rep start of a simple call", HVCALL_GET_PARTITION_ID | REP_START(1),
         0, 0x2000, HV_STATUS_INVALID_HYPERCALL_INPUT},
        {"a rep call without reps", HVCALL_DEPOSIT_MEMORY, 0x1000, 0x2000,
         HV_STATUS_INVALID_HYPERCALL_INPUT},
        {"rep start at the count",
         HVCALL_DEPOSIT_MEMORY | REP_COUNT(2) | REP_START(2), 0x1000, 0x2000,
         HV_STATUS_INVALID_HYPERCALL_INPUT},
        {"rep start past the count",
         HVCALL_DEPOSIT_MEMORY | REP_COUNT(2) | REP_START(3), 0x1000, 0x2000,
         HV_STATUS_INVALID_HYPERCALL_INPUT},
        {"a variable header", HVCALL_GET_PARTITION_ID | VARIABLE(1), 0, 0x2000,
         HV_STATUS_INVALID_HYPERCALL_INPUT},
        {"a fast call with a long list",
         HVCALL_DEPOSIT_MEMORY | HYPERCALL_FAST | REP_COUNT(14), 0, 0,
         HV_STATUS_INVALID_HYPERCALL_INPUT},
        {"a fast call with a long output",
         HVCALL_GET_VP_REGISTERS | HYPERCALL_FAST | REP_COUNT(6), 0, 0,
         HV_STATUS_INVALID_HYPERCALL_INPUT},
        {"input not aligned", HVCALL_INITIALIZE_PARTITION, 0x1004, 0,
         HV_STATUS_INVALID_ALIGNMENT},
        {"input over a page's end", HVCALL_SET_PARTITION_PROPERTY, 0x1ff0, 0,
         HV_STATUS_INVALID_ALIGNMENT},
        {"a list over a page's end", HVCALL_DEPOSIT_MEMORY | REP_COUNT(512),
         0x1000, 0, HV_STATUS_INVALID_ALIGNMENT},
        {"output not aligned", HVCALL_GET_PARTITION_ID, 0, 0x2001,
         HV_STATUS_INVALID_ALIGNMENT},
        {"output over a page's end", HVCALL_GET_MEMORY_BALANCE, 0x1000, 0x2ff8,
         HV_STATUS_INVALID_ALIGNMENT},
        {"input not mapped", HVCALL_INITIALIZE_PARTITION, end, 0,
         HV_STATUS_INVALID_HYPERCALL_INPUT},
        {"input out of the space", HVCALL_INITIALIZE_PARTITION,
         UINT64_MAX & ~UINT64_C(0xfff), 0, HV_STATUS_INVALID_HYPERCALL_INPUT},
        {"output not mapped", HVCALL_GET_PARTITION_ID, 0, end,
         HV_STATUS_INVALID_HYPERCALL_INPUT},
        {"no input: its address is ignored", HVCALL_GET_PARTITION_ID, 3, 0x2000,
         HV_STATUS_SUCCESS},
        {"no output: its address is ignored", HVCALL_NOTIFY_LONG_SPIN_WAIT,
         0x1000, 3, HV_STATUS_SUCCESS},
        {"input that ends with its page", HVCALL_INITIALIZE_PARTITION, 0x1ff8,
         0, HV_STATUS_INVALID_PARTITION_ID},
    };

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint16_t status =
            status_at(host, cases[i].control, cases[i].input, cases[i].output);

        if (status != cases[i].status)
            fail_msg("%s: %s", cases[i].what, hv_status_name(status));
    }
    assert_int_equal(cost_count(&host->bill, COST_HYPERCALL_BODY),
                     sizeof(cases) / sizeof(cases[0]));
}

static void a_missing_privilege_comes_before_the_form(void **state)
{
    struct small_host *host = *state;

    host->hv->root->privileges = 0;
    assert_int_equal(
        status_at(host, HVCALL_CREATE_PARTITION | REP_COUNT(5), 3, 3),
        HV_STATUS_ACCESS_DENIED);
    assert_int_equal(status_at(host, HVCALL_DEPOSIT_MEMORY, 3, 3),
                     HV_STATUS_ACCESS_DENIED);
    assert_int_equal(
        status_at(host, HVCALL_WITHDRAW_MEMORY | REP_COUNT(1), 3, 3),
        HV_STATUS_ACCESS_DENIED);
    assert_int_equal(status_at(host, HVCALL_GET_PARTITION_ID, 0, 0x2000),
                     HV_STATUS_ACCESS_DENIED);
}

static void a_call_has_not_worked_when_its_output_has_no_place(void **state)
{
    struct small_host *host = *state;
    struct hv_input_create_partition input = {0};

    small_host_poke(host, 0x1000, &input, sizeof(input));
    assert_int_equal(
        status_at(host, HVCALL_CREATE_PARTITION, 0x1000, SMALL_HOST_NODE_BYTES),
        HV_STATUS_INVALID_HYPERCALL_INPUT);
    assert_int_equal(host->hv->partition_count, 1);
}

/* A list that takes several entries: it goes on where it was, and the count in
 * the result is that of all. */
static void a_long_list_continues_where_it_was(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_child(host);
    uint64_t list[1 + 250] = {child->id.v};
    struct hypercall call = {
        .memory = gpa_space_memory(&host->hv->root->gpa),
        .control = hypercall_rep(HVCALL_DEPOSIT_MEMORY, 250),
        .input = gpa(SMALL_HOST_INPUT),
    };

    for (unsigned i = 0; i < 250; i++)
        list[1 + i] = 0x400 + i;
    small_host_poke(host, SMALL_HOST_INPUT, list, sizeof(list));

    /* 50 us at 500 ns each are 100 elements. */
    assert_int_equal(hypercall_dispatch(&host->context, &call),
                     HYPERCALL_CONTINUE);
    assert_int_equal(call.control, hypercall_rep(HVCALL_DEPOSIT_MEMORY, 250) |
                                       REP_START(100));
    assert_int_equal(memory_pool_available(child->pool), 100);
    assert_int_equal(cost_count(&host->bill, COST_HYPERCALL_REP), 100);
    assert_int_equal(cost_count(&host->bill, COST_HYPERCALL_COPY_QWORD), 101);
    assert_int_equal(hypercall_dispatch(&host->context, &call),
                     HYPERCALL_CONTINUE);
    assert_int_equal(hypercall_dispatch(&host->context, &call), HYPERCALL_DONE);
    assert_int_equal(call.result, REP_COUNT(250));
    assert_int_equal(memory_pool_available(child->pool), 250);
}

static void an_error_in_a_list_says_how_far_it_came(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_child(host);
    struct hv_input_deposit_memory input = {.partition_id = child->id.v};
    uint64_t pages[] = {0x400, 0x401, UINT64_MAX, 0x402};
    uint64_t result =
        small_host_call(host, hypercall_rep(HVCALL_DEPOSIT_MEMORY, 4), &input,
                        sizeof(input), pages, sizeof(pages));

    assert_int_equal(result, HV_STATUS_OPERATION_DENIED | REP_COUNT(2));

    /* Started later, the count still includes what came before. */
    uint64_t rest[] = {0, 0, 0x403, UINT64_MAX};

    result = small_host_call(
        host, hypercall_rep(HVCALL_DEPOSIT_MEMORY, 4) | REP_START(2), &input,
        sizeof(input), rest, sizeof(rest));
    assert_int_equal(result, HV_STATUS_OPERATION_DENIED | REP_COUNT(3));
    assert_int_equal(memory_pool_available(child->pool), 3);
}

static void a_continued_call_keeps_the_output_it_had(void **state)
{
    struct small_host *host = *state;
    struct hv_partition *child = small_host_child_with_vp(host);
    struct hv_input_vp_registers input = {.partition_id = child->id.v};
    uint32_t names[250];
    struct hv_register_value values[250];

    for (uint32_t i = 0; i < 250; i++)
        names[i] = HV_REGISTER_RAX + i % X86_GPR_COUNT;
    for (uint32_t i = 0; i < X86_GPR_COUNT; i++)
        child->vps[0]->engine->state.gpr[i] = 1000 + i;
    assert_int_equal(
        small_host_call(host, hypercall_rep(HVCALL_GET_VP_REGISTERS, 250),
                        &input, sizeof(input), names, sizeof(names)),
        REP_COUNT(250));
    small_host_peek(host, SMALL_HOST_OUTPUT, values, sizeof(values));
    for (uint32_t i = 0; i < 250; i++)
        assert_int_equal(values[i].low, 1000 + i % X86_GPR_COUNT);
}

static void calls_are_counted_by_their_class(void **state)
{
    struct small_host *host = *state;
    const uint64_t *cell = host->root_vp->counters.cell;

    status_at(host, HVCALL_GET_PARTITION_ID, 0, 0x2000);
    status_at(host, 0xffff, 0, 0);
    status_at(host, HVCALL_NOTIFY_LONG_SPIN_WAIT, 0x1000, 0);
    status_at(host, HVCALL_GET_MEMORY_BALANCE, 0x1000, 0x2000);
    status_at(host, HVCALL_MAP_GPA_PAGES, 0x1000, 0x2000);
    status_at(host, HVCALL_DELETE_VP, 0x1000, 0x2000);
    assert_int_equal(cell[PC_VP_OTHER_HYPERCALLS], 2);
    assert_int_equal(cell[PC_VP_LONG_SPIN_WAIT_HYPERCALLS], 1);
    assert_int_equal(cell[PC_VP_DEPOSIT_HYPERCALLS], 1);
    assert_int_equal(cell[PC_VP_GPA_SPACE_HYPERCALLS], 1);
    assert_int_equal(cell[PC_VP_VIRTUAL_PROCESSOR_HYPERCALLS], 1);
}

static void names_are_those_of_the_specification(void **state)
{
    (void)state;
    assert_string_equal(hypercall_name(0x40), "HvCallCreatePartition");
    assert_string_equal(hypercall_name(0x94), "HvCallAssertVirtualInterrupt");
    assert_null(hypercall_name(0x55));
    assert_null(hypercall_name(0xffff));
    assert_string_equal(hv_status_name(HV_STATUS_INSUFFICIENT_MEMORY),
                        "HV_STATUS_INSUFFICIENT_MEMORY");
    assert_string_equal(hv_status_name(0xeeee), "HV_STATUS_UNKNOWN");
    assert_string_equal(hv_status_text(HV_STATUS_ACCESS_DENIED),
                        "the caller lacks the privilege");
}

/* Calls by an x86 guest, through its registers. */

struct guest {
    struct hv_partition *partition;
    struct engine *engine;
    struct hv_context context;
};

static struct guest make_guest(struct small_host *host)
{
    struct hv_partition *child = small_host_child_with_vp(host);
    struct engine *engine = child->vps[0]->engine;
    struct guest guest = {child, engine, host->context};

    child->guest_os_id = 1;
    child->privileges |= PRIVILEGE_ACCESS_PARTITION_ID;
    guest.context.vp = child->vps[0];
    engine->state.cr0 |= CR0_PE | CR0_PG;
    engine->state.efer = EFER_LME | EFER_LMA;
    engine->state.segment[X86_CS].attributes |= X86_ATTR_L;
    engine->state.rip = 0x1000;
    for (uint64_t page = 0; page < 4; page++)
        assert_int_equal(gpa_space_map(&child->gpa, gpa(page << PAGE_SHIFT),
                                       spa(0x600000 + (page << PAGE_SHIFT)),
                                       false, GPA_MAP_ALL),
                         HV_STATUS_SUCCESS);
    return guest;
}

static void make_32_bit(struct guest *guest)
{
    guest->engine->state.efer = 0;
    guest->engine->state.segment[X86_CS].attributes &= (uint16_t)~X86_ATTR_L;
}

static enum engine_verdict vmcall(struct guest *guest)
{
    struct vm_exit exit = {.kind = VM_EXIT_HYPERCALL, .instruction_bytes = 3};

    return hypercall_exit(&guest->context, &exit);
}

static void a_64_bit_guest_uses_rcx_rdx_r8_and_rax(void **state)
{
    struct small_host *host = *state;
    struct guest guest = make_guest(host);
    uint64_t *gpr = guest.engine->state.gpr;
    uint64_t id;

    gpr[X86_RAX] = UINT64_MAX;
    gpr[X86_RCX] = HVCALL_GET_PARTITION_ID;
    gpr[X86_R8] = 0x1ff8;
    assert_int_equal(vmcall(&guest), ENGINE_RESUME);
    assert_int_equal(gpr[X86_RAX], HV_STATUS_SUCCESS);
    assert_int_equal(guest.engine->state.rip, 0x1003);
    assert_true(guest_memory_read(gpa_space_memory(&guest.partition->gpa),
                                  gpa(0x1ff8), &id, sizeof(id)));
    assert_int_equal(id, guest.partition->id.v);
}

static void a_32_bit_guest_uses_register_pairs(void **state)
{
    struct small_host *host = *state;
    struct guest guest = make_guest(host);
    uint64_t *gpr = guest.engine->state.gpr;
    uint64_t junk = UINT64_C(0xeeeeeeee00000000);
    uint64_t id;

    make_32_bit(&guest);
    gpr[X86_RAX] = junk | HVCALL_GET_PARTITION_ID;
    gpr[X86_RDX] = junk;
    gpr[X86_RSI] = junk | 0x1000;
    gpr[X86_RDI] = junk;
    assert_int_equal(vmcall(&guest), ENGINE_RESUME);
    assert_int_equal(gpr[X86_RAX], HV_STATUS_SUCCESS);
    assert_int_equal(gpr[X86_RDX], 0);
    assert_true(guest_memory_read(gpa_space_memory(&guest.partition->gpa),
                                  gpa(0x1000), &id, sizeof(id)));
    assert_int_equal(id, guest.partition->id.v);

    /* The upper half of the input value is in EDX. */
    gpr[X86_RAX] = HVCALL_GET_PARTITION_ID;
    gpr[X86_RDX] = 1; /* a rep count */
    vmcall(&guest);
    assert_int_equal(gpr[X86_RAX], HV_STATUS_INVALID_HYPERCALL_INPUT);
}

static void a_fast_call_takes_its_input_from_registers(void **state)
{
    struct small_host *host = *state;
    struct guest guest = make_guest(host);
    uint64_t *gpr = guest.engine->state.gpr;

    gpr[X86_RCX] = HVCALL_INITIALIZE_PARTITION | HYPERCALL_FAST;
    gpr[X86_RDX] = 12345; /* a partition id; not an address */
    vmcall(&guest);
    assert_int_equal(gpr[X86_RAX], HV_STATUS_INVALID_PARTITION_ID);
    gpr[X86_RDX] = PARTITION_ID_SELF;
    vmcall(&guest);
    assert_int_equal(gpr[X86_RAX], HV_STATUS_ACCESS_DENIED);

    make_32_bit(&guest);
    gpr[X86_RDX] = 0;
    gpr[X86_RAX] = HVCALL_INITIALIZE_PARTITION | HYPERCALL_FAST;
    gpr[X86_RBX] = 0;
    gpr[X86_RCX] = host->hv->root->id.v;
    vmcall(&guest);
    assert_int_equal(gpr[X86_RAX], HV_STATUS_ACCESS_DENIED);
    assert_int_equal(guest.engine->exceptions, 0);
}

static void xmm_registers_carry_input_and_output(void **state)
{
    struct small_host *host = *state;
    struct guest guest = make_guest(host);
    uint64_t *gpr = guest.engine->state.gpr;
    uint32_t names[4] = {HV_REGISTER_RIP, HV_REGISTER_RAX, 0, 0};
    uint64_t values[4];
    uint8_t untouched[16];

    guest.partition->privileges |=
        PRIVILEGE_ACCESS_VP_REGISTERS | PRIVILEGE_FAST_HYPERCALL_OUTPUT;
    memset(guest.engine->xmm, 0x77, sizeof(guest.engine->xmm));
    memset(untouched, 0x77, sizeof(untouched));
    gpr[X86_RCX] = hypercall_rep(HVCALL_GET_VP_REGISTERS, 2) | HYPERCALL_FAST;
    gpr[X86_RDX] = PARTITION_ID_SELF;
    gpr[X86_R8] = 0; /* VP 0 */
    memcpy(guest.engine->xmm[0], names, sizeof(names));
    gpr[X86_RAX] = 0xabcdef;
    vmcall(&guest);
    assert_int_equal(guest.engine->exceptions, 0);
    assert_int_equal(gpr[X86_RAX], REP_COUNT(2));
    /* 24 bytes of input end in XMM0; output begins with XMM1. */
    assert_memory_equal(guest.engine->xmm[0], names, sizeof(names));
    memcpy(values, guest.engine->xmm[1], sizeof(values));
    assert_int_equal(values[0], 0x1000);
    assert_int_equal(values[1], 0);
    assert_int_equal(values[2], 0xabcdef);
    assert_memory_equal(guest.engine->xmm[3], untouched, sizeof(untouched));
}

static void xmm_output_that_is_not_offered_is_undefined(void **state)
{
    struct small_host *host = *state;
    struct guest guest = make_guest(host);

    guest.partition->privileges &= ~PRIVILEGE_FAST_HYPERCALL_OUTPUT;
    guest.engine->state.gpr[X86_RCX] = HVCALL_GET_PARTITION_ID | HYPERCALL_FAST;
    assert_int_equal(vmcall(&guest), ENGINE_RESUME);
    assert_int_equal(guest.engine->exceptions, 1);
    assert_int_equal(guest.engine->exception_vector, X86_VECTOR_UD);
    assert_int_equal(guest.engine->state.rip, 0x1000);
}

static void a_32_bit_guest_gets_no_output_in_xmm(void **state)
{
    struct small_host *host = *state;
    struct guest guest = make_guest(host);

    guest.partition->privileges |= PRIVILEGE_FAST_HYPERCALL_OUTPUT;
    make_32_bit(&guest);
    guest.engine->state.gpr[X86_RAX] = HVCALL_GET_PARTITION_ID | HYPERCALL_FAST;
    vmcall(&guest);
    assert_int_equal(guest.engine->state.gpr[X86_RAX],
                     HV_STATUS_INVALID_HYPERCALL_INPUT);
}

static void whoever_may_not_call_gets_ud(void **state)
{
    struct small_host *host = *state;
    static const enum {
        USER,
        REAL_MODE,
        NO_OS_ID
    } cases[] = {USER, REAL_MODE, NO_OS_ID};

    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct guest guest = make_guest(host);
        struct x86_state *x86 = &guest.engine->state;

        x86->gpr[X86_RCX] = HVCALL_NOTIFY_LONG_SPIN_WAIT | HYPERCALL_FAST;
        x86->gpr[X86_RAX] = 0x1234;
        if (cases[i] == USER) {
            x86->segment[X86_SS].attributes = CPL3_SS_ATTRIBUTES;
        } else if (cases[i] == REAL_MODE) {
            make_32_bit(&guest);
            x86->cr0 = 0;
        } else {
            guest.partition->guest_os_id = 0;
        }
        assert_int_equal(vmcall(&guest), ENGINE_RESUME);
        assert_int_equal(guest.engine->exceptions, 1);
        assert_int_equal(guest.engine->exception_vector, X86_VECTOR_UD);
        assert_false(guest.engine->exception_has_error_code);
        assert_int_equal(x86->rip, 0x1000);
        assert_int_equal(x86->gpr[X86_RAX], 0x1234);
    }
}

static void a_continuation_leaves_rip_and_moves_the_start(void **state)
{
    struct small_host *host = *state;
    struct guest guest = make_guest(host);
    struct x86_state *x86 = &guest.engine->state;
    struct guest_memory memory = gpa_space_memory(&guest.partition->gpa);
    struct hv_input_vp_registers input = {.partition_id = PARTITION_ID_SELF};
    uint64_t control = hypercall_rep(HVCALL_GET_VP_REGISTERS, 250);

    guest.partition->privileges |= PRIVILEGE_ACCESS_VP_REGISTERS;
    assert_true(guest_memory_write(memory, gpa(0x1000), &input, sizeof(input)));
    for (uint32_t i = 0; i < 250; i++) {
        uint32_t name = HV_REGISTER_RIP;

        assert_true(guest_memory_write(memory, gpa(0x1010 + 4 * i), &name, 4));
    }
    x86->gpr[X86_RCX] = control;
    x86->gpr[X86_RDX] = 0x1000;
    x86->gpr[X86_R8] = 0x2000;
    x86->gpr[X86_RAX] = 0x5555;
    assert_int_equal(vmcall(&guest), ENGINE_RESUME);
    assert_int_equal(x86->gpr[X86_RCX], control | REP_START(200));
    assert_int_equal(x86->gpr[X86_RAX], 0x5555);
    assert_int_equal(x86->rip, 0x1000);
    assert_int_equal(vmcall(&guest), ENGINE_RESUME);
    assert_int_equal(x86->gpr[X86_RAX], REP_COUNT(250));
    assert_int_equal(x86->rip, 0x1003);

    /* A 32-bit caller has the input value in EDX:EAX. */
    make_32_bit(&guest);
    x86->gpr[X86_RAX] = (uint32_t)control;
    x86->gpr[X86_RDX] = control >> 32;
    x86->gpr[X86_RBX] = x86->gpr[X86_RDI] = 0;
    x86->gpr[X86_RCX] = 0x1000;
    x86->gpr[X86_RSI] = 0x2000;
    vmcall(&guest);
    assert_int_equal(x86->gpr[X86_RDX], (control | REP_START(200)) >> 32);
    assert_int_equal(x86->gpr[X86_RAX], (uint32_t)control);
    vmcall(&guest);
    assert_int_equal(x86->gpr[X86_RAX], HV_STATUS_SUCCESS);
    assert_int_equal(x86->gpr[X86_RDX], 250);
}

static void the_hypercall_page_calls_and_returns(void **state)
{
    struct small_host *host = *state;
    static const uint8_t expected[] = {0x0f, 0x01, 0xc1, 0xc3, 0xcc};
    uint8_t page[PAGE_BYTES];

    hypercall_write_page(host->hv->arena, spa(0x9000));
    arena_read(host->hv->arena, spa(0x9000), page, sizeof(page));
    assert_memory_equal(page, expected, sizeof(expected));
    assert_int_equal(page[PAGE_BYTES - 1], 0xcc);
}

#define T(name)                                                                \
    cmocka_unit_test_setup_teardown(name, small_host_setup, small_host_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(every_malformed_call_gets_its_status),
        T(a_missing_privilege_comes_before_the_form),
        T(a_call_has_not_worked_when_its_output_has_no_place),
        T(a_long_list_continues_where_it_was),
        T(an_error_in_a_list_says_how_far_it_came),
        T(a_continued_call_keeps_the_output_it_had),
        T(calls_are_counted_by_their_class),
        T(names_are_those_of_the_specification),
        T(a_64_bit_guest_uses_rcx_rdx_r8_and_rax),
        T(a_32_bit_guest_uses_register_pairs),
        T(a_fast_call_takes_its_input_from_registers),
        T(xmm_registers_carry_input_and_output),
        T(xmm_output_that_is_not_offered_is_undefined),
        T(a_32_bit_guest_gets_no_output_in_xmm),
        T(whoever_may_not_call_gets_ud),
        T(a_continuation_leaves_rip_and_moves_the_start),
        T(the_hypercall_page_calls_and_returns),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
