/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpu/arena.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "cpu/code_pages.h"
#include "sim/core/check.h"

#define ARENA_ALIGN (UINT64_C(2) << 20)

/* Page numbers of 32 bits; the engines' private pages lie above
 * (cpu/engine_private.h). */
#define ARENA_BYTES_MAX (UINT64_C(1) << 44)

/* mincore() wants a byte of answer for each page: ask for 1 GiB at a time. */
#define RESIDENT_CHUNK (UINT64_C(1) << 30)

enum sim_status arena_create(struct arena **out, uint64_t bytes,
                             struct sim_error *error)
{
    struct arena *arena = NULL;
    void *base = MAP_FAILED;

    if (bytes == 0 || bytes > ARENA_BYTES_MAX)
        return sim_fail(error, SIM_NO_MEMORY,
                        "cannot simulate %llu bytes of memory; the most is "
                        "%llu GiB",
                        (unsigned long long)bytes,
                        (unsigned long long)(ARENA_BYTES_MAX >> 30));
    bytes = (bytes + ARENA_ALIGN - 1) & ~(ARENA_ALIGN - 1);
    arena = calloc(1, sizeof(*arena));
    if (!arena)
        goto no_memory;
    arena->code = code_pages_create(bytes);
    if (!arena->code)
        goto no_memory;
    base = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (base == MAP_FAILED)
        goto no_memory;
    arena->base = base;
    arena->bytes = bytes;
    *out = arena;
    return SIM_OK;

no_memory:
    if (arena)
        code_pages_free(arena->code);
    free(arena);
    return sim_fail(error, SIM_NO_MEMORY,
                    "cannot reserve %llu MiB of address space for simulated "
                    "memory",
                    (unsigned long long)(bytes >> 20));
}

void arena_free(struct arena *arena)
{
    if (!arena)
        return;
    munmap(arena->base, arena->bytes);
    code_pages_free(arena->code);
    free(arena);
}

static void check_span(const struct arena *arena, spa_t at, uint64_t bytes)
{
    CHECK(arena_contains(arena, at, bytes));
}

uint64_t arena_load64(const struct arena *arena, spa_t at)
{
    uint64_t value;

    check_span(arena, at, sizeof(value));
    CHECK((at.raw & 7) == 0);
    memcpy(&value, arena->base + at.raw, sizeof(value));
    return value;
}

void arena_or64(struct arena *arena, spa_t at, uint64_t bits)
{
    uint64_t value = arena_load64(arena, at);

    if ((value & bits) != bits)
        arena_store64(arena, at, value | bits);
}

void arena_store64(struct arena *arena, spa_t at, uint64_t value)
{
    CHECK((at.raw & 7) == 0);
    arena_write(arena, at, &value, sizeof(value));
}

void arena_read(const struct arena *arena, spa_t from, void *to, size_t bytes)
{
    check_span(arena, from, bytes);
    if (bytes > 0)
        memcpy(to, arena->base + from.raw, bytes);
}

void arena_write(struct arena *arena, spa_t to, const void *from, size_t bytes)
{
    check_span(arena, to, bytes);
    if (bytes == 0)
        return;
    code_pages_before_store(arena->code, to, bytes);
    memcpy(arena->base + to.raw, from, bytes);
}

void arena_zero_pages(struct arena *arena, spa_t at, uint64_t pages)
{
    uint64_t bytes = pages << PAGE_SHIFT;

    CHECK((at.raw & PAGE_MASK) == 0);
    CHECK(pages <= arena->bytes >> PAGE_SHIFT);
    check_span(arena, at, bytes);
    if (pages == 0)
        return;
    code_pages_before_store(arena->code, at, bytes);
    if (madvise(arena->base + at.raw, bytes, MADV_DONTNEED) != 0)
        memset(arena->base + at.raw, 0, bytes);
}

uint64_t arena_resident_bytes(const struct arena *arena)
{
    unsigned char *answer = malloc(RESIDENT_CHUNK >> PAGE_SHIFT);
    uint64_t pages = 0;

    if (!answer)
        return 0;
    for (uint64_t at = 0; at < arena->bytes; at += RESIDENT_CHUNK) {
        uint64_t left = arena->bytes - at;
        uint64_t chunk = left < RESIDENT_CHUNK ? left : RESIDENT_CHUNK;

        if (mincore(arena->base + at, chunk, answer) != 0)
            continue;
        for (uint64_t i = 0; i < chunk >> PAGE_SHIFT; i++)
            pages += answer[i] & 1u;
    }
    free(answer);
    return pages << PAGE_SHIFT;
}
