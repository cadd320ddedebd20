/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/cpu/engine_fixture.h"

SNIPPET(patch_self);
SNIPPET(function);
SNIPPET(patch_alias);
SNIPPET(hot_page);
SNIPPET(remap);
SNIPPET(input);
SNIPPET(spin);

#define FUNCTION 0x30000
#define ALIAS 0x31000
#define OTHER_FUNCTION 0x32000
#define RWX 0x7

static void assert_halts_at_code(struct fixture *f)
{
    assert_int_equal(fixture_run(f, 10000000), VM_EXIT_STOPPED);
    assert_int_equal(f->exits[f->exit_count - 1].kind, VM_EXIT_HLT);
    assert_true(engine_rip(f->engine) < GUEST_HANDLERS);
}

static void code_may_patch_its_own_next_instruction(void **state)
{
    struct fixture *f = *state;

    LOAD_SNIPPET(f, GUEST_CODE, patch_self);
    for (uint32_t i = 1; i <= 50; i++) {
        engine_set_rip(f->engine, GUEST_CODE);
        engine_set_gpr(f->engine, X86_RSI, i * 3);
        assert_halts_at_code(f);
        assert_int_equal(engine_gpr(f->engine, X86_RAX), i * 3);
    }
    assert_int_equal(engine_instructions(f->engine), 50 * 2);
    assert_int_equal(f->elapsed, 50 * 2);
}

static void code_may_be_patched_through_an_alias(void **state)
{
    struct fixture *f = *state;

    LOAD_SNIPPET(f, GUEST_CODE, patch_alias);
    LOAD_SNIPPET(f, FUNCTION, function);
    fixture_set_pte(f, ALIAS, FUNCTION | RWX);
    engine_set_gpr(f->engine, X86_RDI, FUNCTION);
    engine_set_gpr(f->engine, X86_RBX, ALIAS);
    engine_set_gpr(f->engine, X86_RCX, 100);
    assert_halts_at_code(f);
    assert_int_equal(engine_gpr(f->engine, X86_RDX), 100 * 101 / 2);
}

/* The first fetch of a page that was just stored to flushes in the middle of
 * the fill; the INVLPG after it must find that fill all the same. */
static void
a_page_may_be_mapped_to_other_code_right_after_its_first_fetch(void **state)
{
    struct fixture *f = *state;
    const uint32_t values[2] = {1, 100};

    LOAD_SNIPPET(f, GUEST_CODE, remap);
    LOAD_SNIPPET(f, FUNCTION, function);
    LOAD_SNIPPET(f, OTHER_FUNCTION, function);
    fixture_write(f, FUNCTION + 1, &values[0], sizeof(values[0]));
    fixture_write(f, OTHER_FUNCTION + 1, &values[1], sizeof(values[1]));
    engine_set_gpr(f->engine, X86_RSI, GUEST_PT + 8 * (ALIAS >> PAGE_SHIFT));
    engine_set_gpr(f->engine, X86_RDI, ALIAS);
    engine_set_gpr(f->engine, X86_R8, FUNCTION | RWX);
    engine_set_gpr(f->engine, X86_R9, OTHER_FUNCTION | RWX);
    engine_set_gpr(f->engine, X86_R10, FUNCTION);
    engine_set_gpr(f->engine, X86_R11, OTHER_FUNCTION);
    engine_set_gpr(f->engine, X86_RCX, 10);
    engine_set_gpr(f->engine, X86_RDX, 0);
    engine_set_gpr(f->engine, X86_RBX, 0);
    assert_halts_at_code(f);
    assert_int_equal(engine_gpr(f->engine, X86_RDX), 10);
    assert_int_equal(engine_gpr(f->engine, X86_RBX), 1000);
}

static void code_and_data_may_share_a_page(void **state)
{
    struct fixture *f = *state;

    LOAD_SNIPPET(f, GUEST_CODE, hot_page);
    assert_halts_at_code(f);
    assert_int_equal(engine_gpr(f->engine, X86_RAX), 50);
    assert_int_equal(engine_instructions(f->engine), 1 + 3 * 50 + 1);
    assert_int_equal(f->elapsed, 1 + 3 * 50 + 1);
}

/* Its page holds the trap of an IN; the loop around it is patched. */
static void a_trap_follows_its_page_when_that_changes(void **state)
{
    struct fixture *f = *state;

    LOAD_SNIPPET(f, GUEST_CODE, input);
    for (unsigned i = 0; i < 5; i++) {
        uint8_t port = (uint8_t)(0x71 + i);

        fixture_write(f, GUEST_CODE + 18, &port, 1); /* the second IN's */
        engine_set_rip(f->engine, GUEST_CODE);
        assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
        engine_skip_instruction(f->engine, &f->exits[f->exit_count - 1]);
        assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
        assert_int_equal(f->exits[f->exit_count - 1].u.io.port, port);
    }
}

/* The page's bytes as loads see them never hold the traps. */
static void traps_cannot_be_read(void **state)
{
    struct fixture *f = *state;
    uint64_t before;

    LOAD_SNIPPET(f, GUEST_CODE, input);
    before = fixture_read64(f, GUEST_CODE + 8);
    assert_int_equal(fixture_run(f, 1000), VM_EXIT_STOPPED);
    assert_int_equal(f->exits[0].kind, VM_EXIT_IO);
    assert_int_equal(fixture_read64(f, GUEST_CODE + 8), before);
}

static void a_store_by_a_device_reaches_running_code(void **state)
{
    struct fixture *f = *state;

    LOAD_SNIPPET(f, GUEST_CODE, patch_alias);
    LOAD_SNIPPET(f, FUNCTION, function);
    for (uint32_t i = 5; i < 20; i++) {
        fixture_write(f, FUNCTION + 1, &i, sizeof(i));
        engine_set_rip(f->engine, GUEST_CODE);
        engine_set_gpr(f->engine, X86_RDI, FUNCTION);
        engine_set_gpr(f->engine, X86_RBX, GUEST_DATA);
        engine_set_gpr(f->engine, X86_RCX, 1);
        assert_halts_at_code(f);
        assert_int_equal(engine_gpr(f->engine, X86_RDX), i);
    }
}

/* Two processors: each patches what the other is about to call. */
static void a_store_by_another_engine_reaches_running_code(void **state)
{
    struct fixture *f = *state;
    struct engine *both[2] = {f->engine, fixture_engine(f)};
    struct x86_state s;

    LOAD_SNIPPET(f, GUEST_CODE, patch_alias);
    LOAD_SNIPPET(f, FUNCTION, function);
    fixture_set_pte(f, ALIAS, FUNCTION | RWX);
    engine_get_state(both[0], &s);
    engine_set_state(both[1], &s);
    for (uint32_t i = 0; i < 40; i++) {
        f->engine = both[i % 2];
        engine_set_rip(f->engine, GUEST_CODE);
        engine_set_gpr(f->engine, X86_RDI, FUNCTION);
        engine_set_gpr(f->engine, X86_RBX, ALIAS);
        engine_set_gpr(f->engine, X86_RCX, 1);
        assert_halts_at_code(f);
        assert_int_equal(engine_gpr(f->engine, X86_RDX), 1 + i);
    }
    f->engine = both[0];
    engine_free(both[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_LONG_MODE(code_may_patch_its_own_next_instruction),
        IN_LONG_MODE(code_may_be_patched_through_an_alias),
        IN_LONG_MODE(
            a_page_may_be_mapped_to_other_code_right_after_its_first_fetch),
        IN_LONG_MODE(code_and_data_may_share_a_page),
        IN_LONG_MODE(a_trap_follows_its_page_when_that_changes),
        IN_LONG_MODE(traps_cannot_be_read),
        IN_LONG_MODE(a_store_by_a_device_reaches_running_code),
        IN_LONG_MODE(a_store_by_another_engine_reaches_running_code),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
