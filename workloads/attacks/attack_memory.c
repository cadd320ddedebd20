/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Attacks by addresses: tables, code and stacks where none should be. */

#include "workloads/attacks/attack.h"
#include "workloads/runtime/apic.h"
#include "workloads/runtime/cpu.h"
#include "workloads/runtime/hyperv.h"
#include "workloads/runtime/memory.h"
#include "workloads/runtime/paging.h"
#include "workloads/runtime/report.h"
#include "workloads/runtime/segments.h"
#include "workloads/runtime/string.h"
#include "workloads/runtime/x86.h"
#include "workloads/selftest/probe.h"

#define BEYOND_ALL (UINT64_C(1) << 38) /* in no guest's memory */
#define ENTRIES_PER_TABLE 512

static void load_cr3(uint64_t value)
{
    x86_write_cr3(value);
    report_fail("still running by no page tables");
}

static void run_cr3_zero(void)
{
    memset((void *)(uintptr_t)0x7000, 0, PAGE_BYTES);
    load_cr3(0x7000);
}

static void run_cr3_last(void)
{
    load_cr3(memory_end() - PAGE_BYTES);
}

static void run_cr3_outside(void)
{
    load_cr3(BEYOND_ALL);
}

static void run_cr3_apic(void)
{
    load_cr3(APIC_PHYSICAL);
}

static void run_cr3_hypercall_page(void)
{
    load_cr3((uintptr_t)hyperv_hypercall_page);
}

/* The top table's entry 510 is the table itself: all tables can be seen as
 * memory, and each entry is walked as an entry of every level. */
static void run_tables_recursive(void)
{
    uint64_t *root = (uint64_t *)paging_root();
    uint64_t window = UINT64_C(0xffffff0000000000); /* of entry 510 */

    root[510] = paging_root() | PTE_PRESENT | PTE_WRITE;
    for (uint64_t i = 0; i < ENTRIES_PER_TABLE; i++)
        (void)attack_read((void *)(window + (i << 30) + (i << 21) + (i << 12)));
    for (uint64_t i = 0; i < ENTRIES_PER_TABLE; i++)
        (void)attack_write((void *)(window + (i << 12) + 8), 0);
}

/* A page that is walked as a page table of every level. */
static void walk_by(uint64_t physical)
{
    for (unsigned level = PAGING_2M; level <= PAGING_512G; level++) {
        uint64_t at =
            UINT64_C(0x0000320000000000) + ((uint64_t)level << (12 + 9 * 3));
        uint64_t *entry = paging_entry(at, (enum paging_level)level);

        *entry = physical | PTE_PRESENT | PTE_WRITE;
        for (uint64_t i = 0; i < 64; i++) {
            void *address = (void *)(at + (i << (12 + 9 * (level - 2))));

            x86_invlpg((uintptr_t)address);
            (void)attack_read(address);
            (void)attack_write(address, i);
            (void)attack_call(address, 0);
        }
    }
}

static void run_tables_hypercall_page(void)
{
    walk_by((uintptr_t)hyperv_hypercall_page);
}

static void run_tables_tsc_page(void)
{
    walk_by((uintptr_t)hyperv_tsc_page());
}

static void run_tables_apic(void)
{
    walk_by(APIC_PHYSICAL);
}

static void run_tables_outside(void)
{
    walk_by(BEYOND_ALL);
}

/* A table all of whose entries are noise. */
static void run_tables_noise(void)
{
    uint64_t *noise = memory_pages(1);

    for (unsigned round = 0; round < 16; round++) {
        for (unsigned i = 0; i < ENTRIES_PER_TABLE; i++)
            noise[i] = (attack_random() & ~PTE_ADDRESS) |
                       (uintptr_t)noise; /* itself, or reserved bits */
        walk_by((uintptr_t)noise);
    }
}

static void run_execute_outside(void)
{
    attack_call(attack_window(BEYOND_ALL), 0);
}

static void run_execute_apic(void)
{
    attack_call(attack_window(APIC_PHYSICAL), 0);
}

/* The last instruction of memory runs into what is not there. */
static void run_execute_end(void)
{
    uint64_t end = memory_end();
    uint8_t *last = attack_window(end - 1);

    (void)attack_window(end);
    *last = 0x90;
    attack_call(last, 0);
}

/* Every byte of the hypercall page, as a start. */
static void run_execute_hypercall_page(void)
{
    for (unsigned i = 0; i < PAGE_BYTES; i++)
        (void)attack_call(&hyperv_hypercall_page[i], 0);
}

static void trap_with_idt(uint64_t base)
{
    struct segments_pointer idt = {0xfff, base};

    __asm__ volatile("lidt %0\n\tint3" : : "m"(idt));
    report_fail("still running without an IDT");
}

static void run_idt_outside(void)
{
    trap_with_idt((uintptr_t)attack_window(BEYOND_ALL));
}

static void run_idt_apic(void)
{
    trap_with_idt((uintptr_t)attack_window(APIC_PHYSICAL));
}

static void run_idt_unmapped(void)
{
    trap_with_idt(UINT64_C(0x0000330000000000));
}

static void run_idt_not_canonical(void)
{
    trap_with_idt(UINT64_C(0x8000000000000000));
}

static void load_segment_with_gdt(uint64_t base)
{
    struct segments_pointer gdt = {0xffff, base};

    __asm__ volatile("lgdt %0\n\tmov %1, %%ds" : : "m"(gdt), "r"(SEGMENT_DATA));
    report_fail("loaded a segment from nowhere");
}

static void run_gdt_outside(void)
{
    load_segment_with_gdt((uintptr_t)attack_window(BEYOND_ALL));
}

static void run_gdt_apic(void)
{
    load_segment_with_gdt((uintptr_t)attack_window(APIC_PHYSICAL));
}

static void trap_with_stack(uint64_t stack)
{
    __asm__ volatile("mov %0, %%rsp\n\tint3" : : "r"(stack));
}

/* INT3 switches to the stack of probes; the double fault's has gone too. */
static void run_stack_outside(void)
{
    struct segments *segments = &cpu_current()->segments;

    for (unsigned i = 0; i < 7; i++)
        segments->tss.ist[i] = (uintptr_t)attack_window(BEYOND_ALL) + 0x800;
    trap_with_stack(segments->tss.ist[0]);
}

static void run_stack_apic(void)
{
    struct segments *segments = &cpu_current()->segments;

    for (unsigned i = 0; i < 7; i++)
        segments->tss.ist[i] = (uintptr_t)attack_window(APIC_PHYSICAL) + 0x800;
    trap_with_stack(segments->tss.ist[0]);
}

/* Every width and alignment on the APIC's page; what is refused traps. */
static void run_apic_page(void)
{
    volatile uint8_t *page = attack_window(APIC_PHYSICAL);

    for (unsigned offset = 0; offset + 8 <= PAGE_BYTES; offset++) {
        (void)*(volatile uint8_t *)(page + offset);
        (void)*(volatile uint16_t *)(page + offset);
        (void)*(volatile uint32_t *)(page + offset);
        (void)*(volatile uint64_t *)(page + offset);
    }
}

const struct attack_case attack_memory_cases[] = {
    {"cr3-zero", run_cr3_zero},
    {"cr3-last", run_cr3_last},
    {"cr3-outside", run_cr3_outside},
    {"cr3-apic", run_cr3_apic},
    {"cr3-hypercall-page", run_cr3_hypercall_page},
    {"tables-recursive", run_tables_recursive},
    {"tables-hypercall-page", run_tables_hypercall_page},
    {"tables-tsc-page", run_tables_tsc_page},
    {"tables-apic", run_tables_apic},
    {"tables-outside", run_tables_outside},
    {"tables-noise", run_tables_noise},
    {"execute-outside", run_execute_outside},
    {"execute-apic", run_execute_apic},
    {"execute-end", run_execute_end},
    {"execute-hypercall-page", run_execute_hypercall_page},
    {"idt-outside", run_idt_outside},
    {"idt-apic", run_idt_apic},
    {"idt-unmapped", run_idt_unmapped},
    {"idt-not-canonical", run_idt_not_canonical},
    {"gdt-outside", run_gdt_outside},
    {"gdt-apic", run_gdt_apic},
    {"stack-outside", run_stack_outside},
    {"stack-apic", run_stack_apic},
    {"apic-page", run_apic_page},
    {NULL, NULL},
};
