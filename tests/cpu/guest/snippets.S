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

/* One handler of 16 bytes for each vector: HLT at its start says who came. */
        SNIPPET handlers
        .set    vector, 0
        .rept   256
        .balign 16
        hlt
        .if     vector == 8 || (vector >= 10 && vector <= 14) || vector == 17
        addq    $8, %rsp
        .endif
        iretq
        .set    vector, vector + 1
        .endr
        .balign 16
        END handlers

/* Twelve instructions, an intercept in the middle of a block. */
        SNIPPET prices
        movl    $1, %eax
        movl    $2, %ebx
        addl    %eax, %ebx
        cpuid
        addl    $1, %ebx
        addl    $1, %ebx
        jmp     1f
1:      nop
        nop
        cpuid
        nop
        hlt
        END prices

/* A loop with calls, branches, memory and string instructions; then HLT. */
        SNIPPET work
        movl    $2000, %ecx
        xorl    %eax, %eax
        movl    $0x20000, %edi
1:      call    3f
        testl   $3, %eax
        jnz     2f
        movl    %eax, (%rdi)
        addl    (%rdi), %edx
2:      decl    %ecx
        jnz     1b
        movl    $0x20000, %esi
        movl    $0x28000, %edi
        movl    $0x1000, %ecx
        rep movsb
        hlt
3:      leal    1(%rax,%rax,2), %eax
        xorl    %ecx, %eax
        ret
        END work

/* IN after other instructions of its block; the flags must survive. */
        SNIPPET input
        movl    $0x1f0, %edx
        xorl    %eax, %eax
        subl    $1, %eax                /* CF = 1, SF = 1 */
        inb     %dx, %al
        setc    %bl
        sets    %bh
        inb     $0x71, %al
        movb    %al, %cl
        hlt
        END input

        SNIPPET random
        movl    $5, %eax
        rdrand  %ebx
        hlt
        END random

/* INS and OUTS, repeated. */
        SNIPPET strings
        movl    $0x20000, %edi
        movl    $0x1f0, %edx
        movl    $4, %ecx
        rep insw
        movl    $0x20000, %esi
        movl    $2, %ecx
        rep outsl
        hlt
        END strings

/* Single-steps three instructions, one of them intercepted. */
        SNIPPET step
        pushfq
        orq     $0x100, (%rsp)
        popfq
        nop
        cpuid
        nop
        hlt
        END step

/* Touches pages that are not there, in ways that tell their address. */
        SNIPPET faults
        movl    $0x30005, %ebx
        movl    (%rbx), %eax            /* read */
        movl    $0x31ffd, %ebx
        movq    %rax, (%rbx)            /* write over a page's end */
        movl    $0x33ff8, %esp
        pushq   %rax
        movl    $0x40123, %ebx
        lock incl 1(%rbx,%rax,1)
        hlt
        END faults

        SNIPPET syscalls
        movl    $100, %ebx
1:      syscall
        decl    %ebx
        jnz     1b
        int     $0x80
        END syscalls

        SNIPPET syscall_entry
        incq    %r15
        sysretq
        END syscall_entry

        SNIPPET sti_shadow
        sti
        nop                             /* the shadow */
        nop
        hlt
        END sti_shadow

        SNIPPET sti_hlt
        sti
        hlt
        hlt
        END sti_hlt

        SNIPPET bad_address
        movabsq $0x8000000000000000, %rbx
        movq    (%rbx), %rax
        END bad_address

        SNIPPET bad_stack
        movabsq $0x8000000000000000, %rsp
        pushq   %rax
        END bad_stack

        SNIPPET bad_jump
        movabsq $0x8000000000000000, %rbx
        jmp     *%rbx
        END bad_jump

        SNIPPET spin
1:      incq    %rax
        jmp     1b
        END spin

        SNIPPET apic
        movl    $0xfee00000, %ebx
        movl    $0x77, 0x80(%rbx)
        movl    0x300(%rbx), %eax
        hlt
        END apic

        SNIPPET touch
        movl    $0x50000, %ebx
        movl    %ebx, 0x10(%rbx)
        hlt
        END touch

        SNIPPET software
        int     $0x40
        int3
        .byte   0xf1                    /* INT1 */
        ud2
        END software

        SNIPPET user
        incl    %eax
        hlt
        END user

/* Control registers: a reserved bit, then a legal change and its effect. */
        SNIPPET control
        movq    %cr4, %rax
        orq     $0x80, %rax
        movq    %rax, %cr4
        movq    %cr0, %rbx
        clts
        movq    %rbx, %cr0
        movl    $0xff, %eax
        movq    %rax, %cr8
        END control

        SNIPPET invlpg
        movl    $0x60000, %ebx
        movl    (%rbx), %eax            /* the old page */
        movq    %rsi, (%rdi)            /* its PTE changes */
        movl    (%rbx), %ecx            /* still the old page */
        invlpg  (%rbx)
        movl    (%rbx), %edx            /* the new one */
        hlt
        END invlpg

/* Straight-line code up to the end of its page; to be put 16 bytes before. */
        SNIPPET page_end
        incl    %eax
        incl    %eax
        movl    $7, %ebx
        movl    $8, %ecx
        nop
        nop
        nop
        hlt
        END page_end

        SNIPPET rdtsc
        rdtsc
        movl    %eax, %ebx
        nop
        nop
        rdtsc
        subl    %ebx, %eax
        hlt
        END rdtsc

        SNIPPET msrs
        movl    $0xc0000082, %ecx
        movl    $0x12345678, %eax
        movl    $0xffffffff, %edx
        wrmsr
        xorl    %eax, %eax
        rdmsr
        movl    %eax, %r8d
        movl    $0x80000000, %edx
        wrmsr                           /* not canonical */
        END msrs

/* Stores that change code. RDI is where, ESI what. */

/* Patches the immediate of its own page's next instruction. */
        SNIPPET patch_self
        movl    %esi, 1f+1(%rip)
1:      movl    $0, %eax
        hlt
        END patch_self

/* mov eax, imm32; ret: a function to be patched. */
        SNIPPET function
        movl    $1, %eax
        ret
        END function

/* Calls RDI, patches it through RBX (an alias), calls it again; ECX times. */
        SNIPPET patch_alias
        xorl    %edx, %edx
1:      call    *%rdi
        addl    %eax, %edx
        incl    1(%rbx)
        decl    %ecx
        jnz     1b
        hlt
        END patch_alias

/* Code and a counter in one page. */
        SNIPPET remap                   /* RSI: the PTE of the page at RDI */
1:      movb    $0, 64(%r10)            /* store to both pages, */
        movb    $0, 64(%r11)
        movq    %r8, (%rsi)             /* then map and call the one */
        invlpg  (%rdi)
        call    *%rdi
        addl    %eax, %edx
        movq    %r9, (%rsi)             /* and the other */
        invlpg  (%rdi)
        call    *%rdi
        addl    %eax, %ebx
        decl    %ecx
        jnz     1b
        hlt
        END remap

        SNIPPET hot_page
        movl    $50, %ecx
1:      incl    2f(%rip)
        decl    %ecx
        jnz     1b
        movl    2f(%rip), %eax
        hlt
        .balign 4
2:      .long   0
        END hot_page

/* Real mode at 0x10000: INT through the IVT, a string instruction, a port. */
        SNIPPET real
        .code16
        xorw    %ax, %ax
        movw    %ax, %es
        movw    $7, %bx
        int     $0x21
        movw    $0x500, %di
        movw    $3, %cx
        rep stosb
        outb    %al, $0x80
        hlt
        .code64
        END real

        SNIPPET real_handler
        .code16
        addw    $1, %bx
        iretw
        .code64
        END real_handler

/* 32-bit code with paging: stack, call, a fault at 0x30004, INT 0x40. */
        SNIPPET protected
        .code32
        pushl   $5
        popl    %ebx
        call    1f
        movl    0x30004, %ecx
        int     $0x40
1:      incl    %ebx
        ret
        .code64
        END protected

/* Compatibility mode at CPL 3: a segment load, then INT 0x80. */
        SNIPPET compat
        .code32
        movl    $0x1b, %eax
        movw    %ax, %ds
        movw    %ax, %es
        int     $0x80
        .code64
        END compat

/* The same instruction read by user code: must not pass for the above. */
        SNIPPET read_gdt
        movl    $0x5000, %ebx
        movl    (%rbx), %eax
        int     $0x80
        END read_gdt

        .section .note.GNU-stack, "", @progbits
