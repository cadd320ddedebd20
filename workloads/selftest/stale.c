/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * selftest-stale: code that was changed must never run as it was before,
 * whichever way the change came: the same address, another mapping, another
 * processor, the instruction just before.
 *
 * Where the processor manuals ask for a serializing instruction between a
 * change and its execution (another linear address, another processor),
 * CPUID stands there.
 *
 * Arguments: rounds=N changes in each case (default 2000); code=BYTES that
 * stale.many_blocks generates (default 4MiB: more than a translation buffer
 * of 64 MiB holds once translated); test=NAME.
 */

#include "workloads/runtime/args.h"
#include "workloads/runtime/cpu.h"
#include "workloads/runtime/memory.h"
#include "workloads/runtime/paging.h"
#include "workloads/runtime/report.h"
#include "workloads/runtime/runtime.h"
#include "workloads/runtime/string.h"
#include "workloads/runtime/x86.h"
#include "workloads/selftest/selftest.h"

/* Two pages of memory, mapped three times. */
#define CODE UINT64_C(0x0000310000000000)    /* writable, executable */
#define ALIAS_X UINT64_C(0x0000320000000000) /* writable, executable */
#define ALIAS UINT64_C(0x0000330000000000)   /* writable only */

#define FUNCTION_OFFSET 0x400u
#define OTHER_FUNCTION_OFFSET 0xa00u
#define DATA_OFFSET 0x800u

typedef uint32_t function0(void);
typedef uint32_t function2(uint32_t value, uint64_t address);

/* stale_code.S: position independent, to be copied. */
#define CODE_PIECE(name)                                                       \
    extern const char stale_##name[], stale_##name##_end[],                    \
        stale_##name##_immediate[]
CODE_PIECE(next_instruction);
CODE_PIECE(own_page_by_alias);
CODE_PIECE(push);
CODE_PIECE(string);
CODE_PIECE(sse);
CODE_PIECE(run_into);

static void serialize(void)
{
    x86_cpuid(0, 0);
}

static uint64_t round_count(void)
{
    return args_number("rounds", 2000);
}

/* mov $value, %eax; ret */
static void put_function(uint64_t address, uint32_t value)
{
    uint8_t *code = (uint8_t *)address;

    code[0] = 0xb8;
    memcpy(code + 1, &value, sizeof(value));
    code[5] = 0xc3;
}

static void put_immediate(uint64_t function, uint32_t value)
{
    *(volatile uint32_t *)(function + 1) = value;
}

static uint32_t call(uint64_t address)
{
    return ((function0 *)address)();
}

static void map_pages(void)
{
    uint64_t physical = (uintptr_t)memory_pages(2);

    for (uint64_t i = 0; i < 2 * PAGE_BYTES; i += PAGE_BYTES) {
        paging_map(CODE + i, physical + i, PTE_PRESENT | PTE_WRITE);
        paging_map(ALIAS_X + i, physical + i, PTE_PRESENT | PTE_WRITE);
        paging_map(ALIAS + i, physical + i, PTE_PRESENT | PTE_WRITE | PTE_NX);
    }
}

static void run_same_address(void)
{
    put_function(CODE + FUNCTION_OFFSET, 0);
    for (uint32_t i = 0; i < round_count(); i++) {
        put_immediate(CODE + FUNCTION_OFFSET, i);
        selftest_equal(call(CODE + FUNCTION_OFFSET), i, "same address");
    }
}

static void run_data_first(void)
{
    volatile uint64_t *data = (uint64_t *)(CODE + DATA_OFFSET);

    put_function(CODE + FUNCTION_OFFSET, 0);
    put_function(CODE + OTHER_FUNCTION_OFFSET, 7);
    for (uint32_t i = 0; i < round_count(); i++) {
        *data = i;
        selftest_equal(call(CODE + OTHER_FUNCTION_OFFSET), 7, "other function");
        *data = i + 1;
        put_immediate(CODE + FUNCTION_OFFSET, i);
        selftest_equal(call(CODE + FUNCTION_OFFSET), i, "data stored first");
        selftest_equal(*data, i + 1, "data beside code");
    }
}

/* Two writes by the alias in each round: the first may be caught where the
 * second is not. */
static void run_by_alias(uint64_t alias)
{
    put_function(CODE + FUNCTION_OFFSET, 0);
    for (uint32_t i = 0; i < round_count(); i++) {
        put_immediate(alias + FUNCTION_OFFSET, i);
        serialize();
        selftest_equal(call(CODE + FUNCTION_OFFSET), i, "first write by alias");
        put_immediate(alias + FUNCTION_OFFSET, ~i);
        serialize();
        selftest_equal(call(CODE + FUNCTION_OFFSET), ~i,
                       "repeated write by alias");
        selftest_equal(call(ALIAS_X + FUNCTION_OFFSET), ~i,
                       "code run at its alias");
    }
}

static void run_executable_alias(void)
{
    run_by_alias(ALIAS_X);
}

static void run_plain_alias(void)
{
    run_by_alias(ALIAS);
}

/* Copies a piece to the code page, and calls it with a value for its own
 * immediate and the address to store that to: at the piece itself. */
static void run_piece(const char *start, const char *end, const char *immediate,
                      uint64_t at, uint64_t store_by)
{
    uint64_t address = store_by + at + (uint64_t)(immediate - start);

    memcpy((void *)(CODE + at), start, (size_t)(end - start));
    serialize();
    for (uint32_t i = 1; i <= round_count(); i++) {
        function2 *piece = (function2 *)(CODE + at);

        selftest_equal(piece(i * 0x01010101, address), i * 0x01010101,
                       "own code, stored to 0x%lx", address);
    }
}

#define RUN_PIECE(name, at, store_by)                                          \
    run_piece(stale_##name, stale_##name##_end, stale_##name##_immediate, at,  \
              store_by)

static void run_next_instruction(void)
{
    RUN_PIECE(next_instruction, FUNCTION_OFFSET, CODE);
}

/* The instruction that is changed lies across two pages. */
static void run_next_across_pages(void)
{
    uint64_t at =
        PAGE_BYTES - 2 -
        (uint64_t)(stale_next_instruction_immediate - stale_next_instruction);

    RUN_PIECE(next_instruction, at, CODE);
}

static void run_own_page_by_alias(void)
{
    RUN_PIECE(own_page_by_alias, FUNCTION_OFFSET, ALIAS);
    RUN_PIECE(own_page_by_alias, FUNCTION_OFFSET, ALIAS_X);
}

static void run_other_stores(void)
{
    RUN_PIECE(push, FUNCTION_OFFSET, CODE);
    RUN_PIECE(string, FUNCTION_OFFSET, CODE);
    RUN_PIECE(sse, FUNCTION_OFFSET, CODE);
}

/* The store stands in the first page, what it changes in the second; the
 * code runs on from one into the other. */
static void run_into_next_page(void)
{
    uint64_t at =
        PAGE_BYTES - (uint64_t)(stale_run_into_immediate - stale_run_into) + 1;

    RUN_PIECE(run_into, at, CODE);
}

/* The mapping changes, not the memory. */
static void run_remapped(void)
{
    uint64_t physical[2] = {(uintptr_t)memory_pages(1),
                            (uintptr_t)memory_pages(1)};
    uint64_t virtual = CODE + 16 * PAGE_BYTES;

    put_function(physical[0], 100);
    put_function(physical[1], 200);
    for (uint64_t i = 0; i < round_count(); i++) {
        paging_map(virtual, physical[i % 2], PTE_PRESENT);
        x86_invlpg(virtual);
        selftest_equal(call(virtual), i % 2 == 0 ? 100 : 200, "remapped page");
    }
}

#define BLOCK_BYTES 64
#define BLOCK_ADDS 24

/* A function long enough that its translation is some kilobytes:
 * mov $value, %eax; 24 times add (%rdi), %eax; ret. RDI points to a 1. */
static void put_block(uint8_t *code, uint32_t value)
{
    put_function((uintptr_t)code, value);
    for (unsigned i = 0; i < BLOCK_ADDS; i++) {
        code[5 + 2 * i] = 0x03;
        code[6 + 2 * i] = 0x07;
    }
    code[5 + 2 * BLOCK_ADDS] = 0xc3;
}

static void run_blocks(uint64_t start, uint64_t count, uint32_t salt)
{
    static uint32_t one = 1;

    for (uint64_t i = 0; i < count; i++) {
        uint32_t (*block)(uint32_t *) =
            (uint32_t(*)(uint32_t *))(start + i * BLOCK_BYTES);

        selftest_equal(block(&one), ((uint32_t)i ^ salt) + BLOCK_ADDS,
                       "block %lu of many", i);
    }
}

static void run_many_blocks(void)
{
    uint64_t bytes = args_bytes("code", 4 << 20) & ~(uint64_t)(PAGE_BYTES - 1);
    uint64_t count = bytes / BLOCK_BYTES;
    uint64_t virtual = CODE + (UINT64_C(1) << 30);
    uint8_t *memory = memory_pages(bytes / PAGE_BYTES);

    for (uint64_t i = 0; i < bytes; i += PAGE_BYTES)
        paging_map(virtual + i, (uintptr_t)memory + i, PTE_PRESENT);
    for (uint64_t i = 0; i < count; i++)
        put_block(memory + i * BLOCK_BYTES, (uint32_t)i);
    serialize();
    run_blocks(virtual, count, 0);
    for (uint64_t i = 0; i < count; i++)
        put_immediate((uintptr_t)memory + i * BLOCK_BYTES,
                      (uint32_t)i ^ 0x80000000);
    serialize();
    run_blocks(virtual, count, 0x80000000);
}

/* The second processor calls the function once for each request. */
static struct {
    uint32_t request, response; /* atomic: number of the round, ~0 to end */
    uint32_t result;
} other;

static void serve_calls(void)
{
    uint32_t done = 0;
    uint32_t request;

    do {
        while ((request = __atomic_load_n(&other.request, __ATOMIC_ACQUIRE)) ==
               done)
            x86_pause();
        serialize();
        other.result = call(CODE + FUNCTION_OFFSET);
        done = request;
        __atomic_store_n(&other.response, done, __ATOMIC_RELEASE);
    } while (request != UINT32_MAX);
}

static uint32_t call_on_other(uint32_t request)
{
    __atomic_store_n(&other.request, request, __ATOMIC_RELEASE);
    while (__atomic_load_n(&other.response, __ATOMIC_ACQUIRE) != request)
        x86_pause();
    return other.result;
}

static void run_other_processor(void)
{
    put_function(CODE + FUNCTION_OFFSET, 0);
    cpu_start_all(serve_calls);
    for (uint32_t i = 1; i <= round_count(); i++) {
        put_immediate((i % 2 == 0 ? CODE : ALIAS) + FUNCTION_OFFSET, i);
        selftest_equal(call_on_other(i), i, "changed by another processor");
        serialize();
        selftest_equal(call(CODE + FUNCTION_OFFSET), i,
                       "changed while another processor has it");
    }
    call_on_other(UINT32_MAX);
}

void guest_main(void)
{
    static const struct selftest_case cases[] = {
        {"stale.same_address", run_same_address},
        {"stale.data_first", run_data_first},
        {"stale.executable_alias", run_executable_alias},
        {"stale.plain_alias", run_plain_alias},
        {"stale.next_instruction", run_next_instruction},
        {"stale.next_across_pages", run_next_across_pages},
        {"stale.own_page_by_alias", run_own_page_by_alias},
        {"stale.other_stores", run_other_stores},
        {"stale.run_into_next_page", run_into_next_page},
        {"stale.remapped", run_remapped},
        {"stale.many_blocks", run_many_blocks},
        {"stale.other_processor", run_other_processor}, /* needs two */
    };
    size_t count = sizeof(cases) / sizeof(cases[0]);

    map_pages();
    selftest_run(cases, cpu_count() > 1 ? count : count - 1);
}
