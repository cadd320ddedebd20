/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "sim/core/host_pool.h"

#include <stdlib.h>
#include <string.h>

#include "sim/core/host_line.h"

/* What nobody has is nobody's to touch: so that a sanitizer sees it. */
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
#else
#define ASAN_POISON_MEMORY_REGION(at, bytes) ((void)(at), (void)(bytes))
#define ASAN_UNPOISON_MEMORY_REGION(at, bytes) ((void)(at), (void)(bytes))
#endif

#define CHUNK_OBJECTS 32u

/* In front of its objects, a line. */
struct host_pool_chunk {
    struct host_pool_chunk *next;
};

struct host_pool_place {
    struct host_pool_place *next;
};

struct host_pool host_pool(size_t bytes)
{
    size_t lines = (bytes + HOST_LINE_BYTES - 1) / HOST_LINE_BYTES;

    return (struct host_pool){
        .bytes = bytes,
        .stride = (lines | 1) * HOST_LINE_BYTES,
    };
}

void host_pool_fini(struct host_pool *pool)
{
    while (pool->chunks) {
        struct host_pool_chunk *chunk = pool->chunks;

        pool->chunks = chunk->next;
        ASAN_UNPOISON_MEMORY_REGION(chunk, HOST_LINE_BYTES +
                                               CHUNK_OBJECTS * pool->stride);
        free(chunk);
    }
}

void host_pool_free(struct host_pool *pool, void *object)
{
    struct host_pool_place *place = object;

    if (!place)
        return;
    place->next = pool->free;
    pool->free = place;
    ASAN_POISON_MEMORY_REGION(place, pool->stride);
}

/* The first of a chunk's objects is the first to be had. */
static void add_chunk(struct host_pool *pool)
{
    size_t bytes = HOST_LINE_BYTES + CHUNK_OBJECTS * pool->stride;
    struct host_pool_chunk *chunk = aligned_alloc(HOST_LINE_BYTES, bytes);
    char *objects = (char *)chunk + HOST_LINE_BYTES;

    if (!chunk)
        return;
    chunk->next = pool->chunks;
    pool->chunks = chunk;
    for (size_t i = CHUNK_OBJECTS; i > 0; i--)
        host_pool_free(pool, objects + (i - 1) * pool->stride);
}

void *host_pool_calloc(struct host_pool *pool)
{
    struct host_pool_place *place;

    if (!pool->free)
        add_chunk(pool);
    place = pool->free;
    if (!place)
        return NULL;
    ASAN_UNPOISON_MEMORY_REGION(place, pool->stride);
    pool->free = place->next;
    return memset(place, 0, pool->bytes);
}
