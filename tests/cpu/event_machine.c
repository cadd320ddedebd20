/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/cpu/event_machine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* The memory interface. */

static bool touch(const struct machine *machine, uint64_t at, uint32_t bytes,
                  bool write, struct cpu_event *fault)
{
    for (uint64_t i = at; i < at + bytes; i++) {
        uint64_t page = i / 0x1000;

        if (page < PAGE_COUNT && !machine->absent[page] &&
            !(write && machine->read_only[page]))
            continue;
        *fault = (struct cpu_event){
            .type = EVENT_TYPE_EXCEPTION,
            .vector = X86_VECTOR_PF,
            .has_error_code = true,
            .error_code = write ? PF_WRITE : 0,
            .cr2 = i,
        };
        return false;
    }
    return true;
}

static bool read_memory(void *context, gva_t from, void *to, uint32_t bytes,
                        bool user, struct cpu_event *fault)
{
    struct machine *machine = context;

    if (!touch(machine, from.raw, bytes, false, fault))
        return false;
    machine->read_as_user |= user;
    memcpy(to, machine->memory + from.raw, bytes);
    return true;
}

static bool write_memory(void *context, gva_t to, const void *from,
                         uint32_t bytes, bool user, struct cpu_event *fault)
{
    struct machine *machine = context;

    if (!touch(machine, to.raw, bytes, true, fault))
        return false;
    machine->wrote_as_user |= user;
    memcpy(machine->memory + to.raw, from, bytes);
    return true;
}

enum event_outcome machine_deliver(struct machine *machine,
                                   struct cpu_event event)
{
    const struct event_memory memory = {
        .context = machine, .read = read_memory, .write = write_memory};

    return event_deliver(&machine->cpu, &memory, &event, &machine->delivered);
}

/* Tables. */

void machine_put(struct machine *machine, uint32_t at, uint64_t value,
                 unsigned bytes)
{
    memcpy(machine->memory + at, &value, bytes);
}

uint64_t machine_get(const struct machine *machine, uint64_t at, unsigned bytes)
{
    uint64_t value = 0;

    assert_true(at + bytes <= MEMORY_BYTES);
    memcpy(&value, machine->memory + at, bytes);
    return value;
}

/* `attributes` as in struct x86_segment; `limit` as in the descriptor. */
uint64_t machine_descriptor(uint32_t base, uint32_t limit, uint16_t attributes)
{
    return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 |
           (uint64_t)attributes << 40 | (uint64_t)(limit & 0xf0000) << 32 |
           (uint64_t)(base & 0xff000000) << 32;
}

struct x86_segment machine_segment(uint16_t selector, uint16_t attributes)
{
    return (struct x86_segment){
        .limit = UINT32_MAX, .selector = selector, .attributes = attributes};
}

void machine_set_gate(struct machine *machine, uint8_t vector,
                      uint16_t selector, uint64_t offset, uint32_t flags)
{
    bool long_mode = x86_long_mode(&machine->cpu);
    uint32_t at = IDT + vector * (long_mode ? 16u : 8u);

    machine_put(machine, at, (offset & 0xffff) | (uint64_t)selector << 16, 4);
    machine_put(machine, at + 4, (offset & 0xffff0000) | flags, 4);
    if (long_mode)
        machine_put(machine, at + 8, offset >> 32, 8);
}

static void fill_gdt(struct machine *machine)
{
    static const struct {
        uint16_t selector;
        uint32_t limit;
        uint16_t attributes;
    } entries[] = {
        {SEL_CODE64, 0xfffff, 0xa09b},
        {SEL_DATA, 0xfffff, 0xc093},
        {SEL_USER_DATA, 0xfffff, 0xc0f3},
        {SEL_USER_CODE64, 0xfffff, 0xa0fb},
        {SEL_CONFORMING64, 0xfffff, 0xa09f},
        {SEL_CODE32, 0xfffff, 0xc09b},
        {SEL_USER_CODE32, 0xfffff, 0xc0fb},
        {SEL_CONFORMING32, 0xfffff, 0xc09f},
        {SEL_DATA16, 0xffff, 0x0093},
        {SEL_ABSENT_CODE, 0xfffff, 0xa01b},
        {SEL_SHORT_CODE32, 0xff, 0x409b},
        {SEL_SHORT_DATA, KERNEL_STACK - 9, 0x4093},
        {SEL_ABSENT_DATA, 0xfffff, 0xc013},
        {SEL_READ_ONLY, 0xfffff, 0xc091},
        {SEL_EXPAND_DOWN, KERNEL_STACK - 21, 0x4097},
        {SEL_FRESH_CODE64, 0xfffff, 0xa09a},
        {SEL_DPL1_CODE32, 0xfffff, 0xc0bb},
        {SEL_TSS, 0x67, 0x008b},
    };

    for (unsigned i = 0; i < sizeof(entries) / sizeof(entries[0]); i++)
        machine_put(
            machine, GDT + entries[i].selector,
            machine_descriptor(0, entries[i].limit, entries[i].attributes), 8);
    machine_put(machine, LDT + 8, machine_descriptor(0, 0xfffff, 0xc09b), 8);
}

static void fill_idt(struct machine *machine, uint16_t selector)
{
    for (unsigned vector = 0; vector < 256; vector++)
        machine_set_gate(machine, (uint8_t)vector, selector, HANDLER + vector,
                         GATE_INTERRUPT);
}

static void set_up_common(struct machine *machine)
{
    struct x86_state *cpu = &machine->cpu;

    memset(machine, 0, sizeof(*machine));
    x86_reset(cpu);
    cpu->cr0 = CR0_PE | CR0_PG;
    cpu->rflags = RFLAGS_FIXED | RFLAGS_IF;
    cpu->rip = RIP;
    cpu->gdtr = (struct x86_table){.base = GDT, .limit = SEL_END - 1};
    cpu->idtr = (struct x86_table){.base = IDT, .limit = 0xfff};
    cpu->tr = (struct x86_segment){
        .base = TSS, .limit = 0x67, .selector = SEL_TSS, .attributes = 0x8b};
    cpu->ldtr = (struct x86_segment){
        .base = LDT, .limit = 0xf, .selector = SEL_LDT, .attributes = 0x82};
    cpu->gpr[X86_RSP] = KERNEL_STACK;
    fill_gdt(machine);
}

void machine_long_mode(struct machine *machine)
{
    struct x86_state *cpu = &machine->cpu;

    set_up_common(machine);
    cpu->efer = EFER_LME | EFER_LMA;
    cpu->segment[X86_CS] = machine_segment(SEL_CODE64, 0xa09b);
    cpu->segment[X86_SS] = machine_segment(SEL_DATA, 0xc093);
    fill_idt(machine, SEL_CODE64);
    machine_put(machine, TSS + 4, KERNEL_STACK, 8); /* RSP0 */
    machine_put(machine, TSS + 36, IST_STACK, 8);   /* IST1 */
}

void machine_protected_mode(struct machine *machine)
{
    struct x86_state *cpu = &machine->cpu;

    set_up_common(machine);
    cpu->idtr.limit = 0x7ff;
    cpu->segment[X86_CS] = machine_segment(SEL_CODE32, 0xc09b);
    cpu->segment[X86_SS] = machine_segment(SEL_DATA, 0xc093);
    fill_idt(machine, SEL_CODE32);
    machine_put(machine, TSS + 4, KERNEL_STACK, 4); /* ESP0 */
    machine_put(machine, TSS + 8, SEL_DATA, 2);     /* SS0 */
}

void machine_enter_user(struct machine *machine)
{
    struct x86_state *cpu = &machine->cpu;
    bool long_mode = x86_long_mode(cpu);

    cpu->segment[X86_CS] = long_mode
                               ? machine_segment(SEL_USER_CODE64 | 3, 0xa0fb)
                               : machine_segment(SEL_USER_CODE32 | 3, 0xc0fb);
    cpu->segment[X86_SS] = machine_segment(SEL_USER_DATA | 3, 0xc0f3);
    cpu->gpr[X86_RSP] = USER_STACK;
}

void machine_enter_vm86(struct machine *machine)
{
    struct x86_state *cpu = &machine->cpu;

    cpu->rflags |= RFLAGS_VM;
    for (unsigned i = 0; i < X86_SEGMENT_COUNT; i++)
        cpu->segment[i] =
            (struct x86_segment){.base = (0x100 + i) << 4,
                                 .limit = 0xffff,
                                 .selector = (uint16_t)(0x100 + i),
                                 .attributes = 0xf3};
    cpu->gpr[X86_RSP] = 0xffe;
}

void machine_real_mode(struct machine *machine)
{
    struct x86_state *cpu = &machine->cpu;

    memset(machine, 0, sizeof(*machine));
    x86_reset(cpu);
    cpu->segment[X86_CS].base = 0x12340;
    cpu->segment[X86_CS].selector = 0x1234;
    cpu->idtr = (struct x86_table){.base = 0, .limit = 0x3ff};
    cpu->gpr[X86_RSP] = KERNEL_STACK;
    cpu->rip = RIP;
    cpu->rflags = RFLAGS_FIXED | RFLAGS_IF | RFLAGS_TF | RFLAGS_AC;
    for (uint32_t vector = 0; vector < 256; vector++)
        machine_put(machine, vector * 4,
                    (0x1000 + vector) | UINT64_C(0xf00) << 16, 4);
}

/* Events. */

struct cpu_event machine_interrupt(uint8_t vector)
{
    return (struct cpu_event){.type = EVENT_TYPE_INTERRUPT, .vector = vector};
}

struct cpu_event machine_exception(uint8_t vector)
{
    return (struct cpu_event){.type = EVENT_TYPE_EXCEPTION, .vector = vector};
}

struct cpu_event machine_exception_with_code(uint8_t vector, uint32_t code)
{
    return (struct cpu_event){.type = EVENT_TYPE_EXCEPTION,
                              .vector = vector,
                              .has_error_code = true,
                              .error_code = code};
}

struct cpu_event machine_software(uint8_t vector)
{
    return (struct cpu_event){.type = EVENT_TYPE_SOFTWARE_INTERRUPT,
                              .vector = vector,
                              .instruction_bytes = 2};
}

void machine_delivers(struct machine *machine, struct cpu_event event)
{
    assert_int_equal(machine_deliver(machine, event), EVENT_DELIVERED);
    assert_int_equal(machine->delivered.vector, event.vector);
    assert_int_equal(machine->cpu.rip, HANDLER + event.vector);
}

/* `event` turns into another, which is delivered. */
void machine_makes_of(struct machine *machine, struct cpu_event event,
                      uint8_t vector, uint32_t code)
{
    assert_int_equal(machine_deliver(machine, event), EVENT_DELIVERED);
    assert_int_equal(machine->delivered.vector, vector);
    assert_true(machine->delivered.has_error_code);
    assert_int_equal(machine->delivered.error_code, code);
    assert_int_equal(machine->cpu.rip & 0xff, vector);
}

void machine_shuts_down(struct machine *machine, struct cpu_event event)
{
    struct x86_state before = machine->cpu;

    assert_int_equal(machine_deliver(machine, event), EVENT_SHUTDOWN);
    assert_memory_equal(&machine->cpu, &before, sizeof(before));
}

/* Checks `count` items of `bytes` from the stack pointer upwards. */
void machine_has_frame(const struct machine *machine, unsigned bytes,
                       const uint64_t *items, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(
            machine_get(machine, machine->cpu.gpr[X86_RSP] + i * bytes, bytes),
            items[i]);
}
