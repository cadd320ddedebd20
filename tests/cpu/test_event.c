/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/event.h"

/*
 * A processor over 128 KiB of linear memory. All gates lead to HANDLER plus
 * their vector; pages can be made absent, and then fault as #PF.
 */
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

static enum event_outcome deliver(struct machine *machine,
                                  struct cpu_event event)
{
    const struct event_memory memory = {
        .context = machine, .read = read_memory, .write = write_memory};

    return event_deliver(&machine->cpu, &memory, &event, &machine->delivered);
}

/* Tables. */

static void put(struct machine *machine, uint32_t at, uint64_t value,
                unsigned bytes)
{
    memcpy(machine->memory + at, &value, bytes);
}

static uint64_t get(const struct machine *machine, uint64_t at, unsigned bytes)
{
    uint64_t value = 0;

    assert_true(at + bytes <= MEMORY_BYTES);
    memcpy(&value, machine->memory + at, bytes);
    return value;
}

/* `attributes` as in struct x86_segment; `limit` as in the descriptor. */
static uint64_t descriptor(uint32_t base, uint32_t limit, uint16_t attributes)
{
    return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 |
           (uint64_t)attributes << 40 | (uint64_t)(limit & 0xf0000) << 32 |
           (uint64_t)(base & 0xff000000) << 32;
}

static struct x86_segment segment(uint16_t selector, uint16_t attributes)
{
    return (struct x86_segment){
        .limit = UINT32_MAX, .selector = selector, .attributes = attributes};
}

static void set_gate(struct machine *machine, uint8_t vector, uint16_t selector,
                     uint64_t offset, uint32_t flags)
{
    bool long_mode = x86_long_mode(&machine->cpu);
    uint32_t at = IDT + vector * (long_mode ? 16u : 8u);

    put(machine, at, (offset & 0xffff) | (uint64_t)selector << 16, 4);
    put(machine, at + 4, (offset & 0xffff0000) | flags, 4);
    if (long_mode)
        put(machine, at + 8, offset >> 32, 8);
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
        put(machine, GDT + entries[i].selector,
            descriptor(0, entries[i].limit, entries[i].attributes), 8);
    put(machine, LDT + 8, descriptor(0, 0xfffff, 0xc09b), 8);
}

static void fill_idt(struct machine *machine, uint16_t selector)
{
    for (unsigned vector = 0; vector < 256; vector++)
        set_gate(machine, (uint8_t)vector, selector, HANDLER + vector,
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

static void set_up_long(struct machine *machine)
{
    struct x86_state *cpu = &machine->cpu;

    set_up_common(machine);
    cpu->efer = EFER_LME | EFER_LMA;
    cpu->segment[X86_CS] = segment(SEL_CODE64, 0xa09b);
    cpu->segment[X86_SS] = segment(SEL_DATA, 0xc093);
    fill_idt(machine, SEL_CODE64);
    put(machine, TSS + 4, KERNEL_STACK, 8); /* RSP0 */
    put(machine, TSS + 36, IST_STACK, 8);   /* IST1 */
}

static void set_up_protected(struct machine *machine)
{
    struct x86_state *cpu = &machine->cpu;

    set_up_common(machine);
    cpu->idtr.limit = 0x7ff;
    cpu->segment[X86_CS] = segment(SEL_CODE32, 0xc09b);
    cpu->segment[X86_SS] = segment(SEL_DATA, 0xc093);
    fill_idt(machine, SEL_CODE32);
    put(machine, TSS + 4, KERNEL_STACK, 4); /* ESP0 */
    put(machine, TSS + 8, SEL_DATA, 2);     /* SS0 */
}

static void enter_user(struct machine *machine)
{
    struct x86_state *cpu = &machine->cpu;
    bool long_mode = x86_long_mode(cpu);

    cpu->segment[X86_CS] = long_mode ? segment(SEL_USER_CODE64 | 3, 0xa0fb)
                                     : segment(SEL_USER_CODE32 | 3, 0xc0fb);
    cpu->segment[X86_SS] = segment(SEL_USER_DATA | 3, 0xc0f3);
    cpu->gpr[X86_RSP] = USER_STACK;
}

static void enter_vm86(struct machine *machine)
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

static void set_up_real(struct machine *machine)
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
        put(machine, vector * 4, (0x1000 + vector) | UINT64_C(0xf00) << 16, 4);
}

/* Events. */

static struct cpu_event interrupt(uint8_t vector)
{
    return (struct cpu_event){.type = EVENT_TYPE_INTERRUPT, .vector = vector};
}

static struct cpu_event exception(uint8_t vector)
{
    return (struct cpu_event){.type = EVENT_TYPE_EXCEPTION, .vector = vector};
}

static struct cpu_event exception_with_code(uint8_t vector, uint32_t code)
{
    return (struct cpu_event){.type = EVENT_TYPE_EXCEPTION,
                              .vector = vector,
                              .has_error_code = true,
                              .error_code = code};
}

static struct cpu_event software(uint8_t vector)
{
    return (struct cpu_event){.type = EVENT_TYPE_SOFTWARE_INTERRUPT,
                              .vector = vector,
                              .instruction_bytes = 2};
}

static void assert_delivers(struct machine *machine, struct cpu_event event)
{
    assert_int_equal(deliver(machine, event), EVENT_DELIVERED);
    assert_int_equal(machine->delivered.vector, event.vector);
    assert_int_equal(machine->cpu.rip, HANDLER + event.vector);
}

/* `event` turns into another, which is delivered. */
static void assert_becomes(struct machine *machine, struct cpu_event event,
                           uint8_t vector, uint32_t code)
{
    assert_int_equal(deliver(machine, event), EVENT_DELIVERED);
    assert_int_equal(machine->delivered.vector, vector);
    assert_true(machine->delivered.has_error_code);
    assert_int_equal(machine->delivered.error_code, code);
    assert_int_equal(machine->cpu.rip & 0xff, vector);
}

static void assert_shuts_down(struct machine *machine, struct cpu_event event)
{
    struct x86_state before = machine->cpu;

    assert_int_equal(deliver(machine, event), EVENT_SHUTDOWN);
    assert_memory_equal(&machine->cpu, &before, sizeof(before));
}

/* Checks `count` items of `bytes` from the stack pointer upwards. */
static void assert_frame(const struct machine *machine, unsigned bytes,
                         const uint64_t *items, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        assert_int_equal(
            get(machine, machine->cpu.gpr[X86_RSP] + i * bytes, bytes),
            items[i]);
}

/* Long mode. */

static void long_mode_pushes_five_quadwords_on_an_aligned_stack(void **state)
{
    struct machine machine;
    const uint64_t frame[] = {RIP, SEL_CODE64, RFLAGS_FIXED | RFLAGS_IF,
                              KERNEL_STACK - 3, SEL_DATA};

    (void)state;
    set_up_long(&machine);
    machine.cpu.gpr[X86_RSP] = KERNEL_STACK - 3;
    machine.cpu.interrupt_shadow = true;
    assert_delivers(&machine, interrupt(0x41));
    assert_int_equal(machine.cpu.gpr[X86_RSP], KERNEL_STACK - 16 - 40);
    assert_frame(&machine, 8, frame, 5);
    assert_int_equal(machine.cpu.rflags, RFLAGS_FIXED);
    assert_int_equal(machine.cpu.segment[X86_SS].selector, SEL_DATA);
    assert_false(machine.cpu.interrupt_shadow);
}

static void a_trap_gate_leaves_interrupts_enabled(void **state)
{
    struct machine machine;

    (void)state;
    set_up_long(&machine);
    machine.cpu.rflags |=
        RFLAGS_TF | RFLAGS_NT | RFLAGS_RF | RFLAGS_AC | RFLAGS_DF;
    set_gate(&machine, 0x41, SEL_CODE64, HANDLER + 0x41, GATE_TRAP);
    assert_delivers(&machine, interrupt(0x41));
    assert_int_equal(machine.cpu.rflags,
                     RFLAGS_FIXED | RFLAGS_IF | RFLAGS_AC | RFLAGS_DF);
}

static void from_user_mode_the_stack_comes_from_the_tss(void **state)
{
    struct machine machine;
    const uint64_t frame[] = {0x77,
                              RIP,
                              SEL_USER_CODE64 | 3,
                              RFLAGS_FIXED | RFLAGS_IF | RFLAGS_RF,
                              USER_STACK,
                              SEL_USER_DATA | 3};

    (void)state;
    set_up_long(&machine);
    enter_user(&machine);
    assert_delivers(&machine, exception_with_code(X86_VECTOR_GP, 0x77));
    assert_int_equal(machine.cpu.gpr[X86_RSP], KERNEL_STACK - 48);
    assert_frame(&machine, 8, frame, 6);
    assert_int_equal(machine.cpu.segment[X86_CS].selector, SEL_CODE64);
    assert_int_equal(machine.cpu.segment[X86_SS].selector, 0);
    assert_int_equal(x86_cpl(&machine.cpu), 0);
    assert_true(x86_64bit_code(&machine.cpu));
    assert_false(machine.read_as_user || machine.wrote_as_user);
}

static void an_ist_stack_is_used_at_any_privilege(void **state)
{
    struct machine machine;

    (void)state;
    set_up_long(&machine);
    set_gate(&machine, X86_VECTOR_NMI, SEL_CODE64, HANDLER + X86_VECTOR_NMI,
             GATE_INTERRUPT | 1);
    assert_delivers(&machine, (struct cpu_event){.type = EVENT_TYPE_NMI,
                                                 .vector = X86_VECTOR_NMI});
    assert_int_equal(machine.cpu.gpr[X86_RSP], IST_STACK - 40);
    assert_int_equal(machine.cpu.segment[X86_SS].selector, SEL_DATA);
    assert_true(machine.cpu.nmi_masked);
}

static void a_conforming_handler_keeps_the_privilege(void **state)
{
    struct machine machine;

    (void)state;
    set_up_long(&machine);
    enter_user(&machine);
    set_gate(&machine, 0x41, SEL_CONFORMING64, HANDLER + 0x41, GATE_INTERRUPT);
    assert_delivers(&machine, interrupt(0x41));
    assert_int_equal(x86_cpl(&machine.cpu), 3);
    assert_int_equal(machine.cpu.segment[X86_CS].selector,
                     SEL_CONFORMING64 | 3);
    assert_int_equal(machine.cpu.gpr[X86_RSP], USER_STACK - 40);
    assert_true(machine.wrote_as_user);
    assert_false(machine.read_as_user);
}

static void software_interrupts_return_behind_the_instruction(void **state)
{
    struct machine machine;

    (void)state;
    set_up_long(&machine);
    assert_delivers(&machine, software(0x80));
    assert_int_equal(get(&machine, machine.cpu.gpr[X86_RSP], 8), RIP + 2);
    set_up_long(&machine);
    assert_delivers(&machine,
                    (struct cpu_event){.type = EVENT_TYPE_SOFTWARE_EXCEPTION,
                                       .vector = X86_VECTOR_BP,
                                       .instruction_bytes = 1});
    assert_int_equal(get(&machine, machine.cpu.gpr[X86_RSP], 8), RIP + 1);
}

static void software_interrupts_need_the_gates_privilege(void **state)
{
    struct machine machine;

    (void)state;
    set_up_long(&machine);
    enter_user(&machine);
    assert_becomes(&machine, software(0x80), X86_VECTOR_GP, 0x80 * 8 + 2);
    assert_int_equal(get(&machine, machine.cpu.gpr[X86_RSP] + 8, 8), RIP);

    set_up_long(&machine);
    enter_user(&machine);
    set_gate(&machine, 0x80, SEL_CODE64, HANDLER + 0x80, GATE_TRAP | GATE_DPL3);
    assert_delivers(&machine, software(0x80));

    set_up_long(&machine);
    enter_user(&machine);
    assert_becomes(&machine,
                   (struct cpu_event){.type = EVENT_TYPE_SOFTWARE_EXCEPTION,
                                      .vector = X86_VECTOR_BP,
                                      .instruction_bytes = 1},
                   X86_VECTOR_GP, X86_VECTOR_BP * 8 + 2);

    set_up_long(&machine);
    enter_user(&machine);
    assert_delivers(
        &machine,
        (struct cpu_event){.type = EVENT_TYPE_PRIVILEGED_SOFTWARE_EXCEPTION,
                           .vector = X86_VECTOR_DB,
                           .instruction_bytes = 1});
    assert_int_equal(get(&machine, machine.cpu.gpr[X86_RSP], 8), RIP + 1);
}

static void assert_gate_fault(uint16_t selector, uint64_t offset,
                              uint32_t flags, uint8_t vector, uint32_t code)
{
    struct machine machine;

    set_up_long(&machine);
    set_gate(&machine, 0x41, selector, offset, flags);
    assert_becomes(&machine, interrupt(0x41), vector, code);
}

static void bad_gates_and_code_segments_name_themselves(void **state)
{
    const uint32_t gate = 0x41 * 8 + 3;
    const uint32_t good = GATE_INTERRUPT;

    (void)state;
    assert_gate_fault(SEL_CODE64, HANDLER, 0x0e00, X86_VECTOR_NP, gate);
    assert_gate_fault(SEL_CODE64, HANDLER, 0x8600, X86_VECTOR_GP, gate);
    assert_gate_fault(SEL_CODE64, HANDLER, 0x8500, X86_VECTOR_GP, gate);
    assert_gate_fault(SEL_CODE64, HANDLER, 0x9e00, X86_VECTOR_GP, gate);
    assert_gate_fault(0, HANDLER, good, X86_VECTOR_GP, 1);
    assert_gate_fault(3, HANDLER, good, X86_VECTOR_GP, 1);
    assert_gate_fault(SEL_DATA, HANDLER, good, X86_VECTOR_GP, SEL_DATA | 1);
    assert_gate_fault(SEL_CODE32, HANDLER, good, X86_VECTOR_GP, SEL_CODE32 | 1);
    assert_gate_fault(SEL_USER_CODE64 | 3, HANDLER, good, X86_VECTOR_GP,
                      SEL_USER_CODE64 | 1);
    assert_gate_fault(SEL_ABSENT_CODE, HANDLER, good, X86_VECTOR_NP,
                      SEL_ABSENT_CODE | 1);
    assert_gate_fault(SEL_END, HANDLER, good, X86_VECTOR_GP, SEL_END | 1);
    assert_gate_fault(0x1c, HANDLER, good, X86_VECTOR_GP, 0x1d);
    assert_gate_fault(SEL_CODE64, UINT64_C(0x800000000000), good, X86_VECTOR_GP,
                      1);
}

static void a_vector_beyond_the_idt_is_a_protection_fault(void **state)
{
    struct machine machine;

    (void)state;
    set_up_long(&machine);
    machine.cpu.idtr.limit = 0x41 * 16 + 14;
    assert_becomes(&machine, interrupt(0x41), X86_VECTOR_GP, 0x41 * 8 + 3);
    set_up_long(&machine);
    machine.cpu.idtr.limit = 0x41 * 16 + 14;
    assert_becomes(&machine, software(0x41), X86_VECTOR_GP, 0x41 * 8 + 2);
}

static void the_last_vector_of_a_table_can_be_used(void **state)
{
    struct machine machine;

    (void)state;
    set_up_long(&machine);
    machine.cpu.idtr.limit = 0x41 * 16 + 15;
    assert_delivers(&machine, interrupt(0x41));
    set_up_protected(&machine);
    machine.cpu.idtr.limit = 0x41 * 8 + 7;
    assert_delivers(&machine, interrupt(0x41));
    set_up_real(&machine);
    machine.cpu.idtr.limit = 0x41 * 4 + 3;
    assert_int_equal(deliver(&machine, interrupt(0x41)), EVENT_DELIVERED);
    assert_int_equal(machine.cpu.rip, 0x1041);
}

static void an_absent_table_is_a_page_fault(void **state)
{
    struct machine machine;

    (void)state;
    set_up_long(&machine);
    machine.absent[IDT / 0x1000 + 1] = true;
    assert_becomes(&machine, interrupt(0x90), X86_VECTOR_PF, 0);
    assert_int_equal(machine.cpu.cr2, IDT + 0x900);
    set_up_protected(&machine);
    machine.absent[LDT / 0x1000] = true;
    set_gate(&machine, 0x41, SEL_IN_LDT, HANDLER + 0x41, GATE_INTERRUPT);
    assert_becomes(&machine, interrupt(0x41), X86_VECTOR_PF, 0);
    assert_int_equal(machine.cpu.cr2, LDT + 8);
}

static void a_short_tss_is_an_invalid_tss(void **state)
{
    struct machine machine;

    (void)state;
    set_up_long(&machine);
    enter_user(&machine);
    machine.cpu.tr.limit = 10;
    set_gate(&machine, X86_VECTOR_TS, SEL_CONFORMING64, HANDLER + X86_VECTOR_TS,
             GATE_INTERRUPT);
    assert_becomes(&machine, interrupt(0x41), X86_VECTOR_TS, SEL_TSS | 1);
    set_up_long(&machine);
    machine.cpu.tr.limit = 42;
    set_gate(&machine, 0x41, SEL_CODE64, HANDLER, GATE_INTERRUPT | 1);
    assert_becomes(&machine, interrupt(0x41), X86_VECTOR_TS, SEL_TSS | 1);
}

static void a_non_canonical_stack_is_a_stack_fault(void **state)
{
    struct machine machine;

    (void)state;
    set_up_long(&machine);
    put(&machine, TSS + 36, UINT64_C(0x800000000010), 8);
    set_gate(&machine, 0x41, SEL_CODE64, HANDLER, GATE_INTERRUPT | 1);
    assert_becomes(&machine, interrupt(0x41), X86_VECTOR_SS, 1);
    /* The frame may end at the top of either half. */
    set_up_long(&machine);
    put(&machine, TSS + 36, UINT64_C(0x800000000000), 8);
    set_gate(&machine, 0x41, SEL_CODE64, HANDLER, GATE_INTERRUPT | 1);
    assert_becomes(&machine, interrupt(0x41), X86_VECTOR_PF, PF_WRITE);
    assert_int_equal(machine.cpu.cr2, UINT64_C(0x7fffffffffd8));
}

static void loading_a_segment_marks_it_accessed(void **state)
{
    struct machine machine;

    (void)state;
    set_up_long(&machine);
    set_gate(&machine, 0x41, SEL_FRESH_CODE64, HANDLER + 0x41, GATE_INTERRUPT);
    assert_delivers(&machine, interrupt(0x41));
    assert_int_equal(get(&machine, GDT + SEL_FRESH_CODE64 + 5, 1), 0x9b);
    assert_int_equal(machine.cpu.segment[X86_CS].attributes, 0xa09b);
    assert_false(machine.wrote_as_user);

    set_up_long(&machine);
    machine.read_only[GDT / 0x1000] = true;
    set_gate(&machine, 0x41, SEL_FRESH_CODE64, HANDLER + 0x41, GATE_INTERRUPT);
    assert_becomes(&machine, interrupt(0x41), X86_VECTOR_PF, PF_WRITE);
    assert_int_equal(machine.cpu.cr2, GDT + SEL_FRESH_CODE64 + 5);
}

static void marking_an_inner_stack_accessed_may_fault(void **state)
{
    struct machine machine;

    (void)state;
    set_up_protected(&machine);
    enter_user(&machine);
    put(&machine, GDT + SEL_DATA, descriptor(0, 0xfffff, 0xc092), 8);
    assert_delivers(&machine, interrupt(0x41));
    assert_int_equal(get(&machine, GDT + SEL_DATA + 5, 1), 0x93);

    set_up_protected(&machine);
    enter_user(&machine);
    put(&machine, GDT + SEL_DATA, descriptor(0, 0xfffff, 0xc092), 8);
    machine.read_only[GDT / 0x1000] = true;
    set_gate(&machine, X86_VECTOR_PF, SEL_USER_CODE32, HANDLER + X86_VECTOR_PF,
             GATE_INTERRUPT);
    assert_becomes(&machine, interrupt(0x41), X86_VECTOR_PF, PF_WRITE);
}

static void a_system_descriptor_is_no_code_segment(void **state)
{
    struct machine machine;

    (void)state;
    set_up_protected(&machine);
    set_gate(&machine, 0x41, SEL_TSS, HANDLER + 0x41, GATE_INTERRUPT);
    assert_becomes(&machine, interrupt(0x41), X86_VECTOR_GP, SEL_TSS | 1);
}

/* RF, DR6 and CR2. */

static uint64_t pushed_rflags(struct cpu_event event)
{
    struct machine machine;

    set_up_long(&machine);
    assert_delivers(&machine, event);
    return get(&machine,
               machine.cpu.gpr[X86_RSP] + (event.has_error_code ? 24 : 16), 8);
}

static void faults_and_only_faults_set_rf_in_the_frame(void **state)
{
    struct cpu_event debug = exception(X86_VECTOR_DB);

    (void)state;
    assert_true(pushed_rflags(exception(X86_VECTOR_UD)) & RFLAGS_RF);
    assert_true(pushed_rflags(exception(X86_VECTOR_DE)) & RFLAGS_RF);
    assert_true(pushed_rflags(exception_with_code(X86_VECTOR_PF, 0)) &
                RFLAGS_RF);
    assert_false(pushed_rflags(exception_with_code(X86_VECTOR_DF, 0)) &
                 RFLAGS_RF);
    assert_false(pushed_rflags(interrupt(13)) & RFLAGS_RF);
    assert_false(pushed_rflags(software(6)) & RFLAGS_RF);
    assert_false(pushed_rflags(debug) & RFLAGS_RF);
    debug.dr6 = UINT64_C(1) << 13;
    assert_true(pushed_rflags(debug) & RFLAGS_RF);
}

static void a_debug_exception_fills_dr6_and_ends_general_detect(void **state)
{
    struct machine machine;
    struct cpu_event debug = exception(X86_VECTOR_DB);

    (void)state;
    set_up_long(&machine);
    debug.dr6 = UINT64_C(1) << 14;
    machine.cpu.dr[6] |= 1;
    machine.cpu.dr[7] |= UINT64_C(1) << 13;
    assert_delivers(&machine, debug);
    assert_int_equal(machine.cpu.dr[6], 0xffff4ff1);
    assert_int_equal(machine.cpu.dr[7], 0x400);
}

static void a_page_fault_loads_cr2(void **state)
{
    struct machine machine;
    struct cpu_event fault = exception_with_code(X86_VECTOR_PF, PF_WRITE);

    (void)state;
    set_up_long(&machine);
    fault.cr2 = 0x123456789a;
    assert_delivers(&machine, fault);
    assert_int_equal(machine.cpu.cr2, 0x123456789a);
    assert_int_equal(get(&machine, machine.cpu.gpr[X86_RSP], 8), PF_WRITE);
}

/* Chains. */

static void make_stack_absent(struct machine *machine)
{
    machine->absent[(KERNEL_STACK - 1) / 0x1000] = true;
    set_gate(machine, X86_VECTOR_DF, SEL_CODE64, HANDLER + X86_VECTOR_DF,
             GATE_INTERRUPT | 1);
}

static void a_page_fault_on_a_page_fault_is_a_double_fault(void **state)
{
    struct machine machine;
    struct cpu_event fault = exception_with_code(X86_VECTOR_PF, 0);

    (void)state;
    set_up_long(&machine);
    make_stack_absent(&machine);
    fault.cr2 = 0x42;
    assert_becomes(&machine, fault, X86_VECTOR_DF, 0);
    assert_int_equal(machine.cpu.cr2, KERNEL_STACK - 48);
    assert_int_equal(machine.cpu.gpr[X86_RSP], IST_STACK - 48);
    assert_int_equal(get(&machine, machine.cpu.gpr[X86_RSP] + 8, 8), RIP);
}

static void a_page_fault_on_an_interrupt_is_delivered_instead(void **state)
{
    struct machine machine;

    (void)state;
    set_up_long(&machine);
    make_stack_absent(&machine);
    set_gate(&machine, X86_VECTOR_PF, SEL_CODE64, HANDLER + X86_VECTOR_PF,
             GATE_INTERRUPT | 1);
    assert_becomes(&machine, interrupt(0x41), X86_VECTOR_PF, PF_WRITE);
    assert_int_equal(machine.cpu.cr2, KERNEL_STACK - 40);
}

static void
a_page_fault_on_a_contributory_one_is_delivered_instead(void **state)
{
    struct machine machine;

    (void)state;
    set_up_long(&machine);
    make_stack_absent(&machine);
    set_gate(&machine, X86_VECTOR_PF, SEL_CODE64, HANDLER + X86_VECTOR_PF,
             GATE_INTERRUPT | 1);
    assert_becomes(&machine, exception_with_code(X86_VECTOR_GP, 0),
                   X86_VECTOR_PF, PF_WRITE);
}

static void two_contributory_exceptions_are_a_double_fault(void **state)
{
    struct machine machine;

    (void)state;
    set_up_long(&machine);
    set_gate(&machine, X86_VECTOR_DE, SEL_DATA, HANDLER, GATE_INTERRUPT);
    assert_becomes(&machine, exception(X86_VECTOR_DE), X86_VECTOR_DF, 0);
    /* Of the second kind, on the way to a benign one: delivered itself. */
    set_up_long(&machine);
    set_gate(&machine, X86_VECTOR_UD, SEL_DATA, HANDLER, GATE_INTERRUPT);
    assert_becomes(&machine, exception(X86_VECTOR_UD), X86_VECTOR_GP,
                   SEL_DATA | 1);
    /* A contributory one on a page fault. */
    set_up_long(&machine);
    set_gate(&machine, X86_VECTOR_PF, SEL_DATA, HANDLER, GATE_INTERRUPT);
    assert_becomes(&machine, exception_with_code(X86_VECTOR_PF, 0),
                   X86_VECTOR_DF, 0);
}

static void a_fault_on_a_double_fault_shuts_down(void **state)
{
    struct machine machine;

    (void)state;
    set_up_long(&machine);
    machine.absent[(KERNEL_STACK - 1) / 0x1000] = true;
    assert_shuts_down(&machine, interrupt(0x41));
    set_up_long(&machine);
    machine.cpu.idtr.limit = 0;
    assert_shuts_down(&machine, exception(X86_VECTOR_UD));
    set_up_long(&machine);
    machine.absent[IDT / 0x1000] = true;
    assert_shuts_down(&machine, software(3));
}

/* Protected mode. */

static void protected_mode_pushes_three_doublewords(void **state)
{
    struct machine machine;
    const uint64_t frame[] = {0x77, RIP, SEL_CODE32,
                              RFLAGS_FIXED | RFLAGS_IF | RFLAGS_RF};

    (void)state;
    set_up_protected(&machine);
    assert_delivers(&machine, exception_with_code(X86_VECTOR_GP, 0x77));
    assert_int_equal(machine.cpu.gpr[X86_RSP], KERNEL_STACK - 16);
    assert_frame(&machine, 4, frame, 4);
    assert_int_equal(machine.cpu.rflags, RFLAGS_FIXED);
}

static void a_16_bit_gate_pushes_words(void **state)
{
    struct machine machine;
    const uint64_t frame[] = {RIP, SEL_CODE32, RFLAGS_FIXED | RFLAGS_IF};

    (void)state;
    set_up_protected(&machine);
    set_gate(&machine, 0x41, SEL_CODE32, HANDLER | 0x141, GATE_INTERRUPT16);
    assert_int_equal(deliver(&machine, interrupt(0x41)), EVENT_DELIVERED);
    assert_int_equal(machine.cpu.rip, 0x141);
    assert_int_equal(machine.cpu.gpr[X86_RSP], KERNEL_STACK - 6);
    assert_frame(&machine, 2, frame, 3);
    set_up_protected(&machine);
    set_gate(&machine, 0x41, SEL_CODE32, HANDLER | 0x141, GATE_TRAP16);
    assert_int_equal(deliver(&machine, interrupt(0x41)), EVENT_DELIVERED);
    assert_frame(&machine, 2, frame, 3);
    assert_int_equal(machine.cpu.rflags, RFLAGS_FIXED | RFLAGS_IF);
}

static void tables_wrap_at_4_gib_outside_long_mode(void **state)
{
    struct machine machine;

    (void)state;
    set_up_protected(&machine);
    machine.cpu.idtr.base |= UINT64_C(1) << 32;
    machine.cpu.gdtr.base |= UINT64_C(1) << 32;
    assert_delivers(&machine, interrupt(0x41));
}

static void an_absent_stack_of_protected_mode_is_a_page_fault(void **state)
{
    struct machine machine;

    (void)state;
    set_up_protected(&machine);
    enter_user(&machine);
    machine.absent[(KERNEL_STACK - 1) / 0x1000] = true;
    set_gate(&machine, X86_VECTOR_PF, SEL_USER_CODE32, HANDLER + X86_VECTOR_PF,
             GATE_INTERRUPT);
    assert_becomes(&machine, interrupt(0x41), X86_VECTOR_PF, PF_WRITE);
    assert_int_equal(machine.cpu.cr2, KERNEL_STACK - 4);
}

static void an_inner_ring_gets_its_stack_from_a_32_bit_tss(void **state)
{
    struct machine machine;
    const uint64_t frame[] = {RIP, SEL_USER_CODE32 | 3,
                              RFLAGS_FIXED | RFLAGS_IF, USER_STACK,
                              SEL_USER_DATA | 3};

    (void)state;
    set_up_protected(&machine);
    enter_user(&machine);
    assert_delivers(&machine, interrupt(0x41));
    assert_int_equal(machine.cpu.gpr[X86_RSP], KERNEL_STACK - 20);
    assert_frame(&machine, 4, frame, 5);
    assert_int_equal(machine.cpu.segment[X86_SS].selector, SEL_DATA);
    assert_int_equal(machine.cpu.segment[X86_SS].limit, UINT32_MAX);
    assert_int_equal(x86_cpl(&machine.cpu), 0);
    assert_false(machine.wrote_as_user);
}

static void an_inner_ring_gets_its_stack_from_a_16_bit_tss(void **state)
{
    struct machine machine;

    (void)state;
    set_up_protected(&machine);
    enter_user(&machine);
    machine.cpu.tr.attributes = 0x83;
    machine.cpu.tr.limit = 0x2b;
    put(&machine, TSS + 2, KERNEL_STACK, 2);
    put(&machine, TSS + 4, SEL_DATA, 2);
    assert_delivers(&machine, interrupt(0x41));
    assert_int_equal(machine.cpu.gpr[X86_RSP], KERNEL_STACK - 20);
}

static void assert_stack_fault(uint16_t selector, uint8_t vector, uint32_t code)
{
    struct machine machine;
    uint16_t handler = SEL_CODE32;

    set_up_protected(&machine);
    enter_user(&machine);
    put(&machine, TSS + 8, selector, 2);
    /* The fault itself is handled at the user's own level. */
    set_gate(&machine, vector, SEL_USER_CODE32, HANDLER + vector,
             GATE_INTERRUPT);
    set_gate(&machine, 0x41, handler, HANDLER + 0x41, GATE_INTERRUPT);
    assert_becomes(&machine, interrupt(0x41), vector, code);
}

static void bad_stack_segments_name_themselves(void **state)
{
    (void)state;
    assert_stack_fault(0, X86_VECTOR_TS, 1);
    assert_stack_fault(SEL_DATA | 1, X86_VECTOR_TS, SEL_DATA | 1);
    assert_stack_fault(SEL_USER_DATA, X86_VECTOR_TS, SEL_USER_DATA | 1);
    assert_stack_fault(SEL_CODE32, X86_VECTOR_TS, SEL_CODE32 | 1);
    assert_stack_fault(SEL_READ_ONLY, X86_VECTOR_TS, SEL_READ_ONLY | 1);
    assert_stack_fault(SEL_END, X86_VECTOR_TS, SEL_END | 1);
    assert_stack_fault(SEL_ABSENT_DATA, X86_VECTOR_SS, SEL_ABSENT_DATA | 1);
    assert_stack_fault(SEL_SHORT_DATA, X86_VECTOR_SS, SEL_SHORT_DATA | 1);
}

static void a_tss_of_no_known_kind_is_invalid(void **state)
{
    struct machine machine;

    (void)state;
    set_up_protected(&machine);
    enter_user(&machine);
    set_gate(&machine, X86_VECTOR_TS, SEL_USER_CODE32, HANDLER + X86_VECTOR_TS,
             GATE_INTERRUPT);
    machine.cpu.tr.attributes = 0;
    assert_becomes(&machine, interrupt(0x41), X86_VECTOR_TS, SEL_TSS | 1);
    set_up_protected(&machine);
    enter_user(&machine);
    set_gate(&machine, X86_VECTOR_TS, SEL_USER_CODE32, HANDLER + X86_VECTOR_TS,
             GATE_INTERRUPT);
    machine.cpu.tr.limit = 8;
    assert_becomes(&machine, interrupt(0x41), X86_VECTOR_TS, SEL_TSS | 1);
}

static void an_expand_down_stack_is_limited_from_below(void **state)
{
    struct machine machine;

    (void)state;
    set_up_protected(&machine);
    enter_user(&machine);
    put(&machine, TSS + 8, SEL_EXPAND_DOWN, 2);
    assert_delivers(&machine, interrupt(0x41));
    set_up_protected(&machine);
    enter_user(&machine);
    put(&machine, TSS + 8, SEL_EXPAND_DOWN, 2);
    put(&machine, TSS + 4, KERNEL_STACK - 4, 4);
    set_gate(&machine, X86_VECTOR_SS, SEL_USER_CODE32, HANDLER + X86_VECTOR_SS,
             GATE_INTERRUPT);
    assert_becomes(&machine, interrupt(0x41), X86_VECTOR_SS,
                   SEL_EXPAND_DOWN | 1);
}

static void a_16_bit_stack_moves_only_sp(void **state)
{
    struct machine machine;

    (void)state;
    set_up_protected(&machine);
    machine.cpu.segment[X86_SS] = (struct x86_segment){
        .limit = 0xffff, .selector = SEL_DATA16, .attributes = 0x93};
    machine.cpu.gpr[X86_RSP] = 0xabcd0000 | 4;
    assert_delivers(&machine, interrupt(0x41));
    assert_int_equal(machine.cpu.gpr[X86_RSP], 0xabcdfff8);
    assert_int_equal(get(&machine, 0, 4), RFLAGS_FIXED | RFLAGS_IF);
    assert_int_equal(get(&machine, 0xfff8, 4), RIP);
}

static void a_handler_beyond_its_segment_is_a_protection_fault(void **state)
{
    struct machine machine;

    (void)state;
    set_up_protected(&machine);
    set_gate(&machine, 0x41, SEL_SHORT_CODE32, 0x100, GATE_INTERRUPT);
    assert_becomes(&machine, interrupt(0x41), X86_VECTOR_GP, 1);
    set_up_protected(&machine);
    set_gate(&machine, 0x41, SEL_SHORT_CODE32, 0xff, GATE_INTERRUPT);
    assert_int_equal(deliver(&machine, interrupt(0x41)), EVENT_DELIVERED);
    assert_int_equal(machine.cpu.rip, 0xff);
}

static void code_segments_of_the_ldt_work(void **state)
{
    struct machine machine;

    (void)state;
    set_up_protected(&machine);
    set_gate(&machine, 0x41, SEL_IN_LDT, HANDLER + 0x41, GATE_INTERRUPT);
    assert_delivers(&machine, interrupt(0x41));
    assert_int_equal(machine.cpu.segment[X86_CS].selector, SEL_IN_LDT);
    set_up_protected(&machine);
    machine.cpu.ldtr.selector = 0;
    set_gate(&machine, 0x41, SEL_IN_LDT, HANDLER + 0x41, GATE_INTERRUPT);
    assert_becomes(&machine, interrupt(0x41), X86_VECTOR_GP, SEL_IN_LDT | 1);
}

static void a_task_gate_is_reported_and_changes_nothing(void **state)
{
    struct machine machine;
    struct x86_state before;

    (void)state;
    set_up_protected(&machine);
    set_gate(&machine, X86_VECTOR_DF, SEL_TSS, 0, GATE_TASK);
    before = machine.cpu;
    assert_int_equal(deliver(&machine, exception_with_code(X86_VECTOR_DF, 0)),
                     EVENT_TASK_GATE);
    assert_memory_equal(&machine.cpu, &before, sizeof(before));
    set_gate(&machine, 0x41, SEL_TSS, 0, 0x0500);
    assert_becomes(&machine, interrupt(0x41), X86_VECTOR_NP, 0x41 * 8 + 3);
}

/* Virtual-8086 mode. */

static void virtual_8086_mode_is_left_for_ring_0(void **state)
{
    struct machine machine;
    const uint64_t frame[] = {
        RIP,   0x101, RFLAGS_FIXED | RFLAGS_IF | RFLAGS_VM,
        0xffe, 0x102, 0x100,
        0x103, 0x104, 0x105};

    (void)state;
    set_up_protected(&machine);
    enter_vm86(&machine);
    assert_delivers(&machine, interrupt(0x41));
    assert_int_equal(machine.cpu.gpr[X86_RSP], KERNEL_STACK - 36);
    assert_frame(&machine, 4, frame, 9);
    assert_int_equal(x86_cpl(&machine.cpu), 0);
    assert_int_equal(machine.cpu.rflags, RFLAGS_FIXED);
    assert_int_equal(machine.cpu.segment[X86_DS].selector, 0);
    assert_int_equal(machine.cpu.segment[X86_GS].attributes, 0);
}

static void virtual_8086_mode_enters_no_other_ring(void **state)
{
    struct machine machine;

    (void)state;
    set_up_protected(&machine);
    enter_vm86(&machine);
    set_gate(&machine, 0x41, SEL_DPL1_CODE32, HANDLER, GATE_INTERRUPT);
    assert_becomes(&machine, interrupt(0x41), X86_VECTOR_GP,
                   SEL_DPL1_CODE32 | 1);
    set_up_protected(&machine);
    enter_vm86(&machine);
    set_gate(&machine, 0x41, SEL_CONFORMING32, HANDLER, GATE_INTERRUPT);
    assert_becomes(&machine, interrupt(0x41), X86_VECTOR_GP,
                   SEL_CONFORMING32 | 1);
}

static void int_n_of_virtual_8086_mode_needs_iopl_3(void **state)
{
    struct machine machine;

    (void)state;
    set_up_protected(&machine);
    enter_vm86(&machine);
    assert_becomes(&machine, software(0x21), X86_VECTOR_GP, 0);
    set_up_protected(&machine);
    enter_vm86(&machine);
    machine.cpu.rflags |= UINT64_C(3) << RFLAGS_IOPL_SHIFT;
    set_gate(&machine, 0x21, SEL_CODE32, HANDLER + 0x21,
             GATE_INTERRUPT | GATE_DPL3);
    assert_delivers(&machine, software(0x21));
}

/* Real mode. */

static void real_mode_pushes_three_words(void **state)
{
    struct machine machine;
    const uint64_t frame[] = {RIP + 2, 0x1234,
                              RFLAGS_FIXED | RFLAGS_IF | RFLAGS_TF};

    (void)state;
    set_up_real(&machine);
    assert_int_equal(deliver(&machine, software(0x10)), EVENT_DELIVERED);
    assert_int_equal(machine.cpu.gpr[X86_RSP], KERNEL_STACK - 6);
    assert_frame(&machine, 2, frame, 3);
    assert_int_equal(machine.cpu.rip, 0x1010);
    assert_int_equal(machine.cpu.segment[X86_CS].selector, 0xf00);
    assert_int_equal(machine.cpu.segment[X86_CS].base, 0xf000);
    assert_int_equal(machine.cpu.rflags, RFLAGS_FIXED);
}

static void real_mode_pushes_no_error_code(void **state)
{
    struct machine machine;

    (void)state;
    set_up_real(&machine);
    assert_int_equal(deliver(&machine, exception_with_code(X86_VECTOR_GP, 5)),
                     EVENT_DELIVERED);
    assert_int_equal(machine.cpu.gpr[X86_RSP], KERNEL_STACK - 6);
}

static void real_mode_checks_the_table_and_the_stack(void **state)
{
    struct machine machine;

    (void)state;
    set_up_real(&machine);
    machine.cpu.idtr.limit = 0x3f;
    assert_int_equal(deliver(&machine, interrupt(0x10)), EVENT_DELIVERED);
    assert_int_equal(machine.delivered.vector, X86_VECTOR_GP);
    set_up_real(&machine);
    machine.cpu.gpr[X86_RSP] = 1;
    assert_shuts_down(&machine, interrupt(0x10));
    set_up_real(&machine);
    machine.cpu.gpr[X86_RSP] = 2;
    assert_int_equal(deliver(&machine, interrupt(0x10)), EVENT_DELIVERED);
    assert_int_equal(machine.cpu.gpr[X86_RSP], 0xfffc);
}

static void exceptions_that_push_an_error_code_are_known(void **state)
{
    static const uint8_t with[] = {8, 10, 11, 12, 13, 14, 17, 21, 29, 30};
    unsigned next = 0;

    (void)state;
    for (unsigned vector = 0; vector < 256; vector++) {
        bool expected = next < sizeof(with) && with[next] == vector;

        assert_int_equal(event_has_error_code((uint8_t)vector), expected);
        next += expected;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(long_mode_pushes_five_quadwords_on_an_aligned_stack),
        cmocka_unit_test(a_trap_gate_leaves_interrupts_enabled),
        cmocka_unit_test(from_user_mode_the_stack_comes_from_the_tss),
        cmocka_unit_test(an_ist_stack_is_used_at_any_privilege),
        cmocka_unit_test(a_conforming_handler_keeps_the_privilege),
        cmocka_unit_test(software_interrupts_return_behind_the_instruction),
        cmocka_unit_test(software_interrupts_need_the_gates_privilege),
        cmocka_unit_test(bad_gates_and_code_segments_name_themselves),
        cmocka_unit_test(a_vector_beyond_the_idt_is_a_protection_fault),
        cmocka_unit_test(the_last_vector_of_a_table_can_be_used),
        cmocka_unit_test(an_absent_table_is_a_page_fault),
        cmocka_unit_test(a_short_tss_is_an_invalid_tss),
        cmocka_unit_test(a_non_canonical_stack_is_a_stack_fault),
        cmocka_unit_test(loading_a_segment_marks_it_accessed),
        cmocka_unit_test(marking_an_inner_stack_accessed_may_fault),
        cmocka_unit_test(a_system_descriptor_is_no_code_segment),
        cmocka_unit_test(faults_and_only_faults_set_rf_in_the_frame),
        cmocka_unit_test(a_debug_exception_fills_dr6_and_ends_general_detect),
        cmocka_unit_test(a_page_fault_loads_cr2),
        cmocka_unit_test(a_page_fault_on_a_page_fault_is_a_double_fault),
        cmocka_unit_test(a_page_fault_on_an_interrupt_is_delivered_instead),
        cmocka_unit_test(
            a_page_fault_on_a_contributory_one_is_delivered_instead),
        cmocka_unit_test(two_contributory_exceptions_are_a_double_fault),
        cmocka_unit_test(a_fault_on_a_double_fault_shuts_down),
        cmocka_unit_test(protected_mode_pushes_three_doublewords),
        cmocka_unit_test(a_16_bit_gate_pushes_words),
        cmocka_unit_test(tables_wrap_at_4_gib_outside_long_mode),
        cmocka_unit_test(an_absent_stack_of_protected_mode_is_a_page_fault),
        cmocka_unit_test(an_inner_ring_gets_its_stack_from_a_32_bit_tss),
        cmocka_unit_test(an_inner_ring_gets_its_stack_from_a_16_bit_tss),
        cmocka_unit_test(bad_stack_segments_name_themselves),
        cmocka_unit_test(a_tss_of_no_known_kind_is_invalid),
        cmocka_unit_test(an_expand_down_stack_is_limited_from_below),
        cmocka_unit_test(a_16_bit_stack_moves_only_sp),
        cmocka_unit_test(a_handler_beyond_its_segment_is_a_protection_fault),
        cmocka_unit_test(code_segments_of_the_ldt_work),
        cmocka_unit_test(a_task_gate_is_reported_and_changes_nothing),
        cmocka_unit_test(virtual_8086_mode_is_left_for_ring_0),
        cmocka_unit_test(virtual_8086_mode_enters_no_other_ring),
        cmocka_unit_test(int_n_of_virtual_8086_mode_needs_iopl_3),
        cmocka_unit_test(real_mode_pushes_three_words),
        cmocka_unit_test(real_mode_pushes_no_error_code),
        cmocka_unit_test(real_mode_checks_the_table_and_the_stack),
        cmocka_unit_test(exceptions_that_push_an_error_code_are_known),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
