/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_PARTITIONS_FIRMWARE_H
#define HVSIM_PARTITIONS_FIRMWARE_H

/**
 * The ACPI tables of a VM (ACPI 6.5, chapter 5), which tell of what is where in
 * partitions/platform.h. Built once, when the VM is defined; the loader puts
 * them into its memory.
 */

#include <stddef.h>
#include <stdint.h>

#define FIRMWARE_VPS_MAX 64
#define FIRMWARE_BYTES_MAX 4096

struct firmware_config {
    uint32_t vp_count;   /* 1 .. FIRMWARE_VPS_MAX; APIC ids count from 0 */
    uint64_t memory_end; /* GPA; at least 4 GiB */
};

/**
 * Writes the tables as they are to lie from PLATFORM_TABLES_GPA on, the RSDP
 * first, and returns how many bytes they take. `to` is zeroed.
 */
size_t firmware_build(const struct firmware_config *config,
                      uint8_t to[static FIRMWARE_BYTES_MAX]);

#endif
