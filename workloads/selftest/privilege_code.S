/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The code of privilege.c; all pieces are position independent. */

    .text
    .globl ring_syscall, ring_syscall_next
ring_syscall:
    syscall
ring_syscall_next:
    int $0x81

    .globl ring_sysenter
ring_sysenter:
    sysenter
    int $0x81

    .globl ring_sysret64, ring_sysret32, ring_sysexit64, ring_sysexit32
ring_sysret64:
    sysretq
ring_sysret32:
    sysretl
ring_sysexit64:
    sysexitq
ring_sysexit32:
    sysexitl

    /* Where the calls above land: the same bytes in every mode. */
    .globl ring_landing
ring_landing:
    int $0x81

    .globl ring_in_byte, ring_in_word, ring_cli
ring_in_byte:
    in %dx, %al
    int $0x81
ring_in_word:
    in %dx, %ax
    int $0x81
ring_cli:
    cli
    int $0x81

    /* A far call through the 32-bit code segment of ring 3 and back. */
    .globl ring_compat
ring_compat:
    lea 1f - ring_compat(%rdi), %rax /* RDI: its own address below 4 GiB */
    push $0x1b
    push %rax
    lretq
    .code32
1:  mov $0x7fffffff, %eax
    inc %eax /* one byte, 0x40: a REX prefix in 64-bit mode */
    mov %esp, %ebx
    push %eax
    sub %esp, %ebx /* 4, not 8 */
    pop %ecx
    int $0x81
    .code64
    .section .note.GNU-stack, "", @progbits
