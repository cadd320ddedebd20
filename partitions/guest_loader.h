/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_PARTITIONS_GUEST_LOADER_H
#define HVSIM_PARTITIONS_GUEST_LOADER_H

/**
 * Puts a guest image into a VM's memory and says in which state its bootstrap
 * processor starts. Formats are tried in the order of guest_loaders[]; the
 * worker process does the copying, in pieces, and pays for it.
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

struct guest_image {
    const char *name;     /* for messages */
    const uint8_t *bytes; /* borrowed for as long as VMs may start */
    size_t size;
    const char *command_line; /* borrowed likewise */
};

/** A piece of memory to fill: from the image, then zeros. */
struct guest_piece {
    gpa_t to;
    const uint8_t *from; /* `bytes` bytes; NULL for zeros alone */
    uint64_t bytes;
    uint64_t zero_bytes; /* after them */
};

#define GUEST_PIECES_MAX 16
#define GUEST_SCRATCH_BYTES 8192

/** What to do to start the guest. `pieces` may point into `scratch`. */
struct guest_plan {
    struct guest_piece pieces[GUEST_PIECES_MAX];
    unsigned piece_count;
    struct x86_state state; /* of VP 0 */
    uint8_t scratch[GUEST_SCRATCH_BYTES];
    size_t scratch_used;
};

struct guest_loader_ops {
    const char *name; /* "multiboot" */
    /** True if the image is of this format, damaged or not. */
    bool (*recognizes)(const struct guest_image *image);
    /** Fills the plan; SIM_NO_INPUT and what is wrong with the image. */
    enum sim_status (*plan)(const struct guest_image *image,
                            uint64_t memory_bytes, struct guest_plan *plan,
                            struct sim_error *error);
};

/** Plans with the first loader that recognizes the image. */
MUST_USE enum sim_status guest_loader_plan(const struct guest_image *image,
                                           uint64_t memory_bytes,
                                           struct guest_plan *plan,
                                           struct sim_error *error);

extern const struct guest_loader_ops guest_loader_multiboot;

/* For loaders. */

/** Copies to the plan's scratch space; NULL if it is full. */
uint8_t *guest_loader_scratch(struct guest_plan *plan, const void *bytes,
                              size_t size);

/** Adds a piece after checking that it lies in the VM's memory. */
enum sim_status guest_loader_add(struct guest_plan *plan,
                                 const struct guest_image *image,
                                 uint64_t memory_bytes,
                                 struct guest_piece piece,
                                 struct sim_error *error);

#endif
