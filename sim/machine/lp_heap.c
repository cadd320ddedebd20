/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/machine/lp_heap.h"

#include <stdlib.h>

#include "sim/core/check.h"

#define ABSENT UINT32_MAX
#define CHILDREN 4u /* as much together as a line of the host's caches */

/* Clock and number are here too: hundreds of LPs do not fit into the host's
 * caches, and a look at each on the way would fetch them. */
struct item {
    cycles_t now;
    lp_id_t id;
};

struct lp_heap {
    struct item *items; /* a heap of CHILDREN each */
    uint32_t count;
    uint32_t *slots;    /* by LP number: where it is, or ABSENT */
    struct hv_lp **lps; /* by LP number; NULL: it has not been here yet */
};

struct lp_heap *lp_heap_create(uint32_t lp_count)
{
    struct lp_heap *heap = calloc(1, sizeof(*heap));

    if (!heap)
        return NULL;
    heap->items = calloc(lp_count, sizeof(*heap->items));
    heap->slots = calloc(lp_count, sizeof(*heap->slots));
    heap->lps = calloc(lp_count, sizeof(struct hv_lp *));
    if (!heap->items || !heap->slots || !heap->lps) {
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
    free(heap->lps);
    free(heap);
}

static bool is_before(const struct item *a, const struct item *b)
{
    if (a->now.v != b->now.v)
        return a->now.v < b->now.v;
    return a->id.v < b->id.v;
}

static void place(struct lp_heap *heap, uint32_t slot, struct item item)
{
    heap->items[slot] = item;
    heap->slots[item.id.v] = slot;
}

static void sift_up(struct lp_heap *heap, uint32_t slot)
{
    struct item item = heap->items[slot];

    while (slot > 0) {
        uint32_t parent = (slot - 1) / CHILDREN;

        if (!is_before(&item, &heap->items[parent]))
            break;
        place(heap, slot, heap->items[parent]);
        slot = parent;
    }
    place(heap, slot, item);
}

/* The first of the children of that slot, or ABSENT. */
static uint32_t first_child(const struct lp_heap *heap, uint32_t slot)
{
    uint32_t first = CHILDREN * slot + 1;
    uint32_t end =
        first + CHILDREN < heap->count ? first + CHILDREN : heap->count;

    if (first >= heap->count)
        return ABSENT;
    for (uint32_t child = first + 1; child < end; child++) {
        if (is_before(&heap->items[child], &heap->items[first]))
            first = child;
    }
    return first;
}

static void sift_down(struct lp_heap *heap, uint32_t slot)
{
    struct item item = heap->items[slot];
    uint32_t child;

    while ((child = first_child(heap, slot)) != ABSENT &&
           is_before(&heap->items[child], &item)) {
        place(heap, slot, heap->items[child]);
        slot = child;
    }
    place(heap, slot, item);
}

static struct hv_lp *lp_at(const struct lp_heap *heap, uint32_t slot)
{
    return heap->lps[heap->items[slot].id.v];
}

struct hv_lp *lp_heap_first(const struct lp_heap *heap)
{
    return heap->count > 0 ? lp_at(heap, 0) : NULL;
}

struct hv_lp *lp_heap_second(const struct lp_heap *heap)
{
    uint32_t second = first_child(heap, 0);

    return second == ABSENT ? NULL : lp_at(heap, second);
}

bool lp_heap_contains(const struct lp_heap *heap, const struct hv_lp *lp)
{
    return heap->slots[lp->id.v] != ABSENT;
}

void lp_heap_add(struct lp_heap *heap, struct hv_lp *lp)
{
    CHECK(!lp_heap_contains(heap, lp));
    heap->lps[lp->id.v] = lp;
    heap->items[heap->count] = (struct item){lp->now, lp->id};
    sift_up(heap, heap->count++);
}

/* What is there may have to go either way. */
static void settle(struct lp_heap *heap, uint32_t slot)
{
    lp_id_t id = heap->items[slot].id;

    sift_up(heap, slot);
    sift_down(heap, heap->slots[id.v]);
}

void lp_heap_settle(struct lp_heap *heap, struct hv_lp *lp)
{
    uint32_t slot = heap->slots[lp->id.v];

    CHECK(slot != ABSENT);
    heap->items[slot].now = lp->now;
    settle(heap, slot);
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
    settle(heap, slot);
}
