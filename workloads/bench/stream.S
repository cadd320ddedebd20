/* SPDX-License-Identifier: GPL-2.0-or-later */

/* bench_stream: see loops.h. Seven instructions a word, sequential. */

    .text
    .globl bench_stream, bench_stream_end
bench_stream:
    shr $3, %rdx
    xor %eax, %eax
2:  xor %ecx, %ecx
    .balign 16
1:  mov (%rsi, %rcx, 8), %r8
    lea (%r8, %r8, 2), %r8
    add %rcx, %r8
    mov %r8, (%rsi, %rcx, 8)
    inc %rcx
    cmp %rdx, %rcx
    jb 1b
    add %r8, %rax
    dec %rdi
    jnz 2b
    ret
bench_stream_end:
    .section .note.GNU-stack, "", @progbits
