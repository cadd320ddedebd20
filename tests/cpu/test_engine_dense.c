/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Code that Unicorn cannot translate, run all the same: lines that leak its
 * temporaries, instructions it aborts on, random lines of the worst of both.
 * What goes wrong here ends the process, so random lines run in a child.
 * HVSIM_RANDOM_ROUNDS asks for more rounds than ctest's.
 */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "tests/cpu/engine_fixture.h"

#define LINE 0x30000 /* where the code under test begins */
#define LINE_BYTES 0x4000
#define STACK 0x80000
#define HLT 0xf4
#define NOP 0x90

/* A machine with HLTs at LINE, about to run there. */
static void open_at_line(struct fixture *f)
{
    uint8_t page[PAGE_BYTES];

    fixture_open(f);
    memset(page, HLT, sizeof(page));
    for (unsigned i = 0; i < LINE_BYTES; i += sizeof(page))
        fixture_write(f, LINE + i, page, sizeof(page));
    fixture_long_mode(f);
    engine_set_rip(f->engine, LINE);
    engine_set_gpr(f->engine, X86_RSP, STACK);
    engine_intercept_exceptions(f->engine, UINT32_MAX);
}

static const struct vm_exit *run(struct fixture *f)
{
    f->exit_count = 0;
    fixture_run(f, 1000000);
    assert_int_equal(f->exit_count, 1);
    return &f->exits[0];
}

/* Lines. */

struct sample {
    const char *code;
    unsigned bytes;
};

#define SAMPLE(code)                                                           \
    {                                                                          \
        (code), sizeof(code) - 1                                               \
    }

/* One of each kind that code_shape.c knows and that has no effect on others. */
static const struct sample leaks[] = {
    SAMPLE("\xd8\xd0"),                 /* FCOM */
    SAMPLE("\xdc\xd0"),                 /* an alias of it */
    SAMPLE("\xd9\x04\x25\0\0\2\0"),     /* FLD */
    SAMPLE("\x9c"),                     /* PUSHF */
    SAMPLE("\x8e\xe8"),                 /* MOV GS */
    SAMPLE("\x0f\x00\xc8"),             /* STR */
    SAMPLE("\x0f\x01\xe0"),             /* SMSW */
    SAMPLE("\x0f\x08"),                 /* INVD */
    SAMPLE("\x0f\x20\xe0"),             /* MOV RAX, CR4 */
    SAMPLE("\x0f\x21\xc0"),             /* MOV RAX, DR0 */
    SAMPLE("\x0f\x70\xc0\x1b"),         /* PSHUFW */
    SAMPLE("\x66\x0f\x70\xc0\x1b"),     /* PSHUFD */
    SAMPLE("\xf2\x0f\x78\xc1\1\2"),     /* INSERTQ */
    SAMPLE("\x0f\xc6\xc0\x1b"),         /* SHUFPS */
    SAMPLE("\xf2\x0f\x38\xf0\xc0"),     /* CRC32 */
    SAMPLE("\x66\x0f\x3a\x21\xc0\x0f"), /* INSERTPS */
    SAMPLE("\x66\x0f\x3a\x0f\xc1\1"),   /* PALIGNR */
};

/* `count` times the code, `apart` NOPs between, from LINE on. */
static uint64_t write_line(struct fixture *f, const struct sample *sample,
                           unsigned count, unsigned apart)
{
    uint8_t line[LINE_BYTES];
    unsigned at = 0;

    memset(line, NOP, sizeof(line));
    for (unsigned i = 0; i < count; i++) {
        memcpy(line + at, sample->code, sample->bytes);
        at += sample->bytes + apart;
    }
    line[at] = HLT;
    fixture_write(f, LINE, line, sizeof(line));
    return LINE + at;
}

static void run_line(const struct sample *sample, unsigned count,
                     unsigned apart)
{
    uint64_t end;
    struct fixture f;

    open_at_line(&f);
    end = write_line(&f, sample, count, apart);
    engine_set_gpr(f.engine, X86_RAX, 0);
    assert_int_equal(run(&f)->kind, VM_EXIT_HLT);
    assert_int_equal(engine_rip(f.engine), end);
    assert_int_equal(engine_instructions(f.engine), count * (1 + apart));
    fixture_close(&f);
}

static void lines_of_what_leaks_run_to_their_end(void **state)
{
    (void)state;
    for (unsigned i = 0; i < sizeof(leaks) / sizeof(leaks[0]); i++) {
        run_line(&leaks[i], 900, 0);
        run_line(&leaks[i], 900, 1);
        run_line(&leaks[i], 400, 4);
    }
}

/* Each page alone has too few; a block goes on from one into the next. */
static void lines_in_two_pages_run_to_their_end(void **state)
{
    uint8_t line[2 * PAGE_BYTES];
    struct fixture f;

    (void)state;
    for (unsigned count = 90; count <= 115; count++) {
        open_at_line(&f);
        memset(line, HLT, sizeof(line));
        for (unsigned i = 0; i < 2 * count; i++)
            memcpy(line + PAGE_BYTES - 2 * count + 2 * i, "\xd8\xd0", 2);
        fixture_write(&f, LINE, line, sizeof(line));
        engine_set_rip(f.engine, LINE + PAGE_BYTES - 2 * count);
        assert_int_equal(run(&f)->kind, VM_EXIT_HLT);
        assert_int_equal(engine_rip(f.engine), LINE + PAGE_BYTES + 2 * count);
        fixture_close(&f);
    }
}

/* The last instruction of a dense page runs on into a page that is not there.
 */
static void a_dense_page_ends_in_the_fault_of_the_next(void **state)
{
    static const uint8_t mov[] = {0xb8, 1, 2, 3, 4};
    uint8_t line[PAGE_BYTES];
    const struct vm_exit *exit;
    struct fixture f;

    (void)state;
    open_at_line(&f);
    for (unsigned i = 0; i < sizeof(line); i += 2)
        memcpy(line + i, "\xd8\xd0", 2);
    memcpy(line + sizeof(line) - 2, mov, 2);
    fixture_write(&f, LINE, line, sizeof(line));
    fixture_write(&f, LINE + PAGE_BYTES, mov + 2, 3);
    fixture_set_pte(&f, LINE + PAGE_BYTES, 0);
    exit = run(&f);
    assert_int_equal(exit->kind, VM_EXIT_EXCEPTION);
    assert_int_equal(exit->u.exception.vector, X86_VECTOR_PF);
    assert_int_equal(exit->u.exception.cr2, LINE + PAGE_BYTES);
    assert_int_equal(f.exit_rip[0], LINE + PAGE_BYTES - 2);
    fixture_set_pte(&f, LINE + PAGE_BYTES, (LINE + PAGE_BYTES) | 7);
    assert_int_equal(run(&f)->kind, VM_EXIT_HLT);
    assert_int_equal(engine_gpr(f.engine, X86_RAX), 0x04030201);
    assert_int_equal(engine_rip(f.engine), LINE + PAGE_BYTES + 3);
    fixture_close(&f);
}

static void a_loop_in_a_dense_page_comes_back_at_the_limit(void **state)
{
    uint64_t end;
    struct fixture f;

    (void)state;
    open_at_line(&f);
    end = write_line(&f, &leaks[0], 300, 0);
    fixture_write(&f, end, "\xeb\xfe", 2); /* JMP to itself */
    assert_int_equal(fixture_run(&f, 5000), VM_EXIT_LIMIT);
    assert_int_equal(engine_rip(f.engine), end);
    assert_true(f.elapsed >= 5000 && f.elapsed < 5100);
    fixture_close(&f);
}

/* Instructions that abort Unicorn. */

static const struct sample fatal[] = {
    SAMPLE("\xf0\x0f\xa3\xc0"),
    SAMPLE("\xf0\x0f\xab\xd8"),
    SAMPLE("\xf0\x48\x0f\xb3\xc8"),
    SAMPLE("\x66\xf0\x0f\xbb\xff"),
    SAMPLE("\xf0\x0f\xba\xe0\1"),
    SAMPLE("\xf0\x41\x0f\xba\xff\1"),
    SAMPLE("\x64\xf0\x66\xf0\x49\x0f\xba\xf0\1"),
};

static void expect_undefined(struct fixture *f, uint64_t at)
{
    const struct vm_exit *exit = run(f);

    assert_int_equal(exit->kind, VM_EXIT_EXCEPTION);
    assert_int_equal(exit->u.exception.vector, X86_VECTOR_UD);
    assert_int_equal(f->exit_rip[0], at);
}

/* At the start of a page, in its middle, and across its end in each way. */
static void locked_bit_tests_of_registers_are_undefined(void **state)
{
    const uint64_t end = LINE + PAGE_BYTES;
    struct fixture f;

    (void)state;
    for (unsigned i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++) {
        for (uint64_t at = end - fatal[i].bytes; at <= end; at++) {
            open_at_line(&f);
            fixture_write(&f, at - 1, &(uint8_t){NOP}, 1);
            fixture_write(&f, at, fatal[i].code, fatal[i].bytes);
            engine_set_rip(f.engine, at - 1);
            expect_undefined(&f, at);
            fixture_close(&f);
        }
    }
}

static void they_are_undefined_in_dense_pages_too(void **state)
{
    struct fixture f;

    (void)state;
    for (unsigned i = 0; i < sizeof(fatal) / sizeof(fatal[0]); i++) {
        uint64_t at;

        open_at_line(&f);
        at = write_line(&f, &leaks[0], 700, 0);
        fixture_write(&f, at, fatal[i].code, fatal[i].bytes);
        expect_undefined(&f, at);
        fixture_close(&f);
    }
}

/* AND R8D, -16; BTS RAX, 63: LOCK BTS, if one begins in the middle. Then MOV
 * EBX with one in its operand, which is jumped to. */
static void other_instructions_may_hold_their_bytes(void **state)
{
    static const uint8_t code[] = {
        0x41, 0x83, 0xe0, 0xf0, 0x48, 0x0f, 0xba, 0xe8,
        0x3f, 0xbb, 0xf0, 0x0f, 0xa3, 0xc0, 0xeb, 0xfa,
    };
    struct fixture f;

    (void)state;
    open_at_line(&f);
    fixture_write(&f, LINE, code, sizeof(code));
    engine_set_gpr(f.engine, X86_RAX, 0);
    engine_set_gpr(f.engine, X86_R8, 0xff);
    expect_undefined(&f, LINE + 10);
    assert_int_equal(engine_gpr(f.engine, X86_R8), 0xf0);
    assert_int_equal(engine_gpr(f.engine, X86_RAX), UINT64_C(1) << 63);
    assert_int_equal(engine_gpr(f.engine, X86_RBX), 0xc0a30ff0);
    assert_int_equal(engine_instructions(f.engine), 4);
    fixture_close(&f);
}

/* The page is written after it has been run: what is found in it is, too. */
static void they_are_found_in_code_that_is_written_later(void **state)
{
    struct fixture f;

    (void)state;
    open_at_line(&f);
    assert_int_equal(run(&f)->kind, VM_EXIT_HLT);
    fixture_write(&f, LINE, fatal[0].code, fatal[0].bytes);
    expect_undefined(&f, LINE);
    write_line(&f, &leaks[0], 1000, 0);
    engine_set_rip(f.engine, LINE);
    assert_int_equal(run(&f)->kind, VM_EXIT_HLT);
    fixture_close(&f);
}

/* Random lines. */

#define ROUNDS 12
#define SECONDS_MAX 60 /* of processor time, for a round */

enum mode { MODE_64, MODE_32, MODE_16, MODE_REAL, MODE_COUNT };

/* xorshift*: the same numbers everywhere. */
static uint64_t next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state * UINT64_C(0x2545f4914f6cdd1d) >> 16;
}

/* An instruction, most likely: prefixes, an opcode of some map, any operands.
 * Some are of the worst, and a few are fatal. */
static unsigned random_instruction(uint64_t *random, unsigned heat,
                                   uint8_t code[32])
{
    static const uint8_t prefixes[] = {0x26, 0x64, 0x66, 0x67, 0xf0,
                                       0xf2, 0xf3, 0x41, 0x48, 0x4f};
    unsigned at = 0;

    if (next(random) % 100 < heat) {
        const struct sample *sample =
            &leaks[next(random) % (sizeof(leaks) / sizeof(leaks[0]))];

        memcpy(code, sample->code, sample->bytes);
        return sample->bytes;
    }
    if (next(random) % 64 == 0) {
        const struct sample *one =
            &fatal[next(random) % (sizeof(fatal) / sizeof(fatal[0]))];

        memcpy(code, one->code, one->bytes);
        return one->bytes;
    }
    while (next(random) % 3 == 0 && at < 12)
        code[at++] = prefixes[next(random) % sizeof(prefixes)];
    if (next(random) % 2 == 0)
        code[at++] = 0x0f;
    for (unsigned i = (unsigned)(next(random) % 6) + 1; i > 0; i--)
        code[at++] = (uint8_t)next(random);
    return at;
}

static void write_random_line(struct fixture *f, uint64_t *random)
{
    unsigned heat = (unsigned)(next(random) % 4 * 30);
    uint8_t line[LINE_BYTES + 32];

    for (unsigned at = 0; at < LINE_BYTES;) {
        /* What is repeated often enough becomes a line of one kind. */
        unsigned bytes = random_instruction(random, heat, line + at);
        unsigned times = next(random) % 8 == 0 ? 300 : 1;

        for (; times > 1 && at + 2 * bytes <= LINE_BYTES; times--) {
            memcpy(line + at + bytes, line + at, bytes);
            at += bytes;
        }
        at += bytes;
    }
    fixture_write(f, LINE, line, LINE_BYTES);
}

static void set_mode(struct fixture *f, enum mode mode, bool user)
{
    struct x86_state s;

    fixture_long_mode(f);
    if (user)
        fixture_user_mode(f);
    engine_get_state(f->engine, &s);
    switch (mode) {
    case MODE_64:
        break;
    case MODE_32:
        s.segment[X86_CS].attributes = user ? 0xc0fb : 0xc09b;
        break;
    case MODE_16:
        s.segment[X86_CS].attributes = user ? 0x80fb : 0x809b;
        break;
    case MODE_REAL:
    case MODE_COUNT:
        x86_reset(&s);
        s.segment[X86_CS].base = LINE;
        s.segment[X86_CS].selector = LINE >> 4;
        break;
    }
    for (unsigned i = 0; i < X86_GPR_COUNT; i++)
        s.gpr[i] = GUEST_DATA + 0x100 * i;
    s.gpr[X86_RSP] = mode == MODE_REAL ? 0x8000 : STACK;
    s.gpr[X86_RCX] = 3;
    engine_set_state(f->engine, &s);
}

/* Go on behind whatever stopped it, so that all of the line is seen. */
static enum engine_verdict stop_always(struct fixture *f,
                                       const struct vm_exit *exit)
{
    (void)exit;
    f->exit_count = 0;
    return ENGINE_STOP;
}

static void run_random_lines(unsigned rounds, uint64_t seed)
{
    uint64_t random = seed;
    struct fixture f;

    fixture_open(&f);
    f.on_exit = stop_always;
    engine_intercept_exceptions(f.engine, UINT32_MAX);
    for (unsigned round = 0; round < rounds; round++) {
        const struct itimerval limit = {.it_value.tv_sec = SECONDS_MAX};
        enum mode mode = (enum mode)(next(&random) % MODE_COUNT);
        bool user = next(&random) % 2 == 0 && mode != MODE_REAL;

        setitimer(ITIMER_VIRTUAL, &limit, NULL); /* if it hangs Unicorn */
        write_random_line(&f, &random);
        for (unsigned entry = 0; entry < 30; entry++) {
            uint64_t at = next(&random) % LINE_BYTES;

            set_mode(&f, mode, user);
            engine_set_rip(f.engine, mode == MODE_REAL ? at : LINE + at);
            fixture_run(&f, 500);
        }
    }
    fixture_close(&f);
}

static void random_lines_are_survived(void **state)
{
    const char *wanted = getenv("HVSIM_RANDOM_ROUNDS");
    unsigned rounds = wanted ? (unsigned)atoi(wanted) : ROUNDS;
    int status = 0;
    pid_t child;

    (void)state;
    fflush(stdout);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        run_random_lines(rounds, UINT64_C(88172645463325252));
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines_of_what_leaks_run_to_their_end),
        cmocka_unit_test(lines_in_two_pages_run_to_their_end),
        cmocka_unit_test(a_dense_page_ends_in_the_fault_of_the_next),
        cmocka_unit_test(a_loop_in_a_dense_page_comes_back_at_the_limit),
        cmocka_unit_test(locked_bit_tests_of_registers_are_undefined),
        cmocka_unit_test(they_are_undefined_in_dense_pages_too),
        cmocka_unit_test(other_instructions_may_hold_their_bytes),
        cmocka_unit_test(they_are_found_in_code_that_is_written_later),
        cmocka_unit_test(random_lines_are_survived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
