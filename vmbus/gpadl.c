/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "vmbus/gpadl.h"

#include <stdlib.h>
#include <string.h>

#include "vmbus/vmbus_private.h"

struct vmbus_gpadl {
    struct vmbus_gpadl *next; /* in its bucket */
    struct guest_memory memory;
    uint32_t id, relid;
    uint32_t range_count;
    uint32_t total_bytes, received_bytes; /* of the description */
    uint8_t *description;                 /* owns; NULL when it is READY */
    struct vmbus_ranges *ranges;          /* owns; NULL until then */
};

/* Guests number their GPADLs in order, so the low bits tell them apart. */
#define BUCKET_COUNT 256

struct vmbus_gpadl_table {
    struct guest_memory memory;
    uint32_t gpadl_count;
    uint32_t description_bytes;
    struct vmbus_gpadl *buckets[BUCKET_COUNT];
};

uint64_t vmbus_gpadl_bytes(const struct vmbus_gpadl *gpadl)
{
    return vmbus_ranges_bytes(gpadl->ranges);
}

bool vmbus_gpadl_read(const struct vmbus_gpadl *gpadl,
                      struct hv_context *context, uint64_t offset, void *to,
                      size_t bytes)
{
    return vmbus_bill_copy(
        context, bytes,
        vmbus_ranges_read(gpadl->ranges, gpadl->memory, offset, to, bytes));
}

bool vmbus_gpadl_write(const struct vmbus_gpadl *gpadl,
                       struct hv_context *context, uint64_t offset,
                       const void *from, size_t bytes)
{
    return vmbus_bill_copy(
        context, bytes,
        vmbus_ranges_write(gpadl->ranges, gpadl->memory, offset, from, bytes));
}

struct vmbus_gpadl_table *vmbus_gpadl_table_create(struct guest_memory memory)
{
    struct vmbus_gpadl_table *table = calloc(1, sizeof(*table));

    if (table)
        table->memory = memory;
    return table;
}

void vmbus_gpadl_table_free(struct vmbus_gpadl_table *table)
{
    if (!table)
        return;
    vmbus_gpadl_drop_all(table);
    free(table);
}

static struct vmbus_gpadl **bucket_of(struct vmbus_gpadl_table *table,
                                      uint32_t id)
{
    return &table->buckets[id % BUCKET_COUNT];
}

static void gpadl_free(struct vmbus_gpadl *gpadl)
{
    if (!gpadl)
        return;
    vmbus_ranges_free(gpadl->ranges);
    free(gpadl->description);
    free(gpadl);
}

/** Makes room for what the header announces. NULL: no memory. */
static struct vmbus_gpadl *gpadl_create(struct guest_memory memory,
                                        const struct vmbus_gpadl_header *header)
{
    struct vmbus_gpadl *gpadl = calloc(1, sizeof(*gpadl));

    if (!gpadl)
        return NULL;
    gpadl->memory = memory;
    gpadl->id = header->gpadl_id;
    gpadl->relid = header->relid;
    gpadl->range_count = header->range_count;
    gpadl->total_bytes = header->range_bytes;
    gpadl->description = malloc(header->range_bytes);
    if (!gpadl->description) {
        gpadl_free(gpadl);
        return NULL;
    }
    return gpadl;
}

enum vmbus_gpadl_state
vmbus_gpadl_begin(struct vmbus_gpadl_table *table,
                  const struct vmbus_gpadl_header *header, const void *data,
                  size_t bytes)
{
    if (header->range_bytes == 0 || header->range_count == 0 ||
        vmbus_gpadl_find(table, header->gpadl_id) ||
        table->gpadl_count == VMBUS_GPADLS_MAX ||
        table->description_bytes + header->range_bytes >
            VMBUS_GPADL_DESCRIPTION_BYTES_MAX)
        return VMBUS_GPADL_REFUSED;

    struct vmbus_gpadl *gpadl = gpadl_create(table->memory, header);
    if (!gpadl)
        return VMBUS_GPADL_REFUSED;
    struct vmbus_gpadl **bucket = bucket_of(table, gpadl->id);
    gpadl->next = *bucket;
    *bucket = gpadl;
    table->gpadl_count++;
    table->description_bytes += gpadl->total_bytes;
    return vmbus_gpadl_append(table, gpadl, data, bytes);
}

enum vmbus_gpadl_state vmbus_gpadl_append(struct vmbus_gpadl_table *table,
                                          struct vmbus_gpadl *gpadl,
                                          const void *data, size_t bytes)
{
    uint32_t missing = gpadl->total_bytes - gpadl->received_bytes;
    uint32_t taken = bytes < missing ? (uint32_t)bytes : missing;

    memcpy(gpadl->description + gpadl->received_bytes, data, taken);
    gpadl->received_bytes += taken;
    if (taken < missing)
        return VMBUS_GPADL_INCOMPLETE;
    gpadl->ranges = vmbus_ranges_parse(gpadl->description, gpadl->total_bytes,
                                       gpadl->range_count);
    if (!gpadl->ranges) {
        vmbus_gpadl_drop(table, gpadl);
        return VMBUS_GPADL_REFUSED;
    }
    free(gpadl->description);
    gpadl->description = NULL;
    return VMBUS_GPADL_READY;
}

struct vmbus_gpadl *vmbus_gpadl_find(const struct vmbus_gpadl_table *table,
                                     uint32_t id)
{
    struct vmbus_gpadl *gpadl = table->buckets[id % BUCKET_COUNT];

    while (gpadl && gpadl->id != id)
        gpadl = gpadl->next;
    return gpadl;
}

enum vmbus_gpadl_state vmbus_gpadl_state(const struct vmbus_gpadl *gpadl)
{
    return gpadl->ranges ? VMBUS_GPADL_READY : VMBUS_GPADL_INCOMPLETE;
}

uint32_t vmbus_gpadl_relid(const struct vmbus_gpadl *gpadl)
{
    return gpadl->relid;
}

const struct vmbus_ranges *vmbus_gpadl_ranges(const struct vmbus_gpadl *gpadl)
{
    return gpadl->ranges;
}

/** Takes the GPADL that *link points to out of its bucket, and frees it. */
static void drop_at(struct vmbus_gpadl_table *table, struct vmbus_gpadl **link)
{
    struct vmbus_gpadl *gpadl = *link;

    *link = gpadl->next;
    table->gpadl_count--;
    table->description_bytes -= gpadl->total_bytes;
    gpadl_free(gpadl);
}

void vmbus_gpadl_drop(struct vmbus_gpadl_table *table,
                      struct vmbus_gpadl *gpadl)
{
    struct vmbus_gpadl **link = bucket_of(table, gpadl->id);

    while (*link != gpadl)
        link = &(*link)->next;
    drop_at(table, link);
}

void vmbus_gpadl_drop_channel(struct vmbus_gpadl_table *table, uint32_t relid)
{
    for (unsigned i = 0; i < BUCKET_COUNT; i++) {
        struct vmbus_gpadl **link = &table->buckets[i];
        while (*link) {
            if ((*link)->relid == relid)
                drop_at(table, link);
            else
                link = &(*link)->next;
        }
    }
}

void vmbus_gpadl_drop_all(struct vmbus_gpadl_table *table)
{
    for (unsigned i = 0; i < BUCKET_COUNT; i++) {
        while (table->buckets[i])
            drop_at(table, &table->buckets[i]);
    }
}
