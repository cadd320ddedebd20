/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <stdlib.h>
#include <string.h>

#include "cpu/engine_private.h"

/*
 * What the engine relies on and no interface promises: where Unicorn's context
 * image keeps which register, and that a changed image takes effect. The
 * layout differs between versions; it is found by writing sentinels through
 * the interface, and every offset is proved before it is used. A library that
 * does not fit is refused with a message, never worked around.
 */

#define MSR_EFER 0xc0000080u
#define MSR_STAR 0xc0000081u
#define MSR_KERNEL_GS_BASE 0xc0000102u
#define MSR_SYSENTER_CS 0x174u

#define SENTINEL UINT64_C(0x5a17c0de00000000)
#define SENTINEL_CS 0x7c5eu
#define SENTINEL_EFER (EFER_SCE | EFER_LME | EFER_NXE)

/* In CPUX86State, all after the registers, in this order. */
#define AFTER_REGS_RIP 128
#define AFTER_REGS_EFLAGS 136
#define AFTER_REGS_CC_DST 144
#define AFTER_REGS_CC_SRC 152
#define AFTER_REGS_CC_OP 168
#define AFTER_REGS_DF 172
#define AFTER_REGS_HFLAGS 176
#define AFTER_REGS_SEGS 184
#define AFTER_REGS_CR 424
#define AFTER_CR_EFER_MAX 256 /* EFER follows, at a distance that varies */
#define BEFORE_DR_ERROR_CODE 16

#define HFLAGS_64BIT_CPL0 0xc0b0u /* PE, CS32, SS32, LMA, CS64 */
#define HFLAGS_CARED_FOR 0xc0ffu
#define SEG_GDTR 8
#define SEG_BYTES 24

/* Where in uc_engine to look for the address of the last refused access. */
#define FAULT_ADDRESS_FIRST 0x500u
#define FAULT_ADDRESS_LAST 0x600u

struct probe {
    uc_engine *uc;
    uc_context *context;
    const uint8_t *image;
    size_t bytes;
};

static bool write_reg(struct probe *probe, int reg, uint64_t value)
{
    return uc_reg_write(probe->uc, reg, &value) == UC_ERR_OK;
}

static bool write_msr(struct probe *probe, uint32_t index, uint64_t value)
{
    uc_x86_msr msr = {.rid = index, .value = value};

    return uc_reg_write(probe->uc, UC_X86_REG_MSR, &msr) == UC_ERR_OK;
}

static bool save(struct probe *probe)
{
    return uc_context_save(probe->uc, probe->context) == UC_ERR_OK;
}

static uint64_t load64(const struct probe *probe, size_t at)
{
    uint64_t value = 0;

    if (at + sizeof(value) <= probe->bytes)
        memcpy(&value, probe->image + at, sizeof(value));
    return value;
}

static uint32_t load32(const struct probe *probe, size_t at)
{
    return (uint32_t)load64(probe, at);
}

/* The one place where the two values stand beside each other; 0: none. */
static uint32_t find_pair(const struct probe *probe, uint64_t first,
                          uint64_t second)
{
    uint32_t found = 0;

    for (size_t at = 1; at + 16 <= probe->bytes; at++) {
        if (load64(probe, at) != first || load64(probe, at + 8) != second)
            continue;
        if (found)
            return 0;
        found = (uint32_t)at;
    }
    return found;
}

/* The one place at or after `first`, before `end`. */
static uint32_t find_between(const struct probe *probe, uint64_t value,
                             unsigned bytes, size_t first, size_t end)
{
    uint32_t found = 0;

    for (size_t at = first; at + 8 <= end; at++) {
        if (bytes == 8 ? load64(probe, at) != value
                       : load32(probe, at) != (uint32_t)value)
            continue;
        if (found)
            return 0;
        found = (uint32_t)at;
    }
    return found;
}

static uint32_t find_one(const struct probe *probe, uint64_t value,
                         unsigned bytes)
{
    return find_between(probe, value, bytes, 1, probe->bytes);
}

/* LMA is the processor's own and may be set beside what was written. */
static uint32_t find_efer(const struct probe *probe, uint32_t cr)
{
    uint32_t end = cr + AFTER_CR_EFER_MAX;
    uint32_t at = find_between(probe, SENTINEL_EFER, 8, cr, end);

    return at ? at : find_between(probe, SENTINEL_EFER | EFER_LMA, 8, cr, end);
}

static bool write_sentinels(struct probe *probe)
{
    uc_x86_mmr gdtr = {.base = SENTINEL | 8, .limit = 0x1357};

    return write_reg(probe, UC_X86_REG_RAX, SENTINEL | 1) &&
           write_reg(probe, UC_X86_REG_RCX, SENTINEL | 2) &&
           write_reg(probe, UC_X86_REG_DR0, SENTINEL | 3) &&
           write_reg(probe, UC_X86_REG_DR1, SENTINEL | 4) &&
           write_reg(probe, UC_X86_REG_CR3, SENTINEL | 7) &&
           write_reg(probe, UC_X86_REG_RIP, SENTINEL | 9) &&
           write_msr(probe, MSR_EFER, SENTINEL_EFER) &&
           write_msr(probe, MSR_STAR, SENTINEL | 5) &&
           write_msr(probe, MSR_KERNEL_GS_BASE, SENTINEL | 6) &&
           write_msr(probe, MSR_SYSENTER_CS, SENTINEL_CS) &&
           uc_reg_write(probe->uc, UC_X86_REG_GDTR, &gdtr) == UC_ERR_OK;
}

static bool find_registers(struct probe *probe, struct engine_layout *layout)
{
    uint32_t regs = find_pair(probe, SENTINEL | 1, SENTINEL | 2);
    uint32_t dr = find_pair(probe, SENTINEL | 3, SENTINEL | 4);

    if (!regs || dr < BEFORE_DR_ERROR_CODE)
        return false;
    *layout = (struct engine_layout){
        .image_bytes = (uint32_t)probe->bytes,
        .regs = regs,
        .rip = regs + AFTER_REGS_RIP,
        .eflags = regs + AFTER_REGS_EFLAGS,
        .cc_dst = regs + AFTER_REGS_CC_DST,
        .cc_src = regs + AFTER_REGS_CC_SRC,
        .cc_op = regs + AFTER_REGS_CC_OP,
        .df = regs + AFTER_REGS_DF,
        .hflags = regs + AFTER_REGS_HFLAGS,
        .segs = regs + AFTER_REGS_SEGS,
        .cr = regs + AFTER_REGS_CR,
        .efer = find_efer(probe, regs + AFTER_REGS_CR),
        .star = find_one(probe, SENTINEL | 5, 8),
        .kernel_gs_base = find_one(probe, SENTINEL | 6, 8),
        .sysenter_cs = find_one(probe, SENTINEL_CS, 4),
        .dr = dr,
        .error_code = dr - BEFORE_DR_ERROR_CODE,
    };
    return layout->efer && layout->star && layout->kernel_gs_base &&
           layout->sysenter_cs;
}

/* Offsets taken from one another are right if what lies there is what must. */
static bool verify_registers(const struct probe *probe,
                             const struct engine_layout *layout)
{
    uint32_t gdtr = layout->segs + SEG_GDTR * SEG_BYTES;

    return load64(probe, layout->rip) == (SENTINEL | 9) &&
           load64(probe, layout->cr + 8 * 3) == (SENTINEL | 7) &&
           (load64(probe, layout->cr) & CR0_PE) != 0 &&
           load64(probe, gdtr + 8) == (SENTINEL | 8) &&
           load32(probe, gdtr + 16) == 0x1357 &&
           (load32(probe, layout->hflags) & HFLAGS_CARED_FOR) ==
               HFLAGS_64BIT_CPL0;
}

/* Flags: 0x8d5 are the arithmetic ones, kept apart; DF is 1 or -1. */
static bool verify_flags(struct probe *probe,
                         const struct engine_layout *layout)
{
    uint64_t back = 0;

    if (!write_reg(probe, UC_X86_REG_RFLAGS, 0x8d5 | RFLAGS_DF | RFLAGS_AC) ||
        !save(probe) || load32(probe, layout->df) != UINT32_MAX ||
        load32(probe, layout->cc_op) != 1 ||
        (load64(probe, layout->cc_src) & 0x8d5) != 0x8d5 ||
        (load64(probe, layout->eflags) & RFLAGS_AC) == 0)
        return false;
    return write_reg(probe, UC_X86_REG_RFLAGS, RFLAGS_FIXED) && save(probe) &&
           load32(probe, layout->df) == 1 &&
           (load64(probe, layout->cc_src) & 0x8d5) == 0 &&
           uc_reg_read(probe->uc, UC_X86_REG_RFLAGS, &back) == UC_ERR_OK &&
           (back & 0x8d5) == 0;
}

/* A changed image takes effect. */
static bool verify_restore(struct probe *probe,
                           const struct engine_layout *layout)
{
    const uint64_t changed = SENTINEL | 0xab;
    uint64_t back = 0;

    uint8_t *image = (uint8_t *)probe->context;

    memcpy(&image[layout->regs + 8 * X86_R9], &changed, sizeof(changed));
    return uc_context_restore(probe->uc, probe->context) == UC_ERR_OK &&
           uc_reg_read(probe->uc, UC_X86_REG_R9, &back) == UC_ERR_OK &&
           back == changed;
}

/* Refuses everything but the code page. */
static bool refuse_data(uc_engine *uc, uint64_t page, uc_mem_type type,
                        uc_tlb_entry *entry, void *context)
{
    (void)uc;
    (void)context;
    entry->paddr = 0;
    entry->perms = UC_PROT_EXEC;
    return type == UC_MEM_FETCH && page == 0x10000;
}

static bool refused_at(struct probe *probe, uint64_t address)
{
    return write_reg(probe, UC_X86_REG_RBX, address) &&
           uc_emu_start(probe->uc, 0x10000, 0, 0, 0) != UC_ERR_OK;
}

/* Zero if the field is not in its usual neighbourhood. */
static uint32_t find_fault_address(struct probe *probe)
{
    const uint64_t first = UINT64_C(0x00005a5a00123457);
    const uint64_t second = UINT64_C(0x00003c3c00654321);

    for (uint32_t at = FAULT_ADDRESS_FIRST; at < FAULT_ADDRESS_LAST; at += 8) {
        uint64_t value = 0;

        if (!refused_at(probe, first))
            return 0;
        memcpy(&value, (const uint8_t *)probe->uc + at, sizeof(value));
        if (value != first || !refused_at(probe, second))
            continue;
        memcpy(&value, (const uint8_t *)probe->uc + at, sizeof(value));
        if (value == second)
            return at;
    }
    return 0;
}

/* What costs time, not correctness, where it is not found. */
static void find_optional(struct probe *probe, struct engine_layout *layout)
{
    engine_live_find(probe->uc, probe->image, layout);
    layout->fault_address = find_fault_address(probe);
}

static bool prepare(struct probe *probe, uint8_t code[PAGE_BYTES])
{
    static const uint8_t load[] = {0x48, 0x8b, 0x03}; /* mov rax, [rbx] */
    uc_hook hook;

    memcpy(code, load, sizeof(load));
    return uc_ctl_set_cpu_model(probe->uc, UC_CPU_X86_EPYC) == UC_ERR_OK &&
           uc_ctl_set_tcg_buffer_size(probe->uc, 1u << 20) == UC_ERR_OK &&
           uc_ctl_tlb_mode(probe->uc, UC_TLB_VIRTUAL) == UC_ERR_OK &&
           uc_mem_map_ptr(probe->uc, 0, PAGE_BYTES, UC_PROT_ALL, code) ==
               UC_ERR_OK &&
           uc_hook_add(probe->uc, &hook, UC_HOOK_TLB_FILL,
                       (void *)(uintptr_t)refuse_data, NULL, 1,
                       0) == UC_ERR_OK &&
           uc_context_alloc(probe->uc, &probe->context) == UC_ERR_OK;
}

static const char *find_layout(struct engine_layout *layout)
{
    struct probe probe = {0};
    uint8_t *code = aligned_alloc(PAGE_BYTES, PAGE_BYTES);
    const char *wrong = NULL;

    if (!code || uc_open(UC_ARCH_X86, UC_MODE_64, &probe.uc) != UC_ERR_OK) {
        free(code);
        return "it cannot make an instance";
    }
    /* The translator reads on behind the few bytes that are executed. */
    memset(code, 0x90, PAGE_BYTES);
    if (!prepare(&probe, code)) {
        wrong = "it lacks the virtual TLB";
        goto out;
    }
    probe.bytes = uc_context_size(probe.uc);
    probe.image = (const uint8_t *)probe.context;
    if (!write_sentinels(&probe) || !save(&probe) ||
        !find_registers(&probe, layout) || !verify_registers(&probe, layout))
        wrong = "its context does not keep the registers where expected";
    else if (!verify_flags(&probe, layout))
        wrong = "its context does not keep the flags as expected";
    else if (!verify_restore(&probe, layout))
        wrong = "a changed context does not take effect";
    else
        find_optional(&probe, layout);
out:
    if (probe.context)
        (void)uc_context_free(probe.context);
    (void)uc_close(probe.uc);
    free(code);
    return wrong;
}

/* In guest mode, the intercept word is the one in the VMCB. */
static const char *find_intercepts(struct engine_pool *pool,
                                   struct sim_error *error)
{
    struct engine engine = {.pool = pool, .layout = &pool->layout};
    struct probe probe = {0};
    const char *wrong = NULL;
    uint64_t word;

    if (engine_setup(&engine, error) != SIM_OK) {
        wrong = "it does not enter SVM guest mode";
    } else {
        memcpy(&word, engine.private_memory + 0xc, sizeof(word));
        engine_image_load(&engine);
        probe.image = engine.image;
        probe.bytes = pool->layout.image_bytes;
        pool->layout.intercept = find_one(&probe, word, 8);
        if (!pool->layout.intercept)
            wrong = "its context does not keep the intercepts";
    }
    engine_setup_undo(&engine);
    return wrong;
}

enum sim_status engine_selftest(struct engine_pool *pool,
                                struct sim_error *error)
{
    const char *wrong = find_layout(&pool->layout);
    char version[64];

    if (!wrong)
        wrong = find_intercepts(pool, error);
    if (!wrong)
        return SIM_OK;
    engine_version(version, sizeof(version));
    return sim_fail(error, SIM_UNAVAILABLE,
                    "the emulator library (%s) does not behave as hvsim needs "
                    "it: %s; versions 2.1.1 and 2.1.4 are known to work",
                    version, wrong);
}
