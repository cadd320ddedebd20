/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "hypervisor/gpa_space.h"

#include <stdlib.h>

#include "hypervisor/memory.h"
#include "hypervisor/partition.h"
#include "hypervisor/vp.h"
#include "sim/core/check.h"

#define LEVEL_BITS 9
#define ENTRIES_PER_TABLE (1u << LEVEL_BITS)
#define TOP_SHIFT 39
#define TABLE_BITS (SLAT_P | SLAT_W | SLAT_U)
#define LARGE_MASK (GPA_LARGE_BYTES - 1)

/**
 * An overlay shows in the tables like a mapping; what it hides is kept in
 * `base` as the table entry that it would be. Several overlays on one page
 * have the same `base`, and the newest shows.
 */
struct gpa_overlay {
    struct gpa_overlay *next;
    const void *owner; /* compared only */
    gpa_t at;
    spa_t page;
    bool borrowed; /* the page is another's, who puts it elsewhere too */
    bool writable;
    uint64_t base;
};

/* Where the tables say something about a GPA: an entry of a table. */
struct slot {
    spa_t at;
    unsigned shift; /* 12, 21, 30 or 39: what the entry covers */
    uint64_t entry;
};

static struct arena *arena_of(const struct gpa_space *space)
{
    return space->partition->hv->arena;
}

static bool is_leaf(const struct slot *slot)
{
    return slot->shift == PAGE_SHIFT || (slot->entry & SLAT_LARGE);
}

static struct slot slot_load(const struct gpa_space *space, spa_t table,
                             gpa_t at, unsigned shift)
{
    uint64_t index = (at.raw >> shift) & (ENTRIES_PER_TABLE - 1);
    struct slot slot = {
        .at = spa_add(table, index * sizeof(uint64_t)),
        .shift = shift,
    };

    slot.entry = arena_load64(arena_of(space), slot.at);
    return slot;
}

static void slot_store(struct gpa_space *space, struct slot *slot,
                       uint64_t entry)
{
    slot->entry = entry;
    arena_store64(arena_of(space), slot->at, entry);
}

/* Follows the tables to where they end: a leaf or an empty entry. */
static struct slot slot_find(const struct gpa_space *space, gpa_t at)
{
    struct slot slot = slot_load(space, space->root.table, at, TOP_SHIFT);

    while ((slot.entry & SLAT_P) && !is_leaf(&slot))
        slot = slot_load(space, spa(slot.entry & SLAT_ADDRESS), at,
                         slot.shift - LEVEL_BITS);
    return slot;
}

static bool take_page(struct gpa_space *space, spa_t *page)
{
    return memory_pool_take(space->partition->hv, space->partition->pool, page);
}

static void give_page(struct gpa_space *space, spa_t page)
{
    memory_pool_give(space->partition->pool, page);
}

/* The root's own pages are not shared with it: it has them to give. */
static void share(struct gpa_space *space, uint64_t entry, bool large, bool on)
{
    spa_t page = spa(entry & SLAT_ADDRESS);

    if (!space->partition->parent)
        return;
    if (on)
        memory_share(space->partition->hv->memory, page, large);
    else
        memory_unshare(space->partition->hv->memory, page, large);
}

/* A mapping of RAM came or went; entries that are not present count nothing. */
static void account(struct gpa_space *space, uint64_t before, uint64_t after,
                    bool large)
{
    uint64_t *pages = large ? &space->pages_2m : &space->pages_4k;

    if (after & SLAT_P) {
        ++*pages;
        share(space, after, large, true);
    }
    if (before & SLAT_P) {
        --*pages;
        share(space, before, large, false);
    }
}

/* Replaces a large leaf by a table of the same 512 pages. */
static bool slot_split(struct gpa_space *space, struct slot *slot)
{
    uint64_t large = slot->entry;
    uint64_t entries[ENTRIES_PER_TABLE];
    spa_t table;

    if (!take_page(space, &table))
        return false;
    for (unsigned i = 0; i < ENTRIES_PER_TABLE; i++) {
        entries[i] = (large & ~SLAT_LARGE) + i * PAGE_BYTES;
        account(space, 0, entries[i], false);
    }
    account(space, large, 0, true);
    arena_write(arena_of(space), table, entries, sizeof(entries));
    slot_store(space, slot, table.raw | TABLE_BITS);
    return true;
}

static bool slot_add_table(struct gpa_space *space, struct slot *slot)
{
    spa_t table;

    if (!take_page(space, &table))
        return false;
    slot_store(space, slot, table.raw | TABLE_BITS);
    return true;
}

/* The entry for `at` at the level of `shift`, with all tables above it. */
static enum hv_status slot_make(struct gpa_space *space, gpa_t at,
                                unsigned shift, struct slot *out)
{
    struct slot slot = slot_load(space, space->root.table, at, TOP_SHIFT);

    while (slot.shift != shift) {
        bool present = slot.entry & SLAT_P;

        if (present && is_leaf(&slot) && !slot_split(space, &slot))
            return HV_STATUS_INSUFFICIENT_MEMORY;
        if (!present && !slot_add_table(space, &slot))
            return HV_STATUS_INSUFFICIENT_MEMORY;
        slot = slot_load(space, spa(slot.entry & SLAT_ADDRESS), at,
                         slot.shift - LEVEL_BITS);
    }
    *out = slot;
    return HV_STATUS_SUCCESS;
}

/* Forgets a table and all below it; `shift` is that of its entries. */
static void table_free(struct gpa_space *space, spa_t table, unsigned shift)
{
    for (unsigned i = 0; i < ENTRIES_PER_TABLE; i++) {
        struct slot slot =
            slot_load(space, table, gpa((uint64_t)i << shift), shift);

        if (!(slot.entry & SLAT_P))
            continue;
        if (is_leaf(&slot))
            account(space, slot.entry, 0, shift != PAGE_SHIFT);
        else
            table_free(space, spa(slot.entry & SLAT_ADDRESS),
                       shift - LEVEL_BITS);
    }
    give_page(space, table);
}

enum hv_status gpa_space_init(struct gpa_space *space,
                              struct hv_partition *partition)
{
    *space = (struct gpa_space){.partition = partition, .root = SLAT_IDENTITY};

    spa_t table;

    if (!take_page(space, &table))
        return HV_STATUS_INSUFFICIENT_MEMORY;
    space->root.table = table;
    return HV_STATUS_SUCCESS;
}

static bool space_exists(const struct gpa_space *space)
{
    return space->partition && space->root.table.raw != SLAT_IDENTITY.table.raw;
}

void gpa_space_fini(struct gpa_space *space)
{
    if (!space_exists(space))
        return;
    while (space->overlays)
        gpa_space_remove_overlay(space, space->overlays->owner);
    table_free(space, space->root.table, TOP_SHIFT);
    space->root = SLAT_IDENTITY;
}

static struct gpa_overlay *overlay_at(const struct gpa_space *space, gpa_t at)
{
    struct gpa_overlay *overlay = space->overlays;

    while (overlay && overlay->at.raw != gpa_page(at).raw)
        overlay = overlay->next;
    return overlay;
}

static void overlay_set_base(struct gpa_space *space, gpa_t at, uint64_t base)
{
    struct gpa_overlay *overlay = space->overlays;

    for (; overlay; overlay = overlay->next) {
        if (overlay->at.raw == gpa_page(at).raw)
            overlay->base = base;
    }
}

static bool overlay_within(const struct gpa_space *space, gpa_t large)
{
    const struct gpa_overlay *overlay = space->overlays;

    while (overlay && (overlay->at.raw & ~LARGE_MASK) != large.raw)
        overlay = overlay->next;
    return overlay != NULL;
}

static uint64_t leaf_entry(spa_t to, bool large, uint32_t rights)
{
    if (!(rights & GPA_MAP_READ))
        return 0;
    return to.raw | SLAT_P | SLAT_U | (rights & GPA_MAP_WRITE ? SLAT_W : 0) |
           (rights & GPA_MAP_EXECUTE ? 0 : SLAT_NX) | (large ? SLAT_LARGE : 0);
}

/* Puts the entry of a 4 KiB page where it belongs: into the tables, or under
 * the overlay that hides it. */
static enum hv_status set_small(struct gpa_space *space, gpa_t at,
                                uint64_t entry)
{
    const struct gpa_overlay *overlay = overlay_at(space, at);

    if (overlay) {
        account(space, overlay->base, entry, false);
        overlay_set_base(space, at, entry);
        return HV_STATUS_SUCCESS;
    }

    struct slot slot = slot_find(space, at);

    if (entry == 0 && !(slot.entry & SLAT_P))
        return HV_STATUS_SUCCESS;

    enum hv_status status = slot_make(space, at, PAGE_SHIFT, &slot);
    uint64_t old = slot.entry;

    if (status != HV_STATUS_SUCCESS)
        return status;
    account(space, old, entry, false);
    slot_store(space, &slot, entry);
    if (old & SLAT_P)
        gpa_space_flush(space);
    return HV_STATUS_SUCCESS;
}

/* The same for 2 MiB without overlays, whatever is there now. */
static enum hv_status set_large(struct gpa_space *space, gpa_t at,
                                uint64_t entry)
{
    struct slot slot = slot_find(space, at);

    if (entry == 0 && !(slot.entry & SLAT_P) && slot.shift != PAGE_SHIFT)
        return HV_STATUS_SUCCESS;

    enum hv_status status = slot_make(space, at, GPA_LARGE_SHIFT, &slot);
    uint64_t old = slot.entry;

    if (status != HV_STATUS_SUCCESS)
        return status;
    slot_store(space, &slot, entry);
    if (old & SLAT_P) {
        gpa_space_flush(space);
        if (!(old & SLAT_LARGE))
            table_free(space, spa(old & SLAT_ADDRESS), PAGE_SHIFT);
    }
    account(space, old & SLAT_LARGE ? old : 0, entry, true);
    return HV_STATUS_SUCCESS;
}

/* 2 MiB in which some pages are hidden by overlays stay 512 small pages. Their
 * table is there already, because the overlays are in it. */
static enum hv_status set_pieces(struct gpa_space *space, gpa_t at,
                                 uint64_t entry)
{
    uint64_t step = entry ? PAGE_BYTES : 0;

    for (unsigned i = 0; i < ENTRIES_PER_TABLE; i++) {
        enum hv_status status = set_small(space, gpa_add(at, i * PAGE_BYTES),
                                          (entry & ~SLAT_LARGE) + i * step);

        CHECK(status == HV_STATUS_SUCCESS);
    }
    return HV_STATUS_SUCCESS;
}

static enum hv_status set_entry(struct gpa_space *space, gpa_t at, bool large,
                                uint64_t entry)
{
    uint64_t low = large ? LARGE_MASK : PAGE_MASK;

    if (at.raw >> SLAT_GPA_BITS != 0 || (at.raw & low) != 0)
        return HV_STATUS_INVALID_PARAMETER;
    if (!large)
        return set_small(space, at, entry);
    if (overlay_within(space, at))
        return set_pieces(space, at, entry);
    return set_large(space, at, entry);
}

enum hv_status gpa_space_map(struct gpa_space *space, gpa_t at, spa_t to,
                             bool large, uint32_t rights)
{
    uint64_t bytes = large ? GPA_LARGE_BYTES : PAGE_BYTES;

    if ((to.raw & (bytes - 1)) != 0)
        return HV_STATUS_INVALID_PARAMETER;
    CHECK(arena_contains(arena_of(space), to, bytes));
    return set_entry(space, at, large, leaf_entry(to, large, rights));
}

enum hv_status gpa_space_unmap(struct gpa_space *space, gpa_t at, bool large)
{
    return set_entry(space, at, large, 0);
}

bool gpa_space_find(const struct gpa_space *space, gpa_t at,
                    struct gpa_mapping *out)
{
    if (!space_exists(space) || at.raw >> SLAT_GPA_BITS != 0)
        return false;

    struct slot slot = slot_find(space, at);
    uint64_t offset_mask = (UINT64_C(1) << slot.shift) - 1;

    if (!(slot.entry & SLAT_P))
        return false;
    *out = (struct gpa_mapping){
        .spa = spa((slot.entry & SLAT_ADDRESS & ~offset_mask) |
                   (at.raw & offset_mask)),
        .writable = slot.entry & SLAT_W,
        .executable = !(slot.entry & SLAT_NX),
        .large = slot.shift != PAGE_SHIFT,
        .overlay = overlay_at(space, at) != NULL,
    };
    return true;
}

bool gpa_space_lookup(const struct gpa_space *space, gpa_t at, spa_t *out,
                      bool *writable)
{
    struct gpa_mapping mapping;

    if (!gpa_space_find(space, at, &mapping))
        return false;
    *out = mapping.spa;
    *writable = mapping.writable;
    return true;
}

/* Makes the newest overlay of the page visible, or what is under them. */
static void overlay_show(struct gpa_space *space, struct slot *slot, gpa_t at,
                         uint64_t base)
{
    const struct gpa_overlay *top = overlay_at(space, at);
    uint64_t entry = base;

    if (top)
        entry = leaf_entry(top->page, false,
                           GPA_MAP_READ | GPA_MAP_EXECUTE |
                               (top->writable ? GPA_MAP_WRITE : 0));
    slot_store(space, slot, entry);
    gpa_space_flush(space);
}

/* Puts the overlay in place; on failure nothing has changed. */
static enum hv_status overlay_add(struct gpa_space *space,
                                  const struct gpa_overlay *wanted)
{
    struct gpa_overlay *overlay;
    struct slot slot;

    if (!space_exists(space) || wanted->at.raw >> SLAT_GPA_BITS != 0)
        return HV_STATUS_INVALID_PARAMETER;

    enum hv_status status = slot_make(space, wanted->at, PAGE_SHIFT, &slot);

    if (status != HV_STATUS_SUCCESS)
        return status;
    overlay = malloc(sizeof(*overlay));
    if (!overlay)
        return HV_STATUS_NO_RESOURCES;
    *overlay = *wanted;
    if (!overlay->borrowed && !take_page(space, &overlay->page)) {
        free(overlay);
        return HV_STATUS_INSUFFICIENT_MEMORY;
    }

    /* The owner's old page goes last, so that failing changes nothing. */
    gpa_space_remove_overlay(space, overlay->owner);

    const struct gpa_overlay *under = overlay_at(space, overlay->at);

    overlay->next = space->overlays;
    overlay->base = under ? under->base : slot_find(space, overlay->at).entry;
    space->overlays = overlay;
    overlay_show(space, &slot, overlay->at, overlay->base);
    return HV_STATUS_SUCCESS;
}

enum hv_status gpa_space_overlay(struct gpa_space *space, const void *owner,
                                 gpa_t at, bool writable, spa_t *page)
{
    const struct gpa_overlay wanted = {
        .owner = owner, .at = gpa_page(at), .writable = writable};
    enum hv_status status = overlay_add(space, &wanted);

    if (status == HV_STATUS_SUCCESS)
        *page = space->overlays->page;
    return status;
}

enum hv_status gpa_space_overlay_shared(struct gpa_space *space,
                                        const void *owner, gpa_t at, spa_t page)
{
    const struct gpa_overlay wanted = {.owner = owner,
                                       .at = gpa_page(at),
                                       .page = page,
                                       .borrowed = true,
                                       .writable = true};

    return overlay_add(space, &wanted);
}

void gpa_space_remove_overlay(struct gpa_space *space, const void *owner)
{
    struct gpa_overlay **link = &space->overlays;

    while (*link && (*link)->owner != owner)
        link = &(*link)->next;
    if (!*link)
        return;

    struct gpa_overlay *overlay = *link;
    struct slot slot = slot_find(space, overlay->at);

    *link = overlay->next;
    overlay_show(space, &slot, overlay->at, overlay->base);
    if (!overlay->borrowed)
        give_page(space, overlay->page);
    free(overlay);
}

void gpa_space_flush(struct gpa_space *space)
{
    const struct hv_partition *partition = space->partition;
    struct hypervisor *hv = partition->hv;

    for (uint32_t i = 0; i < PARTITION_VP_COUNT_MAX; i++) {
        struct hv_vp *vp = partition->vps[i];

        if (!vp || !vp->engine)
            continue;
        engine_flush_translations(vp->engine);
        if (hv->current)
            cost_note(hv->current->bill, COST_TLB_SHOOTDOWN, 1);
    }
}

/* How much of the range lies on the page of its first byte. */
static size_t bytes_on_page(gpa_t at, size_t bytes)
{
    size_t room = (size_t)(PAGE_BYTES - (at.raw & PAGE_MASK));

    return bytes < room ? bytes : room;
}

static bool range_allows(const struct gpa_space *space, gpa_t at, size_t bytes,
                         bool write)
{
    if (bytes > UINT64_MAX - at.raw)
        return false;
    while (bytes > 0) {
        size_t part = bytes_on_page(at, bytes);
        struct gpa_mapping mapping;

        if (!gpa_space_find(space, at, &mapping))
            return false;
        if (write && !mapping.writable)
            return false;
        at = gpa_add(at, part);
        bytes -= part;
    }
    return true;
}

static bool memory_op_read(void *context, gpa_t from, void *to, size_t bytes)
{
    struct gpa_space *space = context;
    uint8_t *out = to;

    if (!range_allows(space, from, bytes, false))
        return false;
    while (bytes > 0) {
        size_t part = bytes_on_page(from, bytes);
        struct slat_translation page;

        CHECK(slat_translate(arena_of(space), space->root, from, false, &page));
        arena_read(arena_of(space), page.spa, out, part);
        from = gpa_add(from, part);
        out += part;
        bytes -= part;
    }
    return true;
}

/* Translates like a processor would, so that the dirty bits tell the truth. */
static bool memory_op_write(void *context, gpa_t to, const void *from,
                            size_t bytes)
{
    struct gpa_space *space = context;
    const uint8_t *in = from;

    if (!range_allows(space, to, bytes, true))
        return false;
    while (bytes > 0) {
        size_t part = bytes_on_page(to, bytes);
        struct slat_translation page;

        CHECK(slat_translate(arena_of(space), space->root, to, true, &page));
        arena_write(arena_of(space), page.spa, in, part);
        to = gpa_add(to, part);
        in += part;
        bytes -= part;
    }
    return true;
}

struct guest_memory gpa_space_memory(struct gpa_space *space)
{
    static const struct guest_memory_ops ops = {
        .read = memory_op_read,
        .write = memory_op_write,
    };

    return (struct guest_memory){.ops = &ops, .context = space};
}
