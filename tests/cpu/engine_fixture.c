/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "tests/cpu/engine_fixture.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/x86.h"

SNIPPET(handlers);

/* Unicorn forgets a few hundred bytes of each instance. */
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
    return "leak:libunicorn.so";
}

#define ARENA_BYTES UINT64_C(0x4000000)
#define SLAT_PML4 UINT64_C(0x10000)
#define SLAT_PDPT UINT64_C(0x11000)
#define SLAT_PD UINT64_C(0x12000)
#define SLAT_PT UINT64_C(0x20000) /* eight tables: 16 MiB */
#define SLAT_PD_TOP UINT64_C(0x13000)
#define SLAT_PT_TOP UINT64_C(0x14000)
#define SLAT_ALL (SLAT_P | SLAT_W | SLAT_U)

static void put64(struct fixture *f, uint64_t at, uint64_t value)
{
    arena_store64(f->arena, spa(at), value);
}

static void build_slat(struct fixture *f)
{
    put64(f, SLAT_PML4, SLAT_PDPT | SLAT_ALL);
    put64(f, SLAT_PDPT, SLAT_PD | SLAT_ALL);
    put64(f, SLAT_PDPT + 8 * 3, SLAT_PD_TOP | SLAT_ALL);
    put64(f, SLAT_PD_TOP + 8 * 511, SLAT_PT_TOP | SLAT_ALL);
    for (uint64_t i = 0; i < 8; i++)
        put64(f, SLAT_PD + 8 * i, (SLAT_PT + (i << 12)) | SLAT_ALL);
    for (uint64_t i = 0; i < GUEST_BYTES >> 12; i++)
        put64(f, SLAT_PT + 8 * i, (GUEST_SPA + (i << 12)) | SLAT_ALL);
    for (uint64_t i = 496; i < 512; i++)
        put64(f, SLAT_PT_TOP + 8 * i,
              (GUEST_SPA + 0xf0000 + ((i - 496) << 12)) | SLAT_ALL);
    f->slat.table = spa(SLAT_PML4);
}

static uint32_t price(void *context, const struct cost_bill *bill)
{
    uint32_t subcycles = 0;

    (void)context;
    for (enum cost_kind kind = 0; kind <= COST_INSN_PAUSE; kind++)
        if (kind != COST_INSN_LOAD && kind != COST_INSN_STORE)
            subcycles += cost_count(bill, kind) * SUBCYCLES_PER_CYCLE;
    return subcycles;
}

/* By default every exit stops the run, but for port 0xe9 and CPUID. */
static enum engine_verdict on_exit_fixture(void *context,
                                           const struct vm_exit *exit)
{
    struct fixture *f = context;
    unsigned n = f->exit_count;

    assert_true(n < EXITS_MAX);
    f->elapsed += engine_take_elapsed(f->engine).v;
    f->exits[n] = *exit;
    f->exit_rip[n] = engine_rip(f->engine);
    f->exit_elapsed[n] = f->elapsed;
    f->exit_count++;
    return f->on_exit ? f->on_exit(f, exit) : ENGINE_STOP;
}

static uint32_t apic_read(void *context, uint32_t offset, uint32_t bytes)
{
    struct fixture *f = context;

    (void)bytes;
    return f->apic[offset / 4];
}

static void apic_write(void *context, uint32_t offset, uint32_t bytes,
                       uint32_t value)
{
    struct fixture *f = context;

    (void)bytes;
    f->apic[offset / 4] = value;
}

struct engine *fixture_engine(struct fixture *f)
{
    struct sim_error error = {0};
    struct engine *engine = NULL;

    if (engine_create(&engine, f->pool, &f->host, f->slat, &error) != SIM_OK)
        fail_msg("%s", error.message);
    return engine;
}

void fixture_open(struct fixture *f)
{
    struct sim_error error = {0};

    memset(f, 0, sizeof(*f));
    if (arena_create(&f->arena, ARENA_BYTES, &error) != SIM_OK ||
        engine_pool_create(&f->pool, f->arena, &error) != SIM_OK)
        fail_msg("%s", error.message);
    build_slat(f);
    f->host = (struct engine_host){
        .context = f,
        .price_block = price,
        .on_exit = on_exit_fixture,
        .apic_read = apic_read,
        .apic_write = apic_write,
    };
    f->engine = fixture_engine(f);
    f->run.clock_limit = CYCLES_NEVER;
    f->run.bill = &f->bill;
    LOAD_SNIPPET(f, GUEST_HANDLERS, handlers);
}

void fixture_close(struct fixture *f)
{
    engine_free(f->engine);
    engine_pool_free(f->pool);
    arena_free(f->arena);
}

void fixture_write(struct fixture *f, uint64_t gpa, const void *from,
                   size_t bytes)
{
    arena_write(f->arena, spa(GUEST_SPA + gpa), from, bytes);
}

void fixture_load(struct fixture *f, uint64_t gpa, const uint8_t *start,
                  const uint8_t *end)
{
    fixture_write(f, gpa, start, (size_t)(end - start));
}

uint64_t fixture_read64(struct fixture *f, uint64_t gpa)
{
    uint64_t value;

    arena_read(f->arena, spa(GUEST_SPA + gpa), &value, sizeof(value));
    return value;
}

void fixture_write64(struct fixture *f, uint64_t gpa, uint64_t value)
{
    fixture_write(f, gpa, &value, sizeof(value));
}

static void build_guest_tables(struct fixture *f)
{
    const uint64_t rw_user = 0x7;

    fixture_write64(f, GUEST_PML4, 0x2000 | rw_user);
    fixture_write64(f, 0x2000, 0x3000 | rw_user);
    fixture_write64(f, 0x3000, GUEST_PT | rw_user);
    for (uint64_t i = 1; i < 8; i++)
        fixture_write64(f, 0x3000 + 8 * i, i << 21 | 0x80 | rw_user);
    for (uint64_t i = 0; i < 512; i++)
        fixture_write64(f, GUEST_PT + 8 * i, i << 12 | rw_user);
    fixture_write64(f, GUEST_GDT + GUEST_CS0, 0x00af9b000000ffff);
    fixture_write64(f, GUEST_GDT + GUEST_SS0, 0x00cf93000000ffff);
    fixture_write64(f, GUEST_GDT + (GUEST_SS3 & ~3), 0x00cff3000000ffff);
    fixture_write64(f, GUEST_GDT + (GUEST_CS3 & ~3), 0x00affb000000ffff);
    fixture_write64(f, GUEST_GDT + (GUEST_CS3_32 & ~3), 0x00cffb000000ffff);
    fixture_write64(f, GUEST_GDT + GUEST_TR,
                    0x00008b0000000067 | (uint64_t)GUEST_TSS << 16);
    fixture_write64(f, GUEST_TSS + 4, GUEST_STACK0);
    fixture_write64(f, GUEST_TSS + 0x24, GUEST_STACK0 - 0x800); /* IST1 */
}

static void build_idt(struct fixture *f)
{
    for (uint64_t v = 0; v < 256; v++) {
        uint64_t to = GUEST_HANDLER(v);

        fixture_write64(f, GUEST_IDT + 16 * v,
                        (to & 0xffff) | (uint64_t)GUEST_CS0 << 16 |
                            UINT64_C(0xee00) << 32 | (to >> 16 & 0xffff) << 48);
        fixture_write64(f, GUEST_IDT + 16 * v + 8, to >> 32);
    }
}

static struct x86_segment segment(uint16_t selector, uint16_t attributes)
{
    return (struct x86_segment){
        .limit = 0xffffffff, .selector = selector, .attributes = attributes};
}

void fixture_long_mode(struct fixture *f)
{
    struct x86_state s;

    build_guest_tables(f);
    build_idt(f);
    x86_reset(&s);
    s.cr0 = CR0_PE | CR0_PG | CR0_ET | CR0_WP | CR0_NE | CR0_MP;
    s.cr3 = GUEST_PML4;
    s.cr4 = CR4_PAE | CR4_PGE | CR4_OSFXSR | CR4_OSXMMEXCPT;
    s.efer = EFER_LME | EFER_LMA | EFER_SCE | EFER_NXE;
    for (unsigned i = 0; i < X86_SEGMENT_COUNT; i++)
        s.segment[i] = segment(GUEST_SS0, 0xc093);
    s.segment[X86_CS] = segment(GUEST_CS0, 0xa09b);
    s.tr = (struct x86_segment){.base = GUEST_TSS,
                                .limit = 0x67,
                                .selector = GUEST_TR,
                                .attributes = 0x8b};
    s.ldtr = (struct x86_segment){.attributes = 0x82};
    s.gdtr = (struct x86_table){.base = GUEST_GDT, .limit = 0x7f};
    s.idtr = (struct x86_table){.base = GUEST_IDT, .limit = 0xfff};
    s.rip = GUEST_CODE;
    s.gpr[X86_RSP] = GUEST_STACK0 - 0x400;
    engine_set_state(f->engine, &s);
}

int fixture_setup_long_mode(void **state)
{
    static struct fixture f;

    fixture_open(&f);
    fixture_long_mode(&f);
    *state = &f;
    return 0;
}

int fixture_teardown(void **state)
{
    fixture_close(*state);
    return 0;
}

void fixture_user_mode(struct fixture *f)
{
    struct x86_state s;

    engine_get_state(f->engine, &s);
    for (unsigned i = 0; i < X86_SEGMENT_COUNT; i++)
        s.segment[i] = segment(GUEST_SS3, 0xc0f3);
    s.segment[X86_CS] = segment(GUEST_CS3, 0xa0fb);
    s.gpr[X86_RSP] = GUEST_DATA + 0x8000;
    engine_set_state(f->engine, &s);
}

enum vm_exit_kind fixture_run(struct fixture *f, uint64_t cycles_more)
{
    enum vm_exit_kind kind;

    f->run.now = cycles(f->elapsed);
    f->run.limit = cycles(f->elapsed + cycles_more);
    kind = engine_run(f->engine, &f->run);
    f->elapsed += engine_take_elapsed(f->engine).v;
    return kind;
}

void fixture_set_pte(struct fixture *f, uint64_t va, uint64_t pte)
{
    fixture_write64(f, GUEST_PT + 8 * (va >> 12), pte);
    engine_flush_translations(f->engine);
}

void fixture_set_slat(struct fixture *f, uint64_t gpa, bool present)
{
    put64(f, SLAT_PT + 8 * (gpa >> 12),
          present ? ((GUEST_SPA + gpa) & ~PAGE_MASK) | SLAT_ALL : 0);
    engine_flush_translations(f->engine);
}

uint64_t fixture_memory_hash(const struct fixture *f)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);

    for (uint64_t i = 0; i < GUEST_BYTES; i += 8) {
        uint64_t word;

        memcpy(&word, f->arena->base + GUEST_SPA + i, sizeof(word));
        hash = (hash ^ word) * UINT64_C(0x100000001b3);
    }
    return hash;
}
