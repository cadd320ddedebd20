/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_PARTITIONS_PLATFORM_H
#define HVSIM_PARTITIONS_PLATFORM_H

/**
 * Where a VM's platform devices are: what its firmware tables say and its
 * worker's virtual devices answer. A PC without PCI; the places are the usual
 * ones (ACPI 6.5; Intel 82371AB, 82093AA).
 */

#include <stdint.h>

/** Firmware tables, in memory that is told to the guest as reserved. RSDP is at
 *  the start: guests that are not told its place look for it here. */
#define PLATFORM_TABLES_GPA UINT64_C(0xe0000)
#define PLATFORM_TABLES_BYTES UINT64_C(0x20000)

#define PLATFORM_IOAPIC_GPA UINT64_C(0xfec00000)
#define PLATFORM_IOAPIC_PINS 24 /* GSI 0 on */
#define PLATFORM_LAPIC_GPA UINT64_C(0xfee00000)

/* Fixed ACPI hardware: I/O ports. SCI_EN is always set. */
#define PLATFORM_PM1_EVENT_PORT 0x400   /* status and enable, 2 bytes each */
#define PLATFORM_PM1_CONTROL_PORT 0x404 /* 2 bytes */
#define PLATFORM_PM_TIMER_PORT 0x408    /* 4 bytes; counts 32 bits */
#define PLATFORM_PM_TIMER_HZ 3579545

/* General-purpose events, and the processors, of a VM to which some may be
 * added: bits of those that are there, and of those that have come since the
 * bit was cleared by writing one; 8 bytes each. A new one raises GPE 2. */
#define PLATFORM_GPE0_PORT 0x420 /* status and enable, 2 bytes each */
#define PLATFORM_GPE0_BYTES 4
#define PLATFORM_PROCESSORS_PORT 0x424
#define PLATFORM_PROCESSORS_BYTES 16
#define PLATFORM_PROCESSORS_GPE 2

#define PLATFORM_RESET_PORT 0xcf9
#define PLATFORM_RESET_VALUE 0x06
#define PLATFORM_S5_SLEEP_TYPE 5 /* SLP_TYP that powers off */

/* GSIs. IRQ 0 arrives at pin 2; all others at their own number. */
#define PLATFORM_KEYBOARD_GSI 1
#define PLATFORM_PIT_GSI 2
#define PLATFORM_UART_GSI 4
#define PLATFORM_RTC_GSI 8
#define PLATFORM_SCI_GSI 9 /* level-triggered, active high */

#endif
