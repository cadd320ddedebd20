/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * selftest-extent: all of a VM that is as large as may be: every processor
 * starts, can be interrupted and sees what the others write; memory holds what
 * is written to it up to its last page, and there is none behind it.
 *
 * Arguments: high=MIB, the memory above 4 GiB (default 0); test=NAME.
 */

#include "workloads/runtime/apic.h"
#include "workloads/runtime/args.h"
#include "workloads/runtime/clock.h"
#include "workloads/runtime/cpu.h"
#include "workloads/runtime/memory.h"
#include "workloads/runtime/paging.h"
#include "workloads/runtime/runtime.h"
#include "workloads/runtime/trap.h"
#include "workloads/runtime/x86.h"
#include "workloads/selftest/selftest.h"

#define VECTOR 0x60
#define TIMEOUT_NS UINT64_C(10000000000)

#define WINDOW UINT64_C(0x0000340000000000)
#define HIGH_MEMORY (UINT64_C(4) << 30)
#define MIB (UINT64_C(1) << 20)

static uint32_t started, interrupted; /* atomic */
static uint64_t seen[CPU_COUNT_MAX];  /* by processor: what it counted to */

static void count_in(void)
{
    uint32_t number = __atomic_fetch_add(&started, 1, __ATOMIC_SEQ_CST);

    __atomic_store_n(&seen[cpu_current()->index], number + 1, __ATOMIC_RELEASE);
}

static void handle(struct trap_frame *frame)
{
    (void)frame;
    __atomic_fetch_add(&interrupted, 1, __ATOMIC_SEQ_CST);
    apic_eoi();
}

/* Waits until `*counter` is `count`, but not for ever. */
static void wait_for(const uint32_t *counter, uint32_t count)
{
    uint64_t end = clock_ns() + TIMEOUT_NS;

    while (__atomic_load_n(counter, __ATOMIC_SEQ_CST) != count &&
           clock_ns() < end)
        x86_pause();
}

static void processors(void)
{
    uint32_t others = cpu_count() - 1;
    uint64_t sum = 0;

    trap_set_handler(VECTOR, handle);
    cpu_start_all(count_in);
    wait_for(&started, others);
    selftest_equal(__atomic_load_n(&started, __ATOMIC_SEQ_CST), others,
                   "processors started");
    for (uint32_t i = 1; i <= others; i++)
        sum += __atomic_load_n(&seen[i], __ATOMIC_ACQUIRE);
    selftest_equal(sum, (uint64_t)others * (others + 1) / 2,
                   "the sum of what each has counted to");
    for (uint32_t i = 1; i <= others; i++)
        apic_send(i, APIC_ICR_FIXED | APIC_ICR_ASSERT | VECTOR);
    wait_for(&interrupted, others);
    selftest_equal(__atomic_load_n(&interrupted, __ATOMIC_SEQ_CST), others,
                   "processors interrupted");
}

static volatile uint64_t *at(uint64_t physical)
{
    uint64_t page = physical & ~(uint64_t)(PAGE_BYTES - 1);

    paging_map(WINDOW, page, PTE_PRESENT | PTE_WRITE);
    x86_invlpg(WINDOW);
    return (volatile uint64_t *)(uintptr_t)(WINDOW + physical - page);
}

/* A few pages at even distances, first and last among them. */
static void memory(void)
{
    uint64_t bytes = args_number("high", 0) * MIB;
    uint64_t last = HIGH_MEMORY + bytes - 8;
    uint64_t step = bytes / 61 & ~(uint64_t)7;

    if (bytes == 0) {
        selftest_equal(*at(HIGH_MEMORY), UINT64_MAX, "memory above 4 GiB");
        return;
    }
    for (uint64_t address = HIGH_MEMORY; address <= last; address += step)
        *at(address) = ~address;
    *at(last) = ~last;
    for (uint64_t address = HIGH_MEMORY; address <= last; address += step)
        selftest_equal(*at(address), ~address, "at 0x%lx", address);
    selftest_equal(*at(last), ~last, "the last word, at 0x%lx", last);
    *at(last + 8) = 0;
    selftest_equal(*at(last + 8), UINT64_MAX, "behind the last word");
}

void guest_main(void)
{
    static const struct selftest_case cases[] = {
        {"extent.processors", processors},
        {"extent.memory", memory},
    };

    selftest_run(cases, sizeof(cases) / sizeof(cases[0]));
}
