/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpu/tlb.h"

#include <stdlib.h>

#include "sim/core/check.h"

/*
 * Design. One open-addressing table with linear probing, keyed by page number.
 * A flush must not touch it, so a slot says in which generation it was filled:
 *
 *   era         of the last flush of everything; a slot of another era is free
 *   generation  of the last flush of non-global pages; a non-global slot of
 *               another generation is dead: its page is gone, but probes go on
 *               over it, and the next insertion on its chain takes it
 *
 * Live and dead slots together fill at most half the table; beyond that it is
 * rebuilt, larger if the live ones need it.
 *
 * INVLPG must find all pieces of a large page, of which any may be present.
 * Two small filters (for global and other pages) remember which 2 MiB, 4 MiB
 * or 1 GiB regions had pieces; a hit costs a search, a miss nothing. They
 * affect speed only.
 */

#define SLOTS_MIN 256u
#define CAPACITY_LIMIT (1u << 28)
#define FILTER_BITS 4096u
#define HASH_FACTOR UINT64_C(0x9e3779b97f4a7c15) /* 2^64 / golden ratio */

struct slot {
    uint64_t page; /* number, not address */
    uint64_t era;
    uint64_t generation;
    uint32_t epoch; /* of the engine, if marked */
    bool marked;
    bool dead; /* dropped by itself */
    struct mmu_translation translation;
};

struct filter {
    uint64_t words[FILTER_BITS / 64];
};

struct tlb {
    struct slot *slots;  /* owns */
    uint32_t slot_count; /* a power of two */
    uint32_t used;       /* slots of this era, live or dead */
    uint32_t local_count;
    uint32_t global_count;
    uint32_t capacity_max;
    uint64_t era;
    uint64_t generation;
    struct filter large_local;
    struct filter large_global;
};

/* Sizes of mappings larger than a page, in all paging modes. */
static const uint8_t large_shifts[] = {21, 22, 30};

#define LARGE_SHIFTS_COUNT (sizeof(large_shifts) / sizeof(large_shifts[0]))

static uint32_t home_slot(const struct tlb *tlb, uint64_t page)
{
    return (uint32_t)((page * HASH_FACTOR) >> 32) & (tlb->slot_count - 1);
}

static uint32_t next_slot(const struct tlb *tlb, uint32_t i)
{
    return (i + 1) & (tlb->slot_count - 1);
}

static uint32_t filter_bit(gva_t at, unsigned shift)
{
    uint64_t key = (at.raw >> shift << 6) | shift;

    return (uint32_t)((key * HASH_FACTOR) >> 40) % FILTER_BITS;
}

static void filter_add(struct filter *filter, gva_t at, unsigned shift)
{
    uint32_t bit = filter_bit(at, shift);

    filter->words[bit / 64] |= UINT64_C(1) << (bit % 64);
}

static bool filter_has(const struct filter *filter, gva_t at, unsigned shift)
{
    uint32_t bit = filter_bit(at, shift);

    return (filter->words[bit / 64] >> (bit % 64)) & 1;
}

static bool is_free(const struct tlb *tlb, const struct slot *slot)
{
    return slot->era != tlb->era;
}

/* Of a slot that is not free. */
static bool is_live(const struct tlb *tlb, const struct slot *slot)
{
    return !slot->dead &&
           (slot->translation.global || slot->generation == tlb->generation);
}

static struct slot *find_slot(const struct tlb *tlb, gva_t at)
{
    uint64_t page = at.raw >> PAGE_SHIFT;

    for (uint32_t i = home_slot(tlb, page);; i = next_slot(tlb, i)) {
        struct slot *slot = &tlb->slots[i];

        if (is_free(tlb, slot))
            return NULL;
        if (slot->page == page && is_live(tlb, slot))
            return slot;
    }
}

static uint32_t *count_of(struct tlb *tlb,
                          const struct mmu_translation *translation)
{
    return translation->global ? &tlb->global_count : &tlb->local_count;
}

/* For a page that is not in the table, and when there is room. */
static void place(struct tlb *tlb, const struct slot *filled)
{
    uint32_t i = home_slot(tlb, filled->page);

    while (!is_free(tlb, &tlb->slots[i]) && is_live(tlb, &tlb->slots[i]))
        i = next_slot(tlb, i);
    if (is_free(tlb, &tlb->slots[i]))
        tlb->used++;
    tlb->slots[i] = *filled;
    tlb->slots[i].era = tlb->era;
    tlb->slots[i].generation = tlb->generation;
}

/* Leaves the dead behind; at least three quarters of the new table are free. */
static void rebuild(struct tlb *tlb)
{
    struct slot *old = tlb->slots;
    uint32_t old_count = tlb->slot_count;

    while (tlb->slot_count / 4 < tlb_count(tlb))
        tlb->slot_count *= 2;
    tlb->slots = calloc(tlb->slot_count, sizeof(*tlb->slots));
    CHECK(tlb->slots != NULL);
    tlb->used = 0;
    for (uint32_t i = 0; i < old_count; i++) {
        if (!is_free(tlb, &old[i]) && is_live(tlb, &old[i]))
            place(tlb, &old[i]);
    }
    free(old);
}

struct tlb *tlb_create(uint32_t capacity_max)
{
    struct tlb *tlb = calloc(1, sizeof(*tlb));

    CHECK(capacity_max > 0 && capacity_max <= CAPACITY_LIMIT);
    CHECK(tlb != NULL);
    tlb->capacity_max = capacity_max;
    tlb->slot_count = SLOTS_MIN;
    tlb->slots = calloc(tlb->slot_count, sizeof(*tlb->slots));
    CHECK(tlb->slots != NULL);
    tlb->era = 1; /* fresh slots are of era 0, hence free */
    return tlb;
}

void tlb_free(struct tlb *tlb)
{
    if (tlb == NULL)
        return;
    free(tlb->slots);
    free(tlb);
}

const struct mmu_translation *tlb_find(const struct tlb *tlb, gva_t page)
{
    const struct slot *slot = find_slot(tlb, page);

    return slot == NULL ? NULL : &slot->translation;
}

static void note_large(struct tlb *tlb, gva_t page,
                       const struct mmu_translation *translation)
{
    if (translation->shift > PAGE_SHIFT)
        filter_add(translation->global ? &tlb->large_global : &tlb->large_local,
                   page, translation->shift);
}

bool tlb_insert(struct tlb *tlb, gva_t page,
                const struct mmu_translation *translation)
{
    struct slot filled = {.page = page.raw >> PAGE_SHIFT,
                          .translation = *translation};
    struct slot *slot = find_slot(tlb, page);
    bool emptied = false;

    if (slot != NULL) {
        --*count_of(tlb, &slot->translation);
        slot->translation = *translation;
        slot->generation = tlb->generation;
    } else {
        emptied = tlb_count(tlb) >= tlb->capacity_max;
        if (emptied)
            tlb_flush(tlb, false);
        if (tlb->used >= tlb->slot_count / 2)
            rebuild(tlb);
        place(tlb, &filled);
    }
    ++*count_of(tlb, translation);
    note_large(tlb, page, translation);
    return emptied;
}

bool tlb_mark(struct tlb *tlb, gva_t page, uint32_t epoch)
{
    struct slot *slot = find_slot(tlb, page);
    bool again;

    if (slot == NULL)
        return false;
    again = slot->marked && slot->epoch == epoch;
    slot->marked = true;
    slot->epoch = epoch;
    return again;
}

void tlb_flush(struct tlb *tlb, bool keep_global)
{
    tlb->generation++;
    tlb->local_count = 0;
    tlb->large_local = (struct filter){.words = {0}};
    if (keep_global)
        return;
    tlb->era++;
    tlb->used = 0;
    tlb->global_count = 0;
    tlb->large_global = (struct filter){.words = {0}};
}

/* Returns whether the engine holds it. */
static bool drop(struct tlb *tlb, struct slot *slot, uint32_t epoch)
{
    slot->dead = true;
    --*count_of(tlb, &slot->translation);
    return slot->marked && slot->epoch == epoch;
}

/* True if the slot is a piece of a mapping of size `shift` that covers `at`. */
static bool is_piece(const struct slot *slot, gva_t at, unsigned shift)
{
    return slot->translation.shift == shift &&
           slot->page >> (shift - PAGE_SHIFT) == at.raw >> shift;
}

/* By page if the region has fewer of them than the table has slots. */
static bool drop_large(struct tlb *tlb, gva_t at, unsigned shift,
                       uint32_t epoch)
{
    uint64_t region_pages = UINT64_C(1) << (shift - PAGE_SHIFT);
    gva_t region = gva(at.raw >> shift << shift);
    bool held = false;

    if (region_pages < tlb->slot_count) {
        for (uint64_t i = 0; i < region_pages; i++) {
            struct slot *slot = find_slot(tlb, gva_add(region, i * PAGE_BYTES));

            if (slot != NULL && is_piece(slot, at, shift))
                held |= drop(tlb, slot, epoch);
        }
        return held;
    }
    for (uint32_t i = 0; i < tlb->slot_count; i++) {
        struct slot *slot = &tlb->slots[i];

        if (!is_free(tlb, slot) && is_live(tlb, slot) &&
            is_piece(slot, at, shift))
            held |= drop(tlb, slot, epoch);
    }
    return held;
}

bool tlb_flush_page(struct tlb *tlb, gva_t page, uint32_t epoch)
{
    struct slot *slot = find_slot(tlb, page);
    bool held = slot != NULL && drop(tlb, slot, epoch);

    for (unsigned i = 0; i < LARGE_SHIFTS_COUNT; i++) {
        unsigned shift = large_shifts[i];

        if (filter_has(&tlb->large_local, page, shift) ||
            filter_has(&tlb->large_global, page, shift))
            held |= drop_large(tlb, page, shift, epoch);
    }
    return held;
}

uint32_t tlb_count(const struct tlb *tlb)
{
    return tlb->local_count + tlb->global_count;
}
