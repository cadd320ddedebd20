/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The way back from anything. Every vector comes here, on a stack of its own
 * (IST), with registers, segments, tables and control registers as an attack
 * left them. What is needed to go on lies at the start of the stack's area,
 * whose size is its alignment.
 */

#include "workloads/attacks/random.h"
#include "workloads/runtime/segments.h"

    .set TRAP_DB_VECTOR, 1

    .text
    .align 16
    .globl random_entries
random_entries: /* 256 entry points of RANDOM_ENTRY_BYTES each */
    .set vector, 0
    .rept 256
    .align RANDOM_ENTRY_BYTES
    .if vector == TRAP_DB_VECTOR
    jmp random_step
    .else
    mov $vector, %r15d
    jmp random_recover
    .endif
    .set vector, vector + 1
    .endr

/* #DB: one instruction more is done. Goes on with the next, with everything as
 * it was, as long as there are steps left. */
random_step:
    push %rax
    mov %rsp, %rax
    and $-RANDOM_AREA_BYTES, %rax
    decq RANDOM_AREA_STEPS(%rax)
    pop %rax
    js 1f
    iretq
1:  mov $TRAP_DB_VECTOR, %r15d
    jmp random_recover

    .globl random_recover
random_recover:
    and $-RANDOM_AREA_BYTES, %rsp
    mov %rsp, %r14 /* struct random_area */
    cld
    mov RANDOM_AREA_CR3(%r14), %rax
    mov %rax, %cr3
    mov RANDOM_AREA_CR4(%r14), %rax
    mov %rax, %cr4
    mov RANDOM_AREA_CR0(%r14), %rax
    mov %rax, %cr0
    xor %eax, %eax
    mov %rax, %dr7
    mov %rax, %cr8
    lea RANDOM_AREA_STACK(%r14), %rsp
    lgdt RANDOM_AREA_GDT(%r14)
    lidt RANDOM_AREA_IDT(%r14)
    mov $SEGMENT_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    mov RANDOM_AREA_GS(%r14), %eax
    mov RANDOM_AREA_GS + 4(%r14), %edx
    mov $0xc0000101, %ecx
    wrmsr
    mov RANDOM_AREA_GDT + 2(%r14), %rax /* LTR wants a TSS that is not busy */
    btrl $9, SEGMENT_TSS + 4(%rax)
    mov $SEGMENT_TSS, %eax
    ltr %ax
    mov %r14, %rdi
    mov %r15d, %esi
    pushq $SEGMENT_DATA /* by IRETQ, which also opens the door for NMIs */
    push %rdi
    addq $RANDOM_AREA_STACK, (%rsp)
    pushq $2
    pushq $SEGMENT_CODE64
    lea random_go_on(%rip), %rax
    push %rax
    iretq

    /* All of them from the area that RDI points to, but RSP and RDI. */
    .macro load_registers
    mov RANDOM_AREA_REGISTERS + 0x00(%rdi), %rax
    mov RANDOM_AREA_REGISTERS + 0x08(%rdi), %rcx
    mov RANDOM_AREA_REGISTERS + 0x10(%rdi), %rdx
    mov RANDOM_AREA_REGISTERS + 0x18(%rdi), %rbx
    mov RANDOM_AREA_REGISTERS + 0x28(%rdi), %rbp
    mov RANDOM_AREA_REGISTERS + 0x30(%rdi), %rsi
    mov RANDOM_AREA_REGISTERS + 0x40(%rdi), %r8
    mov RANDOM_AREA_REGISTERS + 0x48(%rdi), %r9
    mov RANDOM_AREA_REGISTERS + 0x50(%rdi), %r10
    mov RANDOM_AREA_REGISTERS + 0x58(%rdi), %r11
    mov RANDOM_AREA_REGISTERS + 0x60(%rdi), %r12
    mov RANDOM_AREA_REGISTERS + 0x68(%rdi), %r13
    mov RANDOM_AREA_REGISTERS + 0x70(%rdi), %r14
    mov RANDOM_AREA_REGISTERS + 0x78(%rdi), %r15
    .endm

    /* Loads the registers, all but RDI: the code does that itself. */
    .globl random_leave
random_leave: /* RDI = struct random_area */
    fninit
    pushq RANDOM_AREA_FLAGS(%rdi)
    popfq
    mov RANDOM_AREA_REGISTERS + 0x20(%rdi), %rsp
    load_registers
    jmp *RANDOM_AREA_CODE(%rdi)

    /* The same through a frame, to any mode and ring, with little to write to. */
    .globl random_leave_run
random_leave_run: /* RDI = struct random_area */
    fninit
    mov $SEGMENT_USER_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %fs /* bases 0: what GS has is not for attacks */
    mov %eax, %gs
    mov RANDOM_AREA_VIEW(%rdi), %rax
    mov %rax, %cr3
    pushq RANDOM_AREA_FRAME + 0x20(%rdi)
    pushq RANDOM_AREA_FRAME + 0x18(%rdi)
    pushq RANDOM_AREA_FRAME + 0x10(%rdi)
    pushq RANDOM_AREA_FRAME + 0x08(%rdi)
    pushq RANDOM_AREA_FRAME + 0x00(%rdi)
    load_registers
    mov RANDOM_AREA_REGISTERS + 0x38(%rdi), %rdi
    iretq
    .section .note.GNU-stack, "", @progbits
