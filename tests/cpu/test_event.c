/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What all modes have in common: chains of events, and what they leave behind.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/cpu/event_machine.h"

/* RF, DR6 and CR2. */

static uint64_t pushed_rflags(struct cpu_event event)
{
    struct machine machine;

    machine_long_mode(&machine);
    machine_delivers(&machine, event);
    return machine_get(
        &machine, machine.cpu.gpr[X86_RSP] + (event.has_error_code ? 24 : 16),
        8);
}

static void faults_and_only_faults_set_rf_in_the_frame(void **state)
{
    struct cpu_event debug = machine_exception(X86_VECTOR_DB);

    (void)state;
    assert_true(pushed_rflags(machine_exception(X86_VECTOR_UD)) & RFLAGS_RF);
    assert_true(pushed_rflags(machine_exception(X86_VECTOR_DE)) & RFLAGS_RF);
    assert_true(pushed_rflags(machine_exception_with_code(X86_VECTOR_PF, 0)) &
                RFLAGS_RF);
    assert_false(pushed_rflags(machine_exception_with_code(X86_VECTOR_DF, 0)) &
                 RFLAGS_RF);
    assert_false(pushed_rflags(machine_interrupt(13)) & RFLAGS_RF);
    assert_false(pushed_rflags(machine_software(6)) & RFLAGS_RF);
    assert_false(pushed_rflags(debug) & RFLAGS_RF);
    debug.dr6 = UINT64_C(1) << 13;
    assert_true(pushed_rflags(debug) & RFLAGS_RF);
}

static void a_debug_exception_fills_dr6_and_ends_general_detect(void **state)
{
    struct machine machine;
    struct cpu_event debug = machine_exception(X86_VECTOR_DB);

    (void)state;
    machine_long_mode(&machine);
    debug.dr6 = UINT64_C(1) << 14;
    machine.cpu.dr[6] |= 1;
    machine.cpu.dr[7] |= UINT64_C(1) << 13;
    machine_delivers(&machine, debug);
    assert_int_equal(machine.cpu.dr[6], 0xffff4ff1);
    assert_int_equal(machine.cpu.dr[7], 0x400);
}

static void a_page_fault_loads_cr2(void **state)
{
    struct machine machine;
    struct cpu_event fault =
        machine_exception_with_code(X86_VECTOR_PF, PF_WRITE);

    (void)state;
    machine_long_mode(&machine);
    fault.cr2 = 0x123456789a;
    machine_delivers(&machine, fault);
    assert_int_equal(machine.cpu.cr2, 0x123456789a);
    assert_int_equal(machine_get(&machine, machine.cpu.gpr[X86_RSP], 8),
                     PF_WRITE);
}

/* Chains. */

static void make_stack_absent(struct machine *machine)
{
    machine->absent[(KERNEL_STACK - 1) / 0x1000] = true;
    machine_set_gate(machine, X86_VECTOR_DF, SEL_CODE64,
                     HANDLER + X86_VECTOR_DF, GATE_INTERRUPT | 1);
}

static void a_page_fault_on_a_page_fault_is_a_double_fault(void **state)
{
    struct machine machine;
    struct cpu_event fault = machine_exception_with_code(X86_VECTOR_PF, 0);

    (void)state;
    machine_long_mode(&machine);
    make_stack_absent(&machine);
    fault.cr2 = 0x42;
    machine_makes_of(&machine, fault, X86_VECTOR_DF, 0);
    assert_int_equal(machine.cpu.cr2, KERNEL_STACK - 48);
    assert_int_equal(machine.cpu.gpr[X86_RSP], IST_STACK - 48);
    assert_int_equal(machine_get(&machine, machine.cpu.gpr[X86_RSP] + 8, 8),
                     RIP);
}

static void a_page_fault_on_an_interrupt_is_delivered_instead(void **state)
{
    struct machine machine;

    (void)state;
    machine_long_mode(&machine);
    make_stack_absent(&machine);
    machine_set_gate(&machine, X86_VECTOR_PF, SEL_CODE64,
                     HANDLER + X86_VECTOR_PF, GATE_INTERRUPT | 1);
    machine_makes_of(&machine, machine_interrupt(0x41), X86_VECTOR_PF,
                     PF_WRITE);
    assert_int_equal(machine.cpu.cr2, KERNEL_STACK - 40);
}

static void
a_page_fault_on_a_contributory_one_is_delivered_instead(void **state)
{
    struct machine machine;

    (void)state;
    machine_long_mode(&machine);
    make_stack_absent(&machine);
    machine_set_gate(&machine, X86_VECTOR_PF, SEL_CODE64,
                     HANDLER + X86_VECTOR_PF, GATE_INTERRUPT | 1);
    machine_makes_of(&machine, machine_exception_with_code(X86_VECTOR_GP, 0),
                     X86_VECTOR_PF, PF_WRITE);
}

static void two_contributory_exceptions_are_a_double_fault(void **state)
{
    struct machine machine;

    (void)state;
    machine_long_mode(&machine);
    machine_set_gate(&machine, X86_VECTOR_DE, SEL_DATA, HANDLER,
                     GATE_INTERRUPT);
    machine_makes_of(&machine, machine_exception(X86_VECTOR_DE), X86_VECTOR_DF,
                     0);
    /* Of the second kind, on the way to a benign one: delivered itself. */
    machine_long_mode(&machine);
    machine_set_gate(&machine, X86_VECTOR_UD, SEL_DATA, HANDLER,
                     GATE_INTERRUPT);
    machine_makes_of(&machine, machine_exception(X86_VECTOR_UD), X86_VECTOR_GP,
                     SEL_DATA | 1);
    /* A contributory one on a page fault. */
    machine_long_mode(&machine);
    machine_set_gate(&machine, X86_VECTOR_PF, SEL_DATA, HANDLER,
                     GATE_INTERRUPT);
    machine_makes_of(&machine, machine_exception_with_code(X86_VECTOR_PF, 0),
                     X86_VECTOR_DF, 0);
}

static void a_fault_on_a_double_fault_shuts_down(void **state)
{
    struct machine machine;

    (void)state;
    machine_long_mode(&machine);
    machine.absent[(KERNEL_STACK - 1) / 0x1000] = true;
    machine_shuts_down(&machine, machine_interrupt(0x41));
    machine_long_mode(&machine);
    machine.cpu.idtr.limit = 0;
    machine_shuts_down(&machine, machine_exception(X86_VECTOR_UD));
    machine_long_mode(&machine);
    machine.absent[IDT / 0x1000] = true;
    machine_shuts_down(&machine, machine_software(3));
}

static void exceptions_that_push_an_error_code_are_known(void **state)
{
    static const uint8_t with[] = {8, 10, 11, 12, 13, 14, 17, 21, 29, 30};
    unsigned next = 0;

    (void)state;
    for (unsigned vector = 0; vector < 256; vector++) {
        bool expected = next < sizeof(with) && with[next] == vector;

        assert_int_equal(event_has_error_code((uint8_t)vector), expected);
        next += expected;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults_and_only_faults_set_rf_in_the_frame),
        cmocka_unit_test(a_debug_exception_fills_dr6_and_ends_general_detect),
        cmocka_unit_test(a_page_fault_loads_cr2),
        cmocka_unit_test(a_page_fault_on_a_page_fault_is_a_double_fault),
        cmocka_unit_test(a_page_fault_on_an_interrupt_is_delivered_instead),
        cmocka_unit_test(
            a_page_fault_on_a_contributory_one_is_delivered_instead),
        cmocka_unit_test(two_contributory_exceptions_are_a_double_fault),
        cmocka_unit_test(a_fault_on_a_double_fault_shuts_down),
        cmocka_unit_test(exceptions_that_push_an_error_code_are_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
