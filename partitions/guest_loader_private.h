/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_PARTITIONS_GUEST_LOADER_PRIVATE_H
#define HVSIM_PARTITIONS_GUEST_LOADER_PRIVATE_H

/** What the loaders of the formats share; for guest_loader*.c alone. */

#include "partitions/guest_loader.h"

/** A plan in the making. */
struct guest_loading {
    const struct guest_image *image;     /* borrowed */
    const struct guest_machine *machine; /* borrowed */
    struct guest_plan *plan;             /* borrowed */
    struct sim_error *error;             /* borrowed */
};

/** One for each format: adds its pieces and sets the state of VP 0. The plan
 *  has the firmware's pieces already. */
enum sim_status guest_loader_multiboot(struct guest_loading *loading);
enum sim_status guest_loader_linux(struct guest_loading *loading);
enum sim_status guest_loader_flat(struct guest_loading *loading);

/** Adds the segments of an ELF executable, none of which may lie below
 *  `least`, and tells its physical entry address. */
enum sim_status guest_loader_elf(struct guest_loading *loading, uint64_t least,
                                 uint64_t *entry);

/** "IMAGE: message", SIM_NO_INPUT: something is wrong with the image. */
enum sim_status guest_loader_refuse(const struct guest_loading *loading,
                                    const char *format, ...) PRINTF_LIKE(2, 3);

/** Zeroed scratch space of the plan, 8-byte aligned; NULL if it is full. */
uint8_t *guest_loader_scratch(struct guest_loading *loading, size_t bytes);

/** Adds a piece, after checking that it lies in the VM's low memory and upon
 *  no other. */
MUST_USE enum sim_status guest_loader_add(struct guest_loading *loading,
                                          struct guest_piece piece);

/** Memory below the device hole: where loaders place things. */
uint64_t guest_loader_low_bytes(const struct guest_machine *machine);

/* Types of ranges, as E820 and multiboot number them. */
#define GUEST_RANGE_USABLE 1
#define GUEST_RANGE_RESERVED 2

struct guest_range {
    uint64_t base, bytes;
    uint32_t type;
};

#define GUEST_RANGES_MAX 5

/** What the firmware says of memory, ascending; returns the count. */
size_t guest_loader_ranges(const struct guest_machine *machine,
                           struct guest_range ranges[GUEST_RANGES_MAX]);

/** Up to the extended BIOS data area, which is at the usual place. */
#define GUEST_CONVENTIONAL_BYTES UINT64_C(0x9fc00)

/** Protected mode with flat 32-bit segments, paging and interrupts off. */
void guest_loader_start_protected(struct guest_loading *loading,
                                  uint64_t entry);

/** GUEST_LONG_MODE_GPA: page tables that map the first 4 GiB to themselves,
 *  and a GDT. They end before GUEST_LONG_MODE_END. */
#define GUEST_LONG_MODE_GPA UINT64_C(0x1000)
#define GUEST_LONG_MODE_END UINT64_C(0x8000)

/** Adds them, and sets 64-bit mode with flat segments, interrupts off. */
MUST_USE enum sim_status guest_loader_start_long(struct guest_loading *loading,
                                                 uint64_t entry);

#endif
