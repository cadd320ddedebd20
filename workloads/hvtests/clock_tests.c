/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * hvtest-clocks: the guest's clocks, on two processors (TLFS, "Timers"): the
 * reference counter and the reference TSC page agree, everywhere; run time is
 * what a processor has run; the TSC is invariant for all once one has asked.
 *
 * Argument: test=NAME. Needs Hyper-V with these clocks, and two processors.
 */

#include "workloads/hvtests/msr.h"
#include "workloads/runtime/clock.h"
#include "workloads/runtime/cpu.h"
#include "workloads/runtime/hyperv.h"
#include "workloads/runtime/memory.h"
#include "workloads/runtime/report.h"
#include "workloads/runtime/runtime.h"
#include "workloads/runtime/string.h"
#include "workloads/runtime/timer.h"
#include "workloads/runtime/x86.h"
#include "workloads/selftest/probe.h"
#include "workloads/selftest/selftest.h"

#define MSR_TSC_INVARIANT 0x40000118u
#define REFERENCE_HZ UINT64_C(10000000)
#define UNITS_PER_MS (REFERENCE_HZ / 1000)
#define TURNS 4000

/* Both processors take turns: whose it is say the lowest 16 bits, what the
 * other one read last the rest. */
static uint64_t baton;
static uint32_t steps_back;

static void take_turns(uint32_t first)
{
    for (uint32_t turn = first; turn < TURNS; turn += 2) {
        uint64_t before, now;

        do
            before = __atomic_load_n(&baton, __ATOMIC_ACQUIRE);
        while ((before & 0xffff) != turn);
        now = turn % 3 == 0 ? hyperv_reference_time()
                            : x86_rdmsr(HV_MSR_TIME_REF_COUNT);
        if (now < before >> 16)
            __atomic_fetch_add(&steps_back, 1, __ATOMIC_RELAXED);
        __atomic_store_n(&baton, now << 16 | (turn + 1), __ATOMIC_RELEASE);
    }
}

/* What the second processor has seen, when it asked for nothing itself. */
static volatile bool second_is_asked;
static volatile uint32_t second_answers; /* 1 + CPUID 80000007 EDX bit 8 */

static uint32_t is_invariant(void)
{
    return x86_cpuid(0x80000007, 0).edx >> 8 & 1;
}

static void run_on_second(void)
{
    take_turns(1);
    for (;;) {
        if (second_is_asked) {
            second_answers = 1 + is_invariant();
            second_is_asked = false;
        }
    }
}

static uint32_t ask_second(void)
{
    second_is_asked = true;
    while (second_is_asked)
        x86_pause();
    return second_answers - 1;
}

/* From page and counter, on both processors: what one has seen, the other is
 * not before. */
static void run_monotonic(void)
{
    take_turns(0);
    while ((__atomic_load_n(&baton, __ATOMIC_ACQUIRE) & 0xffff) != TURNS)
        x86_pause();
    selftest_equal(steps_back, 0, "steps back in %u turns", TURNS);
    selftest_equal(baton >> 16 > 0, true, "time has passed");
}

/* scale is 2^64 * 10 MHz / TSC frequency, and the counter what it makes. */
static void run_page_formula(void)
{
    const struct hyperv_tsc_page *page = hyperv_tsc_page();
    uint64_t hz = x86_rdmsr(HV_MSR_TSC_FREQUENCY);
    __extension__ unsigned __int128 whole = (unsigned __int128)page->scale * hz;

    /* Rounded down: less than one TSC tick is missing from a second. */
    selftest_equal(whole >> 64 == REFERENCE_HZ ||
                       (whole >> 64 == REFERENCE_HZ - 1 &&
                        ((whole + hz) >> 64) == REFERENCE_HZ),
                   true, "scale %lx at %lu Hz", page->scale, hz);
    for (unsigned i = 0; i < 100; i++) {
        uint64_t before = x86_rdmsr(HV_MSR_TIME_REF_COUNT);
        __extension__ unsigned __int128 product =
            (unsigned __int128)x86_rdtsc() * page->scale;
        uint64_t now = (uint64_t)(product >> 64) + (uint64_t)page->offset;
        uint64_t after = x86_rdmsr(HV_MSR_TIME_REF_COUNT);

        selftest_equal(before <= now && now <= after, true,
                       "counter %lu, formula %lu, counter %lu", before, now,
                       after);
    }
}

/* The page lies where it was last asked for, and nowhere else. */
static void run_page_moves(void)
{
    uint64_t was = x86_rdmsr(HV_MSR_REFERENCE_TSC);
    struct hyperv_tsc_page *other = memory_pages(1);

    memset((void *)other, 0xff, PAGE_BYTES);
    x86_wrmsr(HV_MSR_REFERENCE_TSC, (uintptr_t)other | HV_PAGE_ENABLE);
    selftest_equal(other->sequence != 0 && other->sequence != UINT32_MAX, true,
                   "its new place: sequence %x", other->sequence);
    selftest_equal(other->scale != UINT64_MAX, true, "its new place: scale");
    selftest_equal(hyperv_tsc_page()->sequence, 0, "its old place");
    x86_wrmsr(HV_MSR_REFERENCE_TSC, was);
    selftest_equal(other->sequence, UINT32_MAX, "what it had hidden");
    selftest_equal(hyperv_tsc_page()->sequence != 0, true, "back again");
}

/* A processor that is halted does not run. */
static void run_runtime(void)
{
    uint64_t start = x86_rdmsr(HV_MSR_VP_RUNTIME);
    uint64_t time = hyperv_reference_time();
    uint64_t ran;

    clock_spin(2000000);
    ran = x86_rdmsr(HV_MSR_VP_RUNTIME) - start;
    selftest_equal(ran > UNITS_PER_MS, true, "busy for 2 ms: %lu units", ran);

    x86_cli();
    start = x86_rdmsr(HV_MSR_VP_RUNTIME);
    time = hyperv_reference_time();
    timer_set_deadline(clock_ns() + 20000000);
    while (hyperv_reference_time() - time < 20 * UNITS_PER_MS) {
        cpu_idle();
        x86_cli();
    }
    x86_sti();
    ran = x86_rdmsr(HV_MSR_VP_RUNTIME) - start;
    selftest_equal(ran < UNITS_PER_MS, true, "halted for 20 ms: %lu units",
                   ran);
}

static void run_invariant(void)
{
    selftest_equal(x86_rdmsr(MSR_TSC_INVARIANT), 0, "TSC_INVARIANT_CONTROL");
    selftest_equal(is_invariant(), 0, "CPUID, before");
    selftest_equal(ask_second(), 0, "CPUID of the other, before");
    for (unsigned bit = 1; bit < 64; bit++)
        selftest_equal(msr_write(MSR_TSC_INVARIANT, UINT64_C(1) << bit),
                       TRAP_GP, "bit %u", bit);
    selftest_equal(is_invariant(), 0, "CPUID, after what was refused");
    selftest_equal(msr_write(MSR_TSC_INVARIANT, 1), MSR_OK, "bit 0");
    selftest_equal(x86_rdmsr(MSR_TSC_INVARIANT), 1, "read back");
    selftest_equal(is_invariant(), 1, "CPUID");
    selftest_equal(ask_second(), 1, "CPUID of the other");
}

void guest_main(void)
{
    static const struct selftest_case cases[] = {
        {"clocks.monotonic", run_monotonic},
        {"clocks.page_formula", run_page_formula},
        {"clocks.page_moves", run_page_moves},
        {"clocks.runtime", run_runtime},
        {"clocks.invariant", run_invariant},
    };
    const uint64_t needed =
        HV_PRIVILEGE_REFERENCE_COUNTER | HV_PRIVILEGE_REFERENCE_TSC |
        HV_PRIVILEGE_FREQUENCY_MSRS | HV_PRIVILEGE_VP_RUNTIME;

    if ((hyperv_privileges() & needed) != needed || cpu_count() != 2)
        report_fail("this machine is not what these tests are for");
    probe_init();
    cpu_start_all(run_on_second);
    selftest_run(cases, sizeof(cases) / sizeof(cases[0]));
}
