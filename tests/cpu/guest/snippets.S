/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Guest code for the engine's tests, position independent unless it says
 * where it must lie. Each snippet reports by HLT, or by an exit of its own.
 */

        .macro  SNIPPET name
        .section .rodata
        .balign 16
        .globl  guest_\name\()_start
guest_\name\()_start:
        .endm

        .macro  END name
        .globl  guest_\name\()_end
guest_\name\()_end:
        .endm

/* From the reset vector to 64-bit mode. To be put at GPA 0xf0000, 64 KiB. */
        SNIPPET boot
        .code16
boot16: cli
        movw    $0xf000, %ax
        movw    %ax, %ds
        movb    $0x42, %al
        outb    %al, $0xe9              /* the first exit */
        lgdtl   boot_gdtr - boot16
        movl    %cr0, %eax
        orl     $1, %eax
        movl    %eax, %cr0
        ljmpl   $0x08, $(0xf0000 + boot32 - boot16)
        .code32
boot32: movw    $0x10, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movl    $0x9000, %esp
        movl    $0x1000, %edi           /* tables for the first 2 MiB */
        movl    $0x2007, (%edi)
        movl    $0x3007, 0x1000(%edi)
        movl    $0x0087, 0x2000(%edi)
        movl    %cr4, %eax
        orl     $0x20, %eax
        movl    %eax, %cr4
        movl    $0x1000, %eax
        movl    %eax, %cr3
        movl    $0xc0000080, %ecx
        rdmsr
        orl     $0x100, %eax
        wrmsr
        movl    %cr0, %eax
        orl     $0x80000000, %eax
        movl    %eax, %cr0
        ljmpl   $0x18, $(0xf0000 + boot64 - boot16)
        .code64
boot64: movabsq $0x1122334455667788, %rbx
        movl    $0xc0000080, %ecx
        rdmsr
        movl    %eax, %r8d
        movl    $7, %eax
        xorl    %ecx, %ecx
        cpuid
        hlt
        .balign 8
boot_gdt:
        .quad   0
        .quad   0x00cf9b000000ffff      /* 08: 32-bit code */
        .quad   0x00cf93000000ffff      /* 10: data */
        .quad   0x00af9b000000ffff      /* 18: 64-bit code */
boot_gdtr:
        .word   boot_gdtr - boot_gdt - 1
        .long   0xf0000 + boot_gdt - boot16
        .org    guest_boot_start + 0xfff0
        .code16
        ljmpw   $0xf000, $0
        .org    guest_boot_start + 0x10000
        END boot
        .code64

        .section .note.GNU-stack, "", @progbits
