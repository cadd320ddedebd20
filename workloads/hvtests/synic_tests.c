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

/* A timer that is not lazy makes up for every period that it missed: each
 * message says another one of them. */
static void run_catch_up(void)
{
    const uint64_t period = MESSAGE_UNITS_PER_MS;
    struct message_slot *slot = message_open(MESSAGE_VECTOR);
    uint64_t start, last;

    x86_wrmsr(HV_MSR_STIMER0_COUNT, period);
    start = hyperv_reference_time();
    x86_wrmsr(HV_MSR_STIMER0_CONFIG,
              MESSAGE_TIMER_SINT | HV_STIMER_PERIODIC | HV_STIMER_ENABLE);
    clock_spin(5 * MESSAGE_NS_PER_MS + MESSAGE_NS_PER_MS / 2);
    selftest_equal(slot->type, MESSAGE_TIMER_EXPIRED, "the first");
    last = slot->expiration;
    selftest_equal(last >= start + period, true, "the first: when it was due");
    for (unsigned i = 2; i <= 10; i++) {
        message_consume();
        while (slot->type == 0 && hyperv_reference_time() < start + 20 * period)
            x86_pause();
        selftest_equal(slot->expiration, last + period, "number %u", i);
        last = slot->expiration;
    }
    selftest_equal(hyperv_reference_time() < start + 11 * period, true,
                   "ten periods in the time of ten");
    message_close();
}

/* What waits goes on waiting while the guest has no page for it. */
static void run_page_disabled(void)
{
    struct message_slot *slot = message_open(MESSAGE_VECTOR);

    message_expire(0);
    message_wait();
    message_expire(1);
    message_wait();
    x86_wrmsr(MESSAGE_MSR_SIMP, 0);
    message_expire(2);
    clock_spin(3 * MESSAGE_NS_PER_MS);
    selftest_equal(message_interrupts(), 1, "interrupts without a page");
    x86_wrmsr(MESSAGE_MSR_SIMP, (uintptr_t)message_slots() | HV_PAGE_ENABLE);
    message_wait();
    selftest_equal(slot->type, MESSAGE_TIMER_EXPIRED, "with a page: type");
    selftest_equal(slot->timer, 1, "the one that waits for longest");
    selftest_equal(slot->flags, MESSAGE_PENDING, "and another waits");
    message_consume();
    selftest_equal(slot->timer, 2, "which comes next");
    selftest_equal(message_interrupts(), 3, "interrupts in all");
    message_close();
}

/* Four timers and one slot: each expiry comes, each once, and nobody waits
 * where the flag does not say so. */
static void run_contention(void)
{
    struct message_slot *slot = message_open(MESSAGE_VECTOR);
    unsigned came[MESSAGE_TIMERS] = {0};
    unsigned rounds = 50;

    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned timer = 0; timer < MESSAGE_TIMERS; timer++)
            message_expire(timer);
        for (unsigned i = 1; i <= MESSAGE_TIMERS; i++) {
            selftest_equal(slot->type, MESSAGE_TIMER_EXPIRED, "type");
            selftest_equal(slot->flags,
                           i < MESSAGE_TIMERS ? MESSAGE_PENDING : 0,
                           "message %u of a round: flags", i);
            came[slot->timer % MESSAGE_TIMERS]++;
            message_consume();
        }
        selftest_equal(slot->type, 0, "no more than one of each");
    }
    for (unsigned timer = 0; timer < MESSAGE_TIMERS; timer++)
        selftest_equal(came[timer], rounds, "timer %u", timer);
    message_close();
}

/* Slots are each other's neighbours and nothing else: SINT 2's is full while
 * SINT 3's takes a message. */
static void run_slots(void)
{
    const unsigned other = MESSAGE_SINT + 1;
    struct message_slot *slots = message_open(MESSAGE_VECTOR) - MESSAGE_SINT;

    message_expire(0);
    message_wait();
    x86_wrmsr(MESSAGE_MSR_SINT + 1, MESSAGE_VECTOR_DIRECT);
    x86_wrmsr(HV_MSR_STIMER0_CONFIG + 2,
              HV_STIMER_AUTO_ENABLE | (uint64_t)other << 16);
    x86_wrmsr(HV_MSR_STIMER0_COUNT + 2, hyperv_reference_time());
    message_wait();
    selftest_equal(message_interrupts(), 2, "interrupts");
    selftest_equal(slots[MESSAGE_SINT].timer, 0, "the slot of SINT 2");
    selftest_equal(slots[MESSAGE_SINT].flags, 0, "its flags");
    selftest_equal(slots[other].type, MESSAGE_TIMER_EXPIRED,
                   "the slot of SINT 3: type");
    selftest_equal(slots[other].timer, 1, "the slot of SINT 3: timer");
    for (unsigned i = 0; i < 16; i++) {
        if (i != MESSAGE_SINT && i != other)
            selftest_equal(slots[i].type, 0, "the slot of SINT %u", i);
    }
    x86_wrmsr(MESSAGE_MSR_SINT + 1, MESSAGE_MASKED);
    message_close();
}

/* EOM takes any value and reads as 0; with nothing to deliver it does nothing,
 * and with the slot full neither. */
static void run_eom(void)
{
    struct message_slot *slot = message_open(MESSAGE_VECTOR);

    x86_wrmsr(MESSAGE_MSR_EOM, UINT64_MAX);
    selftest_equal(slot->type, 0, "nothing waits");
    message_expire(0);
    message_wait();
    message_expire(1);
    x86_wrmsr(MESSAGE_MSR_EOM, UINT64_MAX);
    selftest_equal(slot->timer, 0, "the slot is full");
    selftest_equal(slot->flags, MESSAGE_PENDING, "and one waits");
    selftest_equal(x86_rdmsr(MESSAGE_MSR_EOM), 0, "read");
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
        {"synic.catch_up", run_catch_up},
        {"synic.page_disabled", run_page_disabled},
        {"synic.contention", run_contention},
        {"synic.slots", run_slots},
        {"synic.eom", run_eom},
    };
    const uint64_t needed = PRIVILEGE_SYNIC | HV_PRIVILEGE_SYNTHETIC_TIMERS;

    if ((hyperv_privileges() & needed) != needed)
        report_fail("this machine has no SynIC with timers");
    message_init();
    probe_init();
    selftest_run(cases, sizeof(cases) / sizeof(cases[0]));
}
