/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_HYPERVISOR_VECTOR_MAP_H
#define HVSIM_HYPERVISOR_VECTOR_MAP_H

/** Sets of interrupt vectors, as a local APIC keeps them: 256 bits in eight
 *  registers, the lowest vectors first (SDM 3A, "IRR, ISR and TMR"). */

#include <stdbool.h>
#include <stdint.h>

#define VECTOR_MAP_WORDS 8

static inline void vector_map_set(uint32_t map[VECTOR_MAP_WORDS],
                                  uint8_t vector)
{
    map[vector / 32] |= UINT32_C(1) << (vector % 32);
}

static inline void vector_map_clear(uint32_t map[VECTOR_MAP_WORDS],
                                    uint8_t vector)
{
    map[vector / 32] &= ~(UINT32_C(1) << (vector % 32));
}

static inline bool vector_map_has(const uint32_t map[VECTOR_MAP_WORDS],
                                  uint8_t vector)
{
    return (map[vector / 32] >> (vector % 32)) & 1;
}

static inline uint64_t vector_map_pair(const uint32_t map[VECTOR_MAP_WORDS],
                                       int word)
{
    return (uint64_t)map[word + 1] << 32 | map[word];
}

/** Most maps are, at most times. */
static inline bool vector_map_is_empty(const uint32_t map[VECTOR_MAP_WORDS])
{
    return (vector_map_pair(map, 0) | vector_map_pair(map, 2) |
            vector_map_pair(map, 4) | vector_map_pair(map, 6)) == 0;
}

/** The highest vector in the map; -1 if it is empty. */
static inline int vector_map_highest(const uint32_t map[VECTOR_MAP_WORDS])
{
    int word = VECTOR_MAP_WORDS - 2;

    if (vector_map_is_empty(map))
        return -1;
    while (vector_map_pair(map, word) == 0)
        word -= 2;
    return word * 32 + 63 - __builtin_clzll(vector_map_pair(map, word));
}

/** The lowest one, likewise. */
static inline int vector_map_lowest(const uint32_t map[VECTOR_MAP_WORDS])
{
    for (int word = 0; word < VECTOR_MAP_WORDS; word++) {
        if (map[word] != 0)
            return word * 32 + __builtin_ctz(map[word]);
    }
    return -1;
}

#endif
