/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * One guest program and everything that may be seen of it, pinned: so the
 * numbers are the same on every run, in every build type and by every compiler
 * and version of the emulator library that this test is run with. (Configure
 * with -DHVSIM_OTHER_UNICORN=<folder of another libunicorn.so.2> to run it
 * with a second one.)
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/cpu/engine_fixture.h"

SNIPPET(work);
SNIPPET(patch_alias);
SNIPPET(function);
SNIPPET(hot_page);

#define PATCHER 0x14000
#define HOT 0x16000
#define FUNCTION 0x30000
#define ALIAS 0x31000

struct digest {
    uint64_t elapsed, instructions, memory, registers;
    struct engine_walks walks;
    unsigned faults;
};

static const struct digest expected = {
    .elapsed = 22612,
    .instructions = 22612,
    .memory = UINT64_C(0xde692570ca68588f),
    .registers = UINT64_C(0xc161bf2f2e081a33),
    .walks = {.count = 23, .guest_references = 92, .slat_references = 460},
    .faults = 2,
};

static void run_to_halt(struct fixture *f, uint64_t rip, uint64_t slice)
{
    enum vm_exit_kind why;

    engine_set_rip(f->engine, rip);
    do
        why = fixture_run(f, slice);
    while (why == VM_EXIT_LIMIT);
    assert_int_equal(why, VM_EXIT_STOPPED);
}

/* Pages of GUEST_DATA come one by one, as its faults ask for them. */
static void run_with_faults(struct fixture *f, struct digest *d)
{
    struct x86_state s;

    for (uint64_t page = GUEST_DATA; page < 0x2a000; page += PAGE_BYTES)
        fixture_set_pte(f, page, 0);
    engine_set_rip(f->engine, GUEST_CODE);
    while (fixture_run(f, 100000) == VM_EXIT_STOPPED &&
           f->exit_rip[f->exit_count - 1] == GUEST_HANDLER(X86_VECTOR_PF)) {
        engine_get_state(f->engine, &s);
        fixture_set_pte(f, s.cr2 & ~PAGE_MASK, (s.cr2 & ~PAGE_MASK) | 7);
        engine_skip_instruction(f->engine, &f->exits[f->exit_count - 1]);
        d->faults++;
    }
}

/* An engine that works on a copy of Unicorn's state, as where the state itself
 * is not found. */
static void open_on_copies(struct fixture *f)
{
    fixture_open(f);
    engine_free(f->engine);
    engine_pool_use_copies(f->pool);
    f->engine = fixture_engine(f);
}

static void measure(struct digest *d, uint64_t slice,
                    void (*open)(struct fixture *))
{
    struct fixture f;
    struct x86_state s;

    *d = (struct digest){0};
    open(&f);
    fixture_long_mode(&f);
    LOAD_SNIPPET(&f, GUEST_CODE, work);
    LOAD_SNIPPET(&f, PATCHER, patch_alias);
    LOAD_SNIPPET(&f, HOT, hot_page);
    LOAD_SNIPPET(&f, FUNCTION, function);
    fixture_set_pte(&f, ALIAS, FUNCTION | 7);
    run_with_faults(&f, d);
    engine_set_gpr(f.engine, X86_RDI, FUNCTION);
    engine_set_gpr(f.engine, X86_RBX, ALIAS);
    engine_set_gpr(f.engine, X86_RCX, 50);
    run_to_halt(&f, PATCHER, slice);
    run_to_halt(&f, HOT, slice);
    engine_get_state(f.engine, &s);
    d->elapsed = f.elapsed;
    d->instructions = engine_instructions(f.engine);
    d->memory = fixture_memory_hash(&f);
    for (unsigned i = 0; i < X86_GPR_COUNT; i++)
        d->registers = d->registers * 31 + s.gpr[i];
    d->registers = d->registers * 31 + s.rflags;
    d->walks = engine_walks(f.engine);
    fixture_close(&f);
}

static void assert_same(const struct digest *a, const struct digest *b)
{
    assert_int_equal(a->elapsed, b->elapsed);
    assert_int_equal(a->instructions, b->instructions);
    assert_int_equal(a->faults, b->faults);
    assert_int_equal(a->walks.count, b->walks.count);
    assert_int_equal(a->walks.large, b->walks.large);
    assert_int_equal(a->walks.guest_references, b->walks.guest_references);
    assert_int_equal(a->walks.slat_references, b->walks.slat_references);
    assert_int_equal(a->registers, b->registers);
    assert_int_equal(a->memory, b->memory);
}

static void the_numbers_are_those_of_every_other_run(void **state)
{
    struct digest whole, sliced;

    (void)state;
    measure(&whole, 1000000, fixture_open);
    measure(&sliced, 11, fixture_open);
    assert_same(&sliced, &whole);
    assert_same(&whole, &expected);
}

static void the_numbers_are_the_same_on_copies_of_the_state(void **state)
{
    struct digest copies;

    (void)state;
    measure(&copies, 1000000, open_on_copies);
    assert_same(&copies, &expected);
}

/* Not for the numbers' sake: without it all is correct, and slow. */
static void the_state_itself_is_found(void **state)
{
    struct fixture f;

    (void)state;
    fixture_open(&f);
    assert_true(engine_pool_use_copies(f.pool));
    fixture_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_numbers_are_those_of_every_other_run),
        cmocka_unit_test(the_numbers_are_the_same_on_copies_of_the_state),
        cmocka_unit_test(the_state_itself_is_found),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
