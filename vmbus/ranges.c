/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmbus/ranges.h"

#include <stdlib.h>
#include <string.h>

#include "vmbus/vmbus_abi.h"

/* The ranges as they came, in words of 8 bytes: a struct vmbus_range, then the
 * numbers of its pages. */
struct vmbus_ranges {
    uint64_t bytes; /* that they name */
    uint32_t range_count;
    uint32_t word_count;
    uint64_t words[];
};

static struct vmbus_range range_at(const uint64_t *word)
{
    struct vmbus_range range;

    memcpy(&range, word, sizeof(range));
    return range;
}

static uint64_t page_count(struct vmbus_range range)
{
    return ((uint64_t)range.offset + range.bytes + PAGE_MASK) >> PAGE_SHIFT;
}

/** Whether the words are that many ranges, and no more; sums their bytes. */
static bool check(struct vmbus_ranges *ranges)
{
    uint64_t at = 0;

    for (uint32_t i = 0; i < ranges->range_count; i++) {
        if (at >= ranges->word_count)
            return false;
        struct vmbus_range range = range_at(&ranges->words[at++]);
        uint64_t pages = page_count(range);
        if (range.bytes == 0 || range.offset > PAGE_MASK ||
            pages > ranges->word_count - at)
            return false;
        for (uint64_t page = 0; page < pages; page++) {
            if (ranges->words[at + page] > UINT64_MAX >> PAGE_SHIFT)
                return false;
        }
        at += pages;
        ranges->bytes += range.bytes;
    }
    return at == ranges->word_count;
}

static size_t allocation_bytes(size_t words)
{
    return sizeof(struct vmbus_ranges) + words * sizeof(uint64_t);
}

struct vmbus_ranges *vmbus_ranges_parse(const void *data, size_t bytes,
                                        uint32_t range_count)
{
    size_t words = bytes / sizeof(uint64_t);

    if (words == 0 || bytes % sizeof(uint64_t) != 0 || words > UINT32_MAX)
        return NULL;
    struct vmbus_ranges *ranges = calloc(1, allocation_bytes(words));
    if (!ranges)
        return NULL;
    ranges->range_count = range_count;
    ranges->word_count = (uint32_t)words;
    memcpy(ranges->words, data, bytes);
    if (!check(ranges)) {
        free(ranges);
        return NULL;
    }
    return ranges;
}

struct vmbus_ranges *vmbus_ranges_copy(const struct vmbus_ranges *ranges)
{
    size_t bytes = allocation_bytes(ranges->word_count);
    struct vmbus_ranges *copy = malloc(bytes);

    if (copy)
        memcpy(copy, ranges, bytes);
    return copy;
}

void vmbus_ranges_free(struct vmbus_ranges *ranges)
{
    free(ranges);
}

uint32_t vmbus_ranges_count(const struct vmbus_ranges *ranges)
{
    return ranges->range_count;
}

uint64_t vmbus_ranges_bytes(const struct vmbus_ranges *ranges)
{
    return ranges->bytes;
}

bool vmbus_ranges_is_contiguous(const struct vmbus_ranges *ranges)
{
    struct vmbus_range first = range_at(ranges->words);

    return ranges->range_count == 1 && first.offset == 0 &&
           first.bytes % PAGE_BYTES == 0;
}

/* What is copied, and which way. */
struct transfer {
    struct guest_memory memory;
    void *into;       /* from guest memory; or */
    const void *from; /* to it */
};

/** Copies `bytes` that lie on one page; `done` were copied before. */
static bool copy_on_page(const struct transfer *transfer, size_t done, gpa_t at,
                         size_t bytes)
{
    if (transfer->into)
        return guest_memory_read(transfer->memory, at,
                                 (uint8_t *)transfer->into + done, bytes);
    return guest_memory_write(transfer->memory, at,
                              (const uint8_t *)transfer->from + done, bytes);
}

/** Copies from `offset` in one range, as far as it goes; `pages` are its page
 *  numbers. Adds to *done, which ends at `bytes`. */
static bool copy_in_range(const struct transfer *transfer,
                          struct vmbus_range range, const uint64_t *pages,
                          uint64_t offset, size_t *done, size_t bytes)
{
    while (offset < range.bytes && *done < bytes) {
        uint64_t place = range.offset + offset;
        uint64_t on_page = place & PAGE_MASK;
        uint64_t length = PAGE_BYTES - on_page;
        if (length > range.bytes - offset)
            length = range.bytes - offset;
        if (length > bytes - *done)
            length = bytes - *done;
        uint64_t page = pages[place >> PAGE_SHIFT] << PAGE_SHIFT;
        if (!copy_on_page(transfer, *done, gpa(page + on_page), length))
            return false;
        offset += length;
        *done += length;
    }
    return true;
}

static bool copy(const struct vmbus_ranges *ranges,
                 const struct transfer *transfer, uint64_t offset, size_t bytes)
{
    const uint64_t *word = ranges->words;
    size_t done = 0;

    if (offset > ranges->bytes || bytes > ranges->bytes - offset)
        return false;
    for (uint32_t i = 0; i < ranges->range_count && done < bytes; i++) {
        struct vmbus_range range = range_at(word++);
        if (!copy_in_range(transfer, range, word, offset, &done, bytes))
            return false;
        offset -= offset < range.bytes ? offset : range.bytes;
        word += page_count(range);
    }
    return true;
}

bool vmbus_ranges_read(const struct vmbus_ranges *ranges,
                       struct guest_memory memory, uint64_t offset, void *to,
                       size_t bytes)
{
    struct transfer transfer = {.memory = memory, .into = to};

    return copy(ranges, &transfer, offset, bytes);
}

bool vmbus_ranges_write(const struct vmbus_ranges *ranges,
                        struct guest_memory memory, uint64_t offset,
                        const void *from, size_t bytes)
{
    struct transfer transfer = {.memory = memory, .from = from};

    return copy(ranges, &transfer, offset, bytes);
}
