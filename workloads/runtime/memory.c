/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "workloads/runtime/memory.h"

#include "workloads/runtime/boot.h"
#include "workloads/runtime/report.h"
#include "workloads/runtime/spinlock.h"
#include "workloads/runtime/string.h"

#define MULTIBOOT_LOADER_MAGIC 0x2BADB002u
#define MULTIBOOT_HAS_MEMORY (1u << 0)
#define MULTIBOOT_HAS_COMMAND_LINE (1u << 2)
#define MULTIBOOT_HAS_MAP (1u << 6)
#define MULTIBOOT_MAP_RAM 1

/* Multiboot Specification 0.6.96, "Boot information format". */
struct multiboot_info {
    uint32_t flags;
    uint32_t mem_lower_kib;
    uint32_t mem_upper_kib; /* from 1 MiB */
    uint32_t boot_device;
    uint32_t command_line;
    uint32_t module_count;
    uint32_t module_address;
    uint32_t symbols[4];
    uint32_t map_bytes;
    uint32_t map_address;
};

struct multiboot_map_entry {
    uint32_t size; /* of what follows */
    uint64_t base;
    uint64_t length;
    uint32_t type;
} __attribute__((packed));

static struct spinlock allocator_lock;
static uint64_t next_free;
static uint64_t ram_end;

/* The end of the RAM region that the image was loaded into. */
static uint64_t end_by_map(const struct multiboot_info *info)
{
    uint64_t image = (uintptr_t)image_start;
    uint64_t at = info->map_address;
    uint64_t end = at + info->map_bytes;

    while (at < end) {
        const struct multiboot_map_entry *entry = (const void *)(uintptr_t)at;

        if (entry->type == MULTIBOOT_MAP_RAM && entry->base <= image &&
            image < entry->base + entry->length)
            return entry->base + entry->length;
        at += entry->size + sizeof(entry->size);
    }
    return 0;
}

const char *memory_init(uint32_t magic, uint32_t info_address)
{
    const struct multiboot_info *info = (const void *)(uintptr_t)info_address;

    if (magic != MULTIBOOT_LOADER_MAGIC)
        report_fail("not started by a multiboot loader: EAX=%x", magic);
    if (info->flags & MULTIBOOT_HAS_MAP)
        ram_end = end_by_map(info);
    if (ram_end == 0 && (info->flags & MULTIBOOT_HAS_MEMORY))
        ram_end = (UINT64_C(1) << 20) + info->mem_upper_kib * UINT64_C(1024);
    next_free = (uintptr_t)image_end;
    if (ram_end < next_free)
        report_fail("the loader names no memory");
    ram_end &= ~(uint64_t)(PAGE_BYTES - 1);
    if (!(info->flags & MULTIBOOT_HAS_COMMAND_LINE))
        return NULL;
    return (const char *)(uintptr_t)info->command_line;
}

uint64_t memory_end(void)
{
    return ram_end;
}

static void *allocate(uint64_t bytes, uint64_t alignment)
{
    bool irq = spinlock_acquire(&allocator_lock);
    uint64_t start = (next_free + alignment - 1) & ~(alignment - 1);
    bool fits = start <= ram_end && bytes <= ram_end - start;

    if (fits)
        next_free = start + bytes;
    spinlock_release(&allocator_lock, irq);
    if (!fits)
        report_fail("out of memory: %lu KiB asked, %lu KiB left", bytes >> 10,
                    (ram_end - next_free) >> 10);
    return memset((void *)start, 0, bytes);
}

void *memory_pages(size_t count)
{
    return allocate(count * PAGE_BYTES, PAGE_BYTES);
}

void *memory_large_pages(size_t count)
{
    return allocate(count * LARGE_PAGE_BYTES, LARGE_PAGE_BYTES);
}
