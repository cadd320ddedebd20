/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fill hook: what Unicorn's TLB is told of a page, or why not.
 */
#include <stdlib.h>
#include <string.h>

#include "cpu/code_density.h"
#include "cpu/engine_private.h"

#define REFILLS_MAX (1u << 16)
#define FETCHED_SLOTS_MIN 64u
#define FETCHED_SLOTS_MAX (1u << 16)
#define HASH_FACTOR UINT64_C(0x9e3779b97f4a7c15) /* 2^64 / golden ratio */

/* RFLAGS without the arithmetic flags, inside a hook. uc_reg_read() would mix
 * in what the block has not yet made of those, in any bit. */
static uint64_t system_flags(struct engine *engine)
{
    uint64_t flags;

    engine_image_load(engine);
    flags = image_load64(engine, engine->layout->eflags);
    engine->image_valid = false;
    return flags;
}

/* The rights of the access being made. Inside hooks, the selector's RPL is the
 * CPL: Unicorn keeps it so in protected mode. RFLAGS.AC is left out. */
static struct mmu_context access_context(struct engine *engine)
{
    struct mmu_context mmu = engine->mmu;
    uint64_t cs = 0;

    if ((mmu.cr0 & CR0_PE) == 0)
        return mmu;
    (void)uc_reg_read(engine->uc, UC_X86_REG_CS, &cs);
    mmu.user = (cs & 3) == 3 || ((mmu.efer & EFER_LMA) == 0 &&
                                 (system_flags(engine) & RFLAGS_VM) != 0);
    return mmu;
}

/* Which code a linear page means; the near prices go when that changes. */

static struct fetched_page *fetched_slot(const struct engine *engine,
                                         uint64_t number)
{
    uint32_t mask = engine->fetched_slots - 1;
    uint32_t at = (uint32_t)(number * HASH_FACTOR >> 32) & mask;

    while (engine->fetched[at].page != 0 &&
           engine->fetched[at].page != number + 1)
        at = (at + 1) & mask;
    return &engine->fetched[at];
}

/* False if there is no memory: the table starts anew then, as it does when it
 * has become too large. */
static bool grow_fetched(struct engine *engine)
{
    struct fetched_page *old = engine->fetched;
    uint32_t old_slots = engine->fetched_slots;
    uint32_t slots = old_slots ? old_slots * 2 : FETCHED_SLOTS_MIN;
    struct fetched_page *larger = NULL;

    if (slots <= FETCHED_SLOTS_MAX)
        larger = calloc(slots, sizeof(*larger));
    if (!larger)
        return false;
    engine->fetched = larger;
    engine->fetched_slots = slots;
    for (uint32_t i = 0; i < old_slots; i++)
        if (old[i].page != 0)
            *fetched_slot(engine, old[i].page - 1) = old[i];
    free(old);
    return true;
}

static void note_fetch(struct engine *engine, gva_t page, spa_t at)
{
    uint64_t number = page.raw >> PAGE_SHIFT;
    uint64_t what = (uint64_t)code_pages_version(engine->mmu.arena->code, at)
                        << 32 |
                    (uint32_t)(at.raw >> PAGE_SHIFT);
    struct fetched_page *slot;

    if (2 * engine->fetched_count >= engine->fetched_slots &&
        !grow_fetched(engine)) {
        price_cache_near_clear(&engine->near);
        if (!engine->fetched)
            return;
        memset(engine->fetched, 0,
               engine->fetched_slots * sizeof(*engine->fetched));
        engine->fetched_count = 0;
    }
    slot = fetched_slot(engine, number);
    if (slot->page == 0)
        engine->fetched_count++;
    else if (slot->what != what)
        price_cache_near_expire(&engine->near, page.raw);
    *slot = (struct fetched_page){.page = number + 1, .what = what};
}

/* The scratch page stands for the page being stepped; any other page means
 * that the code has left it. */
static bool fill_scratch(struct engine *engine, gva_t page, uc_tlb_entry *entry)
{
    uint64_t offset = page.raw - engine->scratch.page.raw;

    if (offset > PAGE_BYTES)
        return engine_memory_refuse(engine, TROUBLE_LEFT_SCRATCH, page,
                                    MMU_FETCH);
    entry->paddr = PRIVATE_SCRATCH + offset;
    entry->perms = UC_PROT_EXEC;
    return true;
}

/* What Unicorn must not see of a page that is new CODE: see code_density.h. */
static enum code_density examine(struct engine *engine, spa_t page)
{
    struct arena *arena = engine->mmu.arena;
    const uint8_t *bytes = arena->base + page.raw;
    uint32_t at = 0;

    if (density_cache_ask(engine->pool->densities, bytes))
        return CODE_DENSITY_HIGH;
    while ((at = code_density_next_fatal(bytes, at)) < PAGE_BYTES) {
        if (!code_pages_trap(arena->code, spa_add(page, at), bytes))
            return CODE_DENSITY_HIGH;
        at++;
    }
    return CODE_DENSITY_USUAL;
}

/* Whether the page, which is CODE, is to be run in pieces. */
static bool is_dense(struct engine *engine, spa_t page)
{
    struct arena *arena = engine->mmu.arena;
    enum code_density density = code_pages_density(arena->code, page);

    if (density == CODE_DENSITY_UNKNOWN) {
        density = examine(engine, page);
        code_pages_set_density(arena->code, page, density);
    }
    return density == CODE_DENSITY_HIGH;
}

static bool fill_code(struct engine *engine, gva_t page,
                      const struct mmu_translation *to, uc_tlb_entry *entry)
{
    struct code_pages *code = engine->mmu.arena->code;

    code_pages_to_code(code, to->spa); /* may begin a new epoch */
    if (is_dense(engine, to->spa))
        return engine_memory_refuse(engine, TROUBLE_DENSE_CODE, page,
                                    MMU_FETCH);
    entry->paddr =
        code_pages_map_executable(code, to->spa, engine->number, engine->epoch)
            .raw;
    entry->perms = UC_PROT_EXEC;
    note_fetch(engine, page, to->spa);
    return true;
}

static bool fill_data(struct engine *engine, const struct mmu_context *mmu,
                      gva_t page, enum mmu_access access,
                      const struct mmu_translation *to, uc_tlb_entry *entry)
{
    bool writable = mmu_allows(mmu, to, MMU_WRITE);

    if (writable)
        writable = code_pages_map_writable(mmu->arena->code, to->spa,
                                           engine->number, engine->epoch);
    if (access == MMU_WRITE && !writable) {
        engine->trouble.spa = to->spa;
        return engine_memory_refuse(engine, TROUBLE_STORE_TO_CODE, page,
                                    access);
    }
    entry->paddr = to->spa.raw;
    entry->perms = UC_PROT_READ | (writable ? UC_PROT_WRITE : 0u);
    return true;
}

static void fill_apic(uc_tlb_entry *entry)
{
    entry->paddr = PRIVATE_APIC;
    entry->perms = UC_PROT_READ | UC_PROT_WRITE;
}

static bool is_descriptor(struct engine *engine, gva_t page,
                          enum mmu_access access)
{
    static const int tables[] = {UC_X86_REG_GDTR, UC_X86_REG_LDTR};

    for (unsigned i = 0; access != MMU_FETCH && i < 2; i++) {
        uc_x86_mmr table = {0};

        (void)uc_reg_read(engine->uc, tables[i], &table);
        if (page.raw + PAGE_MASK >= table.base &&
            page.raw <= table.base + table.limit)
            return true;
    }
    return false;
}

/* Rights that are dear to find out, and asked for only after a refusal. */
static bool may_still_access(struct engine *engine, struct mmu_context *mmu,
                             gva_t page, enum mmu_access access)
{
    if (mmu->user) {
        /* The hook is not told that a selector load reads its descriptor as
         * the supervisor: engine_trouble.c has seen to it. */
        if (!engine->loading_segment || !is_descriptor(engine, page, access))
            return false;
        mmu->user = false;
        mmu->implicit = true;
        return true;
    }
    mmu->alignment_check =
        (mmu->cr4 & CR4_SMAP) != 0 && (system_flags(engine) & RFLAGS_AC) != 0;
    return mmu->alignment_check;
}

/* Unicorn's TLB begins with 256 entries and doubles when it is flushed while
 * nearly full, which nothing makes happen to a guest that stays in one address
 * space. So when it keeps asking for what it has been told, it is flushed; each
 * time after twice as many questions, since a larger one may not help. */
static void note_refill(struct engine *engine)
{
    if (++engine->refills < engine->refills_until_flush)
        return;
    engine->flush_wanted = true;
    if (engine->refills_until_flush < REFILLS_MAX)
        engine->refills_until_flush *= 2;
    engine_update_attention(engine);
}

static bool fill_guest(struct engine *engine, gva_t page,
                       enum mmu_access access, uc_tlb_entry *entry)
{
    struct mmu_context mmu = access_context(engine);
    struct mmu_translation to;
    bool overflow;
    enum mmu_result result = engine_memory_translate(
        engine, &mmu, page, access, &to, &engine->trouble.fault, &overflow);

    if (result == MMU_PAGE_FAULT &&
        may_still_access(engine, &mmu, page, access))
        result = engine_memory_translate(engine, &mmu, page, access, &to,
                                         &engine->trouble.fault, &overflow);
    if (result == MMU_PAGE_FAULT)
        return engine_memory_refuse(engine, TROUBLE_PAGE_FAULT, page, access);
    if (result == MMU_SLAT_FAULT && !engine->trouble.fault.in_walk &&
        access != MMU_FETCH &&
        engine_memory_is_apic(engine, gpa_page(engine->trouble.fault.gpa))) {
        if (overflow)
            return engine_memory_refuse(engine, TROUBLE_FLUSH, page, access);
        fill_apic(entry);
        if (tlb_mark(engine->tlb, page, engine->epoch))
            note_refill(engine);
        return true;
    }
    if (result == MMU_SLAT_FAULT)
        return engine_memory_refuse(engine, TROUBLE_SLAT, page, access);
    if (overflow)
        return engine_memory_refuse(engine, TROUBLE_FLUSH, page, access);
    if (access == MMU_FETCH) {
        if (!fill_code(engine, page, &to, entry))
            return false;
    } else if (engine_memory_is_apic(engine, to.gpa)) {
        fill_apic(entry);
    } else if (!fill_data(engine, &mmu, page, access, &to, entry)) {
        return false;
    }
    /* Of the epoch that the entry goes to: filling may have begun it. */
    if (tlb_mark(engine->tlb, page, engine->epoch))
        note_refill(engine);
    return true;
}

bool engine_fill_hook(uc_engine *uc, uint64_t page, uc_mem_type type,
                      uc_tlb_entry *entry, void *context)
{
    struct engine *engine = context;
    enum mmu_access access = type == UC_MEM_FETCH   ? MMU_FETCH
                             : type == UC_MEM_WRITE ? MMU_WRITE
                                                    : MMU_READ;

    (void)uc;
    if (engine->window_open || engine->setting_up) {
        entry->paddr = page & ~WINDOW_VA;
        entry->perms = UC_PROT_READ | UC_PROT_EXEC;
        return true;
    }
    if ((engine->mmu.efer & EFER_LMA) != 0 && !x86_canonical(page))
        return engine_memory_refuse(engine, TROUBLE_NON_CANONICAL, gva(page),
                                    access);
    if (engine->scratch.active && access == MMU_FETCH)
        return fill_scratch(engine, gva(page), entry);
    return fill_guest(engine, gva(page), access, entry);
}
