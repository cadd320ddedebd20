/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_CPU_DENSITY_CACHE_H
#define HVSIM_CPU_DENSITY_CACHE_H

/**
 * What code_density_is_high() said of pages, by their content: VMs that run
 * the same program have the same pages, and asking costs as much as running
 * some hundred thousand instructions. The bytes are kept and compared, so the
 * answer is never another page's.
 */

#include "sim/core/types.h"

struct density_cache;

/** NULL if there is not enough memory. The caller owns it. */
struct density_cache *density_cache_create(void);
void density_cache_free(struct density_cache *cache);

/** code_density_is_high(page). */
bool density_cache_ask(struct density_cache *cache,
                       const uint8_t page[PAGE_BYTES]);

#endif
