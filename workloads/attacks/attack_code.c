/* SPDX-License-Identifier: GPL-2.0-or-later */

/* Attacks by code: on translators, on debugging, on what passes for time. */

#include "workloads/attacks/attack.h"
#include "workloads/runtime/apic.h"
#include "workloads/runtime/args.h"
#include "workloads/runtime/cpu.h"
#include "workloads/runtime/memory.h"
#include "workloads/runtime/paging.h"
#include "workloads/runtime/report.h"
#include "workloads/runtime/segments.h"
#include "workloads/runtime/string.h"
#include "workloads/runtime/trap.h"
#include "workloads/runtime/x86.h"
#include "workloads/selftest/probe.h"

#define CODE UINT64_C(0x0000350000000000)
#define OPCODE_NOP 0x90
#define OPCODE_RET 0xc3

X86_DEBUG_REGISTER(0)
X86_DEBUG_REGISTER(1)
X86_DEBUG_REGISTER(2)
X86_DEBUG_REGISTER(3)
X86_DEBUG_REGISTER(7)

/* Pages that may be written and executed, at CODE. */
static uint8_t *make_code(size_t pages)
{
    uint8_t *memory = memory_pages(pages);

    for (size_t i = 0; i < pages; i++)
        paging_map(CODE + i * PAGE_BYTES, (uintptr_t)memory + i * PAGE_BYTES,
                   PTE_PRESENT | PTE_WRITE | PTE_USER);
    return memory;
}

static void call(uint64_t address, void *rax)
{
    __asm__ volatile("call *%1" : "+a"(rax) : "r"(address) : "memory", "cc");
}

/* Straight lines of the code that takes most room in a translator: ADD to
 * memory, two bytes, from every start. */
static void run_dense(void)
{
    static uint64_t target;
    uint8_t *code = make_code(1);

    memset(code, 0, PAGE_BYTES); /* add %al, (%rax) */
    code[PAGE_BYTES - 2] = OPCODE_RET;
    for (unsigned start = 0; start < PAGE_BYTES - 2; start += 64)
        call(CODE + start, &target);
}

/* Megabytes of code that nobody has seen before, without a branch. */
static void run_long(void)
{
    size_t pages = (size_t)args_number("pages", 256);
    uint8_t *code = make_code(pages);

    for (size_t i = 0; i + 8 < pages * PAGE_BYTES; i += 5) {
        code[i] = 0x05; /* add $n, %eax */
        memcpy(code + i + 1, &i, 4);
    }
    memset(code + pages * PAGE_BYTES - 16, OPCODE_NOP, 16);
    code[pages * PAGE_BYTES - 1] = OPCODE_RET;
    for (unsigned round = 0; round < 3; round++)
        call(CODE, NULL);
}

/* A sea of zeros that writes to itself as it is executed. */
static void run_self_writing(void)
{
    uint8_t *code = make_code(1);

    memset(code, 0, PAGE_BYTES);
    code[PAGE_BYTES - 1] = OPCODE_RET;
    code[PAGE_BYTES - 2] = OPCODE_NOP;
    for (unsigned round = 0; round < 2; round++)
        call(CODE, code + PAGE_BYTES / 2);
}

static uint8_t *shared_code;
static uint32_t stop; /* atomic */

static void patch(void)
{
    while (!__atomic_load_n(&stop, __ATOMIC_ACQUIRE)) {
        for (unsigned value = 0; value < 256; value++)
            ((volatile uint8_t *)shared_code)[1] = (uint8_t)value;
    }
    cpu_stop();
}

/* Code that the others change all the time: mov $n, %al; ret. */
static void run_patched(void)
{
    shared_code = make_code(1);
    shared_code[0] = 0xb0;
    shared_code[2] = OPCODE_RET;
    cpu_start_all(patch);
    x86_cli();
    for (unsigned round = 0; round < 5000; round++)
        call(CODE, NULL);
    __atomic_store_n(&stop, 1, __ATOMIC_RELEASE);
}

static uint64_t steps;

static bool count_steps(struct trap_frame *frame)
{
    if (frame->vector != TRAP_DB)
        return false;
    steps++;
    return true;
}

/* Every instruction of a piece of code that does all sorts, stepped. */
static void run_single_step(void)
{
    extern const char attack_code_mixed[];
    static uint64_t stored;

    for (unsigned round = 0; round < 50; round++) {
        struct probe probe = probe_make(attack_code_mixed, 0);

        probe.frame.rflags |= RFLAGS_TF;
        probe.frame.r12 = (uintptr_t)&stored;
        probe_run(&probe, count_steps);
        if (probe.frame.vector != ATTACK_NO_TRAP)
            report_fail("stepping ended by vector %lu", probe.frame.vector);
    }
    report_result("steps", steps, "count");
}

__asm__(".pushsection .text\n"
        "attack_code_mixed:\n"
        "mov $20, %esi\n"
        "1: cpuid\n"
        "rdtsc\n"
        "mov $0x40000000, %ecx\n"
        "rdmsr\n"
        "pause\n"
        "mov $0x3fd, %edx\n"
        "in %dx, %al\n"
        "pushfq\n"
        "popfq\n"
        "mov %ss, %eax\n"
        "mov %eax, %ss\n"
        "nop\n"
        "mov %cr3, %rax\n"
        "mov %rax, %cr3\n"
        "xor %ecx, %ecx\n"
        "mov $8, %cl\n"
        "mov %r12, %rdi\n"
        "rep stosb\n"
        "dec %esi\n"
        "jnz 1b\n"
        "int $0x81\n"
        ".popsection");

/* Breakpoints of every kind, on everything. */
static void run_breakpoints(void)
{
    extern const char attack_code_mixed[];
    static uint64_t watched[4];

    for (unsigned round = 0; round < 300; round++) {
        struct probe probe = probe_make(attack_code_mixed, 0);

        x86_write_dr0((uintptr_t)attack_code_mixed + attack_random() % 40);
        x86_write_dr1((uintptr_t)&watched[attack_random() % 4]);
        x86_write_dr2(attack_random());
        x86_write_dr3((uintptr_t)&steps);
        x86_write_dr7(attack_random() & 0xffff27ff);
        probe.frame.r12 = (uintptr_t)watched;
        probe.frame.rflags |= attack_random() & RFLAGS_TF;
        probe_run(&probe, count_steps);
        x86_write_dr7(0);
    }
    x86_write_dr7(0x400);
}

/* Floating-point exceptions of all kinds, unmasked. */
static void run_floating_point(void)
{
    extern const char attack_code_x87[], attack_code_sse[], attack_code_state[];
    uint32_t *mxcsr = (uint32_t *)memory_pages(1);

    x86_write_cr0(x86_read_cr0() | CR0_NE);
    for (uint32_t masks = 0; masks < 64; masks++) {
        *mxcsr = masks << 7;
        (void)attack_call(attack_code_x87, (uintptr_t)mxcsr);
        (void)attack_call(attack_code_sse, (uintptr_t)mxcsr);
    }
    for (unsigned round = 0; round < 200; round++) {
        uint64_t *image = (uint64_t *)(uintptr_t)mxcsr;

        for (unsigned i = 0; i < 64; i++)
            image[i] = attack_random();
        (void)attack_call(attack_code_state, (uintptr_t)mxcsr);
    }
    __asm__ volatile("fninit");
}

__asm__(".pushsection .text\n"
        "attack_code_x87:\n"
        "fninit\n"
        "movw $0x40, (%rbx)\n"
        "fldcw (%rbx)\n"
        "fldz\n"
        "fld1\n"
        "fdiv %st(1), %st\n"
        "fwait\n"
        "fldz\n"
        "fldz\n"
        "fdivp\n"
        "fsqrt\n"
        "fwait\n"
        "int $0x81\n"
        "attack_code_sse:\n"
        "ldmxcsr (%rbx)\n"
        "xorps %xmm0, %xmm0\n"
        "divps %xmm0, %xmm0\n"
        "sqrtpd %xmm0, %xmm1\n"
        "cvttsd2si %xmm0, %rax\n"
        "int $0x81\n"
        "attack_code_state:\n"
        "frstor (%rbx)\n"
        "fwait\n"
        "fxrstor (%rbx)\n"
        "fadd %st(3), %st\n"
        "fwait\n"
        "addps %xmm1, %xmm2\n"
        "xrstor (%rbx)\n"
        "int $0x81\n"
        ".popsection");

/* 32-bit code whose RIP came with an upper half: the processor drops it. */
static void run_far_to_compatibility(void)
{
    extern const char attack_code_far[], attack_code_far_target[];

    paging_map(
        (uintptr_t)attack_code_far_target & ~UINT64_C(0xfff) & UINT32_MAX,
        (uintptr_t)attack_code_far_target & ~UINT64_C(0xfff), PTE_PRESENT);
    if (attack_call(attack_code_far, (uintptr_t)attack_code_far_target |
                                         UINT64_C(0x300000000000)) !=
        ATTACK_NO_TRAP)
        report_fail("IRETQ did not drop the upper half of RIP");
}

__asm__(".pushsection .text\n"
        "attack_code_far:\n"
        "mov %rsp, %rax\n"
        "pushq $0x10\n"
        "push %rax\n"
        "pushfq\n"
        "pushq $0x48\n"
        "push %rbx\n"
        "iretq\n"
        ".code32\n"
        "attack_code_far_target:\n"
        "int $0x81\n"
        ".code64\n"
        ".popsection");

static void run_cpuid_loop(void)
{
    for (;;)
        __asm__ volatile("cpuid" : : : "rax", "rbx", "rcx", "rdx");
}

static void run_rdtsc_loop(void)
{
    for (;;)
        (void)x86_rdtsc();
}

static void run_pause_loop(void)
{
    for (;;)
        x86_pause();
}

static void run_jump_loop(void)
{
    __asm__ volatile("1: jmp 1b");
}

static void run_halt(void)
{
    cpu_stop();
}

/* A fault whose handler faults, for ever, without a double fault: the guest
 * returns to the faulting instruction. */
static bool again(struct trap_frame *frame)
{
    return frame->vector == TRAP_PF;
}

static void run_fault_loop(void)
{
    struct probe probe = probe_make(attack_code_read, 0);

    probe.frame.rbx = UINT64_C(0x0000360000000000);
    probe_run(&probe, again);
}

/* A loop of one instruction that faults by itself: the gate of #UD leads to
 * UD2. */
static void run_ud_loop(void)
{
    static uint8_t *code;
    static uint64_t idt[512] __attribute__((aligned(16)));
    struct segments_pointer pointer = {sizeof(idt) - 1, (uintptr_t)idt};

    code = make_code(1);
    code[0] = 0x0f;
    code[1] = 0x0b;
    for (unsigned vector = 0; vector < 256; vector++) {
        idt[2 * vector] = (CODE & 0xffff) | UINT64_C(0x8e0300080000) |
                          (CODE >> 16 & 0xffff) << 48;
        idt[2 * vector + 1] = CODE >> 32;
    }
    cpu_current()->segments.tss.ist[2] = (uintptr_t)memory_pages(2) + 8192;
    __asm__ volatile("lidt %0\n\tud2" : : "m"(pointer));
}

const struct attack_case attack_code_cases[] = {
    {"dense", run_dense},
    {"long", run_long},
    {"self-writing", run_self_writing},
    {"patched", run_patched},
    {"single-step", run_single_step},
    {"breakpoints", run_breakpoints},
    {"floating-point", run_floating_point},
    {"far-to-compatibility", run_far_to_compatibility},
    {"cpuid-loop", run_cpuid_loop},
    {"rdtsc-loop", run_rdtsc_loop},
    {"pause-loop", run_pause_loop},
    {"jump-loop", run_jump_loop},
    {"halt", run_halt},
    {"fault-loop", run_fault_loop},
    {"ud-loop", run_ud_loop},
    {NULL, NULL},
};
