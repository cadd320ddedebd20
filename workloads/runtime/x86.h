/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_WORKLOADS_RUNTIME_X86_H
#define HVSIM_WORKLOADS_RUNTIME_X86_H

/**
 * The instructions C has no words for, one function each, and the bit names
 * of the registers they touch. No state, no policy.
 * Source: the processor manuals' system programming volumes.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CR0_PE (UINT64_C(1) << 0)
#define CR0_MP (UINT64_C(1) << 1)
#define CR0_NE (UINT64_C(1) << 5)
#define CR0_WP (UINT64_C(1) << 16)
#define CR0_PG (UINT64_C(1) << 31)
#define CR4_PAE (UINT64_C(1) << 5)
#define CR4_PGE (UINT64_C(1) << 7)
#define CR4_OSFXSR (UINT64_C(1) << 9)
#define CR4_SMEP (UINT64_C(1) << 20)
#define CR4_SMAP (UINT64_C(1) << 21)

#define RFLAGS_CF (UINT64_C(1) << 0)
#define RFLAGS_FIXED (UINT64_C(1) << 1)
#define RFLAGS_ZF (UINT64_C(1) << 6)
#define RFLAGS_TF (UINT64_C(1) << 8)
#define RFLAGS_IF (UINT64_C(1) << 9)
#define RFLAGS_DF (UINT64_C(1) << 10)
#define RFLAGS_IOPL3 (UINT64_C(3) << 12)
#define RFLAGS_RF (UINT64_C(1) << 16)
#define RFLAGS_AC (UINT64_C(1) << 18)

#define MSR_APIC_BASE 0x1bu
#define MSR_SYSENTER_CS 0x174u
#define MSR_SYSENTER_ESP 0x175u
#define MSR_SYSENTER_EIP 0x176u
#define MSR_X2APIC_BASE 0x800u
#define MSR_EFER 0xc0000080u
#define MSR_STAR 0xc0000081u
#define MSR_LSTAR 0xc0000082u
#define MSR_CSTAR 0xc0000083u
#define MSR_SFMASK 0xc0000084u
#define MSR_FS_BASE 0xc0000100u
#define MSR_GS_BASE 0xc0000101u
#define MSR_KERNEL_GS_BASE 0xc0000102u

#define EFER_SCE (UINT64_C(1) << 0)
#define EFER_LME (UINT64_C(1) << 8)
#define EFER_NXE (UINT64_C(1) << 11)

enum trap_vector {
    TRAP_DE = 0,
    TRAP_DB = 1,
    TRAP_NMI = 2,
    TRAP_BP = 3,
    TRAP_OF = 4,
    TRAP_BR = 5,
    TRAP_UD = 6,
    TRAP_NM = 7,
    TRAP_DF = 8,
    TRAP_TS = 10,
    TRAP_NP = 11,
    TRAP_SS = 12,
    TRAP_GP = 13,
    TRAP_PF = 14,
    TRAP_AC = 17,
    TRAP_MC = 18,
};

struct cpuid_registers {
    uint32_t eax, ebx, ecx, edx;
};

static inline struct cpuid_registers x86_cpuid(uint32_t leaf, uint32_t subleaf)
{
    struct cpuid_registers r;

    __asm__ volatile("cpuid"
                     : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx)
                     : "a"(leaf), "c"(subleaf));
    return r;
}

static inline uint64_t x86_rdmsr(uint32_t msr)
{
    uint32_t low, high;

    __asm__ volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(msr) : "memory");
    return (uint64_t)high << 32 | low;
}

static inline void x86_wrmsr(uint32_t msr, uint64_t value)
{
    __asm__ volatile("wrmsr"
                     :
                     : "c"(msr), "a"((uint32_t)value),
                       "d"((uint32_t)(value >> 32))
                     : "memory");
}

static inline uint64_t x86_rdtsc(void)
{
    uint32_t low, high;

    __asm__ volatile("rdtsc" : "=a"(low), "=d"(high) : : "memory");
    return (uint64_t)high << 32 | low;
}

static inline uint8_t x86_in8(uint16_t port)
{
    uint8_t value;

    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port) : "memory");
    return value;
}

static inline void x86_out8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port) : "memory");
}

#define X86_CONTROL_REGISTER(n)                                                \
    static inline uint64_t x86_read_cr##n(void)                                \
    {                                                                          \
        uint64_t value;                                                        \
                                                                               \
        __asm__ volatile("mov %%cr" #n ", %0" : "=r"(value) : : "memory");     \
        return value;                                                          \
    }                                                                          \
    static inline void x86_write_cr##n(uint64_t value)                         \
    {                                                                          \
        __asm__ volatile("mov %0, %%cr" #n : : "r"(value) : "memory");         \
    }

X86_CONTROL_REGISTER(0)
X86_CONTROL_REGISTER(2)
X86_CONTROL_REGISTER(3)
X86_CONTROL_REGISTER(4)
X86_CONTROL_REGISTER(8)

#define X86_DEBUG_REGISTER(n)                                                  \
    static inline uint64_t x86_read_dr##n(void)                                \
    {                                                                          \
        uint64_t value;                                                        \
                                                                               \
        __asm__ volatile("mov %%dr" #n ", %0" : "=r"(value) : : "memory");     \
        return value;                                                          \
    }                                                                          \
    static inline void x86_write_dr##n(uint64_t value)                         \
    {                                                                          \
        __asm__ volatile("mov %0, %%dr" #n : : "r"(value) : "memory");         \
    }

X86_DEBUG_REGISTER(6)

static inline void x86_invlpg(uint64_t address)
{
    __asm__ volatile("invlpg (%0)" : : "r"(address) : "memory");
}

static inline uint64_t x86_read_flags(void)
{
    uint64_t flags;

    __asm__ volatile("pushfq; popq %0" : "=r"(flags) : : "memory");
    return flags;
}

static inline void x86_sti(void)
{
    __asm__ volatile("sti" : : : "memory");
}

static inline void x86_cli(void)
{
    __asm__ volatile("cli" : : : "memory");
}

static inline void x86_pause(void)
{
    __asm__ volatile("pause" : : : "memory");
}

/** Disables interrupts; returns whether they were enabled before. */
static inline bool x86_irq_save(void)
{
    bool enabled = (x86_read_flags() & RFLAGS_IF) != 0;

    x86_cli();
    return enabled;
}

static inline void x86_irq_restore(bool enabled)
{
    if (enabled)
        x86_sti();
}

#endif
