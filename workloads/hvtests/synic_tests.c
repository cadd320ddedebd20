/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * hvtest-synic: message slots, queues and pending flags, masked and polled
 * SINTs, auto-EOI, and timers that send messages (TLFS, "Virtual Interrupt
 * Controller", "Synthetic Timers").
 *
 * Argument: test=NAME. Needs Hyper-V with a SynIC and synthetic timers.
 */

#include "workloads/hvtests/message.h"
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

#define PRIVILEGE_SYNIC (UINT64_C(1) << 2)

static void run_page_is_zeroed(void)
{
    struct message_slot *slots = message_slots();

    memset(slots, 0xff, PAGE_BYTES);
    x86_wrmsr(MESSAGE_MSR_SIMP, (uintptr_t)slots | HV_PAGE_ENABLE);
    selftest_equal(slots[0].type, 0, "SIMP: the first slot");
    selftest_equal(slots[15].rest[200], 0, "SIMP: the last slot");
    x86_wrmsr(MESSAGE_MSR_SIMP, 0);
    selftest_equal(slots[0].type, UINT32_MAX, "beneath it: as it was");
    x86_wrmsr(MESSAGE_MSR_SIEFP, (uintptr_t)slots | HV_PAGE_ENABLE);
    selftest_equal(slots[0].type, 0, "SIEFP: the first word");
    x86_wrmsr(MESSAGE_MSR_SIEFP, 0);
    memset(slots, 0, PAGE_BYTES);
}

static void run_message_of_a_timer(void)
{
    uint64_t before = hyperv_reference_time();
    struct message_slot *slot = message_open(MESSAGE_VECTOR);

    message_expire(1);
    message_wait();
    selftest_equal(message_interrupts(), 1, "interrupts");
    selftest_equal(slot->type, MESSAGE_TIMER_EXPIRED, "type");
    selftest_equal(slot->payload_bytes, 24, "payload");
    selftest_equal(slot->flags, 0, "flags");
    selftest_equal(slot->timer, 1, "timer");
    selftest_equal(slot->expiration >= before, true, "expiration");
    selftest_equal(slot->delivery >= slot->expiration, true, "delivery");
    selftest_equal(x86_rdmsr(HV_MSR_STIMER0_CONFIG + 2) & HV_STIMER_ENABLE, 0,
                   "a one-shot timer is off again");
    message_close();
}

/* A full slot is not overwritten: the second message is flagged, raises no
 * interrupt, and comes with EOM. */
static void run_busy_slot(void)
{
    struct message_slot *slot = message_open(MESSAGE_VECTOR);

    message_expire(0);
    message_wait();
    message_expire(3);
    message_wait();
    selftest_equal(message_interrupts(), 1,
                   "interrupts while the slot is full");
    selftest_equal(slot->timer, 0, "the slot has the first");
    selftest_equal(slot->flags, MESSAGE_PENDING, "and says that more waits");
    message_consume();
    message_wait();
    selftest_equal(slot->type, MESSAGE_TIMER_EXPIRED, "after EOM: type");
    selftest_equal(slot->timer, 3, "after EOM: the second");
    selftest_equal(slot->flags, 0, "and nothing waits");
    selftest_equal(message_interrupts(), 2, "interrupts after EOM");
    message_close();
}

/* Who frees the slot and forgets EOM gets the message some time later. */
static void run_forgotten_eom(void)
{
    struct message_slot *slot = message_open(MESSAGE_VECTOR);

    message_expire(0);
    message_wait();
    message_expire(1);
    message_wait();
    slot->type = 0;
    clock_spin(20 * MESSAGE_NS_PER_MS);
    selftest_equal(slot->type, MESSAGE_TIMER_EXPIRED, "type");
    selftest_equal(slot->timer, 1, "timer");
    message_close();
}

/* The message lands, its interrupt is lost for good. */
static void run_masked(void)
{
    struct message_slot *slot = message_open(MESSAGE_MASKED | MESSAGE_VECTOR);

    message_expire(0);
    message_wait();
    selftest_equal(slot->type, MESSAGE_TIMER_EXPIRED, "type");
    selftest_equal(message_interrupts(), 0, "interrupts while masked");
    x86_wrmsr(MESSAGE_MSR_SINT, MESSAGE_VECTOR);
    message_wait();
    selftest_equal(message_interrupts(), 0, "interrupts after that");
    message_close();
}

static void run_polled(void)
{
    struct message_slot *slot = message_open(MESSAGE_POLLING | MESSAGE_VECTOR);

    message_expire(0);
    message_wait();
    selftest_equal(slot->type, MESSAGE_TIMER_EXPIRED, "type");
    selftest_equal(message_interrupts(), 0, "interrupts");
    selftest_equal(msr_write(MESSAGE_MSR_SINT, MESSAGE_POLLING), MSR_OK,
                   "a polled SINT needs no vector");
    message_close();
}

/* Nobody writes EOI, and the next interrupt comes all the same. */
static void run_auto_eoi(void)
{
    message_open(MESSAGE_AUTO_EOI | MESSAGE_VECTOR);
    for (unsigned i = 1; i <= 3; i++) {
        message_expire(0);
        message_wait();
        selftest_equal(message_interrupts(), i, "interrupts");
        selftest_equal(apic_read(APIC_ISR + 0x10 * (MESSAGE_VECTOR / 32)), 0,
                       "in service");
        message_consume();
    }
    message_close();
}

/* What expires while the SynIC is off comes when it is on. */
static void run_off(void)
{
    struct message_slot *slot = message_open(MESSAGE_VECTOR);

    x86_wrmsr(MESSAGE_MSR_SCONTROL, 0);
    message_expire(0);
    message_wait();
    selftest_equal(slot->type, 0, "the slot while the SynIC is off");
    x86_wrmsr(MESSAGE_MSR_SCONTROL, 1);
    message_wait();
    selftest_equal(slot->type, MESSAGE_TIMER_EXPIRED, "when it is on: type");
    selftest_equal(message_interrupts(), 1, "when it is on: interrupts");
    message_close();
}

static void run_zero_count(void)
{
    uint64_t config = MESSAGE_TIMER_SINT;
    struct message_slot *slot = message_open(MESSAGE_VECTOR);

    x86_wrmsr(HV_MSR_STIMER0_CONFIG,
              config | HV_STIMER_ENABLE | HV_STIMER_AUTO_ENABLE);
    message_wait();
    selftest_equal(slot->type, 0, "enabled without a COUNT");
    x86_wrmsr(HV_MSR_STIMER0_COUNT,
              hyperv_reference_time() + MESSAGE_UNITS_PER_MS);
    x86_wrmsr(HV_MSR_STIMER0_COUNT, 0);
    clock_spin(2 * MESSAGE_NS_PER_MS);
    selftest_equal(slot->type, 0, "stopped by COUNT 0");
    message_close();
}

/* A lazy timer that could not deliver makes up for nothing. */
static void run_lazy(void)
{
    uint64_t config = MESSAGE_TIMER_SINT | HV_STIMER_PERIODIC | HV_STIMER_LAZY |
                      HV_STIMER_ENABLE;
    struct message_slot *slot = message_open(MESSAGE_VECTOR);

    x86_wrmsr(HV_MSR_STIMER0_COUNT, MESSAGE_UNITS_PER_MS);
    x86_wrmsr(HV_MSR_STIMER0_CONFIG, config);
    clock_spin(10 * MESSAGE_NS_PER_MS + MESSAGE_NS_PER_MS / 2);
    selftest_equal(message_interrupts(), 1,
                   "one message while nobody frees the slot");
    message_consume();
    message_wait();
    selftest_equal(slot->type, MESSAGE_TIMER_EXPIRED, "the next, at once");
    message_consume();
    message_wait();
    selftest_equal(slot->type, 0, "and no more before its time");
    clock_spin(MESSAGE_NS_PER_MS);
    selftest_equal(slot->type, MESSAGE_TIMER_EXPIRED, "but then");
    message_close();
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
    message_init();
    probe_init();
    selftest_run(cases, sizeof(cases) / sizeof(cases[0]));
}
