/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/memory.h"

#include <stdlib.h>
#include <string.h>

#include "sim/core/check.h"

#define LARGE_SHIFT 21
#define LARGE_BYTES (UINT64_C(1) << LARGE_SHIFT)
#define PAGES_PER_LARGE (LARGE_BYTES / PAGE_BYTES)
#define ENTRIES_PER_TABLE 512

struct memory_node {
    uint64_t first;     /* page numbers */
    uint64_t own_first; /* the hypervisor's, at the top of the node */
    uint64_t own_next;
    uint64_t end;
};

struct hv_memory {
    struct memory_node *nodes; /* owns */
    uint32_t node_count;
    uint64_t page_count;
    uint8_t *deposited;     /* owns: by page; not RAM of a partition */
    uint32_t *shared;       /* owns: by page, mappings of 4 KiB by children */
    uint32_t *shared_large; /* owns: by 2 MiB, mappings of 2 MiB by children */
};

/* Free pages as a stack. Its capacity is at least free + in use, so that
 * giving a page back cannot fail. */
struct memory_pool {
    spa_t *pages; /* owns */
    uint64_t available;
    uint64_t in_use;
    uint64_t capacity;
};

/* Second-level tables that map every page of the node by 4 KiB take one page
 * in 512, and one in 512 of those; 2 MiB more are for all else. */
static uint64_t memory_own_pages(uint64_t pages)
{
    uint64_t leaf_tables = pages / ENTRIES_PER_TABLE;
    uint64_t tables = leaf_tables + leaf_tables / ENTRIES_PER_TABLE + 8;
    uint64_t wanted = tables + PAGES_PER_LARGE;

    return (wanted + PAGES_PER_LARGE - 1) & ~(PAGES_PER_LARGE - 1);
}

static enum sim_status memory_check_nodes(const struct hv_node_config *nodes,
                                          uint32_t node_count,
                                          struct sim_error *error)
{
    if (node_count == 0)
        return sim_fail(error, SIM_BAD_SCENARIO, "a host needs a NUMA node");
    for (uint32_t i = 0; i < node_count; i++) {
        uint64_t bytes = nodes[i].memory_bytes;

        if (bytes < MEMORY_NODE_BYTES_MIN)
            return sim_fail(error, SIM_BAD_SCENARIO,
                            "node %u: %llu bytes of memory are less than 8 MiB",
                            i, (unsigned long long)bytes);
        if (bytes > MEMORY_NODE_BYTES_MAX)
            return sim_fail(error, SIM_BAD_SCENARIO,
                            "node %u: %llu bytes of memory are more than 4 TiB",
                            i, (unsigned long long)bytes);
    }
    return SIM_OK;
}

static void memory_lay_out(struct hv_memory *memory,
                           const struct hv_node_config *nodes)
{
    uint64_t next = 0;

    for (uint32_t i = 0; i < memory->node_count; i++) {
        struct memory_node *node = &memory->nodes[i];
        uint64_t larges = nodes[i].memory_bytes >> LARGE_SHIFT;
        uint64_t pages = larges * PAGES_PER_LARGE;

        node->first = next;
        node->end = next + pages;
        node->own_first = node->end - memory_own_pages(pages);
        node->own_next = node->own_first;
        next = node->end;
    }
    memory->page_count = next;
}

static void memory_keep_own(struct hv_memory *memory)
{
    for (uint32_t i = 0; i < memory->node_count; i++) {
        const struct memory_node *node = &memory->nodes[i];

        memset(&memory->deposited[node->own_first], 1,
               node->end - node->own_first);
    }
}

enum sim_status memory_create(struct hv_memory **out,
                              const struct hv_node_config *nodes,
                              uint32_t node_count, struct sim_error *error)
{
    if (memory_check_nodes(nodes, node_count, error) != SIM_OK)
        return error->status;

    struct hv_memory *memory = calloc(1, sizeof(*memory));

    if (!memory)
        goto no_memory;
    memory->node_count = node_count;
    memory->nodes = calloc(node_count, sizeof(*memory->nodes));
    if (!memory->nodes)
        goto no_memory;
    memory_lay_out(memory, nodes);

    /* Untouched parts of these arrays cost no memory of the host. */
    memory->deposited = calloc(memory->page_count, 1);
    memory->shared = calloc(memory->page_count, sizeof(*memory->shared));
    memory->shared_large = calloc(memory->page_count / PAGES_PER_LARGE,
                                  sizeof(*memory->shared_large));
    if (!memory->deposited || !memory->shared || !memory->shared_large)
        goto no_memory;
    memory_keep_own(memory);
    *out = memory;
    return SIM_OK;

no_memory:
    memory_free(memory);
    return sim_fail(error, SIM_NO_MEMORY,
                    "no memory to keep track of the simulated host's");
}

void memory_free(struct hv_memory *memory)
{
    if (!memory)
        return;
    free(memory->nodes);
    free(memory->deposited);
    free(memory->shared);
    free(memory->shared_large);
    free(memory);
}

uint64_t memory_total_bytes(const struct hv_memory *memory)
{
    return memory->page_count * PAGE_BYTES;
}

static uint64_t memory_page_number(const struct hv_memory *memory, spa_t at)
{
    uint64_t page = at.raw >> PAGE_SHIFT;

    CHECK(page < memory->page_count);
    return page;
}

uint32_t memory_node_of(const struct hv_memory *memory, spa_t at)
{
    uint64_t page = memory_page_number(memory, at);
    uint32_t node = 0;

    while (page >= memory->nodes[node].end)
        node++;
    return node;
}

bool memory_take_own(struct hv_memory *memory, spa_t *page)
{
    for (uint32_t i = 0; i < memory->node_count; i++) {
        struct memory_node *node = &memory->nodes[i];

        if (node->own_next < node->end) {
            *page = spa(node->own_next++ << PAGE_SHIFT);
            return true;
        }
    }
    return false;
}

void memory_root_range(const struct hv_memory *memory, uint32_t node,
                       spa_t *first, uint64_t *pages)
{
    CHECK(node < memory->node_count);
    *first = spa(memory->nodes[node].first << PAGE_SHIFT);
    *pages = memory->nodes[node].own_first - memory->nodes[node].first;
}

static uint32_t *memory_share_count(struct hv_memory *memory, spa_t page,
                                    bool large)
{
    uint64_t number = memory_page_number(memory, page);

    return large ? &memory->shared_large[number / PAGES_PER_LARGE]
                 : &memory->shared[number];
}

void memory_share(struct hv_memory *memory, spa_t page, bool large)
{
    uint32_t *count = memory_share_count(memory, page, large);

    /* Each mapping takes an entry in a table in simulated memory, so there is
     * no room for as many as the counter holds. */
    CHECK(*count < UINT32_MAX);
    ++*count;
}

void memory_unshare(struct hv_memory *memory, spa_t page, bool large)
{
    uint32_t *count = memory_share_count(memory, page, large);

    CHECK(*count > 0);
    --*count;
}

bool memory_is_shared(const struct hv_memory *memory, spa_t page)
{
    uint64_t number = memory_page_number(memory, page);

    return memory->shared[number] != 0 ||
           memory->shared_large[number / PAGES_PER_LARGE] != 0;
}

struct memory_pool *memory_pool_create(void)
{
    return calloc(1, sizeof(struct memory_pool));
}

void memory_pool_free(struct memory_pool *pool)
{
    if (!pool)
        return;
    free(pool->pages);
    free(pool);
}

static bool memory_pool_reserve(struct memory_pool *pool)
{
    if (pool->available + pool->in_use < pool->capacity)
        return true;

    uint64_t capacity = pool->capacity ? pool->capacity * 2 : 64;
    spa_t *pages = realloc(pool->pages, capacity * sizeof(*pages));

    if (!pages)
        return false;
    pool->pages = pages;
    pool->capacity = capacity;
    return true;
}

bool memory_pool_adopt(struct memory_pool *pool, spa_t own)
{
    if (!memory_pool_reserve(pool))
        return false;
    pool->pages[pool->available++] = own;
    return true;
}

enum hv_status memory_pool_deposit(struct hypervisor *hv,
                                   struct memory_pool *pool, spa_t page)
{
    uint64_t number = memory_page_number(hv->memory, page);

    if (hv->memory->deposited[number])
        return HV_STATUS_OBJECT_IN_USE;
    if (!memory_pool_adopt(pool, spa_page(page)))
        return HV_STATUS_NO_RESOURCES;
    hv->memory->deposited[number] = 1;
    return HV_STATUS_SUCCESS;
}

/* Whoever works on something pays for the pages it needs. */
static void memory_clear_page(struct hypervisor *hv, spa_t page)
{
    arena_zero_pages(hv->arena, page, 1);
    if (hv->current)
        cost_note(hv->current->bill, COST_PAGE_CLEAR, 1);
}

bool memory_pool_withdraw(struct hypervisor *hv, struct memory_pool *pool,
                          spa_t *page)
{
    if (pool->available == 0)
        return false;
    *page = pool->pages[--pool->available];
    hv->memory->deposited[memory_page_number(hv->memory, *page)] = 0;
    /* What the hypervisor kept there is nobody else's business. */
    memory_clear_page(hv, *page);
    return true;
}

bool memory_pool_take(struct hypervisor *hv, struct memory_pool *pool,
                      spa_t *page)
{
    if (pool->available == 0)
        return false;
    *page = pool->pages[--pool->available];
    pool->in_use++;
    memory_clear_page(hv, *page);
    return true;
}

void memory_pool_give(struct memory_pool *pool, spa_t page)
{
    CHECK(pool->in_use > 0);
    pool->in_use--;
    pool->pages[pool->available++] = page;
}

uint64_t memory_pool_available(const struct memory_pool *pool)
{
    return pool->available;
}

uint64_t memory_pool_in_use(const struct memory_pool *pool)
{
    return pool->in_use;
}
