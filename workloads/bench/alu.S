/* SPDX-License-Identifier: GPL-2.0-or-later */

/* bench_alu: see loops.h. One block of 64 operations and its loop end. */

    .text
    .globl bench_alu, bench_alu_end
bench_alu:
    mov $0x9e3779b97f4a7c15, %rax
    mov %rdi, %rcx
    mov %rdi, %rdx
    .balign 16
1:
    .rept 8
    add %rcx, %rax
    mov %rax, %r8
    shr $7, %r8
    xor %r8, %rax
    lea (%rax, %rax, 4), %rdx
    rol $13, %rdx
    sub %rdx, %rax
    imul $33, %rax
    .endr
    dec %rdi
    jnz 1b
    ret
bench_alu_end:
    .section .note.GNU-stack, "", @progbits
