/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/cpu/engine_fixture.h"

SNIPPET(real);
SNIPPET(real_handler);
SNIPPET(protected);
SNIPPET(compat);
SNIPPET(read_gdt);

/* 32-bit tables of the tests in protected mode. */
#define DIRECTORY 0xa000
#define TABLE 0xb000
#define IDT32 0xc000

static void real_mode_takes_interrupts_through_the_vector_table(void **state)
{
    struct fixture *f = *state;
    const uint32_t vector = 0x11000000; /* 1100:0000 */
    struct x86_state s;

    LOAD_SNIPPET(f, 0x10000, real);
    LOAD_SNIPPET(f, 0x11000, real_handler);
    fixture_write(f, 4 * 0x21, &vector, sizeof(vector));
    x86_reset(&s);
    s.segment[X86_CS].base = 0x10000;
    s.segment[X86_CS].selector = 0x1000;
    s.rip = 0;
    s.gpr[X86_RSP] = 0x8000;
    engine_set_state(f->engine, &s);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(f->exits[0].kind, VM_EXIT_IO);
    assert_int_equal(f->exits[0].u.io.port, 0x80);
    engine_get_state(f->engine, &s);
    assert_int_equal(s.gpr[X86_RBX], 8);
    assert_int_equal(s.gpr[X86_RSP], 0x8000);
    assert_int_equal(s.gpr[X86_RDI], 0x503);
    engine_skip_instruction(f->engine, &f->exits[0]);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(f->exits[1].kind, VM_EXIT_HLT);
}

static struct x86_segment flat(uint16_t selector, uint16_t attributes)
{
    return (struct x86_segment){
        .limit = 0xffffffff, .selector = selector, .attributes = attributes};
}

static void write32(struct fixture *f, uint64_t gpa, uint32_t value)
{
    fixture_write(f, gpa, &value, sizeof(value));
}

/* 32-bit paging with 4 KiB pages, interrupt gates to `handlers`. */
static void enter_protected_mode(struct fixture *f)
{
    struct x86_state s;

    write32(f, DIRECTORY, TABLE | 7);
    for (uint32_t i = 0; i < 1024; i++)
        write32(f, TABLE + 4 * i, i << 12 | 7);
    for (uint32_t v = 0; v < 256; v++) {
        write32(f, IDT32 + 8 * v + 4, (GUEST_HANDLER(v) & 0xffff0000) | 0xee00);
        write32(f, IDT32 + 8 * v, 0x38u << 16 | (GUEST_HANDLER(v) & 0xffff));
    }
    fixture_write64(f, GUEST_GDT + 0x38, 0x00cf9b000000ffff);
    engine_get_state(f->engine, &s);
    s.cr3 = DIRECTORY;
    s.cr4 = 0;
    s.efer = 0;
    s.segment[X86_CS] = flat(0x38, 0xc09b);
    s.idtr = (struct x86_table){.base = IDT32, .limit = 0x7ff};
    engine_set_state(f->engine, &s);
}

static void protected_mode_pages_and_faults(void **state)
{
    struct fixture *f = *state;
    struct x86_state s;
    uint64_t frame;

    LOAD_SNIPPET(f, GUEST_CODE, protected);
    enter_protected_mode(f);
    write32(f, TABLE + 4 * 0x30, 0);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(f->exits[0].kind, VM_EXIT_HLT);
    assert_int_equal(f->exit_rip[0], GUEST_HANDLER(X86_VECTOR_PF));
    engine_get_state(f->engine, &s);
    assert_int_equal(s.cr2, 0x30004);
    assert_int_equal(s.gpr[X86_RBX], 6);
    frame = fixture_read64(f, s.gpr[X86_RSP]);
    assert_int_equal((uint32_t)frame, 0);          /* error code */
    assert_int_equal(frame >> 32, GUEST_CODE + 8); /* EIP */

    write32(f, TABLE + 4 * 0x30, 0x30007);
    s.gpr[X86_RSP] += 16; /* what IRET would pop, and the error code */
    s.rip = GUEST_CODE + 8;
    engine_set_state(f->engine, &s);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(f->exit_rip[1], GUEST_HANDLER(0x40));
}

static void compatibility_mode_loads_segments_and_traps(void **state)
{
    struct fixture *f = *state;
    struct x86_state s;

    LOAD_SNIPPET(f, GUEST_CODE, compat);
    fixture_user_mode(f);
    fixture_set_pte(f, GUEST_GDT, GUEST_GDT | 0x3); /* the supervisor's */
    engine_get_state(f->engine, &s);
    s.segment[X86_CS] = flat(GUEST_CS3_32, 0xc0fb);
    engine_set_state(f->engine, &s);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(f->exit_rip[0], GUEST_HANDLER(0x80));
    assert_int_equal(engine_instructions(f->engine), 4);
}

static void user_code_cannot_read_the_supervisors_tables(void **state)
{
    struct fixture *f = *state;

    LOAD_SNIPPET(f, GUEST_CODE, read_gdt);
    fixture_user_mode(f);
    fixture_set_pte(f, GUEST_GDT, GUEST_GDT | 0x3);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(f->exit_rip[0], GUEST_HANDLER(X86_VECTOR_PF));
}

static void a_state_that_no_processor_can_be_in_is_a_shutdown(void **state)
{
    struct fixture *f = *state;
    struct x86_state s;

    engine_get_state(f->engine, &s);
    s.cr0 &= ~CR0_PE;
    engine_set_state(f->engine, &s);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_SHUTDOWN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_LONG_MODE(real_mode_takes_interrupts_through_the_vector_table),
        IN_LONG_MODE(protected_mode_pages_and_faults),
        IN_LONG_MODE(compatibility_mode_loads_segments_and_traps),
        IN_LONG_MODE(user_code_cannot_read_the_supervisors_tables),
        IN_LONG_MODE(a_state_that_no_processor_can_be_in_is_a_shutdown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
