/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_CORE_GUEST_MEMORY_H
#define HVSIM_SIM_CORE_GUEST_MEMORY_H

/**
 * How everything above the processor reaches a partition's bytes: by GPA,
 * through this small interface, implemented in hypervisor/gpa_space.c and by a
 * flat fake in tests. Guest memory can change between two calls; copy first,
 * check the copy, use the copy.
 */

#include <stddef.h>

#include "sim/core/types.h"

struct guest_memory_ops {
    /** Copies from guest memory; false (and nothing written) if any byte of
     *  the range is not mapped readable. The range may cross pages. */
    bool (*read)(void *context, gpa_t from, void *to, size_t bytes);
    /** Copies to guest memory; false if any byte is not mapped writable, and
     *  then nothing has been written. */
    bool (*write)(void *context, gpa_t to, const void *from, size_t bytes);
};

struct guest_memory {
    const struct guest_memory_ops *ops;
    void *context; /* borrowed */
};

static inline bool guest_memory_read(struct guest_memory memory, gpa_t from,
                                     void *to, size_t bytes)
{
    return memory.ops->read(memory.context, from, to, bytes);
}

static inline bool guest_memory_write(struct guest_memory memory, gpa_t to,
                                      const void *from, size_t bytes)
{
    return memory.ops->write(memory.context, to, from, bytes);
}

#endif
