/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_WORKLOADS_BENCH_LOOPS_H
#define HVSIM_WORKLOADS_BENCH_LOOPS_H

/**
 * The loops of the speed comparison. Each is plain position-independent code
 * between bench_NAME and bench_NAME_end, so that it runs the same as a C
 * function in a guest and as copied bytes in a bare emulator:
 *
 *   in:  RDI = iterations (at least 1), RSI = memory, RDX = its bytes
 *   out: RAX = a checksum that depends on every iteration
 *
 * Only RAX, RCX, RDX, RSI, RDI, R8-R11, XMM0-XMM7 and flags change. The stack
 * is used below RSP for at most BENCH_STACK_BYTES, return address included;
 * the code ends with RET. Only bench_cpuid has instructions that a hypervisor
 * intercepts, and none touches memory but [RSI, RSI + RDX) and the stack.
 */

#include <stdint.h>

#define BENCH_STACK_BYTES 1024

typedef uint64_t bench_loop(uint64_t iterations, void *memory, uint64_t bytes);

#define BENCH_LOOP(name, default_iterations, memory_bytes, help)               \
    extern bench_loop bench_##name;                                            \
    extern const char bench_##name##_end[];
#include "workloads/bench/loops.def"
#undef BENCH_LOOP

/** Links `memory` up for bench_chase: to be run before it, iterations 1. */
extern bench_loop bench_chase_prepare;
extern const char bench_chase_prepare_end[];

#endif
