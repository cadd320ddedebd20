/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * hvtest-enlightenments: what the hypervisor spares a guest: flushes and
 * interrupts of other processors, EOIs, idling, the question whether the TSC
 * is to be trusted; and the calls that lead nowhere without a port.
 *
 * Arguments: test=NAME; crash=1 reports a crash instead. Needs Hyper-V with
 * all of these, and three processors.
 */

#include "workloads/hvtests/msr.h"
#include "workloads/runtime/apic.h"
#include "workloads/runtime/args.h"
#include "workloads/runtime/clock.h"
#include "workloads/runtime/cpu.h"
#include "workloads/runtime/hyperv.h"
#include "workloads/runtime/memory.h"
#include "workloads/runtime/paging.h"
#include "workloads/runtime/report.h"
#include "workloads/runtime/runtime.h"
#include "workloads/runtime/trap.h"
#include "workloads/selftest/probe.h"
#include "workloads/selftest/selftest.h"

#define CPUS 3
#define VECTOR 0xb8

#define MSR_GUEST_IDLE 0x400000f0u
#define MSR_CRASH_P0 0x40000100u
#define MSR_CRASH_CONTROL 0x40000105u
#define MSR_TSC_INVARIANT 0x40000118u

#define CALL_FLUSH_SPACE 0x0002u
#define CALL_FLUSH_LIST 0x0003u
#define CALL_CLUSTER_IPI 0x000bu
#define CALL_FLUSH_SPACE_EX 0x0013u
#define CALL_FLUSH_LIST_EX 0x0014u
#define CALL_CLUSTER_IPI_EX 0x0015u
#define CALL_POST_MESSAGE 0x005cu
#define CALL_SIGNAL_EVENT 0x005du
#define CALL_QUERY_CAPABILITIES 0x8001u

#define CONTROL_FAST (UINT64_C(1) << 16)
#define CONTROL_VARIABLE(n) ((uint64_t)(n) << 17)
#define CONTROL_REPS(n) ((uint64_t)(n) << 32)

#define STATUS_SUCCESS 0
#define STATUS_INVALID_INPUT 3
#define STATUS_INVALID_PARAMETER 5
#define STATUS_INVALID_CONNECTION 0x12

#define WINDOW UINT64_C(0x0000600000000000)

static uint64_t *input; /* a page of parameters */

/* The other processors read the window over and over, and so keep its
 * translation; their interrupts are counted. */
static volatile uint64_t seen[CPUS];
static volatile unsigned interrupts[CPUS];

static void handle(struct trap_frame *frame)
{
    (void)frame;
    interrupts[cpu_current()->index]++;
    apic_eoi();
}

static void watch(void)
{
    uint32_t index = cpu_current()->index;

    x86_sti();
    for (;;)
        seen[index] = *(const volatile uint64_t *)WINDOW;
}

static uint64_t call(uint64_t control)
{
    return hyperv_hypercall(control, (uintptr_t)input, (uintptr_t)input + 2048);
}

/* True if the processor sees the value within a millisecond. */
static bool comes_to_see(uint32_t cpu, uint64_t value)
{
    for (int i = 0; i < 100; i++) {
        if (seen[cpu] == value)
            return true;
        clock_spin(10000);
    }
    return false;
}

/* Maps the window to another page, makes the call, and sees who has noticed:
 * those of the mask must have. */
static void flush_shows(uint64_t control, uint64_t mask, const char *name)
{
    static uint64_t value = 100;
    volatile uint64_t *page = memory_pages(1);
    uint64_t result;

    *page = ++value;
    paging_map(WINDOW, (uintptr_t)page, PTE_PRESENT);
    result = call(control);
    selftest_equal(result & 0xffff, STATUS_SUCCESS, "%s: status", name);
    selftest_equal(result >> 32, control >> 32 & 0xfff, "%s: reps", name);
    for (uint32_t cpu = 1; cpu < CPUS; cpu++) {
        if ((mask >> cpu & 1) != 0)
            selftest_equal(comes_to_see(cpu, value), true,
                           "%s: processor %u sees the new page", name, cpu);
    }
}

static void set_flush(uint64_t flags, uint64_t mask)
{
    input[0] = x86_read_cr3();
    input[1] = flags;
    input[2] = mask;
    input[3] = WINDOW;
}

static void set_flush_ex(uint64_t format, uint64_t banks, uint64_t bank)
{
    input[0] = x86_read_cr3();
    input[1] = 0;
    input[2] = format;
    input[3] = banks;
    input[4] = bank;
    input[5] = WINDOW;
}

static void run_flush(void)
{
    set_flush(0, 6);
    flush_shows(CALL_FLUSH_SPACE, 6, "two processors");
    set_flush(0, 2);
    flush_shows(CALL_FLUSH_SPACE, 2, "one processor");
    set_flush(3, 0);
    flush_shows(CALL_FLUSH_SPACE, 7, "all processors");
    set_flush(0, 0); /* as old guests mean it */
    flush_shows(CALL_FLUSH_SPACE, 7, "no processor");
    set_flush(0, 4);
    flush_shows(CALL_FLUSH_LIST | CONTROL_REPS(1), 4, "a list");
    set_flush(4, 4);
    selftest_equal(call(CALL_FLUSH_LIST | CONTROL_REPS(1)),
                   STATUS_INVALID_PARAMETER, "a list, all but global pages");
    set_flush(16, 4);
    selftest_equal(call(CALL_FLUSH_SPACE), STATUS_INVALID_PARAMETER,
                   "an unknown flag");
}

static void run_flush_sets(void)
{
    set_flush_ex(0, 1, 6);
    flush_shows(CALL_FLUSH_SPACE_EX | CONTROL_VARIABLE(1), 6, "a set");
    set_flush_ex(1, 0, 0);
    flush_shows(CALL_FLUSH_SPACE_EX, 7, "the set of all");
    set_flush_ex(0, 1, 2);
    flush_shows(CALL_FLUSH_LIST_EX | CONTROL_VARIABLE(1) | CONTROL_REPS(1), 2,
                "a list for a set");
    set_flush_ex(1, 1, 0);
    selftest_equal(call(CALL_FLUSH_SPACE_EX), STATUS_INVALID_INPUT,
                   "all, with a bank too few");
}

static void check_interrupts(unsigned first, unsigned second, const char *name)
{
    clock_spin(1000000);
    selftest_equal(interrupts[1], first, "%s: processor 1", name);
    selftest_equal(interrupts[2], second, "%s: processor 2", name);
}

static void run_cluster_ipi(void)
{
    interrupts[1] = interrupts[2] = 0;
    selftest_equal(hyperv_hypercall(CALL_CLUSTER_IPI | CONTROL_FAST, VECTOR, 6),
                   STATUS_SUCCESS, "two processors");
    check_interrupts(1, 1, "two processors");
    selftest_equal(hyperv_hypercall(CALL_CLUSTER_IPI | CONTROL_FAST, VECTOR, 4),
                   STATUS_SUCCESS, "one processor");
    check_interrupts(1, 2, "one processor");
    input[0] = VECTOR;
    input[1] = 0;
    input[2] = 1;
    input[3] = 2;
    selftest_equal(call(CALL_CLUSTER_IPI_EX | CONTROL_VARIABLE(1)),
                   STATUS_SUCCESS, "a set");
    check_interrupts(2, 2, "a set");
    selftest_equal(hyperv_hypercall(CALL_CLUSTER_IPI | CONTROL_FAST, 15, 2),
                   STATUS_INVALID_INPUT, "vector 15");
    selftest_equal(hyperv_hypercall(CALL_CLUSTER_IPI | CONTROL_FAST,
                                    VECTOR | UINT64_C(1) << 32,
                                    2) != STATUS_SUCCESS,
                   true, "another trust level");
}

/* With interrupts disabled: the read returns, the interrupt waits. */
static void run_guest_idle(void)
{
    interrupts[0] = 0;
    x86_cli();
    apic_write(APIC_ICR, APIC_ICR_SELF | VECTOR);
    selftest_equal(x86_rdmsr(MSR_GUEST_IDLE), 0, "GUEST_IDLE");
    selftest_equal(interrupts[0], 0, "interrupts while disabled");
    x86_sti();
    clock_spin(100000);
    selftest_equal(interrupts[0], 1, "interrupts when enabled");
    selftest_equal(msr_write(MSR_GUEST_IDLE, 0), TRAP_GP, "write");
}

/* Written by an interrupt handler that leaves EOIs out where it may. */
static volatile uint32_t *assist;
static volatile unsigned left_out, in_service;

static void handle_assisted(struct trap_frame *frame)
{
    (void)frame;
    in_service++;
    if ((__atomic_fetch_and(assist, ~1u, __ATOMIC_SEQ_CST) & 1) != 0)
        left_out++;
    else
        apic_eoi();
}

static void run_eoi_assist(void)
{
    trap_handler *before = trap_set_handler(VECTOR, handle_assisted);

    assist = memory_pages(1);
    x86_wrmsr(HV_MSR_VP_ASSIST_PAGE, (uintptr_t)assist | HV_PAGE_ENABLE);
    for (unsigned i = 1; i <= 10; i++) {
        apic_write(APIC_ICR, APIC_ICR_SELF | VECTOR);
        clock_spin(10000);
        selftest_equal(in_service, i, "interrupts");
    }
    selftest_equal(left_out > 0, true, "EOIs left out: %u", left_out);
    selftest_equal(apic_read(APIC_ISR + 0x10 * (VECTOR / 32)), 0,
                   "in service at the end");
    x86_wrmsr(HV_MSR_VP_ASSIST_PAGE, 0);
    trap_set_handler(VECTOR, before);
}

static void run_tsc_invariant(void)
{
    selftest_equal(x86_cpuid(0x80000007, 0).edx >> 8 & 1, 0, "before");
    selftest_equal(msr_write(MSR_TSC_INVARIANT, 2), TRAP_GP, "bit 1");
    selftest_equal(msr_write(MSR_TSC_INVARIANT, 1), MSR_OK, "bit 0");
    selftest_equal(x86_cpuid(0x80000007, 0).edx >> 8 & 1, 1, "after");
}

static void run_capabilities(void)
{
    input[256] = UINT64_MAX;
    selftest_equal(call(CALL_QUERY_CAPABILITIES), STATUS_SUCCESS, "status");
    selftest_equal(input[256], 0, "capabilities");
}

/* A connection that there is not: 12, and never 2. */
static void run_no_connection(void)
{
    selftest_equal(
        hyperv_hypercall(CALL_SIGNAL_EVENT | CONTROL_FAST, 0x777777, 0),
        STATUS_INVALID_CONNECTION, "SignalEvent");
    input[0] = 0x777777;
    input[1] = 1;
    selftest_equal(call(CALL_POST_MESSAGE), STATUS_INVALID_CONNECTION,
                   "PostMessage");
    input[1] = 0;
    selftest_equal(call(CALL_POST_MESSAGE), STATUS_INVALID_PARAMETER,
                   "PostMessage, type 0");
    input[1] = 0x80000001;
    selftest_equal(call(CALL_POST_MESSAGE), STATUS_INVALID_PARAMETER,
                   "PostMessage, a type of the hypervisor's");
    input[1] = 1 | UINT64_C(241) << 32;
    selftest_equal(call(CALL_POST_MESSAGE), STATUS_INVALID_PARAMETER,
                   "PostMessage, 241 bytes");
}

/* The five parameters hold what is written; the control register says what
 * can be reported, whatever is written short of a report. */
static void run_crash_registers(void)
{
    const uint64_t reportable = UINT64_C(3) << 62;

    for (uint32_t i = 0; i < 5; i++) {
        selftest_equal(x86_rdmsr(MSR_CRASH_P0 + i), 0, "P%u at first", i);
        x86_wrmsr(MSR_CRASH_P0 + i, UINT64_MAX - i);
    }
    for (uint32_t i = 0; i < 5; i++) {
        selftest_equal(x86_rdmsr(MSR_CRASH_P0 + i), UINT64_MAX - i, "P%u", i);
        x86_wrmsr(MSR_CRASH_P0 + i, 0);
    }
    selftest_equal(x86_rdmsr(MSR_CRASH_CONTROL) & reportable, reportable,
                   "notification and message");
    selftest_equal(msr_write(MSR_CRASH_CONTROL, 0), MSR_OK, "no report");
    selftest_equal(x86_rdmsr(MSR_CRASH_CONTROL) & reportable, reportable,
                   "the same after that");
}

static void report_crash(void)
{
    for (uint32_t i = 0; i < 5; i++)
        x86_wrmsr(MSR_CRASH_P0 + i, 0xc0 + i);
    x86_wrmsr(MSR_CRASH_CONTROL, UINT64_C(1) << 63);
    report_fail("the guest goes on after its crash");
}

void guest_main(void)
{
    static const struct selftest_case cases[] = {
        {"enlightenments.flush", run_flush},
        {"enlightenments.flush_sets", run_flush_sets},
        {"enlightenments.cluster_ipi", run_cluster_ipi},
        {"enlightenments.guest_idle", run_guest_idle},
        {"enlightenments.eoi_assist", run_eoi_assist},
        {"enlightenments.tsc_invariant", run_tsc_invariant},
        {"enlightenments.capabilities", run_capabilities},
        {"enlightenments.no_connection", run_no_connection},
        {"enlightenments.crash_registers", run_crash_registers},
    };

    if (args_number("crash", 0) != 0)
        report_crash();
    input = memory_pages(1);
    paging_map(WINDOW, (uintptr_t)memory_pages(1), PTE_PRESENT);
    trap_set_handler(VECTOR, handle);
    probe_init();
    cpu_start_all(watch);
    x86_sti();
    selftest_run(cases, sizeof(cases) / sizeof(cases[0]));
}
