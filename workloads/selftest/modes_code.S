/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * One tour through the processor's modes: long mode, compatibility mode,
 * 64-bit again, protected mode without paging, with 32-bit paging, with PAE
 * paging, 16-bit protected mode, real mode, and back into long mode.
 * Interrupts are off. modes.c prepared all tables.
 */

#include "workloads/runtime/segments.h"
#include "workloads/selftest/modes.h"

#define HERE(label) ((label) - modes_begin + MODES_CODE)
#define RESULT(n) (MODES_RESULTS + 4 * (n))

    .section .rodata
    .globl modes_begin, modes_end
    .code64
modes_begin: /* void tour(uint64_t cr3, const void *idt_pointer) */
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, HERE(saved_stack)
    mov %edi, HERE(saved_cr3)
    mov %rsi, HERE(saved_idt)
    mov %cr4, %rax
    mov %eax, HERE(saved_cr4)
    mov %cr0, %rax
    mov %eax, HERE(saved_cr0)
    pushq $SEGMENT_CODE32
    pushq $HERE(compat)
    lretq

    .code32
compat:
    mov $SEGMENT_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov $MODES_REAL_STACK, %esp
    mov $0x7fffffff, %eax
    .byte 0x40 /* inc %eax here, a REX prefix in 64-bit mode */
    mov %eax, RESULT(MODES_COMPAT_INC)
    mov %esp, %eax
    push %eax
    sub %esp, %eax
    mov %eax, RESULT(MODES_COMPAT_PUSH)
    pop %eax
    ljmp $SEGMENT_CODE64, $HERE(back_in_64)

    .code64
back_in_64:
    movabs $0x123456789abcdef0, %rax
    .byte 0x48 /* REX.W here, dec %eax in compatibility mode */
    shr $32, %eax
    mov %eax, RESULT(MODES_BACK_IN_64)
    movl $HERE(unpaged), HERE(far_pointer)
    movw $SEGMENT_CODE32, HERE(far_pointer) + 4
    ljmp *HERE(far_pointer)

    .code32
unpaged: /* compatibility mode still, until paging is off */
    mov %cr0, %eax
    and $0x7fffffff, %eax
    mov %eax, %cr0
    mov %eax, RESULT(MODES_UNPAGED_CR0)
    mov $0xc0000080, %ecx
    rdmsr
    and $~0x100, %eax /* LME; LMA went with paging */
    wrmsr
    rdmsr
    mov %eax, RESULT(MODES_UNPAGED_EFER)
    lidtl HERE(idt32_pointer)

    /* 32-bit paging, with one 4 MiB page and 4 KiB pages. */
    mov $0x10, %eax /* PSE, and PAE off */
    mov %eax, %cr4
    mov $MODES_PAGED_DIRECTORY, %eax
    mov %eax, %cr3
    mov %cr0, %eax
    or $0x80000000, %eax
    mov %eax, %cr0
    jmp 1f
1:  movl $0x11111111, RESULT(MODES_PAGED_ALIAS)
    addl $0x01010101, MODES_ALIAS + RESULT(MODES_PAGED_ALIAS)
    movl $0x33333333, MODES_ALIAS_SMALL + RESULT(MODES_PAGED_SMALL)
    movl $RESULT(MODES_PAGED_CR2), HERE(fault_results)
    movl $HERE(2f), HERE(fault_resume)
    movl $1, MODES_ABSENT
2:  mov %cr0, %eax
    and $0x7fffffff, %eax
    mov %eax, %cr0

    /* PAE paging, two large pages. */
    mov $0x20, %eax
    mov %eax, %cr4
    mov $MODES_PAE_POINTERS, %eax
    mov %eax, %cr3
    mov %cr0, %eax
    or $0x80000000, %eax
    mov %eax, %cr0
    jmp 1f
1:  movl $0x44444444, RESULT(MODES_PAE_ALIAS)
    addl $0x01010101, MODES_ALIAS + RESULT(MODES_PAE_ALIAS)
    movl $RESULT(MODES_PAE_CR2), HERE(fault_results)
    movl $HERE(2f), HERE(fault_resume)
    mov MODES_ABSENT, %eax
2:  movl $0x60, RESULT(MODES_INT32)
    int $0x80
    mov %cr0, %eax
    and $0x7fffffff, %eax
    mov %eax, %cr0

    ljmp $SEGMENT_CODE16, $HERE(protected16)

    .code16
protected16:
    mov $SEGMENT_DATA16, %ax
    mov %ax, %ds
    mov %ax, %es
    mov %ax, %ss
    mov $MODES_REAL_STACK, %sp
    xor %eax, %eax
    mov %sp, %ax
    push %ax
    sub %sp, %ax
    mov %eax, RESULT(MODES_16_PUSH)
    pop %ax
    mov $0xffff, %bx /* a 16-bit address wraps */
    movl $0x77777777, RESULT(MODES_16_WRAP)
    mov RESULT(MODES_16_WRAP) + 1(%bx), %eax
    addl $1, %eax
    mov %eax, RESULT(MODES_16_WRAP)

    mov %cr0, %eax
    and $~1, %eax
    mov %eax, %cr0
    ljmp $MODES_CODE >> 4, $real - modes_begin
real:
    mov $MODES_RESULTS >> 4, %ax
    mov %ax, %ds
    xor %ax, %ax
    mov %ax, %es
    mov %ax, %ss
    mov $MODES_REAL_STACK, %sp
    movl $0x88888888, 4 * MODES_REAL_SEGMENT
    addl $0x01010101, %es:RESULT(MODES_REAL_SEGMENT)
    lidtl %cs:real_idt_pointer - modes_begin
    movw $real_interrupt - modes_begin, %es:4 * 0x80
    movw $MODES_CODE >> 4, %es:4 * 0x80 + 2
    movw $real_divide - modes_begin, %es:0
    movw $MODES_CODE >> 4, %es:2
    movl $0x70, 4 * MODES_REAL_INT
    int $0x80
    movl $0, 4 * MODES_REAL_DIVIDE
    xor %dx, %dx
    xor %cx, %cx
    mov $1, %ax
    div %cx /* its vector skips these two bytes */
    incl 4 * MODES_REAL_DIVIDE
    xor %eax, %eax
    mov %sp, %ax
    pushl %eax
    pushw %ax
    sub %sp, %ax
    mov %eax, 4 * MODES_REAL_PUSH
    add $6, %sp

    /* And back. */
    mov %cr0, %eax
    or $1, %eax
    mov %eax, %cr0
    ljmpl $SEGMENT_CODE32, $HERE(climb)

real_interrupt:
    incl 4 * MODES_REAL_INT
    iret
real_divide:
    addl $0x10, 4 * MODES_REAL_DIVIDE
    push %bp
    mov %sp, %bp
    addw $2, 2(%bp)
    pop %bp
    iret

    .code32
climb:
    mov $SEGMENT_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    mov HERE(saved_cr4), %eax
    mov %eax, %cr4
    mov HERE(saved_cr3), %eax
    mov %eax, %cr3
    mov $0xc0000080, %ecx
    rdmsr
    or $0x100, %eax
    wrmsr
    mov HERE(saved_cr0), %eax
    mov %eax, %cr0
    ljmp $SEGMENT_CODE64, $HERE(long_again)

    .code64
long_again:
    movabs $0xfedcba9800000000, %rax
    shr $36, %rax
    mov %eax, RESULT(MODES_LONG_AGAIN)
    mov HERE(saved_idt), %rax
    lidt (%rax)
    mov HERE(saved_stack), %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

    .code32
    .globl modes_page_fault, modes_interrupt
modes_page_fault: /* error code, EIP, CS, EFLAGS on the stack */
    push %eax
    push %ebx
    mov HERE(fault_results), %ebx
    mov %cr2, %eax
    mov %eax, (%ebx)
    mov 8(%esp), %eax
    mov %eax, 4(%ebx)
    mov HERE(fault_resume), %eax
    mov %eax, 12(%esp)
    pop %ebx
    pop %eax
    add $4, %esp
    iret
modes_interrupt:
    incl RESULT(MODES_INT32)
    iret

    .align 8
saved_stack:
    .quad 0
saved_idt:
    .quad 0
saved_cr3:
    .long 0
saved_cr4:
    .long 0
saved_cr0:
    .long 0
fault_results:
    .long 0
fault_resume:
    .long 0
far_pointer:
    .long 0
    .word 0
idt32_pointer:
    .word 256 * 8 - 1
    .long MODES_IDT32
real_idt_pointer:
    .word 0x3ff
    .long 0
modes_end:
    .section .note.GNU-stack, "", @progbits
