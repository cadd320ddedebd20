/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "hypervisor/cpuid.h"
#include "hypervisor/lp.h"
#include "tests/hypervisor/fake_world.h"

#define HEADER 16 /* bytes before the payload */

struct received {
    uint8_t bytes[SYNIC_MESSAGE_BYTES];
};

static void enable_parents(struct fake_world *world)
{
    for (unsigned i = 0; i < FAKE_PARENT_VP_COUNT; i++) {
        struct hv_vp *vp = &world->parent_vps[i];
        struct hv_context context = fake_context(world, vp);

        fake_enable_lapic(vp);
        assert_true(msr_write(&context, 0x40000083, 0x10001 + 0x1000 * i));
        assert_true(msr_write(&context, 0x40000080, 1));
        assert_true(msr_write(&context, 0x40000090, 0x30));
    }
}

static bool take(struct fake_world *world, unsigned parent_vp,
                 struct received *received)
{
    struct hv_vp *vp = &world->parent_vps[parent_vp];
    struct hv_context context = fake_context(world, vp);

    return synic_take_message(&context, &vp->synic, INTERCEPT_SINT,
                              received->bytes);
}

static void send(struct fake_world *world, unsigned vp, uint32_t type,
                 const struct vm_exit *exit)
{
    struct hv_context context = fake_context(world, &world->vps[vp]);

    intercept_send(&context, type, exit);
}

static uint64_t field(const struct received *received, size_t offset,
                      size_t bytes)
{
    uint64_t value = 0;

    memcpy(&value, received->bytes + HEADER + offset, bytes);
    return value;
}

static void put_state(struct fake_world *world, unsigned vp)
{
    struct fake_engine *engine = fake_engine_of(&world->vps[vp]);
    struct x86_state *state = &engine->state;

    x86_reset(state);
    for (unsigned i = 0; i < X86_GPR_COUNT; i++)
        state->gpr[i] = 0x1000 + i;
    state->rip = 0xffffffff81000000;
    state->rflags = 0x246;
    state->cr0 = CR0_PE | CR0_AM | CR0_PG;
    state->efer = EFER_LMA | EFER_LME;
    state->segment[X86_CS] = (struct x86_segment){
        .limit = 0xffffffff, .selector = 0x10, .attributes = 0xa09b};
    state->segment[X86_SS].attributes = 0xc0f3; /* DPL 3 */
    state->segment[X86_DS].base = 0xd5;
    state->segment[X86_ES].base = 0xe5;
    memcpy(engine->instruction, "\xee\x90\x90", 3);
    engine->instruction_bytes = 16;
}

static struct received receive(struct fake_world *world, uint32_t type,
                               const struct vm_exit *exit)
{
    struct received received;

    enable_parents(world);
    put_state(world, 4);
    send(world, 4, type, exit);
    assert_true(take(world, 0, &received));

    uint32_t got;

    memcpy(&got, received.bytes, sizeof(got));
    assert_int_equal(got, type);
    return received;
}

static void the_header_describes_the_vp(void **state)
{
    struct fake_world *world = *state;
    struct vm_exit exit = {.kind = VM_EXIT_SHUTDOWN, .instruction_bytes = 3};
    struct received received;
    uint64_t origin;

    world->vps[4].lapic.tpr = 0x95;
    received = receive(world, INTERCEPT_UNRECOVERABLE_EXCEPTION, &exit);
    memcpy(&origin, received.bytes + 8, sizeof(origin));
    assert_int_equal(origin, world->child.id.v);
    assert_int_equal(received.bytes[4], 0x28);
    assert_int_equal(field(&received, 0x00, 4), 4);
    assert_int_equal(field(&received, 0x04, 1), 0x93);
    assert_int_equal(field(&received, 0x06, 2), 0x1f); /* LMA AM PE CPL 3 */
    assert_int_equal(field(&received, 0x08, 8), 0);
    assert_int_equal(field(&received, 0x10, 4), 0xffffffff);
    assert_int_equal(field(&received, 0x14, 2), 0x10);
    assert_int_equal(field(&received, 0x16, 2), 0xa09b);
    assert_int_equal(field(&received, 0x18, 8), 0xffffffff81000000);
    assert_int_equal(field(&received, 0x20, 8), 0x246);
}

static void the_execution_state_tells_the_mode(void **state)
{
    static const struct {
        uint64_t cr0, efer, dr7;
        bool shadow;
        uint32_t bits;
    } cases[] = {
        {0, 0, 0x400, false, 0x0000},
        {CR0_PE, 0, 0x400, false, 0x0007},
        {CR0_PE | CR0_PG, EFER_LMA, 0x400, false, 0x0017},
        {CR0_PE, 0, 0x401, false, 0x0027},
        {CR0_PE, 0, 0x400, true, 0x1007},
    };
    struct fake_world *world = *state;
    struct vm_exit exit = {.kind = VM_EXIT_SHUTDOWN};
    struct received received;

    enable_parents(world);
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct x86_state *regs = &fake_engine_of(&world->vps[4])->state;

        put_state(world, 4);
        regs->cr0 = cases[i].cr0;
        regs->efer = cases[i].efer;
        regs->dr[7] = cases[i].dr7;
        regs->interrupt_shadow = cases[i].shadow;
        send(world, 4, INTERCEPT_UNRECOVERABLE_EXCEPTION, &exit);
        assert_true(take(world, 0, &received));
        assert_int_equal(field(&received, 0x06, 2), cases[i].bits);
    }
}

static void an_io_message_has_the_port_and_the_registers(void **state)
{
    struct vm_exit exit = {
        .kind = VM_EXIT_IO,
        .instruction_bytes = 2,
        .u.io = {.port = 0x3f8,
                 .bytes = 1,
                 .string = true,
                 .repeated = true,
                 .value = 0x41},
    };
    struct received received = receive(*state, INTERCEPT_IO_PORT, &exit);

    assert_int_equal(received.bytes[4], 0x80);
    assert_int_equal(field(&received, 0x04, 1), 0x02);
    assert_int_equal(field(&received, 0x05, 1), 1); /* a write */
    assert_int_equal(field(&received, 0x28, 2), 0x3f8);
    assert_int_equal(field(&received, 0x2a, 1), 0x19);
    assert_int_equal(field(&received, 0x2b, 1), 16);
    assert_int_equal(field(&received, 0x30, 8), 0x1000); /* RAX */
    assert_int_equal(field(&received, 0x38, 3), 0x9090ee);
    assert_int_equal(field(&received, 0x48, 8), 0xd5);   /* DS */
    assert_int_equal(field(&received, 0x58, 8), 0xe5);   /* ES */
    assert_int_equal(field(&received, 0x68, 8), 0x1001); /* RCX */
    assert_int_equal(field(&received, 0x70, 8), 0x1006); /* RSI */
    assert_int_equal(field(&received, 0x78, 8), 0x1007); /* RDI */
    exit.u.io.in = true;
    exit.u.io.bytes = 4;
    exit.u.io.string = exit.u.io.repeated = false;
    received = receive(*state, INTERCEPT_IO_PORT, &exit);
    assert_int_equal(field(&received, 0x05, 1), 0);
    assert_int_equal(field(&received, 0x2a, 1), 0x04);
}

static void a_memory_message_has_the_addresses(void **state)
{
    static const struct {
        bool write, fetch, in_walk;
        uint32_t access, flags;
    } cases[] = {
        {false, false, false, 0, 3},
        {true, false, false, 1, 3},
        {false, true, false, 2, 3},
        {true, false, true, 1, 1},
    };

    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct vm_exit exit = {
            .kind = VM_EXIT_GPA,
            .instruction_bytes = 4,
            .u.gpa = {.gpa = {0xfec00010},
                      .gva = {0xffffffffff5fc010},
                      .write = cases[i].write,
                      .fetch = cases[i].fetch,
                      .in_walk = cases[i].in_walk},
        };
        struct received received =
            receive(*state, INTERCEPT_UNMAPPED_GPA, &exit);

        assert_int_equal(received.bytes[4], 0x50);
        assert_int_equal(field(&received, 0x05, 1), cases[i].access);
        assert_int_equal(field(&received, 0x28, 4), 6);
        assert_int_equal(field(&received, 0x2c, 1), 16);
        assert_int_equal(field(&received, 0x2d, 1), cases[i].flags);
        assert_int_equal(field(&received, 0x30, 8), 0xffffffffff5fc010);
        assert_int_equal(field(&received, 0x38, 8), 0xfec00010);
        assert_int_equal(field(&received, 0x40, 3), 0x9090ee);
    }
}

static void an_msr_message_has_its_number_and_value(void **state)
{
    struct vm_exit exit = {
        .kind = VM_EXIT_WRMSR,
        .instruction_bytes = 2,
        .u.msr = {.index = 0xc0011029, .value = 5},
    };
    struct received received = receive(*state, INTERCEPT_MSR, &exit);

    assert_int_equal(received.bytes[4], 0x40);
    assert_int_equal(field(&received, 0x05, 1), 1);
    assert_int_equal(field(&received, 0x28, 4), 0xc0011029);
    assert_int_equal(field(&received, 0x30, 8), 0x1002); /* RDX */
    assert_int_equal(field(&received, 0x38, 8), 0x1000); /* RAX */
    exit.kind = VM_EXIT_RDMSR;
    received = receive(*state, INTERCEPT_MSR, &exit);
    assert_int_equal(field(&received, 0x05, 1), 0);
}

static void a_cpuid_message_has_the_default_answer(void **state)
{
    struct fake_world *world = *state;
    struct vm_exit exit = {
        .kind = VM_EXIT_CPUID,
        .instruction_bytes = 2,
        .u.cpuid = {.leaf = 1},
    };
    struct received received = receive(world, INTERCEPT_CPUID, &exit);
    struct cpuid_result answer = cpuid_query(&world->vps[4], 1, 0);

    assert_int_equal(received.bytes[4], 0x68);
    assert_int_equal(field(&received, 0x05, 1), 2);
    assert_int_equal(field(&received, 0x28, 8), 0x1000);
    assert_int_equal(field(&received, 0x30, 8), 0x1001);
    assert_int_equal(field(&received, 0x38, 8), 0x1002);
    assert_int_equal(field(&received, 0x40, 8), 0x1003);
    assert_int_equal(field(&received, 0x48, 8), answer.eax);
    assert_int_equal(field(&received, 0x50, 8), answer.ecx);
    assert_int_equal(field(&received, 0x58, 8), answer.edx);
    assert_int_equal(field(&received, 0x60, 8), answer.ebx);
}

static void an_exception_message_has_all_registers(void **state)
{
    struct vm_exit exit = {
        .kind = VM_EXIT_EXCEPTION,
        .u.exception = {.vector = 14,
                        .has_error_code = true,
                        .error_code = 6,
                        .cr2 = 0xdeadb000},
    };
    struct received received = receive(*state, INTERCEPT_EXCEPTION, &exit);

    assert_int_equal(received.bytes[4], 240);
    assert_int_equal(field(&received, 0x28, 2), 14);
    assert_int_equal(field(&received, 0x2a, 1), 1);
    assert_int_equal(field(&received, 0x2c, 4), 6);
    assert_int_equal(field(&received, 0x30, 8), 0xdeadb000);
    assert_int_equal(field(&received, 0x50, 8), 0xd5); /* DS */
    for (unsigned i = 0; i < X86_GPR_COUNT; i++)
        assert_int_equal(field(&received, 0x70 + 8 * i, 8), 0x1000 + i);
}

static void a_task_switch_is_an_unsupported_feature(void **state)
{
    struct vm_exit exit = {.kind = VM_EXIT_TASK_GATE};
    struct received received =
        receive(*state, INTERCEPT_UNSUPPORTED_FEATURE, &exit);

    assert_int_equal(received.bytes[4], 16);
    assert_int_equal(field(&received, 0, 4), 4);
    assert_int_equal(field(&received, 4, 4), 2);
}

static const struct vm_exit an_out = {
    .kind = VM_EXIT_IO,
    .instruction_bytes = 1,
    .u.io = {.port = 0x3f8, .bytes = 1},
};

static void the_vp_is_suspended_and_the_parent_interrupted(void **state)
{
    struct fake_world *world = *state;

    enable_parents(world);
    send(world, 0, INTERCEPT_IO_PORT, &an_out);
    assert_true(world->vps[0].intercept_suspend);
    assert_int_equal(fake_of(&world->vps[0])->reconsiders, 1);
    assert_int_equal(fake_of(&world->parent_vps[0])->last_vector, 0x30);
    assert_int_equal(cost_count(&world->bill, COST_INTERCEPT_MESSAGE), 1);
}

static void with_one_parent(struct fake_world *world)
{
    for (unsigned i = 1; i < FAKE_PARENT_VP_COUNT; i++)
        world->parent.vps[i] = NULL;
    world->parent.vp_count = 1;
}

static void children_are_spread_over_the_parents_vps(void **state)
{
    struct fake_world *world = *state;
    struct received received;

    enable_parents(world);
    for (unsigned i = 0; i < FAKE_VP_COUNT; i++) {
        send(world, i, INTERCEPT_IO_PORT, &an_out);
        assert_true(take(world, i % FAKE_PARENT_VP_COUNT, &received));
        assert_int_equal(field(&received, 0, 4), i);
    }
}

/* One of the parent's VPs for each node; the child runs on an LP of the second,
 * or, before it has run, prefers that node; a third has none. */
static void messages_stay_in_the_node(void **state)
{
    struct fake_world *world = *state;
    struct hv_lp lp = {.node = 1, .id = {5}};
    struct received received;

    enable_parents(world);
    world->parent_vps[1].node = 1;
    for (unsigned i = 0; i < 4; i++) {
        world->vps[i].sched.lp = &lp;
        send(world, i, INTERCEPT_IO_PORT, &an_out);
        assert_true(take(world, 1, &received));
    }
    world->vps[4].node = 1;
    send(world, 4, INTERCEPT_IO_PORT, &an_out);
    assert_true(take(world, 1, &received));
    lp.node = 0;
    world->vps[5].sched.lp = &lp;
    send(world, 5, INTERCEPT_IO_PORT, &an_out);
    assert_true(take(world, 0, &received));
    lp.node = 2;
    for (unsigned i = 6; i < 10; i++) {
        world->vps[i].sched.lp = &lp;
        send(world, i, INTERCEPT_IO_PORT, &an_out);
        assert_true(take(world, i % FAKE_PARENT_VP_COUNT, &received));
    }
}

/** All children exit; the parent has one VP, whose slot and queue hold fewer
 *  messages than that. */
static void more_messages_than_buffers_arrive_in_order(void **state)
{
    struct fake_world *world = *state;
    struct received received;

    enable_parents(world);
    with_one_parent(world);
    for (unsigned i = 0; i < FAKE_VP_COUNT; i++)
        send(world, i, INTERCEPT_IO_PORT, &an_out);
    assert_non_null(world->parent_vps[0].synic.senders);
    for (unsigned i = 0; i < FAKE_VP_COUNT; i++) {
        assert_true(world->vps[i].intercept_suspend);
        assert_true(take(world, 0, &received));
        assert_int_equal(field(&received, 0, 4), i);
    }
    assert_false(take(world, 0, &received));
    assert_null(world->parent_vps[0].synic.senders);
}

static void
a_later_message_does_not_overtake_those_without_a_buffer(void **state)
{
    struct fake_world *world = *state;
    struct synic *synic = &world->parent_vps[0].synic;
    struct received received;

    enable_parents(world);
    with_one_parent(world);
    for (unsigned i = 0; i < FAKE_VP_COUNT - 1; i++)
        send(world, i, INTERCEPT_IO_PORT, &an_out);
    fake_write32(world, synic->message_page, 0); /* taken, and no EOM yet */
    send(world, FAKE_VP_COUNT - 1, INTERCEPT_IO_PORT, &an_out);
    for (unsigned i = 1; i < FAKE_VP_COUNT; i++) {
        synic_rescan(&world->context, synic);
        assert_true(take(world, 0, &received));
        assert_int_equal(field(&received, 0, 4), i);
    }
}

static void a_message_waits_until_the_parent_listens(void **state)
{
    struct fake_world *world = *state;
    struct received received;

    send(world, 0, INTERCEPT_IO_PORT, &an_out);
    send(world, 2, INTERCEPT_IO_PORT, &an_out);
    assert_true(world->vps[0].intercept_suspend);
    enable_parents(world);
    assert_true(take(world, 0, &received));
    assert_int_equal(field(&received, 0, 4), 0);
    assert_true(take(world, 0, &received));
    assert_int_equal(field(&received, 0, 4), 2);
}

static void a_vp_resumed_meanwhile_has_nothing_to_report(void **state)
{
    struct fake_world *world = *state;
    struct received received;

    send(world, 0, INTERCEPT_IO_PORT, &an_out);
    send(world, 2, INTERCEPT_IO_PORT, &an_out);
    world->vps[0].intercept_suspend = false;
    enable_parents(world);
    assert_true(take(world, 0, &received));
    assert_int_equal(field(&received, 0, 4), 2);
    assert_false(take(world, 0, &received));
}

static void a_vp_that_goes_away_takes_its_message_along(void **state)
{
    struct fake_world *world = *state;
    struct received received;

    send(world, 0, INTERCEPT_IO_PORT, &an_out);
    send(world, 2, INTERCEPT_IO_PORT, &an_out);
    send(world, 4, INTERCEPT_IO_PORT, &an_out);
    intercept_forget(&world->vps[2]);
    intercept_forget(&world->vps[2]);
    enable_parents(world);
    assert_true(take(world, 0, &received));
    assert_int_equal(field(&received, 0, 4), 0);
    assert_true(take(world, 0, &received));
    assert_int_equal(field(&received, 0, 4), 4);
    assert_false(take(world, 0, &received));
}

static void a_child_of_nobody_stays_suspended(void **state)
{
    struct fake_world *world = *state;

    world->parent.vp_count = 0;
    send(world, 0, INTERCEPT_IO_PORT, &an_out);
    assert_true(world->vps[0].intercept_suspend);
}

static void end_level(struct fake_world *world, unsigned vp, uint8_t vector)
{
    struct hv_context context = fake_context(world, &world->vps[vp]);
    struct lapic *lapic = &world->vps[vp].lapic;

    fake_enable_lapic(&world->vps[vp]);
    assert_true(lapic_set_irr(lapic, vector, true, false));
    assert_int_equal(lapic_accept(&context, lapic), vector);
    lapic_eoi(&context, lapic);
}

static void the_end_of_a_level_is_told_and_the_vp_goes_on(void **state)
{
    struct fake_world *world = *state;
    const uint32_t type = INTERCEPT_APIC_EOI;
    struct received received;

    enable_parents(world);
    with_one_parent(world);
    end_level(world, 3, 0x31);
    assert_false(world->vps[3].intercept_suspend);
    assert_true(take(world, 0, &received));
    assert_memory_equal(received.bytes, &type, sizeof(type));
    assert_int_equal(field(&received, 0, 4), 3);
    assert_int_equal(field(&received, 4, 4), 0x31);
    assert_false(take(world, 0, &received));
}

static void the_end_of_an_edge_is_nobodys_business(void **state)
{
    struct fake_world *world = *state;
    struct lapic *lapic = &world->vps[0].lapic;
    struct received received;

    enable_parents(world);
    with_one_parent(world);
    fake_enable_lapic(&world->vps[0]);
    assert_true(lapic_set_irr(lapic, 0x31, false, false));
    lapic_accept(&world->context, lapic);
    lapic_eoi(&world->context, lapic);
    assert_false(take(world, 0, &received));
}

static void ends_of_levels_wait_for_room_and_none_is_lost(void **state)
{
    struct fake_world *world = *state;
    struct received received;

    for (uint8_t vector = 0x40; vector > 0x30; vector--)
        end_level(world, 0, vector);
    end_level(world, 1, 0x31);
    enable_parents(world);
    with_one_parent(world);
    for (uint8_t vector = 0x31; vector <= 0x40; vector++) {
        assert_true(take(world, 0, &received));
        assert_int_equal(field(&received, 0, 4), 0);
        assert_int_equal(field(&received, 4, 4), vector);
    }
    assert_false(take(world, 0, &received));
    assert_true(take(world, 1, &received));
    assert_int_equal(field(&received, 0, 4), 1);
}

int main(void)
{
#define TEST(name)                                                             \
    cmocka_unit_test_setup_teardown(name, fake_world_setup, fake_world_teardown)
    const struct CMUnitTest tests[] = {
        TEST(the_header_describes_the_vp),
        TEST(the_execution_state_tells_the_mode),
        TEST(an_io_message_has_the_port_and_the_registers),
        TEST(a_memory_message_has_the_addresses),
        TEST(an_msr_message_has_its_number_and_value),
        TEST(a_cpuid_message_has_the_default_answer),
        TEST(an_exception_message_has_all_registers),
        TEST(a_task_switch_is_an_unsupported_feature),
        TEST(the_vp_is_suspended_and_the_parent_interrupted),
        TEST(children_are_spread_over_the_parents_vps),
        TEST(messages_stay_in_the_node),
        TEST(more_messages_than_buffers_arrive_in_order),
        TEST(a_later_message_does_not_overtake_those_without_a_buffer),
        TEST(a_message_waits_until_the_parent_listens),
        TEST(a_vp_resumed_meanwhile_has_nothing_to_report),
        TEST(a_vp_that_goes_away_takes_its_message_along),
        TEST(a_child_of_nobody_stays_suspended),
        TEST(the_end_of_a_level_is_told_and_the_vp_goes_on),
        TEST(the_end_of_an_edge_is_nobodys_business),
        TEST(ends_of_levels_wait_for_room_and_none_is_lost),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
