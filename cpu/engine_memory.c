/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "cpu/code_density.h"
#include "cpu/engine_private.h"
#include "sim/core/check.h"

#define REFILLS_MAX (1u << 16)
#define FETCHED_SLOTS_MIN 64u
#define FETCHED_SLOTS_MAX (1u << 16)
#define HASH_FACTOR UINT64_C(0x9e3779b97f4a7c15) /* 2^64 / golden ratio */

void engine_memory_flush(struct engine *engine)
{
    CHECK(uc_ctl_flush_tlb(engine->uc) == UC_ERR_OK);
    engine->epoch++;
    engine->flush_wanted = false;
    engine->refills = 0;
}

void engine_memory_flush_all(struct engine *engine, bool keep_global)
{
    tlb_flush(engine->tlb, keep_global);
    engine->flush_wanted = true;
    engine_update_attention(engine);
}

void engine_flush_translations(struct engine *engine)
{
    engine_memory_flush_all(engine, false);
}

void engine_flush_guest(struct engine *engine, bool keep_global)
{
    engine_memory_flush_all(engine, keep_global);
}

void engine_flush_page(struct engine *engine, gva_t page)
{
    if (!tlb_flush_page(engine->tlb, gva_page(page), engine->epoch))
        return;
    engine->flush_wanted = true;
    engine_update_attention(engine);
}

struct engine_walks engine_walks(const struct engine *engine)
{
    return engine->walks;
}

uint64_t engine_page_faults(const struct engine *engine)
{
    return engine->page_faults;
}

void engine_set_apic_page(struct engine *engine, bool on, gpa_t page)
{
    engine->apic_on = on;
    engine->apic_page = gpa_page(page);
    engine_memory_flush_all(engine, false);
}

static bool pae_paging(const struct mmu_context *mmu)
{
    return (mmu->cr0 & CR0_PG) != 0 && (mmu->cr4 & CR4_PAE) != 0 &&
           (mmu->efer & EFER_LMA) == 0;
}

void engine_memory_adopt_controls(struct engine *engine,
                                  const struct x86_state *state)
{
    struct mmu_context *mmu = &engine->mmu;

    mmu->cr0 = state->cr0;
    mmu->cr3 = state->cr3;
    mmu->cr4 = state->cr4;
    mmu->efer = state->efer;
    mmu->physical_bits = engine->features.physical_bits;
    mmu->pages_1g = engine->features.pages_1g;
    if (!pae_paging(mmu))
        mmu->pdpte = NULL;
    else if (!mmu->pdpte && mmu_load_pdptes(mmu, engine->pdpte))
        mmu->pdpte = engine->pdpte;
}

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

static void bill_walk(struct engine *engine, const struct mmu_translation *to)
{
    engine->walks.count++;
    engine->walks.large += to->shift > PAGE_SHIFT;
    engine->walks.guest_references += to->guest_references;
    engine->walks.slat_references += to->slat_references;
    if (to->guest_references)
        engine_bill(engine, COST_GUEST_WALK_REF, to->guest_references);
    if (to->slat_references)
        engine_bill(engine, COST_SLAT_WALK_REF, to->slat_references);
}

static bool is_apic(const struct engine *engine, gpa_t page)
{
    return engine->apic_on && engine->apic_page.raw == page.raw;
}

/* From the architectural TLB if it allows the access, else by a walk. The
 * APIC's page is a second-level fault, since nothing lies there; but the TLB
 * holds it like any other, or it would be walked for again whenever Unicorn
 * has forgotten it. */
static enum mmu_result translate(struct engine *engine,
                                 const struct mmu_context *mmu, gva_t page,
                                 enum mmu_access access,
                                 struct mmu_translation *to,
                                 struct mmu_fault *fault, bool *overflow)
{
    const struct mmu_translation *known = tlb_find(engine->tlb, page);
    enum mmu_result result;

    *overflow = false;
    if (known && mmu_allows(mmu, known, access)) {
        engine_foresee_note(engine, known);
        *to = *known;
        if (known->spa.raw != PRIVATE_APIC)
            return MMU_OK;
        *fault =
            (struct mmu_fault){.gpa = known->gpa, .write = access == MMU_WRITE};
        return MMU_SLAT_FAULT;
    }
    result = mmu_translate(mmu, page, access, to, fault);
    if (result == MMU_SLAT_FAULT && !fault->in_walk && access != MMU_FETCH &&
        is_apic(engine, gpa_page(fault->gpa))) {
        to->spa = spa(PRIVATE_APIC);
        to->executable = false;
        to->slat_writable = true;
        to->dirty = true;
    } else if (result != MMU_OK) {
        return result;
    }
    bill_walk(engine, to);
    *overflow = tlb_insert(engine->tlb, page, to);
    return result;
}

static bool refuse(struct engine *engine, enum trouble kind, gva_t page,
                   enum mmu_access access)
{
    engine->trouble.kind = kind;
    engine->trouble.page = page;
    engine->trouble.access = access;
    return false;
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
        return refuse(engine, TROUBLE_LEFT_SCRATCH, page, MMU_FETCH);
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
        return refuse(engine, TROUBLE_DENSE_CODE, page, MMU_FETCH);
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
        return refuse(engine, TROUBLE_STORE_TO_CODE, page, access);
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
    enum mmu_result result = translate(engine, &mmu, page, access, &to,
                                       &engine->trouble.fault, &overflow);

    if (result == MMU_PAGE_FAULT &&
        may_still_access(engine, &mmu, page, access))
        result = translate(engine, &mmu, page, access, &to,
                           &engine->trouble.fault, &overflow);
    if (result == MMU_PAGE_FAULT)
        return refuse(engine, TROUBLE_PAGE_FAULT, page, access);
    if (result == MMU_SLAT_FAULT && !engine->trouble.fault.in_walk &&
        access != MMU_FETCH &&
        is_apic(engine, gpa_page(engine->trouble.fault.gpa))) {
        if (overflow)
            return refuse(engine, TROUBLE_FLUSH, page, access);
        fill_apic(entry);
        if (tlb_mark(engine->tlb, page, engine->epoch))
            note_refill(engine);
        return true;
    }
    if (result == MMU_SLAT_FAULT)
        return refuse(engine, TROUBLE_SLAT, page, access);
    if (overflow)
        return refuse(engine, TROUBLE_FLUSH, page, access);
    if (access == MMU_FETCH) {
        if (!fill_code(engine, page, &to, entry))
            return false;
    } else if (is_apic(engine, to.gpa)) {
        fill_apic(entry);
    } else if (!fill_data(engine, &mmu, page, access, &to, entry)) {
        return false;
    }
    /* Of the epoch that the entry goes to: filling may have begun it. */
    if (tlb_mark(engine->tlb, page, engine->epoch))
        note_refill(engine);
    return true;
}

/* Unicorn asks for a page that its TLB does not hold with that access. */
bool engine_memory_fill(uc_engine *uc, uint64_t page, uc_mem_type type,
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
        return refuse(engine, TROUBLE_NON_CANONICAL, gva(page), access);
    if (engine->scratch.active && access == MMU_FETCH)
        return fill_scratch(engine, gva(page), entry);
    return fill_guest(engine, gva(page), access, entry);
}

/* An access to the APIC page is an intercept like others, though here it ends
 * inside Unicorn. */
static void bill_apic_access(struct engine *engine)
{
    engine_bill(engine, COST_VMEXIT, 1);
    engine_bill(engine, COST_EXIT_DISPATCH, 1);
    engine_bill(engine, COST_APIC_ACCESS, 1);
    engine_bill(engine, COST_VMENTRY, 1);
}

uint64_t engine_memory_apic_read(uc_engine *uc, uint64_t offset, unsigned bytes,
                                 void *context)
{
    struct engine *engine = context;

    (void)uc;
    bill_apic_access(engine);
    return engine->host->apic_read(engine->host->context, (uint32_t)offset,
                                   bytes);
}

void engine_memory_apic_write(uc_engine *uc, uint64_t offset, unsigned bytes,
                              uint64_t value, void *context)
{
    struct engine *engine = context;

    (void)uc;
    bill_apic_access(engine);
    engine->host->apic_write(engine->host->context, (uint32_t)offset, bytes,
                             (uint32_t)value);
    engine_update_attention(engine);
}

/* Access from outside guest code. */

bool engine_memory_code(struct engine *engine, uint64_t pc, spa_t *at)
{
    gva_t page = gva_page(gva(pc));
    const struct mmu_translation *known = tlb_find(engine->tlb, page);
    struct mmu_context mmu = engine->mmu;
    struct mmu_translation to;
    struct mmu_fault fault;

    if (!known) {
        mmu.user = false;
        if ((mmu.efer & EFER_LMA) != 0 && !x86_canonical(pc))
            return false;
        mmu.cr4 &= ~CR4_SMEP;
        if (mmu_translate(&mmu, page, MMU_FETCH, &to, &fault) != MMU_OK)
            return false;
        known = &to;
    }
    if (known->spa.raw == PRIVATE_APIC)
        return false;
    *at = spa_add(known->spa, pc & PAGE_MASK);
    engine_foresee_note(engine, known);
    engine_foresee_note(engine, engine->mmu.arena->base + at->raw);
    return true;
}

uint32_t engine_memory_read_code(struct engine *engine, uint64_t pc,
                                 uint8_t *to, uint32_t bytes)
{
    uint32_t done = 0;

    while (done < bytes) {
        uint64_t room = PAGE_BYTES - ((pc + done) & PAGE_MASK);
        uint32_t chunk = bytes - done < room ? bytes - done : (uint32_t)room;
        spa_t at;

        if (!engine_memory_code(engine, pc + done, &at))
            break;
        arena_read(engine->mmu.arena, at, to + done, chunk);
        done += chunk;
    }
    return done;
}

uint32_t engine_fetch(struct engine *engine, uint8_t bytes[16])
{
    engine_image_load(engine);
    return engine_memory_read_code(engine, engine_image_pc(engine), bytes, 16);
}

bool engine_memory_may_fetch(struct engine *engine, gva_t page)
{
    struct mmu_context mmu = engine->mmu;
    struct mmu_translation to;
    enum mmu_result result;
    bool overflow;

    if ((mmu.efer & EFER_LMA) != 0 && !x86_canonical(page.raw))
        return refuse(engine, TROUBLE_NON_CANONICAL, page, MMU_FETCH);
    mmu.user = engine_cpl(engine) == 3;
    result = translate(engine, &mmu, page, MMU_FETCH, &to,
                       &engine->trouble.fault, &overflow);
    if (result == MMU_PAGE_FAULT)
        return refuse(engine, TROUBLE_PAGE_FAULT, page, MMU_FETCH);
    if (result == MMU_SLAT_FAULT)
        return refuse(engine, TROUBLE_SLAT, page, MMU_FETCH);
    if (overflow)
        engine->flush_wanted = true;
    return true;
}

static void fault_of(enum mmu_result result, gva_t at,
                     const struct mmu_fault *found, struct cpu_event *fault)
{
    if (result != MMU_PAGE_FAULT)
        return;
    *fault = (struct cpu_event){
        .type = EVENT_TYPE_EXCEPTION,
        .vector = X86_VECTOR_PF,
        .has_error_code = true,
        .error_code = found->error_code,
        .cr2 = at.raw,
    };
}

/* One page's worth. A second-level fault has no event: it is the host's. */
static enum mmu_result access_page(struct engine *engine,
                                   const struct mmu_context *mmu, gva_t at,
                                   uint8_t *buffer, uint32_t bytes, bool write,
                                   struct cpu_event *fault)
{
    enum mmu_access access = write ? MMU_WRITE : MMU_READ;
    struct mmu_translation to;
    bool overflow;
    enum mmu_result result = translate(engine, mmu, gva_page(at), access, &to,
                                       &engine->trouble.fault, &overflow);
    spa_t where;

    if (result != MMU_OK) {
        engine->trouble.page = gva_page(at);
        engine->trouble.access = access;
        fault_of(result, at, &engine->trouble.fault, fault);
        return result;
    }
    if (overflow)
        engine->flush_wanted = true;
    where = spa_add(to.spa, at.raw & PAGE_MASK);
    engine_foresee_note(engine, engine->mmu.arena->base + where.raw);
    if (write)
        arena_write(engine->mmu.arena, where, buffer, bytes);
    else
        arena_read(engine->mmu.arena, where, buffer, bytes);
    return MMU_OK;
}

bool engine_memory_access(struct engine *engine, gva_t at, void *buffer,
                          uint32_t bytes, bool write, bool user, bool implicit,
                          struct cpu_event *fault)
{
    struct mmu_context mmu = engine->mmu;
    uint8_t *data = buffer;
    uint32_t done = 0;

    mmu.user = user;
    mmu.implicit = implicit;
    mmu.alignment_check = (engine_rflags(engine) & RFLAGS_AC) != 0;
    while (done < bytes) {
        gva_t from = gva_add(at, done);
        uint64_t room = PAGE_BYTES - (from.raw & PAGE_MASK);
        uint32_t chunk = bytes - done < room ? bytes - done : (uint32_t)room;
        enum mmu_result result;

        if ((mmu.efer & EFER_LMA) == 0)
            from.raw = (uint32_t)from.raw;
        result =
            access_page(engine, &mmu, from, data + done, chunk, write, fault);
        if (result == MMU_SLAT_FAULT)
            engine->delivery_aborted = true;
        if (result != MMU_OK)
            return false;
        done += chunk;
    }
    return true;
}
