/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "workloads/selftest/probe.h"

#include <stddef.h>

#include "workloads/runtime/apic.h"
#include "workloads/runtime/boot.h"
#include "workloads/runtime/memory.h"
#include "workloads/runtime/paging.h"
#include "workloads/runtime/segments.h"

#define EXCEPTION_COUNT 32
#define USER_STACK_TOP (PROBE_USER_DATA + UINT64_C(0x10000))
#define STACK_PAGES 2

/* probe_switch.S */
void probe_enter(const struct trap_frame *frame);
_Noreturn void probe_leave(void);

static struct probe *running;
static probe_mend *mend_running;
static uint64_t kernel_stack_top;

static void handle_trap(struct trap_frame *frame)
{
    if (running == NULL)
        trap_unexpected(frame);
    if (mend_running != NULL && mend_running(frame))
        return;
    running->frame = *frame;
    running->cr2 = x86_read_cr2();
    running->dr6 = x86_read_dr6();
    running = NULL;
    probe_leave();
}

static void map_user(uint64_t virtual, uint64_t flags)
{
    paging_map(virtual, (uintptr_t)memory_pages(1),
               flags | PTE_PRESENT | PTE_USER);
}

void probe_init(void)
{
    for (unsigned vector = 0; vector < EXCEPTION_COUNT; vector++) {
        trap_set_handler(vector, handle_trap);
        /* Probes may leave any stack pointer behind them. */
        trap_set_gate(vector, 0, TRAP_IST_DOUBLE_FAULT);
    }
    trap_set_gate(TRAP_NMI, 0, TRAP_IST_NMI);
    probe_catch_software(PROBE_EXIT);

    for (uint64_t at = (uintptr_t)image_start; at < (uintptr_t)image_text_end;
         at += PAGE_BYTES) {
        paging_map(PROBE_USER_TEXT + at, at, PTE_PRESENT | PTE_USER);
        paging_map(PROBE_COMPAT_TEXT + at, at, PTE_PRESENT | PTE_USER);
    }
    map_user(PROBE_USER_DATA, PTE_WRITE | PTE_NX);
    for (unsigned i = 1; i <= STACK_PAGES; i++) {
        map_user(USER_STACK_TOP - i * PAGE_BYTES, PTE_WRITE | PTE_NX);
        map_user(PROBE_COMPAT_STACK - i * PAGE_BYTES, PTE_WRITE | PTE_NX);
    }
    kernel_stack_top = paging_new_stack(STACK_PAGES);
}

void probe_catch_software(unsigned vector)
{
    trap_set_handler(vector, handle_trap);
    trap_set_gate(vector, 3, TRAP_IST_DOUBLE_FAULT);
}

static void handle_interrupt(struct trap_frame *frame)
{
    apic_eoi();
    handle_trap(frame);
}

void probe_catch_interrupt(unsigned vector)
{
    trap_set_handler(vector, handle_interrupt);
    trap_set_gate(vector, 0, TRAP_IST_DOUBLE_FAULT);
}

uint64_t probe_address(const void *code, unsigned ring)
{
    return (uintptr_t)code + (ring == 3 ? PROBE_USER_TEXT : 0);
}

uint64_t probe_stack(unsigned ring)
{
    return ring == 3 ? USER_STACK_TOP : kernel_stack_top;
}

struct probe probe_make(const void *code, unsigned ring)
{
    return (struct probe){
        .frame =
            {
                .rip = probe_address(code, ring),
                .cs = ring == 3 ? SEGMENT_USER_CODE64 : SEGMENT_CODE64,
                .rflags = RFLAGS_FIXED,
                .rsp = probe_stack(ring),
                .ss = ring == 3 ? SEGMENT_USER_DATA : SEGMENT_DATA,
            },
    };
}

void probe_run(struct probe *probe, probe_mend *mend)
{
    struct trap_frame start = probe->frame;
    bool irq = x86_irq_save();

    running = probe;
    mend_running = mend;
    x86_write_dr6(0);
    probe_enter(&start);
    x86_irq_restore(irq);
}
