/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * hvtest-assist: the APIC's registers as synthetic MSRs, and the page that says
 * where an EOI may be left out (TLFS, "Virtual Interrupt Control", "EOI
 * Assist").
 *
 * Argument: test=NAME. Needs Hyper-V with both, and a PC's IOAPIC and UART.
 */

#include "workloads/hvtests/msr.h"
#include "workloads/runtime/apic.h"
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

#define VECTOR_LOW 0x51
#define VECTOR_SAME_CLASS 0x52
#define VECTOR_HIGH 0x91
#define VECTOR_LEVEL 0xa1
#define NO_EOI_REQUIRED 1u

#define IOAPIC UINT64_C(0xfec00000)
#define IOAPIC_WINDOW 4 /* as words: the register that word 0 selects */
#define IOAPIC_ENTRY(pin) (0x10 + 2 * (pin))
#define IOAPIC_LEVEL 0x8000u
#define IOAPIC_MASKED 0x10000u
#define UART_PIN 4
#define UART_IER 0x3f9
#define UART_IER_THR_EMPTY 2
#define UART_MCR 0x3fc
#define UART_MCR_OUT2 8 /* lets its interrupt out */

static volatile uint32_t *assist;

/* What handlers found in the assist page, in the order of their ends. */
static struct {
    uint8_t vector;
    uint32_t word_first, word_last;
} log[8];
static volatile unsigned count;
static unsigned within; /* a vector that the low one's handler sends */
static bool ends_by_page, ends_by_register;

static bool is_in_service(unsigned vector)
{
    uint32_t reg = (uint32_t)APIC_ISR + vector / 32 * 0x10;

    return apic_read((enum apic_register)reg) >> vector % 32 & 1;
}

static void handle(struct trap_frame *frame)
{
    uint32_t first = *assist;

    if (frame->vector == VECTOR_LOW && within != 0) {
        apic_send(0, APIC_ICR_SELF | within);
        within = 0;
        x86_sti();
        for (volatile int i = 0; i < 1000; i++)
            continue;
        x86_cli();
    }
    if (frame->vector == VECTOR_LEVEL)
        x86_out8(UART_IER, 0);
    log[count].vector = (uint8_t)frame->vector;
    log[count].word_first = first;
    log[count].word_last = *assist;
    count++;
    if (ends_by_page &&
        (__atomic_fetch_and(assist, ~NO_EOI_REQUIRED, __ATOMIC_SEQ_CST) &
         NO_EOI_REQUIRED) != 0)
        return;
    if (ends_by_register)
        x86_wrmsr(HV_MSR_EOI, 0);
}

/* Takes `vector`, and what is sent within. Interrupts stay off otherwise. */
static void take(unsigned vector)
{
    count = 0;
    apic_send(0, APIC_ICR_SELF | vector);
    x86_sti();
    clock_spin(10000);
    x86_cli();
}

static void enable(void)
{
    ends_by_page = ends_by_register = true;
    x86_wrmsr(HV_MSR_VP_ASSIST_PAGE, (uintptr_t)assist | HV_PAGE_ENABLE);
}

static void disable(void)
{
    x86_wrmsr(HV_MSR_VP_ASSIST_PAGE, 0);
    within = 0;
}

static void run_registers(void)
{
    selftest_equal(msr_write(HV_MSR_TPR, 0x100), TRAP_GP, "TPR of 256");
    x86_wrmsr(HV_MSR_TPR, 0x70);
    selftest_equal(apic_read(APIC_TPR), 0x70, "TPR");
    x86_wrmsr(HV_MSR_TPR, 0);
    ends_by_page = false;
    ends_by_register = false;
    count = 0;
    x86_wrmsr(HV_MSR_ICR, APIC_ICR_SELF | VECTOR_LOW);
    selftest_equal(x86_rdmsr(HV_MSR_ICR) & 0xff, VECTOR_LOW, "ICR");
    x86_sti();
    clock_spin(10000);
    x86_cli();
    selftest_equal(count, 1, "interrupts by ICR");
    selftest_equal(is_in_service(VECTOR_LOW), true, "in service without EOI");
    x86_wrmsr(HV_MSR_EOI, UINT64_MAX); /* whatever is written */
    selftest_equal(is_in_service(VECTOR_LOW), false, "and with it");
}

/* Nothing waits, nothing else is in service: the EOI may be left out. */
static void run_left_out(void)
{
    enable();
    for (unsigned i = 0; i < 3; i++) {
        take(VECTOR_LOW);
        selftest_equal(count, 1, "interrupts");
        selftest_equal(log[0].word_first, NO_EOI_REQUIRED, "the page says so");
        selftest_equal(is_in_service(VECTOR_LOW), false, "in service");
    }
    disable();
}

/* Who writes EOI all the same finds the page as if he had been told. */
static void run_written(void)
{
    enable();
    ends_by_page = false;
    for (unsigned i = 0; i < 3; i++) {
        take(VECTOR_LOW);
        selftest_equal(log[0].word_first, NO_EOI_REQUIRED, "the page says so");
        selftest_equal(*assist, 0, "the page after EOI");
        selftest_equal(is_in_service(VECTOR_LOW), false, "in service");
    }
    disable();
}

/* One that comes within another's service, and that other one, need EOIs. */
static void run_nested(void)
{
    enable();
    within = VECTOR_HIGH;
    take(VECTOR_LOW);
    selftest_equal(count, 2, "interrupts");
    selftest_equal(log[0].vector, VECTOR_HIGH, "the higher ends first");
    selftest_equal(log[0].word_first, 0, "the higher needs its EOI");
    selftest_equal(log[1].word_first, NO_EOI_REQUIRED, "the lower, alone");
    selftest_equal(log[1].word_last, 0, "the lower, after the higher");
    selftest_equal(is_in_service(VECTOR_LOW), false, "lower in service");
    selftest_equal(is_in_service(VECTOR_HIGH), false, "higher in service");
    disable();
}

/* One that waits for an EOI wants a real one. */
static void run_waiting(void)
{
    enable();
    within = VECTOR_SAME_CLASS;
    take(VECTOR_LOW);
    selftest_equal(count, 2, "interrupts");
    selftest_equal(log[0].vector, VECTOR_LOW, "the first");
    selftest_equal(log[0].word_first, NO_EOI_REQUIRED, "nothing waits");
    selftest_equal(log[0].word_last, 0, "something does");
    selftest_equal(log[1].vector, VECTOR_SAME_CLASS, "the second");
    selftest_equal(log[1].word_first, NO_EOI_REQUIRED, "nothing waits then");

    apic_send(0, APIC_ICR_SELF | VECTOR_LOW);
    take(VECTOR_SAME_CLASS);
    selftest_equal(count, 2, "interrupts of two at once");
    selftest_equal(log[0].vector, VECTOR_SAME_CLASS, "the higher one first");
    selftest_equal(log[0].word_first, 0, "the other waits from the start");
    selftest_equal(log[1].word_first, NO_EOI_REQUIRED, "and is alone then");
    disable();
}

static void set_entry(unsigned pin, uint32_t low)
{
    volatile uint32_t *ioapic = (volatile uint32_t *)(uintptr_t)IOAPIC;

    ioapic[0] = IOAPIC_ENTRY(pin) + 1;
    ioapic[IOAPIC_WINDOW] = 0; /* processor 0 */
    ioapic[0] = IOAPIC_ENTRY(pin);
    ioapic[IOAPIC_WINDOW] = low;
}

/* The IOAPIC wants to know when a level has been served. */
static void run_level(void)
{
    paging_map(IOAPIC, IOAPIC, PTE_PRESENT | PTE_WRITE | PTE_UNCACHED);
    enable();
    set_entry(UART_PIN, IOAPIC_LEVEL | VECTOR_LEVEL);
    x86_out8(UART_MCR, UART_MCR_OUT2);
    for (unsigned i = 0; i < 3; i++) {
        count = 0;
        x86_out8(UART_IER, UART_IER_THR_EMPTY);
        x86_sti();
        clock_spin(NS_PER_S / 1000);
        x86_cli();
        selftest_equal(count, 1, "interrupts");
        selftest_equal(log[0].vector, VECTOR_LEVEL, "vector");
        selftest_equal(log[0].word_first, 0, "a level needs its EOI");
    }
    set_entry(UART_PIN, IOAPIC_MASKED);
    disable();
}

static void run_page_off(void)
{
    *assist = 0;
    ends_by_page = false;
    ends_by_register = true;
    take(VECTOR_LOW);
    selftest_equal(log[0].word_first, 0, "the guest's own page");
    enable();
    selftest_equal(*assist, 0, "the page once enabled");
    disable();
}

void guest_main(void)
{
    static const struct selftest_case cases[] = {
        {"assist.registers", run_registers}, {"assist.left_out", run_left_out},
        {"assist.written", run_written},     {"assist.nested", run_nested},
        {"assist.waiting", run_waiting},     {"assist.level", run_level},
        {"assist.page_off", run_page_off},
    };

    if (!(hyperv_privileges() & HV_PRIVILEGE_APIC_MSRS))
        report_fail("this machine has no synthetic APIC registers");
    assist = memory_pages(1);
    trap_set_handler(VECTOR_LOW, handle);
    trap_set_handler(VECTOR_SAME_CLASS, handle);
    trap_set_handler(VECTOR_HIGH, handle);
    trap_set_handler(VECTOR_LEVEL, handle);
    probe_init();
    x86_cli();
    selftest_run(cases, sizeof(cases) / sizeof(cases[0]));
}
