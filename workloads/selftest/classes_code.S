/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The code of classes.c: class_NAME_BITS starts a piece, class_NAME_BITS_at is
 * the RIP that its trap must save. What goes on ends with INT 0x81
 * (PROBE_EXIT). All are position independent, and use no stack but by ESP.
 */

    .macro LABEL name, bits
    .globl class_\name\()_\bits, class_\name\()_\bits\()_at
    .endm

    .macro ONE bits, is_trap, name, instruction:vararg
    .code\bits
    LABEL \name, \bits
class_\name\()_\bits:
    .if !\is_trap
class_\name\()_\bits\()_at:
    .endif
    \instruction
    .if \is_trap
class_\name\()_\bits\()_at:
    .endif
    int $0x81
    .code64
    .endm

    .macro FAULT name, instruction:vararg /* saves the instruction's RIP */
    ONE 64, 0, \name, \instruction
    ONE 32, 0, \name, \instruction
    ONE 16, 0, \name, \instruction
    .endm

    .macro TRAP name, instruction:vararg /* saves the next RIP */
    ONE 64, 1, \name, \instruction
    ONE 32, 1, \name, \instruction
    ONE 16, 1, \name, \instruction
    .endm

    /* What 64-bit code has not: there, undefined. */
    .macro NARROW is_trap, name, instruction:vararg
    ONE 64, 0, \name, .byte 0xce
    ONE 32, \is_trap, \name, \instruction
    ONE 16, \is_trap, \name, \instruction
    .endm

    .text
    FAULT divide, div %cl
    TRAP breakpoint, int3
    NARROW 1, overflow, into
    NARROW 0, bound, bound %ax, (%esp)
    FAULT undefined, ud2
    FAULT device, fnop
    FAULT load_ds, mov %eax, %ds
    FAULT load_ss, mov %eax, %ss
    FAULT halt, hlt
    TRAP software, int $0x90
    FAULT software_refused, int $0x91
    TRAP step, nop

    /* By SS, which is valid in all modes, as DS need not be. */
    FAULT read_ebx, mov %ss:(%ebx), %ecx
    FAULT write_ebx, mov %ecx, %ss:(%ebx)
    FAULT misaligned, mov %ss:1(%esp), %ecx

    .macro JUMP bits, reg
    .code\bits
    LABEL jump_ebx, \bits
class_jump_ebx_\bits:
    jmp *\reg
class_jump_ebx_\bits\()_at:
    .code64
    .endm
    JUMP 64, %rbx
    JUMP 32, %ebx
    JUMP 16, %bx

    .macro X87 bits
    .code\bits
    LABEL x87, \bits
class_x87_\bits:
    fninit
    fldcw (%esp) /* no exception masked */
    fldz
    fld1
    fdivp %st, %st(1) /* 0 into 1, or 1 into 0 */
    fldz
    fld1
    fdivrp %st, %st(1)
class_x87_\bits\()_at:
    fwait
    int $0x81
    .code64
    .endm

    .macro SIMD bits
    .code\bits
    LABEL simd, \bits
class_simd_\bits:
    ldmxcsr (%esp) /* no exception masked */
    xorps %xmm0, %xmm0
    pcmpeqd %xmm1, %xmm1
    psrld $25, %xmm1
    pslld $23, %xmm1 /* 1.0, four times */
class_simd_\bits\()_at:
    divps %xmm0, %xmm1
    int $0x81
    .code64
    .endm

    .irp bits, 64, 32, 16
    X87 \bits
    SIMD \bits
    .endr

    .macro DEBUG bits, reg
    .code\bits
    LABEL write_dr7, \bits
class_write_dr7_\bits:
class_write_dr7_\bits\()_at:
    mov %\reg, %dr7
    int $0x81
    LABEL detect, \bits
class_detect_\bits:
    mov %\reg, %dr7 /* with general detect, which the next one meets */
class_detect_\bits\()_at:
    mov %\reg, %dr7
    int $0x81
    .code64
    .endm
    DEBUG 64, rax
    DEBUG 32, eax
    DEBUG 16, eax
    .section .note.GNU-stack, "", @progbits
