/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Attacks by interrupts: IPIs of all kinds, and timers without measure. */

#include "workloads/attacks/attack.h"
#include "workloads/hvtests/msr.h"
#include "workloads/runtime/apic.h"
#include "workloads/runtime/args.h"
#include "workloads/runtime/boot.h"
#include "workloads/runtime/clock.h"
#include "workloads/runtime/cpu.h"
#include "workloads/runtime/hyperv.h"
#include "workloads/runtime/memory.h"
#include "workloads/runtime/report.h"
#include "workloads/runtime/string.h"
#include "workloads/runtime/timer.h"
#include "workloads/runtime/trap.h"
#include "workloads/runtime/x86.h"

#define VECTOR_TIMER 0xa3
#define VECTOR_FIRST 0x20 /* exceptions below push what handlers expect */
#define VECTOR_COUNT 256
#define NS_PER_MS UINT64_C(1000000)
#define SPIN_PAGE 0x6000 /* of real-mode code that spins */
#define MSR_TSC_DEADLINE 0x6e0u
#define APIC_LVT_TSC_DEADLINE 0x40000u

static uint64_t taken; /* atomic; interrupts, by anybody */

static void count(struct trap_frame *frame)
{
    __atomic_fetch_add(&taken, 1, __ATOMIC_RELAXED);
    if (frame->vector != TRAP_NMI)
        apic_eoi();
}

/* All but the probes' own vector. */
static void count_all(void)
{
    for (unsigned vector = VECTOR_FIRST; vector < VECTOR_COUNT; vector++) {
        if (vector != ATTACK_NO_TRAP)
            trap_set_handler(vector, count);
    }
    trap_set_handler(TRAP_NMI, count);
}

/* A vector for which this program has a handler, or an illegal one. */
static unsigned spare(unsigned vector)
{
    bool taken_as_is = vector < 16 || vector >= VECTOR_FIRST;

    return taken_as_is && vector != ATTACK_NO_TRAP ? vector : VECTOR_TIMER;
}

static void take(uint64_t ns)
{
    uint64_t start = clock_ns();

    x86_sti();
    while (clock_ns() - start < ns)
        x86_pause();
    x86_cli();
}

/* A register of the APIC, even one that refuses the value. */
static void put(enum apic_register reg, uint32_t value)
{
    if (apic_is_x2apic())
        (void)msr_write(MSR_X2APIC_BASE + ((uint32_t)reg >> 4), value);
    else
        apic_write(reg, value);
}

static uint64_t icr(uint64_t target, uint64_t low)
{
    return apic_is_x2apic() ? target << 32 | low : target << 56 | low;
}

/* The whole ICR at once; what is refused traps. */
static void send(uint64_t value)
{
    if (apic_is_x2apic()) {
        (void)msr_write(0x830, value);
        return;
    }
    apic_write(APIC_ICR_HIGH, (uint32_t)(value >> 32));
    apic_write(APIC_ICR, (uint32_t)value);
}

/* Spinning or halted, and for ever at the mercy of the others. */
static void spin(void)
{
    for (;;)
        x86_pause();
}

/* Every delivery mode, destination mode, level, trigger and shorthand, with
 * many vectors, to all sorts of targets; but INIT and SIPI are storms of their
 * own below. */
static void run_ipis(void)
{
    count_all();
    cpu_start_all(cpu_idle_forever);
    x86_cli();
    for (uint32_t low = 0; low < 0x1000; low += 1) {
        uint64_t command = (low & 0xf) << 8 | (low & 0x30) << 10 |
                           (uint64_t)(low >> 6 & 3) << 18 |
                           spare(attack_random() & 0xff);
        uint64_t target = attack_random() % 6;

        if ((command >> 8 & 6) == 4) /* INIT, SIPI: NMI instead */
            command ^= 0x100;
        if ((command >> 8 & 7) == 5 || (command >> 8 & 7) == 6)
            continue;
        if (target > 4)
            target = attack_random() & 0xff;
        send(icr(target, command));
        if (low % 64 == 0)
            take(NS_PER_MS / 100);
    }
    take(NS_PER_MS);
    report_result("taken", taken, "count");
}

static void run_ipis_broadcast(void)
{
    count_all();
    cpu_start_all(spin);
    for (unsigned round = 0; round < 3000; round++)
        send(APIC_ICR_ALL | APIC_ICR_ASSERT |
             spare(VECTOR_FIRST + round % (VECTOR_COUNT - VECTOR_FIRST)));
    x86_cli();
    report_result("taken", taken, "count");
}

static void run_nmis(void)
{
    count_all();
    cpu_start_all(spin);
    for (unsigned round = 0; round < 3000; round++)
        send(APIC_ICR_OTHERS | APIC_ICR_ASSERT | APIC_ICR_NMI);
    for (unsigned round = 0; round < 100; round++)
        send(icr(0, APIC_ICR_SELF | APIC_ICR_ASSERT | APIC_ICR_NMI));
    report_result("taken", taken, "count");
}

/* INIT and SIPI to the others in any order while they run. */
static void run_init_storm(void)
{
    static const uint8_t code[] = {0xf3, 0x90, 0xeb, 0xfc}; /* pause; jmp */

    memcpy((void *)(uintptr_t)SPIN_PAGE, code, sizeof(code));
    cpu_start_all(spin);
    for (unsigned round = 0; round < 2000; round++) {
        uint64_t target = 1 + attack_random() % 3;
        uint64_t page =
            attack_random() % 4 == 0 ? attack_random() & 0xff : SPIN_PAGE >> 12;
        bool init = attack_random() % 2 != 0;

        if (init && attack_random() % 4 == 0)
            send(APIC_ICR_OTHERS | APIC_ICR_ASSERT | APIC_ICR_INIT);
        else if (init)
            send(icr(target, APIC_ICR_ASSERT | APIC_ICR_INIT));
        else
            send(icr(target,
                     APIC_ICR_ASSERT | APIC_ICR_STARTUP |
                         (args_number("wild", 0) ? page : SPIN_PAGE >> 12)));
        if (round % 64 == 0)
            take(NS_PER_MS / 100);
    }
}

/* INIT to oneself: the first processor starts again at the reset vector. */
static void run_init_self(void)
{
    send(icr(cpu_current()->index, APIC_ICR_ASSERT | APIC_ICR_INIT));
    take(NS_PER_MS);
}

static void run_apic_timer(void)
{
    static const uint32_t counts[] = {0, 1, 2, 100, UINT32_MAX};
    static const uint32_t modes[] = {0, APIC_LVT_PERIODIC, 0x60000,
                                     APIC_LVT_TSC_DEADLINE};
    static const uint32_t vectors[] = {VECTOR_TIMER, 0, 15, 0x1ff};

    count_all();
    for (unsigned i = 0; i < 5 * 4 * 4 * 16; i++) {
        uint32_t divide = i & 15;

        put(APIC_TIMER_DIVIDE, divide);
        put(APIC_LVT_TIMER, modes[i / 16 % 4] | (vectors[i / 64 % 4] & 0xff));
        put(APIC_TIMER_INITIAL, counts[i / 256]);
        (void)msr_write(MSR_TSC_DEADLINE, i % 3 == 0 ? 1 : x86_rdtsc() + i);
        (void)apic_read(APIC_TIMER_CURRENT);
        take(NS_PER_MS / 50);
    }
    put(APIC_TIMER_INITIAL, 0);
    report_result("taken", taken, "count");
}

static void run_synthetic_timers(void)
{
    static const uint64_t counts[] = {0,         1, 2, 50, 100, UINT64_MAX - 1,
                                      UINT64_MAX};

    count_all();
    for (unsigned round = 0; round < 400; round++) {
        uint32_t timer = (uint32_t)(attack_random() % 4);
        uint64_t config =
            HV_STIMER_ENABLE |
            (attack_random() & (HV_STIMER_PERIODIC | HV_STIMER_LAZY |
                                HV_STIMER_AUTO_ENABLE | HV_STIMER_DIRECT)) |
            (uint64_t)(attack_random() % 4 == 0 ? spare(attack_random() & 0xff)
                                                : VECTOR_TIMER)
                << HV_STIMER_VECTOR_SHIFT;

        (void)msr_write(HV_MSR_STIMER0_COUNT + 2 * timer,
                        counts[attack_random() % 7]);
        (void)msr_write(HV_MSR_STIMER0_CONFIG + 2 * timer, config);
        take(NS_PER_MS / 50);
    }
    for (uint32_t timer = 0; timer < 4; timer++)
        x86_wrmsr(HV_MSR_STIMER0_CONFIG + 2 * timer, 0);
    report_result("taken", taken, "count");
}

/* All timers as fast as they go, and nothing else, for ever. */
static void run_timer_storm(void)
{
    count_all();
    for (uint32_t timer = 0; timer < 4; timer++) {
        x86_wrmsr(
            HV_MSR_STIMER0_CONFIG + 2 * timer,
            HV_STIMER_PERIODIC | HV_STIMER_AUTO_ENABLE | HV_STIMER_DIRECT |
                (uint64_t)(VECTOR_TIMER + timer) << HV_STIMER_VECTOR_SHIFT);
        x86_wrmsr(HV_MSR_STIMER0_COUNT + 2 * timer, 1);
    }
    apic_write(APIC_TIMER_DIVIDE, APIC_DIVIDE_BY_1);
    apic_write(APIC_LVT_TIMER, APIC_LVT_PERIODIC | (VECTOR_TIMER + 4));
    apic_write(APIC_TIMER_INITIAL, 1);
    for (;;)
        __asm__ volatile("sti; hlt");
}

const struct attack_case attack_interrupt_cases[] = {
    {"ipis", run_ipis},
    {"ipis-broadcast", run_ipis_broadcast},
    {"nmis", run_nmis},
    {"init-storm", run_init_storm},
    {"init-self", run_init_self},
    {"apic-timer", run_apic_timer},
    {"synthetic-timers", run_synthetic_timers},
    {"timer-storm", run_timer_storm},
    {NULL, NULL},
};
