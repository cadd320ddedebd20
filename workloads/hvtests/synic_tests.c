/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * hvtest-synic: message slots, queues and pending flags, masked and polled
 * SINTs, auto-EOI, and timers that send messages (TLFS, "Virtual Interrupt
 * Controller", "Synthetic Timers"). The timers are the guest's own source of
 * messages: several of them share a SINT, and so contend for its slot.
 *
 * Argument: test=NAME. Needs Hyper-V with a SynIC and synthetic timers.
 */

#include "workloads/hvtests/msr.h"
#include "workloads/runtime/apic.h"
#include "workloads/runtime/clock.h"
#include "workloads/runtime/cpu.h"
#include "workloads/runtime/hyperv.h"
#include "workloads/runtime/memory.h"
#include "workloads/runtime/report.h"
#include "workloads/runtime/runtime.h"
#include "workloads/runtime/string.h"
#include "workloads/runtime/trap.h"
#include "workloads/selftest/probe.h"
#include "workloads/selftest/selftest.h"

#define MSR_SCONTROL 0x40000080u
#define MSR_SIEFP 0x40000082u
#define MSR_SIMP 0x40000083u
#define MSR_EOM 0x40000084u
#define MSR_SINT0 0x40000090u

#define PRIVILEGE_SYNIC (UINT64_C(1) << 2)

#define SINT 2
#define SINT_MASKED UINT64_C(0x10000)
#define SINT_AUTO_EOI UINT64_C(0x20000)
#define SINT_POLLING UINT64_C(0x40000)
#define VECTOR 0xb0

#define STIMER_SINT_SHIFT 16
#define TIMER_EXPIRED 0x80000010u
#define FLAG_PENDING 1

#define UNITS_PER_MS UINT64_C(10000)
#define NS_PER_MS UINT64_C(1000000)

struct slot {
    volatile uint32_t type;
    uint8_t payload_bytes, flags;
    uint16_t reserved;
    uint64_t origin;
    uint32_t timer, reserved2;
    uint64_t expiration, delivery;
    uint8_t rest[256 - 40];
};

static struct slot *slots; /* the message page */
static volatile unsigned interrupts;
static bool ends_interrupts; /* the handler writes EOI */

static void handle(struct trap_frame *frame)
{
    (void)frame;
    interrupts++;
    if (ends_interrupts)
        apic_eoi();
}

static void set_up(uint64_t sint)
{
    ends_interrupts = (sint & SINT_AUTO_EOI) == 0;
    interrupts = 0;
    x86_wrmsr(MSR_SIMP, (uintptr_t)slots | HV_PAGE_ENABLE);
    x86_wrmsr(MSR_SINT0 + SINT, sint);
    x86_wrmsr(MSR_SCONTROL, 1);
}

static void tear_down(void)
{
    for (uint32_t timer = 0; timer < 4; timer++) {
        x86_wrmsr(HV_MSR_STIMER0_CONFIG + 2 * timer, 0);
        x86_wrmsr(HV_MSR_STIMER0_COUNT + 2 * timer, 0);
    }
    x86_wrmsr(MSR_SINT0 + SINT, SINT_MASKED);
    x86_wrmsr(MSR_SCONTROL, 0);
    x86_wrmsr(MSR_SIMP, 0);
}

/* The timer expires at once, and sends its message to the SINT. */
static void expire(uint32_t timer)
{
    x86_wrmsr(HV_MSR_STIMER0_CONFIG + 2 * timer,
              HV_STIMER_AUTO_ENABLE | (uint64_t)SINT << STIMER_SINT_SHIFT);
    x86_wrmsr(HV_MSR_STIMER0_COUNT + 2 * timer, hyperv_reference_time());
}

static void wait_a_moment(void)
{
    clock_spin(NS_PER_MS / 10);
}

/* What Linux does: free the slot, then look at what its flags said. */
static void consume(void)
{
    uint8_t flags = slots[SINT].flags;

    slots[SINT].type = 0;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if ((flags & FLAG_PENDING) != 0)
        x86_wrmsr(MSR_EOM, 0);
}

static void run_page_is_zeroed(void)
{
    memset(slots, 0xff, PAGE_BYTES);
    x86_wrmsr(MSR_SIMP, (uintptr_t)slots | HV_PAGE_ENABLE);
    selftest_equal(slots[0].type, 0, "SIMP: the first slot");
    selftest_equal(slots[15].rest[200], 0, "SIMP: the last slot");
    x86_wrmsr(MSR_SIMP, 0);
    selftest_equal(slots[0].type, UINT32_MAX, "beneath it: as it was");
    x86_wrmsr(MSR_SIEFP, (uintptr_t)slots | HV_PAGE_ENABLE);
    selftest_equal(slots[0].type, 0, "SIEFP: the first word");
    x86_wrmsr(MSR_SIEFP, 0);
    memset(slots, 0, PAGE_BYTES);
}

static void run_message_of_a_timer(void)
{
    uint64_t before = hyperv_reference_time();

    set_up(VECTOR);
    expire(1);
    wait_a_moment();
    selftest_equal(interrupts, 1, "interrupts");
    selftest_equal(slots[SINT].type, TIMER_EXPIRED, "type");
    selftest_equal(slots[SINT].payload_bytes, 24, "payload");
    selftest_equal(slots[SINT].flags, 0, "flags");
    selftest_equal(slots[SINT].timer, 1, "timer");
    selftest_equal(slots[SINT].expiration >= before, true, "expiration");
    selftest_equal(slots[SINT].delivery >= slots[SINT].expiration, true,
                   "delivery");
    selftest_equal(x86_rdmsr(HV_MSR_STIMER0_CONFIG + 2) & HV_STIMER_ENABLE, 0,
                   "a one-shot timer is off again");
    tear_down();
}

/* A full slot is not overwritten: the second message is flagged, raises no
 * interrupt, and comes with EOM. */
static void run_busy_slot(void)
{
    set_up(VECTOR);
    expire(0);
    wait_a_moment();
    expire(3);
    wait_a_moment();
    selftest_equal(interrupts, 1, "interrupts while the slot is full");
    selftest_equal(slots[SINT].timer, 0, "the slot has the first");
    selftest_equal(slots[SINT].flags, FLAG_PENDING, "and says that more waits");
    consume();
    wait_a_moment();
    selftest_equal(slots[SINT].type, TIMER_EXPIRED, "after EOM: type");
    selftest_equal(slots[SINT].timer, 3, "after EOM: the second");
    selftest_equal(slots[SINT].flags, 0, "and nothing waits");
    selftest_equal(interrupts, 2, "interrupts after EOM");
    tear_down();
}

/* Who frees the slot and forgets EOM gets the message some time later. */
static void run_forgotten_eom(void)
{
    set_up(VECTOR);
    expire(0);
    wait_a_moment();
    expire(1);
    wait_a_moment();
    slots[SINT].type = 0;
    clock_spin(20 * NS_PER_MS);
    selftest_equal(slots[SINT].type, TIMER_EXPIRED, "type");
    selftest_equal(slots[SINT].timer, 1, "timer");
    tear_down();
}

/* The message lands, its interrupt is lost for good. */
static void run_masked(void)
{
    set_up(SINT_MASKED | VECTOR);
    expire(0);
    wait_a_moment();
    selftest_equal(slots[SINT].type, TIMER_EXPIRED, "type");
    selftest_equal(interrupts, 0, "interrupts while masked");
    x86_wrmsr(MSR_SINT0 + SINT, VECTOR);
    wait_a_moment();
    selftest_equal(interrupts, 0, "interrupts after that");
    tear_down();
}

static void run_polled(void)
{
    set_up(SINT_POLLING | VECTOR);
    expire(0);
    wait_a_moment();
    selftest_equal(slots[SINT].type, TIMER_EXPIRED, "type");
    selftest_equal(interrupts, 0, "interrupts");
    selftest_equal(msr_write(MSR_SINT0 + SINT, SINT_POLLING), MSR_OK,
                   "a polled SINT needs no vector");
    tear_down();
}

/* Nobody writes EOI, and the next interrupt comes all the same. */
static void run_auto_eoi(void)
{
    set_up(SINT_AUTO_EOI | VECTOR);
    for (unsigned i = 1; i <= 3; i++) {
        expire(0);
        wait_a_moment();
        selftest_equal(interrupts, i, "interrupts");
        selftest_equal(apic_read(APIC_ISR + 0x10 * (VECTOR / 32)), 0,
                       "in service");
        consume();
    }
    tear_down();
}

/* What expires while the SynIC is off comes when it is on. */
static void run_off(void)
{
    set_up(VECTOR);
    x86_wrmsr(MSR_SCONTROL, 0);
    expire(0);
    wait_a_moment();
    selftest_equal(slots[SINT].type, 0, "the slot while the SynIC is off");
    x86_wrmsr(MSR_SCONTROL, 1);
    wait_a_moment();
    selftest_equal(slots[SINT].type, TIMER_EXPIRED, "when it is on: type");
    selftest_equal(interrupts, 1, "when it is on: interrupts");
    tear_down();
}

static void run_zero_count(void)
{
    uint64_t config = (uint64_t)SINT << STIMER_SINT_SHIFT;

    set_up(VECTOR);
    x86_wrmsr(HV_MSR_STIMER0_CONFIG,
              config | HV_STIMER_ENABLE | HV_STIMER_AUTO_ENABLE);
    wait_a_moment();
    selftest_equal(slots[SINT].type, 0, "enabled without a COUNT");
    x86_wrmsr(HV_MSR_STIMER0_COUNT, hyperv_reference_time() + UNITS_PER_MS);
    x86_wrmsr(HV_MSR_STIMER0_COUNT, 0);
    clock_spin(2 * NS_PER_MS);
    selftest_equal(slots[SINT].type, 0, "stopped by COUNT 0");
    tear_down();
}

/* A lazy timer that could not deliver makes up for nothing. */
static void run_lazy(void)
{
    uint64_t config = (uint64_t)SINT << STIMER_SINT_SHIFT | HV_STIMER_PERIODIC |
                      HV_STIMER_LAZY | HV_STIMER_ENABLE;

    set_up(VECTOR);
    x86_wrmsr(HV_MSR_STIMER0_COUNT, UNITS_PER_MS);
    x86_wrmsr(HV_MSR_STIMER0_CONFIG, config);
    clock_spin(10 * NS_PER_MS + NS_PER_MS / 2);
    selftest_equal(interrupts, 1, "one message while nobody frees the slot");
    consume();
    wait_a_moment();
    selftest_equal(slots[SINT].type, TIMER_EXPIRED, "the next, at once");
    consume();
    wait_a_moment();
    selftest_equal(slots[SINT].type, 0, "and no more before its time");
    clock_spin(NS_PER_MS);
    selftest_equal(slots[SINT].type, TIMER_EXPIRED, "but then");
    tear_down();
}

void guest_main(void)
{
    static const struct selftest_case cases[] = {
        {"synic.page_is_zeroed", run_page_is_zeroed},
        {"synic.message_of_a_timer", run_message_of_a_timer},
        {"synic.busy_slot", run_busy_slot},
        {"synic.forgotten_eom", run_forgotten_eom},
        {"synic.masked", run_masked},
        {"synic.polled", run_polled},
        {"synic.auto_eoi", run_auto_eoi},
        {"synic.off", run_off},
        {"synic.zero_count", run_zero_count},
        {"synic.lazy", run_lazy},
    };
    const uint64_t needed = PRIVILEGE_SYNIC | HV_PRIVILEGE_SYNTHETIC_TIMERS;

    if ((hyperv_privileges() & needed) != needed)
        report_fail("this machine has no SynIC with timers");
    slots = memory_pages(1);
    trap_set_handler(VECTOR, handle);
    probe_init();
    selftest_run(cases, sizeof(cases) / sizeof(cases[0]));
}
