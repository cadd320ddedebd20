/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * selftest-triple: a triple fault, which must end in a shutdown that the
 * simulator reports; nothing may run after it.
 *
 * Argument: cause=idt (default: no IDT at all) or cause=stack (no stack for
 * the double fault).
 * Results: triple.armed 1 before it; a `hvsim: fail` line after it.
 */

#include "workloads/runtime/args.h"
#include "workloads/runtime/cpu.h"
#include "workloads/runtime/report.h"
#include "workloads/runtime/runtime.h"
#include "workloads/runtime/segments.h"
#include "workloads/runtime/string.h"
#include "workloads/runtime/x86.h"

#define NO_STACK UINT64_C(0x0000210000300000) /* not mapped */

void guest_main(void)
{
    struct segments_pointer none = {0, 0};

    report_result("triple.armed", 1, "count");
    x86_cli();
    if (strcmp(args_text("cause", "idt"), "stack") == 0)
        cpu_current()->segments.tss.ist[0] = NO_STACK;
    else
        __asm__ volatile("lidt %0" : : "m"(none));
    __asm__ volatile("mov %0, %%rsp\n\tpush %%rax" : : "r"(NO_STACK));
    report_fail("still running after a triple fault");
}
