/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_GPA_SPACE_H
#define HVSIM_HYPERVISOR_GPA_SPACE_H

/**
 * A partition's guest physical address space: second-level tables in simulated
 * SPA pages (layout: cpu/slat.h), built here and walked by the processor.
 * Overlay pages (TLFS, "Overlay Pages") hide what is mapped under them until
 * they are taken away. Owned by its partition.
 */

#include "cpu/slat.h"
#include "hypervisor/hv_status.h"
#include "sim/core/guest_memory.h"

struct hv_partition;
struct gpa_overlay;

struct gpa_space {
    struct hv_partition *partition; /* borrowed */
    struct slat_root root;
    struct gpa_overlay *overlays; /* owns: a list, newest first */
    uint64_t pages_4k, pages_2m;  /* mappings of RAM, for counters */
};

#define GPA_MAP_READ 0x1u
#define GPA_MAP_WRITE 0x2u
#define GPA_MAP_KERNEL_EXECUTE 0x4u
#define GPA_MAP_USER_EXECUTE 0x8u

#define GPA_MAP_EXECUTE (GPA_MAP_KERNEL_EXECUTE | GPA_MAP_USER_EXECUTE)
#define GPA_MAP_ALL (GPA_MAP_READ | GPA_MAP_WRITE | GPA_MAP_EXECUTE)

#define GPA_LARGE_SHIFT 21
#define GPA_LARGE_BYTES (UINT64_C(1) << GPA_LARGE_SHIFT)

/** Makes an empty space; table pages come from the partition's pool. On
 *  failure the space is as gpa_space_fini() leaves it. */
enum hv_status gpa_space_init(struct gpa_space *space,
                              struct hv_partition *partition);

/** Gives all tables and overlay pages back to the pool. Does nothing to a
 *  space that was never initialised, or is gone already. */
void gpa_space_fini(struct gpa_space *space);

/**
 * Maps one page of 4 KiB (or of 2 MiB, if `large`), replacing what was there.
 * Without MBEC, as here, code may execute if either execute right is given; a
 * page without GPA_MAP_READ is left unmapped. `to` is CHECKed to be memory.
 * INSUFFICIENT_MEMORY if a table page must be deposited first (nothing has
 * changed then); INVALID_PARAMETER for an address that is not aligned or out
 * of the space.
 */
enum hv_status gpa_space_map(struct gpa_space *space, gpa_t at, spa_t to,
                             bool large, uint32_t rights);

/** Takes the mapping of a 4 KiB page (splitting a large one), or of all of an
 *  aligned 2 MiB if `large`, away. What is not mapped is no error. */
enum hv_status gpa_space_unmap(struct gpa_space *space, gpa_t at, bool large);

struct gpa_mapping {
    spa_t spa; /* of the byte asked for */
    bool writable;
    bool executable;
    bool large;
    bool overlay;
};

/** All about the mapping of a GPA; false if there is none. */
bool gpa_space_find(const struct gpa_space *space, gpa_t at,
                    struct gpa_mapping *out);

/** Where a GPA lies, overlays included; false if not mapped. */
bool gpa_space_lookup(const struct gpa_space *space, gpa_t at, spa_t *out,
                      bool *writable);

/**
 * Puts a fresh zeroed overlay page over the GPA page `at`, for `owner` (the
 * address of the feature's state; a feature has at most one). The page is
 * hypervisor memory at *page. The guest may write it if `writable`.
 */
enum hv_status gpa_space_overlay(struct gpa_space *space, const void *owner,
                                 gpa_t at, bool writable, spa_t *page);

/** The same for a page of the hypervisor's that several spaces show, for the
 *  guest to write: it is borrowed until the overlay is taken away. */
enum hv_status gpa_space_overlay_shared(struct gpa_space *space,
                                        const void *owner, gpa_t at,
                                        spa_t page);

/** Takes the owner's overlay away, showing what is beneath. */
void gpa_space_remove_overlay(struct gpa_space *space, const void *owner);

/** Every VP of the partition forgets cached translations. Called by the above
 *  where needed; public for flush hypercalls. */
void gpa_space_flush(struct gpa_space *space);

/** The interface for everything above: see sim/core/guest_memory.h. */
struct guest_memory gpa_space_memory(struct gpa_space *space);

#endif
