/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_RUN_MARK_H
#define HVSIM_HYPERVISOR_RUN_MARK_H

/**
 * Where one that waits stands among others: its key, and of equals its number.
 * One integer of 128 bits: two of them are compared without a branch that the
 * host would have to guess.
 */

#include <stdint.h>

__extension__ typedef unsigned __int128 run_mark_t;

/** After all others: of nobody. */
#define RUN_MARK_NONE (~(run_mark_t)0)

static inline run_mark_t run_mark(uint64_t key, uint64_t number)
{
    return (run_mark_t)key << 64 | number;
}

static inline uint64_t run_mark_key(run_mark_t mark)
{
    return (uint64_t)(mark >> 64);
}

#endif
