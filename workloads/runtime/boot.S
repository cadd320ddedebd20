/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * From the loader's 32-bit protected mode (multiboot v1) to runtime_main() in
 * long mode, and the road of the other processors: 16-bit start-up page, then
 * the same 32-bit code as the first processor. Only that start-up page runs
 * below 1 MiB, and it runs before paging, so no page tables ever map it
 * executable.
 */

#define MULTIBOOT_MAGIC 0x1BADB002
#define MULTIBOOT_FLAGS 0x00010003 /* page aligned, memory map, addresses */

#define SELECTOR_CODE64 0x08
#define SELECTOR_DATA 0x10
#define SELECTOR_CODE32 0x18

#define MSR_EFER 0xC0000080
#define EFER_LME_NXE 0x900
#define CR4_PAE_PGE_SSE 0x6A0 /* PAE, PGE, OSFXSR, OSXMMEXCPT */
#define CR0_PAGED 0x80010023  /* PG, WP, NE, MP, PE */

    .section .multiboot, "a"
    .align 4
multiboot_header:
    .long MULTIBOOT_MAGIC
    .long MULTIBOOT_FLAGS
    .long -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)
    .long multiboot_header
    .long image_start
    .long image_load_end
    .long image_end
    .long boot_entry

    .text
    .code32
    .globl boot_entry
boot_entry:
    cli
    cld
    mov $boot_stack_top, %esp
    mov %eax, boot_magic
    mov %ebx, boot_info

    /* Early tables: the first 4 GiB, 2 MiB pages, writable and executable;
     * paging_init() replaces them before anything else happens. */
    movl $boot_pdpt + 3, boot_pml4
    xor %ecx, %ecx
1:  mov %ecx, %eax
    shl $12, %eax
    lea boot_pd + 3(%eax), %eax
    mov %eax, boot_pdpt(, %ecx, 8)
    inc %ecx
    cmp $4, %ecx
    jne 1b
    xor %ecx, %ecx
1:  mov %ecx, %eax
    shl $21, %eax
    or $0x83, %eax
    mov %eax, boot_pd(, %ecx, 8)
    inc %ecx
    cmp $2048, %ecx
    jne 1b

    lgdt boot_gdt_pointer
    ljmp $SELECTOR_CODE32, $1f
1:  mov $boot_pml4, %eax
    mov $boot_long, %edx

    /* EAX = CR3, EDX = the 64-bit code to go on with. */
boot_to_long:
    mov %eax, %cr3
    mov $SELECTOR_DATA, %eax
    mov %eax, %ds
    mov %eax, %es
    mov %eax, %ss
    xor %eax, %eax
    mov %eax, %fs
    mov %eax, %gs
    mov $CR4_PAE_PGE_SSE, %eax
    mov %eax, %cr4
    mov %edx, %esi
    mov $MSR_EFER, %ecx
    rdmsr
    or $EFER_LME_NXE, %eax
    wrmsr
    mov $CR0_PAGED, %eax
    mov %eax, %cr0
    ljmp $SELECTOR_CODE64, $1f
    .code64
1:  mov %esi, %esi
    jmp *%rsi

boot_long:
    lea boot_stack_top(%rip), %rsp
    xor %ebp, %ebp
    mov boot_magic(%rip), %edi
    mov boot_info(%rip), %esi
    call runtime_main
    ud2 /* runtime_main() does not return */

    .code32
boot_application:
    mov boot_application_cr3, %eax
    mov $boot_application_long, %edx
    jmp boot_to_long
    .code64
boot_application_long:
    mov boot_application_stack(%rip), %rsp
    mov boot_application_cpu(%rip), %rdi
    xor %ebp, %ebp
    call cpu_application_main
    ud2 /* cpu_application_main() does not return */

    /* Copied to BOOT_STARTUP_ADDRESS; a start-up IPI enters it in real mode
     * with CS = its page. Everything in it is addressed from its start. */
    .section .rodata
    .code16
    .globl boot_startup_begin, boot_startup_end
boot_startup_begin:
    cli
    mov %cs, %ax
    mov %ax, %ds
    lgdtl 2f - boot_startup_begin
    mov %cr0, %eax
    or $1, %eax
    mov %eax, %cr0
    ljmpl $SELECTOR_CODE32, $1f - boot_startup_begin + 0x8000
    .code32
1:  mov $SELECTOR_DATA, %eax
    mov %eax, %ds
    mov $boot_application, %eax
    jmp *%eax
    .align 4
2:  .word boot_gdt_end - boot_gdt - 1
    .long boot_gdt
boot_startup_end:

    .align 8
boot_gdt:
    .quad 0
    .quad 0x00AF9B000000FFFF /* 64-bit code */
    .quad 0x00CF93000000FFFF /* data */
    .quad 0x00CF9B000000FFFF /* 32-bit code */
boot_gdt_end:
boot_gdt_pointer:
    .word boot_gdt_end - boot_gdt - 1
    .long boot_gdt

    .bss
    .align 4096
boot_pml4:
    .skip 4096
boot_pdpt:
    .skip 4096
boot_pd:
    .skip 4096 * 4
    .globl boot_stack_guard
boot_stack_guard:
    .skip 4096
    .skip 16384
boot_stack_top:
    .globl boot_application_cr3, boot_application_stack, boot_application_cpu
boot_application_stack:
    .quad 0
boot_application_cpu:
    .quad 0
boot_application_cr3:
    .long 0
boot_magic:
    .long 0
boot_info:
    .long 0
    .section .note.GNU-stack, "", @progbits
