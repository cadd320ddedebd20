/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_CPU_ENGINE_PRIVATE_H
#define HVSIM_CPU_ENGINE_PRIVATE_H

/**
 * Shared by the engine_*.c files alone: struct engine and who does what.
 *
 *   engine.c           life cycle, the run loop, time
 *   engine_pool.c      what engines share, and how code pages reach them
 *   engine_setup.c     making a Unicorn instance that sits in SVM guest mode
 *   engine_selftest.c  finding the context layout; proving the quirks
 *   engine_foresee.c   what a stay will touch
 *   engine_image.c     architectural state in Unicorn's context image
 *   engine_live.c      where Unicorn keeps that state itself
 *   engine_fill.c      the TLB fill hook
 *   engine_memory.c    translation, flushes; virtual memory from outside
 *   engine_block.c     the block hook; prices
 *   engine_step.c      code run from a scratch page
 *   engine_exit.c      intercepts: dispatch, and those for the host
 *   engine_trouble.c   what the fill hook refused
 *   engine_control.c   control and debug registers, processor MSRs
 *   engine_io.c        IN, OUT and their string forms
 *   engine_event.c     exceptions, interrupts, system calls
 *
 * While guest code is suspended, architectural state lives in the *image*:
 * Unicorn's own state, or a copy of it where that could not be found.
 * engine_image_load() fetches it, everyone reads and changes it there,
 * engine_image_commit() puts it back before guest code goes on. Inside the
 * fill, block and APIC hooks guest code is not suspended: the image is out of
 * bounds there.
 */

#include <stddef.h>
#include <unicorn/unicorn.h>

#include "cpu/code_pages.h"
#include "cpu/decode.h"
#include "cpu/density_cache.h"
#include "cpu/engine.h"
#include "cpu/event.h"
#include "cpu/price_cache.h"
#include "cpu/tlb.h"

/* SPAs that belong to an engine alone, above every arena. */
#define PRIVATE_SPA (UINT64_C(3) << 45)
#define PRIVATE_VMCB (PRIVATE_SPA + 0x0000)
#define PRIVATE_MSR_BITMAP (PRIVATE_SPA + 0x1000) /* two pages */
#define PRIVATE_HOST_SAVE (PRIVATE_SPA + 0x3000)
#define PRIVATE_ENTRY (PRIVATE_SPA + 0x4000)
#define PRIVATE_SCRATCH (PRIVATE_SPA + 0x5000) /* two pages */
#define PRIVATE_BYTES 0x7000
#define PRIVATE_APIC (PRIVATE_SPA + 0x100000)

/* A non-canonical window through which engine_forget_blocks() names an SPA. */
#define WINDOW_VA UINT64_C(0x6d00000000000000)

/* UC_HOOK_INTR numbers an SVM exit 0x100 + its exit code. */
#define SVM_INTNO 0x100u

/** Often enough to find a loop soon, too seldom to be felt. */
#define ENGINE_SAMPLE_EVERY (UINT64_C(10000) * SUBCYCLES_PER_CYCLE)

/** See note_refill() in engine_fill.c. */
#define ENGINE_REFILLS_MIN 512u

/** No code selector is known: see current_mode() in engine_block.c. */
#define MODE_UNKNOWN UINT32_MAX

/** Where Unicorn's context image keeps what. Offsets in bytes. */
struct engine_layout {
    uint32_t image_bytes;
    uint32_t regs;
    uint32_t rip;
    uint32_t eflags;
    uint32_t cc_dst;
    uint32_t cc_src;
    uint32_t cc_op;
    uint32_t df;
    uint32_t hflags;
    uint32_t segs; /* six, then LDTR, TR, GDTR, IDTR, of 24 bytes each */
    uint32_t cr;   /* CR0 .. CR4 */
    uint32_t efer;
    uint32_t star;
    uint32_t kernel_gs_base;
    uint32_t sysenter_cs;
    uint32_t dr;
    uint32_t error_code;
    uint32_t intercept;
    uint32_t fault_address; /* in uc_engine: the exact address of a miss; 0 if
                               it was not found */
    uint32_t processor;     /* in uc_engine: the pointer to the processor */
    uint32_t live; /* from there, where an image would have to begin for the
                      offsets above to be right; 0 if it was not found */
};

struct engine_pool {
    struct arena *arena; /* borrowed */
    struct engine_layout layout;
    struct decoder *decoder;         /* owns */
    struct far_prices *far;          /* owns */
    struct density_cache *densities; /* owns */
    struct engine **engines;         /* by number - 1; owns the array only */
    uint16_t engine_count; /* of the array's slots that were ever used */
    uint16_t engine_capacity;
    struct engine *running; /* inside uc_emu_start(); NULL if none */
};

/** Why the fill hook refused an access; read after uc_emu_start() returns. */
enum trouble {
    TROUBLE_NONE,
    TROUBLE_PAGE_FAULT,
    TROUBLE_SLAT,
    TROUBLE_NON_CANONICAL,
    TROUBLE_STORE_TO_CODE,
    TROUBLE_FLUSH, /* the TLB was full: flush and try again */
    TROUBLE_LEFT_SCRATCH,
    TROUBLE_DENSE_CODE, /* to be run in pieces */
};

struct engine_trouble {
    enum trouble kind;
    gva_t page;
    enum mmu_access access;
    struct mmu_fault fault;
    spa_t spa; /* STORE_TO_CODE */
};

/** Why guest code was stopped from a hook. */
enum engine_stop {
    STOP_NONE,
    STOP_BOUNDARY, /* look at limit, window and pending events */
    STOP_TRAPS,    /* the block about to run needs traps */
    STOP_HOST,     /* on_exit said so */
};

/** Code being run from the scratch page, see engine_step.c. */
struct engine_scratch {
    bool active;
    gva_t page;  /* the page the scratch pages stand for, and its next */
    gva_t start; /* the bytes copied */
    gva_t end;
    bool entered; /* in this stay in Unicorn, a block has been run */
};

/** MSRs that are processor state and that Unicorn is not asked about. */
struct engine_msrs {
    uint64_t star, lstar, cstar, fmask;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    uint64_t tsc_aux;
};

/** A VA page whose code has been fetched, and what it was. */
struct fetched_page {
    uint64_t page; /* number plus one; 0: free */
    uint64_t what; /* SPA page number, and version above */
};

/** The host's cache lines that a stay touched, see engine_foresee.c. */
#define TRAIL_LINES_MAX 256u

struct engine_trail {
    bool recording;
    uint8_t stays;  /* to go until the next recording */
    uint8_t blocks; /* recorded */
    uint16_t count;
    const char *lines[TRAIL_LINES_MAX];
};

struct engine {
    /* Hot: all that a block touches. Times in subcycles. */
    uint64_t clock;
    uint64_t attention; /* look up when clock reaches it; 0: at once */
    uint64_t sample_every;
    uint64_t sample_at; /* the clock when to look around: for loops, and whether
                           the host wants to stop */
    uint64_t instructions;
    const struct near_price *block; /* being executed; NULL if none */
    struct near_prices near;

    uc_engine *uc; /* owns */
    struct engine_pool *pool;
    const struct engine_host *host;
    struct decoder *decoder; /* the pool's */
    const struct engine_layout *layout;
    uint16_t number;
    uint16_t epoch;          /* count of TLB flushes */
    uint8_t *private_memory; /* owns; at PRIVATE_SPA */

    uint8_t *image;       /* Unicorn's own state, or the bytes of `copy` */
    uc_context *copy;     /* owns; NULL if the image is Unicorn's own */
    uc_context *pristine; /* owns; the state after set-up */
    bool image_valid;
    bool image_dirty;
    bool rflags_known;
    uint64_t rflags;

    /* Time. */
    struct engine_run *run; /* NULL outside engine_run() */
    uint64_t taken; /* the clock up to which the host has taken the time */
    uint64_t limit;
    uint64_t clock_limit;  /* in whole cycles, as clocks are read */
    bool at_clock;         /* the instruction at RIP has to wait for it */
    uint64_t billed;       /* estimate of what is on the bill */
    struct cost_bill owed; /* for the next run's bill */
    uint64_t tsc_last;
    uint64_t tsc_offset;
    uint32_t price[COST_KIND_COUNT]; /* of what the engine itself bills */

    /* Translation. `mmu` also holds the control registers. */
    struct mmu_context mmu;
    uint64_t pdpte[4];
    struct tlb *tlb; /* owns */
    struct engine_walks walks;
    uint64_t page_faults; /* delivered */
    uint32_t refills;     /* of Unicorn's TLB since it was flushed */
    uint32_t refills_until_flush;
    struct fetched_page *fetched; /* owns */
    uint32_t fetched_slots;
    uint32_t fetched_count;
    bool flush_wanted;
    bool flush_code_wanted;
    uint32_t code_until_flush; /* bytes, see engine_setup.c; 0: never */
    bool window_open;          /* see WINDOW_VA */
    bool setting_up;
    bool loading_segment; /* at CPL 3: descriptor tables may be read */
    bool apic_on;
    gpa_t apic_page;

    uint32_t mode_selector; /* of long mode, and what code it selects */
    enum code_mode mode;

    struct engine_trouble trouble;
    enum engine_stop stop;
    struct engine_scratch scratch;
    /* Code that stores to its own page: engine_trouble.c, plan_steps(). */
    uint32_t steps_planned;
    uint32_t steps_left;
    uint64_t own_store_at; /* by `instructions` */
    uint32_t stuck;        /* returns from Unicorn in a row without progress */

    struct engine_features features;
    struct engine_msrs msrs;
    uint64_t dr[8];
    bool nmi_masked;
    bool nmi_pending;
    bool unmasking_nmi; /* NMIs are taken again when IRET has been executed: */
    uint64_t iret_at;   /* `instructions` before it */
    bool debug_trap_pending;
    bool event_pending;  /* its delivery met a second-level fault */
    bool event_reported; /* which the host has seen */
    bool delivery_aborted;
    struct cpu_event event;
    bool shut_down;
    bool window_wanted;
    uint32_t pause_count; /* of the PAUSE filter; 0: off */
    cycles_t pause_gap;
    uint32_t pauses_left; /* before the next is an intercept */
    cycles_t paused_at;
    uint32_t intercepted_vectors;
    struct engine_trail trail; /* large and cold: the last */
};

/* engine_foresee.c */
/** Notes the line at `touched` if this stay is recorded. */
void engine_foresee_note(struct engine *engine, const void *touched);
/** A block was executed: its price, and where Unicorn's code for it calls the
 *  block hook. */
void engine_foresee_note_block(struct engine *engine, const void *price,
                               const void *code);
/** engine_run() is about to return. */
void engine_foresee_stay_ended(struct engine *engine);

/* engine_image.c */

static inline uint64_t image_load64(const struct engine *engine,
                                    uint32_t offset)
{
    uint64_t value;

    __builtin_memcpy(&value, engine->image + offset, sizeof(value));
    return value;
}

static inline uint32_t image_load32(const struct engine *engine,
                                    uint32_t offset)
{
    uint32_t value;

    __builtin_memcpy(&value, engine->image + offset, sizeof(value));
    return value;
}

static inline void image_store64(struct engine *engine, uint32_t offset,
                                 uint64_t value)
{
    __builtin_memcpy(engine->image + offset, &value, sizeof(value));
    engine->image_dirty = true;
}

static inline void image_store32(struct engine *engine, uint32_t offset,
                                 uint32_t value)
{
    __builtin_memcpy(engine->image + offset, &value, sizeof(value));
    engine->image_dirty = true;
}

/** Finds the image; to be called once, in set-up. False: no memory. */
bool engine_image_open(struct engine *engine);
void engine_image_close(struct engine *engine);
/** The state as it was when the image was opened. */
void engine_image_reset(struct engine *engine);
void engine_image_load(struct engine *engine);
void engine_image_commit(struct engine *engine);
void engine_image_get(struct engine *engine, struct x86_state *state);
/** Also adopts control registers, MSRs and the like; flushes nothing. */
void engine_image_put(struct engine *engine, const struct x86_state *state);
void engine_image_set_rflags(struct engine *engine, uint64_t rflags);
/** From the image: */
enum code_mode engine_image_mode(const struct engine *engine);
uint64_t engine_image_pc(const struct engine *engine); /* linear RIP */
bool engine_image_shadow(const struct engine *engine);
void engine_image_end_shadow(struct engine *engine);
struct x86_segment engine_image_segment(const struct engine *engine,
                                        unsigned index);
void engine_image_set_segment_base(struct engine *engine, unsigned index,
                                   uint64_t base);
/** Changes which SVM intercepts are on: bits of the VMCB's 64-bit word. */
void engine_image_intercept(struct engine *engine, uint64_t set,
                            uint64_t clear);

#define INTERCEPT_BIT(exit_code) (UINT64_C(1) << ((exit_code)-0x60))
#define SVM_EXIT_IRET 0x74
#define SVM_EXIT_PAUSE 0x77

/* engine_live.c */
/** Fills in where `layout` leads to the state that `image` is a copy of. */
void engine_live_find(uc_engine *uc, const uint8_t *image,
                      struct engine_layout *layout);
/** NULL if this instance does not keep its state there. */
uint8_t *engine_live_image(uc_engine *uc, const struct engine_layout *layout);

/* engine_setup.c */
enum sim_status engine_setup(struct engine *engine, struct sim_error *error);
/** Releases what engine_setup() made, or as much of it as there is. */
void engine_setup_undo(struct engine *engine);

/* engine_selftest.c */
enum sim_status engine_selftest(struct engine_pool *pool,
                                struct sim_error *error);

/* engine_pool.c */
void engine_forget_blocks(struct engine *engine, spa_t page);
/** Notes that so much code may have been translated. True when the translation
 *  buffer is to be flushed, once: see engine_setup.c. */
bool engine_count_code(struct engine *engine, uint32_t bytes);
bool engine_pool_join(struct engine_pool *pool, struct engine *engine);
void engine_pool_leave(struct engine_pool *pool, struct engine *engine);

/* engine.c */
void engine_bill(struct engine *engine, enum cost_kind kind, uint32_t count);
void engine_update_attention(struct engine *engine);

/* engine_fill.c */
/** Unicorn asks for a page that its TLB does not hold with that access. */
bool engine_fill_hook(uc_engine *uc, uint64_t page, uc_mem_type type,
                      uc_tlb_entry *entry, void *context);

/* engine_memory.c */
/** From the architectural TLB if it allows the access, else by a walk, which
 *  goes on the bill. The APIC's page is a second-level fault. *overflow: the
 *  TLB was full and forgot others, so Unicorn has to as well. */
enum mmu_result engine_memory_translate(struct engine *engine,
                                        const struct mmu_context *mmu,
                                        gva_t page, enum mmu_access access,
                                        struct mmu_translation *to,
                                        struct mmu_fault *fault,
                                        bool *overflow);
/** Notes engine->trouble; always false. */
bool engine_memory_refuse(struct engine *engine, enum trouble kind, gva_t page,
                          enum mmu_access access);
bool engine_memory_is_apic(const struct engine *engine, gpa_t page);
uint64_t engine_memory_apic_read(uc_engine *uc, uint64_t offset, unsigned bytes,
                                 void *context);
void engine_memory_apic_write(uc_engine *uc, uint64_t offset, unsigned bytes,
                              uint64_t value, void *context);
/** Empties Unicorn's TLB now. */
void engine_memory_flush(struct engine *engine);
/** Empties both TLBs: the architectural flush. */
void engine_memory_flush_all(struct engine *engine, bool keep_global);
/** Where the code at `pc` lies, without billing or side effects beyond
 *  accessed bits; false if it cannot be fetched. */
bool engine_memory_code(struct engine *engine, uint64_t pc, spa_t *at);
uint32_t engine_memory_read_code(struct engine *engine, uint64_t pc,
                                 uint8_t *to, uint32_t bytes);
/** Between blocks: whether code may be fetched from the page; if not,
 *  engine->trouble says why. */
bool engine_memory_may_fetch(struct engine *engine, gva_t page);
/** Supervisor or user access from outside, CR2 and error code in `fault`. */
bool engine_memory_access(struct engine *engine, gva_t at, void *buffer,
                          uint32_t bytes, bool write, bool user, bool implicit,
                          struct cpu_event *fault);
void engine_memory_adopt_controls(struct engine *engine,
                                  const struct x86_state *state);

/* engine_block.c */
void engine_block_hook(uc_engine *uc, uint64_t pc, uint32_t bytes,
                       void *context);
/** The current block was executed up to `pc` only: takes the rest back. */
void engine_block_cut(struct engine *engine, uint64_t pc);
/** Charges one instruction that the engine or its host executed. */
void engine_block_charge(struct engine *engine, uint64_t pc, uint32_t bytes);
/** Puts traps into the block at the image's RIP. */
void engine_block_trap(struct engine *engine);
/** True if the instruction would run natively though it must not. */
bool engine_block_needs_trap(const uint8_t *code, uint32_t bytes,
                             enum code_mode mode);

/* engine_step.c */
/** Runs [pc, pc + bytes) from the scratch page, then comes back. */
void engine_step_begin(struct engine *engine, uint64_t pc, uint32_t bytes);
void engine_step_end(struct engine *engine);
/** Executes the one instruction at the image's RIP that way. */
void engine_step_instruction(struct engine *engine);
/** Executes instructions from the image's RIP on that way, as many as suit,
 *  none beyond the page. False if the first one does not end in it. */
bool engine_step_piece(struct engine *engine);

/* engine_exit.c */
void engine_exit_hook(uc_engine *uc, uint32_t number, void *context);
void engine_exit_to_host(struct engine *engine, const struct vm_exit *exit);
uint8_t engine_exit_length(struct engine *engine);
/** For a length of 0 true, after #UD: Unicorn takes LOCK CPUID and the like for
 *  instructions, from which nothing would go on. */
bool engine_exit_undefined(struct engine *engine, uint8_t length);
/** Passes over an instruction that the engine has executed itself. */
void engine_exit_skip(struct engine *engine, uint32_t bytes);

/* engine_trouble.c */
/** The fill hook's refusal, as engine->trouble says, handled outside
 *  Unicorn. */
void engine_trouble_handle(struct engine *engine);
/** A second-level fault, as engine->trouble says, for the host. */
void engine_trouble_to_host(struct engine *engine);

/* engine_control.c */
void engine_control_cr_write(struct engine *engine, unsigned cr);
void engine_control_cr_read(struct engine *engine, unsigned cr);
void engine_control_dr(struct engine *engine);
void engine_control_invlpg(struct engine *engine);
void engine_control_rdtsc(struct engine *engine);
/** True if the instruction at RIP, which reads a clock, must not do so yet:
 *  the run is being left. */
bool engine_control_clock_waits(struct engine *engine);
/** False if the MSR is not the engine's; *fault set if it was refused. */
bool engine_control_rdmsr(struct engine *engine, uint32_t index,
                          uint64_t *value);
bool engine_control_wrmsr(struct engine *engine, uint32_t index, uint64_t value,
                          bool *fault);
uint64_t engine_control_tsc(struct engine *engine);

/* engine_io.c */
void engine_io_exit(struct engine *engine);

/* engine_event.c */
void engine_event_raise(struct engine *engine, const struct cpu_event *event);
void engine_event_fault(struct engine *engine, uint8_t vector,
                        uint32_t error_code);
/** Delivers what is pending and can be; false if guest code must not run. */
bool engine_event_pending(struct engine *engine);
void engine_event_syscall_hook(uc_engine *uc, void *context);
void engine_event_sysenter_hook(uc_engine *uc, void *context);
void engine_event_software(struct engine *engine);
void engine_event_icebp(struct engine *engine);
void engine_event_undefined(struct engine *engine);

#endif
