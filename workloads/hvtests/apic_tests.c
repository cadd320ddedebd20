/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * hvtest-apic: the local APIC as a guest sees it: priorities, nesting, self
 * IPIs, IPIs to others, the timer's modes, and the switch between xAPIC and
 * x2APIC. Needs no Hyper-V.
 *
 * Arguments: test=NAME; apic=xapic (see runtime/apic.h); vps=N.
 */

#include "workloads/hvtests/msr.h"
#include "workloads/runtime/apic.h"
#include "workloads/runtime/clock.h"
#include "workloads/runtime/cpu.h"
#include "workloads/runtime/runtime.h"
#include "workloads/runtime/timer.h"
#include "workloads/runtime/trap.h"
#include "workloads/selftest/probe.h"
#include "workloads/selftest/selftest.h"

#define VECTOR_LOW 0x31
#define VECTOR_MIDDLE 0x61
#define VECTOR_HIGH 0x92
#define VECTOR_TIMER 0xa3
#define LOG_MAX 64
#define CPUID_1_ECX_TSC_DEADLINE (1u << 24)
#define MSR_TSC_DEADLINE 0x6e0u
#define APIC_LVT_TSC_DEADLINE 0x40000u
#define APIC_DIVIDE_BY_16 0x3u
#define NS_PER_MS UINT64_C(1000000)
#define TIMEOUT_NS NS_PER_S
#define SETTLE_NS (2 * NS_PER_MS)

static struct {
    uint8_t vector[LOG_MAX];
    unsigned count;
    uint32_t isr_in_service; /* of the logged vector, while served */
    uint32_t ppr;
} log;
static unsigned nest_vector; /* sent by the handler of VECTOR_MIDDLE, or 0 */

static bool is_set(enum apic_register base, unsigned vector)
{
    uint32_t reg = (uint32_t)base + vector / 32 * 0x10;

    return apic_read((enum apic_register)reg) >> vector % 32 & 1;
}

static void send_self(unsigned vector)
{
    apic_send(cpu_current()->index, APIC_ICR_SELF | vector);
}

static void handle(struct trap_frame *frame)
{
    if (log.count < LOG_MAX)
        log.vector[log.count++] = (uint8_t)frame->vector;
    log.isr_in_service = is_set(APIC_ISR, (unsigned)frame->vector);
    log.ppr = apic_read(APIC_PPR);
    if (frame->vector == VECTOR_MIDDLE && nest_vector != 0) {
        unsigned vector = nest_vector;

        nest_vector = 0;
        send_self(vector);
        x86_sti();
        for (volatile int i = 0; i < 1000; i++)
            continue;
        x86_cli();
        if (log.count < LOG_MAX)
            log.vector[log.count++] = 0; /* the end of the outer handler */
    }
    apic_eoi();
}

static void start_log(void)
{
    x86_cli();
    log.count = 0;
    nest_vector = 0;
    apic_write(APIC_TPR, 0);
}

static void take_interrupts(void)
{
    x86_sti();
    for (volatile int i = 0; i < 1000; i++)
        continue;
    x86_cli();
}

static void check_log(const char *name, const uint8_t *expected, unsigned count)
{
    selftest_equal(log.count, count, "%s: interrupts", name);
    for (unsigned i = 0; i < count && i < log.count; i++)
        selftest_equal(log.vector[i], expected[i], "%s: number %u", name, i);
}

static void run_priorities(void)
{
    static const uint8_t by_priority[] = {VECTOR_HIGH, VECTOR_MIDDLE,
                                          VECTOR_LOW};

    start_log();
    send_self(VECTOR_LOW);
    send_self(VECTOR_HIGH);
    send_self(VECTOR_MIDDLE);
    send_self(VECTOR_MIDDLE); /* the same one again is one interrupt */
    selftest_equal(is_set(APIC_IRR, VECTOR_LOW), true, "IRR, low");
    selftest_equal(is_set(APIC_IRR, VECTOR_HIGH), true, "IRR, high");
    selftest_equal(is_set(APIC_ISR, VECTOR_HIGH), false, "ISR before service");
    take_interrupts();
    check_log("by priority", by_priority, 3);
    selftest_equal(log.isr_in_service, 1, "ISR in service");
    selftest_equal(log.ppr, VECTOR_LOW & 0xf0, "PPR in service");
    selftest_equal(is_set(APIC_ISR, VECTOR_LOW), false, "ISR after EOI");
    selftest_equal(is_set(APIC_IRR, VECTOR_LOW), false, "IRR after service");
    selftest_equal(apic_read(APIC_PPR), 0, "PPR after EOI");
}

static void run_task_priority(void)
{
    static const uint8_t high[] = {VECTOR_HIGH};
    static const uint8_t rest[] = {VECTOR_HIGH, VECTOR_MIDDLE, VECTOR_LOW};

    start_log();
    apic_write(APIC_TPR, VECTOR_MIDDLE & 0xf0); /* its own class is held too */
    selftest_equal(x86_read_cr8(), VECTOR_MIDDLE >> 4, "CR8 follows TPR");
    selftest_equal(apic_read(APIC_PPR), VECTOR_MIDDLE & 0xf0, "PPR by TPR");
    send_self(VECTOR_LOW);
    send_self(VECTOR_MIDDLE);
    send_self(VECTOR_HIGH);
    take_interrupts();
    check_log("above TPR", high, 1);
    selftest_equal(is_set(APIC_IRR, VECTOR_MIDDLE), true, "held in IRR");
    x86_write_cr8(0);
    selftest_equal(apic_read(APIC_TPR), 0, "TPR follows CR8");
    take_interrupts();
    check_log("after TPR", rest, 3);
    x86_write_cr8(15);
    send_self(VECTOR_HIGH);
    take_interrupts();
    selftest_equal(log.count, 3, "TPR 15 holds all");
    x86_write_cr8(0);
    take_interrupts();
    selftest_equal(log.count, 4, "and lets go");
}

static void run_nesting(void)
{
    static const uint8_t nested[] = {VECTOR_MIDDLE, VECTOR_HIGH, 0};
    static const uint8_t held[] = {VECTOR_MIDDLE, 0, VECTOR_LOW};
    static const uint8_t same[] = {VECTOR_MIDDLE, 0, VECTOR_MIDDLE};

    start_log();
    nest_vector = VECTOR_HIGH;
    send_self(VECTOR_MIDDLE);
    take_interrupts();
    check_log("higher within", nested, 3);

    start_log();
    nest_vector = VECTOR_LOW;
    send_self(VECTOR_MIDDLE);
    take_interrupts();
    check_log("lower waits for EOI", held, 3);

    start_log();
    nest_vector = VECTOR_MIDDLE;
    send_self(VECTOR_MIDDLE);
    take_interrupts();
    check_log("same waits for EOI", same, 3);
}

/* Takes interrupts until there are `count` or `TIMEOUT_NS` have passed. */
static void await(unsigned count)
{
    uint64_t start = clock_ns();

    x86_sti();
    while (*(volatile unsigned *)&log.count < count &&
           clock_ns() - start < TIMEOUT_NS)
        x86_pause();
    x86_cli();
}

/* How many interrupts came in all, once `count` came and time for more has
 * passed; where none is expected, none comes in that time. */
static unsigned settle(unsigned count)
{
    uint64_t start;

    await(count);
    start = clock_ns();
    x86_sti();
    while (clock_ns() - start < SETTLE_NS)
        x86_pause();
    x86_cli();
    return log.count;
}

/* Timer ticks per millisecond with `divide`, by the guest's clock. */
static uint32_t ticks_per_ms(uint32_t divide)
{
    uint64_t start, ns;
    uint32_t ticks;

    apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED | VECTOR_TIMER);
    apic_write(APIC_TIMER_DIVIDE, divide);
    apic_write(APIC_TIMER_INITIAL, UINT32_MAX);
    start = clock_ns();
    clock_spin(NS_PER_MS);
    ticks = UINT32_MAX - apic_read(APIC_TIMER_CURRENT);
    ns = clock_ns() - start;
    return (uint32_t)(ticks * NS_PER_MS / ns);
}

static void start_timer(uint32_t mode, uint32_t initial)
{
    start_log();
    apic_write(APIC_LVT_TIMER, mode | VECTOR_TIMER);
    apic_write(APIC_TIMER_INITIAL, initial);
}

static void run_timer(void)
{
    uint32_t full = ticks_per_ms(APIC_DIVIDE_BY_1);
    uint32_t divided = ticks_per_ms(APIC_DIVIDE_BY_16);
    uint64_t start;

    x86_cli();
    selftest_equal(divided > 0 && full / 14 >= divided && full / 18 <= divided,
                   true, "divided by 16: %u and %u ticks per ms", full,
                   divided);
    apic_write(APIC_TIMER_DIVIDE, APIC_DIVIDE_BY_1);

    start_timer(0, full / 2);
    selftest_equal(settle(1), 1, "one shot");
    selftest_equal(apic_read(APIC_TIMER_CURRENT), 0, "one shot: count at end");

    start = clock_ns();
    start_timer(APIC_LVT_PERIODIC, full);
    await(10);
    selftest_equal(log.count, 10, "periodic: interrupts");
    selftest_equal(clock_ns() - start > 9 * NS_PER_MS, true,
                   "periodic: not too fast");
    selftest_equal(apic_read(APIC_TIMER_INITIAL), full, "periodic: initial");

    apic_write(APIC_TIMER_INITIAL, 0);
    take_interrupts();
    start_log();
    selftest_equal(settle(0), 0, "stopped by 0");

    start_timer(APIC_LVT_MASKED, full / 2);
    selftest_equal(settle(0), 0, "masked");
    selftest_equal(is_set(APIC_IRR, VECTOR_TIMER), false, "masked: IRR");
    apic_write(APIC_TIMER_INITIAL, 0);
}

static void run_tsc_deadline(void)
{
    start_log();
    apic_write(APIC_LVT_TIMER, APIC_LVT_TSC_DEADLINE | VECTOR_TIMER);
    x86_wrmsr(MSR_TSC_DEADLINE, x86_rdtsc() + 100000);
    selftest_equal(settle(1), 1, "in the future");
    selftest_equal(x86_rdmsr(MSR_TSC_DEADLINE), 0, "disarmed");
    start_log();
    x86_wrmsr(MSR_TSC_DEADLINE, 1);
    selftest_equal(settle(1), 1, "in the past");
    start_log();
    x86_wrmsr(MSR_TSC_DEADLINE, x86_rdtsc() + UINT64_C(1000000000000));
    x86_wrmsr(MSR_TSC_DEADLINE, 0);
    selftest_equal(settle(0), 0, "cancelled");
    apic_write(APIC_LVT_TIMER, APIC_LVT_MASKED | VECTOR_TIMER);
}

static uint32_t others_count; /* interrupts taken by other processors */

static void handle_on_other(struct trap_frame *frame)
{
    (void)frame;
    if (cpu_current()->index != 0)
        __atomic_fetch_add(&others_count, 1, __ATOMIC_RELEASE);
    else
        log.count++;
    apic_eoi();
}

static void wait_others(uint32_t count)
{
    uint64_t start = clock_ns();

    x86_sti();
    while (__atomic_load_n(&others_count, __ATOMIC_ACQUIRE) < count &&
           clock_ns() - start < NS_PER_S)
        x86_pause();
    take_interrupts();
}

static void run_others(void)
{
    uint32_t others = cpu_count() - 1;

    trap_set_handler(VECTOR_LOW, handle_on_other);
    cpu_start_all(cpu_idle_forever);
    start_log();
    for (uint32_t index = 1; index <= others; index++) {
        apic_send(index, APIC_ICR_ASSERT | VECTOR_LOW);
        wait_others(index);
    }
    selftest_equal(others_count, others, "to each by its id");
    selftest_equal(log.count, 0, "none to the sender");
    apic_send(0, APIC_ICR_OTHERS | APIC_ICR_ASSERT | VECTOR_LOW);
    wait_others(2 * others);
    selftest_equal(others_count, 2 * others, "to all others");
    selftest_equal(log.count, 0, "none to the sender");
    apic_send(0, APIC_ICR_ALL | APIC_ICR_ASSERT | VECTOR_LOW);
    wait_others(3 * others);
    selftest_equal(others_count, 3 * others, "to all");
    selftest_equal(log.count, 1, "one to the sender");
    trap_set_handler(VECTOR_LOW, handle);
}

static void run_identity(void)
{
    uint32_t id = apic_read(APIC_ID);
    uint32_t version = apic_read(APIC_VERSION);

    if (!apic_is_x2apic())
        id >>= 24;
    selftest_equal(id, cpu_current()->index, "APIC id");
    selftest_equal(version & 0xf0, 0x10, "version: integrated APIC");
    selftest_equal((version >> 16 & 0xff) >= 3, true, "version: LVT entries");
    if (apic_is_x2apic())
        selftest_equal(apic_read(APIC_LDR), (id >> 4) << 16 | 1u << (id & 15),
                       "LDR in x2APIC mode");
}

/* The x2APIC registers as MSRs: which of them may be read or written. */
static void run_x2apic(void)
{
    static const struct {
        uint32_t msr;
        uint64_t value;
        bool is_write, is_refused;
        const char *name;
    } accesses[] = {
        {0x802, 0, false, false, "read ID"},
        {0x802, 0, true, true, "write ID"},
        {0x803, 0, false, false, "read version"},
        {0x803, 0, true, true, "write version"},
        {0x808, 0, false, false, "read TPR"},
        {0x808, 0x100, true, true, "write TPR above 255"},
        {0x80a, 0, true, true, "write PPR"},
        {0x80b, 0, false, true, "read EOI"},
        {0x80b, 1, true, true, "write 1 to EOI"},
        {0x80b, 0, true, false, "write 0 to EOI"},
        {0x80d, 0, true, true, "write LDR"},
        {0x80e, 0, false, true, "read DFR, which x2APIC has not"},
        {0x810, 0, true, true, "write ISR"},
        {0x820, 0, true, true, "write IRR"},
        {0x831, 0, false, true, "read high half of ICR"},
        {0x839, 0, true, true, "write current count"},
        {0x83f, 0, false, true, "read self IPI"},
        {0x83f, 0x100, true, true, "self IPI above 255"},
        {MSR_APIC_BASE, APIC_PHYSICAL | 0x800, true, true,
         "x2APIC to xAPIC at once"},
        {MSR_APIC_BASE, APIC_PHYSICAL | 0x400, true, true,
         "x2APIC bit without enable"},
    };

    for (size_t i = 0; i < sizeof(accesses) / sizeof(accesses[0]); i++) {
        uint64_t value = accesses[i].value;
        unsigned vector = accesses[i].is_write
                              ? msr_write(accesses[i].msr, value)
                              : msr_read(accesses[i].msr, &value);

        selftest_equal(vector, accesses[i].is_refused ? TRAP_GP : MSR_OK, "%s",
                       accesses[i].name);
    }
    start_log();
    selftest_equal(msr_write(0x83f, VECTOR_HIGH), MSR_OK, "self IPI");
    take_interrupts();
    selftest_equal(log.count, 1, "self IPI: interrupts");
}

void guest_main(void)
{
    struct selftest_case cases[8] = {
        {"apic.identity", run_identity},
        {"apic.priorities", run_priorities},
        {"apic.task_priority", run_task_priority},
        {"apic.nesting", run_nesting},
        {"apic.timer", run_timer},
    };
    size_t count = 5;

    if (x86_cpuid(1, 0).ecx & CPUID_1_ECX_TSC_DEADLINE)
        cases[count++] =
            (struct selftest_case){"apic.tsc_deadline", run_tsc_deadline};
    if (cpu_count() > 1)
        cases[count++] = (struct selftest_case){"apic.others", run_others};
    if (apic_is_x2apic())
        cases[count++] = (struct selftest_case){"apic.x2apic", run_x2apic};
    timer_stop();
    probe_init();
    trap_set_handler(VECTOR_LOW, handle);
    trap_set_handler(VECTOR_MIDDLE, handle);
    trap_set_handler(VECTOR_HIGH, handle);
    trap_set_handler(VECTOR_TIMER, handle);
    selftest_run(cases, count);
}
