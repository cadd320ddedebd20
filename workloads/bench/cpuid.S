/* SPDX-License-Identifier: GPL-2.0-or-later */

/* bench_cpuid: see loops.h. Leaf 0. */

    .text
    .globl bench_cpuid, bench_cpuid_end
bench_cpuid:
    push %rbx
    xor %r8d, %r8d
1:  xor %eax, %eax
    cpuid
    add %rbx, %r8
    dec %rdi
    jnz 1b
    mov %r8, %rax
    pop %rbx
    ret
bench_cpuid_end:
    .section .note.GNU-stack, "", @progbits
