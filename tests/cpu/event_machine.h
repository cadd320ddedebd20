/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_TESTS_CPU_EVENT_MACHINE_H
#define HVSIM_TESTS_CPU_EVENT_MACHINE_H

/**
 * A processor over 128 KiB of linear memory, for tests of event delivery. All
 * gates lead to HANDLER plus their vector; pages can be made absent, and then
 * fault as #PF.
 */

#include "cpu/event.h"

#define MEMORY_BYTES 0x20000u
#define GDT 0x1000u
#define IDT 0x2800u /* in long mode half of it lies on the next page */
#define TSS 0x4000u
#define LDT 0x5000u
#define KERNEL_STACK 0x8000u
#define IST_STACK 0x9000u
#define USER_STACK 0xa000u
#define HANDLER 0x10000u
#define RIP 0x6789u

#define PAGE_COUNT (MEMORY_BYTES / 0x1000)

/* Selectors of the GDT. */
enum {
    SEL_CODE64 = 0x08,
    SEL_DATA = 0x10,
    SEL_USER_DATA = 0x18,
    SEL_USER_CODE64 = 0x20,
    SEL_CONFORMING64 = 0x28,
    SEL_CODE32 = 0x30,
    SEL_USER_CODE32 = 0x38,
    SEL_CONFORMING32 = 0x40,
    SEL_DATA16 = 0x48,
    SEL_ABSENT_CODE = 0x50,
    SEL_SHORT_CODE32 = 0x58,
    SEL_SHORT_DATA = 0x60,
    SEL_ABSENT_DATA = 0x68,
    SEL_READ_ONLY = 0x70,
    SEL_EXPAND_DOWN = 0x78,
    SEL_FRESH_CODE64 = 0x80,
    SEL_TSS = 0x88,
    SEL_LDT = 0x90,
    SEL_DPL1_CODE32 = 0x98,
    SEL_END = 0xa0,
    SEL_IN_LDT = 0x0c, /* index 1 */
};

#define GATE_INTERRUPT 0x8e00u
#define GATE_TRAP 0x8f00u
#define GATE_INTERRUPT16 0x8600u
#define GATE_TRAP16 0x8700u
#define GATE_TASK 0x8500u
#define GATE_DPL3 0x6000u

struct machine {
    uint8_t memory[MEMORY_BYTES];
    bool absent[PAGE_COUNT];
    bool read_only[PAGE_COUNT];
    bool read_as_user;  /* some read was made as CPL 3 */
    bool wrote_as_user; /* some write was */
    struct x86_state cpu;
    struct cpu_event delivered;
};

/** Everything at rest in that mode, at RIP, with the tables above. */
void machine_long_mode(struct machine *machine);
void machine_protected_mode(struct machine *machine);
void machine_real_mode(struct machine *machine);

/** From there to CPL 3, and to virtual-8086 mode. */
void machine_enter_user(struct machine *machine);
void machine_enter_vm86(struct machine *machine);

void machine_put(struct machine *machine, uint32_t at, uint64_t value,
                 unsigned bytes);
uint64_t machine_get(const struct machine *machine, uint64_t at,
                     unsigned bytes);

/** `attributes` as in struct x86_segment; `limit` as in the descriptor. */
uint64_t machine_descriptor(uint32_t base, uint32_t limit, uint16_t attributes);
struct x86_segment machine_segment(uint16_t selector, uint16_t attributes);
void machine_set_gate(struct machine *machine, uint8_t vector,
                      uint16_t selector, uint64_t offset, uint32_t flags);

struct cpu_event machine_interrupt(uint8_t vector);
struct cpu_event machine_exception(uint8_t vector);
struct cpu_event machine_exception_with_code(uint8_t vector, uint32_t code);
struct cpu_event machine_software(uint8_t vector);

enum event_outcome machine_deliver(struct machine *machine,
                                   struct cpu_event event);

/* The same, with what must come of it. */

void machine_delivers(struct machine *machine, struct cpu_event event);
/** `event` turns into another, which is delivered. */
void machine_makes_of(struct machine *machine, struct cpu_event event,
                      uint8_t vector, uint32_t code);
void machine_shuts_down(struct machine *machine, struct cpu_event event);

/** Asserts `count` items of `bytes` from the stack pointer upwards. */
void machine_has_frame(const struct machine *machine, unsigned bytes,
                       const uint64_t *items, unsigned count);

#endif
