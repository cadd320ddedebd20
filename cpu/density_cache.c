/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpu/density_cache.h"

#include <stdlib.h>
#include <string.h>
#include <xxhash.h>

#include "cpu/code_density.h"

/* Direct mapped; a program of ours has a dozen pages of code. */
#define ENTRIES 256u

struct entry {
    uint8_t page[PAGE_BYTES];
    bool used;
    bool high;
};

struct density_cache {
    struct entry *entries; /* owns, ENTRIES; untouched until used */
};

struct density_cache *density_cache_create(void)
{
    struct density_cache *cache = calloc(1, sizeof(*cache));

    if (!cache)
        return NULL;
    cache->entries = calloc(ENTRIES, sizeof(*cache->entries));
    if (!cache->entries) {
        free(cache);
        return NULL;
    }
    return cache;
}

void density_cache_free(struct density_cache *cache)
{
    if (!cache)
        return;
    free(cache->entries);
    free(cache);
}

bool density_cache_ask(struct density_cache *cache,
                       const uint8_t page[PAGE_BYTES])
{
    struct entry *entry =
        &cache->entries[XXH3_64bits(page, PAGE_BYTES) % ENTRIES];

    if (entry->used && memcmp(entry->page, page, PAGE_BYTES) == 0)
        return entry->high;
    memcpy(entry->page, page, PAGE_BYTES);
    entry->high = code_density_is_high(entry->page);
    entry->used = true;
    return entry->high;
}
