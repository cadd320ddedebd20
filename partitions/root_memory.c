/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "partitions/root_memory.h"

#include <stdlib.h>

#include "sim/core/check.h"

#define BLOCK_BYTES ROOT_MEMORY_BLOCK_BYTES
#define BLOCK_MASK (BLOCK_BYTES - 1)

/* A stack of free addresses: what was given back last is taken first. */
struct free_list {
    spa_t *items;
    uint64_t count, capacity;
};

/* Fresh memory is taken from `next` upwards in blocks; pages come from blocks
 * that have been broken up. */
struct node_memory {
    uint64_t next, end;
    struct free_list pages, blocks;
};

struct root_memory {
    uint32_t node_count;
    const struct hv_memory *memory; /* borrowed */
    struct node_memory nodes[];
};

struct root_memory *root_memory_create(const struct hv_memory *memory,
                                       uint32_t node_count,
                                       uint64_t reserved_bytes)
{
    struct root_memory *rm =
        calloc(1, sizeof(*rm) + node_count * sizeof(rm->nodes[0]));
    uint64_t reserved = reserved_bytes / node_count;

    if (!rm)
        return NULL;
    rm->node_count = node_count;
    rm->memory = memory;
    for (uint32_t i = 0; i < node_count; i++) {
        struct node_memory *node = &rm->nodes[i];
        spa_t first;
        uint64_t pages;

        memory_root_range(memory, i, &first, &pages);
        node->next = (first.raw + reserved + BLOCK_MASK) & ~BLOCK_MASK;
        node->end = (first.raw + pages * PAGE_BYTES) & ~BLOCK_MASK;
        if (node->next > node->end)
            node->next = node->end;
    }
    return rm;
}

void root_memory_free(struct root_memory *rm)
{
    if (!rm)
        return;
    for (uint32_t i = 0; i < rm->node_count; i++) {
        free(rm->nodes[i].pages.items);
        free(rm->nodes[i].blocks.items);
    }
    free(rm);
}

static bool free_list_push(struct free_list *list, spa_t item)
{
    if (list->count == list->capacity) {
        uint64_t capacity = list->capacity ? list->capacity * 2 : 64;
        spa_t *items = reallocarray(list->items, capacity, sizeof(*items));

        if (!items)
            return false;
        list->items = items;
        list->capacity = capacity;
    }
    list->items[list->count++] = item;
    return true;
}

static bool free_list_pop(struct free_list *list, spa_t *item)
{
    if (list->count == 0)
        return false;
    *item = list->items[--list->count];
    return true;
}

static bool node_take_block(struct node_memory *node, spa_t *block)
{
    if (free_list_pop(&node->blocks, block))
        return true;
    if (node->next == node->end)
        return false;
    *block = spa(node->next);
    node->next += BLOCK_BYTES;
    return true;
}

static bool node_take_page(struct node_memory *node, spa_t *page)
{
    spa_t block;

    if (free_list_pop(&node->pages, page))
        return true;
    if (!node_take_block(node, &block))
        return false;
    /* Highest first on the stack, so that pages come in ascending order. */
    for (uint64_t at = BLOCK_BYTES; at > PAGE_BYTES; at -= PAGE_BYTES) {
        if (!free_list_push(&node->pages, spa_add(block, at - PAGE_BYTES)))
            break;
    }
    *page = block;
    return true;
}

typedef bool node_take_fn(struct node_memory *node, spa_t *item);

static bool take_near(struct root_memory *rm, uint32_t node, spa_t *item,
                      node_take_fn *take)
{
    CHECK(node < rm->node_count);
    for (uint32_t i = 0; i < rm->node_count; i++) {
        if (take(&rm->nodes[(node + i) % rm->node_count], item))
            return true;
    }
    return false;
}

bool root_memory_take_page(struct root_memory *rm, uint32_t node, spa_t *page)
{
    return take_near(rm, node, page, node_take_page);
}

bool root_memory_take_block(struct root_memory *rm, uint32_t node, spa_t *block)
{
    return take_near(rm, node, block, node_take_block);
}

bool root_memory_give_page(struct root_memory *rm, spa_t page)
{
    return free_list_push(&rm->nodes[memory_node_of(rm->memory, page)].pages,
                          page);
}

bool root_memory_give_block(struct root_memory *rm, spa_t block)
{
    return free_list_push(&rm->nodes[memory_node_of(rm->memory, block)].blocks,
                          block);
}

uint64_t root_memory_node_free_bytes(const struct root_memory *rm,
                                     uint32_t node)
{
    CHECK(node < rm->node_count);

    const struct node_memory *of = &rm->nodes[node];

    return of->end - of->next + of->blocks.count * BLOCK_BYTES +
           of->pages.count * PAGE_BYTES;
}

uint64_t root_memory_free_bytes(const struct root_memory *rm)
{
    uint64_t bytes = 0;

    for (uint32_t i = 0; i < rm->node_count; i++)
        bytes += root_memory_node_free_bytes(rm, i);
    return bytes;
}
