/* SPDX-License-Identifier: GPL-2.0-or-later */

/* The accesses of translation.c, to the address in RDI. */

    .text
    .globl access_read, access_write, access_fetch, access_read_ac
access_read:
    mov (%rdi), %rax
    int $0x81
access_write:
    mov %rax, (%rdi)
    int $0x81
access_fetch:
    call *%rdi
    int $0x81
access_read_ac:
    stac
    mov (%rdi), %rax
    clac
    int $0x81
    .section .note.GNU-stack, "", @progbits
