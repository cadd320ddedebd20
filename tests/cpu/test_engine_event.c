/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/cpu/engine_fixture.h"

SNIPPET(random);
SNIPPET(input);
SNIPPET(step);
SNIPPET(faults);
SNIPPET(syscalls);
SNIPPET(syscall_entry);
SNIPPET(sti_shadow);
SNIPPET(sti_hlt);
SNIPPET(bad_address);
SNIPPET(bad_stack);
SNIPPET(bad_jump);
SNIPPET(software);
SNIPPET(user);
SNIPPET(control);
SNIPPET(invlpg);
SNIPPET(page_end);
SNIPPET(spin);

#define USER_RWX 0x7

/* Where the last exit's HLT lies, as a vector; UINT_MAX: not in a handler. */
static unsigned last_vector(const struct fixture *f)
{
    uint64_t rip = f->exit_rip[f->exit_count - 1];

    assert_int_equal(f->exits[f->exit_count - 1].kind, VM_EXIT_HLT);
    return rip >= GUEST_HANDLERS && rip < GUEST_HANDLER(256)
               ? (unsigned)(rip - GUEST_HANDLERS) / 16
               : UINT32_MAX;
}

/* The frame's item `index` as the handler finds it. */
static uint64_t frame(struct fixture *f, unsigned index)
{
    return fixture_read64(f, engine_gpr(f->engine, X86_RSP) + 8 * index);
}

static void go_on(struct fixture *f)
{
    engine_skip_instruction(f->engine, &f->exits[f->exit_count - 1]);
    assert_int_equal(fixture_run(f, 100000), VM_EXIT_STOPPED);
}

static void randomness_of_the_host_is_not_offered(void **state)
{
    struct fixture *f = *state;

    LOAD_SNIPPET(f, GUEST_CODE, random);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(last_vector(f), X86_VECTOR_UD);
    assert_int_equal(frame(f, 0), GUEST_CODE + 5);
}

/* Unicorn executes them as if LOCK was not there; the decoder does not know
 * them, and a processor neither. */
static void an_intercepted_instruction_with_lock_is_undefined(void **state)
{
    static const struct {
        uint8_t count, bytes[8];
    } codes[] = {
        {3, {0xf0, 0x0f, 0xa2}},                   /* cpuid */
        {3, {0xf0, 0x0f, 0x30}},                   /* wrmsr */
        {3, {0xf0, 0x0f, 0x31}},                   /* rdtsc */
        {3, {0xf0, 0x0f, 0x32}},                   /* rdmsr */
        {2, {0xf0, 0xf4}},                         /* hlt */
        {4, {0xf0, 0x0f, 0x01, 0xd9}},             /* vmmcall */
        {4, {0xf0, 0x0f, 0x01, 0xf9}},             /* rdtscp */
        {4, {0xf0, 0x0f, 0x01, 0x3b}},             /* invlpg (%rbx) */
        {4, {0xf0, 0x0f, 0x20, 0xc0}},             /* mov %cr0, %rax */
        {4, {0xf0, 0x0f, 0x22, 0xc0}},             /* mov %rax, %cr0 */
        {4, {0xf0, 0x0f, 0x21, 0xc0}},             /* mov %dr0, %rax */
        {4, {0xf0, 0x0f, 0x23, 0xc0}},             /* mov %rax, %dr0 */
        {6, {0xf0, 0x66, 0x0f, 0x23, 0x45, 0x1f}}, /* and a strange one */
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
        fixture_long_mode(f);
        fixture_write(f, GUEST_CODE, codes[i].bytes, codes[i].count);
        assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
        assert_int_equal(last_vector(f), X86_VECTOR_UD);
        assert_int_equal(frame(f, 0), GUEST_CODE);
    }
}

/* 0F 20 to 23: its mode bits may say memory; they mean a register. */
static void a_move_to_a_debug_register_has_three_bytes(void **state)
{
    static const uint8_t code[] = {0x0f, 0x23, 0x04, 0xf4}; /* then HLT */
    struct fixture *f = *state;

    fixture_write(f, GUEST_CODE, code, sizeof(code));
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(f->exit_rip[f->exit_count - 1], GUEST_CODE + 3);
}

static enum engine_verdict count_steps(struct fixture *f,
                                       const struct vm_exit *exit)
{
    uint64_t *steps = f->extra;

    if (exit->kind == VM_EXIT_HLT &&
        f->exit_rip[f->exit_count - 1] != GUEST_HANDLER(X86_VECTOR_DB))
        return ENGINE_STOP;
    if (exit->kind == VM_EXIT_HLT)
        steps[++steps[0]] = frame(f, 0);
    engine_skip_instruction(f->engine, exit);
    return ENGINE_RESUME;
}

static void single_steps_trap_after_each_instruction(void **state)
{
    struct fixture *f = *state;
    uint64_t steps[16] = {0};
    struct x86_state after;

    f->extra = steps;
    f->on_exit = count_steps;
    LOAD_SNIPPET(f, GUEST_CODE, step);
    assert_int_equal(fixture_run(f, 10000), VM_EXIT_STOPPED);
    /* After: nop, cpuid (which is intercepted), nop. */
    assert_int_equal(steps[0], 3);
    assert_int_equal(steps[1], GUEST_CODE + 11);
    assert_int_equal(steps[2], GUEST_CODE + 13);
    assert_int_equal(steps[3], GUEST_CODE + 14);
    engine_get_state(f->engine, &after);
    assert_true(after.dr[6] & 1 << 14);
}

static void page_faults_name_the_exact_address(void **state)
{
    static const struct {
        uint64_t page, cr2;
        uint32_t error_code;
        unsigned at;
    } expected[] = {
        {0x30000, 0x30005, 0, 5},         {0x31000, 0x31ffd, PF_WRITE, 12},
        {0x32000, 0x32000, PF_WRITE, 12}, {0x33000, 0x33ff0, PF_WRITE, 20},
        {0x40000, 0x40124, PF_WRITE, 26},
    };
    struct fixture *f = *state;
    struct x86_state s;

    LOAD_SNIPPET(f, GUEST_CODE, faults);
    engine_get_state(f->engine, &s);
    fixture_write64(f, GUEST_IDT + 16 * X86_VECTOR_PF,
                    fixture_read64(f, GUEST_IDT + 16 * X86_VECTOR_PF) |
                        UINT64_C(1) << 32); /* IST1 */
    for (unsigned i = 0; i < 5; i++)
        fixture_set_pte(f, expected[i].page, 0);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(last_vector(f), X86_VECTOR_PF);
        engine_get_state(f->engine, &s);
        assert_int_equal(s.cr2, expected[i].cr2);
        assert_int_equal(frame(f, 0), expected[i].error_code);
        assert_int_equal(frame(f, 1), GUEST_CODE + expected[i].at);
        fixture_set_pte(f, expected[i].page, expected[i].page | USER_RWX);
        go_on(f);
    }
    assert_int_equal(last_vector(f), UINT32_MAX);
}

static void system_calls_enter_and_leave_the_kernel(void **state)
{
    struct fixture *f = *state;
    struct x86_state s;

    LOAD_SNIPPET(f, GUEST_CODE, syscalls);
    LOAD_SNIPPET(f, 0x11000, syscall_entry);
    fixture_user_mode(f);
    engine_get_state(f->engine, &s);
    s.star = (uint64_t)(GUEST_SS3 - 8) << 48 | (uint64_t)GUEST_CS0 << 32;
    s.lstar = 0x11000;
    s.fmask = RFLAGS_IF;
    s.rflags |= RFLAGS_IF;
    engine_set_state(f->engine, &s);
    assert_int_equal(fixture_run(f, 100000), VM_EXIT_STOPPED);
    assert_int_equal(last_vector(f), 0x80);
    assert_int_equal(engine_gpr(f->engine, X86_R15), 100);
    assert_int_equal(engine_instructions(f->engine), 1 + 5 * 100 + 1);
    assert_int_equal(cost_count(&f->bill, COST_SYSCALL), 100);
    assert_int_equal(frame(f, 1), GUEST_CS3);
    assert_true(frame(f, 2) & RFLAGS_IF);
    assert_int_equal(engine_cpl(f->engine), 0);
}

static void without_sce_a_system_call_is_undefined(void **state)
{
    struct fixture *f = *state;
    struct x86_state s;

    LOAD_SNIPPET(f, GUEST_CODE, syscalls);
    engine_get_state(f->engine, &s);
    s.efer &= ~EFER_SCE;
    engine_set_state(f->engine, &s);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(last_vector(f), X86_VECTOR_UD);
    assert_int_equal(frame(f, 0), GUEST_CODE + 5);
}

static void the_window_opens_after_the_shadow_of_sti(void **state)
{
    struct fixture *f = *state;

    LOAD_SNIPPET(f, GUEST_CODE, sti_shadow);
    engine_request_window(f->engine, true);
    assert_false(engine_interruptible(f->engine));
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_INTERRUPT_WINDOW);
    assert_int_equal(engine_rip(f->engine), GUEST_CODE + 2);
    assert_true(engine_interruptible(f->engine));
    engine_request_window(f->engine, false);
    engine_inject_interrupt(f->engine, 0x55);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(last_vector(f), 0x55);
    assert_int_equal(frame(f, 0), GUEST_CODE + 2);
    go_on(f);
    assert_int_equal(engine_rip(f->engine), GUEST_CODE + 3);
}

static void a_halt_in_the_shadow_is_still_in_the_shadow(void **state)
{
    struct fixture *f = *state;

    LOAD_SNIPPET(f, GUEST_CODE, sti_hlt);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(engine_rip(f->engine), GUEST_CODE + 1);
    assert_false(engine_interruptible(f->engine));
    engine_skip_instruction(f->engine, &f->exits[0]);
    assert_true(engine_interruptible(f->engine));
}

static void an_nmi_waits_until_the_one_before_has_returned(void **state)
{
    struct fixture *f = *state;

    LOAD_SNIPPET(f, GUEST_CODE, spin);
    engine_inject_nmi(f->engine);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(last_vector(f), X86_VECTOR_NMI);
    engine_inject_nmi(f->engine);
    assert_int_equal(f->exit_count, 1);
    go_on(f); /* its IRET, and at once the second */
    assert_int_equal(last_vector(f), X86_VECTOR_NMI);
    assert_int_equal(f->exit_count, 2);
    assert_int_equal(frame(f, 0), GUEST_CODE);
    engine_skip_instruction(f->engine, &f->exits[1]);
    assert_int_equal(fixture_run(f, 100), VM_EXIT_LIMIT);
}

static void addresses_that_are_not_canonical_fault(void **state)
{
    struct fixture *f = *state;

    LOAD_SNIPPET(f, GUEST_CODE, bad_address);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(last_vector(f), X86_VECTOR_GP);
    assert_int_equal(frame(f, 1), GUEST_CODE + 10);

    fixture_long_mode(f);
    LOAD_SNIPPET(f, GUEST_CODE, bad_jump);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(last_vector(f), X86_VECTOR_GP);

    fixture_long_mode(f);
    LOAD_SNIPPET(f, GUEST_CODE, bad_stack);
    fixture_write64(f, GUEST_IDT + 16 * X86_VECTOR_SS,
                    fixture_read64(f, GUEST_IDT + 16 * X86_VECTOR_SS) |
                        UINT64_C(1) << 32);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(last_vector(f), X86_VECTOR_SS);
    assert_int_equal(frame(f, 1), GUEST_CODE + 10);
}

static void software_interrupts_return_past_themselves(void **state)
{
    static const struct {
        unsigned vector, rip;
    } expected[] = {
        {0x40, 2}, {X86_VECTOR_BP, 3}, {X86_VECTOR_DB, 4}, {X86_VECTOR_UD, 4}};
    struct fixture *f = *state;

    LOAD_SNIPPET(f, GUEST_CODE, software);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(last_vector(f), expected[i].vector);
        assert_int_equal(frame(f, 0), GUEST_CODE + expected[i].rip);
        if (i < 3)
            go_on(f);
    }
}

static void privileged_instructions_fault_in_user_mode(void **state)
{
    struct fixture *f = *state;

    LOAD_SNIPPET(f, GUEST_CODE, user);
    fixture_user_mode(f);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(last_vector(f), X86_VECTOR_GP);
    assert_int_equal(frame(f, 1), GUEST_CODE + 2);
    assert_int_equal(frame(f, 2), GUEST_CS3);
    assert_int_equal(engine_gpr(f->engine, X86_RSP), GUEST_STACK0 - 6 * 8);
}

static void supervisor_pages_are_closed_to_user_code(void **state)
{
    struct fixture *f = *state;
    struct x86_state s;

    LOAD_SNIPPET(f, GUEST_CODE, faults);
    fixture_user_mode(f);
    fixture_set_pte(f, 0x30000, 0x30000 | 0x3);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(last_vector(f), X86_VECTOR_PF);
    assert_int_equal(frame(f, 0), PF_PRESENT | PF_USER);
    engine_get_state(f->engine, &s);
    assert_int_equal(s.cr2, 0x30005);
}

static void control_registers_are_checked(void **state)
{
    struct fixture *f = *state;

    LOAD_SNIPPET(f, GUEST_CODE, control);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(last_vector(f), X86_VECTOR_GP); /* CR8 of 0xff */
    assert_int_equal(cost_count(&f->bill, COST_EXCEPTION), 1);
    assert_int_equal(f->exit_count, 1);
}

static void invlpg_alone_makes_a_new_mapping_visible(void **state)
{
    struct fixture *f = *state;

    LOAD_SNIPPET(f, GUEST_CODE, invlpg);
    fixture_write64(f, 0x60000, 0x1111);
    fixture_write64(f, 0x61000, 0x2222);
    engine_set_gpr(f->engine, X86_RDI, GUEST_PT + 8 * 0x60);
    engine_set_gpr(f->engine, X86_RSI, 0x61000 | USER_RWX);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(engine_gpr(f->engine, X86_RAX), 0x1111);
    assert_int_equal(engine_gpr(f->engine, X86_RCX), 0x1111);
    assert_int_equal(engine_gpr(f->engine, X86_RDX), 0x2222);
    assert_int_equal(cost_count(&f->bill, COST_INVLPG), 1);
}

static void a_fault_on_the_next_page_of_code_is_not_early(void **state)
{
    struct fixture *f = *state;
    struct x86_state s;

    LOAD_SNIPPET(f, 0x13ff0, page_end);
    engine_set_rip(f->engine, 0x13ff0);
    fixture_set_pte(f, 0x14000, 0);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(last_vector(f), X86_VECTOR_PF);
    engine_get_state(f->engine, &s);
    assert_int_equal(s.cr2, 0x14000);
    assert_int_equal(frame(f, 1), 0x14000 - 2 + 2);
    assert_int_equal(s.gpr[X86_RAX], 2);
    assert_int_equal(s.gpr[X86_RCX], 8);
    assert_int_equal(engine_instructions(f->engine), 6);
}

static void three_faults_shut_the_processor_down(void **state)
{
    struct fixture *f = *state;
    struct x86_state s;

    LOAD_SNIPPET(f, GUEST_CODE, random);
    engine_get_state(f->engine, &s);
    s.idtr.limit = 0;
    engine_set_state(f->engine, &s);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_SHUTDOWN);
    assert_int_equal(f->exits[0].kind, VM_EXIT_SHUTDOWN);
}

/* #UD whose handler is the #UD again. */
static void endless_faults_end_the_run(void **state)
{
    struct fixture *f = *state;

    LOAD_SNIPPET(f, GUEST_CODE, random);
    fixture_write64(f, GUEST_IDT + 16 * X86_VECTOR_UD,
                    (UINT64_C(0x8e01) << 32 | (uint64_t)GUEST_CS0 << 16) |
                        (GUEST_CODE + 5) % 0x10000 |
                        (uint64_t)(GUEST_CODE >> 16) << 48);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_LIMIT);
    assert_true(cost_count(&f->bill, COST_EXCEPTION) > 0);
}

static void a_delivery_waits_for_the_second_level(void **state)
{
    struct fixture *f = *state;
    const uint64_t stack = GUEST_DATA + 0x1000;

    LOAD_SNIPPET(f, GUEST_CODE, random);
    engine_set_gpr(f->engine, X86_RSP, stack);
    fixture_set_slat(f, GUEST_DATA, false);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(f->exits[0].kind, VM_EXIT_GPA);
    assert_int_equal(gpa_page(f->exits[0].u.gpa.gpa).raw, GUEST_DATA);
    assert_true(f->exits[0].u.gpa.write);
    assert_int_equal(f->exits[0].instruction_bytes, 0);
    assert_int_equal(f->exit_rip[0], GUEST_CODE + 5);
    fixture_set_slat(f, GUEST_DATA, true);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(last_vector(f), X86_VECTOR_UD);
    assert_int_equal(frame(f, 0), GUEST_CODE + 5);
    assert_int_equal(f->exit_count, 2);
}

static void ports_are_closed_to_user_code_below_its_iopl(void **state)
{
    struct fixture *f = *state;
    const uint16_t no_map = 0x68;
    struct x86_state s;

    LOAD_SNIPPET(f, GUEST_CODE, input);
    fixture_write(f, GUEST_TSS + 0x66, &no_map, sizeof(no_map));
    fixture_user_mode(f);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(last_vector(f), X86_VECTOR_GP);
    assert_int_equal(frame(f, 1), GUEST_CODE + 10);

    fixture_long_mode(f);
    fixture_user_mode(f);
    engine_get_state(f->engine, &s);
    s.rflags |= UINT64_C(3) << RFLAGS_IOPL_SHIFT;
    engine_set_state(f->engine, &s);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(f->exits[1].kind, VM_EXIT_IO);
    assert_int_equal(f->exits[1].u.io.port, 0x1f0);
}

static void the_tss_can_open_a_port(void **state)
{
    struct fixture *f = *state;
    const uint16_t map_at = 0x68;
    struct x86_state s;

    LOAD_SNIPPET(f, GUEST_CODE, input);
    fixture_user_mode(f);
    fixture_write(f, GUEST_TSS + 0x66, &map_at, sizeof(map_at));
    engine_get_state(f->engine, &s);
    s.tr.limit = 0x68 + 0x40; /* ports below 0x200; all are open */
    engine_set_state(f->engine, &s);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(f->exits[0].kind, VM_EXIT_IO);
}

static void exceptions_can_be_the_hosts_first(void **state)
{
    struct fixture *f = *state;

    LOAD_SNIPPET(f, GUEST_CODE, random);
    engine_intercept_exceptions(f->engine, 1u << X86_VECTOR_UD);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(f->exits[0].kind, VM_EXIT_EXCEPTION);
    assert_int_equal(f->exits[0].u.exception.vector, X86_VECTOR_UD);
    assert_int_equal(f->exit_rip[0], GUEST_CODE + 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_LONG_MODE(randomness_of_the_host_is_not_offered),
        IN_LONG_MODE(single_steps_trap_after_each_instruction),
        IN_LONG_MODE(page_faults_name_the_exact_address),
        IN_LONG_MODE(system_calls_enter_and_leave_the_kernel),
        IN_LONG_MODE(an_intercepted_instruction_with_lock_is_undefined),
        IN_LONG_MODE(a_move_to_a_debug_register_has_three_bytes),
        IN_LONG_MODE(without_sce_a_system_call_is_undefined),
        IN_LONG_MODE(the_window_opens_after_the_shadow_of_sti),
        IN_LONG_MODE(a_halt_in_the_shadow_is_still_in_the_shadow),
        IN_LONG_MODE(an_nmi_waits_until_the_one_before_has_returned),
        IN_LONG_MODE(addresses_that_are_not_canonical_fault),
        IN_LONG_MODE(software_interrupts_return_past_themselves),
        IN_LONG_MODE(privileged_instructions_fault_in_user_mode),
        IN_LONG_MODE(supervisor_pages_are_closed_to_user_code),
        IN_LONG_MODE(control_registers_are_checked),
        IN_LONG_MODE(invlpg_alone_makes_a_new_mapping_visible),
        IN_LONG_MODE(a_fault_on_the_next_page_of_code_is_not_early),
        IN_LONG_MODE(three_faults_shut_the_processor_down),
        IN_LONG_MODE(endless_faults_end_the_run),
        IN_LONG_MODE(a_delivery_waits_for_the_second_level),
        IN_LONG_MODE(ports_are_closed_to_user_code_below_its_iopl),
        IN_LONG_MODE(the_tss_can_open_a_port),
        IN_LONG_MODE(exceptions_can_be_the_hosts_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
