/* SPDX-License-Identifier: GPL-2.0-or-later */
#include <string.h>
#include <sys/mman.h>

#include "cpu/engine_private.h"
#include "sim/core/check.h"

/*
 * A processor lives permanently in the emulator's SVM guest mode: one VMRUN is
 * executed when the instance is made, and there is never a #VMEXIT, because
 * Unicorn reports the exit to UC_HOOK_INTR and then goes on in the guest. So
 * every intercept of SVM becomes ours, with an exact RIP (AMD APM volume 2,
 * "VMCB Layout").
 */

#define TRANSLATION_BUFFER_BYTES_DEFAULT (UINT32_C(32) << 20)

/*
 * Before 2.1.4 the translation buffer corrupts itself when it first fills,
 * unless it has been flushed before; but the flush touches all of it, which a
 * small guest should not have to pay for. So it is flushed when so much code
 * has been translated that it might fill. A byte of code makes a hundred bytes
 * in the buffer where it is dense (ADD to memory takes two bytes), and that a
 * few times over for different modes and flags.
 */
#define UNICORN_2_1_4 (2u << 24 | 1u << 16 | 4u << 8)
#define BUFFER_BYTES_PER_CODE_BYTE 1024u

#define VMCB_INTERCEPT_CR_READ 0x00
#define VMCB_INTERCEPT_CR_WRITE 0x02
#define VMCB_INTERCEPT_DR_READ 0x04
#define VMCB_INTERCEPT_DR_WRITE 0x06
#define VMCB_INTERCEPT_EXCEPTIONS 0x08
#define VMCB_INTERCEPT 0x0c
#define VMCB_MSR_BITMAP 0x48
#define VMCB_SAVE 0x400
#define SAVE_ES 0x00
#define SAVE_CS 0x10
#define SAVE_SS 0x20
#define SAVE_DS 0x30
#define SAVE_EFER 0xd0
#define SAVE_CR4 0x148
#define SAVE_CR0 0x158
#define SAVE_RFLAGS 0x170
#define SAVE_RIP 0x178

#define CODE64_ATTRIBUTES 0x0a9b /* as SVM packs them */
#define DATA_ATTRIBUTES 0x0c93

#define MSR_EFER 0xc0000080u
#define MSR_VM_HSAVE_PA 0xc0010117u
#define EFER_SETUP (EFER_SVME | EFER_LMA | EFER_LME)

/* Values after RESET (SDM 3A, "Processor State After Reset"). */
#define FPU_CONTROL_RESET 0x0040
#define MXCSR_RESET 0x1f80u

static void put16(uint8_t *at, uint16_t value)
{
    memcpy(at, &value, sizeof(value));
}

static void put32(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, sizeof(value));
}

static void put64(uint8_t *at, uint64_t value)
{
    memcpy(at, &value, sizeof(value));
}

static uint64_t intercepts(void)
{
    static const uint8_t exits[] = {
        0x6e,                         /* RDTSC, RDTSCP */
        0x6f,                         /* RDPMC */
        0x72,                         /* CPUID */
        0x73,                         /* RSM */
        0x75,                         /* INT n, INT3, INTO */
        0x78,                         /* HLT */
        0x79,                         /* INVLPG */
        0x7a,                         /* INVLPGA */
        0x7c,                         /* RDMSR, WRMSR */
        0x7d,                         /* task switch */
        0x7f,                         /* shutdown */
        0x81,                         /* VMMCALL */
        0x82, 0x83, 0x84, 0x85, 0x86, /* VMLOAD .. SKINIT: not offered */
        0x88,                         /* ICEBP */
        0x8a, 0x8b,                   /* MONITOR, MWAIT: not offered */
    };
    uint64_t word = 0;

    for (unsigned i = 0; i < sizeof(exits); i++)
        word |= INTERCEPT_BIT(exits[i]);
    return word;
}

static void put_save_segment(uint8_t *at, uint16_t attributes)
{
    put16(at + 2, attributes);
    put32(at + 4, UINT32_MAX);
}

static void build_vmcb(uint8_t *vmcb)
{
    uint8_t *save = vmcb + VMCB_SAVE;

    put16(vmcb + VMCB_INTERCEPT_CR_READ, 1u << 8);
    put16(vmcb + VMCB_INTERCEPT_CR_WRITE,
          1u << 0 | 1u << 3 | 1u << 4 | 1u << 8);
    put16(vmcb + VMCB_INTERCEPT_DR_READ, 0xffff);
    put16(vmcb + VMCB_INTERCEPT_DR_WRITE, 0xffff);
    put32(vmcb + VMCB_INTERCEPT_EXCEPTIONS, UINT32_MAX);
    put64(vmcb + VMCB_INTERCEPT, intercepts());
    put64(vmcb + VMCB_MSR_BITMAP, PRIVATE_MSR_BITMAP);
    put_save_segment(save + SAVE_ES, DATA_ATTRIBUTES);
    put_save_segment(save + SAVE_CS, CODE64_ATTRIBUTES);
    put_save_segment(save + SAVE_SS, DATA_ATTRIBUTES);
    put_save_segment(save + SAVE_DS, DATA_ATTRIBUTES);
    put64(save + SAVE_EFER, EFER_SETUP);
    put64(save + SAVE_CR4, CR4_PAE);
    put64(save + SAVE_CR0, CR0_PE | CR0_PG);
    put64(save + SAVE_RFLAGS, RFLAGS_FIXED);
    put64(save + SAVE_RIP, PRIVATE_ENTRY + 3); /* the HLT after VMRUN */
}

static bool write_reg(uc_engine *uc, int reg, uint64_t value)
{
    return uc_reg_write(uc, reg, &value) == UC_ERR_OK;
}

/* Unicorn's 64-bit mode starts in long mode at CPL 0, where VMRUN works. The
 * translator wants EFER.SVME when it meets the VMRUN. */
static bool enter_guest_mode(struct engine *engine)
{
    static const uint8_t entry[] = {0x0f, 0x01, 0xd8, /* vmrun */
                                    0xf4};            /* hlt, intercepted */
    uc_engine *uc = engine->uc;
    uc_x86_msr efer = {.rid = MSR_EFER, .value = EFER_SETUP};
    uc_x86_msr host_save = {.rid = MSR_VM_HSAVE_PA, .value = PRIVATE_HOST_SAVE};
    uint64_t rip = 0;
    bool ok;

    build_vmcb(engine->private_memory);
    memset(engine->private_memory + (PRIVATE_MSR_BITMAP - PRIVATE_SPA), 0xff,
           2 * PAGE_BYTES);
    memset(engine->private_memory + (PRIVATE_SCRATCH - PRIVATE_SPA), 0xcc,
           2 * PAGE_BYTES);
    memcpy(engine->private_memory + (PRIVATE_ENTRY - PRIVATE_SPA), entry,
           sizeof(entry));
    engine->setting_up = true;
    ok = uc_reg_write(uc, UC_X86_REG_MSR, &efer) == UC_ERR_OK &&
         uc_reg_write(uc, UC_X86_REG_MSR, &host_save) == UC_ERR_OK &&
         write_reg(uc, UC_X86_REG_CR4, CR4_PAE) &&
         write_reg(uc, UC_X86_REG_CR0, CR0_PE | CR0_PG) &&
         write_reg(uc, UC_X86_REG_RAX, PRIVATE_VMCB) &&
         uc_emu_start(uc, PRIVATE_ENTRY, 0, 0, 0) == UC_ERR_OK &&
         uc_reg_read(uc, UC_X86_REG_RIP, &rip) == UC_ERR_OK;
    engine->setting_up = false;
    return ok && rip == PRIVATE_ENTRY + 3;
}

/* Unicorn takes function pointers as void *; `instruction` is read only for
 * UC_HOOK_INSN. */
static bool add_hook(struct engine *engine, int type, void *function,
                     int instruction)
{
    uc_hook hook;

    return uc_hook_add(engine->uc, &hook, type, function, engine, 1, 0,
                       instruction) == UC_ERR_OK;
}

#define FUNCTION(f) ((void *)(uintptr_t)(f))

static bool add_hooks(struct engine *engine)
{
    return add_hook(engine, UC_HOOK_TLB_FILL, FUNCTION(engine_fill_hook), 0) &&
           add_hook(engine, UC_HOOK_INTR, FUNCTION(engine_exit_hook), 0) &&
           add_hook(engine, UC_HOOK_INSN, FUNCTION(engine_event_syscall_hook),
                    UC_X86_INS_SYSCALL) &&
           add_hook(engine, UC_HOOK_INSN, FUNCTION(engine_event_sysenter_hook),
                    UC_X86_INS_SYSENTER);
}

static bool map_memory(struct engine *engine)
{
    struct arena *arena = engine->pool->arena;

    engine->private_memory = mmap(NULL, PRIVATE_BYTES, PROT_READ | PROT_WRITE,
                                  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (engine->private_memory == MAP_FAILED) {
        engine->private_memory = NULL;
        return false;
    }
    return uc_mem_map_ptr(engine->uc, 0, arena->bytes, UC_PROT_ALL,
                          arena->base) == UC_ERR_OK &&
           uc_mem_map_ptr(engine->uc, CODE_COPIES_SPA, CODE_COPIES_BYTES,
                          UC_PROT_ALL,
                          code_pages_copies(arena->code)) == UC_ERR_OK &&
           uc_mem_map_ptr(engine->uc, PRIVATE_SPA, PRIVATE_BYTES, UC_PROT_ALL,
                          engine->private_memory) == UC_ERR_OK &&
           uc_mmio_map(engine->uc, PRIVATE_APIC, PAGE_BYTES,
                       engine_memory_apic_read, engine,
                       engine_memory_apic_write, engine) == UC_ERR_OK;
}

/* The state that engine_reset() goes back to: in guest mode, all registers
 * that are not in struct x86_state as after RESET. */
static bool keep_pristine(struct engine *engine)
{
    const uint16_t control = FPU_CONTROL_RESET;
    const uint32_t mxcsr = MXCSR_RESET;

    return uc_reg_write(engine->uc, UC_X86_REG_FPCW, &control) == UC_ERR_OK &&
           uc_reg_write(engine->uc, UC_X86_REG_MXCSR, &mxcsr) == UC_ERR_OK &&
           engine_image_open(engine);
}

/* The CPU model decides which instructions exist at all; its default differs
 * between versions. */
enum sim_status engine_setup(struct engine *engine, struct sim_error *error)
{
    uint32_t buffer_bytes = TRANSLATION_BUFFER_BYTES_DEFAULT;
    uc_err failure = uc_open(UC_ARCH_X86, UC_MODE_64, &engine->uc);

    /* The self-test's engines have no host. */
    if (engine->host && engine->host->translation_buffer_bytes != 0)
        buffer_bytes = engine->host->translation_buffer_bytes;
    if (failure != UC_ERR_OK)
        return sim_fail(error, SIM_UNAVAILABLE,
                        "cannot make an emulator instance: %s",
                        uc_strerror(failure));
    if (uc_ctl_set_cpu_model(engine->uc, UC_CPU_X86_EPYC) != UC_ERR_OK ||
        uc_ctl_set_tcg_buffer_size(engine->uc, buffer_bytes) != UC_ERR_OK ||
        uc_ctl_tlb_mode(engine->uc, UC_TLB_VIRTUAL) != UC_ERR_OK ||
        uc_ctl_exits_enable(engine->uc) != UC_ERR_OK || !map_memory(engine) ||
        !add_hooks(engine))
        return sim_fail(error, SIM_UNAVAILABLE,
                        "this emulator library cannot be set up as hvsim "
                        "needs it");
    if (!enter_guest_mode(engine) || !keep_pristine(engine))
        return sim_fail(error, SIM_UNAVAILABLE,
                        "this emulator library does not enter SVM guest mode");
    if (!add_hook(engine, UC_HOOK_BLOCK, FUNCTION(engine_block_hook), 0) ||
        uc_ctl_flush_tlb(engine->uc) != UC_ERR_OK)
        return sim_fail(error, SIM_UNAVAILABLE,
                        "this emulator library cannot flush its caches");
    if (uc_version(NULL, NULL) < UNICORN_2_1_4)
        engine->code_until_flush = buffer_bytes / BUFFER_BYTES_PER_CODE_BYTE;
    return SIM_OK;
}

void engine_setup_undo(struct engine *engine)
{
    engine_image_close(engine);
    if (engine->uc)
        (void)uc_close(engine->uc);
    if (engine->private_memory)
        munmap(engine->private_memory, PRIVATE_BYTES);
}
