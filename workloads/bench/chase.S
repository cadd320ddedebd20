/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * bench_chase: see loops.h. Follows offsets through all of memory, one cache
 * line a step. Node i names node (a * i + c) mod n; with n a power of two, c
 * odd and a = 1 mod 4 that is one cycle through all n (Hull and Dobell).
 */

#define LINE_SHIFT 6
#define FACTOR 0x5851f42d
#define INCREMENT 0x14057b7f

    .text
    .globl bench_chase_prepare, bench_chase_prepare_end
bench_chase_prepare:
    shr $LINE_SHIFT, %rdx /* n */
    lea -1(%rdx), %r9
    xor %ecx, %ecx
1:  imul $FACTOR, %rcx, %rax
    add $INCREMENT, %rax
    and %r9, %rax
    shl $LINE_SHIFT, %rax
    mov %rcx, %r8
    shl $LINE_SHIFT, %r8
    mov %rax, (%rsi, %r8)
    inc %rcx
    cmp %rdx, %rcx
    jb 1b
    ret
bench_chase_prepare_end:

    .globl bench_chase, bench_chase_end
bench_chase:
    xor %eax, %eax
    .balign 16
1:  mov (%rsi, %rax), %rax
    dec %rdi
    jnz 1b
    ret
bench_chase_end:
    .section .note.GNU-stack, "", @progbits
