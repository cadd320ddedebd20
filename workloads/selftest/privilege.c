/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * selftest-privilege: the fast ways in and out of ring 0, from 64-bit and
 * from compatibility mode, and who may touch I/O ports and IF.
 *
 * SYSENTER in long mode and SYSCALL in compatibility mode depend on the
 * maker of the processor; the test follows CPUID's vendor string.
 */

#include "workloads/runtime/args.h"
#include "workloads/runtime/cpu.h"
#include "workloads/runtime/memory.h"
#include "workloads/runtime/runtime.h"
#include "workloads/runtime/segments.h"
#include "workloads/runtime/string.h"
#include "workloads/selftest/probe.h"
#include "workloads/selftest/selftest.h"

#define VENDOR_AMD_EBX 0x68747541u /* "Auth" */
#define CPUID_1_EDX_SEP (1u << 11)
#define PORT_LINE_STATUS 0x3fd
#define PORT_DATA 0x3f8
#define IO_BITMAP_BYTES (65536 / 8 + 1)
#define FLAG_BITS (RFLAGS_CF | RFLAGS_ZF | RFLAGS_DF)

extern const char ring_syscall[], ring_syscall_next[], ring_sysenter[];
extern const char ring_sysret64[], ring_sysret32[];
extern const char ring_sysexit64[], ring_sysexit32[], ring_landing[];
extern const char ring_in_byte[], ring_in_word[], ring_cli[], ring_compat[];

#define LANDED 2 /* INT's own length */

static bool vendor_is_amd(void)
{
    return x86_cpuid(0, 0).ebx == VENDOR_AMD_EBX;
}

static uint64_t compat_address(const void *code)
{
    return PROBE_COMPAT_TEXT + (uintptr_t)code;
}

static struct probe compat_probe(const void *code)
{
    struct probe probe = probe_make(code, 3);

    probe.frame.rip = compat_address(code);
    probe.frame.cs = SEGMENT_USER_CODE32;
    probe.frame.rsp = PROBE_COMPAT_STACK;
    return probe;
}

static void set_entry_points(void)
{
    uint64_t landing = (uintptr_t)ring_landing;

    x86_wrmsr(MSR_EFER, x86_rdmsr(MSR_EFER) | EFER_SCE);
    x86_wrmsr(MSR_STAR, (uint64_t)(SEGMENT_USER_CODE32 & ~3) << 48 |
                            (uint64_t)SEGMENT_CODE64 << 32);
    x86_wrmsr(MSR_LSTAR, landing);
    x86_wrmsr(MSR_CSTAR, landing);
    x86_wrmsr(MSR_SFMASK, RFLAGS_DF | RFLAGS_IF);
    x86_wrmsr(MSR_SYSENTER_CS, SEGMENT_CODE64);
    x86_wrmsr(MSR_SYSENTER_ESP, probe_stack(0) - 128);
    x86_wrmsr(MSR_SYSENTER_EIP, landing);
}

static void check_entry(const struct probe *probe, const char *name)
{
    selftest_equal(probe->frame.vector, PROBE_EXIT, "%s: vector", name);
    selftest_equal(probe->frame.rip, (uintptr_t)ring_landing + LANDED,
                   "%s: RIP", name);
    selftest_equal(probe->frame.cs, SEGMENT_CODE64, "%s: CS", name);
    selftest_equal(probe->frame.ss, SEGMENT_DATA, "%s: SS", name);
}

static void check_syscall(struct probe probe, const char *name)
{
    uint64_t flags = RFLAGS_FIXED | FLAG_BITS;
    uint64_t next = probe.frame.rip + 2;
    uint64_t stack = probe.frame.rsp;

    probe.frame.rflags = flags;
    probe_run(&probe, NULL);
    check_entry(&probe, name);
    selftest_equal(probe.frame.rcx, next, "%s: RCX", name);
    selftest_equal(probe.frame.r11 & ~RFLAGS_RF, flags, "%s: R11", name);
    /* TCG loses the arithmetic flags, which it keeps elsewhere. */
    if (!selftest_leaves_out(ON_TCG))
        selftest_equal(probe.frame.rflags & FLAG_BITS, FLAG_BITS & ~RFLAGS_DF,
                       "%s: flags under SFMASK", name);
    selftest_equal(probe.frame.rflags & RFLAGS_DF, 0, "%s: DF under SFMASK",
                   name);
    selftest_equal(probe.frame.rsp, stack, "%s: RSP", name);
}

static void run_syscall(void)
{
    struct probe probe;

    set_entry_points();
    check_syscall(probe_make(ring_syscall, 3), "SYSCALL");
    check_syscall(probe_make(ring_syscall, 0), "SYSCALL in ring 0");
    probe = compat_probe(ring_syscall);
    if (vendor_is_amd()) {
        check_syscall(probe, "SYSCALL from compatibility mode");
    } else if (!selftest_leaves_out(ON_TCG)) { /* TCG asks for no vendor here */
        probe_run(&probe, NULL);
        selftest_equal(probe.frame.vector, TRAP_UD,
                       "SYSCALL from compatibility mode: vector");
    }
    x86_wrmsr(MSR_EFER, x86_rdmsr(MSR_EFER) & ~EFER_SCE);
    probe = probe_make(ring_syscall, 3);
    probe_run(&probe, NULL);
    selftest_equal(probe.frame.vector, TRAP_UD, "SYSCALL without EFER.SCE");
    selftest_equal(probe.frame.rip, probe_address(ring_syscall, 3),
                   "SYSCALL without EFER.SCE: RIP");
    set_entry_points();
}

static void run_sysret(void)
{
    struct probe probe = probe_make(ring_sysret64, 0);

    set_entry_points();
    probe.frame.rcx = probe_address(ring_landing, 3);
    probe.frame.r11 = RFLAGS_FIXED | RFLAGS_CF | RFLAGS_DF;
    probe.frame.rsp = probe_stack(3);
    probe_run(&probe, NULL);
    selftest_equal(probe.frame.vector, PROBE_EXIT, "SYSRET: vector");
    selftest_equal(probe.frame.rip, probe_address(ring_landing, 3) + LANDED,
                   "SYSRET: RIP");
    selftest_equal(probe.frame.cs, SEGMENT_USER_CODE64, "SYSRET: CS");
    selftest_equal(probe.frame.ss, SEGMENT_USER_DATA, "SYSRET: SS");
    selftest_equal(probe.frame.rflags & FLAG_BITS, RFLAGS_CF | RFLAGS_DF,
                   "SYSRET: flags");

    probe = probe_make(ring_sysret32, 0);
    probe.frame.rcx = compat_address(ring_landing);
    probe.frame.r11 = RFLAGS_FIXED;
    probe.frame.rsp = PROBE_COMPAT_STACK;
    probe_run(&probe, NULL);
    selftest_equal(probe.frame.vector, PROBE_EXIT, "SYSRET 32: vector");
    selftest_equal(probe.frame.rip, compat_address(ring_landing) + LANDED,
                   "SYSRET 32: RIP");
    selftest_equal(probe.frame.cs, SEGMENT_USER_CODE32, "SYSRET 32: CS");
    selftest_equal(probe.frame.ss, SEGMENT_USER_DATA, "SYSRET 32: SS");
}

static void check_sysenter(struct probe probe, const char *name)
{
    probe.frame.rflags |= RFLAGS_CF;
    probe_run(&probe, NULL);
    check_entry(&probe, name);
    selftest_equal(probe.frame.rsp, probe_stack(0) - 128, "%s: RSP", name);
    selftest_equal(probe.frame.rflags & (RFLAGS_CF | RFLAGS_IF), RFLAGS_CF,
                   "%s: flags", name);
}

static void run_sysenter(void)
{
    struct probe probe = compat_probe(ring_sysenter);

    set_entry_points();
    check_sysenter(probe, "SYSENTER from compatibility mode");
    if (!vendor_is_amd())
        check_sysenter(probe_make(ring_sysenter, 3), "SYSENTER");
    x86_wrmsr(MSR_SYSENTER_CS, 0);
    probe_run(&probe, NULL);
    selftest_equal(probe.frame.vector, TRAP_GP, "SYSENTER without CS: vector");
    selftest_equal(probe.frame.rip, compat_address(ring_sysenter),
                   "SYSENTER without CS: RIP");
    set_entry_points();
}

static void check_sysexit(const char *code, uint64_t to, uint64_t stack,
                          uint64_t cs, uint64_t ss, const char *name)
{
    struct probe probe = probe_make(code, 0);

    probe.frame.rdx = to;
    probe.frame.rcx = stack;
    probe_run(&probe, NULL);
    selftest_equal(probe.frame.vector, PROBE_EXIT, "%s: vector", name);
    selftest_equal(probe.frame.rip, to + LANDED, "%s: RIP", name);
    selftest_equal(probe.frame.rsp, stack, "%s: RSP", name);
    selftest_equal(probe.frame.cs, cs, "%s: CS", name);
    selftest_equal(probe.frame.ss, ss, "%s: SS", name);
}

static void run_sysexit(void)
{
    struct probe probe = probe_make(ring_sysexit64, 3);

    set_entry_points();
    if (vendor_is_amd()) { /* SYSEXIT does not exist in its 64-bit mode */
        probe_run(&probe, NULL);
        selftest_equal(probe.frame.vector, TRAP_UD, "SYSEXIT: vector");
        return;
    }
    check_sysexit(ring_sysexit64, probe_address(ring_landing, 3),
                  probe_stack(3) - 8, SEGMENT_USER_CODE64,
                  SEGMENT_USER_DATA_SYSEXIT, "SYSEXIT");
    check_sysexit(ring_sysexit32, compat_address(ring_landing),
                  PROBE_COMPAT_STACK - 8, SEGMENT_USER_CODE32,
                  SEGMENT_USER_DATA, "SYSEXIT 32");
    probe_run(&probe, NULL);
    selftest_equal(probe.frame.vector, TRAP_GP, "SYSEXIT in ring 3: vector");
}

static void run_compat(void)
{
    struct probe probe = probe_make(ring_compat, 3);

    probe.frame.rdi = compat_address(ring_compat);
    probe.frame.rsp = PROBE_COMPAT_STACK;
    probe_run(&probe, NULL);
    selftest_equal(probe.frame.vector, PROBE_EXIT, "compatibility: vector");
    selftest_equal(probe.frame.cs, SEGMENT_USER_CODE32, "compatibility: CS");
    selftest_equal(probe.frame.rcx, 0x80000000, "compatibility: INC");
    selftest_equal(probe.frame.rbx, 4, "compatibility: PUSH");
    selftest_equal(probe.frame.rsp, PROBE_COMPAT_STACK, "compatibility: ESP");
}

static void check_port(const char *code, uint16_t port, uint64_t iopl,
                       unsigned vector, const char *name)
{
    struct probe probe = probe_make(code, 3);

    probe.frame.rdx = port;
    probe.frame.rflags |= iopl;
    probe_run(&probe, NULL);
    selftest_equal(probe.frame.vector, vector, "%s, port %x: vector", name,
                   port);
    selftest_equal(probe.frame.error, 0, "%s, port %x: error code", name, port);
}

static void run_iopl(void)
{
    check_port(ring_in_byte, PORT_LINE_STATUS, 0, TRAP_GP, "IN");
    check_port(ring_in_byte, PORT_LINE_STATUS, RFLAGS_IOPL3, PROBE_EXIT,
               "IN with IOPL 3");
    check_port(ring_cli, 0, 0, TRAP_GP, "CLI");
    check_port(ring_cli, 0, RFLAGS_IOPL3, PROBE_EXIT, "CLI with IOPL 3");
}

/* Replaces the TSS by one with an I/O bitmap of `limit_bytes` that opens
 * `open_port` alone. */
static void load_bitmap(uint16_t open_port, uint64_t bitmap_bytes)
{
    struct segments *segments = &cpu_current()->segments;
    size_t bytes = sizeof(struct segments_tss) + IO_BITMAP_BYTES;
    uint8_t *memory = memory_pages(bytes / PAGE_BYTES + 1);
    uint64_t *descriptor = &segments->gdt[SEGMENT_TSS / 8];
    uint64_t limit = sizeof(struct segments_tss) + bitmap_bytes - 1;
    uint64_t base = (uintptr_t)memory;
    uint8_t *bitmap = memory + sizeof(struct segments_tss);

    memcpy(memory, &segments->tss, sizeof(struct segments_tss));
    memset(bitmap, 0xff, IO_BITMAP_BYTES);
    bitmap[open_port / 8] &= (uint8_t) ~(1u << open_port % 8);
    descriptor[0] = UINT64_C(0x0000890000000000) | (limit & 0xffff) |
                    (base & 0xffffff) << 16 | (base >> 24 & 0xff) << 56;
    descriptor[1] = base >> 32;
    __asm__ volatile("ltr %w0" : : "r"(SEGMENT_TSS) : "memory");
}

static void run_io_bitmap(void)
{
    load_bitmap(PORT_LINE_STATUS, IO_BITMAP_BYTES);
    check_port(ring_in_byte, PORT_LINE_STATUS, 0, PROBE_EXIT, "IN by bitmap");
    check_port(ring_in_byte, PORT_DATA, 0, TRAP_GP, "IN by bitmap");
    check_port(ring_in_word, PORT_LINE_STATUS, 0, TRAP_GP,
               "IN of two ports, one open");
    check_port(ring_in_word, PORT_LINE_STATUS - 1, 0, TRAP_GP,
               "IN of two ports, one open");
    /* The port lies behind a limit that cuts the bitmap. */
    load_bitmap(PORT_LINE_STATUS, PORT_LINE_STATUS / 8 - 1);
    check_port(ring_in_byte, PORT_LINE_STATUS, 0, TRAP_GP,
               "IN beyond the TSS limit");
}

void guest_main(void)
{
    static const struct selftest_case cases[] = {
        {"privilege.syscall", run_syscall},
        {"privilege.sysret", run_sysret},
        {"privilege.sysenter", run_sysenter},
        {"privilege.sysexit", run_sysexit},
        {"privilege.compat", run_compat},
        {"privilege.iopl", run_iopl},
        {"privilege.io_bitmap", run_io_bitmap},
    };

    probe_init();
    selftest_run(cases, sizeof(cases) / sizeof(cases[0]));
}
