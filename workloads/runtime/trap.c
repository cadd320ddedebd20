/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "workloads/runtime/trap.h"

#include "workloads/runtime/console.h"
#include "workloads/runtime/cpu.h"
#include "workloads/runtime/report.h"
#include "workloads/runtime/segments.h"

#define VECTOR_COUNT 256
#define STUB_BYTES 16
#define GATE_PRESENT 0x80
#define GATE_INTERRUPT 0x8e /* present, 64-bit interrupt gate, DPL 0 */

struct gate {
    uint16_t offset_low;
    uint16_t selector;
    uint8_t ist;
    uint8_t type;
    uint16_t offset_middle;
    uint32_t offset_high;
    uint32_t reserved;
};

extern char trap_stubs[];
/* Called by trap_entry.S alone. */
void trap_dispatch(struct trap_frame *frame);

static struct gate idt[VECTOR_COUNT] __attribute__((aligned(16)));
static trap_handler *handlers[VECTOR_COUNT];

void trap_init(void)
{
    for (unsigned vector = 0; vector < VECTOR_COUNT; vector++) {
        uint64_t stub = (uintptr_t)trap_stubs + vector * STUB_BYTES;

        idt[vector] = (struct gate){
            .offset_low = (uint16_t)stub,
            .selector = SEGMENT_CODE64,
            .type = GATE_INTERRUPT,
            .offset_middle = (uint16_t)(stub >> 16),
            .offset_high = (uint32_t)(stub >> 32),
        };
    }
    idt[TRAP_DF].ist = TRAP_IST_DOUBLE_FAULT;
    idt[TRAP_NMI].ist = TRAP_IST_NMI;
}

void trap_load(void)
{
    struct segments_pointer pointer = {sizeof(idt) - 1, (uintptr_t)idt};

    __asm__ volatile("lidt %0" : : "m"(pointer));
}

trap_handler *trap_set_handler(unsigned vector, trap_handler *handler)
{
    trap_handler *before = handlers[vector];

    handlers[vector] = handler;
    return before;
}

void trap_set_gate(unsigned vector, unsigned privilege, unsigned ist)
{
    idt[vector].type = (uint8_t)(GATE_INTERRUPT | privilege << 5);
    idt[vector].ist = (uint8_t)ist;
}

void trap_set_present(unsigned vector, bool is_present)
{
    if (is_present)
        idt[vector].type |= GATE_PRESENT;
    else
        idt[vector].type &= (uint8_t)~GATE_PRESENT;
}

void trap_dispatch(struct trap_frame *frame)
{
    trap_handler *handler = handlers[frame->vector];

    cpu_note_wakeup();
    if (handler == NULL)
        trap_unexpected(frame);
    handler(frame);
}

_Noreturn void trap_unexpected(const struct trap_frame *frame)
{
    const struct trap_frame *f = frame;

    console_printf("rax %016lx rbx %016lx rcx %016lx rdx %016lx\n", f->rax,
                   f->rbx, f->rcx, f->rdx);
    console_printf("rsi %016lx rdi %016lx rbp %016lx rsp %016lx\n", f->rsi,
                   f->rdi, f->rbp, f->rsp);
    console_printf("r8  %016lx r9  %016lx r10 %016lx r11 %016lx\n", f->r8,
                   f->r9, f->r10, f->r11);
    console_printf("r12 %016lx r13 %016lx r14 %016lx r15 %016lx\n", f->r12,
                   f->r13, f->r14, f->r15);
    console_printf("cs %04lx ss %04lx rflags %08lx cr0 %08lx cr4 %08lx\n",
                   f->cs, f->ss, f->rflags, x86_read_cr0(), x86_read_cr4());
    report_fail("unexpected trap %lu, error code 0x%lx, at 0x%lx, cr2 0x%lx, "
                "processor %u",
                f->vector, f->error, f->rip, x86_read_cr2(),
                cpu_current()->index);
}
