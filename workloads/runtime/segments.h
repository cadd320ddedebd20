/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_WORKLOADS_RUNTIME_SEGMENTS_H
#define HVSIM_WORKLOADS_RUNTIME_SEGMENTS_H

/**
 * Each processor's GDT and TSS. The order of the first entries is what
 * SYSCALL, SYSRET, SYSENTER and SYSEXIT presume. Assembly may include this
 * for the selectors.
 */

#define SEGMENT_CODE64 0x08
#define SEGMENT_DATA 0x10
#define SEGMENT_USER_CODE32 0x1b
#define SEGMENT_USER_DATA 0x23
#define SEGMENT_USER_CODE64 0x2b
#define SEGMENT_USER_DATA_SYSEXIT 0x33
#define SEGMENT_TSS 0x38
#define SEGMENT_CODE32 0x48
#define SEGMENT_CODE16 0x50
#define SEGMENT_DATA16 0x58
#define SEGMENT_SPARE 0x60 /* from here on: free for tests */

#ifndef __ASSEMBLER__

#include <stdint.h>

#define SEGMENTS_GDT_ENTRIES 16
#define SEGMENTS_IST_PAGES 4

/* What LGDT and LIDT read. */
struct segments_pointer {
    uint16_t limit;
    uint64_t base;
} __attribute__((packed));

struct segments_tss {
    uint32_t reserved0;
    uint64_t rsp[3];
    uint64_t reserved1;
    uint64_t ist[7]; /* [0] is IST 1 */
    uint64_t reserved2;
    uint16_t reserved3;
    uint16_t io_bitmap_offset; /* beyond the limit: user mode has no ports */
} __attribute__((packed));

struct segments {
    uint64_t gdt[SEGMENTS_GDT_ENTRIES];
    struct segments_tss tss;
};

/** Fills `segments`, gives it interrupt stacks and loads it into the
 *  processor that calls. GS and FS are left null with their bases kept. */
void segments_load(struct segments *segments);

#endif /* __ASSEMBLER__ */

#endif
