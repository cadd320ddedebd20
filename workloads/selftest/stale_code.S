/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Pieces of code that change themselves, copied to writable pages by stale.c.
 * In: EDI = the value, RSI = an address of the immediate at the label
 * stale_NAME_immediate. Out: EAX = that immediate as it was executed. All
 * keep the registers that C functions keep.
 */

    .macro PIECE name
    .globl stale_\name, stale_\name\()_end, stale_\name\()_immediate
    stale_\name:
    .endm

    .macro END_PIECE name
    .byte 0xb8 /* mov $imm32, %eax */
    stale_\name\()_immediate:
    .long 0
    ret
    stale_\name\()_end:
    .endm

    .section .rodata
    PIECE next_instruction
    mov %edi, (%rsi)
    END_PIECE next_instruction

    /* By another linear address: to be serialized. */
    PIECE own_page_by_alias
    mov %edi, (%rsi)
    push %rbx
    xor %eax, %eax
    cpuid
    pop %rbx
    END_PIECE own_page_by_alias

    PIECE push
    mov %rsp, %rdx
    lea 8(%rsi), %rsp
    mov 4(%rsi), %eax /* what follows the immediate is pushed with it */
    shl $32, %rax
    or %rdi, %rax
    push %rax
    mov %rdx, %rsp
    END_PIECE push
    .skip 8

    PIECE string
    mov %edi, %eax
    mov %rsi, %rdi
    mov $1, %ecx
    rep stosl
    END_PIECE string

    PIECE sse
    movdqu (%rsi), %xmm0
    movd %edi, %xmm1
    movss %xmm1, %xmm0
    movdqu %xmm0, (%rsi)
    END_PIECE sse
    .skip 16

    PIECE run_into
    mov %edi, (%rsi)
    nop
    END_PIECE run_into
    .section .note.GNU-stack, "", @progbits
