/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpu/engine_private.h"
#include "sim/core/check.h"

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

bool engine_memory_is_apic(const struct engine *engine, gpa_t page)
{
    return engine->apic_on && engine->apic_page.raw == page.raw;
}

/* From the architectural TLB if it allows the access, else by a walk. The
 * APIC's page is a second-level fault, since nothing lies there; but the TLB
 * holds it like any other, or it would be walked for again whenever Unicorn
 * has forgotten it. */
enum mmu_result engine_memory_translate(struct engine *engine,
                                        const struct mmu_context *mmu,
                                        gva_t page, enum mmu_access access,
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
        engine_memory_is_apic(engine, gpa_page(fault->gpa))) {
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

bool engine_memory_refuse(struct engine *engine, enum trouble kind, gva_t page,
                          enum mmu_access access)
{
    engine->trouble.kind = kind;
    engine->trouble.page = page;
    engine->trouble.access = access;
    return false;
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
        return engine_memory_refuse(engine, TROUBLE_NON_CANONICAL, page,
                                    MMU_FETCH);
    mmu.user = engine_cpl(engine) == 3;
    result = engine_memory_translate(engine, &mmu, page, MMU_FETCH, &to,
                                     &engine->trouble.fault, &overflow);
    if (result == MMU_PAGE_FAULT)
        return engine_memory_refuse(engine, TROUBLE_PAGE_FAULT, page,
                                    MMU_FETCH);
    if (result == MMU_SLAT_FAULT)
        return engine_memory_refuse(engine, TROUBLE_SLAT, page, MMU_FETCH);
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
    enum mmu_result result =
        engine_memory_translate(engine, mmu, gva_page(at), access, &to,
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
