/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/machine/lp_heap.h"

#include <stdlib.h>

#include "sim/core/check.h"

#define ABSENT UINT32_MAX

struct lp_heap {
    struct hv_lp **items; /* a binary heap */
    uint32_t count;
    uint32_t *slots; /* by LP number: where it is, or ABSENT */
};

struct lp_heap *lp_heap_create(uint32_t lp_count)
{
    struct lp_heap *heap = calloc(1, sizeof(*heap));

    if (!heap)
        return NULL;
    heap->items = calloc(lp_count, sizeof(*heap->items));
    heap->slots = calloc(lp_count, sizeof(*heap->slots));
    if (!heap->items || !heap->slots) {
        lp_heap_free(heap);
        return NULL;
    }
    for (uint32_t i = 0; i < lp_count; i++)
        heap->slots[i] = ABSENT;
    return heap;
}

void lp_heap_free(struct lp_heap *heap)
{
    if (!heap)
        return;
    free(heap->items);
    free(heap->slots);
    free(heap);
}

static bool is_before(const struct hv_lp *a, const struct hv_lp *b)
{
    if (a->now.v != b->now.v)
        return a->now.v < b->now.v;
    return a->id.v < b->id.v;
}

static void place(struct lp_heap *heap, uint32_t slot, struct hv_lp *lp)
{
    heap->items[slot] = lp;
    heap->slots[lp->id.v] = slot;
}

static void sift_up(struct lp_heap *heap, uint32_t slot)
{
    struct hv_lp *lp = heap->items[slot];

    while (slot > 0) {
        uint32_t parent = (slot - 1) / 2;

        if (!is_before(lp, heap->items[parent]))
            break;
        place(heap, slot, heap->items[parent]);
        slot = parent;
    }
    place(heap, slot, lp);
}

static void sift_down(struct lp_heap *heap, uint32_t slot)
{
    struct hv_lp *lp = heap->items[slot];

    for (;;) {
        uint32_t child = 2 * slot + 1;

        if (child >= heap->count)
            break;
        if (child + 1 < heap->count &&
            is_before(heap->items[child + 1], heap->items[child]))
            child++;
        if (!is_before(heap->items[child], lp))
            break;
        place(heap, slot, heap->items[child]);
        slot = child;
    }
    place(heap, slot, lp);
}

struct hv_lp *lp_heap_first(const struct lp_heap *heap)
{
    return heap->count > 0 ? heap->items[0] : NULL;
}

struct hv_lp *lp_heap_second(const struct lp_heap *heap)
{
    if (heap->count < 2)
        return NULL;
    if (heap->count == 2 || is_before(heap->items[1], heap->items[2]))
        return heap->items[1];
    return heap->items[2];
}

bool lp_heap_contains(const struct lp_heap *heap, const struct hv_lp *lp)
{
    return heap->slots[lp->id.v] != ABSENT;
}

void lp_heap_add(struct lp_heap *heap, struct hv_lp *lp)
{
    CHECK(!lp_heap_contains(heap, lp));
    heap->items[heap->count] = lp;
    sift_up(heap, heap->count++);
}

void lp_heap_settle(struct lp_heap *heap, struct hv_lp *lp)
{
    CHECK(lp_heap_contains(heap, lp));
    sift_up(heap, heap->slots[lp->id.v]);
    sift_down(heap, heap->slots[lp->id.v]);
}

void lp_heap_remove(struct lp_heap *heap, struct hv_lp *lp)
{
    uint32_t slot = heap->slots[lp->id.v];

    CHECK(slot != ABSENT);
    heap->slots[lp->id.v] = ABSENT;
    heap->count--;
    if (slot == heap->count)
        return;
    place(heap, slot, heap->items[heap->count]);
    lp_heap_settle(heap, heap->items[slot]);
}
