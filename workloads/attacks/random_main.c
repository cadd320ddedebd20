/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * attack-random: every processor but the first executes random code, block by
 * block; the first sends an NMI to all of them now and then, so that none
 * stays in a block for ever. A block may well end the machine by a triple
 * fault: that is one of the answers that processors have.
 *
 * Arguments: seed=N; blocks=N per processor, or instructions=N of random bytes;
 * time=DURATION at most; vps=N; lethal=N: one in N of the attacks that are
 * likely to end the machine is made.
 */

#include <stddef.h>

#include "workloads/attacks/random.h"
#include "workloads/runtime/apic.h"
#include "workloads/runtime/args.h"
#include "workloads/runtime/clock.h"
#include "workloads/runtime/console.h"
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
#define SANDBOX_LOW UINT64_C(0xb0000000)   /* the same, below 4 GiB */
#define SANDBOX_STRIDE (UINT64_C(2) << 20) /* a page table each */
#define SANDBOX_PAGES 8
#define NMI_EVERY_NS 100000
#define LETHAL_ONE_IN 64
#define GATE_FOR_ALL 0xee /* interrupt gate, from ring 3 too */
#define CODE16 UINT64_C(0x00009b000000ffff)
#define DPL3 (UINT64_C(3) << 45)

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
OFFSET_IS(frame, RANDOM_AREA_FRAME);
OFFSET_IS(view, RANDOM_AREA_VIEW);
OFFSET_IS(steps, RANDOM_AREA_STEPS);
_Static_assert(sizeof(struct random_area) < RANDOM_AREA_STACK / 2,
               "the stack needs room");

extern char random_entries[];
_Noreturn void random_leave(struct random_area *area);
_Noreturn void random_leave_run(struct random_area *area);
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
    area->low = SANDBOX_LOW + area->index * SANDBOX_STRIDE;
    for (uint64_t i = 0; i < SANDBOX_PAGES * PAGE_BYTES; i += PAGE_BYTES) {
        uint64_t page = (uintptr_t)area->page + i;

        paging_map(area->sandbox + i, page, PTE_PRESENT | PTE_WRITE | PTE_USER);
        paging_map(area->low + i, page, PTE_PRESENT | PTE_WRITE | PTE_USER);
    }
    area->entries = paging_entry(area->sandbox, PAGING_4K);
    area->code = area->sandbox;
}

static size_t entry_of(uint64_t virtual, enum paging_level level)
{
    return virtual >> (12 + 9 * (level - 1)) & 511;
}

static uint64_t *table_at(uint64_t entry)
{
    return (uint64_t *)(uintptr_t)(entry & PTE_ADDRESS);
}

/* A copy of a table in which nothing can be written but by entry `kept`. */
static uint64_t *read_only(const uint64_t *table, size_t kept)
{
    uint64_t *copy = memory_pages(1);

    for (size_t i = 0; i < PAGE_BYTES / sizeof(*table); i++)
        copy[i] = i == kept ? table[i] : table[i] & ~PTE_WRITE;
    return copy;
}

static void link(uint64_t *table, size_t entry, const uint64_t *to)
{
    table[entry] = (uintptr_t)to | (table[entry] & ~PTE_ADDRESS);
}

/* What runs of random bytes see: everything, to write the sandboxes and the
 * areas alone. Ring 0 could not be let loose for long otherwise. */
static uint64_t make_view(void)
{
    uint64_t at = (uintptr_t)areas;
    const uint64_t *old_root = table_at(paging_root());
    uint64_t *old_pointers = table_at(old_root[entry_of(at, PAGING_512G)]);
    uint64_t *old_directory = table_at(old_pointers[entry_of(at, PAGING_1G)]);
    uint64_t *root = read_only(old_root, entry_of(SANDBOX, PAGING_512G));
    uint64_t *pointers =
        read_only(old_pointers, entry_of(SANDBOX_LOW, PAGING_1G));
    uint64_t *directory = read_only(old_directory, entry_of(at, PAGING_2M));

    link(pointers, entry_of(at, PAGING_1G), directory);
    pointers[entry_of(at, PAGING_1G)] |= PTE_WRITE;
    link(root, entry_of(at, PAGING_512G), pointers);
    root[entry_of(at, PAGING_512G)] |= PTE_WRITE;
    return (uintptr_t)root;
}

static void make_area(struct random_area *area, uint32_t index, uint64_t seed)
{
    area->index = index;
    area->blocks_max = args_number("blocks", 1000);
    area->instructions_max = args_number("instructions", 0);
    area->lethal_one_in = (uint32_t)args_number("lethal", LETHAL_ONE_IN);
    area->state = (seed + 1) * UINT64_C(0x9e3779b97f4a7c15) +
                  index * UINT64_C(0xbf58476d1ce4e5b9);
    if (area->state == 0)
        area->state = 1;
    for (unsigned i = 0; i < 16; i++)
        random_next(area);
    make_sandbox(area);
}

static bool is_enough(const struct random_area *area)
{
    if (area->instructions_max > 0)
        return area->instructions[0] + area->instructions[3] >=
               area->instructions_max;
    return area->blocks == area->blocks_max;
}

/* The attacker's life, from the first block on; by traps only. */
void random_go_on(struct random_area *area, uint32_t vector)
{
    area->traps[vector]++;
    if (is_enough(area)) {
        __atomic_store_n(&area->is_finished, 1, __ATOMIC_RELEASE);
        cpu_stop();
    }
    if (area->instructions_max > 0) {
        random_bytes(area, vector);
        random_leave_run(area);
    }
    area->blocks++;
    random_code(area);
    random_leave(area);
}

/* Segments for 16-bit code, which begin at the sandbox. */
static void make_segments(uint64_t *gdt, uint64_t base)
{
    uint64_t code16 =
        CODE16 | (base & 0xffffff) << 16 | (base >> 24 & 0xff) << 56;

    gdt[RANDOM_SEGMENT_CODE16 / 8] = code16;
    gdt[RANDOM_SEGMENT_USER_CODE16 / 8] = code16 | DPL3;
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
    make_segments(cpu->segments.gdt, area->low);
    area->gdt = (struct segments_pointer){sizeof(cpu->segments.gdt) - 1,
                                          (uintptr_t)cpu->segments.gdt};
    area->idt = (struct segments_pointer){sizeof(idt) - 1, (uintptr_t)idt};
    cpu->segments.tss.ist[IST - 1] = (uintptr_t)area + RANDOM_AREA_BYTES;
    __asm__ volatile("lidt %0\n\tint3" : : "m"(area->idt));
    __builtin_unreachable();
}

/* Halted, so that the processors under attack have the host to themselves. */
static void sleep(uint64_t ns)
{
    uint64_t due = clock_ns() + ns;

    timer_set_deadline(due);
    x86_cli();
    while (clock_ns() < due) {
        cpu_idle();
        x86_cli();
    }
    x86_sti();
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
    uint64_t blocks = 0, nmis = 0, kernel = 0, user = 0;

    for (uint32_t index = 1; index < count; index++) {
        blocks += area_of(index)->blocks;
        nmis += area_of(index)->traps[TRAP_NMI];
        kernel += area_of(index)->instructions[0];
        user += area_of(index)->instructions[3];
    }
    console_init(); /* its UART is as the attackers left it */
    console_printf("\n");
    report_result("blocks", blocks, "count");
    report_result("instructions.ring_0", kernel, "count");
    report_result("instructions.ring_3", user, "count");
    report_result("nmis", nmis, "count");
    report_done();
}

void guest_main(void)
{
    uint32_t count = cpu_count();
    uint64_t end = clock_ns() + args_duration_ns("time", NS_PER_S);
    uint64_t seed = args_number("seed", 1);
    uint64_t view;

    if (count < 2)
        report_fail("attack-random needs 2 processors, one to wake the other");
    areas = memory_large_pages(1);
    make_idt();
    for (uint32_t index = 1; index < count; index++)
        make_area(area_of(index), index, seed);
    view = make_view();
    for (uint32_t index = 1; index < count; index++)
        area_of(index)->view = view;
    cpu_start_all(attack);
    while (!all_finished(count) && clock_ns() < end) {
        sleep(NMI_EVERY_NS);
        apic_send(0, APIC_ICR_OTHERS | APIC_ICR_ASSERT | APIC_ICR_NMI);
    }
    report(count);
}
