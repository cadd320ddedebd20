/* SPDX-License-Identifier: GPL-2.0-or-later */

    .text
/* void probe_enter(const struct trap_frame *frame): saves what a C function
 * must keep and leaves through the frame, as if a trap returned. */
    .globl probe_enter
probe_enter:
    push %rbx
    push %rbp
    push %r12
    push %r13
    push %r14
    push %r15
    mov %rsp, probe_saved_stack(%rip)
    mov %rdi, %rsp
    jmp trap_return

/* _Noreturn void probe_leave(void): back to the caller of probe_enter(), from
 * a trap on another stack. */
    .globl probe_leave
probe_leave:
    mov probe_saved_stack(%rip), %rsp
    pop %r15
    pop %r14
    pop %r13
    pop %r12
    pop %rbp
    pop %rbx
    ret

    .bss
    .align 8
probe_saved_stack:
    .skip 8
    .section .note.GNU-stack, "", @progbits
