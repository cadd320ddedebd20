/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * How much of the emulator's own speed the engine keeps: the loops of
 * workloads/bench, run by the engine (page walks, prices, code-page table,
 * intercepts) and by bare Unicorn with no hook at all, in one process, turn by
 * turn. Bare Unicorn runs in whichever of its two memory modes is faster, and
 * once more in that of the engine with a block hook that does nothing: what
 * counting blocks through Unicorn's hook costs at the very least.
 *
 *   bench_engine [repeats [loop]]
 *
 * Prints a line for each loop: median milliseconds of CPU time of all three,
 * what the engine and the empty hook keep of bare Unicorn's speed (1 is all)
 * and, for the CPUID loop, what one intercept costs. Times are the machine's;
 * nothing here is a test.
 */

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unicorn/unicorn.h>

#include "cpu/engine.h"
#include "workloads/bench/loops.h"

#define MEMORY_BYTES (UINT64_C(256) << 20)
#define CODE_AT UINT64_C(0x200000)
#define RETURN_AT UINT64_C(0x300000)
#define STACK_AT UINT64_C(0x400000)
#define DATA_AT UINT64_C(0x4000000)
#define REPEATS_MAX 99

/* Loops are shortened to about this many host milliseconds each. */
#define CPUID_ITERATIONS 300000

struct loop {
    const char *name;
    const uint8_t *start, *end;
    uint64_t iterations;
    uint64_t bytes;
};

static const struct loop loops[] = {
#define BENCH_LOOP(name, count, memory_bytes, help)                            \
    {#name, (const uint8_t *)(uintptr_t)bench_##name,                          \
     (const uint8_t *)bench_##name##_end, (count), (memory_bytes)},
#include "workloads/bench/loops.def"
#undef BENCH_LOOP
};

#define LOOP_COUNT (sizeof(loops) / sizeof(loops[0]))

static uint64_t cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void check(bool ok, const char *what)
{
    if (ok)
        return;
    fprintf(stderr, "bench_engine: %s failed\n", what);
    exit(1);
}

/* Enough of a loop for a median within seconds. */
static uint64_t shortened(const struct loop *loop)
{
    uint64_t n = loop->iterations / 20;

    if (strcmp(loop->name, "cpuid") == 0)
        return CPUID_ITERATIONS;
    return n > 0 ? n : 1;
}

/* The engine and the little machine around it. */

struct simulated {
    struct arena *arena;
    struct engine_pool *pool;
    struct engine *engine;
    struct cost_bill bill;
};

#define SLAT_PML4 UINT64_C(0x1000)
#define SLAT_PDPT UINT64_C(0x2000)
#define SLAT_PD UINT64_C(0x3000)
#define SLAT_BITS (SLAT_P | SLAT_W | SLAT_U)
#define GUEST_PML4 UINT64_C(0x4000)
#define GUEST_PDPT UINT64_C(0x5000)
#define GUEST_PD UINT64_C(0x6000)

static uint32_t price(void *context, const struct cost_bill *bill)
{
    uint32_t sum = 0;

    (void)context;
    for (enum cost_kind kind = 0; kind <= COST_INSN_PAUSE; kind++)
        sum += cost_count(bill, kind) * SUBCYCLES_PER_CYCLE;
    return sum;
}

static enum engine_verdict on_exit_bench(void *context,
                                         const struct vm_exit *vm_exit)
{
    struct simulated *sim = context;

    if (vm_exit->kind != VM_EXIT_CPUID)
        return ENGINE_STOP;
    engine_set_gpr(sim->engine, X86_RAX, 1);
    engine_set_gpr(sim->engine, X86_RBX, 2);
    engine_set_gpr(sim->engine, X86_RCX, 3);
    engine_set_gpr(sim->engine, X86_RDX, 4);
    engine_skip_instruction(sim->engine, vm_exit);
    return ENGINE_RESUME;
}

static uint32_t no_apic_read(void *context, uint32_t offset, uint32_t bytes)
{
    (void)context;
    (void)offset;
    (void)bytes;
    return 0;
}

static void no_apic_write(void *context, uint32_t offset, uint32_t bytes,
                          uint32_t value)
{
    (void)context;
    (void)offset;
    (void)bytes;
    (void)value;
}

static void build_tables(struct simulated *sim)
{
    struct arena *arena = sim->arena;
    const uint64_t guest_bits = 0x7, large = 0x80;

    arena_store64(arena, spa(SLAT_PML4), SLAT_PDPT | SLAT_BITS);
    arena_store64(arena, spa(SLAT_PDPT), SLAT_PD | SLAT_BITS);
    arena_store64(arena, spa(GUEST_PML4), GUEST_PDPT | guest_bits);
    arena_store64(arena, spa(GUEST_PDPT), GUEST_PD | guest_bits);
    for (uint64_t i = 0; i < MEMORY_BYTES >> 21; i++) {
        arena_store64(arena, spa(SLAT_PD + 8 * i),
                      i << 21 | SLAT_LARGE | SLAT_BITS);
        arena_store64(arena, spa(GUEST_PD + 8 * i),
                      i << 21 | large | guest_bits);
    }
}

static void open_simulated(struct simulated *sim, struct engine_host *host)
{
    struct sim_error error = {0};
    const struct slat_root root = {.table = {SLAT_PML4}};

    *host = (struct engine_host){
        .context = sim,
        .price_block = price,
        .on_exit = on_exit_bench,
        .apic_read = no_apic_read,
        .apic_write = no_apic_write,
    };
    if (arena_create(&sim->arena, MEMORY_BYTES, &error) != SIM_OK ||
        engine_pool_create(&sim->pool, sim->arena, &error) != SIM_OK ||
        engine_create(&sim->engine, sim->pool, host, root, &error) != SIM_OK)
        check(false, error.message);
    build_tables(sim);
    arena_write(sim->arena, spa(RETURN_AT), "\xf4", 1); /* HLT */
}

static void set_up_call(struct simulated *sim, uint64_t iterations,
                        uint64_t bytes)
{
    const uint64_t back = RETURN_AT;
    struct x86_state s;

    x86_reset(&s);
    s.cr0 = CR0_PE | CR0_PG | CR0_ET | CR0_WP | CR0_NE | CR0_MP;
    s.cr3 = GUEST_PML4;
    s.cr4 = CR4_PAE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    s.efer = EFER_LME | EFER_LMA | EFER_NXE;
    for (unsigned i = 0; i < X86_SEGMENT_COUNT; i++)
        s.segment[i] = (struct x86_segment){
            .limit = UINT32_MAX,
            .selector = i == X86_CS ? 8 : 16,
            .attributes = i == X86_CS ? 0xa09b : 0xc093,
        };
    s.rip = CODE_AT;
    s.gpr[X86_RDI] = iterations;
    s.gpr[X86_RSI] = DATA_AT;
    s.gpr[X86_RDX] = bytes;
    s.gpr[X86_RSP] = STACK_AT - 8;
    arena_write(sim->arena, spa(STACK_AT - 8), &back, sizeof(back));
    engine_set_state(sim->engine, &s);
}

static uint64_t run_simulated(struct simulated *sim, const uint8_t *start,
                              const uint8_t *end, uint64_t iterations,
                              uint64_t bytes, uint64_t *checksum)
{
    struct engine_run run = {
        .limit = CYCLES_NEVER, .clock_limit = CYCLES_NEVER, .bill = &sim->bill};
    uint64_t before, spent;

    arena_write(sim->arena, spa(CODE_AT), start, (size_t)(end - start));
    set_up_call(sim, iterations, bytes);
    before = cpu_ns();
    check(engine_run(sim->engine, &run) == VM_EXIT_STOPPED, "engine_run");
    spent = cpu_ns() - before;
    *checksum = engine_gpr(sim->engine, X86_RAX);
    return spent;
}

/* Bare Unicorn. */

struct bare {
    uc_engine *uc;
    uint8_t *memory;
};

enum { BARE_PHYSICAL, BARE_VIRTUAL, BARE_HOOKED, BARE_COUNT };

static bool map_identity(uc_engine *uc, uint64_t page, uc_mem_type type,
                         uc_tlb_entry *entry, void *context)
{
    (void)uc;
    (void)context;
    entry->paddr = page;
    entry->perms = type == UC_MEM_FETCH ? UC_PROT_READ | UC_PROT_EXEC
                                        : UC_PROT_READ | UC_PROT_WRITE;
    return true;
}

static void empty_block_hook(uc_engine *uc, uint64_t pc, uint32_t bytes,
                             void *context)
{
    (void)uc;
    (void)pc;
    (void)bytes;
    (void)context;
}

static void open_bare(struct bare *bare, bool virtual_tlb, bool hooked)
{
    uc_hook hook;

    bare->memory = mmap(NULL, MEMORY_BYTES, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    check(bare->memory != MAP_FAILED, "mmap");
    check(uc_open(UC_ARCH_X86, UC_MODE_64, &bare->uc) == UC_ERR_OK, "uc_open");
    check(uc_ctl_set_cpu_model(bare->uc, UC_CPU_X86_EPYC) == UC_ERR_OK &&
              uc_ctl_set_tcg_buffer_size(bare->uc, 32u << 20) == UC_ERR_OK,
          "uc_ctl");
    if (virtual_tlb)
        check(uc_ctl_tlb_mode(bare->uc, UC_TLB_VIRTUAL) == UC_ERR_OK &&
                  uc_hook_add(bare->uc, &hook, UC_HOOK_TLB_FILL,
                              (void *)(uintptr_t)map_identity, NULL, 1,
                              0) == UC_ERR_OK,
              "virtual TLB");
    if (hooked)
        check(uc_hook_add(bare->uc, &hook, UC_HOOK_BLOCK,
                          (void *)(uintptr_t)empty_block_hook, NULL, 1,
                          0) == UC_ERR_OK,
              "empty block hook");
    check(uc_mem_map_ptr(bare->uc, 0, MEMORY_BYTES, UC_PROT_ALL,
                         bare->memory) == UC_ERR_OK,
          "uc_mem_map_ptr");
}

static uint64_t run_bare(struct bare *bare, const uint8_t *start,
                         const uint8_t *end, uint64_t iterations,
                         uint64_t bytes, uint64_t *checksum)
{
    const uint64_t back = RETURN_AT, rsp = STACK_AT - 8, rsi = DATA_AT;
    uint64_t before;

    memcpy(bare->memory + CODE_AT, start, (size_t)(end - start));
    (void)uc_ctl_remove_cache(bare->uc, CODE_AT, CODE_AT + PAGE_BYTES);
    memcpy(bare->memory + rsp, &back, sizeof(back));
    (void)uc_reg_write(bare->uc, UC_X86_REG_RDI, &iterations);
    (void)uc_reg_write(bare->uc, UC_X86_REG_RSI, &rsi);
    (void)uc_reg_write(bare->uc, UC_X86_REG_RDX, &bytes);
    (void)uc_reg_write(bare->uc, UC_X86_REG_RSP, &rsp);
    before = cpu_ns();
    check(uc_emu_start(bare->uc, CODE_AT, RETURN_AT, 0, 0) == UC_ERR_OK,
          "uc_emu_start");
    before = cpu_ns() - before;
    (void)uc_reg_read(bare->uc, UC_X86_REG_RAX, checksum);
    return before;
}

/* Comparison. */

static int by_value(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

static uint64_t median(uint64_t *values, unsigned count)
{
    qsort(values, count, sizeof(*values), by_value);
    return values[count / 2];
}

static void prepare_chase(struct simulated *sim, struct bare *bare,
                          uint64_t bytes)
{
    const uint8_t *start = (const uint8_t *)(uintptr_t)bench_chase_prepare;
    const uint8_t *end = (const uint8_t *)bench_chase_prepare_end;
    uint64_t ignored;

    run_simulated(sim, start, end, 1, bytes, &ignored);
    for (unsigned i = 0; i < BARE_COUNT; i++)
        run_bare(&bare[i], start, end, 1, bytes, &ignored);
}

/* Medians, in nanoseconds. */
struct comparison {
    uint64_t engine;
    uint64_t bare[BARE_COUNT];
};

static struct comparison compare(struct simulated *sim, struct bare *bare,
                                 const struct loop *loop, unsigned repeats)
{
    uint64_t ours[REPEATS_MAX], theirs[BARE_COUNT][REPEATS_MAX];
    uint64_t iterations = shortened(loop);
    uint64_t sum = 0, other = 0;
    struct comparison medians;

    if (strcmp(loop->name, "chase") == 0)
        prepare_chase(sim, bare, loop->bytes);
    for (unsigned i = 0; i < repeats; i++) {
        ours[i] = run_simulated(sim, loop->start, loop->end, iterations,
                                loop->bytes, &sum);
        for (unsigned k = 0; k < BARE_COUNT; k++) {
            theirs[k][i] = run_bare(&bare[k], loop->start, loop->end,
                                    iterations, loop->bytes, &other);
            check(sum == other || strcmp(loop->name, "cpuid") == 0,
                  "the same checksum");
        }
    }
    medians.engine = median(ours, repeats);
    for (unsigned k = 0; k < BARE_COUNT; k++)
        medians.bare[k] = median(theirs[k], repeats);
    return medians;
}

/* Returns the ratio; 0 for the loop of intercepts, which has none. */
static double print(const struct loop *loop, const struct comparison *medians)
{
    const uint64_t *bare = medians->bare;
    uint64_t best = bare[BARE_PHYSICAL] < bare[BARE_VIRTUAL]
                        ? bare[BARE_PHYSICAL]
                        : bare[BARE_VIRTUAL];
    double engine = (double)medians->engine, hooked = (double)bare[BARE_HOOKED];

    if (strcmp(loop->name, "cpuid") == 0) {
        printf("%-8s %8.2f ms  %.0f ns an intercept\n", loop->name,
               engine / 1e6, engine / CPUID_ITERATIONS);
        return 0;
    }
    printf("%-8s %8.2f ms  bare %8.2f ms  ratio %4.2f  (an empty block hook "
           "%8.2f ms, ratio %4.2f)\n",
           loop->name, engine / 1e6, (double)best / 1e6, (double)best / engine,
           hooked / 1e6, (double)best / hooked);
    fflush(stdout);
    return (double)best / engine;
}

int main(int argc, char **argv)
{
    int wanted = argc > 1 ? atoi(argv[1]) : 5;
    unsigned repeats =
        wanted < 1 || wanted > REPEATS_MAX ? 5 : (unsigned)wanted;
    struct simulated sim = {0};
    struct engine_host host;
    struct bare bare[BARE_COUNT];
    double log_sum = 0;
    unsigned compared = 0;

    open_simulated(&sim, &host);
    open_bare(&bare[BARE_PHYSICAL], false, false);
    open_bare(&bare[BARE_VIRTUAL], true, false);
    open_bare(&bare[BARE_HOOKED], true, true);
    for (unsigned i = 0; i < LOOP_COUNT; i++) {
        struct comparison medians;
        double ratio;

        if (argc > 2 && strcmp(argv[2], loops[i].name) != 0)
            continue;
        medians = compare(&sim, bare, &loops[i], repeats);
        ratio = print(&loops[i], &medians);
        if (ratio > 0) {
            log_sum += log(ratio);
            compared++;
        }
    }
    if (compared > 1)
        printf("geometric mean of the ratios %4.2f\n", exp(log_sum / compared));
    return 0;
}
