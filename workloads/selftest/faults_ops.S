/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The instructions of faults.c. Each stands at the label op_NAME_at of a piece
 * of code that starts at op_NAME and ends with INT 0x81 (PROBE_EXIT). All are
 * position independent. In: RDI = address A, RSI = address B, R8 = address C;
 * the table in faults.c says what else. Those that move RSP keep it in R15.
 */

    .macro OP name, instruction:vararg
    .globl op_\name, op_\name\()_at
    op_\name:
    op_\name\()_at:
    \instruction
    int $0x81
    .endm

    /* As OP, with RSP = RDI around the instruction. */
    .macro STACK_OP name, instruction:vararg
    .globl op_\name, op_\name\()_at
    op_\name:
    mov %rsp, %r15
    mov %rdi, %rsp
    op_\name\()_at:
    \instruction
    xchg %rsp, %r15
    int $0x81
    .endm

    .text
    OP read, mov (%rdi), %rax
    OP read_extend, movsbq (%rdi), %rax
    OP write, mov %rax, (%rdi)
    OP write_immediate, movl $0x12345678, (%rdi)
    OP write_flags, setc (%rdi)
    OP add_from, add (%rdi), %rax
    OP add_to, add %rax, (%rdi)
    OP decrement, decq (%rdi)
    OP shift, rolq $5, (%rdi)
    OP bit_set, btsq $37, (%rdi)
    OP divide, divq (%rdi)
    OP exchange, xchg %rax, (%rdi)
    OP compare_exchange, lock cmpxchg %rbx, (%rdi)
    OP compare_exchange16, lock cmpxchg16b (%rdi)
    OP exchange_add, lock xadd %rax, (%rdi)
    OP lock_or, lock orq %rax, (%rdi)
    OP move_string, rep movsb
    OP move_string_words, rep movsq
    OP store_string, rep stosq
    OP load_string, rep lodsq
    OP compare_string, repe cmpsb
    OP translate, xlatb
    OP store_gdt, sgdt (%rdi)

    STACK_OP push, push %rax
    STACK_OP push_memory, pushq (%rsi)
    STACK_OP push_flags, pushfq
    STACK_OP pop, pop %rax
    STACK_OP pop_memory, popq (%rsi)
    STACK_OP enter, enter $32, $0

    .globl op_leave, op_leave_at
op_leave:
    mov %rsp, %r15
    mov %rdi, %rbp
op_leave_at:
    leave
    mov %r15, %rsp
    int $0x81

    .globl op_call, op_call_at
op_call:
    mov %rsp, %r15
    mov %rdi, %rsp
op_call_at:
    call 1f
1:  pop %rax
    mov %r15, %rsp
    int $0x81

    /* R9 is another mapping of address A, which never faults: what the next
     * three take from A is put there by way of it. */
    .globl op_return, op_return_at
op_return:
    mov %rsp, %r15
    mov %rdi, %rsp
    lea 1f(%rip), %rax
    mov %rax, (%r9)
op_return_at:
    ret
1:  mov %r15, %rsp
    int $0x81

    .globl op_pop_flags, op_pop_flags_at
op_pop_flags:
    mov %rsp, %r15
    mov %rdi, %rsp
    movq $0x8d7, (%r9) /* all arithmetic flags */
op_pop_flags_at:
    popfq
    mov %r15, %rsp
    int $0x81

    .globl op_iret, op_iret_at
op_iret:
    mov %rsp, %r15
    lea 1f(%rip), %rax
    mov %rax, (%r9)
    mov %cs, %eax
    mov %rax, 8(%r9)
    pushfq
    popq 16(%r9)
    mov %r15, 24(%r9)
    mov %ss, %eax
    mov %rax, 32(%r9)
    mov %rdi, %rsp
op_iret_at:
    iretq
1:  int $0x81

    /* C holds code that faults.c put there; it ends with RET. */
    .globl op_fetch, op_fetch_at
op_fetch:
    call *%r8
op_fetch_at:
    int $0x81

    .globl op_sse_load, op_sse_load_at
op_sse_load:
op_sse_load_at:
    movdqu (%rdi), %xmm1
    movq %xmm1, %rax
    psrldq $8, %xmm1
    movq %xmm1, %rdx
    int $0x81

    .globl op_sse_store, op_sse_store_at
op_sse_store:
    movq %rax, %xmm1
    movq %rdx, %xmm2
    punpcklqdq %xmm2, %xmm1
op_sse_store_at:
    movdqu %xmm1, (%rdi)
    int $0x81

    .globl op_sse_add, op_sse_add_at
op_sse_add:
    movq %rax, %xmm1
op_sse_add_at:
    paddq (%rdi), %xmm1
    movq %xmm1, %rax
    int $0x81

    .globl op_x87_load, op_x87_load_at
op_x87_load:
    fninit
op_x87_load_at:
    fildq (%rdi)
    fistpq -32(%rsp)
    mov -32(%rsp), %rax
    int $0x81

    .globl op_x87_store, op_x87_store_at
op_x87_store:
    fninit
    mov %rax, -32(%rsp)
    fildq -32(%rsp)
op_x87_store_at:
    fistpq (%rdi)
    int $0x81
    .section .note.GNU-stack, "", @progbits
