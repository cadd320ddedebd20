/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_CPU_ENGINE_FIXTURE_H
#define HVSIM_TESTS_CPU_ENGINE_FIXTURE_H

/**
 * A machine as small as an engine needs: an arena, a second level that maps
 * GPA g to SPA g + GUEST_SPA for 16 MiB (and the last 64 KiB below 4 GiB to the
 * ROM at GPA 0xf0000), and a host that records exits. Guest snippets lie in
 * tests/cpu/guest/ and are linked into the test.
 */

#include "cpu/engine.h"

#define GUEST_SPA UINT64_C(0x1000000)
#define GUEST_BYTES UINT64_C(0x1000000)

/* The guest's own tables and segments in long mode. */
#define GUEST_PML4 0x1000 /* identity, 4 KiB pages for 2 MiB, then 2 MiB */
#define GUEST_PT 0x4000   /* its last level for the first 2 MiB */
#define GUEST_GDT 0x5000
#define GUEST_IDT 0x6000
#define GUEST_TSS 0x7000
#define GUEST_STACK0 0x9000 /* top of the ring-0 stack */
#define GUEST_CODE 0x10000  /* where snippets are put */
#define GUEST_HANDLERS 0x12000
#define GUEST_HANDLER(vector) (GUEST_HANDLERS + 16 * (vector))
#define GUEST_DATA 0x20000

#define GUEST_CS0 0x08
#define GUEST_SS0 0x10
#define GUEST_CS3 0x23
#define GUEST_SS3 0x1b
#define GUEST_CS3_32 0x2b
#define GUEST_TR 0x30

#define EXITS_MAX 4096

struct fixture {
    struct arena *arena;
    struct engine_pool *pool;
    struct engine_host host;
    struct slat_root slat;
    struct engine *engine;
    struct engine_run run;
    struct cost_bill bill;
    struct vm_exit exits[EXITS_MAX];
    unsigned exit_count;
    uint64_t exit_rip[EXITS_MAX];
    uint64_t exit_elapsed[EXITS_MAX];
    uint64_t elapsed; /* cycles taken so far */
    /** Asked at each exit after it was recorded; NULL: see engine_fixture.c. */
    enum engine_verdict (*on_exit)(struct fixture *fixture,
                                   const struct vm_exit *exit);
    uint32_t apic[1024];
    void *extra; /* the test's own */
};

/** One cycle for each instruction, and loads, stores and events free. The
 *  snippet `handlers` lies at GUEST_HANDLERS. */
void fixture_open(struct fixture *fixture);
void fixture_close(struct fixture *fixture);

/** One more engine over the same memory; freed by the caller. */
struct engine *fixture_engine(struct fixture *fixture);

/** Copies a linked snippet to guest memory. */
void fixture_load(struct fixture *fixture, uint64_t gpa, const uint8_t *start,
                  const uint8_t *end);
void fixture_write(struct fixture *fixture, uint64_t gpa, const void *from,
                   size_t bytes);
uint64_t fixture_read64(struct fixture *fixture, uint64_t gpa);
void fixture_write64(struct fixture *fixture, uint64_t gpa, uint64_t value);

/** Puts the engine into 64-bit mode at GUEST_CODE, interrupts off, CPL 0,
 *  with the tables above; every IDT gate goes to its GUEST_HANDLER. */
void fixture_long_mode(struct fixture *fixture);

/** For cmocka: *state is a struct fixture in long mode afterwards. */
int fixture_setup_long_mode(void **state);
int fixture_teardown(void **state);
#define IN_LONG_MODE(test)                                                     \
    cmocka_unit_test_setup_teardown(test, fixture_setup_long_mode,             \
                                    fixture_teardown)

/** Lets the current state run at CPL 3. */
void fixture_user_mode(struct fixture *fixture);

/** Runs for at most `cycles` more. */
enum vm_exit_kind fixture_run(struct fixture *fixture, uint64_t cycles);

/** Replaces the PTE of the 4 KiB page at `va` (below 2 MiB), and flushes. */
void fixture_set_pte(struct fixture *fixture, uint64_t va, uint64_t pte);

/** Maps or unmaps a GPA page in the second level. */
void fixture_set_slat(struct fixture *fixture, uint64_t gpa, bool present);

/** xxHash-free: FNV-1a over guest memory, for comparing runs. */
uint64_t fixture_memory_hash(const struct fixture *fixture);

#define SNIPPET(name)                                                          \
    extern const uint8_t guest_##name##_start[], guest_##name##_end[]
#define LOAD_SNIPPET(fixture, gpa, name)                                       \
    fixture_load((fixture), (gpa), guest_##name##_start, guest_##name##_end)

#endif
