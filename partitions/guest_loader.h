/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_PARTITIONS_GUEST_LOADER_H
#define HVSIM_PARTITIONS_GUEST_LOADER_H

/**
 * Plans what a VM's memory holds when it starts, its firmware's tables
 * included, and in which state its bootstrap processor starts. The worker
 * process does the copying, in pieces, and pays for it.
 *
 * An image comes from outside: every number in it is checked against the
 * image's and the VM's size before it is used.
 */

#include <stddef.h>

#include "cpu/x86.h"
#include "sim/core/error.h"

/** A VM's memory starts at GPA 0; what does not fit below the device hole goes
 *  above 4 GiB. */
#define GUEST_LOW_BYTES_MAX (UINT64_C(3) << 30)
#define GUEST_HIGH_GPA (UINT64_C(4) << 30)

enum guest_format {
    GUEST_MULTIBOOT, /* version 1 */
    GUEST_LINUX,     /* bzImage, entered by the 64-bit boot protocol */
    GUEST_FLAT,      /* bytes for a given address */
    GUEST_FORMAT_COUNT,
};

/** A file beside the image: what a multiboot guest calls a module; Linux takes
 *  one at most, its initial RAM disk. */
struct guest_module {
    const char *name;     /* for messages */
    const uint8_t *bytes; /* borrowed for as long as VMs may start */
    size_t size;
    const char *command_line; /* borrowed likewise; NULL: none */
};

#define GUEST_MODULES_MAX 16

struct guest_image {
    const char *name;     /* for messages */
    const uint8_t *bytes; /* borrowed for as long as VMs may start */
    size_t size;
    enum guest_format format;
    const char *command_line;           /* borrowed likewise; NULL: none */
    const struct guest_module *modules; /* likewise */
    size_t module_count;                /* at most GUEST_MODULES_MAX */
    /* Of a flat image. */
    unsigned bits; /* in which it starts: 16, 32 or 64 */
    uint64_t load, entry;
};

/** The VM that the image is for. */
struct guest_machine {
    uint64_t memory_bytes;
    uint32_t vp_count;     /* 1 .. 64 */
    uint32_t vp_count_max; /* with those that may be added; 0: as vp_count */
    uint32_t node_count;   /* of virtual NUMA: 1 .. vp_count */
};

/** A piece of memory to fill: from the image, then zeros. */
struct guest_piece {
    gpa_t to;
    const uint8_t *from; /* `bytes` bytes; NULL for zeros alone */
    uint64_t bytes;
    uint64_t zero_bytes; /* after them */
};

#define GUEST_PIECES_MAX 64
#define GUEST_SCRATCH_BYTES 65536

/** What to do to start the guest. Pieces do not overlap; they may point into
 *  `scratch`. */
struct guest_plan {
    struct guest_piece pieces[GUEST_PIECES_MAX];
    unsigned piece_count;
    struct x86_state state; /* of VP 0 */
    uint8_t scratch[GUEST_SCRATCH_BYTES];
    size_t scratch_used;
};

/** Plans the image and the VM's firmware. SIM_NO_INPUT and what is wrong with
 *  the image; SIM_BAD_SCENARIO if the VM is not one for it. */
MUST_USE enum sim_status guest_loader_plan(const struct guest_image *image,
                                           const struct guest_machine *machine,
                                           struct guest_plan *plan,
                                           struct sim_error *error);

#endif
