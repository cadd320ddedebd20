/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpu/code_pages.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "sim/core/check.h"

#define COPY_COUNT (CODE_COPIES_BYTES >> PAGE_SHIFT)
#define INT3 0xcc

enum page_state { PAGE_DATA, PAGE_CODE };

/* All zero for a page that nobody has executed or written. */
struct page {
    uint32_t version;
    uint16_t writer; /* who mapped it writable last, and when */
    uint16_t writer_epoch;
    uint16_t executor; /* who has blocks of it */
    uint16_t executor_epoch;
    uint16_t copy; /* index of the copy; 0: none */
    uint8_t state;
    uint8_t density; /* enum code_density; of this state alone */
};

_Static_assert(sizeof(struct page) == 16, "one page, 16 bytes");
_Static_assert(COPY_COUNT <= UINT16_MAX, "copies are numbered in 16 bits");

struct copy {
    uint64_t traps[PAGE_BYTES / 64]; /* one bit for each byte */
    uint16_t next_free;
};

struct code_pages {
    struct page *pages; /* owns; lazily touched */
    uint64_t page_count;
    uint8_t *copy_bytes;  /* owns; lazily touched */
    struct copy *copies;  /* owns; lazily touched */
    uint16_t copies_used; /* index 0 is never used */
    uint16_t free_copy;   /* head of the list of free ones; 0: none */
    const struct code_pages_ops *ops;
    void *context;
};

static void *reserve(uint64_t bytes)
{
    void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    return memory == MAP_FAILED ? NULL : memory;
}

static void unreserve(void *memory, uint64_t bytes)
{
    if (memory)
        munmap(memory, bytes);
}

struct code_pages *code_pages_create(uint64_t bytes)
{
    struct code_pages *code = calloc(1, sizeof(*code));

    if (!code)
        return NULL;
    code->page_count = (bytes + PAGE_MASK) >> PAGE_SHIFT;
    code->pages = reserve(code->page_count * sizeof(struct page));
    code->copy_bytes = reserve(CODE_COPIES_BYTES);
    code->copies = reserve(COPY_COUNT * sizeof(struct copy));
    code->copies_used = 1;
    if (!code->pages || !code->copy_bytes || !code->copies) {
        code_pages_free(code);
        return NULL;
    }
    return code;
}

void code_pages_free(struct code_pages *code)
{
    if (!code)
        return;
    unreserve(code->pages, code->page_count * sizeof(struct page));
    unreserve(code->copy_bytes, CODE_COPIES_BYTES);
    unreserve(code->copies, COPY_COUNT * sizeof(struct copy));
    free(code);
}

void code_pages_attach(struct code_pages *code,
                       const struct code_pages_ops *ops, void *context)
{
    code->ops = ops;
    code->context = context;
}

static struct page *page_at(const struct code_pages *code, spa_t at)
{
    uint64_t number = at.raw >> PAGE_SHIFT;

    CHECK(number < code->page_count);
    return &code->pages[number];
}

static spa_t copy_spa(uint16_t copy)
{
    return spa(CODE_COPIES_SPA + ((uint64_t)copy << PAGE_SHIFT));
}

/* Adds an engine to "nobody, one, or everybody". */
static void join(uint16_t *who, uint16_t *epoch, uint16_t engine,
                 uint16_t engine_epoch)
{
    if (*who != CODE_PAGES_NOBODY && *who != engine)
        engine = CODE_PAGES_EVERYBODY;
    *who = engine;
    *epoch = engine_epoch;
}

static void forget_mappings(struct code_pages *code, uint16_t engine,
                            uint16_t epoch)
{
    if (engine != CODE_PAGES_NOBODY && code->ops)
        code->ops->forget_mappings(code->context, engine, epoch);
}

static void forget_blocks(struct code_pages *code, uint16_t engine, spa_t page)
{
    if (engine != CODE_PAGES_NOBODY && code->ops)
        code->ops->forget_blocks(code->context, engine, page);
}

void code_pages_to_code(struct code_pages *code, spa_t page)
{
    struct page *record = page_at(code, page);

    if (record->state == PAGE_CODE)
        return;
    forget_mappings(code, record->writer, record->writer_epoch);
    record->writer = CODE_PAGES_NOBODY;
    record->state = PAGE_CODE;
    record->density = CODE_DENSITY_UNKNOWN;
}

enum code_density code_pages_density(const struct code_pages *code, spa_t page)
{
    return (enum code_density)page_at(code, page)->density;
}

void code_pages_set_density(struct code_pages *code, spa_t page,
                            enum code_density density)
{
    page_at(code, page)->density = (uint8_t)density;
}

spa_t code_pages_map_executable(struct code_pages *code, spa_t page,
                                uint16_t engine, uint16_t epoch)
{
    struct page *record = page_at(code, page);

    CHECK(record->state == PAGE_CODE);
    join(&record->executor, &record->executor_epoch, engine, epoch);
    return record->copy ? copy_spa(record->copy) : spa_page(page);
}

bool code_pages_map_writable(struct code_pages *code, spa_t page,
                             uint16_t engine, uint16_t epoch)
{
    struct page *record = page_at(code, page);

    if (record->state == PAGE_CODE)
        return false;
    join(&record->writer, &record->writer_epoch, engine, epoch);
    return true;
}

bool code_pages_is_code(const struct code_pages *code, spa_t page)
{
    return page_at(code, page)->state == PAGE_CODE;
}

static void drop_copy(struct code_pages *code, struct page *record)
{
    uint16_t index = record->copy;
    struct copy *copy = &code->copies[index];

    forget_blocks(code, record->executor, copy_spa(index));
    *copy = (struct copy){.next_free = code->free_copy};
    code->free_copy = index;
    record->copy = 0;
}

void code_pages_to_data(struct code_pages *code, spa_t page)
{
    struct page *record = page_at(code, page);

    if (record->state == PAGE_DATA)
        return;
    forget_blocks(code, record->executor, spa_page(page));
    if (record->copy)
        drop_copy(code, record);
    forget_mappings(code, record->executor, record->executor_epoch);
    record->executor = CODE_PAGES_NOBODY;
    record->version++;
    record->state = PAGE_DATA;
}

void code_pages_before_store(struct code_pages *code, spa_t at, uint64_t bytes)
{
    uint64_t last = (at.raw + bytes - 1) >> PAGE_SHIFT;

    for (uint64_t page = at.raw >> PAGE_SHIFT; page <= last; page++)
        if (page_at(code, spa(page << PAGE_SHIFT))->state == PAGE_CODE)
            code_pages_to_data(code, spa(page << PAGE_SHIFT));
}

uint32_t code_pages_version(const struct code_pages *code, spa_t page)
{
    return page_at(code, page)->version;
}

static bool take_copy(struct code_pages *code, uint16_t *index)
{
    if (code->free_copy) {
        *index = code->free_copy;
        code->free_copy = code->copies[*index].next_free;
        return true;
    }
    if (code->copies_used == COPY_COUNT)
        return false;
    *index = code->copies_used++;
    return true;
}

bool code_pages_trap(struct code_pages *code, spa_t at,
                     const uint8_t bytes[PAGE_BYTES])
{
    struct page *record = page_at(code, at);
    uint64_t offset = at.raw & PAGE_MASK;
    uint8_t *copy_bytes;

    CHECK(record->state == PAGE_CODE);
    if (!record->copy) {
        if (!take_copy(code, &record->copy))
            return false;
        memcpy(code->copy_bytes + ((uint64_t)record->copy << PAGE_SHIFT), bytes,
               PAGE_BYTES);
    } else {
        forget_blocks(code, record->executor, copy_spa(record->copy));
    }
    copy_bytes = code->copy_bytes + ((uint64_t)record->copy << PAGE_SHIFT);
    copy_bytes[offset] = INT3;
    code->copies[record->copy].traps[offset / 64] |= UINT64_C(1)
                                                     << (offset % 64);
    forget_mappings(code, record->executor, record->executor_epoch);
    record->version++;
    return true;
}

bool code_pages_is_trap(const struct code_pages *code, spa_t at)
{
    uint16_t copy = page_at(code, at)->copy;
    uint64_t offset = at.raw & PAGE_MASK;

    return copy != 0 &&
           (code->copies[copy].traps[offset / 64] >> (offset % 64) & 1) != 0;
}

bool code_pages_has_traps(const struct code_pages *code, spa_t page)
{
    return page_at(code, page)->copy != 0;
}

void *code_pages_copies(const struct code_pages *code)
{
    return code->copy_bytes;
}
