/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Rules 18, 20, 21, 24 and 25: slots and timers (TLFS, "Inter-Partition
 * Communication", "Synthetic Timers"). The messages are those of timers, the
 * one source that a guest has to itself. */

#include "workloads/hvtests/message.h"
#include "workloads/hvtests/msr.h"
#include "workloads/hvtests/rule.h"
#include "workloads/runtime/apic.h"
#include "workloads/runtime/clock.h"
#include "workloads/runtime/hyperv.h"
#include "workloads/runtime/string.h"
#include "workloads/runtime/x86.h"
#include "workloads/selftest/selftest.h"

void rule_18_a_slot_is_free_by_its_type_alone(void)
{
    struct message_slot *slot = message_open(MESSAGE_VECTOR);
    struct message_slot before;

    /* Type 0 and everything else set: free. */
    memset(slot, 0xff, sizeof(*slot));
    slot->type = 0;
    message_expire(0);
    message_wait();
    selftest_equal(slot->type, MESSAGE_TIMER_EXPIRED, "over old bytes: type");
    selftest_equal(slot->flags, 0, "over old bytes: flags");
    selftest_equal(slot->timer, 0, "over old bytes: timer");

    /* A type, and everything else 0: not free, and left as it is. */
    memset(slot, 0, sizeof(*slot));
    slot->type = 1;
    before = *slot;
    before.flags = MESSAGE_PENDING;
    message_expire(1);
    message_wait();
    selftest_equal(memcmp(slot, &before, sizeof(before)) == 0, true,
                   "nothing but the pending flag is written");
    message_close();
}

/* A second message waits; its slot becomes free, and nobody is told. */
static struct message_slot *open_with_one_waiting(uint64_t sint)
{
    struct message_slot *slot = message_open(sint);

    message_expire(0);
    message_wait();
    message_expire(1);
    message_wait();
    selftest_equal(slot->timer, 0, "the first has the slot");
    selftest_equal(slot->flags, MESSAGE_PENDING, "and one is pending");
    slot->type = 0;
    return slot;
}

void rule_20_every_chance_is_taken_to_deliver(void)
{
    struct message_slot *slot = open_with_one_waiting(MESSAGE_VECTOR);

    x86_wrmsr(MESSAGE_MSR_EOM, 0);
    selftest_equal(slot->type, MESSAGE_TIMER_EXPIRED, "EOM");
    selftest_equal(slot->timer, 1, "EOM: the second");
    message_close();

    message_keeps_in_service(true);
    slot = open_with_one_waiting(MESSAGE_VECTOR);
    apic_eoi();
    selftest_equal(slot->type, MESSAGE_TIMER_EXPIRED, "EOI of the vector");
    selftest_equal(slot->timer, 1, "EOI: the second");
    message_wait();
    apic_eoi();
    message_keeps_in_service(false);
    message_close();

    slot = open_with_one_waiting(MESSAGE_VECTOR);
    message_expire(2);
    selftest_equal(slot->type, MESSAGE_TIMER_EXPIRED, "another message");
    selftest_equal(slot->flags, MESSAGE_PENDING, "and one still waits");
    message_close();

    slot = open_with_one_waiting(MESSAGE_VECTOR);
    clock_spin(3 * MESSAGE_NS_PER_MS);
    selftest_equal(slot->type, MESSAGE_TIMER_EXPIRED, "some milliseconds");
    message_close();
}

void rule_21_a_masked_sint_loses_the_interrupt_alone(void)
{
    struct message_slot *slot = message_open(MESSAGE_MASKED | MESSAGE_VECTOR);

    message_expire(0);
    message_wait();
    selftest_equal(slot->type, MESSAGE_TIMER_EXPIRED, "the message lands");
    x86_wrmsr(MESSAGE_MSR_SINT, MESSAGE_VECTOR);
    message_wait();
    selftest_equal(message_interrupts(), 0, "interrupts, once unmasked");
    message_consume();
    message_expire(0);
    message_wait();
    selftest_equal(message_interrupts(), 1, "interrupts, of the next");
    message_close();
}

void rule_24_a_timer_without_a_count_waits(void)
{
    const uint64_t config = HV_STIMER_ENABLE | HV_STIMER_AUTO_ENABLE;
    struct message_slot *slot = message_open(MESSAGE_VECTOR);

    x86_wrmsr(HV_MSR_STIMER0_COUNT, 0);
    x86_wrmsr(HV_MSR_STIMER0_CONFIG, config | MESSAGE_TIMER_SINT);
    clock_spin(2 * MESSAGE_NS_PER_MS);
    selftest_equal(slot->type, 0, "the slot, before there is a COUNT");
    x86_wrmsr(HV_MSR_STIMER0_COUNT, hyperv_reference_time());
    message_wait();
    selftest_equal(slot->type, MESSAGE_TIMER_EXPIRED, "and with one");

    /* SINT 0, and not direct: whatever COUNT is. */
    for (unsigned i = 0; i < 2; i++) {
        x86_wrmsr(HV_MSR_STIMER0_COUNT,
                  i * (hyperv_reference_time() + 100 * MESSAGE_UNITS_PER_MS));
        x86_wrmsr(HV_MSR_STIMER0_CONFIG, config);
        selftest_equal(x86_rdmsr(HV_MSR_STIMER0_CONFIG) & HV_STIMER_ENABLE, 0,
                       "no SINT: the enable bit");
    }
    message_close();
}

void rule_25_an_expiry_waits_and_is_not_lost(void)
{
    struct message_slot *slot = message_open(MESSAGE_VECTOR);
    uint64_t due;

    slot->type = 1; /* somebody else's */
    due = message_expire(0);
    clock_spin(5 * MESSAGE_NS_PER_MS);
    selftest_equal(slot->type, 1, "the slot stays");
    message_consume();
    selftest_equal(slot->type, MESSAGE_TIMER_EXPIRED, "once it is free");
    selftest_equal(slot->expiration, due, "expiration: when it was due");
    selftest_equal(slot->delivery >= due + 5 * MESSAGE_UNITS_PER_MS, true,
                   "delivery: when it was placed");
    message_consume();

    message_expire_direct(0);
    message_wait();
    selftest_equal(message_interrupts(), 2, "a direct timer interrupts");
    selftest_equal(slot->type, 0, "and writes no message");
    message_close();
}
