/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_WORKLOADS_SELFTEST_MODES_H
#define HVSIM_WORKLOADS_SELFTEST_MODES_H

/**
 * What modes.c and modes_code.S share; both include it. The code is copied to
 * MODES_CODE, below 1 MiB, and leaves what it saw at MODES_RESULTS.
 */

#define MODES_CODE 0x9000
#define MODES_RESULTS 0xb000
#define MODES_REAL_STACK 0xd000
#define MODES_PAGED_DIRECTORY 0xe000 /* 32-bit paging */
#define MODES_PAGED_TABLE 0xf000
#define MODES_PAE_POINTERS 0x10000 /* PAE paging */
#define MODES_PAE_DIRECTORY 0x11000
#define MODES_IDT32 0x12000
#define MODES_ALIAS 0x80000000       /* physical 0, by a large page */
#define MODES_ALIAS_SMALL 0x80c00000 /* physical 0, by small pages */
#define MODES_ABSENT 0x90000123      /* not mapped */

/* Results, one 32-bit word each, in the order in which they are written. */
#define MODES_COMPAT_INC 0
#define MODES_COMPAT_PUSH 1
#define MODES_BACK_IN_64 2
#define MODES_UNPAGED_EFER 3
#define MODES_UNPAGED_CR0 4
#define MODES_PAGED_ALIAS 5
#define MODES_PAGED_SMALL 6
#define MODES_PAGED_CR2 7
#define MODES_PAGED_ERROR 8
#define MODES_PAE_ALIAS 9
#define MODES_PAE_CR2 10
#define MODES_PAE_ERROR 11
#define MODES_INT32 12
#define MODES_16_PUSH 13
#define MODES_16_WRAP 14
#define MODES_REAL_SEGMENT 15
#define MODES_REAL_INT 16
#define MODES_REAL_DIVIDE 17
#define MODES_REAL_PUSH 18
#define MODES_LONG_AGAIN 19
#define MODES_RESULT_COUNT 20

#endif
