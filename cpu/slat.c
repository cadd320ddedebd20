/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpu/slat.h"

#define LEVEL_BITS 9
#define TOP_SHIFT 39
#define LARGE_SHIFT_MAX 30

/* The entries a walk went through, top level first. */
struct path {
    spa_t at[4];
    uint64_t entry[4];
    unsigned count;
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

static void set_bits(struct arena *arena, const struct path *path, bool dirty)
{
    for (unsigned i = 0; i < path->count; i++) {
        bool leaf = i + 1 == path->count;
        uint64_t bits = SLAT_A | (leaf && dirty ? SLAT_D : 0);

        if ((path->entry[i] & bits) != bits)
            arena_or64(arena, path->at[i], bits);
    }
}

/** Follows the tables down to the leaf; the rights gather in `out`. */
static bool descend(const struct arena *arena, spa_t table, gpa_t at,
                    struct path *path, struct slat_translation *out)
{
    unsigned shift = TOP_SHIFT;

    for (;; shift -= LEVEL_BITS) {
        uint64_t index = (at.raw >> shift) & ((1u << LEVEL_BITS) - 1);
        spa_t where = spa_add(table, index * sizeof(uint64_t));
        uint64_t entry;

        if (!arena_contains(arena, where, sizeof(uint64_t)))
            return false;
        entry = arena_load64(arena, where);
        out->references++;
        if (!entry_usable(entry, shift))
            return false;
        path->at[path->count] = where;
        path->entry[path->count++] = entry;
        out->writable = out->writable && (entry & SLAT_W);
        out->executable = out->executable && !(entry & SLAT_NX);
        table = spa(entry & SLAT_ADDRESS);
        if (shift == PAGE_SHIFT || (entry & SLAT_LARGE))
            break;
    }

    uint64_t offset_mask = (UINT64_C(1) << shift) - 1;

    out->shift = shift;
    out->spa = spa((table.raw & ~offset_mask) | (at.raw & offset_mask));
    return arena_contains(arena, out->spa, 1);
}

bool slat_translate(struct arena *arena, struct slat_root root, gpa_t at,
                    bool write, struct slat_translation *out)
{
    struct path path = {.count = 0};

    if (root.table.raw == SLAT_IDENTITY.table.raw)
        return identity(arena, at, out);

    *out = (struct slat_translation){.writable = true, .executable = true};
    if (at.raw >> SLAT_GPA_BITS != 0)
        return false;
    if (!descend(arena, root.table, at, &path, out))
        return false;
    write = write && out->writable;
    set_bits(arena, &path, write);
    out->dirty = write || (path.entry[path.count - 1] & SLAT_D);
    return true;
}
