/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpu/slat.h"

#include <string.h>

#define LEVEL_BITS 9
#define LEVELS_MAX 4
#define TOP_SHIFT 39
#define LARGE_SHIFT_MAX 30

/* What a walk went through, top level first. */
struct path {
    spa_t at[LEVELS_MAX]; /* of the entries */
    unsigned count;
    unsigned shift; /* of the last level */
    uint64_t every; /* bits that all entries have */
    uint64_t some;  /* bits that some entry has */
    uint64_t last;  /* the last entry */
};

static bool identity(struct arena *arena, gpa_t at,
                     struct slat_translation *out)
{
    *out = (struct slat_translation){
        .spa = spa(at.raw),
        .shift = LARGE_SHIFT_MAX,
        .writable = true,
        .executable = true,
        .dirty = true,
    };
    return arena_contains(arena, out->spa, 1);
}

static bool entry_usable(uint64_t entry, unsigned shift)
{
    if ((entry & (SLAT_P | SLAT_U)) != (SLAT_P | SLAT_U))
        return false;
    return shift <= LARGE_SHIFT_MAX || (entry & SLAT_LARGE) == 0;
}

/* The tables' own bytes: what arena_load64() reads, without its checks, which
 * descend() has made for each table as a whole. */
static uint64_t load_entry(const struct arena *arena, spa_t at)
{
    uint64_t entry;

    memcpy(&entry, arena->base + at.raw, sizeof(entry));
    return entry;
}

/* Follows the tables down to the leaf; false if one is not there. */
static bool descend(const struct arena *arena, spa_t table, gpa_t at,
                    struct path *path)
{
    for (unsigned shift = TOP_SHIFT;; shift -= LEVEL_BITS) {
        uint64_t index = (at.raw >> shift) & ((1u << LEVEL_BITS) - 1);
        spa_t where = spa_add(table, index * sizeof(uint64_t));
        uint64_t entry;

        if (!arena_contains(arena, table, PAGE_BYTES))
            return false;
        entry = load_entry(arena, where);
        path->at[path->count++] = where;
        if (!entry_usable(entry, shift))
            return false;
        path->every &= entry;
        path->some |= entry;
        table = spa(entry & SLAT_ADDRESS);
        if (shift == PAGE_SHIFT || (entry & SLAT_LARGE)) {
            path->shift = shift;
            path->last = entry;
            return true;
        }
    }
}

static void set_bits(struct arena *arena, const struct path *path, bool dirty)
{
    if (!(path->every & SLAT_A)) {
        for (unsigned i = 0; i < path->count; i++)
            arena_or64(arena, path->at[i], SLAT_A);
    }
    if (dirty && !(path->last & SLAT_D))
        arena_or64(arena, path->at[path->count - 1], SLAT_D);
}

bool slat_translate(struct arena *arena, struct slat_root root, gpa_t at,
                    bool write, struct slat_translation *out)
{
    struct path path = {.every = UINT64_MAX};
    uint64_t offset_mask;

    if (root.table.raw == SLAT_IDENTITY.table.raw)
        return identity(arena, at, out);

    *out = (struct slat_translation){.references = 0};
    if (at.raw >> SLAT_GPA_BITS != 0)
        return false;
    if (!descend(arena, root.table, at, &path)) {
        out->references = path.count;
        return false;
    }
    offset_mask = (UINT64_C(1) << path.shift) - 1;
    *out = (struct slat_translation){
        .spa = spa((path.last & SLAT_ADDRESS & ~offset_mask) |
                   (at.raw & offset_mask)),
        .shift = path.shift,
        .writable = (path.every & SLAT_W) != 0,
        .executable = (path.some & SLAT_NX) == 0,
        .references = path.count,
    };
    if (!arena_contains(arena, out->spa, 1))
        return false;
    write = write && out->writable;
    set_bits(arena, &path, write);
    out->dirty = write || (path.last & SLAT_D);
    return true;
}
