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
#define FIRMWARE_BYTES_MAX 20480

struct firmware_config {
    uint32_t vp_count;     /* 1 .. FIRMWARE_VPS_MAX; APIC ids count from 0 */
    uint32_t vp_count_max; /* at least vp_count: that may be added later */
    uint32_t node_count;   /* of virtual NUMA: 1 .. vp_count */
    uint64_t low_bytes;    /* of memory from GPA 0 */
    uint64_t high_bytes;   /* of memory from 4 GiB */
};

/** How a VM's virtual NUMA nodes share what it has: the node of VP `vp` of
 *  `vps`, those that may be added included, and the bytes of memory of every
 *  node; the last one has the rest too. Nodes follow each other in memory. */
uint32_t firmware_vp_node(uint32_t nodes, uint32_t vps, uint32_t vp);
uint64_t firmware_node_bytes(uint32_t nodes, uint64_t memory_bytes);

/**
 * Writes the tables as they are to lie from PLATFORM_TABLES_GPA on, the RSDP
 * first, and returns how many bytes they take. `to` is zeroed.
 */
size_t firmware_build(const struct firmware_config *config,
                      uint8_t to[static FIRMWARE_BYTES_MAX]);

#endif
