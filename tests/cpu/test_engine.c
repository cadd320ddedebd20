/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/cpu/engine_fixture.h"

SNIPPET(boot);
SNIPPET(prices);
SNIPPET(work);
SNIPPET(input);
SNIPPET(strings);
SNIPPET(spin);
SNIPPET(apic);
SNIPPET(touch);
SNIPPET(rdtsc);
SNIPPET(msrs);

static enum engine_verdict resume_all_but_hlt(struct fixture *f,
                                              const struct vm_exit *exit)
{
    if (exit->kind == VM_EXIT_HLT)
        return ENGINE_STOP;
    if (exit->kind == VM_EXIT_CPUID)
        engine_set_gpr(f->engine, X86_RAX, 0xabcd);
    engine_skip_instruction(f->engine, exit);
    return ENGINE_RESUME;
}

static void a_processor_boots_from_the_reset_vector_to_64bit_code(void **state)
{
    struct fixture f;

    (void)state;
    fixture_open(&f);
    LOAD_SNIPPET(&f, 0xf0000, boot);
    f.on_exit = resume_all_but_hlt;
    assert_int_equal(fixture_run(&f, 10000), VM_EXIT_STOPPED);
    assert_int_equal(f.exit_count, 3);
    assert_int_equal(f.exits[0].kind, VM_EXIT_IO);
    assert_int_equal(f.exits[0].u.io.port, 0xe9);
    assert_int_equal(f.exits[0].u.io.value, 0x42);
    assert_int_equal(f.exits[1].kind, VM_EXIT_CPUID);
    assert_int_equal(f.exits[1].u.cpuid.leaf, 7);
    assert_int_equal(f.exits[2].kind, VM_EXIT_HLT);
    assert_int_equal(engine_gpr(f.engine, X86_RBX), 0x1122334455667788);
    assert_int_equal(engine_gpr(f.engine, X86_RAX), 0xabcd);
    assert_int_equal(engine_gpr(f.engine, X86_R8), EFER_LME | EFER_LMA);
    assert_true(engine_64bit_code(f.engine));
    fixture_close(&f);
}

static void time_is_exact_at_every_exit(void **state)
{
    struct fixture *f = *state;

    LOAD_SNIPPET(f, GUEST_CODE, prices);
    f->on_exit = resume_all_but_hlt;
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(f->exit_count, 3);
    assert_int_equal(f->exit_elapsed[0], 3);
    assert_int_equal(f->exit_elapsed[1], 9);
    assert_int_equal(f->exit_elapsed[2], 11);
    assert_int_equal(engine_instructions(f->engine), 11);
}

static void slices_change_neither_time_nor_state(void **state)
{
    struct fixture *f = *state;
    uint64_t once_elapsed, once_instructions, once_hash, once_rax;
    struct engine_walks once;

    LOAD_SNIPPET(f, GUEST_CODE, work);
    assert_int_equal(fixture_run(f, 1000000), VM_EXIT_STOPPED);
    once_elapsed = f->elapsed;
    once_instructions = engine_instructions(f->engine);
    once_hash = fixture_memory_hash(f);
    once_rax = engine_gpr(f->engine, X86_RAX);
    once = engine_walks(f->engine);
    assert_true(once_instructions > 16000);

    fixture_close(f);
    fixture_setup_long_mode(state);
    f = *state;
    LOAD_SNIPPET(f, GUEST_CODE, work);
    while (fixture_run(f, 7) == VM_EXIT_LIMIT)
        ;
    assert_int_equal(f->elapsed, once_elapsed);
    assert_int_equal(engine_instructions(f->engine), once_instructions);
    assert_int_equal(fixture_memory_hash(f), once_hash);
    assert_int_equal(engine_gpr(f->engine, X86_RAX), once_rax);
    assert_int_equal(engine_walks(f->engine).count, once.count);
    assert_int_equal(engine_walks(f->engine).slat_references,
                     once.slat_references);
}

static void walks_for_large_pages_are_counted_apart(void **state)
{
    static const uint8_t code[] = {
        0x48, 0x8b, 0x04, 0x25, 0x00, 0x00, 0x40, 0x00, /* mov rax, [4 MiB] */
        0x48, 0x8b, 0x04, 0x25, 0x00, 0x00, 0x02, 0x00, /* mov rax, [128 KiB] */
        0xf4,                                           /* hlt */
    };
    struct fixture *f = *state;

    fixture_write(f, GUEST_CODE, code, sizeof(code));
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);

    struct engine_walks walks = engine_walks(f->engine);

    assert_int_equal(walks.count, 3); /* the code's page too */
    assert_int_equal(walks.large, 1);
}

static void one_pause_of_so_many_in_a_loop_is_an_intercept(void **state)
{
    /* mov $100, %ecx; 1: pause; loop 1b; hlt */
    static const uint8_t code[] = {0xb9, 100,  0,    0,    0,
                                   0xf3, 0x90, 0xe2, 0xfc, 0xf4};
    struct fixture *f = *state;

    f->on_exit = resume_all_but_hlt;
    engine_filter_pause(f->engine, 30, cycles(10));
    fixture_write(f, GUEST_CODE, code, sizeof(code));
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(f->exit_count, 4);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(f->exits[i].kind, VM_EXIT_PAUSE);
        /* A cycle each: the MOV, pairs of PAUSE and LOOP before it. */
        assert_int_equal(f->exit_elapsed[i], 1 + 2 * (30 * (i + 1) - 1));
    }
    assert_int_equal(f->exits[3].kind, VM_EXIT_HLT);
    assert_int_equal(f->exit_elapsed[3], 1 + 200);
}

static void pauses_far_apart_are_of_different_loops(void **state)
{
    /* mov $50, %ecx; 1: pause; nop; nop; loop 1b; hlt */
    static const uint8_t code[] = {0xb9, 50,   0,    0,    0,    0xf3,
                                   0x90, 0x90, 0x90, 0xe2, 0xfa, 0xf4};
    struct fixture *f = *state;

    f->on_exit = resume_all_but_hlt;
    engine_filter_pause(f->engine, 10, cycles(3));
    fixture_write(f, GUEST_CODE, code, sizeof(code));
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(f->exit_count, 1);
    assert_int_equal(f->exits[0].kind, VM_EXIT_HLT);
}

static void the_limit_ends_a_run_at_the_next_block(void **state)
{
    struct fixture *f = *state;

    LOAD_SNIPPET(f, GUEST_CODE, spin);
    assert_int_equal(fixture_run(f, 1001), VM_EXIT_LIMIT);
    assert_int_equal(f->elapsed, 1002);
    assert_int_equal(f->run.now.v, 1002);
    assert_int_equal(engine_gpr(f->engine, X86_RAX), 501);
}

static void an_in_can_wait_and_be_completed_later(void **state)
{
    struct fixture *f = *state;

    LOAD_SNIPPET(f, GUEST_CODE, input);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(f->exits[0].kind, VM_EXIT_IO);
    assert_int_equal(f->exits[0].u.io.port, 0x1f0);
    assert_true(f->exits[0].u.io.in);
    assert_int_equal(f->exits[0].u.io.bytes, 1);
    assert_int_equal(f->exit_rip[0], GUEST_CODE + 10);
    assert_int_equal(f->exit_elapsed[0], 3);

    f->elapsed += 5000000; /* the VP was suspended */
    engine_set_gpr(f->engine, X86_RAX, 0xffffff5a);
    engine_skip_instruction(f->engine, &f->exits[0]);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(f->exits[1].kind, VM_EXIT_IO);
    assert_int_equal(f->exits[1].u.io.port, 0x71);
    assert_int_equal(engine_gpr(f->engine, X86_RAX), 0xffffff5a);
    assert_int_equal(engine_gpr(f->engine, X86_RBX) & 0xffff, 0x0101);
    engine_set_gpr(f->engine, X86_RAX, 0x33);
    engine_skip_instruction(f->engine, &f->exits[1]);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(f->exits[2].kind, VM_EXIT_HLT);
    assert_int_equal(engine_gpr(f->engine, X86_RCX) & 0xff, 0x33);
    assert_int_equal(engine_instructions(f->engine), 8);
}

static enum engine_verdict serve_strings(struct fixture *f,
                                         const struct vm_exit *exit)
{
    uint32_t value = 0x1110 + f->exit_count;
    bool more = false;

    if (exit->kind == VM_EXIT_HLT)
        return ENGINE_STOP;
    assert_int_equal(exit->kind, VM_EXIT_IO);
    assert_true(exit->u.io.string && exit->u.io.repeated);
    assert_true(engine_io_string(f->engine, exit, &value, &more));
    if (!exit->u.io.in)
        ((uint32_t *)f->extra)[f->exit_count - 5] = value;
    if (!more)
        engine_skip_instruction(f->engine, exit);
    return ENGINE_RESUME;
}

static void string_io_moves_one_element_at_an_exit(void **state)
{
    struct fixture *f = *state;
    uint32_t out[2] = {0};

    f->extra = out;
    f->on_exit = serve_strings;
    LOAD_SNIPPET(f, GUEST_CODE, strings);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(f->exit_count, 7);
    assert_int_equal(fixture_read64(f, GUEST_DATA), 0x1114111311121111);
    assert_int_equal(out[0], 0x11121111);
    assert_int_equal(out[1], 0x11141113);
    assert_int_equal(engine_gpr(f->engine, X86_RCX), 0);
}

static void a_page_that_the_second_level_lacks_is_the_hosts(void **state)
{
    struct fixture *f = *state;

    LOAD_SNIPPET(f, GUEST_CODE, touch);
    fixture_set_slat(f, 0x50000, false);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(f->exits[0].kind, VM_EXIT_GPA);
    assert_int_equal(f->exits[0].u.gpa.gpa.raw, 0x50010);
    assert_int_equal(f->exits[0].u.gpa.gva.raw, 0x50010);
    assert_true(f->exits[0].u.gpa.write);
    assert_false(f->exits[0].u.gpa.in_walk);
    assert_int_equal(f->exits[0].instruction_bytes, 3);
    assert_int_equal(f->exit_rip[0], GUEST_CODE + 5);
    fixture_set_slat(f, 0x50000, true);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(f->exits[1].kind, VM_EXIT_HLT);
    assert_int_equal(fixture_read64(f, 0x50010), 0x50000);
}

static void the_apic_page_is_answered_by_the_host(void **state)
{
    struct fixture *f = *state;

    LOAD_SNIPPET(f, GUEST_CODE, apic);
    /* 0xfee00000 as a 2 MiB page: PML4[0], PDPT[3], PD[0x1f7]. */
    fixture_write64(f, 0x2000 + 8 * 3, 0x8007);
    fixture_write64(f, 0x8000 + 8 * 0x1f7, 0xfee00000 | 0x87);
    engine_set_apic_page(f->engine, true, gpa(0xfee00000));
    f->apic[0x300 / 4] = 0xc0ffee;
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(f->exits[0].kind, VM_EXIT_HLT);
    assert_int_equal(f->apic[0x80 / 4], 0x77);
    assert_int_equal(engine_gpr(f->engine, X86_RAX), 0xc0ffee);
}

/* When Unicorn forgets its translations is nothing that a guest may notice:
 * what it has not flushed itself stays, though its tables have changed. */
static void the_apic_page_stays_in_the_tlb(void **state)
{
    struct fixture *f = *state;
    uint64_t walks;

    LOAD_SNIPPET(f, GUEST_CODE, apic);
    fixture_write64(f, 0x2000 + 8 * 3, 0x8007);
    fixture_write64(f, 0x8000 + 8 * 0x1f7, 0xfee00000 | 0x87);
    engine_set_apic_page(f->engine, true, gpa(0xfee00000));
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    walks = engine_walks(f->engine).count;

    fixture_write64(f, 0x8000 + 8 * 0x1f7, 0);
    LOAD_SNIPPET(f, GUEST_CODE, apic); /* which makes Unicorn forget */
    f->apic[0x80 / 4] = 0;
    engine_set_rip(f->engine, GUEST_CODE);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(f->exits[1].kind, VM_EXIT_HLT);
    assert_int_equal(f->apic[0x80 / 4], 0x77);
    assert_int_equal(engine_walks(f->engine).count, walks);
}

/* Reads the two pages' first words, by the guest. */
static void read_two(struct fixture *f)
{
    /* mov (%rsi), %rax; mov (%rdi), %rbx; hlt */
    static const uint8_t code[] = {0x48, 0x8b, 0x06, 0x48, 0x8b, 0x1f, 0xf4};

    fixture_write(f, GUEST_CODE, code, sizeof(code));
    engine_set_gpr(f->engine, X86_RSI, GUEST_DATA);
    engine_set_gpr(f->engine, X86_RDI, GUEST_DATA + 0x1000);
    engine_set_rip(f->engine, GUEST_CODE);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
}

static uint64_t *pte_of(struct fixture *f, uint64_t va)
{
    return (uint64_t *)(void *)(f->arena->base + GUEST_SPA + GUEST_PT +
                                8 * (va >> 12));
}

/* Its tables change behind the guest's back; it sees what is flushed. */
static void flushing_a_page_from_outside_leaves_the_others(void **state)
{
    struct fixture *f = *state;

    fixture_write64(f, GUEST_DATA, 1);
    fixture_write64(f, GUEST_DATA + 0x1000, 2);
    fixture_write64(f, GUEST_DATA + 0x2000, 3);
    read_two(f);
    *pte_of(f, GUEST_DATA) = (GUEST_DATA + 0x2000) | 0x67;
    *pte_of(f, GUEST_DATA + 0x1000) = (GUEST_DATA + 0x2000) | 0x67;
    read_two(f);
    assert_int_equal(engine_gpr(f->engine, X86_RAX), 1);
    engine_flush_page(f->engine, gva(GUEST_DATA + 0x123));
    read_two(f);
    assert_int_equal(engine_gpr(f->engine, X86_RAX), 3);
    assert_int_equal(engine_gpr(f->engine, X86_RBX), 2);
    engine_flush_guest(f->engine, false);
    read_two(f);
    assert_int_equal(engine_gpr(f->engine, X86_RBX), 3);
}

/* As the host does when it has carried out an access for the guest. */
static void registers_set_from_outside_cost_no_translations(void **state)
{
    struct fixture *f = *state;
    struct x86_state s;

    fixture_write64(f, GUEST_DATA, 1);
    fixture_write64(f, GUEST_DATA + 0x2000, 3);
    read_two(f);
    *pte_of(f, GUEST_DATA) = (GUEST_DATA + 0x2000) | 0x67;
    engine_get_state(f->engine, &s);
    s.gpr[X86_RDX] = 5;
    engine_set_state(f->engine, &s);
    read_two(f);
    assert_int_equal(engine_gpr(f->engine, X86_RAX), 1);
    assert_int_equal(engine_gpr(f->engine, X86_RDX), 5);
    s.cr4 ^= CR4_PGE;
    engine_set_state(f->engine, &s);
    read_two(f);
    assert_int_equal(engine_gpr(f->engine, X86_RAX), 3);
}

static void global_pages_can_be_spared(void **state)
{
    struct fixture *f = *state;
    struct x86_state s;

    engine_get_state(f->engine, &s);
    s.cr4 |= CR4_PGE;
    engine_set_state(f->engine, &s);
    fixture_write64(f, GUEST_DATA, 1);
    fixture_write64(f, GUEST_DATA + 0x1000, 2);
    fixture_write64(f, GUEST_DATA + 0x2000, 3);
    fixture_set_pte(f, GUEST_DATA, GUEST_DATA | 0x167);
    read_two(f);
    *pte_of(f, GUEST_DATA) = (GUEST_DATA + 0x2000) | 0x67;
    *pte_of(f, GUEST_DATA + 0x1000) = (GUEST_DATA + 0x2000) | 0x67;
    engine_flush_guest(f->engine, true);
    read_two(f);
    assert_int_equal(engine_gpr(f->engine, X86_RAX), 1);
    assert_int_equal(engine_gpr(f->engine, X86_RBX), 3);
}

static void the_time_stamp_is_simulated_time(void **state)
{
    struct fixture *f = *state;

    LOAD_SNIPPET(f, GUEST_CODE, rdtsc);
    engine_set_tsc_offset(f->engine, 1000000);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(engine_gpr(f->engine, X86_RBX), 1000000);
    assert_int_equal(engine_gpr(f->engine, X86_RAX), 4);
}

static void a_clock_is_not_read_after_its_limit(void **state)
{
    struct fixture *f = *state;

    LOAD_SNIPPET(f, GUEST_CODE, rdtsc);
    f->run.clock_limit = cycles(3);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_LIMIT);
    assert_true(f->run.at_clock);
    assert_int_equal(f->elapsed, 4); /* the second RDTSC is at 4 */
    assert_int_equal(engine_gpr(f->engine, X86_RAX), 0);
    /* Nor later, as long as it is not its time. */
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_LIMIT);
    assert_true(f->run.at_clock);
    assert_int_equal(f->elapsed, 4);
    f->run.clock_limit = cycles(4);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_false(f->run.at_clock);
    assert_int_equal(engine_gpr(f->engine, X86_RAX), 4);
}

static void an_msr_is_not_read_after_the_clocks_limit(void **state)
{
    struct fixture *f = *state;

    LOAD_SNIPPET(f, GUEST_CODE, msrs);
    f->run.clock_limit = cycles(0);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_LIMIT);
    assert_true(f->run.at_clock);
    assert_int_equal(engine_gpr(f->engine, X86_R8), 0);
}

static void processor_msrs_are_checked_and_kept(void **state)
{
    struct fixture *f = *state;

    LOAD_SNIPPET(f, GUEST_CODE, msrs);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(f->exit_count, 1);
    assert_int_equal(f->exits[0].kind, VM_EXIT_HLT);
    assert_int_equal(f->exit_rip[0], GUEST_HANDLER(X86_VECTOR_GP));
    assert_int_equal(engine_gpr(f->engine, X86_R8), 0x12345678);
}

static void many_engines_fit_in_little_memory(void **state)
{
    struct fixture *f = *state;
    struct engine *engines[32];

    for (unsigned i = 0; i < 32; i++)
        engines[i] = fixture_engine(f);
    for (unsigned i = 0; i < 32; i++)
        engine_free(engines[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_processor_boots_from_the_reset_vector_to_64bit_code),
        IN_LONG_MODE(time_is_exact_at_every_exit),
        IN_LONG_MODE(slices_change_neither_time_nor_state),
        IN_LONG_MODE(walks_for_large_pages_are_counted_apart),
        IN_LONG_MODE(one_pause_of_so_many_in_a_loop_is_an_intercept),
        IN_LONG_MODE(pauses_far_apart_are_of_different_loops),
        IN_LONG_MODE(the_limit_ends_a_run_at_the_next_block),
        IN_LONG_MODE(an_in_can_wait_and_be_completed_later),
        IN_LONG_MODE(string_io_moves_one_element_at_an_exit),
        IN_LONG_MODE(a_page_that_the_second_level_lacks_is_the_hosts),
        IN_LONG_MODE(the_apic_page_is_answered_by_the_host),
        IN_LONG_MODE(the_apic_page_stays_in_the_tlb),
        IN_LONG_MODE(flushing_a_page_from_outside_leaves_the_others),
        IN_LONG_MODE(registers_set_from_outside_cost_no_translations),
        IN_LONG_MODE(global_pages_can_be_spared),
        IN_LONG_MODE(the_time_stamp_is_simulated_time),
        IN_LONG_MODE(a_clock_is_not_read_after_its_limit),
        IN_LONG_MODE(an_msr_is_not_read_after_the_clocks_limit),
        IN_LONG_MODE(processor_msrs_are_checked_and_kept),
        IN_LONG_MODE(many_engines_fit_in_little_memory),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
