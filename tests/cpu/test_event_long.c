/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Delivery in long mode. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "tests/cpu/event_machine.h"

/* Long mode. */

static void long_mode_pushes_five_quadwords_on_an_aligned_stack(void **state)
{
    struct machine machine;
    const uint64_t frame[] = {RIP, SEL_CODE64, RFLAGS_FIXED | RFLAGS_IF,
                              KERNEL_STACK - 3, SEL_DATA};

    (void)state;
    machine_long_mode(&machine);
    machine.cpu.gpr[X86_RSP] = KERNEL_STACK - 3;
    machine.cpu.interrupt_shadow = true;
    machine_delivers(&machine, machine_interrupt(0x41));
    assert_int_equal(machine.cpu.gpr[X86_RSP], KERNEL_STACK - 16 - 40);
    machine_has_frame(&machine, 8, frame, 5);
    assert_int_equal(machine.cpu.rflags, RFLAGS_FIXED);
    assert_int_equal(machine.cpu.segment[X86_SS].selector, SEL_DATA);
    assert_false(machine.cpu.interrupt_shadow);
}

static void a_trap_gate_leaves_interrupts_enabled(void **state)
{
    struct machine machine;

    (void)state;
    machine_long_mode(&machine);
    machine.cpu.rflags |=
        RFLAGS_TF | RFLAGS_NT | RFLAGS_RF | RFLAGS_AC | RFLAGS_DF;
    machine_set_gate(&machine, 0x41, SEL_CODE64, HANDLER + 0x41, GATE_TRAP);
    machine_delivers(&machine, machine_interrupt(0x41));
    assert_int_equal(machine.cpu.rflags,
                     RFLAGS_FIXED | RFLAGS_IF | RFLAGS_AC | RFLAGS_DF);
}

static void from_user_mode_the_stack_comes_from_the_tss(void **state)
{
    struct machine machine;
    const uint64_t frame[] = {0x77,
                              RIP,
                              SEL_USER_CODE64 | 3,
                              RFLAGS_FIXED | RFLAGS_IF | RFLAGS_RF,
                              USER_STACK,
                              SEL_USER_DATA | 3};

    (void)state;
    machine_long_mode(&machine);
    machine_enter_user(&machine);
    machine_delivers(&machine,
                     machine_exception_with_code(X86_VECTOR_GP, 0x77));
    assert_int_equal(machine.cpu.gpr[X86_RSP], KERNEL_STACK - 48);
    machine_has_frame(&machine, 8, frame, 6);
    assert_int_equal(machine.cpu.segment[X86_CS].selector, SEL_CODE64);
    assert_int_equal(machine.cpu.segment[X86_SS].selector, 0);
    assert_int_equal(x86_cpl(&machine.cpu), 0);
    assert_true(x86_64bit_code(&machine.cpu));
    assert_false(machine.read_as_user || machine.wrote_as_user);
}

static void an_ist_stack_is_used_at_any_privilege(void **state)
{
    struct machine machine;

    (void)state;
    machine_long_mode(&machine);
    machine_set_gate(&machine, X86_VECTOR_NMI, SEL_CODE64,
                     HANDLER + X86_VECTOR_NMI, GATE_INTERRUPT | 1);
    machine_delivers(&machine, (struct cpu_event){.type = EVENT_TYPE_NMI,
                                                  .vector = X86_VECTOR_NMI});
    assert_int_equal(machine.cpu.gpr[X86_RSP], IST_STACK - 40);
    assert_int_equal(machine.cpu.segment[X86_SS].selector, SEL_DATA);
    assert_true(machine.cpu.nmi_masked);
}

static void a_conforming_handler_keeps_the_privilege(void **state)
{
    struct machine machine;

    (void)state;
    machine_long_mode(&machine);
    machine_enter_user(&machine);
    machine_set_gate(&machine, 0x41, SEL_CONFORMING64, HANDLER + 0x41,
                     GATE_INTERRUPT);
    machine_delivers(&machine, machine_interrupt(0x41));
    assert_int_equal(x86_cpl(&machine.cpu), 3);
    assert_int_equal(machine.cpu.segment[X86_CS].selector,
                     SEL_CONFORMING64 | 3);
    assert_int_equal(machine.cpu.gpr[X86_RSP], USER_STACK - 40);
    assert_true(machine.wrote_as_user);
    assert_false(machine.read_as_user);
}

static void software_interrupts_return_behind_the_instruction(void **state)
{
    struct machine machine;

    (void)state;
    machine_long_mode(&machine);
    machine_delivers(&machine, machine_software(0x80));
    assert_int_equal(machine_get(&machine, machine.cpu.gpr[X86_RSP], 8),
                     RIP + 2);
    machine_long_mode(&machine);
    machine_delivers(&machine,
                     (struct cpu_event){.type = EVENT_TYPE_SOFTWARE_EXCEPTION,
                                        .vector = X86_VECTOR_BP,
                                        .instruction_bytes = 1});
    assert_int_equal(machine_get(&machine, machine.cpu.gpr[X86_RSP], 8),
                     RIP + 1);
}

static void software_interrupts_need_the_gates_privilege(void **state)
{
    struct machine machine;

    (void)state;
    machine_long_mode(&machine);
    machine_enter_user(&machine);
    machine_makes_of(&machine, machine_software(0x80), X86_VECTOR_GP,
                     0x80 * 8 + 2);
    assert_int_equal(machine_get(&machine, machine.cpu.gpr[X86_RSP] + 8, 8),
                     RIP);

    machine_long_mode(&machine);
    machine_enter_user(&machine);
    machine_set_gate(&machine, 0x80, SEL_CODE64, HANDLER + 0x80,
                     GATE_TRAP | GATE_DPL3);
    machine_delivers(&machine, machine_software(0x80));

    machine_long_mode(&machine);
    machine_enter_user(&machine);
    machine_makes_of(&machine,
                     (struct cpu_event){.type = EVENT_TYPE_SOFTWARE_EXCEPTION,
                                        .vector = X86_VECTOR_BP,
                                        .instruction_bytes = 1},
                     X86_VECTOR_GP, X86_VECTOR_BP * 8 + 2);

    machine_long_mode(&machine);
    machine_enter_user(&machine);
    machine_delivers(
        &machine,
        (struct cpu_event){.type = EVENT_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION,
                           .vector = X86_VECTOR_DB,
                           .instruction_bytes = 1});
    assert_int_equal(machine_get(&machine, machine.cpu.gpr[X86_RSP], 8),
                     RIP + 1);
}

static void assert_gate_fault(uint16_t selector, uint64_t offset,
                              uint32_t flags, uint8_t vector, uint32_t code)
{
    struct machine machine;

    machine_long_mode(&machine);
    machine_set_gate(&machine, 0x41, selector, offset, flags);
    machine_makes_of(&machine, machine_interrupt(0x41), vector, code);
}

static void bad_gates_and_code_segments_name_themselves(void **state)
{
    const uint32_t gate = 0x41 * 8 + 3;
    const uint32_t good = GATE_INTERRUPT;

    (void)state;
    assert_gate_fault(SEL_CODE64, HANDLER, 0x0e00, X86_VECTOR_NP, gate);
    assert_gate_fault(SEL_CODE64, HANDLER, 0x8600, X86_VECTOR_GP, gate);
    assert_gate_fault(SEL_CODE64, HANDLER, 0x8500, X86_VECTOR_GP, gate);
    assert_gate_fault(SEL_CODE64, HANDLER, 0x9e00, X86_VECTOR_GP, gate);
    assert_gate_fault(0, HANDLER, good, X86_VECTOR_GP, 1);
    assert_gate_fault(3, HANDLER, good, X86_VECTOR_GP, 1);
    assert_gate_fault(SEL_DATA, HANDLER, good, X86_VECTOR_GP, SEL_DATA | 1);
    assert_gate_fault(SEL_CODE32, HANDLER, good, X86_VECTOR_GP, SEL_CODE32 | 1);
    assert_gate_fault(SEL_USER_CODE64 | 3, HANDLER, good, X86_VECTOR_GP,
                      SEL_USER_CODE64 | 1);
    assert_gate_fault(SEL_ABSENT_CODE, HANDLER, good, X86_VECTOR_NP,
                      SEL_ABSENT_CODE | 1);
    assert_gate_fault(SEL_END, HANDLER, good, X86_VECTOR_GP, SEL_END | 1);
    assert_gate_fault(0x1c, HANDLER, good, X86_VECTOR_GP, 0x1d);
    assert_gate_fault(SEL_CODE64, UINT64_C(0x800000000000), good, X86_VECTOR_GP,
                      1);
}

static void a_vector_beyond_the_idt_is_a_protection_fault(void **state)
{
    struct machine machine;

    (void)state;
    machine_long_mode(&machine);
    machine.cpu.idtr.limit = 0x41 * 16 + 14;
    machine_makes_of(&machine, machine_interrupt(0x41), X86_VECTOR_GP,
                     0x41 * 8 + 3);
    machine_long_mode(&machine);
    machine.cpu.idtr.limit = 0x41 * 16 + 14;
    machine_makes_of(&machine, machine_software(0x41), X86_VECTOR_GP,
                     0x41 * 8 + 2);
}

static void the_last_vector_of_a_table_can_be_used(void **state)
{
    struct machine machine;

    (void)state;
    machine_long_mode(&machine);
    machine.cpu.idtr.limit = 0x41 * 16 + 15;
    machine_delivers(&machine, machine_interrupt(0x41));
    machine_protected_mode(&machine);
    machine.cpu.idtr.limit = 0x41 * 8 + 7;
    machine_delivers(&machine, machine_interrupt(0x41));
    machine_real_mode(&machine);
    machine.cpu.idtr.limit = 0x41 * 4 + 3;
    assert_int_equal(machine_deliver(&machine, machine_interrupt(0x41)),
                     EVENT_DELIVERED);
    assert_int_equal(machine.cpu.rip, 0x1041);
}

static void an_absent_table_is_a_page_fault(void **state)
{
    struct machine machine;

    (void)state;
    machine_long_mode(&machine);
    machine.absent[IDT / 0x1000 + 1] = true;
    machine_makes_of(&machine, machine_interrupt(0x90), X86_VECTOR_PF, 0);
    assert_int_equal(machine.cpu.cr2, IDT + 0x900);
    machine_protected_mode(&machine);
    machine.absent[LDT / 0x1000] = true;
    machine_set_gate(&machine, 0x41, SEL_IN_LDT, HANDLER + 0x41,
                     GATE_INTERRUPT);
    machine_makes_of(&machine, machine_interrupt(0x41), X86_VECTOR_PF, 0);
    assert_int_equal(machine.cpu.cr2, LDT + 8);
}

static void a_short_tss_is_an_invalid_tss(void **state)
{
    struct machine machine;

    (void)state;
    machine_long_mode(&machine);
    machine_enter_user(&machine);
    machine.cpu.tr.limit = 10;
    machine_set_gate(&machine, X86_VECTOR_TS, SEL_CONFORMING64,
                     HANDLER + X86_VECTOR_TS, GATE_INTERRUPT);
    machine_makes_of(&machine, machine_interrupt(0x41), X86_VECTOR_TS,
                     SEL_TSS | 1);
    machine_long_mode(&machine);
    machine.cpu.tr.limit = 42;
    machine_set_gate(&machine, 0x41, SEL_CODE64, HANDLER, GATE_INTERRUPT | 1);
    machine_makes_of(&machine, machine_interrupt(0x41), X86_VECTOR_TS,
                     SEL_TSS | 1);
}

static void a_non_canonical_stack_is_a_stack_fault(void **state)
{
    struct machine machine;

    (void)state;
    machine_long_mode(&machine);
    machine_put(&machine, TSS + 36, UINT64_C(0x800000000010), 8);
    machine_set_gate(&machine, 0x41, SEL_CODE64, HANDLER, GATE_INTERRUPT | 1);
    machine_makes_of(&machine, machine_interrupt(0x41), X86_VECTOR_SS, 1);
    /* The frame may end at the top of either half. */
    machine_long_mode(&machine);
    machine_put(&machine, TSS + 36, UINT64_C(0x800000000000), 8);
    machine_set_gate(&machine, 0x41, SEL_CODE64, HANDLER, GATE_INTERRUPT | 1);
    machine_makes_of(&machine, machine_interrupt(0x41), X86_VECTOR_PF,
                     PF_WRITE);
    assert_int_equal(machine.cpu.cr2, UINT64_C(0x7fffffffffd8));
}

static void loading_a_segment_marks_it_accessed(void **state)
{
    struct machine machine;

    (void)state;
    machine_long_mode(&machine);
    machine_set_gate(&machine, 0x41, SEL_FRESH_CODE64, HANDLER + 0x41,
                     GATE_INTERRUPT);
    machine_delivers(&machine, machine_interrupt(0x41));
    assert_int_equal(machine_get(&machine, GDT + SEL_FRESH_CODE64 + 5, 1),
                     0x9b);
    assert_int_equal(machine.cpu.segment[X86_CS].attributes, 0xa09b);
    assert_false(machine.wrote_as_user);

    machine_long_mode(&machine);
    machine.read_only[GDT / 0x1000] = true;
    machine_set_gate(&machine, 0x41, SEL_FRESH_CODE64, HANDLER + 0x41,
                     GATE_INTERRUPT);
    machine_makes_of(&machine, machine_interrupt(0x41), X86_VECTOR_PF,
                     PF_WRITE);
    assert_int_equal(machine.cpu.cr2, GDT + SEL_FRESH_CODE64 + 5);
}

static void marking_an_inner_stack_accessed_may_fault(void **state)
{
    struct machine machine;

    (void)state;
    machine_protected_mode(&machine);
    machine_enter_user(&machine);
    machine_put(&machine, GDT + SEL_DATA,
                machine_descriptor(0, 0xfffff, 0xc092), 8);
    machine_delivers(&machine, machine_interrupt(0x41));
    assert_int_equal(machine_get(&machine, GDT + SEL_DATA + 5, 1), 0x93);

    machine_protected_mode(&machine);
    machine_enter_user(&machine);
    machine_put(&machine, GDT + SEL_DATA,
                machine_descriptor(0, 0xfffff, 0xc092), 8);
    machine.read_only[GDT / 0x1000] = true;
    machine_set_gate(&machine, X86_VECTOR_PF, SEL_USER_CODE32,
                     HANDLER + X86_VECTOR_PF, GATE_INTERRUPT);
    machine_makes_of(&machine, machine_interrupt(0x41), X86_VECTOR_PF,
                     PF_WRITE);
}

static void a_system_descriptor_is_no_code_segment(void **state)
{
    struct machine machine;

    (void)state;
    machine_protected_mode(&machine);
    machine_set_gate(&machine, 0x41, SEL_TSS, HANDLER + 0x41, GATE_INTERRUPT);
    machine_makes_of(&machine, machine_interrupt(0x41), X86_VECTOR_GP,
                     SEL_TSS | 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(long_mode_pushes_five_quadwords_on_an_aligned_stack),
        cmocka_unit_test(a_trap_gate_leaves_interrupts_enabled),
        cmocka_unit_test(from_user_mode_the_stack_comes_from_the_tss),
        cmocka_unit_test(an_ist_stack_is_used_at_any_privilege),
        cmocka_unit_test(a_conforming_handler_keeps_the_privilege),
        cmocka_unit_test(software_interrupts_return_behind_the_instruction),
        cmocka_unit_test(software_interrupts_need_the_gates_privilege),
        cmocka_unit_test(bad_gates_and_code_segments_name_themselves),
        cmocka_unit_test(a_vector_beyond_the_idt_is_a_protection_fault),
        cmocka_unit_test(the_last_vector_of_a_table_can_be_used),
        cmocka_unit_test(an_absent_table_is_a_page_fault),
        cmocka_unit_test(a_short_tss_is_an_invalid_tss),
        cmocka_unit_test(a_non_canonical_stack_is_a_stack_fault),
        cmocka_unit_test(loading_a_segment_marks_it_accessed),
        cmocka_unit_test(marking_an_inner_stack_accessed_may_fault),
        cmocka_unit_test(a_system_descriptor_is_no_code_segment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
