/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * attack: one attack, named by the argument `case`. A result `survived` says
 * that it returned.
 *
 * Arguments: case=NAME; seed=N; and those that a case names.
 */

#include "workloads/attacks/attack.h"

#include "workloads/runtime/args.h"
#include "workloads/runtime/cpu.h"
#include "workloads/runtime/memory.h"
#include "workloads/runtime/paging.h"
#include "workloads/runtime/report.h"
#include "workloads/runtime/runtime.h"
#include "workloads/runtime/string.h"
#include "workloads/runtime/timer.h"
#include "workloads/runtime/x86.h"
#include "workloads/selftest/probe.h"

#define WINDOWS UINT64_C(0x0000310000000000)

_Static_assert(ATTACK_NO_TRAP == PROBE_EXIT, "two names of one vector");

extern const char attack_code_write[];
__asm__(".pushsection .text\n"
        ".globl attack_code_read\n"
        "attack_code_read: mov (%rbx), %rax\n"
        "int $0x81\n"
        "attack_code_write: mov %rax, (%rbx)\n"
        "int $0x81\n"
        ".popsection");

void *attack_window(uint64_t physical)
{
    static uint64_t next = WINDOWS;
    uint64_t at = next;

    next += PAGE_BYTES;
    paging_map(at, physical & PTE_ADDRESS, PTE_PRESENT | PTE_WRITE);
    return (void *)(at + (physical & (PAGE_BYTES - 1)));
}

static unsigned run_probe(const void *code, uint64_t argument, uint64_t value)
{
    struct probe probe = probe_make(code, 0);

    probe.frame.rbx = argument;
    probe.frame.rax = value;
    probe_run(&probe, NULL);
    return (unsigned)probe.frame.vector;
}

unsigned attack_call(const void *address, uint64_t argument)
{
    return run_probe(address, argument, 0);
}

unsigned attack_read(const volatile void *address)
{
    return run_probe(attack_code_read, (uintptr_t)address, 0);
}

unsigned attack_write(volatile void *address, uint64_t value)
{
    return run_probe(attack_code_write, (uintptr_t)address, value);
}

uint64_t attack_random(void)
{
    static uint64_t state;

    if (state == 0)
        state = (args_number("seed", 1) + 1) * UINT64_C(0x9e3779b97f4a7c15);
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return state * UINT64_C(0x2545f4914f6cdd1d);
}

static const struct attack_case *find(const char *name)
{
    static const struct attack_case *const tables[] = {
        attack_memory_cases, attack_interface_cases, attack_interrupt_cases,
        attack_device_cases, attack_code_cases,      attack_vmbus_cases,
    };

    for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++) {
        for (const struct attack_case *c = tables[i]; c->name != NULL; c++) {
            if (strcmp(c->name, name) == 0)
                return c;
        }
    }
    report_fail("no attack is called %s", name);
}

void guest_main(void)
{
    const struct attack_case *chosen = find(args_text("case", "none"));

    timer_stop();
    probe_init();
    x86_cli();
    chosen->run();
    x86_cli();
    report_result("survived", 1, "count");
    report_done();
    cpu_stop(); /* what an attack has left pending stays so */
}
