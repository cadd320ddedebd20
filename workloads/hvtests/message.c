/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "workloads/hvtests/message.h"

#include "workloads/runtime/apic.h"
#include "workloads/runtime/clock.h"
#include "workloads/runtime/hyperv.h"
#include "workloads/runtime/memory.h"
#include "workloads/runtime/trap.h"

static struct message_slot *slots;
static volatile unsigned interrupts;
static bool is_auto_eoi, keeps_in_service;

static void handle(struct trap_frame *frame)
{
    interrupts++;
    if (frame->vector == MESSAGE_VECTOR && (is_auto_eoi || keeps_in_service))
        return;
    apic_eoi();
}

void message_init(void)
{
    slots = memory_pages(1);
    trap_set_handler(MESSAGE_VECTOR, handle);
    trap_set_handler(MESSAGE_VECTOR_DIRECT, handle);
}

struct message_slot *message_slots(void)
{
    return slots;
}

struct message_slot *message_open(uint64_t sint)
{
    is_auto_eoi = (sint & MESSAGE_AUTO_EOI) != 0;
    interrupts = 0;
    x86_wrmsr(MESSAGE_MSR_SIMP, (uintptr_t)slots | HV_PAGE_ENABLE);
    x86_wrmsr(MESSAGE_MSR_SINT, sint);
    x86_wrmsr(MESSAGE_MSR_SCONTROL, 1);
    return &slots[MESSAGE_SINT];
}

void message_close(void)
{
    for (uint32_t timer = 0; timer < MESSAGE_TIMERS; timer++) {
        x86_wrmsr(HV_MSR_STIMER0_CONFIG + 2 * timer, 0);
        x86_wrmsr(HV_MSR_STIMER0_COUNT + 2 * timer, 0);
    }
    x86_wrmsr(MESSAGE_MSR_SINT, MESSAGE_MASKED);
    x86_wrmsr(MESSAGE_MSR_SCONTROL, 0);
    x86_wrmsr(MESSAGE_MSR_SIMP, 0);
}

static uint64_t expire(unsigned timer, uint64_t config)
{
    uint64_t due = hyperv_reference_time();

    x86_wrmsr(HV_MSR_STIMER0_CONFIG + 2 * timer,
              HV_STIMER_AUTO_ENABLE | config);
    x86_wrmsr(HV_MSR_STIMER0_COUNT + 2 * timer, due);
    return due;
}

uint64_t message_expire(unsigned timer)
{
    return expire(timer, MESSAGE_TIMER_SINT);
}

uint64_t message_expire_direct(unsigned timer)
{
    return expire(timer, HV_STIMER_DIRECT | (uint64_t)MESSAGE_VECTOR_DIRECT
                                                << HV_STIMER_VECTOR_SHIFT);
}

void message_wait(void)
{
    clock_spin(MESSAGE_NS_PER_MS / 10);
}

void message_consume(void)
{
    uint8_t flags = slots[MESSAGE_SINT].flags;

    slots[MESSAGE_SINT].type = 0;
    __atomic_thread_fence(__ATOMIC_SEQ_CST);
    if ((flags & MESSAGE_PENDING) != 0)
        x86_wrmsr(MESSAGE_MSR_EOM, 0);
}

unsigned message_interrupts(void)
{
    return interrupts;
}

void message_keeps_in_service(bool keeps)
{
    keeps_in_service = keeps;
}
