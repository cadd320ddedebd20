/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Rules 10 to 15: hypercalls, by those that an ordinary guest may make (TLFS,
 * "Hypercall Interface", "Virtual MMU", "Virtual Interrupt Control"). */

#include "workloads/hvtests/rule.h"
#include "workloads/runtime/apic.h"
#include "workloads/runtime/clock.h"
#include "workloads/runtime/hyperv.h"
#include "workloads/runtime/memory.h"
#include "workloads/runtime/paging.h"
#include "workloads/runtime/trap.h"
#include "workloads/selftest/selftest.h"

#define CALL_FLUSH_SPACE 0x0002u
#define CALL_FLUSH_LIST 0x0003u
#define CALL_FLUSH_SPACE_EX 0x0013u
#define CALL_FLUSH_LIST_EX 0x0014u
#define CALL_CLUSTER_IPI_EX 0x0015u

#define CONTROL_VARIABLE(n) ((uint64_t)(n) << 17)
#define CONTROL_REPS(n) ((uint64_t)(n) << 32)
#define CONTROL_START(n) ((uint64_t)(n) << 48)
#define START_SHIFT 48

#define STATUS_SUCCESS 0
#define STATUS_INVALID_INPUT 3
#define STATUS_INVALID_ALIGNMENT 4
#define STATUS_INVALID_PARAMETER 5

#define FLUSH_ALL_PROCESSORS 1
#define FLUSH_NON_GLOBAL_ONLY 4
#define LIST_MAX 509 /* elements of a page, after the header */
#define ALL_OTHERS 6

#define VECTOR_IPI 0xb5
#define VECTOR_TIMER 0xb6
#define DELAYS 64
#define IPI_TRAVELS_NS 100000

static uint64_t call(const uint64_t *input, uint64_t control)
{
    return hyperv_hypercall(control, (uintptr_t)input, 0);
}

static uint64_t *flush_input(uint64_t flags, uint64_t mask)
{
    uint64_t *input = memory_pages(1);

    input[0] = x86_read_cr3();
    input[1] = flags;
    input[2] = mask;
    for (unsigned i = 0; i < LIST_MAX; i++)
        input[3 + i] = RULE_WINDOW;
    return input;
}

void rule_10_reps_count_from_the_first(void)
{
    const uint64_t *input = flush_input(0, ALL_OTHERS);

    for (uint64_t count = 1; count <= LIST_MAX; count += 127) {
        for (uint64_t start = 0; start < count; start += 63)
            selftest_equal(call(input, CALL_FLUSH_LIST | CONTROL_REPS(count) |
                                           CONTROL_START(start)),
                           CONTROL_REPS(count) | STATUS_SUCCESS,
                           "%lu elements from number %lu on", count, start);
    }
}

/* Where the timer found the guest. */
static struct {
    volatile unsigned count;
    uint64_t rip, rcx;
} interrupted;

static void handle_timer(struct trap_frame *frame)
{
    interrupted.count++;
    interrupted.rip = frame->rip;
    interrupted.rcx = frame->rcx;
    apic_eoi();
}

/* Makes the longest call there is, while a timer runs that expires `delay`
 * units of 100 ns after its beginning. True if that came between two parts of
 * the call. */
static bool interrupt_call(const uint64_t *input, uint64_t delay)
{
    const uint64_t control = CALL_FLUSH_LIST | CONTROL_REPS(LIST_MAX);
    uint64_t start;

    interrupted.count = 0;
    x86_wrmsr(HV_MSR_STIMER0_COUNT, hyperv_reference_time() + delay);
    selftest_equal(call(input, control),
                   CONTROL_REPS(LIST_MAX) | STATUS_SUCCESS,
                   "interrupted after %lu units", delay);
    while (interrupted.count == 0)
        x86_pause();
    if (interrupted.rip != (uintptr_t)hyperv_hypercall_page ||
        interrupted.rcx == control)
        return false;
    start = interrupted.rcx >> START_SHIFT;
    selftest_equal(start > 0 && start < LIST_MAX, true, "to go on from %lu",
                   start);
    selftest_equal(interrupted.rcx, control | CONTROL_START(start),
                   "the rest of RCX");
    return true;
}

void rule_11_a_continued_call_stays_where_it_is(void)
{
    const uint64_t *input = flush_input(0, ALL_OTHERS);
    unsigned found = 0;

    trap_set_handler(VECTOR_TIMER, handle_timer);
    x86_wrmsr(HV_MSR_STIMER0_CONFIG,
              HV_STIMER_DIRECT | HV_STIMER_AUTO_ENABLE |
                  VECTOR_TIMER << HV_STIMER_VECTOR_SHIFT);
    for (uint64_t delay = 1; delay <= DELAYS; delay++)
        found += interrupt_call(input, delay * 10);
    x86_wrmsr(HV_MSR_STIMER0_CONFIG, 0);
    selftest_equal(found > 0, true, "calls interrupted between their parts");
}

static unsigned ipis; /* taken by whichever processor; atomic */

static void handle_ipi(struct trap_frame *frame)
{
    (void)frame;
    __atomic_fetch_add(&ipis, 1, __ATOMIC_RELAXED);
    apic_eoi();
}

struct set_row {
    const char *name;
    uint64_t format, valid_banks;
    uint32_t words; /* of the variable header */
    uint64_t status;
};

static const struct set_row set_rows[] = {
    {"one bank", 0, 1, 1, STATUS_SUCCESS},
    {"one bank, in bytes", 0, 1, 8, STATUS_INVALID_INPUT},
    {"one bank, none given", 0, 1, 0, STATUS_INVALID_INPUT},
    {"two banks, one given", 0, 3, 1, STATUS_INVALID_INPUT},
    {"two banks", 0, 3, 2, STATUS_SUCCESS},
    {"all", 1, 0, 0, STATUS_SUCCESS},
    {"all, with a bank", 1, 1, 1, STATUS_SUCCESS},
    {"all, with a bank too few", 1, 1, 0, STATUS_INVALID_INPUT},
    {"all, with a bank too many", 1, 0, 1, STATUS_INVALID_INPUT},
};

void rule_12_the_header_has_a_word_for_each_bank(void)
{
    uint64_t *flush = memory_pages(1), *ipi = memory_pages(1);

    trap_set_handler(VECTOR_IPI, handle_ipi);
    for (unsigned i = 0; i < sizeof(set_rows) / sizeof(set_rows[0]); i++) {
        const struct set_row *row = &set_rows[i];
        uint64_t variable = CONTROL_VARIABLE(row->words);

        flush[0] = x86_read_cr3();
        ipi[0] = VECTOR_IPI;
        flush[2] = ipi[1] = row->format;
        flush[3] = ipi[2] = row->valid_banks;
        flush[4] = ipi[3] = 1; /* this processor */
        selftest_equal(call(flush, CALL_FLUSH_SPACE_EX | variable), row->status,
                       "flush, %s", row->name);
        selftest_equal(call(ipi, CALL_CLUSTER_IPI_EX | variable), row->status,
                       "IPI, %s", row->name);
        clock_spin(IPI_TRAVELS_NS); /* or the next would merge with it */
    }
    selftest_equal(__atomic_exchange_n(&ipis, 0, __ATOMIC_RELAXED),
                   2 * 1 + 2 * RULE_CPUS, "IPIs by the others");
    ipi[1] = 0;
    ipi[2] = 1;
    selftest_equal(
        call(ipi, CALL_CLUSTER_IPI_EX | CONTROL_VARIABLE(1) | CONTROL_REPS(1)),
        STATUS_INVALID_INPUT, "an IPI with a rep count");
    clock_spin(IPI_TRAVELS_NS);
    selftest_equal(__atomic_load_n(&ipis, __ATOMIC_RELAXED), 0, "IPIs by that");
}

/* By the TLFS; others answer with the status for invalid input. */
void rule_13_a_block_lies_in_one_page(void)
{
    const uint64_t *pages = memory_pages(2);
    const uint64_t *end = pages + PAGE_BYTES / sizeof(*pages);

    selftest_equal(call(end - 3, CALL_FLUSH_SPACE), STATUS_SUCCESS,
                   "up to the end of the page");
    selftest_equal(call(end - 2, CALL_FLUSH_SPACE), STATUS_INVALID_ALIGNMENT,
                   "a word beyond it");
    selftest_equal(call(end - 4, CALL_FLUSH_LIST | CONTROL_REPS(2)),
                   STATUS_INVALID_ALIGNMENT, "an element beyond it");
}

/* True if each of the other processors sees the value within 2 ms. */
static bool all_see(uint64_t value)
{
    for (int i = 0; i < 200; i++) {
        if (rule_seen[1] == value && rule_seen[2] == value)
            return true;
        clock_spin(10000);
    }
    return false;
}

/* The others keep the translation of the window's last page: gives it another
 * page, makes the call, and sees whether they have noticed. */
static void flush_shows(const uint64_t *input, uint64_t control)
{
    static uint64_t value = 100;
    volatile uint64_t *page = memory_pages(1);

    *page = ++value;
    paging_map(RULE_WINDOW + (RULE_WINDOW_PAGES - 1) * PAGE_BYTES,
               (uintptr_t)page, PTE_PRESENT);
    selftest_equal(call(input, control) & 0xffff, STATUS_SUCCESS,
                   "call %lx: status", control);
    selftest_equal(all_see(value), true, "call %lx: all see the new page",
                   control);
}

void rule_14_a_mask_of_none_means_all(void)
{
    flush_shows(flush_input(0, 0), CALL_FLUSH_SPACE);
    flush_shows(flush_input(FLUSH_ALL_PROCESSORS, 0), CALL_FLUSH_SPACE);
}

void rule_15_an_element_names_further_pages(void)
{
    uint64_t *input = flush_input(0, ALL_OTHERS);

    input[3] = RULE_WINDOW | (RULE_WINDOW_PAGES - 1);
    flush_shows(input, CALL_FLUSH_LIST | CONTROL_REPS(1));
    input[1] = FLUSH_NON_GLOBAL_ONLY;
    selftest_equal(call(input, CALL_FLUSH_LIST | CONTROL_REPS(1)) & 0xffff,
                   STATUS_INVALID_PARAMETER, "a list, all but global pages");
    selftest_equal(call(input, CALL_FLUSH_SPACE) & 0xffff, STATUS_SUCCESS,
                   "a space, all but global pages");
}
