/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "workloads/runtime/paging.h"

#include "workloads/runtime/apic.h"
#include "workloads/runtime/boot.h"
#include "workloads/runtime/memory.h"
#include "workloads/runtime/report.h"
#include "workloads/runtime/spinlock.h"

#define ENTRIES_PER_TABLE 512
/* Far from all RAM that a guest can have. */
#define STACK_WINDOW UINT64_C(0x0000100000000000)

static uint64_t root[ENTRIES_PER_TABLE] __attribute__((aligned(PAGE_BYTES)));
static struct spinlock tables_lock;
static uint64_t stack_next = STACK_WINDOW;

static unsigned level_shift(enum paging_level level)
{
    return 12 + 9 * ((unsigned)level - 1);
}

uint64_t *paging_entry(uint64_t virtual, enum paging_level level)
{
    uint64_t *table = root;

    for (enum paging_level at = PAGING_512G; at > level; at--) {
        uint64_t *entry =
            &table[virtual >> level_shift(at) & (ENTRIES_PER_TABLE - 1)];

        if (!(*entry & PTE_PRESENT))
            *entry =
                (uintptr_t)memory_pages(1) | PTE_PRESENT | PTE_WRITE | PTE_USER;
        if (*entry & PTE_LARGE)
            report_fail("paging: %lx is already part of a large page", virtual);
        table = (uint64_t *)(*entry & PTE_ADDRESS);
    }
    return &table[virtual >> level_shift(level) & (ENTRIES_PER_TABLE - 1)];
}

void paging_map(uint64_t virtual, uint64_t physical, uint64_t flags)
{
    bool irq = spinlock_acquire(&tables_lock);

    *paging_entry(virtual, PAGING_4K) = physical | flags;
    spinlock_release(&tables_lock, irq);
}

/* The rights of one page below the end of the image's last large page. */
static uint64_t image_flags(uint64_t address)
{
    if (address == 0 || address == (uintptr_t)boot_stack_guard)
        return 0;
    if (address < (uintptr_t)image_start)
        return PTE_PRESENT | PTE_WRITE | PTE_NX;
    if (address < (uintptr_t)image_text_end)
        return PTE_PRESENT;
    if (address < (uintptr_t)image_rodata_end)
        return PTE_PRESENT | PTE_NX;
    return PTE_PRESENT | PTE_WRITE | PTE_NX;
}

void paging_init(void)
{
    uint64_t small_end =
        ((uintptr_t)image_end + LARGE_PAGE_BYTES - 1) & ~(LARGE_PAGE_BYTES - 1);
    uint64_t end = memory_end();

    for (uint64_t at = 0; at < small_end && at < end; at += PAGE_BYTES)
        paging_map(at, at, image_flags(at));
    for (uint64_t at = small_end; at < end; at += LARGE_PAGE_BYTES) {
        if (end - at < LARGE_PAGE_BYTES) {
            for (uint64_t page = at; page < end; page += PAGE_BYTES)
                paging_map(page, page, PTE_PRESENT | PTE_WRITE | PTE_NX);
            break;
        }
        *paging_entry(at, PAGING_2M) =
            at | PTE_PRESENT | PTE_WRITE | PTE_LARGE | PTE_NX;
    }
    paging_map(APIC_PHYSICAL, APIC_PHYSICAL,
               PTE_PRESENT | PTE_WRITE | PTE_UNCACHED | PTE_NX);
    x86_write_cr3(paging_root());
}

uint64_t paging_root(void)
{
    return (uintptr_t)root;
}

uint64_t paging_new_stack(size_t pages)
{
    uint64_t bottom = __atomic_fetch_add(&stack_next, (pages + 1) * PAGE_BYTES,
                                         __ATOMIC_RELAXED) +
                      PAGE_BYTES;
    uint64_t physical = (uintptr_t)memory_pages(pages);

    for (size_t i = 0; i < pages; i++)
        paging_map(bottom + i * PAGE_BYTES, physical + i * PAGE_BYTES,
                   PTE_PRESENT | PTE_WRITE | PTE_NX);
    return bottom + pages * PAGE_BYTES;
}
