/* SPDX-License-Identifier: GPL-2.0-or-later */
/**
 * Virtual NUMA: which processors and which memory belong together (SRAT), and
 * how far apart they are (SLIT). ACPI 6.5, sections 5.2.16 and 5.2.17.
 */
#include "partitions/firmware_private.h"

#define SRAT_PROCESSOR 0
#define SRAT_PROCESSOR_BYTES 16
#define SRAT_MEMORY 1
#define SRAT_MEMORY_BYTES 40
#define SRAT_ENABLED 1

#define HIGH_GPA (UINT64_C(4) << 30)

#define NODE_ALIGNMENT (UINT64_C(2) << 20)

#define DISTANCE_LOCAL 10
#define DISTANCE_REMOTE 20

uint32_t firmware_vp_node(uint32_t nodes, uint32_t vps, uint32_t vp)
{
    return (uint32_t)((uint64_t)vp * nodes / vps);
}

uint64_t firmware_node_bytes(uint32_t nodes, uint64_t memory_bytes)
{
    return memory_bytes / nodes & ~(NODE_ALIGNMENT - 1);
}

static void put_processor(struct firmware_writer *writer, uint32_t node,
                          uint32_t vp)
{
    firmware_put(writer, SRAT_PROCESSOR, 1);
    firmware_put(writer, SRAT_PROCESSOR_BYTES, 1);
    firmware_put(writer, node, 1); /* the rest of it is below */
    firmware_put(writer, vp, 1);   /* APIC id */
    firmware_put(writer, SRAT_ENABLED, 4);
    firmware_put(writer, 0, 1);
    firmware_put(writer, node >> 8, 3);
    firmware_put(writer, 0, 4); /* clock domain */
}

/* Nothing, if there is none. */
static void put_memory(struct firmware_writer *writer, uint32_t node,
                       uint64_t from, uint64_t to)
{
    if (from >= to)
        return;
    firmware_put(writer, SRAT_MEMORY, 1);
    firmware_put(writer, SRAT_MEMORY_BYTES, 1);
    firmware_put(writer, node, 4);
    firmware_put(writer, 0, 2);
    firmware_put(writer, from, 8);
    firmware_put(writer, to - from, 8);
    firmware_put(writer, 0, 4);
    firmware_put(writer, SRAT_ENABLED, 4);
    firmware_put(writer, 0, 8);
}

/* The node's share of memory, which the device hole may cut in two. */
static void put_node_memory(struct firmware_writer *writer,
                            const struct firmware_config *config, uint32_t node)
{
    uint64_t low = config->low_bytes;
    uint64_t share =
        firmware_node_bytes(config->node_count, low + config->high_bytes);
    uint64_t from = node * share;
    uint64_t to = node + 1 == config->node_count ? low + config->high_bytes
                                                 : from + share;

    put_memory(writer, node, from, to < low ? to : low);
    put_memory(writer, node, HIGH_GPA + (from > low ? from - low : 0),
               HIGH_GPA + (to > low ? to - low : 0));
}

size_t firmware_srat(struct firmware_writer *writer,
                     const struct firmware_config *config)
{
    size_t at = firmware_open_table(writer, "SRAT", 3);

    firmware_put(writer, 1, 4); /* reserved to be 1 */
    firmware_put(writer, 0, 8);
    for (uint32_t vp = 0; vp < config->vp_count_max; vp++)
        put_processor(
            writer,
            firmware_vp_node(config->node_count, config->vp_count_max, vp), vp);
    for (uint32_t node = 0; node < config->node_count; node++)
        put_node_memory(writer, config, node);
    firmware_close_table(writer, at);
    return at;
}

size_t firmware_slit(struct firmware_writer *writer,
                     const struct firmware_config *config)
{
    size_t at = firmware_open_table(writer, "SLIT", 1);

    firmware_put(writer, config->node_count, 8);
    for (uint32_t from = 0; from < config->node_count; from++) {
        for (uint32_t to = 0; to < config->node_count; to++)
            firmware_put(writer, from == to ? DISTANCE_LOCAL : DISTANCE_REMOTE,
                         1);
    }
    firmware_close_table(writer, at);
    return at;
}
