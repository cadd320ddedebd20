/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * attack-random: every processor but the first executes random code, block by
 * block; the first sends an NMI to all of them now and then, so that none
 * stays in a block for ever. A block may well end the machine by a triple
 * fault: that is one of the answers that processors have.
 *
 * Arguments: seed=N; blocks=N per processor; time=DURATION at most; vps=N;
 * lethal=N: one in N of the attacks that are likely to end the machine is made.
 */

#include <stddef.h>

#include "workloads/attacks/random.h"
#include "workloads/runtime/apic.h"
#include "workloads/runtime/args.h"
#include "workloads/runtime/clock.h"
#include "workloads/runtime/cpu.h"
#include "workloads/runtime/memory.h"
#include "workloads/runtime/paging.h"
#include "workloads/runtime/report.h"
#include "workloads/runtime/runtime.h"
#include "workloads/runtime/string.h"
#include "workloads/runtime/timer.h"
#include "workloads/runtime/x86.h"

#define IST 7
#define SANDBOX UINT64_C(0x0000300000000000)
#define SANDBOX_STRIDE (UINT64_C(2) << 20) /* a page table each */
#define SANDBOX_PAGES 8
#define NMI_EVERY_NS 100000
#define LETHAL_ONE_IN 64
#define GATE_FOR_ALL 0xee /* interrupt gate, from ring 3 too */

#define OFFSET_IS(field, offset)                                               \
    _Static_assert(offsetof(struct random_area, field) == (offset),            \
                   "random_entry.S knows where " #field " is")

OFFSET_IS(cr0, RANDOM_AREA_CR0);
OFFSET_IS(cr3, RANDOM_AREA_CR3);
OFFSET_IS(cr4, RANDOM_AREA_CR4);
OFFSET_IS(gs, RANDOM_AREA_GS);
OFFSET_IS(code, RANDOM_AREA_CODE);
OFFSET_IS(flags, RANDOM_AREA_FLAGS);
OFFSET_IS(gdt, RANDOM_AREA_GDT);
OFFSET_IS(idt, RANDOM_AREA_IDT);
OFFSET_IS(registers, RANDOM_AREA_REGISTERS);
_Static_assert(sizeof(struct random_area) < RANDOM_AREA_STACK / 2,
               "the stack needs room");

extern char random_entries[];
_Noreturn void random_leave(struct random_area *area);
/* Called by random_entry.S, with everything as it should be again. */
_Noreturn void random_go_on(struct random_area *area, uint32_t vector);

static uint64_t idt[RANDOM_VECTOR_COUNT][2] __attribute__((aligned(16)));
static uint8_t *areas;

static struct random_area *area_of(uint32_t index)
{
    return (struct random_area *)(areas + (size_t)index * RANDOM_AREA_BYTES);
}

static void make_idt(void)
{
    for (unsigned vector = 0; vector < RANDOM_VECTOR_COUNT; vector++) {
        uint64_t entry =
            (uintptr_t)random_entries + vector * RANDOM_ENTRY_BYTES;

        idt[vector][0] = (entry & 0xffff) | (uint64_t)SEGMENT_CODE64 << 16 |
                         (uint64_t)IST << 32 | (uint64_t)GATE_FOR_ALL << 40 |
                         (entry >> 16 & 0xffff) << 48;
        idt[vector][1] = entry >> 32;
    }
}

static void make_sandbox(struct random_area *area)
{
    area->sandbox = SANDBOX + area->index * SANDBOX_STRIDE;
    area->page = memory_pages(SANDBOX_PAGES);
    memset(area->page, RANDOM_FILL, SANDBOX_PAGES * PAGE_BYTES);
    for (uint64_t i = 0; i < SANDBOX_PAGES; i++)
        paging_map(area->sandbox + i * PAGE_BYTES,
                   (uintptr_t)area->page + i * PAGE_BYTES,
                   PTE_PRESENT | PTE_WRITE | PTE_USER);
    area->entries = paging_entry(area->sandbox, PAGING_4K);
    area->code = area->sandbox;
}

static void make_area(struct random_area *area, uint32_t index, uint64_t seed,
                      uint64_t blocks_max)
{
    area->index = index;
    area->blocks_max = blocks_max;
    area->lethal_one_in = (uint32_t)args_number("lethal", LETHAL_ONE_IN);
    area->state = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15) +
                  index * UINT64_C(0xbf58476d1ce4e5b9);
    if (area->state == 0)
        area->state = 1;
    for (unsigned i = 0; i < 16; i++)
        random_next(area);
    make_sandbox(area);
}

/* The attacker's life, from the first block on; by traps only. */
void random_go_on(struct random_area *area, uint32_t vector)
{
    area->traps[vector]++;
    if (area->blocks == area->blocks_max) {
        __atomic_store_n(&area->is_finished, 1, __ATOMIC_RELEASE);
        cpu_stop();
    }
    area->blocks++;
    random_code(area);
    random_leave(area);
}

static void attack(void)
{
    struct cpu *cpu = cpu_current();
    struct random_area *area = area_of(cpu->index);

    timer_stop();
    x86_cli();
    area->cr0 = x86_read_cr0();
    area->cr3 = x86_read_cr3();
    area->cr4 = x86_read_cr4();
    area->gs = (uintptr_t)cpu;
    area->gdt = (struct segments_pointer){sizeof(cpu->segments.gdt) - 1,
                                          (uintptr_t)cpu->segments.gdt};
    area->idt = (struct segments_pointer){sizeof(idt) - 1, (uintptr_t)idt};
    cpu->segments.tss.ist[IST - 1] = (uintptr_t)area + RANDOM_AREA_BYTES;
    __asm__ volatile("lidt %0\n\tint3" : : "m"(area->idt));
    __builtin_unreachable();
}

static bool all_finished(uint32_t count)
{
    for (uint32_t index = 1; index < count; index++) {
        if (!__atomic_load_n(&area_of(index)->is_finished, __ATOMIC_ACQUIRE))
            return false;
    }
    return true;
}

static void report(uint32_t count)
{
    uint64_t blocks = 0, nmis = 0;

    for (uint32_t index = 1; index < count; index++) {
        blocks += area_of(index)->blocks;
        nmis += area_of(index)->traps[TRAP_NMI];
    }
    report_result("blocks", blocks, "count");
    report_result("nmis", nmis, "count");
    report_done();
}

void guest_main(void)
{
    uint32_t count = cpu_count();
    uint64_t end = clock_ns() + args_duration_ns("time", NS_PER_S);
    uint64_t seed = args_number("seed", 1);
    uint64_t blocks = args_number("blocks", 1000);

    if (count < 2)
        report_fail("attack-random needs 2 processors, one to wake the other");
    areas = memory_large_pages(1);
    make_idt();
    for (uint32_t index = 1; index < count; index++)
        make_area(area_of(index), index, seed, blocks);
    cpu_start_all(attack);
    while (!all_finished(count) && clock_ns() < end) {
        clock_spin(NMI_EVERY_NS);
        apic_send(0, APIC_ICR_OTHERS | APIC_ICR_ASSERT | APIC_ICR_NMI);
    }
    report(count);
}
