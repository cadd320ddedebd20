/* SPDX-License-Identifier: GPL-2.0-or-later */

/* bench_simd: see loops.h. The values stay finite: each step multiplies by
 * one half or adds one. The sum of the values' bits is the checksum. */

    .text
    .globl bench_simd, bench_simd_end
bench_simd:
    mov $0x3fe0000000000000, %rax /* 0.5 */
    movq %rax, %xmm7
    unpcklpd %xmm7, %xmm7
    mov $0x3ff0000000000000, %rax /* 1.0 */
    movq %rax, %xmm6
    unpcklpd %xmm6, %xmm6
    pxor %xmm5, %xmm5
    movapd %xmm6, %xmm0
    movapd %xmm7, %xmm1
    .balign 16
1:
    paddq %xmm0, %xmm5
    .rept 2
    mulpd %xmm7, %xmm0
    addpd %xmm6, %xmm1
    addpd %xmm1, %xmm0
    movapd %xmm0, %xmm2
    mulpd %xmm7, %xmm1
    subpd %xmm1, %xmm2
    mulpd %xmm7, %xmm2
    .endr
    dec %rdi
    jnz 1b
    movq %xmm5, %rax
    mov %rax, %rcx
    shr $32, %rcx
    xor %rcx, %rax
    ret
bench_simd_end:
    .section .note.GNU-stack, "", @progbits
