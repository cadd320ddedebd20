/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Delivery in protected, virtual-8086 and real mode. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/cpu/event_machine.h"

/* Protected mode. */

static void protected_mode_pushes_three_doublewords(void **state)
{
    struct machine machine;
    const uint64_t frame[] = {0x77, RIP, SEL_CODE32,
                              RFLAGS_FIXED | RFLAGS_IF | RFLAGS_RF};

    (void)state;
    machine_protected_mode(&machine);
    machine_delivers(&machine,
                     machine_exception_with_code(X86_VECTOR_GP, 0x77));
    assert_int_equal(machine.cpu.gpr[X86_RSP], KERNEL_STACK - 16);
    machine_has_frame(&machine, 4, frame, 4);
    assert_int_equal(machine.cpu.rflags, RFLAGS_FIXED);
}

static void a_16_bit_gate_pushes_words(void **state)
{
    struct machine machine;
    const uint64_t frame[] = {RIP, SEL_CODE32, RFLAGS_FIXED | RFLAGS_IF};

    (void)state;
    machine_protected_mode(&machine);
    machine_set_gate(&machine, 0x41, SEL_CODE32, HANDLER | 0x141,
                     GATE_INTERRUPT16);
    assert_int_equal(machine_deliver(&machine, machine_interrupt(0x41)),
                     EVENT_DELIVERED);
    assert_int_equal(machine.cpu.rip, 0x141);
    assert_int_equal(machine.cpu.gpr[X86_RSP], KERNEL_STACK - 6);
    machine_has_frame(&machine, 2, frame, 3);
    machine_protected_mode(&machine);
    machine_set_gate(&machine, 0x41, SEL_CODE32, HANDLER | 0x141, GATE_TRAP16);
    assert_int_equal(machine_deliver(&machine, machine_interrupt(0x41)),
                     EVENT_DELIVERED);
    machine_has_frame(&machine, 2, frame, 3);
    assert_int_equal(machine.cpu.rflags, RFLAGS_FIXED | RFLAGS_IF);
}

static void tables_wrap_at_4_gib_outside_long_mode(void **state)
{
    struct machine machine;

    (void)state;
    machine_protected_mode(&machine);
    machine.cpu.idtr.base |= UINT64_C(1) << 32;
    machine.cpu.gdtr.base |= UINT64_C(1) << 32;
    machine_delivers(&machine, machine_interrupt(0x41));
}

static void an_absent_stack_of_protected_mode_is_a_page_fault(void **state)
{
    struct machine machine;

    (void)state;
    machine_protected_mode(&machine);
    machine_enter_user(&machine);
    machine.absent[(KERNEL_STACK - 1) / 0x1000] = true;
    machine_set_gate(&machine, X86_VECTOR_PF, SEL_USER_CODE32,
                     HANDLER + X86_VECTOR_PF, GATE_INTERRUPT);
    machine_makes_of(&machine, machine_interrupt(0x41), X86_VECTOR_PF,
                     PF_WRITE);
    assert_int_equal(machine.cpu.cr2, KERNEL_STACK - 4);
}

static void an_inner_ring_gets_its_stack_from_a_32_bit_tss(void **state)
{
    struct machine machine;
    const uint64_t frame[] = {RIP, SEL_USER_CODE32 | 3,
                              RFLAGS_FIXED | RFLAGS_IF, USER_STACK,
                              SEL_USER_DATA | 3};

    (void)state;
    machine_protected_mode(&machine);
    machine_enter_user(&machine);
    machine_delivers(&machine, machine_interrupt(0x41));
    assert_int_equal(machine.cpu.gpr[X86_RSP], KERNEL_STACK - 20);
    machine_has_frame(&machine, 4, frame, 5);
    assert_int_equal(machine.cpu.segment[X86_SS].selector, SEL_DATA);
    assert_int_equal(machine.cpu.segment[X86_SS].limit, UINT32_MAX);
    assert_int_equal(x86_cpl(&machine.cpu), 0);
    assert_false(machine.wrote_as_user);
}

static void an_inner_ring_gets_its_stack_from_a_16_bit_tss(void **state)
{
    struct machine machine;

    (void)state;
    machine_protected_mode(&machine);
    machine_enter_user(&machine);
    machine.cpu.tr.attributes = 0x83;
    machine.cpu.tr.limit = 0x2b;
    machine_put(&machine, TSS + 2, KERNEL_STACK, 2);
    machine_put(&machine, TSS + 4, SEL_DATA, 2);
    machine_delivers(&machine, machine_interrupt(0x41));
    assert_int_equal(machine.cpu.gpr[X86_RSP], KERNEL_STACK - 20);
}

static void assert_stack_fault(uint16_t selector, uint8_t vector, uint32_t code)
{
    struct machine machine;
    uint16_t handler = SEL_CODE32;

    machine_protected_mode(&machine);
    machine_enter_user(&machine);
    machine_put(&machine, TSS + 8, selector, 2);
    /* The fault itself is handled at the user's own level. */
    machine_set_gate(&machine, vector, SEL_USER_CODE32, HANDLER + vector,
                     GATE_INTERRUPT);
    machine_set_gate(&machine, 0x41, handler, HANDLER + 0x41, GATE_INTERRUPT);
    machine_makes_of(&machine, machine_interrupt(0x41), vector, code);
}

static void bad_stack_segments_name_themselves(void **state)
{
    (void)state;
    assert_stack_fault(0, X86_VECTOR_TS, 1);
    assert_stack_fault(SEL_DATA | 1, X86_VECTOR_TS, SEL_DATA | 1);
    assert_stack_fault(SEL_USER_DATA, X86_VECTOR_TS, SEL_USER_DATA | 1);
    assert_stack_fault(SEL_CODE32, X86_VECTOR_TS, SEL_CODE32 | 1);
    assert_stack_fault(SEL_READ_ONLY, X86_VECTOR_TS, SEL_READ_ONLY | 1);
    assert_stack_fault(SEL_END, X86_VECTOR_TS, SEL_END | 1);
    assert_stack_fault(SEL_ABSENT_DATA, X86_VECTOR_SS, SEL_ABSENT_DATA | 1);
    assert_stack_fault(SEL_SHORT_DATA, X86_VECTOR_SS, SEL_SHORT_DATA | 1);
}

static void a_tss_of_no_known_kind_is_invalid(void **state)
{
    struct machine machine;

    (void)state;
    machine_protected_mode(&machine);
    machine_enter_user(&machine);
    machine_set_gate(&machine, X86_VECTOR_TS, SEL_USER_CODE32,
                     HANDLER + X86_VECTOR_TS, GATE_INTERRUPT);
    machine.cpu.tr.attributes = 0;
    machine_makes_of(&machine, machine_interrupt(0x41), X86_VECTOR_TS,
                     SEL_TSS | 1);
    machine_protected_mode(&machine);
    machine_enter_user(&machine);
    machine_set_gate(&machine, X86_VECTOR_TS, SEL_USER_CODE32,
                     HANDLER + X86_VECTOR_TS, GATE_INTERRUPT);
    machine.cpu.tr.limit = 8;
    machine_makes_of(&machine, machine_interrupt(0x41), X86_VECTOR_TS,
                     SEL_TSS | 1);
}

static void an_expand_down_stack_is_limited_from_below(void **state)
{
    struct machine machine;

    (void)state;
    machine_protected_mode(&machine);
    machine_enter_user(&machine);
    machine_put(&machine, TSS + 8, SEL_EXPAND_DOWN, 2);
    machine_delivers(&machine, machine_interrupt(0x41));
    machine_protected_mode(&machine);
    machine_enter_user(&machine);
    machine_put(&machine, TSS + 8, SEL_EXPAND_DOWN, 2);
    machine_put(&machine, TSS + 4, KERNEL_STACK - 4, 4);
    machine_set_gate(&machine, X86_VECTOR_SS, SEL_USER_CODE32,
                     HANDLER + X86_VECTOR_SS, GATE_INTERRUPT);
    machine_makes_of(&machine, machine_interrupt(0x41), X86_VECTOR_SS,
                     SEL_EXPAND_DOWN | 1);
}

static void a_16_bit_stack_moves_only_sp(void **state)
{
    struct machine machine;

    (void)state;
    machine_protected_mode(&machine);
    machine.cpu.segment[X86_SS] = (struct x86_segment){
        .limit = 0xffff, .selector = SEL_DATA16, .attributes = 0x93};
    machine.cpu.gpr[X86_RSP] = 0xabcd0000 | 4;
    machine_delivers(&machine, machine_interrupt(0x41));
    assert_int_equal(machine.cpu.gpr[X86_RSP], 0xabcdfff8);
    assert_int_equal(machine_get(&machine, 0, 4), RFLAGS_FIXED | RFLAGS_IF);
    assert_int_equal(machine_get(&machine, 0xfff8, 4), RIP);
}

static void a_handler_beyond_its_segment_is_a_protection_fault(void **state)
{
    struct machine machine;

    (void)state;
    machine_protected_mode(&machine);
    machine_set_gate(&machine, 0x41, SEL_SHORT_CODE32, 0x100, GATE_INTERRUPT);
    machine_makes_of(&machine, machine_interrupt(0x41), X86_VECTOR_GP, 1);
    machine_protected_mode(&machine);
    machine_set_gate(&machine, 0x41, SEL_SHORT_CODE32, 0xff, GATE_INTERRUPT);
    assert_int_equal(machine_deliver(&machine, machine_interrupt(0x41)),
                     EVENT_DELIVERED);
    assert_int_equal(machine.cpu.rip, 0xff);
}

static void code_segments_of_the_ldt_work(void **state)
{
    struct machine machine;

    (void)state;
    machine_protected_mode(&machine);
    machine_set_gate(&machine, 0x41, SEL_IN_LDT, HANDLER + 0x41,
                     GATE_INTERRUPT);
    machine_delivers(&machine, machine_interrupt(0x41));
    assert_int_equal(machine.cpu.segment[X86_CS].selector, SEL_IN_LDT);
    machine_protected_mode(&machine);
    machine.cpu.ldtr.selector = 0;
    machine_set_gate(&machine, 0x41, SEL_IN_LDT, HANDLER + 0x41,
                     GATE_INTERRUPT);
    machine_makes_of(&machine, machine_interrupt(0x41), X86_VECTOR_GP,
                     SEL_IN_LDT | 1);
}

static void a_task_gate_is_reported_and_changes_nothing(void **state)
{
    struct machine machine;
    struct x86_state before;

    (void)state;
    machine_protected_mode(&machine);
    machine_set_gate(&machine, X86_VECTOR_DF, SEL_TSS, 0, GATE_TASK);
    before = machine.cpu;
    assert_int_equal(machine_deliver(&machine, machine_exception_with_code(
                                                   X86_VECTOR_DF, 0)),
                     EVENT_TASK_GATE);
    assert_memory_equal(&machine.cpu, &before, sizeof(before));
    machine_set_gate(&machine, 0x41, SEL_TSS, 0, 0x0500);
    machine_makes_of(&machine, machine_interrupt(0x41), X86_VECTOR_NP,
                     0x41 * 8 + 3);
}

/* Virtual-8086 mode. */

static void virtual_8086_mode_is_left_for_ring_0(void **state)
{
    struct machine machine;
    const uint64_t frame[] = {
        RIP,   0x101, RFLAGS_FIXED | RFLAGS_IF | RFLAGS_VM,
        0xffe, 0x102, 0x100,
        0x103, 0x104, 0x105};

    (void)state;
    machine_protected_mode(&machine);
    machine_enter_vm86(&machine);
    machine_delivers(&machine, machine_interrupt(0x41));
    assert_int_equal(machine.cpu.gpr[X86_RSP], KERNEL_STACK - 36);
    machine_has_frame(&machine, 4, frame, 9);
    assert_int_equal(x86_cpl(&machine.cpu), 0);
    assert_int_equal(machine.cpu.rflags, RFLAGS_FIXED);
    assert_int_equal(machine.cpu.segment[X86_DS].selector, 0);
    assert_int_equal(machine.cpu.segment[X86_GS].attributes, 0);
}

static void virtual_8086_mode_enters_no_other_ring(void **state)
{
    struct machine machine;

    (void)state;
    machine_protected_mode(&machine);
    machine_enter_vm86(&machine);
    machine_set_gate(&machine, 0x41, SEL_DPL1_CODE32, HANDLER, GATE_INTERRUPT);
    machine_makes_of(&machine, machine_interrupt(0x41), X86_VECTOR_GP,
                     SEL_DPL1_CODE32 | 1);
    machine_protected_mode(&machine);
    machine_enter_vm86(&machine);
    machine_set_gate(&machine, 0x41, SEL_CONFORMING32, HANDLER, GATE_INTERRUPT);
    machine_makes_of(&machine, machine_interrupt(0x41), X86_VECTOR_GP,
                     SEL_CONFORMING32 | 1);
}

static void int_n_of_virtual_8086_mode_needs_iopl_3(void **state)
{
    struct machine machine;

    (void)state;
    machine_protected_mode(&machine);
    machine_enter_vm86(&machine);
    machine_makes_of(&machine, machine_software(0x21), X86_VECTOR_GP, 0);
    machine_protected_mode(&machine);
    machine_enter_vm86(&machine);
    machine.cpu.rflags |= UINT64_C(3) << RFLAGS_IOPL_SHIFT;
    machine_set_gate(&machine, 0x21, SEL_CODE32, HANDLER + 0x21,
                     GATE_INTERRUPT | GATE_DPL3);
    machine_delivers(&machine, machine_software(0x21));
}

/* Real mode. */

static void real_mode_pushes_three_words(void **state)
{
    struct machine machine;
    const uint64_t frame[] = {RIP + 2, 0x1234,
                              RFLAGS_FIXED | RFLAGS_IF | RFLAGS_TF};

    (void)state;
    machine_real_mode(&machine);
    assert_int_equal(machine_deliver(&machine, machine_software(0x10)),
                     EVENT_DELIVERED);
    assert_int_equal(machine.cpu.gpr[X86_RSP], KERNEL_STACK - 6);
    machine_has_frame(&machine, 2, frame, 3);
    assert_int_equal(machine.cpu.rip, 0x1010);
    assert_int_equal(machine.cpu.segment[X86_CS].selector, 0xf00);
    assert_int_equal(machine.cpu.segment[X86_CS].base, 0xf000);
    assert_int_equal(machine.cpu.rflags, RFLAGS_FIXED);
}

static void real_mode_pushes_no_error_code(void **state)
{
    struct machine machine;

    (void)state;
    machine_real_mode(&machine);
    assert_int_equal(machine_deliver(&machine, machine_exception_with_code(
                                                   X86_VECTOR_GP, 5)),
                     EVENT_DELIVERED);
    assert_int_equal(machine.cpu.gpr[X86_RSP], KERNEL_STACK - 6);
}

static void real_mode_checks_the_table_and_the_stack(void **state)
{
    struct machine machine;

    (void)state;
    machine_real_mode(&machine);
    machine.cpu.idtr.limit = 0x3f;
    assert_int_equal(machine_deliver(&machine, machine_interrupt(0x10)),
                     EVENT_DELIVERED);
    assert_int_equal(machine.delivered.vector, X86_VECTOR_GP);
    machine_real_mode(&machine);
    machine.cpu.gpr[X86_RSP] = 1;
    machine_shuts_down(&machine, machine_interrupt(0x10));
    machine_real_mode(&machine);
    machine.cpu.gpr[X86_RSP] = 2;
    assert_int_equal(machine_deliver(&machine, machine_interrupt(0x10)),
                     EVENT_DELIVERED);
    assert_int_equal(machine.cpu.gpr[X86_RSP], 0xfffc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(protected_mode_pushes_three_doublewords),
        cmocka_unit_test(a_16_bit_gate_pushes_words),
        cmocka_unit_test(tables_wrap_at_4_gib_outside_long_mode),
        cmocka_unit_test(an_absent_stack_of_protected_mode_is_a_page_fault),
        cmocka_unit_test(an_inner_ring_gets_its_stack_from_a_32_bit_tss),
        cmocka_unit_test(an_inner_ring_gets_its_stack_from_a_16_bit_tss),
        cmocka_unit_test(bad_stack_segments_name_themselves),
        cmocka_unit_test(a_tss_of_no_known_kind_is_invalid),
        cmocka_unit_test(an_expand_down_stack_is_limited_from_below),
        cmocka_unit_test(a_16_bit_stack_moves_only_sp),
        cmocka_unit_test(a_handler_beyond_its_segment_is_a_protection_fault),
        cmocka_unit_test(code_segments_of_the_ldt_work),
        cmocka_unit_test(a_task_gate_is_reported_and_changes_nothing),
        cmocka_unit_test(virtual_8086_mode_is_left_for_ring_0),
        cmocka_unit_test(virtual_8086_mode_enters_no_other_ring),
        cmocka_unit_test(int_n_of_virtual_8086_mode_needs_iopl_3),
        cmocka_unit_test(real_mode_pushes_three_words),
        cmocka_unit_test(real_mode_pushes_no_error_code),
        cmocka_unit_test(real_mode_checks_the_table_and_the_stack),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
