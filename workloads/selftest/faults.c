/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * selftest-faults: page faults on every kind of access must be invisible.
 *
 * Each operation runs once with all memory mapped, then again for every way
 * in which its pages can refuse it; the handler mends one page per fault.
 * Registers and memory must come out as in the first run, and each fault must
 * have the exact address, error code, instruction pointer and ring.
 *
 * Arguments: faults=N, at least so many faults (default 100000); test=NAME.
 * Results: besides those of all self-tests, faults.kernel.count and
 * faults.user.count (faults taken).
 *
 * One latitude: the first fault of a read-modify-write on an absent page may
 * be called a read or a write. Processors say write; emulators that split the
 * instruction into a load and a store say read.
 */

#include "workloads/runtime/args.h"
#include "workloads/runtime/memory.h"
#include "workloads/runtime/paging.h"
#include "workloads/runtime/report.h"
#include "workloads/runtime/runtime.h"
#include "workloads/runtime/segments.h"
#include "workloads/runtime/string.h"
#include "workloads/selftest/probe.h"
#include "workloads/selftest/selftest.h"

#define ERROR_PRESENT 1u
#define ERROR_WRITE 2u
#define ERROR_USER 4u
#define ERROR_FETCH 16u

enum window { A, B, C, WINDOW_COUNT };
#define WINDOW_PAGES 2
#define WINDOW_BYTES (WINDOW_PAGES * PAGE_BYTES)
#define BORDER PAGE_BYTES /* where the two pages of a window meet */
#define WINDOW_VIRTUAL UINT64_C(0x0000300000000000)
#define WINDOW_STRIDE UINT64_C(0x10000)
#define ALIAS_VIRTUAL UINT64_C(0x0000301000000000)

enum access_kind { NONE, READ, WRITE, UPDATE, FETCH };

struct access {
    enum access_kind kind;
    enum window window;
    uint16_t offset; /* in the window */
};

#define ACCESSES_MAX 4

struct operation {
    const char *name;
    const char *code, *at;
    uint16_t offset[WINDOW_COUNT];
    uint16_t count;      /* RCX */
    bool compares_alias; /* RSI = A's other mapping instead of B */
    bool kernel_only;
    struct access accesses[ACCESSES_MAX];
};

enum regime { ABSENT, READ_ONLY, SUPERVISOR, NO_EXECUTE, REGIME_COUNT };

#define OPERATION(name) extern const char op_##name[], op_##name##_at[];
#include "workloads/selftest/faults_ops.def"
#undef OPERATION

/* clang-format off */
/* An access of `size` bytes to A: inside a page, and across the border with
 * one byte before it, and with half of it before it. */
#define ONE(name, kind)                                                        \
    {AT(name), {0x208}, 0, false, false, {{kind, A, 0x208}}}
#define CROSSING(name, kind, before)                                           \
    {AT(name), {BORDER - (before)}, 0, false, false,                           \
     {{kind, A, BORDER - (before)}, {kind, A, BORDER}}}
#define SIMPLE(name, kind, size)                                               \
    ONE(name, kind), CROSSING(name, kind, 1),                            \
        CROSSING(name, kind, (size) / 2)
#define AT(name) #name, op_##name, op_##name##_at

static const struct operation operations[] = {
    SIMPLE(read, READ, 8),
    ONE(read_extend, READ),
    SIMPLE(write, WRITE, 8),
    SIMPLE(write_immediate, WRITE, 4),
    ONE(write_flags, WRITE),
    SIMPLE(add_from, READ, 8),
    SIMPLE(add_to, UPDATE, 8),
    SIMPLE(decrement, UPDATE, 8),
    SIMPLE(shift, UPDATE, 8),
    SIMPLE(bit_set, UPDATE, 8),
    SIMPLE(divide, READ, 8),
    SIMPLE(exchange, UPDATE, 8),
    SIMPLE(compare_exchange, UPDATE, 8),
    {AT(compare_exchange16), {0x210}, 0, false, false, {{UPDATE, A, 0x210}}},
    SIMPLE(exchange_add, UPDATE, 8),
    SIMPLE(lock_or, UPDATE, 8),
    ONE(translate, READ),
    ONE(store_gdt, WRITE),
    CROSSING(store_gdt, WRITE, 5),
    SIMPLE(sse_load, READ, 16),
    SIMPLE(sse_store, WRITE, 16),
    {AT(sse_add), {0x210}, 0, false, false, {{READ, A, 0x210}}},
    SIMPLE(x87_load, READ, 8),
    SIMPLE(x87_store, WRITE, 8),
    {AT(move_string),
     {BORDER - 8, BORDER - 16},
     32,
     false,
     false,
     {{READ, B, BORDER - 16},
      {WRITE, A, BORDER - 8},
      {WRITE, A, BORDER},
      {READ, B, BORDER}}},
    {AT(move_string_words),
     {BORDER - 20, BORDER - 16},
     4,
     false,
     false,
     {{READ, B, BORDER - 16},
      {WRITE, A, BORDER - 20},
      {READ, B, BORDER},
      {WRITE, A, BORDER}}},
    {AT(store_string),
     {BORDER - 16},
     4,
     false,
     false,
     {{WRITE, A, BORDER - 16}, {WRITE, A, BORDER}}},
    {AT(load_string),
     {0x208, BORDER - 16},
     4,
     false,
     false,
     {{READ, B, BORDER - 16}, {READ, B, BORDER}}},
    {AT(compare_string),
     {BORDER - 16},
     24,
     true,
     false,
     {{READ, A, BORDER - 16}, {READ, A, BORDER}}},
    {AT(push), {0x208}, 0, false, false, {{WRITE, A, 0x200}}},
    {AT(push), {BORDER}, 0, false, false, {{WRITE, A, BORDER - 8}}},
    {AT(push),
     {BORDER + 4},
     0,
     false,
     false,
     {{WRITE, A, BORDER - 4}, {WRITE, A, BORDER}}},
    {AT(push_flags), {0x208}, 0, false, false, {{WRITE, A, 0x200}}},
    {AT(push_memory),
     {0x208, 0x308},
     0,
     false,
     false,
     {{READ, B, 0x308}, {WRITE, A, 0x200}}},
    {AT(push_memory),
     {BORDER + 4, BORDER - 2},
     0,
     false,
     false,
     {{READ, B, BORDER - 2},
      {READ, B, BORDER},
      {WRITE, A, BORDER - 4},
      {WRITE, A, BORDER}}},
    {AT(pop), {0x208}, 0, false, false, {{READ, A, 0x208}}},
    {AT(pop),
     {BORDER - 3},
     0,
     false,
     false,
     {{READ, A, BORDER - 3}, {READ, A, BORDER}}},
    {AT(pop_flags), {0x208}, 0, false, false, {{READ, A, 0x208}}},
    {AT(pop_memory),
     {0x208, 0x308},
     0,
     false,
     false,
     {{READ, A, 0x208}, {WRITE, B, 0x308}}},
    {AT(pop_memory),
     {BORDER - 3, BORDER - 2},
     0,
     false,
     false,
     {{READ, A, BORDER - 3},
      {READ, A, BORDER},
      {WRITE, B, BORDER - 2},
      {WRITE, B, BORDER}}},
    {AT(enter), {0x308}, 0, false, false, {{WRITE, A, 0x300}}},
    {AT(leave), {0x208}, 0, false, false, {{READ, A, 0x208}}},
    {AT(call), {0x208}, 0, false, false, {{WRITE, A, 0x200}}},
    {AT(call),
     {BORDER + 4},
     0,
     false,
     false,
     {{WRITE, A, BORDER - 4}, {WRITE, A, BORDER}}},
    {AT(return ), {0x208}, 0, false, false, {{READ, A, 0x208}}},
    /* At ring 3, QEMU reads this frame with supervisor rights, so there is
     * nothing independent to hold the ring 3 case against. */
    {AT(iret), {0x208}, 0, false, true, {{READ, A, 0x208}}},
    {AT(iret),
     {BORDER - 24},
     0,
     false,
     true,
     {{READ, A, BORDER - 24}, {READ, A, BORDER}}},
    {AT(fetch), {0x208, 0x208, 0x208}, 0, false, false, {{FETCH, C, 0x208}}},
    {AT(fetch),
     {0x208, 0x208, BORDER - 3},
     0,
     false,
     false,
     {{FETCH, C, BORDER - 3}, {FETCH, C, BORDER}}},
};
/* clang-format on */
#define OPERATION_COUNT (sizeof(operations) / sizeof(operations[0]))

/* mov $0x11223344, %rax; ret: its immediate starts at the third byte, and so
 * at the border in the second placement. */
static const uint8_t fetched_code[] = {0x48, 0xc7, 0xc0, 0x44,
                                       0x33, 0x22, 0x11, 0xc3};

/* The parts of a window that any operation may touch. */
static const struct {
    uint16_t start, end;
} touched[] = {{0x180, 0x400}, {BORDER - 0x80, BORDER + 0x80}};

static uint64_t physical[WINDOW_COUNT][WINDOW_PAGES];
static uint8_t content[WINDOW_COUNT][WINDOW_BYTES];  /* before an operation */
static uint8_t expected[WINDOW_COUNT][WINDOW_BYTES]; /* after it */

struct fault {
    uint64_t address, rip;
    uint64_t error;
    bool may_be_read;
};

/* What the handler waits for while a probe runs. */
static struct {
    const char *name;
    unsigned ring;
    struct fault faults[ACCESSES_MAX];
    unsigned count, next;
} waiting;
static uint64_t fault_count;

static uint64_t window_address(enum window window)
{
    return WINDOW_VIRTUAL + window * WINDOW_STRIDE;
}

static uint8_t *alias(enum window window, uint64_t offset)
{
    return (uint8_t *)(ALIAS_VIRTUAL + window * WINDOW_STRIDE + offset);
}

static uint64_t page_flags(enum window window)
{
    return PTE_PRESENT | PTE_USER | (window == C ? 0 : PTE_WRITE | PTE_NX);
}

static void set_page(enum window window, unsigned page, uint64_t flags)
{
    uint64_t virtual = window_address(window) + page * PAGE_BYTES;

    paging_map(virtual, physical[window][page], flags);
    x86_invlpg(virtual);
}

static void map_windows(void)
{
    for (enum window w = A; w < WINDOW_COUNT; w++) {
        for (unsigned page = 0; page < WINDOW_PAGES; page++) {
            /* A page between, so that the two are not neighbours. */
            physical[w][page] = (uintptr_t)memory_pages(2);
            set_page(w, page, page_flags(w));
            paging_map((uintptr_t)alias(w, page * PAGE_BYTES),
                       physical[w][page],
                       PTE_PRESENT | PTE_WRITE | PTE_USER | PTE_NX);
        }
    }
}

static void fill_windows(void)
{
    for (enum window w = A; w < WINDOW_COUNT; w++) {
        for (unsigned i = 0; i < WINDOW_BYTES; i += 8) {
            uint64_t word = w == C ? 0xcccccccccccccccc : selftest_random();

            memcpy(&content[w][i], &word, sizeof(word));
        }
    }
    memcpy(&content[C][0x208], fetched_code, sizeof(fetched_code));
    memcpy(&content[C][BORDER - 3], fetched_code, sizeof(fetched_code));
    for (enum window w = A; w < WINDOW_COUNT; w++)
        memcpy(alias(w, 0), content[w], WINDOW_BYTES);
}

static void restore_touched(void)
{
    for (enum window w = A; w < C; w++) {
        for (unsigned i = 0; i < 2; i++)
            memcpy(alias(w, touched[i].start), &content[w][touched[i].start],
                   touched[i].end - touched[i].start);
    }
}

static void save_touched(void)
{
    for (enum window w = A; w < C; w++) {
        for (unsigned i = 0; i < 2; i++)
            memcpy(&expected[w][touched[i].start], alias(w, touched[i].start),
                   touched[i].end - touched[i].start);
    }
}

static bool words_equal(const void *a, const void *b, size_t bytes)
{
    const uint64_t *x = a;
    const uint64_t *y = b;

    for (size_t i = 0; i < bytes / sizeof(*x); i++) {
        if (x[i] != y[i])
            return false;
    }
    return true;
}

static bool touched_as_expected(void)
{
    for (enum window w = A; w < C; w++) {
        for (unsigned i = 0; i < 2; i++) {
            if (!words_equal(&expected[w][touched[i].start],
                             alias(w, touched[i].start),
                             touched[i].end - touched[i].start))
                return false;
        }
    }
    return true;
}

static bool mend(struct trap_frame *frame)
{
    uint64_t address = x86_read_cr2();
    const struct fault *fault = &waiting.faults[waiting.next];
    uint64_t error = frame->error;
    uint64_t offset = (address - WINDOW_VIRTUAL) % WINDOW_STRIDE;
    uint64_t window = (address - WINDOW_VIRTUAL) / WINDOW_STRIDE;

    if (frame->vector != TRAP_PF || waiting.next == waiting.count ||
        window >= WINDOW_COUNT || offset >= WINDOW_BYTES)
        return false;
    waiting.next++;
    fault_count++;
    if (fault->may_be_read)
        error |= ERROR_WRITE;
    selftest_equal(address, fault->address, "%s: CR2", waiting.name);
    selftest_equal(error, fault->error, "%s: error code", waiting.name);
    selftest_equal(frame->rip, fault->rip, "%s: RIP", waiting.name);
    selftest_equal(frame->cs & 3, waiting.ring, "%s: ring", waiting.name);
    set_page((enum window)window, (unsigned)(offset / PAGE_BYTES),
             page_flags((enum window)window));
    return true;
}

static bool is_refused(enum regime regime, enum access_kind kind)
{
    switch (regime) {
    case ABSENT:
    case SUPERVISOR:
        return kind != NONE;
    case READ_ONLY:
        return kind == WRITE || kind == UPDATE;
    case NO_EXECUTE:
        return kind == FETCH;
    case REGIME_COUNT:
        break;
    }
    return false;
}

static uint64_t refusing_flags(enum regime regime, enum window window)
{
    switch (regime) {
    case ABSENT:
        return 0;
    case READ_ONLY:
        return page_flags(window) & ~PTE_WRITE;
    case SUPERVISOR:
        return page_flags(window) & ~PTE_USER;
    case NO_EXECUTE:
        return page_flags(window) | PTE_NX;
    case REGIME_COUNT:
        break;
    }
    return 0;
}

/* Takes the pages of `op` away as `regime` says and notes the faults that
 * this must bring: one for each page, at the first access it refuses. */
static void refuse(const struct operation *op, enum regime regime,
                   unsigned ring)
{
    bool is_taken[WINDOW_COUNT][WINDOW_PAGES] = {0};

    waiting.name = op->name;
    waiting.ring = ring;
    waiting.count = 0;
    waiting.next = 0;
    for (unsigned i = 0; i < ACCESSES_MAX; i++) {
        const struct access *access = &op->accesses[i];
        unsigned page = access->offset / PAGE_BYTES;

        if (!is_refused(regime, access->kind) || is_taken[access->window][page])
            continue;
        is_taken[access->window][page] = true;
        set_page(access->window, page, refusing_flags(regime, access->window));
        waiting.faults[waiting.count++] = (struct fault){
            .address = window_address(access->window) + access->offset,
            .rip = access->kind == FETCH ? window_address(C) + op->offset[C]
                                         : probe_address(op->at, ring),
            .error =
                (regime == ABSENT ? 0 : ERROR_PRESENT) |
                (access->kind == WRITE || access->kind == UPDATE ? ERROR_WRITE
                                                                 : 0) |
                (ring == 3 ? ERROR_USER : 0) |
                (access->kind == FETCH ? ERROR_FETCH : 0),
            .may_be_read = access->kind == UPDATE && regime != READ_ONLY,
        };
    }
}

static struct probe prepare(const struct operation *op, unsigned ring)
{
    struct probe probe = probe_make(op->code, ring);
    struct trap_frame *f = &probe.frame;

    f->rax = selftest_random();
    f->rdx = selftest_random() >> 56; /* keeps DIV from overflowing */
    f->rdi = window_address(A) + op->offset[A];
    f->rsi = window_address(B) + op->offset[B];
    f->r8 = window_address(C) + op->offset[C];
    f->r9 = (uintptr_t)alias(A, op->offset[A]);
    if (op->compares_alias)
        f->rsi = f->r9;
    f->rbx = f->rdi - (f->rax & 0xff); /* XLAT adds AL */
    f->rcx = op->count;
    f->rbp = selftest_random();
    f->r10 = selftest_random();
    f->r14 = selftest_random();
    return probe;
}

static void compare(const struct operation *op, const struct trap_frame *got,
                    const struct trap_frame *good)
{
    struct trap_frame a = *got;
    struct trap_frame b = *good;

    /* A processor may leave RF set in the frame of a restarted instruction. */
    a.rflags &= ~RFLAGS_RF;
    b.rflags &= ~RFLAGS_RF;
    selftest_equal(words_equal(&a, &b, sizeof(a)), true, "%s: registers",
                   op->name);
    selftest_equal(touched_as_expected(), true, "%s: memory", op->name);
    selftest_equal(waiting.next, waiting.count, "%s: faults", op->name);
}

/* Also after an operation that did not take the faults it should have. */
static void map_all(const struct operation *op)
{
    for (unsigned i = 0; i < ACCESSES_MAX; i++) {
        const struct access *access = &op->accesses[i];

        if (access->kind != NONE)
            set_page(access->window, access->offset / PAGE_BYTES,
                     page_flags(access->window));
    }
}

static void run_operation(const struct operation *op, unsigned ring)
{
    struct probe start = prepare(op, ring);
    struct probe good = start;

    map_all(op);
    restore_touched();
    waiting.count = 0;
    waiting.next = 0;
    probe_run(&good, mend);
    save_touched();
    selftest_equal(good.frame.vector, PROBE_EXIT, "%s: vector without faults",
                   op->name);
    for (enum regime regime = ABSENT; regime < REGIME_COUNT; regime++) {
        struct probe probe = start;

        if (regime == SUPERVISOR && ring == 0)
            continue;
        refuse(op, regime, ring);
        if (waiting.count == 0)
            continue;
        restore_touched();
        probe_run(&probe, mend);
        compare(op, &probe.frame, &good.frame);
    }
}

static void run_ring(unsigned ring)
{
    uint64_t target = args_number("faults", 100000) / 2;
    uint64_t before = fault_count;

    do {
        fill_windows();
        for (size_t i = 0; i < OPERATION_COUNT; i++) {
            if (ring == 0 || !operations[i].kernel_only)
                run_operation(&operations[i], ring);
        }
        restore_touched();
        for (enum window w = A; w < WINDOW_COUNT; w++)
            selftest_equal(words_equal(content[w], alias(w, 0), WINDOW_BYTES),
                           true, "window %u outside the operations", w);
    } while (fault_count - before < target);
    report_result(ring == 0 ? "faults.kernel.count" : "faults.user.count",
                  fault_count - before, "count");
}

static void run_kernel(void)
{
    run_ring(0);
}

static void run_user(void)
{
    run_ring(3);
}

void guest_main(void)
{
    static const struct selftest_case cases[] = {
        {"faults.kernel", run_kernel},
        {"faults.user", run_user},
    };

    probe_init();
    map_windows();
    selftest_run(cases, sizeof(cases) / sizeof(cases[0]));
}
