/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpu/mmu.h"

#include "cpu/x86.h"
#include "sim/core/check.h"

/* Paging-structure entry bits, the same in every mode. */
#define PTE_P (UINT64_C(1) << 0)
#define PTE_W (UINT64_C(1) << 1)
#define PTE_U (UINT64_C(1) << 2)
#define PTE_A (UINT64_C(1) << 5)
#define PTE_D (UINT64_C(1) << 6)
#define PTE_PS (UINT64_C(1) << 7)
#define PTE_G (UINT64_C(1) << 8)
#define PTE_NX (UINT64_C(1) << 63)

/* The physical address field of 8-byte entries, and of 4-byte ones. */
#define PTE_ADDRESS UINT64_C(0x000ffffffffff000)
#define PTE32_ADDRESS UINT64_C(0xfffff000)

#define CR3_PAE_TABLE UINT64_C(0xffffffe0)

/* A PDPTE of PAE paging has no rights: bits 2:1 and 8:5 are reserved. */
#define PDPTE_RESERVED_LOW UINT64_C(0x1e6)

#define PHYSICAL_BITS_MAX 52
#define PSE36_BITS 40
#define LEVELS_MAX 4

enum paging_mode { PAGING_NONE, PAGING_32BIT, PAGING_PAE, PAGING_4LEVEL };

/* The shape of a mode's tables. PAE's walk starts at its cached PDPTE. */
static const struct paging_shape {
    uint8_t top_shift;  /* of the address bits that index the first table */
    uint8_t index_bits; /* per level */
    uint8_t entry_bytes;
} shapes[] = {
    [PAGING_32BIT] = {.top_shift = 22, .index_bits = 10, .entry_bytes = 4},
    [PAGING_PAE] = {.top_shift = 21, .index_bits = 9, .entry_bytes = 8},
    [PAGING_4LEVEL] = {.top_shift = 39, .index_bits = 9, .entry_bytes = 8},
};

/* An entry that the walk went through. */
struct reference {
    gpa_t gpa;
    spa_t spa;
    uint64_t entry;
    bool slat_writable;
};

/* A walk in progress. `out` gathers the rights of the guest's tables first,
 * those of the second level when the page itself is known. */
struct walk {
    const struct mmu_context *context;
    enum paging_mode mode;
    enum mmu_access access;
    uint64_t linear;
    struct reference path[LEVELS_MAX];
    unsigned depth; /* entries in `path` */
    struct mmu_translation *out;
    struct mmu_fault *fault;
};

static enum paging_mode mode_of(const struct mmu_context *context)
{
    if ((context->cr0 & CR0_PG) == 0)
        return PAGING_NONE;
    if ((context->cr4 & CR4_PAE) == 0)
        return PAGING_32BIT;
    return context->efer & EFER_LMA ? PAGING_4LEVEL : PAGING_PAE;
}

static bool nx_enabled(const struct mmu_context *context)
{
    return (context->cr4 & CR4_PAE) && (context->efer & EFER_NXE);
}

static uint64_t bits(unsigned high, unsigned low)
{
    return ((UINT64_C(2) << high) - 1) & ~((UINT64_C(1) << low) - 1);
}

/* The physical address bits that the processor does not have. */
static uint64_t beyond_physical(const struct mmu_context *context)
{
    unsigned width = context->physical_bits;

    return width < PHYSICAL_BITS_MAX ? bits(PHYSICAL_BITS_MAX - 1, width) : 0;
}

/* What must be 0 in a present 4-byte entry that maps at `shift`. */
static uint64_t reserved_32bit(const struct mmu_context *context, bool large)
{
    unsigned width = context->physical_bits;

    if (!large)
        return 0;
    /* PSE-36: bits 20:13 are address bits 39:32. */
    if (width >= PSE36_BITS)
        return bits(21, 21);
    return bits(21, width <= 32 ? 13 : width - 19);
}

/* What must be 0 in a present entry; `large`: it is the leaf of a big page. */
static uint64_t reserved_bits(const struct walk *walk, unsigned shift,
                              bool large)
{
    uint64_t reserved;

    if (walk->mode == PAGING_32BIT)
        return reserved_32bit(walk->context, large);

    reserved = beyond_physical(walk->context);
    if (!nx_enabled(walk->context))
        reserved |= PTE_NX;
    if (walk->mode == PAGING_PAE)
        reserved |= bits(62, PHYSICAL_BITS_MAX);
    if (large)
        reserved |= bits(shift - 1, 13);
    if (shift == 39 || (shift == 30 && !walk->context->pages_1g))
        reserved |= PTE_PS;
    return reserved;
}

static bool is_large(const struct walk *walk, unsigned shift, uint64_t entry)
{
    if ((entry & PTE_PS) == 0 || shift == PAGE_SHIFT || shift == 39)
        return false;
    return walk->mode != PAGING_32BIT || (walk->context->cr4 & CR4_PSE);
}

static enum mmu_result page_fault(struct walk *walk, uint32_t code)
{
    const struct mmu_context *context = walk->context;

    if (walk->access == MMU_WRITE)
        code |= PF_WRITE;
    if (context->user)
        code |= PF_USER;
    if (walk->access == MMU_FETCH &&
        (nx_enabled(context) || (context->cr4 & CR4_SMEP)))
        code |= PF_FETCH;
    walk->fault->error_code = code;
    return MMU_PAGE_FAULT;
}

static enum mmu_result slat_fault(struct walk *walk, gpa_t at, bool in_walk,
                                  bool write)
{
    walk->fault->gpa = at;
    walk->fault->in_walk = in_walk;
    walk->fault->write = write;
    return MMU_SLAT_FAULT;
}

/* The second level, its references counted. */
static bool translate_gpa(struct walk *walk, gpa_t at, bool write,
                          struct slat_translation *out)
{
    bool mapped = slat_translate(walk->context->arena, walk->context->slat, at,
                                 write, out);

    walk->out->slat_references =
        (uint16_t)(walk->out->slat_references + out->references);
    return mapped;
}

/* Four-byte entries are halves of the eight bytes that the arena loads. */
static unsigned half_shift(const struct walk *walk, spa_t at)
{
    return walk->mode == PAGING_32BIT && (at.raw & 4) ? 32 : 0;
}

static uint64_t load_entry(const struct walk *walk, spa_t at)
{
    uint64_t both =
        arena_load64(walk->context->arena, spa(at.raw & ~UINT64_C(7)));

    if (walk->mode != PAGING_32BIT)
        return both;
    return (uint32_t)(both >> half_shift(walk, at));
}

/* Reads the entry for `shift` from the guest's table at `table`. */
static enum mmu_result read_entry(struct walk *walk, gpa_t table,
                                  unsigned shift)
{
    const struct paging_shape *shape = &shapes[walk->mode];
    uint64_t index = (walk->linear >> shift) & bits(shape->index_bits - 1u, 0);
    struct reference *reference = &walk->path[walk->depth];
    struct slat_translation slat;

    reference->gpa = gpa_add(table, index * shape->entry_bytes);
    if (!translate_gpa(walk, reference->gpa, false, &slat))
        return slat_fault(walk, reference->gpa, true, false);
    reference->spa = slat.spa;
    reference->slat_writable = slat.writable;
    reference->entry = load_entry(walk, slat.spa);
    walk->out->guest_references++;
    walk->depth++;
    return MMU_OK;
}

/* The table or page that `entry` points to. */
static gpa_t entry_address(const struct walk *walk, uint64_t entry,
                           unsigned shift, bool large)
{
    uint64_t address;

    if (walk->mode != PAGING_32BIT)
        address = entry & PTE_ADDRESS;
    else if (!large)
        return gpa(entry & PTE32_ADDRESS);
    else
        address = (entry & PTE32_ADDRESS) | (entry & bits(20, 13)) << (32 - 13);
    return gpa(large ? address & ~bits(shift - 1, 0) : address);
}

static void gather_rights(struct mmu_translation *out, uint64_t entry)
{
    out->user = out->user && (entry & PTE_U);
    out->writable = out->writable && (entry & PTE_W);
    out->executable = out->executable && !(entry & PTE_NX);
}

/* From the table at `table` down to the leaf, whose page goes to out->gpa. */
static enum mmu_result descend(struct walk *walk, gpa_t table)
{
    const struct paging_shape *shape = &shapes[walk->mode];
    unsigned shift = shape->top_shift;

    for (;; shift -= shape->index_bits) {
        enum mmu_result result = read_entry(walk, table, shift);
        uint64_t entry;
        bool large;

        if (result != MMU_OK)
            return result;
        entry = walk->path[walk->depth - 1].entry;
        if ((entry & PTE_P) == 0)
            return page_fault(walk, 0);
        large = is_large(walk, shift, entry);
        if (entry & reserved_bits(walk, shift, large))
            return page_fault(walk, PF_PRESENT | PF_RESERVED);
        gather_rights(walk->out, entry);
        table = entry_address(walk, entry, shift, large);
        if (large || shift == PAGE_SHIFT) {
            walk->out->global =
                (entry & PTE_G) && (walk->context->cr4 & CR4_PGE);
            break;
        }
    }

    walk->out->shift = (uint8_t)shift;
    walk->out->gpa =
        gpa_add(table, walk->linear & bits(shift - 1, 0) & ~PAGE_MASK);
    return MMU_OK;
}

static enum mmu_result walk_tables(struct walk *walk)
{
    const struct mmu_context *context = walk->context;
    uint64_t pdpte;

    switch (walk->mode) {
    case PAGING_NONE:
        walk->out->gpa = gpa_page(gpa(walk->linear));
        walk->out->shift = PAGE_SHIFT;
        return MMU_OK;
    case PAGING_32BIT:
        return descend(walk, gpa(context->cr3 & PTE32_ADDRESS));
    case PAGING_PAE:
        pdpte = context->pdpte ? context->pdpte[walk->linear >> 30] : 0;
        if ((pdpte & PTE_P) == 0)
            return page_fault(walk, 0);
        return descend(walk, gpa(pdpte & PTE_ADDRESS));
    case PAGING_4LEVEL:
        return descend(walk, gpa(context->cr3 & PTE_ADDRESS));
    }
    CHECK(false);
    return MMU_PAGE_FAULT;
}

/* SDM 3A, "Determination of Access Rights". */
static bool rights_allow(const struct mmu_context *context,
                         const struct mmu_translation *page,
                         enum mmu_access access)
{
    if ((context->cr0 & CR0_PG) == 0)
        return true;
    if (context->user && !page->user)
        return false;
    if (access == MMU_FETCH) {
        if (!context->user && page->user && (context->cr4 & CR4_SMEP))
            return false;
        return page->executable;
    }
    if (!context->user && page->user && (context->cr4 & CR4_SMAP) &&
        (context->implicit || !context->alignment_check))
        return false;
    if (access == MMU_READ || page->writable)
        return true;
    return !context->user && (context->cr0 & CR0_WP) == 0;
}

/* The page itself through the second level: rights, and the SPA. */
static enum mmu_result resolve_page(struct walk *walk)
{
    struct mmu_translation *out = walk->out;
    bool write = walk->access == MMU_WRITE;
    struct slat_translation slat;

    if (!translate_gpa(walk, out->gpa, write, &slat) ||
        (write && !slat.writable) ||
        (walk->access == MMU_FETCH && !slat.executable))
        return slat_fault(walk, gpa_add(out->gpa, walk->linear & PAGE_MASK),
                          false, write);
    out->spa = spa_page(slat.spa);
    out->slat_writable = slat.writable;
    out->writable = out->writable && slat.writable;
    out->executable = out->executable && slat.executable;
    out->dirty = slat.dirty;
    return MMU_OK;
}

static uint64_t wanted_bits(const struct walk *walk, unsigned depth)
{
    bool leaf = depth + 1 == walk->depth;

    return PTE_A | (leaf && walk->access == MMU_WRITE ? PTE_D : 0);
}

/* All or nothing: first see that every entry to change may be written. */
static enum mmu_result note_use(struct walk *walk)
{
    struct arena *arena = walk->context->arena;

    if (walk->context->look_only)
        return MMU_OK;
    for (unsigned i = 0; i < walk->depth; i++) {
        const struct reference *reference = &walk->path[i];
        uint64_t missing = wanted_bits(walk, i) & ~reference->entry;

        if (missing != 0 && !reference->slat_writable)
            return slat_fault(walk, reference->gpa, true, true);
    }
    for (unsigned i = 0; i < walk->depth; i++) {
        struct reference *reference = &walk->path[i];
        uint64_t missing = wanted_bits(walk, i) & ~reference->entry;
        struct slat_translation marked;

        if (missing == 0)
            continue;
        /* For the table page's own dirty bit; the processor has this
         * translation at hand, so it is no reference more. */
        (void)slat_translate(arena, walk->context->slat, reference->gpa, true,
                             &marked);
        arena_or64(arena, spa(reference->spa.raw & ~UINT64_C(7)),
                   missing << half_shift(walk, reference->spa));
        reference->entry |= missing;
    }
    if (walk->depth > 0 && !(walk->path[walk->depth - 1].entry & PTE_D))
        walk->out->dirty = false;
    return MMU_OK;
}

static enum mmu_result walk_all(struct walk *walk)
{
    enum mmu_result result = walk_tables(walk);

    if (result != MMU_OK)
        return result;
    if (!rights_allow(walk->context, walk->out, walk->access))
        return page_fault(walk, PF_PRESENT);
    result = resolve_page(walk);
    if (result != MMU_OK)
        return result;
    return note_use(walk);
}

enum mmu_result mmu_translate(const struct mmu_context *context, gva_t at,
                              enum mmu_access access,
                              struct mmu_translation *out,
                              struct mmu_fault *fault)
{
    struct walk walk = {
        .context = context,
        .mode = mode_of(context),
        .access = access,
        .linear = context->efer & EFER_LMA ? at.raw : (uint32_t)at.raw,
        .out = out,
        .fault = fault,
    };
    enum mmu_result result;

    *out = (struct mmu_translation){
        .user = true, .writable = true, .executable = true};
    *fault = (struct mmu_fault){0};
    result = walk_all(&walk);
    fault->guest_references = out->guest_references;
    fault->slat_references = out->slat_references;
    return result;
}

bool mmu_allows(const struct mmu_context *context,
                const struct mmu_translation *translation,
                enum mmu_access access)
{
    if (!rights_allow(context, translation, access))
        return false;
    if (access == MMU_WRITE)
        return translation->slat_writable && translation->dirty;
    return access != MMU_FETCH || translation->executable;
}

bool mmu_load_pdptes(const struct mmu_context *context, uint64_t pdpte[4])
{
    uint64_t reserved = PDPTE_RESERVED_LOW | beyond_physical(context) |
                        bits(63, PHYSICAL_BITS_MAX);
    uint64_t loaded[4];

    for (unsigned i = 0; i < 4; i++) {
        gpa_t at = gpa((context->cr3 & CR3_PAE_TABLE) + i * sizeof(uint64_t));
        struct slat_translation slat;

        if (!slat_translate(context->arena, context->slat, at, false, &slat))
            return false;
        loaded[i] = arena_load64(context->arena, slat.spa);
        if ((loaded[i] & PTE_P) && (loaded[i] & reserved))
            return false;
    }
    for (unsigned i = 0; i < 4; i++)
        pdpte[i] = loaded[i];
    return true;
}
