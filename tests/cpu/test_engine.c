/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/cpu/engine_fixture.h"

SNIPPET(boot);

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_processor_boots_from_the_reset_vector_to_64bit_code),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
