/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpu/price_cache.h"

#include <stdlib.h>
#include <string.h>

#define FAR_SLOTS_MIN 1024u
#define FAR_SLOTS_MAX (1u << 20)
#define HASH_FACTOR UINT64_C(0x9e3779b97f4a7c15) /* 2^64 / golden ratio */

/* More misses than this many times the entries: the working set is larger. */
#define NEAR_MISSES_TO_GROW 4u

static size_t near_count(const struct near_prices *near)
{
    return (size_t)1 << (64 - near->index_shift);
}

bool price_cache_near_init(struct near_prices *near)
{
    *near = (struct near_prices){
        .loop_pc = NEAR_NO_LOOP,
        .index_shift = 64 - NEAR_INDEX_BITS_MIN,
    };
    near->entries = calloc(near_count(near), sizeof(*near->entries));
    return near->entries != NULL;
}

void price_cache_near_free(struct near_prices *near)
{
    free(near->entries);
    near->entries = NULL;
}

void price_cache_near_clear(struct near_prices *near)
{
    memset(near->entries, 0, near_count(near) * sizeof(*near->entries));
    memset(near->generation, 0, sizeof(near->generation));
    near->loop_pc = NEAR_NO_LOOP;
}

void price_cache_near_loop(struct near_prices *near,
                           const struct near_price *price)
{
    near->loop = *price;
    near->loop_pc = near_address(price->key);
}

/* A block may begin in the page before and run into this one. */
void price_cache_near_expire(struct near_prices *near, uint64_t page)
{
    /* Its price stays: the block may be under way. */
    near->loop_pc = NEAR_NO_LOOP;
    for (unsigned i = 0; i < 2; i++) {
        uint64_t number = (page >> PAGE_SHIFT) - i;
        uint16_t *generation =
            &near->generation[number & (NEAR_PAGE_GROUPS - 1)];

        *generation = (uint16_t)(*generation + (1u << NEAR_SIZE_BITS));
        if (*generation == 0) {
            price_cache_near_clear(near);
            return;
        }
    }
}

void price_cache_near_missed(struct near_prices *near)
{
    struct near_price *larger;

    if (++near->misses < NEAR_MISSES_TO_GROW * near_count(near) ||
        near_count(near) >= (size_t)1 << NEAR_INDEX_BITS_MAX)
        return;
    near->misses = 0;
    larger = calloc(2 * near_count(near), sizeof(*larger));
    if (!larger)
        return;
    free(near->entries);
    near->entries = larger;
    near->index_shift--;
}

struct far_slot {
    uint64_t start; /* plus one; 0: free */
    uint32_t version;
    uint32_t subcycles;
    uint16_t bytes;
    uint16_t instructions;
    uint8_t mode;
    bool traps;
};

/* By content; the bytes themselves are kept, so that a match is one. */
struct content_slot {
    uint8_t code[PRICE_CACHE_CONTENT_BYTES];
    uint32_t subcycles;
    uint16_t instructions;
    uint8_t bytes; /* 0: free */
    uint8_t mode;
};

#define CONTENT_SLOTS_LOG2 14

/* Direct mapped: a collision costs a second decoding, never a wrong answer. */
struct far_prices {
    struct content_slot *content; /* owns, 2^CONTENT_SLOTS_LOG2 */
    struct far_slot *slots;       /* owns */
    uint32_t slot_count;          /* a power of two */
    uint32_t added;               /* since it last grew */
};

struct far_prices *price_cache_far_create(void)
{
    struct far_prices *far = calloc(1, sizeof(*far));

    if (!far)
        return NULL;
    far->slot_count = FAR_SLOTS_MIN;
    far->slots = calloc(far->slot_count, sizeof(*far->slots));
    far->content =
        calloc(UINT64_C(1) << CONTENT_SLOTS_LOG2, sizeof(*far->content));
    if (!far->slots || !far->content) {
        price_cache_far_free(far);
        return NULL;
    }
    return far;
}

void price_cache_far_free(struct far_prices *far)
{
    if (!far)
        return;
    free(far->slots);
    free(far->content);
    free(far);
}

static struct far_slot *slot_of(const struct far_prices *far, uint64_t start,
                                uint16_t bytes)
{
    uint64_t mixed = (start ^ (uint64_t)bytes << 48) * HASH_FACTOR;

    /* Once more: code starts at regular distances. */
    mixed = (mixed ^ mixed >> 32) * HASH_FACTOR;
    return &far->slots[mixed >> (64 - __builtin_ctz(far->slot_count))];
}

bool price_cache_far_find(const struct far_prices *far,
                          const struct far_key *key, struct block_price *price)
{
    const struct far_slot *slot = slot_of(far, key->start.raw + 1, key->bytes);

    if (slot->start != key->start.raw + 1 || slot->version != key->version ||
        slot->bytes != key->bytes || slot->mode != key->mode)
        return false;
    *price = (struct block_price){
        .subcycles = slot->subcycles,
        .instructions = slot->instructions,
        .traps = slot->traps,
    };
    return true;
}

static void grow(struct far_prices *far)
{
    struct far_prices larger = {.slot_count = far->slot_count * 2};

    far->added = 0;
    larger.slots = calloc(larger.slot_count, sizeof(*larger.slots));
    if (!larger.slots)
        return;
    for (uint32_t i = 0; i < far->slot_count; i++) {
        const struct far_slot *old = &far->slots[i];

        if (old->start != 0)
            *slot_of(&larger, old->start, old->bytes) = *old;
    }
    free(far->slots);
    far->slots = larger.slots;
    far->slot_count = larger.slot_count;
}

void price_cache_far_add(struct far_prices *far, const struct far_key *key,
                         const struct block_price *price)
{
    if (far->added++ > far->slot_count / 2 && far->slot_count < FAR_SLOTS_MAX)
        grow(far);
    *slot_of(far, key->start.raw + 1, key->bytes) = (struct far_slot){
        .start = key->start.raw + 1,
        .version = key->version,
        .subcycles = price->subcycles,
        .bytes = key->bytes,
        .instructions = price->instructions,
        .mode = key->mode,
        .traps = price->traps,
    };
}

static struct content_slot *content_slot(const struct far_prices *far,
                                         uint8_t mode, const uint8_t *code,
                                         uint32_t bytes)
{
    uint64_t hash = (uint64_t)mode << 8 | bytes;

    for (uint32_t at = 0; at < bytes; at += 8) {
        uint64_t word = 0;

        memcpy(&word, code + at, bytes - at < 8 ? bytes - at : 8);
        hash = (hash ^ word) * HASH_FACTOR;
        hash ^= hash >> 29;
    }
    return &far->content[hash * HASH_FACTOR >> (64 - CONTENT_SLOTS_LOG2)];
}

bool price_cache_content_find(const struct far_prices *far, uint8_t mode,
                              const uint8_t *code, uint32_t bytes,
                              struct block_price *price)
{
    const struct content_slot *slot;

    if (bytes > PRICE_CACHE_CONTENT_BYTES)
        return false;
    slot = content_slot(far, mode, code, bytes);
    if (slot->bytes != bytes || slot->mode != mode ||
        memcmp(slot->code, code, bytes) != 0)
        return false;
    price->subcycles = slot->subcycles;
    price->instructions = slot->instructions;
    return true;
}

void price_cache_content_add(struct far_prices *far, uint8_t mode,
                             const uint8_t *code, uint32_t bytes,
                             const struct block_price *price)
{
    struct content_slot *slot;

    if (bytes > PRICE_CACHE_CONTENT_BYTES)
        return;
    slot = content_slot(far, mode, code, bytes);
    *slot = (struct content_slot){
        .subcycles = price->subcycles,
        .instructions = price->instructions,
        .bytes = (uint8_t)bytes,
        .mode = mode,
    };
    memcpy(slot->code, code, bytes);
}
