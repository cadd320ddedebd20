/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * bench_sort: see loops.h. Shell sort with gaps 512, 256 ... 1 of words from
 * a linear congruential sequence: short blocks, branches that are hard to
 * foresee.
 */

#define WORDS 1024

    .text
    .globl bench_sort, bench_sort_end
bench_sort:
    mov $1, %rax
.Literation:
    xor %ecx, %ecx
    movabs $6364136223846793005, %r9
1:  imul %r9, %rax
    add $12345, %rax
    mov %rax, %r8
    shr $20, %r8
    mov %r8, (%rsi, %rcx, 8)
    inc %ecx
    cmp $WORDS, %ecx
    jb 1b

    mov $WORDS / 2, %r8d /* gap */
.Lgap:
    mov %r8, %rcx /* the word to be placed */
.Lplace:
    mov (%rsi, %rcx, 8), %r9
    mov %rcx, %rdx
.Lshift:
    cmp %r8, %rdx
    jb .Lput
    mov %rdx, %r10
    sub %r8, %r10
    mov (%rsi, %r10, 8), %r11
    cmp %r9, %r11
    jbe .Lput
    mov %r11, (%rsi, %rdx, 8)
    mov %r10, %rdx
    jmp .Lshift
.Lput:
    mov %r9, (%rsi, %rdx, 8)
    inc %rcx
    cmp $WORDS, %rcx
    jb .Lplace
    shr $1, %r8
    jnz .Lgap

    xor 8 * (WORDS / 2)(%rsi), %rax /* the median goes into the checksum */
    dec %rdi
    jnz .Literation
    ret
bench_sort_end:
    .section .note.GNU-stack, "", @progbits
