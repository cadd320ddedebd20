/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_VP_NAMES_H
#define HVSIM_HYPERVISOR_VP_NAMES_H

/**
 * The VPs that there are and have been, by number: so that a VP may be
 * remembered by its number alone, and longer than it is there. Owned by the
 * hypervisor.
 */

#include <stdbool.h>
#include <stdint.h>

struct vp_name {
    uint64_t partition;
    uint32_t vp; /* its index there */
};

/** Zero-initialise: none. */
struct vp_names {
    struct vp_name *names; /* owns, `count` */
    uint32_t count;        /* the number of the next one */
    uint32_t room;
};

/** The VP of number `count` has that name. False if out of memory. */
bool vp_names_add(struct vp_names *names, struct vp_name name);
void vp_names_free(struct vp_names *names);

#endif
