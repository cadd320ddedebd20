/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The code of exceptions.c: code_NAME starts a piece, code_NAME_at is the RIP
 * that its trap must save. Every piece that goes on ends with INT 0x81
 * (PROBE_EXIT). All are position independent.
 */

    .macro FAULT name, instruction:vararg /* saves the instruction's RIP */
    .globl code_\name, code_\name\()_at
    code_\name:
    code_\name\()_at:
    \instruction
    int $0x81
    .endm

    .macro TRAP name, instruction:vararg /* saves the next RIP */
    .globl code_\name, code_\name\()_at
    code_\name:
    \instruction
    code_\name\()_at:
    int $0x81
    .endm

    .text
    TRAP nothing, nop
    FAULT divide, div %ecx /* by 0 */
    FAULT divide_overflow, idiv %ebx
    TRAP breakpoint, int3
    FAULT breakpoint_refused, int3
    TRAP software, int $0x90
    FAULT software_refused, int $0x91
    TRAP icebp, .byte 0xf1
    FAULT undefined, ud2
    FAULT push_es, .byte 0x06
    FAULT into, .byte 0xce
    FAULT device, movd %eax, %xmm0
    FAULT device_x87, fnop
    FAULT too_long, .byte 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90
    FAULT load_ds, mov %eax, %ds
    FAULT load_ss, mov %eax, %ss
    FAULT load_fs, mov %eax, %fs
    FAULT load_tr, ltr %ax
    FAULT far_return, lretq
    FAULT iret_frame, iretq
    FAULT read_rax, mov (%rax), %rcx
    FAULT read_rbp, mov (%rbp), %rcx
    FAULT push_stack, push %rax
    FAULT jump_rax, jmp *%rax
    FAULT return_stack, ret
    FAULT write_msr, wrmsr
    FAULT read_msr, rdmsr
    FAULT write_cr0, mov %rax, %cr0
    FAULT write_cr4, mov %rax, %cr4
    FAULT sse_unaligned, paddq (%rax), %xmm0

    FAULT clear_if, cli
    FAULT set_if, sti
    FAULT halt, hlt
    FAULT read_cr0, mov %cr0, %rax
    FAULT write_cr3, mov %rax, %cr3
    FAULT write_cr8, mov %rax, %cr8
    FAULT read_dr7, mov %dr7, %rax
    FAULT load_gdt, lgdt (%rsp)
    FAULT load_idt, lidt (%rsp)
    FAULT load_ldt, lldt %ax
    FAULT invalidate, invlpg (%rsp)
    FAULT clear_ts, clts
    FAULT write_back, wbinvd
    FAULT machine_status, lmsw %ax
    FAULT swap_gs, swapgs
    FAULT sys_return, sysretq
    FAULT in_byte, inb $0x40, %al
    FAULT out_byte, outb %al, $0x40
    FAULT read_tsc, rdtsc
    FAULT read_pmc, rdpmc
    TRAP identify, cpuid
    TRAP store_msw, smsw %eax

    /* Single step. */
    .globl code_steps, code_steps_1, code_steps_2, code_steps_3, code_steps_4
code_steps:
    nop
code_steps_1:
    mov $2, %ecx
code_steps_2:
    rep lodsb (%rsi), %al
code_steps_3:
    jmp code_steps_4
    ud2
code_steps_4:
    int $0x81

    .globl code_step_mov_ss, code_step_mov_ss_shadow, code_step_mov_ss_at
code_step_mov_ss:
    mov %ecx, %ss
code_step_mov_ss_shadow:
    nop
code_step_mov_ss_at:
    int $0x81

    .globl code_step_popf, code_step_popf_at
code_step_popf:
    popfq
    nop
code_step_popf_at:
    int $0x81

    /* Interrupt windows. */
    .globl code_sti, code_sti_at
code_sti:
    sti
    nop
code_sti_at:
    nop
    int $0x81

    .globl code_sti_cli
code_sti_cli:
    sti
    cli
    nop
    int $0x81

    .globl code_sti_hlt, code_sti_hlt_at
code_sti_hlt:
    sti
    hlt
code_sti_hlt_at:
    int $0x81

    .globl code_popf, code_popf_at
code_popf:
    popfq
code_popf_at:
    nop
    int $0x81

    .globl code_iret, code_iret_at
code_iret:
    lea code_iret_at(%rip), %rax
    mov %rsp, %rcx
    mov %ss, %edx
    push %rdx
    push %rcx
    push $0x202
    mov %cs, %edx
    push %rdx
    push %rax
    iretq
code_iret_at:
    nop
    int $0x81

    /* Traps, then gives an NMI time to arrive in plain code. */
    .globl code_spin
code_spin:
    int3
    mov $100000, %ecx
1:  dec %ecx
    jnz 1b
    int $0x81
    .section .note.GNU-stack, "", @progbits
