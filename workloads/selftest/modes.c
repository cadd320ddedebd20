/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * selftest-modes: the guest itself walks through every mode of the processor
 * and back, and what each mode does differently must show.
 *
 * Argument: rounds=N tours (default 100).
 */

#include "workloads/selftest/modes.h"

#include "workloads/runtime/args.h"
#include "workloads/runtime/memory.h"
#include "workloads/runtime/paging.h"
#include "workloads/runtime/runtime.h"
#include "workloads/runtime/segments.h"
#include "workloads/runtime/string.h"
#include "workloads/runtime/trap.h"
#include "workloads/selftest/selftest.h"

#define LOW_END 0x13000u /* of what modes.h lays out */
#define EFER_LMA (1u << 10)

#define ENTRY_RW 0x3u
#define ENTRY_LARGE 0x80u
#define GATE_INTERRUPT32 0x8e00u

/* modes_code.S */
extern const char modes_begin[], modes_end[];
extern const char modes_page_fault[], modes_interrupt[];

static uint32_t *word_at(uint32_t physical)
{
    return (uint32_t *)(uintptr_t)physical;
}

static uint32_t copied(const char *label)
{
    return MODES_CODE + (uint32_t)(label - modes_begin);
}

static void put_gate32(unsigned vector, uint32_t handler)
{
    uint32_t *gate = word_at(MODES_IDT32 + vector * 8);

    gate[0] = SEGMENT_CODE32 << 16 | (handler & 0xffff);
    gate[1] = (handler & 0xffff0000) | GATE_INTERRUPT32;
}

static void build_tables(void)
{
    uint32_t *directory = word_at(MODES_PAGED_DIRECTORY);
    uint32_t *table = word_at(MODES_PAGED_TABLE);
    uint64_t *pointers = (uint64_t *)word_at(MODES_PAE_POINTERS);
    uint64_t *large = (uint64_t *)word_at(MODES_PAE_DIRECTORY);

    memset(directory, 0, LOW_END - MODES_PAGED_DIRECTORY);
    directory[0] = ENTRY_LARGE | ENTRY_RW;
    directory[MODES_ALIAS >> 22] = ENTRY_LARGE | ENTRY_RW;
    directory[MODES_ALIAS_SMALL >> 22] = MODES_PAGED_TABLE | ENTRY_RW;
    for (uint32_t i = 0; i < 1024; i++)
        table[i] = i << 12 | ENTRY_RW;

    pointers[0] = MODES_PAE_DIRECTORY | PTE_PRESENT;
    pointers[MODES_ALIAS >> 30] = MODES_PAE_DIRECTORY | PTE_PRESENT;
    large[0] = ENTRY_LARGE | ENTRY_RW;
    large[1] = UINT64_C(0x200000) | ENTRY_LARGE | ENTRY_RW;

    put_gate32(TRAP_PF, copied(modes_page_fault));
    put_gate32(0x80, copied(modes_interrupt));
}

static void make_tour(void)
{
    uint64_t gs_base = x86_rdmsr(MSR_GS_BASE);
    struct segments_pointer idt;
    void (*tour)(uint64_t, const void *) =
        (void (*)(uint64_t, const void *))(uintptr_t)MODES_CODE;

    __asm__ volatile("sidt %0" : "=m"(idt));
    x86_cli();
    tour(paging_root(), &idt);
    x86_wrmsr(MSR_GS_BASE, gs_base);
    x86_sti();
}

static void check_results(void)
{
    static const uint32_t expected[MODES_RESULT_COUNT] = {
        [MODES_COMPAT_INC] = 0x80000000,
        [MODES_COMPAT_PUSH] = 4,
        [MODES_BACK_IN_64] = 0x12345678,
        [MODES_PAGED_ALIAS] = 0x12121212,
        [MODES_PAGED_SMALL] = 0x33333333,
        [MODES_PAGED_CR2] = MODES_ABSENT,
        [MODES_PAGED_ERROR] = 2, /* a write */
        [MODES_PAE_ALIAS] = 0x45454545,
        [MODES_PAE_CR2] = MODES_ABSENT,
        [MODES_PAE_ERROR] = 0,
        [MODES_INT32] = 0x61,
        [MODES_16_PUSH] = 2,
        [MODES_16_WRAP] = 0x77777778,
        [MODES_REAL_SEGMENT] = 0x89898989,
        [MODES_REAL_INT] = 0x71,
        [MODES_REAL_DIVIDE] = 0x11,
        [MODES_REAL_PUSH] = 6,
        [MODES_LONG_AGAIN] = 0x0fedcba9,
    };
    const uint32_t *got = word_at(MODES_RESULTS);

    for (unsigned i = 0; i < MODES_RESULT_COUNT; i++) {
        if (i == MODES_UNPAGED_EFER)
            selftest_equal(got[i] & (EFER_LMA | EFER_LME), 0,
                           "EFER without paging");
        else if (i == MODES_UNPAGED_CR0)
            selftest_equal(got[i] & (CR0_PG | CR0_PE), CR0_PE,
                           "CR0 without paging");
        else
            selftest_equal(got[i], expected[i], "result %u of modes.h", i);
    }
}

static void run_tour(void)
{
    uint64_t rounds = args_number("rounds", 100);

    for (uint64_t at = 0; at < LOW_END; at += PAGE_BYTES) {
        paging_map(at, at, PTE_PRESENT | PTE_WRITE);
        x86_invlpg(at);
    }
    memcpy(word_at(MODES_CODE), modes_begin, (size_t)(modes_end - modes_begin));
    for (uint64_t i = 0; i < rounds; i++) {
        build_tables();
        memset(word_at(MODES_RESULTS), 0xee, 4 * MODES_RESULT_COUNT);
        make_tour();
        check_results();
        selftest_equal(x86_rdmsr(MSR_EFER) & (EFER_LMA | EFER_LME),
                       EFER_LMA | EFER_LME, "EFER at the end");
    }
}

void guest_main(void)
{
    static const struct selftest_case cases[] = {{"modes.tour", run_tour}};

    selftest_run(cases, 1);
}
