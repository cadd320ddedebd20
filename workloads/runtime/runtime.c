/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "workloads/runtime/runtime.h"

#include "workloads/runtime/apic.h"
#include "workloads/runtime/args.h"
#include "workloads/runtime/clock.h"
#include "workloads/runtime/console.h"
#include "workloads/runtime/cpu.h"
#include "workloads/runtime/hyperv.h"
#include "workloads/runtime/memory.h"
#include "workloads/runtime/paging.h"
#include "workloads/runtime/timer.h"
#include "workloads/runtime/trap.h"

static void handle_spurious(struct trap_frame *frame)
{
    (void)frame; /* a spurious interrupt wants no EOI */
}

_Noreturn void runtime_main(uint32_t magic, uint32_t info)
{
    cpu_init_first();
    console_init();
    args_init(memory_init(magic, info));
    paging_init();
    trap_init();
    trap_set_handler(APIC_VECTOR_SPURIOUS, handle_spurious);
    apic_mask_legacy();
    cpu_load();
    hyperv_init();
    clock_init();
    timer_init();
    x86_sti();
    guest_main();
    cpu_idle_forever();
}
