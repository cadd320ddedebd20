/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef HVSIM_CPU_ENGINE_H
#define HVSIM_CPU_ENGINE_H

/**
 * One virtual processor's execution of real x86 code. The engine owns the
 * architectural state, the translation cache and Unicorn behind it; it raises
 * and delivers the guest's exceptions by itself, and hands everything that a
 * hypervisor decides to its host, through on_exit, as a struct vm_exit.
 * Driven by sim/machine/run.c through the hypervisor's VPs.
 *
 * Time: the engine counts subcycles of guest code (see sim/core/cost.h) by the
 * prices of the blocks it runs, and knows "now" only as engine_run() told it.
 * Costs that are not code (exceptions, walks) go on the bill.
 */

#include "cpu/arena.h"
#include "cpu/slat.h"
#include "cpu/x86.h"
#include "sim/core/cost.h"
#include "sim/core/error.h"

struct engine;

enum vm_exit_kind {
    /* Reasons to come back from engine_run() that are not intercepts. */
    VM_EXIT_LIMIT,            /* simulated time reached the limit */
    VM_EXIT_INTERRUPT_WINDOW, /* asked for, and now open */
    VM_EXIT_STOPPED,          /* a host said ENGINE_STOP */
    /* Intercepts: RIP is still at the instruction. */
    VM_EXIT_HLT,
    VM_EXIT_CPUID,
    VM_EXIT_RDMSR, /* all MSRs but those that the engine keeps itself: EFER, */
    VM_EXIT_WRMSR, /* STAR .. SFMASK, FS, GS and kernel GS base, SYSENTER_*,
                      TSC_AUX, and reads of the TSC */
    VM_EXIT_IO,
    VM_EXIT_HYPERCALL, /* VMCALL or VMMCALL, at any CPL */
    VM_EXIT_CR8,       /* a read or write of the task priority */
    VM_EXIT_PAUSE,     /* only if asked for */
    VM_EXIT_GPA,       /* second-level translation does not allow an access */
    VM_EXIT_EXCEPTION, /* only vectors asked for */
    VM_EXIT_TASK_GATE, /* hardware task switch: not supported */
    VM_EXIT_SHUTDOWN,  /* triple fault; engine_run() returns with it too,
                          unless the host has set another state */
    VM_EXIT_KIND_COUNT,
};

struct vm_exit {
    enum vm_exit_kind kind;
    uint8_t instruction_bytes; /* length; 0 where it has none */
    union {
        struct { /* CPUID: leaf EAX, subleaf ECX */
            uint32_t leaf, subleaf;
        } cpuid;
        struct { /* RDMSR, WRMSR */
            uint32_t index;
            uint64_t value; /* WRMSR only */
        } msr;
        struct { /* IO; string forms: see engine_io_string() */
            uint16_t port;
            uint8_t bytes;
            bool in, string, repeated;
            uint32_t value; /* OUT only */
        } io;
        struct { /* CR8 */
            bool write;
            uint8_t gpr;    /* the other operand, enum x86_gpr */
            uint64_t value; /* write only */
        } cr8;
        struct { /* GPA */
            gpa_t gpa;
            gva_t gva;
            bool write, fetch;
            bool in_walk; /* a page-table reference, not the access itself */
        } gpa;
        struct { /* EXCEPTION */
            uint8_t vector;
            bool has_error_code;
            uint32_t error_code;
            uint64_t cr2;
        } exception;
    } u;
};

/** What the host wants after an exit that it handled. */
enum engine_verdict {
    ENGINE_RESUME, /* go on at RIP, which the host has moved if it should */
    ENGINE_STOP,   /* come back from engine_run() before the next instruction */
};

/** What an engine needs from its owner. Borrowed; outlives the engine. */
struct engine_host {
    void *context;

    /** Host memory for translated code, a multiple of 1 MiB; all of it is
     *  touched. 0: a default for large guests. It changes speed alone. */
    uint32_t translation_buffer_bytes;

    /** The price of a block with this bill, in subcycles. Called once for each
     *  distinct piece of code. */
    uint32_t (*price_block)(void *context, const struct cost_bill *bill);

    /**
     * An intercept. Called from inside engine_run(), with all registers exact
     * and readable. Register changes by engine_set_*() are allowed here.
     */
    enum engine_verdict (*on_exit)(void *context, const struct vm_exit *exit);

    /** Called every few thousand cycles of guest code. True: engine_run() is to
     *  come back before the next block. May be NULL. */
    bool (*stop_wanted)(void *context);

    /** Accesses to the APIC page, when one is set (engine_set_apic_page()).
     *  `offset` is within the page; `bytes` 1, 2, 4 or 8. The instruction is
     *  under way: no register can be read or changed here and no event
     *  injected, but a window can be requested. */
    uint32_t (*apic_read)(void *context, uint32_t offset, uint32_t bytes);
    void (*apic_write)(void *context, uint32_t offset, uint32_t bytes,
                       uint32_t value);
};

/** What engines of one machine share: code tables, prices, the arena. */
struct engine_pool;

/**
 * Checks, once per process, that this Unicorn behaves as the engine relies on
 * (see engine_selftest.c), and finds its context layout. SIM_UNAVAILABLE with
 * a clear message if it does not.
 */
MUST_USE enum sim_status engine_pool_create(struct engine_pool **out,
                                            struct arena *arena,
                                            struct sim_error *error);
void engine_pool_free(struct engine_pool *pool);

/** Engines made from now on work on a copy of Unicorn's state, as they do where
 *  the state itself is not found: slower, and no different. For tests. False
 *  if they would have done so anyway. */
bool engine_pool_use_copies(struct engine_pool *pool);

/** "unicorn 2.1.1, capstone 5.0.7": written to `buffer`. */
void engine_version(char *buffer, size_t bytes);

/** Makes a processor in its reset state. The caller owns it. */
MUST_USE enum sim_status engine_create(struct engine **out,
                                       struct engine_pool *pool,
                                       const struct engine_host *host,
                                       struct slat_root slat,
                                       struct sim_error *error);
void engine_free(struct engine *engine);

struct engine_run {
    cycles_t now;           /* in: simulated time at entry */
    cycles_t limit;         /* in: come back at the first block boundary at or
                               after this time, what is billed included */
    cycles_t clock_limit;   /* in: come back before an instruction that reads
                               a clock after this time */
    bool at_clock;          /* out: it has, with VM_EXIT_LIMIT */
    struct cost_bill *bill; /* borrowed: costs beside the code's own */
};

/** The engine will run soon: has the host's caches fetch what it touched when
 *  it ran before. Changes nothing that can be seen but time. */
void engine_foresee(const struct engine *engine);

/**
 * Executes guest code until the limit, a stop, or an interrupt window.
 * Returns the reason. `now` is brought up to date (guest cycles spent since)
 * before every on_exit and at return.
 */
enum vm_exit_kind engine_run(struct engine *engine, struct engine_run *run);

/**
 * Whole guest cycles run since the last call of this function; the fraction
 * is kept for the next. Exact at every on_exit and after engine_run(): the
 * part of the current block that has not been executed is not counted.
 */
cycles_t engine_take_elapsed(struct engine *engine);

/**
 * The time that the guest has reached, from inside apic_read or apic_write,
 * where nothing is settled: that of the start of the current block, so that
 * no later intercept comes before it.
 */
cycles_t engine_now(const struct engine *engine);

/** The host charged `spent` cycles to this processor (an intercept handled):
 *  from here on "now" is later, and so is what RDTSC reads. */
void engine_advance(struct engine *engine, cycles_t spent);

/** Moves the limit, from inside on_exit or before a run. */
void engine_set_limit(struct engine *engine, cycles_t limit);

/** Moves the limit for reading clocks, from inside on_exit. */
void engine_set_clock_limit(struct engine *engine, cycles_t limit);

/** Guest instructions executed so far; each iteration of a repeated string
 *  instruction counts as one. */
uint64_t engine_instructions(const struct engine *engine);

/* Registers. The single ones are fast; the state as a whole is for life-cycle
 * operations, hypercalls and tests. */
uint64_t engine_gpr(struct engine *engine, enum x86_gpr gpr);
void engine_set_gpr(struct engine *engine, enum x86_gpr gpr, uint64_t value);
uint64_t engine_rip(struct engine *engine);
void engine_set_rip(struct engine *engine, uint64_t rip);
uint64_t engine_rflags(struct engine *engine);
unsigned engine_cpl(struct engine *engine);
bool engine_64bit_code(struct engine *engine);
void engine_get_xmm(struct engine *engine, unsigned index, uint8_t value[16]);
void engine_set_xmm(struct engine *engine, unsigned index,
                    const uint8_t value[16]);
void engine_get_state(struct engine *engine, struct x86_state *state);
/** CHECKs nothing: any state may be set; what a real processor would refuse
 *  at VM entry makes the next run end in VM_EXIT_SHUTDOWN. Translations are
 *  forgotten if CR0, CR3, CR4 or EFER change, and kept otherwise. */
void engine_set_state(struct engine *engine, const struct x86_state *state);

/** FPU, SSE and all else back to the reset state too. */
void engine_reset(struct engine *engine);

/** Guest TSC = now + offset. */
void engine_set_tsc_offset(struct engine *engine, uint64_t offset);

/** CPUID features that change what the engine itself must do or refuse (CR4
 *  and EFER bits, NX, 1 GiB pages, physical address bits). */
struct engine_features {
    uint64_t cr4_valid; /* bits the guest may set: else #GP */
    uint64_t efer_valid;
    bool pages_1g;
    bool sysenter_in_compatibility; /* Intel; on AMD #UD */
    unsigned physical_bits;
};
void engine_set_features(struct engine *engine,
                         const struct engine_features *features);

/** Moves RIP past the intercepted instruction, ends an interrupt shadow and
 *  raises the single-step trap if RFLAGS.TF asks for it. */
void engine_skip_instruction(struct engine *engine, const struct vm_exit *exit);

/* Events. */

/** True if a maskable interrupt would be taken now: IF set, no shadow. */
bool engine_interruptible(struct engine *engine);

/** Delivers through the IDT at the current instruction boundary. The caller
 *  has seen engine_interruptible(). Between runs, the cost goes on the next
 *  run's bill. */
void engine_inject_interrupt(struct engine *engine, uint8_t vector);

/** Pending until the guest can take it (not while an NMI is handled). */
void engine_inject_nmi(struct engine *engine);

/** A fault at the current instruction, as an intercept handler answers. For
 *  #PF, CR2 is what it is. */
void engine_inject_exception(struct engine *engine, uint8_t vector,
                             bool has_error_code, uint32_t error_code);

/** Come back from engine_run() with VM_EXIT_INTERRUPT_WINDOW as soon as
 *  engine_interruptible() holds. May be set from inside callbacks. */
void engine_request_window(struct engine *engine, bool wanted);

/**
 * The PAUSE filter (AMD APM volume 2, "Pause Intercept Filtering"): every
 * `count`-th PAUSE of a loop is an intercept (VM_EXIT_PAUSE). PAUSEs that are
 * further apart than `gap` are of different loops. 0: none is, as at first.
 */
void engine_filter_pause(struct engine *engine, uint32_t count, cycles_t gap);

/** Exception vectors that the host wants to see first, one bit each. */
void engine_intercept_exceptions(struct engine *engine, uint32_t vectors);

/** The GPA of the page that apic_read/apic_write answer; none when off. The
 *  second level need not map it; if it does, the mapping is not used. */
void engine_set_apic_page(struct engine *engine, bool on, gpa_t page);

/* Translation. */

/** Second-level mappings changed: forget what was derived from them. */
void engine_flush_translations(struct engine *engine);

/** The guest invalidates its own translations, as by a hypercall: all of them,
 *  or all but the global ones; or those of one page, as INVLPG does. */
void engine_flush_guest(struct engine *engine, bool keep_global);
void engine_flush_page(struct engine *engine, gva_t page);

/** How many page walks were made, how many of them for pages that the guest
 *  maps by more than 4 KiB, and their references; cumulative. */
struct engine_walks {
    uint64_t count, large, guest_references, slat_references;
};
struct engine_walks engine_walks(const struct engine *engine);

/** How many page faults were delivered to the guest, whoever raised them;
 *  cumulative. */
uint64_t engine_page_faults(const struct engine *engine);

/** The instruction bytes at RIP, up to 16; returns how many were readable. */
uint32_t engine_fetch(struct engine *engine, uint8_t bytes[16]);

/**
 * One iteration of INS or OUTS as the exit at hand describes it: OUTS reads
 * the value from guest memory, INS writes it; SI/DI and CX move as the
 * processor would. False if the memory access faulted (the fault has then
 * been injected). The caller repeats the instruction by leaving RIP in place
 * while `*more` is set.
 */
bool engine_io_string(struct engine *engine, const struct vm_exit *exit,
                      uint32_t *value, bool *more);

#endif
