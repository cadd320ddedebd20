/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "workloads/runtime/segments.h"

#include "workloads/runtime/paging.h"
#include "workloads/runtime/string.h"
#include "workloads/runtime/trap.h"

#define TSS_AVAILABLE64 UINT64_C(0x0000890000000000)

static void put_tss_descriptor(uint64_t *gdt, const struct segments_tss *tss)
{
    uint64_t base = (uintptr_t)tss;
    uint64_t limit = sizeof(*tss) - 1;

    gdt[SEGMENT_TSS / 8] = TSS_AVAILABLE64 | (limit & 0xffff) |
                           (base & 0xffffff) << 16 | (base >> 24 & 0xff) << 56;
    gdt[SEGMENT_TSS / 8 + 1] = base >> 32;
}

static void load(const struct segments *segments)
{
    struct segments_pointer pointer = {sizeof(segments->gdt) - 1,
                                       (uintptr_t)segments->gdt};

    __asm__ volatile("lgdt %0\n\t"
                     "pushq %1\n\t"
                     "leaq 1f(%%rip), %%rax\n\t"
                     "pushq %%rax\n\t"
                     "lretq\n"
                     "1:\tmovl %2, %%ds\n\t"
                     "movl %2, %%es\n\t"
                     "movl %2, %%ss\n\t"
                     "ltr %w3"
                     :
                     : "m"(pointer), "i"(SEGMENT_CODE64), "r"(SEGMENT_DATA),
                       "r"(SEGMENT_TSS)
                     : "rax", "memory");
}

void segments_load(struct segments *segments)
{
    static const uint64_t descriptors[] = {
        [SEGMENT_CODE64 / 8] = 0x00af9b000000ffff,
        [SEGMENT_DATA / 8] = 0x00cf93000000ffff,
        [SEGMENT_USER_CODE32 / 8] = 0x00cffb000000ffff,
        [SEGMENT_USER_DATA / 8] = 0x00cff3000000ffff,
        [SEGMENT_USER_CODE64 / 8] = 0x00affb000000ffff,
        [SEGMENT_USER_DATA_SYSEXIT / 8] = 0x00cff3000000ffff,
        [SEGMENT_CODE32 / 8] = 0x00cf9b000000ffff,
        [SEGMENT_CODE16 / 8] = 0x00009b000000ffff,
        [SEGMENT_DATA16 / 8] = 0x000093000000ffff,
    };

    memcpy(segments->gdt, descriptors, sizeof(descriptors));
    for (unsigned ist = TRAP_IST_DOUBLE_FAULT; ist <= TRAP_IST_NMI; ist++)
        segments->tss.ist[ist - 1] = paging_new_stack(SEGMENTS_IST_PAGES);
    segments->tss.rsp[0] = paging_new_stack(SEGMENTS_IST_PAGES);
    segments->tss.io_bitmap_offset = sizeof(segments->tss);
    put_tss_descriptor(segments->gdt, &segments->tss);
    load(segments);
}
