/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_WORKLOADS_ATTACKS_RANDOM_H
#define HVSIM_WORKLOADS_ATTACKS_RANDOM_H

/**
 * Code at random: blocks of instructions that a guest had better not execute,
 * one after the other, on a processor that comes back from each by the first
 * trap. random_code.c makes the blocks, random_entry.S comes back. Or, by
 * random_bytes.c, runs of random bytes, in every mode and ring.
 */

/* A processor's area: its state, then stacks. Aligned to its size. */
#define RANDOM_AREA_BYTES 0x8000
#define RANDOM_AREA_STACK 0x6000 /* the top of the loop's; above: traps' */
#define RANDOM_ENTRY_BYTES 16
#define RANDOM_FILL 0xcc /* INT3: where there is no code, a block ends */

/* Offsets in struct random_area, checked in random_main.c. */
#define RANDOM_AREA_CR0 0x00
#define RANDOM_AREA_CR3 0x08
#define RANDOM_AREA_CR4 0x10
#define RANDOM_AREA_GS 0x18
#define RANDOM_AREA_CODE 0x20
#define RANDOM_AREA_FLAGS 0x28
#define RANDOM_AREA_GDT 0x30
#define RANDOM_AREA_IDT 0x40
#define RANDOM_AREA_REGISTERS 0x50
#define RANDOM_AREA_FRAME 0xd0
#define RANDOM_AREA_VIEW 0xf8
#define RANDOM_AREA_STEPS 0x100

/** Instructions of a run, at most. */
#define RANDOM_STEPS_MAX 32

/* The GDT's entries for 16-bit code, which begins at the sandbox. */
#define RANDOM_SEGMENT_CODE16 SEGMENT_SPARE
#define RANDOM_SEGMENT_USER_CODE16 (SEGMENT_SPARE + 8 + 3)

#ifndef __ASSEMBLER__

#include <stdbool.h>
#include <stdint.h>

#include "workloads/runtime/segments.h"

#define RANDOM_REGISTER_COUNT 16
#define RANDOM_VECTOR_COUNT 256

/* What IRETQ takes. */
struct random_frame {
    uint64_t rip, cs, rflags, rsp, ss;
};

struct random_area {
    uint64_t cr0, cr3, cr4, gs; /* to go on with */
    uint64_t code;              /* where the block starts */
    uint64_t flags;             /* that it starts with */
    struct segments_pointer gdt;
    uint8_t reserved0[6];
    struct segments_pointer idt;
    uint8_t reserved1[6];
    uint64_t registers[RANDOM_REGISTER_COUNT]; /* in the order of encodings */
    struct random_frame frame;                 /* that a run starts with */
    uint64_t view;                             /* its CR3 */
    int64_t steps;   /* how many more it may take; then below 0 */
    uint64_t state;  /* of the random numbers */
    uint64_t blocks; /* executed so far */
    uint64_t blocks_max;
    uint64_t traps[RANDOM_VECTOR_COUNT]; /* by which blocks ended */
    uint8_t *page;                       /* writable alias of the code */
    uint64_t sandbox;                    /* the GVA of the code's page; more
                                            pages follow, of all kinds */
    uint64_t low;                        /* the same, below 4 GiB */
    uint64_t instructions_max;           /* 0: blocks, no runs */
    uint64_t instructions[4];            /* known to be executed, by ring */
    uint64_t runs;
    uint32_t ring, mode;    /* of the run */
    uint64_t *entries;      /* the PTEs of the sandbox */
    uint32_t lethal_one_in; /* 0: nothing that is known to be */
    uint32_t index;         /* of the processor */
    uint32_t is_finished;   /* atomic */
};

/** The next number of the area's sequence. */
uint64_t random_next(struct random_area *area);
/** 0 .. count - 1 */
uint32_t random_below(struct random_area *area, uint32_t count);
bool random_one_in(struct random_area *area, uint32_t count);
/** Whether to do what few machines survive. */
bool random_is_lethal(struct random_area *area);

#define RANDOM_PICK(area, array)                                               \
    ((array)[random_below(area, sizeof(array) / sizeof((array)[0]))])

/** An address that something is, or ought not to be, at. */
uint64_t random_address(struct random_area *area);
/** The APIC's page, which is not there for an x2APIC. */
uint64_t random_apic_page(struct random_area *area);
/** Addresses, edges of ranges, and anything. */
uint64_t random_value(struct random_area *area);

/** Writes the next block, and the registers and flags it starts with. */
void random_code(struct random_area *area);

/** Counts what the run that ended by `vector` has executed, and prepares the
 *  next. */
void random_bytes(struct random_area *area, uint32_t vector);

#endif /* __ASSEMBLER__ */

#endif
