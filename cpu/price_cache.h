/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_CPU_PRICE_CACHE_H
#define HVSIM_CPU_PRICE_CACHE_H

/**
 * What a block costs, remembered twice. The *near* cache of each engine is
 * keyed by linear address and size and is read once for each block executed.
 * The *far* cache of a pool is keyed by what the code is (its SPA, the version
 * of its page, its size and mode), so that engines and address spaces share
 * the work of decoding; what it does not know by place it may know by content,
 * from another guest that runs the same program. Neither ever answers for other
 * bytes than were decoded, so what a block costs does not depend on what is
 * remembered.
 */

#include "cpu/decode.h"
#include "sim/core/types.h"

struct block_price {
    uint32_t subcycles;
    uint16_t instructions;
    bool traps; /* holds an instruction that needs a trap (code_pages.h) */
};

/* Near. The layout is open because the block hook works on it directly. */

/** The key packs linear address, size and generation; 0 matches no block,
 *  since no block is empty. */
struct near_price {
    uint64_t key;
    uint32_t subcycles;
    uint32_t instructions;
};

#define NEAR_SIZE_BITS 13
#define NEAR_GENERATION_BITS 3
#define NEAR_ADDRESS_SHIFT (NEAR_SIZE_BITS + NEAR_GENERATION_BITS)
#define NEAR_INDEX_BITS_MIN 10
#define NEAR_INDEX_BITS_MAX 16

/** A page of code whose meaning changes voids the entries of all pages that
 *  share its generation, by giving that one the next number. */
#define NEAR_PAGE_GROUPS 256u

#define NEAR_NO_LOOP UINT64_MAX

/** A block that was seen to follow itself has a place of its own, found by one
 *  comparison: in a loop of a few instructions the search is an eighth of all
 *  time. */
struct near_prices {
    uint64_t loop_pc; /* of `loop`; NEAR_NO_LOOP if there is none */
    struct near_price loop;
    struct near_price *entries; /* owns */
    uint32_t index_shift;       /* 64 - log2 of the number of entries */
    uint32_t misses;            /* since it last grew */
    uint16_t generation[NEAR_PAGE_GROUPS]; /* in its place in the key */
};

/** False if there is not enough memory. */
bool price_cache_near_init(struct near_prices *near);
void price_cache_near_free(struct near_prices *near);

/** The page at linear address `page` now means other code. */
void price_cache_near_expire(struct near_prices *near, uint64_t page);

/** All entries are void. */
void price_cache_near_clear(struct near_prices *near);

/** The block of `price` follows itself: it becomes the loop. */
void price_cache_near_loop(struct near_prices *near,
                           const struct near_price *price);

/** Notes a miss; the cache grows when there have been many. */
void price_cache_near_missed(struct near_prices *near);

static inline uint64_t near_key(const struct near_prices *near, uint64_t pc,
                                uint32_t bytes)
{
    return pc << NEAR_ADDRESS_SHIFT |
           near->generation[pc >> PAGE_SHIFT & (NEAR_PAGE_GROUPS - 1)] | bytes;
}

/** The address of the block that an entry's key stands for. */
static inline uint64_t near_address(uint64_t key)
{
    return (uint64_t)((int64_t)key >> NEAR_ADDRESS_SHIFT);
}

static inline uint32_t near_bytes(uint64_t key)
{
    return (uint32_t)(key & ((1u << NEAR_SIZE_BITS) - 1));
}

/** Where the block is, whatever the generation: so the search need not wait for
 *  that. */
static inline struct near_price *near_slot(const struct near_prices *near,
                                           uint64_t pc, uint32_t bytes)
{
    return &near->entries[(pc << NEAR_ADDRESS_SHIFT | bytes) *
                              UINT64_C(0x9e3779b97f4a7c15) >>
                          near->index_shift];
}

/* Far. */

struct far_prices;

struct far_key {
    spa_t start;
    uint32_t version; /* of the page, see code_pages_version() */
    uint16_t bytes;
    uint8_t mode; /* enum code_mode */
};

/** NULL if there is not enough memory. The caller owns it. */
struct far_prices *price_cache_far_create(void);
void price_cache_far_free(struct far_prices *far);

bool price_cache_far_find(const struct far_prices *far,
                          const struct far_key *key, struct block_price *price);
void price_cache_far_add(struct far_prices *far, const struct far_key *key,
                         const struct block_price *price);

/** Longer blocks are not remembered by their content. */
#define PRICE_CACHE_CONTENT_BYTES 48

/** The same by content: `bytes` bytes of code in `mode`. `traps` depends on
 *  the place and is not part of it. */
bool price_cache_content_find(const struct far_prices *far, uint8_t mode,
                              const uint8_t *code, uint32_t bytes,
                              struct block_price *price);
void price_cache_content_add(struct far_prices *far, uint8_t mode,
                             const uint8_t *code, uint32_t bytes,
                             const struct block_price *price);

#endif
