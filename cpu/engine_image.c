/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "cpu/engine_private.h"
#include "sim/core/check.h"

/* Unicorn's translation flags (QEMU's "hidden flags"): what a change of state
 * from outside must keep in step with the registers. */
#define HF_CPL 0x3u
#define HF_INHIBIT_IRQ (1u << 3)
#define HF_CS32 (1u << 4)
#define HF_SS32 (1u << 5)
#define HF_ADDSEG (1u << 6)
#define HF_PE (1u << 7)
#define HF_MP_EM_TS (7u << 9)
#define HF_MP_EM_TS_SHIFT 8 /* from their place in CR0 */
#define HF_LMA (1u << 14)
#define HF_CS64 (1u << 15)
#define HF_OSFXSR (1u << 22)
#define HF_SMAP (1u << 23)
#define HF_DERIVED                                                             \
    (HF_CPL | HF_INHIBIT_IRQ | HF_CS32 | HF_SS32 | HF_ADDSEG | HF_PE |         \
     HF_MP_EM_TS | HF_LMA | HF_CS64 | HF_OSFXSR | HF_SMAP)

/* A segment in the image: selector, base, limit, and the descriptor's second
 * word as flags. */
#define SEG_BYTES 24
#define SEG_BASE 8
#define SEG_LIMIT 16
#define SEG_FLAGS 20
#define SEG_ATTRIBUTES 0xf0ffu /* without the limit's bits */

enum { SEG_LDTR = X86_SEGMENT_COUNT, SEG_TR, SEG_GDTR, SEG_IDTR };

#define FLAGS_ARITHMETIC UINT64_C(0x8d5) /* OF SF ZF AF PF CF */
#define CC_OP_EFLAGS 1

/* error_code is followed by exception_is_int and exception_next_eip. */
#define EXCEPTION_IS_INT 4

bool engine_image_open(struct engine *engine)
{
    if (uc_context_alloc(engine->uc, &engine->pristine) != UC_ERR_OK)
        return false;
    CHECK(uc_context_save(engine->uc, engine->pristine) == UC_ERR_OK);
    engine->image = engine_live_image(engine->uc, engine->layout);
    if (engine->image)
        return true;
    if (uc_context_alloc(engine->uc, &engine->copy) != UC_ERR_OK)
        return false;
    engine->image = (uint8_t *)engine->copy;
    return true;
}

void engine_image_close(struct engine *engine)
{
    if (engine->copy)
        (void)uc_context_free(engine->copy);
    if (engine->pristine)
        (void)uc_context_free(engine->pristine);
}

void engine_image_reset(struct engine *engine)
{
    CHECK(uc_context_restore(engine->uc, engine->pristine) == UC_ERR_OK);
    engine->image_valid = false;
    engine_image_load(engine);
}

void engine_image_load(struct engine *engine)
{
    if (engine->image_valid)
        return;
    if (engine->copy)
        CHECK(uc_context_save(engine->uc, engine->copy) == UC_ERR_OK);
    engine->image_valid = true;
    engine->image_dirty = false;
    engine->rflags_known = false;
}

/* An INT that was intercepted leaves a mark which would spoil the return
 * address of the next event that Unicorn reports. */
void engine_image_commit(struct engine *engine)
{
    if (!engine->image_valid)
        return;
    engine->image_valid = false;
    if (!engine->image_dirty)
        return;
    image_store32(engine, engine->layout->error_code + EXCEPTION_IS_INT, 0);
    if (engine->copy)
        CHECK(uc_context_restore(engine->uc, engine->copy) == UC_ERR_OK);
    engine->image_dirty = false;
}

/* The arithmetic flags are lazy in the image; only Unicorn can compute them,
 * from its own state, which the image has not left behind until it is given
 * new flags. */
static uint64_t image_rflags(struct engine *engine)
{
    if (!engine->rflags_known) {
        uint64_t value = 0;

        CHECK(uc_reg_read(engine->uc, UC_X86_REG_RFLAGS, &value) == UC_ERR_OK);
        engine->rflags = value | RFLAGS_FIXED;
        engine->rflags_known = true;
    }
    return engine->rflags;
}

/* Inside a run the arithmetic flags and DF live in fields of their own; at its
 * beginning Unicorn takes them from the flags register, so that between runs
 * they have to be there too. */
void engine_image_set_rflags(struct engine *engine, uint64_t rflags)
{
    const struct engine_layout *layout = engine->layout;
    bool inside = engine->pool->running == engine;
    uint64_t apart = inside ? FLAGS_ARITHMETIC | RFLAGS_DF : 0;

    engine_image_load(engine);
    engine->rflags = rflags | RFLAGS_FIXED;
    engine->rflags_known = true;
    image_store32(engine, layout->cc_op, CC_OP_EFLAGS);
    image_store64(engine, layout->cc_src, rflags & FLAGS_ARITHMETIC);
    image_store64(engine, layout->cc_dst, 0);
    image_store32(engine, layout->df,
                  rflags & RFLAGS_DF ? UINT32_MAX : UINT32_C(1));
    image_store64(engine, layout->eflags, (rflags & ~apart) | RFLAGS_FIXED);
}

struct x86_segment engine_image_segment(const struct engine *engine,
                                        unsigned index)
{
    uint32_t at = engine->layout->segs + index * SEG_BYTES;

    return (struct x86_segment){
        .base = image_load64(engine, at + SEG_BASE),
        .limit = image_load32(engine, at + SEG_LIMIT),
        .selector = (uint16_t)image_load32(engine, at),
        .attributes = (uint16_t)(image_load32(engine, at + SEG_FLAGS) >> 8 &
                                 SEG_ATTRIBUTES),
    };
}

static void put_segment(struct engine *engine, unsigned index,
                        const struct x86_segment *segment)
{
    uint32_t at = engine->layout->segs + index * SEG_BYTES;

    image_store32(engine, at, segment->selector);
    image_store64(engine, at + SEG_BASE, segment->base);
    image_store32(engine, at + SEG_LIMIT, segment->limit);
    image_store32(engine, at + SEG_FLAGS,
                  (uint32_t)(segment->attributes & SEG_ATTRIBUTES) << 8);
}

void engine_image_set_segment_base(struct engine *engine, unsigned index,
                                   uint64_t base)
{
    image_store64(engine, engine->layout->segs + index * SEG_BYTES + SEG_BASE,
                  base);
}

enum code_mode engine_image_mode(const struct engine *engine)
{
    uint32_t hflags = image_load32(engine, engine->layout->hflags);

    if (hflags & HF_CS64)
        return CODE_64;
    return hflags & HF_CS32 ? CODE_32 : CODE_16;
}

uint64_t engine_image_pc(const struct engine *engine)
{
    uint64_t rip = image_load64(engine, engine->layout->rip);

    if (image_load32(engine, engine->layout->hflags) & HF_CS64)
        return rip;
    return (uint32_t)(rip + engine_image_segment(engine, X86_CS).base);
}

bool engine_image_shadow(const struct engine *engine)
{
    return (image_load32(engine, engine->layout->hflags) & HF_INHIBIT_IRQ) != 0;
}

void engine_image_end_shadow(struct engine *engine)
{
    uint32_t hflags = image_load32(engine, engine->layout->hflags);

    if (hflags & HF_INHIBIT_IRQ)
        image_store32(engine, engine->layout->hflags, hflags & ~HF_INHIBIT_IRQ);
}

void engine_image_intercept(struct engine *engine, uint64_t set, uint64_t clear)
{
    uint64_t old;
    uint64_t new;

    engine_image_load(engine);
    old = image_load64(engine, engine->layout->intercept);
    new = (old | set) & ~clear;
    if (new != old)
        image_store64(engine, engine->layout->intercept, new);
}

void engine_image_get(struct engine *engine, struct x86_state *state)
{
    const struct engine_layout *layout = engine->layout;

    engine_image_load(engine);
    for (unsigned i = 0; i < X86_GPR_COUNT; i++)
        state->gpr[i] = image_load64(engine, layout->regs + 8 * i);
    state->rip = image_load64(engine, layout->rip);
    state->rflags = image_rflags(engine);
    for (unsigned i = 0; i < X86_SEGMENT_COUNT; i++)
        state->segment[i] = engine_image_segment(engine, i);
    state->ldtr = engine_image_segment(engine, SEG_LDTR);
    state->tr = engine_image_segment(engine, SEG_TR);
    for (unsigned i = 0; i < 2; i++) {
        struct x86_segment table = engine_image_segment(engine, SEG_GDTR + i);

        *(i ? &state->idtr : &state->gdtr) =
            (struct x86_table){.base = table.base, .limit = table.limit};
    }
    state->cr0 = engine->mmu.cr0;
    state->cr2 = image_load64(engine, layout->cr + 8 * 2);
    state->cr3 = engine->mmu.cr3;
    state->cr4 = engine->mmu.cr4;
    state->efer = engine->mmu.efer;
    __builtin_memcpy(state->dr, engine->dr, sizeof(state->dr));
    state->star = engine->msrs.star;
    state->lstar = engine->msrs.lstar;
    state->cstar = engine->msrs.cstar;
    state->fmask = engine->msrs.fmask;
    state->kernel_gs_base = image_load64(engine, layout->kernel_gs_base);
    state->sysenter_cs = engine->msrs.sysenter_cs;
    state->sysenter_esp = engine->msrs.sysenter_esp;
    state->sysenter_eip = engine->msrs.sysenter_eip;
    state->tsc_aux = engine->msrs.tsc_aux;
    state->interrupt_shadow = engine_image_shadow(engine);
    state->nmi_masked = engine->nmi_masked;
}

static uint32_t address_flags(const struct x86_state *state)
{
    const struct x86_segment *seg = state->segment;
    uint32_t flags = 0;

    if (x86_64bit_code(state))
        return HF_CS32 | HF_SS32 | HF_CS64;
    if (seg[X86_CS].attributes & X86_ATTR_DB)
        flags |= HF_CS32;
    if (seg[X86_SS].attributes & X86_ATTR_DB)
        flags |= HF_SS32;
    if ((state->cr0 & CR0_PE) == 0 || (state->rflags & RFLAGS_VM) != 0 ||
        (flags & HF_CS32) == 0 ||
        (seg[X86_DS].base | seg[X86_ES].base | seg[X86_SS].base) != 0)
        flags |= HF_ADDSEG;
    return flags;
}

static uint32_t derived_flags(const struct x86_state *state)
{
    uint32_t flags = address_flags(state) | x86_cpl(state);

    if (state->cr0 & CR0_PE)
        flags |= HF_PE;
    flags |= (uint32_t)(state->cr0 << HF_MP_EM_TS_SHIFT) & HF_MP_EM_TS;
    if (state->efer & EFER_LMA)
        flags |= HF_LMA;
    if (state->cr4 & CR4_OSFXSR)
        flags |= HF_OSFXSR;
    if (state->cr4 & CR4_SMAP)
        flags |= HF_SMAP;
    if (state->interrupt_shadow)
        flags |= HF_INHIBIT_IRQ;
    return flags;
}

static void put_system_state(struct engine *engine,
                             const struct x86_state *state)
{
    const struct engine_layout *layout = engine->layout;
    const struct x86_segment gdtr = {.base = state->gdtr.base,
                                     .limit = state->gdtr.limit};
    const struct x86_segment idtr = {.base = state->idtr.base,
                                     .limit = state->idtr.limit};

    put_segment(engine, SEG_LDTR, &state->ldtr);
    put_segment(engine, SEG_TR, &state->tr);
    put_segment(engine, SEG_GDTR, &gdtr);
    put_segment(engine, SEG_IDTR, &idtr);
    image_store64(engine, layout->cr, state->cr0);
    image_store64(engine, layout->cr + 8 * 2, state->cr2);
    image_store64(engine, layout->cr + 8 * 3, state->cr3);
    image_store64(engine, layout->cr + 8 * 4, state->cr4);
    image_store64(engine, layout->efer, state->efer | EFER_SVME);
    image_store64(engine, layout->star, state->star);
    image_store64(engine, layout->kernel_gs_base, state->kernel_gs_base);
    image_store32(engine, layout->sysenter_cs, (uint32_t)state->sysenter_cs);
}

void engine_image_put(struct engine *engine, const struct x86_state *state)
{
    const struct engine_layout *layout = engine->layout;
    uint32_t hflags;

    engine_image_load(engine);
    for (unsigned i = 0; i < X86_GPR_COUNT; i++)
        image_store64(engine, layout->regs + 8 * i, state->gpr[i]);
    image_store64(engine, layout->rip, state->rip);
    engine_image_set_rflags(engine, state->rflags);
    for (unsigned i = 0; i < X86_SEGMENT_COUNT; i++)
        put_segment(engine, i, &state->segment[i]);
    put_system_state(engine, state);
    hflags = image_load32(engine, layout->hflags) & ~HF_DERIVED;
    image_store32(engine, layout->hflags, hflags | derived_flags(state));

    __builtin_memcpy(engine->dr, state->dr, sizeof(engine->dr));
    engine->msrs = (struct engine_msrs){
        .star = state->star,
        .lstar = state->lstar,
        .cstar = state->cstar,
        .fmask = state->fmask,
        .sysenter_cs = state->sysenter_cs,
        .sysenter_esp = state->sysenter_esp,
        .sysenter_eip = state->sysenter_eip,
        .tsc_aux = state->tsc_aux,
    };
    if (engine->nmi_masked != state->nmi_masked) {
        engine->nmi_masked = state->nmi_masked;
        engine_image_intercept(
            engine, state->nmi_masked ? INTERCEPT_BIT(SVM_EXIT_IRET) : 0,
            state->nmi_masked ? 0 : INTERCEPT_BIT(SVM_EXIT_IRET));
    }
    engine_memory_adopt_controls(engine, state);
}

/* The public single registers. */

uint64_t engine_gpr(struct engine *engine, enum x86_gpr gpr)
{
    engine_image_load(engine);
    return image_load64(engine, engine->layout->regs + 8 * (uint32_t)gpr);
}

void engine_set_gpr(struct engine *engine, enum x86_gpr gpr, uint64_t value)
{
    engine_image_load(engine);
    image_store64(engine, engine->layout->regs + 8 * (uint32_t)gpr, value);
}

uint64_t engine_rip(struct engine *engine)
{
    engine_image_load(engine);
    return image_load64(engine, engine->layout->rip);
}

void engine_set_rip(struct engine *engine, uint64_t rip)
{
    engine_image_load(engine);
    image_store64(engine, engine->layout->rip, rip);
}

uint64_t engine_rflags(struct engine *engine)
{
    engine_image_load(engine);
    return image_rflags(engine);
}

unsigned engine_cpl(struct engine *engine)
{
    engine_image_load(engine);
    return image_load32(engine, engine->layout->hflags) & HF_CPL;
}

bool engine_64bit_code(struct engine *engine)
{
    engine_image_load(engine);
    return engine_image_mode(engine) == CODE_64;
}

void engine_get_xmm(struct engine *engine, unsigned index, uint8_t value[16])
{
    CHECK(index < 16);
    CHECK(uc_reg_read(engine->uc, UC_X86_REG_XMM0 + (int)index, value) ==
          UC_ERR_OK);
}

/* A copy put back later must not undo the change, so it goes first and is
 * fetched again. */
void engine_set_xmm(struct engine *engine, unsigned index,
                    const uint8_t value[16])
{
    CHECK(index < 16);
    engine_image_commit(engine);
    CHECK(uc_reg_write(engine->uc, UC_X86_REG_XMM0 + (int)index, value) ==
          UC_ERR_OK);
}

void engine_get_state(struct engine *engine, struct x86_state *state)
{
    engine_image_get(engine, state);
}

/* What VM entry refuses (SDM 3C, "Checks on Guest Control Registers"), as far
 * as nothing here could run it. */
static bool may_run(const struct x86_state *state)
{
    bool paging = (state->cr0 & CR0_PG) != 0;
    bool long_mode = (state->efer & EFER_LMA) != 0;

    if (paging && (state->cr0 & CR0_PE) == 0)
        return false;
    if (long_mode != (paging && (state->efer & EFER_LME) != 0))
        return false;
    if (long_mode && (state->cr4 & CR4_PAE) == 0)
        return false;
    return !x86_64bit_code(state) || x86_canonical(state->rip);
}

static bool translates_alike(const struct engine *engine,
                             const struct x86_state *state)
{
    const struct mmu_context *mmu = &engine->mmu;

    return mmu->cr0 == state->cr0 && mmu->cr3 == state->cr3 &&
           mmu->cr4 == state->cr4 && mmu->efer == state->efer;
}

void engine_set_state(struct engine *engine, const struct x86_state *state)
{
    bool flush = !translates_alike(engine, state);

    engine_image_put(engine, state);
    engine->shut_down = !may_run(state);
    engine->event_pending = false;
    engine->debug_trap_pending = false;
    engine->mode_selector = MODE_UNKNOWN; /* other tables, maybe */
    if (flush)
        engine_memory_flush_all(engine, false);
}
