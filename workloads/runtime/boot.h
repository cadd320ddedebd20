/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_WORKLOADS_RUNTIME_BOOT_H
#define HVSIM_WORKLOADS_RUNTIME_BOOT_H

/**
 * What boot.S and guest.ld leave for C: the bounds of the image and the
 * mailbox through which cpu.c hands a starting processor its stack.
 */

#include <stdint.h>

/* Section bounds by the linker script; all but image_load_end page aligned. */
extern char image_start[], image_text_end[], image_rodata_end[];
extern char image_load_end[], image_end[];

/** The unmapped page below the first processor's stack. */
extern char boot_stack_guard[];

/* The start-up code, and the page below 1 MiB it is copied to. */
#define BOOT_STARTUP_ADDRESS 0x8000u
extern const char boot_startup_begin[], boot_startup_end[];

/* Read once by the processor that starts next; written by cpu_start_all(). */
extern uint64_t boot_application_stack, boot_application_cpu;
extern uint32_t boot_application_cr3;

#endif
