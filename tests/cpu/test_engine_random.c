/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Random bytes run as code, at every privilege level and in several modes: a
 * guest can do nothing that the engine does not survive, and what it does is
 * the same each time, also when it is stopped between any two blocks and what
 * Unicorn remembers is thrown away. HVSIM_RANDOM_ROUNDS asks for more rounds
 * than ctest's.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cpu/engine_private.h"
#include "tests/cpu/engine_fixture.h"

SNIPPET(handlers);

#define ROUNDS 60
#define RUNS_OF_A_ROUND 6

/* Opcodes and prefixes that do something to the engine. */
static const uint8_t interesting[] = {
    0x0f, 0x01, 0x22, 0x20, 0xc0, 0x48, 0x66, 0xcd, 0xcf, 0xec, 0x6c, 0xf3,
    0xa4, 0x89, 0x8b, 0x8e, 0xff, 0xe8, 0xeb, 0x75, 0xfa, 0xfb, 0xf4, 0x9d,
    0x9c, 0x50, 0x58, 0xc3, 0x30, 0x32, 0x05, 0x07, 0x34, 0x35, 0xae, 0xc7,
    0xb1, 0xf1, 0xcc, 0xca, 0xcb, 0x9a, 0xea, 0x17, 0xb2, 0x02, 0x03, 0x00,
};

enum mode { MODE_KERNEL, MODE_USER, MODE_COMPAT, MODE_REAL, MODE_COUNT };

struct outcome {
    uint64_t instructions, elapsed, memory;
};

/* One run of the same code: what it draws, and how it is disturbed. */
struct trial {
    uint64_t random;
    uint64_t disturbance; /* random too; 0: none */
    uint64_t stops;
};

/* xorshift*: the same numbers everywhere. */
static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * UINT64_C(0x2545f4914f6cdd1d);
}

static enum engine_verdict survive(struct fixture *f,
                                   const struct vm_exit *exit)
{
    struct trial *trial = f->extra;
    uint32_t value = 0x55;
    bool more = false;

    f->exit_count = 0;
    switch (exit->kind) {
    case VM_EXIT_SHUTDOWN:
    case VM_EXIT_TASK_GATE:
    case VM_EXIT_GPA:
        return ENGINE_STOP;
    case VM_EXIT_RDMSR:
    case VM_EXIT_WRMSR:
        engine_inject_exception(f->engine, X86_VECTOR_GP, true, 0);
        return ENGINE_RESUME;
    case VM_EXIT_IO:
        if (exit->u.io.string &&
            (!engine_io_string(f->engine, exit, &value, &more) || more))
            return ENGINE_RESUME;
        break;
    case VM_EXIT_LIMIT:
    case VM_EXIT_INTERRUPT_WINDOW:
    case VM_EXIT_STOPPED:
    case VM_EXIT_HLT:
    case VM_EXIT_CPUID:
    case VM_EXIT_HYPERCALL:
    case VM_EXIT_CR8:
    case VM_EXIT_PAUSE:
    case VM_EXIT_EXCEPTION:
    case VM_EXIT_KIND_COUNT:
        break;
    }
    engine_skip_instruction(f->engine, exit);
    return next(&trial->random) % 8 ? ENGINE_RESUME : ENGINE_STOP;
}

static void write_random_code(struct fixture *f, uint64_t *random)
{
    for (uint64_t at = 0; at < PAGE_BYTES; at += 8) {
        uint8_t code[8];

        for (unsigned i = 0; i < 8; i++) {
            uint64_t r = next(random);

            code[i] = r % 3 ? (uint8_t)(r >> 8)
                            : interesting[(r >> 8) % sizeof(interesting)];
        }
        fixture_write(f, GUEST_CODE + at, code, sizeof(code));
    }
}

/* Numbers, pointers to code and pointers to data. */
static uint64_t random_register(uint64_t *random)
{
    uint64_t r = next(random);

    switch (r % 4) {
    case 0:
        return next(random);
    case 1:
        return GUEST_CODE + (r >> 8) % PAGE_BYTES;
    case 2:
        return GUEST_DATA + (r >> 8) % 0x10000;
    default:
        return (uint8_t)(r >> 8);
    }
}

static void set_random_state(struct fixture *f, enum mode mode,
                             uint64_t *random)
{
    const uint64_t cr4_choice =
        CR4_TSD | CR4_DE | CR4_FSGSBASE | CR4_PGE | CR4_SMAP;
    struct x86_state s;

    fixture_long_mode(f);
    if (mode == MODE_USER || mode == MODE_COMPAT)
        fixture_user_mode(f);
    engine_get_state(f->engine, &s);
    if (mode == MODE_REAL) {
        x86_reset(&s);
        s.segment[X86_CS].base = GUEST_CODE;
        s.segment[X86_CS].selector = GUEST_CODE >> 4;
        s.rip = 0;
    } else {
        s.cr4 |= next(random) & cr4_choice;
        s.rflags |= next(random) &
                    (RFLAGS_TF | RFLAGS_IF | UINT64_C(3) << RFLAGS_IOPL_SHIFT);
    }
    if (mode == MODE_COMPAT) {
        s.segment[X86_CS].selector = GUEST_CS3_32;
        s.segment[X86_CS].attributes = 0xc0fb;
    }
    for (unsigned i = 0; i < X86_GPR_COUNT; i++)
        if (i != X86_RSP)
            s.gpr[i] = random_register(random);
    engine_set_state(f->engine, &s);
}

/* Asked before every block. */
static bool stop_now_and_then(void *fixture)
{
    struct fixture *f = fixture;
    struct trial *trial = f->extra;

    if (next(&trial->disturbance) % 4 != 0)
        return false;
    trial->stops++;
    return true;
}

/* As often as it is stopped for no reason, it goes on. What is on the bill is
 * never paid here, so it is taken off the time that is left. */
static enum vm_exit_kind run_to_exit(struct fixture *f, uint64_t cycles)
{
    struct trial *trial = f->extra;
    uint64_t end = f->elapsed + cycles;
    enum vm_exit_kind kind;
    uint64_t stops;

    do {
        stops = trial->stops;
        if (trial->disturbance != 0 && next(&trial->disturbance) % 4 == 0)
            f->engine->flush_wanted = true;
        if (trial->disturbance != 0 && next(&trial->disturbance) % 16 == 0)
            f->engine->flush_code_wanted = true;
        kind = fixture_run(f, end > f->elapsed ? end - f->elapsed : 0);
        end -= f->engine->billed / SUBCYCLES_PER_CYCLE;
    } while (stops != trial->stops);
    return kind;
}

static void run_round(struct fixture *f, struct trial *trial)
{
    uint64_t *random = &trial->random;

    LOAD_SNIPPET(f, GUEST_HANDLERS, handlers);
    write_random_code(f, random);
    set_random_state(f, (enum mode)(next(random) % MODE_COUNT), random);
    for (unsigned i = 0; i < RUNS_OF_A_ROUND; i++) {
        engine_request_window(f->engine, next(random) % 2);
        if (next(random) % 6 == 0)
            engine_inject_nmi(f->engine);
        if (engine_interruptible(f->engine))
            engine_inject_interrupt(f->engine,
                                    (uint8_t)(0x20 + next(random) % 32));
        if (run_to_exit(f, next(random) % 2000) == VM_EXIT_SHUTDOWN)
            break;
    }
}

static struct outcome run_all(unsigned rounds, uint64_t disturbance)
{
    struct trial trial = {
        .random = UINT64_C(88172645463325252),
        .disturbance = disturbance,
    };
    struct outcome outcome;
    struct fixture f;

    fixture_open(&f);
    f.on_exit = survive;
    f.extra = &trial;
    if (disturbance != 0) {
        f.host.stop_wanted = stop_now_and_then;
        f.engine->sample_every = 0;
    }
    for (unsigned i = 0; i < rounds; i++)
        run_round(&f, &trial);
    assert_true(disturbance == 0 || trial.stops > rounds);
    outcome = (struct outcome){
        .instructions = engine_instructions(f.engine),
        .elapsed = f.elapsed,
        .memory = fixture_memory_hash(&f),
    };
    fixture_close(&f);
    return outcome;
}

static unsigned rounds_wanted(void)
{
    const char *wanted = getenv("HVSIM_RANDOM_ROUNDS");

    return wanted ? (unsigned)atoi(wanted) : ROUNDS;
}

static void assert_equal(struct outcome a, struct outcome b)
{
    assert_true(a.instructions > 0);
    assert_int_equal(a.instructions, b.instructions);
    assert_int_equal(a.elapsed, b.elapsed);
    assert_int_equal(a.memory, b.memory);
}

static void random_code_is_survived_and_runs_the_same_again(void **state)
{
    unsigned rounds = rounds_wanted();

    (void)state;
    assert_equal(run_all(rounds, 0), run_all(rounds, 0));
}

static void stopping_between_blocks_changes_nothing(void **state)
{
    unsigned rounds = rounds_wanted();

    (void)state;
    assert_equal(run_all(rounds, 0), run_all(rounds, 0x9e3779b97f4a7c15));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_code_is_survived_and_runs_the_same_again),
        cmocka_unit_test(stopping_between_blocks_changes_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
