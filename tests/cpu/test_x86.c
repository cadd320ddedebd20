/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/x86.h"

static void reset_starts_at_the_reset_vector_in_real_mode(void **state)
{
    struct x86_state cpu;

    (void)state;
    memset(&cpu, 0xff, sizeof(cpu));
    x86_reset(&cpu);
    assert_int_equal(cpu.segment[X86_CS].base + cpu.rip, 0xfffffff0);
    assert_int_equal(cpu.segment[X86_CS].selector, 0xf000);
    assert_int_equal(cpu.cr0, 0x60000010);
    assert_int_equal(cpu.rflags, 2);
    assert_int_equal(cpu.dr[6], 0xffff0ff0);
    assert_int_equal(cpu.dr[7], 0x400);
    assert_int_equal(cpu.segment[X86_SS].limit, 0xffff);
    assert_int_equal(cpu.efer, 0);
    assert_false(cpu.nmi_masked || cpu.interrupt_shadow);
    assert_int_equal(x86_cpl(&cpu), 0);
}

static void startup_begins_at_the_vectors_page(void **state)
{
    struct x86_state cpu;

    (void)state;
    x86_reset(&cpu);
    cpu.lstar = 0x1234;
    cpu.tsc_aux = 7;
    cpu.efer = EFER_LMA | EFER_LME;
    cpu.cr0 = CR0_PE | CR0_PG | CR0_ET;
    cpu.gpr[X86_RAX] = 5;
    x86_startup(&cpu, 0x9a);
    assert_int_equal(cpu.segment[X86_CS].selector, 0x9a00);
    assert_int_equal(cpu.segment[X86_CS].base, 0x9a000);
    assert_int_equal(cpu.rip, 0);
    assert_int_equal(cpu.lstar, 0x1234);
    assert_int_equal(cpu.tsc_aux, 7);
    assert_int_equal(cpu.efer, 0);
    assert_int_equal(cpu.cr0, CR0_ET);
    assert_int_equal(cpu.gpr[X86_RAX], 0);
}

static void startup_leaves_the_cache_control_bits_alone(void **state)
{
    struct x86_state cpu;

    (void)state;
    x86_reset(&cpu);
    x86_startup(&cpu, 1);
    assert_int_equal(cpu.cr0, CR0_ET | CR0_CD | CR0_NW);
}

static void the_privilege_level_depends_on_the_mode(void **state)
{
    struct x86_state cpu;

    (void)state;
    x86_reset(&cpu);
    cpu.segment[X86_SS].attributes |= 3 << X86_ATTR_DPL_SHIFT;
    assert_int_equal(x86_cpl(&cpu), 0);
    cpu.cr0 |= CR0_PE;
    assert_int_equal(x86_cpl(&cpu), 3);
    cpu.segment[X86_SS].attributes &= (uint16_t) ~(3 << X86_ATTR_DPL_SHIFT);
    assert_int_equal(x86_cpl(&cpu), 0);
    cpu.rflags |= RFLAGS_VM;
    assert_int_equal(x86_cpl(&cpu), 3);
}

static void canonical_addresses_repeat_bit_47(void **state)
{
    (void)state;
    assert_true(x86_canonical(0x00007fffffffffff));
    assert_false(x86_canonical(0x0000800000000000));
    assert_false(x86_canonical(0xffff7fffffffffff));
    assert_true(x86_canonical(0xffff800000000000));
    assert_true(x86_canonical(UINT64_MAX));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reset_starts_at_the_reset_vector_in_real_mode),
        cmocka_unit_test(startup_begins_at_the_vectors_page),
        cmocka_unit_test(startup_leaves_the_cache_control_bits_alone),
        cmocka_unit_test(the_privilege_level_depends_on_the_mode),
        cmocka_unit_test(canonical_addresses_repeat_bit_47),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
