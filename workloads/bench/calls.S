/* SPDX-License-Identifier: GPL-2.0-or-later */

/* bench_calls: see loops.h. fib(20) by the definition; at most 21 frames of
 * 24 bytes. */

    .text
    .globl bench_calls, bench_calls_end
bench_calls:
    xor %r8d, %r8d
    mov %rdi, %rsi
1:  mov $20, %edi
    call .Lfib
    add %rax, %r8
    dec %rsi
    jnz 1b
    mov %r8, %rax
    ret

.Lfib: /* RDI = n; RAX = fib(n); RSI and R8 stay */
    mov %rdi, %rax
    cmp $2, %rdi
    jb 1f
    push %rdi
    dec %rdi
    call .Lfib
    mov (%rsp), %rdi
    push %rax
    sub $2, %rdi
    call .Lfib
    pop %rcx
    pop %rdi
    add %rcx, %rax
1:  ret
bench_calls_end:
    .section .note.GNU-stack, "", @progbits
