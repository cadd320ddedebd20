/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_SIM_CORE_HOST_LINE_H
#define HVSIM_SIM_CORE_HOST_LINE_H

/**
 * Lines of the host's caches, for what is there by the thousand and touched all
 * the time: a struct whose first fields are those that are needed together
 * takes as few lines as it can if it begins on one.
 */

#include <stddef.h>

#define HOST_LINE_BYTES 64u

/** As calloc(1, bytes), at the beginning of a line; free() frees it. */
void *host_line_calloc(size_t bytes);

/** Has the host fetch what will be needed soon. Changes nothing else. */
static inline void host_line_foresee(const void *at, size_t bytes)
{
    for (size_t done = 0; done < bytes; done += HOST_LINE_BYTES)
        __builtin_prefetch((const char *)at + done);
    /* Without an effect that GCC knows of, it would drop calls of functions
     * that do no more than this. */
    __asm__ volatile("");
}

#endif
