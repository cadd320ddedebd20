/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmbus/disk.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sim/core/check.h"

#define BLOCK_BYTES UINT64_C(4096)
#define BLOCK_SECTORS (BLOCK_BYTES / DISK_SECTOR_BYTES)

/* Blocks are the leaves of a tree of nodes of 512 pointers, as high as the
 * disk's size asks for. */
#define NODE_BITS 9
#define NODE_ENTRIES (1u << NODE_BITS)

#define HOUR_NS (UINT64_C(3600) * 1000000000)

struct node {
    void *entries[NODE_ENTRIES]; /* owns; NULL: never written */
};

struct disk {
    uint64_t sectors;
    int image; /* -1: none */
    uint64_t image_sectors;

    unsigned height; /* nodes from the root to a block, at least 1 */
    struct node *root;
    uint64_t memory_bytes, memory_bytes_max;

    struct sim_clock clock;
    cycles_t latency;
    uint64_t bytes_per_second;
    cycles_t path_free_at;
    uint32_t queue_depth;
    uint32_t oldest;        /* in `complete_at` */
    cycles_t complete_at[]; /* of the latest queue_depth requests, in a ring */
};

/* In place of a block: one that has been unmapped over an image. */
static const uint8_t unmapped_block[BLOCK_BYTES];

static bool is_block(const void *entry)
{
    return entry && entry != unmapped_block;
}

static void *take_memory(struct disk *disk, size_t bytes)
{
    void *memory;

    if (bytes > disk->memory_bytes_max - disk->memory_bytes)
        return NULL;
    memory = calloc(1, bytes);
    if (memory)
        disk->memory_bytes += bytes;
    return memory;
}

static void free_node(struct node *node, unsigned height)
{
    for (unsigned i = 0; node && i < NODE_ENTRIES; i++) {
        if (height > 1)
            free_node(node->entries[i], height - 1);
        else if (is_block(node->entries[i]))
            free(node->entries[i]);
    }
    free(node);
}

static unsigned entry_index(uint64_t block, unsigned height)
{
    return (unsigned)(block >> (NODE_BITS * (height - 1))) & (NODE_ENTRIES - 1);
}

/* The place of a block in its node; NULL if that node is not there. */
static void **find_slot(const struct disk *disk, uint64_t block)
{
    struct node *node = disk->root;

    for (unsigned height = disk->height; height > 1 && node; height--)
        node = node->entries[entry_index(block, height)];
    return node ? &node->entries[entry_index(block, 1)] : NULL;
}

/* The same, and the node will be there; NULL if there is no memory. */
static void **make_slot(struct disk *disk, uint64_t block)
{
    struct node *node = disk->root;

    for (unsigned height = disk->height; height > 1; height--) {
        void **below = &node->entries[entry_index(block, height)];

        if (!*below)
            *below = take_memory(disk, sizeof(*node));
        if (!*below)
            return NULL;
        node = *below;
    }
    return &node->entries[entry_index(block, 1)];
}

static const void *find_block(const struct disk *disk, uint64_t block)
{
    void **slot = find_slot(disk, block);

    return slot ? *slot : NULL;
}

static bool read_file(int file, uint64_t offset, uint8_t *to, size_t bytes)
{
    while (bytes > 0) {
        ssize_t got = pread(file, to, bytes, (off_t)offset);

        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return false;
        to += got;
        offset += (uint64_t)got;
        bytes -= (size_t)got;
    }
    return true;
}

/* As the disk was at first. */
static enum disk_result read_original(const struct disk *disk, uint64_t first,
                                      uint64_t count, uint8_t *to)
{
    uint64_t in_image = 0;

    if (first < disk->image_sectors)
        in_image = disk->image_sectors - first;
    if (in_image > count)
        in_image = count;
    if (in_image && !read_file(disk->image, first * DISK_SECTOR_BYTES, to,
                               in_image * DISK_SECTOR_BYTES))
        return DISK_FAULT;
    memset(to + in_image * DISK_SECTOR_BYTES, 0,
           (count - in_image) * DISK_SECTOR_BYTES);
    return DISK_OK;
}

/* How many of `count` sectors from `first` on lie in one block. */
static uint64_t sectors_in_block(uint64_t first, uint64_t count)
{
    uint64_t left = BLOCK_SECTORS - first % BLOCK_SECTORS;

    return count < left ? count : left;
}

static size_t offset_in_block(uint64_t sector)
{
    return sector % BLOCK_SECTORS * DISK_SECTOR_BYTES;
}

static void check_range(const struct disk *disk, uint64_t first, uint64_t count)
{
    CHECK(first <= disk->sectors && count <= disk->sectors - first);
}

enum disk_result disk_read(const struct disk *disk, uint64_t first,
                           uint32_t count, void *to)
{
    uint8_t *at = to;

    check_range(disk, first, count);
    for (uint64_t left = count, n; left > 0; left -= n) {
        const uint8_t *block = find_block(disk, first / BLOCK_SECTORS);

        n = sectors_in_block(first, left);
        if (block)
            memcpy(at, block + offset_in_block(first), n * DISK_SECTOR_BYTES);
        else if (read_original(disk, first, n, at) != DISK_OK)
            return DISK_FAULT;
        first += n;
        at += n * DISK_SECTOR_BYTES;
    }
    return DISK_OK;
}

/* A block that may be written, with what it holds so far. */
static enum disk_result block_to_write(struct disk *disk, uint64_t block,
                                       uint8_t **out)
{
    uint64_t first = block * BLOCK_SECTORS;
    void **slot = make_slot(disk, block);
    uint8_t *bytes;

    if (!slot)
        return DISK_FULL;
    if (!is_block(*slot)) {
        bytes = take_memory(disk, BLOCK_BYTES);
        if (!bytes)
            return DISK_FULL;
        if (!*slot &&
            read_original(disk, first,
                          sectors_in_block(first, disk->sectors - first),
                          bytes) != DISK_OK) {
            free(bytes);
            disk->memory_bytes -= BLOCK_BYTES;
            return DISK_FAULT;
        }
        *slot = bytes;
    }
    *out = *slot;
    return DISK_OK;
}

enum disk_result disk_write(struct disk *disk, uint64_t first, uint32_t count,
                            const void *from)
{
    const uint8_t *at = from;

    check_range(disk, first, count);
    for (uint64_t left = count, n; left > 0; left -= n) {
        enum disk_result result;
        uint8_t *block = NULL;

        n = sectors_in_block(first, left);
        result = block_to_write(disk, first / BLOCK_SECTORS, &block);
        if (result != DISK_OK)
            return result;
        memcpy(block + offset_in_block(first), at, n * DISK_SECTOR_BYTES);
        first += n;
        at += n * DISK_SECTOR_BYTES;
    }
    return DISK_OK;
}

/* Whether some of the block is in the image. */
static bool image_shows(const struct disk *disk, uint64_t block)
{
    return block * BLOCK_SECTORS < disk->image_sectors;
}

static enum disk_result unmap_block(struct disk *disk, uint64_t block)
{
    void **slot = image_shows(disk, block) ? make_slot(disk, block)
                                           : find_slot(disk, block);

    if (!slot)
        return image_shows(disk, block) ? DISK_FULL : DISK_OK;
    if (is_block(*slot)) {
        free(*slot);
        disk->memory_bytes -= BLOCK_BYTES;
    }
    *slot = image_shows(disk, block) ? (void *)(uintptr_t)unmapped_block : NULL;
    return DISK_OK;
}

/* Part of a block: zeroes where there is something to hide. */
static enum disk_result clear_sectors(struct disk *disk, uint64_t first,
                                      uint64_t count)
{
    uint64_t number = first / BLOCK_SECTORS;
    const void *found = find_block(disk, number);
    enum disk_result result;
    uint8_t *block = NULL;

    if (found == unmapped_block || (!found && !image_shows(disk, number)))
        return DISK_OK;
    result = block_to_write(disk, number, &block);
    if (result == DISK_OK)
        memset(block + offset_in_block(first), 0, count * DISK_SECTOR_BYTES);
    return result;
}

/* The sectors from `first` to the end of what the node that would hold it
 * covers, where there is no such node and no image: nothing to unmap. A disk
 * can be unmapped whole, so holes are stepped over and not walked. */
static uint64_t hole_sectors(const struct disk *disk, uint64_t first)
{
    uint64_t block = first / BLOCK_SECTORS;
    const struct node *node = disk->root;
    unsigned height = disk->height;

    if (image_shows(disk, block))
        return 0;
    for (; height > 1 && node; height--)
        node = node->entries[entry_index(block, height)];
    if (node)
        return 0;

    uint64_t covered = BLOCK_SECTORS << NODE_BITS * height;

    return covered - first % covered;
}

enum disk_result disk_unmap(struct disk *disk, uint64_t first, uint64_t count)
{
    check_range(disk, first, count);
    while (count > 0) {
        uint64_t n = hole_sectors(disk, first);
        enum disk_result result = DISK_OK;

        if (n == 0) {
            n = sectors_in_block(first, count);
            result = n == BLOCK_SECTORS
                         ? unmap_block(disk, first / BLOCK_SECTORS)
                         : clear_sectors(disk, first, n);
        }
        if (result != DISK_OK)
            return result;
        n = n < count ? n : count;
        first += n;
        count -= n;
    }
    return DISK_OK;
}

static uint64_t mul_div(uint64_t a, uint64_t b, uint64_t c)
{
    __extension__ typedef unsigned __int128 u128;

    return (uint64_t)((u128)a * b / c);
}

cycles_t disk_serve(struct disk *disk, cycles_t now, uint64_t bytes)
{
    cycles_t begin = cycles_max(now, disk->complete_at[disk->oldest]);
    cycles_t transfer =
        cycles_max(cycles_add(begin, disk->latency), disk->path_free_at);
    cycles_t complete = cycles_add(
        transfer,
        cycles(mul_div(bytes, disk->clock.hz, disk->bytes_per_second)));

    disk->path_free_at = complete;
    disk->complete_at[disk->oldest] = complete;
    disk->oldest = (disk->oldest + 1) % disk->queue_depth;
    return complete;
}

void disk_forget_requests(struct disk *disk)
{
    disk->path_free_at = cycles(0);
    for (uint32_t i = 0; i < disk->queue_depth; i++)
        disk->complete_at[i] = cycles(0);
}

uint64_t disk_sectors(const struct disk *disk)
{
    return disk->sectors;
}

uint64_t disk_memory_bytes(const struct disk *disk)
{
    return disk->memory_bytes;
}

static uint64_t or_default(uint64_t value, uint64_t otherwise)
{
    return value ? value : otherwise;
}

static enum sim_status check_config(const struct disk_config *config,
                                    struct sim_error *error)
{
    if (config->bytes % DISK_SECTOR_BYTES || config->bytes > DISK_BYTES_MAX ||
        (config->bytes == 0 && !config->image_path))
        return sim_fail(error, SIM_BAD_SCENARIO,
                        "a disk's size is a multiple of %d bytes, at most 64 "
                        "TiB, and not %llu",
                        DISK_SECTOR_BYTES, (unsigned long long)config->bytes);
    if (config->queue_depth > DISK_QUEUE_DEPTH_MAX)
        return sim_fail(error, SIM_BAD_SCENARIO,
                        "a disk works on at most %d requests at once",
                        DISK_QUEUE_DEPTH_MAX);
    if (config->latency_ns > HOUR_NS)
        return sim_fail(error, SIM_BAD_SCENARIO,
                        "a disk's latency is at most an hour");
    return SIM_OK;
}

static enum sim_status open_image(struct disk *disk, const char *path,
                                  struct sim_error *error)
{
    struct stat status;

    /* Whoever names a FIFO is told, and not made to wait. */
    disk->image = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (disk->image < 0 || fstat(disk->image, &status) != 0)
        return sim_fail(error, SIM_NO_INPUT, "disk image \"%s\": %s", path,
                        strerror(errno));
    if (!S_ISREG(status.st_mode))
        return sim_fail(error, SIM_NO_INPUT,
                        "disk image \"%s\": not a regular file", path);
    if (status.st_size <= 0 || status.st_size % DISK_SECTOR_BYTES ||
        (uint64_t)status.st_size > DISK_BYTES_MAX)
        return sim_fail(error, SIM_NO_INPUT,
                        "disk image \"%s\": %lld bytes is not a whole number "
                        "of sectors of %d bytes",
                        path, (long long)status.st_size, DISK_SECTOR_BYTES);
    disk->image_sectors = (uint64_t)status.st_size / DISK_SECTOR_BYTES;
    if (disk->sectors == 0)
        disk->sectors = disk->image_sectors;
    if (disk->sectors < disk->image_sectors)
        return sim_fail(error, SIM_BAD_SCENARIO,
                        "disk image \"%s\" has %lld bytes, more than the disk",
                        path, (long long)status.st_size);
    return SIM_OK;
}

static bool make_tree(struct disk *disk)
{
    uint64_t blocks = (disk->sectors + BLOCK_SECTORS - 1) / BLOCK_SECTORS;

    disk->height = 1;
    while (blocks > UINT64_C(1) << NODE_BITS * disk->height)
        disk->height++;
    /* The root is not counted: a disk may have no memory to write to. */
    disk->root = calloc(1, sizeof(*disk->root));
    return disk->root != NULL;
}

enum sim_status disk_create(struct disk **out, const struct disk_config *config,
                            struct sim_clock clock, struct sim_error *error)
{
    uint32_t depth =
        (uint32_t)or_default(config->queue_depth, DISK_QUEUE_DEPTH_DEFAULT);
    enum sim_status status = check_config(config, error);
    struct disk *disk;

    if (status != SIM_OK)
        return status;
    disk = calloc(1, sizeof(*disk) + depth * sizeof(disk->complete_at[0]));
    if (!disk)
        return sim_fail(error, SIM_NO_MEMORY, "no memory for a disk");
    disk->image = -1;
    disk->sectors = config->bytes / DISK_SECTOR_BYTES;
    disk->memory_bytes_max =
        or_default(config->memory_bytes_max, DISK_MEMORY_BYTES_DEFAULT);
    disk->clock = clock;
    disk->latency = clock_from_ns(
        clock, or_default(config->latency_ns, DISK_LATENCY_NS_DEFAULT));
    disk->bytes_per_second =
        or_default(config->bytes_per_second, DISK_BYTES_PER_SECOND_DEFAULT);
    disk->queue_depth = depth;
    if (config->image_path)
        status = open_image(disk, config->image_path, error);
    if (status == SIM_OK && !make_tree(disk))
        status = sim_fail(error, SIM_NO_MEMORY, "no memory for a disk");
    if (status != SIM_OK) {
        disk_free(disk);
        return status;
    }
    *out = disk;
    return SIM_OK;
}

void disk_free(struct disk *disk)
{
    if (!disk)
        return;
    free_node(disk->root, disk->height);
    if (disk->image >= 0)
        close(disk->image);
    free(disk);
}
