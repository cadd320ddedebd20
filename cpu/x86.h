/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_CPU_X86_H
#define HVSIM_CPU_X86_H

/**
 * Architectural state and constants of an x86 processor, as the Intel SDM
 * names them. Plain data: nothing here knows the engine.
 */

#include "sim/core/types.h"

/** As the hardware numbers them. */
enum x86_gpr {
    X86_RAX,
    X86_RCX,
    X86_RDX,
    X86_RBX,
    X86_RSP,
    X86_RBP,
    X86_RSI,
    X86_RDI,
    X86_R8,
    X86_R9,
    X86_R10,
    X86_R11,
    X86_R12,
    X86_R13,
    X86_R14,
    X86_R15,
    X86_GPR_COUNT,
};

/** Likewise. */
enum x86_segment_register {
    X86_ES,
    X86_CS,
    X86_SS,
    X86_DS,
    X86_FS,
    X86_GS,
    X86_SEGMENT_COUNT,
};

/** A segment register with its hidden part. */
struct x86_segment {
    uint64_t base;
    uint32_t limit; /* in bytes, granularity applied */
    uint16_t selector;
    uint16_t attributes; /* descriptor bits 55:40: type 3:0, S 4, DPL 6:5,
                            P 7, AVL 12, L 13, D/B 14, G 15 */
};

#define X86_ATTR_TYPE_MASK 0x000f
#define X86_ATTR_S 0x0010
#define X86_ATTR_DPL_SHIFT 5
#define X86_ATTR_P 0x0080
#define X86_ATTR_L 0x2000
#define X86_ATTR_DB 0x4000
#define X86_ATTR_G 0x8000

struct x86_table {
    uint64_t base;
    uint32_t limit;
};

#define CR0_PE (UINT64_C(1) << 0)
#define CR0_MP (UINT64_C(1) << 1)
#define CR0_EM (UINT64_C(1) << 2)
#define CR0_TS (UINT64_C(1) << 3)
#define CR0_ET (UINT64_C(1) << 4)
#define CR0_NE (UINT64_C(1) << 5)
#define CR0_WP (UINT64_C(1) << 16)
#define CR0_AM (UINT64_C(1) << 18)
#define CR0_NW (UINT64_C(1) << 29)
#define CR0_CD (UINT64_C(1) << 30)
#define CR0_PG (UINT64_C(1) << 31)

#define CR4_VME (UINT64_C(1) << 0)
#define CR4_PVI (UINT64_C(1) << 1)
#define CR4_TSD (UINT64_C(1) << 2)
#define CR4_DE (UINT64_C(1) << 3)
#define CR4_PSE (UINT64_C(1) << 4)
#define CR4_PAE (UINT64_C(1) << 5)
#define CR4_MCE (UINT64_C(1) << 6)
#define CR4_PGE (UINT64_C(1) << 7)
#define CR4_PCE (UINT64_C(1) << 8)
#define CR4_OSFXSR (UINT64_C(1) << 9)
#define CR4_OSXMMEXCPT (UINT64_C(1) << 10)
#define CR4_UMIP (UINT64_C(1) << 11)
#define CR4_LA57 (UINT64_C(1) << 12)
#define CR4_FSGSBASE (UINT64_C(1) << 16)
#define CR4_PCIDE (UINT64_C(1) << 17)
#define CR4_OSXSAVE (UINT64_C(1) << 18)
#define CR4_SMEP (UINT64_C(1) << 20)
#define CR4_SMAP (UINT64_C(1) << 21)

#define EFER_SCE (UINT64_C(1) << 0)
#define EFER_LME (UINT64_C(1) << 8)
#define EFER_LMA (UINT64_C(1) << 10)
#define EFER_NXE (UINT64_C(1) << 11)
#define EFER_SVME (UINT64_C(1) << 12)

#define RFLAGS_CF (UINT64_C(1) << 0)
#define RFLAGS_FIXED (UINT64_C(1) << 1)
#define RFLAGS_TF (UINT64_C(1) << 8)
#define RFLAGS_IF (UINT64_C(1) << 9)
#define RFLAGS_DF (UINT64_C(1) << 10)
#define RFLAGS_IOPL_SHIFT 12
#define RFLAGS_NT (UINT64_C(1) << 14)
#define RFLAGS_RF (UINT64_C(1) << 16)
#define RFLAGS_VM (UINT64_C(1) << 17)
#define RFLAGS_AC (UINT64_C(1) << 18)

#define X86_VECTOR_DE 0
#define X86_VECTOR_DB 1
#define X86_VECTOR_NMI 2
#define X86_VECTOR_BP 3
#define X86_VECTOR_OF 4
#define X86_VECTOR_BR 5
#define X86_VECTOR_UD 6
#define X86_VECTOR_NM 7
#define X86_VECTOR_DF 8
#define X86_VECTOR_TS 10
#define X86_VECTOR_NP 11
#define X86_VECTOR_SS 12
#define X86_VECTOR_GP 13
#define X86_VECTOR_PF 14
#define X86_VECTOR_MF 16
#define X86_VECTOR_AC 17
#define X86_VECTOR_MC 18
#define X86_VECTOR_XM 19

#define PF_PRESENT 0x01u
#define PF_WRITE 0x02u
#define PF_USER 0x04u
#define PF_RESERVED 0x08u
#define PF_FETCH 0x10u

/** Everything but the FPU and SSE state, which stays inside the engine. */
struct x86_state {
    uint64_t gpr[X86_GPR_COUNT];
    uint64_t rip;
    uint64_t rflags;
    struct x86_segment segment[X86_SEGMENT_COUNT];
    struct x86_segment ldtr;
    struct x86_segment tr;
    struct x86_table gdtr;
    struct x86_table idtr;
    uint64_t cr0, cr2, cr3, cr4;
    uint64_t efer; /* as the guest sees it: without the SVME we keep set */
    uint64_t dr[8];
    uint64_t star, lstar, cstar, fmask, kernel_gs_base;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t tsc_aux;
    bool interrupt_shadow; /* STI or MOV SS was the instruction before */
    bool nmi_masked;       /* an NMI is being handled */
};

/** The current privilege level: SS.DPL in protected mode, 0 in real mode,
 *  3 in virtual-8086 mode. */
unsigned x86_cpl(const struct x86_state *state);

static inline bool x86_long_mode(const struct x86_state *state)
{
    return (state->efer & EFER_LMA) != 0;
}

/** True when code runs with 64-bit operand rules (LMA and CS.L). */
static inline bool x86_64bit_code(const struct x86_state *state)
{
    return x86_long_mode(state) &&
           (state->segment[X86_CS].attributes & X86_ATTR_L) != 0;
}

/** Canonical for 48 bits of linear address. */
static inline bool x86_canonical(uint64_t address)
{
    int64_t extended = (int64_t)(address << 16) >> 16;

    return (uint64_t)extended == address;
}

/** The state after RESET (SDM 3A, "Processor State After Reset"); what
 *  `state` held before does not matter. */
void x86_reset(struct x86_state *state);

/**
 * What INIT and SIPI `vector` make of `state`: everything as after RESET but
 * the MSRs (EFER is cleared) and CR0.CD and NW, which INIT leaves alone.
 */
void x86_startup(struct x86_state *state, uint8_t vector);

#endif
