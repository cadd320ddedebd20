/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <capstone/capstone.h>
#include <stdio.h>
#include <stdlib.h>

#include "cpu/engine_private.h"
#include "sim/core/check.h"

#define ENGINES_MAX (CODE_PAGES_EVERYBODY - 1)

/* The window names the page to Unicorn; the mapping it leaves in the TLB goes
 * with the flush that follows. */
void engine_forget_blocks(struct engine *engine, spa_t page)
{
    uint64_t start = WINDOW_VA | page.raw;

    engine->window_open = true;
    CHECK(uc_ctl_remove_cache(engine->uc, start, start + PAGE_BYTES) ==
          UC_ERR_OK);
    engine->window_open = false;
    engine->flush_wanted = true;
}

bool engine_count_code(struct engine *engine, uint32_t bytes)
{
    if (engine->code_until_flush == 0)
        return false;
    if (bytes < engine->code_until_flush) {
        engine->code_until_flush -= bytes;
        return false;
    }
    engine->code_until_flush = 0;
    engine->flush_code_wanted = true;
    return true;
}

/* All of a guest's page may be translated again, and its prices are known. */
static void forget_page(struct engine *engine, spa_t page)
{
    engine_forget_blocks(engine, page);
    (void)engine_count_code(engine, PAGE_BYTES);
}

static void forget_blocks(void *context, uint16_t number, spa_t page)
{
    struct engine_pool *pool = context;

    if (number != CODE_PAGES_EVERYBODY) {
        if (pool->engines[number - 1])
            forget_page(pool->engines[number - 1], page);
        return;
    }
    for (uint16_t i = 0; i < pool->engine_count; i++)
        if (pool->engines[i])
            forget_page(pool->engines[i], page);
}

/* The running engine flushes at once: it may use the mapping in its next
 * access. Unicorn allows that inside its hooks. */
static void forget_mappings_of(struct engine *engine)
{
    if (engine == engine->pool->running)
        engine_memory_flush(engine);
    else
        engine->flush_wanted = true;
}

static void forget_mappings(void *context, uint16_t number, uint16_t epoch)
{
    struct engine_pool *pool = context;

    if (number != CODE_PAGES_EVERYBODY) {
        struct engine *engine = pool->engines[number - 1];

        if (engine && engine->epoch == epoch)
            forget_mappings_of(engine);
        return;
    }
    for (uint16_t i = 0; i < pool->engine_count; i++)
        if (pool->engines[i])
            forget_mappings_of(pool->engines[i]);
}

static const struct code_pages_ops code_pages_ops = {
    .forget_blocks = forget_blocks,
    .forget_mappings = forget_mappings,
};

enum sim_status engine_pool_create(struct engine_pool **out,
                                   struct arena *arena, struct sim_error *error)
{
    struct engine_pool *pool = calloc(1, sizeof(*pool));

    if (!pool)
        return sim_fail(error, SIM_NO_MEMORY, "not enough memory");
    pool->arena = arena;
    pool->decoder = decode_create();
    pool->far = price_cache_far_create();
    pool->densities = density_cache_create();
    if (!pool->decoder) {
        engine_pool_free(pool);
        return sim_fail(error, SIM_UNAVAILABLE,
                        "the disassembler library is missing or too old");
    }
    if (!pool->far || !pool->densities) {
        engine_pool_free(pool);
        return sim_fail(error, SIM_NO_MEMORY, "not enough memory");
    }
    if (engine_selftest(pool, error) != SIM_OK) {
        engine_pool_free(pool);
        return sim_prefix(error, "processor engine");
    }
    code_pages_attach(arena->code, &code_pages_ops, pool);
    *out = pool;
    return SIM_OK;
}

void engine_pool_free(struct engine_pool *pool)
{
    if (!pool)
        return;
    for (uint16_t i = 0; i < pool->engine_count; i++)
        CHECK(!pool->engines[i]);
    code_pages_attach(pool->arena->code, NULL, NULL);
    free(pool->engines);
    density_cache_free(pool->densities);
    price_cache_far_free(pool->far);
    decode_free(pool->decoder);
    free(pool);
}

bool engine_pool_use_copies(struct engine_pool *pool)
{
    bool found = pool->layout.live != 0;

    pool->layout.live = 0;
    return found;
}

static bool make_room(struct engine_pool *pool)
{
    unsigned capacity = pool->engine_capacity ? 2u * pool->engine_capacity : 8u;
    struct engine **larger;

    if (capacity > ENGINES_MAX)
        capacity = ENGINES_MAX;
    if (capacity == pool->engine_capacity)
        return false;
    larger = realloc(pool->engines, capacity * sizeof(struct engine *));
    if (!larger)
        return false;
    pool->engines = larger;
    pool->engine_capacity = (uint16_t)capacity;
    return true;
}

/* Numbers are not used again: the code-page table may still name them. */
bool engine_pool_join(struct engine_pool *pool, struct engine *engine)
{
    if (pool->engine_count == pool->engine_capacity && !make_room(pool))
        return false;
    pool->engines[pool->engine_count++] = engine;
    engine->number = pool->engine_count;
    return true;
}

void engine_pool_leave(struct engine_pool *pool, struct engine *engine)
{
    if (engine->number != CODE_PAGES_NOBODY)
        pool->engines[engine->number - 1] = NULL;
}

void engine_version(char *buffer, size_t bytes)
{
    unsigned unicorn = uc_version(NULL, NULL);
    int major = 0;
    int minor = 0;

    /* Capstone's call has no patch level; its header does. */
    cs_version(&major, &minor);
    (void)snprintf(buffer, bytes, "unicorn %u.%u.%u, capstone %d.%d",
                   unicorn >> 24 & 0xff, unicorn >> 16 & 0xff,
                   unicorn >> 8 & 0xff, major, minor);
}
